"""Simulated studies: equal recipes rarely make a claim, here on a small scale and in what was measured for the page."""

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

import false_claims


@pytest.fixture(scope="module")
def measured():
    return pd.read_csv(ROOT / "docs/diagnosis/false_claims.csv")


def test_equal_recipes_rarely_make_a_claim():
    """A small simulation; with its seed the counts are the same every time."""
    settings = ((0.01, 0, 0), (0.05, 0, 0.08), (0.5, 0, 0.02), (0.5, 0, 0.08))
    rows = false_claims.simulate(3, 100, 0.3, 2000, 1, settings)
    assert max(row["stands"] for row in rows) <= 0.05
    assert rows[-1]["mcnemar_first_seed"] > 0.1  # what one training proves
    assert all(row["covered"] > 0.9 for row in rows)


def test_a_clear_gain_is_found():
    rows = false_claims.simulate(5, 100, 0, 500, 1, ((0.3, 0.3, 0.02),))
    assert rows[0]["stands"] > 0.95 and rows[0]["covered"] > 0.9


@pytest.mark.parametrize("recipe_share", false_claims.RECIPE_SHARES)
def test_simulated_trainings_have_the_accuracies_they_are_meant_to_have(recipe_share):
    rng = np.random.default_rng(5)
    latent = false_claims.draw_latent(rng, 400, 5, 100, recipe_share)
    assert latent.std() == pytest.approx(1, abs=0.02)
    assert false_claims.differences(rng, latent, 0.3, 0.2, 0.05).mean() == pytest.approx(0.2, abs=0.01)
    shares = false_claims.draw_accuracies(rng, 0.1, 0.04, (50_000,))
    assert (shares.mean(), shares.std()) == pytest.approx((0.1, 0.04), rel=0.02)


def test_no_measured_rate_of_false_claims_is_above_five_per_cent(measured):
    equal = measured[measured["gain"] == 0]
    shapes = len(false_claims.SEEDS) * len(false_claims.IMAGES) * len(false_claims.RECIPE_SHARES)
    assert len(equal) == shapes * len(false_claims.ACCURACIES) * len(false_claims.TRAINING_SDS)
    assert equal["stands_high"].max() <= 0.05


def test_the_page_shows_what_was_measured(measured):
    page = (ROOT / "docs/diagnosis.md").read_text(encoding="utf-8")
    assert not [table for table in false_claims.summary(measured).split("\n\n") if table not in page]
