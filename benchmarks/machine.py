"""What a measurement was made on: processor, cores, memory, matrix rate, versions."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from measurements import run_program, write_rows

PACKAGES = ("tensorflow-cpu", "tensorflow", "keras", "cleverhans", "snakemake")


@click.command()
@click.option("--threads", default=2, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="A row a fact: fact, value (.csv).")
def main(threads, output):
    """Tell what this machine is."""
    names = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    rate = run_program(Path(__file__).with_name("matrix_rate.py"), "--threads", threads).strip()
    facts = {
        "processor": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "memory, GiB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        f"matrix rate on {threads} threads, GFLOP/s, float32": rate,
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            continue
    rows = [{"fact": fact, "value": value} for fact, value in facts.items()]
    for row in rows:
        click.echo(f"{row['fact']}: {row['value']}")
    write_rows(output, rows)


if __name__ == "__main__":
    main()
