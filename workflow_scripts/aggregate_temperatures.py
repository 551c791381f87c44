"""Gather accuracies and vanished gradients of models that differ in their training temperature into a table."""

import click

from robustness.cli import in_file, out_file, program


@program
@in_file("--robust", "robust_accuracy.csv of aggregate_tables.")
@in_file("--clean", "clean_accuracy.csv of aggregate_tables.")
@in_file("--worst-cases", "worst_case.csv of aggregate_tables.")
@in_file("--verdicts", "verdicts.csv of diagnose_attacks.")
@click.option(
    "--sweep",
    "sweeps",
    multiple=True,
    required=True,
    nargs=2,
    metavar="NAME EPSILON",
    help="A temperature sweep and its epsilon, in the tables' unit.",
)
@click.option(
    "--attack",
    "attacks",
    multiple=True,
    nargs=3,
    metavar="SWEEP NAME LOSS",
    help="An attack of a sweep and the loss that it climbs, empty for none.",
)
@click.option(
    "--member",
    "members",
    multiple=True,
    type=(str, str, str, float),
    metavar="SWEEP SERIES MODEL TEMPERATURE",
    help="A model of a sweep, the series that it belongs to and the temperature at which it was trained.",
)
@out_file("--table", "One row a sweep, series, temperature, seed and quantity (.csv).")
@out_file("--text", "The same as text (.md).")
@out_file("--curves", "What the figures draw: seeds together (.csv).")
def main(robust, clean, worst_cases, verdicts, sweeps, attacks, members, table, text, curves):
    """Gather accuracies and vanished gradients against the training temperature: .csv, Markdown, and curves for the figures."""
    from robustness.evaluation.records import read_records, write_records
    from robustness.files import write_text
    from robustness.tables.temperature_tables import (
        TemperatureSweep,
        temperature_curves,
        temperatures,
        temperatures_markdown,
    )

    told = [
        TemperatureSweep(
            name,
            epsilon,
            {attack: loss for sweep, attack, loss in attacks if sweep == name},
            [member for sweep, *member in members if sweep == name],
        )
        for name, epsilon in sweeps
    ]
    found = temperatures(told, *(read_records(path) for path in (robust, clean, worst_cases, verdicts)))
    write_records(found, table)
    write_records(temperature_curves(found), curves)
    write_text(text, temperatures_markdown(found))


if __name__ == "__main__":
    main()
