"""The loss of a training beside that of guessing: by hand for each kind of training, and by the programs."""

import json
import math
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import scipy.special
from conftest import call
from keras import layers
from networks import images

from robustness.data.datasets import DatasetInfo, Images, to_pixels
from robustness.defences import null_labelling, trades
from robustness.files import write_json
from robustness.models.model_files import load_network, predict_logits
from robustness.training import guessing
from robustness.training.adversarial_training import AdversarialTrainer, AdversarialTraining
from robustness.training.defence_task import Task
from robustness.training.distillation import Distillation, Distiller
from robustness.training.guessing import compare_with_guessing
from robustness.training.loop import Checkpoint, Recipe, TemperedCrossEntropy, TrainingData, accuracy_metric, fit

RANGE = (0.0, 1.0)
INFO = DatasetInfo("d", tuple("abcd"), (8, 8, 1), RANGE)
ENTROPY = TemperedCrossEntropy(1.0, True)


def network(seed: int = 1, decay: float = 0.0, outputs: int = 4) -> keras.Model:
    """A network with batch statistics and dropout, drawn from the seed."""
    keras.utils.set_random_seed(seed)
    pixels = layers.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, activation="relu", kernel_regularizer=keras.regularizers.L2(decay) if decay else None)(
        pixels
    )
    x = layers.Dropout(0.5)(layers.BatchNormalization()(x))
    return keras.Model(pixels, layers.Dense(outputs, name="logits")(layers.Flatten()(x)))


def compared(
    trainer: keras.Model, of: keras.Model, loss=None, data: Images | None = None, one_hot: bool = True
) -> dict:
    """What compare_with_guessing returns of a trainer."""
    recipe = Recipe(loss=f"{'' if one_hot else 'sparse_'}categorical_crossentropy", batch_size=16, epochs=1)
    trainer.compile(keras.optimizers.SGD(0.01), loss=loss, metrics=[accuracy_metric(recipe)])
    return compare_with_guessing(trainer, of, TrainingData(data or images(), images(seed=1), RANGE, 4), recipe, 3)


def cross_entropy(of: keras.Model, data: Images, temperature: float = 1.0) -> float:
    logits = predict_logits(of, to_pixels(data.images, RANGE)).astype("f8") / temperature
    return float(-scipy.special.log_softmax(logits, axis=1)[np.arange(len(data)), data.labels].mean())


# --- by hand ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [1.0, 50.0])
@pytest.mark.parametrize("one_hot", [True, False])
def test_the_loss_of_guessing_of_a_cross_entropy_is_the_logarithm_of_the_number_of_classes(temperature, one_hot):
    of = network()
    told = compared(of, of, TemperedCrossEntropy(temperature, one_hot), one_hot=one_hot)
    assert told["guessing"] == pytest.approx(math.log(4), rel=1e-6) and told["images"] == 40
    assert told["loss"] == pytest.approx(cross_entropy(of, images(), temperature), rel=1e-5)
    assert told["above"] == (told["loss"] >= told["guessing"])


@pytest.mark.parametrize("t_squared", [False, True])
def test_a_student_is_held_against_a_guess_at_its_teachers_answers(t_squared):
    """KL(teacher || all alike) = ln 4 - the entropy of the teacher's answers, at the temperature."""
    student, teacher = network(1), network(2)
    told = compared(Distiller(student, teacher, Distillation(5.0, 0.3, t_squared)), student)
    p = scipy.special.softmax(predict_logits(teacher, to_pixels(images().images, RANGE)).astype("f8") / 5, axis=1)
    soft = (math.log(4) + (p * np.log(p)).sum(axis=1).mean()) * (25 if t_squared else 1)
    assert told["guessing"] == pytest.approx(0.3 * math.log(4) + 0.7 * soft, rel=1e-4)


def test_adversarial_trainings_are_held_against_a_guess_with_their_weights():
    of = network()
    settings = AdversarialTraining(0.1, 0.05, RANGE, iterations=2, random_start=True, clean_weight=0.5, weight=2.0)
    told = compared(AdversarialTrainer(of, ENTROPY, settings, 1), of)
    assert told["guessing"] == pytest.approx(2.5 * math.log(4), rel=1e-6)
    assert told["loss"] > 2.5 * cross_entropy(of, images())  # at the neighbours it is larger


def test_a_guess_has_no_divergence_between_an_image_and_its_neighbour():
    of = network()
    task = Task(of, INFO, images(seed=1), "0-1", 1, one_hot=True)
    told = compared(
        trades.make_trainer(task, {"epsilon": 0.1, "norm": "inf", "beta": 6, "iterations": 2, "relative_step": 0.5}), of
    )
    assert told["guessing"] == pytest.approx(math.log(4), rel=1e-6)


def test_for_a_network_that_can_reject_the_rejection_is_as_likely_as_a_class():
    of, initial = network(outputs=5), network(2)
    trainer = null_labelling.NullTrainer(of, initial, np.array([0, 0.5, 1]), 0.5, RANGE, 0.3, 1)
    assert compared(trainer, of)["guessing"] == pytest.approx(math.log(5), rel=1e-6)


def test_weight_decay_is_no_part_of_the_loss():
    """Weights of 1e8 cost more than float32 could tell the loss from; the decay is back afterwards, in a traced graph, too."""
    of = network(decay=0.01)
    of.layers[1].kernel.assign(of.layers[1].kernel * 1e8)
    recipe = Recipe(batch_size=16, epochs=1)
    of.compile(keras.optimizers.SGD(0.0), loss=ENTROPY, metrics=[accuracy_metric(recipe)])
    data = TrainingData(images(), images(seed=1), RANGE, 4)
    before = [weight.copy() for weight in of.get_weights()]
    x, y = to_pixels(images().images, RANGE), np.eye(4, dtype="f4")[images().labels]
    with_decay = of.evaluate(x, y, batch_size=16, verbose=0, return_dict=True)["loss"]
    told = compare_with_guessing(of, of, data, recipe, 1)
    assert told["loss"] == pytest.approx(cross_entropy(of, images()), rel=1e-4) and told["guessing"] < 1.4
    assert 100 * told["loss"] < with_decay == of.evaluate(x, y, batch_size=16, verbose=0, return_dict=True)["loss"]
    assert all(a.tobytes() == b.tobytes() for a, b in zip(before, of.get_weights(), strict=True))


def test_a_training_goes_on_as_if_nothing_had_been_compared():
    """A substitute's rounds train on: neither weights nor optimiser, nor the decay of a compiled step, may have changed."""
    data, recipe = TrainingData(images(), images(seed=1), RANGE, 4), Recipe(batch_size=16, epochs=2, checkpoint="last")
    found = []
    for compare in (False, True):
        of = network(decay=0.01)
        of.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss=ENTROPY, metrics=[accuracy_metric(recipe)])
        fit(of, of, data, recipe, 1, Checkpoint(None, ""))
        if compare:
            compare_with_guessing(of, of, data, recipe, 1)
        history = fit(of, of, data, recipe, 2, Checkpoint(None, ""))
        found.append((of.get_weights(), [(row["loss"], row["val_loss"]) for row in history]))
    (plain, losses), (also, same_losses) = found
    assert losses == same_losses and all(a.tobytes() == b.tobytes() for a, b in zip(plain, also, strict=True))


def test_of_many_images_some_of_all_classes_are_enough(monkeypatch):
    monkeypatch.setattr(guessing, "IMAGES", 20)
    seen = []
    monkeypatch.setattr(
        guessing, "Batches", lambda data, labels, pixel_range, size, order: seen.append(data.labels[order])
    )
    trainer = SimpleNamespace(evaluate=lambda *_, **__: {"loss": 1.0}, variables=[])
    data = images(400)
    data = data.take(np.argsort(data.labels, kind="stable"))  # sorted by class
    told = compare_with_guessing(trainer, network(), TrainingData(data, data, RANGE, 4), Recipe(), 1)
    assert told["images"] == len(seen[0]) == 20 and set(seen[0].tolist()) == {0, 1, 2, 3}


@pytest.mark.parametrize(("value", "above"), [(float("nan"), True), (float("inf"), True), (1e9, True), (50.0, False)])
def test_a_loss_that_is_no_number_is_not_below_guessing(value, above, caplog):
    """Every image gets this logit for class 0; in the last case that is the true class of all of them."""
    of = network()
    of.set_weights([np.zeros_like(weight) for weight in of.get_weights()])
    of.layers[-1].bias.assign([value, 0, 0, 0])
    data = images()
    if not above:
        data = Images(data.images, np.zeros(40, np.int64), data.indices)
    told = compared(of, of, ENTROPY, data)
    assert told["above"] is above and (told["loss"] is None) == (not math.isfinite(value))
    json.dumps(told, allow_nan=False)
    assert ("which is not below that of guessing, 1.386" in caplog.text) == above
    assert ("lower the learning rate, or train longer where its curves in plots/training" in caplog.text) == above


class Cosine(keras.losses.Loss):
    """A loss of a defence's own, which logits of 0 do not have."""

    def call(self, labels, logits):
        return 1 - keras.ops.sum(labels * logits, -1) / keras.ops.norm(logits, axis=-1)


def test_a_loss_that_a_guess_does_not_have_raises_nothing(caplog):
    of = network()
    told = compared(of, of, Cosine())
    assert told["guessing"] is None and told["loss"] > 0 and told["above"] is False and "guessing" not in caplog.text


# --- by the programs -------------------------------------------------------------------------------------------------


@pytest.fixture
def train(tmp_path, threads_stay):
    """A function that trains on a few images with a program and returns the metadata."""
    images(64, side=16).save(tmp_path / "images.npz")
    info = {"name": "d", "classes": list("abcd"), "shape": [16, 16, 1], "pixel_range": "0-1"}
    write_json(tmp_path / "info.json", info)

    def run(program: str, **own) -> dict:
        given = dict.fromkeys(("train", "validation"), tmp_path / "images.npz") | {"info": tmp_path / "info.json"}
        made = {"model": "m.keras", "history": "m.csv", "metadata": "m.json"}
        made = {name: tmp_path / file for name, file in made.items()}
        told = {"name": "m", "dataset": "d", "defence": "none", "architecture": "lenet5", "threads": 1, "seed": 3}
        call(program, **given, **made, **told | {"batch_size": 16, "checkpoint": "last", "optimizer_name": "sgd"} | own)
        return json.loads((tmp_path / "m.json").read_text())

    return run


ADVERSARIAL = {"epsilon": 0.05, "epsilon_unit": "0-1", "clean_weight": 0}
TRADES = {
    "method": "trades",
    "settings": json.dumps({"epsilon": 0.05, "norm": "inf", "beta": 6, "iterations": 2, "relative_step": 0.5}),
}


@pytest.mark.parametrize(
    ("program", "own"),
    [("train_model", {}), ("train_adversarially", ADVERSARIAL), ("train_defended", TRADES | {"epsilon_unit": "0-1"})],
)
def test_a_training_at_an_absurd_rate_says_so(train, program, own, caplog, tmp_path):
    told = train(program, epochs=1, optimizer_learning_rate=1e6, **own)["loss_of_guessing"]
    assert told["above"] is True and told["loss"] > 1000 and told["guessing"] == pytest.approx(math.log(4), rel=1e-6)
    (record,) = [record for record in caplog.records if record.levelname == "WARNING" and "guessing" in record.message]
    assert f"a loss of {told['loss']:.4g}, which is not below that of guessing, 1.386" in record.message
    network = load_network(tmp_path / "m.keras", (16, 16, 1), 4)
    if program == "train_model":
        data = Images.load(tmp_path / "images.npz")
        assert told["loss"] == pytest.approx(cross_entropy(network, data), rel=1e-3)


@pytest.mark.parametrize(("program", "own"), [("train_model", {}), ("train_adversarially", ADVERSARIAL)])
def test_a_healthy_training_says_nothing(train, program, own, caplog):
    rate = {"optimizer_name": "adam", "optimizer_learning_rate": 0.01}
    told = train(program, epochs=12, weight_decay=0.001, **rate, **own)["loss_of_guessing"]
    assert told["above"] is False and told["loss"] < 1 < told["guessing"] < 1.39 and told["images"] == 64
    assert "guessing" not in caplog.text
