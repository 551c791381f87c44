"""Plot published accuracies beside the measured ones."""

from robustness.cli import figure_options, in_file, program


@program
@in_file("--published", "published.csv of compare_published.")
@figure_options
def main(published, png, svg):
    """Plot each published accuracy (open) above the measured one (filled), with their intervals; losses and times are left out."""
    import pandas as pd

    from robustness.epsilon_curves import explain_marks
    from robustness.plotting import COLOURS, figure
    from robustness.published import described
    from robustness.published_table import marks_of
    from robustness.records import read_records

    rows = read_records(published).query("unit == '%'").reset_index(drop=True)
    marks = [marks_of(row.verdict, row.clip) for row in rows.itertuples()]
    names = [
        f"{row.model}\n{described(row.quantity, row.attack, row.epsilon, row.iterations)}" for row in rows.itertuples()
    ]
    seeds = rows["seeds"].max()
    of_seeds = "95 % Wilson interval" if seeds == 1 else f"least to greatest of {seeds} seeds"
    with figure(png, svg, figsize=(8, 1.8 + 0.5 * len(rows))) as (whole, axes):
        for kind, words, shift, colour in (
            ("published", "interval that its number of images implies, if told", -0.15, COLOURS[0]),
            ("measured", of_seeds, 0.15, COLOURS[1]),
        ):
            # What a number has no interval for is an empty cell.
            value, low, high = (pd.to_numeric(rows[f"{kind}{end}"]) for end in ("", "_low", "_high"))
            style = {"fmt": "o", "color": colour, "capsize": 3, "markerfacecolor": "none" if shift < 0 else colour}
            axes.errorbar(
                value, rows.index + shift, xerr=[value - low, high - value], label=f"{kind} ({words})", **style
            )
        for i, mark in enumerate(marks):
            right = {"xytext": (7, 0), "textcoords": "offset points", "va": "center"}
            axes.annotate(mark, (high.fillna(value)[i], i + shift), **right)
        axes.set_yticks(rows.index, names)
        axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
        axes.set_xlim(-2, 102)
        axes.set_xlabel("accuracy, %")
        axes.set_title("Published and measured")
        explain_marks(whole.legend(fontsize=8, loc="outside lower center"), marks)


if __name__ == "__main__":
    main()
