"""What only right adversarial training has: its network keeps measurably more under PGD than its undefended twin."""

import functools

import keras
import pytest
from networks import images

from robustness.attacks.attack_settings import AttackSettings
from robustness.attacks.crafting import craft
from robustness.data.datasets import DatasetInfo, to_pixels
from robustness.defences import trades
from robustness.models.model_files import predict_logits
from robustness.statistics.intervals import wilson_interval
from robustness.training.adversarial_training import AdversarialTrainer, AdversarialTraining
from robustness.training.defence_task import Task
from robustness.training.loop import TemperedCrossEntropy

CLIP, EPSILON = (0.0, 1.0), 0.15
TRAIN, TEST = images(400, seed=1), images(400, seed=2)
X, Y = to_pixels(TRAIN.images, CLIP), keras.utils.to_categorical(TRAIN.labels, 4)


def network() -> keras.Model:
    keras.utils.set_random_seed(7)
    pixels = keras.layers.Input((8, 8, 1))
    x = keras.layers.Conv2D(8, 3, activation="relu")(pixels)
    x = keras.layers.Dense(32, activation="relu")(keras.layers.Flatten()(x))
    return keras.Model(pixels, keras.layers.Dense(4)(x))


def undefended(twin):
    return twin, TemperedCrossEntropy(1.0, True)


def adversarial(twin, **settings):
    settings = {"epsilon": EPSILON, "step": EPSILON, "clip": CLIP} | settings
    return AdversarialTrainer(twin, TemperedCrossEntropy(1.0, True), AdversarialTraining(**settings), seed=5), None


def with_trades(twin):
    info = DatasetInfo("stripes", list("abcd"), (8, 8, 1), CLIP)
    settings = {"epsilon": EPSILON, "norm": "inf", "beta": 6.0, "iterations": 5, "relative_step": 0.25}
    return trades.make_trainer(Task(twin, info, TEST, "0-1", 5, True), settings), None


@functools.cache
def kept(make) -> tuple[int, int]:
    """How many of 400 unseen images the trained network classifies right, and how many still after PGD with 20 steps."""
    twin = network()
    trainer, loss = make(twin)
    trainer.compile(keras.optimizers.Adam(0.003), loss=loss)
    trainer.fit(X, Y, epochs=12, batch_size=20, verbose=0)
    x, labels = to_pixels(TEST.images, CLIP), TEST.labels
    settings = AttackSettings("pgd", relative_step=0.1, iterations=20)
    found, _ = craft(twin, x, labels, settings, EPSILON, 0.1 * EPSILON, CLIP, 1, 400)
    return tuple(int((predict_logits(twin, pixels).argmax(1) == labels).sum()) for pixels in (x, found))


@pytest.mark.parametrize(
    "make",
    [
        functools.partial(adversarial, clean_weight=0.5, weight=0.5),
        functools.partial(adversarial, clean_weight=0.0, iterations=5, step=0.25 * EPSILON, random_start=True),
        with_trades,
    ],
    ids=["FGSM with alpha 0.5", "PGD", "TRADES"],
)
def test_it_keeps_more_than_its_undefended_twin(make):
    (clean, plain), (clean_defended, defended) = kept(undefended), kept(make)
    assert clean > 380 and clean_defended > 360  # both have learnt the task
    assert wilson_interval(defended, 400)[0] > wilson_interval(plain, 400)[1] + 0.05
