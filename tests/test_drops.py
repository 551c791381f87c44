"""Drops and gains on the average over epsilons, of ten images, worked out by hand."""

from math import sqrt

import pandas as pd
import pytest
from small_study import SmallStudy

from robustness.attacks.attack_settings import AttackSettings
from robustness.errors import UserError
from robustness.evaluation.records import read_records, write_records
from robustness.statistics.comparisons import mean_interval
from robustness.tables.drops import COLUMNS, drops, drops_markdown

WIDE = AttackSettings("bim", relative_step=1, iterations=2, clip="pixel_range")
Z = 1.959964  # of a 95 % interval


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> pd.DataFrame:
    """Ten images; b is defended and held against a. fgsm has no gradient on half of the images of b, and fails there.

    Right at so many of the two epsilons: a 1 1 1 1 0.5 0.5 0 0 0 0, b 0 0 0 1 1 1 1 1 1 1. Unattacked a has the first
    eight right, b the first nine.
    """
    last = list(range(3, 10))
    small = SmallStudy(
        tmp_path_factory.mktemp("study"),
        clean={"a": 8, "b": 9},
        attacked={
            ("fgsm", "a", "0"): 8,
            ("fgsm", "a", "0.20"): 4,
            ("fgsm", "a", "0.10"): 6,
            ("fgsm", "b", "0"): 9,
            ("fgsm", "b", "0.20"): last,
            ("fgsm", "b", "0.10"): last,
            ("wide", "b", "0.10"): 9,
            ("unattacked", "a", "0"): 8,
        },
        settings={"wide": WIDE},
        zero={("b", "fgsm"): 5},
        defences={"b": "defensive_distillation"},
        n=10,
        probes=10,
    )
    return drops(*small.read(), {"b": "a"})


def test_a_row_a_model_seed_and_attack_with_an_epsilon_above_0(table):
    assert list(table.columns) == COLUMNS
    keys = ["model", "seed", "attack", "clip", "epsilons", "n", "baseline", "defence"]
    assert table[keys].to_numpy().tolist() == [
        ["a", 1, "fgsm", "ball", 2, 10, "", "none"],
        ["b", 1, "fgsm", "ball", 2, 10, "a", "defensive_distillation"],
        ["b", 1, "wide", "pixel_range", 1, 10, "a", "defensive_distillation"],
    ]


@pytest.mark.parametrize(
    ("row", "measure", "values"),
    [
        (0, "drop", [0, 0, 0, 0, 0.5, 0.5, 1, 1, 0, 0]),
        (1, "drop", [1, 1, 1, 0, 0, 0, 0, 0, 0, -1]),
        (1, "drop_from_baseline", [1, 1, 1, 0, 0, 0, 0, 0, -1, -1]),
        (1, "gain", [-1, -1, -1, 0, 0.5, 0.5, 1, 1, 1, 1]),
        (2, "drop_from_baseline", [0, 0, 0, 0, 0, 0, 0, 0, -1, 0]),
    ],
)
def test_numbers_are_means_over_the_images_with_their_normal_interval(table, row, measure, values):
    """The images of one model stand in another order than the other's, so they have to be paired by their index."""
    mean = sum(values) / 10
    half = Z * sqrt(sum((value - mean) ** 2 for value in values) / 9 / 10)
    found = table.loc[row, [measure, f"{measure}_low", f"{measure}_high"]]
    assert found.tolist() == pytest.approx([mean, mean - half, mean + half], abs=1e-6)


def test_without_a_baseline_or_its_attack_the_cells_are_empty(table):
    assert table["drop_from_baseline"].isna().tolist() == [True, False, False]
    assert table["gain"].isna().tolist() == [True, False, True]
    assert table["verdict_baseline"].tolist() == ["", "pass", ""]


def test_the_verdict_is_the_worst_of_the_attack(table):
    assert table["verdict"].tolist() == ["pass", "fail", "pass"]


def test_the_text_has_points_with_their_marks(table):
    lines = [line for line in drops_markdown(table).splitlines() if line[:1] == "|"]
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    assert head[-5:] == ["n", "drop", "baseline", "drop from baseline", "gain"]
    assert rows[0][-4:] == ["+30.00 [+3.87, +56.13]", "", "", ""]  # 1.96 x sqrt((2.5 - 0.9) / 9 / 10) = 0.2613
    assert rows[1][-3] == "a" and rows[1][-1] == "+20.00 [-35.05, +75.05] †"  # 1.96 x sqrt((7.5 - 0.4) / 9 / 10)
    assert rows[2][-4].endswith("‡") and rows[2][-1] == ""


def test_a_gain_bears_the_worse_mark_of_both(table):
    swapped = table.assign(verdict="pass", verdict_baseline="fail", baseline="a", gain=0.1, gain_low=0, gain_high=0.2)
    (first, *_) = [line for line in drops_markdown(swapped).splitlines() if line.startswith("| d_1")]
    assert first.count("†") == 1 and first.rstrip(" |").endswith("+10.00 [+0.00, +20.00] †")


def test_the_file_says_the_same_again(table, tmp_path):
    write_records(table, tmp_path / "drops.csv")
    again = read_records(tmp_path / "drops.csv")
    assert again["gain"].tolist()[::2] == ["", ""] and float(again["gain"][1]) == pytest.approx(0.2)
    assert again["verdict_baseline"].tolist() == ["", "pass", ""]


def test_a_study_without_attacks_has_a_table_still(tmp_path):
    found = drops(*SmallStudy(tmp_path, clean={"a": 8}, n=10, probes=10).read(), {})
    assert list(found.columns) == COLUMNS and len(found) == 0
    assert "No attack was run." in drops_markdown(found)


def test_a_baseline_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match="the baseline z is not among the models"):
        drops(*SmallStudy(tmp_path, clean={"a": 8}, n=10, probes=10).read(), {"a": "z"})


def test_one_image_has_a_mean_without_an_interval():
    mean, low, high = mean_interval([0.5])
    assert mean == 0.5 and low != low and high != high
