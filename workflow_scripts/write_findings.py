"""Compare each defended model with its baseline and write the answer page: what each defence was worth."""

import click

from robustness.cli import in_file, out_file, program, runs_options


@program
@runs_options
@click.option(
    "--defence",
    "defences",
    multiple=True,
    nargs=4,
    metavar="MODEL BASELINE CLAIM SOURCE",
    help="A defended model, what it is measured against, and a published claim with its source (both may be empty).",
)
@click.option("--epsilon", help="Epsilon of the sentences; left out, the middle one of each attack's.")
@click.option(
    "--difference",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.05,
    help="The smallest gain in accuracy (share) that counts for a claim; the page says how many images it takes to see it.",
)
@in_file("--verdicts", "verdicts.csv of diagnose_attacks.")
@in_file("--training", "training.csv of aggregate_training.", required=False)
@out_file("--comparisons", "One row a model, seed, attack and epsilon: accuracies, difference, p (.csv).")
@out_file("--findings", "The answer page (.md).")
def main(defences, epsilon, difference, verdicts, training, comparisons, findings, **runs):
    """Compare each defended model with its baseline, on the same images, and write what the defence was worth."""
    from robustness.evaluation.records import read_records, write_records
    from robustness.evaluation.study_records import StudyRecords
    from robustness.files import write_text
    from robustness.tables.findings import comparisons as compare
    from robustness.tables.findings_page import page
    from robustness.tables.training_table import guessing_markdown
    from robustness.version import made_by

    study = StudyRecords.of_options(**runs)
    pairs = [(model, baseline) for model, baseline, _, _ in defences]
    table = compare(study, read_records(verdicts), pairs, difference)
    claims = {model: (claim, source) for model, _, claim, source in defences if claim}
    counted = {model: set(study.bounded_attacks_on(model)) for model in study.models}
    unlike = {model: sorted(counted[model] ^ counted[baseline]) for model, baseline in pairs}
    write_records(table, comparisons)
    trainings = guessing_markdown(read_records(training)).strip() if training else ""
    text = page(
        table, claims, unlike, study.cascade(), epsilon, difference, list(study.seeds), study.rejecting(), trainings
    )
    write_text(findings, f"{text}\n{made_by()}\n")


if __name__ == "__main__":
    main()
