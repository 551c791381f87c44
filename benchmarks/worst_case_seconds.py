"""Seconds of a worst-case sweep beside as many independent runs of its attack, and whether it finds as much.

PGD with 40 steps at eight epsilons on the undefended network of a finished quick study. Run from the clone's root by
make bench.
"""

import sys
import time
from pathlib import Path

import click
import numpy as np

from measurements import SCRIPTS, write_rows

sys.path.insert(0, str(SCRIPTS))

SWEEPS = {
    "the thesis' epsilons": ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8"],
    "epsilons from 0.01": ["0.01", "0.02", "0.04", "0.06", "0.08", "0.1", "0.15", "0.2"],
}
COLUMNS = ("sweep", "round", "n", "independent_seconds", "sweep_seconds", "share", "fall_earlier", "fall_later")


@click.command()
@click.argument("results", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--n", default=250, show_default=True, help="Images that are attacked.")
@click.option("--threads", default=2, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="A row a sweep and round (.csv).")
def main(results, n, threads, rounds, output):
    """Measure on the undefended model of the quick study in the folder RESULTS."""
    from robustness.cluster import devices

    devices.prepare(threads, 1)
    from robustness.attacks.attack_settings import AttackSettings
    from robustness.attacks.worst_case import Target, find_worst_case
    from robustness.data.datasets import DatasetInfo, Images, to_pixels
    from robustness.models.model_files import load_network

    folder = results / "datasets/fashion_mnist"
    info, clean = DatasetInfo.load(folder / "dataset.json"), Images.load(folder / "evaluation.npz").take(np.arange(n))
    network = load_network(results / "models/undefended/seed1/model.keras", info.shape, len(info.classes))
    target = Target(network, info.pixel_range, 1.0, seed=1, batch_size=250)
    x, labels = to_pixels(clean.images, info.pixel_range), clean.labels
    attack = AttackSettings("pgd", relative_step=0.1, iterations=40)
    right = target.predict(x) == labels
    known = np.where(right, np.inf, 0.0)  # what no attack is needed for costs neither any

    def independent(epsilons):
        falls = known.copy()
        for epsilon in epsilons:
            wrong = target.predict(target.craft(x, labels, attack, epsilon)) != labels
            falls = np.where(wrong, np.minimum(falls, float(epsilon)), falls)
        return falls

    def sweep(epsilons):
        found, falls = find_worst_case(target, x, labels, known, epsilons, {"pgd": attack}), known.copy()
        np.minimum.at(falls, found.positions, found.epsilons.astype(float))
        return falls

    independent(["0.1"]), sweep(["0.1"])  # traced before the clock starts
    rows = []
    for turn in range(rounds):
        for name, epsilons in SWEEPS.items():
            seconds, falls = [], []
            for run in (independent, sweep):
                started = time.perf_counter()
                falls.append(run(epsilons))
                seconds.append(time.perf_counter() - started)
            row = (name, turn + 1, n, *(f"{s:.4g}" for s in seconds), f"{seconds[1] / seconds[0]:.4g}")
            row += (int((falls[1] < falls[0]).sum()), int((falls[1] > falls[0]).sum()))
            rows.append(dict(zip(COLUMNS, row, strict=True)))
            click.echo("  ".join(map(str, row)))
    write_rows(output, rows)


if __name__ == "__main__":
    main()
