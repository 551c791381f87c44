"""Walk the way that an attack on one model takes at every epsilon, and keep the signs of its gradients."""

import click

from robustness.attack_options import attack_options
from robustness.cli import out_file, program


@program
@attack_options
@out_file("--output", "The signs of the gradient at each step (.npz).")
def main(model, images, info, attack, epsilon_unit, batch_size, seed, threads, output, **settings):
    """Walk the way that an attack on one model takes at every epsilon, and keep the signs of its gradients.

    For FGSM, and for BIM and PGD from the image itself with a step of fixed length, in the maximum norm.
    """
    from robustness.attack_paths import AttackPath
    from robustness.attack_settings import AttackSettings, describe, without_epsilon
    from robustness.datasets import DatasetInfo, Images, to_pixels
    from robustness.epsilon_units import pixel_scale
    from robustness.errors import UserError
    from robustness.files import sha256_of

    settings = AttackSettings(**settings)
    if not settings.has_path:
        raise UserError(
            f"{attack} has another way at every epsilon: only fgsm, and bim and pgd with --step and without a random "
            "start, in norm inf, have a path; craft it without."
        )

    from robustness import devices
    from robustness.crafting import craft_path
    from robustness.model_files import load_network

    devices.prepare(threads, seed)
    data, clean = DatasetInfo.load(info), Images.load(images)
    network = load_network(model, data.shape, len(data.classes))
    step = (settings.step or 0) * pixel_scale(epsilon_unit, data.pixel_range)
    pixels = to_pixels(clean.images, data.pixel_range)
    bits, attacked, targets = craft_path(
        network, pixels, clean.labels, settings, step, data.pixel_range, seed, batch_size
    )
    note = without_epsilon(describe(attack, settings, "", epsilon_unit, seed))
    AttackPath(bits, data.shape, attacked, targets, clean.indices, note, sha256_of(model)).save(output)
    click.echo(f"{attack}: {settings.iterations} steps on {len(clean)} images")


if __name__ == "__main__":
    main()
