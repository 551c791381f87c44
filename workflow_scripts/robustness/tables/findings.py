"""What each defence was worth: paired comparisons with its baseline, as a table (findings_page.py makes the page of it)."""

import numpy as np
import pandas as pd

from robustness.diagnosis.marks import PASS, worst
from robustness.diagnosis.verdicts import concerning, signs_of_masking, verdict_of
from robustness.evaluation.study_records import WORST_CASE, StudyRecords, right
from robustness.statistics.comparisons import holm, images_needed, mcnemar_p, paired_difference
from robustness.statistics.training_effects import training_effect

CLEAN = "clean"
COLUMNS = [
    *("dataset", "model", "defence", "baseline", "seed", "attack", "norm", "clip", "epsilon", "n"),
    *("accuracy_baseline", "accuracy", "only_baseline", "only_model", "difference", "low", "high"),
    *("p", "effect", "effect_low", "effect_high", "effect_p", "p_holm", "verdict", "verdict_baseline", "verdict_model"),
    *("raised_baseline", "raised_model", "masked", "images_needed"),
]
CLAIM = ["model", "baseline", "attack", "norm", "epsilon"]  # what is tested as one, over all seeds
SEEDS_FOR_CLAIMS = 3  # trainings from which a defence, and not one network, is judged


def comparisons(study: StudyRecords, verdicts: pd.DataFrame, pairs: list[tuple[str, str]], difference: float):
    """One row a (model, baseline, seed, attack, epsilon), clean accuracy as attack 'clean' at epsilon 0; a DataFrame.

    pairs: (defended model, baseline). difference: for which images_needed is computed. p: exact McNemar, two-sided, of one
    seed. effect, effect_low, effect_high, effect_p: the change over all seeds with its 95 % interval. Of three seeds or more
    they come from the test over trainings and images (robustness/statistics/training_effects.py); of one they are the seed's own; of two
    the mean, the lowest and highest bound and the larger p, since both have to agree. p_holm: effect_p, corrected by Holm for
    the number of comparisons, seeds counted as one. verdict: the worse one of the two models' robust accuracies,
    verdict_baseline and verdict_model; raised_baseline, raised_model: the diagnostics that do not pass. masked: whether a
    diagnostic that means masking fails for the defended one alone, under an attack that follows a gradient.
    """
    rows, changes = [], []
    for model, baseline in pairs:
        for seed in study.seeds:
            for attack, norm, clip, epsilon, first, second in _paired(study, model, baseline, seed):
                n = len(first)
                only_model, only_baseline = int((first & ~second).sum()), int((second & ~first).sum())
                delta, low, high = paired_difference(only_model, only_baseline, n)
                against = [(verdicts, name, seed, attack, norm, epsilon) for name in (model, baseline)]
                both = [verdict_of(*key) for key in against]
                signs = [signs_of_masking(*key) for key in against]
                raised = [_raised(*key) for key in against]
                described = study.clean_summary(model, seed)
                changes.append(first.astype(int) - second.astype(int))
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
                        **{"raised_baseline": raised[1], "raised_model": raised[0]},
                        "masked": bool(signs[0] - signs[1]) and _follows_gradient(study, model, seed, attack),
                        "images_needed": images_needed(difference, (only_model + only_baseline) / n),
                    }
                )
    table = pd.DataFrame(rows, columns=COLUMNS)
    if len(table):
        effects = {key: _effect(part, changes) for key, part in table.groupby(CLAIM, sort=False)}
        corrected = dict(zip(effects, holm([effect[-1] for effect in effects.values()])))
        keys = [tuple(key) for key in table[CLAIM].itertuples(index=False)]
        table[["effect", "effect_low", "effect_high", "effect_p"]] = [effects[key] for key in keys]
        table["p_holm"] = [corrected[key] for key in keys]
    return table


def _effect(rows: pd.DataFrame, changes: list[pd.Series]) -> tuple[float, float, float, float]:
    """(difference, low, high, p) over the seeds of one comparison. changes: of each row of the whole table, 1, 0 or -1 an image."""
    if len(rows) < SEEDS_FOR_CLAIMS:
        return rows["difference"].mean(), rows["low"].min(), rows["high"].max(), rows["p"].max()
    order = changes[rows.index[0]].index  # of the images; every seed has the same
    found = training_effect(np.array([changes[row].loc[order] for row in rows.index]))
    return found.mean, found.low, found.high, found.p


def _raised(verdicts: pd.DataFrame, model: str, seed: int, attack: str, norm: str, epsilon: str) -> str:
    """The diagnostics that do not pass for a robust accuracy, separated by commas."""
    rows = concerning(verdicts, model, seed, attack, norm, epsilon)
    return ", ".join(dict.fromkeys(rows.loc[rows["verdict"] != PASS, "diagnostic"]))


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


def chosen_epsilon(texts: list[str], epsilon: str | None) -> str:
    """The epsilon, of those of an attack, that stands for it: the configured one if it is there, else the middle one."""
    wanted = [text for text in texts if epsilon is not None and float(text) == float(epsilon)]
    rising = sorted(texts, key=float)
    return wanted[0] if wanted else rising[len(rising) // 2]
