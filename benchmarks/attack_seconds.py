"""Seconds and accuracies of the project's own attacks beside those of the libraries, in one process, on one thread.

Run from a clone's root in which the quick study was run: .venv/bin/python benchmarks/attack_seconds.py
Needs the test requirements (make .venv/test.stamp). Prints; judges nothing.
"""

import sys
import time
import warnings
from pathlib import Path

import click
import numpy as np

warnings.filterwarnings("ignore")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow_scripts"))


@click.command()
@click.argument("results", default="results", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--model", "name", default="undefended", help="A model of the study, on the dataset fashion_mnist.")
@click.option("--n", default=100, help="Images that are attacked.")
@click.option("--epsilon", default=0.05, help="Size of the perturbation, norm inf.")
def main(results: Path, name: str, n: int, epsilon: float) -> None:
    """Attack a model of the quick study in the folder RESULTS."""
    from robustness.cluster import devices

    devices.prepare(1, 1)
    import foolbox
    import keras
    import tensorflow as tf
    from art.attacks.evasion import AutoProjectedGradientDescent, SquareAttack
    from art.estimators.classification import TensorFlowV2Classifier

    from robustness.attacks.attack_settings import AttackSettings
    from robustness.attacks.crafting import craft
    from robustness.data.datasets import DatasetInfo, Images, to_pixels
    from robustness.models.model_files import load_network, predict_logits

    folder = results / "datasets/fashion_mnist"
    info, clean = DatasetInfo.load(folder / "dataset.json"), Images.load(folder / "evaluation.npz").take(np.arange(n))
    network = load_network(results / f"models/{name}/seed1/model.keras", info.shape, len(info.classes))
    x, y, clip = to_pixels(clean.images, info.pixel_range), clean.labels, info.pixel_range
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    art = TensorFlowV2Classifier(network, len(info.classes), info.shape, loss_object=loss, clip_values=clip)
    box = foolbox.TensorFlowModel(network, bounds=clip)
    apgd = {"eps": epsilon, "eps_step": 2 * epsilon, "max_iter": 20, "nb_random_init": 1, "batch_size": n}

    def ours(**settings):
        return craft(network, x, y, AttackSettings(**settings), epsilon, epsilon, clip, 1, n)[0]

    def least_norm():
        found = foolbox.attacks.LInfFMNAttack(steps=30)(box, tf.constant(x), tf.constant(y), epsilons=[epsilon])[1][0]
        return found.numpy()

    def auto(kind):
        return AutoProjectedGradientDescent(art, loss_type=kind, verbose=False, **apgd).generate(x, y)

    attacks = {
        "APGD, 20 iterations, ours": lambda: ours(method="apgd", iterations=20),
        "APGD, 20 iterations, ART": lambda: auto("cross_entropy"),
        "APGD on DLR, 20 iterations, ours": lambda: ours(method="apgd", loss="dlr", iterations=20),
        "APGD on DLR, 20 iterations, ART": lambda: auto("difference_logits_ratio"),
        "Square, 100 queries, ours": lambda: ours(method="square", queries=100),
        "Square, 100 queries, ART": lambda: SquareAttack(
            art, eps=epsilon, max_iter=100, nb_restarts=1, batch_size=n, verbose=False
        ).generate(x, y),
        "least norm, 30 iterations, ours": lambda: ours(method="fmn", iterations=30),
        "least norm, 30 iterations, Foolbox": least_norm,
    }
    for what, attack in attacks.items():
        started = time.perf_counter()
        found = attack()
        seconds = time.perf_counter() - started
        right = (predict_logits(network, found).argmax(1) == y).mean()
        print(f"{what:38}{seconds:7.1f} s   accuracy {right:6.1%}")


if __name__ == "__main__":
    main()
