"""Put the benchmarks' measurements into the tables of docs/performance.md, whose text is written by hand.

A table stands between <!-- NAME --> and <!-- end of NAME -->. Numbers are medians over rounds, with the smallest and the
largest in brackets.
"""

import re
from collections.abc import Callable
from pathlib import Path

import click
import pandas as pd


def spread(values: pd.Series, digits: int = 3) -> str:
    """The median, and the smallest and largest in brackets if there are several; '' for none."""
    values = pd.to_numeric(values).dropna()
    if values.empty:
        return ""
    numbers = [
        f"{v:.{digits}g}" if v < 10**digits else f"{v:.0f}" for v in (values.median(), values.min(), values.max())
    ]
    return numbers[0] if len(values) == 1 else f"{numbers[0]} [{numbers[1]}, {numbers[2]}]"


def crafting(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a network and work: seconds of the workflow and, as multiples of it, the floor and each peer."""
    found = []
    for (network, work), part in rows.groupby(["network", "work"], sort=False):
        mine = part[part["library"] == "workflow"]
        row = {"network": network, "crafted": work, "images": mine["n"].iloc[0]}
        row["workflow, s per 1,000 images"] = spread(mine["seconds_per_1000"])
        row["workflow / floor"] = spread(mine["seconds_per_1000"] / mine["floor_seconds_per_1000"])
        for library in (name for name in rows["library"].unique() if name != "workflow"):
            row[f"{library} / workflow"] = spread(part.loc[part["library"] == library, "of_workflow"])
        found.append(row)
    return pd.DataFrame(found)


def agreement(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a network and work: the share of pixels in which each peer's images are the workflow's, in percent."""
    peers = rows[rows["library"] != "workflow"].assign(equal=lambda r: (100 * r["equal_pixels"]).map("{:.4g}".format))
    found = peers.groupby(["network", "work", "library"], sort=False)["equal"].first().unstack(sort=False)
    return found.fillna("").reset_index()


def worst_case(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a sweep: seconds of eight runs and of the sweep, their ratio, and how often which found more."""
    found = []
    for sweep, part in rows.groupby("sweep", sort=False):
        row = {"sweep": sweep, "images": part["n"].iloc[0]}
        row["eight runs, s"] = spread(part["independent_seconds"])
        row["worst-case sweep, s"] = spread(part["sweep_seconds"])
        row["sweep / runs"] = spread(part["share"])
        row["images that fall at a smaller epsilon in the sweep"] = part["fall_earlier"].max()
        row["at a larger one"] = part["fall_later"].max()
        found.append(row)
    return pd.DataFrame(found)


def training(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a network and defence: images a second either way, their ratio, and what the input pipeline costs."""
    found = []
    for (architecture, defence), part in rows.groupby(["architecture", "defence"], sort=False):
        rates = part.pivot(index="round", columns="feed", values="images_per_second")
        shares = 100 * pd.to_numeric(part.loc[part["feed"] == "workflow", "pipeline_share"])
        row = {"network": architecture, "defence": defence}
        row["workflow, images/s"] = spread(rates["workflow"])
        row["ImageDataGenerator, images/s"] = spread(rates["generator"])
        row["workflow / generator"] = spread(rates["workflow"] / rates["generator"])
        row["input pipeline, % of a step"] = spread(shares, 2)
        found.append(row)
    return pd.DataFrame(found)


def precision(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a training: seconds of an epoch, and accuracy on the test images with its interval, in percent."""
    interval = [
        f"{100 * a:.1f} [{100 * b:.1f}, {100 * c:.1f}]" for a, b, c in rows[["accuracy", "ci_low", "ci_high"]].values
    ]
    table = rows[["precision", "seed", "epoch_seconds"]].rename(columns={"epoch_seconds": "seconds of an epoch"})
    return table.assign(**{"test accuracy, %": interval})


def overhead(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a measure of the quick study and of the workflow itself."""
    values = rows.pivot(index="measure", columns="round", values="value")
    wall, work, probes = (values.loc[f"{name}_seconds"] for name in ("wall", "work", "probe"))
    measures = {
        "quick study, wall seconds": wall,
        "its jobs": values.loc["jobs"],
        "training and crafting, seconds of all cores": work,
        "probes of the diagnosis, which craft too, seconds of all cores": probes,
        "overhead: the rest, % of the wall time": 100 * (1 - (work + probes) / wall),
        "the same with the probes, %": 100 * (1 - work / wall),
        "start of TensorFlow, seconds": values.loc["tensorflow_start_seconds"],
        "start of a program (--help), seconds": values.loc["help_seconds_median"],
        "light jobs a second (sets of FGSM that follow a path)": values.loc["jobs_a_second"],
    }
    return pd.DataFrame([{"measure": name, "measured": spread(value)} for name, value in measures.items()])


def memory(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a rule: its largest peak in each study, MB."""
    return rows.pivot(index="rule", columns="study", values="peak_mb")[list(rows["study"].unique())].reset_index()


def growth(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a study: what grew, jobs, seconds, and seconds for each image, epsilon or model more than in the row above."""
    base, found = rows.iloc[0], []
    for what in ("images", "epsilons", "models"):
        others = [name for name in ("images", "epsilons", "models") if name != what]
        line = rows[(rows[others] == base[others]).all(axis=1)]
        slopes = line["wall_seconds"].diff() / line[what].diff()
        table = line[["images", "epsilons", "models", "jobs", "wall_seconds"]].rename(
            columns={"wall_seconds": "seconds"}
        )
        table.insert(0, "grows", what)
        found.append(table.assign(**{"seconds for one more": slopes.map(lambda v: "" if pd.isna(v) else f"{v:.3g}")}))
    return pd.concat(found)


def planning(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a study and plan: the study's shape, in words and in jobs, and wall seconds, CPU seconds and peak memory."""
    shape = "models {models} (attacked {attacked}), seeds {seeds}, attacks {attacks}, epsilons {epsilons}"
    table = rows[["sets", "jobs", "plan"]].rename(columns={"sets": "adversarial sets"})
    table.insert(1, "study", [shape.format(**row) for row in rows.to_dict("records")])
    return table.assign(
        **{"wall seconds": rows["wall_seconds"], "CPU seconds": rows["cpu_seconds"], "peak, MB": rows["peak_mb"]}
    )


def submissions(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a way of submitting: the adversarial sets, submissions and seconds."""
    return rows.rename(columns={"way": "submitted", "sets": "adversarial sets"})


TABLES: dict[str, tuple[str, Callable[[pd.DataFrame], pd.DataFrame]]] = {
    "machine": ("machine", lambda rows: rows),
    "crafting": ("crafting", crafting),
    "agreement": ("crafting", agreement),
    "worst_case": ("worst_case", worst_case),
    "training": ("training", training),
    "precision": ("precision", precision),
    "overhead": ("overhead", overhead),
    "memory": ("memory", memory),
    "growth": ("growth", growth),
    "planning": ("planning", planning),
    "submissions": ("submissions", submissions),
}


def filled(page: str, folder: Path) -> str:
    """The page with every table made anew from the measurements in the folder."""
    for name, (file, table) in TABLES.items():
        text = table(pd.read_csv(folder / f"{file}.csv")).to_markdown(index=False, disable_numparse=True)
        parts = re.split(f"(?<=<!-- {name} -->\n).*?(?=<!-- end of {name} -->)", page, flags=re.DOTALL)
        if len(parts) != 2:
            raise click.ClickException(f"the page has {len(parts) - 1} places for the table {name}: mark one.")
        page = f"{parts[0]}{text}\n{parts[1]}"
    return page


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("page", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(folder: Path, page: Path) -> None:
    """Fill the tables of PAGE from the measurements in FOLDER."""
    page.write_text(filled(page.read_text(encoding="utf-8"), folder), encoding="utf-8")


if __name__ == "__main__":
    main()
