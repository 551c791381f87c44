"""Defences as files: what they declare, what the config may say of them, and Xu's detector."""

from importlib import import_module

import keras
import numpy as np
import pytest
import scipy.special
from networks import curved_network, images

from robustness.attacks.attack_settings import AttackSettings
from robustness.attacks.crafting import craft
from robustness.config.defence_files import FOLDER, defence_file, defence_names
from robustness.data.datasets import DatasetInfo, to_pixels
from robustness.defences import feature_squeezing_detector
from robustness.errors import UserError
from robustness.models.model_files import load_network, predict_logits, save_network
from robustness.models.rejection import REJECTED, predictions, rejects
from robustness.models.squeezing import WORD, squeezer
from robustness.statistics.intervals import wilson_interval
from robustness.training.defence_task import Task

CLIP = (0.0, 1.0)
WORDS = ["bit_depth 2", "median 3"]


@pytest.mark.parametrize("name", defence_names())
def test_what_a_file_declares_is_what_its_module_has(name):
    declared, module = defence_file(name), import_module(f"robustness.defences.{name}")
    assert declared.settings == module.SETTINGS
    assert declared.wraps == hasattr(module, "wrap") != hasattr(module, "make_trainer")
    assert declared.rejects == getattr(module, "REJECTS", False)
    assert declared.needs_initial == getattr(module, "NEEDS_INITIAL", False)
    assert all(entry["description"] for entry in declared.settings["properties"].values())
    for key, entry in declared.settings["properties"].items():
        assert key in declared.settings.get("required", []) or "default" in entry, key


def test_the_schema_and_the_code_know_the_same_squeezers():
    for name in ("feature_squeezing", "feature_squeezing_detector"):
        assert defence_file(name).settings["properties"]["squeezers"]["items"]["pattern"] == WORD


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def wrap(task, settings): pass", "has no SETTINGS"),
        ("SETTINGS = {}", "has 0 of the functions make_trainer and wrap"),
        ("SETTINGS = {}\ndef wrap(): pass\ndef make_trainer(): pass", "has 2 of the functions"),
    ],
)
def test_a_file_that_declares_too_little_is_told_so(tmp_path, text, words):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(UserError, match=words):
        defence_file("mine", tmp_path)


def test_a_defence_that_is_none_is_told_in_a_sentence():
    with pytest.raises(UserError, match="there is no defence wall: choose one of feature_squeezing, "):
        defence_file("wall")


def task(network, data) -> Task:
    return Task(network, DatasetInfo("stripes", list("abcd"), (8, 8, 1), CLIP), data, "0-1", seed=1)


def detector(network, data, rate=0.2):
    return feature_squeezing_detector.wrap(task(network, data), {"squeezers": WORDS, "false_positive_rate": rate})


def scores(network, x):
    """Largest L1 distance of the probabilities, by SciPy's softmax."""
    said = scipy.special.softmax(predict_logits(network, x), 1)
    others = [np.asarray(squeezer(word, (8, 8, 1), CLIP)(x)) for word in WORDS]
    return np.max([np.abs(said - scipy.special.softmax(predict_logits(network, o), 1)).sum(1) for o in others], 0)


def test_the_detector_rejects_what_squeezing_changes_most_and_keeps_the_classes():
    network, data = curved_network(0.3), images(200)
    x = to_pixels(data.images, CLIP)
    defended = detector(network, data)
    assert rejects(defended) and defended.output_shape[-1] == 5
    logits, told = predict_logits(defended, x), scores(network, x)
    np.testing.assert_allclose(logits[:, :4], predict_logits(network, x), atol=1e-5)
    rejected = predictions(logits, 4) == REJECTED
    assert rejected.sum() == 40  # a fifth of those that the threshold comes from
    assert told[rejected].min() > told[~rejected].max() - 1e-5


@pytest.mark.parametrize("rate", [0.05, 0.3])
def test_the_false_positive_rate_on_other_clean_images_is_the_configured_one_within_its_interval(rate):
    network = curved_network(0.3)
    defended = detector(network, images(2000, seed=1), rate)
    fresh = to_pixels(images(2000, seed=2).images, CLIP)
    rejected = int((predictions(predict_logits(defended, fresh), 4) == REJECTED).sum())
    low, high = wilson_interval(rejected, 2000)
    assert low - 0.01 < rate < high + 0.01  # the threshold itself comes from a sample as large


def test_the_detector_is_the_same_from_its_file(tmp_path):
    data = images()
    defended = detector(curved_network(), data)
    save_network(defended, tmp_path / "model.keras")
    loaded, x = load_network(tmp_path / "model.keras", (8, 8, 1), 4), to_pixels(data.images, CLIP)
    assert rejects(loaded) and predict_logits(loaded, x).tobytes() == predict_logits(defended, x).tobytes()


def test_an_attack_that_knows_the_detector_gets_more_past_it_than_one_that_knows_the_network_alone():
    """What goes around the defence is found on the network inside, what goes through it on both."""
    network, data = curved_network(0.3), images(200)
    x, inside = to_pixels(data.images, CLIP), predict_logits(network, to_pixels(data.images, CLIP)).argmax(1)
    defended = detector(network, data, 0.05)
    settings, fooled = AttackSettings("pgd", relative_step=0.1, iterations=40), {}
    for name, attacked in (("around", network), ("through", defended)):
        found, _ = craft(attacked, x, inside, settings, 0.1, 0.01, CLIP, 1, 200)
        told = predictions(predict_logits(defended, found), 4)
        fooled[name] = int(((told != inside) & (told != REJECTED)).sum())
    assert fooled["through"] > fooled["around"]


def test_the_folder_holds_nothing_that_is_no_defence():
    assert {path.stem for path in FOLDER.glob("*.py")} == {"__init__", *defence_names()}


def test_training_starts_from_the_initial_weights_with_a_rejection_of_0(tmp_path):
    from robustness.models.architectures import build
    from robustness.training.training_run import _start_from

    info = DatasetInfo("stripes", list("abcd"), (8, 8, 1), CLIP)
    keras.utils.set_random_seed(1)
    initial = build("report_cnn", (8, 8, 1), 4, CLIP)
    save_network(initial, tmp_path / "model.keras")
    network = build("report_cnn", (8, 8, 1), 4, CLIP, None, True)
    _start_from(network, str(tmp_path / "model.keras"), info)
    x = to_pixels(images().images, CLIP)
    logits = predict_logits(network, x)
    assert rejects(network) and logits.shape == (40, 5) and (logits[:, 4] == 0).all()
    np.testing.assert_allclose(logits[:, :4], predict_logits(initial, x), atol=1e-6)
