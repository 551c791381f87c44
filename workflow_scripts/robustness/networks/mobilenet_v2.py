"""MobileNetV2 (Sandler et al. 2018) on the base of keras.applications."""

import keras

from robustness.models.imagenet_bases import base_features, minus_one_to_one

HEAD = ("global_average_pooling", "logits")


def features(x, settings):
    """Images of 32 x 32 pixels or more."""
    return base_features(x, settings, keras.applications.MobileNetV2, minus_one_to_one)
