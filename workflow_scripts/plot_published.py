"""Plot published accuracies, drops and gains beside the measured ones."""

from robustness.cli import figure_options, in_file, program

ACROSS = 4  # panels against epsilon
SIDES = {"published": -1, "measured": 1}
UNITS = {"%": "accuracy, %", "points": "percentage points"}


@program
@in_file("--published", "published.csv of compare_published.")
@figure_options
def main(published, png, svg):
    """Plot each published number (open) beside the measured one (filled), with their intervals.

    Robust accuracies that a source tells at several epsilons stand in panels against epsilon, other accuracies, drops and
    gains below them, one above the other; losses and times are left out.
    """
    from robustness.diagnosis.marks import marks_of
    from robustness.evaluation.records import read_records
    from robustness.figures.plotting import figure
    from robustness.tables.published_table import against_epsilon, with_sources

    rows = with_sources(read_records(published))
    rows = rows[rows["unit"].isin(UNITS)]
    rows = rows.assign(mark=[marks_of(row.verdict, row.clip) for row in rows.itertuples()])
    swept = against_epsilon(rows)
    panels = [part for _, part in rows[swept].groupby(["source", "model", "attack"], sort=False)]
    epsilons = rows[swept].assign(x=rows["epsilon"][swept].astype(float)).groupby("source")["x"].agg(["min", "max"])
    lists = [part.reset_index(drop=True) for _, part in rows[~swept].groupby("unit")]
    parts = {}  # of the figure: what stands in them, and their heights in inches
    if panels:
        parts["panels"] = 2.3 * -(-len(panels) // ACROSS)
    if lists or not panels:
        parts["lists"] = 1 + max((0.38 * len(part) for part in lists), default=1)
    width = 12 if panels or len(lists) > 1 else 8
    with figure(png, svg, figsize=(width, 1 + sum(parts.values()))) as (whole, axes):
        axes.remove()
        grid = whole.add_gridspec(len(parts), 1, height_ratios=list(parts.values()))
        for part, cell in zip(parts, grid):
            if part == "panels":
                cells = cell.subgridspec(-(-len(panels) // ACROSS), ACROSS)
                for i, points in enumerate(panels):
                    ends = epsilons.loc[points["source"].iloc[0]]
                    _draw_panel(whole.add_subplot(cells[i // ACROSS, i % ACROSS]), points, *ends)
            else:
                cells = cell.subgridspec(1, max(len(lists), 1))
                for i, points in enumerate(lists or [rows]):
                    _draw_list(whole.add_subplot(cells[0, i]), points)
        whole.suptitle("Published and measured")
        _draw_legend(whole, rows)


def _draw_panel(axes, rows, least, greatest):
    """Draw the robust accuracies of one model under one attack against epsilon, from the least to the greatest of its source."""
    first, width = rows.iloc[0], greatest - least
    _draw(axes, rows, rows["epsilon"].astype(float), 0.012 * width, upright=True)
    axes.set_xlim(least - 0.06 * width, greatest + 0.06 * width)
    axes.set_title(f"{first['source']}: {first['attack']}\n{first['model']}", size=9)
    axes.set_ylim(-2, 109)  # room for a mark above 100
    axes.set_xlabel("epsilon", size=8)
    axes.set_ylabel("accuracy, %", size=8)
    axes.tick_params(labelsize=8)


def _draw_list(axes, rows):
    """Draw numbers of one unit one above the other, as they stand in the table."""
    from robustness.config.published import described

    names = [
        f"{row.model}\n{described(row.quantity, row.attack, row.epsilon, row.iterations)}" for row in rows.itertuples()
    ]
    _draw(axes, rows, rows.index, 0.15, upright=False)
    axes.set_yticks(rows.index, names, size=8)
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    unit = rows["unit"].iloc[0] if len(rows) else "%"
    axes.set_xlabel(UNITS[unit])
    if unit == "%":
        axes.set_xlim(-2, 102)
    else:
        axes.axvline(0, color="black", linewidth=0.8)


def _draw(axes, rows, places, shift, upright):
    """Draw the numbers of rows at their places along the other axis, published and measured so far apart from them."""
    import pandas as pd

    from robustness.figures.plotting import COLOURS

    for (kind, side), colour in zip(SIDES.items(), COLOURS):
        # What a number has no interval for is an empty cell.
        value, low, high = (pd.to_numeric(rows[f"{kind}{end}"]) for end in ("", "_low", "_high"))
        style = {"fmt": "o", "color": colour, "capsize": 2, "markersize": 4, "label": kind}
        style["markerfacecolor"] = "none" if kind == "published" else colour
        numbers, bars = places + side * shift, [value - low, high - value]
        if upright:
            axes.errorbar(numbers, value, yerr=bars, **style)
        else:
            axes.errorbar(value, numbers, xerr=bars, **style)
    for mark, place, end in zip(rows["mark"], numbers, high.fillna(value)):
        at, towards = ((place, end), (0, 5)) if upright else ((end, place), (7, 0))
        align = {"ha": "center"} if upright else {"va": "center"}
        axes.annotate(mark, at, xytext=towards, textcoords="offset points", **align)


def _draw_legend(whole, rows):
    """Say once for all axes what the points, their bars and marks are."""
    from robustness.figures.epsilon_curves import explain_marks

    seeds = rows["seeds"].max()
    of = {
        "published": "interval that its number of images implies, if told",
        "measured": f"least to greatest of {seeds} seeds" if seeds > 1 else "95 % interval",
    }
    handles, kinds = whole.axes[0].get_legend_handles_labels()
    labels = [f"{kind} ({of[kind]})" for kind in kinds]
    explain_marks(whole.legend(handles, labels, fontsize=8, loc="outside lower center", ncols=2), rows["mark"])


if __name__ == "__main__":
    main()
