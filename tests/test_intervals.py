import pytest

from robustness.statistics.intervals import wilson_interval


# Newcombe 1998 (Statistics in Medicine 17, 857-872), table I, method 3: the published examples.
@pytest.mark.parametrize(
    ("correct", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_published_values(correct, n, low, high):
    assert wilson_interval(correct, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("n", [1, 10, 500])
def test_symmetry_and_bounds(n):
    for correct in range(n + 1):
        low, high = wilson_interval(correct, n)
        assert 0 <= low <= correct / n <= high <= 1
        assert wilson_interval(n - correct, n) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(("correct", "n"), [(1, 0), (-1, 5), (6, 5)])
def test_impossible_counts(correct, n):
    with pytest.raises(ValueError, match="is not a share"):
        wilson_interval(correct, n)
