"""Plot accuracy and the share of images without a gradient against the training temperature, a column of panels a series."""

import click

from robustness.cli import figure_options, in_file, program


@program
@in_file("--curves", "temperature_curves.csv of aggregate_temperatures.")
@click.option("--sweep", required=True, help="Temperature sweep that is drawn.")
@click.option("--title", required=True, help="Title; {sweep}, {epsilon} and {dataset} are replaced.")
@figure_options
def main(curves, sweep, title, png, svg):
    """Plot accuracies (above) and the share of images without a gradient (below) against the training temperature.

    Attacks that climb the same loss share a line below, which names it. An open point fails its diagnosis, of a half open
    one it warns. The band is the 95 % Wilson interval of one seed, or reaches from the least to the greatest of several.
    """
    from robustness.diagnosis.marks import FAIL, WARNING
    from robustness.errors import UserError
    from robustness.evaluation.records import read_records
    from robustness.figures.plotting import SCALES, draw_band, figure, fill_title, label_metric, log_axis, look
    from robustness.tables.temperature_tables import losses_of

    rows = read_records(curves)
    rows = rows[rows["sweep"] == sweep].assign(x=lambda table: table["temperature"])
    if not len(rows):
        raise UserError(f"{curves} has no temperature sweep {sweep}: name another.")
    attacked = rows[rows["quantity"] == "robust_accuracy"]
    attacks, zero = list(dict.fromkeys(attacked["attack"])), rows[rows["quantity"] == "zero_gradients"]
    series = list(dict.fromkeys(rows["series"]))
    lines = [("evaluation_accuracy", "", "unattacked")]
    lines += [("robust_accuracy", attack, attack) for attack in attacks]
    lines += [("worst_case", "", "all attacks together")]
    opened = {
        FAIL: ("open †: fails its diagnosis,\nno evidence of robustness", {"markerfacecolor": "white"}),
        WARNING: ("half open *: its diagnosis warns", {"fillstyle": "bottom", "markerfacecoloralt": "white"}),
    }
    verdicts = set(rows.loc[rows["quantity"] != "zero_gradients", "verdict"])
    size = 2.2 + 4 * len(series), 7
    with figure(png, svg, 2, len(series), figsize=size, sharex=True, sharey="row", squeeze=False) as (whole, grid):
        for column, name in zip(grid.T, series, strict=True):
            drawn = rows[rows["series"] == name]
            for i, (quantity, attack, label) in enumerate(lines):
                line = drawn[(drawn["quantity"] == quantity) & (drawn["attack"] == attack)]
                style = {"linestyle": ":" if quantity == "worst_case" else "-", "label": label}
                draw_band(column[0], line, "accuracy", i, **style)
                for verdict, (_, fill) in opened.items():
                    of_verdict = line[line["verdict"] == verdict]
                    style = look(i) | fill | {"linestyle": "none", "zorder": 3}
                    column[0].plot(of_verdict["x"], SCALES["accuracy"] * of_verdict["value"], **style)
            for loss, names in losses_of(zero).items():
                line = drawn[(drawn["quantity"] == "zero_gradients") & (drawn["attack"] == names[0])]
                label = f"{loss}\n({', '.join(names)})"
                draw_band(column[1], line, "zero_gradients", 1 + attacks.index(names[0]), label=label)
            column[0].set_title(name)
            log_axis(column[1], rows["x"])
            column[1].set_xlabel("temperature of training")
        for axes, metric in zip(grid[:, 0], ("accuracy", "zero_gradients"), strict=True):
            label_metric(axes, metric, rows["seeds"].max())
            axes.set_ylabel(axes.get_ylabel().replace(" (", "\n("))  # too long for one line of so low a panel
        beside = {"fontsize": 8, "title_fontsize": 8, "loc": "center left", "bbox_to_anchor": (1, 0.5)}
        grid[0, -1].legend(
            **beside, title="\n".join(words for verdict, (words, _) in opened.items() if verdict in verdicts)
        )
        if len(zero):
            grid[1, -1].legend(**beside, title="gradient of")
        first = attacked.iloc[0]
        whole.suptitle(fill_title(title, sweep=sweep, epsilon=first["epsilon"], dataset=first["dataset"]))


if __name__ == "__main__":
    main()
