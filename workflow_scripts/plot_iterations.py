"""Plot loss and accuracy against the number of iterations of an attack, one line a model."""

import click

from robustness.cli import figure_options, in_file, program


@program
@in_file("--curves", "iteration_curves.csv of aggregate_iterations.")
@click.option("--dataset", required=True, help="Dataset whose models are drawn.")
@click.option("--sweep", required=True, help="Iteration sweep that is drawn.")
@click.option("--title", required=True, help="Title; {sweep}, {epsilon} and {dataset} are replaced.")
@figure_options
def main(curves, dataset, sweep, title, png, svg):
    """Plot mean loss (left) and accuracy (right) against the number of iterations, one line a model.

    The band is the 95 % Wilson interval of one seed, or reaches from the least to the greatest of several.
    """
    from robustness.evaluation.records import read_records
    from robustness.figures.plotting import draw_band, figure, fill_title, label_metric, log_axis

    rows = read_records(curves)
    rows = rows[(rows["dataset"] == dataset) & (rows["sweep"] == sweep)]
    rows = rows.assign(x=rows["iterations"])
    first = rows.iloc[0]
    with figure(png, svg, 1, 2, figsize=(10, 4.4)) as (whole, panels):
        for axes, metric in zip(panels, ("loss", "accuracy"), strict=True):
            drawn = rows[rows["metric"] == metric]
            for i, (model, line) in enumerate(drawn.groupby("model", sort=False)):
                draw_band(axes, line, metric, i, label=model)
            log_axis(axes, rows["x"])  # 1 to 100 iterations: the first few change the most
            axes.set_xlabel(f"iterations of {first['method']} (norm {first['norm']})")
            label_metric(axes, metric, drawn["seeds"].max())
        panels[1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
        whole.suptitle(fill_title(title, sweep=sweep, epsilon=first["epsilon"], dataset=dataset))


if __name__ == "__main__":
    main()
