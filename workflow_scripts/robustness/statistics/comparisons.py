"""Paired comparisons on the same images: tests, intervals, and how many images it takes."""

from math import ceil, nan, sqrt
from statistics import NormalDist

import numpy as np
from scipy.special import bdtr, bdtrc  # scipy.stats has the whole test, and takes most of a second to import


def mcnemar_p(only_first: int, only_second: int, alternative: str = "two-sided") -> float:
    """Exact p of McNemar's test (1947, Psychometrika 12, p. 153-157): a binomial test of the discordant pairs.

    only_first, only_second: images that only the one, only the other of two models (or attacks) gets right.
    alternative: 'two-sided', or 'greater' for only_first > only_second. 1 where no pair is discordant. Raises ValueError
    for impossible counts.
    """
    if only_first < 0 or only_second < 0:
        raise ValueError(f"{only_first} and {only_second} are no discordant pairs")
    discordant = only_first + only_second
    if discordant == 0:
        return 1.0
    if alternative == "greater":
        return float(bdtrc(only_first - 1, discordant, 0.5)) if only_first else 1.0
    return min(1.0, 2 * float(bdtr(min(only_first, only_second), discordant, 0.5)))  # fair coins fall alike either way


def holm(p_values: list[float]) -> list[float]:
    """P values corrected for their number (Holm 1979, Scand. J. Statist. 6, p. 65-70), in the order given."""
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1)
    return corrected.tolist()


def paired_difference(only_first: int, only_second: int, n: int, level: float = 0.95) -> tuple[float, float, float]:
    """First minus second accuracy, on the same n images, and its interval: (difference, low, high).

    Agresti and Min 2005 (Statistics in Medicine 24, p. 729-740): Wald's interval after half an image is added to each
    of the four cells; the difference itself is the plain one. Raises ValueError for impossible counts.
    """
    if n < 1 or only_first < 0 or only_second < 0 or only_first + only_second > n:
        raise ValueError(f"{only_first} and {only_second} of {n} are no discordant pairs")
    first, second, total = only_first + 0.5, only_second + 0.5, n + 2
    centre = (first - second) / total
    half = NormalDist().inv_cdf(0.5 + level / 2) * sqrt(first + second - (first - second) ** 2 / total) / total
    return (only_first - only_second) / n, max(-1.0, centre - half), min(1.0, centre + half)


def mean_interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """The mean of one number an image and its normal interval: (mean, low, high).

    values: (n,), one or more. The interval is the mean -+ z standard errors, those from the standard deviation with n - 1
    (1.96 of them at 95 %); of a single image it is NaN. Where all images agree it has no width.
    """
    values = np.asarray(values, float)
    mean, n = float(values.mean()), len(values)
    half = NormalDist().inv_cdf(0.5 + level / 2) * float(values.std(ddof=1)) / sqrt(n) if n > 1 else nan
    return mean, mean - half, mean + half


def images_needed(difference: float, discordant: float, level: float = 0.05, power: float = 0.8) -> int:
    """Images that it takes to see a difference of two accuracies by McNemar's test (Connor 1987, Biometrics 43, p. 207).

    difference: of the accuracies, above 0. discordant: share of images that just one of both gets right; less than the
    difference is impossible and counts as the difference. level: two-sided. power: the chance of seeing it. Raises
    ValueError for shares that are none.
    """
    if not 0 < difference <= 1 or not 0 <= discordant <= 1:
        raise ValueError(f"{difference} and {discordant} are no shares of images")
    share = max(discordant, difference)
    normal = NormalDist()
    root = normal.inv_cdf(1 - level / 2) * sqrt(share) + normal.inv_cdf(power) * sqrt(max(share - difference**2, 0))
    return ceil(root**2 / difference**2)
