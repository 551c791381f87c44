"""The tables of a study, from the summaries of its records."""

import pandas as pd

ROBUST_COLUMNS = [
    "dataset",
    "architecture",
    "defence",
    "model",
    "seed",
    "attack",
    "epsilon",
    "epsilon_unit",
    "n",
    "correct",
    "accuracy",
    "ci_low",
    "ci_high",
    "loss",
    # Beyond what is asked of every table: what the attack was and how far it really moved the images.
    "method",
    "norm",
    "target",
    "n_aimed",
    "target_hits",
    "moved",
    "max_linf",
    "max_l2",
]
CLEAN_COLUMNS = [
    "dataset",
    "architecture",
    "defence",
    "model",
    "seed",
    "part",
    "n",
    "correct",
    "accuracy",
    "ci_low",
    "ci_high",
    "loss",
]
PARTS = {"validation": "validation", "test": "test", "evaluation": "attacked subset of test"}


def robust_accuracy(summaries: list[dict]) -> pd.DataFrame:
    """One row a (model, seed, attack, epsilon), in the order given; accuracies in [0, 1], norms in epsilon's unit."""
    rows = []
    for summary in summaries:
        attack = summary["attack"]
        row = {key: value for key, value in summary.items() if key != "attack"}
        row |= {key: attack[key] for key in ("epsilon", "epsilon_unit", "method", "norm", "target")}
        rows.append(row | {"attack": attack["name"]})
    return pd.DataFrame(rows, columns=ROBUST_COLUMNS).astype({"n_aimed": "Int64", "target_hits": "Int64"})


def clean_accuracy(summaries: list[dict]) -> pd.DataFrame:
    """One row a (model, seed, part of the dataset); accuracies in [0, 1]."""
    rows = [
        {key: value for key, value in summary.items() if key != "parts"} | {"part": part} | values
        for summary in summaries
        for part, values in summary["parts"].items()
    ]
    return pd.DataFrame(rows, columns=CLEAN_COLUMNS)


def percent(row: pd.Series) -> str:
    """An accuracy with its interval, in per cent: 86.20 [82.89, 88.95]."""
    return f"{100 * row['accuracy']:.2f} [{100 * row['ci_low']:.2f}, {100 * row['ci_high']:.2f}]"


UNMOVED = 0.01  # share of images that an attack may leave where they are before its cells are marked


def _cell(row: pd.Series) -> str:
    """percent, marked where the attack left images where they were although epsilon allowed it to move them."""
    attacked = row["n"] if pd.isna(row["n_aimed"]) else row["n_aimed"]
    unmoved = float(row["epsilon"]) > 0 and row["moved"] < (1 - UNMOVED) * attacked
    return percent(row) + (" †" if unmoved else "")


def _robust_blocks(robust: pd.DataFrame, clean: pd.DataFrame):
    """Title, subtitle and a table (epsilons down, attacks across) for each model and seed."""
    for keys, rows in robust.groupby(["dataset", "architecture", "defence", "model", "seed"], sort=False):
        dataset, architecture, defence, model, seed = keys
        cells = rows.assign(cell=rows.apply(_cell, axis=1))
        table = cells.pivot(index="epsilon", columns="attack", values="cell")
        table = table.loc[sorted(table.index, key=float), list(dict.fromkeys(rows["attack"]))].fillna("")
        table.index.name, table.columns.name = "epsilon", None
        unattacked = clean[(clean["model"] == model) & (clean["seed"] == seed) & (clean["part"] == "evaluation")].iloc[
            0
        ]
        note = (
            f"{dataset}, {architecture}, defence: {defence}. Accuracy in per cent on {rows['n'].iloc[0]} test images with "
            f"95 % Wilson intervals; epsilon on the pixel range {rows['epsilon_unit'].iloc[0]}; "
            f"clean accuracy on the same images {percent(unattacked)}."
        )
        if cells["cell"].str.endswith("†").any():
            note += (
                " † The attack did not move more than 1 % of the images at all, since its gradient is exactly zero there: "
                "such a number is no evidence of robustness."
            )
        yield f"{model}, seed {seed}", note, table


def _clean_table(clean: pd.DataFrame) -> pd.DataFrame:
    cells = clean.assign(cell=clean.apply(percent, axis=1), part=clean["part"].map(PARTS))
    index = ["dataset", "architecture", "defence", "model", "seed"]
    table = cells.pivot(index=index, columns="part", values="cell")[list(PARTS.values())]
    order = list(dict.fromkeys(clean[index].itertuples(index=False, name=None)))
    table.columns.name = None
    return table.loc[order].reset_index()


def robust_markdown(robust: pd.DataFrame, clean: pd.DataFrame) -> str:
    """Markdown in the shape of the published tables."""
    text = "# Robust accuracy\n"
    for title, note, table in _robust_blocks(robust, clean):
        text += f"\n## {title}\n\n{note}\n\n{table.reset_index().to_markdown(index=False, disable_numparse=True)}\n"
    return text


def clean_markdown(clean: pd.DataFrame) -> str:
    """Markdown, one row a model and seed."""
    table = _clean_table(clean).to_markdown(index=False, disable_numparse=True)
    return f"# Clean accuracy\n\nIn per cent, with 95 % Wilson intervals.\n\n{table}\n"


def _latex(table: pd.DataFrame, caption: str, label: str) -> str:
    """A LaTeX table environment; needs the package booktabs."""
    escaped = table.map(_escape).rename(columns=_escape)
    alignment = "l" * len(table.columns)
    return escaped.to_latex(
        index=False, escape=False, caption=_escape(caption), label=label, column_format=alignment, position="htbp"
    )


def _escape(text: object) -> str:
    for character in "&%$#_{}":
        text = str(text).replace(character, "\\" + character)
    return text


def robust_latex(robust: pd.DataFrame, clean: pd.DataFrame) -> str:
    """LaTeX in the shape of the published tables, a table environment a model and seed."""
    return "\n".join(
        _latex(table.reset_index(), f"{title}. {note}", f"tab:robust-{title.replace(', seed ', '-')}")
        for title, note, table in _robust_blocks(robust, clean)
    )


def clean_latex(clean: pd.DataFrame) -> str:
    """LaTeX, one row a model and seed."""
    return _latex(_clean_table(clean), "Clean accuracy in per cent, with 95 % Wilson intervals.", "tab:clean")
