"""Substitutes: the augmentation against TensorFlow's own gradients, the queries counted, and what they are good for."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import call
from networks import curved_network, images

from robustness.data.datasets import Images, to_pixels
from robustness.errors import UserError
from robustness.files import write_json
from robustness.models.model_files import load_network, predict_logits, save_network
from robustness.models.rejection import REJECTED
from robustness.training.loop import (
    Optimizer,
    Recipe,
    TemperedCrossEntropy,
    TrainingData,
    accuracy_metric,
    make_optimizer,
)
from robustness.training.substitutes import Substitution, Target, augmented, first_images, train_on_answers

RANGES = [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)]


def linear_network(seed: int) -> keras.Model:
    """Random weights whose classes are about as frequent on any images, since no pixel tells more than another."""
    keras.utils.set_random_seed(seed)
    pixels = keras.layers.Input((8, 8, 1))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1.0, offset=-0.5)(pixels))
    network = keras.Model(pixels, keras.layers.Dense(4, kernel_initializer="random_normal")(x))
    return network


def noise(n: int, seed: int) -> Images:
    """Images whose labels say nothing."""
    rng = np.random.default_rng(seed)
    return Images(rng.integers(0, 256, (n, 8, 8, 1), dtype=np.uint8), rng.integers(0, 4, n), np.arange(n))


# --- the augmentation ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pixel_range", RANGES)
def test_an_image_moves_along_the_gradient_of_its_answered_classs_logit(pixel_range):
    """Image by image against the Jacobian that TensorFlow computes of all logits."""
    network, start = curved_network(), images(7).images.astype(np.float32)
    answers = np.array([0, 1, 2, 3, 3, 0, 1])
    found = augmented(network, start, answers, 30.0, pixel_range, batch_size=3)
    for image, answer, moved in zip(start, answers, found):
        pixels = tf.constant(to_pixels(image[None], pixel_range))
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            logits = network(pixels)
        row = tape.jacobian(logits, pixels)[0, answer, 0]
        np.testing.assert_array_equal(moved, np.clip(image + 30 * np.sign(row), 0, 255))
    assert found.dtype == np.float32 and found.min() == 0 and found.max() > 200


def test_of_a_linear_network_the_way_is_the_sign_of_its_weights():
    network, start = linear_network(1), noise(5, 1).images.astype(np.float32)
    (kernel, _) = network.get_weights()
    answers = np.array([3, 0, 1, 2, 2])
    expected = np.clip(start + 10 * np.sign(kernel[:, answers]).T.reshape(start.shape), 0, 255)
    np.testing.assert_array_equal(augmented(network, start, answers, 10, (0.0, 1.0)), expected)


# --- the target ------------------------------------------------------------------------------------------------------


def test_the_target_tells_classes_alone_and_counts():
    seen = []

    def logits(pixels):
        seen.append(pixels)
        return np.array([[0, 5, 1], [2, 0, 1], [0, 0, 9]])[: len(pixels)]

    target = Target(logits, 2, (-1.0, 1.0))  # its third logit is the rejection's
    assert target.answers(np.array([0.0, 255.0, 127.5])[:, None]).tolist() == [1, 0, -1]
    assert target.answers(np.zeros((2, 1))).tolist() == [1, 0]
    assert target.queries == 5
    np.testing.assert_allclose(seen[0].ravel(), [-1, 1, 0], atol=1e-6)


def test_the_first_images_are_none_of_the_attacked():
    held = images(40)
    attacked = held.take(np.arange(0, 40, 2))
    first = first_images(held, attacked, 15, seed=1)
    assert not set(first.indices) & set(attacked.indices) and len(set(first.indices)) == 15
    for image, index in zip(first.images, first.indices):
        np.testing.assert_array_equal(image, held.images[held.indices == index][0])
    assert first_images(held, attacked, 15, seed=1).indices.tolist() == first.indices.tolist()
    assert first_images(held, attacked, 15, seed=2).indices.tolist() != first.indices.tolist()
    with pytest.raises(UserError, match="begins with 21 images, but there are only 20 test images"):
        first_images(held, attacked, 21, seed=1)


# --- the training ----------------------------------------------------------------------------------------------------


class Spy(Target):
    """Keeps what it was asked and what it answered."""

    def __init__(self, *words):
        super().__init__(*words)
        self.asked, self.told = [], []

    def answers(self, images):
        self.asked.append(images)
        self.told.append(super().answers(images))
        return self.told[-1]


def substitute_of(logits, first: Images, settings: Substitution, epochs: int = 2, n_classes: int = 4):
    """The trained substitute, its target and its history."""
    target, network = Spy(logits, n_classes, (0.0, 1.0)), linear_network(9)
    recipe = Recipe(Optimizer(learning_rate=0.02), batch_size=16, epochs=epochs, checkpoint="last")
    network.compile(
        make_optimizer(recipe.optimizer, 1, 1), TemperedCrossEntropy(1.0, True), metrics=[accuracy_metric(recipe)]
    )
    data = TrainingData(first, images(8), (0.0, 1.0), 4)
    history = train_on_answers(target, settings, network, network, data, recipe, seed=1)
    np.testing.assert_array_equal(
        data.train.labels, np.concatenate(target.told)[np.concatenate(target.told) != REJECTED]
    )
    return network, target, history


def linear_target(images):
    return predict_logits(LINEAR, images)


LINEAR = linear_network(5)


def test_each_round_doubles_the_images_and_asks_for_the_new_ones():
    first = noise(10, 1)
    _, target, history = substitute_of(linear_target, first, Substitution(10, 3, 25.5))
    assert [len(asked) for asked in target.asked] == [10, 10, 20] and target.queries == 40
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5, 6]
    assert [row["round"] for row in history] == [1, 1, 2, 2, 3, 3]
    assert [row["queries"] for row in history] == [10, 10, 20, 20, 40, 40]
    np.testing.assert_array_equal(target.asked[0], first.images)
    before = np.concatenate(target.asked[:2])
    for old, new in zip((target.asked[0], before), target.asked[1:]):
        steps = np.unique(np.round(np.abs(new - old)[(new > 0) & (new < 255)], 3))
        assert steps.tolist() == [25.5]  # all that is not cut at black or white


def test_one_round_asks_for_the_first_images_alone():
    _, target, history = substitute_of(linear_target, noise(10, 1), Substitution(10, 1, 25.5))
    assert target.queries == 10 and len(history) == 2


def test_the_datasets_labels_teach_it_nothing():
    first, settings = noise(10, 1), Substitution(10, 2, 25.5)
    other = Images(first.images, 3 - first.labels, first.indices)
    trained = [substitute_of(linear_target, data, settings)[0].get_weights() for data in (first, other)]
    for one, another in zip(*trained):
        np.testing.assert_array_equal(one, another)


def test_what_is_rejected_neither_trains_nor_is_followed():
    """The target rejects what it would put into its class 3 and counts the question nevertheless."""
    _, target, history = substitute_of(linear_target, noise(40, 1), Substitution(40, 3, 5.0), n_classes=3)
    for number in range(2):
        answered = sum(int((told != REJECTED).sum()) for told in target.told[: number + 1])
        assert len(target.asked[number + 1]) == answered < 40 * 2**number
    assert target.queries == sum(map(len, target.asked)) == history[-1]["queries"] < 160


def test_a_target_that_rejects_everything_teaches_nothing():
    with pytest.raises(UserError, match="rejects all of the 10 images"):
        substitute_of(lambda pixels: np.eye(5)[np.full(len(pixels), 4)], noise(10, 1), Substitution(10, 2, 5.0))


def test_it_agrees_with_its_target_and_its_sets_break_it():
    """Far above chance, a quarter; and one step of its gradient does what a random step of its length does not."""
    network, _, _ = substitute_of(linear_target, noise(150, 1), Substitution(150, 3, 25.5), epochs=6)
    fresh = to_pixels(noise(400, 2).images, (0.0, 1.0))
    labels = linear_target(fresh).argmax(axis=1)
    assert (predict_logits(network, fresh).argmax(axis=1) == labels).mean() > 0.5
    with tf.GradientTape() as tape:
        pixels = tf.Variable(fresh)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, network(pixels))
    step = 0.1 * np.sign(tape.gradient(loss, pixels))
    noisy = 0.1 * np.random.default_rng(1).choice([-1, 1], fresh.shape)
    attacked, shaken = ((linear_target(np.clip(fresh + d, 0, 1)).argmax(1) == labels).mean() for d in (step, noisy))
    assert attacked < 0.3 and shaken > 0.7


def test_the_program_notes_the_queries(tmp_path, threads_stay):
    target = curved_network()
    save_network(target, tmp_path / "target.keras")
    held = noise(40, 1)
    held.save(tmp_path / "test.npz")
    held.take(np.arange(10)).save(tmp_path / "evaluation.npz")
    write_json(
        tmp_path / "dataset.json", {"name": "d", "classes": list("abcd"), "shape": [8, 8, 1], "pixel_range": "0-1"}
    )

    def train():
        call(
            "train_substitute", target=tmp_path / "target.keras", train=tmp_path / "test.npz",
            evaluation=tmp_path / "evaluation.npz", validation=tmp_path / "test.npz", info=tmp_path / "dataset.json",
            name="stolen", dataset="d", defence="none", architecture="report_cnn", epochs=1, checkpoint="last", images=12,
            rounds=2, step=0.1, epsilon_unit="0-1", seed=1, model=tmp_path / "stolen.keras",
            history=tmp_path / "history.csv", metadata=tmp_path / "metadata.json",
        )  # fmt: skip
        return load_network(tmp_path / "stolen.keras", (8, 8, 1), 4).get_weights()

    for one, another in zip(train(), train()):  # a second run, to the same weights
        np.testing.assert_array_equal(one, another)
    metadata = json.loads((tmp_path / "metadata.json").read_text())
    assert (metadata["queries"], metadata["epochs"], metadata["kept_epoch"]) == (24, 2, 2)
    assert metadata["loss_of_guessing"]["images"] == 24  # with the target's answers, not the labels of the dataset
    assert metadata["settings"]["rounds"] == 2 and metadata["settings"]["epsilon_unit"] == "0-1"
