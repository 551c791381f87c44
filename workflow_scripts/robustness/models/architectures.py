"""Building a network by its name: pixels of the dataset's declared range in, logits out."""

import importlib
from pathlib import Path

import keras
from keras import layers

from robustness.errors import UserError
from robustness.models.heads import append_head
from robustness.models.network_settings import WITH_BASE, WITH_WIDTH, NetworkSettings

ARCHITECTURES = tuple(sorted(p.stem for p in Path(__file__).parent.with_name("networks").glob("[!_]*.py")))


def build(
    name: str,
    shape: tuple[int, int, int],
    n_classes: int,
    pixel_range: tuple[float, float],
    settings: NetworkSettings | None = None,
    rejects: bool = False,
) -> keras.Model:
    """A network from (n, *shape) float32 pixels in pixel_range to (n, n_classes) logits, one more with a rejection.

    name: one of ARCHITECTURES. settings: None for those that NetworkSettings begins with. Weights that settings do not name a file for follow from keras.utils.set_random_seed.
    Raises UserError for an unknown name, for settings that it can't have, and for images that are too small for it.
    """
    settings = settings or NetworkSettings()
    if name not in ARCHITECTURES:
        raise UserError(f"there is no architecture {name}: choose one of {', '.join(ARCHITECTURES)}.")
    if name not in WITH_BASE and (settings.weights or settings.trainable != "all"):
        raise UserError(f"{name} has no pretrained base: weights and trainable are for {', '.join(WITH_BASE)}.")
    if name not in WITH_WIDTH and settings.width != 1:
        raise UserError(f"{name} has one width: width is for {', '.join(WITH_WIDTH)}.")
    network = importlib.import_module(f"robustness.networks.{name}")
    (low, high), pixels = pixel_range, layers.Input(shape, name="pixels")
    x = pixels
    if (low, high) != (0.0, 1.0):
        x = layers.Rescaling(1 / (high - low), -low / (high - low), name="to_unit_range")(x)
    if settings.upsampling > 1:
        x = layers.UpSampling2D(settings.upsampling, name="upsampling")(x)
    try:
        x = network.features(x, settings)
    except UserError:
        raise
    except ValueError as error:
        height, width = (side * settings.upsampling for side in shape[:2])
        raise UserError(
            f"{name} can't be built for {height}x{width} images: use larger ones, or upsampling."
        ) from error
    logits = append_head(x, settings.head or network.HEAD, n_classes, settings.weight_decay, rejects)
    return keras.Model(pixels, logits, name=name)
