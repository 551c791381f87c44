"""Choose the test images that every model is attacked on."""

import click

from robustness.cli import in_file, out_file, program, seed_option


@program
@in_file("--test", "Test images (.npz).")
@click.option("--n", type=click.IntRange(min=1), required=True, help="Number of images, stratified by class.")
@seed_option("Seed of the choice.")
@out_file("--output", "The chosen images, with their indices in the published test part (.npz).")
def main(test, n, seed, output):
    """Choose the test images that every model is attacked on, the same for all models of a dataset."""
    from robustness.data.datasets import Images
    from robustness.data.splits import stratified_sample
    from robustness.errors import UserError

    images = Images.load(test)
    if n > len(images):
        raise UserError(
            f"the evaluation subset shall have {n} images, but there are {len(images)} test images: lower n."
        )
    images.take(stratified_sample(images.labels, n, seed)).save(output)


if __name__ == "__main__":
    main()
