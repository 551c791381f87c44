"""Plot loss and accuracy against epsilon of chosen models under chosen attacks."""

import click

from robustness.cli import figure_options, in_file, program


@program
@in_file("--curves", "curves.csv of aggregate_tables.")
@click.option("--title", required=True, help="Title of the whole figure.")
@click.option("--model", "models", multiple=True, required=True, help="A model that is drawn; once for each.")
@click.option("--attack", "attacks", multiple=True, required=True, help="An attack that is drawn; once for each.")
@figure_options
def main(curves, title, models, attacks, png, svg):
    """Plot mean loss (left) and accuracy (right) against epsilon; epsilon 0 is the same images unattacked.

    One model: a line an attack. Several: a row of panels an attack, a line a model. Bands, dashes and marks are those of
    plot_epsilon_curve.
    """
    from robustness.epsilon_curves import draw_line, explain_marks, label_axes, mark_of, read_curves
    from robustness.errors import UserError
    from robustness.plotting import figure

    every = read_curves(curves)
    lines = dict(iter(every.groupby(["model", "attack", "metric"], sort=False)))
    for model in models:
        for attack in attacks:
            if (model, attack, "accuracy") not in lines:
                raise UserError(f"{curves} has no line of the model {model} under the attack {attack}: name others.")
    if len(models) == 1:
        panels = {models[0]: [(attack, models[0], attack) for attack in attacks]}
    else:
        panels = {attack: [(model, model, attack) for model in models] for attack in attacks}
    shape = {"figsize": (10, 0.4 + 3.8 * len(panels)), "sharey": "col", "squeeze": False}
    with figure(png, svg, len(panels), 2, **shape) as (whole, grid):
        for (heading, drawn), row in zip(panels.items(), grid, strict=True):
            for axes, metric in zip(row, ("loss", "accuracy"), strict=True):
                for i, (name, model, attack) in enumerate(drawn):
                    draw_line(axes, lines[model, attack, metric], metric, name, i)
                axes.set_title(heading)
            legend = axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
            marks = [mark_of(lines[model, attack, "accuracy"]) for _, model, attack in drawn]
            explain_marks(legend, marks, width=26)  # beside the panels
        for row in grid:  # when all is drawn: it fixes the lower end of the axis that the rows share
            for axes, metric in zip(row, ("loss", "accuracy"), strict=True):
                label_axes(axes, lines[models[0], attacks[0], metric], metric)
        whole.suptitle(title)


if __name__ == "__main__":
    main()
