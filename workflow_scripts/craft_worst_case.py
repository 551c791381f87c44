"""Find, for each image, the smallest epsilon at which any of several attacks makes a model misclassify it."""

import click

from robustness.cli import (
    batch_size_option,
    gpu_option,
    in_file,
    norm_option,
    out_file,
    program,
    records_options,
    seed_option,
    threads_option,
    unit_option,
)


@program
@in_file("--model", "The attacked network (.keras).")
@in_file("--images", "The images to start from (.npz of select_evaluation_subset).")
@in_file("--info", "dataset.json of the dataset.")
@records_options
@click.option("--epsilons", required=True, help="Sizes of the perturbation, separated by commas.")
@unit_option()
@norm_option()
@click.option(
    "--attack",
    "attacks",
    multiple=True,
    nargs=2,
    metavar="NAME SETTINGS",
    help="An attack of the cascade, in the order to be tried, and its settings as a JSON object.",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    required=True,
    help="The most rounds of the attacks that follow a gradient, then of those that need none. Iterations and queries double "
    "from round to round.",
)
@batch_size_option()
@seed_option("Seed of random starts.")
@threads_option()
@gpu_option()
@out_file("--output", "The examples that were found (.npz, float32).")
def main(
    model,
    images,
    info,
    evaluation_folder,
    recorded,
    epsilons,
    epsilon_unit,
    norm,
    attacks,
    rounds,
    batch_size,
    seed,
    threads,
    gpu,
    output,
):
    """Find, for each image, the smallest epsilon at which any of several attacks makes a model misclassify it.

    Images that the recorded attacks broke are spared; each attack is spent on those that all before it left standing. Rounds
    of more iterations and queries follow, until one breaks less than 1 % of the images.
    """
    from dataclasses import replace

    from robustness.attacks.attack_settings import as_noted, check_norm, settings_from_json
    from robustness.attacks.epsilon_units import pixel_scale
    from robustness.data.datasets import DatasetInfo, Images, to_pixels
    from robustness.evaluation.worst_case_records import WorstCaseSet, first_falls, read_attacks, read_clean
    from robustness.files import sha256_of

    attacks = {name: replace(settings_from_json(name, text), norm=norm) for name, text in attacks}
    for name, settings in attacks.items():
        check_norm(f"attack {name}", settings)

    from robustness.attacks.worst_case import Target, find_worst_case
    from robustness.cluster import devices
    from robustness.models.model_files import load_network

    devices.prepare(threads, seed, gpu)
    data, clean = DatasetInfo.load(info), Images.load(images)
    recorded = read_attacks(evaluation_folder, [(name, texts.split(",")) for name, texts in recorded])
    known = first_falls(read_clean(evaluation_folder, clean.indices), recorded)
    network = load_network(model, data.shape, len(data.classes))
    scale = pixel_scale(epsilon_unit, data.pixel_range)
    target = Target(network, data.pixel_range, scale, seed, batch_size)
    epsilons = epsilons.split(",")
    falls_at, pixels = known["falls_at"].to_numpy(), to_pixels(clean.images, data.pixel_range)
    found = find_worst_case(target, pixels, clean.labels, falls_at, epsilons, attacks, rounds)
    note = {
        "norm": norm,
        "epsilon_unit": epsilon_unit,
        "epsilons": epsilons,
        "attacks": {name: as_noted(settings) for name, settings in attacks.items()},
        "max_rounds": rounds,
        "tried": found.tried,
        "seed": seed,
        "model_sha256": sha256_of(model),
    }
    indices = clean.indices[found.positions]
    WorstCaseSet(found.images, indices, found.epsilons, found.attacks, found.rounds, note).save(output)
    click.echo(f"{len(set(indices.tolist()))} of {len(clean)} images fall only to the cascade")


if __name__ == "__main__":
    main()
