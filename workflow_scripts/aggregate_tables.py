"""Gather the records' summaries into the tables of robust and clean accuracy, worst case, transfer, targets and rejections."""

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
    """Gather the records' summaries into tables: .csv, Markdown and LaTeX; no robust accuracy without its verdict.

    The table of rejections is made where a model of the study can reject an image.
    """
    from robustness.evaluation.records import read_records, write_records
    from robustness.evaluation.study_records import StudyRecords
    from robustness.files import write_text
    from robustness.tables import accuracy_tables as tables
    from robustness.tables import rejection_table

    study, judged, target = StudyRecords.of_options(**runs), read_records(verdicts), Path(output_folder)
    rejecting = study.rejecting()
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
        "clean_accuracy.md": tables.clean_markdown(clean, rejecting),
        "clean_accuracy.tex": tables.clean_latex(clean, rejecting),
        "robust_accuracy.md": tables.robust_markdown(robust, worst_case, clean, judged, rejecting),
        "robust_accuracy.tex": tables.robust_latex(robust, worst_case, clean, judged, rejecting),
        "worst_case.md": tables.worst_case_markdown(worst_case, rejecting),
        "worst_case.tex": tables.worst_case_latex(worst_case, rejecting),
        "transfer.md": tables.transfer_markdown(transfer, rejecting),
        "transfer.tex": tables.transfer_latex(transfer, rejecting),
    }
    if rejecting:
        rejections = rejection_table.rejections(study, judged)
        write_records(rejections, target / "rejections.csv")
        texts["rejections.md"] = rejection_table.rejections_markdown(rejections)
        texts["rejections.tex"] = rejection_table.rejections_latex(rejections)
    hits = tables.targeted(robust)
    if len(hits):
        write_records(hits, target / "targeted.csv")
        texts |= {"targeted.md": tables.targeted_markdown(hits), "targeted.tex": tables.targeted_latex(hits)}
    for name, text in texts.items():
        write_text(target / name, text)


if __name__ == "__main__":
    main()
