import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from networks import curved_network, images

from robustness.data.datasets import encode_labels, to_pixels
from robustness.models.architectures import build
from robustness.models.network_settings import NetworkSettings
from robustness.training.adversarial_training import AdversarialTrainer, AdversarialTraining
from robustness.training.loop import TemperedCrossEntropy

CLIP = (0.0, 1.0)


def batch():
    data = images()
    return tf.constant(to_pixels(data.images, CLIP)), tf.constant(encode_labels(data.labels, 4, "one_hot"))


def noisy_network() -> keras.Model:
    """With dropout and batch normalisation, whose modes differ."""
    keras.utils.set_random_seed(4)
    pixels = layers.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, activation="relu")(pixels)
    x = layers.BatchNormalization()(x)
    x = layers.Dropout(0.5)(x)
    return keras.Model(pixels, layers.Dense(4)(layers.Flatten()(x)))


def trainer(network, **settings) -> AdversarialTrainer:
    settings = {"epsilon": 0.2, "step": 0.2, "clip": CLIP, "weight": 0.5} | settings
    return AdversarialTrainer(network, TemperedCrossEntropy(1.0, True), AdversarialTraining(**settings), seed=5)


def entropy(network, x, y):
    """Mean cross-entropy by TensorFlow itself."""
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, network(x, training=False)))


def gradient(network, x, y) -> np.ndarray:
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = entropy(network, x, y)
    return tape.gradient(loss, x).numpy().astype("f8")


def neighbour(network, x, y, settings) -> np.ndarray:
    """NumPy's arithmetic on TensorFlow's gradient."""
    origin, candidate = x.numpy().astype("f8"), x.numpy().astype("f8")
    for _ in range(settings.get("iterations", 1)):
        g = gradient(network, candidate.astype("f4"), y)
        if settings.get("norm") == "2":
            delta = candidate + settings["step"] * g / np.sqrt((g**2).sum((1, 2, 3), keepdims=True)) - origin
            delta *= np.minimum(1, settings["epsilon"] / np.sqrt((delta**2).sum((1, 2, 3), keepdims=True)))
        else:
            delta = np.clip(
                candidate + settings["step"] * np.sign(g) - origin, -settings["epsilon"], settings["epsilon"]
            )
        candidate = np.clip(origin + delta, *settings.get("clip", CLIP))
    return candidate


@pytest.mark.parametrize(
    "settings",
    [
        {"epsilon": 0.2, "step": 0.2},
        {"epsilon": 0.2, "step": 0.2, "clip": (0.25, 1.0)},  # the report's lower bound
        {"epsilon": 0.1, "step": 0.04, "iterations": 4},  # the ball binds
        {"epsilon": 1.0, "step": 0.4, "iterations": 4, "norm": "2"},
    ],
    ids=["one step", "lower bound", "four steps", "norm 2"],
)
def test_the_neighbour_and_the_loss_are_those_of_tensorflows_gradient(settings):
    network, (x, y) = curved_network(), batch()
    wrapped = trainer(network, clean_weight=0.9, weight=0.3, **settings)
    expected = neighbour(network, x, y, settings)
    np.testing.assert_allclose(wrapped.neighbour(x, y, training=False), expected, atol=2e-6)
    loss = wrapped.compute_loss(x, y, wrapped(x, training=True), training=True)
    by_hand = 0.9 * entropy(network, x, y) + 0.3 * entropy(network, expected.astype("f4"), y)
    assert float(loss) == pytest.approx(float(by_hand), rel=1e-5)
    assert float(entropy(network, expected.astype("f4"), y)) > float(entropy(network, x, y))


def test_the_reports_lower_bound_leads_out_of_the_ball():
    """What its effect is: a black pixel moves by 0.25, more than epsilon."""
    network, (x, y) = curved_network(), batch()
    x = x * tf.cast(x > 0.3, tf.float32)  # black background, as Fashion-MNIST has it
    lifted = trainer(network, clip=(0.25, 1.0)).neighbour(x, y, training=False).numpy()
    background = x.numpy() == 0
    moved = np.abs(lifted - x.numpy())
    assert lifted.min() == 0.25 and (moved[background] == 0.25).all()
    assert moved[~background].max() <= 0.2 + 1e-6
    assert np.abs(trainer(network).neighbour(x, y, training=False).numpy() - x.numpy()).max() <= 0.2 + 1e-6


@pytest.mark.parametrize("norm", ["inf", "2"])
def test_a_random_start_lies_in_the_ball_and_is_drawn_anew(norm):
    network, (x, y) = curved_network(), batch()
    x = 0 * x + 0.5  # far from the pixel range's ends
    wrapped = trainer(network, epsilon=0.3, step=1e-9, norm=norm, random_start=True)
    first, second = (wrapped.neighbour(x, y, training=False).numpy() - 0.5 for _ in range(2))
    flat = np.concatenate([first, second]).reshape(80, -1)
    reached = np.abs(flat).max(axis=1) if norm == "inf" else np.linalg.norm(flat, axis=1)
    assert reached.max() <= 0.3 + 1e-6 and reached.min() > 0.24  # 64 dimensions: nearly all of a ball is its rim
    assert not np.allclose(first, second) and abs(flat.mean()) < 0.01


@pytest.mark.parametrize("norm", ["inf", "2"])
def test_without_a_gradient_the_neighbour_is_the_image_itself(norm):
    network, (x, y) = curved_network(scale=0.0), batch()
    assert (trainer(network, norm=norm).neighbour(x, y, training=False).numpy() == x.numpy()).all()


def test_the_neighbour_is_a_constant_of_the_optimisation():
    network, (x, y) = curved_network(), batch()
    wrapped = trainer(network, clean_weight=0.0, weight=1.0)
    with tf.GradientTape() as tape:
        loss = wrapped.compute_loss(x, y, wrapped(x, training=True), training=True)
    found = tape.gradient(loss, network.trainable_variables)
    fixed = tf.constant(neighbour(network, x, y, {"epsilon": 0.2, "step": 0.2}).astype("f4"))
    with tf.GradientTape() as tape:
        loss = entropy(network, fixed, y)
    for ours, theirs in zip(found, tape.gradient(loss, network.trainable_variables), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-6)


def test_training_gives_the_weights_of_a_loop_written_out():
    """Neural-structured-learning's loss in plain TensorFlow, eight steps of SGD."""
    (x, y), ours, theirs = batch(), curved_network(), curved_network()
    assert all((a == b).all() for a, b in zip(ours.get_weights(), theirs.get_weights()))
    wrapped = trainer(ours, clean_weight=1.0, weight=0.5, mode="training")
    wrapped.compile(keras.optimizers.SGD(0.05))
    wrapped.fit(x, y, batch_size=40, epochs=8, shuffle=False, verbose=0)
    for _ in range(8):
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(x)
                clean = entropy(theirs, x, y)
            step = tf.stop_gradient(tf.sign(inner.gradient(clean, x)))
            loss = clean + 0.5 * entropy(theirs, tf.clip_by_value(x + 0.2 * step, 0, 1), y)
        for variable, g in zip(theirs.trainable_variables, outer.gradient(loss, theirs.trainable_variables)):
            variable.assign_sub(0.05 * g)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_weight_decay_is_added_once():
    (x, y), network = batch(), build("report_cnn", (8, 8, 1), 4, CLIP, NetworkSettings(weight_decay=0.01))
    wrapped = trainer(network)
    kernels = [w.numpy().astype("f8") for w in network.trainable_weights if w.name == "kernel"]
    squares = 0.01 * sum((kernel**2).sum() for kernel in kernels)
    x_adv = neighbour(network, x, y, {"epsilon": 0.2, "step": 0.2}).astype("f4")
    by_hand = float(entropy(network, x, y)) + 0.5 * float(entropy(network, x_adv, y)) + squares
    loss = wrapped.compute_loss(x, y, wrapped(x, training=False), training=False)
    assert float(loss) == pytest.approx(by_hand, rel=1e-5)


def test_the_mode_decides_whether_dropout_blurs_the_gradient():
    network, (x, y) = noisy_network(), batch()
    still = [trainer(network).neighbour(x, y, training=True).numpy() for _ in range(2)]
    assert (still[0] == still[1]).all()
    noisy = [trainer(network, mode="training").neighbour(x, y, training=True).numpy() for _ in range(2)]
    assert (noisy[0] != noisy[1]).any()
    quiet = [trainer(network, mode="training").neighbour(x, y, training=False).numpy() for _ in range(2)]
    assert (quiet[0] == quiet[1]).all()  # validation is always in inference mode


@pytest.mark.parametrize("clean_weight", [0.0, 1.0])
def test_batch_normalisation_sees_what_counts(clean_weight):
    network, (x, y) = noisy_network(), batch()
    wrapped = trainer(network, clean_weight=clean_weight, weight=1.0)
    seen = [wrapped.neighbour(x, y, training=True).numpy()]
    if clean_weight:
        seen.insert(0, x.numpy())
    convolution = keras.Model(network.inputs, network.layers[1].output)
    expected = np.zeros(4)
    for part in seen:
        mean = convolution(part).numpy().astype("f8").mean((0, 1, 2))
        expected = 0.99 * expected + 0.01 * mean
    wrapped.compute_loss(x, y, wrapped(x, training=True), training=True)
    np.testing.assert_allclose(network.layers[2].moving_mean.numpy(), expected, rtol=1e-4)


def test_the_history_tells_both_losses_without_their_factors():
    (x, y), network = batch(), curved_network()
    wrapped = trainer(network, clean_weight=0.9, weight=0.1)
    wrapped.compile(keras.optimizers.SGD(0.0))
    told = wrapped.evaluate(x, y, batch_size=16, verbose=0, return_dict=True)
    x_adv = neighbour(network, x, y, {"epsilon": 0.2, "step": 0.2}).astype("f4")
    clean, adversarial = float(entropy(network, x, y)), float(entropy(network, x_adv, y))
    assert told["clean_loss"] == pytest.approx(clean, rel=1e-4)
    assert told["adversarial_loss"] == pytest.approx(adversarial, rel=1e-4)
    assert told["loss"] == pytest.approx(0.9 * clean + 0.1 * adversarial, rel=1e-4)
