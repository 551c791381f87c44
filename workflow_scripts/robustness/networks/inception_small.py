"""A small Inception for images of 32 x 32 (Zhang et al. 2017, arXiv 1611.03530, appendix A, figure 3)."""

from keras import layers

from robustness.models.heads import kernel_decay

HEAD = ("global_average_pooling", "logits")


def features(x, settings):
    """Two resolutions are left behind, by a strided convolution beside a pooling; images of 8 x 8 pixels or more."""
    decay = kernel_decay(settings.weight_decay)

    def convolution(x, filters, size, stride=1):
        x = layers.Conv2D(settings.filters(filters), size, stride, "same", kernel_regularizer=decay)(x)
        return layers.Activation("relu")(layers.BatchNormalization()(x))

    def inception(x, ones, threes):
        return layers.Concatenate()([convolution(x, ones, 1), convolution(x, threes, 3)])

    def downsampled(x, filters):
        return layers.Concatenate()([convolution(x, filters, 3, 2), layers.MaxPooling2D(3, 2, "same")(x)])

    x = convolution(x, 96, 3)
    for ones, threes in ((32, 32), (32, 48)):
        x = inception(x, ones, threes)
    x = downsampled(x, 80)
    for ones, threes in ((112, 48), (96, 64), (80, 80), (48, 96)):
        x = inception(x, ones, threes)
    x = downsampled(x, 96)
    for ones, threes in ((176, 160), (176, 160)):
        x = inception(x, ones, threes)
    return x
