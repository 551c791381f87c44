"""A study's records written by hand: who survives what is told by counts, so that every number can be worked out."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from robustness.attacks.attack_settings import AttackSettings, describe
from robustness.diagnosis.verdicts import verdicts
from robustness.evaluation.records import read_records, write_records
from robustness.evaluation.scoring import summarise
from robustness.evaluation.study_records import StudyRecords
from robustness.files import write_json
from robustness.statistics.intervals import wilson_interval

Alive = int | list[int] | dict  # the first so many images; the images at these places; or one of both for each seed


@dataclass
class SmallStudy:
    """What is measured. Labels are all 1, a fallen image is predicted as 0; every model has one more class than that.

    clean: {model: alive}. attacked: {(attack, model, epsilon): alive}. together, the worst case: {(model, norm,
    epsilon): alive}. transferred: {(attack, source, target, epsilon): alive}. settings: of attacks that are not fgsm.
    zero: {(model, attack): images without a gradient}. probed: {(model, probe, attack, norm, epsilon): alive}, of the
    first `probes` images. rejected: of a model that can reject, the places of the images that it rejects, each under the
    key of the same in the others, the model's name for clean; its images that are not alive are of a wrong class. rounds: of the worst cases, (phase, images attacked, broken) each;
    moved: of them, images that fall only to other models' sets. defences: {model: defence}. datasets: {model: dataset}, d_1 if it is not there.
    """

    folder: Path
    clean: dict[str, Alive]
    attacked: dict[tuple[str, str, str], Alive] = field(default_factory=dict)
    together: dict[tuple[str, str, str], Alive] = field(default_factory=dict)
    transferred: dict[tuple[str, str, str, str], Alive] = field(default_factory=dict)
    settings: dict[str, AttackSettings] = field(default_factory=dict)
    zero: dict[tuple[str, str], int] = field(default_factory=dict)
    probed: dict[tuple[str, str, str, str, str], Alive] = field(default_factory=dict)
    rejected: dict[str | tuple[str, ...], list[int]] = field(default_factory=dict)
    rounds: dict[tuple[str, str, str], list[tuple[str, int, int]]] = field(default_factory=dict)
    moved: dict[tuple[str, str, str], int] = field(default_factory=dict)
    defences: dict[str, str] = field(default_factory=dict)
    datasets: dict[str, str] = field(default_factory=dict)
    n: int = 100
    probes: int = 50
    seeds: tuple[int, ...] = (1,)
    unit: str = "0-1"

    def _table(self, alive: Alive, seed: int, n: int | None = None, rejected: list[int] | None = None) -> pd.DataFrame:
        """Index, label and prediction. Indices are neither 0, 1, 2, ... nor in order, as in a real test part."""
        n = n or self.n
        alive = alive[seed] if isinstance(alive, dict) else alive
        survived = np.isin(np.arange(n), np.arange(alive) if isinstance(alive, int) else alive)
        index = (np.arange(self.n) * 37 + 5) % (3 * self.n + 1)
        assert len(set(index)) == self.n
        labels = np.arange(n) % 10  # no class is more than a tenth
        told = np.where(survived, labels, labels + 1)
        table = pd.DataFrame({"index": index[:n], "label": labels, "prediction": told})
        if rejected is not None:
            table["class_prediction"] = told
            table.loc[rejected, "prediction"] = -1
        return table

    def _ordered(self, table: pd.DataFrame, model: str) -> pd.DataFrame:
        """The rows in an order that differs from model to model, since whoever compares two has to go by the index."""
        return table.iloc[:: -1 if list(self.clean).index(model) % 2 else 1]

    def _described(self, model: str, seed: int) -> dict:
        names = {"dataset": self.datasets.get(model, "d_1"), "architecture": "net", "model": model, "seed": seed}
        return names | {"defence": self.defences.get(model, "none")}

    def _setting(self, attack: str) -> AttackSettings:
        return self.settings.get(attack, AttackSettings("fgsm"))

    def _write_clean(self, folder: Path, model: str, seed: int) -> None:
        table = self._table(self.clean[model], seed, rejected=self.rejected.get(model)).assign(
            confidence=0.9, loss=0.3, in_evaluation=True
        )
        unattacked = table.head(7).assign(index=lambda rows: rows["index"] + 10**6, in_evaluation=False)
        write_records(pd.concat([unattacked, self._ordered(table, model)]), folder / "clean.csv")
        parts = dict.fromkeys(("validation", "test", "evaluation"), summarise(table))
        write_json(folder / "clean.json", self._described(model, seed) | {"n_classes": 10, "parts": parts})

    def _write_attack(self, folder: Path, model: str, seed: int, attack: str) -> None:
        settings, parts, numbers = self._setting(attack), [], {}
        share = {"l0": 0.05} if settings.norm == "0" else {}
        for (name, attacked, epsilon), alive in self.attacked.items():
            if (name, attacked) == (attack, model):
                table = self._table(alive, seed, rejected=self.rejected.get((attack, model, epsilon)))
                table = table.assign(epsilon=epsilon, loss=0.5, moved=True, linf=0.1, l2=1.0, **share)
                parts.append(self._ordered(table, model))
                numbers_of_norm_0 = {f"max_{name}": 0.05 for name in share}
                hits = {"target_hits": 3} if settings.targeted else {}
                numbers[epsilon] = (
                    summarise(table) | {"moved": self.n, "max_linf": 0.1, "max_l2": 1.0} | numbers_of_norm_0 | hits
                )
        noted = {k: v for k, v in describe(attack, settings, "", self.unit, seed).items() if k != "epsilon"}
        path = folder / "attacks" / f"{attack}.csv"
        write_records(pd.concat(parts), path)
        write_json(path.with_suffix(".json"), self._described(model, seed) | {"attack": noted, "epsilons": numbers})

    def _write_together(self, folder: Path, model: str, seed: int, norm: str) -> None:
        parts, numbers = [], {}
        for (name, at, epsilon), alive in self.together.items():
            if (name, at) == (model, norm):
                table = self._table(alive, seed)
                survived = table["prediction"] == table["label"]
                broken_by = np.where(survived, "", "square")
                part = table[["index", "label"]].assign(epsilon=epsilon, survived=survived, broken_by=broken_by)
                parts.append(part)
                low, high = wilson_interval(int(survived.sum()), self.n)
                numbers[epsilon] = {"n": self.n, "correct": int(survived.sum()), "accuracy": survived.mean()}
                numbers[epsilon] |= {"ci_low": low, "ci_high": high, "broken_by": {"square": int((~survived).sum())}}
                rows = self.rounds.get((model, norm, epsilon), [])
                names = ("phase", "attacked", "broken", "round")
                told = [
                    dict(zip(names, (*row, 1 + [r[0] for r in rows[:i]].count(row[0])))) for i, row in enumerate(rows)
                ]
                numbers[epsilon]["rounds"] = told
                numbers[epsilon]["broken_only_by_transfer"] = self.moved.get((model, norm, epsilon), 0)
        cascade = {"least_norm": asdict(AttackSettings("fmn", norm=norm, iterations=9))}
        content = {"norm": norm, "epsilon_unit": self.unit, "attacks": cascade, "max_rounds": 4, "epsilons": numbers}
        write_records(pd.concat(parts), folder / "worst_case" / f"norm_{norm}.csv")
        write_json(folder / "worst_case" / f"norm_{norm}.json", self._described(model, seed) | content)

    def _write_transfer(self, folder: Path, model: str, seed: int) -> None:
        parts = [
            self._table(alive, seed, rejected=self.rejected.get((attack, source, target, epsilon))).assign(
                source=source, attack=attack, epsilon=epsilon, norm=self._setting(attack).norm
            )
            for (attack, source, target, epsilon), alive in self.transferred.items()
            if target == model
        ]
        if parts:
            write_records(pd.concat(parts), folder / "transfer.csv")

    def _write_probes(self, folder: Path, model: str, seed: int) -> None:
        parts = [pd.DataFrame(columns=["probe", "attack", "norm", "epsilon", "index", "label", "prediction"])]
        for (name, probe, attack, norm, epsilon), alive in self.probed.items():
            if name == model:
                key = {"probe": probe, "attack": attack, "norm": norm, "epsilon": epsilon}
                parts.append(self._table(alive, seed, self.probes).assign(**key))
        write_records(pd.concat(parts[1:] or parts), folder / "probes.csv")
        attacks = [attack for attack, attacked, _ in self.attacked if attacked == model]
        zero = {attack: self.zero.get((model, attack), 0) for attack in attacks}
        zero = {attack: count for attack, count in zero.items() if self._setting(attack).climbed_loss}
        zero = {attack: {"n": self.n, "zero": count} for attack, count in zero.items()}
        write_json(folder / "probes.json", {"zero_gradients": zero})

    def options(self) -> dict:
        """Writes everything; returns the options that programs which read the whole study are given."""
        models, norms = tuple(self.clean), dict.fromkeys((model, norm) for model, norm, _ in self.together)
        for model in models:
            for seed in self.seeds:
                folder = self.folder / model / f"seed{seed}"
                self._write_clean(folder, model, seed)
                for attack in dict.fromkeys(attack for attack, attacked, _ in self.attacked if attacked == model):
                    self._write_attack(folder, model, seed, attack)
                for norm in [norm for name, norm in norms if name == model]:
                    self._write_together(folder, model, seed, norm)
                self._write_transfer(folder, model, seed)
                self._write_probes(folder, model, seed)
        attacks = []
        for name in dict.fromkeys(attack for attack, _, _ in self.attacked):
            attacked = dict.fromkeys(model for attack, model, _ in self.attacked if attack == name)
            epsilons = dict.fromkeys(epsilon for attack, _, epsilon in self.attacked if attack == name)
            attacks.append((name, ",".join(attacked), ",".join(epsilons)))
        targets = {target for _, _, target, _ in self.transferred}
        return {
            "evaluation_folder": self.folder,
            "models": models,
            "seeds": self.seeds,
            "attacks": tuple(attacks),
            "worst_cases": tuple(norms),
            "transfers": tuple(model for model in models if model in targets),
        }

    def read(self) -> tuple[StudyRecords, pd.DataFrame]:
        """Writes everything; returns the study and its verdicts, as they are read back from their file."""
        study = StudyRecords.of_options(**self.options())
        write_records(verdicts(study), self.folder / "verdicts.csv")
        return study, read_records(self.folder / "verdicts.csv")
