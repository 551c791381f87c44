"""Models of every technique, as what scoring needs of them: a function from images to logits."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np


def load_logits(path: str | Path, shape: tuple[int, int, int], n_classes: int) -> Callable[[np.ndarray], np.ndarray]:
    """The logits, (n, n_classes), of (n, height, width, channels) float32 pixels in the dataset's pixel range.

    path: a network (.keras), or a classifier of another technique (.pickle; robustness/models/classifiers.py tells what its
    logits are). Raises UserError if the file is neither or does not fit images of `shape` and `n_classes` classes.
    """
    if Path(path).suffix == ".pickle":
        from robustness.models.classifiers import load_classifier

        return load_classifier(path, shape, n_classes).logits
    from robustness.models.model_files import load_network, predict_logits

    return partial(predict_logits, load_network(path, shape, n_classes))
