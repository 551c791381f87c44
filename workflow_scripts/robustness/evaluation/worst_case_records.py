"""From single attacks to the smallest epsilon at which each image falls (no TensorFlow here)."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from robustness.attacks.attack_settings import AttackSettings, settings_from_note
from robustness.data.datasets import Images, to_pixels
from robustness.errors import UserError
from robustness.evaluation.records import read_attack_records, read_records
from robustness.evaluation.scoring import checked_norms
from robustness.files import read_npz, write_npz
from robustness.models.rejection import fooled

# The phases of a cascade, in their order.
GRADIENT, GRADIENT_FREE = "gradient", "gradient_free"


def phase_of(settings: AttackSettings) -> str:
    """The phase that an attack of the cascade belongs to: whether it follows a gradient."""
    return GRADIENT if settings.climbed_loss else GRADIENT_FREE


@dataclass(frozen=True)
class WorstCaseSet:
    """The examples of one model that a cascade found; of one image several, if later ones have a smaller epsilon.

    images: (k, h, w, c) float32. indices: (k,) int64, of the images they come from. epsilons, attacks: (k,) texts.
    rounds: (k,) int64, the round of its phase in which each was found, from 1. note: norm, epsilon_unit, epsilons, attacks
    with their settings in the first round, in their order, the most rounds of a phase as max_rounds, seed, model_sha256,
    and tried: {epsilon: {phase: rounds in which images were attacked at it}}.
    """

    images: np.ndarray
    indices: np.ndarray
    epsilons: np.ndarray
    attacks: np.ndarray
    rounds: np.ndarray
    note: dict

    def save(self, path: str | Path) -> None:
        """Write the set; equal sets give equal bytes."""
        arrays = {"images": self.images, "indices": self.indices, "epsilons": self.epsilons, "attacks": self.attacks}
        write_npz(path, **arrays, rounds=self.rounds, note=np.array(json.dumps(self.note, sort_keys=True)))

    @property
    def phases(self) -> dict[str, str]:
        """The phase of each attack."""
        return {name: phase_of(settings_from_note(told)) for name, told in self.note["attacks"].items()}

    @staticmethod
    def load(path: str | Path) -> "WorstCaseSet":
        """Read what save wrote; raises UserError for a broken or foreign file."""
        *arrays, note = read_npz(path, "images", "indices", "epsilons", "attacks", "rounds", "note")
        try:
            return WorstCaseSet(*arrays, json.loads(str(note)))
        except json.JSONDecodeError as error:
            raise UserError(
                f"{path} does not say how it was crafted: remove it, so that it is crafted again."
            ) from error


def check_worst_case(
    found: WorstCaseSet, clean: Images, pixel_range: tuple[float, float], model_sha256: str
) -> dict[str, np.ndarray]:
    """Check the examples of a cascade as check_adversarial_set does, each against its own epsilon; return their norms."""
    what = f"the worst case in norm {found.note['norm']}"
    if found.note["model_sha256"] != model_sha256:
        raise UserError(f"{what} was crafted on another model, so this would be a transfer result: craft it again.")
    place = {index: i for i, index in enumerate(clean.indices.tolist())}
    pairs = set(zip(found.indices.tolist(), found.epsilons.astype(float).tolist()))
    if len(pairs) < len(found.indices) or not set(found.indices.tolist()) <= set(place):
        raise UserError(f"{what} comes from other images than the evaluation subset: craft it again.")
    source = to_pixels(clean.images, pixel_range)[[place[index] for index in found.indices.tolist()]]
    epsilons = found.epsilons.astype(float)
    return checked_norms(
        what, found.images, source, pixel_range, found.note["norm"], found.note["epsilon_unit"], epsilons
    )


def read_attacks(folder: str | Path, attacks: Iterable[tuple[str, Iterable[str]]]) -> pd.DataFrame:
    """The records of several attacks on one model, with the column attack added.

    folder: evaluation/MODEL/seedSEED. attacks: names, each with the texts of its epsilons.
    """
    parts = []
    for name, epsilons in attacks:
        table = read_attack_records(folder, name).assign(attack=name)
        parts += [table[table["epsilon"] == epsilon] for epsilon in epsilons]
    columns = ["index", "label", "prediction", "attack", "epsilon"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def read_clean(folder: str | Path, indices: np.ndarray) -> pd.DataFrame:
    """The records of the images that are attacked, unattacked, in the order of their indices."""
    return read_records(Path(folder) / "clean.csv").set_index("index").loc[indices].reset_index()


def first_falls(clean: pd.DataFrame, *attacked: pd.DataFrame) -> pd.DataFrame:
    """One row an image of `clean`, in its order: index, label, falls_at (epsilon, float), epsilon (its text), by.

    An image falls at the smallest epsilon at which any attack makes the model misclassify it, at 0 if it needs none, and
    never (infinity) if none does. Of a model that can reject, as robust accuracy with detection is defined (Tramèr 2022,
    arXiv 2107.11630): at 0 if it is rejected unattacked, too, and by an attack only where the image is accepted and wrong; of several attacks at that epsilon the first given counts as the one that did it.
    clean: index, label, prediction. attacked: index, label, prediction, attack (or what did it, as by), epsilon.
    """
    wrong = clean[clean["prediction"] != clean["label"]]
    falls = [wrong.assign(falls_at=0.0, epsilon="0", by="clean")]
    for table in attacked:
        if len(table):
            fallen = table[fooled(table["prediction"], table["label"])]
            falls.append(fallen.assign(falls_at=fallen["epsilon"].astype(float), by=fallen["attack"]))
    columns = ["index", "falls_at", "epsilon", "by"]
    every = pd.concat([part[columns] for part in falls if len(part)] or [falls[0][columns]], ignore_index=True)
    first = every.sort_values("falls_at", kind="stable").drop_duplicates("index")
    found = clean[["index", "label"]].merge(first, on="index", how="left")
    return found.fillna({"falls_at": float("inf"), "epsilon": "", "by": ""})


def broken_by_round(
    standing: pd.DataFrame, examples: pd.DataFrame, tried: dict[str, int], phases: dict[str, str], epsilon: str
) -> tuple[list[dict], pd.Series]:
    """What each round of a cascade broke at one epsilon, and which images stand after the last: (rounds, (n,) bool).

    standing: of first_falls, without the cascade: index, falls_at. examples: index, label, prediction, epsilon, attack,
    round. tried: {phase: rounds in which images were attacked at this epsilon}. phases: {attack: phase}. A round: phase,
    round, attacked and broken, in images. What a round at other epsilons found besides counts with the last one here.
    """
    stands = (standing["falls_at"] > float(epsilon)).set_axis(standing["index"])
    here = examples[fooled(examples["prediction"], examples["label"])]
    here = here[here["epsilon"].astype(float) <= float(epsilon)]
    rounds = []
    for phase in (GRADIENT, GRADIENT_FREE):
        of_phase, last = here[here["attack"].map(phases) == phase], tried[phase]
        for number in range(1, max(last, 1) + 1):
            of_round = of_phase["round"] >= number if number >= last else of_phase["round"] == number
            fell = stands & stands.index.isin(of_phase.loc[of_round, "index"])
            if last or fell.any():
                counts = {"attacked": int(stands.sum()), "broken": int(fell.sum())}
                rounds.append({"phase": phase, "round": number} | counts)
            stands &= ~fell
    return rounds, stands


def worst_case(falls: pd.DataFrame, epsilons: Iterable[str]) -> pd.DataFrame:
    """One row an image and epsilon, epsilons rising: index, label, epsilon, survived, broken_by.

    An image survives if no attack breaks it at this epsilon or a smaller one, whose ball lies within.
    """
    parts = []
    for epsilon in sorted(epsilons, key=float):
        survived = falls["falls_at"] > float(epsilon)
        parts.append(
            falls[["index", "label"]].assign(
                epsilon=epsilon, survived=survived, broken_by=falls["by"].where(~survived, "")
            )
        )
    return pd.concat(parts, ignore_index=True)
