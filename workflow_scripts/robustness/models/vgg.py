"""The trunk of VGG networks (Simonyan & Zisserman 2015) with the thesis' batch normalisation and dropout."""

from collections.abc import Sequence

import keras
from keras import layers

from robustness.models.heads import kernel_decay
from robustness.models.network_settings import NetworkSettings

POOL = "pool"


def vgg_features(x: keras.KerasTensor, plan: Sequence[int | str], settings: NetworkSettings) -> keras.KerasTensor:
    """Convolutions of 3 x 3 with so many filters each, and POOL where the size is halved, as plan says.

    As in the thesis' listing A.1: batch normalisation between a convolution and its ReLU, dropout of 0.25 behind every
    pooling.
    """
    decay = kernel_decay(settings.weight_decay)
    for step in plan:
        if step == POOL:
            x = layers.MaxPooling2D(2)(x)
            x = layers.Dropout(0.25)(x)
        else:
            x = layers.Conv2D(settings.filters(step), 3, padding="same", kernel_regularizer=decay)(x)
            x = layers.BatchNormalization()(x)
            x = layers.Activation("relu")(x)
    return x
