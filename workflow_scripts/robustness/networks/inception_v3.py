"""Inception-V3 (Szegedy et al. 2016) on the base of keras.applications, with the head of the thesis' listing 4.2."""

import keras

from robustness.models.imagenet_bases import base_features, minus_one_to_one

HEAD = (
    *("global_average_pooling", "dense 1024 relu", "dropout 0.3", "dense 512 relu", "batch_normalization"),
    *("dense 256 relu", "batch_normalization", "logits"),
)


def features(x, settings):
    """Images of 75 x 75 pixels or more."""
    return base_features(x, settings, keras.applications.InceptionV3, minus_one_to_one)
