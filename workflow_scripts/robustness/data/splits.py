"""Seeded, stratified choices of images."""

import numpy as np

from robustness.errors import UserError


def stratified_sample(labels: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Indices of n images in which each class has its share of the whole, in rising order.

    labels: (m,) integers. n: 0 to m. The classes' counts differ from their exact shares by less than 1; what
    rounding leaves over goes to the largest remainders, ties to the lower label.
    Raises UserError if n is more than there are.
    """
    if n > len(labels):
        raise UserError(f"{n} images are asked for, but there are only {len(labels)}: ask for fewer.")
    rng = np.random.default_rng(seed)
    values, counts = np.unique(labels, return_counts=True)
    exact = counts * n / len(labels)
    take = np.floor(exact).astype(int)
    order = np.lexsort((values, take - exact))  # largest remainder first
    take[order[: n - take.sum()]] += 1
    chosen = [rng.permutation(np.flatnonzero(labels == value))[:k] for value, k in zip(values, take, strict=True)]
    return np.sort(np.concatenate(chosen)) if chosen else np.empty(0, int)


def holdout_split(labels: np.ndarray, n_validation: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split images into training and validation, stratified: (training indices, validation indices), each rising."""
    validation = stratified_sample(labels, n_validation, seed)
    return np.setdiff1d(np.arange(len(labels)), validation), validation
