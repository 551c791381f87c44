"""Models that can reject an image: the answer that is no class (no TensorFlow here).

Such a model has one logit more than its dataset has classes: the last is the rejection's. An image that is rejected is not
classified correctly, but neither is the model fooled by it. What that makes of robust accuracy is the definition of robust
accuracy with detection of Tramèr 2022 (arXiv 2107.11630, section 2): an image is handled robustly at epsilon if it is
accepted and right unattacked, and no image of its ball is accepted and wrong.
"""

import numpy as np

REJECTED = -1  # the prediction of a rejected image
LAST_LAYER = "logits_and_rejection"  # the name of the layer that gives a rejecting model's logits


def rejects(network) -> bool:
    """Whether a network can reject: whether its last layer, or that of the Keras model it ends in, is named LAST_LAYER."""
    last = network
    while getattr(last, "layers", None):
        last = last.layers[-1]
    return getattr(last, "name", "") == LAST_LAYER


def n_classes_of(network) -> int:
    """The classes that a network tells apart, without the rejection."""
    return network.output_shape[-1] - rejects(network)


def predictions(logits: np.ndarray, n_classes: int) -> np.ndarray:
    """The answers, (n,) int64: classes 0 to n_classes - 1, REJECTED where the rejection's logit is the largest.

    logits: (n, n_classes), or (n, n_classes + 1) of a model that can reject. A rejection that ties with a class is none.
    Raises ValueError for logits of another shape.
    """
    if logits.shape[1] not in (n_classes, n_classes + 1):
        raise ValueError(f"{logits.shape[1]} logits are not those of {n_classes} classes")
    answers = logits.argmax(axis=1)
    return np.where(answers == n_classes, REJECTED, answers)


def fooled(predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Where a model accepts an image and gets it wrong, (n,) bool: what an attack is after. Arrays or pandas' columns."""
    return (predicted != labels) & (predicted != REJECTED)


def standing_margin(logits: np.ndarray, labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Largest wrong class' logit minus that of the true class or, if it is larger, of the rejection, (n,).

    Negative where the model stands; positive where it is fooled; 0 at a tie. logits: as for predictions.
    """
    rows = np.arange(len(labels))
    right = logits[rows, labels]
    if logits.shape[1] > n_classes:
        right = np.maximum(right, logits[:, n_classes])
    wrong = logits[:, :n_classes].copy()
    wrong[rows, labels] = -np.inf
    return wrong.max(1) - right
