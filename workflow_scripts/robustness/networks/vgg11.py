"""VGG-11 (Simonyan & Zisserman 2015, table 1, column A) with the batch normalisation, dropout and head of the thesis' VGG-16."""

from robustness.models.vgg import POOL, vgg_features
from robustness.networks.vgg16 import HEAD

__all__ = ["HEAD", "features"]
PLAN = (64, POOL, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL)


def features(x, settings):
    """Images of 32 x 32 pixels or more."""
    return vgg_features(x, PLAN, settings)
