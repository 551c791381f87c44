"""Plot accuracy or loss against epsilon, one line a model."""

import click

from robustness.cli import figure_options, in_file, norm_option, program


@program
@in_file("--curves", "curves.csv of aggregate_tables.")
@click.option("--metric", type=click.Choice(["accuracy", "loss"]), required=True, help="What is drawn.")
@click.option("--dataset", required=True, help="Dataset whose models are drawn.")
@click.option("--attack", required=True, help="Attack that is drawn; worst_case for all together.")
@norm_option()
@click.option("--title", required=True, help="Title; {attack} and {dataset} are replaced.")
@figure_options
def main(curves, metric, dataset, attack, norm, title, png, svg):
    """Plot accuracy or mean loss against epsilon, one line a model; epsilon 0 is the same images unattacked.

    Dotted in the same colour: the share of images that survive every attack. A line whose diagnosis fails is dashed. The
    band is the 95 % Wilson interval of one seed, or reaches from the least to the greatest of several.
    """
    from robustness.marks import MARKS
    from robustness.plotting import figure, fill_title, look
    from robustness.records import read_records

    every = read_records(curves)
    every = every[(every["dataset"] == dataset) & (every["norm"] == norm) & (every["metric"] == metric)]
    every = every.assign(x=every["epsilon"].astype(float)).sort_values("x", kind="stable")
    rows = every[every["attack"] == attack]
    scale = 100 if metric == "accuracy" else 1
    marked = set()
    with figure(png, svg, figsize=(6, 4.8)) as (_, axes):
        models = [model for model in dict.fromkeys(read_records(curves)["model"]) if model in set(rows["model"])]
        for i, model in enumerate(models):
            line = rows[rows["model"] == model]
            verdict = line["verdict"].iloc[0]
            marked.add(MARKS[verdict])
            name = f"{model} {MARKS[verdict]}".strip()
            style = {"linestyle": "--" if verdict == "fail" else "-", "label": name}
            axes.plot(line["x"], scale * line["value"], **style, **look(i))
            axes.fill_between(
                line["x"], scale * line["low"], scale * line["high"], color=look(i)["color"], alpha=0.15, linewidth=0
            )
            worst = every[(every["model"] == model) & (every["attack"] == "worst_case")]
            if len(worst) and attack != "worst_case":
                mark = MARKS[worst["verdict"].iloc[0]]
                marked.add(mark)
                label = f"{model}, all attacks together {mark}".strip()
                style = {"linestyle": ":", "linewidth": 1.2, "color": look(i)["color"], "label": label}
                axes.plot(worst["x"], scale * worst["value"], **style)
        if metric == "accuracy":
            seeds = rows["seeds"].max()
            band = "95 % Wilson interval" if seeds == 1 else f"least to greatest of {seeds} seeds"
            axes.set_ylim(-2, 102)
            axes.set_ylabel(f"accuracy, % (band: {band})")
        else:
            axes.set_yscale("symlog", linthresh=1)
            axes.set_ylim(bottom=0)
            axes.set_ylabel("mean cross-entropy, nats (log scale above 1)")
        axes.set_xlabel(f"epsilon (norm {norm}), on the pixel range {rows['epsilon_unit'].iloc[0]}")
        axes.set_title(fill_title(title, attack=attack.replace("worst_case", "all attacks together"), dataset=dataset))
        lines = sorted(
            axes.get_lines(), key=lambda line: line.get_linestyle() == ":"
        )  # the dotted in a column of their own
        legend = axes.legend(handles=lines, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
        meanings = {"†": "†: fails its diagnosis, no evidence of robustness", "*": "*: its diagnosis warns"}
        if told := [meanings[mark] for mark in ("†", "*") if mark in marked]:
            legend.set_title("\n".join(told), prop={"size": 8})


if __name__ == "__main__":
    main()
