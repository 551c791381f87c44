"""Random erasing (Zhong et al. 2017, arXiv 1708.04896, algorithm 1), vectorised over images.

The rectangles are drawn ahead for a number of passes (the erasing schedule), so that every model and every run sees
the same ones; the values that fill them are drawn anew in each epoch.
"""

from dataclasses import dataclass

import numpy as np

from robustness.errors import UserError

MAX_DRAWS = 1000  # draws of one rectangle before giving up; the paper's settings need fewer than 20


@dataclass(frozen=True)
class ErasingSettings:
    """probability: of an image to be erased, 0 to 1. area: (s_l, s_h), shares of the image's area.

    aspect: (r_1, r_2), height divided by width of the rectangle.
    """

    probability: float
    area: tuple[float, float]
    aspect: tuple[float, float]


def draw_rectangles(n: int, height: int, width: int, settings: ErasingSettings, rng: np.random.Generator) -> np.ndarray:
    """One rectangle an image, as (n, 4) int16 columns x, y, h, w in pixels; h = w = 0 where nothing is erased.

    Area and aspect are drawn uniformly, the sides rounded to whole pixels, the corner drawn uniformly over the image;
    a rectangle that does not fit is drawn again, area and aspect too, as the algorithm says.
    Raises UserError if rectangles of these settings do not fit the image.
    """
    rectangles = np.zeros((n, 4), np.int16)
    todo = np.flatnonzero(rng.random(n) < settings.probability)
    for _ in range(MAX_DRAWS):
        if not len(todo):
            return rectangles
        area = rng.uniform(*settings.area, len(todo)) * height * width
        aspect = rng.uniform(*settings.aspect, len(todo))
        h = np.maximum(np.rint(np.sqrt(area * aspect)), 1).astype(int)
        w = np.maximum(np.rint(np.sqrt(area / aspect)), 1).astype(int)
        x = rng.integers(0, width, len(todo))
        y = rng.integers(0, height, len(todo))
        fits = (x + w <= width) & (y + h <= height)
        rectangles[todo[fits]] = np.stack([x, y, h, w], axis=1)[fits]
        todo = todo[~fits]
    raise UserError(
        f"random erasing: rectangles of {settings.area[0]} to {settings.area[1]} of the area with an aspect of "
        f"{settings.aspect[0]} to {settings.aspect[1]} hardly ever fit a {height}x{width} image: lower 'area'."
    )


def draw_schedule(n: int, height: int, width: int, settings: ErasingSettings, passes: int, seed: int) -> np.ndarray:
    """Rectangles for several passes over n images, (passes, n, 4) int16; each pass has a seed of its own.

    A schedule of more passes begins with the same ones.
    """
    return np.stack(
        [draw_rectangles(n, height, width, settings, np.random.default_rng([seed, i])) for i in range(passes)]
    )


def erase(images: np.ndarray, rectangles: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Copies of images with their rectangles filled by random values, a value from 0 to 255 for each pixel and channel.

    images: (n, height, width, channels) uint8. rectangles: (n, 4) as draw_rectangles gives them.
    """
    x, y, h, w = (column[:, None, None] for column in rectangles.astype(np.int32).T)
    rows = np.arange(images.shape[1])[None, :, None]
    columns = np.arange(images.shape[2])[None, None, :]
    mask = (rows >= y) & (rows < y + h) & (columns >= x) & (columns < x + w)
    erased = images.copy()
    erased[mask] = rng.integers(0, 256, (int(mask.sum()), images.shape[3]), dtype=np.uint8)
    return erased
