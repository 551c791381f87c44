"""Training under Keras' JAX backend, on the CPU: the same programs, networks that TensorFlow attacks."""

import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from networks import images

from robustness.attacks.attack_settings import AttackSettings
from robustness.attacks.crafting import craft
from robustness.data.datasets import to_pixels
from robustness.files import write_json, write_npz
from robustness.models.model_files import load_network, predict_logits

SHAPE, CLASSES = (16, 16, 1), 8
ARCHITECTURE = ["--architecture", "report_cnn", "--optimizer-name", "sgd", "--optimizer-learning-rate", "0.02"]
ARCHITECTURE += ["--optimizer-momentum", "0.9", "--optimizer-nesterov", "--optimizer-decay", "0.001"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A teacher and its student, trained by each backend from the same files."""
    folder = tmp_path_factory.mktemp("jax")
    images(400, side=16, classes=CLASSES).save(folder / "train.npz")
    images(80, side=16, classes=CLASSES, seed=1).save(folder / "validation.npz")
    write_npz(folder / "erasing.npz", rectangles=np.tile(np.array([2, 3, 5, 4], np.int16), (1, 400, 1)))
    names = list("abcdefgh")
    write_json(folder / "info.json", {"name": "d", "classes": names, "shape": SHAPE, "pixel_range": "0-1"})
    for backend in ("tensorflow", "jax"):
        for program, name, own in (
            ("train_model", "teacher", ["--temperature", "5", "--weight-decay", "0.0001"]),
            ("distill_student", "student", ["--teacher", f"{backend}_teacher.keras", "--temperature", "5", "--alpha", ".2"]),
        ):  # fmt: skip
            made = [f"--{end}={backend}_{name}.{suffix}" for end, suffix in
                    (("model", "keras"), ("history", "csv"), ("metadata", "json"))]  # fmt: skip
            done = subprocess.run(
                [
                    *(sys.executable, ROOT / f"workflow_scripts/{program}.py", "--train", "train.npz"),
                    *("--validation", "validation.npz", "--info", "info.json", "--erasing-schedule", "erasing.npz"),
                    *("--name", name, "--dataset", "d", "--defence", "none", "--epochs", "4", "--batch-size", "32"),
                    *(*ARCHITECTURE, *own, "--seed", "3", "--threads", "1", *made),
                ],
                cwd=folder,
                env=os.environ | {"KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"},
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr
    return folder


def history(folder, name):
    with open(folder / f"{name}.csv", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.parametrize("name", ["teacher", "student"])
def test_jax_learns_what_tensorflow_learns(trained, name):
    """Each backend draws weights and dropout in its own way; what is learnt does not differ."""
    assert json.loads((trained / f"jax_{name}.json").read_text())["backend"] == "jax"
    ours, theirs = history(trained, f"jax_{name}"), history(trained, f"tensorflow_{name}")
    assert list(ours[0]) == list(theirs[0])
    assert [row["learning_rate"] for row in ours] == pytest.approx([row["learning_rate"] for row in theirs])
    for rows in (ours, theirs):
        assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
        assert float(rows[-1]["val_accuracy"]) > 0.5  # of eight classes


def test_a_network_is_the_same_function_on_both(trained):
    x = np.random.default_rng(0).random((3, *SHAPE), dtype="f4")
    np.save(trained / "x.npy", x)
    code = (
        "import numpy as np; from robustness.models.model_files import load_network, predict_logits;"
        f"network = load_network('tensorflow_student.keras', {SHAPE}, {CLASSES});"
        "np.save('logits.npy', predict_logits(network, np.load('x.npy')))"
    )
    environment = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT / "workflow_scripts")}
    subprocess.run([sys.executable, "-c", code], cwd=trained, env=os.environ | environment, check=True)
    expected = predict_logits(load_network(trained / "tensorflow_student.keras", SHAPE, CLASSES), x)
    np.testing.assert_allclose(np.load(trained / "logits.npy"), expected, atol=1e-4)


def test_a_network_trained_on_jax_is_attacked_on_tensorflow(trained):
    network = load_network(trained / "jax_teacher.keras", SHAPE, CLASSES)
    data = images(80, side=16, classes=CLASSES, seed=1)
    x = to_pixels(data.images, (0.0, 1.0))
    clean = (predict_logits(network, x).argmax(axis=1) == data.labels).mean()
    told = float(max(history(trained, "jax_teacher"), key=lambda row: float(row["val_accuracy"]))["val_accuracy"])
    assert clean == pytest.approx(told, abs=0.03)
    adversarial, _ = craft(network, x, data.labels, AttackSettings("fgsm"), 0.3, 0.3, (0.0, 1.0), 0, 40)
    assert (predict_logits(network, adversarial).argmax(axis=1) == data.labels).mean() < clean
