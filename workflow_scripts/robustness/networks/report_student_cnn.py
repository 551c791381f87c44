"""The modified student of the Fashion-MNIST report, appendix B; its softmax is left to the loss."""

from keras import layers

from robustness.models.heads import kernel_decay

HEAD = ("flatten", "dense 512 relu", "dropout 0.5", "logits")


def features(x, settings):
    """Two blocks of two convolutions, each with batch normalisation behind it; images of 4 x 4 pixels or more."""
    decay = kernel_decay(settings.weight_decay)
    conv = {"kernel_size": 3, "padding": "same", "activation": "relu", "kernel_regularizer": decay}
    for filters, initializer in ((32, "he_normal"), (64, "glorot_uniform")):
        for _ in range(2):
            x = layers.Conv2D(filters, kernel_initializer=initializer, **conv)(x)
            x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(2)(x)
        x = layers.Dropout(0.5)(x)
    return x
