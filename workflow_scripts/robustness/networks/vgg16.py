"""The thesis' VGG-16, listing A.1, its softmax left to the loss: images five times enlarged there (upsampling: 5).

The listing has eleven convolutions, in four blocks, and two dense layers; Simonyan & Zisserman's VGG-16 has thirteen in
five blocks, and three.
"""

from robustness.models.vgg import POOL, vgg_features

PLAN = (64, 64, POOL, 128, 128, 256, 256, POOL, 512, 512, 512, POOL, 512, 512, POOL)
HEAD = (
    *("flatten", "dense 512", "batch_normalization", "relu", "dropout 0.25"),
    *("logits undecayed", "batch_normalization"),  # the listing normalises what goes into its softmax
)


def features(x, settings):
    """Images of 16 x 16 pixels or more."""
    return vgg_features(x, PLAN, settings)
