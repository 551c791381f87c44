"""Scoring predictions and checking adversarial sets, from arrays alone."""

import numpy as np
import pandas as pd

from robustness.attacks.attack_settings import AdversarialSet, reach_of, settings_from_note
from robustness.attacks.epsilon_units import pixel_scale
from robustness.data.datasets import Images, to_pixels
from robustness.errors import UserError
from robustness.models.rejection import REJECTED, fooled, predictions
from robustness.statistics.intervals import wilson_interval

RELATIVE_TOLERANCE = 1e-5  # of the reach (epsilon, for most attacks), for rounding
ABSOLUTE_TOLERANCE = 2e-7  # of the pixel range's width: two units in the last place of float32 at its upper end
# What is told of a model that can reject: the prefix of an interval's ends, and the column of its share.
SHARES = {
    "rejection": "rejection_rate",
    "accepted": "accepted_accuracy",
    "handled": "handled_rate",
    "detection": "detection_rate",
}


def score(logits: np.ndarray, labels: np.ndarray, n_classes: int) -> pd.DataFrame:
    """One row an image: label, prediction, confidence (softmax of the answer), loss (cross-entropy, nats).

    logits: (n, n_classes), or (n, n_classes + 1) of a model that can reject: then prediction is REJECTED where it does, the
    softmax is over all of them, the loss that of the true class, and a column class_prediction has what the model would have
    told, the largest of the class' logits. labels: (n,). Computed in float64. Raises UserError where a logit is not a number.
    """
    if not np.isfinite(logits).all():
        raise UserError("the model puts out values that are no numbers: its training failed, train it again.")
    logits = logits.astype(np.float64)
    log_softmax = logits - logits.max(axis=1, keepdims=True)
    log_softmax -= np.log(np.exp(log_softmax).sum(axis=1, keepdims=True))
    rows = np.arange(len(labels))
    columns = {
        "label": labels,
        "prediction": predictions(logits, n_classes),
        "confidence": np.exp(log_softmax[rows, logits.argmax(axis=1)]),
        "loss": -log_softmax[rows, labels],
    }
    if logits.shape[1] > n_classes:
        columns["class_prediction"] = logits[:, :n_classes].argmax(axis=1)
    return pd.DataFrame(columns)


def summarise(records: pd.DataFrame) -> dict:
    """n, correct, accuracy with its 95 % Wilson interval, and mean loss of a table of records.

    Of a model that can reject, correct is accepted and right, and there are further shares, each with its count and interval:
    what rejection_shares gives.
    """
    n, correct = len(records), int((records["label"] == records["prediction"]).sum())
    low, high = wilson_interval(correct, n)
    found = {
        "n": n,
        "correct": correct,
        "accuracy": correct / n,
        "ci_low": low,
        "ci_high": high,
        "loss": float(records["loss"].mean()),
    }
    return found | rejection_shares(records) if can_reject(records) else found


def can_reject(records: pd.DataFrame) -> bool:
    """Whether records (of score) are those of a model that can reject, whether or not it did."""
    return "class_prediction" in records


def rejection_shares(records: pd.DataFrame) -> dict:
    """What a model that can reject did with the images of its records, as counts and shares with 95 % Wilson intervals.

    rejected, rejection_rate (of clean images the false-positive rate); accepted, correct_accepted and accepted_accuracy, the
    accuracy on what passes; handled, handled_rate: accepted and right or rejected, both together, of adversarial images
    those that the attack has no success with; successful, those whose class_prediction is wrong, detected and detection_rate,
    those and the share of them that are rejected (Xu et al. 2018, arXiv 1704.01155, section 5, on successful examples). A
    share of no image is None.
    """
    rejected = records["prediction"] == REJECTED
    right, wrong_class = records["prediction"] == records["label"], records["class_prediction"] != records["label"]
    n, accepted, successful = len(records), int((~rejected).sum()), int(wrong_class.sum())
    counts = {
        "rejection": ("rejected", int(rejected.sum()), n),
        "accepted": ("correct_accepted", int(right.sum()), accepted),
        "handled": ("handled", int((~fooled(records["prediction"], records["label"])).sum()), n),
        "detection": ("detected", int((rejected & wrong_class).sum()), successful),
    }
    found: dict = {"accepted": accepted, "successful": successful}
    for share, (counted, count, of) in counts.items():
        low, high = wilson_interval(count, of) if of else (None, None)
        value = count / of if of else None
        found |= {counted: count, SHARES[share]: value, f"{share}_low": low, f"{share}_high": high}
    return found


def confusion(records: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """One row a pair of classes: label, prediction (names), n images, and their share of the label's images.

    Of a model that can reject the last prediction of each class is 'rejected'.
    """
    answers = [*classes, "rejected"] if can_reject(records) else classes
    counts = np.zeros((len(classes), len(answers)), int)
    np.add.at(counts, (records["label"], records["prediction"]), 1)  # REJECTED, -1, is the last
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    label, prediction = np.indices(counts.shape).reshape(2, -1)
    names = np.array(answers)
    columns = {"label": names[label], "prediction": names[prediction], "n": counts.ravel(), "share": shares.ravel()}
    return pd.DataFrame(columns)


def perturbation_norms(adversarial: np.ndarray, clean: np.ndarray) -> dict[str, np.ndarray]:
    """Largest absolute difference (linf) and Euclidean length (l2) of each perturbation, (n,) float64 each."""
    difference = (adversarial.astype(np.float64) - clean).reshape(len(clean), -1)
    return {"linf": np.abs(difference).max(axis=1), "l2": np.sqrt((difference**2).sum(axis=1))}


def changed_share(adversarial: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """The share of the values of each image, of all pixels and channels, that are not what they were: (n,) float64."""
    return (adversarial != clean).reshape(len(clean), -1).mean(axis=1)


def check_adversarial_set(
    adversarial: AdversarialSet, clean: Images, pixel_range: tuple[float, float], model_sha256: str
) -> dict[str, np.ndarray]:
    """Check a set against the images it claims to come from; return its norms, in the unit of its epsilon.

    Raises UserError unless every image is float32, finite, in the pixel range, within epsilon of its source in the
    attack's norm (of an attack that epsilon does not bound: within all of its steps together), and crafted on the model
    of that hash.
    """
    attack = adversarial.attack
    what = f"the set of {attack['name']} at epsilon {attack['epsilon']}"
    if adversarial.model_sha256 != model_sha256:
        raise UserError(f"{what} was crafted on another model, so this would be a transfer result: craft it again.")
    if not (np.array_equal(adversarial.indices, clean.indices) and np.array_equal(adversarial.labels, clean.labels)):
        raise UserError(f"{what} comes from other images than the evaluation subset: craft it again.")
    settings = settings_from_note(attack)
    reach = np.full(len(clean), reach_of(settings, attack["epsilon"]))
    bound = "epsilon" if settings.bounded else "all of its steps together"
    source = to_pixels(clean.images, pixel_range)
    return checked_norms(
        what, adversarial.images, source, pixel_range, attack["norm"], attack["epsilon_unit"], reach, bound
    )


def checked_norms(
    what: str,
    images: np.ndarray,
    source: np.ndarray,
    pixel_range: tuple[float, float],
    norm: str,
    unit: str,
    reach: np.ndarray,
    bound: str = "epsilon",
) -> dict[str, np.ndarray]:
    """Norms (n,) of perturbations, in epsilon's unit; raises UserError where an image breaks a rule.

    reach: (n,), the furthest that each image may be moved, in epsilon's unit; in norm 0 the share of its values that may
    change, and then the share that did is among the norms, as l0. bound: what that is, in words.
    """
    remedy = "craft it again."
    if images.dtype != np.float32 or images.shape != source.shape:
        raise UserError(f"{what} holds {images.dtype} of shape {images.shape}: {remedy}")
    if not len(images):
        return {"linf": np.zeros(0), "l2": np.zeros(0)}
    if not np.isfinite(images).all():
        raise UserError(f"{what} holds pixels that are no numbers: {remedy}")
    low, high = pixel_range
    if images.min() < low or images.max() > high:
        raise UserError(f"{what} leaves the pixel range {low} to {high} ({images.min()} to {images.max()}): {remedy}")
    scale = pixel_scale(unit, pixel_range)
    norms = perturbation_norms(images, source)
    if norm == "0":
        share = changed_share(images, source)
        if (share > reach + 1e-9).any():  # counts of values: no rounding but that of the division
            raise UserError(f"{what} changes {share.max():.6g} of an image's values, more than {bound}: {remedy}")
        return {name: values / scale for name, values in norms.items()} | {"l0": share}
    reached = norms[f"l{norm}"]
    # Each pixel is rounded once, so in the Euclidean norm the error grows with the root of their number.
    pixels = 1 if norm == "inf" else float(np.sqrt(source[0].size))
    excess = reached - reach * scale * (1 + RELATIVE_TOLERANCE) - ABSOLUTE_TOLERANCE * (high - low) * pixels
    if excess.max() > 0:
        furthest = reached[excess.argmax()] / scale
        raise UserError(f"{what} moves an image by {furthest:.6g}, more than {bound}: {remedy}")
    return {name: values / scale for name, values in norms.items()}
