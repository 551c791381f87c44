import numpy as np
import pytest

from robustness.data.erasing import ErasingSettings, draw_rectangles, draw_schedule, erase
from robustness.errors import UserError

PAPER = ErasingSettings(probability=0.5, area=(0.02, 0.4), aspect=(0.3, 1 / 0.3))


@pytest.mark.parametrize(("height", "width"), [(28, 28), (32, 32), (20, 40)])
def test_rectangles_keep_to_the_algorithm(height, width):
    rectangles = draw_rectangles(20000, height, width, PAPER, np.random.default_rng(1)).astype(int)
    x, y, h, w = rectangles[rectangles[:, 2] > 0].T
    assert (x >= 0).all() and (y >= 0).all() and (x + w <= width).all() and (y + h <= height).all()
    # Sides are rounded to whole pixels: half a pixel on each side is the allowance.
    low, high = PAPER.area
    assert ((h + 0.5) * (w + 0.5) >= low * height * width).all()
    assert ((h - 0.5) * (w - 0.5) <= high * height * width).all()
    assert ((h + 0.5) / np.maximum(w - 0.5, 0.5) >= PAPER.aspect[0]).all()
    assert ((h - 0.5) / (w + 0.5) <= PAPER.aspect[1]).all()
    # They are spread over the allowed range, not crowded into a corner of it.
    share = h * w / (height * width)
    assert share.min() < 0.04 and share.max() > 0.36
    assert x.min() == y.min() == 0 and (x + w).max() == width and (y + h).max() == height


@pytest.mark.parametrize("probability", [0.0, 0.25, 0.5, 1.0])
def test_probability(probability):
    settings = ErasingSettings(probability, PAPER.area, PAPER.aspect)
    rectangles = draw_rectangles(20000, 28, 28, settings, np.random.default_rng(2))
    erased = (rectangles[:, 2] > 0).mean()
    assert abs(erased - probability) <= 5 * np.sqrt(probability * (1 - probability) / 20000)  # five standard errors


def test_a_longer_schedule_begins_alike_and_passes_differ():
    short, long = (draw_schedule(200, 28, 28, PAPER, passes, seed=4) for passes in (2, 3))
    assert (long[:2] == short).all()
    assert (long[0] != long[1]).any() and (long[1] != long[2]).any()
    assert (draw_schedule(200, 28, 28, PAPER, 2, seed=5) != short).any()


def test_erase_fills_just_the_rectangle():
    images = np.full((3, 10, 12, 2), 7, np.uint8)
    rectangles = np.array([[2, 3, 4, 5], [0, 0, 0, 0], [0, 0, 10, 12]])
    erased = erase(images, rectangles, np.random.default_rng(0))
    expected = np.zeros((10, 12), bool)
    expected[3:7, 2:7] = True
    changed = (erased[0] != 7).any(axis=-1)
    assert not changed[~expected].any() and changed[expected].mean() > 0.9  # a random value may be 7 by chance
    assert (erased[1] == 7).all()
    assert len(np.unique(erased[2])) > 80 and erased[2].min() < 20 and erased[2].max() > 235
    assert (images == 7).all()


def test_rectangles_that_never_fit():
    with pytest.raises(UserError, match="hardly ever fit a 28x28 image"):
        draw_rectangles(5, 28, 28, ErasingSettings(1, (0.9, 0.9), (3, 3)), np.random.default_rng(0))
