"""Plot loss, accuracy or perturbation against epsilon of chosen models under chosen attacks."""

import click

from robustness.cli import figure_options, in_file, program


@program
@in_file("--curves", "curves.csv of aggregate_tables.")
@click.option("--title", required=True, help="Title of the whole figure.")
@click.option("--model", "models", multiple=True, required=True, help="A model that is drawn; once for each.")
@click.option("--attack", "attacks", multiple=True, required=True, help="An attack that is drawn; once for each.")
@click.option(
    "--panel",
    "metrics",
    multiple=True,
    type=click.Choice(["loss", "accuracy", "perturbation"]),
    default=["loss", "accuracy"],
    help="What a panel shows, from left to right; once for each.",
)
@figure_options
def main(curves, title, models, attacks, metrics, png, svg):
    """Plot mean loss, accuracy or the longest perturbation against epsilon; epsilon 0 is the same images unattacked.

    One model: a row of panels, a line an attack. Several: a row of panels an attack, a line a model. Bands, dashes and
    marks are those of plot_epsilon_curve.
    """
    from robustness.errors import UserError
    from robustness.figures.epsilon_curves import draw_line, explain_marks, label_axes, mark_of, read_curves
    from robustness.figures.plotting import figure

    every = read_curves(curves)
    every = every[every["metric"].isin(metrics)]
    lines = dict(iter(every.groupby(["model", "attack", "metric"], sort=False)))
    for model in models:
        for attack in attacks:
            if any((model, attack, metric) not in lines for metric in metrics):
                raise UserError(f"{curves} has no line of the model {model} under the attack {attack}: name others.")
    if len(models) == 1:
        panels = {models[0]: [(attack, models[0], attack) for attack in attacks]}
    else:
        panels = {attack: [(model, model, attack) for model in models] for attack in attacks}
    shown = every[every["model"].isin(models) & every["attack"].isin(attacks)]
    size = 1.8 + 4.1 * len(metrics), 0.4 + 3.8 * len(panels)
    with figure(png, svg, len(panels), len(metrics), figsize=size, sharey="col", squeeze=False) as (whole, grid):
        for (heading, drawn), row in zip(panels.items(), grid, strict=True):
            for axes, metric in zip(row, metrics, strict=True):
                for i, (name, model, attack) in enumerate(drawn):
                    draw_line(axes, lines[model, attack, metric], metric, name, i)
                axes.set_title(heading)
            legend = axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
            marks = [mark_of(lines[model, attack, metrics[0]]) for _, model, attack in drawn]
            explain_marks(legend, marks, width=26)  # beside the panels
        for row in grid:  # when all is drawn: it fixes the lower end of the axis that the rows share
            for axes, metric in zip(row, metrics, strict=True):
                label_axes(axes, shown[shown["metric"] == metric], metric)
        whole.suptitle(title)


if __name__ == "__main__":
    main()
