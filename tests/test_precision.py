"""Mixed precision: layers compute in 16 bits while they are trained, and nothing else does."""

import csv
import json
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import call
from keras import layers
from networks import curved_network, images

from robustness.data.datasets import Images, encode_labels, to_pixels
from robustness.files import write_json
from robustness.models.architectures import build
from robustness.models.model_files import load_network
from robustness.models.network_settings import NetworkSettings
from robustness.training.adversarial_training import AdversarialTrainer, AdversarialTraining
from robustness.training.distillation import Distillation, Distiller
from robustness.training.loop import (
    Checkpoint,
    Optimizer,
    Recipe,
    TemperedCrossEntropy,
    TrainingData,
    accuracy_metric,
    fit,
    make_optimizer,
)
from robustness.training.precision import MixedPrecision

RANGE = (0.0, 1.0)
MIXED = ["mixed_bfloat16", "mixed_float16"]


class Seen(layers.Conv2D):
    """A convolution that notes (mode, what it computes in, what its variables are)."""

    notes: set

    def call(self, inputs, training=None):
        outputs = super().call(inputs)
        self.notes.add((training, outputs.dtype.name, self.kernel._value.dtype.name))
        return outputs


class SeenLogits(layers.Dense):
    """The same of the layer that gives the logits."""

    notes: set

    def call(self, inputs, training=None):
        outputs = super().call(inputs)
        self.notes.add((inputs.dtype.name, outputs.dtype.name))
        return outputs


def noted(cls, *arguments, **settings):
    layer = cls(*arguments, **settings)
    layer.notes = set()
    return layer


def network() -> keras.Model:
    """With batch normalisation and dropout, whose statistics and masks have a type of their own."""
    keras.utils.set_random_seed(11)
    pixels = layers.Input((8, 8, 1))
    x = noted(Seen, 4, 3, activation="relu")(pixels)
    x = layers.BatchNormalization()(x)
    x = layers.Dropout(0.3)(x)
    x = layers.Flatten()(x)
    return keras.Model(pixels, noted(SeenLogits, 4)(x))


def train(model, precision, defence=None, temperature=1.0, data=None, **settings):
    """Train a network in place and return the history."""
    recipe = Recipe(**{"batch_size": 16, "epochs": 2, "checkpoint": "last", "precision": precision} | settings)
    data = data or TrainingData(images(), images(seed=1), RANGE, 4)
    loss = entropy = TemperedCrossEntropy(temperature, True)
    trainer = model
    if defence == "distillation":
        trainer, loss = Distiller(model, network(), Distillation(5.0, 0.5)), None
    if defence == "adversarial":
        own = AdversarialTraining(0.1, 0.05, RANGE, iterations=2, mode="training")
        trainer, loss = AdversarialTrainer(model, entropy, own, 3), None
    steps = -(-len(data.train) // recipe.batch_size)
    optimizer = make_optimizer(recipe.optimizer, steps, recipe.epochs, precision)
    trainer.compile(optimizer, loss=loss, metrics=[accuracy_metric(recipe)])
    return fit(trainer, model, data, recipe, 3, Checkpoint(None, ""))


@pytest.mark.parametrize("defence", [None, "distillation", "adversarial"])
@pytest.mark.parametrize("precision", ["float32", *MIXED])
def test_what_is_computed_in_16_bits(precision, defence):
    model = network()
    convolution, logits = model.layers[1], model.layers[-1]
    convolution.notes.clear(), logits.notes.clear()
    train(model, precision, defence)
    low = precision.removeprefix("mixed_")
    assert {(mode, dtype) for mode, dtype, _ in convolution.notes} == {(True, low), (False, "float32")}
    assert {dtype for _, dtype in logits.notes} == {"float32"}
    assert {variable for *_, variable in convolution.notes} == {"float32"}
    assert {weight.dtype for weight in model.get_weights() if weight.dtype.kind == "f"} == {np.dtype("float32")}
    assert {layer.dtype_policy.name for layer in model.layers[1:]} == {"float32"}


@pytest.mark.parametrize(
    ("architecture", "head", "float32"),
    [
        ("report_cnn", None, {"logits"}),
        ("report_cnn", ("flatten", "dense 8 relu", "logits", "relu"), {"logits", "activation"}),
        ("mobilenet_v2", None, {"logits"}),
    ],
)
def test_all_layers_but_the_logits_are_concerned(architecture, head, float32):
    """Those of a base of keras.applications too, which is a model within the network."""
    keras.utils.clear_session()
    model = build(architecture, (32, 32, 1), 4, RANGE, NetworkSettings(head=head))
    inner = [layer for part in model.layers if isinstance(part, keras.Model) for layer in part.layers]
    assert bool(inner) == (architecture == "mobilenet_v2")
    computing = [part for part in [*model.layers, *inner] if not isinstance(part, keras.Model | layers.InputLayer)]

    def in_float32():
        return {layer.name for layer in computing if layer.compute_dtype == "float32"}

    hooks = MixedPrecision(model, "mixed_bfloat16")
    hooks.on_train_begin()
    assert in_float32() == float32
    hooks.on_test_begin()
    assert in_float32() == {layer.name for layer in computing}
    hooks.on_test_end()
    assert in_float32() == float32
    hooks.on_train_end()
    assert in_float32() == {layer.name for layer in computing}


@pytest.mark.parametrize("precision", MIXED)
def test_it_learns_as_float32_does(precision):
    data = TrainingData(images(320), images(160, seed=1), RANGE, 4)
    settings = {"optimizer": Optimizer("sgd", 0.05, momentum=0.9), "epochs": 4, "data": data}
    full, mixed = (train(network(), name, **settings)[-1]["val_accuracy"] for name in ("float32", precision))
    assert full > 0.9 and mixed > full - 0.1


@pytest.mark.parametrize("precision", MIXED)
def test_large_logits_are_not_rounded_before_the_loss(precision):
    """At temperature 200 with logits of some thousands; 16 bits would round these by 2 or more."""
    pixels = images().images // 128 * 255  # 0 and 1, which 16 bits hold
    data = TrainingData(Images(pixels, images().labels, np.arange(40)), images(), RANGE, 4)
    inputs = layers.Input((8, 8, 1))
    kernel = np.random.default_rng(2).normal(size=(64, 4)).astype("f4") * 500
    model = keras.Model(inputs, layers.Dense(4, use_bias=False)(layers.Flatten()(inputs)))
    model.set_weights([kernel])
    still = {"optimizer": Optimizer("sgd", 1e-12), "epochs": 1, "batch_size": 40}
    history = train(model, precision, temperature=200.0, data=data, **still)
    logits = (pixels / 255).reshape(40, 64) @ kernel.astype("f8")
    assert np.abs(logits).max() > 4000
    scaled = logits / 200
    entropy = np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(40), images().labels]
    assert history[0]["loss"] == pytest.approx(entropy.mean(), rel=1e-5)


def test_small_gradients_do_not_vanish_in_float16():
    """A high temperature makes gradients that float16 does not know; the scaled loss brings them into its range."""
    settings = {"temperature": 1e5, "optimizer": Optimizer("sgd", 1e4), "epochs": 1}
    moved = {}
    for precision in ("float32", "mixed_float16"):
        model = curved_network()
        before = model.get_weights()[0]
        train(model, precision, **settings)
        moved[precision] = model.get_weights()[0] - before
    expected = moved["float32"]
    assert np.abs(expected).max() > 1e-4
    assert np.abs(moved["mixed_float16"] - expected).max() < 0.1 * np.abs(expected).max()


@pytest.mark.parametrize("precision", MIXED)
def test_the_neighbours_are_nearly_those_of_float32(precision):
    """With a loss whose gradients float16 does not know unscaled."""
    model, data = curved_network(), images()
    x, y = tf.constant(to_pixels(data.images, RANGE)), tf.constant(encode_labels(data.labels, 4, "one_hot"))
    settings = AdversarialTraining(0.1, 0.1, RANGE)
    trainer = AdversarialTrainer(model, TemperedCrossEntropy(1e5, True), settings, seed=5)
    with tf.GradientTape() as tape:
        tape.watch(x)
        entropy = tf.nn.softmax_cross_entropy_with_logits(y, model(x) / 1e5)
    expected = np.clip(x.numpy() + 0.1 * np.sign(tape.gradient(entropy, x).numpy()), 0, 1)
    hooks = MixedPrecision(model, precision)
    hooks.on_train_begin()
    found = trainer.neighbour(x, y, training=True).numpy()
    hooks.on_train_end()
    assert found.dtype == np.float32 and (np.abs(found - expected) < 1e-5).mean() > 0.9


# --- the programs ----------------------------------------------------------------------------------------------------


@pytest.fixture
def trained(tmp_path, threads_stay):
    """A function that trains with a program in a precision and returns the names of the files."""
    images(64, side=16).save(tmp_path / "images.npz")
    info = {"name": "d", "classes": list("abcd"), "shape": [16, 16, 1], "pixel_range": "0-1"}
    write_json(tmp_path / "info.json", info)

    def run(program, name, **own):
        keras.utils.clear_session()  # numbers layers as a program that just started does
        given = dict.fromkeys(("train", "validation"), tmp_path / "images.npz") | {"info": tmp_path / "info.json"}
        made = {"model": "keras", "history": "csv", "metadata": "json"}
        made = {end: tmp_path / f"{name}.{suffix}" for end, suffix in made.items()}
        told = {"name": name, "dataset": "d", "defence": "none", "architecture": "report_cnn", "threads": 1, "seed": 3}
        call(program, **given, **made, **told, epochs=2, batch_size=32, checkpoint="last", **own)
        return made

    return run


@pytest.mark.parametrize(
    ("program", "precision", "own"),
    [
        ("train_model", "mixed_bfloat16", {}),
        ("distill_student", "mixed_bfloat16", {"temperature": 5, "alpha": 0.5}),
        ("train_adversarially", "mixed_float16", {"epsilon": 0.1, "epsilon_unit": "0-1"}),
    ],
)
def test_the_trained_network_is_an_ordinary_one(trained, program, precision, own):
    plain = trained("train_model", "plain")["model"]
    if program == "distill_student":
        own = own | {"teacher": plain}
    files = trained(program, "mixed", precision=precision, **own)
    assert json.loads(files["metadata"].read_text())["settings"]["precision"] == precision
    structures = []
    for path in (plain, files["model"]):
        with zipfile.ZipFile(path) as archive:
            structures.append(archive.read("config.json"))
    assert structures[0] == structures[1]
    full, mixed = (load_network(path, (16, 16, 1), 4) for path in (plain, files["model"]))
    pairs = list(zip(full.get_weights(), mixed.get_weights(), strict=True))
    assert all(a.dtype == b.dtype and a.shape == b.shape for a, b in pairs)
    assert any((a != b).any() for a, b in pairs)
    # What was validated is the network in float32, its cross-entropy told by TensorFlow.
    data = images(64, side=16)
    logits = mixed(to_pixels(data.images, RANGE), training=False)
    assert logits.dtype == "float32"
    with open(files["history"], newline="") as handle:
        last = list(csv.DictReader(handle))[-1]
    assert float(last["val_accuracy"]) == pytest.approx((logits.numpy().argmax(axis=1) == data.labels).mean())
    if program == "train_model":
        entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(data.labels, logits)
        assert float(last["val_loss"]) == pytest.approx(float(tf.reduce_mean(entropy)), rel=1e-5)
