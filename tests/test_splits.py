import numpy as np
import pytest

from robustness.data.splits import holdout_split, stratified_sample
from robustness.errors import UserError


@pytest.mark.parametrize(
    ("counts", "n"),
    [([100, 100, 100], 30), ([50, 30, 20], 10), ([7, 5, 3], 4), ([1, 99], 10), ([10, 10], 20), ([4, 4], 0)],
)
def test_each_class_has_its_share(counts, n):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    chosen = stratified_sample(labels, n, seed=1)
    assert len(chosen) == len(set(chosen)) == n
    assert (np.diff(chosen) > 0).all()
    taken = np.bincount(labels[chosen], minlength=len(counts))
    assert (np.abs(taken - np.array(counts) * n / sum(counts)) < 1).all()


def test_the_seed_decides():
    labels = np.repeat(np.arange(10), 50)
    first, again, other = (stratified_sample(labels, 100, seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_holdout_loses_and_doubles_nothing():
    labels = np.repeat(np.arange(4), 25)
    training, validation = holdout_split(labels, 20, seed=1)
    assert sorted([*training, *validation]) == list(range(100))
    assert (np.bincount(labels[validation]) == 5).all()


def test_too_many():
    with pytest.raises(UserError, match="11 images are asked for, but there are only 10"):
        stratified_sample(np.zeros(10, int), 11, seed=1)
