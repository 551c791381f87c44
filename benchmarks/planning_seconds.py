"""How long Snakemake plans studies of a hundred, a thousand and ten thousand adversarial sets, and with how much memory.

Nothing is trained or attacked, and nothing is downloaded. Run from the clone's root by make bench.
"""

import csv
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import yaml

from measurements import ROOT, quick_study, write_rows

PROJECT = ("Snakefile", "rules", "schemas", "envs", "resources", "workflow_scripts", "profiles")
ARCHITECTURES = ("report_cnn", "vgg11", "vgg16", "resnet20", "inception_small")
SIZES = (  # 100, 1,000 and 10,000 sets; a family is a network undefended, as a teacher and as its student
    {"families": 1, "seeds": 1, "epsilons": 10},
    {"families": 5, "seeds": 2, "epsilons": 10},
    {"families": 10, "seeds": 5, "epsilons": 20},
)
ITERATED = {"relative_step": 0.25, "iterations": 10}
ATTACKS = {
    "fgsm": {"method": "fgsm"},
    "bim": {"method": "bim", **ITERATED},
    "pgd": {"method": "pgd", "random_start": True, **ITERATED},
    "pgd_euclidean": {"method": "pgd", "norm": 2, "random_start": True, **ITERATED},
    "apgd": {"method": "apgd", "iterations": 20},
}

# snakemake --touch sleeps a tenth of a second a job, which is half an hour for the largest study.
TOUCH = "from snakemake import cli; from snakemake.executors import touch; touch.Executor.SLEEPING_TIME = 0; cli.main()"


def study(families: int, seeds: int, epsilons: int) -> dict:
    """A study of CIFAR-10: five architectures with and then without erasing; undefended networks and students are attacked.

    All models are of one dataset, so that the sets of each are scored on all others as transfer, which no study can exceed.
    """
    config = quick_study()
    models, attacked = {}, []
    for i in range(families):
        plain = {"dataset": "cifar10", "architecture": ARCHITECTURES[i % 5], "erasing": i < 5}
        plain["training"] = config["models"]["undefended"]["training"]
        distillation = {"teacher": f"teacher_{i}", "distillation": config["models"]["distilled"]["distillation"]}
        models |= {f"undefended_{i}": plain, f"teacher_{i}": plain | {"temperature": 200}}
        models |= {f"student_{i}": plain | distillation}
        attacked += [f"undefended_{i}", f"student_{i}"]
    return config | {
        "results_dir": "results",
        "datasets": {"cifar10": config["datasets"]["fashion_mnist"] | {"source": "cifar10"}},
        "models": models,
        "attacks": {name: attack | {"models": attacked} for name, attack in ATTACKS.items()},
        "epsilons": [f"{0.2 * (i + 1) / epsilons:.4g}" for i in range(epsilons)],
        "seeds": list(range(1, seeds + 1)),
        "plots": {},
    }


def workplace(folder: Path, config: dict) -> Path:
    """A folder with links to the project and a study's config, so that its files and Snakemake's notes stay out of the clone."""
    folder.mkdir()
    for name in PROJECT:
        (folder / name).symlink_to(ROOT / name)
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder


def measured(folder: Path, *words: str, start: tuple[str, ...] = ("-m", "snakemake")) -> tuple[str, dict]:
    """What Snakemake prints on two cores, and its wall seconds, CPU seconds and peak memory (MB).

    Raises ClickException with the end of what it says if it fails.
    """
    with open(folder / "printed.txt", "w+", encoding="utf-8") as printed:
        started = time.perf_counter()
        command = [sys.executable, *start, "--cores", "2", *words]
        process = subprocess.Popen(command, cwd=folder, stdout=printed, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        printed.seek(0)
        text = printed.read()
    if status:
        raise click.ClickException(f"snakemake {' '.join(words)} failed:\n{text[-3000:]}")
    peak = usage.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    cpu = usage.ru_utime + usage.ru_stime
    return text, {"wall_seconds": f"{wall:.4g}", "cpu_seconds": f"{cpu:.4g}", "peak_mb": round(peak)}


def grouping() -> list[str]:
    """The options by which profiles/slurm puts jobs into groups."""
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text(encoding="utf-8"))
    turns = [f"{rule}:{k}={v}" for rule, own in profile["set-resources"].items() for k, v in own.items()]
    words = ["--groups", *(f"{rule}={group}" for rule, group in profile["groups"].items()), "--set-resources", *turns]
    words += ["--resources", *(f"{k}={v}" for k, v in profile["resources"].items())]
    return [*words, "--set-resource-scopes", *(f"{k}={v}" for k, v in profile["set-resource-scopes"].items())]


def finish(folder: Path) -> tuple[int, int]:
    """Make all files of a study, empty, with Snakemake's notes on how they were made; its jobs and adversarial sets."""
    text, _ = measured(folder, "--summary")
    table = text[text.index("output_file\t") :].splitlines()
    rows = list(csv.DictReader(table, delimiter="\t"))
    for row in rows:
        path = folder / row["output_file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    at_once = ("--cores", "10000", "--scheduler", "greedy")
    text, _ = measured(folder, *at_once, "--touch", "--forceall", "--quiet", "rules", "progress", start=("-c", TOUCH))
    jobs = sum(map(int, re.findall(r"^Execute (\d+) jobs", text, re.MULTILINE)))
    return jobs, sum(row["rule"] == "craft_adversarial" for row in rows)


def plans(folder: Path, config: dict) -> list[dict]:
    """A row a plan of a study: of which nothing exists, the same in groups of jobs as on a cluster, and finished."""
    workplace(folder, config)
    plan = ("--dry-run", "--quiet")
    found = {"fresh": measured(folder, *plan)[1]}
    found["fresh, in groups"] = measured(folder, *plan, *grouping())[1]
    jobs, sets = finish(folder)
    text, found["finished"] = measured(folder, "--dry-run", "--quiet", "rules")
    if "Nothing to be done" not in text:
        raise click.ClickException(f"the plan of the finished study has jobs:\n{text[-3000:]}")
    return [{"sets": sets, "jobs": jobs, "plan": name} | row for name, row in found.items()]


@click.command()
@click.option("--sizes", default=len(SIZES), show_default=True, help="Studies to plan, the smallest first.")
@click.option("--output", type=click.Path(path_type=Path), help="A row a study and plan (.csv).")
def main(sizes, output):
    """Plan studies of about 100, 1,000 and 10,000 adversarial sets; each plan is a process of its own."""
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for i, size in enumerate(SIZES[:sizes]):
            config = study(**size)
            shape = {"models": len(config["models"]), "attacked": len(config["attacks"]["fgsm"]["models"])}
            shape |= {"seeds": size["seeds"], "attacks": len(ATTACKS), "epsilons": size["epsilons"]}
            for row in plans(Path(temporary) / str(i), config):
                rows.append(shape | row)
                click.echo("  ".join(f"{k} {v}" for k, v in rows[-1].items()))
    write_rows(output, rows)


if __name__ == "__main__":
    main()
