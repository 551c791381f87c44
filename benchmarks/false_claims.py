"""How often a claim about a defence stands that should not: simulated trainings of two equal recipes, then of unequal ones.

Nothing is trained and nothing is read. Run from the clone's root (docs/diagnosis.md shows what it prints):

    python benchmarks/false_claims.py --output docs/diagnosis/false_claims.csv
"""

import sys
from pathlib import Path

import click
import numpy as np
import pandas as pd
from scipy.special import bdtr, ndtri, stdtrit

from measurements import SCRIPTS, write_rows

sys.path.insert(0, str(SCRIPTS))

from robustness.statistics.intervals import wilson_interval
from robustness.statistics.training_effects import mean_and_error, two_sided_p

SEEDS = (3, 5, 10)
IMAGES = (100, 500)
ACCURACIES = (0.01, 0.05, 0.1, 0.3, 0.5, 0.9)  # robust accuracy of the baseline's recipe
TRAINING_SDS = (0, 0.01, 0.02, 0.04, 0.08)  # of a training's robust accuracy
GAIN, SD_OF_GAIN = 0.05, 0.02  # what the unequal recipes differ by, and how much their trainings vary
SETTINGS = [(accuracy, 0, sd) for accuracy in ACCURACIES for sd in TRAINING_SDS]
SETTINGS += [(accuracy, GAIN, SD_OF_GAIN) for accuracy in ACCURACIES]

# What makes an image robust or not, as shares of the variance: the image itself, which all networks share; the image under
# one recipe, which all trainings of it share; the rest is the image under one training. Without a share of the recipe both
# recipes are equal; with one each is better on some images, and they are equal on average over all images.
IMAGE_SHARE = 0.5
RECIPE_SHARES = (0, 0.3, 0.5)

LEVEL = 0.05
BATCH = 2_000_000  # cells (seed and image) drawn at once


def draw_latent(rng: np.random.Generator, n: int, seeds: int, images: int, recipe_share: float) -> np.ndarray:
    """How hard each image is for each network of both recipes, standard normal: (2, n, seeds, images), float32."""

    def normal(*shape, share):
        return np.float32(share**0.5) * rng.standard_normal(shape, dtype=np.float32)

    latent = normal(2, n, seeds, images, share=1 - IMAGE_SHARE - recipe_share)
    latent += normal(1, n, 1, images, share=IMAGE_SHARE)
    if recipe_share:
        latent += normal(2, n, 1, images, share=recipe_share)
    return latent


def draw_accuracies(rng: np.random.Generator, mean: float, sd: float, shape: tuple[int, ...]) -> np.ndarray:
    """Robust accuracies of trainings of one recipe: a beta distribution of this mean and standard deviation."""
    if sd == 0:
        return np.full(shape, mean)
    both = mean * (1 - mean) / sd**2 - 1
    return rng.beta(mean * both, (1 - mean) * both, shape)


def differences(rng: np.random.Generator, latent: np.ndarray, accuracy: float, gain: float, sd: float) -> np.ndarray:
    """Robust under the first recipe minus robust under the second: (n, seeds, images), int8.

    latent: as draw_latent gives it. accuracy: of the second recipe; the first has gain more. sd: of both.
    """
    n, seeds = latent.shape[1:3]
    means = (accuracy + gain, accuracy)
    reached = np.stack([ndtri(draw_accuracies(rng, mean, sd, (n, seeds, 1))) for mean in means]).astype(np.float32)
    robust = (latent < reached).view(np.int8)
    return robust[0] - robust[1]


def outcomes(found: np.ndarray, truth: float) -> dict[str, int]:
    """In how many of n studies (n, seeds, images) a claim stands, by three tests, and the interval covers the truth.

    A claim stands where p < LEVEL, two-sided, and the difference is positive.
    """
    mean, error, df = mean_and_error(found)
    difference = found.sum(axis=2, dtype=np.int64)
    discordant = np.count_nonzero(found, axis=2)
    lesser = (discordant - np.abs(difference)) // 2
    mcnemar = np.where(discordant, 2 * bdtr(lesser, np.maximum(discordant, 1), 0.5), 1)  # two-sided, below 1
    of_one_seed = (mcnemar < LEVEL) & (difference > 0)
    return {
        "stands": np.count_nonzero((two_sided_p(mean, error, df) < LEVEL) & (mean > 0)),
        "covered": np.count_nonzero(np.abs(mean - truth) <= stdtrit(df, 1 - LEVEL / 2) * error),
        "mcnemar_first_seed": np.count_nonzero(of_one_seed[:, 0]),
        "mcnemar_every_seed": np.count_nonzero(of_one_seed.all(axis=1)),
    }


def simulate(
    seeds: int, images: int, recipe_share: float, repetitions: int, seed: int, settings=tuple(SETTINGS)
) -> list[dict]:
    """A row a setting (accuracy, gain, training_sd), with shares of the repetitions.

    All settings see the same latent draws: their rates are right one by one, but rise and fall together by chance.
    """
    rng = np.random.default_rng([seed, seeds, images, round(100 * recipe_share)])
    counts = [dict.fromkeys(("stands", "covered", "mcnemar_first_seed", "mcnemar_every_seed"), 0) for _ in settings]
    left = repetitions
    while left:
        n = min(left, max(1, BATCH // (seeds * images)))
        left -= n
        latent = draw_latent(rng, n, seeds, images, recipe_share)
        for count, (accuracy, gain, sd) in zip(counts, settings):
            for name, number in outcomes(differences(rng, latent, accuracy, gain, sd), gain).items():
                count[name] += int(number)
    rows = []
    for count, (accuracy, gain, sd) in zip(counts, settings):
        low, high = wilson_interval(count["stands"], repetitions)
        row = {"seeds": seeds, "images": images, "recipe_share": recipe_share, "accuracy": accuracy, "gain": gain}
        row |= {"training_sd": sd, "repetitions": repetitions}
        shares = {name: round(number / repetitions, 4) for name, number in count.items()}
        row |= {"stands": shares.pop("stands"), "stands_low": round(low, 4), "stands_high": round(high, 4)}
        rows.append(row | shares)
    return rows


def summary(rows: pd.DataFrame) -> str:
    """Two tables in Markdown, in per cent: false claims, of the worst settings, and gains that are found.

    rows: of simulate, for all SEEDS, IMAGES and RECIPE_SHARES.
    """
    equal, unequal = rows[rows["gain"] == 0], rows[rows["gain"] > 0]
    false_claims, found = [], []
    for (differ, seeds), group in equal.groupby([equal["recipe_share"] > 0, "seeds"]):
        worst = group.loc[group["stands"].idxmax(), ["stands", "stands_low", "stands_high"]] * 100
        false_claims.append(
            {
                "recipes": "equal on average" if differ else "equal",
                "seeds": seeds,
                "this test [95 % interval]": "{:.1f} [{:.1f}, {:.1f}]".format(*worst),
                "McNemar, one seed": f"{100 * group['mcnemar_first_seed'].max():.1f}",
                "McNemar, every seed": f"{100 * group['mcnemar_every_seed'].max():.1f}",
                "least coverage": f"{100 * group['covered'].min():.1f}",
            }
        )
    for (images, seeds), group in unequal.groupby(["images", "seeds"]):
        row = {"images": images, "seeds": seeds}
        for accuracy in (0.1, 0.5):
            there = group[group["accuracy"] == accuracy]
            row[f"this test at {100 * accuracy:.0f} %"] = _range(there["stands"])
            row[f"McNemar, every seed, at {100 * accuracy:.0f} %"] = _range(there["mcnemar_every_seed"])
        found.append(row)
    return "\n\n".join(pd.DataFrame(table).to_markdown(index=False) for table in (false_claims, found))


def _range(shares: pd.Series) -> str:
    return f"{100 * shares.min():.0f} to {100 * shares.max():.0f}"


@click.command()
@click.option(
    "--repetitions",
    type=click.IntRange(min=1),
    default=10_000,
    show_default=True,
    help="Simulated studies of each setting; 10,000 take two to four minutes.",
)
@click.option("--seed", default=1, show_default=True, help="Of the random draws: the same seed, the same table.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="A row a setting; rates are shares of the studies (.csv)."
)
def main(repetitions, seed, output):
    """Simulate studies of two recipes and count the claims that stand, by the test over trainings and by McNemar's."""
    rows = []
    for seeds in SEEDS:
        for images in IMAGES:
            for recipe_share in RECIPE_SHARES:
                rows += simulate(seeds, images, recipe_share, repetitions, seed)
                click.echo(f"{seeds} seeds, {images} images, recipe share {recipe_share}", err=True)
    write_rows(output, rows)
    click.echo(summary(pd.DataFrame(rows)))


if __name__ == "__main__":
    main()
