"""What attacks cost on the average over their epsilons, and what a defence gains: means over the same images."""

from collections.abc import Iterator, Sequence

import pandas as pd

from robustness.diagnosis.marks import LEGEND, marks_of, robust_note, worst
from robustness.diagnosis.verdicts import verdict_of
from robustness.errors import UserError
from robustness.evaluation.study_records import StudyRecords, right
from robustness.statistics.comparisons import mean_interval

MEASURES = ("drop", "drop_from_baseline", "gain")
COLUMNS = [
    *("dataset", "architecture", "defence", "model", "seed", "attack", "norm", "clip", "epsilons", "n"),
    *("drop", "drop_low", "drop_high", "verdict", "baseline"),
    *("drop_from_baseline", "drop_from_baseline_low", "drop_from_baseline_high"),
    *("gain", "gain_low", "gain_high", "verdict_baseline"),
]
NOTE = (
    "In percentage points, each a mean over all epsilons above 0 of an attack. The drop is clean accuracy on the attacked images "
    "minus robust accuracy; the drop from the baseline takes the baseline's clean accuracy instead; the gain is robust accuracy "
    "minus the baseline's. All of them may be negative. In brackets stands the 95 % normal interval of the mean over the images, "
    "of one number an image: its own mean over the epsilons. A mean depends on which epsilons there are; compare like with like. "
    "The mark of a gain is the worse one of both models. ‡ marks an attack that epsilon does not bound."
)


def drops(study: StudyRecords, verdicts: pd.DataFrame, baselines: dict[str, str]) -> pd.DataFrame:
    """One row a (model, seed, attack), in the config's order; drops, gains and their 95 % intervals as shares, -1 to 1.

    baselines: {model: the one that its defence is measured against}; without one, or where an attack was not run on it,
    what it is needed for is NaN. epsilons: how many above 0 were averaged; attacks without one are left out. verdict,
    verdict_baseline: the worst that concerns this attack on either of the two, '' where there is no gain. Robust accuracy is
    that of StudyRecords.robust. Raises UserError where a baseline is missing.
    """
    if missing := set(baselines.values()) - set(study.models):
        raise UserError(f"the baseline {min(missing)} is not among the models: name it with --model, too.")
    rows = [
        _row(study, verdicts, model, seed, attack, texts, baselines.get(model, ""))
        for model in study.models
        for seed in study.seeds
        for attack, texts in _attacks_on(study, model)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _attacks_on(study: StudyRecords, model: str) -> Iterator[tuple[str, list[str]]]:
    for attack, epsilons in study.attacks_on(model).items():
        if texts := [text for text in epsilons if float(text) > 0]:
            yield attack, texts


def _row(
    study: StudyRecords, verdicts: pd.DataFrame, model: str, seed: int, attack: str, texts: list[str], baseline: str
) -> dict:
    robust = _robust(study, model, seed, attack, texts)
    settings, described = study.settings(model, seed, attack), study.clean_summary(model, seed)
    row = {key: described[key] for key in ("dataset", "architecture", "defence", "model", "seed")}
    row |= {"attack": attack, "norm": settings.norm, "clip": settings.clip, "epsilons": len(texts), "n": len(robust)}
    row |= {"verdict": verdict_of(verdicts, model, seed, attack, settings.norm), "verdict_baseline": ""}
    row |= {"baseline": baseline} | _mean("drop", _clean(study, model, seed, robust) - robust)
    if baseline:
        row |= _mean("drop_from_baseline", _clean(study, baseline, seed, robust) - robust)
    if baseline and attack in study.attacks_on(baseline):
        row |= _mean("gain", robust - _robust(study, baseline, seed, attack, texts).loc[robust.index])
        row["verdict_baseline"] = verdict_of(verdicts, baseline, seed, attack, settings.norm)
    return row


def _clean(study: StudyRecords, model: str, seed: int, robust: pd.Series) -> pd.Series:
    """1 for each of these images that a model gets right (and accepts) unattacked, else 0, in their order."""
    return right(study.clean(model, seed)).loc[robust.index].astype(float)


def _robust(study: StudyRecords, model: str, seed: int, attack: str, texts: list[str]) -> pd.Series:
    """The share of the epsilons at which each image counts in robust accuracy, by index."""
    columns = [study.robust(model, seed, attack, text).astype(float) for text in texts]
    return pd.concat(columns, axis=1).mean(axis=1)


def _mean(name: str, values: pd.Series) -> dict[str, float]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), mean_interval(values.to_numpy())))


def drops_markdown(table: pd.DataFrame, rejecting: Sequence[str] = ()) -> str:
    """Markdown, one row a model, seed and attack. rejecting: the models that can reject."""
    lines = []
    for row in table.to_dict("records"):
        marks = dict.fromkeys(MEASURES, marks_of(row["verdict"], row["clip"]))
        if row["verdict_baseline"]:
            marks["gain"] = marks_of(worst([row["verdict"], row["verdict_baseline"]]), row["clip"])
        cells = {name.replace("_", " "): _cell(row, name, marks[name]) for name in MEASURES}
        first = {key: row[key] for key in ("dataset", "model", "seed", "attack", "epsilons", "n")}
        lines.append(first | {"drop": cells.pop("drop"), "baseline": row["baseline"]} | cells)
    shown = pd.DataFrame(lines).to_markdown(index=False, disable_numparse=True) if lines else "No attack was run."
    return f"# Drops and gains\n\n{NOTE} {LEGEND}{robust_note(rejecting)}\n\n{shown}\n"


def _cell(row: dict, name: str, mark: str) -> str:
    """A number in points with its interval and mark; empty where there is none."""
    value, low, high = (100 * row[f"{name}{end}"] for end in ("", "_low", "_high"))
    return "" if pd.isna(value) else f"{value:+.2f} [{low:+.2f}, {high:+.2f}] {mark}".strip()
