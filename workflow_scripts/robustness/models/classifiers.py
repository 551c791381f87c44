"""Classifiers of another technique than a neural network, by scikit-learn: training them, their file and their scores.

They are no target of gradients. What transfers to them is cross-technique transfer (Papernot et al. 2016, arXiv
1605.07277, section 4).
"""

import importlib
import io
import pickle
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.exceptions import InconsistentVersionWarning
from threadpoolctl import threadpool_limits

from robustness.config.technique_files import technique_settings
from robustness.data.datasets import Images, to_pixels
from robustness.data.splits import stratified_sample
from robustness.errors import UserError
from robustness.files import whole_file

LEAST_PROBABILITY = 1e-9  # its logarithm stands for that of a probability of 0, so that losses are finite
PACKAGES = ("sklearn", "numpy", "scipy")  # whose classes a file may hold


@dataclass(frozen=True)
class Classifier:
    """A fitted scikit-learn classifier of images.

    estimator: takes (n, height x width x channels) pixels on the range 0 to 1, whatever range networks are fed with.
    shape: (height, width, channels). pixel_range: (low, high) of the images that `logits` is given.
    """

    estimator: ClassifierMixin
    shape: tuple[int, int, int]
    n_classes: int
    pixel_range: tuple[float, float]

    def logits(self, images: np.ndarray) -> np.ndarray:
        """What takes the place of logits, (n, n_classes) float64, of (n, height, width, channels) float32 pixels.

        Log-probabilities, those below LEAST_PROBABILITY raised to it; the decision values of a technique without
        probabilities (support vector machines), of two classes 0 and that of the second. The largest is the
        classifier's own prediction (scikit-learn's with break_ties=True, where pairwise votes tie). One thread computes, so that bits do not depend on their number.
        """
        low, high = self.pixel_range
        pixels = (images.reshape(len(images), -1) - np.float32(low)) / np.float32(high - low)
        with threadpool_limits(limits=1):
            if hasattr(self.estimator, "predict_proba"):
                return np.log(np.maximum(self.estimator.predict_proba(pixels), LEAST_PROBABILITY))
            decision = self.estimator.decision_function(pixels)
        return decision if decision.ndim == 2 else np.stack([np.zeros_like(decision), decision], axis=1)

    def save(self, path: str | Path) -> None:
        """Write the classifier; the same training gives the same bytes."""
        with whole_file(path) as temporary:
            temporary.write_bytes(pickle.dumps(vars(self), protocol=5))


def _technique(name: str, settings: dict) -> tuple[dict, Callable]:
    """The settings of a technique with its defaults, and its function `classifier`."""
    properties = technique_settings(name)["properties"]
    if unknown := sorted(set(settings) - set(properties)):
        raise UserError(f"{name} has no setting {unknown[0]}; it may have {', '.join(sorted(properties))}.")
    defaults = {key: entry["default"] for key, entry in properties.items() if "default" in entry}
    return defaults | settings, importlib.import_module(f"robustness.techniques.{name}").classifier


def train_classifier(
    name: str,
    settings: dict,
    train: Images,
    pixel_range: tuple[float, float],
    n_classes: int,
    seed: int,
    limit: int | None = None,
) -> Classifier:
    """Fit a classifier of robustness/techniques on images, or on `limit` of them, stratified.

    settings: those of the technique's SETTINGS, defaults where they are left out. Raises UserError where there is no such
    technique or setting, there are fewer images than `limit`, a class has none, or the settings don't fit the images.
    """
    settings, classifier = _technique(name, settings)
    if limit is not None:
        train = train.take(stratified_sample(train.labels, limit, seed))
    if missing := sorted(set(range(n_classes)) - set(train.labels.tolist())):
        raise UserError(f"class {missing[0]} has no image among the {len(train)} to train {name} on: take more.")
    if settings.get("neighbours", 0) > len(train):
        raise UserError(f"neighbours is {settings['neighbours']}, but there are {len(train)} images: lower it.")
    estimator = classifier(settings, seed)
    with threadpool_limits(limits=1):
        estimator.fit(to_pixels(train.images, (0.0, 1.0)).reshape(len(train), -1), train.labels)
    return Classifier(estimator, train.images.shape[1:], n_classes, pixel_range)


class _KnownClasses(pickle.Unpickler):
    """Builds nothing but what a classifier is made of: a pickle may otherwise run whatever its writer liked."""

    def find_class(self, module: str, name: str) -> type:
        if module.split(".")[0] not in PACKAGES:
            raise pickle.UnpicklingError(f"it holds {module}.{name}")
        return super().find_class(module, name)


def load_classifier(path: str | Path, shape: tuple[int, int, int], n_classes: int) -> Classifier:
    """Read a classifier and check that it fits images of `shape` and `n_classes` classes.

    Raises UserError if the file is no classifier of the installed scikit-learn or does not fit the data.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", InconsistentVersionWarning)
            found = Classifier(**_KnownClasses(io.BytesIO(Path(path).read_bytes())).load())
    except FileNotFoundError:
        raise
    except Exception as error:  # a broken pickle may raise anything
        raise UserError(
            f"{path} can't be read as a classifier ({error}): remove it, so that it is trained again."
        ) from error
    if (tuple(found.shape), found.n_classes) != (tuple(shape), n_classes):
        raise UserError(
            f"{path} takes images of {tuple(found.shape)} and tells {found.n_classes} classes apart, but the data has "
            f"{tuple(shape)} and {n_classes}: use a model of the same dataset."
        )
    return found
