"""How a study's wall time grows with its images, epsilons and models. Run from the clone's root by make bench."""

import tempfile
from pathlib import Path

import click

from measurements import quick_study, run_study, seconds_by_rule, write_rows

BASE = {"images": 250, "epsilons": 4, "models": 1}
GROWN = {"images": (1000, 2000), "epsilons": (16, 32), "models": (2, 4)}


def study(images: int, epsilons: int, models: int) -> dict:
    """The quick study with so many images, epsilons and undefended models, trained for an epoch."""
    config = quick_study()
    config["datasets"]["fashion_mnist"]["evaluation"]["n"] = images
    plain = config["models"]["undefended"] | {"training": config["models"]["undefended"]["training"] | {"epochs": 1}}
    config["models"] = {f"model_{i + 1}": plain for i in range(models)}
    for attack in config["attacks"].values():
        attack.pop("models", None)  # names of models that this study lacks; without it, all are attacked
    config["epsilons"] = [f"{0.2 * (i + 1) / epsilons:.4g}" for i in range(epsilons)]
    config["plots"] = {}
    return config


@click.command()
@click.option("--cores", default=2, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="A row a study (.csv).")
def main(cores, output):
    """Run seven small studies: one of 250 images, 4 epsilons and 1 model, and two larger ones along each of these."""
    sizes = [BASE] + [BASE | {what: value} for what, values in GROWN.items() for value in values]
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for i, size in enumerate(sizes):
            folder = Path(temporary) / str(i)
            wall = run_study(folder, study(**size), cores)
            jobs = sum(map(len, seconds_by_rule(folder / "results").values()))
            rows.append(size | {"jobs": jobs, "wall_seconds": f"{wall:.4g}"})
            click.echo("  ".join(f"{k} {v}" for k, v in rows[-1].items()))
    write_rows(output, rows)


if __name__ == "__main__":
    main()
