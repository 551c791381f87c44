"""The networks. Each takes pixels of the dataset's declared range and puts out logits.

To add one: write a builder, decorate it with `architecture`, and name it in the schema's list of architectures.
"""

from collections.abc import Callable

import keras
from keras import layers, regularizers

Builder = Callable[[keras.KerasTensor, int, float], keras.KerasTensor]
ARCHITECTURES: dict[str, Builder] = {}


def architecture(builder: Builder) -> Builder:
    """Register a builder (pixels in [0, 1], number of classes, weight decay) -> logits under its function's name."""
    ARCHITECTURES[builder.__name__] = builder
    return builder


def build(
    name: str, shape: tuple[int, int, int], n_classes: int, pixel_range: tuple[float, float], weight_decay: float
) -> keras.Model:
    """An untrained network from (n, *shape) float32 pixels in pixel_range to (n, n_classes) logits.

    weight_decay: coefficient of the sum of squared kernel weights that is added to the loss (Keras' L2 regulariser).
    The initial weights follow from keras.utils.set_random_seed.
    """
    low, high = pixel_range
    pixels = layers.Input(shape, name="pixels")
    unit = pixels
    if (low, high) != (0.0, 1.0):
        unit = layers.Rescaling(1 / (high - low), -low / (high - low), name="to_unit_range")(pixels)
    return keras.Model(pixels, ARCHITECTURES[name](unit, n_classes, weight_decay), name=name)


@architecture
def report_cnn(x, n_classes, weight_decay):
    """The network of the Fashion-MNIST report, appendix A; its softmax is left to the loss."""
    conv = {"kernel_size": 3, "padding": "same", "activation": "relu", "kernel_regularizer": _decay(weight_decay)}
    x = layers.Conv2D(32, kernel_initializer="he_normal", **conv)(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(64, **conv)(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Dropout(0.3)(x)
    x = layers.BatchNormalization()(x)
    x = layers.Conv2D(128, **conv)(x)
    x = layers.Conv2D(128, **conv)(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Dropout(0.4)(x)
    x = layers.Flatten()(x)
    x = layers.BatchNormalization()(x)
    x = layers.Dense(512, activation="relu", kernel_regularizer=_decay(weight_decay))(x)
    x = layers.Dropout(0.25)(x)
    return layers.Dense(n_classes, kernel_regularizer=_decay(weight_decay), name="logits")(x)


@architecture
def report_student_cnn(x, n_classes, weight_decay):
    """The modified student of the Fashion-MNIST report, appendix B; its softmax is left to the loss."""
    conv = {"kernel_size": 3, "padding": "same", "activation": "relu", "kernel_regularizer": _decay(weight_decay)}
    for filters, initializer in ((32, "he_normal"), (64, "glorot_uniform")):
        for _ in range(2):
            x = layers.Conv2D(filters, kernel_initializer=initializer, **conv)(x)
            x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(2)(x)
        x = layers.Dropout(0.5)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(512, activation="relu", kernel_regularizer=_decay(weight_decay))(x)
    x = layers.Dropout(0.5)(x)
    return layers.Dense(n_classes, kernel_regularizer=_decay(weight_decay), name="logits")(x)


def _decay(weight_decay: float) -> regularizers.Regularizer | None:
    return regularizers.L2(weight_decay) if weight_decay else None
