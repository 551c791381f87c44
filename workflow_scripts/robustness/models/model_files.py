"""Trained networks as files, byte for byte the same for the same weights and checked when they are read, and their logits."""

import json
import re
import zipfile
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib import import_module
from pathlib import Path

import keras
import numpy as np

from robustness.errors import UserError
from robustness.files import whole_file
from robustness.models.rejection import n_classes_of

SCRIPTS = Path(__file__).resolve().parents[2]
# Layers keep the name that they were first registered under when their module moves, so that trained networks can be read.
MOVED = {"robustness.squeezing": "robustness.models.squeezing"}


def save_network(network: keras.Model, path: str | Path) -> None:
    """Write a network (.keras, weights and structure, no optimiser) without the times that Keras puts in.

    Raises UserError for a layer of the project that load_network would not find again.
    """
    _import_layers(network.get_config(), "the network")
    with whole_file(path) as temporary:
        raw = temporary.with_name(f"{temporary.stem}.raw.keras")
        try:
            # A copy that was never compiled: a compiled network's file would carry its optimiser too.
            bare = network.from_config(network.get_config())
            bare.set_weights(network.get_weights())
            bare.save(raw)
            with zipfile.ZipFile(raw) as source, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as target:
                for name in sorted(source.namelist()):
                    data = source.read(name)
                    if name.endswith(".json"):
                        data = json.dumps(_without_chance(json.loads(data), {}), sort_keys=True).encode()
                    target.writestr(zipfile.ZipInfo(name), data)  # ZipInfo's default time is a constant
        finally:
            raw.unlink(missing_ok=True)


def _without_chance(node: object, numbers: dict[int, int]) -> object:
    """Keras' notes without the date, and with its shared_object_ids (memory addresses) numbered as they appear."""
    if isinstance(node, list):
        return [_without_chance(item, numbers) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _without_chance(value, numbers) for key, value in node.items() if key != "date_saved"}
    if "shared_object_id" in kept:
        kept["shared_object_id"] = numbers.setdefault(kept["shared_object_id"], len(numbers))
    return kept


def load_network(path: str | Path, shape: tuple[int, int, int], n_classes: int) -> keras.Model:
    """Read a network and check that it fits images of `shape` and `n_classes` classes, besides which it may reject.

    What the project's own layers in it are registered from is imported, so that a program need not know a model's defence.
    Raises UserError if the file is no network, has layers that the project lacks, or does not fit the data.
    """
    if not Path(path).exists():
        raise FileNotFoundError(2, "No such file", str(path))
    try:
        with zipfile.ZipFile(path) as file:
            _import_layers(json.loads(file.read("config.json")), path)
        network = keras.saving.load_model(path, compile=False)
    except UserError:
        raise
    except (ValueError, TypeError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} can't be read as a Keras model ({error}): remove it, so that it is trained again."
        ) from error
    if tuple(network.input_shape[1:]) != tuple(shape) or n_classes_of(network) != n_classes:
        raise UserError(
            f"{path} takes images of {network.input_shape[1:]} and tells {n_classes_of(network)} classes apart, but "
            f"the data has {tuple(shape)} and {n_classes}: use a model of the same dataset."
        )
    network.trainable = False
    return network


def _import_layers(node: object, where: str | Path) -> None:
    """Import the modules that the registered names in Keras' notes on a network begin with: MODULE>CLASS.

    None but modules of robustness whose file exists: a network file must not choose what is run. Raises UserError for a name
    that is not registered then.
    """
    for name in sorted(set(_registered_names(node))):
        registered = name.split(">")[0]
        module = MOVED.get(registered, registered)
        if (
            re.fullmatch(r"robustness(\.\w+)+", module)
            and SCRIPTS.joinpath(*module.split(".")).with_suffix(".py").is_file()
        ):
            import_module(module)
            if keras.saving.get_registered_object(name) is not None:
                continue
        raise UserError(
            f"{where} has a layer registered as {name}, which no module of robustness registers: put it under "
            "@keras.saving.register_keras_serializable(package=the name of its module) and make the network anew."
        )


def _registered_names(node: object) -> Iterator[str]:
    """The names of all layers and functions in Keras' notes that are not Keras' own."""
    if isinstance(node, list | tuple):
        for item in node:
            yield from _registered_names(item)
    elif isinstance(node, dict):
        name, module = node.get("registered_name"), node.get("module")
        if name and (">" in name or (module or "keras").split(".")[0] not in ("keras", "builtins")):
            yield name
        for item in node.values():
            yield from _registered_names(item)


def predict_logits(network: keras.Model, images: np.ndarray, batch_size: int = 250) -> np.ndarray:
    """Logits, (n, n_classes) float32 (one more of a network that rejects), of (n, height, width, channels) float32 pixels.

    In inference mode.
    """
    logits_of, starts = compiled(network), range(0, len(images), batch_size)
    return np.concatenate([keras.ops.convert_to_numpy(logits_of(images[i : i + batch_size])) for i in starts])


@lru_cache(maxsize=4)
def compiled(network: keras.Model) -> Callable:
    """The network in inference mode as one function for batches of every size, compiled where TensorFlow is the backend.

    The same object for every use of a network: attacks trace their gradient anew for another function, and much faster
    through one that is compiled already.
    """

    def logits_of(x):
        return network(x, training=False)

    if keras.backend.backend() != "tensorflow":
        return logits_of
    import tensorflow as tf

    return tf.function(logits_of, reduce_retracing=True)
