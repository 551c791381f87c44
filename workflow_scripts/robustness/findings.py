"""What each defence was worth: paired comparisons with its baseline, and the page that tells them in sentences."""

from collections.abc import Sequence

import pandas as pd

from robustness.comparisons import holm, images_needed, mcnemar_p, paired_difference
from robustness.intervals import wilson_interval
from robustness.marks import FAIL, MARKS, robust_note, worst
from robustness.study_records import UNBOUNDED, WORST_CASE, StudyRecords, right
from robustness.verdicts import signs_of_masking, verdict_of

CLEAN = "clean"
COLUMNS = [
    *("dataset", "model", "defence", "baseline", "seed", "attack", "norm", "clip", "epsilon", "n"),
    *("accuracy_baseline", "accuracy", "only_baseline", "only_model", "difference", "low", "high"),
    *("p", "p_holm", "verdict", "verdict_baseline", "verdict_model", "masked", "images_needed"),
]
CLAIM = ["model", "baseline", "attack", "norm", "epsilon"]  # what is tested as one, over all seeds
LEVEL = 0.05


def comparisons(study: StudyRecords, verdicts: pd.DataFrame, pairs: list[tuple[str, str]], difference: float):
    """One row a (model, baseline, seed, attack, epsilon), clean accuracy as attack 'clean' at epsilon 0; a DataFrame.

    pairs: (defended model, baseline). difference: for which images_needed is told. p: exact McNemar, two-sided. p_holm:
    of the claim, the largest p of its seeds (all of them have to agree), corrected by Holm for the number of claims.
    verdict: the worse one of the two models' robust accuracies, verdict_baseline and verdict_model. masked: whether a
    diagnostic that means masking fails for the defended one alone, under an attack that follows a gradient.
    """
    rows = []
    for model, baseline in pairs:
        for seed in study.seeds:
            for attack, norm, clip, epsilon, first, second in _paired(study, model, baseline, seed):
                n = len(first)
                only_model, only_baseline = int((first & ~second).sum()), int((second & ~first).sum())
                delta, low, high = paired_difference(only_model, only_baseline, n)
                both = [verdict_of(verdicts, name, seed, attack, norm, epsilon) for name in (model, baseline)]
                signs = [signs_of_masking(verdicts, name, seed, attack, norm, epsilon) for name in (model, baseline)]
                described = study.clean_summary(model, seed)
                rows.append(
                    {
                        **{key: described[key] for key in ("dataset", "defence")},
                        **{"model": model, "baseline": baseline, "seed": seed, "attack": attack},
                        **{"norm": norm, "clip": clip, "epsilon": epsilon, "n": n},
                        **{"accuracy_baseline": second.mean(), "accuracy": first.mean()},
                        **{"only_baseline": only_baseline, "only_model": only_model},
                        **{"difference": delta, "low": low, "high": high},
                        "p": mcnemar_p(only_model, only_baseline),
                        **{"verdict": worst(both), "verdict_baseline": both[1], "verdict_model": both[0]},
                        "masked": bool(signs[0] - signs[1]) and _follows_gradient(study, model, seed, attack),
                        "images_needed": images_needed(difference, (only_model + only_baseline) / n),
                    }
                )
    table = pd.DataFrame(rows, columns=COLUMNS)
    if len(table):
        claims = table.groupby(CLAIM, sort=False)["p"].max()
        corrected = pd.Series(holm(claims.tolist()), claims.index)
        table["p_holm"] = corrected.loc[pd.MultiIndex.from_frame(table[CLAIM])].to_numpy()
    return table


def _follows_gradient(study: StudyRecords, model: str, seed: int, attack: str) -> bool:
    return attack not in (CLEAN, WORST_CASE) and study.settings(model, seed, attack).climbed_loss != ""


def _paired(study: StudyRecords, model: str, baseline: str, seed: int):
    """(attack, norm, clip, epsilon, survivals of the model, of the baseline), both (n,) bool on the same images.

    Survivals are what counts in robust accuracy: of a model that can reject those of robust accuracy with detection, under a
    single attack as in the worst case.
    """
    first, second = (right(study.clean(name, seed)) for name in (model, baseline))
    yield CLEAN, "", "", "0", first, second.loc[first.index]
    others = study.attacks_on(baseline)
    for attack, epsilons in study.attacks_on(model).items():
        settings = study.settings(model, seed, attack)
        for epsilon in epsilons:
            if attack in others and float(epsilon) > 0 and not settings.targeted:
                first, second = (study.robust(name, seed, attack, epsilon) for name in (model, baseline))
                yield attack, settings.norm, settings.clip, epsilon, first, second.loc[first.index]
    for norm in study.norms.get(model, []):
        if norm in study.norms.get(baseline, []):
            first, second = (study.worst_case(name, seed, norm) for name in (model, baseline))
            for epsilon in first.columns:
                if epsilon in second.columns:
                    yield WORST_CASE, norm, "ball", epsilon, first[epsilon], second.loc[first.index, epsilon]


# --- the page --------------------------------------------------------------------------------------------------------


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _accuracy(rows: pd.DataFrame, column: str, verdicts: str) -> str:
    """An accuracy in words, with its mark: of one seed its interval, of several the mean with the least and greatest."""
    values, n, mark = rows[column], rows["n"].iloc[0], MARKS[worst(rows[verdicts])]
    if len(rows) == 1:
        low, high = wilson_interval(round(values.iloc[0] * n), n)
        told = f"[{100 * low:.1f}, {100 * high:.1f}]"
    else:
        told = f"({100 * values.min():.1f} to {100 * values.max():.1f} over {len(rows)} seeds)"
    return f"{100 * values.mean():.1f} % {told} {mark}".strip()


def _before_and_after(rows: pd.DataFrame) -> tuple[str, str]:
    """The accuracies of the baseline and of the defended model, each with its own mark."""
    return _accuracy(rows, "accuracy_baseline", "verdict_baseline"), _accuracy(rows, "accuracy", "verdict_model")


def _difference(rows: pd.DataFrame) -> str:
    """A difference in points with its 95 % interval; of several seeds the mean, and from the lowest to the highest bound."""
    return (
        f"{100 * rows['difference'].mean():+.1f} points [{100 * rows['low'].min():+.1f}, {100 * rows['high'].max():+.1f}], "
        f"{_p(rows['p_holm'].iloc[0])}"
    )


def _change(rows: pd.DataFrame) -> str:
    before, after = _before_and_after(rows)
    return f"from {before} to {after} ({_difference(rows)})"


def _gains(rows: pd.DataFrame) -> int:
    """1 where the accuracy rose for sure, -1 where it fell for sure, else 0."""
    if rows["p_holm"].iloc[0] >= LEVEL or rows["difference"].min() * rows["difference"].max() < 0:
        return 0
    return 1 if rows["difference"].mean() > 0 else -1


def _masking(attacked: pd.DataFrame, together: pd.DataFrame) -> str:
    """What the worst case leaves of a gain, as a sentence; masking is what the diagnosis of the attack calls so."""
    gain, left = attacked["difference"].mean(), together["difference"].mean()
    if _gains(attacked) < 1:
        return "There is no gain to explain."
    if worst(together["verdict"]) == FAIL:
        return "How much of the gain is real is not decided: the worst case itself fails its diagnosis."
    share = min(100 * (gain - left) / gain, 100)
    told = f"Of the gain of {100 * gain:.1f} points {f'{100 * left:.1f} are' if left > 0 else 'nothing is'} left"
    cause = "masking" if attacked["masked"].any() else "owed to the weakness of the attack"
    if share > 90:
        return f"{told}: it is {cause}."
    if share > 50:
        return f"{told}: it is mostly {cause} ({share:.0f} %)."
    if share > 10:
        return f"{told}: {share:.0f} % of it is {cause}."
    if _gains(together) < 1:
        return f"{told}, which is not to be told from chance."
    return f"{told}: it is real as far as these attacks can tell."


def _status(together: pd.DataFrame, difference: float) -> str:
    """Whether the claim that a defence raises robust accuracy stands at one epsilon, by the worst case.

    Without a gain that is to be told from chance it is decided only if the interval excludes one of `difference`.
    """
    gain = _gains(together)
    # A worst case that fails its diagnosis is too high: of the defended model it hides a loss, of the baseline a gain.
    hidden = {-1: "verdict_baseline", 1: "verdict_model", 0: "verdict"}[gain]
    if worst(together[hidden]) == FAIL:
        return "is not decided: the worst case itself fails its diagnosis"
    if gain:
        return "stands" if gain == 1 else "does not stand: robust accuracy fell"
    if together[["accuracy", "accuracy_baseline"]].max(axis=None) < difference:
        return f"finds nothing to stand on: less than {100 * difference:g} % of the images survive on either model"
    if together["high"].max() < difference:
        return (
            "does not stand: no gain is to be told from chance, and the interval excludes one of "
            f"{100 * difference:g} points"
        )
    return "is not decided: no gain is to be told from chance, but there are too few images to exclude one"


def _middle(epsilons: list[str]) -> str:
    rising = sorted(epsilons, key=float)
    return rising[len(rising) // 2]


def chosen_epsilon(texts: list[str], epsilon: str | None) -> str:
    """The epsilon, of those of an attack, that stands for it: the configured one if it is there, else the middle one."""
    wanted = [text for text in texts if epsilon is not None and float(text) == float(epsilon)]
    return wanted[0] if wanted else _middle(texts)


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
        text += (
            f"\n- Under {attack}, {defence} changed robust accuracy at epsilon {at} {_change(here)}; under attacks that see "
            f"through masking, {_change(together)}. {_masking(here, together)}"
        )
    return text + "\n" if text else "\nNo untargeted attack was run on both.\n"


def _claim(rows: pd.DataFrame, claim: tuple[str, str] | None, epsilon: str | None, difference: float) -> str:
    """Whether a published claim stands, a paragraph a norm."""
    if claim is None:
        return "\nThe study names no published claim to hold this against (`claim` of the model).\n"
    text, (words, source) = "", claim
    for norm, part in rows[rows["attack"] == WORST_CASE].groupby("norm", sort=False):
        at = chosen_epsilon(list(dict.fromkeys(part["epsilon"])), epsilon)
        told = {eps: _status(here, difference) for eps, here in part.groupby("epsilon", sort=False)}
        others: dict[str, list[str]] = {}
        for eps, status in told.items():
            others.setdefault(status, []).extend([eps] if eps != at else [])
        rest = "; ".join(f"at {', '.join(texts)} it {status}" for status, texts in others.items() if texts)
        text += (
            f'\nPublished claim: "{words}" ({source}). At epsilon {at} (norm {norm}), by the worst case, it '
            f"**{told[at]}**{'; ' + rest if rest else ''}.\n"
        )
    return (
        text
        or f'\nPublished claim: "{words}" ({source}). It **is not decided**: the two have no worst case in common.\n'
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
) -> str:
    """findings.md. table: of `comparisons`. claims: {model: (text, source)} as published. epsilon: of the sentences.

    unlike: {model: attacks that were run on it or on its baseline, but not on both}. cascade: attacks of the worst case.
    rejecting: the models that can reject.
    """
    text = "# What each defence was worth\n\n"
    if not len(table):
        return text + "No model of this study has a defence and a baseline to be measured against.\n"
    named = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {', '.join(map(str, seeds))}"
    text += (
        f"Every number is measured ({named}). An accuracy has its 95 % Wilson interval, a difference that of Agresti and Min "
        "for pairs, each for itself. p is McNemar's exact test on the same images, corrected by Holm for the "
        f"{len(table.groupby(CLAIM))} comparisons of this page; it speaks of these trained networks on other images, not of "
        "other trainings. "
    )
    if len(seeds) > 1:
        text += (
            "With several seeds an accuracy is their mean with the least and greatest, the bracket of a difference reaches "
            "from the lowest to the highest bound of all seeds, and p is the largest of them, since all have to agree. "
        )
    text += (
        "Attacks that see through masking are the worst case: an image counts as robust only if it survives every attack of "
        f"the study that epsilon bounds, every set that was crafted on another model, and the cascade of {', '.join(cascade)}. "
        f"{MARKS['fail']} marks a number that fails its diagnosis, {MARKS['warning']} one that is warned of (verdicts.md).{robust_note(rejecting)}\n"
    )
    for (model, baseline), rows in table.groupby(["model", "baseline"], sort=False):
        kind = rows["defence"].iloc[0].replace("_", " ")
        defence = model if kind == "none" else kind
        text += f"\n## {model}{'' if kind == 'none' else f' ({kind})'} against {baseline}\n\n"
        text += f"Clean accuracy went {_change(rows[rows['attack'] == CLEAN])}.\n"
        text += _sentences(rows, defence, epsilon)
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
