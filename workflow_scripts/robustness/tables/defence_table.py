"""All defences in one table: what the study's other tables say of each network at one epsilon, and what it cost."""

from collections.abc import Iterator
from itertools import pairwise

import pandas as pd

from robustness.diagnosis.marks import LEGEND, marks_of, robust_note
from robustness.errors import UserError
from robustness.evaluation.study_records import UNBOUNDED, WORST_CASE
from robustness.tables.accuracy_tables import MODEL_COLUMNS, latex, latex_file, with_interval
from robustness.tables.findings import chosen_epsilon

CLEAN, ROBUST, SUCCESS = "clean_accuracy", "robust_accuracy", "target_success"
REJECTION, DETECTION = "rejection_rate", "detection_rate"
SECONDS, TIMES = "training_seconds", "times_baseline"
COLUMNS = [
    *(*MODEL_COLUMNS, "quantity", "attack", "norm", "clip", "target", "epsilon", "epsilon_unit"),
    *("n", "value", "low", "high", "verdict", "training_of", "baseline"),
]
ACROSS = 5  # attacks beside each other; more would not fit on a page
NOTE = (
    "The networks of the study side by side, from its other tables; substitutes that learned a model's answers, and "
    "teachers that nothing attacks, are left out. Accuracies and rates in per cent with 95 % Wilson intervals; clean accuracy "
    "is that on the images that are attacked, before they are. Each attack stands at one epsilon: that of `findings` if the "
    "attack has it, else the middle one of its own (of an even number the larger of the two). Worst case: survived every "
    "attack that epsilon bounds, every set that was crafted on another model, and the cascade of worst_case, at this epsilon "
    "and all smaller ones."
)
TARGETED = "Share of the images, those of the target class left out, that are predicted as the target under the attack."
REJECTING = (
    "Clean accuracy: accepted and right. Rejection rate: rejected of the unattacked images, the false-positive rate. Detection "
    "rate: rejected of those whose class would be wrong under the attack (rejections.md has more)."
)
COST = (
    "Seconds of the training whole, and the median time an epoch as a multiple of the baseline's (training.md has more); a "
    "teacher's training, or that of a model whose weights were the start, is not in it. A defence that is put around a "
    "trained model trains nothing: the training told is then that of the model inside, which another row may tell, too."
)


def defences(
    models: list[str],
    attacks: list[str],
    epsilon: str | None,
    wraps: dict[str, str],
    *,
    robust: pd.DataFrame,
    clean: pd.DataFrame,
    worst_cases: pd.DataFrame,
    training: pd.DataFrame,
    rejections: pd.DataFrame | None = None,
    targeted: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row a (model, seed, quantity, attack); COLUMNS, in the order of models and attacks; shares and intervals in [0, 1].

    epsilon: of `findings`, as text; an attack that lacks it, or every one for None, stands at its own middle one. wraps:
    {model: the trained one inside}. The others: the study's tables of these names, as read_records gives them.

    quantity: clean_accuracy of the images that are attacked; robust_accuracy of an untargeted attack, of a model that can
    reject that with detection (Tramèr 2022, arXiv 2107.11630); worst_case in a norm at the epsilon of an attack, bounded by
    it; target_success of a targeted attack; of a model that can reject rejection_rate, unattacked, and detection_rate under
    an attack on it; training_seconds and times_baseline, its time an epoch as a multiple of that of baseline, without
    interval, of the training of training_of: the model inside where there is one, since nothing else was trained. What a
    quantity has not is '' or NaN. Raises UserError for a model that the tables lack.
    """
    tables = {"robust": robust, "clean": clean, "worst_cases": worst_cases, "training": training}
    tables |= {"rejections": clean.iloc[:0] if rejections is None else rejections}
    tables |= {"targeted": clean.iloc[:0] if targeted is None else targeted}
    chosen = {}
    for attack in attacks:
        texts = dict.fromkeys(text for text in robust.loc[robust["attack"] == attack, "epsilon"] if float(text) > 0)
        if texts:
            chosen[attack] = chosen_epsilon(list(texts), epsilon)
    rows = []
    for model in models:
        described = clean[(clean["model"] == model) & (clean["part"] == "evaluation")]
        if not len(described):
            raise UserError(f"the tables have no model {model}: name another.")
        trained = wraps.get(model, model)
        for told in described.to_dict("records"):
            of_seed = {}
            for name, table in tables.items():
                whose = trained if name == "training" else model
                of_seed[name] = table[(table["model"] == whose) & (table["seed"] == told["seed"])]
            if not len(of_seed["training"]):
                raise UserError(f"the table of trainings has no model {trained}: name another.")
            nothing = dict.fromkeys(COLUMNS, "") | dict.fromkeys(("n", "value", "low", "high"), float("nan"))
            key = nothing | {column: told[column] for column in MODEL_COLUMNS}
            rows += [key | numbers for numbers in _of_one_network(chosen, told, of_seed)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _of_one_network(chosen: dict[str, str], clean: dict, tables: dict[str, pd.DataFrame]) -> Iterator[dict]:
    """The quantities of one model and seed, of whose rows the tables consist; clean: its row of clean accuracy."""
    yield {"quantity": CLEAN} | _share(clean)
    rejected = tables["rejections"]
    if len(rejected):
        unattacked = rejected[(rejected["attack"] == "clean") & (rejected["part"] == "evaluation")].iloc[0]
        yield {"quantity": REJECTION} | _share(unattacked, "rejection_rate", "rejection")
        rejected = rejected[rejected["source"] == rejected["model"]]  # leaves out the sets of other models
    together: dict[tuple[str, float], str] = {}
    for attack, epsilon in chosen.items():
        for row in _rows(tables["robust"], attack, epsilon):
            key = {
                name: row[name] for name in ("attack", "norm", "clip", "target", "epsilon", "epsilon_unit", "verdict")
            }
            if row["clip"] == "ball":
                together.setdefault((row["norm"], float(epsilon)), epsilon)
            of_attack = _rows(rejected, attack, epsilon) if len(rejected) else []
            for hits in _rows(tables["targeted"], attack, epsilon):
                yield key | {"quantity": SUCCESS} | _share(hits, "success")
            if not row["target"]:
                with_detection = [_share(told, "robust_accuracy", "robust") for told in of_attack]
                yield key | {"quantity": ROBUST} | (with_detection or [_share(row)])[0]
            for told in of_attack:
                unmarked = {"quantity": DETECTION, "verdict": "", "n": told["successful"]}  # as in rejections.md
                yield key | _share(told, "detection_rate", "detection") | unmarked
    for (norm, size), text in together.items():
        found = tables["worst_cases"]
        found = found[(found["norm"] == norm) & (found["epsilon"].astype(float) == size)]
        for row in found.head(1).to_dict("records"):  # two attacks may write one epsilon in two ways
            key = {name: row[name] for name in ("norm", "epsilon_unit", "verdict")}
            yield key | {"quantity": WORST_CASE, "clip": "ball", "epsilon": text} | _share(row)
    for row in tables["training"].to_dict("records"):
        key = {"training_of": row["model"], "baseline": row["baseline"]}
        yield key | {"quantity": SECONDS, "baseline": "", "value": _number(row["seconds"])}
        yield key | {"quantity": TIMES, "value": _number(row["times_baseline"])}


def _rows(table: pd.DataFrame, attack: str, epsilon: str) -> list[dict]:
    """The row of an attack at an epsilon, if there is one."""
    if not len(table):
        return []
    return table[(table["attack"] == attack) & (table["epsilon"] == epsilon)].to_dict("records")


def _number(value: object) -> float:
    """A number of a table; NaN for none, which is '' where the table was read from its file."""
    return float(pd.to_numeric(value, errors="coerce"))


def _share(row: dict | pd.Series, share: str = "accuracy", prefix: str = "ci") -> dict:
    low, high = (_number(row[f"{prefix}_{end}"]) for end in ("low", "high"))
    return {"n": row["n"], "value": _number(row[share]), "low": low, "high": high}


# --- as text ---------------------------------------------------------------------------------------------------------


def _cell(row: dict) -> str:
    """A quantity as it is shown; '' where there is none."""
    if pd.isna(row["value"]):
        return ""
    if row["quantity"] == SECONDS:
        return f"{row['value']:.1f}"
    if row["quantity"] == TIMES:
        return f"{row['value']:.2f} x {row['baseline']}"
    told = with_interval(row["value"], row["low"], row["high"], digits=1)
    told += f" of {row['n']:.0f}" if row["quantity"] == DETECTION else ""
    return f"{told} {marks_of(row['verdict'], row['clip'])}".strip()


HEADS = {CLEAN: "clean accuracy", REJECTION: "rejection rate, unattacked", SECONDS: "seconds", TIMES: "time an epoch"}


def _head(row: dict) -> str:
    """The column in which a quantity is shown; it says the epsilon."""
    if row["quantity"] == WORST_CASE:
        return f"worst case at {row['epsilon']}"
    return HEADS.get(row["quantity"]) or f"{row['attack']} at {row['epsilon']}"


def _models_down(rows: pd.DataFrame, heads: list[str]) -> pd.DataFrame:
    """A row a model and seed, heads across; models that have only what all have are left out."""
    lines: dict[tuple, dict] = {}
    for row in rows.to_dict("records"):
        line = lines.setdefault((row["model"], row["seed"]), {key: row[key] for key in ("model", "defence", "seed")})
        line |= {"training of": row["training_of"]} if row["training_of"] else {}
        line[row["head"]] = row["cell"]
    kept = [line for line in lines.values() if set(line) & set(heads[1:])]
    columns = ["model", "defence", "seed", *(["training of"] if HEADS[SECONDS] in heads else []), *heads]
    return pd.DataFrame(kept, columns=columns).fillna("")


def _in_pages(heads: list[str]) -> list[list[str]]:
    """So many lists, about equally long, that none has more than ACROSS."""
    pages = -(-len(heads) // ACROSS)
    ends = [len(heads) * page // pages for page in range(pages + 1)] if pages else [0]
    return [heads[start:end] for start, end in pairwise(ends)]


def _blocks(table: pd.DataFrame, attacks: list[str]) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Title, note and a table, models down: for each dataset a norm's attacks, targeted ones, rejections and training."""
    table = table.assign(
        head=[_head(row) for row in table.to_dict("records")], cell=[_cell(row) for row in table.to_dict("records")]
    )
    for dataset, rows in table.groupby("dataset", sort=False):
        ranks = {attack: place for place, attack in enumerate(attacks)}
        attacked = rows[rows["attack"] != ""].sort_values("attack", key=lambda names: names.map(ranks), kind="stable")
        clean, together = (rows[rows["quantity"] == quantity] for quantity in (CLEAN, WORST_CASE))
        unit = "".join(attacked["epsilon_unit"].head(1))
        for norm in dict.fromkeys([*attacked["norm"], *together["norm"]]):
            robust, worst = attacked[attacked["quantity"] == ROBUST], together[together["norm"] == norm]
            robust = robust[robust["norm"] == norm]
            last = list(dict.fromkeys(worst["head"]))
            for page, heads in enumerate(_in_pages(list(dict.fromkeys(robust["head"]))) or [[]]):
                if heads or last:
                    shown = _models_down(pd.concat([clean, robust, worst]), [HEADS[CLEAN], *heads, *last])
                    title = f"{dataset}, white box in norm {norm}{', continued' if page else ''}"
                    yield title, _attack_note(robust[robust["head"].isin(heads)], norm, unit), shown
        hits = attacked[attacked["quantity"] == SUCCESS]
        for page, heads in enumerate(_in_pages(list(dict.fromkeys(hits["head"])))):
            aims = hits[hits["head"].isin(heads)].drop_duplicates("attack")
            aims = ", ".join(f"{row.attack} (norm {row.norm}) at {row.target}" for row in aims.itertuples())
            note = f"{TARGETED} Aimed: {aims}; epsilon on the pixel range {unit}."
            title = f"{dataset}, targeted attacks{', continued' if page else ''}"
            yield title, note, _models_down(pd.concat([clean, hits]), [HEADS[CLEAN], *heads])
        refused, found = (rows[rows["quantity"] == REJECTION], attacked[attacked["quantity"] == DETECTION])
        for page, heads in enumerate(_in_pages(list(dict.fromkeys(found["head"]))) or [[]] * bool(len(refused))):
            shown = _models_down(pd.concat([clean, refused, found]), [HEADS[CLEAN], HEADS[REJECTION], *heads])
            shown = shown.rename(columns={head: f"detection rate, {head}" for head in heads})
            yield f"{dataset}, rejections{', continued' if page else ''}", REJECTING, shown
        cost = rows[rows["quantity"].isin([SECONDS, TIMES])]
        yield (
            f"{dataset}, training",
            COST,
            _models_down(pd.concat([clean, cost]), [HEADS[h] for h in (CLEAN, SECONDS, TIMES)]),
        )


def _attack_note(robust: pd.DataFrame, norm: str, unit: str) -> str:
    """What the columns of untargeted attacks in a norm are."""
    if norm == "0":
        return (
            "Robust accuracy; epsilon is the share of an image's values that may change, and norm 0 has no worst case."
        )
    note = f"Robust accuracy; epsilon on the pixel range {unit}."
    for attack in dict.fromkeys(robust.loc[robust["clip"] == "pixel_range", "attack"]):
        note += f" ‡ {attack} {UNBOUNDED}."
    return note


def _rejecting(table: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(table.loc[table["quantity"] == REJECTION, "model"]))


def defences_markdown(table: pd.DataFrame, attacks: list[str]) -> str:
    """Markdown: models down, attacks across. table: of `defences`. attacks: in the order of the columns."""
    text = f"# Defences\n\n{NOTE}{robust_note(_rejecting(table))} {LEGEND}\n"
    for title, note, shown in _blocks(table, attacks):
        text += f"\n## {title}\n\n{note}\n\n{shown.to_markdown(index=False, disable_numparse=True)}\n"
    return text


def defences_latex(table: pd.DataFrame, attacks: list[str]) -> str:
    """LaTeX, a table environment for each table of the Markdown."""
    notes = f"{NOTE}{robust_note(_rejecting(table))} {LEGEND}".replace("`findings`", "findings")
    return latex_file(
        latex(shown, f"Defences: {title}. {note} {notes}", f"tab:defences-{i}")
        for i, (title, note, shown) in enumerate(_blocks(table, attacks), start=1)
    )
