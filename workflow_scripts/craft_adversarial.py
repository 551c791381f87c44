"""Craft adversarial images of one model with one attack at one epsilon."""

import click

from robustness.attacks.attack_options import attack_options
from robustness.cli import in_file, out_file, program


@program
@attack_options
@click.option("--epsilon", required=True, help="Size of the perturbation, in epsilon's unit.")
@in_file(
    "--path", "What the attack shares at every epsilon (.npz of craft_path), if there is such a thing.", required=False
)
@out_file("--output", "The adversarial set (.npz, float32).")
def main(model, images, info, attack, epsilon, epsilon_unit, batch_size, seed, threads, gpu, path, output, **settings):
    """Craft adversarial images of one model with one attack at one epsilon (white box).

    With a path the images are the same, bit for bit; where it leads to the end, no gradient is taken.
    """
    from robustness.attacks.attack_paths import AttackPath, NearestExamples, check_shared
    from robustness.attacks.attack_settings import AdversarialSet, AttackSettings, checked_sizes, describe
    from robustness.attacks.epsilon_units import epsilon_scale, pixel_scale
    from robustness.data.datasets import DatasetInfo, Images, to_pixels
    from robustness.files import sha256_of

    def start():
        from robustness.cluster import devices  # a path may lead to the end without TensorFlow, and without a GPU

        devices.prepare(threads, seed, gpu)

    settings = AttackSettings(**settings)
    size, step = checked_sizes(settings, epsilon)
    if not path:
        start()
    data, clean = DatasetInfo.load(info), Images.load(images)
    pixels, scale = to_pixels(clean.images, data.pixel_range), pixel_scale(epsilon_unit, data.pixel_range)
    size, step = size * epsilon_scale(settings.norm, epsilon_unit, data.pixel_range), step * scale
    note, digest = describe(attack, settings, epsilon, epsilon_unit, seed), sha256_of(model)
    walked, taken = None, 0
    if path:
        walked = (NearestExamples if settings.declaration.minimum_norm else AttackPath).load(path)
        check_shared(walked, path, note, clean.indices, digest)
        targets = walked.targets
        if settings.declaration.minimum_norm:
            adversarial, taken = walked.follow(pixels, size), settings.iterations
        else:
            adversarial, taken = walked.follow(pixels, size, step, data.pixel_range)
    if taken < settings.iterations:
        if path:
            start()
        from robustness.attacks.crafting import craft, craft_on
        from robustness.models.model_files import load_network

        network = load_network(model, data.shape, len(data.classes))
        sizes = (settings, size, step, data.pixel_range)
        if walked:
            adversarial = craft_on(network, pixels, adversarial, taken, walked.attacked, *sizes, batch_size)
        else:
            adversarial, targets = craft(network, pixels, clean.labels, *sizes, seed, batch_size)
    AdversarialSet(adversarial, clean.labels, targets, clean.indices, note, digest).save(output)
    click.echo(f"{attack} at epsilon {epsilon}: {len(adversarial)} images")


if __name__ == "__main__":
    main()
