"""Paired comparisons, against direct sums, values worked out by hand and simulated pairs."""

from math import ceil, comb, sqrt

import numpy as np
import pytest

from robustness.statistics.comparisons import holm, images_needed, mcnemar_p, paired_difference


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 1), (5, 0), (3, 9), (9, 3), (7, 7), (0, 12), (40, 61)])
def test_mcnemars_p_is_a_sum_of_binomial_probabilities(first, second):
    n = first + second
    chance = [comb(n, k) / 2**n for k in range(n + 1)]
    assert mcnemar_p(first, second) == pytest.approx(min(1, 2 * sum(chance[max(first, second) :])))
    assert mcnemar_p(first, second, "greater") == pytest.approx(sum(chance[first:]))


def test_mcnemars_p_does_not_depend_on_which_is_first():
    assert all(mcnemar_p(a, b) == pytest.approx(mcnemar_p(b, a)) for a in range(12) for b in range(12))


@pytest.mark.parametrize(
    ("p", "corrected"),
    [
        ([], []),
        ([0.03], [0.03]),
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # x 3, x 1 but not below 0.06, x 2, x 4
        ([0.02, 0.02, 0.02], [0.06, 0.06, 0.06]),
        ([0.9, 0.4, 0.001], [0.9, 0.8, 0.003]),
        ([0.6, 0.7], [1, 1]),
    ],
)
def test_holm_by_hand_in_the_order_given(p, corrected):
    assert holm(p) == pytest.approx(corrected)


def test_holm_lets_one_in_twenty_families_of_nothing_through():
    """Independent p of true null hypotheses: the chance of any below 5 % is 5 % at most."""
    families = np.random.default_rng(1).random((2000, 10))
    wrong = np.mean([min(holm(list(family))) < 0.05 for family in families])
    assert 0.03 < wrong < 0.065


@pytest.mark.parametrize(
    ("first", "second", "n"), [(12, 3, 200), (0, 0, 50), (50, 0, 50), (0, 1, 1), (59, 11, 500), (3, 30, 75)]
)
def test_the_interval_of_a_difference_is_the_published_formula(first, second, n):
    """Agresti and Min 2005, section 3.1, from the shares of the four cells after each of them got half an image."""
    cells = np.array([n - first - second, first, second, 0.0]) + 0.5  # the concordant ones only count together
    share = cells / cells.sum()
    centre = share[1] - share[2]
    half = 1.959963984540054 * sqrt((share[1] + share[2] - centre**2) / cells.sum())
    difference, low, high = paired_difference(first, second, n)
    assert difference == pytest.approx((first - second) / n)
    assert (low, high) == pytest.approx((max(-1, centre - half), min(1, centre + half)))
    mirrored = paired_difference(second, first, n)
    assert mirrored == pytest.approx((-difference, -high, -low))


@pytest.mark.parametrize(
    ("only_first", "only_second", "n"), [(0.1, 0.05, 500), (0.02, 0.02, 200), (0.5, 0.1, 100), (0.03, 0.0, 500)]
)
def test_the_interval_covers_the_true_difference_as_often_as_it_says(only_first, only_second, n):
    drawn = np.random.default_rng(7).multinomial(n, [only_first, only_second, 1 - only_first - only_second], 4000)
    covered = 0
    for first, second, _ in drawn.tolist():
        _, low, high = paired_difference(first, second, n)
        covered += low <= only_first - only_second <= high
    assert 0.93 <= covered / len(drawn) <= 0.975


def test_a_narrower_level_is_a_narrower_interval():
    _, low, high = paired_difference(20, 5, 100)
    _, lower, higher = paired_difference(20, 5, 100, level=0.99)
    assert lower < low < 0.15 < high < higher


@pytest.mark.parametrize(("first", "second", "n"), [(0, 0, 0), (-1, 2, 9), (2, -1, 9), (5, 5, 9)])
def test_impossible_counts_are_no_pairs(first, second, n):
    with pytest.raises(ValueError, match="no discordant pairs"):
        paired_difference(first, second, n)


@pytest.mark.parametrize(("first", "second"), [(-1, 1), (-1, 3), (3, -1)])
def test_mcnemar_refuses_counts_below_0(first, second):
    with pytest.raises(ValueError, match="no discordant pairs"):
        mcnemar_p(first, second)


@pytest.mark.parametrize(("difference", "discordant"), [(0.05, 0.15), (0.05, 0.5), (0.1, 0.2), (0.2, 0.3)])
def test_with_so_many_images_the_difference_is_seen_four_times_in_five(difference, discordant):
    """Connor's number is for the asymptotic test, (b - c)^2 / (b + c) against 1.96^2."""
    n = images_needed(difference, discordant)
    shares = [(discordant + difference) / 2, (discordant - difference) / 2, 1 - discordant]
    first, second, _ = np.random.default_rng(3).multinomial(n, shares, 20_000).T
    seen = np.abs(first - second) > 1.959963984540054 * np.sqrt(first + second)
    assert 0.77 < seen.mean() < 0.85
    exact = [mcnemar_p(a, b) < 0.05 for a, b in zip(first[:700].tolist(), second[:700].tolist())]
    assert 0.72 < np.mean(exact) < 0.85  # the exact test is a little stricter


def test_images_needed_by_hand():
    """(1.95996 sqrt(0.2) + 0.84162 sqrt(0.2 - 0.0025))^2 / 0.0025 = (0.876523 + 0.374025)^2 / 0.0025 = 625.5."""
    assert images_needed(0.05, 0.2) == 626
    assert images_needed(0.1, 0.2) == ceil((1.959964 * sqrt(0.2) + 0.841621 * sqrt(0.19)) ** 2 / 0.01)


def test_a_smaller_difference_and_more_disagreement_take_more_images():
    by_difference = [images_needed(difference, 0.3) for difference in (0.3, 0.2, 0.1, 0.05, 0.01)]
    by_discordance = [images_needed(0.05, discordant) for discordant in (0.05, 0.1, 0.2, 0.5, 1.0)]
    assert by_difference == sorted(set(by_difference)) and by_discordance == sorted(set(by_discordance))
    assert images_needed(0.05, 0.2, power=0.9) > images_needed(0.05, 0.2) > images_needed(0.05, 0.2, level=0.1)


def test_less_disagreement_than_the_difference_counts_as_the_difference():
    assert images_needed(0.05, 0.0) == images_needed(0.05, 0.05)
    assert images_needed(1, 0) == images_needed(1, 1) == 4  # 1.96^2 = 3.84: every image is one more


@pytest.mark.parametrize(("difference", "discordant"), [(0, 0.2), (-0.1, 0.2), (1.1, 0.2), (0.1, -0.1), (0.1, 1.1)])
def test_images_needed_refuses_shares_that_are_none(difference, discordant):
    with pytest.raises(ValueError, match="no shares of images"):
        images_needed(difference, discordant)
