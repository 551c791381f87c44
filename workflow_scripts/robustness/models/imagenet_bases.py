"""Bases of keras.applications without their classifier, with weights from a file, as the first part of a network."""

from collections.abc import Callable

import keras
from keras import layers

from robustness.errors import UserError
from robustness.models.heads import kernel_decay
from robustness.models.network_settings import NetworkSettings

IMAGENET_MEAN = (103.939, 116.779, 123.68)  # of blue, green and red on [0, 255]


def blue_green_red(x: keras.KerasTensor) -> keras.KerasTensor:
    """Pixels in [0, 1], red green blue, as the weights that came from Caffe expect them: [0, 255], reversed, centred."""
    return layers.Rescaling(255.0, [-mean for mean in IMAGENET_MEAN], name="centred")(x[..., ::-1])


def minus_one_to_one(x: keras.KerasTensor) -> keras.KerasTensor:
    """Pixels in [0, 1] as the weights that came from TensorFlow expect them: in [-1, 1]."""
    return layers.Rescaling(2.0, -1.0, name="minus_one_to_one")(x)


def base_features(
    x: keras.KerasTensor,
    settings: NetworkSettings,
    application: Callable[..., keras.Model],
    prepared: Callable[[keras.KerasTensor], keras.KerasTensor],
) -> keras.KerasTensor:
    """The features, (n, height, width, channels), that a base of keras.applications makes of pixels in [0, 1].

    Grey images are shown to all three channels. Raises UserError if settings.weights is no file of this base's weights.
    """
    if x.shape[-1] == 1:
        x = layers.Concatenate(name="three_channels")([x, x, x])
    base = application(include_top=False, weights=None, input_shape=tuple(x.shape[1:]))
    if settings.weights:
        _load_weights(base, settings.weights, application)
    for layer in base.layers:
        normalises = isinstance(layer, layers.BatchNormalization)
        layer.trainable = settings.trainable == "all" or (normalises and settings.trainable == "batch_normalization")
        if settings.weight_decay and layer.trainable and hasattr(layer, "kernel"):
            layer.kernel.regularizer = kernel_decay(settings.weight_decay)  # keras.applications takes none
    return base(prepared(x))


def _load_weights(base: keras.Model, path: str, application: Callable[..., keras.Model]) -> None:
    """Give a base the weights of a file of it, with or without the classifier of 1,000 classes behind it."""
    reasons = []
    for classifier in (False, True):
        source = application(include_top=True, weights=None) if classifier else base
        try:
            source.load_weights(path)
        except (ValueError, OSError, KeyError, AttributeError, IndexError) as error:
            reasons.append(str(error).split("\n")[0])
            continue
        if classifier:
            base.set_weights(source.get_weights()[: len(base.get_weights())])
        return
    raise UserError(
        f"{path} does not hold weights of {base.name} ({reasons[0]}): name a file that does, or weights: none."
    )
