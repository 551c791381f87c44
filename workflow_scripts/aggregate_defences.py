"""Gather what the study's tables say of each defence into one."""

import click

from robustness.cli import in_file, out_file, program


@program
@in_file("--robust", "robust_accuracy.csv of aggregate_tables.")
@in_file("--clean", "clean_accuracy.csv of aggregate_tables.")
@in_file("--worst-cases", "worst_case.csv of aggregate_tables.")
@in_file("--training", "training.csv of aggregate_training.")
@in_file("--rejections", "rejections.csv of aggregate_tables, where a model can reject.", required=False)
@in_file("--targeted", "targeted.csv of aggregate_tables, where an attack has a target.", required=False)
@click.option("--model", "models", multiple=True, help="A network; once for each, in the order of the rows.")
@click.option("--attack", "attacks", multiple=True, help="An attack; once for each, in the order of the columns.")
@click.option("--wraps", multiple=True, nargs=2, metavar="MODEL INSIDE", help="A model and the trained one inside it.")
@click.option("--epsilon", help="Where an attack has it; else its own middle one is taken. In the tables' unit.")
@out_file("--table", "One row a model, seed, quantity and attack (.csv).")
@out_file("--text", "The same as text, a row a model and seed, attacks across (.md).")
@out_file("--latex", "The same for LaTeX (.tex).")
def main(models, attacks, wraps, epsilon, table, text, latex, **tables):
    """Gather all defences into one table: accuracies, worst case, targets, rejections at one epsilon, and training time."""
    from robustness.evaluation.records import read_records, write_records
    from robustness.files import write_text
    from robustness.tables.defence_table import defences, defences_latex, defences_markdown

    read = {name: path and read_records(path) for name, path in tables.items()}
    found = defences(models, attacks, epsilon, dict(wraps), **read)
    write_records(found, table)
    write_text(text, defences_markdown(found, attacks))
    write_text(latex, defences_latex(found, attacks))


if __name__ == "__main__":
    main()
