"""Train a classifier of another technique than a neural network."""

import click

from robustness.cli import in_file, json_option, out_file, program, seed_option


@program
@in_file("--train", "Training images (.npz).")
@in_file("--info", "dataset.json of the dataset.")
@click.option("--name", required=True, help="Name of the model in the study.")
@click.option("--dataset", required=True, help="Name of the dataset in the study.")
@click.option("--technique", required=True, help="A technique of robustness/techniques.")
@json_option("--settings", "Its settings, those that its SETTINGS describe.", default="{}")
@click.option(
    "--images", type=click.IntRange(min=1), help="Train on so many of the images, stratified; on all if left out."
)
@seed_option("Seed of the choice of images and of what the technique draws.")
@out_file("--model", "The trained classifier (.pickle).")
@out_file("--metadata", "Versions, commit, seed, seconds, settings (.json).")
def main(train, info, name, dataset, technique, settings, images, seed, model, metadata):
    """Train a scikit-learn classifier on labelled images, as flat pixels on the range 0 to 1, in one thread."""
    import logging
    import platform
    import time
    from importlib.metadata import version

    from robustness.data.datasets import DatasetInfo, Images
    from robustness.files import sha256_of, write_json
    from robustness.models.classifiers import train_classifier
    from robustness.version import project_version

    data, start = DatasetInfo.load(info), time.perf_counter()
    classifier = train_classifier(
        technique, settings, Images.load(train), data.pixel_range, len(data.classes), seed, images
    )
    seconds = round(time.perf_counter() - start, 3)
    classifier.save(model)
    write_json(
        metadata,
        {
            "model": name,
            "dataset": dataset,
            "architecture": technique,
            "defence": "none",
            "seed": seed,
            "settings": settings | {"images": images},
            "model_sha256": sha256_of(model),
            "seconds": seconds,
            "versions": {package: version(package) for package in ("scikit-learn", "numpy")}
            | {"python": platform.python_version()},
            "machine": platform.machine(),
            "workflow": project_version(),
        },
    )
    logging.info("trained %s in %.1f seconds", technique, seconds)


if __name__ == "__main__":
    main()
