"""Show training images before and after random erasing."""

import click

from robustness.cli import figure_options, in_file, program


@program
@in_file("--train", "Training images (.npz).")
@in_file("--schedule", "The erasing schedule (.npz).")
@in_file("--info", "dataset.json of the dataset.")
@click.option("--n", type=click.IntRange(min=1), default=8, help="Images to show.")
@figure_options
def main(train, schedule, info, n, png, svg):
    """Show the first training images before and after random erasing, for the first passes of the schedule."""
    import numpy as np

    from robustness.data.datasets import DatasetInfo, Images
    from robustness.data.erasing import erase
    from robustness.figures.plotting import figure, show_image
    from robustness.files import read_npz

    data = DatasetInfo.load(info)
    images = Images.load(train).images[:n]
    (rectangles,) = read_npz(schedule, "rectangles")
    passes = min(3, len(rectangles))
    rows = {"before": images}  # epoch e uses pass e modulo the number of passes
    for i in range(passes):
        # The fill of a real run has other random values; the rectangles are the schedule's.
        rows[f"epoch {i + 1}"] = erase(images, rectangles[i, :n], np.random.default_rng(i))
    size = (1.1 * len(images) + 0.5, 1.15 * len(rows) + 0.5)
    with figure(png, svg, len(rows), len(images), figsize=size, squeeze=False) as (whole, axes):
        for row, (name, pictures) in enumerate(rows.items()):
            for column, picture in enumerate(pictures):
                show_image(axes[row, column], picture, 0, 255)
            axes[row, 0].set_ylabel(name)
        whole.suptitle(f"{data.name}: random erasing, first images and epochs")


if __name__ == "__main__":
    main()
