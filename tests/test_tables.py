"""The tables of a small study whose records are written by hand."""

import math
import re

import pytest
from small_study import SmallStudy

from robustness.attacks.attack_settings import AttackSettings
from robustness.evaluation.records import read_records, write_records
from robustness.evaluation.scoring import summarise
from robustness.statistics.intervals import wilson_interval
from robustness.tables import accuracy_tables as tables
from robustness.tables import findings, findings_page

CELL = re.compile(r"\d+\.\d\d \[\d+\.\d\d, \d+\.\d\d\]")
PGD = AttackSettings("pgd", norm="2", relative_step=0.5, iterations=4)


class Tables:
    """All tables of a study."""

    def __init__(self, small: SmallStudy):
        self.study, self.verdicts = small.read()
        summaries = [self.study.clean_summary(model, seed) for model in small.clean for seed in small.seeds]
        self.clean = tables.clean_accuracy(summaries)
        self.robust = tables.robust_accuracy(self.study, self.verdicts)
        self.worst_case = tables.worst_case(self.study, self.verdicts)
        self.transfer = tables.transfer(self.study, self.robust)
        self.curves = tables.curves(self.robust, self.worst_case, self.clean)
        told = self.robust, self.worst_case, self.clean, self.verdicts
        self.markdown, self.latex = tables.robust_markdown(*told), tables.robust_latex(*told)


def grid(text: str) -> list[list[str]]:
    """The cells of a Markdown table, without the line below its head."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return [row for row in rows if not row[0].startswith(":-")]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Model a has no gradient on 40 of 100 images, b on 5, c on 1; fgsm in norm inf, pgd in norm 2 on a alone."""
    return SmallStudy(
        tmp_path_factory.mktemp("study"),
        clean={"a": 90, "b": 90, "c": 80},
        attacked={
            ("fgsm", "a", "0.10"): 60,
            ("fgsm", "a", "0.02"): 80,
            ("pgd", "a", "0.10"): 7,
            ("fgsm", "b", "0.10"): 30,
            ("fgsm", "b", "0.02"): 50,
            ("fgsm", "c", "0.10"): 20,
            ("fgsm", "c", "0.02"): 40,
        },
        together={
            ("a", "inf", "0.10"): 25,
            ("a", "inf", "0.02"): 50,
            ("a", "2", "0.10"): 5,
            ("b", "inf", "0.10"): 20,
            ("b", "inf", "0.02"): 45,
            ("c", "inf", "0.10"): 10,
            ("c", "inf", "0.02"): 35,
        },
        transferred={
            ("fgsm", "a", "b", "0.10"): 70,
            ("fgsm", "a", "c", "0.10"): 71,
            ("fgsm", "b", "a", "0.10"): 62,
            ("fgsm", "b", "c", "0.10"): 72,
            ("fgsm", "c", "a", "0.10"): 63,
            ("fgsm", "c", "b", "0.10"): 73,
            ("pgd", "a", "b", "0.10"): 33,
            ("pgd", "a", "c", "0.10"): 34,
        },
        settings={"pgd": PGD},
        zero={("a", "fgsm"): 40, ("b", "fgsm"): 5, ("c", "fgsm"): 1, ("a", "pgd"): 40},
        defences={"a": "temperature_training"},
    )


@pytest.fixture(scope="module")
def told(small):
    return Tables(small)


def test_the_columns_that_were_promised(told):
    promised = (
        "dataset architecture defence model seed attack epsilon epsilon_unit n correct accuracy ci_low ci_high loss"
    )
    assert list(told.robust.columns)[:14] == promised.split()
    assert told.robust.loc[0, "epsilon"] == "0.10" and told.robust.loc[0, "correct"] == 60
    assert told.robust.loc[0, "ci_low"] == pytest.approx(0.5020, abs=1e-4)
    assert len(told.robust) == 7 and len(told.clean) == 9


def test_every_accuracy_has_the_verdict_of_its_attack_model_and_epsilon(told):
    assert dict(zip(told.robust["model"], told.robust["verdict"])) == {"a": "fail", "b": "warning", "c": "pass"}
    assert set(told.worst_case["verdict"]) == {"pass"}  # the cascade has a gradient where fgsm has none
    on_source = {"a": "fail", "b": "warning", "c": "pass"}
    assert told.transfer["verdict"].tolist() == told.transfer["source"].map(on_source).tolist()


def test_a_verdict_concerns_its_own_epsilon(tmp_path):
    """Noise breaks more than the attack at 0.2 alone, so that 0.1 stays unmarked; the line of both is marked."""
    noise = {("a", "noise", "", "inf", "0.1"): 50, ("a", "noise", "", "inf", "0.2"): list(range(20, 30))}
    attacked = {("fgsm", "a", "0.1"): 40, ("fgsm", "a", "0.2"): 30}
    together = {("a", "inf", "0.1"): 9, ("a", "inf", "0.2"): 8}
    found = Tables(SmallStudy(tmp_path, {"a": 90}, attacked, together, probed=noise))
    assert dict(zip(found.robust["epsilon"], found.robust["verdict"])) == {"0.1": "pass", "0.2": "fail"}
    assert [row[1][-1:] for row in grid(found.markdown)[1:]] == ["]", "†"]
    assert set(found.curves.query("attack == 'fgsm'")["verdict"]) == {"fail"}


def test_markdown_has_epsilons_down_and_attacks_across(told):
    block = told.markdown.split("## ")[1]
    rows = grid(block)
    assert rows[0] == ["epsilon", "fgsm", "pgd", "worst case, norm inf", "worst case, norm 2"]
    assert [row[0] for row in rows[1:]] == ["0.02", "0.10"]
    assert rows[2][1:] == [
        *("60.00 [50.20, 69.06] †", "7.00 [3.43, 13.75] †"),
        *("25.00 [17.55, 34.30]", "5.00 [2.15, 11.18]"),
    ]
    assert rows[1][2] == rows[1][4] == ""  # nothing in norm 2 at 0.02
    assert "clean accuracy on the same images 90.00 [82.56, 94.48]" in block
    assert "under fgsm (norm inf; n = 100), pgd (norm 2; n = 100) and all attacks together (worst case)" in block
    assert "d_1, net, defence: temperature_training." in block


def test_with_one_norm_the_worst_case_needs_no_more_words(told):
    assert grid(told.markdown.split("## ")[2])[0] == ["epsilon", "fgsm", "worst case"]


def test_a_model_without_gradients_is_marked_under_every_attack(told):
    """A random start moves every image, so what an attack moved says nothing: the gradient itself is counted."""
    masked, warned, sound = told.markdown.split("## ")[1:]
    assert masked.count("] †") == 3 and "zero_gradients †" in masked
    assert warned.count("] *") == 2 and "zero_gradients *" in warned and "†" not in warned
    assert "†" not in sound and "*" not in sound  # 1 of 100 is not more than 1 %


def test_no_accuracy_stands_anywhere_without_its_mark(told):
    """By the sources' verdicts: 40 of 100 without a gradient fail, 5 warn. Every other cell of a table has no mark."""
    for name, block in zip("abc", told.markdown.split("## ")[1:]):
        attacks = 2 if name == "a" else 1
        attacked = [cell for row in grid(block)[1:] for cell in row[1 : 1 + attacks] if cell]
        together = [cell for row in grid(block)[1:] for cell in row[1 + attacks :] if cell]
        assert {CELL.sub("", cell).strip() for cell in attacked} == {{"a": "†", "b": "*", "c": ""}[name]}
        assert {CELL.sub("", cell) for cell in together} == {""}
    for block in tables.transfer_markdown(told.transfer).split("## ")[1:]:
        for source, *cells in grid(block)[1:]:
            assert {CELL.sub("", cell).strip() for cell in cells if cell} == {{"a": "†", "b": "*", "c": ""}[source]}
    for text in (told.latex, tables.transfer_latex(told.transfer)):
        for line in text.splitlines():
            first = line.split(" & ")[0]
            if first in "ab" and CELL.search(line):
                marks = {CELL.sub("", cell).strip(" \\") for cell in line.split(" & ")[1:] if CELL.search(cell)}
                assert marks == {{"a": "textdagger{}", "b": "*"}[first]}


def test_a_worst_case_that_fails_is_marked_too(tmp_path):
    probed = {("a", "huge_epsilon", "worst_case", "inf", "0.5"): 30}
    attacked, together = {("fgsm", "a", "0.1"): 40}, {("a", "inf", "0.1"): 30}
    found = Tables(SmallStudy(tmp_path, {"a": 90}, attacked, together, probed=probed))
    assert grid(found.markdown)[1][1:] == ["40.00 [30.94, 49.80]", "30.00 [21.89, 39.58] †"]
    assert "Raised against the worst case: survives_huge_epsilon †." in found.markdown
    assert "30.00 [21.89, 39.58] †" in tables.worst_case_markdown(found.worst_case)
    assert "30.00 [21.89, 39.58] \\textdagger{}" in tables.worst_case_latex(found.worst_case)


def test_the_worst_case_of_a_norm_has_the_verdict_of_that_norm(tmp_path):
    probed = {("a", "huge_epsilon", "worst_case", "2", "9"): 30, ("a", "huge_epsilon", "worst_case", "inf", "0.5"): 5}
    attacked = {("fgsm", "a", "0.1"): 40, ("pgd", "a", "0.1"): 40}
    together = {("a", "inf", "0.1"): 30, ("a", "2", "0.1"): 30}
    found = Tables(SmallStudy(tmp_path, {"a": 90}, attacked, together, settings={"pgd": PGD}, probed=probed))
    assert dict(zip(found.worst_case["norm"], found.worst_case["verdict"])) == {"inf": "pass", "2": "fail"}
    assert [row[-1][-1] for row in grid(tables.worst_case_markdown(found.worst_case))[1:]] == ["]", "†"]


def test_the_worst_case_has_models_down_and_epsilons_across(told):
    rows = grid(tables.worst_case_markdown(told.worst_case))
    assert rows[0] == ["dataset", "model", "seed", "norm", "0.02", "0.10"]
    assert [row[1:4] for row in rows[1:]] == [["a", "1", "inf"], ["a", "1", "2"], ["b", "1", "inf"], ["c", "1", "inf"]]
    assert rows[1][4:] == ["50.00 [40.38, 59.62]", "25.00 [17.55, 34.30]"]
    assert rows[2][4:] == ["", "5.00 [2.15, 11.18]"]
    assert told.worst_case["broken_by"].tolist()[:2] == ["square: 50", "square: 75"]
    assert told.worst_case["epsilon"].tolist()[:3] == ["0.02", "0.10", "0.10"]


def test_epsilons_rise_by_size_not_by_text(tmp_path):
    epsilons = ["16", "2", "8"]
    attacked = {("fgsm", "a", epsilon): 50 for epsilon in epsilons}
    together = {("a", "inf", epsilon): 40 for epsilon in epsilons}
    found = Tables(SmallStudy(tmp_path, {"a": 90}, attacked, together, unit="0-255"))
    assert found.worst_case["epsilon"].tolist() == ["2", "8", "16"]
    assert grid(tables.worst_case_markdown(found.worst_case))[0][4:] == ["2", "8", "16"]
    assert [row[0] for row in grid(found.markdown)[1:]] == ["2", "8", "16"]
    assert "epsilon on the pixel range 0-255" in found.markdown


def test_the_transfer_matrix_has_sources_down_and_targets_across(told):
    matrix = grid(tables.transfer_markdown(told.transfer).split("## d_1, fgsm at epsilon 0.10, seed 1")[1])
    shares = [[cell.split(" ")[0] for cell in row] for row in matrix[:4]]
    assert shares == [
        ["crafted", "a", "b", "c"],
        ["a", "60.00", "70.00", "71.00"],
        ["b", "62.00", "30.00", "72.00"],
        ["c", "63.00", "73.00", "20.00"],
    ]
    assert matrix[0][0] == "crafted on"
    white_box = told.transfer.query("source == target and attack == 'fgsm' and epsilon == '0.10'")
    assert white_box["correct"].tolist() == [60, 30, 20]


def test_transfer_has_a_row_for_each_set_and_each_model_that_it_was_shown_to(told):
    keys = ["attack", "epsilon", "source", "target"]
    rows = [tuple(row) for row in told.transfer[keys].itertuples(index=False)]
    assert len(rows) == len(set(rows)) == 8 + 7  # moved, and the seven white-box attacks
    assert rows[:3] == [("fgsm", "0.02", "a", "a"), ("fgsm", "0.02", "b", "b"), ("fgsm", "0.02", "c", "c")]
    pgd = tables.transfer_markdown(told.transfer).split("pgd at epsilon 0.10")[1]
    assert [row[0] for row in grid(pgd)] == ["crafted on", "a"]  # it was crafted on a alone


def test_a_model_that_no_attack_was_crafted_on_is_still_shown_the_others_sets(tmp_path):
    small = SmallStudy(
        tmp_path,
        {"a": 90, "b": 90},
        attacked={("fgsm", "a", "0.1"): 40},
        together={("a", "inf", "0.1"): 30},
        transferred={("fgsm", "a", "b", "0.1"): 60},
    )
    rows = grid(tables.transfer_markdown(Tables(small).transfer))
    assert rows == [["crafted on", "a", "b"], ["a", "40.00 [30.94, 49.80]", "60.00 [50.20, 69.06]"]]


def test_targeted_attacks_are_no_transfer(tmp_path):
    small = SmallStudy(
        tmp_path,
        {"a": 90, "b": 90},
        attacked={("fgsm", name, "0.1"): 40 for name in "ab"} | {("aimed", name, "0.1"): 70 for name in "ab"},
        together={(name, "inf", "0.1"): 30 for name in "ab"},
        transferred={("fgsm", "a", "b", "0.1"): 60, ("aimed", "a", "b", "0.1"): 60},
        settings={"aimed": AttackSettings("fgsm", target="random")},
    )
    found = Tables(small)
    assert set(found.transfer["attack"]) == {"fgsm"}
    assert "aimed (fgsm, norm inf, target random; n = 100)" in found.markdown
    assert found.robust["target_hits"].isna().tolist() == [True, False] * 2
    hits = tables.targeted(found.robust)  # three of a hundred, and the other errors are none
    assert hits["attack"].tolist() == ["aimed"] * 2 and hits["success"].tolist() == [0.03] * 2
    low, high = wilson_interval(3, 100)
    assert hits["ci_low"].tolist() == [low] * 2 and hits["ci_high"].tolist() == [high] * 2
    head, *lines = grid(tables.targeted_markdown(hits))
    assert head == ["dataset", "model", "seed", "attack", "norm", "target", "0.1"]
    assert [line[1:4] + line[5:] for line in lines] == [
        [model, "1", "aimed", "random", f"3.00 [{100 * low:.2f}, {100 * high:.2f}]"] for model in ("a", "b")
    ]
    assert "\\label{tab:targeted}" in tables.targeted_latex(hits)


def test_without_a_target_no_success_is_told(told):
    assert len(tables.targeted(told.robust)) == 0


def test_an_attack_of_norm_0_is_told_in_shares_and_has_no_worst_case(tmp_path):
    small = SmallStudy(
        tmp_path,
        clean={"a": 90, "b": 80},
        attacked={(name, model, "0.10"): 30 for name in ("fgsm", "few") for model in "ab"},
        together={(model, "inf", "0.10"): 20 for model in "ab"},
        transferred={("few", "a", "b", "0.10"): 60},
        settings={"few": AttackSettings("jsma", norm="0", own={"theta": 1})},
        defences={"b": "erasing"},
    )
    found = Tables(small)
    of_fgsm, of_few = (found.robust.query("attack == @name and model == 'a'").iloc[0] for name in ("fgsm", "few"))
    assert of_few["max_l0"] == 0.05 and math.isnan(of_fgsm["max_l0"])
    assert "Of few epsilon is the share of an image's values that may change; it has no worst case." in found.markdown
    (moved,) = found.curves.query(
        "attack == 'few' and model == 'a' and metric == 'perturbation' and epsilon == '0.10'"
    )["value"]
    assert moved == 0.05 and set(found.worst_case["norm"]) == {"inf"}
    assert len(found.transfer.query("attack == 'few'")) == 3
    raised = set(found.verdicts.query("attack == 'few'")["diagnostic"])
    assert raised == {"zero_gradients", "weaker_than_transfer", "answers_by_guessing"}
    page = findings_page.page(
        findings.comparisons(found.study, found.verdicts, [("b", "a")], 0.05), {}, {}, ["fmn"], None, 0.05, [1]
    )
    assert "Under few, erasing changed robust accuracy at epsilon 0.10" in page and "Norm 0 has no worst case." in page


def test_without_norm_0_no_column_tells_of_it(told):
    assert list(told.robust.columns) == tables.ROBUST_COLUMNS


def test_an_attack_that_leaves_the_ball_says_so_and_is_no_transfer(tmp_path):
    """It breaks what the worst case leaves standing, and has no row among the sets that were shown to other models."""
    small = SmallStudy(
        tmp_path,
        {"a": 90, "b": 90},
        attacked={("fgsm", name, "0.1"): 40 for name in "ab"} | {("bim_range", "a", "0.1"): 5},
        together={(name, "inf", "0.1"): 30 for name in "ab"},
        transferred={("fgsm", "a", "b", "0.1"): 60, ("fgsm", "b", "a", "0.1"): 60},
        settings={"bim_range": AttackSettings("bim", relative_step=1, iterations=10, clip="pixel_range")},
    )
    found = Tables(small)
    assert dict(zip(found.robust["attack"], found.robust["clip"])) == {"fgsm": "ball", "bim_range": "pixel_range"}
    assert set(found.transfer["attack"]) == {"fgsm"}
    clips = found.curves.drop_duplicates("attack").set_index("attack")["clip"].to_dict()
    assert clips == {"fgsm": "ball", "bim_range": "pixel_range", "worst_case": "ball"}
    first, second = found.markdown.split("## ")[1:]
    sentence = "bim_range is bounded by the pixel range only, so that its epsilon is but the unit of its step"
    assert sentence in first and "pixel range only" not in second
    assert sentence.replace("_", "\\_") in found.latex
    assert grid(first)[1][1:] == ["40.00 [30.94, 49.80]", "5.00 [2.15, 11.18]", "30.00 [21.89, 39.58]"]


def test_curves_of_one_seed_have_its_interval_and_begin_unattacked(told):
    line = told.curves.query("model == 'a' and attack == 'fgsm' and metric == 'accuracy'")
    assert dict(zip(line["epsilon"], line["value"])) == {"0": 0.9, "0.10": 0.6, "0.02": 0.8}
    assert line.set_index("epsilon").loc["0.10", ["low", "high"]].tolist() == pytest.approx([0.5020, 0.6906], abs=1e-4)
    verdicts = told.curves[told.curves["attack"] == "fgsm"].groupby("model")["verdict"].unique().map(list).to_dict()
    assert verdicts == {"a": ["fail"], "b": ["warning"], "c": ["pass"]}


def test_the_worst_case_is_a_curve_of_accuracy_for_each_norm(told):
    lines = told.curves.query("model == 'a' and attack == 'worst_case'")
    assert set(lines["metric"]) == {"accuracy"}
    points = {norm: dict(zip(line["epsilon"], line["value"])) for norm, line in lines.groupby("norm")}
    assert points == {"inf": {"0": 0.9, "0.02": 0.5, "0.10": 0.25}, "2": {"0": 0.9, "0.10": 0.05}}
    assert set(lines["verdict"]) == {"pass"}
    assert set(told.curves[told.curves["attack"] != "worst_case"]["metric"]) == {"accuracy", "loss", "perturbation"}


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds")
    small = SmallStudy(
        folder,
        clean={"a": {1: 81, 2: 82, 3: 83}},
        attacked={("fgsm", "a", "0.1"): {1: 10, 2: 20, 3: 60}},
        together={("a", "inf", "0.1"): {1: 9, 2: 8, 3: 4}},
        probed={("a", "noise", "", "inf", "0.1"): {1: 50, 2: 50, 3: 30}},  # breaks more than fgsm with seed 3 alone
        seeds=(1, 2, 3),
    )
    return Tables(small)


def test_curves_of_several_seeds_are_one_line_with_their_spread(seeds):
    accuracy = seeds.curves.query("metric == 'accuracy'")
    rows = accuracy.query("attack == 'fgsm'").set_index("epsilon")[["value", "low", "high", "seeds"]]
    assert rows.loc["0.1"].tolist() == pytest.approx([0.3, 0.1, 0.6, 3])
    assert rows.loc["0"].tolist() == pytest.approx([0.82, 0.81, 0.83, 3])
    assert len(rows) == 2
    rows = accuracy.query("attack == 'worst_case'").set_index("epsilon")[["value", "low", "high", "seeds"]]
    assert rows.loc["0.1"].tolist() == pytest.approx([0.07, 0.04, 0.09, 3])


@pytest.mark.parametrize(("norm", "column"), [("inf", "max_linf"), ("2", "max_l2")])
def test_a_perturbation_is_the_longest_in_the_norm_of_the_attack_and_0_unattacked(seeds, norm, column):
    moved = seeds.robust.assign(norm=norm, max_linf=9.0, max_l2=9.0).assign(
        **{column: [0.05, 0.1, 0.06]}
    )  # a row a seed
    curves = tables.curves(moved, seeds.worst_case, seeds.clean).query("metric == 'perturbation'")
    assert set(curves["attack"]) == {"fgsm"} and curves["epsilon"].tolist() == ["0", "0.1"]
    assert curves[["value", "low", "high"]].values.tolist() == [[0, 0, 0], pytest.approx([0.07, 0.05, 0.1])]
    assert set(curves["seeds"]) == {3}


def test_each_seed_has_a_table_and_a_verdict_of_its_own_and_a_line_has_the_worst(seeds):
    assert seeds.robust["verdict"].tolist() == ["pass", "pass", "fail"]
    blocks = seeds.markdown.split("## ")[1:]
    assert [block.splitlines()[0] for block in blocks] == ["a, seed 1", "a, seed 2", "a, seed 3"]
    assert ["†" in block for block in blocks] == [False, False, True]
    assert set(seeds.curves.query("attack == 'fgsm'")["verdict"]) == {"fail"}
    assert [row[2] for row in grid(tables.worst_case_markdown(seeds.worst_case))[1:]] == ["1", "2", "3"]


def test_one_single_model_has_no_transfer(seeds):
    assert len(seeds.transfer) == 0 and list(seeds.transfer.columns) == tables.TRANSFER_COLUMNS
    assert "|" not in tables.transfer_markdown(seeds.transfer)
    assert "\\begin" not in tables.transfer_latex(seeds.transfer)


def test_no_attack_at_all(tmp_path):
    found = Tables(SmallStudy(tmp_path, {"a": 90, "b": 80}))
    for table in (found.robust, found.worst_case, found.transfer, found.curves, found.verdicts):
        assert len(table) == 0 and len(table.columns)
    assert "## " not in found.markdown and "\\begin" not in found.latex
    assert not CELL.search(tables.worst_case_markdown(found.worst_case) + tables.worst_case_latex(found.worst_case))
    assert "|" not in tables.transfer_markdown(found.transfer)
    assert len(grid(tables.clean_markdown(found.clean))) == 3
    for number, table in enumerate([found.robust, found.worst_case, found.transfer, found.curves]):
        write_records(table, tmp_path / f"{number}.csv")
        assert len(read_records(tmp_path / f"{number}.csv")) == 0


def test_an_attack_at_epsilon_0_alone_is_the_clean_accuracy(tmp_path):
    found = Tables(SmallStudy(tmp_path, {"a": 90}, attacked={("fgsm", "a", "0"): 90}))
    assert grid(found.markdown) == [["epsilon", "fgsm"], ["0", "90.00 [82.56, 94.48]"]]
    assert len(found.transfer) == 0 and set(found.curves["epsilon"]) == {"0"}


def test_two_datasets_share_no_matrix(tmp_path):
    names = ["a", "b", "c", "d"]
    small = SmallStudy(
        tmp_path,
        dict.fromkeys(names, 90),
        attacked={("fgsm", name, "0.1"): 40 for name in names},
        together={(name, "inf", "0.1"): 30 for name in names},
        transferred={("fgsm", *pair, "0.1"): 60 for pair in ("ab", "ba", "cd", "dc")},
        datasets={"c": "d_2", "d": "d_2"},
    )
    found = Tables(small)
    first, second = tables.transfer_markdown(found.transfer).split("## ")[1:]
    assert grid(first)[0] == ["crafted on", "a", "b"] and grid(second)[0] == ["crafted on", "c", "d"]
    assert first.startswith("d_1") and second.startswith("d_2")


def test_latex_escapes_and_compiles_in_shape(told):
    assert told.latex.count("\\begin{table}") == told.latex.count("\\end{table}") == 3
    assert told.latex.count("] \\textdagger{}") == 3
    assert "epsilon & fgsm & pgd & worst case, norm inf & worst case, norm 2" in told.latex
    transfer, worst_case = tables.transfer_latex(told.transfer), tables.worst_case_latex(told.worst_case)
    assert transfer.count("\\begin{table}") == 3 and worst_case.count("\\begin{table}") == 1
    for text in (told.latex, transfer, worst_case, tables.clean_latex(told.clean)):
        assert "†" not in text and "d\\_1" in text
        for character in "_%&#$":
            outside = re.sub(r"\\label\{[^}]*\}", "", text.replace("% needs \\usepackage{booktabs}", ""))
            if character != "&":  # which parts the cells
                assert not re.search(rf"(?<!\\){re.escape(character)}", outside)
    labels = re.findall(r"\\label\{([^}]*)\}", told.latex + transfer + worst_case + tables.clean_latex(told.clean))
    assert len(labels) == len(set(labels)) == 8


def test_clean_accuracy_has_a_column_for_each_part(told):
    rows = grid(tables.clean_markdown(told.clean))
    assert rows[0][-3:] == ["validation", "test", "attacked subset of test"]
    assert [row[3] for row in rows[1:]] == ["a", "b", "c"] and rows[3][-1].startswith("80.00 [")


def test_the_small_study_is_written_as_the_programs_would(small, told):
    """Its builder is what all of these tests stand on."""
    records = told.study.records("a", 1, "fgsm", "0.10")
    assert summarise(records.reset_index())["correct"] == 60
    assert len(told.study.clean("a", 1)) == small.n  # images that are not attacked are left out
    assert told.study.settings("a", 1, "pgd") == PGD
    assert list(told.study.worst_case("a", 1, "inf").sum()) == [50, 25]
