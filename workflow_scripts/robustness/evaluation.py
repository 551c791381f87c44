"""Scoring predictions and checking adversarial sets, from arrays alone."""

import numpy as np
import pandas as pd

from robustness.attack_settings import AdversarialSet, pixel_scale
from robustness.datasets import Images, to_pixels
from robustness.errors import UserError
from robustness.intervals import wilson_interval

RELATIVE_TOLERANCE = 1e-5  # of epsilon, for rounding
ABSOLUTE_TOLERANCE = 2e-7  # of the pixel range's width: two units in the last place of float32 at its upper end


def score(logits: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """One row an image: label, prediction, confidence (softmax of the predicted class), loss (cross-entropy, nats).

    logits: (n, classes). labels: (n,). Computed in float64. Raises UserError where a logit is not a number.
    """
    if not np.isfinite(logits).all():
        raise UserError("the model puts out values that are no numbers: its training failed, train it again.")
    logits = logits.astype(np.float64)
    log_softmax = logits - logits.max(axis=1, keepdims=True)
    log_softmax -= np.log(np.exp(log_softmax).sum(axis=1, keepdims=True))
    rows = np.arange(len(labels))
    prediction = logits.argmax(axis=1)
    return pd.DataFrame(
        {
            "label": labels,
            "prediction": prediction,
            "confidence": np.exp(log_softmax[rows, prediction]),
            "loss": -log_softmax[rows, labels],
        }
    )


def summarise(records: pd.DataFrame) -> dict:
    """n, correct, accuracy with its 95 % Wilson interval, and mean loss of a table of records."""
    n, correct = len(records), int((records["label"] == records["prediction"]).sum())
    low, high = wilson_interval(correct, n)
    return {
        "n": n,
        "correct": correct,
        "accuracy": correct / n,
        "ci_low": low,
        "ci_high": high,
        "loss": float(records["loss"].mean()),
    }


def confusion(records: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """One row a pair of classes: label, prediction (names), n images, and their share of the label's images."""
    counts = np.zeros((len(classes), len(classes)), int)
    np.add.at(counts, (records["label"], records["prediction"]), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    label, prediction = np.indices(counts.shape).reshape(2, -1)
    names = np.array(classes)
    columns = {"label": names[label], "prediction": names[prediction], "n": counts.ravel(), "share": shares.ravel()}
    return pd.DataFrame(columns)


def perturbation_norms(adversarial: np.ndarray, clean: np.ndarray) -> dict[str, np.ndarray]:
    """Largest absolute difference (linf) and Euclidean length (l2) of each perturbation, (n,) float64 each."""
    difference = (adversarial.astype(np.float64) - clean).reshape(len(clean), -1)
    return {"linf": np.abs(difference).max(axis=1), "l2": np.sqrt((difference**2).sum(axis=1))}


def check_adversarial_set(
    adversarial: AdversarialSet, clean: Images, pixel_range: tuple[float, float], model_sha256: str
) -> dict[str, np.ndarray]:
    """Check a set against the images it claims to come from; return its norms, in the unit of its epsilon.

    Raises UserError unless every image is float32, finite, in the pixel range, within epsilon of its source in the
    attack's norm, and crafted on the model that is to be scored.
    """
    what = f"the set of {adversarial.attack['name']} at epsilon {adversarial.attack['epsilon']}"
    remedy = "craft it again."
    if adversarial.model_sha256 != model_sha256:
        raise UserError(f"{what} was crafted on another model, so this would be a transfer result: {remedy}")
    if not (np.array_equal(adversarial.indices, clean.indices) and np.array_equal(adversarial.labels, clean.labels)):
        raise UserError(f"{what} comes from other images than the evaluation subset: {remedy}")
    source = to_pixels(clean.images, pixel_range)
    if adversarial.images.dtype != np.float32 or adversarial.images.shape != source.shape:
        raise UserError(f"{what} holds {adversarial.images.dtype} of shape {adversarial.images.shape}: {remedy}")
    if not np.isfinite(adversarial.images).all():
        raise UserError(f"{what} holds pixels that are no numbers: {remedy}")
    low, high = pixel_range
    if adversarial.images.min() < low or adversarial.images.max() > high:
        raise UserError(
            f"{what} leaves the pixel range {low} to {high} "
            f"({adversarial.images.min()} to {adversarial.images.max()}): {remedy}"
        )
    scale = pixel_scale(adversarial.attack["epsilon_unit"], pixel_range)
    norms = perturbation_norms(adversarial.images, source)
    epsilon = float(adversarial.attack["epsilon"]) * scale
    reached = norms["linf" if adversarial.attack["norm"] == "inf" else "l2"].max()
    # Each pixel is rounded once, so in the Euclidean norm the error grows with the root of their number.
    pixels = 1 if adversarial.attack["norm"] == "inf" else float(np.sqrt(source[0].size))
    if reached > epsilon * (1 + RELATIVE_TOLERANCE) + ABSOLUTE_TOLERANCE * (high - low) * pixels:
        raise UserError(f"{what} moves an image by {reached / scale:.6g}, more than epsilon: {remedy}")
    return {name: values / scale for name, values in norms.items()}
