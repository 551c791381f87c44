"""ResNet-20 for small images (He et al. 2015, section 4.2): three stages of three blocks, shortcuts without weights."""

from keras import layers, ops

from robustness.models.heads import kernel_decay

HEAD = ("global_average_pooling", "logits")


def features(x, settings):
    """16, 32 and 64 filters at width 1, the size halved between the stages; images of 8 x 8 pixels or more."""
    decay = kernel_decay(settings.weight_decay)

    def normalised(x, filters, stride=1):
        x = layers.Conv2D(
            filters, 3, stride, "same", use_bias=False, kernel_initializer="he_normal", kernel_regularizer=decay
        )(x)
        return layers.BatchNormalization()(x)

    x = layers.Activation("relu")(normalised(x, settings.filters(16)))
    for full, first_stride in ((16, 1), (32, 2), (64, 2)):
        filters = settings.filters(full)
        for stride in (first_stride, 1, 1):
            y = layers.Activation("relu")(normalised(x, filters, stride))
            y = normalised(y, filters)
            if stride == 2:  # option A of the paper: every second pixel, further channels zero
                x = layers.MaxPooling2D(1, strides=2)(x)
                x = ops.pad(x, [[0, 0], [0, 0], [0, 0], [0, filters - x.shape[-1]]])
            x = layers.Activation("relu")(layers.Add()([x, y]))
    return x
