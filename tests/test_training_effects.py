"""The test over trainings against analyses of variance by hand, other tests in special cases, and without variation."""

import numpy as np
import pytest
from scipy import stats

from robustness.statistics.training_effects import TrainingEffect, mean_and_error, training_effect


def drawn(seeds, images, draw=0, gain=0.0):
    """Right or wrong, (defended or baseline, seeds, images), of trainings that differ and images of unlike difficulty."""
    rng = np.random.default_rng([seeds, images, draw])
    latent = 0.7 * rng.normal(size=(1, 1, images)) + 0.3 * rng.normal(size=(2, 1, images))
    latent = latent + 0.3 * rng.normal(size=(2, seeds, 1)) + 0.6 * rng.normal(size=(2, seeds, images))
    return (latent < np.array([gain, 0.0])[:, None, None]).astype(int)


def two_way(d):
    """Mean squares of seeds, images and rest, by loops over the cells."""
    n_seeds, n_images = len(d), len(d[0])
    mean = sum(sum(row) for row in d) / (n_seeds * n_images)
    of_seed = [sum(row) / n_images for row in d]
    of_image = [sum(row[i] for row in d) / n_seeds for i in range(n_images)]
    rest = 0.0
    for s in range(n_seeds):
        for i in range(n_images):
            rest += (d[s][i] - of_seed[s] - of_image[i] + mean) ** 2
    seeds = n_images * sum((m - mean) ** 2 for m in of_seed) / (n_seeds - 1)
    images = n_seeds * sum((m - mean) ** 2 for m in of_image) / (n_images - 1)
    return mean, seeds, images, rest / ((n_seeds - 1) * (n_images - 1))


@pytest.mark.parametrize("level", [0.9, 0.95])
@pytest.mark.parametrize(("n_seeds", "n_images"), [(2, 40), (3, 40), (5, 60), (10, 75)])
def test_a_two_way_analysis_by_loops(n_seeds, n_images, level):
    right = drawn(n_seeds, n_images, draw=3, gain=0.4)
    d = right[0] - right[1]
    mean, seeds, images, rest = two_way(d.tolist())
    assert seeds > rest  # so that the published formulas hold as they are
    both = seeds + max(images - rest, 0)
    error, df = (both / d.size) ** 0.5, (n_seeds - 1) * both**2 / seeds**2
    half = stats.t.ppf(0.5 + level / 2, df) * error
    found = training_effect(d, level)
    assert df < n_images - 1 and error > 1 / n_images
    assert (found.mean, found.low, found.high) == pytest.approx((mean, mean - half, mean + half), rel=1e-12)
    assert (found.p, found.df) == pytest.approx((2 * stats.t.sf(abs(mean) / error, df), df), rel=1e-10)


def test_seeds_differ_by_no_less_than_the_rest():
    right = drawn(2, 40, gain=0.4)
    d = right[0] - right[1]
    mean, seeds, images, rest = two_way(d.tolist())
    assert seeds < rest < images
    t, df = mean / (images / d.size) ** 0.5, (images / rest) ** 2
    found = training_effect(d)
    assert (found.p, found.df) == pytest.approx((2 * stats.t.sf(t, df), df))


def test_the_f_test_of_two_treatments():
    """Dorfman, Berbaum and Metz write F of a three-way analysis (treatment, reader, case); of two treatments it is t squared."""
    right = drawn(4, 50, gain=0.3).astype(float)
    n_treatments, n_seeds, n_images = right.shape

    def means(*kept):
        return right.mean(axis=tuple(axis for axis in range(3) if axis not in kept), keepdims=True)

    def mean_square(effect, *degrees):
        return (np.broadcast_to(effect, right.shape) ** 2).sum() / np.prod(degrees)

    grand = means()
    treatment = mean_square(means(0) - grand, n_treatments - 1)
    with_seed = mean_square(means(0, 1) - means(0) - means(1) + grand, n_treatments - 1, n_seeds - 1)
    with_image = mean_square(means(0, 2) - means(0) - means(2) + grand, n_treatments - 1, n_images - 1)
    three = right - means(0, 1) - means(0, 2) - means(1, 2) + means(0) + means(1) + means(2) - grand
    with_both = mean_square(three, n_treatments - 1, n_seeds - 1, n_images - 1)
    below = with_seed + max(with_image - with_both, 0)
    df = below**2 / (with_seed**2 / ((n_treatments - 1) * (n_seeds - 1)))
    assert with_seed > with_both
    found = training_effect(right[0] - right[1])
    assert found.p == pytest.approx(stats.f.sf(treatment / below, n_treatments - 1, df), rel=1e-9)
    assert found.df == pytest.approx(df)


@pytest.mark.parametrize("of_seeds", [(1, 1, 0), (1, 0, 0, -1, 1), (1, 1, 1, 0, 1, 1)])
def test_of_equal_images_it_is_the_t_test_over_seeds(of_seeds):
    d = np.repeat(np.array(of_seeds)[:, None], 200, axis=1)
    plain = stats.ttest_1samp(of_seeds, 0)
    found = training_effect(d)
    assert (found.p, found.df) == pytest.approx((plain.pvalue, len(of_seeds) - 1))
    low, high = plain.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((max(-1, low), min(1, high)))


def test_of_equal_trainings_it_is_the_t_test_over_images():
    of_images = (drawn(2, 300, gain=0.3)[:, 0] * [[1], [-1]]).sum(axis=0)
    plain = stats.ttest_1samp(of_images, 0)
    found = training_effect(np.tile(of_images, (3, 1)))
    assert (found.p, found.df) == pytest.approx((plain.pvalue, 299))
    assert (found.low, found.high) == pytest.approx(tuple(plain.confidence_interval(0.95)))


def test_trainings_that_agree_by_chance_are_not_taken_for_equal():
    """One image each, another in each seed: seeds don't differ at all, images by no more than chance, and it proves nothing."""
    d = np.zeros((3, 100), int)
    d[[0, 1, 2], [10, 20, 30]] = 1
    found = training_effect(d)
    assert found.mean == pytest.approx(0.01) and found.df == pytest.approx(2)
    # seeds counts as rest, 0.01; images is just below rest and adds nothing: sqrt(0.01 / 300) is below 1/100
    assert found.p == pytest.approx(2 * stats.t.sf(1, 2))


@pytest.mark.parametrize("value", [-1, 0, 1])
def test_without_any_variation(value):
    found = training_effect(np.full((3, 100), value))
    reach = stats.t.ppf(0.975, 2) / 100
    assert (found.mean, found.df) == (value, 2)
    assert (found.low, found.high) == pytest.approx((max(-1, value - reach), min(1, value + reach)))
    assert found.p == pytest.approx(2 * stats.t.sf(100 * abs(value), 2))


def test_order_and_sign():
    right = drawn(5, 80, gain=0.2)
    d = (right[0] - right[1]).astype(np.int8)
    found = training_effect(d)
    rng = np.random.default_rng(3)
    assert training_effect(d[rng.permutation(5)][:, rng.permutation(80)].astype(float)) == found
    assert training_effect(-d) == TrainingEffect(-found.mean, -found.high, -found.low, found.p, found.df)


def test_many_data_sets_at_once():
    d = np.stack([np.subtract(*drawn(3, 40, draw)) for draw in range(6)]).reshape(2, 3, 3, 40)
    mean, error, df = mean_and_error(d)
    assert mean.shape == error.shape == df.shape == (2, 3)
    one = training_effect(d[1, 2])
    assert (mean[1, 2], df[1, 2]) == (one.mean, one.df)


@pytest.mark.parametrize(
    ("differences", "level", "said"),
    [
        (np.zeros((1, 50)), 0.95, "two seeds"),
        (np.zeros((3, 1)), 0.95, "two images"),
        (np.zeros(50), 0.95, "seeds, images"),
        (np.zeros((2, 3, 50)), 0.95, "seeds, images"),
        (np.full((3, 50), 0.5), 0.95, "-1, 0 or 1"),
        (np.full((3, 50), 2), 0.95, "-1, 0 or 1"),
        (np.full((3, 50), np.nan), 0.95, "-1, 0 or 1"),
        (np.zeros((3, 50)), 1, "level"),
    ],
)
def test_impossible_differences(differences, level, said):
    with pytest.raises(ValueError, match=said):
        training_effect(differences, level)
