"""The table of models that can reject: what they reject, what passes, and both together."""

from collections.abc import Iterator

import pandas as pd

from robustness.diagnosis.marks import LEGEND, MARKS
from robustness.diagnosis.verdicts import verdict_of
from robustness.evaluation.scoring import SHARES, summarise
from robustness.evaluation.study_records import StudyRecords, right, survived
from robustness.statistics.intervals import wilson_interval
from robustness.tables.accuracy_tables import MODEL_COLUMNS, PARTS, latex, latex_file, with_interval

CLEAN = "clean"
COLUMNS = [
    *(*MODEL_COLUMNS, "part", "attack", "source", "norm", "epsilon", "epsilon_unit"),
    *("n", "correct", "accuracy", "ci_low", "ci_high"),
    *("rejected", "rejection_rate", "rejection_low", "rejection_high"),
    *("handled", "handled_rate", "handled_low", "handled_high"),
    *("accepted", "correct_accepted", "accepted_accuracy", "accepted_low", "accepted_high"),
    *("successful", "detected", "detection_rate", "detection_low", "detection_high"),
    *("robust", "robust_accuracy", "robust_low", "robust_high", "verdict"),
]
NOTE = (
    "In per cent with 95 % Wilson intervals. Accuracy: accepted and right. Rejection rate: rejected, which for unattacked images "
    "is the false-positive rate. Both together: right or rejected. Accuracy on what passes: of the accepted images alone. "
    "Detection rate: the share rejected of those images whose class would be wrong (Xu et al. 2018, arXiv 1704.01155, leave out "
    "those that were wrong before the attack; here they count). Robust accuracy: accepted and right unattacked, and right or "
    "rejected attacked (Tramèr 2022, arXiv 2107.11630); a targeted attack has none. A set that was crafted on another model "
    "never met this one's rejection."
)


def rejections(study: StudyRecords, verdicts: pd.DataFrame) -> pd.DataFrame:
    """One row a (model that can reject, seed, attack, source, epsilon above 0), the parts of the dataset unattacked first.

    source: the model that the set was crafted on, '' of clean images. COLUMNS; shares in [0, 1], each with its counts and
    interval, NaN where there is none (a share of no image; handled, robust and verdict of clean images; robust of a targeted
    attack). verdict: of the attack on its source, as in the tables of robust accuracy and of transfer.
    """
    rows = [
        {key: study.clean_summary(model, seed)[key] for key in MODEL_COLUMNS} | row
        for model in study.rejecting()
        for seed in study.seeds
        for row in (*_clean(study, model, seed), *_attacked(study, verdicts, model, seed))
    ]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"handled": "Int64", "robust": "Int64"})


def _clean(study: StudyRecords, model: str, seed: int) -> Iterator[dict]:
    for part in PARTS:
        numbers = study.clean_summary(model, seed)["parts"][part]
        left_out = {key: None for key in numbers if key.startswith("handled")}
        yield (
            numbers
            | left_out
            | {"part": part, "attack": CLEAN, "source": "", "epsilon": "0", "norm": "", "verdict": ""}
        )


def _attacked(study: StudyRecords, verdicts: pd.DataFrame, model: str, seed: int) -> Iterator[dict]:
    """The sets that were crafted on the model, then those of others."""
    for attack, epsilons in study.attacks_on(model).items():
        settings = study.settings(model, seed, attack)
        for epsilon in (text for text in epsilons if float(text) > 0):
            row = study.summary(model, seed, attack, epsilon)
            row |= _key(study, verdicts, (model, seed, attack, epsilon))
            yield row if settings.targeted else row | _robust(study.robust(model, seed, attack, epsilon))
    moved = study.transfer(model, seed)
    if moved is None:
        return
    clean = right(study.clean(model, seed))
    for (source, attack, epsilon), records in moved.groupby(["source", "attack", "epsilon"], sort=False):
        if not study.settings(source, seed, attack).targeted:
            row = summarise(records.assign(loss=float("nan")))
            robust = survived(records) & clean.loc[records["index"]]
            yield row | _key(study, verdicts, (source, seed, attack, epsilon)) | _robust(robust)


def _key(study: StudyRecords, verdicts: pd.DataFrame, crafted: tuple[str, int, str, str]) -> dict:
    """What a row says of its set; crafted: source, seed, attack and epsilon."""
    source, seed, attack, epsilon = crafted
    norm = study.settings(source, seed, attack).norm
    unit = study.summary(source, seed, attack, epsilon)["attack"]["epsilon_unit"]
    verdict = verdict_of(verdicts, source, seed, attack, norm, epsilon)
    key = {"part": "evaluation", "attack": attack, "source": source, "norm": norm}
    return key | {"epsilon": epsilon, "epsilon_unit": unit, "verdict": verdict}


def _robust(robust: pd.Series) -> dict:
    low, high = wilson_interval(int(robust.sum()), len(robust))
    return {"robust": int(robust.sum()), "robust_accuracy": robust.mean(), "robust_low": low, "robust_high": high}


def _cell(row: dict, share: str, low: str, high: str, of: str = "", mark: str = "") -> str:
    """A share with its interval, of how many images where these are not all, and its mark; '' where there is none."""
    if pd.isna(row[share]):
        return ""
    told = with_interval(row[share], row[low], row[high])
    return " ".join(filter(None, [told, f"of {row[of]:.0f}" if of else "", mark]))


def _blocks(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Title and a table for each model and seed."""
    for (dataset, _, _, model, seed), rows in table.groupby(MODEL_COLUMNS, sort=False):
        lines = []
        for row in rows.to_dict("records"):
            mark, clean = MARKS.get(row["verdict"], ""), row["attack"] == CLEAN
            shares = {share: (column, f"{share}_low", f"{share}_high") for share, column in SHARES.items()}
            lines.append(
                {
                    "attack": f"none ({PARTS[row['part']]})" if clean else f"{row['attack']} (norm {row['norm']})",
                    "crafted on": row["source"],
                    "epsilon": "" if clean else row["epsilon"],
                    "n": row["n"],
                    "accuracy": _cell(row, "accuracy", "ci_low", "ci_high", mark=mark),
                    "rejection rate": _cell(row, *shares["rejection"]),
                    "both together": _cell(row, *shares["handled"], mark=mark),
                    "accuracy on what passes": _cell(row, *shares["accepted"], of="accepted"),
                    "detection rate": _cell(row, *shares["detection"], of="successful"),
                    "robust accuracy": _cell(row, "robust_accuracy", "robust_low", "robust_high", mark=mark),
                }
            )
        yield f"{dataset}, {model}, seed {seed}", pd.DataFrame(lines)


def rejections_markdown(table: pd.DataFrame) -> str:
    """Markdown, a table for each model and seed."""
    text = f"# Rejections\n\n{NOTE} {LEGEND}\n"
    for title, shown in _blocks(table):
        text += f"\n## {title}\n\n{shown.to_markdown(index=False, disable_numparse=True)}\n"
    return text


def rejections_latex(table: pd.DataFrame) -> str:
    """LaTeX, a table environment for each model and seed."""
    return latex_file(
        latex(shown, f"Rejections, {title}. {NOTE} {LEGEND}", f"tab:rejections-{i}")
        for i, (title, shown) in enumerate(_blocks(table), start=1)
    )
