"""Plot the confusion matrix of a model on clean test images."""

import click

from robustness.cli import figure_options, in_file, program


@program
@in_file("--confusion", "confusion.csv of evaluate_model.")
@click.option("--model", required=True, help="Name of the model, for the title.")
@click.option("--seed", required=True, type=int, help="Seed of the model, for the title.")
@click.option("--title", required=True, help="Title; {model} and {seed} are replaced.")
@figure_options
def main(confusion, model, seed, title, png, svg):
    """Plot the confusion matrix of a model on clean test images: shares of each true class, in per cent."""
    from robustness.evaluation.records import read_records
    from robustness.figures.plotting import figure, fill_title

    rows = read_records(confusion)
    classes = list(dict.fromkeys(rows["label"]))
    numbers = range(len(classes))
    shares = 100 * rows["share"].to_numpy().reshape(len(classes), -1)
    answers = rows["prediction"].tolist()[: shares.shape[1]]  # the classes; of a model that can reject, rejected too
    few = len(classes) <= 20  # more classes leave no room for numbers and names
    side = 6.5 if few else 8
    with figure(png, svg, figsize=(side, side * 0.9)) as (whole, axes):
        drawn = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
        axes.grid(False)
        if few:
            axes.set_xticks(range(len(answers)), answers, rotation=45, ha="right")
            axes.set_yticks(numbers, classes)
            for i in numbers:
                for j in range(len(answers)):
                    if shares[i, j] >= 0.05:
                        colour = "white" if shares[i, j] > 50 else "black"
                        axes.text(
                            j,
                            i,
                            f"{shares[i, j]:.0f}" if shares[i, j] >= 1 else f"{shares[i, j]:.1f}",
                            ha="center",
                            va="center",
                            color=colour,
                            fontsize=8,
                        )
        axes.set_xlabel("predicted class")
        axes.set_ylabel("true class")
        axes.set_title(fill_title(title, model=model, seed=seed) + f" (n = {rows['n'].sum()})")
        whole.colorbar(drawn, ax=axes, label="share of the true class, %", shrink=0.8)


if __name__ == "__main__":
    main()
