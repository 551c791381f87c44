"""The tables of a study, from the summaries of its records."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from robustness.diagnosis.marks import LEGEND, MARKS, accuracy_note, robust_note, worst
from robustness.diagnosis.verdicts import raised, verdict_of
from robustness.evaluation.scoring import summarise
from robustness.evaluation.study_records import UNBOUNDED, WORST_CASE, StudyRecords
from robustness.statistics.intervals import wilson_interval

ROBUST_COLUMNS = [
    *("dataset", "architecture", "defence", "model", "seed", "attack", "epsilon", "epsilon_unit"),
    *("n", "correct", "accuracy", "ci_low", "ci_high", "loss"),
    # What the attack was, how far it really moved the images, and whether its diagnosis lets the accuracy stand.
    *("method", "norm", "clip", "target", "target_hits", "moved", "max_linf", "max_l2", "verdict"),
]
MODEL_COLUMNS = ["dataset", "architecture", "defence", "model", "seed"]
CLEAN_COLUMNS = [*MODEL_COLUMNS, "part", "n", "correct", "accuracy", "ci_low", "ci_high", "loss"]
WORST_COLUMNS = [
    *("dataset", "architecture", "defence", "model", "seed", "norm", "epsilon", "epsilon_unit"),
    *("n", "correct", "accuracy", "ci_low", "ci_high", "verdict", "broken_by"),
]
TRANSFER_COLUMNS = [
    *("dataset", "seed", "attack", "epsilon", "source", "target"),
    *("n", "correct", "accuracy", "ci_low", "ci_high", "verdict"),
]
TARGETED_COLUMNS = [
    *("dataset", "architecture", "defence", "model", "seed", "attack", "epsilon", "epsilon_unit"),
    *("method", "norm", "target", "n", "target_hits", "success", "ci_low", "ci_high", "verdict"),
]
CURVE_COLUMNS = [
    "dataset",
    "model",
    "attack",
    "epsilon",
    "epsilon_unit",
    "norm",
    "clip",
    "metric",
    "value",
    "low",
    "high",
    "seeds",
    "verdict",
]
PARTS = {"validation": "validation", "test": "test", "evaluation": "attacked subset of test"}


def robust_accuracy(study: StudyRecords, verdicts: pd.DataFrame) -> pd.DataFrame:
    """One row a (model, seed, attack, epsilon), in the config's order; accuracies in [0, 1], norms in epsilon's unit.

    Of a model that can reject the accuracy is that of images accepted and right.
    verdict: the worst of all diagnostics that concern this attack at this epsilon. Where an attack's norm is 0 there is a
    column max_l0 besides, the greatest share of an image's values that it changed.
    """
    rows = []
    for model in study.models:
        for seed in study.seeds:
            for name, epsilons in study.attacks_on(model).items():
                for epsilon in epsilons:
                    summary = study.summary(model, seed, name, epsilon)
                    attack = summary.pop("attack")
                    row = {key: attack[key] for key in ("epsilon", "epsilon_unit", "method", "norm", "clip", "target")}
                    row["verdict"] = verdict_of(verdicts, model, seed, name, attack["norm"], epsilon)
                    rows.append(summary | row | {"attack": name})
    place = ROBUST_COLUMNS.index("max_l2") + 1
    of_norm_0 = ["max_l0"] if any(row["norm"] == "0" for row in rows) else []
    columns = ROBUST_COLUMNS[:place] + of_norm_0 + ROBUST_COLUMNS[place:]
    return pd.DataFrame(rows, columns=columns).astype({"target_hits": "Int64"})


def worst_case(study: StudyRecords, verdicts: pd.DataFrame) -> pd.DataFrame:
    """One row a (model, seed, norm, epsilon): the share of images that survive every attack; accuracies in [0, 1].

    broken_by: what broke the others, each image counted where it fell first, as `attack: images`.
    """
    rows = []
    for model, norms in study.norms.items():
        for seed in study.seeds:
            for norm in norms:
                summary = study.worst_case_summary(model, seed, norm)
                described = {key: summary[key] for key in ROBUST_COLUMNS if key in summary} | {"norm": norm}
                for epsilon, numbers in sorted(summary["epsilons"].items(), key=lambda item: float(item[0])):
                    broken_by = "; ".join(f"{name}: {n}" for name, n in numbers["broken_by"].items())
                    verdict = verdict_of(verdicts, model, seed, WORST_CASE, norm, epsilon)
                    told = {"epsilon": epsilon, "verdict": verdict, "broken_by": broken_by}
                    rows.append(described | numbers | told)
    return pd.DataFrame(rows, columns=WORST_COLUMNS)


def transfer(study: StudyRecords, robust: pd.DataFrame, classifiers: Sequence[str] = ()) -> pd.DataFrame:
    """One row a (seed, attack, epsilon, source, target): accuracy of the target on sets that were crafted on the source.

    Where both are one it is the white-box attack. verdict: of that attack on the source; a set that was crafted where
    there is no gradient is as weak on any other model. Left out are targeted attacks, which want one class, and those
    that epsilon does not bound. classifiers: the models of another technique than a neural network; where there are any,
    the column technique says intra, or cross where the target is one of them.
    """
    columns = ["dataset", "seed", "attack", "epsilon", "n", "correct", "accuracy", "ci_low", "ci_high", "verdict"]
    own = robust[(robust["target"] == "") & (robust["clip"] == "ball") & (robust["epsilon"].astype(float) > 0)]
    rows: list[dict] = []
    on_source = own.set_index(["model", "seed", "attack", "epsilon"])[["dataset", "verdict"]]
    for target in study.transfers:
        for seed in study.seeds:
            groups = study.transfer(target, seed).groupby(["source", "attack", "epsilon"], sort=False)
            for (source, attack, epsilon), records in groups:
                if (source, seed, attack, epsilon) in on_source.index:
                    numbers = summarise(records.assign(loss=float("nan")))
                    crafted = on_source.loc[source, seed, attack, epsilon].to_dict()
                    key = {"seed": seed, "attack": attack, "epsilon": epsilon, "source": source, "target": target}
                    rows.append(key | numbers | crafted)
    own = own[own["model"].isin([*study.transfers, *(row["source"] for row in rows)])]
    rows += [row[columns].to_dict() | {"source": row["model"], "target": row["model"]} for _, row in own.iterrows()]
    table = pd.DataFrame(rows, columns=TRANSFER_COLUMNS)
    if classifiers:
        table["technique"] = np.where(table["target"].isin(classifiers), "cross", "intra")
    models = {name: place for place, name in enumerate(study.models)}
    attacks = {name: place for place, name in enumerate(study.attacks)}
    ranks = {"attack": attacks.get, "source": models.get, "target": models.get, "epsilon": float}
    keys = ["dataset", "seed", "attack", "epsilon", "source", "target"]
    return table.sort_values(
        keys, key=lambda column: column.map(ranks.get(column.name, lambda value: value)), kind="stable"
    ).reset_index(drop=True)


def targeted(robust: pd.DataFrame) -> pd.DataFrame:
    """One row a (model, seed, targeted attack, epsilon): the share of images that the attack brought to its target.

    Images of the target class are left out (of n too), so that no hit is the true class. success, ci_low, ci_high (95 %
    Wilson): shares in [0, 1].
    """
    table = robust[robust["target"] != ""]
    bounds = [wilson_interval(int(hits), int(n)) for hits, n in zip(table["target_hits"], table["n"], strict=True)]
    success = (table["target_hits"] / table["n"]).astype(float)
    table = table.assign(success=success, ci_low=[low for low, _ in bounds], ci_high=[high for _, high in bounds])
    return table[TARGETED_COLUMNS].reset_index(drop=True)


def clean_accuracy(summaries: list[dict]) -> pd.DataFrame:
    """One row a (model, seed, part of the dataset); accuracies in [0, 1]."""
    rows = [
        {key: value for key, value in summary.items() if key != "parts"} | {"part": part} | values
        for summary in summaries
        for part, values in summary["parts"].items()
    ]
    return pd.DataFrame(rows, columns=CLEAN_COLUMNS)


def with_interval(share: float, low: float, high: float, digits: int = 2) -> str:
    """A share of [0, 1] with its interval, in per cent: 86.20 [82.89, 88.95]."""
    return f"{100 * share:.{digits}f} [{100 * low:.{digits}f}, {100 * high:.{digits}f}]"


def percent(row: pd.Series) -> str:
    """An accuracy with its interval, in per cent."""
    return with_interval(row["accuracy"], row["ci_low"], row["ci_high"])


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


def _marked(row: pd.Series) -> str:
    """A robust accuracy with its interval and the mark of its verdict."""
    return f"{percent(row)} {MARKS[row['verdict']]}".strip()


def _robust_blocks(robust: pd.DataFrame, worst_cases: pd.DataFrame, clean: pd.DataFrame, verdicts: pd.DataFrame):
    """Title, note and a table (epsilons down, attacks and worst case across) for each model and seed."""
    for keys, rows in robust.groupby(MODEL_COLUMNS, sort=False):
        dataset, architecture, defence, model, seed = keys
        together = worst_cases[(worst_cases["model"] == model) & (worst_cases["seed"] == seed)]
        names = "worst case" + ("" if together["norm"].nunique() < 2 else ", norm " + together["norm"])
        cells = pd.concat([rows, together.assign(attack=names)])
        cells["cell"] = cells.apply(_marked, axis=1)
        table = cells.pivot(index="epsilon", columns="attack", values="cell")
        table = table.loc[sorted(table.index, key=float), list(dict.fromkeys(cells["attack"]))].fillna("")
        table.index.name, table.columns.name = "epsilon", None
        note = (
            f"{dataset}, {architecture}, defence: {defence}. Accuracy in per cent with 95 % Wilson intervals, under "
            f"{', '.join(_described(row) for _, row in rows.drop_duplicates('attack').iterrows())}"
            f"{' and all attacks together (worst case)' if len(together) else ''}; "
            f"epsilon on the pixel range {rows['epsilon_unit'].iloc[0]}; "
            f"clean accuracy on the same images {percent(_evaluated(clean, model, seed))}."
        )
        for attack in dict.fromkeys(rows.loc[rows["norm"] == "0", "attack"]):
            note += f" Of {attack} epsilon is the share of an image's values that may change; it has no worst case."
        for attack in dict.fromkeys(rows.loc[rows["clip"] == "pixel_range", "attack"]):
            note += f" {attack} {UNBOUNDED}."
        judged = [(row["attack"], row["norm"]) for _, row in rows.drop_duplicates("attack").iterrows()]
        judged += [(WORST_CASE, norm) for norm in dict.fromkeys(together["norm"])]
        for attack, norm in judged:
            against = raised(verdicts, model, seed, attack, norm)
            if len(against):
                names = ", ".join(against["diagnostic"] + " " + against["mark"])
                note += f" Raised against {attack.replace(WORST_CASE, 'the worst case')}: {names}."
        yield f"{model}, seed {seed}", note, table


def curves(robust: pd.DataFrame, worst_cases: pd.DataFrame, clean: pd.DataFrame) -> pd.DataFrame:
    """What the figures against epsilon draw: a row a (dataset, model, attack, epsilon, metric), epsilon 0 unattacked.

    Of a model that can reject an attack's accuracy is that of images accepted and right, while the worst case, which counts
    a rejected image as handled, may lie above.

    metric: accuracy, loss, and perturbation, the longest of the images' in the attack's norm and epsilon's unit. The worst
    case stands as the attack worst_case, for accuracy only. value: of the one seed, or the mean over seeds. low, high: for
    accuracy the 95 % Wilson interval of the one seed, or the least and greatest over seeds; else the least and greatest.
    verdict: the worst of the line.
    """
    rows = []
    every = pd.concat([robust, worst_cases.assign(attack=WORST_CASE, clip="ball")])
    for (dataset, model, attack, norm), group in every.groupby(["dataset", "model", "attack", "norm"], sort=False):
        starts = pd.DataFrame([_evaluated(clean, model, seed) for seed in dict.fromkeys(group["seed"])])
        line = {
            "dataset": dataset,
            "model": model,
            "attack": attack,
            "epsilon_unit": group["epsilon_unit"].iloc[0],
            "norm": norm,
            "clip": group["clip"].iloc[0],
            "verdict": worst(group["verdict"]),
        }
        attacked = group[group["epsilon"].astype(float) > 0]
        attacked = attacked.assign(perturbation=attacked[f"max_l{norm}"])
        unattacked = starts.assign(epsilon="0", perturbation=0.0)
        for epsilon, points in pd.concat([unattacked, attacked]).groupby("epsilon", sort=False):
            for metric in ("accuracy",) if attack == WORST_CASE else ("accuracy", "loss", "perturbation"):
                values = points[metric]
                low, high = values.min(), values.max()
                if metric == "accuracy" and len(points) == 1:
                    low, high = points["ci_low"].iloc[0], points["ci_high"].iloc[0]
                point = {"value": values.mean(), "low": low, "high": high, "seeds": len(points)}
                rows.append(line | {"epsilon": epsilon, "metric": metric} | point)
    return pd.DataFrame(rows, columns=CURVE_COLUMNS)


def _worst_table(worst_cases: pd.DataFrame) -> pd.DataFrame:
    """Models down, epsilons across, one block of columns a norm."""
    cells = worst_cases.assign(cell=worst_cases.apply(_marked, axis=1) if len(worst_cases) else "")
    keys = ["dataset", "model", "seed", "norm"]
    table = cells.pivot(index=keys, columns="epsilon", values="cell")
    table = table[sorted(table.columns, key=float)].fillna("")
    order = list(dict.fromkeys(worst_cases[keys].itertuples(index=False, name=None)))
    table.columns.name = None
    return table.loc[order].reset_index()


def _targeted_table(hits: pd.DataFrame) -> pd.DataFrame:
    """Models and attacks down, epsilons across."""
    keys = ["dataset", "model", "seed", "attack", "norm", "target"]
    cells = hits.assign(cell=hits.assign(accuracy=hits["success"]).apply(_marked, axis=1))
    table = cells.pivot(index=keys, columns="epsilon", values="cell")
    table = table[sorted(table.columns, key=float)].fillna("")
    table.columns.name = None
    return table.loc[list(dict.fromkeys(hits[keys].itertuples(index=False, name=None)))].reset_index()


def _transfer_blocks(transfers: pd.DataFrame):
    """Title and a table (source down, target across) for each dataset, seed, attack and epsilon."""
    for (dataset, seed, attack, epsilon), rows in transfers.groupby(
        ["dataset", "seed", "attack", "epsilon"], sort=False
    ):
        cells = rows.assign(cell=rows.apply(_marked, axis=1))
        table = cells.pivot(index="source", columns="target", values="cell").fillna("")
        table = table.loc[list(dict.fromkeys(rows["source"])), list(dict.fromkeys(rows["target"]))]
        table.index.name, table.columns.name = "crafted on", None
        yield f"{dataset}, {attack} at epsilon {epsilon}, seed {seed}", table.reset_index()


def _clean_table(clean: pd.DataFrame) -> pd.DataFrame:
    cells = clean.assign(cell=clean.apply(percent, axis=1), part=clean["part"].map(PARTS))
    table = cells.pivot(index=MODEL_COLUMNS, columns="part", values="cell")[list(PARTS.values())]
    order = list(dict.fromkeys(clean[MODEL_COLUMNS].itertuples(index=False, name=None)))
    table.columns.name = None
    return table.loc[order].reset_index()


WORST_NOTE = (
    "Share of images, in per cent with 95 % Wilson intervals, that survive every attack of the study that epsilon bounds, "
    "every set that was crafted on another of its models and the cascade of worst_case, at this epsilon and all smaller ones."
)
TARGETED_NOTE = (
    "Share of images, in per cent with 95 % Wilson intervals, that are predicted as the target under a targeted attack, by "
    "epsilon; no other error counts. Images of the target class are left out."
)
TRANSFER_NOTE = (
    "Accuracy in per cent, with 95 % Wilson intervals, of the model of the column on sets that were crafted on the model of "
    "the row. On the diagonal is the white-box attack; a smaller number below or above it means that a stranger's gradient "
    "is worth more than the model's own. The mark is that of the attack on the model it was crafted on."
)


# Of the functions below, rejecting: the models that can reject an image.


def robust_markdown(
    robust: pd.DataFrame,
    worst_cases: pd.DataFrame,
    clean: pd.DataFrame,
    verdicts: pd.DataFrame,
    rejecting: Sequence[str] = (),
) -> str:
    """Markdown in the shape of the published tables, with the worst case beside them."""
    text = f"# Robust accuracy\n\n{LEGEND}{_both_notes(rejecting)}\n"
    for title, note, table in _robust_blocks(robust, worst_cases, clean, verdicts):
        text += f"\n## {title}\n\n{note}\n\n{table.reset_index().to_markdown(index=False, disable_numparse=True)}\n"
    return text


def _both_notes(rejecting: Sequence[str]) -> str:
    """What an attack's accuracy and, beside it, the worst case mean for models that can reject; '' without such."""
    return accuracy_note(rejecting) + robust_note(rejecting).replace(" An image", " In the worst case an image")


def clean_markdown(clean: pd.DataFrame, rejecting: Sequence[str] = ()) -> str:
    """Markdown, one row a model and seed."""
    table = _clean_table(clean).to_markdown(index=False, disable_numparse=True)
    return f"# Clean accuracy\n\nIn per cent, with 95 % Wilson intervals.{accuracy_note(rejecting)}\n\n{table}\n"


def latex(table: pd.DataFrame, caption: str, label: str) -> str:
    """A LaTeX table environment; needs the package booktabs."""
    escaped = table.map(_escape).rename(columns=_escape)
    alignment = "l" * len(table.columns)
    return escaped.to_latex(
        index=False, escape=False, caption=_escape(caption), label=label, column_format=alignment, position="htbp"
    )


def latex_file(tables: Iterable[str]) -> str:
    """Several of these, one below the other, as a file that says what they need."""
    return "% needs \\usepackage{booktabs}\n" + "\n".join(tables)


def _escape(text: object) -> str:
    for character in "&%$#_{}":
        text = str(text).replace(character, "\\" + character)
    return text.replace("†", "\\textdagger{}").replace("‡", "\\textdaggerdbl{}")


def worst_case_markdown(worst_cases: pd.DataFrame, rejecting: Sequence[str] = ()) -> str:
    """Markdown, one row a model, seed and norm, epsilons across."""
    table = _worst_table(worst_cases).to_markdown(index=False, disable_numparse=True)
    return f"# Worst case\n\n{WORST_NOTE}{robust_note(rejecting)} {LEGEND}\n\n{table}\n"


def worst_case_latex(worst_cases: pd.DataFrame, rejecting: Sequence[str] = ()) -> str:
    """LaTeX, one row a model, seed and norm, epsilons across."""
    caption = f"Worst case. {WORST_NOTE}{robust_note(rejecting)} {LEGEND}"
    return latex(_worst_table(worst_cases), caption, "tab:worst-case")


def _transfer_note(transfers: pd.DataFrame, rejecting: Sequence[str]) -> str:
    """What the matrices show, and which of their columns are of another technique."""
    if "technique" not in transfers:
        return TRANSFER_NOTE + accuracy_note(rejecting)
    crossed = ", ".join(dict.fromkeys(transfers.loc[transfers["technique"] == "cross", "target"]))
    technique = f" No neural network is {crossed}: transfer to it is cross-technique, all other intra-technique."
    return TRANSFER_NOTE + technique + accuracy_note(rejecting)


def targeted_markdown(hits: pd.DataFrame) -> str:
    """Markdown, one row a model, seed and targeted attack, epsilons across."""
    table = _targeted_table(hits).to_markdown(index=False, disable_numparse=True)
    return f"# Targeted attacks\n\n{TARGETED_NOTE} {LEGEND}\n\n{table}\n"


def targeted_latex(hits: pd.DataFrame) -> str:
    """LaTeX, one row a model, seed and targeted attack, epsilons across."""
    return latex(_targeted_table(hits), f"Targeted attacks. {TARGETED_NOTE} {LEGEND}", "tab:targeted")


def transfer_markdown(transfers: pd.DataFrame, rejecting: Sequence[str] = ()) -> str:
    """Markdown, a matrix of sources and targets for each attack, epsilon and seed."""
    text = f"# Transfer\n\n{_transfer_note(transfers, rejecting)} {LEGEND}\n"
    for title, table in _transfer_blocks(transfers):
        text += f"\n## {title}\n\n{table.to_markdown(index=False, disable_numparse=True)}\n"
    return text


def transfer_latex(transfers: pd.DataFrame, rejecting: Sequence[str] = ()) -> str:
    """LaTeX, a matrix of sources and targets for each attack, epsilon and seed."""
    return latex_file(
        latex(table, f"{title}. {_transfer_note(transfers, rejecting)} {LEGEND}", f"tab:transfer-{i}")
        for i, (title, table) in enumerate(_transfer_blocks(transfers), start=1)
    )


def robust_latex(
    robust: pd.DataFrame,
    worst_cases: pd.DataFrame,
    clean: pd.DataFrame,
    verdicts: pd.DataFrame,
    rejecting: Sequence[str] = (),
) -> str:
    """LaTeX in the shape of the published tables, a table environment a model and seed."""
    return latex_file(
        latex(
            table.reset_index(),
            f"{title}. {note} {LEGEND}{_both_notes(rejecting)}",
            f"tab:robust-{title.replace(', seed ', '-')}",
        )
        for title, note, table in _robust_blocks(robust, worst_cases, clean, verdicts)
    )


def clean_latex(clean: pd.DataFrame, rejecting: Sequence[str] = ()) -> str:
    """LaTeX, one row a model and seed."""
    caption = f"Clean accuracy in per cent, with 95 % Wilson intervals.{accuracy_note(rejecting)}"
    return latex(_clean_table(clean), caption, "tab:clean")
