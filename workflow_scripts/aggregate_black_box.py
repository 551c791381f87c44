"""Gather what sets of substitutes do to the models that they were made for into a table."""

import click

from robustness.cli import in_file, in_folder, out_file, program


@program
@in_folder("--evaluation-folder", "Holds the records of clean images, as MODEL/seedSEED/clean.csv.")
@in_folder("--models-folder", "Holds what is told of the substitutes' queries, as MODEL/seedSEED/metadata.json.")
@in_file("--transfer", "transfer.csv of aggregate_tables.")
@click.option("--seed", "seeds", multiple=True, required=True, type=int, help="A seed; once for each.")
@click.option(
    "--pair",
    "pairs",
    multiple=True,
    nargs=4,
    metavar="TARGET SUBSTITUTE TRAINED_ON TECHNIQUE",
    help="A model, a network made without it, 'dataset' or 'answers of MODEL', and intra or cross.",
)
@out_file("--table", "One row a target, substitute, seed, attack and epsilon: queries, agreement, accuracy (.csv).")
@out_file("--text", "The same as text, epsilons across (.md).")
@out_file("--latex", "The same for LaTeX (.tex).")
def main(evaluation_folder, models_folder, transfer, seeds, pairs, table, text, latex):
    """Gather black boxes into a table: accuracy of each model on the sets of substitutes, their queries and agreement."""
    from robustness.evaluation.records import read_records, write_records
    from robustness.evaluation.study_records import StudyRecords
    from robustness.files import write_text
    from robustness.tables.black_box import black_box, black_box_latex, black_box_markdown

    models = tuple(dict.fromkeys(name for target, substitute, *_ in pairs for name in (target, substitute)))
    study = StudyRecords.of_options(evaluation_folder, models, seeds, (), (), ())
    found = black_box(study, models_folder, read_records(transfer), list(pairs))
    write_records(found, table)
    write_text(text, black_box_markdown(found, study.rejecting()))
    write_text(latex, black_box_latex(found, study.rejecting()))


if __name__ == "__main__":
    main()
