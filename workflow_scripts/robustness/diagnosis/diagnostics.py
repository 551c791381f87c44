"""Signs that a robust accuracy says more about the attack than about the model, each with a verdict from the records.

Every diagnostic is a function (evidence) -> findings, one an epsilon or one for all; RAISED_IF and MEANS tell it in words.
Of two attacks on the same images the one that breaks more is told by an exact one-sided McNemar test.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pandas as pd

from robustness.attacks.attack_settings import AttackSettings, reaches_epsilon
from robustness.diagnosis.marks import FAIL, ORDER, PASS, WARNING
from robustness.evaluation.worst_case_records import GRADIENT_FREE
from robustness.models.rejection import REJECTED, fooled
from robustness.statistics.comparisons import mcnemar_p
from robustness.statistics.intervals import wilson_interval


@dataclass(frozen=True)
class Evidence:
    """What is known about one attack (or the worst case) on one model and seed.

    An image survives an attack that fails on it: of a model that can reject also where it is rejected, which is what an
    adaptive attack avoids; so an attack is held against what another has success with, not against what is merely rejected.

    survivals: {epsilon: (n,) bool by image index}, as the records say. settings: None for the worst case. probes: of the
    probed images. transfer: {(source, epsilon): (n,) bool}, the same attack crafted on other models. zero_gradients:
    {n: images attacked, zero: those without a gradient}, None where none is followed. n_classes: of the dataset. clean:
    label and prediction of the images that are attacked, unattacked (prediction is -1 where one is rejected); empty where
    they are not known. cascade: of the worst case, {epsilon: its summary there}: n, rounds and broken_only_by_transfer
    of evaluate_worst_case.
    """

    survivals: dict[str, pd.Series]
    settings: AttackSettings | None
    probes: pd.DataFrame
    transfer: dict[tuple[str, str], pd.Series]
    zero_gradients: dict[str, int] | None
    n_classes: int
    clean: pd.DataFrame = field(default_factory=pd.DataFrame)
    cascade: dict[str, dict] = field(default_factory=dict)

    def probe(self, name: str, attack: str | None, epsilon: str | None = None) -> pd.DataFrame:
        """Rows of a probe; attack None for one that concerns all attacks, epsilon None for the only one."""
        rows = self.probes[(self.probes["probe"] == name) & (self.probes["attack"] == (attack or ""))]
        return rows if epsilon is None else rows[rows["epsilon"] == epsilon]


@dataclass(frozen=True)
class Finding:
    """A verdict at one epsilon ('' for all): value is what was seen, reference what it is held against."""

    epsilon: str
    verdict: str
    value: float
    reference: float
    n: int
    p: float | None
    says: str


DIAGNOSTICS: dict[str, Callable[[str, Evidence], Iterator[Finding]]] = {}
RAISED_IF: dict[str, str] = {}
MEANS: dict[str, str] = {}


def diagnostic(raised_if: str, means: str) -> Callable:
    """Register a diagnostic under its function's name."""

    def register(function: Callable) -> Callable:
        DIAGNOSTICS[function.__name__] = function
        RAISED_IF[function.__name__], MEANS[function.__name__] = raised_if, means
        return function

    return register


def _survived(rows: pd.DataFrame) -> pd.Series:
    return (~fooled(rows["prediction"], rows["label"])).set_axis(rows["index"])


def _guessing(labels: pd.Series, n_classes: int) -> float:
    """The accuracy of guessing: that of a random class, or of always the largest class among the labels if that is more."""
    return max(1 / n_classes, float(labels.value_counts(normalize=True).max()))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _compared(attacked: pd.Series, reference: pd.Series, epsilon: str, what: str, tests: int = 1) -> Finding | None:
    """A finding on an attack and a reference that should not break more; both (n,) bool by index, on shared images.

    tests: the number of references of which the worst is taken; p is corrected for it (Bonferroni).
    Warning where the reference breaks more by at least 1 point at p < 0.05, fail by at least 5 points at p < 0.001.
    """
    attacked, reference = attacked.align(reference, join="inner")
    n = len(attacked)
    if n == 0:
        return None
    more, fewer = int((attacked & ~reference).sum()), int((reference & ~attacked).sum())
    p = min(1.0, tests * mcnemar_p(more, fewer, "greater"))
    difference = (more - fewer) / n  # of the counts, so that 5 points are 5 points
    value, other = float(attacked.mean()), float(reference.mean())
    verdict = PASS
    if p < 0.05 and difference >= 0.01:
        verdict = FAIL if p < 0.001 and difference >= 0.05 else WARNING
    says = f"this attack leaves {_percent(value)} of {n} images, {what} {_percent(other)}"
    return Finding(epsilon, verdict, value, other, n, p, says)


def _against_probe(evidence: Evidence, probe: str, attack: str | None, what: str) -> Iterator[Finding]:
    """The attack at every epsilon against a probe that should not break more of the probed images."""
    for epsilon, attacked in evidence.survivals.items():
        rows = evidence.probe(probe, attack, epsilon)
        if len(rows) and (found := _compared(attacked, _survived(rows), epsilon, what)):
            yield found


@diagnostic(
    "the gradient of the loss that the attack climbs is exactly zero, in float32, for more than 1 % of the images (fail: "
    "more than 10 %)",
    "the attack does not know where to go on them and leaves them as they are: their survival is no robustness",
)
def zero_gradients(name: str, evidence: Evidence) -> Iterator[Finding]:
    """Gradient masking in its plainest form (Athalye et al. 2018, arXiv 1802.00420)."""
    if evidence.zero_gradients and (n := evidence.zero_gradients["n"]):
        share = evidence.zero_gradients["zero"] / n
        verdict = FAIL if share > 0.1 else WARNING if share > 0.01 else PASS
        yield Finding("", verdict, share, 0.01, n, None, f"{_percent(share)} of {n} images have no gradient")


@diagnostic(
    "one step of the same loss breaks more of the probed images than the attack's many",
    "iterating makes the attack worse, so the gradients mislead it: they are masked",
)
def weaker_than_one_step(name: str, evidence: Evidence) -> Iterator[Finding]:
    """Athalye et al. 2018, section 3.1: one-step attacks perform better than iterative attacks."""
    yield from _against_probe(evidence, "one_step", name, "one step")


@diagnostic(
    "a search that asks the model for nothing but its logits breaks more of the probed images",
    "the gradient leads the attack astray, or the attack is too weak: a stronger one exists and needs no gradient",
)
def weaker_than_gradient_free(name: str, evidence: Evidence) -> Iterator[Finding]:
    """Athalye et al. 2018, section 3.1: black-box attacks are better than white-box attacks."""
    yield from _against_probe(evidence, "gradient_free", None, "a gradient-free search")


@diagnostic(
    "the same attack breaks more images when it is crafted on another model of the study and merely shown to this one",
    "the model's own gradient is worth less than a stranger's: it is masked",
)
def weaker_than_transfer(name: str, evidence: Evidence) -> Iterator[Finding]:
    """Papernot et al. 2017 (arXiv 1602.02697): masked gradients do not stop transferred examples."""
    for epsilon, attacked in evidence.survivals.items():
        sources = {source: moved for (source, at), moved in evidence.transfer.items() if at == epsilon}
        found = [
            _compared(attacked, moved, epsilon, f"the same from {source}", len(sources))
            for source, moved in sources.items()
        ]
        found = [finding for finding in found if finding]
        if found:
            yield max(found, key=lambda finding: (ORDER.index(finding.verdict), -finding.reference))


@diagnostic(
    "random noise of the same size breaks more of the probed images than the attack",
    "the attack does less than nothing: what it reports is not the model's robustness",
)
def weaker_than_noise(name: str, evidence: Evidence) -> Iterator[Finding]:
    """Carlini et al. 2019 (arXiv 1902.06705), section 4: any attack should beat random noise."""
    yield from _against_probe(evidence, "noise", None, "random noise")


@diagnostic(
    "more images survive at an epsilon than at a smaller one",
    "the larger ball holds all of the smaller, so the attack overshoots: it is too weak at this epsilon",
)
def rises_with_epsilon(name: str, evidence: Evidence) -> Iterator[Finding]:
    """Carlini et al. 2019, section 4: accuracy falls monotonically with the distortion; the worst case's by construction."""
    if evidence.settings is None:
        return
    rising = sorted(evidence.survivals, key=float)
    for place, epsilon in enumerate(rising[1:], start=1):
        smaller = min(rising[:place], key=lambda text: evidence.survivals[text].mean())
        attacked, reference = evidence.survivals[epsilon], evidence.survivals[smaller]
        if found := _compared(attacked, reference, epsilon, f"at epsilon {smaller}", tests=place):
            yield found


@diagnostic(
    "more of the probed images than guessing would get right (the largest class, if that is more) survive an epsilon at which "
    "every image can become the same grey (fail: the whole 95 % interval lies above guessing)",
    "no classifier can withstand that, so the attack does not find what is there",
)
def survives_huge_epsilon(name: str, evidence: Evidence) -> Iterator[Finding]:
    """Athalye et al. 2018, section 3.1: unbounded attacks must reach 100 % success."""
    rows = evidence.probe("huge_epsilon", name)
    if len(rows):
        alive = _survived(rows)
        guessing = _guessing(rows["label"], evidence.n_classes)
        low, _ = wilson_interval(int(alive.sum()), len(alive))
        verdict = FAIL if low > guessing else WARNING if alive.mean() > guessing else PASS
        share, epsilon = float(alive.mean()), rows["epsilon"].iloc[0]
        says = f"{_percent(share)} of {len(alive)} images survive epsilon {epsilon}, guessing gets {_percent(guessing)}"
        yield Finding("", verdict, share, guessing, len(alive), None, says)


@diagnostic(
    "twice the iterations break more than 1 % of the probed images besides, with the whole 95 % interval (fail: more than 5 %)",
    "the attack was stopped before it was done: the accuracy is that of its number of iterations",
)
def gains_from_iterations(name: str, evidence: Evidence) -> Iterator[Finding]:
    """Carlini et al. 2019, section 4: verify that attacks have converged."""
    if evidence.settings is None or not evidence.settings.declaration.iterating:
        return
    probed = evidence.probes.loc[evidence.probes["probe"] == "noise", "index"].unique()
    for epsilon in evidence.survivals:
        rows = evidence.probe("twice_the_iterations", name, epsilon)
        broken = int((~_survived(rows)).sum()) if len(rows) else 0
        if len(probed):
            low, _ = wilson_interval(broken, len(probed))
            verdict = FAIL if low > 0.05 else WARNING if low > 0.01 else PASS
            says = f"twice the iterations break {broken} more of {len(probed)} images"
            yield Finding(epsilon, verdict, broken / len(probed), 0.01, len(probed), None, says)


@diagnostic(
    "step x iterations is less than epsilon",
    "the attack can't cross the ball from where it starts, so that beyond the budget the attack is measured, not the model",
)
def step_budget_below_epsilon(name: str, evidence: Evidence) -> Iterator[Finding]:
    """Listing 4.4 of the thesis: 40 steps of 0.01 at epsilons up to 0.8."""
    settings = evidence.settings
    if settings is None or not settings.stepping:
        return
    for epsilon in evidence.survivals:
        step = settings.step if settings.step is not None else settings.relative_step * float(epsilon)
        budget = step * settings.iterations
        verdict = PASS if reaches_epsilon(settings, epsilon) else FAIL
        says = f"step x iterations is {budget:g}, epsilon {epsilon}"
        yield Finding(epsilon, verdict, budget, float(epsilon), len(evidence.survivals[epsilon]), None, says)


@diagnostic(
    "the last round of the cascade still breaks 1 % of the images or more, and as many are left (fail: 5 % or more)",
    "the cascade ended because its budget was spent: with more rounds the worst case would be lower",
)
def worst_case_converged(name: str, evidence: Evidence) -> Iterator[Finding]:
    """Carlini et al. 2019, section 4: verify that attacks have converged; here all of them together.

    Rounds are those of each phase: of the attacks that follow a gradient, and of those that need none.
    """
    for epsilon, told in evidence.cascade.items():
        last = {row["phase"]: row for row in told["rounds"]}.values()
        if not last:
            continue  # nothing was left to attack
        n, left = told["n"], min(row["attacked"] - row["broken"] for row in last)
        most = max(last, key=lambda row: row["broken"])
        share = min(most["broken"], left) / n  # further rounds can break no more than is left
        verdict = FAIL if share >= 0.05 else WARNING if share >= 0.01 else PASS
        kind = most["phase"].replace("_", "-")
        says = (
            f"the last {kind} round, number {most['round']}, breaks {most['broken']} of {n} images, and {left} are left"
        )
        yield Finding(epsilon, verdict, share, 0.01, n, None, says)


@diagnostic(
    "images that every attack along the model's own gradient left fall to the search without a gradient, or to sets that were "
    "crafted on other models: more than 1 % with the whole 95 % interval (fail: more than 5 %)",
    "the gradients lead the attacks past examples that are there: they are masked, and the worst case may still be too high",
)
def broken_without_gradients(name: str, evidence: Evidence) -> Iterator[Finding]:
    """Athalye et al. 2018, section 3.1: black-box attacks are better than white-box attacks."""
    for epsilon, told in evidence.cascade.items():
        searched = sum(row["broken"] for row in told["rounds"] if row["phase"] == GRADIENT_FREE)
        moved, n = told["broken_only_by_transfer"], told["n"]
        low, _ = wilson_interval(searched + moved, n)
        verdict = FAIL if low > 0.05 else WARNING if low > 0.01 else PASS
        says = f"of {n} images that search breaks {searched} which the gradients' attacks leave, other models' sets {moved} more"
        yield Finding(epsilon, verdict, (searched + moved) / n, 0.01, n, None, says)


@diagnostic(
    "the 95 % interval of the clean accuracy on the attacked images reaches down to what guessing gets right (the largest "
    "class, if that is more); or at least nine tenths of the answers are one class, ten points or more above its share of the "
    "labels",
    "the network has collapsed or learnt nothing: an answer that hardly depends on the image does not change under attack "
    "either, which is no robustness",
)
def answers_by_guessing(name: str, evidence: Evidence) -> Iterator[Finding]:
    """Robust accuracy presupposes a classifier: one that answers a constant keeps its accuracy whatever the attack does.

    Where one class has more than nine tenths of the images, a good classifier answers it as often, so that its answers
    alone say nothing: there only the accuracy decides. Between eight and nine tenths the excess over the labels decides.

    Of a model that can reject, a rejected image is not right, as everywhere, since guessing without ever rejecting is open
    to it, too: one that rejects so much that it gets no more right than guessing has nothing that an attack could take.
    Rejection is no class: only the answers to accepted images are counted, and compared with the labels of the same images.
    """
    n = len(evidence.clean)
    if not n:
        return
    labels, predictions = evidence.clean["label"], evidence.clean["prediction"]
    correct, guessing = int((predictions == labels).sum()), _guessing(labels, evidence.n_classes)
    low, _ = wilson_interval(correct, n)
    accepted = predictions != REJECTED
    answers, constant, told = int(accepted.sum()), False, "no image is accepted"
    if answers:
        counts = predictions[accepted].value_counts()
        common, times = counts.index[0], int(counts.iloc[0])
        excess = times - int((labels[accepted] == common).sum())
        constant = (
            10 * times >= 9 * answers and 10 * excess >= answers
        )  # of counts, so that nine tenths are nine tenths
        told = f"class {common} takes {_percent(times / answers)} of the answers"
    says = (
        f"unattacked, {_percent(correct / n)} of {n} images are right (interval from {_percent(low)}), guessing gets "
        f"{_percent(guessing)}; {told}"
    )
    if constant and low > guessing:
        yield Finding("", FAIL, times / answers, 0.9, answers, None, says)
    else:
        yield Finding("", FAIL if low <= guessing else PASS, correct / n, guessing, n, None, says)


# Those that mean that the gradient hides the way, and not just that an attack is weak.
MASKING = ("zero_gradients", *(name for name in DIAGNOSTICS if name.startswith("weaker_than")))
MASKING += ("survives_huge_epsilon", "broken_without_gradients")
UNTARGETED_ONLY = tuple(
    name for name in DIAGNOSTICS if name not in ("zero_gradients", "step_budget_below_epsilon", "answers_by_guessing")
)

# Those that hold an attack against others that stay in the ball of epsilon, or against itself with a longer reach.
BOUNDED_ONLY = (*(name for name in DIAGNOSTICS if name.startswith("weaker_than")), "gains_from_iterations")


def diagnose(name: str, evidence: Evidence) -> pd.DataFrame:
    """All findings on one attack: diagnostic, epsilon, verdict, value, reference, n, p, says.

    A targeted attack is not meant to find any error, so that only its gradient, its budget and the model itself are judged;
    one that epsilon does not bound is not held against what happens within epsilon.
    """
    settings = evidence.settings
    left_out = UNTARGETED_ONLY if settings is not None and settings.targeted else ()
    left_out += BOUNDED_ONLY if settings is not None and not settings.bounded else ()
    rows = [
        {"diagnostic": key, **vars(finding)}
        for key, function in DIAGNOSTICS.items()
        if key not in left_out
        for finding in function(name, evidence)
    ]
    return pd.DataFrame(rows, columns=["diagnostic", *Finding.__dataclass_fields__])
