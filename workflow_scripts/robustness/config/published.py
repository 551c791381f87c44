"""Published numbers as files: one row a number, with where it stands and what of a study it is to be held against."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from robustness.errors import UserError

COLUMNS = ["source", "model", "quantity", "attack", "epsilon", "iterations", "value", "n"]
AVERAGES = ("average_drop", "average_drop_from_baseline", "average_gain")  # over an attack's epsilons
ATTACKED = {
    "robust_accuracy": ["attack", "epsilon"],
    "iterations_accuracy": ["attack", "epsilon", "iterations"],
    **{quantity: ["attack"] for quantity in AVERAGES},
}
UNITS = {  # of every quantity that a number may be of
    "clean_accuracy": "%",
    "clean_loss": "nats",
    "validation_accuracy": "%",
    "evaluation_accuracy": "%",
    "training_accuracy": "%",
    "seconds_per_epoch": "s",
    "robust_accuracy": "%",
    "iterations_accuracy": "%",
    **dict.fromkeys(AVERAGES, "points"),
}


@dataclass(frozen=True)
class Published:
    """One published number.

    place: file and line, for errors. publication: the file's name. source: where in it the number stands. model, attack,
    epsilon, iterations: of the study it is held against; the last three empty where the quantity has none. value: as it
    was published, accuracies in per cent, averages of drops and gains in percentage points. n: images that it was measured on, None if that was not told.
    """

    place: str
    publication: str
    source: str
    model: str
    quantity: str
    attack: str
    epsilon: str
    iterations: str
    value: str
    n: int | None

    @property
    def unit(self) -> str:
        """The unit of the value: %, points (of percentage, with a sign), nats or s."""
        return UNITS[self.quantity]


def read_published(path: str | Path) -> list[Published]:
    """Read a file of published numbers, as resources/published/README.md describes it; raises UserError for a wrong row."""
    path = Path(path)
    try:
        with open(path, newline="", encoding="utf-8-sig") as handle:  # spreadsheets begin their UTF-8 with a mark
            rows = csv.DictReader(handle)
            if rows.fieldnames != COLUMNS:
                raise UserError(
                    f"{path} has other columns than {', '.join(COLUMNS)}: write just these into its first line."
                )
            found = [_checked(f"{path}, line {rows.line_num}", path.stem, row) for row in rows]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} can't be read as CSV in UTF-8 ({error}): save it as such.") from error
    _check_unique(found)
    return found


def _checked(place: str, publication: str, row: dict) -> Published:
    if None in row or None in row.values():
        raise UserError(
            f"{place} does not have {len(COLUMNS)} cells: write one for each column, in quotes if it has a comma."
        )
    quantity = row["quantity"]
    if quantity not in UNITS:
        raise UserError(f"{place}: quantity is '{quantity}'; known are {', '.join(UNITS)}.")
    needed = ["source", "model", "value", *ATTACKED.get(quantity, [])]
    if empty := [column for column in needed if not row[column]]:
        raise UserError(f"{place}: {empty[0]} is empty, which a {quantity} needs: fill it in.")
    if idle := [column for column in ("attack", "epsilon", "iterations") if row[column] and column not in needed]:
        raise UserError(
            f"{place}: {idle[0]} is '{row[idle[0]]}', which means nothing for a {quantity}: leave it empty."
        )
    signed = UNITS[quantity] == "points"
    if signed and not -100 <= _number(row["value"]) <= 100:
        raise UserError(f"{place}: value is '{row['value']}'; it must be a number from -100 to 100.")
    for column in ("epsilon",) if signed else ("value", "epsilon"):
        if row[column] and not 0 <= _number(row[column]) < math.inf:
            raise UserError(f"{place}: {column} is '{row[column]}'; it must be a number, 0 or more.")
    if UNITS[quantity] == "%" and _number(row["value"]) > 100:
        raise UserError(f"{place}: value is {row['value']}, more than 100 %: correct it.")
    for column in ("iterations", "n"):
        if row[column] and not (row[column].isdecimal() and int(row[column]) > 0):
            raise UserError(f"{place}: {column} is '{row[column]}'; it must be a whole number, 1 or more.")
    return Published(place, publication, **row | {"n": int(row["n"]) if row["n"] else None})


def _check_unique(rows: list[Published]) -> None:
    """A source tells each number once: twice, it could not be put into a table of that source."""
    seen: dict[tuple, str] = {}
    for row in rows:
        of = (row.source, row.model, row.quantity, row.attack, row.epsilon and float(row.epsilon), row.iterations)
        if of in seen:
            raise UserError(f"{row.place}: the same number as in {seen[of]}: remove one, or tell their sources apart.")
        seen[of] = row.place.rsplit(", ", 1)[1]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def described(quantity: str, attack: str, epsilon: str, iterations: str) -> str:
    """What a number is of, in words: `robust accuracy under fgsm at epsilon 0.1`; what it is not of is empty."""
    words = "accuracy" if iterations else quantity.replace("_", " ")
    words += f" under {attack}" if attack else ""
    words += f" at epsilon {epsilon}" if epsilon else ""
    return words + (f" after {iterations} iterations" if iterations else "")
