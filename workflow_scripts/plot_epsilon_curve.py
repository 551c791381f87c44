"""Plot accuracy or loss against epsilon, one line a model."""

import click

from robustness.cli import figure_options, in_file, norm_option, program


@program
@in_file("--curves", "curves.csv of aggregate_tables.")
@click.option("--metric", type=click.Choice(["accuracy", "loss"]), required=True, help="What is drawn.")
@click.option("--dataset", required=True, help="Dataset whose models are drawn.")
@click.option("--attack", required=True, help="Attack that is drawn; worst_case for all together.")
@norm_option("0")
@click.option("--title", required=True, help="Title; {attack} and {dataset} are replaced.")
@figure_options
def main(curves, metric, dataset, attack, norm, title, png, svg):
    """Plot accuracy or mean loss against epsilon, one line a model; epsilon 0 is the same images unattacked.

    Dotted in the same colour: the share of images that survive every attack, where epsilon bounds this one. A line
    whose diagnosis fails is dashed. The band is the 95 % Wilson interval of one seed, or reaches from the least to
    the greatest of several.
    """
    from robustness.figures.epsilon_curves import draw_line, explain_marks, label_axes, mark_of, read_curves
    from robustness.figures.plotting import figure, fill_title, look

    every = read_curves(curves)
    every = every[(every["dataset"] == dataset) & (every["norm"] == norm) & (every["metric"] == metric)]
    rows = every[every["attack"] == attack]
    marks = set()
    with figure(png, svg, figsize=(6, 4.8)) as (_, axes):
        for i, (model, line) in enumerate(rows.groupby("model", sort=False)):
            draw_line(axes, line, metric, model, i)
            marks.add(mark_of(line))
            worst = every[(every["model"] == model) & (every["attack"] == "worst_case")]
            if len(worst) and attack != "worst_case" and line["clip"].iloc[0] == "ball":
                marks.add(mark_of(worst))
                label = f"{model}, all attacks together {mark_of(worst)}".strip()
                style = {"linestyle": ":", "linewidth": 1.2, "color": look(i)["color"], "label": label}
                axes.plot(worst["x"], 100 * worst["value"], **style)
        label_axes(axes, rows, metric)
        axes.set_title(fill_title(title, attack=attack.replace("worst_case", "all attacks together"), dataset=dataset))
        lines = sorted(
            axes.get_lines(), key=lambda line: line.get_linestyle() == ":"
        )  # the dotted in a column of their own
        legend = axes.legend(handles=lines, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
        explain_marks(legend, marks)


if __name__ == "__main__":
    main()
