"""One training run from files to files: what the programs that train do alike."""

import csv
import hashlib
import json
import logging
import platform
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import keras
import numpy as np

from robustness.cluster import devices
from robustness.config.code_inputs import ProjectCode
from robustness.data.augmentation import Augmentation
from robustness.data.datasets import DatasetInfo, Images
from robustness.errors import UserError
from robustness.files import read_npz, sha256_of, whole_file, write_json
from robustness.models.architectures import build
from robustness.models.model_files import load_network, save_network
from robustness.models.network_settings import NetworkSettings
from robustness.models.rejection import rejects
from robustness.training.guessing import compare_with_guessing
from robustness.training.loop import (
    Checkpoint,
    Optimizer,
    Recipe,
    TrainingData,
    accuracy_metric,
    fit,
    kept_epoch,
    make_optimizer,
)
from robustness.version import project_version

READ = ("train", "validation", "info", "erasing_schedule", "initial", "weights")
# Options that are no settings: where files are, and a GPU. The metadata tell the device that it was.
PLACES = ("model", "history", "metadata", "state", "gpu", *READ)
# (network, what the dataset is, whether labels are one-hot) -> (the model to train, its loss or None)
MakeTrainer = Callable[[keras.Model, DatasetInfo, bool], tuple[keras.Model, keras.losses.Loss | None]]


def run_training(
    options: dict,
    defence: dict,
    make_trainer: MakeTrainer,
    inputs: Sequence[str] = (),
    train: Callable[..., list[dict]] = fit,
    notes: Mapping[str, object] | None = None,
    rejecting: bool = False,
) -> None:
    """Train as the options say, and write model, history and metadata.

    options: those of recipe_options. defence: the program's further settings, for the metadata. make_trainer: puts
    the network into the model whose loss is minimised. inputs: further files that the result depends on. train: what takes
    the arguments of robustness.training.loop.fit and returns its history; it leaves in data.train what the last epoch trained on.
    notes: further entries of the metadata, which train may fill. rejecting: the network has one output more than there are
    classes, the rejection (robustness.models.rejection).
    """
    workflow = project_version()  # of now: a commit may come while this trains
    devices.prepare(options["threads"], options["seed"], options["gpu"])
    info = DatasetInfo.load(options["info"])
    data = _training_data(options, info)
    recipe = _recipe(options)
    own = _network_settings(options)
    network = build(options["architecture"], info.shape, data.n_classes, info.pixel_range, own, rejecting)
    if options["initial"]:
        _start_from(network, options["initial"], info)
    trainer, loss = make_trainer(network, info, recipe.label_encoding == "one_hot")
    steps = -(-len(data.train) // recipe.batch_size)
    optimizer = make_optimizer(recipe.optimizer, steps, recipe.epochs, recipe.precision)
    trainer.compile(optimizer, loss=loss, metrics=[accuracy_metric(recipe)])

    settings = {key: value for key, value in options.items() if key not in PLACES} | defence
    settings["weights_sha256"] = sha256_of(options["weights"]) if options["weights"] else None
    files = [options[key] for key in READ if options[key]]
    checkpoint = Checkpoint(
        Path(options["state"]) if options["state"] else None, _fingerprint(settings, [*files, *inputs])
    )
    history = train(
        trainer, network, data, recipe, _seed_of_chance(options), checkpoint, show_batches=sys.stderr.isatty()
    )
    beside_guessing = compare_with_guessing(trainer, network, data, recipe, options["seed"])

    with whole_file(options["history"]) as temporary, open(temporary, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(history[0]))
        writer.writeheader()
        writer.writerows({k: f"{v:.9g}" if isinstance(v, float) else v for k, v in row.items()} for row in history)
    save_network(network, options["model"])
    write_json(
        options["metadata"],
        {
            "model": options["name"],
            "dataset": options["dataset"],
            "architecture": options["architecture"],
            "defence": options["defence"],
            "seed": options["seed"],
            "settings": settings,
            "parameters": int(network.count_params()),
            "model_sha256": sha256_of(options["model"]),
            "epochs": len(history),
            "kept_epoch": kept_epoch(history, recipe),
            "loss_of_guessing": beside_guessing,
            "seconds_per_epoch": round(float(np.median([row["seconds"] for row in history])), 3),
            "device": devices.device_name(),
            "threads": options["threads"],
            "backend": keras.backend.backend(),
            "versions": _versions() | {"python": platform.python_version()},
            "machine": platform.machine(),
            "workflow": workflow,
        }
        | dict(notes or {}),
    )
    checkpoint.remove()
    logging.info("wrote %s", options["model"])


def _training_data(options: dict, info: DatasetInfo) -> TrainingData:
    data = TrainingData(
        Images.load(options["train"]), Images.load(options["validation"]), info.pixel_range, len(info.classes)
    )
    prefix = "augmentation_"
    augmentation = Augmentation(**{k.removeprefix(prefix): options[k] for k in options if k.startswith(prefix)})
    if augmentation.blur_size % 2 == 0:
        raise UserError(f"the blur's size is {augmentation.blur_size}: take an odd number of pixels.")
    if augmentation != Augmentation():
        data.augmentation = augmentation
    if options["erasing_schedule"]:
        (data.rectangles,) = read_npz(options["erasing_schedule"], "rectangles")
        if data.rectangles.shape[1] != len(data.train):
            raise UserError(
                f"the erasing schedule is for {data.rectangles.shape[1]} images, but there are {len(data.train)}: "
                "draw it from this dataset."
            )
    return data


def _seed_of_chance(options: dict) -> int:
    """Seed of order, dropout, augmentation and random starts: the run's own, or for a model that starts from another a new one.

    With the seed of the model that it starts from it would meet every image again in the same order under the same masks,
    and learn these by heart: the loss then falls while these epochs last, and jumps up behind them.
    """
    if not options["initial"]:
        return options["seed"]
    return int(np.random.default_rng([options["seed"], zlib.crc32(options["name"].encode())]).integers(2**32))


def _start_from(network: keras.Model, path: str, info: DatasetInfo) -> None:
    """Give a network the weights of a trained one; raises UserError if that is of another architecture.

    A rejection that the trained one lacks starts with weights of 0.
    """
    source = load_network(path, info.shape, len(info.classes))
    trained = source.get_weights()
    if rejects(network) and not rejects(source):
        kernel, bias = trained[-2:]
        trained[-2:] = [np.pad(kernel, ((0, 0), (0, 1))), np.pad(bias, (0, 1))]
    if [weight.shape for weight in trained] != [weight.shape for weight in network.get_weights()]:
        raise UserError(f"{path} holds another network than {network.name}: start from one of the same architecture.")
    network.set_weights(trained)


def _network_settings(options: dict) -> NetworkSettings:
    own = {key: options[key] for key in ("upsampling", "width", "weight_decay", "weights", "trainable")}
    return NetworkSettings(head=tuple(options["head"].split(",")) if options["head"] else None, **own)


def _recipe(options: dict) -> Recipe:
    own = ("loss", "batch_size", "epochs", "checkpoint", "precision")
    stopping = ("early_stopping_patience", "early_stopping_monitor", "early_stopping_min_delta")
    prefix = "optimizer_"
    return Recipe(
        optimizer=Optimizer(**{key.removeprefix(prefix): options[key] for key in options if key.startswith(prefix)}),
        **{key: options[key] for key in own + stopping},
    )


def _fingerprint(settings: dict, files: list[str]) -> str:
    """What a half-done run must share with the one that goes on from it: settings, data, code and versions.

    Code as the rules compare it, so that a changed comment does not discard the state.
    """
    scripts = Path(__file__).resolve().parents[2]
    loaded = [Path(getattr(module, "__file__", None) or "/").resolve() for module in list(sys.modules.values())]
    code = ProjectCode(scripts).digest_of_files({path for path in loaded if scripts in path.parents})
    shared = [settings, [sha256_of(path) for path in files], code, _versions()]
    return hashlib.sha256(json.dumps(shared, default=str).encode()).hexdigest()


def _versions() -> dict[str, str]:
    found = {}
    for package in ("keras", "tensorflow", "tensorflow-cpu", "jax", "numpy", "cleverhans"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
