"""Published numbers beside those that a study measured; the two are never mixed."""

import math

import pandas as pd

from robustness.config.published import Published, described
from robustness.diagnosis.marks import LEGEND, marks_of, worst
from robustness.errors import UserError
from robustness.statistics.intervals import wilson_interval

COLUMNS = [
    *("publication", "source", "dataset", "model", "quantity", "attack", "epsilon", "iterations", "unit"),
    *("published", "published_n", "published_low", "published_high"),
    *("measured", "measured_n", "measured_low", "measured_high", "seeds", "verdict", "clip"),
    *("difference", "inside", "apart"),
]
KEYS = ["model", "quantity", "attack", "epsilon", "iterations"]
USED = ["dataset", *KEYS, "seed", "value", "low", "high", "n", "verdict", "clip"]  # of what was measured
EMPTY = {
    "attack": "",
    "epsilon": math.nan,
    "iterations": math.nan,
    "low": math.nan,
    "high": math.nan,
    "verdict": "",
    "clip": "",
}
AVERAGES = {  # published quantity: the measures of drops.csv that it is one of, and the verdicts that concern it
    "average_drop": ("drop", ["verdict"]),
    "average_drop_from_baseline": ("drop_from_baseline", ["verdict"]),
    "average_gain": ("gain", ["verdict", "verdict_baseline"]),
}
CLEAN_PARTS = {"clean_accuracy": "test", "validation_accuracy": "validation", "evaluation_accuracy": "evaluation"}
NOTE = (
    "What was published stands beside what this study measured; nothing is adjusted. Accuracies are in per cent, averages of "
    "drops and gains in percentage points (drops.md), losses in nats, times in seconds; the difference is measured minus "
    "published. Behind a published accuracy stands the 95 % Wilson "
    "interval that its number of images implies, where that number is told. Behind a measured one stands its own, or, with "
    "several seeds, behind the mean the least and the greatest. Of one seed, losses, times and accuracies while training have "
    "no interval. A number that was published as about so much is taken as it stands. Times are those of different machines. "
    "Iteration sweeps are not diagnosed; ‡ marks an attack that epsilon does not bound."
)
TOLERANCE = 1e-9  # of 100 x share against a number in per cent


def measured(
    robust: pd.DataFrame,
    clean: pd.DataFrame,
    training: pd.DataFrame,
    drops: pd.DataFrame,
    iterations: pd.DataFrame | None,
) -> pd.DataFrame:
    """Everything that a published number can be held against, one row a number and seed.

    robust, clean, training, drops, iterations: the study's tables of these names, the last None where there is no sweep.
    Columns of the result: dataset, KEYS (epsilon and iterations as numbers), seed, value, low, high (accuracies in per
    cent, averages in percentage points; no interval is NaN), n, verdict ('' where there is none).
    """
    parts = [
        _accuracies(robust, "robust_accuracy"),
        *(_accuracies(clean[clean["part"] == part], name) for name, part in CLEAN_PARTS.items()),
        _numbers(clean[clean["part"] == "test"], "clean_loss", "loss"),
        _numbers(training, "seconds_per_epoch", "seconds_per_epoch"),
        _numbers(training.assign(share=100 * training["training_accuracy"]), "training_accuracy", "share"),
        *(_averages(drops, quantity) for quantity in AVERAGES),
    ]
    if iterations is not None:
        parts.append(_accuracies(iterations.assign(attack=iterations["sweep"]), "iterations_accuracy"))
    table = pd.concat([part for part in parts if len(part)])
    for column in ("epsilon", "iterations"):
        table[column] = pd.to_numeric(table[column])
    return table


def _numbers(table: pd.DataFrame, quantity: str, column: str) -> pd.DataFrame:
    """One column of a table as numbers without an interval; their n is the table's, if it has one."""
    told = {key: value for key, value in EMPTY.items() if key not in table}
    return table.assign(quantity=quantity, value=table[column], n=table.get("n", math.nan), **told)[USED]


def _accuracies(table: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """The accuracies of a table with their intervals, from shares to per cent."""
    in_percent = {"low": 100 * table["ci_low"], "high": 100 * table["ci_high"], "share": 100 * table["accuracy"]}
    return _numbers(table.assign(**in_percent), quantity, "share")


def _averages(table: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """One measure of drops.csv, where there is one, from shares to percentage points."""
    measure, concerned = AVERAGES[quantity]
    # What a row lacks for want of a baseline is an empty cell.
    ends = {"share": "", "low": "_low", "high": "_high"}
    points = {name: 100 * pd.to_numeric(table[f"{measure}{end}"]) for name, end in ends.items()}
    verdict = [worst(verdicts) if all(verdicts) else "" for verdicts in table[concerned].to_numpy()]
    return _numbers(table.assign(**points, verdict=verdict).dropna(subset="share"), quantity, "share")


def compare(published: list[Published], found: pd.DataFrame) -> pd.DataFrame:
    """One row a published number, in the order given, beside the study's.

    found: of `measured`. measured_low, measured_high: the interval of the one seed, or the least and greatest of several;
    NaN where there is none. inside: whether the published number lies between these, '' where they are missing. apart:
    whether the published number's interval and the measured one have nothing in common, '' where one is missing. Raises
    UserError for a number that the study has nothing to hold against.
    """
    rows = []
    for row in published:
        number = float(row.value)
        told = {key: getattr(row, key) for key in ("publication", "source", *KEYS, "unit")} | {"published": row.value}
        told |= {"published_n": row.n, "published_low": math.nan, "published_high": math.nan}
        if row.unit == "%" and row.n:
            bounds = wilson_interval(round(number / 100 * row.n), row.n)
            told |= {"published_low": 100 * bounds[0], "published_high": 100 * bounds[1]}
        seeds = _seeds_of(row, found)
        several = len(seeds) > 1
        low = seeds["value"].min() if several else seeds["low"].iloc[0]
        high = seeds["value"].max() if several else seeds["high"].iloc[0]
        told |= {
            "dataset": seeds["dataset"].iloc[0],
            "measured": seeds["value"].mean(),
            "measured_n": seeds["n"].iloc[0],
        }
        told |= {"measured_low": low, "measured_high": high, "seeds": len(seeds), "inside": "", "apart": ""}
        told["verdict"] = worst(seeds["verdict"]) if all(seeds["verdict"]) else ""
        told["clip"] = seeds["clip"].iloc[0]
        told["difference"] = told["measured"] - number
        if not math.isnan(low):
            told["inside"] = bool(low - TOLERANCE <= number <= high + TOLERANCE)
            if not math.isnan(told["published_low"]):
                told["apart"] = bool(told["published_low"] > high or told["published_high"] < low)
        rows.append(told)
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.astype({"published_n": "Int64", "measured_n": "Int64"})


def _seeds_of(row: Published, found: pd.DataFrame) -> pd.DataFrame:
    """The measured numbers, a row a seed, that a published one is held against."""
    chosen = (found["model"] == row.model) & (found["quantity"] == row.quantity) & (found["attack"] == row.attack)
    for column in ("epsilon", "iterations"):
        if text := getattr(row, column):
            chosen &= found[column] == float(text)
    if not chosen.any():
        of = described(row.quantity, row.attack, row.epsilon, row.iterations)
        raise UserError(f"{row.place}: the tables have no {of} of {row.model}: correct the row.")
    return found[chosen]


def _cell(value: str, low: float, high: float, mark: str = "") -> str:
    """A number with its interval, if it has one, and its mark."""
    interval = "" if math.isnan(low) else f"[{low:.2f}, {high:.2f}]"
    return " ".join(filter(None, (value, interval, mark)))


def _shown(row) -> dict[str, str]:
    """The numbers of a row in words: published, measured, difference."""
    digits = 4 if row.unit == "nats" else 2
    return {
        "published": _cell(row.published, row.published_low, row.published_high),
        "measured": _cell(
            f"{row.measured:.{digits}f}", row.measured_low, row.measured_high, marks_of(row.verdict, row.clip)
        ),
        "difference": f"{row.difference:+.{digits}f}",
    }


def with_sources(table: pd.DataFrame) -> pd.DataFrame:
    """The same comparison, its sources with the publication's name where there are several."""
    several = table["publication"].nunique() > 1
    return table.assign(source=table["publication"] + ", " + table["source"]) if several else table


def against_epsilon(table: pd.DataFrame) -> pd.Series:
    """Which rows are robust accuracies of a source that tells them at several epsilons, as a published table does; bool."""
    robust = table["quantity"] == "robust_accuracy"
    epsilons = (
        pd.to_numeric(table["epsilon"])
        .where(robust)
        .groupby([table["publication"], table["source"]])
        .transform("nunique")
    )
    return robust & (epsilons > 1)


def _as_published(table: pd.DataFrame) -> str:
    """Robust accuracies in the shape that their sources have: epsilon down, what was published and measured across."""
    text = ""
    for source, rows in table[against_epsilon(table)].groupby("source", sort=False):
        models = list(dict.fromkeys(rows["model"]))
        lines: dict[float, dict[str, str]] = {}
        for row in sorted(rows.itertuples(), key=lambda row: float(row.epsilon)):
            line, shown = lines.setdefault(float(row.epsilon), {"epsilon": row.epsilon}), _shown(row)
            of = row.attack if len(models) == 1 else f"{row.model}, {row.attack}"
            line |= {f"{of}, {kind}": shown[kind] for kind in ("published", "measured")}
        grid = pd.DataFrame(list(lines.values())).fillna("").to_markdown(index=False, disable_numparse=True)
        text += f"## {source}\n\nRobust accuracy of {', '.join(models)}, in per cent.\n\n{grid}\n\n"
    return text and f"{text}## All numbers\n\n"


def published_markdown(table: pd.DataFrame) -> str:
    """Markdown: published tables in their own shape, one row a published number, and what differs by more than both intervals."""
    words = {True: "yes", False: "no", "": ""}
    table = with_sources(table)
    lines, beyond = [], []
    for row in table.itertuples():
        of, shown = described(row.quantity, row.attack, row.epsilon, row.iterations), _shown(row)
        judged = {"published within measured": words[row.inside], "intervals apart": words[row.apart]}
        lines.append({"published in": row.source, "model": row.model, "of": of, "unit": row.unit} | shown | judged)
        if row.apart is True or (row.apart == "" and row.inside is False):
            beyond.append(
                f"- {row.model}, {of} ({row.source}): published {shown['published']}, measured {shown['measured']}, "
                f"{shown['difference']} {'points' if row.unit == '%' else row.unit}"
            )
    seeds = "" if not len(table) or table["seeds"].max() == 1 else f" Measured with {table['seeds'].max()} seeds."
    listed = "\n".join(beyond) if beyond else "None."
    return (
        f"# Published beside measured\n\n{NOTE}{seeds} {LEGEND}\n\n{_as_published(table)}"
        f"{pd.DataFrame(lines).to_markdown(index=False, disable_numparse=True)}\n\n"
        "## Differences larger than the intervals\n\n"
        "Here the intervals have nothing in common; where the published number has none (its number of images was not told, "
        f"or it is an average), it lies outside the measured interval. What has no interval is not judged.\n\n{listed}\n"
    )
