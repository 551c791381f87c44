"""Plot accuracy or loss against epsilon, one line a model."""

import click

from robustness.cli import figure_options, in_file, program


@program
@in_file("--curves", "curves.csv of aggregate_tables.")
@click.option("--metric", type=click.Choice(["accuracy", "loss"]), required=True, help="What is drawn.")
@click.option("--dataset", required=True, help="Dataset whose models are drawn.")
@click.option("--attack", required=True, help="Attack that is drawn.")
@click.option("--title", required=True, help="Title; {attack} and {dataset} are replaced.")
@figure_options
def main(curves, metric, dataset, attack, title, png, svg):
    """Plot accuracy or mean loss against epsilon, one line a model; epsilon 0 is the same images unattacked.

    The band is the 95 % Wilson interval of one seed, or reaches from the least to the greatest of several.
    """
    from robustness.plotting import figure, fill_title, look
    from robustness.records import read_records

    rows = read_records(curves)
    rows = rows[(rows["dataset"] == dataset) & (rows["attack"] == attack) & (rows["metric"] == metric)]
    scale = 100 if metric == "accuracy" else 1
    seeds = rows["seeds"].max()
    with figure(png, svg, figsize=(6, 4)) as (_, axes):
        for i, (model, line) in enumerate(rows.groupby("model", sort=False)):
            line = line.assign(x=line["epsilon"].astype(float)).sort_values("x")
            masked = bool(line["masked"].iloc[0])
            name = f"{model} †" if masked else model
            axes.plot(line["x"], scale * line["value"], label=name, linestyle="--" if masked else "-", **look(i))
            axes.fill_between(
                line["x"], scale * line["low"], scale * line["high"], color=look(i)["color"], alpha=0.15, linewidth=0
            )
        if metric == "accuracy":
            band = "95 % Wilson interval" if seeds == 1 else f"least to greatest of {seeds} seeds"
            axes.set_ylim(-2, 102)
            axes.set_ylabel(f"accuracy, % (band: {band})")
        else:
            axes.set_yscale("symlog", linthresh=1)
            axes.set_ylim(bottom=0)
            axes.set_ylabel("mean cross-entropy, nats (log scale above 1)")
        axes.set_xlabel(f"epsilon (norm {rows['norm'].iloc[0]}), on the pixel range {rows['epsilon_unit'].iloc[0]}")
        axes.set_title(fill_title(title, attack=attack, dataset=dataset))
        legend = axes.legend()
        if rows["masked"].any():
            legend.set_title("†: zero gradients; no evidence of robustness", prop={"size": 8})


if __name__ == "__main__":
    main()
