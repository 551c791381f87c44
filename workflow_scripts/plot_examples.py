"""Show original images, perturbations and adversarial images with the classes that the model sees."""

import click

from robustness.cli import figure_options, in_file, program


@program
@in_file("--images", "The images that the set was crafted from (.npz).")
@in_file("--info", "dataset.json of the dataset.")
@in_file("--adversarial", "The adversarial set (.npz).")
@in_file("--clean-records", "clean.csv of evaluate_model.")
@in_file("--attack-records", "Records of evaluate_attack (.csv); those of the set's epsilon are taken.")
@click.option("--model", required=True, help="Name of the model, for the title.")
@click.option("--n", type=click.IntRange(min=1), default=6, help="Images to show.")
@click.option("--title", required=True, help="Title; {model}, {seed}, {attack} and {epsilon} are replaced.")
@figure_options
def main(images, info, adversarial, clean_records, attack_records, model, n, title, png, svg):
    """Show original images, perturbations and adversarial images with the classes that the model sees.

    One image of each class in turn, the first of the set; nothing is picked by its outcome. A rejected image is no error
    of a model that can reject: it is told in a colour of its own.
    """
    import numpy as np

    from robustness.attacks.attack_settings import AdversarialSet
    from robustness.data.datasets import DatasetInfo, Images, to_pixels
    from robustness.evaluation.records import read_records
    from robustness.evaluation.scoring import can_reject
    from robustness.figures.plotting import figure, fill_title, show_image
    from robustness.models.rejection import REJECTED

    data, clean, crafted = DatasetInfo.load(info), Images.load(images), AdversarialSet.load(adversarial)
    before = read_records(clean_records).set_index("index")
    after = read_records(attack_records)
    after = after[after["epsilon"] == crafted.attack["epsilon"]].set_index("index")
    occurrence = [int((clean.labels[:i] == label).sum()) for i, label in enumerate(clean.labels)]
    chosen = sorted(range(len(clean)), key=lambda i: (occurrence[i], clean.labels[i]))[:n]
    low, high = data.pixel_range
    original = to_pixels(clean.images, data.pixel_range)
    largest = float(np.abs(crafted.images[chosen] - original[chosen]).max())
    with figure(png, svg, 3, len(chosen), figsize=(1.35 * len(chosen) + 0.5, 5), squeeze=False) as (whole, axes):
        for column, i in enumerate(chosen):
            pictures = (original[i], crafted.images[i] - original[i], crafted.images[i])
            ranges = ((low, high), (-(largest or 1), largest or 1), (low, high))
            axes[2, column].set_xlabel(f"true: {data.classes[clean.labels[i]]}", fontsize=8)
            for row, (picture, limits) in enumerate(zip(pictures, ranges, strict=True)):
                show_image(axes[row, column], picture, *limits)
            for row, records in ((0, before), (2, after)):
                seen = records.loc[clean.indices[i]]
                answer = int(seen["prediction"])
                told = "rejected" if answer == REJECTED else data.classes[answer]
                axes[row, column].set_title(
                    f"{told}\n{100 * seen['confidence']:.0f} %",
                    fontsize=8,
                    color={seen["label"]: "black", REJECTED: "#0072B2"}.get(answer, "#D55E00"),
                )
        shown = f"perturbation\n(grey: 0, black and\nwhite: ±{largest / (high - low):.3g} of\nthe pixel range)"
        if not largest:
            shown = "no perturbation:\nthe attack moved\nnone of these"
        for row, name in enumerate(("original", shown, "adversarial")):
            axes[row, 0].set_ylabel(name, fontsize=8)
        attack = crafted.attack
        whole.suptitle(
            fill_title(title, model=model, seed=attack["seed"], attack=attack["name"], epsilon=attack["epsilon"])
            + "\npredicted class and confidence; wrong ones in orange"
            + (", rejections in blue" if can_reject(after) else ""),
            fontsize=10,
        )


if __name__ == "__main__":
    main()
