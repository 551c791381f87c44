"""The verdicts of a study: every diagnostic on every attack and worst case, as a table and as text."""

from collections.abc import Sequence

import pandas as pd

from robustness.diagnosis.diagnostics import MASKING, MEANS, RAISED_IF, Evidence, diagnose
from robustness.diagnosis.marks import FAIL, MARKS, ORDER, PASS, worst
from robustness.evaluation.study_records import WORST_CASE, StudyRecords, survived

COLUMNS = [
    *("dataset", "model", "seed", "attack", "norm", "epsilon", "diagnostic"),
    *("verdict", "value", "reference", "n", "p", "says"),
]


def verdicts(study: StudyRecords) -> pd.DataFrame:
    """One row a (model, seed, attack, diagnostic, epsilon); epsilon '' concerns all. COLUMNS; value as `says` tells."""
    parts = []
    for model in study.models:
        for seed in study.seeds:
            clean = study.clean_summary(model, seed)
            for attack, norm, evidence in _evidence(study, model, seed, clean["n_classes"]):
                found = diagnose(attack, evidence)
                parts.append(found.assign(dataset=clean["dataset"], model=model, seed=seed, attack=attack, norm=norm))
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def _evidence(study: StudyRecords, model: str, seed: int, n_classes: int):
    """(attack, norm, evidence) of every attack on a model, then of its worst cases."""
    attacks, norms = study.attacks_on(model), study.norms.get(model, [])
    if not any(float(epsilon) > 0 for epsilons in attacks.values() for epsilon in epsilons):
        return
    clean, probes, told = study.clean(model, seed), study.probes(model, seed), study.probes_summary(model, seed)
    zero = told["zero_gradients"]
    moved = study.transfer(model, seed)
    for attack, epsilons in attacks.items():
        settings = study.settings(model, seed, attack)
        texts = [text for text in epsilons if float(text) > 0]
        survivals = {text: survived(study.records(model, seed, attack, text)) for text in texts}
        transfer = {}
        if moved is not None:
            rows = moved[moved["attack"] == attack]
            transfer = {key: survived(part) for key, part in rows.groupby(["source", "epsilon"], sort=False)}
        of_norm = probes[probes["norm"] == settings.norm]
        yield (
            attack,
            settings.norm,
            Evidence(survivals, settings, of_norm, transfer, zero.get(attack), n_classes, clean),
        )
    for norm in norms:
        wide = study.worst_case(model, seed, norm)
        survivals = {epsilon: wide[epsilon] for epsilon in wide.columns}
        of_norm, cascade = probes[probes["norm"] == norm], study.worst_case_summary(model, seed, norm)["epsilons"]
        yield WORST_CASE, norm, Evidence(survivals, None, of_norm, {}, None, n_classes, clean, cascade)


def concerning(
    table: pd.DataFrame, model: str, seed: int, attack: str, norm: str, epsilon: str | None = None
) -> pd.DataFrame:
    """The rows that concern a robust accuracy: those of its epsilon or of all, or of every epsilon if none is given."""
    rows = table[(table["model"] == model) & (table["seed"] == seed)]
    rows = rows[(rows["attack"] == attack) & (rows["norm"] == norm)]
    return rows if epsilon is None else rows[rows["epsilon"].isin(["", epsilon])]


def verdict_of(table: pd.DataFrame, model: str, seed: int, attack: str, norm: str, epsilon: str | None = None) -> str:
    """The worst verdict that concerns a robust accuracy."""
    return worst(concerning(table, model, seed, attack, norm, epsilon)["verdict"])


def signs_of_masking(table: pd.DataFrame, model: str, seed: int, attack: str, norm: str, epsilon: str) -> set[str]:
    """The diagnostics that mean masking and fail for a robust accuracy."""
    rows = concerning(table, model, seed, attack, norm, epsilon)
    return set(rows.loc[rows["verdict"] == FAIL, "diagnostic"]) & set(MASKING)


def raised(table: pd.DataFrame, model: str, seed: int, attack: str, norm: str) -> pd.DataFrame:
    """What was raised against an attack, worst first: of each diagnostic the hardest finding, with its mark."""
    rows = concerning(table, model, seed, attack, norm)
    rows = rows[rows["verdict"] != PASS]
    rows = rows.assign(rank=rows["verdict"].map(ORDER.index), mark=rows["verdict"].map(MARKS))
    rows = rows.assign(excess=rows["value"] - rows["reference"])
    rows = rows.sort_values(["rank", "excess"], kind="stable", ascending=False)
    return rows.drop_duplicates("diagnostic")


def markdown(table: pd.DataFrame, rejecting: Sequence[str] = ()) -> str:
    """The verdicts as text: one row a model, seed and attack, then the numbers, then what every diagnostic means.

    rejecting: the models that can reject.
    """
    rows, numbers = [], ""
    for (model, seed, attack, norm), _ in table.groupby(["model", "seed", "attack", "norm"], sort=False):
        key = {"model": model, "seed": seed, "attack": attack, "norm": norm}
        against = raised(table, **key)
        names = ", ".join(against["diagnostic"] + " " + against["mark"])
        rows.append(key | {"verdict": verdict_of(table, **key), "raised": names})
        if len(against):
            numbers += f"\n{model}, seed {seed}, {attack} (norm {norm}):\n\n"
        for _, row in against.iterrows():
            where = f" at epsilon {row['epsilon']}" if row["epsilon"] else ""
            numbers += f"- {row['diagnostic']} {row['mark']} {row['says']}{where}\n"
    judged = pd.DataFrame(rows, columns=["model", "seed", "attack", "norm", "verdict", "raised"])
    meanings = pd.DataFrame(
        {"diagnostic": RAISED_IF.keys(), "raised if": RAISED_IF.values(), "which means": MEANS.values()}
    )
    return (
        "# Verdicts\n\nWhether the robust accuracy under an attack can be taken for the model's. "
        f"{MARKS['fail']} marks fail, {MARKS['warning']} warning, in every table and figure; the numbers of all diagnostics "
        "stand in verdicts.csv. worst_case is every attack together.\n\n"
        f"{judged.to_markdown(index=False, disable_numparse=True)}\n"
        f"{numbers and chr(10) + '## What was raised' + chr(10) + numbers}\n"
        "## What is looked at\n\n"
        f"{meanings.to_markdown(index=False, disable_numparse=True)}\n\n"
        "Of two attacks one breaks more: fail by 5 points or more at p < 0.001, warning by 1 point or more at p < 0.05, by "
        "McNemar's exact one-sided test on the same images; where the worst of several (models, smaller epsilons) counts, p is "
        "multiplied by their number.\n"
    ) + _of_rejecting(rejecting)


def _of_rejecting(models: Sequence[str]) -> str:
    """How models that can reject are judged, as a paragraph; '' without such."""
    if not models:
        return ""
    return (
        f"\n{', '.join(models)} can reject an image. There an attack breaks only what is accepted and wrong, and its loss is "
        "led away from the rejection, too; the huge epsilon is the whole pixel range, where every image can become another "
        "that the model has to accept.\n"
    )
