"""The tables of temperature sweeps: accuracies and vanished gradients against the temperature of training."""

from dataclasses import dataclass

import pandas as pd

from robustness.diagnosis.marks import LEGEND, MARKS, worst
from robustness.errors import UserError
from robustness.evaluation.study_records import WORST_CASE
from robustness.statistics.intervals import wilson_interval
from robustness.tables.accuracy_tables import with_interval

COLUMNS = [
    *("dataset", "sweep", "series", "model", "temperature", "seed"),
    *("quantity", "attack", "climbed_loss", "norm", "epsilon", "epsilon_unit", "value", "low", "high", "n", "verdict"),
]
CURVE_COLUMNS = [
    *(
        "dataset",
        "sweep",
        "series",
        "temperature",
        "quantity",
        "attack",
        "climbed_loss",
        "norm",
        "epsilon",
        "epsilon_unit",
    ),
    *("value", "low", "high", "seeds", "verdict"),
]
CLEAN_PARTS = {"clean_accuracy": "test", "evaluation_accuracy": "evaluation"}
NOTE = (
    "Accuracies, and shares of images without a gradient, against the temperature of training, in per cent with 95 % Wilson "
    "intervals. Every model is attacked at temperature 1, as always. clean: all test images; unattacked: those that are "
    "attacked; worst case: of the attacked images those that survive every attack, all sets that were crafted on other models and the "
    "cascade. no gradient: that of the loss that is named, which the attacks behind it climb, is exactly zero in float32 on "
    "the unattacked image."
)


@dataclass(frozen=True)
class TemperatureSweep:
    """Models that differ in the temperature of their training.

    epsilon: text, in the study's unit. attacks: {name: the loss that it climbs, '' for none}, of one norm. members:
    (series, model, temperature).
    """

    name: str
    epsilon: str
    attacks: dict[str, str]
    members: list[tuple[str, str, float]]


def temperatures(
    sweeps: list[TemperatureSweep],
    robust: pd.DataFrame,
    clean: pd.DataFrame,
    worst_cases: pd.DataFrame,
    verdicts: pd.DataFrame,
) -> pd.DataFrame:
    """One row a (sweep, series, temperature, seed, quantity), temperatures rising; values and intervals in [0, 1].

    quantity: clean_accuracy (all test images), evaluation_accuracy (those that are attacked, unattacked),
    robust_accuracy of an attack, worst_case in its norm, zero_gradients: the share of the attacked images on which the
    gradient of the attack's own climbed_loss is exactly zero, with the verdict of that diagnostic. What a quantity does not
    depend on is ''. robust, clean, worst_cases, verdicts: the study's tables of these names. Raises UserError for a number
    that they do not have.
    """
    rows: list[dict] = []
    for sweep in sweeps:
        order = list(dict.fromkeys(series for series, _, _ in sweep.members))
        for series, model, temperature in sorted(sweep.members, key=lambda member: (order.index(member[0]), member[2])):
            key = {"sweep": sweep.name, "series": series, "model": model, "temperature": temperature}
            tables = [table[table["model"] == model] for table in (robust, clean, worst_cases, verdicts)]
            seeds = list(dict.fromkeys(tables[1]["seed"]))
            if not seeds:
                raise UserError(f"the tables have no model {model}: name another.")
            for seed in seeds:
                of_seed = [table[table["seed"] == seed] for table in tables]
                told = {"dataset": of_seed[1]["dataset"].iloc[0], "seed": seed}
                rows += [key | told | numbers for numbers in _of_one_network(sweep, model, *of_seed)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _of_one_network(sweep, model, robust, clean, worst_cases, verdicts):
    """The quantities of one model and seed, of whose rows the tables consist."""
    nothing = dict.fromkeys(("attack", "climbed_loss", "norm", "epsilon", "epsilon_unit", "verdict"), "")
    for quantity, part in CLEAN_PARTS.items():
        row = _only(clean[clean["part"] == part], f"clean accuracy of {model} on its {part} images")
        yield nothing | {"quantity": quantity} | _accuracy(row)
    norm = ""
    for attack, loss in sweep.attacks.items():
        what = f"{model} under {attack} at epsilon {sweep.epsilon}"
        row = _only(_at_epsilon(robust[robust["attack"] == attack], sweep.epsilon), f"accuracy of {what}")
        norm = row["norm"]
        told = {name: row[name] for name in ("norm", "epsilon", "epsilon_unit", "verdict")}
        yield {"quantity": "robust_accuracy", "attack": attack, "climbed_loss": loss} | told | _accuracy(row)
    row = _only(
        _at_epsilon(worst_cases[worst_cases["norm"] == norm], sweep.epsilon),
        f"worst case of {model} in norm {norm} at epsilon {sweep.epsilon}",
    )
    told = {name: row[name] for name in ("norm", "epsilon", "epsilon_unit", "verdict")}
    yield nothing | {"quantity": WORST_CASE} | told | _accuracy(row)
    zero = verdicts[verdicts["diagnostic"] == "zero_gradients"]
    for attack, loss in sweep.attacks.items():
        if loss:
            row = _only(zero[zero["attack"] == attack], f"share of images of {model} without a gradient under {attack}")
            low, high = wilson_interval(round(row["value"] * row["n"]), int(row["n"]))
            told = {"value": row["value"], "low": low, "high": high, "n": row["n"], "verdict": row["verdict"]}
            yield nothing | {"quantity": "zero_gradients", "attack": attack, "climbed_loss": loss} | told


def _at_epsilon(table: pd.DataFrame, epsilon: str) -> pd.DataFrame:
    return table[table["epsilon"].astype(float) == float(epsilon)]


def _only(table: pd.DataFrame, what: str) -> pd.Series:
    if not len(table):
        raise UserError(f"the tables have no {what}: name what was measured.")
    return table.iloc[0]


def _accuracy(row: pd.Series) -> dict:
    return {"value": row["accuracy"], "low": row["ci_low"], "high": row["ci_high"], "n": row["n"]}


def temperature_curves(table: pd.DataFrame) -> pd.DataFrame:
    """What the figures of temperature sweeps draw: the table's rows with their seeds together.

    value: of the one seed, or the mean over seeds. low, high: the 95 % Wilson interval of the one seed, or the least and
    greatest over seeds. verdict: the worst of the seeds.
    """
    rows = []
    keys = [name for name in CURVE_COLUMNS if name in COLUMNS and name not in ("value", "low", "high", "verdict")]
    for values, points in table.groupby(keys, sort=False):
        several = len(points) > 1
        low = points["value"].min() if several else points["low"].iloc[0]
        high = points["value"].max() if several else points["high"].iloc[0]
        verdict = worst(points["verdict"]) if all(points["verdict"]) else ""
        point = {"value": points["value"].mean(), "low": low, "high": high, "seeds": len(points), "verdict": verdict}
        rows.append(dict(zip(keys, values, strict=True)) | point)
    return pd.DataFrame(rows, columns=CURVE_COLUMNS)


def losses_of(rows: pd.DataFrame) -> dict[str, list[str]]:
    """{loss: the attacks that climb it} of some rows of zero_gradients; such attacks share their numbers."""
    found: dict[str, list[str]] = {}
    for attack, loss in rows[["attack", "climbed_loss"]].drop_duplicates().itertuples(index=False):
        found.setdefault(loss, []).append(attack)
    return found


def temperatures_markdown(table: pd.DataFrame) -> str:
    """Markdown: for each sweep a row a series, temperature and seed, the quantities across."""
    text = f"# Temperatures\n\n{NOTE} {LEGEND}\n"
    for (dataset, sweep), rows in table.groupby(["dataset", "sweep"], sort=False):
        attacked = rows[rows["quantity"] == "robust_accuracy"].iloc[0]
        text += (
            f"\n## {dataset}, {sweep}\n\nEpsilon {attacked['epsilon']} on the pixel range {attacked['epsilon_unit']}, norm "
            f"{attacked['norm']}; n = {attacked['n']} attacked images.\n\n"
        )
        losses = losses_of(rows[rows["quantity"] == "zero_gradients"])
        lines = [
            {"series": series, "temperature": f"{temperature:g}", "model": model, "seed": seed}
            | _cells(of_model, losses)
            for (series, temperature, model, seed), of_model in rows.groupby(
                ["series", "temperature", "model", "seed"], sort=False
            )
        ]
        text += f"{pd.DataFrame(lines).to_markdown(index=False, disable_numparse=True)}\n"
    return text


def _cells(rows: pd.DataFrame, losses: dict[str, list[str]]) -> dict[str, str]:
    """The numbers of one network by the heading of their column."""
    names = {"clean_accuracy": "clean", "evaluation_accuracy": "unattacked", WORST_CASE: "worst case"}
    cells = {}
    for row in rows.itertuples():
        name = names.get(row.quantity, row.attack)
        if row.quantity == "zero_gradients":
            name = f"no gradient of {row.climbed_loss} ({', '.join(losses[row.climbed_loss])})"
        numbers = with_interval(row.value, row.low, row.high)
        # A share without a gradient is itself the sign; marks are for the accuracies that it voids.
        mark = "" if row.quantity == "zero_gradients" else MARKS.get(row.verdict, "")
        cells[name] = f"{numbers} {mark}".strip()
    return cells
