"""Seconds that crafting takes with the workflow and with its peers, the same work to the same result, and the floor.

Run from the clone's root by make bench, which installs the peers; PyTorch has an environment of its own, since it and
TensorFlow don't bear each other in one process. Each measurement is a process of its own; the libraries take turns,
so that a machine that slows down slows all of them.
"""

import json
import sys
import tempfile
from pathlib import Path

import click
import numpy as np

from measurements import run_program, write_rows

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "crafting_peers"))
from peer import WORKS, Work  # noqa: E402

LIBRARIES = ("workflow", "cleverhans", "art", "foolbox", "torchattacks")
# network: (shape, its images at each work). Fewer where it takes minutes: on two cores the whole table takes half an hour.
NETWORKS = {
    "report_cnn": ((28, 28, 1), dict(zip(WORKS, (500, 125, 125, 32), strict=True))),
    "vgg16": ((32, 32, 3), dict(zip(WORKS, (32, 16, 16, 8), strict=True))),
}
# Peers that share nothing between epsilons take eight times as long for eight; on VGG-16 that would be a quarter of an hour each.
LEFT_OUT = {("vgg16", "PGD-40 at 8 epsilons"): ("art", "foolbox", "torchattacks")}
COLUMNS = (
    *("network", "work", "library", "round", "n", "seconds_per_1000", "of_workflow"),
    *("equal_pixels", "largest_difference", "floor_seconds_per_1000"),
)


def gradients(work: Work) -> int:
    """Gradients of an image that a run of the workflow takes for all epsilons; every one is a forward and a backward pass."""
    if len(work.epsilons) == 1 or work.method == "fgsm":
        return work.iterations
    free = [min(work.iterations, int(epsilon / work.step + 1e-9)) for epsilon in work.epsilons]
    return work.iterations + sum(work.iterations - steps for steps in free)


@click.command()
@click.argument("results", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--torch-python", type=click.Path(exists=True), help="Python with torchattacks; without it that is left out."
)
@click.option("--threads", default=2, show_default=True)
@click.option("--batch-size", default=125, show_default=True)
@click.option("--rounds", default=2, show_default=True)
@click.option("--network", "networks", multiple=True, type=click.Choice(NETWORKS), default=tuple(NETWORKS))
@click.option("--work", "works", multiple=True, type=click.Choice(WORKS), default=tuple(WORKS))
@click.option("--output", required=True, type=click.Path(path_type=Path), help="A row a measurement (.csv).")
def main(results, torch_python, threads, batch_size, rounds, networks, works, output):
    """Measure with the network and images of the quick study in the folder RESULTS, and with a VGG-16 of drawn weights."""
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for network in networks:
            shape, _ = NETWORKS[network]
            own = ["--trained", results / "models/undefended/seed1/model.keras"]
            own += ["--images", results / "datasets/fashion_mnist/evaluation.npz"]
            export = HERE / "crafting_peers/export_network.py"
            run_program(export, network, *shape, folder / network, *(own if network == "report_cnn" else []))
        for turn in range(rounds):
            rate = float(run_program(HERE / "matrix_rate.py", "--threads", threads))
            click.echo(f"round {turn + 1} of {rounds}: matrix rate {rate:.0f} GFLOP/s on {threads} threads")
            for network, name in ((network, name) for network in networks for name in works):
                n = NETWORKS[network][1][name]
                operations = json.loads((folder / network / "operations.json").read_text())["multiplications"]
                # A multiplication and an addition each, forward, and as many for the gradient of the pixels.
                floor = 1000 * gradients(WORKS[name]) * 4 * operations / (rate * 1e9)
                mine = None
                for library in LIBRARIES:
                    if library in LEFT_OUT.get((network, name), ()) or (library == "torchattacks" and not torch_python):
                        continue
                    place = folder / "found.npz"
                    program = HERE / "crafting_peers" / f"with_{library}.py"
                    python = torch_python if library == "torchattacks" else sys.executable
                    options = {"folder": folder / network, "work": name, "n": n, "output": place}
                    options |= {"batch-size": min(batch_size, n), "threads": threads}
                    run_program(program, *(w for k, v in options.items() for w in (f"--{k}", v)), python=python)
                    with np.load(place) as found:
                        seconds, images = float(found["seconds"]) * 1000 / n, found["images"]
                    mine = mine or (seconds, images)
                    difference = np.abs(images - mine[1])
                    row = (network, name, library, turn + 1, n, f"{seconds:.4g}", f"{seconds / mine[0]:.4g}")
                    row += (f"{(difference < 1e-6).mean():.6f}", f"{difference.max():.3g}", f"{floor:.4g}")
                    rows.append(dict(zip(COLUMNS, row, strict=True)))
                    click.echo("  ".join(map(str, row)))
    write_rows(output, rows)


if __name__ == "__main__":
    main()
