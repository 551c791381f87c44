"""Probes: attacks on a few images that no table shows, run to see whether the study's attacks fail for reasons of their own.

Each probe's meaning and the verdict it leads to stand in robustness/diagnosis/diagnostics.py.
"""

import logging
import time
from dataclasses import replace

import numpy as np
import pandas as pd

from robustness.attacks.attack_losses import loss_named
from robustness.attacks.attack_settings import AttackSettings
from robustness.attacks.crafting import choose_targets, class_logits
from robustness.attacks.gradients import has_zero_gradient
from robustness.attacks.worst_case import Target, find_worst_case
from robustness.config.attack_declarations import NORMS
from robustness.data.datasets import Images, to_pixels
from robustness.models.rejection import fooled, rejects

LOG = logging.getLogger(__name__)
COLUMNS = ["probe", "attack", "norm", "epsilon", "index", "label", "prediction"]


def zero_gradients(
    network, images: np.ndarray, labels: np.ndarray, attacks: dict[str, AttackSettings], seed: int
) -> dict[str, dict[str, int]]:
    """For each attack that follows a gradient: of how many of the n images it attacks that gradient is exactly zero.

    images: pixels. seed: of random targets. A targeted attack descends the loss of its target, which may have a gradient
    where that of the true class has none. On a network that rejects the loss is the one that is climbed there.
    """
    counted, found = {}, {}
    for name, settings in attacks.items():
        if climbed := settings.climbed_loss:
            spared = rejects(network) and settings.spares_rejection
            key = climbed, settings.logit_scale, settings.target, spared
            if key not in counted:
                aims = labels
                if settings.targeted:
                    aims = choose_targets(class_logits(network, images), labels, settings.target, seed)
                attacked = aims >= 0
                loss = loss_named(climbed, settings.logit_scale, spared)
                zero = (
                    has_zero_gradient(network, images[attacked], aims[attacked], loss) if attacked.any() else attacked
                )
                counted[key] = {"n": int(attacked.sum()), "zero": int(zero.sum())}
            found[name] = counted[key]
    return found


class Probes:
    """The probes of one network on a few images."""

    def __init__(self, target: Target, clean: Images, pixel_range: tuple[float, float]):
        self.target, self.clean = target, clean
        self.images, self.labels = to_pixels(clean.images, pixel_range), clean.labels
        self.rows: list[pd.DataFrame] = []

    def run(
        self,
        attacks: dict[str, AttackSettings],
        cascade: dict[str, AttackSettings],
        results: pd.DataFrame,
        queries: int,
        huge_epsilon: float,
    ) -> pd.DataFrame:
        """One row an image and probe: probe, attack ('' where it concerns all), norm, epsilon, index, label, prediction.

        attacks: of the study, with `results` of the bounded (records with attack and epsilon). cascade: of the worst case.
        huge_epsilon: a share of the pixel range; of a network that rejects it is the whole range. Targeted attacks, which
        are not meant to find any error, are not probed themselves; those that epsilon does not bound at the huge epsilon
        only. In norm 0 there are no probes: no attack of the worst case works in it, and noise of that kind would be another
        attack.
        """
        texts = {name: list(dict.fromkeys(rows["epsilon"])) for name, rows in results.groupby("attack", sort=False)}
        for norm in dict.fromkeys(settings.norm for settings in attacks.values() if settings.norm in NORMS):
            of_norm = {name: settings for name, settings in attacks.items() if settings.norm == norm}
            bounded = [name for name, settings in of_norm.items() if settings.bounded]
            epsilons = dict.fromkeys(text for name in bounded for text in texts.get(name, []) if float(text) > 0)
            untargeted = {name: settings for name, settings in of_norm.items() if not settings.targeted}
            for epsilon in epsilons:
                self._probe("noise", "", AttackSettings("noise", norm=norm), epsilon)
                self._probe("gradient_free", "", AttackSettings("square", norm=norm, queries=queries), epsilon)
            huge = self._huge(huge_epsilon, norm)
            for name, settings in untargeted.items():
                self._probe("huge_epsilon", name, _reaching(settings, float(huge)), huge)
                if not settings.bounded:
                    continue
                for epsilon in (text for text in texts.get(name, []) if float(text) > 0):
                    if settings.declaration.iterating:
                        if climbed := settings.climbed_loss:
                            one_step = AttackSettings("fgsm", norm=norm, loss=climbed, logit_scale=settings.logit_scale)
                            self._probe("one_step", name, one_step, epsilon)
                        twice = replace(settings, iterations=2 * settings.iterations)
                        standing = self._standing(results, name, epsilon)
                        self._probe("twice_the_iterations", name, twice, epsilon, standing)
            if bounded:  # else there is no worst case in this norm
                known = {name: replace(s, norm=norm) for name, s in cascade.items() if norm in s.declaration.norms}
                reaching = {name: _reaching(s, float(huge)) for name, s in known.items()}
                self._cascade(reaching, norm, huge)
        return pd.concat(self.rows, ignore_index=True) if self.rows else pd.DataFrame(columns=COLUMNS)

    def _huge(self, share: float, norm: str) -> str:
        """The huge epsilon as text, in epsilon's unit: a share of the pixel range, in every pixel for norm 2.

        A network that rejects may well reject the grey that every image can become at half the range, and be right in that.
        In the whole range every image can become any other, of another class, that it has to accept.
        """
        share = 1.0 if rejects(self.target.network) else share
        width = (self.target.clip[1] - self.target.clip[0]) / self.target.scale
        return f"{share * width * (1 if norm == 'inf' else np.sqrt(self.images[0].size)):.6g}"

    def _standing(self, results: pd.DataFrame, attack: str, epsilon: str) -> np.ndarray:
        """Positions of the probed images that an attack left correctly classified, or rejected."""
        rows = results[(results["attack"] == attack) & (results["epsilon"] == epsilon)].set_index("index")
        rows = rows.loc[self.clean.indices]
        return np.flatnonzero(~fooled(rows["prediction"], rows["label"]))

    def _probe(self, probe: str, attack: str, settings: AttackSettings, epsilon: str, which=None) -> None:
        which = np.arange(len(self.labels)) if which is None else which
        if len(which):
            started = time.monotonic()
            crafted = self.target.craft(self.images[which], self.labels[which], settings, epsilon)
            self._note(probe, attack, settings.norm, epsilon, which, self.target.predict(crafted))
            seconds = time.monotonic() - started
            LOG.info("%s %s at epsilon %s: %d images, %.1f s", probe, attack, epsilon, len(which), seconds)

    def _cascade(self, cascade: dict[str, AttackSettings], norm: str, huge: str) -> None:
        """All attacks of the worst case at the huge epsilon."""
        falls_at = np.where(fooled(self.target.predict(self.images), self.labels), 0, np.inf)
        found = find_worst_case(self.target, self.images, self.labels, falls_at, [huge], cascade)
        reached = self.images.copy()
        reached[found.positions] = found.images
        self._note("huge_epsilon", "worst_case", norm, huge, np.arange(len(self.labels)), self.target.predict(reached))

    def _note(self, probe: str, attack: str, norm: str, epsilon: str, which: np.ndarray, predicted: np.ndarray) -> None:
        columns = {"probe": probe, "attack": attack, "norm": norm, "epsilon": epsilon}
        columns |= {"index": self.clean.indices[which], "label": self.labels[which], "prediction": predicted}
        self.rows.append(pd.DataFrame(columns, columns=COLUMNS))


def _reaching(settings: AttackSettings, epsilon: float) -> AttackSettings:
    """The same attack with a step that can cross the ball of this epsilon, however few its iterations are."""
    if not settings.stepping:
        return settings
    share = max(settings.relative_step or 0.0, min(1.0, 2.5 / settings.iterations))
    return replace(settings, step=None, relative_step=share)
