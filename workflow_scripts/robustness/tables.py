"""The tables of a study, from the summaries of its records."""

import pandas as pd

ROBUST_COLUMNS = [
    *("dataset", "architecture", "defence", "model", "seed", "attack", "epsilon", "epsilon_unit"),
    *("n", "correct", "accuracy", "ci_low", "ci_high", "loss"),
    # Beyond what is asked of every table: what the attack was, how far it really moved the images, and for how many
    # of the attacked images, unattacked, the gradient that it starts from is exactly zero.
    *("method", "norm", "target", "target_hits", "moved", "max_linf", "max_l2", "zero_gradients"),
]
MODEL_COLUMNS = ["dataset", "architecture", "defence", "model", "seed"]
CLEAN_COLUMNS = [*MODEL_COLUMNS, "part", "n", "correct", "accuracy", "ci_low", "ci_high", "loss"]
CURVE_COLUMNS = [
    "dataset",
    "model",
    "attack",
    "epsilon",
    "epsilon_unit",
    "norm",
    "metric",
    "value",
    "low",
    "high",
    "seeds",
    "masked",
]
PARTS = {"validation": "validation", "test": "test", "evaluation": "attacked subset of test"}
MASKED = 0.01  # share of images without a gradient above which a model's numbers are marked


def robust_accuracy(summaries: list[dict], clean_summaries: list[dict]) -> pd.DataFrame:
    """One row a (model, seed, attack, epsilon), in the order given; accuracies in [0, 1], norms in epsilon's unit."""
    vanished = {(summary["model"], summary["seed"]): summary["zero_gradients"] for summary in clean_summaries}
    rows = []
    for summary in summaries:
        attack = summary["attack"]
        row = {key: value for key, value in summary.items() if key != "attack"}
        row |= {key: attack[key] for key in ("epsilon", "epsilon_unit", "method", "norm", "target")}
        row |= {"attack": attack["name"], "zero_gradients": vanished[summary["model"], summary["seed"]]}
        rows.append(row)
    return pd.DataFrame(rows, columns=ROBUST_COLUMNS).astype({"target_hits": "Int64"})


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


def _evaluated(clean: pd.DataFrame, model: str, seed: int) -> pd.Series:
    """The row of the clean table for the images that are attacked."""
    chosen = (clean["model"] == model) & (clean["seed"] == seed) & (clean["part"] == "evaluation")
    return clean[chosen].iloc[0]


def _described(row: pd.Series) -> str:
    """An attack in words: pgd (norm inf), or fgsm_t (fgsm, norm 2, aimed at random classes)."""
    words = [] if row["attack"] == row["method"] else [row["method"]]
    words.append(f"norm {row['norm']}")
    if row["target"]:
        words.append(f"target {row['target']}")
    return f"{row['attack']} ({', '.join(words)}; n = {row['n']})"


def _robust_blocks(robust: pd.DataFrame, clean: pd.DataFrame):
    """Title, note and a table (epsilons down, attacks across) for each model and seed."""
    for keys, rows in robust.groupby(MODEL_COLUMNS, sort=False):
        dataset, architecture, defence, model, seed = keys
        unattacked = _evaluated(clean, model, seed)
        vanished = rows["zero_gradients"].iloc[0] / unattacked["n"]
        mark = " †" if vanished > MASKED else ""
        cells = rows.assign(cell=rows.apply(percent, axis=1) + mark)
        table = cells.pivot(index="epsilon", columns="attack", values="cell")
        table = table.loc[sorted(table.index, key=float), list(dict.fromkeys(rows["attack"]))].fillna("")
        table.index.name, table.columns.name = "epsilon", None
        note = (
            f"{dataset}, {architecture}, defence: {defence}. Accuracy in per cent with 95 % Wilson intervals, under "
            f"{', '.join(_described(row) for _, row in rows.drop_duplicates('attack').iterrows())}; "
            f"epsilon on the pixel range {rows['epsilon_unit'].iloc[0]}; "
            f"clean accuracy on the same images {percent(unattacked)}."
        )
        if mark:
            note += (
                f" † For {100 * vanished:.0f} % of these images the gradient of the loss is exactly zero, so that an attack "
                "that follows it does not know where to go: such a number is no evidence of robustness."
            )
        yield f"{model}, seed {seed}", note, table


def curves(robust: pd.DataFrame, clean: pd.DataFrame) -> pd.DataFrame:
    """What the figures against epsilon draw: a row a (dataset, model, attack, epsilon, metric), epsilon 0 unattacked.

    value: of the one seed, or the mean over seeds. low, high: for accuracy the 95 % Wilson interval of the one seed,
    or the least and greatest over seeds; for loss the least and greatest. masked: whether † stands in the tables.
    """
    rows = []
    for (dataset, model, attack), group in robust.groupby(["dataset", "model", "attack"], sort=False):
        starts = pd.DataFrame([_evaluated(clean, model, seed) for seed in dict.fromkeys(group["seed"])])
        vanished = (group["zero_gradients"] / starts["n"].iloc[0]).max()
        line = {
            "dataset": dataset,
            "model": model,
            "attack": attack,
            "epsilon_unit": group["epsilon_unit"].iloc[0],
            "norm": group["norm"].iloc[0],
            "masked": bool(vanished > MASKED),
        }
        attacked = group[group["epsilon"].astype(float) > 0]
        for epsilon, points in pd.concat([starts.assign(epsilon="0"), attacked]).groupby("epsilon", sort=False):
            for metric in ("accuracy", "loss"):
                values = points[metric]
                low, high = values.min(), values.max()
                if metric == "accuracy" and len(points) == 1:
                    low, high = points["ci_low"].iloc[0], points["ci_high"].iloc[0]
                point = {"value": values.mean(), "low": low, "high": high, "seeds": len(points)}
                rows.append(line | {"epsilon": epsilon, "metric": metric} | point)
    return pd.DataFrame(rows, columns=CURVE_COLUMNS)


def _clean_table(clean: pd.DataFrame) -> pd.DataFrame:
    cells = clean.assign(cell=clean.apply(percent, axis=1), part=clean["part"].map(PARTS))
    table = cells.pivot(index=MODEL_COLUMNS, columns="part", values="cell")[list(PARTS.values())]
    order = list(dict.fromkeys(clean[MODEL_COLUMNS].itertuples(index=False, name=None)))
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
    return text.replace("†", "\\textdagger{}")


def robust_latex(robust: pd.DataFrame, clean: pd.DataFrame) -> str:
    """LaTeX in the shape of the published tables, a table environment a model and seed."""
    return "% needs \\usepackage{booktabs}\n" + "\n".join(
        _latex(table.reset_index(), f"{title}. {note}", f"tab:robust-{title.replace(', seed ', '-')}")
        for title, note, table in _robust_blocks(robust, clean)
    )


def clean_latex(clean: pd.DataFrame) -> str:
    """LaTeX, one row a model and seed."""
    return _latex(_clean_table(clean), "Clean accuracy in per cent, with 95 % Wilson intervals.", "tab:clean")
