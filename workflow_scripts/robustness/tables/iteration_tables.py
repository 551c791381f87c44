"""The tables of iteration sweeps: how accuracy and loss go with the number of iterations of an attack."""

import pandas as pd

from robustness.tables.accuracy_tables import percent

COLUMNS = [
    *("dataset", "model", "seed", "sweep", "method", "norm", "epsilon", "epsilon_unit", "iterations"),
    *("n", "correct", "accuracy", "ci_low", "ci_high", "loss", "max_linf"),
]
CURVE_COLUMNS = [
    *("dataset", "model", "sweep", "method", "norm", "epsilon", "epsilon_unit", "iterations"),
    *("metric", "value", "low", "high", "seeds"),
]


def iterations(summaries: list[dict]) -> pd.DataFrame:
    """One row a (sweep, model, seed, number of iterations), in the order given; accuracies in [0, 1], norms in epsilon's unit."""
    rows = []
    for summary in summaries:
        attack = summary["attack"]
        key = {name: summary[name] for name in ("dataset", "model", "seed")} | {"sweep": attack["name"]}
        key |= {name: attack[name] for name in ("method", "norm", "epsilon", "epsilon_unit")}
        rows += [key | numbers for numbers in summary["numbers"]]
    return pd.DataFrame(rows, columns=COLUMNS)


def iteration_curves(table: pd.DataFrame) -> pd.DataFrame:
    """What the figures of iteration sweeps draw: a row a (dataset, sweep, model, number of iterations, metric).

    value: of the one seed, or the mean over seeds. low, high: for accuracy the 95 % Wilson interval of the one seed, or
    the least and greatest over seeds; for loss the least and greatest.
    """
    rows = []
    keys = [name for name in COLUMNS[: COLUMNS.index("n")] if name != "seed"]
    for values, points in table.groupby(keys, sort=False):
        for metric in ("accuracy", "loss"):
            low, high = points[metric].min(), points[metric].max()
            if metric == "accuracy" and len(points) == 1:
                low, high = points["ci_low"].iloc[0], points["ci_high"].iloc[0]
            point = {"metric": metric, "value": points[metric].mean(), "low": low, "high": high, "seeds": len(points)}
            rows.append(dict(zip(keys, values, strict=True)) | point)
    return pd.DataFrame(rows, columns=CURVE_COLUMNS)


def iterations_markdown(table: pd.DataFrame) -> str:
    """Markdown: for each dataset and sweep the accuracies, then the losses, iterations down, models and seeds across."""
    text = (
        "# Iterations\n\nHow an attack converges: accuracy in per cent, with 95 % Wilson intervals, and mean loss (cross-entropy, "
        "nats) after so many iterations of one run. Sweeps are not diagnosed and count in no worst case.\n"
    )
    for (dataset, sweep), rows in table.groupby(["dataset", "sweep"], sort=False):
        first = rows.iloc[0]
        text += (
            f"\n## {dataset}, {sweep}\n\n{first['method']}, norm {first['norm']}, epsilon {first['epsilon']} on the pixel range "
            f"{first['epsilon_unit']}; n = {first['n']}.\n"
        )
        cells = rows.assign(
            who=rows["model"] + ", seed " + rows["seed"].astype(str),
            accuracy=rows.apply(percent, axis=1),
            loss=rows["loss"].map("{:.4g}".format),
        )
        for metric, heading in (("accuracy", "Accuracy"), ("loss", "Mean loss")):
            wide = cells.pivot(index="iterations", columns="who", values=metric)[list(dict.fromkeys(cells["who"]))]
            wide = wide.astype(str).reset_index()
            text += f"\n{heading}:\n\n{wide.to_markdown(index=False, disable_numparse=True)}\n"
    return text
