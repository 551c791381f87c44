"""Feature squeezing (Xu et al. 2018, arXiv 1704.01155): the network sees images with fewer bits, or smoothed."""

import keras

from robustness.models.squeezing import squeezed

SETTINGS = {
    "type": "object",
    "required": ["squeezers"],
    "properties": {
        "squeezers": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "string",
                "pattern": "^(bit_depth [1-7]|median [2-9]|gaussian (0?\\.[0-9]*[1-9][0-9]*|[1-9][0-9]*(\\.[0-9]+)?))$",
            },
            "description": "What happens to an image before the network sees it, one after the other: bit_depth and the bits "
            "of a pixel that stay, median and the side of its window, gaussian and its standard deviation in pixels.",
        },
    },
}


def wrap(task, settings):
    """The squeezers and the network behind them; an attack's gradient passes through (robustness.models.squeezing)."""
    pixels = keras.layers.Input(task.info.shape, name="pixels")
    seen = squeezed(pixels, settings["squeezers"], task.info.shape, task.info.pixel_range)
    return keras.Model(pixels, task.network(seen), name="feature_squeezing")
