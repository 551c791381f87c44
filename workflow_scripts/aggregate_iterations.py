"""Gather the summaries of iteration sweeps into a table."""

import click

from robustness.cli import in_folder, out_file, program


@program
@in_folder("--evaluation-folder", "Holds the summaries, as MODEL/seedSEED/iterations/SWEEP.json.")
@click.option("--seed", "seeds", multiple=True, required=True, type=int, help="A seed; once for each.")
@click.option(
    "--sweep",
    "sweeps",
    multiple=True,
    required=True,
    nargs=2,
    metavar="NAME MODELS",
    help="An iteration sweep and the models that it was run on, separated by commas.",
)
@out_file("--table", "One row a sweep, model, seed and number of iterations (.csv).")
@out_file("--text", "The same as text (.md).")
@out_file("--curves", "What the figures draw: seeds together, a row a metric (.csv).")
def main(evaluation_folder, seeds, sweeps, table, text, curves):
    """Gather the summaries of iteration sweeps into a table: .csv, Markdown, and curves for the figures."""
    from pathlib import Path

    from robustness.evaluation.records import write_records
    from robustness.files import read_json, write_text
    from robustness.tables.iteration_tables import iteration_curves, iterations, iterations_markdown

    folder = Path(evaluation_folder)
    found = iterations(
        [
            read_json(folder / model / f"seed{seed}" / "iterations" / f"{sweep}.json")
            for sweep, models in sweeps
            for model in models.split(",")
            for seed in seeds
        ]
    )
    write_records(found, table)
    write_records(iteration_curves(found), curves)
    write_text(text, iterations_markdown(found))


if __name__ == "__main__":
    main()
