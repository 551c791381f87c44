"""Carry out what an attack on one model shares at all epsilons, and keep it."""

import click

from robustness.attacks.attack_options import attack_options
from robustness.cli import out_file, program


@program
@attack_options
@out_file("--output", "The signs of the gradient at each step, or the nearest examples (.npz).")
def main(model, images, info, attack, epsilon_unit, batch_size, seed, threads, gpu, output, **settings):
    """Carry out what an attack on one model shares at all epsilons, and keep it.

    Of FGSM, and of BIM and PGD from the image itself with a step of fixed length, in the maximum norm: the signs of the
    gradients on its way. Of an attack of least norm: the nearest examples, however far off they lie.
    """
    from robustness.attacks.attack_paths import AttackPath, NearestExamples
    from robustness.attacks.attack_settings import AttackSettings, checked_sizes, describe, without_epsilon
    from robustness.attacks.epsilon_units import pixel_scale
    from robustness.data.datasets import DatasetInfo, Images, to_pixels
    from robustness.errors import UserError
    from robustness.files import sha256_of

    settings = AttackSettings(**settings)
    checked_sizes(settings, "0")
    if not settings.shares:
        raise UserError(
            f"{attack} has another way at every epsilon: only fgsm, and bim and pgd with --step and without a random "
            "start, in norm inf, and attacks of least norm have something to share; craft it without."
        )

    from robustness.attacks.crafting import craft, craft_path
    from robustness.cluster import devices
    from robustness.models.model_files import load_network

    devices.prepare(threads, seed, gpu)
    data, clean = DatasetInfo.load(info), Images.load(images)
    network = load_network(model, data.shape, len(data.classes))
    step = (settings.step or 0) * pixel_scale(epsilon_unit, data.pixel_range)
    pixels = to_pixels(clean.images, data.pixel_range)
    note, digest = without_epsilon(describe(attack, settings, "", epsilon_unit, seed)), sha256_of(model)
    if settings.declaration.minimum_norm:
        found, targets = craft(
            network, pixels, clean.labels, settings, float("inf"), step, data.pixel_range, seed, batch_size
        )
        NearestExamples(found, targets, clean.indices, note, digest).save(output)
        click.echo(f"{attack}: the nearest examples of {len(clean)} images")
        return
    bits, attacked, targets = craft_path(
        network, pixels, clean.labels, settings, step, data.pixel_range, seed, batch_size
    )
    AttackPath(bits, data.shape, attacked, targets, clean.indices, note, digest).save(output)
    click.echo(f"{attack}: {settings.iterations} steps on {len(clean)} images")


if __name__ == "__main__":
    main()
