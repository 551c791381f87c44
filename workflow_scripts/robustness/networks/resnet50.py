"""ResNet-50 (He et al. 2015) on the base of keras.applications, with the head of the thesis' listing 4.1."""

import keras

from robustness.models.imagenet_bases import base_features, blue_green_red

HEAD = ("global_average_pooling", "dense 256 relu", "dropout 0.25", "batch_normalization", "logits")


def features(x, settings):
    """Images of 32 x 32 pixels or more."""
    return base_features(x, settings, keras.applications.ResNet50, blue_green_red)
