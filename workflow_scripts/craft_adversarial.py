"""Craft adversarial images of one model with one attack at one epsilon."""

import click

from robustness.attack_settings import CLIPS, LABELS, LOSSES
from robustness.cli import (
    batch_size_option,
    in_file,
    norm_option,
    out_file,
    program,
    seed_option,
    threads_option,
    unit_option,
)


@program
@in_file("--model", "The attacked network (.keras).")
@in_file("--images", "The images to start from (.npz of select_evaluation_subset).")
@in_file("--info", "dataset.json of the dataset.")
@click.option("--attack", required=True, help="Name of the attack in the study.")
@click.option("--method", required=True, help="A module of robustness/attack_methods: fgsm, bim, mim, pgd, apgd, ...")
@norm_option()
@click.option("--epsilon", required=True, help="Size of the perturbation, in epsilon's unit.")
@unit_option()
@click.option("--target", default="", help="least_likely, random or a class number; empty: untargeted.")
@click.option("--step", type=click.FloatRange(min=0, min_open=True), help="Of one iteration, in epsilon's unit.")
@click.option("--relative-step", type=click.FloatRange(0, 1, min_open=True), help="The step as a share of epsilon.")
@click.option("--iterations", type=click.IntRange(min=1), default=1, help="Steps of an iterative attack.")
@click.option("--random-start/--no-random-start", default=False, help="pgd: start at a random point of the ball.")
@click.option("--restarts", type=click.IntRange(min=1), default=1, help="Keep the best of so many runs.")
@click.option("--momentum", type=click.FloatRange(min=0), default=1.0, help="Decay factor of mim.")
@click.option("--loss", type=click.Choice(LOSSES), default="cross_entropy", help="What fgsm, bim, pgd and apgd climb.")
@click.option(
    "--logit-scale",
    type=click.FloatRange(min=0, min_open=True),
    help="scaled_cross_entropy: what logits are divided by; left out, it is found from the logits of each image.",
)
@click.option(
    "--queries", type=click.IntRange(min=1), default=1, help="Answers of the network that square may ask for."
)
@click.option(
    "--clip",
    type=click.Choice(CLIPS),
    default="ball",
    help="bim: cut iterates to the ball of epsilon, or to the pixel range alone.",
)
@click.option(
    "--labels",
    type=click.Choice(LABELS),
    default="given",
    help="What fgsm, bim and pgd lead away from: the given (true) class, or the network's prediction.",
)
@batch_size_option()
@seed_option("Seed of random starts and random targets.")
@threads_option()
@out_file("--output", "The adversarial set (.npz, float32).")
def main(model, images, info, attack, epsilon, epsilon_unit, batch_size, seed, threads, output, **settings):
    """Craft adversarial images of one model with one attack at one epsilon (white box)."""
    from robustness.attack_settings import AdversarialSet, AttackSettings, checked_sizes, describe
    from robustness.datasets import DatasetInfo, Images, to_pixels
    from robustness.epsilon_units import pixel_scale
    from robustness.files import sha256_of

    settings = AttackSettings(**settings)
    size, step = checked_sizes(settings, epsilon)

    from robustness import devices
    from robustness.crafting import craft
    from robustness.model_files import load_network

    devices.prepare(threads, seed)
    data = DatasetInfo.load(info)
    network = load_network(model, data.shape, len(data.classes))
    clean = Images.load(images)
    scale = pixel_scale(epsilon_unit, data.pixel_range)
    adversarial, targets = craft(
        network,
        to_pixels(clean.images, data.pixel_range),
        clean.labels,
        settings,
        size * scale,
        step * scale,
        data.pixel_range,
        seed,
        batch_size,
    )
    AdversarialSet(
        adversarial,
        clean.labels,
        targets,
        clean.indices,
        describe(attack, settings, epsilon, epsilon_unit, seed),
        sha256_of(model),
    ).save(output)
    click.echo(f"{attack} at epsilon {epsilon}: {len(adversarial)} images")


if __name__ == "__main__":
    main()
