"""The table of black boxes: what sets that were crafted on substitutes do to the models that they were made for."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from robustness.diagnosis.marks import LEGEND, MARKS, accuracy_note
from robustness.evaluation.study_records import StudyRecords
from robustness.files import read_json
from robustness.statistics.intervals import wilson_interval
from robustness.tables.accuracy_tables import latex, percent, with_interval

COLUMNS = [
    *("dataset", "seed", "target", "substitute", "trained_on", "technique", "queries"),
    *("agreement", "agreement_low", "agreement_high", "clean_accuracy", "attack", "epsilon"),
    *("n", "correct", "accuracy", "ci_low", "ci_high", "verdict"),
]
NOTE = (
    "Accuracy in per cent, with 95 % Wilson intervals, of the target on sets that were crafted on a substitute; beside it that "
    "on the same images unattacked (clean). A substitute is a network that was trained without the target's "
    "weights: on the dataset (strict black box), or on the answers of a model to so many queries, and on no label of the "
    "dataset (Papernot et al. 2017). Agreement is the share of the clean images, none of which trained a substitute, on which "
    "it predicts what the target predicts. Technique: intra, the target is a neural network like the substitute; "
    "cross, it is none. The mark is that of the attack on the substitute."
)


def black_box(
    study: StudyRecords, models_folder: str | Path, transfer: pd.DataFrame, pairs: list[tuple[str, str, str, str]]
) -> pd.DataFrame:
    """One row a (target, substitute, seed, attack, epsilon). COLUMNS; accuracies and agreement in [0, 1].

    models_folder: holds MODEL/seedSEED/metadata.json. transfer: the table of tables.transfer. pairs: (target, substitute,
    what it was trained on: 'dataset' or 'answers of MODEL', 'intra' or 'cross').
    """
    rows = []
    for target, substitute, trained_on, technique in pairs:
        for seed in study.seeds:
            moved = transfer[(transfer["target"] == target) & (transfer["source"] == substitute)]
            moved = moved[moved["seed"] == seed]
            queries = 0
            if trained_on != "dataset":
                queries = read_json(Path(models_folder) / substitute / f"seed{seed}" / "metadata.json")["queries"]
            theirs, own = study.clean(target, seed), study.clean(substitute, seed)
            agreed = int((theirs["prediction"] == own["prediction"].reindex(theirs.index)).sum())
            low, high = wilson_interval(agreed, len(theirs))
            told = {"target": target, "substitute": substitute, "trained_on": trained_on, "technique": technique}
            told |= {
                "queries": queries,
                "agreement": agreed / len(theirs),
                "agreement_low": low,
                "agreement_high": high,
            }
            told["clean_accuracy"] = float((theirs["prediction"] == theirs["label"]).mean())
            rows += [row.to_dict() | told for _, row in moved.iterrows()]
    return pd.DataFrame(rows, columns=COLUMNS)


def _wide(table: pd.DataFrame) -> pd.DataFrame:
    """As it is shown: epsilons across."""
    cells = table.assign(
        agreement=[
            with_interval(row.agreement, row.agreement_low, row.agreement_high, digits=1) for row in table.itertuples()
        ],
        clean=[f"{100 * value:.2f}" for value in table["clean_accuracy"]],
        cell=[f"{percent(row)} {MARKS[row['verdict']]}".strip() for _, row in table.iterrows()],
    ).rename(columns={"trained_on": "trained on"})
    keys = [
        "dataset",
        "seed",
        "target",
        "substitute",
        "trained on",
        "technique",
        "queries",
        "agreement",
        "clean",
        "attack",
    ]
    wide = cells.pivot(index=keys, columns="epsilon", values="cell")
    wide = wide[sorted(wide.columns, key=float)].fillna("").rename(columns="epsilon {}".format)
    wide.columns.name = None
    return wide.loc[list(dict.fromkeys(cells[keys].itertuples(index=False, name=None)))].reset_index()


def _note(rejecting: Sequence[str]) -> str:
    """What the table shows; of targets that can reject, too."""
    if not rejecting:
        return NOTE
    told = (
        " There the rows crafted on a substitute count rejections for the defence; here a rejection agrees with nobody."
    )
    return NOTE + accuracy_note(rejecting) + told


def black_box_markdown(table: pd.DataFrame, rejecting: Sequence[str] = ()) -> str:
    """Markdown, one row a target, substitute, seed and attack, epsilons across. rejecting: the targets that can reject."""
    shown = _wide(table).to_markdown(index=False, disable_numparse=True)
    return f"# Black boxes\n\n{_note(rejecting)} {LEGEND}\n\n{shown}\n"


def black_box_latex(table: pd.DataFrame, rejecting: Sequence[str] = ()) -> str:
    """The same in LaTeX."""
    return latex(_wide(table), f"Black boxes. {_note(rejecting)} {LEGEND}", "tab:black-box")
