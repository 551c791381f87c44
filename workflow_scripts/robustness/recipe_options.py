"""The command-line options that train_model and distill_student share."""

import functools
import logging
from collections.abc import Callable
from pathlib import Path

import click

from robustness.cli import in_file, out_file, seed_option, threads_option

OPTIONS = [
    in_file("--train", "Training images (.npz)."),
    in_file("--validation", "Validation images (.npz)."),
    in_file("--info", "dataset.json of the dataset."),
    in_file("--erasing-schedule", "Rectangles of random erasing (.npz); without it nothing is erased.", required=False),
    click.option("--name", required=True, help="Name of the model in the study."),
    click.option("--dataset", required=True, help="Name of the dataset in the study."),
    click.option("--defence", required=True, help="Name of the defence, for the tables."),
    click.option("--architecture", required=True, help="A network of robustness/architectures.py."),
    click.option(
        "--loss",
        type=click.Choice(["categorical_crossentropy", "sparse_categorical_crossentropy"]),
        default="categorical_crossentropy",
        help="Cross-entropy of one-hot or of integer labels; the values are the same.",
    ),
    click.option("--optimizer-name", type=click.Choice(["adam", "sgd"]), default="adam", help="Which optimiser."),
    click.option(
        "--optimizer-learning-rate",
        type=click.FloatRange(min=0, min_open=True),
        default=0.001,
        help="Rate of the first step.",
    ),
    click.option("--optimizer-momentum", type=click.FloatRange(0, 1), default=0.0, help="Of sgd."),
    click.option("--optimizer-nesterov/--no-optimizer-nesterov", default=False, help="Nesterov's momentum, of sgd."),
    click.option("--optimizer-beta-1", type=click.FloatRange(0, 1), default=0.9, help="Of adam."),
    click.option("--optimizer-beta-2", type=click.FloatRange(0, 1), default=0.999, help="Of adam."),
    click.option("--optimizer-epsilon", type=click.FloatRange(min=0), default=1e-7, help="Of adam."),
    click.option("--optimizer-amsgrad/--no-optimizer-amsgrad", default=False, help="Of adam."),
    click.option("--optimizer-decay", type=click.FloatRange(min=0), default=0.0, help="Rate / (1 + decay x steps)."),
    click.option("--optimizer-drop-every", type=click.IntRange(min=0), default=0, help="Epochs; 0: never."),
    click.option("--optimizer-drop-factor", type=click.FloatRange(0, 1), default=0.5, help="Factor of each drop."),
    click.option("--optimizer-cosine/--no-optimizer-cosine", default=False, help="Half a cosine down to 0."),
    click.option("--batch-size", type=click.IntRange(min=1), default=128, help="Images a step."),
    click.option("--epochs", type=click.IntRange(min=1), required=True, help="Passes over the training images."),
    click.option("--weight-decay", type=click.FloatRange(min=0), default=0.0, help="L2 coefficient of the kernels."),
    click.option("--early-stopping-patience", type=click.IntRange(min=0), default=0, help="Epochs; 0: no stopping."),
    click.option(
        "--early-stopping-monitor",
        type=click.Choice(["val_loss", "val_accuracy"]),
        default="val_loss",
        help="What has to get better.",
    ),
    click.option(
        "--early-stopping-min-delta", type=click.FloatRange(min=0), default=0.0, help="A smaller gain is none."
    ),
    click.option(
        "--checkpoint",
        type=click.Choice(["val_accuracy", "val_loss", "last"]),
        default="val_accuracy",
        help="Keep the weights of the best epoch by this measure, or of the last.",
    ),
    seed_option("Seed of the weights, the order of images, dropout and erasing's fill."),
    threads_option(),
    click.option(
        "--state",
        type=click.Path(dir_okay=False),
        help="Where to keep the state of an unfinished run; a run "
        "that is started again goes on from its last whole epoch. Removed at the end.",
    ),
    out_file("--model", "The trained network (.keras); it puts out logits."),
    out_file("--history", "One row an epoch: losses, accuracies, learning rate, seconds (.csv)."),
    out_file("--metadata", "Versions, seed, device, parameters, seconds, settings (.json)."),
]


def recipe_options(function: Callable) -> Callable:
    """Give a program the options above; it receives them as keyword arguments."""
    return functools.reduce(lambda f, option: option(f), reversed(OPTIONS), function)


def run_training(options: dict, temperature: float, distillation: dict | None = None) -> None:
    """Train as the options say, and write model, history and metadata.

    temperature: of the loss (1 for a student, whose distillation has its own). distillation: None, or the teacher's
    path and the fields of distillation.Distillation.
    """
    import csv
    import hashlib
    import json
    import platform
    import sys

    import keras
    import numpy as np

    from robustness import devices
    from robustness.architectures import ARCHITECTURES, build
    from robustness.datasets import DatasetInfo, Images
    from robustness.distillation import Distillation, Distiller
    from robustness.errors import UserError
    from robustness.files import read_npz, sha256_of, whole_file, write_json
    from robustness.model_files import load_network, save_network
    from robustness.training import (
        Checkpoint,
        Optimizer,
        Recipe,
        TemperedCrossEntropy,
        TrainingData,
        accuracy_metric,
        fit,
        make_optimizer,
    )

    devices.prepare(options["threads"], options["seed"])
    if options["architecture"] not in ARCHITECTURES:
        raise UserError(
            f"there is no architecture {options['architecture']}: choose one of {', '.join(ARCHITECTURES)}."
        )
    info = DatasetInfo.load(options["info"])
    data = TrainingData(
        Images.load(options["train"]), Images.load(options["validation"]), info.pixel_range, len(info.classes)
    )
    if options["erasing_schedule"]:
        (data.rectangles,) = read_npz(options["erasing_schedule"], "rectangles")
        if data.rectangles.shape[1] != len(data.train):
            raise UserError(
                f"the erasing schedule is for {data.rectangles.shape[1]} images, but there are {len(data.train)}: "
                "draw it from this dataset."
            )
    optimizer = Optimizer(**{k.removeprefix("optimizer_"): v for k, v in options.items() if k.startswith("optimizer_")})
    recipe = Recipe(
        optimizer=optimizer,
        temperature=temperature,
        **{
            k: options[k]
            for k in ("loss", "batch_size", "epochs", "weight_decay", "checkpoint")
            + ("early_stopping_patience", "early_stopping_monitor", "early_stopping_min_delta")
        },
    )
    network = build(options["architecture"], info.shape, data.n_classes, info.pixel_range, recipe.weight_decay)
    if distillation:
        teacher = load_network(distillation["teacher"], info.shape, data.n_classes)
        settings = Distillation(**{k: v for k, v in distillation.items() if k != "teacher"})
        trainer = Distiller(network, teacher, settings)
        loss = None
    else:
        trainer, loss = network, TemperedCrossEntropy(recipe.temperature, recipe.label_encoding == "one_hot")
    steps = -(-len(data.train) // recipe.batch_size)
    trainer.compile(make_optimizer(optimizer, steps, recipe.epochs), loss=loss, metrics=[accuracy_metric(recipe)])

    # A state is gone on from only by a run of the same settings, data, code and versions.
    inputs = [options[k] for k in ("train", "validation", "erasing_schedule") if options[k]]
    inputs += [distillation["teacher"]] if distillation else []
    here = Path(__file__).resolve().parent.parent
    code = sorted(m.__file__ for m in sys.modules.values() if here in Path(getattr(m, "__file__", None) or "/").parents)
    places = ("model", "history", "metadata", "state", "train", "validation", "info", "erasing_schedule")
    settings_note = {k: v for k, v in options.items() if k not in places} | (distillation or {})
    settings_note |= {"temperature": (distillation or {}).get("temperature", temperature)}
    fingerprint = hashlib.sha256(
        json.dumps([settings_note, [sha256_of(p) for p in inputs + code], keras.__version__], default=str).encode()
    ).hexdigest()
    checkpoint = Checkpoint(Path(options["state"]) if options["state"] else None, fingerprint)

    history = fit(trainer, network, data, recipe, options["seed"], checkpoint, show_batches=sys.stderr.isatty())

    with whole_file(options["history"]) as temporary, open(temporary, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(history[0]))
        writer.writeheader()
        writer.writerows(history)
    save_network(network, options["model"])
    write_json(
        options["metadata"],
        {
            "model": options["name"],
            "dataset": options["dataset"],
            "architecture": options["architecture"],
            "defence": options["defence"],
            "seed": options["seed"],
            "settings": settings_note,
            "parameters": int(network.count_params()),
            "model_sha256": sha256_of(options["model"]),
            "epochs": len(history),
            "seconds_per_epoch": round(float(np.median([row["seconds"] for row in history])), 3),
            "device": devices.device_name(),
            "threads": options["threads"],
            "backend": keras.backend.backend(),
            "versions": _versions() | {"python": platform.python_version()},
            "machine": platform.machine(),
        },
    )
    checkpoint.remove()
    logging.info("wrote %s", options["model"])


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in ("keras", "tensorflow", "tensorflow-cpu", "jax", "numpy", "cleverhans"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
