"""Lines of curves.csv against epsilon, drawn alike in every figure: bands, dashes, marks, axes."""

from collections.abc import Iterable
from pathlib import Path
from textwrap import fill

import pandas as pd

from robustness.diagnosis.marks import marks_of
from robustness.evaluation.records import read_records
from robustness.figures.plotting import draw_band, label_metric

MEANINGS = {
    "†": "†: fails its diagnosis, no evidence of robustness",
    "*": "*: its diagnosis warns",
    "‡": "‡: bounded by the pixel range only; epsilon is the unit of its step",
}


def read_curves(path: str | Path) -> pd.DataFrame:
    """Read curves.csv, its points in the order of epsilon, which stands as a number in the column x."""
    table = read_records(path)
    return table.assign(x=table["epsilon"].astype(float)).sort_values("x", kind="stable")


def mark_of(line: pd.DataFrame) -> str:
    """The marks of a line, the same in all of its rows: of a verdict that is no pass, and ‡ where epsilon is no bound."""
    first = line.iloc[0]
    return marks_of(first["verdict"], first["clip"])


def draw_line(axes, line: pd.DataFrame, metric: str, name: str, i: int) -> None:
    """Draw one line of curves.csv with its band as the i-th of its axes; dashed if its diagnosis fails.

    line: the rows of one (model, attack, norm, metric), at least one. name: for the legend, where its mark is added.
    """
    style = {"linestyle": "--" if "†" in mark_of(line) else "-", "label": f"{name} {mark_of(line)}".strip()}
    draw_band(axes, line, metric, i, **style)


def label_axes(axes, rows: pd.DataFrame, metric: str) -> None:
    """Scales and labels of axes that show these rows of curves.csv; perturbations get the line on which they are epsilon."""
    if metric == "perturbation":
        reach = rows["x"].max()
        axes.plot([0, reach], [0, reach], color="0.4", linewidth=0.8, zorder=1)
    label_metric(axes, metric, rows["seeds"].max())
    unit = f"on the pixel range {rows['epsilon_unit'].iloc[0]}"
    if rows["norm"].iloc[0] == "0":
        unit = "share of the image's values"
    axes.set_xlabel(f"epsilon (norm {rows['norm'].iloc[0]}), {unit}")


def explain_marks(legend, marks: Iterable[str], width: int = 70) -> None:
    """Say above a legend what the marks in it mean, in lines of so many characters at most."""
    if told := [fill(meaning, width) for mark, meaning in MEANINGS.items() if mark in "".join(marks)]:
        legend.set_title("\n".join(told), prop={"size": 8})
