"""Gather the records' summaries into the tables of robust and clean accuracy, of the worst case and of transfer."""

from pathlib import Path

import click

from robustness.cli import in_file, program, runs_options


@program
@runs_options
@in_file("--verdicts", "verdicts.csv of diagnose_attacks.")
@click.option(
    "--classifier",
    "classifiers",
    multiple=True,
    help="A model of another technique than a neural network; once for each.",
)
@click.option(
    "--output-folder",
    required=True,
    type=click.Path(file_okay=False),
    help="Where the tables go, as .csv, .md and .tex, and curves.csv for the figures.",
)
def main(verdicts, classifiers, output_folder, **runs):
    """Gather the records' summaries into tables: .csv, Markdown and LaTeX; no robust accuracy without its verdict."""
    from robustness import tables
    from robustness.files import whole_file
    from robustness.records import read_records, write_records
    from robustness.study_records import StudyRecords

    study, judged, target = StudyRecords.of_options(**runs), read_records(verdicts), Path(output_folder)
    clean = tables.clean_accuracy([study.clean_summary(model, seed) for model in study.models for seed in study.seeds])
    robust = tables.robust_accuracy(study, judged)
    worst_case = tables.worst_case(study, judged)
    transfer = tables.transfer(study, robust, classifiers)
    write_records(clean, target / "clean_accuracy.csv")
    write_records(robust, target / "robust_accuracy.csv")
    write_records(worst_case, target / "worst_case.csv")
    write_records(transfer, target / "transfer.csv")
    write_records(tables.curves(robust, worst_case, clean), target / "curves.csv")
    texts = {
        "clean_accuracy.md": tables.clean_markdown(clean),
        "clean_accuracy.tex": tables.clean_latex(clean),
        "robust_accuracy.md": tables.robust_markdown(robust, worst_case, clean, judged),
        "robust_accuracy.tex": tables.robust_latex(robust, worst_case, clean, judged),
        "worst_case.md": tables.worst_case_markdown(worst_case),
        "worst_case.tex": tables.worst_case_latex(worst_case),
        "transfer.md": tables.transfer_markdown(transfer),
        "transfer.tex": tables.transfer_latex(transfer),
    }
    for name, text in texts.items():
        with whole_file(target / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
