"""Gather how long each model's training took, and what it reached, into a table."""

import click

from robustness.cli import in_folder, out_file, program


@program
@in_folder("--models-folder", "Holds the trainings, as MODEL/seedSEED/metadata.json and history.csv.")
@click.option("--model", "models", multiple=True, required=True, help="A model; once for each.")
@click.option("--seed", "seeds", multiple=True, required=True, type=int, help="A seed; once for each.")
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    nargs=2,
    metavar="MODEL BASELINE",
    help="A defended model and the one whose time an epoch its own is told as a multiple of.",
)
@click.option(
    "--initial",
    "initials",
    multiple=True,
    nargs=2,
    metavar="MODEL INITIAL",
    help="A model and the one whose trained weights it starts from.",
)
@out_file("--table", "One row a model and seed (.csv).")
@out_file("--text", "The same as text (.md).")
def main(models_folder, models, seeds, baselines, initials, table, text):
    """Gather the trainings into a table: times, size, and loss and accuracy of the weights that were kept."""
    from robustness.evaluation.records import write_records
    from robustness.files import write_text
    from robustness.tables.training_table import training_markdown, training_table

    found = training_table(models_folder, models, seeds, dict(baselines), dict(initials))
    write_records(found, table)
    write_text(text, training_markdown(found))


if __name__ == "__main__":
    main()
