"""Craft adversarial images of one model with one attack at one epsilon, and keep them after several numbers of iterations."""

import click

from robustness.attacks.attack_settings import LABELS, LOSSES
from robustness.cli import (
    batch_size_option,
    gpu_option,
    in_file,
    norm_option,
    out_file,
    program,
    seed_option,
    threads_option,
    unit_option,
)
from robustness.config.attack_declarations import sweepable_methods


@program
@in_file("--model", "The attacked network (.keras).")
@in_file("--images", "The images to start from (.npz of select_evaluation_subset).")
@in_file("--info", "dataset.json of the dataset.")
@click.option("--sweep", required=True, help="Name of the iteration sweep in the study.")
@click.option(
    "--method", type=click.Choice(sweepable_methods()), required=True, help="A module of robustness/attack_methods."
)
@norm_option()
@click.option("--epsilon", required=True, help="Size of the perturbation, in epsilon's unit.")
@unit_option()
@click.option("--step", type=click.FloatRange(min=0, min_open=True), help="Of one iteration, in epsilon's unit.")
@click.option("--relative-step", type=click.FloatRange(0, 1, min_open=True), help="The step as a share of epsilon.")
@click.option("--iterations", required=True, help="Numbers of iterations, rising, separated by commas: 1,2,5.")
@click.option("--loss", type=click.Choice(LOSSES), default="cross_entropy", help="What the attack climbs.")
@click.option(
    "--logit-scale",
    type=click.FloatRange(min=0, min_open=True),
    help="scaled_cross_entropy: what logits are divided by; left out, it is found from the logits of each image.",
)
@click.option(
    "--labels",
    type=click.Choice(LABELS),
    default="given",
    help="What fgsm, bim and pgd lead away from: the given (true) class, or the network's prediction.",
)
@batch_size_option()
@seed_option("Seed of the run.")
@threads_option()
@gpu_option()
@out_file("--output", "The images after each number of iterations (.npz, float32).")
def main(
    model, images, info, sweep, epsilon, epsilon_unit, iterations, batch_size, seed, threads, gpu, output, **settings
):
    """Craft adversarial images of one model, and keep them after several numbers of iterations of one run.

    Those after k iterations are what craft_adversarial gives with k iterations.
    """
    import numpy as np

    from robustness.attacks.attack_settings import AttackSettings, checked_sizes, describe
    from robustness.attacks.epsilon_units import pixel_scale
    from robustness.attacks.iteration_sets import IterationSets
    from robustness.data.datasets import DatasetInfo, Images, to_pixels
    from robustness.errors import UserError
    from robustness.files import sha256_of

    counts = [int(text) if text.isdigit() else 0 for text in iterations.split(",")]
    if counts != sorted(set(counts)) or counts[0] < 1:
        raise UserError(f"--iterations is '{iterations}': write rising whole numbers above 0, like 1,2,5.")
    settings = AttackSettings(**settings, iterations=counts[-1])
    size, step = checked_sizes(settings, epsilon)
    if size == 0:
        raise UserError(f"epsilon {epsilon} leaves nothing to attack: raise it.")

    from robustness.attacks.crafting import craft_iterates
    from robustness.cluster import devices
    from robustness.models.model_files import load_network

    devices.prepare(threads, seed, gpu)
    data = DatasetInfo.load(info)
    network = load_network(model, data.shape, len(data.classes))
    clean = Images.load(images)
    scale = pixel_scale(epsilon_unit, data.pixel_range)
    found = craft_iterates(
        network,
        to_pixels(clean.images, data.pixel_range),
        clean.labels,
        settings,
        counts,
        size * scale,
        step * scale,
        data.pixel_range,
        seed,
        batch_size,
    )
    IterationSets(
        found,
        np.array(counts, np.int64),
        clean.labels,
        clean.indices,
        describe(sweep, settings, epsilon, epsilon_unit, seed),
        sha256_of(model),
    ).save(output)
    click.echo(f"{sweep} at epsilon {epsilon}: {len(clean)} images after {iterations} iterations")


if __name__ == "__main__":
    main()
