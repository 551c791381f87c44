import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile

import click
import h5py
import keras
import numpy as np
import pytest
from conftest import ROOT, call
from keras import layers
from networks import images

from robustness.data.augmentation import Augmentation
from robustness.data.datasets import encode_labels, to_pixels
from robustness.data.erasing import ErasingSettings, draw_schedule
from robustness.errors import UserError
from robustness.files import read_npz, sha256_of, write_json
from robustness.models.architectures import build
from robustness.models.model_files import load_network, predict_logits, save_network
from robustness.models.network_settings import NetworkSettings
from robustness.training.adversarial_training import AdversarialTrainer, AdversarialTraining
from robustness.training.distillation import Distillation, Distiller, distillation_losses
from robustness.training.loop import (
    Batches,
    Checkpoint,
    Optimizer,
    RateSchedule,
    Recipe,
    TemperedCrossEntropy,
    TrainingData,
    accuracy_metric,
    fit,
    kept_epoch,
    make_optimizer,
    seed_chance,
)

RANGE = (0.0, 1.0)


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


# --- losses against NumPy --------------------------------------------------------------------------------------------


@pytest.fixture
def logits():
    rng = np.random.default_rng(5)
    return rng.normal(size=(16, 10)).astype("f4") * 20, rng.normal(size=(16, 10)).astype("f4") * 20, np.arange(16) % 10


@pytest.mark.parametrize("temperature", [1.0, 20.0, 200.0])
@pytest.mark.parametrize("encoding", ["integer", "one_hot"])
def test_tempered_cross_entropy(logits, temperature, encoding):
    student, _, labels = logits
    loss = TemperedCrossEntropy(temperature, encoding == "one_hot")(encode_labels(labels, 10, encoding), student)
    expected = -np.log(softmax(student.astype("f8") / temperature)[np.arange(16), labels]).mean()
    assert float(loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 20.0, 200.0])
@pytest.mark.parametrize("t_squared", [False, True])
@pytest.mark.parametrize("hard_temperature", [1.0, 20.0])
@pytest.mark.parametrize("encoding", ["integer", "one_hot"])
def test_distillation_losses(logits, temperature, t_squared, hard_temperature, encoding):
    student, teacher, labels = logits
    settings = Distillation(temperature, 0.2, t_squared, hard_temperature)
    hard, soft = distillation_losses(
        keras.ops.convert_to_tensor(encode_labels(labels, 10, encoding)),
        keras.ops.convert_to_tensor(student), keras.ops.convert_to_tensor(teacher), settings,
    )  # fmt: skip
    p, q = softmax(teacher.astype("f8") / temperature), softmax(student.astype("f8") / temperature)
    kl = (p * np.log(p / q)).sum(axis=1).mean() * (temperature**2 if t_squared else 1)
    entropy = -np.log(softmax(student.astype("f8") / hard_temperature)[np.arange(16), labels]).mean()
    assert float(hard) == pytest.approx(entropy, rel=1e-5)
    assert float(soft) == pytest.approx(kl, rel=2e-3)  # the divergence at T = 200 is a small difference in float32


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_the_students_loss_weighs_both_parts_and_adds_its_own_decay_alone(alpha):
    keras.utils.set_random_seed(0)
    student, teacher = (
        build("report_cnn", (8, 8, 1), 4, RANGE, NetworkSettings(weight_decay=decay)) for decay in (0.01, 0.5)
    )
    settings = Distillation(4.0, alpha)
    distiller = Distiller(student, teacher, settings)
    x, y = to_pixels(images().images, RANGE), encode_labels(images().labels, 4, "one_hot")
    loss = float(distiller.compute_loss(x, keras.ops.convert_to_tensor(y), student(x, training=False)))
    p, q = (softmax(network(x, training=False).numpy().astype("f8") / 4) for network in (teacher, student))
    hard = -np.log(softmax(student(x, training=False).numpy().astype("f8"))[np.arange(40), images().labels]).mean()
    kernels = [w.numpy() for w in student.trainable_weights if w.name == "kernel"]
    decay = 0.01 * sum((kernel.astype("f8") ** 2).sum() for kernel in kernels)
    expected = alpha * hard + (1 - alpha) * (p * np.log(p / q)).sum(axis=1).mean() + decay
    assert loss == pytest.approx(expected, rel=1e-4)


def test_the_teacher_stays_as_it_is():
    data = TrainingData(images(), images(seed=1), RANGE, 4)
    student, teacher = small(), small()
    before = [w.copy() for w in teacher.get_weights()]
    first = [w.copy() for w in student.get_weights()]
    recipe = Recipe(batch_size=16, epochs=1)
    distiller = compiled(Distiller(student, teacher, Distillation(4.0, 0.1)), recipe)
    history = fit(distiller, student, data, recipe, 1, Checkpoint(None, ""))
    assert all((a == b).all() for a, b in zip(before, teacher.get_weights()))
    assert any((a != b).any() for a, b in zip(first, student.get_weights()))
    row = history[0]
    assert row["loss"] == pytest.approx(0.1 * row["hard_loss"] + 0.9 * row["soft_loss"], rel=0.05)


# --- learning rates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "step", "expected"),
    [
        ({}, 1000, 0.1),
        ({"decay": 1e-6}, 50000, 0.1 / 1.05),
        ({"drop_every": 20}, 199, 0.1),  # 10 steps an epoch: epoch 19
        ({"drop_every": 20}, 200, 0.05),
        ({"drop_every": 20, "drop_factor": 0.1}, 400, 0.001),
        ({"drop_every": 20, "decay": 1e-3}, 200, 0.05 / 1.2),
        ({"cosine": True}, 0, 0.1),
        ({"cosine": True}, 500, 0.05),
        ({"cosine": True}, 1000, 0.0),
    ],
)
def test_learning_rate(settings, step, expected):
    schedule = RateSchedule(Optimizer(learning_rate=0.1, **settings), steps_per_epoch=10, epochs=100)
    assert float(schedule(step)) == pytest.approx(expected, abs=1e-7)


# --- the loop --------------------------------------------------------------------------------------------------------


def small() -> keras.Model:
    """A network with every kind of state that a restart has to bring back: batch statistics, dropout, momentum."""
    pixels = layers.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, activation="relu")(pixels)
    x = layers.BatchNormalization()(x)
    x = layers.Dropout(0.3)(x)
    return keras.Model(pixels, layers.Dense(4)(layers.Flatten()(x)))


def compiled(trainer: keras.Model, recipe: Recipe) -> keras.Model:
    loss = None if isinstance(trainer, Distiller | AdversarialTrainer) else TemperedCrossEntropy(1.0, True)
    optimizer = make_optimizer(recipe.optimizer, 3, recipe.epochs, recipe.precision)
    trainer.compile(optimizer, loss=loss, metrics=[accuracy_metric(recipe)])
    return trainer


def trained(recipe, tmp_path=None, erasing=True, seed=3, defence=None, validation_seed=1):
    devices_seed = 11
    keras.utils.set_random_seed(devices_seed)
    data = TrainingData(images(), images(seed=validation_seed), RANGE, 4)
    if erasing:
        data.rectangles = draw_schedule(40, 8, 8, ErasingSettings(1.0, (0.1, 0.2), (0.5, 2)), 2, seed=1)
    trainer = network = small()
    if defence == "distillation":
        trainer = Distiller(network, small(), Distillation(5.0, 0.2))
    if defence == "adversarial":
        settings = AdversarialTraining(0.1, 0.05, RANGE, iterations=2, random_start=True, mode="training")
        trainer = AdversarialTrainer(network, TemperedCrossEntropy(1.0, True), settings, seed)
    if defence == "augmentation":
        data.augmentation = Augmentation(0.5, noise_kind="speckle", noise_amount=0.1, rotation=20, horizontal_flip=True)
    checkpoint = Checkpoint(tmp_path / "state.npz" if tmp_path else None, "same")
    history = fit(compiled(trainer, recipe), network, data, recipe, seed, checkpoint)
    return network.get_weights(), history


def same(first, second) -> bool:
    return all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))


SGD = Optimizer("sgd", 0.05, momentum=0.9, nesterov=True, decay=1e-3)


@pytest.mark.parametrize("defence", [None, "distillation", "adversarial", "augmentation"])
@pytest.mark.parametrize(
    ("optimizer", "precision"),
    [(Optimizer(), "float32"), (SGD, "float32"), (SGD, "mixed_bfloat16"), (Optimizer(), "mixed_float16")],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_run_that_goes_on_ends_with_the_same_weights(tmp_path, optimizer, precision, defence):
    settings = {"optimizer": optimizer, "precision": precision, "batch_size": 16, "checkpoint": "last"}
    whole, history = trained(Recipe(epochs=4, **settings), defence=defence)
    trained(Recipe(epochs=2, **settings), tmp_path, defence=defence)
    resumed, resumed_history = trained(Recipe(epochs=4, **settings), tmp_path, defence=defence)
    assert same(whole, resumed)
    assert [row["loss"] for row in history] == [row["loss"] for row in resumed_history]
    assert [row["epoch"] for row in resumed_history] == [1, 2, 3, 4]


def test_the_same_seed_gives_the_same_weights():
    recipe = Recipe(batch_size=16, epochs=1)
    first, again, other = (trained(recipe, seed=seed)[0] for seed in (3, 3, 4))
    assert same(first, again) and not same(first, other)


def test_a_state_of_other_settings_is_not_used(tmp_path):
    recipe = Recipe(batch_size=16, epochs=1, checkpoint="last")
    expected, _ = trained(recipe)
    trained(recipe, tmp_path)
    network = small()
    checkpoint = Checkpoint(tmp_path / "state.npz", "another")
    assert checkpoint.restore(network, compiled(network, recipe).optimizer) is None
    (tmp_path / "state.npz").write_bytes(b"broken")
    assert same(expected, trained(recipe, tmp_path)[0])


def test_erasing_changes_the_training_and_only_where_asked():
    recipe = Recipe(batch_size=16, epochs=1)
    assert not same(trained(recipe, erasing=True)[0], trained(recipe, erasing=False)[0])


@pytest.mark.parametrize("checkpoint", ["val_accuracy", "val_loss", "last", "val_adversarial_loss", "adversarial_loss"])
def test_the_kept_epoch(checkpoint):
    settings = {"erasing": False, "defence": "adversarial" if "adversarial" in checkpoint else None}
    recipe = Recipe(optimizer=Optimizer("sgd", 0.5), batch_size=16, epochs=4, checkpoint=checkpoint)
    weights, history = trained(recipe, **settings)
    values = [row.get(checkpoint, row["epoch"]) for row in history]
    best = values.index((min if "loss" in checkpoint else max)(values))
    assert kept_epoch(history, recipe) == best + 1
    recipe = Recipe(optimizer=Optimizer("sgd", 0.5), batch_size=16, epochs=best + 1, checkpoint="last")
    assert same(weights, trained(recipe, **settings)[0])


def test_a_measure_that_a_training_does_not_have_is_told():
    with pytest.raises(UserError, match="no val_adversarial_loss"):
        trained(Recipe(batch_size=16, epochs=1, checkpoint="val_adversarial_loss"))


@pytest.mark.parametrize("defence", ["adversarial", "augmentation"])
def test_a_defence_changes_the_training(defence):
    recipe = Recipe(batch_size=16, epochs=1)
    assert not same(trained(recipe)[0], trained(recipe, defence=defence)[0])


def test_early_stopping_waits_for_patience_and_no_longer():
    recipe = Recipe(
        optimizer=Optimizer("sgd", 1e-7),
        batch_size=16,
        epochs=9,
        early_stopping_patience=2,
        early_stopping_min_delta=1.0,
    )
    _, history = trained(recipe, erasing=False)
    assert len(history) == 3  # the first epoch is the best, two more bring nothing


def test_a_loss_that_is_no_number_is_told():
    with pytest.raises(UserError, match="lower the learning rate"):
        trained(Recipe(optimizer=Optimizer("sgd", 1e30), batch_size=16, epochs=3))


def test_batches_apply_the_schedule_to_the_right_images():
    data = images()
    rectangles = np.zeros((40, 4), np.int16)
    rectangles[7] = [1, 2, 3, 4]  # x, y, h, w
    order = np.random.default_rng(0).permutation(40)
    batches = Batches(data, data.labels, RANGE, 16, order, rectangles, seed=(1, 2))
    x, y = (np.concatenate(parts) for parts in zip(*(batches[i] for i in range(len(batches)))))
    assert (y == data.labels[order]).all() and x.dtype == np.float32
    plain = data.images[order].astype("f4") / np.float32(255)
    changed = np.abs(x - plain).max(axis=3) > 1e-6
    row = int(np.flatnonzero(order == 7)[0])
    assert set(np.flatnonzero(changed.any(axis=(1, 2)))) == {row}
    inside = np.zeros((8, 8), bool)
    inside[2:5, 1:5] = True
    assert not changed[row][~inside].any() and changed[row][inside].sum() >= 10


# --- networks and their files ----------------------------------------------------------------------------------------


def test_a_saved_network_carries_no_optimiser(tmp_path):
    network = compiled(small(), Recipe())
    save_network(network, tmp_path / "fresh.keras")
    network.fit(to_pixels(images().images, RANGE), encode_labels(images().labels, 4, "one_hot"), verbose=0)
    save_network(network, tmp_path / "trained.keras")
    sizes = {path.stat().st_size for path in tmp_path.iterdir()}
    assert len(sizes) == 1  # Adam's moments would triple it
    with zipfile.ZipFile(tmp_path / "trained.keras") as archive:
        assert not json.loads(archive.read("config.json")).get("compile_config")
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as weights:
            assert "optimizer" not in weights


def test_saved_networks_are_the_same_bytes_and_the_same_function(tmp_path):
    keras.utils.set_random_seed(2)
    network = build("report_cnn", (8, 8, 1), 4, (0.0, 255.0), NetworkSettings(weight_decay=0.001))
    save_network(network, tmp_path / "a.keras")
    time.sleep(1.1)  # the times that Keras would write have seconds
    save_network(network, tmp_path / "b.keras")
    assert sha256_of(tmp_path / "a.keras") == sha256_of(tmp_path / "b.keras")
    x = to_pixels(images().images, (0.0, 255.0))
    loaded = load_network(tmp_path / "a.keras", (8, 8, 1), 4)
    assert predict_logits(loaded, x).tobytes() == predict_logits(network, x).tobytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.keras", "b.keras"]


@pytest.mark.parametrize(
    ("shape", "classes", "content", "words"),
    [
        ((28, 28, 1), 4, None, "takes images of"),
        ((8, 8, 1), 10, None, "tells 4 classes"),
        ((8, 8, 1), 4, b"x", "can't be read"),
    ],
)
def test_a_model_that_does_not_fit_is_told(tmp_path, shape, classes, content, words):
    save_network(small(), tmp_path / "m.keras")
    if content:
        (tmp_path / "m.keras").write_bytes(content)
    with pytest.raises(UserError, match=words):
        load_network(tmp_path / "m.keras", shape, classes)


# --- a model that starts from another --------------------------------------------------------------------------------


@pytest.fixture
def start(tmp_path, threads_stay):
    """A function that trains with the program on a few images and returns the weights and the file of the network."""
    images(64, side=16).save(tmp_path / "images.npz")
    write_json(
        tmp_path / "info.json", {"name": "d", "classes": list("abcd"), "shape": [16, 16, 1], "pixel_range": "0-1"}
    )

    def train(name, **options):
        files = {
            "train": tmp_path / "images.npz",
            "validation": tmp_path / "images.npz",
            "info": tmp_path / "info.json",
        }
        made = {end: tmp_path / f"{name}.{end}" for end in ("history", "metadata")} | {
            "model": tmp_path / f"{name}.keras"
        }
        common = {
            "name": name,
            "dataset": "d",
            "defence": "none",
            "architecture": "report_cnn",
            "epochs": 1,
            "threads": 1,
        }
        call("train_model", **files, **made, **common | {"seed": 3, "checkpoint": "last"} | options)
        return load_network(made["model"], (16, 16, 1), 4).get_weights(), made["model"]

    return train


def test_a_warm_start_begins_with_the_trained_weights(start):
    first, path = start("first", epochs=2)
    still = {"optimizer_learning_rate": 1e-12, "seed": 4}  # nothing is learnt; batch normalisation's averages go on
    warm, cold = start("warm", initial=path, **still)[0], start("cold", **still)[0]
    learnt = [i for i, weight in enumerate(load_network(path, (16, 16, 1), 4).weights) if "moving" not in weight.path]
    assert all(np.allclose(warm[i], first[i], atol=1e-6) for i in learnt)
    assert not all(np.allclose(cold[i], first[i], atol=1e-6) for i in learnt)


def test_a_warm_start_needs_the_same_architecture(start, tmp_path):
    _, path = start("first")
    with pytest.raises(click.ClickException, match="holds another network than report_student_cnn: start from one of"):
        start("other", initial=path, architecture="report_student_cnn")
    assert not (tmp_path / "other.keras").exists()


def test_a_warm_start_does_not_meet_the_same_chance_again(start, monkeypatch):
    """Same order and same dropout as in the first training would be learnt by heart."""
    seeds = []

    def seen(network, trainer, seed, epoch):
        seeds.append(seed)
        seed_chance(network, trainer, seed, epoch)

    monkeypatch.setattr("robustness.training.loop.seed_chance", seen)
    _, path = start("first")
    for name, options in (("second", {}), ("second", {}), ("third", {}), ("second", {"seed": 4})):
        start(name, initial=path, **options)
    assert seeds[0] == 3 and seeds[1] == seeds[2] and len(set(seeds)) == 4


# --- the program, killed for real ------------------------------------------------------------------------------------


def program(folder, epochs=5, check=True, scripts=ROOT / "workflow_scripts"):
    words = [
        sys.executable, scripts / "train_model.py", "--train", "train.npz", "--validation", "train.npz",
        "--info", "info.json", "--name", "m", "--dataset", "d", "--defence", "none", "--architecture", "report_cnn",
        "--epochs", str(epochs), "--batch-size", "64", "--seed", "1", "--checkpoint", "last", "--state", "state.npz",
        "--model", "m.keras", "--history", "m.csv", "--metadata", "m.json", "--optimizer-drop-every", "2",
    ]  # fmt: skip
    process = subprocess.Popen([str(word) for word in words], cwd=folder, stderr=subprocess.PIPE, text=True)
    if check:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
        return errors
    return process


def test_a_killed_program_goes_on_to_the_same_bytes(tmp_path):
    """Also if comments and docstrings of its code have changed since."""
    scripts = tmp_path / "workflow_scripts"
    shutil.copytree(ROOT / "workflow_scripts", scripts, ignore=shutil.ignore_patterns("__pycache__"))
    folders = [tmp_path / name for name in ("whole", "killed")]
    for folder in folders:
        folder.mkdir()
        images(2000, side=16, classes=8).save(folder / "train.npz")
        info = {"name": "d", "classes": list("abcdefgh"), "shape": [16, 16, 1], "pixel_range": "0-1"}
        write_json(folder / "info.json", info)
    program(folders[0])
    process = program(folders[1], check=False, scripts=scripts)
    state = folders[1] / "state.npz"
    while process.poll() is None:
        if state.exists():
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.01)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it ended before it could be killed"
    assert not (folders[1] / "m.keras").exists()
    (note,) = read_npz(state, "note")
    assert "fingerprint" in str(note)
    for path in scripts.rglob("*.py"):
        path.write_text(path.read_text().replace('"""', '"""Reworded. ', 1) + "\n# a remark\n")
    assert "going on after epoch" in program(folders[1], scripts=scripts)
    assert sha256_of(folders[0] / "m.keras") == sha256_of(folders[1] / "m.keras")
    assert not state.exists()


def test_threads_are_bound(tmp_path):
    code = (
        "import tensorflow as tf; from robustness.cluster import devices; devices.prepare(1, 0); import os;"
        "a = tf.random.normal((1500, 1500)); [tf.matmul(a, a) for _ in range(3)];"
        "print(tf.config.threading.get_intra_op_parallelism_threads(), tf.config.threading.get_inter_op_parallelism_threads())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT / "workflow_scripts")},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.split() == ["1", "1"], done.stderr
