"""Norms of perturbations in float32, as attacks measure them (no TensorFlow here); the evaluation measures for itself."""

import numpy as np


def lengths(perturbation: np.ndarray, norm: float) -> np.ndarray:
    """The norm (numpy.inf, 2 or 1) of each perturbation, shaped (n, 1, 1, 1)."""
    flat = np.linalg.norm(perturbation.reshape(len(perturbation), -1), ord=norm, axis=1)
    return flat[:, None, None, None].astype(np.float32)
