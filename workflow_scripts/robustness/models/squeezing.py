"""Squeezers of features (Xu et al. 2018, arXiv 1704.01155, section III) as layers: fewer bits a pixel, and smoothing.

Rounding has no gradient, and the median leads it to one pixel alone: an attack that follows these is stopped by the defence's
arithmetic, not by the network. So backwards both are the identity, which is close to what they do forwards (backward pass
differentiable approximation, Athalye et al. 2018, arXiv 1802.00420, section 4.1). Gaussian smoothing has its own gradient.
"""

import re
from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from robustness.errors import UserError

# The form of a squeezer's word; it stands in the SETTINGS of the defences again, which have to be plain values.
WORD = "^(bit_depth [1-7]|median [2-9]|gaussian (0?\\.[0-9]*[1-9][0-9]*|[1-9][0-9]*(\\.[0-9]+)?))$"


def straight_through(function):
    """The same function of one tensor, whose gradient is that of the identity."""

    @ops.custom_gradient
    def passed(x):
        def gradient(*given, upstream=None):
            return given[0] if upstream is None else upstream  # Keras' backends name it or do not

        return function(x), gradient

    return passed


@keras.saving.register_keras_serializable(package="robustness.squeezing")
class BitDepth(keras.layers.Layer):
    """Pixels rounded to 2 ** bits even levels of the pixel range; the gradient passes through.

    bits: 1 to 7. low, high: the pixel range.
    """

    def __init__(self, bits: int, low: float, high: float, **more):
        super().__init__(**more)
        self.bits, self.low, self.high = bits, low, high
        self.squeeze = straight_through(self._rounded)

    def _rounded(self, x):
        levels = 2**self.bits - 1
        return ops.round((x - self.low) / (self.high - self.low) * levels) / levels * (self.high - self.low) + self.low

    def call(self, x):
        return self.squeeze(x)

    def get_config(self):
        return super().get_config() | {"bits": self.bits, "low": self.low, "high": self.high}


@keras.saving.register_keras_serializable(package="robustness.squeezing")
class Median(keras.layers.Layer):
    """The median of a size x size window around each pixel, channel by channel; the edge is mirrored; the gradient passes.

    Of an even number of pixels the upper one of the two in the middle, and of an even size the window that reaches one
    pixel further up and left, as SciPy's median_filter.
    """

    def __init__(self, size: int, **more):
        super().__init__(**more)
        self.size = size
        self.squeeze = straight_through(self._medians)

    def _medians(self, x):
        before, after = self.size // 2, self.size - 1 - self.size // 2
        padded = ops.pad(x, ((0, 0), (before, after), (before, after), (0, 0)), mode="symmetric")
        height, width = x.shape[1:3]
        shifted = [
            padded[:, row : row + height, column : column + width]
            for row in range(self.size)
            for column in range(self.size)
        ]
        return ops.sort(ops.stack(shifted), axis=0)[len(shifted) // 2]

    def call(self, x):
        return self.squeeze(x)

    def get_config(self):
        return super().get_config() | {"size": self.size}


@keras.saving.register_keras_serializable(package="robustness.squeezing")
class Gaussian(keras.layers.Layer):
    """Gaussian smoothing of each channel with this standard deviation in pixels, cut off at four of it; the edge is mirrored."""

    def __init__(self, sigma: float, **more):
        super().__init__(**more)
        self.sigma = sigma

    def call(self, x):
        reach = int(4 * self.sigma + 0.5)
        weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / self.sigma) ** 2)
        weights = (weights / weights.sum()).astype(np.float32)
        height, width = x.shape[1:3]
        rows = ops.pad(x, ((0, 0), (reach, reach), (0, 0), (0, 0)), mode="symmetric")
        x = sum(float(weight) * rows[:, i : i + height] for i, weight in enumerate(weights))
        columns = ops.pad(x, ((0, 0), (0, 0), (reach, reach), (0, 0)), mode="symmetric")
        return sum(float(weight) * columns[:, :, i : i + width] for i, weight in enumerate(weights))

    def get_config(self):
        return super().get_config() | {"sigma": self.sigma}


def squeezer(word: str, shape: tuple[int, int, int], pixel_range: tuple[float, float]) -> keras.layers.Layer:
    """The layer of a word like 'bit_depth 4', 'median 2' or 'gaussian 1', for images of a shape (height, width, channels).

    Raises UserError for another word, and for a window that reaches beyond the image.
    """
    if not re.match(WORD, word):
        raise UserError(f"'{word}' is no squeezer: write bit_depth 1 to 7, median 2 to 9, or gaussian and its sigma.")
    kind, told = word.split()
    name = word.replace(" ", "_").replace(".", "_")
    if kind == "bit_depth":
        return BitDepth(int(told), *pixel_range, name=name)
    reach = int(told) // 2 if kind == "median" else int(4 * float(told) + 0.5)
    if reach > min(shape[:2]):
        raise UserError(f"'{word}' reaches {reach} pixels far, beyond images of {shape[0]} x {shape[1]}: take less.")
    return Median(int(told), name=name) if kind == "median" else Gaussian(float(told), name=name)


def squeezed(x, words: Sequence[str], shape: tuple[int, int, int], pixel_range: tuple[float, float]):
    """Images x, (n, *shape), after all squeezers of the words in turn."""
    for word in words:
        x = squeezer(word, shape, pixel_range)(x)
    return x
