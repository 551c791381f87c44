"""The answer page of a small study whose numbers are worked out by hand."""

import importlib

import numpy as np
import pytest
from click.testing import CliRunner
from small_study import SmallStudy

from robustness.attacks.attack_settings import AttackSettings
from robustness.evaluation.records import read_records
from robustness.statistics.comparisons import holm
from robustness.statistics.training_effects import training_effect
from robustness.tables import accuracy_tables as tables
from robustness.tables.findings import comparisons
from robustness.tables.findings_page import page
from robustness.version import made_by

CLAIM = {"guarded": ("it raises robust accuracy", "someone, somewhere")}
PAIR = [("guarded", "plain")]


def study(folder, **changes) -> SmallStudy:
    """200 images; on the defended model 80 of them have no gradient, so that fgsm fails its diagnosis.

    Right under plain, guarded: clean 180, 170; fgsm 60, 120; all attacks together 40, 52. The fewer are always among
    the more, so that p = 2 x 2^-|difference|.
    """
    content = {
        "clean": {"plain": 180, "guarded": 170},
        "attacked": {("fgsm", "plain", "0.1"): 60, ("fgsm", "guarded", "0.1"): 120},
        "together": {("plain", "inf", "0.1"): 40, ("guarded", "inf", "0.1"): 52},
        "zero": {("guarded", "fgsm"): 80},
        "defences": {"guarded": "temperature_training"},
        "n": 200,
    }
    return SmallStudy(folder, **(content | changes))


def found(small: SmallStudy, pairs=PAIR, claims=CLAIM, epsilon=None, difference=0.05, unlike=None):
    """The comparisons and the page."""
    records, verdicts = small.read()
    table = comparisons(records, verdicts, pairs, difference)
    return table, page(table, claims, unlike or {}, records.cascade(), epsilon, difference, list(small.seeds))


def together(**right) -> dict:
    """The worst case at epsilon 0.1: who is right under each model."""
    return {(model, "inf", "0.1"): alive for model, alive in right.items()}


def test_the_comparisons_by_hand(tmp_path):
    table, _ = found(study(tmp_path))
    rows = table.set_index("attack")
    assert list(table["attack"]) == ["clean", "fgsm", "worst_case"] and set(table["n"]) == {200}
    assert rows["epsilon"].to_dict() == {"clean": "0", "fgsm": "0.1", "worst_case": "0.1"}
    assert rows.loc["fgsm", ["accuracy_baseline", "accuracy", "difference"]].tolist() == pytest.approx([0.3, 0.6, 0.3])
    assert rows["only_model"].to_dict() == {"clean": 0, "fgsm": 60, "worst_case": 12}
    assert rows["only_baseline"].to_dict() == {"clean": 10, "fgsm": 0, "worst_case": 0}
    p = {"clean": 2 * 2**-10, "fgsm": 2 * 2**-60, "worst_case": 2 * 2**-12}
    assert rows["p"].to_dict() == pytest.approx(p)
    assert rows["p_holm"].to_dict() == pytest.approx(
        {"clean": p["clean"], "fgsm": 3 * p["fgsm"], "worst_case": 2 * p["worst_case"]}
    )
    assert rows["verdict"].to_dict() == {"clean": "pass", "fgsm": "fail", "worst_case": "pass"}
    # 12.5 and 0.5 of 202: 12 / 202 -+ 1.95996 sqrt(13 - 12^2 / 202) / 202
    assert rows.loc["worst_case", ["low", "high"]].tolist() == pytest.approx([0.025395, 0.093417], abs=1e-6)
    assert rows.loc["worst_case", "images_needed"] == 186  # (1.95996 x 0.244949 + 0.84162 x 0.239792)^2 / 0.0025


def test_the_sentence_has_all_of_its_numbers(tmp_path):
    """Wilson's intervals of 60, 120, 40 and 52 of 200; of the gain of 30 points 6 are left, so that 80 % are lost."""
    _, text = found(study(tmp_path))
    assert "## guarded (temperature training) against plain" in text
    assert (
        "Clean accuracy went from 90.0 % [85.1, 93.4] to 85.0 % [79.4, 89.3] (-5.0 points [-8.1, -1.8], p = 0.002)"
        in text
    )
    assert (
        "- Under fgsm, temperature training changed robust accuracy at epsilon 0.1 from 30.0 % [24.1, 36.7] to "
        "60.0 % [53.1, 66.5] † (+30.0 points [+23.3, +36.1], p < 0.001); under all attacks together, "
        "from 20.0 % [15.0, 26.1] to 26.0 % [20.4, 32.5] (+6.0 points [+2.5, +9.3], p < 0.001). "
        "Of the gain of 30.0 points 6.0 are left on this one training; the other 80 % are masking. It costs 5.0 points of clean "
        "accuracy."
    ) in text
    assert "(seed 1)" in text and "for the 3 comparisons of this page" in text
    assert "| worst case | 0.1       | 20.0 % [15.0, 26.1] | 26.0 % [20.4, 32.5]   |" in text


def test_an_attack_that_leaves_the_ball_is_not_held_against_the_worst_case(tmp_path):
    """Right under it: plain 10, guarded 30 of 200."""
    loose = AttackSettings("bim", relative_step=1, iterations=10, clip="pixel_range")
    attacked = {("fgsm", "plain", "0.1"): 60, ("fgsm", "guarded", "0.1"): 120, ("loose", "plain", "0.1"): 10}
    small = study(tmp_path, attacked=attacked | {("loose", "guarded", "0.1"): 30}, settings={"loose": loose})
    table, text = found(small)
    assert dict(zip(table["attack"], table["clip"])) == {
        "clean": "", "fgsm": "ball", "loose": "pixel_range", "worst_case": "ball",
    }  # fmt: skip
    (sentence,) = [line for line in text.splitlines() if line.startswith("- Under loose")]
    assert sentence.startswith("- Under loose, temperature training changed accuracy at epsilon 0.1 from 5.0 % ")
    assert "This attack is bounded by the pixel range only" in sentence and "neither in the worst case" in sentence
    assert "all attacks together" not in sentence and "Of the gain" not in sentence
    assert small.read()[0].bounded_attacks_on("plain") == ["fgsm"]


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (20, "no statistically significant one is left: it is masking on this one training."),
        (40, "no statistically significant one is left: it is masking on this one training."),
        (46, "3.0 are left on this one training; the other 90 % are masking."),
        (60, "10.0 are left on this one training; the other 67 % are masking."),
        (80, "20.0 are left on this one training; the other 33 % are masking."),
        (96, "28.0 are left on this one training, as far as these attacks can show."),
        (120, "30.0 are left on this one training, as far as these attacks can show."),
    ],
)
def test_what_the_worst_case_leaves_of_a_gain(tmp_path, left, words):
    """The attack's gain is 30 points, 60 images; the baseline's worst case 40."""
    _, text = found(study(tmp_path, together=together(plain=40, guarded=left)))
    assert f"Of the gain of 30.0 points {words}" in text


def test_without_a_failed_diagnosis_a_lost_gain_is_not_called_masking(tmp_path):
    _, text = found(study(tmp_path, zero={}))
    assert "6.0 are left on this one training; the other 80 % are due to the weakness of the attack." in text
    assert "60.0 % [53.1, 66.5] (+30.0 points" in text and "†" not in text.split("\n## ")[1]


@pytest.mark.parametrize(
    ("right", "words"),
    [
        (60, "There is no statistically significant gain."),
        (61, "There is no statistically significant gain."),
        (40, "Robust accuracy fell under this attack."),
    ],
)
def test_no_gain_is_explained_where_there_is_none(tmp_path, right, words):
    small = study(tmp_path, attacked={("fgsm", "plain", "0.1"): 60, ("fgsm", "guarded", "0.1"): right})
    _, text = found(small)
    assert words in text and "Of the gain" not in text and "| no gain" in text


def test_an_interval_beyond_zero_with_a_corrected_p_that_is_not_small_is_no_gain(tmp_path):
    """6 images, p = 2^-5, among more comparisons of larger effect: the interval excludes zero, the corrected p does not."""
    attacked = {("fgsm", "plain", "0.1"): 60, ("fgsm", "guarded", "0.1"): 66}
    table, text = found(study(tmp_path, attacked=attacked, together=together(plain=40, guarded=46)))
    row = table.set_index("attack").loc["fgsm"]
    assert row["low"] > 0 and row["p"] < 0.05 < row["p_holm"]
    assert "The interval, taken alone, excludes zero; p, corrected for all comparisons of this page, does not" in text


CHANCE = {"plain": list(range(40)), "guarded": list(range(12, 60))}  # 12 and 20 discordant images, +4 points
WORST, BASE = ("guarded", "inf", "0.1"), ("plain", "inf", "0.1")
HUGE = {("guarded", "huge_epsilon", "worst_case", "inf", "0.5"): 30}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "is not contradicted on this one training**."),
        ({"together": together(plain=40, guarded=25)}, "is contradicted on this one training**: robust accuracy fell."),
        ({"together": together(plain=40, guarded=40)}, "is contradicted on this one training**: no statistically significant "
         "gain, and the interval excludes one of 5 points."),
        ({"together": together(plain=40, guarded=46)}, "is not contradicted on this one training**."),
        ({"together": together(**CHANCE)}, "is not decided**: no statistically significant gain, but too few images or trainings "
         "to exclude one of 5 points."),
        ({"probed": HUGE}, "is not decided**: the worst case of guarded does not pass survives_huge_epsilon."),
        ({"probed": HUGE, "together": together(plain=40, guarded=25)}, "is contradicted on this one training**: robust accuracy "
         "fell."),
        ({"together": together(plain=5, guarded=3)}, "is contradicted on this one training**: less than 5 % of the images survive "
         "on the defended model."),
        # a worst case that has not converged decides nothing where a lower one would matter
        ({"rounds": {WORST: [("gradient", 60, 2)]}}, "is not decided**: the worst case of guarded does not pass "
         "worst_case_converged."),
        ({"rounds": {BASE: [("gradient", 60, 2)]}, "together": together(plain=40, guarded=25)}, "is not decided**: the worst case "
         "of plain does not pass worst_case_converged."),
        ({"rounds": {WORST: [("gradient", 60, 2)]}, "together": together(plain=40, guarded=25)}, "is contradicted on this one "
         "training**: robust accuracy fell."),
        ({"rounds": {WORST: [("gradient", 60, 1), ("gradient_free", 60, 9)]}}, "is not decided**: the worst case of guarded does "
         "not pass worst_case_converged, broken_without_gradients."),
    ],
)  # fmt: skip
def test_what_becomes_of_a_claim(tmp_path, changes, status):
    _, text = found(study(tmp_path, **changes))
    told = 'Published claim: "it raises robust accuracy" (someone, somewhere). At epsilon 0.1 (norm inf), by the worst case, it '
    assert f"{told}**{status}\n" in text


@pytest.mark.parametrize("worst", range(20, 140, 20))
@pytest.mark.parametrize("attacked", [60, 64, 120])
def test_a_gain_that_is_masking_never_stands(tmp_path, worst, attacked):
    """Nor is a claim upheld whose gain the sentence above it denies, in one comparison."""
    small = study(
        tmp_path,
        attacked={("fgsm", "plain", "0.1"): 60, ("fgsm", "guarded", "0.1"): attacked},
        together=together(plain=40, guarded=worst),
    )
    _, text = found(small)
    denied = "it is masking" in text or "statistically significant one is left" in text
    assert not (denied and "**is not contradicted" in text)
    assert "**stands" not in text


def test_the_page_begins_with_its_answer(tmp_path):
    _, text = found(study(tmp_path))
    first = text.split("\n\n")[1]
    row = [" ".join(cell.split()) for cell in first.splitlines()[2].strip("|").split("|")]
    assert row == [
        "guarded (temperature training) against plain",
        "0.1 (norm inf)",
        "+30.0 points [+23.3, +36.1] † under fgsm",
        "+6.0 points [+2.5, +9.3]",
        "-5.0 points [-8.1, -1.8]",
        "a gain on this one training, 80 % less than it seems",
        "not contradicted on this one training",
    ]


def test_the_difference_that_is_to_be_excluded_is_the_configured_one(tmp_path):
    """+4 points with an interval up to 9.5: 5 points are not excluded, 10 are."""
    table, text = found(study(tmp_path, together=together(**CHANCE)), difference=0.1)
    assert 0.09 < table.set_index("attack").loc["worst_case", "high"] < 0.1
    assert "the interval excludes one of 10 points." in text and "to see a difference of 10 points" in text


EPSILONS = {"0.05": 60, "0.1": 40, "0.2": 40}


def at_three_epsilons(folder, **changes) -> SmallStudy:
    """At the smallest epsilon 20 images are gained, at the others none."""
    attacked = {("fgsm", model, epsilon): 60 for model in ("plain", "guarded") for epsilon in EPSILONS}
    worst_case = {("plain", "inf", epsilon): 40 for epsilon in EPSILONS}
    worst_case |= {("guarded", "inf", epsilon): right for epsilon, right in EPSILONS.items()}
    return study(folder, attacked=attacked, together=worst_case, **changes)


def test_one_training_answers_at_one_epsilon(tmp_path):
    """The middle one, or the configured one."""
    small = at_three_epsilons(tmp_path)
    reason = "no statistically significant gain, and the interval excludes one of 5 points"
    _, text = found(small)
    middle = f"At epsilon 0.1 (norm inf), by the worst case, it **is contradicted on this one training**: {reason}.\n"
    assert middle in text
    _, text = found(small, epsilon="0.05")
    assert "At epsilon 0.05 (norm inf), by the worst case, it **is not contradicted on this one training**.\n" in text
    assert "changed robust accuracy at epsilon 0.05 " in text
    _, text = found(small, epsilon="0.3")  # not among them: the middle one
    assert middle in text


def test_several_trainings_answer_at_every_epsilon(tmp_path):
    _, text = found(at_three_epsilons(tmp_path, seeds=(1, 2, 3)))
    reason = "no statistically significant gain, and the interval excludes one of 5 points"
    assert (
        f"At epsilon 0.1 (norm inf), by the worst case, it **does not stand**: {reason}; at 0.05 it stands; at 0.2 it does not "
        f"stand ({reason}).\n"
    ) in text


def test_a_gain_that_holms_correction_takes_away_is_none(tmp_path):
    """7 images, p = 2^-6 = 0.0156, times 7 for seven claims of which it is the clearest: 0.109."""
    epsilons = ["0.1", "0.2", "0.3"]
    attacked = {("fgsm", model, epsilon): 60 for model in ("plain", "guarded") for epsilon in epsilons}
    worst_case = {(model, "inf", epsilon): 40 for model in ("plain", "guarded") for epsilon in epsilons}
    small = study(
        tmp_path, clean={"plain": 180, "guarded": 180}, attacked=attacked, together=worst_case | together(guarded=47)
    )
    table, text = found(small, epsilon="0.1")
    assert len(table) == 7 and "for the 7 comparisons of this page" in text
    row = table.query("attack == 'worst_case' and epsilon == '0.1'").iloc[0]
    assert (row["p"], row["p_holm"]) == pytest.approx((2**-6, 7 * 2**-6))
    assert "**is not decided**: no statistically significant gain, but too few images" in text


SEEDS = {
    "clean": {"plain": {1: 180, 2: 176, 3: 184}, "guarded": 180},
    "attacked": {("fgsm", "plain", "0.1"): {1: 60, 2: 62, 3: 64}, ("fgsm", "guarded", "0.1"): {1: 120, 2: 110, 3: 100}},
    "seeds": (1, 2, 3),
}


def alive(**right) -> np.ndarray:
    """Defended minus baseline, (seeds, 200): of each model the first so many images are right in each of three seeds."""
    first, second = (np.arange(200) < np.broadcast_to(right[name], 3)[:, None] for name in ("guarded", "plain"))
    return first.astype(int) - second


def test_of_three_seeds_the_trainings_are_the_unit(tmp_path):
    small = study(tmp_path, together=together(plain=40, guarded={1: 58, 2: 60, 3: 57}), **SEEDS)
    table, text = found(small)
    worst_case = table[table["attack"] == "worst_case"]
    assert worst_case["seed"].tolist() == [1, 2, 3]
    assert worst_case["p"].tolist() == pytest.approx([2**-17, 2**-19, 2**-16])
    expected = training_effect(alive(guarded=[58, 60, 57], plain=40))
    columns = worst_case[["effect", "effect_low", "effect_high", "effect_p"]]
    assert columns.to_numpy() == pytest.approx(np.array([[expected.mean, expected.low, expected.high, expected.p]] * 3))
    assert expected.mean == pytest.approx((18 + 20 + 17) / 600)
    assert worst_case["p_holm"].nunique() == 1 and (worst_case["p_holm"] >= expected.p).all()
    assert "(seeds 1, 2, 3)" in text and "for the 3 comparisons of this page" in text
    assert "from 31.0 % (30.0 to 32.0 over 3 seeds) to 55.0 % (50.0 to 60.0 over 3 seeds) † (+24.0 points [" in text
    low, high = 100 * expected.low, 100 * expected.high
    assert f"to 29.2 % (28.5 to 30.0 over 3 seeds) (+9.2 points [{low:+.1f}, {high:+.1f}], p < 0.001)" in text
    assert "Of the gain of 24.0 points 9.2 are left; the other 62 % are masking." in text
    assert "**stands**" in text and "one training" not in text


def test_two_seeds_have_to_agree_and_are_too_few_for_a_claim(tmp_path):
    small = study(tmp_path, seeds=(1, 2), together=together(plain=40, guarded={1: 60, 2: 58}))
    _, text = found(small)
    assert "**is not contradicted on these two trainings**" in text and "**stands" not in text
    _, text = found(study(tmp_path / "one", seeds=(1, 2), together=together(plain=40, guarded={1: 60, 2: 40})))
    assert "**is not decided**" in text


@pytest.mark.parametrize("third", [42, 40, 30])
def test_all_seeds_have_to_agree(tmp_path, third):
    """Two seeds gain 10 points each; one that hardly gains, does not, or loses takes the claim down."""
    _, text = found(study(tmp_path, together=together(plain=40, guarded={1: 60, 2: 60, 3: third}), **SEEDS))
    assert "**is not decided**: no statistically significant gain, but too few images or trainings" in text


def test_each_accuracy_has_the_mark_of_its_own_diagnosis(tmp_path):
    """That of the baseline fails, that of the defended model is warned of: 80 and 10 of 200 without a gradient."""
    table, text = found(study(tmp_path, zero={("plain", "fgsm"): 80, ("guarded", "fgsm"): 10}))
    fgsm = table.set_index("attack").loc["fgsm"]
    assert fgsm[["verdict", "verdict_baseline", "verdict_model"]].tolist() == ["fail", "fail", "warning"]
    assert "from 30.0 % [24.1, 36.7] † to 60.0 % [53.1, 66.5] * (+30.0 points" in text
    assert "| 30.0 % [24.1, 36.7] † | 60.0 % [53.1, 66.5] * |" in text
    assert "are due to the weakness of the attack" in text  # on the defended model nothing failed


def test_a_mark_of_any_seed_is_told(tmp_path):
    probed = {("guarded", "noise", "", "inf", "0.1"): {1: 50, 2: 20}}
    small = study(tmp_path, zero={}, probed=probed, seeds=(1, 2))
    table, text = found(small)
    assert table[table["attack"] == "fgsm"]["verdict"].tolist() == ["pass", "fail"]
    assert "60.0 % (60.0 to 60.0 over 2 seeds) †" in text


def test_a_lost_gain_is_masking_only_where_a_diagnosis_means_it(tmp_path):
    """An attack whose steps can't reach epsilon fails its diagnosis, too, but its gradient is none the worse."""
    short = {"fgsm": AttackSettings("bim", step=0.001, iterations=3)}
    table, text = found(study(tmp_path, zero={}, settings=short))
    assert table.set_index("attack").loc["fgsm", ["verdict_model", "masked"]].tolist() == ["fail", False]
    assert "are due to the weakness of the attack" in text
    table, _ = found(study(tmp_path / "masked"))
    assert table["masked"].tolist() == [False, True, False]


def test_what_fails_on_the_baseline_too_is_no_masking(tmp_path):
    """FGSM at a huge epsilon overshoots on either model; noise has no gradient that could be masked."""
    probed = {(model, "huge_epsilon", "fgsm", "inf", "0.5"): 30 for model in ("plain", "guarded")}
    table, text = found(study(tmp_path, zero={}, probed=probed))
    assert table.set_index("attack").loc["fgsm", ["verdict", "masked"]].tolist() == ["fail", False]
    assert "are due to the weakness of the attack" in text
    del probed["plain", "huge_epsilon", "fgsm", "inf", "0.5"]
    table, _ = found(study(tmp_path / "one", zero={}, probed=probed))
    assert table["masked"].tolist() == [False, True, False]
    noise = {"fgsm": AttackSettings("noise")}
    table, _ = found(study(tmp_path / "noise", zero={}, probed=probed, settings=noise))
    assert not table["masked"].any()


def test_a_baseline_whose_worst_case_fails_decides_nothing(tmp_path):
    """Its number is too high, so the defended model may only seem to fall behind, or a gain may be larger than it seems."""
    probed = {("plain", "huge_epsilon", "worst_case", "inf", "0.5"): 30}
    for folder, changes in (("loss", {"together": together(plain=60, guarded=25)}), ("gain", {})):
        _, text = found(study(tmp_path / folder, probed=probed, **changes))
        assert "**is not decided**: the worst case of plain does not pass survives_huge_epsilon." in text


def test_what_is_left_of_a_gain_is_real_only_beyond_chance(tmp_path):
    wide = together(plain=list(range(40)), guarded=list(range(30, 100)))  # 30 and 60 discordant images: +15 points
    _, text = found(
        study(tmp_path, together=wide, attacked={("fgsm", "plain", "0.1"): 60, ("fgsm", "guarded", "0.1"): 88})
    )
    assert "14.0 are left on this one training, as far as these attacks can show." in text
    wide = together(plain=list(range(60)), guarded=list(range(30, 100)))  # 30 and 40: +5 points of a gain of 5
    _, text = found(
        study(
            tmp_path / "chance", together=wide, attacked={("fgsm", "plain", "0.1"): 60, ("fgsm", "guarded", "0.1"): 70}
        )
    )
    assert (
        "Of the gain of 5.0 points no statistically significant one is left, but too few images or trainings to say how much of "
        "it is masking."
    ) in text


def test_a_worst_case_that_fails_calls_no_gain_real(tmp_path):
    _, text = found(study(tmp_path, probed=HUGE, together=together(plain=40, guarded=110)))
    assert (
        "How much of the gain is real is not decided: the worst case of guarded does not pass survives_huge_epsilon."
        in text
    )


def collapsed(folder, clean: int) -> SmallStudy:
    """The defended model answers class 3 whatever it sees and keeps that under every attack: clean images are right, 20 of 200."""
    of_class_3 = list(range(3, 10 * clean, 10))
    attacks = {
        "fgsm": AttackSettings("fgsm"),
        "aimed": AttackSettings("fgsm", target="least_likely"),
        "loose": AttackSettings("bim", relative_step=1, iterations=2, clip="pixel_range"),
        "few": AttackSettings("jsma", norm="0", own={"theta": 1}),
        "round": AttackSettings("fgsm", norm="2"),
    }
    alive = {"plain": 2, "guarded": of_class_3}
    return study(
        folder,
        clean={"plain": 180, "guarded": of_class_3},
        attacked={(name, model, "0.1"): alive[model] for name in attacks for model in alive},
        together={(model, norm, "0.1"): alive[model] for norm in ("inf", "2") for model in alive},
        settings=attacks,
        zero={},
    )


def test_a_network_that_answers_by_guessing_has_no_robust_accuracy_at_all(tmp_path):
    """20 of 200 images are right; were all classes alike, guessing would get as many."""
    records, verdicts = collapsed(tmp_path, clean=20).read()
    for model, raised in (("guarded", "fail"), ("plain", "pass")):
        rows = verdicts[(verdicts["model"] == model) & (verdicts["diagnostic"] == "answers_by_guessing")]
        judged = set(zip(rows["attack"], rows["norm"]))
        singles = {("fgsm", "inf"), ("aimed", "inf"), ("loose", "inf"), ("few", "0"), ("round", "2")}
        assert judged == singles | {("worst_case", "inf"), ("worst_case", "2")}
        assert set(rows["verdict"]) == {raised} and set(rows["epsilon"]) == {""}
    robust, worst = tables.robust_accuracy(records, verdicts), tables.worst_case(records, verdicts)
    for table in (robust, worst):
        assert set(table.loc[table["model"] == "guarded", "verdict"]) == {"fail"}
        assert "fail" not in set(table.loc[table["model"] == "plain", "verdict"])
    assert len(robust) == 10 and len(worst) == 4


def test_a_network_that_answers_by_guessing_has_no_gain_and_is_not_masked(tmp_path):
    table, text = found(collapsed(tmp_path, clean=20))
    rows = table[table["attack"].isin(["fgsm", "worst_case"]) & (table["norm"] == "inf")]
    assert (rows["difference"] > 0.08).all() and (rows["p_holm"] < 0.05).all()
    assert set(table.loc[table["attack"] != "clean", "verdict_model"]) == {"fail"}
    assert not table["masked"].any() and "it is masking" not in text and "it is real" not in text
    assert "**is not decided**: the worst case of guarded does not pass answers_by_guessing" in text
    assert "| not decided" in text.split("##")[0]


def test_models_that_were_not_attacked_alike_are_told(tmp_path):
    small = study(tmp_path)
    assert "attacked alike" not in found(small)[1]
    assert "aimed, pgd was run on one of them only" in found(small, unlike={"guarded": ["aimed", "pgd"]})[1]


def test_no_defended_model(tmp_path):
    table, text = found(study(tmp_path, defences={}), pairs=[], claims={})
    assert len(table) == 0 and "p_holm" in table
    assert "No model of this study has a defence and a baseline" in text


def test_a_baseline_with_other_attacks_is_compared_under_those_of_both(tmp_path):
    attacked = {
        ("fgsm", "plain", "0.1"): 60,
        ("fgsm", "guarded", "0.1"): 120,
        ("bim", "plain", "0.1"): 50,
        ("pgd", "guarded", "0.1"): 90,
        ("aimed", "plain", "0.1"): 150,
        ("aimed", "guarded", "0.1"): 160,
        ("fgsm", "plain", "0"): 180,
        ("fgsm", "guarded", "0"): 170,
    }
    settings = {"aimed": AttackSettings("fgsm", target="least_likely")}
    table, text = found(study(tmp_path, attacked=attacked, settings=settings))
    assert table["attack"].tolist() == ["clean", "fgsm", "worst_case"]  # nor the targeted attack, nor epsilon 0
    assert "pgd" not in text and "bim" not in text and "aimed" not in text


def test_a_baseline_with_other_epsilons_in_its_worst_case(tmp_path):
    small = study(tmp_path)
    small.together |= {("guarded", "inf", "0.3"): 7, ("guarded", "2", "1"): 9}
    table, _ = found(small)
    assert table.query("attack == 'worst_case'")[["norm", "epsilon"]].to_numpy().tolist() == [["inf", "0.1"]]


def test_a_baseline_that_is_not_attacked_leaves_the_clean_accuracy(tmp_path):
    small = study(tmp_path, attacked={("fgsm", "guarded", "0.1"): 120}, together=together(guarded=50))
    table, text = found(small)
    assert table["attack"].tolist() == ["clean"]
    assert "Clean accuracy went from" in text and "contradicted" not in text.split("##")[1] and "Under " not in text
    assert "No untargeted attack was run on both." in text
    assert "It **is not decided**: the two have no worst case in common." in text


def test_two_norms_are_told_apart(tmp_path):
    attacked = {(name, model, "0.1"): 60 for name in ("fgsm", "long") for model in ("plain", "guarded")}
    small = study(tmp_path, attacked=attacked, settings={"long": AttackSettings("fgsm", norm="2")})
    small.together |= {("plain", "2", "0.1"): 30, ("guarded", "2", "0.1"): 10}
    _, text = found(small)
    assert "(norm inf), by the worst case, it **is not contradicted on this one training**" in text
    assert "(norm 2), by the worst case, it **is contradicted on this one training**: robust accuracy fell." in text
    assert "| worst case norm inf |" in text and "| worst case norm 2   |" in text


def test_holm_counts_the_claims_of_all_models_but_seeds_as_one(tmp_path):
    small = study(tmp_path, seeds=(1, 2))
    small.clean["other"] = 175
    small.attacked |= {("fgsm", "other", "0.1"): {1: 66, 2: 67}}
    small.together |= together(other=45)
    small.defences["other"] = "defensive_distillation"
    table, text = found(small, pairs=[("guarded", "plain"), ("other", "plain")])
    assert len(table) == 12 and "for the 6 comparisons of this page" in text
    largest = table.groupby(["model", "attack"], sort=False)["p"].max()
    assert table.drop_duplicates(["model", "attack"])["p_holm"].tolist() == pytest.approx(holm(largest.tolist()))
    assert largest["other", "fgsm"] == pytest.approx(2 * 2**-6)
    assert "## other (defensive distillation) against plain" in text
    guarded, other = text.split("\n## ")[1:]
    assert "Published claim" in guarded and "names no published claim" in other


def test_the_programs_write_what_the_functions_tell(tmp_path):
    """Through their options, as the rules give them."""
    small = study(tmp_path / "evaluation")
    told = small.options()
    words = ["--evaluation-folder", str(told["evaluation_folder"])]
    words += [word for model in told["models"] for word in ("--model", model)]
    words += [word for seed in told["seeds"] for word in ("--seed", str(seed))]
    words += [word for attack in told["attacks"] for word in ("--attack", *attack)]
    words += [word for pair in told["worst_cases"] for word in ("--worst-case", *pair)]
    verdicts = ["--verdicts", str(tmp_path / "verdicts.csv")]
    out = ["--comparisons", str(tmp_path / "comparisons.csv"), "--findings", str(tmp_path / "findings.md")]
    more = {
        "diagnose_attacks": [*verdicts, "--text", str(tmp_path / "verdicts.md")],
        "aggregate_tables": [*verdicts, "--output-folder", str(tmp_path / "tables")],
        "write_findings": [*verdicts, *out, "--defence", "guarded", "plain", *CLAIM["guarded"], "--difference", "0.05"],
    }
    for name, options in more.items():
        done = CliRunner().invoke(importlib.import_module(name).main, [*words, *options], catch_exceptions=False)
        assert done.exit_code == 0, done.output
    table, text = found(small)
    assert (tmp_path / "findings.md").read_text(encoding="utf-8") == f"{text}\n{made_by()}\n"
    assert read_records(tmp_path / "comparisons.csv")["p_holm"].tolist() == pytest.approx(table["p_holm"].tolist())
    judged = (tmp_path / "verdicts.md").read_text(encoding="utf-8")
    assert "| guarded | 1 | fgsm | inf | fail | zero_gradients † |" in " ".join(judged.split())
    assert "zero_gradients † 40.0 % of 200 images have no gradient" in judged
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == sorted(
        [f"{name}.{kind}" for name in ("clean_accuracy", "robust_accuracy", "worst_case", "transfer") for kind in ("csv", "md", "tex")]
        + ["curves.csv"]
    )  # fmt: skip
