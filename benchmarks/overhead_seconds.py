"""What the quick study costs beyond training and crafting: wall time, the starts of programs, jobs a second.

Run from the clone's root by make bench.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from measurements import SCRIPTS, quick_study, run_program, run_study, seconds_by_rule, write_rows

WORK = ("train_model", "distill_student", "craft_path", "craft_adversarial", "craft_worst_case")
EPSILONS = 100  # of FGSM, whose sets take no TensorFlow once its path is there: what is left is the workflow itself


def jobs_a_second(folder: Path, cores: int) -> tuple[int, float]:
    """Jobs and seconds of a hundred adversarial sets that only follow a path, the model being there."""
    config = quick_study()
    config["models"] = {"undefended": config["models"]["undefended"]}
    config["models"]["undefended"]["training"]["epochs"] = 1
    config["attacks"] = {"fgsm": {"method": "fgsm"}}
    config["epsilons"] = [f"{(i + 1) / 1000:g}" for i in range(EPSILONS)]
    config["plots"] = {}
    place = f"{folder / 'results'}/adversarial/undefended/seed1/fgsm"
    run_study(folder, config, cores, [f"{place}/path.npz"])
    return EPSILONS, run_study(folder, config, cores, [f"{place}/eps{text}.npz" for text in config["epsilons"]])


def start_seconds(program: Path) -> float:
    """Seconds that a program takes to answer --help, the median of five."""
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        run_program(program, "--help")
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


@click.command()
@click.option("--cores", default=2, show_default=True)
@click.option("--rounds", default=1, show_default=True, help="Runs of the quick study.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="A row a measure and round: measure, round, value (.csv)."
)
def main(cores, rounds, output):
    """Run the quick study anew and tell what of its time is training and crafting."""
    rows = []

    def note(measure: str, turn: int, value: float) -> None:
        rows.append({"measure": measure, "round": turn, "value": f"{value:.4g}"})
        click.echo(f"{measure}, round {turn}: {value:.4g}")

    with tempfile.TemporaryDirectory() as temporary:
        for turn in range(1, rounds + 1):
            folder = Path(temporary) / f"round{turn}"
            wall = run_study(folder, quick_study(), cores)
            jobs = seconds_by_rule(folder / "results")
            note("wall_seconds", turn, wall)
            note("jobs", turn, sum(map(len, jobs.values())))
            note("work_seconds", turn, sum(sum(jobs[rule]) for rule in WORK) / cores)
            note("probe_seconds", turn, sum(jobs["probe_model"]) / cores)
            for rule in WORK:
                note(f"seconds_of_{rule}", turn, sum(jobs[rule]))
        count, seconds = jobs_a_second(Path(temporary) / "jobs", cores)
        note("jobs_a_second", 1, count / seconds)
    programs = sorted(SCRIPTS.glob("*.py"))
    note("help_seconds_median", 1, statistics.median(start_seconds(program) for program in programs))
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", "from robustness.cluster import devices"], cwd=SCRIPTS, check=True, capture_output=True
    )
    note("tensorflow_start_seconds", 1, time.perf_counter() - started)
    write_rows(output, rows)


if __name__ == "__main__":
    main()
