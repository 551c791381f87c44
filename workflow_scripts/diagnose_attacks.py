"""Judge every attack on every model by its records and probes: whether its robust accuracy can be taken for the model's."""

from robustness.cli import out_file, program, runs_options


@program
@runs_options
@out_file("--verdicts", "One row a model, seed, attack, diagnostic and epsilon (.csv).")
@out_file("--text", "The verdicts as text, with what each diagnostic means (.md).")
def main(verdicts, text, **runs):
    """Judge every attack on every model by its records and probes: pass, warning or fail, with the numbers."""
    from robustness.diagnosis.verdicts import markdown
    from robustness.diagnosis.verdicts import verdicts as judge
    from robustness.evaluation.records import write_records
    from robustness.evaluation.study_records import StudyRecords
    from robustness.files import write_text

    study = StudyRecords.of_options(**runs)
    table = judge(study)
    write_records(table, verdicts)
    write_text(text, markdown(table, study.rejecting()))


if __name__ == "__main__":
    main()
