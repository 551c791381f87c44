"""What a defence changes over several trainings: the mean difference, its interval and a test whose units are trainings."""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit


@dataclass(frozen=True)
class TrainingEffect:
    """Defended minus baseline accuracy over trainings, a share in [-1, 1], with its interval and its two-sided p.

    df: degrees of freedom of the t distribution behind both, 1 or more.
    """

    mean: float
    low: float
    high: float
    p: float
    df: float


def training_effect(differences: np.ndarray, level: float = 0.95) -> TrainingEffect:
    """Does a defence change the accuracy of trainings and images like these? Trainings and images are both samples.

    differences: (S, N), for each of S seeds and N images 1 where only the defended network is right, -1 where only its
    baseline is, 0 where both or neither are; the same images in every seed, S and N 2 or more. level: coverage of the
    interval, above 0 and below 1. Method: see mean_and_error. Raises ValueError for other shapes, values or levels.

    A claim needs more than p: three seeds or more, and a mean above 0.
    """
    differences = np.asarray(differences)
    if differences.ndim != 2:
        raise ValueError(f"differences of shape {differences.shape} are not (seeds, images)")
    if not 0 < level < 1:
        raise ValueError(f"a level of {level} is not between 0 and 1")
    mean, error, df = mean_and_error(differences)
    half = stdtrit(df, 0.5 + level / 2) * error
    low, high = max(-1.0, float(mean - half)), min(1.0, float(mean + half))
    return TrainingEffect(float(mean), low, high, float(two_sided_p(mean, error, df)), float(df))


def mean_and_error(differences: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of paired differences, its standard error and degrees of freedom, where seeds and images both are samples.

    differences: (..., S, N) of -1, 0 and 1, as for training_effect; each leading index is one data set. Returns three
    arrays of shape (...): mean in [-1, 1], error above 0, df of 1 or more. Raises ValueError for fewer than two seeds or
    images and for other values.

    The analysis of multi-reader, multi-case studies of two treatments (Dorfman, Berbaum and Metz 1992, Investigative
    Radiology 27, p. 723-731) with the degrees of freedom of Hillis (2007, Statistics in Medicine 26, p. 596-619):
    trainings are the readers, images the cases. A difference is the sum of the mean, an effect of the seed (variance a),
    one of the image (b) and a rest (e), and the mean of all has the variance a/S + b/N + e/(S N). The mean squares of a
    two-way layout without replication have the expectations N a + e (seeds), S b + e (images) and e (rest), so that

        error^2 = (seeds + max(images - rest, 0)) / (S N),    df = (S - 1) ((seeds + max(images - rest, 0)) / seeds)^2.

    Three departures, all to the safe side, are for few seeds and for accuracies near 0 or 1, where a mean square can be
    far too small by chance: seeds counts as no less than rest, which its expectation is; df is no more than N - 1, which
    the images alone give; error is no less than 1/N, which is nearly the error that Agresti and Min (2005, Statistics in
    Medicine 24, p. 729-740) give N images without any difference. Without variation at all df is S - 1.
    """
    differences = np.asarray(differences)
    if differences.ndim < 2 or min(differences.shape[-2:]) < 2:
        raise ValueError(f"differences of shape {differences.shape} are not of two seeds and two images or more")
    if not np.isin(differences, (-1, 0, 1)).all():
        raise ValueError("differences of right and wrong are -1, 0 or 1")
    n_seeds, n_images = differences.shape[-2:]
    cells = n_seeds * n_images
    # Sums of squares times the number of cells are whole numbers, so that no rounding hides a zero.
    of_seeds = differences.sum(-1, dtype=np.int64)
    of_images = differences.sum(-2, dtype=np.int64)
    total = of_seeds.sum(-1)
    seeds = n_seeds * (of_seeds**2).sum(-1) - total**2
    images = n_images * (of_images**2).sum(-1) - total**2
    rest = cells * np.count_nonzero(differences, axis=(-2, -1)) - total**2 - seeds - images

    rest = rest / (cells * (n_seeds - 1) * (n_images - 1))
    seeds = np.maximum(seeds / (cells * (n_seeds - 1)), rest)
    both = seeds + np.maximum(images / (cells * (n_images - 1)) - rest, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        df = np.where(both > 0, np.minimum((n_seeds - 1) * (both / seeds) ** 2, n_images - 1), n_seeds - 1.0)
    return total / cells, np.maximum(np.sqrt(both / cells), 1 / n_images), df


def two_sided_p(mean: np.ndarray, error: np.ndarray, df: np.ndarray) -> np.ndarray:
    """P of means as far from 0 as these, or farther, by the t distribution; arrays of one shape, as mean_and_error gives."""
    return 2 * stdtr(df, -np.abs(mean) / error)
