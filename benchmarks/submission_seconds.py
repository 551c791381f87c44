"""What it costs a cluster's queue to craft and score about 200 adversarial sets: submissions and seconds, job by job, and in
groups as profiles/slurm has them.

Run from the clone's root by make bench. It starts the SLURM of the tests (tests/slurm), on which jobs start at once; a real
queue adds its waiting to each submission.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import yaml

from measurements import ROOT, quick_study, run_study, write_rows

sys.path.insert(0, str(ROOT / "tests"))
from slurm import cluster

MODELS, EPSILONS = 12, 8  # with FGSM and PGD 192 sets, as many as the thesis has of its twelve attacked networks
PARTITIONS = {"partitions": {"cpu": {}, "gpu": {"max_gpu": 1}}}


def study() -> dict:
    """Twelve small networks under two attacks at eight epsilons, on few images: little work in many jobs."""
    config = quick_study()
    entry = {"dataset": "fashion_mnist", "architecture": "lenet5", "training": {"epochs": 1}}
    config["models"] = {f"network_{i}": entry for i in range(1, MODELS + 1)}
    config["datasets"]["fashion_mnist"] |= {"split": {"train_limit": 1000}, "evaluation": {"n": 100}}
    for attack in config["attacks"].values():
        del attack["models"]
    config["epsilons"] = [f"{(i + 1) / 100:g}" for i in range(EPSILONS)]
    return config


def profiles(folder: Path) -> dict[str, Path]:
    """profiles/slurm with the test cluster's partitions, without its groups and as it is."""
    settings = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text(encoding="utf-8"))
    settings["slurm-partition-config"] = str(folder / "partitions.yaml")
    settings["slurm-init-seconds-before-status-checks"] = 5  # jobs end within seconds here
    (folder / "partitions.yaml").write_text(yaml.safe_dump(PARTITIONS), encoding="utf-8")
    single = {key: value for key, value in settings.items() if not key.startswith("group")}
    ways = {"job by job": single, "groups": settings}
    for way, content in ways.items():
        (folder / way).mkdir()
        (folder / way / "config.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return {way: folder / way for way in ways}


@click.command()
@click.option("--output", type=click.Path(path_type=Path), help="A row a way: way, sets, submissions, seconds (.csv).")
def main(output):
    """Craft and score the same sets in both ways."""
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        config, results = study(), folder / "study/results"
        names, attacks = list(config["models"]), list(config["attacks"])
        trained = [f"{results}/models/{name}/seed1/model.keras" for name in names]
        run_study(folder / "study", config, targets=[*trained, f"{results}/datasets/fashion_mnist/evaluation.npz"])
        scored = [f"{results}/evaluation/{name}/seed1/attacks/{attack}.json" for name in names for attack in attacks]
        cluster.up(folder / "cluster")
        try:
            for way, profile in profiles(folder).items():
                for name in ("adversarial", "evaluation"):
                    shutil.rmtree(results / name, ignore_errors=True)
                command = ["snakemake", "--profile", profile, *scored, "--configfile", folder / "study/config.yaml"]
                started = time.perf_counter()
                done = subprocess.run(
                    command, cwd=ROOT, capture_output=True, text=True, env=cluster.environment(folder / "cluster")
                )
                seconds = time.perf_counter() - started
                if done.returncode:
                    raise click.ClickException(f"{way} failed:\n{(done.stdout + done.stderr)[-3000:]}")
                found = re.findall(r"SLURM jobid (\d+)", done.stdout + done.stderr)
                sets = len(list((results / "adversarial").rglob("eps*.npz")))
                rows.append({"way": way, "sets": sets, "submissions": len(set(found)), "seconds": f"{seconds:.0f}"})
                click.echo(rows[-1])
        finally:
            cluster.down(folder / "cluster")
    write_rows(output, rows)


if __name__ == "__main__":
    main()
