"""What the programs of this folder share: the work that each is given, its options, and the clock.

Each program does the same work with another library: the same network, images, labels and batches, the same number of
threads. It has crafted one batch of two steps before the clock starts, so that what is traced once is not counted.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np


@dataclass(frozen=True)
class Work:
    """What is crafted, untargeted and in the maximum norm, on pixels from 0 to 1; epsilons and step in units of that range.

    method: 'fgsm', 'bim' or 'pgd' (from the image itself). step, iterations: of bim and pgd.
    """

    method: str
    epsilons: tuple[float, ...]
    step: float = 0.0
    iterations: int = 1


# The epsilons, step and iterations of the thesis' listings 4.3 and 4.4, and ten steps that can cross the ball.
SWEEP = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
WORKS = {
    "FGSM at 8 epsilons": Work("fgsm", SWEEP),
    "BIM-10 at one epsilon": Work("bim", (0.1,), 0.025, 10),
    "PGD-40 at one epsilon": Work("pgd", (0.1,), 0.01, 40),
    "PGD-40 at 8 epsilons": Work("pgd", SWEEP, 0.01, 40),
}
# (work, images (n, h, w, c), labels (n,)) -> the adversarial images of each epsilon, each as images
Craft = Callable[[Work, np.ndarray, np.ndarray], list[np.ndarray]]


def bind_tensorflow(threads: int) -> None:
    """Give TensorFlow its threads and kernels that repeat their bits, as the workflow's own programs do."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()


def time_craft(open_library: Callable[[Path, int, int], Craft]) -> None:
    """Run as a program: craft what the options say and write seconds and images.

    open_library: (folder of the network, batch size, threads) -> craft.
    """

    @click.command()
    @click.option("--folder", required=True, type=click.Path(exists=True, path_type=Path), help="Of export_network.py.")
    @click.option("--work", "name", required=True, type=click.Choice(WORKS), help="What is crafted.")
    @click.option("--n", required=True, type=int, help="Number of images.")
    @click.option("--batch-size", required=True, type=int)
    @click.option("--threads", required=True, type=int)
    @click.option("--output", required=True, type=click.Path(path_type=Path), help="Seconds and images (.npz).")
    def main(folder, name, n, batch_size, threads, output):
        craft, work = open_library(folder, batch_size, threads), WORKS[name]
        with np.load(folder / "images.npz") as stored:
            images, labels = stored["images"][:n], stored["labels"][:n]
        craft(replace(work, epsilons=work.epsilons[:1], iterations=2), images[:batch_size], labels[:batch_size])
        started = time.perf_counter()
        crafted = craft(work, images, labels)
        np.savez(output, seconds=time.perf_counter() - started, images=np.stack(crafted))

    main()


def in_batches(craft: Craft, batch_size: int) -> Craft:
    """A craft for one batch as one for all images."""

    def all_images(work, images, labels):
        starts = range(0, len(images), batch_size)
        parts = [craft(work, images[i : i + batch_size], labels[i : i + batch_size]) for i in starts]
        return [np.concatenate(of_epsilon) for of_epsilon in zip(*parts, strict=True)]

    return all_images
