"""Hold published numbers against those of the study."""

from robustness.cli import in_file, out_file, program


@program
@in_file(
    "--published", "Published numbers (.csv, see resources/published/README.md); once for each file.", multiple=True
)
@in_file("--robust", "robust_accuracy.csv of aggregate_tables.")
@in_file("--clean", "clean_accuracy.csv of aggregate_tables.")
@in_file("--training", "training.csv of aggregate_training.")
@in_file("--drops", "drops.csv of aggregate_drops.")
@in_file("--iterations", "iterations.csv of aggregate_iterations, where the study has sweeps.", required=False)
@out_file("--table", "One row a published number: published, measured, their intervals, the difference (.csv).")
@out_file("--text", "The same as text, with published tables in their own shape and the larger differences (.md).")
def main(published, robust, clean, training, drops, iterations, table, text):
    """Set each published number beside the study's own, with both intervals and the difference."""
    from robustness.config.published import read_published
    from robustness.evaluation.records import read_records, write_records
    from robustness.files import write_text
    from robustness.tables.published_table import compare, measured, published_markdown

    rows = [row for path in published for row in read_published(path)]
    tables = [read_records(path) for path in (robust, clean, training, drops)]
    found = measured(*tables, read_records(iterations) if iterations else None)
    compared = compare(rows, found)
    write_records(compared, table)
    write_text(text, published_markdown(compared))


if __name__ == "__main__":
    main()
