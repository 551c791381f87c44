"""Small networks and images for tests that need gradients, not accuracy."""

import keras
import numpy as np

from robustness.data.datasets import Images


def images(n: int = 40, side: int = 8, classes: int = 4, seed: int = 0) -> Images:
    """Noise with a bright stripe whose place tells the class: learnable within a few epochs."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    pixels = rng.integers(0, 120, (n, side, side, 1), dtype=np.uint8)
    for i, label in enumerate(labels):
        pixels[i, 2 * label : 2 * label + 2] += 120
    return Images(pixels, labels.astype(np.int64), np.arange(n) + 1000)


def curved_network(scale: float = 1.0, side: int = 8, classes: int = 4) -> keras.Model:
    """An untrained network whose loss bends within an attack's reach, so that one step is not the best; logits x scale."""
    keras.utils.set_random_seed(1)
    pixels = keras.layers.Input((side, side, 1))
    steep = keras.initializers.RandomNormal(stddev=1.5)
    x = keras.layers.Conv2D(4, 3, padding="same", activation="tanh", kernel_initializer=steep)(pixels)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(classes)(x)
    return keras.Model(pixels, keras.layers.Rescaling(scale)(x))
