"""Plot loss and accuracy over the epochs of one training run."""

import click

from robustness.cli import figure_options, in_file, program


@program
@in_file("--history", "history.csv of the run.")
@click.option("--model", required=True, help="Name of the model, for the title.")
@click.option("--seed", required=True, type=int, help="Seed of the run, for the title.")
@click.option("--title", required=True, help="Title; {model} and {seed} are replaced.")
@figure_options
def main(history, model, seed, title, png, svg):
    """Plot loss and accuracy over the epochs of one training run, on training and validation images."""
    from matplotlib.ticker import MaxNLocator

    from robustness.evaluation.records import read_records
    from robustness.figures.plotting import figure, fill_title, look

    rows = read_records(history)
    with figure(png, svg, 1, 2, figsize=(8, 3.4)) as (whole, panels):
        for axes, metric, scale, unit in zip(
            panels, ("loss", "accuracy"), (1, 100), ("loss that is minimised (log scale)", "accuracy, %")
        ):
            for i, (column, name) in enumerate(((metric, "training"), (f"val_{metric}", "validation"))):
                axes.plot(rows["epoch"], scale * rows[column], label=name, **look(i))
            axes.set_xlabel("epoch")
            axes.set_ylabel(unit)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.legend()
            if metric == "loss":
                axes.set_yscale("log")
        whole.suptitle(fill_title(title, model=model, seed=seed))


if __name__ == "__main__":
    main()
