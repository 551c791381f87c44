"""The table of trainings: how long each took, and how well the weights that were kept do."""

from pathlib import Path

import pandas as pd

from robustness.errors import UserError
from robustness.evaluation.records import read_records
from robustness.files import read_json

COLUMNS = [
    *("dataset", "architecture", "defence", "model", "seed", "parameters", "epochs", "kept_epoch"),
    *("initial", "seconds_per_epoch", "seconds", "times_baseline", "baseline"),
    *("training_loss", "training_accuracy", "validation_loss", "validation_accuracy"),
    *("final_loss", "loss_of_guessing", "above_guessing", "device", "threads"),
]
NOTE = (
    "Losses and accuracies (in per cent) are those of the epoch whose weights are kept, out of as many as were trained. The "
    "loss is the one that is minimised, with all its parts, so that it says little across defences. The training part's are "
    "means over the epoch's steps, while the weights change and dropout is on: they may be worse than validation without any "
    "underfitting. A model with an initial one starts from its weights: epochs and seconds are those of its own training "
    "alone. Seconds per epoch are the median. Times are measured, and so differ from run to run; compare those of one "
    "machine with as many jobs at a time."
)


def training_table(
    folder: str | Path, models: list[str], seeds: list[int], baselines: dict[str, str], initials: dict[str, str]
) -> pd.DataFrame:
    """One row a (model, seed); accuracies in [0, 1], times in seconds.

    folder: holds MODEL/seedSEED/metadata.json and history.csv. baselines: {model: the one of the same seed whose seconds
    per epoch its own are a multiple of}. initials: {model: the one whose weights it starts from}.

    final_loss, loss_of_guessing: what robustness.training.guessing computed after the training, NaN where it is no finite number.
    above_guessing: True where the first is not below the second, '' for trainings of a version that did not compute them.
    Raises UserError where a baseline is missing, or metadata and history do not fit.
    """
    if missing := set(baselines.values()) - set(models):
        raise UserError(f"the baseline {min(missing)} is not among the models: name it with --model, too.")
    rows = [_row(Path(folder) / model / f"seed{seed}") for model in models for seed in seeds]
    named = {"baseline": baselines, "initial": initials}
    table = pd.DataFrame(rows)
    table = table.assign(**{column: [of.get(model, "") for model in table["model"]] for column, of in named.items()})
    seconds = table.set_index(["model", "seed"])["seconds_per_epoch"]
    table["times_baseline"] = [
        row.seconds_per_epoch / seconds[row.baseline, row.seed] if row.baseline else float("nan")
        for row in table.itertuples()
    ]
    return table[COLUMNS]


def _row(folder: Path) -> dict:
    metadata, history = read_json(folder / "metadata.json"), read_records(folder / "history.csv")
    kept = history[history["epoch"] == metadata.get("kept_epoch")]
    if len(kept) != 1:
        raise UserError(f"{folder} does not tell the epoch whose weights were kept: train this model again.")
    told = {key: metadata[key] for key in COLUMNS if key in metadata}
    columns = {"loss": "training_loss", "accuracy": "training_accuracy"}
    columns |= {"val_loss": "validation_loss", "val_accuracy": "validation_accuracy"}
    told |= {name: float(kept[column].iloc[0]) for column, name in columns.items()}
    told |= dict.fromkeys(("final_loss", "loss_of_guessing"), float("nan")) | {"above_guessing": ""}
    if (compared := metadata.get("loss_of_guessing")) is not None:
        losses = {"final_loss": compared["loss"], "loss_of_guessing": compared["guessing"]}
        told |= {name: float("nan") if value is None else value for name, value in losses.items()}
        told["above_guessing"] = compared["above"]
    return told | {"seconds": float(history["seconds"].sum())}


def ended_above_guessing(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the trainings that did not end below the loss of guessing. table: of training_table, or read from its file."""
    return table[table["above_guessing"].astype(str) == "True"]


def guessing_markdown(table: pd.DataFrame) -> str:
    """A paragraph that names the trainings that did not end below the loss of guessing; '' without such."""
    told = [
        f"{row.model}, seed {row.seed} ({row.final_loss:.4g}, guessing {row.loss_of_guessing:.4g})"
        for row in ended_above_guessing(table).itertuples()
    ]
    if not told:
        return ""
    return (
        "**These trainings ended with a loss that is not below that of guessing** (all classes equally likely): "
        f"{'; '.join(told)}. Lower the learning rate of such a training, or train longer where its curves in plots/training still "
        "fall. Both losses are computed after the training, on training images, in inference mode and without weight decay.\n\n"
    )


def training_markdown(table: pd.DataFrame) -> str:
    """Markdown, one row a model and seed, after a paragraph on those that did not end below the loss of guessing."""
    shown = table.assign(
        epochs=[f"{row.kept_epoch} of {row.epochs}" for row in table.itertuples()],
        times_baseline=[
            f"{row.times_baseline:.2f} x {row.baseline}" if row.baseline else "" for row in table.itertuples()
        ],
    ).drop(columns=["kept_epoch", "baseline", "final_loss", "loss_of_guessing", "above_guessing"])
    for columns, scale, digits in ((("loss",), 1, 4), (("accuracy",), 100, 2)):
        for column in [column for column in shown if column.endswith(columns)]:
            shown[column] = [f"{scale * value:.{digits}f}" for value in shown[column]]
    for column, digits in (("seconds_per_epoch", 2), ("seconds", 1)):
        shown[column] = [f"{value:.{digits}f}" for value in shown[column]]
    shown = shown.rename(columns={"epochs": "kept epoch"}).rename(columns=lambda column: column.replace("_", " "))
    return (
        f"# Training\n\n{guessing_markdown(table)}{NOTE}\n\n{shown.to_markdown(index=False, disable_numparse=True)}\n"
    )
