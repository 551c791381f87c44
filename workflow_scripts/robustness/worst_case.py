"""Attacks in a cascade: each is spent only on the images that all before it left standing."""

import logging
import time
from dataclasses import dataclass

import numpy as np

from robustness.attack_settings import AttackSettings, step_of
from robustness.crafting import context_of, craft
from robustness.evaluation import perturbation_norms
from robustness.first_errors import first_errors
from robustness.model_files import predict_logits
from robustness.rejection import fooled, n_classes_of, predictions

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Target:
    """A network under attack. clip: (low, high) pixels. scale: pixel units per unit of epsilon."""

    network: object
    clip: tuple[float, float]
    scale: float
    seed: int
    batch_size: int

    def craft(self, images: np.ndarray, labels: np.ndarray, settings: AttackSettings, epsilon: str) -> np.ndarray:
        """Adversarial images of an untargeted attack; epsilon as text, in its unit."""
        sizes = self._sizes(settings, epsilon)
        return craft(self.network, images, labels, settings, *sizes, self.clip, self.seed, self.batch_size)[0]

    def search(self, images: np.ndarray, labels: np.ndarray, settings: AttackSettings, epsilon: str) -> np.ndarray:
        """The same where only errors count: an image is done with at its first, if the attack allows that."""
        early = settings.declaration.first_error and settings.bounded and not settings.targeted
        if not early:
            return self.craft(images, labels, settings, epsilon)
        context = context_of(self.network, settings, *self._sizes(settings, epsilon), self.clip, self.seed)
        return first_errors(context, images, labels, self.batch_size)

    def _sizes(self, settings: AttackSettings, epsilon: str) -> tuple[float, float]:
        """Epsilon and step in pixel units."""
        return float(epsilon) * self.scale, step_of(settings, epsilon) * self.scale

    def predict(self, images: np.ndarray) -> np.ndarray:
        """The predicted classes, (n,), REJECTED where the network rejects an image."""
        return predictions(predict_logits(self.network, images, self.batch_size), n_classes_of(self.network))


def find_worst_case(
    target: Target,
    images: np.ndarray,
    labels: np.ndarray,
    falls_at: np.ndarray,
    epsilons: list[str],
    attacks: dict[str, AttackSettings],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Look for an example of each image at the smallest epsilon: (images (n, h, w, c), epsilons (n,), attacks (n,)).

    images: pixels. falls_at: (n,), the epsilon at which an image is known to fall, infinity where none is; nothing is
    spent on it from there on. epsilons: texts; they are gone through rising, since what is found at one lies within all
    larger ones. attacks: tried in their order, those of least norm first and once for all epsilons.
    Where nothing was found (or known before), epsilon and attack are '' and the image is the given one.
    """
    epsilons = sorted((text for text in epsilons if float(text) > 0), key=float)
    best, found_at = images.copy(), np.full(len(images), "", dtype="<U32")
    found_by = np.full(len(images), "", dtype="<U64")
    falls_at = falls_at.astype(float).copy()

    def spend(name: str, settings: AttackSettings, todo: np.ndarray, epsilon: str, least_norm: bool) -> None:
        started = time.monotonic()
        crafted = target.search(images[todo], labels[todo], settings, epsilon)
        wrong = fooled(target.predict(crafted), labels[todo])
        norms = perturbation_norms(crafted, images[todo])[f"l{settings.norm}"] / target.scale
        fell = 0
        for text in epsilons if least_norm else [epsilon]:
            # An attack at one epsilon is held to it by the evaluation; that of least norm is put where it belongs here.
            within = norms <= float(text) if least_norm else True
            new = np.flatnonzero(wrong & within & (falls_at[todo] > float(text)))
            best[todo[new]], found_at[todo[new]], found_by[todo[new]] = crafted[new], text, name
            falls_at[todo[new]] = float(text)
            fell += len(new)
        LOG.info("epsilon %s, %s: %d of %d fell, %.1f s", epsilon, name, fell, len(todo), time.monotonic() - started)

    for name, settings in attacks.items():
        if epsilons and settings.declaration.minimum_norm:
            todo = np.flatnonzero(falls_at > float(epsilons[0]))
            if len(todo):
                spend(name, settings, todo, epsilons[-1], least_norm=True)
    for epsilon in epsilons:
        for name, settings in attacks.items():
            if settings.declaration.minimum_norm:
                continue
            todo = np.flatnonzero(falls_at > float(epsilon))
            if not len(todo):
                break
            spend(name, settings, todo, epsilon, least_norm=False)
    return best, found_at, found_by
