"""What the benchmarks share: a table of measurements as a file, a program run to its end, a study run from a config."""

import csv
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import click
import yaml

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "workflow_scripts"


def write_rows(path: Path | None, rows: Sequence[dict]) -> None:
    """Write measurements, a row each, all of the same columns (.csv); nothing without a path."""
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def run_program(program: Path, *words: object, python: str = sys.executable) -> str:
    """What a Python program prints; raises ClickException with the end of its errors if it fails."""
    done = subprocess.run([python, str(program), *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        raise click.ClickException(f"{program.name} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def quick_study() -> dict:
    """The config of the quick study, to be changed."""
    return yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))


def run_study(
    folder: Path, config: dict, cores: int = 2, targets: Sequence[str] = (), variables: dict | None = None
) -> float:
    """Run a study whose results go to a folder, or of it what targets name; wall seconds. variables: of its environment.

    Raises ClickException with the end of what Snakemake says if a job fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(config | {"results_dir": str(folder / "results")}), encoding="utf-8")
    command = [
        "snakemake",
        "--cores",
        str(cores),
        "--configfile",
        str(file),
        "--quiet",
        "rules",
        "progress",
        "--",
        *targets,
    ]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | (variables or {}))
    if done.returncode:
        raise click.ClickException(f"the study in {folder} failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return time.perf_counter() - started


def seconds_by_rule(results: Path) -> dict[str, list[float]]:
    """The wall seconds of the jobs of each rule of a finished study, as Snakemake measured them."""
    found: dict[str, list[float]] = defaultdict(list)
    folder = results / "benchmarks"
    for path in sorted(folder.rglob("*.tsv")):
        with open(path, newline="", encoding="utf-8") as handle:
            for row in csv.DictReader(handle, delimiter="\t"):
                found[path.relative_to(folder).parts[0].removesuffix(".tsv")].append(float(row["s"]))
    return found
