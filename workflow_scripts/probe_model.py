"""Probe a model for signs that attacks on it fail for reasons of their own: what diagnose_attacks judges by."""

import click

from robustness.cli import (
    batch_size_option,
    gpu_option,
    in_file,
    out_file,
    program,
    records_options,
    seed_option,
    threads_option,
    unit_option,
)


@program
@in_file("--model", "The probed network (.keras).")
@in_file("--images", "The images that are attacked (.npz of select_evaluation_subset).")
@in_file("--info", "dataset.json of the dataset.")
@records_options
@click.option(
    "--attack",
    "attacks",
    multiple=True,
    nargs=2,
    metavar="NAME SETTINGS",
    help="An attack of the study and its settings as a JSON object.",
)
@click.option(
    "--worst-case",
    "cascade",
    multiple=True,
    nargs=2,
    metavar="NAME SETTINGS",
    help="An attack of the worst case's cascade and its settings as a JSON object.",
)
@unit_option()
@click.option("--n", type=click.IntRange(min=1), required=True, help="Images that are probed: the first of --images.")
@click.option("--queries", type=click.IntRange(min=1), required=True, help="Queries of the gradient-free probe.")
@click.option(
    "--huge-epsilon",
    type=click.FloatRange(0.5, 1),
    required=True,
    help="The epsilon that must break any model, as a share of the pixel range (norm 2: in every pixel).",
)
@batch_size_option()
@seed_option("Seed of random starts.")
@threads_option()
@gpu_option()
@out_file("--records", "One row an image and probe: probe, attack, norm, epsilon, index, label, prediction (.csv).")
@out_file("--summary", "For each attack, how many images have a zero gradient of the loss that it climbs (.json).")
def main(
    model,
    images,
    info,
    evaluation_folder,
    recorded,
    attacks,
    cascade,
    epsilon_unit,
    n,
    queries,
    huge_epsilon,
    batch_size,
    seed,
    threads,
    gpu,
    records,
    summary,
):
    """Probe a model for signs that attacks on it fail for reasons of their own.

    At every epsilon: random noise, one step, a gradient-free search; for every iterative attack twice its iterations on
    the images that it left standing; for every attack a huge epsilon; zero gradients of the loss that it climbs. An attack
    with clip: pixel_range is not held against what happens within epsilon.
    """
    import numpy as np

    from robustness.attacks.attack_settings import settings_from_json
    from robustness.data.datasets import DatasetInfo, Images
    from robustness.evaluation.records import write_records
    from robustness.evaluation.worst_case_records import read_attacks
    from robustness.files import write_json

    attacks = {name: settings_from_json(name, text) for name, text in attacks}
    cascade = {name: settings_from_json(name, text) for name, text in cascade}

    from robustness.attacks.epsilon_units import pixel_scale
    from robustness.attacks.worst_case import Target
    from robustness.cluster import devices
    from robustness.data.datasets import to_pixels
    from robustness.diagnosis.probes import Probes, zero_gradients
    from robustness.models.model_files import load_network

    devices.prepare(threads, seed, gpu)
    data, clean = DatasetInfo.load(info), Images.load(images)
    results = read_attacks(evaluation_folder, [(name, texts.split(",")) for name, texts in recorded])
    network = load_network(model, data.shape, len(data.classes))
    target = Target(network, data.pixel_range, pixel_scale(epsilon_unit, data.pixel_range), seed, batch_size)
    probes = Probes(target, clean.take(np.arange(min(n, len(clean)))), data.pixel_range)
    write_records(probes.run(attacks, cascade, results, queries, huge_epsilon), records)
    zero = zero_gradients(network, to_pixels(clean.images, data.pixel_range), clean.labels, attacks, seed)
    write_json(summary, {"zero_gradients": zero})


if __name__ == "__main__":
    main()
