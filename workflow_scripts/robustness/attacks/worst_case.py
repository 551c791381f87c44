"""Attacks in a cascade: each is spent only on the images that all before it left standing.

The cascade goes on in rounds of growing effort, first with the attacks that follow a gradient, then with those that need
none, until a round after the first breaks less than CONVERGED of the images or the rounds are spent. What each round broke is judged by
robustness/diagnosis/diagnostics.py: a worst case that has not converged says more about the attacks than about the model.
"""

import logging
import time
from dataclasses import dataclass, replace

import numpy as np

from robustness.attacks.attack_settings import AttackSettings, step_of
from robustness.attacks.crafting import context_of, craft
from robustness.attacks.first_errors import first_errors
from robustness.evaluation.scoring import perturbation_norms
from robustness.evaluation.worst_case_records import GRADIENT, GRADIENT_FREE, phase_of
from robustness.models.model_files import predict_logits
from robustness.models.rejection import fooled, n_classes_of, predictions

LOG = logging.getLogger(__name__)
CONVERGED = 0.01  # a round that breaks a smaller share of the images is the last
# But a first round may break little because it is no stronger than the study's own attacks: only a second one, of twice the
# effort, tells. A search without gradients comes after all others, and differs from them from its first round on.
FEWEST_ROUNDS = {GRADIENT: 2, GRADIENT_FREE: 1}


@dataclass(frozen=True)
class Target:
    """A network under attack. clip: (low, high) pixels. scale: pixel units per unit of epsilon."""

    network: object
    clip: tuple[float, float]
    scale: float
    seed: int
    batch_size: int

    def craft(
        self, images: np.ndarray, labels: np.ndarray, settings: AttackSettings, epsilon: str, number: int = 1
    ) -> np.ndarray:
        """Adversarial images of an untargeted attack; epsilon as text, in its unit. number: of the round, whose chance it is."""
        sizes, seed = self._sizes(settings, epsilon), self._seed_of(number)
        return craft(self.network, images, labels, settings, *sizes, self.clip, seed, self.batch_size)[0]

    def search(
        self, images: np.ndarray, labels: np.ndarray, settings: AttackSettings, epsilon: str, number: int = 1
    ) -> np.ndarray:
        """The same where only errors count: an image is done with at its first, if the attack allows that."""
        early = settings.declaration.first_error and settings.bounded and not settings.targeted
        if not early:
            return self.craft(images, labels, settings, epsilon, number)
        sizes, seed = self._sizes(settings, epsilon), self._seed_of(number)
        context = context_of(self.network, settings, *sizes, self.clip, seed)
        return first_errors(context, images, labels, self.batch_size)

    def _seed_of(self, number: int) -> int:
        """The seed of a round: the target's own in the first, and another in each after it."""
        return self.seed if number == 1 else int(np.random.default_rng([self.seed, number]).integers(2**31))

    def _sizes(self, settings: AttackSettings, epsilon: str) -> tuple[float, float]:
        """Epsilon and step in pixel units."""
        return float(epsilon) * self.scale, step_of(settings, epsilon) * self.scale

    def predict(self, images: np.ndarray) -> np.ndarray:
        """The predicted classes, (n,), REJECTED where the network rejects an image."""
        return predictions(predict_logits(self.network, images, self.batch_size), n_classes_of(self.network))


@dataclass(frozen=True)
class Found:
    """The examples that a cascade found, in the order of the rounds; of one image several, each of a smaller epsilon.

    positions: (k,) int64, of the images. images: (k, h, w, c) float32. epsilons, attacks: (k,) texts. rounds: (k,) int64,
    from 1. tried: {epsilon: {phase: rounds in which images were attacked at it}}.
    """

    positions: np.ndarray
    images: np.ndarray
    epsilons: np.ndarray
    attacks: np.ndarray
    rounds: np.ndarray
    tried: dict[str, dict[str, int]]


class _Search:
    """The state of a cascade: at which epsilon each image has fallen, and the examples that made it."""

    def __init__(
        self, target: Target, images: np.ndarray, labels: np.ndarray, falls_at: np.ndarray, epsilons: list[str]
    ):
        self.target, self.images, self.labels, self.epsilons = target, images, labels, epsilons
        self.falls_at = falls_at.astype(float).copy()
        self.found: list[tuple[np.ndarray, np.ndarray, str, str, int]] = []  # positions, images, epsilon, attack, round

    def standing(self, epsilon: str) -> np.ndarray:
        """Positions of the images that are not known to fall at an epsilon."""
        return np.flatnonzero(self.falls_at > float(epsilon))

    def spend(self, name: str, settings: AttackSettings, epsilon: str, standing_at: str, number: int) -> None:
        """One attack at an epsilon, on the images that stand at another (the same, but for an attack of least norm)."""
        todo = self.standing(standing_at)
        if not len(todo):
            return
        started = time.monotonic()
        images, labels = self.images[todo], self.labels[todo]
        crafted = self.target.search(images, labels, settings, epsilon, number)
        wrong = fooled(self.target.predict(crafted), labels)
        norms = perturbation_norms(crafted, images)[f"l{settings.norm}"] / self.target.scale
        least_norm, fell = settings.declaration.minimum_norm, 0
        for text in self.epsilons if least_norm else [epsilon]:
            # An attack at one epsilon is held to it by the evaluation; that of least norm is put where it belongs here.
            within = norms <= float(text) if least_norm else True
            new = np.flatnonzero(wrong & within & (self.falls_at[todo] > float(text)))
            if len(new):
                self.found.append((todo[new], crafted[new], text, name, number))
                self.falls_at[todo[new]] = float(text)
            fell += len(new)
        seconds = time.monotonic() - started
        LOG.info("round %d, epsilon %s, %s: %d of %d fell, %.1f s", number, epsilon, name, fell, len(todo), seconds)

    def round(self, attacks: dict[str, AttackSettings], active: list[str], number: int) -> None:
        """Each attack once: those of least norm first, for all epsilons together, the others at each active epsilon."""
        for name, settings in attacks.items():
            if settings.declaration.minimum_norm:
                self.spend(name, settings, self.epsilons[-1], active[0], number)
        for epsilon in active:
            for name, settings in attacks.items():
                if not settings.declaration.minimum_norm:
                    self.spend(name, settings, epsilon, epsilon, number)


def with_more_effort(settings: AttackSettings, number: int) -> AttackSettings:
    """An attack as it is in a round of this number, from 1: iterations and queries double from round to round.

    Steps are halved as often, so that the way stays as long. What is drawn differs from round to round, so that a random
    start is a restart.
    """
    factor, keys = 2 ** (number - 1), settings.declaration.keys
    more = {key: getattr(settings, key) * factor for key in ("iterations", "queries") if key in keys}
    finer = {key: getattr(settings, key) / factor for key in ("step", "relative_step") if getattr(settings, key)}
    return replace(settings, **more, **finer)


def find_worst_case(
    target: Target,
    images: np.ndarray,
    labels: np.ndarray,
    falls_at: np.ndarray,
    epsilons: list[str],
    attacks: dict[str, AttackSettings],
    rounds: int = 1,
) -> Found:
    """Look for an example of each image at the smallest epsilon.

    images: (n, h, w, c) pixels. falls_at: (n,), the epsilon at which an image is known to fall, infinity where none is;
    nothing is spent on it from there on. epsilons: texts; they are gone through rising, since what is found at one lies
    within all larger ones. attacks: {name: settings}, tried in their order, those of least norm first and once for all
    epsilons; those that follow a gradient first, all their rounds. rounds: the most rounds of each of the two phases.
    """
    epsilons = sorted((text for text in epsilons if float(text) > 0), key=float)
    search = _Search(target, images, labels, falls_at, epsilons)
    tried = {epsilon: {GRADIENT: 0, GRADIENT_FREE: 0} for epsilon in epsilons}
    for phase in (GRADIENT, GRADIENT_FREE):
        of_phase = {name: settings for name, settings in attacks.items() if phase_of(settings) == phase}
        active = epsilons if of_phase else []
        for number in range(1, rounds + 1):
            active = [epsilon for epsilon in active if len(search.standing(epsilon))]
            if not active:
                break
            before = {epsilon: len(search.standing(epsilon)) for epsilon in epsilons}
            stronger = {name: with_more_effort(settings, number) for name, settings in of_phase.items()}
            search.round(stronger, active, number)
            tried |= {epsilon: tried[epsilon] | {phase: number} for epsilon in active}
            broken = {epsilon: before[epsilon] - len(search.standing(epsilon)) for epsilon in epsilons}
            active = [
                epsilon
                for epsilon in epsilons
                if tried[epsilon][phase] < FEWEST_ROUNDS[phase] or broken[epsilon] >= max(1, CONVERGED * len(images))
            ]
    return _found(search, tried)


def _found(search: _Search, tried: dict[str, dict[str, int]]) -> Found:
    positions = np.concatenate([part[0] for part in search.found] or [np.zeros(0, np.int64)])
    images = np.concatenate([part[1] for part in search.found] or [search.images[:0]])
    texts = [
        np.array([part[place] for part in search.found for _ in part[0]], dtype=kind)
        for place, kind in ((2, "<U32"), (3, "<U64"), (4, np.int64))
    ]
    return Found(positions, images, *texts, tried)
