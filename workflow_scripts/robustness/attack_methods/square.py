"""Square attack (Andriushchenko et al. 2020, arXiv 1912.00049, algorithms 1 to 3): random search, no gradient at all.

Adversarial Robustness Toolbox 1.20.1 has one, three times slower on the quick study's network and broken in the Euclidean
norm; tests hold the two side by side.
"""

import numpy as np

from robustness.attacks.attack_context import project
from robustness.attacks.lengths import lengths

KEYS = ("queries",)
REQUIRED = ("queries",)
CLIMBS = ""

FIRST_SHARE = 0.8  # p: the share of pixels that the first square covers
HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # of p, at these queries of 10,000 (section 4.1)


def attack(context, images, labels):
    """The first misclassified (and accepted) image of each search; where there is none, that of largest margin."""
    images, labels = np.asarray(images), np.asarray(labels)
    propose, start = (_squares, _stripes) if context.norm == np.inf else (_moved_mass, _bumps)
    best = project(images + start(context, images), images, context.epsilon, context)
    margin = _margin(context, best, labels)
    for query in range(1, context.settings.queries):
        todo = np.flatnonzero(margin < 0)
        if not len(todo):
            break
        source = images[todo]
        candidate = project(
            propose(context, best[todo], source, _share(query, context.settings.queries)),
            source,
            context.epsilon,
            context,
        )
        found = _margin(context, candidate, labels[todo])
        better = found > margin[todo]
        best[todo[better]], margin[todo[better]] = candidate[better], found[better]
    return best


def _margin(context, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The network's margin, negative just where it is not fooled."""
    logits = context.logits(images)
    margin = context.margin(logits, labels)
    # A tie counts as the prediction does: as misclassified where the wrong class comes first.
    return np.where((margin == 0) & ~context.fooled(logits, labels), -np.finfo(np.float32).tiny, margin)


def _share(query: int, queries: int) -> float:
    """The share of pixels that a square covers, halved on the way as if there were 10,000 queries."""
    return FIRST_SHARE / 2 ** sum(query / queries * 10_000 > halving for halving in HALVINGS)


def _corners(context, n: int, size: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Random upper left corners, (n,) rows and (n,) columns, of squares within images."""
    height, width = shape[1:3]
    draw = context.random.integers
    return draw(0, height - size + 1, n), draw(0, width - size + 1, n)


def _stripes(context, images: np.ndarray) -> np.ndarray:
    """The start in the maximum norm: vertical stripes, one pixel wide, of random sign in each channel."""
    n, _, width, channels = images.shape
    return context.epsilon * context.random.choice(np.array([-1, 1], np.float32), (n, 1, width, channels))


def _squares(context, best: np.ndarray, images: np.ndarray, share: float) -> np.ndarray:
    """One square of each image at plus or minus epsilon, the sign drawn for each channel (algorithm 2).

    A square that would change nothing wastes no query: it gets the opposite signs (the authors' program draws them anew).
    """
    n, height, width, channels = images.shape
    size = int(np.clip(round(np.sqrt(share * height * width)), 1, min(height, width)))
    rows, columns = _corners(context, n, size, images.shape)
    in_rows = (np.arange(height) - rows[:, None]) // size == 0
    in_columns = (np.arange(width) - columns[:, None]) // size == 0
    inside = in_rows[:, :, None, None] & in_columns[:, None, :, None]
    signs = context.random.choice(np.array([-1, 1], np.float32), (n, 1, 1, channels))
    proposed = np.where(inside, images + context.epsilon * signs, best)
    change = np.abs(np.clip(proposed, *context.clip) - best).max(axis=(1, 2, 3), keepdims=True)
    opposite = np.where(inside, images - context.epsilon * signs, best)
    return np.where(change > 1e-3 * context.epsilon, proposed, opposite)


def _bump(context, size: int) -> np.ndarray:
    """Two neighbouring hills of opposite sign, together of length 1, one above or beside the other (equation 2)."""

    def hill(height, width):
        rows = np.abs(np.arange(height) - height // 2)[:, None]
        columns = np.abs(np.arange(width) - width // 2)[None, :]
        reach = max(height, width) // 2 + 1
        rings = np.arange(reach)
        return (1 / (rings + 1.0) ** 2 * (np.maximum(rows, columns)[..., None] <= rings)).sum(-1)

    bump = np.concatenate([hill(size // 2, size), -hill(size - size // 2, size)]).astype(np.float32)
    bump = bump.T if context.random.random() < 0.5 else bump
    return bump / np.linalg.norm(bump)


def _bumps(context, images: np.ndarray) -> np.ndarray:
    """The start in the Euclidean norm: a grid of five by five bumps of random sign, of length epsilon together."""
    n, height, width, channels = images.shape
    size = max(min(height, width) // 5, 2)
    delta = np.zeros_like(images)
    for row in range((height % size) // 2, height - size + 1, size):
        for column in range((width % size) // 2, width - size + 1, size):
            signs = context.random.choice(np.array([-1, 1], np.float32), (n, 1, 1, channels))
            delta[:, row : row + size, column : column + size] = _bump(context, size)[:, :, None] * signs
    return context.epsilon * delta / lengths(delta, 2)


def _moved_mass(context, best: np.ndarray, images: np.ndarray, share: float) -> np.ndarray:
    """The perturbation of one square moved to another, where a bump is added (algorithm 3)."""
    n, height, width, channels = images.shape
    size = round(np.sqrt(share * height * width))
    size = min(max(size + 1 - size % 2, 3), height, width)
    delta = best - images
    unused = np.maximum(context.epsilon**2 - lengths(delta, 2).ravel() ** 2, 0) / channels
    targets, sources = (zip(*_corners(context, n, size, images.shape)) for _ in range(2))
    for i, ((row, column), (from_row, from_column)) in enumerate(zip(targets, sources)):
        target = np.s_[row : row + size, column : column + size]
        source = np.s_[from_row : from_row + size, from_column : from_column + size]
        both = np.zeros((height, width), bool)
        both[target] = both[source] = True
        mass = (delta[i][both] ** 2).sum(0)  # of each channel
        old = delta[i][target] / (np.sqrt((delta[i][target] ** 2).sum((0, 1))) + 1e-12)
        signs = context.random.choice(np.array([-1, 1], np.float32), channels)
        new = old + _bump(context, size)[:, :, None] * signs
        new /= np.sqrt((new**2).sum((0, 1))) + 1e-12
        delta[i][source] = 0
        delta[i][target] = new * np.sqrt(unused[i] + mass)
    return images + delta
