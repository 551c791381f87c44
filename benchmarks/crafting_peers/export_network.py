"""Write what all programs of this folder read: a network as Keras has it, its layers for others, images, operations."""

import json
import sys
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow_scripts"))


def multiplications(network) -> int:
    """Multiplications of one image's way through the convolutions and dense layers of a network."""
    import keras

    total = 0
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            total += int(np.prod(layer.output.shape[1:]) * np.prod(layer.kernel.shape[:3]))
        elif isinstance(layer, keras.layers.Dense):
            total += int(np.prod(layer.kernel.shape))
    return total


@click.command()
@click.argument("name")
@click.argument("shape", type=int, nargs=3)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--trained", type=click.Path(exists=True), help="The weights (.keras); without it they are drawn.")
@click.option("--images", type=click.Path(exists=True), help="Images (.npz of select_evaluation_subset), else drawn.")
@click.option("--n", default=1024, help="Number of drawn images.")
def main(name: str, shape: tuple[int, int, int], folder: Path, trained: str | None, images: str | None, n: int) -> None:
    """Write network, layers and images of the architecture NAME on images of SHAPE to FOLDER."""
    from robustness.cluster import devices

    devices.prepare(1, 1)
    import keras

    from robustness.data.datasets import Images, to_pixels
    from robustness.models.architectures import build

    folder.mkdir(parents=True, exist_ok=True)
    network = build(name, shape, 10, (0.0, 1.0))
    if trained:
        network.set_weights(keras.saving.load_model(trained, compile=False).get_weights())
    network.save(folder / "network.keras")
    layers, weights = [], {}
    for i, layer in enumerate(network.layers):
        values = layer.get_weights()
        config = {k: v for k, v in layer.get_config().items() if k in ("activation", "epsilon")}
        layers.append((type(layer).__name__, config, len(values)))
        weights |= {f"{i}_{j}": value for j, value in enumerate(values)}
    np.savez(folder / "layers.npz", layers=json.dumps(layers), **weights)
    if images:
        loaded = Images.load(images)
        pixels, labels = to_pixels(loaded.images, (0.0, 1.0)), loaded.labels
    else:
        rng = np.random.default_rng(1)
        pixels, labels = rng.random((n, *shape), dtype=np.float32), rng.integers(0, 10, n)
    np.savez(folder / "images.npz", images=pixels, labels=labels)
    (folder / "operations.json").write_text(json.dumps({"multiplications": multiplications(network)}))


if __name__ == "__main__":
    main()
