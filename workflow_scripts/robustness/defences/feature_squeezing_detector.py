"""The detector of feature squeezing (Xu et al. 2018, arXiv 1704.01155, section V): what squeezing changes is rejected.

An image's score is the largest distance, over the squeezers, between what the network says of the image and of the squeezed
image: the sum of absolute differences of probabilities, 0 to 2. Above a threshold the image is rejected. The threshold is the
score that the configured share of held-out clean images exceeds.

Detector and network are one network, so that an attack meets both (Carlini and Wagner 2017, arXiv 1705.07263, section 3):
the logit of the rejection is the largest class's plus the score's distance from the threshold, in units of the
logits' own range. Around a network with very large logits (one trained at a high temperature) the probabilities are 0 and 1
in float32, and the score's gradient vanishes: an attack on such a detector proves little.
"""

import keras
import numpy as np
from keras import ops

from robustness.data.datasets import to_pixels
from robustness.models.model_files import predict_logits
from robustness.models.rejection import LAST_LAYER
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
            "description": "Each is held against the image as it is: bit_depth and the bits of a pixel that stay, median and "
            "the side of its window, gaussian and its standard deviation in pixels.",
        },
        "false_positive_rate": {
            "type": "number",
            "exclusiveMinimum": 0,
            "exclusiveMaximum": 1,
            "default": 0.05,
            "description": "Share of the clean validation images that may be rejected; it sets the threshold.",
        },
    },
}
REJECTS = True


@keras.saving.register_keras_serializable(package="robustness.defences.feature_squeezing_detector")
class Score(keras.layers.Layer):
    """The largest sum of absolute differences between the first probabilities and each of the others, (n, 1).

    Takes a list of logits, (n, classes) each.
    """

    def call(self, logits):
        said, *others = [ops.softmax(each, axis=-1) for each in logits]
        distances = [ops.sum(ops.abs(said - other), axis=-1, keepdims=True) for other in others]
        return ops.max(ops.concatenate(distances, axis=-1), axis=-1, keepdims=True)


@keras.saving.register_keras_serializable(package="robustness.defences.feature_squeezing_detector")
class Rejection(keras.layers.Layer):
    """Logits (n, classes) and scores (n, 1) to logits with the rejection's behind them, the largest if score > threshold."""

    def __init__(self, threshold: float, **more):
        super().__init__(**more)
        self.threshold = threshold

    def call(self, inputs):
        logits, score = inputs
        largest = ops.max(logits, axis=-1, keepdims=True)
        spread = ops.stop_gradient(largest - ops.min(logits, axis=-1, keepdims=True))
        return ops.concatenate([logits, largest + (score - self.threshold) * spread], axis=-1)

    def get_config(self):
        return super().get_config() | {"threshold": self.threshold}


def wrap(task, settings):
    """The network and its detector, with the rejection behind the classes; the threshold comes from task.validation."""
    shape, pixel_range = task.info.shape, task.info.pixel_range
    pixels = keras.layers.Input(shape, name="pixels")
    logits = task.network(pixels)
    squeezed_logits = [task.network(squeezed(pixels, [word], shape, pixel_range)) for word in settings["squeezers"]]
    score = Score(name="score")([logits, *squeezed_logits])
    clean = to_pixels(task.validation.images, pixel_range)
    scores = np.sort(predict_logits(keras.Model(pixels, score), clean).ravel())
    passing = int(np.ceil((1 - settings["false_positive_rate"]) * len(scores)))
    threshold = float(scores[passing - 1])
    rejecting = Rejection(threshold, name=LAST_LAYER)([logits, score])
    return keras.Model(pixels, rejecting, name="feature_squeezing_detector")
