"""LeNet-5 (LeCun et al. 1998, figure 2) as it is built today: plain average pooling, every map sees every map, logits."""

from keras import layers

from robustness.models.heads import kernel_decay

HEAD = ("flatten", "dense 120 tanh", "dense 84 tanh", "logits")


def features(x, settings):
    """Two convolutions of 5 x 5; images of 16 x 16 pixels or more."""
    decay = kernel_decay(settings.weight_decay)
    for filters in (6, 16):
        x = layers.Conv2D(filters, 5, activation="tanh", kernel_regularizer=decay)(x)
        x = layers.AveragePooling2D(2)(x)
    return x
