"""NULL labelling, step by step, against NumPy."""

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf
from networks import curved_network, images

from robustness.data.datasets import DatasetInfo, to_pixels
from robustness.defences.null_labelling import (
    NullTrainer,
    make_trainer,
    measured_probabilities,
    null_probabilities,
    perturbed,
)
from robustness.errors import UserError
from robustness.training.defence_task import Task

CLIP = (0.0, 1.0)


def test_the_values_of_largest_gradient_move_and_no_others():
    x = np.full((2, 1, 4, 1), 0.5, np.float32)
    gradient = np.array([[3, -1, 2, 0], [0.1, 0.2, -0.4, -0.3]], np.float32).reshape(x.shape)
    moved = np.asarray(perturbed(x, gradient, np.array([2, 3]), 0.6, CLIP)).reshape(2, 4)
    np.testing.assert_allclose(moved, [[1, 0.5, 1, 0.5], [0.5, 1, 0, 0]], atol=1e-7)


def test_a_value_at_the_end_of_the_range_gives_way_to_one_that_can_move():
    x = np.array([[0, 1, 0.5, 0.5], [0, 1, 0, 0.5]], np.float32).reshape(2, 1, 4, 1)
    gradient = np.array([[-3, 2, 1, 0.5], [-1, 1, -1, -0.5]], np.float32).reshape(x.shape)
    moved = np.asarray(perturbed(x, gradient, np.array([1, 3]), 0.25, CLIP)).reshape(2, 4)
    np.testing.assert_allclose(moved, [[0, 1, 0.75, 0.5], [0, 1, 0, 0.25]], atol=1e-7)


def test_the_label_is_that_of_the_values_that_really_moved():
    """All pixels black and a gradient that darkens all but one of them: one value moves, however many were drawn."""
    pixels = keras.layers.Input((8, 8, 1))
    logits = keras.layers.Dense(4, name="logits")(keras.layers.Flatten()(pixels))
    initial = keras.Model(pixels, logits)
    slope = np.full((64, 4), 1, np.float32)
    slope[:, 0], slope[5] = 2, [-1, 1, 1, 1]  # of the first class' loss: all others than the sixth pixel fall
    initial.set_weights([slope, np.zeros(4)])
    given = task(initial)
    probabilities = np.linspace(0, 1, 31)  # 1 to 30 values are drawn
    trainer = NullTrainer(given.network, initial, probabilities, 0.5, CLIP, 0, seed=3)
    x, y = np.zeros((20, 8, 8, 1), np.float32), tf.one_hot(np.zeros(20, int), 4)
    loss = float(trainer.compute_loss(tf.constant(x), y, given.network(x), training=False))
    x[:, 0, 5] = 0.5
    logs = scipy.special.log_softmax(given.network(x).numpy(), 1)[0]
    assert loss == pytest.approx(-(29 / 30 * logs[0] + 1 / 30 * logs[4]), rel=1e-5)


@pytest.mark.parametrize(
    ("fooled", "counts", "full_at", "expected"),
    [
        ([0.5, 1.0], [1, 3], 1.0, [0, 0.5, 0.75, 1]),
        ([0.45, 0.9, 0.9], [1, 2, 4], 0.9, [0, 0.5, 1]),  # it ends where it is certain
        ([0.4, 0.2, 0.8], [1, 2, 3], 0.8, [0, 0.5, 0.5, 1]),  # more values that fool fewer images lower nothing
    ],
)
def test_the_probability_of_null_rises_to_1(fooled, counts, full_at, expected):
    found = null_probabilities(np.array(fooled), np.array(counts), full_at)
    np.testing.assert_allclose(found, expected)


def test_a_perturbation_that_fools_too_few_is_refused():
    with pytest.raises(UserError, match=r"fools 50\.0% of the images, less than full_at 0\.9: raise the perturbation"):
        null_probabilities(np.array([0.1, 0.5]), np.array([1, 2]), 0.9)


def strongest(image, slope, count):
    """Where the largest slopes are among the values that can move."""
    free = np.where(slope > 0, image < 1, image > 0)
    return np.argsort(-np.abs(slope) * free)[:count]


def rejecting_network() -> keras.Model:
    pixels = keras.layers.Input((8, 8, 1))
    logits = keras.layers.Dense(5, name="logits_and_rejection")(keras.layers.Flatten()(pixels))
    return keras.Model(pixels, logits)


def task(initial, one_hot=True) -> Task:
    info = DatasetInfo("stripes", list("abcd"), (8, 8, 1), CLIP)
    data = images()
    right = initial(to_pixels(data.images, CLIP)).numpy().argmax(1)
    data = type(data)(data.images, right.astype(np.int64), data.indices)  # all of them classified right
    return Task(rejecting_network(), info, data, "0-1", 3, one_hot, initial)


def test_the_probability_is_the_share_of_images_that_so_many_values_fool():
    initial = curved_network()
    given = task(initial)
    x, y = to_pixels(given.validation.images, CLIP), given.validation.labels
    found = measured_probabilities(given, 0.3, 0.9)
    with tf.GradientTape() as tape:
        pixels = tf.constant(x)
        tape.watch(pixels)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(y, initial(pixels))
    gradient = tape.gradient(loss, pixels).numpy().reshape(len(x), -1)
    assert found[0] == 0 and found[-1] == 1
    share = np.zeros(4)
    for count in (1, 2, 3):
        for image, slope, label in zip(x.reshape(len(x), -1), gradient, y, strict=True):
            chosen = strongest(image, slope, count)
            moved = image.copy()
            moved[chosen] = np.clip(moved[chosen] + 0.3 * np.sign(slope[chosen]), 0, 1)
            share[count] += (initial(moved.reshape(1, 8, 8, 1)).numpy().argmax() != label) / len(x)
    assert 0.1 < share[1] < share[3] < 0.9
    np.testing.assert_allclose(found[:4], np.maximum.accumulate(share) / 0.9)  # it never falls


@pytest.mark.parametrize("one_hot", [True, False])
def test_the_loss_is_the_weighted_entropy_of_clean_and_perturbed_images(one_hot):
    initial = curved_network()
    given = task(initial, one_hot)
    x, labels = to_pixels(given.validation.images, CLIP), given.validation.labels
    probabilities = np.array([0, 0.25, 1.0])  # of none, one and two values
    trainer = NullTrainer(given.network, initial, probabilities, 0.5, CLIP, 0.3, seed=3)
    y = tf.one_hot(labels, 4) if one_hot else tf.constant(labels)
    loss = float(trainer.compute_loss(tf.constant(x), y, given.network(x), training=False))
    clean = -scipy.special.log_softmax(given.network(x).numpy(), 1)[np.arange(len(x)), labels].mean()
    with tf.GradientTape() as tape:
        pixels = tf.constant(x)
        tape.watch(pixels)
        entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, initial(pixels))
    gradient = tape.gradient(entropy, pixels).numpy().reshape(len(x), -1)
    per_count = []
    for count in (1, 2):
        moved = x.reshape(len(x), -1).copy()
        for image, slope in zip(moved, gradient, strict=True):
            chosen = strongest(image, slope, count)
            image[chosen] = np.clip(image[chosen] + 0.5 * np.sign(slope[chosen]), 0, 1)
        logs = scipy.special.log_softmax(given.network(moved.reshape(x.shape)).numpy(), 1)
        null = probabilities[count]
        per_count.append(-((1 - null) * logs[np.arange(len(x)), labels] + null * logs[:, 4]))
    perturbed_loss = (loss - 0.3 * clean) / 0.7
    # Which of both counts an image got is chance: the mean lies between the means of the smaller and of the larger.
    assert np.minimum(*per_count).mean() - 1e-4 <= perturbed_loss <= np.maximum(*per_count).mean() + 1e-4
    assert float(trainer.clean_tracker.result()) == pytest.approx(clean, rel=1e-4)
    assert float(trainer.adversarial_tracker.result()) == pytest.approx(perturbed_loss, rel=1e-3)


def test_trained_it_calls_heavily_perturbed_images_null_and_clean_ones_by_their_class():
    initial = curved_network()
    data = images(200)
    x, y = to_pixels(data.images, CLIP), keras.utils.to_categorical(data.labels, 4)
    initial.compile(keras.optimizers.Adam(0.01), keras.losses.CategoricalCrossentropy(from_logits=True))
    initial.fit(x, y, epochs=8, batch_size=20, verbose=0)
    keras.utils.set_random_seed(5)
    given = task(initial)
    trainer = make_trainer(given, {"perturbation": 0.8, "clean_weight": 0.5, "full_at": 0.9})
    trainer.compile(keras.optimizers.Adam(0.02))
    trainer.fit(x, y, epochs=60, batch_size=20, verbose=0)
    network, most = given.network, len(trainer.probabilities) - 1
    with tf.GradientTape() as tape:
        pixels = tf.constant(x)
        tape.watch(pixels)
        loss = tf.nn.softmax_cross_entropy_with_logits(y, initial(pixels))
    moved = np.asarray(perturbed(x, tape.gradient(loss, pixels), np.full(len(x), most), 0.8, CLIP))
    clean, answers = network(x).numpy().argmax(1), network(moved).numpy().argmax(1)
    assert (clean == data.labels).mean() > 0.9 and (clean == 4).mean() < 0.1
    assert (answers == 4).mean() > 0.8
