"""Gather what each attack cost on the average over its epsilons, and what each defence gained, into a table."""

import click

from robustness.cli import in_file, out_file, program, runs_options


@program
@runs_options
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    nargs=2,
    metavar="MODEL BASELINE",
    help="A defended model and the one that its drop and its gain are measured against, too.",
)
@in_file("--verdicts", "verdicts.csv of diagnose_attacks.")
@out_file("--table", "One row a model, seed and attack: mean drop and gain as shares, with intervals (.csv).")
@out_file("--text", "The same as text, in percentage points (.md).")
def main(baselines, verdicts, table, text, **runs):
    """Gather each attack's mean drop in accuracy and each defence's mean gain, over all epsilons, with intervals."""
    from robustness.evaluation.records import read_records, write_records
    from robustness.evaluation.study_records import StudyRecords
    from robustness.files import write_text
    from robustness.tables.drops import drops, drops_markdown

    study = StudyRecords.of_options(**runs)
    found = drops(study, read_records(verdicts), dict(baselines))
    write_records(found, table)
    write_text(text, drops_markdown(found, study.rejecting()))


if __name__ == "__main__":
    main()
