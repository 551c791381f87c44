"""TRADES against NumPy's divergence and TensorFlow's own gradients."""

import numpy as np
import pytest
import scipy.special
import tensorflow as tf
from networks import curved_network, images

from robustness.data.datasets import DatasetInfo, to_pixels
from robustness.defences.trades import START, divergence, make_trainer
from robustness.training.defence_task import Task

CLIP = (0.0, 1.0)
SETTINGS = {"epsilon": 0.2, "norm": "inf", "beta": 6.0, "iterations": 5, "relative_step": 0.25}


def task(network, one_hot=True, unit="0-1") -> Task:
    return Task(network, DatasetInfo("stripes", list("abcd"), (8, 8, 1), CLIP), images(), unit, 3, one_hot)


def kl(logits, others):
    p, q = scipy.special.softmax(logits, 1), scipy.special.softmax(others, 1)
    return scipy.special.rel_entr(p, q).sum(1)


def test_the_divergence_is_that_of_scipy():
    rng = np.random.default_rng(0)
    logits, others = rng.normal(scale=3, size=(2, 20, 4))
    np.testing.assert_allclose(divergence(logits, others), kl(logits, others), rtol=1e-9)


@pytest.mark.parametrize("one_hot", [True, False])
def test_the_loss_is_cross_entropy_and_beta_divergences_of_the_neighbours(one_hot):
    network, data = curved_network(), images()
    x, y = tf.constant(to_pixels(data.images, CLIP)), data.labels
    trainer = make_trainer(task(network, one_hot), SETTINGS)
    neighbours = {}
    found = trainer.neighbour

    def kept(*arguments):
        neighbours["x"] = found(*arguments)
        return neighbours["x"]

    trainer.neighbour = kept
    logits = network(x).numpy()
    given = tf.one_hot(y, 4) if one_hot else tf.constant(y)
    loss = float(trainer.compute_loss(x, given, tf.constant(logits), training=False))
    moved = neighbours["x"].numpy()
    clean = -scipy.special.log_softmax(logits, 1)[np.arange(len(y)), y].mean()
    assert loss == pytest.approx(clean + 6 * kl(logits, network(moved).numpy()).mean(), rel=1e-4)
    assert np.abs(moved - x).max() <= 0.2 + 1e-6 and moved.min() >= 0 and moved.max() <= 1


def test_the_neighbour_is_further_in_divergence_than_chance_and_needs_no_label():
    network, data = curved_network(0.3), images()
    x = tf.constant(to_pixels(data.images, CLIP))
    trainer = make_trainer(task(network), SETTINGS)
    moved = trainer.neighbour(x, tf.one_hot(data.labels, 4), False).numpy()
    signs = np.random.default_rng(0).choice([-0.2, 0.2], x.shape).astype(np.float32)
    logits = network(x).numpy()
    of_chance = kl(logits, network(np.clip(x + signs, 0, 1)).numpy())
    assert kl(logits, network(moved).numpy()).mean() > 2 * of_chance.mean()


def test_the_first_step_follows_the_divergences_gradient_at_the_noisy_start():
    network, data = curved_network(0.3), images()
    x = tf.constant(to_pixels(data.images, CLIP))
    trainer = make_trainer(task(network), SETTINGS | {"iterations": 1})
    starts = {}
    drawn = trainer.start_of

    def kept(images):
        starts["x"] = drawn(images)
        return starts["x"]

    trainer.start_of = kept
    moved = trainer.neighbour(x, tf.one_hot(data.labels, 4), False).numpy()
    noise = (starts["x"] - x).numpy()
    assert noise.std() == pytest.approx(START, rel=0.1)
    start = tf.clip_by_value(starts["x"], 0, 1)
    with tf.GradientTape() as tape:
        tape.watch(start)
        p = tf.nn.softmax(network(x))
        loss = tf.reduce_sum(p * (tf.math.log(p) - tf.nn.log_softmax(network(start))))
    signs = tf.sign(tape.gradient(loss, start)).numpy()
    expected = np.clip(start + 0.05 * signs, 0, 1)
    assert (np.abs(moved - expected) < 1e-5).mean() > 0.99  # but where a gradient is nearly 0


def test_both_sides_of_the_divergence_are_differentiated():
    """Held against TensorFlow's gradient of the same formula with the neighbours held fast."""
    network, data = curved_network(0.3), images()
    x, y = tf.constant(to_pixels(data.images, CLIP)), tf.one_hot(data.labels, 4)
    trainer = make_trainer(task(network), SETTINGS)
    moved = trainer.neighbour(x, y, False)
    trainer.neighbour = lambda *_: moved
    with tf.GradientTape() as tape:
        loss = trainer.compute_loss(x, y, network(x), training=False)
    ours = tape.gradient(loss, network.trainable_weights)
    with tf.GradientTape() as tape:
        p, q = tf.nn.softmax(network(x)), tf.nn.softmax(network(moved))
        clean = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, network(x)))
        loss = clean + 6 * tf.reduce_mean(tf.reduce_sum(p * (tf.math.log(p) - tf.math.log(q)), 1))
    for mine, theirs in zip(ours, tape.gradient(loss, network.trainable_weights), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_epsilon_is_told_in_its_unit():
    trainer = make_trainer(task(curved_network(), unit="0-255"), SETTINGS | {"epsilon": 51})
    assert trainer.settings.epsilon == pytest.approx(0.2) and trainer.settings.step == pytest.approx(0.05)
