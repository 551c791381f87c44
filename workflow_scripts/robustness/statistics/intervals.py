"""Intervals for shares of images."""

from math import sqrt
from statistics import NormalDist


def wilson_interval(correct: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a share (Wilson 1927, JASA 22, p. 209-212), without continuity correction.

    correct: number of successes, 0 to n. n: number of trials, at least 1. level: coverage, 0 to 1.
    Returns (low, high), each in [0, 1]. Raises ValueError for impossible counts.
    """
    if n < 1 or not 0 <= correct <= n:
        raise ValueError(f"{correct} of {n} is not a share")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = correct / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # At 0 and n the formula reaches the bound exactly; rounding may miss it by one unit in the last place.
    low = 0.0 if correct == 0 else centre - half
    high = 1.0 if correct == n else centre + half
    return low, high
