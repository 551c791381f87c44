"""Records: one row an image, as CSV, the ground that every table and figure stands on."""

from pathlib import Path

import pandas as pd

from robustness.files import whole_file

TEXT = (
    "dataset",
    "architecture",
    "defence",
    "model",
    "attack",
    "sweep",
    "clip",
    "epsilon",
    "epsilon_unit",
    "method",
    "norm",
    "target",
    "part",
    "publication",
    "source",
    "substitute",
    "trained_on",
    "technique",
    "quantity",
    "broken_by",
    "probe",
    "diagnostic",
    "verdict",
    "baseline",
)


def write_records(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table as CSV; floats with nine significant digits, lines ended the same way on every machine."""
    with whole_file(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.9g", lineterminator="\n")


def read_records(path: str | Path) -> pd.DataFrame:
    """Read a table of records or of results. Text columns stay text: an epsilon keeps its digits, a model called inf its name."""
    return pd.read_csv(path, dtype=dict.fromkeys(TEXT, str), keep_default_na=False)


def read_attack_records(folder: str | Path, attack: str) -> pd.DataFrame:
    """The records of one attack on a model at all of its epsilons. folder: evaluation/MODEL/seedSEED."""
    return read_records(Path(folder) / "attacks" / f"{attack}.csv")
