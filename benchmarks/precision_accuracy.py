"""Whether bfloat16 is worth it in training on this machine: seconds an epoch and accuracy, beside float32.

The undefended network of the quick study with several seeds. Run from the clone's root by make bench.
"""

import csv
import json
import tempfile
from pathlib import Path

import click

from measurements import quick_study, run_study, write_rows

PRECISIONS = ("float32", "mixed_bfloat16")
SEEDS = (1, 2, 3)


@click.command()
@click.option("--cores", default=2, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="A row a training (.csv).")
def main(cores, output):
    """Train with either precision and tell the median of an epoch's seconds and the accuracy on the test images."""
    config, rows = quick_study(), []
    plain = config["models"]["undefended"]
    config["models"] = {name: plain | {"training": plain["training"] | {"precision": name}} for name in PRECISIONS}
    config["seeds"], config["plots"] = list(SEEDS), {}
    for attack in config["attacks"].values():
        del attack["models"]
    with tempfile.TemporaryDirectory() as temporary:
        results = Path(temporary) / "results"
        scored = {
            (name, seed): results / f"evaluation/{name}/seed{seed}/clean.json" for name in PRECISIONS for seed in SEEDS
        }
        run_study(Path(temporary), config, cores, [str(path) for path in scored.values()])
        for (name, seed), path in scored.items():
            test = json.loads(path.read_text())["parts"]["test"]
            with open(results / f"models/{name}/seed{seed}/history.csv", newline="", encoding="utf-8") as handle:
                seconds = sorted(float(row["seconds"]) for row in csv.DictReader(handle))
            row = {"precision": name, "seed": seed, "epoch_seconds": seconds[len(seconds) // 2]}
            rows.append(row | {key: round(test[key], 4) for key in ("accuracy", "ci_low", "ci_high")})
            click.echo("  ".join(map(str, rows[-1].values())))
    write_rows(output, rows)


if __name__ == "__main__":
    main()
