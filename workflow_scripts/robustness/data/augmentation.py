"""Data augmentation of training images: blur, noise, flips, rotation and shifts, drawn anew for every image and epoch.

The Fashion-MNIST report's choice (sections 2.3 and 3.5.1) is one setting of it.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from keras import ops

NOISES = ("gaussian", "salt_and_pepper", "speckle")


@dataclass(frozen=True)
class Augmentation:
    """What may happen to an image; the defaults change nothing.

    blur_probability: of a Gaussian blur with a blur_size x blur_size kernel (odd) of standard deviation blur_sigma
    pixels; the edge is mirrored. noise_kind: '' or one of NOISES. noise_amount: the standard deviation on the pixel range
    [0, 1] of gaussian, that of the factor's deviation from 1 of speckle, the share of pixels that become black or white
    of salt_and_pepper. rotation: greatest angle in degrees, either way. width_shift, height_shift: greatest shifts,
    either way, as shares of the side. horizontal_flip, vertical_flip: with probability 1/2. Pixels that come from
    outside the image repeat its edge.
    """

    blur_probability: float = 0.0
    blur_size: int = 3
    blur_sigma: float = 1.0
    noise_kind: str = ""
    noise_amount: float = 0.0
    rotation: float = 0.0
    width_shift: float = 0.0
    height_shift: float = 0.0
    horizontal_flip: bool = False
    vertical_flip: bool = False

    @property
    def moves(self) -> bool:
        """True if pixels may change their places."""
        return bool(
            self.rotation or self.width_shift or self.height_shift or self.horizontal_flip or self.vertical_flip
        )


def augment(images: np.ndarray, settings: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Augmented copies of images, (n, height, width, channels) float32 in [0, 1].

    First blur, as the report blurs the dataset itself, then noise, then flips, rotation about the centre and shifts in
    one bilinear interpolation.
    """
    n = len(images)
    if settings.blur_probability:
        chosen = np.flatnonzero(rng.random(n) < settings.blur_probability)
        images = images.copy()
        images[chosen] = _blurred(images[chosen], settings)
    if settings.noise_kind:
        images = _noisy(images, settings, rng)
    if settings.moves:
        transforms = draw_transforms(n, *images.shape[1:3], settings, rng)
        images = ops.image.affine_transform(
            images, transforms, fill_mode="nearest", data_format="channels_last", interpolation="bilinear"
        )
        images = np.clip(np.asarray(images), 0, 1)  # weights that add up to 1 but for rounding
    return images


def draw_transforms(n: int, height: int, width: int, settings: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """One affine transform an image, (n, 8) float32, as keras.ops.image.affine_transform takes it.

    Each maps a point of the new image to the point of the old one that it shows: back by the shift, back by the
    rotation, then the flips, all about the centre of the image.
    """
    angle = np.deg2rad(rng.uniform(-settings.rotation, settings.rotation, n))
    shift_x = rng.uniform(-settings.width_shift, settings.width_shift, n) * width
    shift_y = rng.uniform(-settings.height_shift, settings.height_shift, n) * height
    flip_x = np.where(settings.horizontal_flip & (rng.random(n) < 0.5), -1.0, 1.0)
    flip_y = np.where(settings.vertical_flip & (rng.random(n) < 0.5), -1.0, 1.0)
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    a0, a1 = flip_x * np.cos(angle), flip_x * np.sin(angle)
    b0, b1 = -flip_y * np.sin(angle), flip_y * np.cos(angle)
    from_x, from_y = centre_x + shift_x, centre_y + shift_y
    a2 = centre_x - a0 * from_x - a1 * from_y
    b2 = centre_y - b0 * from_x - b1 * from_y
    zero = np.zeros(n)
    return np.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1).astype(np.float32)


def _blurred(images: np.ndarray, settings: Augmentation) -> np.ndarray:
    margin = settings.blur_size // 2
    # Keras' own blur pads with black, which would darken the edges; these are mirrored instead.
    padded = np.pad(images, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="reflect")
    kernel = np.repeat(_blur_kernel(settings.blur_size, settings.blur_sigma), images.shape[3], axis=2)
    return np.asarray(ops.depthwise_conv(padded, kernel, padding="valid", data_format="channels_last"))


@cache
def _blur_kernel(size: int, sigma: float) -> np.ndarray:
    """Keras' kernel of a Gaussian blur, (size, size, 1, 1): the picture of a point.

    Kept, since building it takes Keras six times as long as blurring a batch does, and Keras builds it in every call.
    """
    point = np.zeros((1, size, size, 1), np.float32)
    point[0, size // 2, size // 2] = 1
    blurred = ops.image.gaussian_blur(point, (size, size), (sigma, sigma), data_format="channels_last")
    return np.asarray(blurred).reshape(size, size, 1, 1)


def _noisy(images: np.ndarray, settings: Augmentation, rng: np.random.Generator) -> np.ndarray:
    if settings.noise_kind == "salt_and_pepper":
        drawn = rng.random((*images.shape[:3], 1), dtype=np.float32)  # all channels of a pixel alike
        noisy = np.where(drawn < settings.noise_amount / 2, np.float32(0), images)
        return np.where(drawn > 1 - settings.noise_amount / 2, np.float32(1), noisy)
    drawn = settings.noise_amount * rng.standard_normal(images.shape, dtype=np.float32)
    return np.clip(images + (drawn if settings.noise_kind == "gaussian" else images * drawn), 0, 1)
