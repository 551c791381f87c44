"""findings.md: what each defence was worth, first as a table of answers, then in sentences; all from `comparisons`.

A gain is a statistically significant one: p, corrected by Holm for the number of comparisons, is below 5 %, and the 95 %
interval excludes zero. A masked gain and a claim that stands exclude each other, since both follow from the worst case.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from robustness.diagnosis.marks import FAIL, MARKS, PASS, robust_note, worst
from robustness.evaluation.study_records import UNBOUNDED, WORST_CASE
from robustness.statistics.intervals import wilson_interval
from robustness.tables.findings import CLAIM, CLEAN, SEEDS_FOR_CLAIMS, chosen_epsilon

LEVEL = 0.05
SHARE_LOST = 0.1  # of a gain, from which on the page says that part of it is lost


@dataclass(frozen=True)
class Answer:
    """What is known of a claim at one epsilon. holds: True, False, or None where it is not decided. reason: a clause or ''."""

    holds: bool | None
    reason: str = ""


# --- numbers as text -------------------------------------------------------------------------------------------------


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _points(share: float) -> str:
    return f"{100 * share:.1f}"


def _accuracy(rows: pd.DataFrame, column: str, verdicts: str) -> str:
    """An accuracy with its mark: of one seed with its interval, of several the mean with the least and greatest."""
    values, n, mark = rows[column], rows["n"].iloc[0], MARKS[worst(rows[verdicts])]
    if len(rows) == 1:
        low, high = wilson_interval(round(values.iloc[0] * n), n)
        text = f"[{100 * low:.1f}, {100 * high:.1f}]"
    else:
        text = f"({100 * values.min():.1f} to {100 * values.max():.1f} over {len(rows)} seeds)"
    return f"{100 * values.mean():.1f} % {text} {mark}".strip()


def _before_and_after(rows: pd.DataFrame) -> tuple[str, str]:
    """The accuracies of the baseline and of the defended model, each with its own mark."""
    return _accuracy(rows, "accuracy_baseline", "verdict_baseline"), _accuracy(rows, "accuracy", "verdict_model")


def _effect(rows: pd.DataFrame) -> str:
    """A difference in points with its 95 % interval."""
    row = rows.iloc[0]
    return f"{100 * row['effect']:+.1f} points [{100 * row['effect_low']:+.1f}, {100 * row['effect_high']:+.1f}]"


def _difference(rows: pd.DataFrame) -> str:
    return f"{_effect(rows)}, {_p(rows['p_holm'].iloc[0])}"


def _change(rows: pd.DataFrame) -> str:
    before, after = _before_and_after(rows)
    return f"from {before} to {after} ({_difference(rows)})"


# --- what follows from the numbers -----------------------------------------------------------------------------------


def _direction(rows: pd.DataFrame) -> int:
    """1 for a gain, -1 for a loss, 0 where neither is statistically significant."""
    row = rows.iloc[0]
    if row["p_holm"] >= LEVEL or row["effect_low"] <= 0 <= row["effect_high"]:
        return 0
    return 1 if row["effect"] > 0 else -1


def _on_trainings(rows: pd.DataFrame) -> str:
    """What a statement on fewer seeds than a claim needs is restricted to."""
    few = {1: " on this one training", 2: " on these two trainings"}
    return few.get(len(rows), "")


def _not_passed(rows: pd.DataFrame) -> str:
    """What the worst cases of a comparison do not pass, as a clause; '' where they pass every verdict."""
    parts = []
    for name, column in (("model", "raised_model"), ("baseline", "raised_baseline")):
        raised = dict.fromkeys(word for text in rows[column] for word in text.split(", ") if word)
        if raised:
            parts.append(f"the worst case of {rows[name].iloc[0]} does not pass {', '.join(raised)}")
    return " and ".join(parts)


def _answer(together: pd.DataFrame, difference: float) -> Answer:
    """Whether a defence raises robust accuracy by `difference` (a share) or more, by the worst case at one epsilon.

    Robust accuracy under attacks is an upper bound. So a gain is one only if both worst cases pass every verdict, and that
    there is none is decided only if the baseline's worst case passes, or if too few images are left on the defended model.
    """
    direction, points = _direction(together), f"{100 * difference:g}"
    highest = max(wilson_interval(round(row.accuracy * row.n), row.n)[1] for row in together.itertuples())
    if highest < difference:
        return Answer(False, f"less than {points} % of the images survive on the defended model")
    if together["effect_high"].iloc[0] < difference and direction == 1:
        return Answer(False, f"the gain is smaller than {points} points")
    if direction == 1:
        missing = _not_passed(together)
        return Answer(None, missing) if missing else Answer(True)
    if worst(together["verdict_baseline"]) != PASS:
        return Answer(None, _not_passed(together))
    if direction == -1:
        return Answer(False, "robust accuracy fell")
    if together["effect_high"].iloc[0] < difference:
        return Answer(False, f"no statistically significant gain, and the interval excludes one of {points} points")
    return Answer(
        None, f"no statistically significant gain, but too few images or trainings to exclude one of {points} points"
    )


def _status(answer: Answer, rows: pd.DataFrame) -> str:
    """A claim's status in a few words. On fewer than three seeds a claim can't stand, and is at most not contradicted."""
    if answer.holds is None:
        return "is not decided"
    if len(rows) >= SEEDS_FOR_CLAIMS:
        return "stands" if answer.holds else "does not stand"
    return f"{'is not' if answer.holds else 'is'} contradicted{_on_trainings(rows)}"


def _cause(attacked: pd.DataFrame) -> str:
    return "masking" if attacked["masked"].any() else "due to the weakness of the attack"


def _what_is_left(attacked: pd.DataFrame, together: pd.DataFrame) -> tuple[str, str]:
    """What the worst case leaves of an attack's gain: (in a few words, as sentences)."""
    gain, left = attacked["effect"].iloc[0], together["effect"].iloc[0]
    cause, on = _cause(attacked), _on_trainings(together)
    if _direction(attacked) < 1:
        if _direction(attacked) == -1:
            return "no gain", "Robust accuracy fell under this attack."
        if attacked["effect_low"].iloc[0] > 0:
            return "no gain", (
                "The interval, taken alone, excludes zero; p, corrected for all comparisons of this page, does not: no "
                "statistically significant gain."
            )
        return "no gain", "There is no statistically significant gain."
    if worst(together["verdict"]) == FAIL:
        return "not decided", f"How much of the gain is real is not decided: {_not_passed(together)}."
    if _direction(together) < 1:
        beyond = f"Of the gain of {_points(gain)} points no statistically significant one is left"
        if together["effect_high"].iloc[0] > gain / 2:
            return "not decided", f"{beyond}, but too few images or trainings to say how much of it is {cause}."
        return f"{'masking' if cause == 'masking' else 'a weak attack'}{on}", f"{beyond}: it is {cause}{on}."
    lost = (gain - left) / gain
    if lost <= SHARE_LOST:
        return f"a gain{on}", (
            f"Of the gain of {_points(gain)} points {_points(min(left, gain))} are left{on}, as far as these attacks can show."
        )
    share = f"{100 * lost:.0f} %"
    return f"a gain{on}, {share} less than it seems", (
        f"Of the gain of {_points(gain)} points {_points(left)} are left{on}; the other {share} are {cause}."
    )


def _cost(rows: pd.DataFrame) -> str:
    """A sentence on the clean accuracy that a defence costs; '' where it costs none."""
    clean = rows[rows["attack"] == CLEAN]
    if _direction(clean) > -1:
        return ""
    return f" It costs {_points(-clean['effect'].iloc[0])} points of clean accuracy."


# --- the page --------------------------------------------------------------------------------------------------------


def _name(rows: pd.DataFrame) -> str:
    """A defended model with its defence."""
    kind = rows["defence"].iloc[0].replace("_", " ")
    model = rows["model"].iloc[0]
    return model if kind == "none" else f"{model} ({kind})"


def _worst_cases(rows: pd.DataFrame, epsilon: str | None):
    """(norm, epsilon of the answer, all worst cases in the norm) of one defended model."""
    for norm, part in rows[rows["attack"] == WORST_CASE].groupby("norm", sort=False):
        yield norm, chosen_epsilon(list(dict.fromkeys(part["epsilon"])), epsilon), part


def answers(table: pd.DataFrame, epsilon: str | None, difference: float) -> pd.DataFrame:
    """The answers, as text: one row a defence and norm. The arguments are those of `page`."""
    lines = []
    for (_, baseline), rows in table.groupby(["model", "baseline"], sort=False):
        clean = rows[rows["attack"] == CLEAN]
        for norm, at, part in _worst_cases(rows, epsilon):
            together = part[part["epsilon"] == at]
            attacked = rows[(rows["norm"] == norm) & (rows["epsilon"] == at) & (rows["clip"] == "ball")]
            attacked = attacked[attacked["attack"] != WORST_CASE]
            line = {"defence": f"{_name(rows)} against {baseline}", "epsilon": f"{at} (norm {norm})"}
            verdict = "no single attack"
            line["apparent gain"] = ""
            if len(attacked):
                most = attacked.loc[attacked["effect"].idxmax(), "attack"]
                shown = attacked[attacked["attack"] == most]
                verdict, _ = _what_is_left(shown, together)
                mark = MARKS[worst(shown["verdict"])]
                line["apparent gain"] = f"{_effect(shown)} {mark} under {most}".replace("  ", " ")
            line["gain under all attacks"] = f"{_effect(together)} {MARKS[worst(together['verdict'])]}".strip()
            line["clean accuracy"] = _effect(clean)
            line["verdict"] = verdict
            line["raises robust accuracy"] = _status(_answer(together, difference), together).removeprefix("is ")
            lines.append(line)
    return pd.DataFrame(lines)


def _table(rows: pd.DataFrame) -> str:
    """All comparisons of one model, one row an attack and epsilon."""
    lines = []
    for (attack, norm, epsilon), part in rows.groupby(["attack", "norm", "epsilon"], sort=False):
        several = f"norm {norm}" if attack == WORST_CASE and rows["norm"].nunique() > 2 else ""
        name = f"{'worst case' if attack == WORST_CASE else attack} {several}".strip()
        before, after = _before_and_after(part)
        lines.append(
            {
                "attack": name,
                "epsilon": epsilon,
                part["baseline"].iloc[0]: before,
                part["model"].iloc[0]: after,
                "difference": _difference(part),
                "images needed": part["images_needed"].max(),
            }
        )
    return pd.DataFrame(lines).to_markdown(index=False, disable_numparse=True)


def _sentences(rows: pd.DataFrame, defence: str, epsilon: str | None) -> str:
    """What a defence changed under each attack of the study, beside the worst case of its norm."""
    text = ""
    attacked = rows[~rows["attack"].isin([CLEAN, WORST_CASE])]
    for (attack, norm), part in attacked.groupby(["attack", "norm"], sort=False):
        at = chosen_epsilon(list(dict.fromkeys(part["epsilon"])), epsilon)
        here = part[part["epsilon"] == at]
        if here["clip"].iloc[0] == "pixel_range":
            text += f"\n- Under {attack}, {defence} changed accuracy at epsilon {at} {_change(here)}. This attack {UNBOUNDED}."
            continue
        if norm == "0":
            text += f"\n- Under {attack}, {defence} changed robust accuracy at epsilon {at} {_change(here)}. Norm 0 has no worst case."
            continue
        together = rows[(rows["attack"] == WORST_CASE) & (rows["norm"] == norm) & (rows["epsilon"] == at)]
        cost = _cost(rows) if _direction(here) == 1 else ""
        text += (
            f"\n- Under {attack}, {defence} changed robust accuracy at epsilon {at} {_change(here)}; under all attacks "
            f"together, {_change(together)}. {_what_is_left(here, together)[1]}{cost}"
        )
    return text + "\n" if text else "\nNo untargeted attack was run on both.\n"


def _claim(rows: pd.DataFrame, claim: tuple[str, str] | None, epsilon: str | None, difference: float) -> str:
    """Whether a published claim stands, a paragraph a norm.

    On fewer seeds than a claim needs at one epsilon only: at several, the chance of one training decides somewhere.
    """
    if claim is None:
        return "\nThe study names no published claim to hold this against (`claim` of the model).\n"
    text, (words, source) = "", claim
    for norm, at, part in _worst_cases(rows, epsilon):
        parts = dict(list(part.groupby("epsilon", sort=False)))
        found = {eps: _answer(here, difference) for eps, here in parts.items()}
        verdicts = {eps: _status(found[eps], here) for eps, here in parts.items()}
        reason = f": {found[at].reason}" if found[at].reason else ""
        others: dict[str, list[str]] = {}
        for eps, status in verdicts.items():
            if eps != at and len(parts[at]) >= SEEDS_FOR_CLAIMS:
                others.setdefault(f"{status}{found[eps].reason and f' ({found[eps].reason})'}", []).append(eps)
        rest = "; ".join(f"at {', '.join(texts)} it {status}" for status, texts in others.items())
        text += (
            f'\nPublished claim: "{words}" ({source}). At epsilon {at} (norm {norm}), by the worst case, it '
            f"**{verdicts[at]}**{reason}{'; ' + rest if rest else ''}.\n"
        )
    return (
        text
        or f'\nPublished claim: "{words}" ({source}). It **is not decided**: the two have no worst case in common.\n'
    )


def _method(
    table: pd.DataFrame, cascade: list[str], difference: float, seeds: list[int], rejecting: Sequence[str]
) -> str:
    """How the numbers were made."""
    named = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {', '.join(map(str, seeds))}"
    text = (
        f"Every number is measured ({named}). p is corrected by Holm for the {len(table.groupby(CLAIM))} comparisons of this "
        "page. "
    )
    text += "An accuracy has its 95 % Wilson interval. " if len(seeds) == 1 else ""
    if len(seeds) < SEEDS_FOR_CLAIMS:
        spread = "An accuracy is the mean over seeds, with the least and greatest. " if len(seeds) > 1 else ""
        text += (
            f"{spread}A difference has the 95 % interval of Agresti and Min for pairs, and p is McNemar's exact test on the same "
            f"images{'; of both seeds the lowest and highest bound and the larger p are given' if len(seeds) > 1 else ''}. They "
            "speak of these trained networks on other images, not of other trainings: another training of the same recipe may "
            "differ by more. So a claim can here be contradicted, or at most not contradicted; to stand it needs "
            f"{SEEDS_FOR_CLAIMS} seeds or more (`seeds`). "
        )
    else:
        text += (
            "An accuracy is the mean over seeds, with the least and greatest. The interval and p of a difference are those of "
            "the test of Dorfman, Berbaum and Metz (1992) with the degrees of freedom of Hillis (2007), to which both the "
            "trainings and the images are samples: they speak of other trainings of the same recipes on other images. "
        )
    return text + (
        f"A claim needs a gain of {100 * difference:g} points or more (`findings.difference`). All attacks together are the "
        "worst case: an image counts as robust only if it survives every attack of the study that epsilon bounds, every set "
        f"that was crafted on another model, and the cascade of {', '.join(cascade)}. {MARKS['fail']} marks a number that fails "
        f"its diagnosis, {MARKS['warning']} one that is warned of (verdicts.md).{robust_note(rejecting)}\n"
    )


def page(
    table: pd.DataFrame,
    claims: dict[str, tuple[str, str]],
    unlike: dict[str, list[str]],
    cascade: list[str],
    epsilon: str | None,
    difference: float,
    seeds: list[int],
    rejecting: Sequence[str] = (),
    trainings: str = "",
) -> str:
    """findings.md. table: of `comparisons`. claims: {model: (text, source)} as published. epsilon: of the answers.

    unlike: {model: attacks that were run on it or on its baseline, but not on both}. cascade: attacks of the worst case.
    difference: the smallest gain, a share, that counts as one for a claim. rejecting: the models that can reject. trainings:
    what is to be said of trainings that failed.
    """
    text = "# What each defence was worth\n\n"
    warned = f"\n{trainings}\n" if trainings else ""
    if not len(table):
        return text + "No model of this study has a defence and a baseline to be measured against.\n" + warned
    first = answers(table, epsilon, difference)
    text += f"{first.to_markdown(index=False, disable_numparse=True)}\n{warned}" if len(first) else warned
    text += f"\n{_method(table, cascade, difference, seeds, rejecting)}"
    for (model, baseline), rows in table.groupby(["model", "baseline"], sort=False):
        kind = rows["defence"].iloc[0].replace("_", " ")
        text += f"\n## {_name(rows)} against {baseline}\n\n"
        text += f"Clean accuracy went {_change(rows[rows['attack'] == CLEAN])}.\n"
        text += _sentences(rows, model if kind == "none" else kind, epsilon)
        text += _claim(rows, claims.get(model), epsilon, difference)
        if unlike.get(model):
            text += (
                f"\nThe two were not attacked alike: {', '.join(unlike[model])} was run on one of them only. In the worst case it "
                "counts for that one, and for the other merely as transfer.\n"
            )
        text += f"\n{_table(rows)}\n"
    text += (
        f"\nImages needed: to see a difference of {100 * difference:g} points at the 5 % level with a chance of 80 %, before any "
        "correction, if as many images as here are right under one model alone (Connor 1987).\n"
    )
    return text
