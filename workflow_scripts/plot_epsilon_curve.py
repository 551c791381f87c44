"""Plot accuracy or loss against epsilon, one line a model."""

import click

from robustness.cli import figure_options, in_file, program


@program
@in_file("--table", "robust_accuracy.csv.")
@in_file("--clean", "clean_accuracy.csv, for the values at epsilon 0.")
@click.option("--metric", type=click.Choice(["accuracy", "loss"]), required=True, help="What is drawn.")
@click.option("--dataset", required=True, help="Dataset whose models are drawn.")
@click.option("--attack", required=True, help="Attack that is drawn.")
@click.option("--title", required=True, help="Title; {attack} and {dataset} are replaced.")
@figure_options
def main(table, clean, metric, dataset, attack, title, png, svg):
    """Plot accuracy (with 95 % bands) or mean loss against epsilon, one line a model and seed.

    Epsilon 0 is the same images unattacked.
    """
    from robustness.plotting import figure, fill_title, look
    from robustness.records import read_records

    rows, unattacked = read_records(table), read_records(clean)
    rows = rows[(rows["dataset"] == dataset) & (rows["attack"] == attack)]
    with figure(png, svg, figsize=(6, 4)) as (_, axes):
        for i, model in enumerate(dict.fromkeys(rows["model"])):
            for j, seed in enumerate(dict.fromkeys(rows["seed"])):
                line = rows[(rows["model"] == model) & (rows["seed"] == seed)].assign(
                    x=lambda t: t["epsilon"].astype(float)
                )
                start = unattacked.query("model == @model and seed == @seed and part == 'evaluation'").iloc[0]
                points = [
                    (0.0, start),
                    *((row["x"], row) for _, row in line.sort_values("x").iterrows() if row["x"] > 0),
                ]
                x = [point[0] for point in points]
                scale = 100 if metric == "accuracy" else 1
                axes.plot(x, [scale * row[metric] for _, row in points], label=None if j else model, **look(i))
                if metric == "accuracy":
                    bands = [[scale * row[bound] for _, row in points] for bound in ("ci_low", "ci_high")]
                    axes.fill_between(x, *bands, color=look(i)["color"], alpha=0.15, linewidth=0)
        if metric == "accuracy":
            axes.set_ylim(-2, 102)
            axes.set_ylabel("accuracy, % (band: 95 % Wilson interval)")
        else:
            axes.set_yscale("symlog", linthresh=1)
            axes.set_ylim(bottom=0)
            axes.set_ylabel("mean cross-entropy, nats")
        axes.set_xlabel(f"epsilon, on the pixel range {rows['epsilon_unit'].iloc[0]}")
        axes.set_title(fill_title(title, attack=attack, dataset=dataset))
        axes.legend()


if __name__ == "__main__":
    main()
