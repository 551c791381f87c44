"""The network of the Fashion-MNIST report, appendix A; its softmax is left to the loss."""

from keras import layers

from robustness.models.heads import kernel_decay

HEAD = ("flatten", "batch_normalization", "dense 512 relu", "dropout 0.25", "logits")


def features(x, settings):
    """Four convolutions in three blocks; images of 8 x 8 pixels or more."""
    decay = kernel_decay(settings.weight_decay)
    conv = {"kernel_size": 3, "padding": "same", "activation": "relu", "kernel_regularizer": decay}
    x = layers.Conv2D(32, kernel_initializer="he_normal", **conv)(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(64, **conv)(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Dropout(0.3)(x)
    x = layers.BatchNormalization()(x)
    x = layers.Conv2D(128, **conv)(x)
    x = layers.Conv2D(128, **conv)(x)
    x = layers.MaxPooling2D(2)(x)
    return layers.Dropout(0.4)(x)
