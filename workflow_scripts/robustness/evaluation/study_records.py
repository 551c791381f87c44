"""All records and summaries of a study, for the programs that look at it whole."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from robustness.attacks.attack_settings import AttackSettings, settings_from_note
from robustness.evaluation.records import read_attack_records, read_records
from robustness.evaluation.scoring import can_reject
from robustness.files import read_json
from robustness.models.rejection import fooled

WORST_CASE = "worst_case"
UNBOUNDED = (  # said of an attack with clip: pixel_range
    "is bounded by the pixel range only, so that its epsilon is but the unit of its step; it counts neither in the worst "
    "case nor as transfer"
)


@dataclass(frozen=True, eq=False)
class StudyRecords:
    """What was measured, by model and seed.

    folder: evaluation/. attacks: {name: (models, epsilons)}. norms: {model: norms with a worst case}. transfers: models
    that have transfer records.
    """

    folder: Path
    models: tuple[str, ...]
    seeds: tuple[int, ...]
    attacks: dict[str, tuple[list[str], list[str]]]
    norms: dict[str, list[str]]
    transfers: tuple[str, ...]

    @staticmethod
    def of_options(evaluation_folder, models, seeds, attacks, worst_cases, transfers) -> "StudyRecords":
        """From the options that robustness.cli.runs_options gives to a program."""
        norms: dict[str, list[str]] = {}
        for model, norm in worst_cases:
            norms.setdefault(model, []).append(norm)
        split = {name: (attacked.split(","), epsilons.split(",")) for name, attacked, epsilons in attacks}
        return StudyRecords(Path(evaluation_folder), models, seeds, split, norms, transfers)

    def _of(self, model: str, seed: int) -> Path:
        return self.folder / model / f"seed{seed}"

    def attacks_on(self, model: str) -> dict[str, list[str]]:
        """The attacks that a model was attacked with, and their epsilons."""
        return {name: epsilons for name, (attacked, epsilons) in self.attacks.items() if model in attacked}

    def bounded_attacks_on(self, model: str) -> list[str]:
        """Those of them whose images lie within epsilon, which count in the worst case."""
        return [name for name in self.attacks_on(model) if self.settings(model, self.seeds[0], name).bounded]

    def clean_summary(self, model: str, seed: int) -> dict:
        """Summary of the clean images."""
        return read_json(self._of(model, seed) / "clean.json")

    def clean(self, model: str, seed: int) -> pd.DataFrame:
        """Records of the attacked images, unattacked, by index."""
        table = read_records(self._of(model, seed) / "clean.csv").set_index("index")
        return table[table["in_evaluation"].astype(str) == "True"]

    def summary(self, model: str, seed: int, attack: str, epsilon: str) -> dict:
        """Summary of one attack at one epsilon."""
        content = read_json(self._of(model, seed) / "attacks" / f"{attack}.json")
        numbers = content.pop("epsilons")[epsilon]
        return content | numbers | {"attack": content["attack"] | {"epsilon": epsilon}}

    def records(self, model: str, seed: int, attack: str, epsilon: str) -> pd.DataFrame:
        """Records of one attack at one epsilon, by index."""
        table = read_attack_records(self._of(model, seed), attack)
        return table[table["epsilon"] == epsilon].drop(columns="epsilon").set_index("index")

    def rejecting(self) -> list[str]:
        """The models that can reject an image."""
        summaries = {model: self.clean_summary(model, self.seeds[0]) for model in self.models}
        return [model for model, told in summaries.items() if "rejected" in told["parts"]["evaluation"]]

    def robust(self, model: str, seed: int, attack: str, epsilon: str) -> pd.Series:
        """Whether each image counts in robust accuracy under an attack, by index: whether it is classified correctly.

        Of a model that can reject, as robust accuracy with detection is defined (Tramèr 2022, arXiv 2107.11630): whether it
        is accepted and right unattacked, and the attack does not bring the model to accept and misclassify it.
        """
        records = self.records(model, seed, attack, epsilon)
        if not can_reject(records):
            return survived(records)
        return survived(records) & right(self.clean(model, seed)).loc[records.index]

    def settings(self, model: str, seed: int, attack: str) -> AttackSettings:
        """The settings of an attack, as its records tell them."""
        return settings_from_note(self.summary(model, seed, attack, self.attacks[attack][1][0])["attack"])

    def worst_case_summary(self, model: str, seed: int, norm: str) -> dict:
        """Summary of the worst case in a norm."""
        return read_json(self._of(model, seed) / "worst_case" / f"norm_{norm}.json")

    def cascade(self) -> list[str]:
        """The attacks of the worst case, in their order."""
        for model, norms in self.norms.items():
            return list(self.worst_case_summary(model, self.seeds[0], norms[0])["attacks"])
        return []

    def worst_case(self, model: str, seed: int, norm: str) -> pd.DataFrame:
        """Which images survive all attacks: a column an epsilon (its text), a row an index, True or False."""
        table = read_records(self._of(model, seed) / "worst_case" / f"norm_{norm}.csv")
        table["survived"] = table["survived"].astype(str) == "True"
        wide = table.pivot(index="index", columns="epsilon", values="survived")
        return wide[sorted(wide.columns, key=float)]

    def transfer(self, model: str, seed: int) -> pd.DataFrame | None:
        """Records of the sets of other models on this one; None where there is no other."""
        return read_records(self._of(model, seed) / "transfer.csv") if model in self.transfers else None

    def probes(self, model: str, seed: int) -> pd.DataFrame:
        """Records of the probes."""
        return read_records(self._of(model, seed) / "probes.csv")

    def probes_summary(self, model: str, seed: int) -> dict:
        """How many images have a zero gradient, for each attack."""
        return read_json(self._of(model, seed) / "probes.json")


def right(records: pd.DataFrame) -> pd.Series:
    """Whether each image is classified correctly (and accepted), by index."""
    table = records.set_index("index") if "index" in records else records
    return table["prediction"] == table["label"]


def survived(records: pd.DataFrame) -> pd.Series:
    """Whether an attack failed on each image, by index: whether it is classified correctly, or rejected."""
    table = records.set_index("index") if "index" in records else records
    return ~fooled(table["prediction"], table["label"])
