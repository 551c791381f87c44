"""Read a dataset as published, check it, and split it into training, validation and test images."""

from pathlib import Path

import click

from robustness.cli import out_file, program


@program
@click.option(
    "--file", "files", multiple=True, required=True, help="A file of the source; give the option once a file."
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["idx", "cifar", "image_folder"]),
    required=True,
    help="How the source is packed.",
)
@click.option("--class-name", "classes", multiple=True, help="Class names in the order of the labels (format idx).")
@click.option(
    "--image-size",
    type=click.IntRange(min=1),
    nargs=2,
    help="Height and width to scale an image folder's images to, pixels.",
)
@click.option("--colour", type=click.Choice(["rgb", "grey"]), default="rgb", help="Channels of an image folder.")
@click.option("--n-classes", type=int, help="Fail if the data has another number of classes.")
@click.option("--n-train", type=int, help="Fail if the published training part has another number of images.")
@click.option("--n-test", type=int, help="Fail if the published test part has another number of images.")
@click.option("--name", required=True, help="Name of the dataset in the study.")
@click.option(
    "--pixel-range", type=click.Choice(["0-1", "0-255", "-1-1"]), required=True, help="Networks' input range."
)
@click.option(
    "--protocol",
    type=click.Choice(["holdout", "validation_is_test"]),
    required=True,
    help="holdout: validation images are taken out of the training part. validation_is_test: the published "
    "studies' protocol, the test part serves as validation too.",
)
@click.option("--validation-fraction", type=click.FloatRange(0, 1), default=0.1, help="Of the training part (holdout).")
@click.option("--train-limit", type=click.IntRange(min=1), help="Keep so many training images, stratified.")
@click.option("--test-limit", type=click.IntRange(min=1), help="Keep so many test images, stratified.")
@click.option("--seed", type=click.IntRange(min=0), required=True, help="Seed of the split and of the limits.")
@out_file("--train", "Training images (.npz).")
@out_file("--validation", "Validation images (.npz).")
@out_file("--test", "Test images (.npz).")
@out_file("--info", "What the dataset is: classes, shape, pixel range, counts (.json).")
def main(
    files,
    format_,
    classes,
    image_size,
    colour,
    n_classes,
    n_train,
    n_test,
    name,
    pixel_range,
    protocol,
    validation_fraction,
    train_limit,
    test_limit,
    seed,
    train,
    validation,
    test,
    info,
):
    """Read a dataset as published, check it, and split it into training, validation and test images."""
    import numpy as np

    from robustness.data.datasets import Images
    from robustness.data.formats import read_dataset
    from robustness.data.splits import holdout_split, stratified_sample
    from robustness.errors import UserError
    from robustness.files import write_json

    raw = read_dataset(format_, {Path(f).name: Path(f) for f in files}, list(classes), image_size, colour)
    for what, key, found, claimed in (
        ("classes", "n_classes", len(raw.classes), n_classes),
        ("training images", "n_train", len(raw.train_labels), n_train),
        ("test images", "n_test", len(raw.test_labels), n_test),
    ):
        if claimed is not None and found != claimed:
            raise UserError(f"dataset {name}: the data has {found} {what}, not {claimed}: correct {key}.")
    train_part = Images(raw.train_images, raw.train_labels, np.arange(len(raw.train_labels)))
    test_part = Images(raw.test_images, raw.test_labels, np.arange(len(raw.test_labels)))
    if train_limit:
        train_part = train_part.take(stratified_sample(train_part.labels, train_limit, seed))
    if test_limit:
        test_part = test_part.take(stratified_sample(test_part.labels, test_limit, seed))
    if protocol == "holdout":
        kept, held_out = holdout_split(train_part.labels, round(validation_fraction * len(train_part)), seed)
        train_part, validation_part = train_part.take(kept), train_part.take(held_out)
    else:
        validation_part = test_part
    if not len(validation_part):
        raise UserError(f"dataset {name}: no validation image is left: raise split.validation_fraction.")
    if not len(train_part):
        raise UserError(f"dataset {name}: no training image is left: lower split.validation_fraction.")
    train_part.save(train)
    validation_part.save(validation)
    test_part.save(test)
    write_json(
        info,
        {
            "name": name,
            "classes": raw.classes,
            "shape": list(train_part.images.shape[1:]),
            "pixel_range": pixel_range,
            "protocol": protocol,
            "seed": seed,
            "n_train": len(train_part),
            "n_validation": len(validation_part),
            "n_test": len(test_part),
        },
    )
    click.echo(f"{name}: {len(train_part)} training, {len(validation_part)} validation, {len(test_part)} test images")


if __name__ == "__main__":
    main()
