"""The attacks by cleverhans, and what all attacks share; the others are in test_attack_methods.py."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from cleverhans.tf2.attacks.basic_iterative_method import basic_iterative_method
from cleverhans.tf2.attacks.carlini_wagner_l2 import carlini_wagner_l2
from cleverhans.tf2.attacks.fast_gradient_method import fast_gradient_method
from cleverhans.tf2.attacks.projected_gradient_descent import projected_gradient_descent
from networks import curved_network, images

from robustness.attacks.attack_losses import cross_entropy
from robustness.attacks.attack_settings import AttackSettings, reaches_epsilon, step_of
from robustness.attacks.crafting import choose_targets, craft, craft_iterates
from robustness.attacks.epsilon_units import pixel_scale
from robustness.attacks.gradients import has_zero_gradient
from robustness.data.datasets import to_pixels
from robustness.errors import UserError
from robustness.evaluation.scoring import perturbation_norms

CLIP = (0.0, 1.0)
ITERATIVE = {"relative_step": 0.3, "iterations": 6}
ALL = [
    AttackSettings("fgsm"),
    AttackSettings("bim", **ITERATIVE),
    AttackSettings("mim", **ITERATIVE),
    AttackSettings("pgd", **ITERATIVE),
    AttackSettings("pgd", **ITERATIVE, random_start=True),
    AttackSettings("pgd", **ITERATIVE, random_start=True, restarts=3),
]


@pytest.fixture(scope="module")
def network():
    return curved_network()


@pytest.fixture(scope="module")
def data():
    loaded = images()
    return to_pixels(loaded.images, CLIP), loaded.labels


def run(network, data, settings, epsilon=0.1, seed=0, batch_size=16):
    return craft(network, *data, settings, epsilon, step_of(settings, str(epsilon)), CLIP, seed, batch_size)


def losses(network, x, labels):
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, network(x)).numpy()


def gradient(network, x, labels):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, network(x)))
    return tape.gradient(loss, x).numpy()


@pytest.mark.parametrize("epsilon", [0.01, 0.1, 0.5])
def test_fgsm_is_x_plus_epsilon_times_the_gradients_sign(network, data, epsilon):
    x, labels = data
    adversarial, targets = run(network, data, AttackSettings("fgsm"), epsilon)
    expected = np.clip(x + np.float32(epsilon) * np.sign(gradient(network, x, labels)), 0, 1)
    np.testing.assert_allclose(adversarial, expected, atol=1e-7)
    assert (targets == -1).all()


def test_fgsm_in_the_euclidean_norm_moves_along_the_gradient(network, data):
    x, labels = data
    adversarial, _ = run(network, data, AttackSettings("fgsm", norm="2"), 0.05)
    g = gradient(network, x, labels)
    expected = np.clip(x + 0.05 * g / np.sqrt((g**2).sum(axis=(1, 2, 3), keepdims=True)), 0, 1)
    np.testing.assert_allclose(adversarial, expected, atol=1e-6)


def test_fgsm_targeted_descends_the_targets_loss(network, data):
    x, labels = data
    adversarial, targets = run(network, data, AttackSettings("fgsm", target="random"), 0.1)
    expected = np.clip(x - np.float32(0.1) * np.sign(gradient(network, x, targets)), 0, 1)
    np.testing.assert_allclose(adversarial, expected, atol=1e-7)
    assert (targets != labels).all()
    assert losses(network, adversarial, targets).mean() < losses(network, x, targets).mean()


def test_bim_equals_its_own_recurrence(network, data):
    """Kurakin et al., equation 2, step by step with TensorFlow's own gradient."""
    x, labels = data
    adversarial, _ = run(network, data, AttackSettings("bim", step=0.02, iterations=4), 0.05)
    expected = x
    for _ in range(4):
        expected = np.clip(expected + np.float32(0.02) * np.sign(gradient(network, expected, labels)), 0, 1)
        expected = np.clip(np.clip(expected, x - np.float32(0.05), x + np.float32(0.05)), 0, 1)
    np.testing.assert_allclose(adversarial, expected, atol=1e-6)


def test_bim_is_cleverhans_own(network, data):
    x, labels = data
    adversarial, _ = run(network, data, AttackSettings("bim", step=0.02, iterations=4), 0.05, batch_size=40)
    own = basic_iterative_method(
        network, tf.constant(x), 0.05, 0.02, 4, np.inf, 0.0, 1.0, tf.constant(labels), sanity_checks=False
    )
    assert adversarial.tobytes() == own.numpy().tobytes()


@pytest.mark.parametrize(("step", "iterations"), [(0.02, 4), (0.05, 10), (0.3, 5)])
def test_bim_in_the_pixel_range_alone_is_fgsm_many_times(network, data, step, iterations):
    """Every step is cut to 0 and 1, and to nothing else; TensorFlow's own gradient, epsilon 0.05."""
    x, labels = data
    settings = AttackSettings("bim", step=step, iterations=iterations, clip="pixel_range")
    adversarial, _ = run(network, data, settings, 0.05)
    expected = x
    for _ in range(iterations):
        expected = np.clip(expected + np.float32(step) * np.sign(gradient(network, expected, labels)), 0, 1)
    np.testing.assert_allclose(adversarial, expected, atol=1e-6)
    furthest = perturbation_norms(adversarial, x)["linf"].max()
    assert 0.05 < furthest <= min(1, step * iterations) * (1 + 1e-5)


@pytest.mark.parametrize("norm", ["inf", "2"])
@pytest.mark.parametrize(
    "fields", [{}, {"loss": "margin"}, {"loss": "scaled_cross_entropy", "logit_scale": 3.0}], ids=str
)
@pytest.mark.parametrize("batch_size", [16, 40])
def test_each_iterate_of_a_sweep_is_the_set_of_so_many_iterations(network, data, norm, fields, batch_size):
    """Bit for bit, with batches that are padded (16) and with one that is not; the ball binds from the fourth step on."""
    settings, iterations = AttackSettings("bim", norm=norm, step=0.015, iterations=12, **fields), [1, 3, 4, 7, 12]
    found = craft_iterates(network, *data, settings, iterations, 0.05, 0.015, CLIP, 0, batch_size)
    assert found.shape == (5, *data[0].shape) and found.dtype == np.float32
    for count, iterate in zip(iterations, found, strict=True):
        alone = AttackSettings("bim", norm=norm, step=0.015, iterations=count, **fields)
        assert iterate.tobytes() == run(network, data, alone, 0.05, batch_size=batch_size)[0].tobytes(), count
    assert len({iterate.tobytes() for iterate in found}) == 5


def test_a_sweep_costs_one_run_of_the_longest(network, data, monkeypatch):
    steps = []

    def counted(*arguments, **options):
        steps.append(1)
        return fast_gradient_method(*arguments, **options)

    monkeypatch.setattr("robustness.attacks.projected_steps.fast_gradient_method", counted)
    settings = AttackSettings("bim", step=0.015, iterations=12)
    craft_iterates(network, *data, settings, [1, 3, 4, 7, 12], 0.05, 0.015, CLIP, 0, batch_size=40)
    assert len(steps) == 12


@pytest.mark.parametrize("method", ["fgsm", "bim", "pgd"])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 12.0])
def test_euclidean_steps_are_as_long_as_asked_for_however_short_the_gradient(data, method, scale):
    """cleverhans shortens them below a gradient of 1e-6, so one attack would mean another on pixels 0 to 255."""
    x, labels = data
    network = curved_network(scale)
    settings = AttackSettings(method, norm="2", **({} if method == "fgsm" else {"relative_step": 1.0, "iterations": 1}))
    inside = 0.25 + x / 2  # no pixel is clipped
    adversarial, _ = craft(network, inside, labels, settings, 0.1, 0.1, CLIP, 0, 16)
    alive = ~has_zero_gradient(network, inside, labels, cross_entropy)
    assert alive.mean() > 0.5
    np.testing.assert_allclose(perturbation_norms(adversarial, inside)["l2"][alive], 0.1, rtol=1e-4)


@pytest.mark.parametrize(
    ("settings", "plain"),
    [
        (AttackSettings("fgsm", labels="predicted"), lambda f, x: fast_gradient_method(f, x, 0.1, np.inf)),
        (
            AttackSettings("pgd", step=0.03, iterations=5, labels="predicted"),
            lambda f, x: projected_gradient_descent(f, x, 0.1, 0.03, 5, np.inf, sanity_checks=False),
        ),
    ],
)
def test_predicted_labels_are_what_cleverhans_takes_without_labels(network, data, settings, plain):
    x, labels = data
    inside = (0.25 + x / 2).astype("f4")  # no pixel is clipped
    wrong = (labels + 1) % 4  # whatever is given has no say
    adversarial, _ = craft(network, inside, wrong, settings, 0.1, settings.step or 0.1, CLIP, 0, 64)
    np.testing.assert_allclose(adversarial, np.asarray(plain(network, tf.constant(inside))), atol=1e-6)
    given, _ = craft(network, inside, wrong, replace(settings, labels="given"), 0.1, settings.step or 0.1, CLIP, 0, 64)
    assert not np.allclose(given, adversarial, atol=1e-3)


def test_mim_equals_its_own_recurrence(network, data):
    """Dong et al. 2018, algorithm 1 (their mean instead of the sum in the norm changes no sign)."""
    x, labels = data
    adversarial, _ = run(network, data, AttackSettings("mim", step=0.02, iterations=4, momentum=0.9), 0.05)
    expected, momentum = x, np.zeros_like(x)
    for _ in range(4):
        g = gradient(network, expected, labels)
        momentum = 0.9 * momentum + g / np.abs(g).mean(axis=(1, 2, 3), keepdims=True)
        expected = np.clip(expected + np.float32(0.02) * np.sign(momentum), x - np.float32(0.05), x + np.float32(0.05))
        expected = np.clip(expected, 0, 1)
    np.testing.assert_allclose(adversarial, expected, atol=1e-6)


@pytest.mark.parametrize("norm", ["inf", "2"])
@pytest.mark.parametrize("settings", ALL, ids=lambda s: f"{s.method}-{s.random_start}-{s.restarts}")
def test_every_attack_stays_in_ball_and_range_and_raises_the_loss(network, data, settings, norm):
    x, labels = data
    epsilon = {"inf": 0.1, "2": 0.5}[norm]
    settings = AttackSettings(**(settings.__dict__ | {"norm": norm}))
    adversarial, _ = run(network, data, settings, epsilon)
    assert adversarial.dtype == np.float32 and adversarial.shape == x.shape
    assert adversarial.min() >= 0 and adversarial.max() <= 1
    assert perturbation_norms(adversarial, x)["linf" if norm == "inf" else "l2"].max() <= epsilon * (1 + 1e-5)
    assert losses(network, adversarial, labels).mean() > losses(network, x, labels).mean()


@pytest.mark.parametrize("settings", ALL[1:], ids=lambda s: f"{s.method}-{s.random_start}-{s.restarts}")
def test_iterating_is_no_weaker_than_one_step(network, data, settings):
    _, labels = data
    one, _ = run(network, data, AttackSettings("fgsm"))
    many, _ = run(network, data, settings)
    assert losses(network, many, labels).mean() >= losses(network, one, labels).mean() - 1e-4


def test_restarts_keep_the_highest_loss_of_each_image(network, data):
    _, labels = data
    settings = {"method": "pgd", "relative_step": 0.3, "iterations": 2, "random_start": True}
    single, _ = run(network, data, AttackSettings(**settings), batch_size=40)
    several, _ = run(network, data, AttackSettings(**settings, restarts=4), batch_size=40)
    # The first of the restarts draws the same start as the single run.
    assert (losses(network, several, labels) >= losses(network, single, labels) - 1e-6).all()
    assert (losses(network, several, labels) > losses(network, single, labels) + 1e-6).any()


def test_the_seed_decides_and_nothing_else(network, data):
    settings = ALL[4]
    first, again, other = (run(network, data, settings, seed=seed)[0] for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert (first != other).any()


@pytest.mark.parametrize("settings", ALL, ids=lambda s: f"{s.method}-{s.random_start}-{s.restarts}")
def test_epsilon_zero_gives_the_images_back(network, data, settings):
    adversarial, _ = run(network, data, settings, epsilon=0)
    assert adversarial.tobytes() == data[0].tobytes()


def test_without_random_start_pgd_begins_at_the_image(network, data):
    pgd, _ = run(network, data, AttackSettings("pgd", **ITERATIVE))
    bim, _ = run(network, data, AttackSettings("bim", **ITERATIVE))
    started, _ = run(network, data, AttackSettings("pgd", **ITERATIVE, random_start=True))
    assert pgd.tobytes() == bim.tobytes()
    assert (pgd != started).any()


class Counting:
    """A network that counts how often Python calls it: once a trace, not once a step."""

    def __init__(self, network):
        self.network, self.calls = network, 0

    def __call__(self, x, training=False):
        self.calls += 1
        return self.network(x, training=training)


def test_the_gradient_is_traced_once_for_all_steps_and_batches(network, data):
    counting = Counting(network)
    run(counting, data, AttackSettings("pgd", **ITERATIVE, random_start=True), batch_size=16)  # 3 batches, one padded
    assert counting.calls == 1


@pytest.mark.parametrize("batch_size", [1, 7, 40, 100])
def test_the_batch_size_changes_nothing_but_rounding(network, data, batch_size):
    expected, _ = run(network, data, ALL[1], batch_size=16)
    found, _ = run(network, data, ALL[1], batch_size=batch_size)
    assert (np.abs(found - expected) < 1e-6).mean() > 0.99


def test_a_vanished_gradient_leaves_the_image_where_it_is(data):
    """sign(0) is 0: cleverhans gives x back and says nothing, so the evaluation counts such images."""
    x, _ = data
    masked = curved_network(scale=1e5)
    labels = masked(x).numpy().argmax(axis=1)
    adversarial, _ = run(masked, (x, labels), AttackSettings("fgsm"))
    still = (adversarial == x).all(axis=(1, 2, 3))
    assert still.mean() > 0.9
    zero = (gradient(masked, x, labels) == 0).all(axis=(1, 2, 3))
    assert (still == zero).all()
    assert (has_zero_gradient(masked, x, labels, cross_entropy, batch_size=16) == zero).all()
    assert not has_zero_gradient(curved_network(), x, labels, cross_entropy).any()


@pytest.mark.parametrize("pixel_range", [(0.0, 255.0), (-1.0, 1.0)])
@pytest.mark.parametrize("unit", ["0-1", "0-255"])
def test_epsilon_means_pixels_whatever_the_networks_range(network, data, pixel_range, unit):
    """The same attack, told in another unit on a network of another range, is the same perturbation."""
    x, labels = data
    low, high = pixel_range
    inputs = keras.layers.Input(x.shape[1:])
    other = keras.Model(inputs, network(keras.layers.Rescaling(1 / (high - low), -low / (high - low))(inputs)))
    epsilon = {"0-1": 0.1, "0-255": 25.5}[unit] * pixel_scale(unit, pixel_range)
    adversarial, _ = craft(
        other, x * (high - low) + low, labels, AttackSettings("fgsm"), epsilon, epsilon, pixel_range, 0, 16
    )
    expected, _ = run(network, data, AttackSettings("fgsm"))
    np.testing.assert_allclose((adversarial - low) / (high - low), expected, atol=1e-6)


@pytest.mark.parametrize("target", ["least_likely", "random", "2"])
def test_targets_are_never_the_true_class(target):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(500, 4)), rng.integers(0, 4, 500)
    targets = choose_targets(logits, labels, target, seed=3)
    assert (targets != labels).all()
    if target == "least_likely":
        for row, label, chosen in zip(logits, labels, targets):
            assert row[chosen] == min(value for i, value in enumerate(row) if i != label)
    if target == "random":
        assert set(targets[labels == 0]) == {1, 2, 3}
    if target == "2":
        assert (targets[labels == 2] == -1).all() and (targets[labels != 2] == 2).all()


@pytest.mark.parametrize("target", ["4", "-1", "coat"])
def test_a_target_that_is_no_class(target):
    with pytest.raises(UserError, match="is none of least_likely, random and the classes 0 to 3"):
        choose_targets(np.zeros((2, 4)), np.array([0, 1]), target, seed=0)


def test_images_of_the_target_class_are_left_alone(network, data):
    x, labels = data
    adversarial, targets = run(network, data, AttackSettings("fgsm", target="2"))
    assert (adversarial[labels == 2] == x[labels == 2]).all()
    assert (targets[labels == 2] == -1).all()
    assert (adversarial[labels != 2] != x[labels != 2]).any(axis=(1, 2, 3)).all()


class AdamOfKeras2(keras.optimizers.Adam):
    """Its variables are the result of a call, as cleverhans 4.0.0 asks for them."""

    def variables(self):
        return []


class TestTrapsOfCleverhans:
    """What crafting.py and attack_context.py step around; a test that fails here says that the detour is no longer needed."""

    def call(self, network, data, **settings):
        x, labels = data
        base = {"eps": 0.1, "eps_iter": 0.05, "nb_iter": 2, "norm": np.inf, "clip_min": 0.0, "clip_max": 1.0}
        return projected_gradient_descent(network, tf.constant(x), y=tf.constant(labels), **(base | settings))

    def test_sanity_checks_raise_when_clipping(self, network, data):
        with pytest.raises(Exception, match=r"truth value|ambiguous|ndim|inhomogeneous|boolean"):
            self.call(network, data, sanity_checks=True)

    def test_a_step_above_epsilon_is_an_assertion(self, network, data):
        with pytest.raises(AssertionError):
            self.call(network, data, eps_iter=0.2)

    def test_a_short_gradient_makes_a_short_euclidean_step(self, network, data):
        x, labels = data
        adversarial = fast_gradient_method(
            lambda z: 1e-8 * network(z), tf.constant(0.25 + x / 2), 0.1, 2, y=tf.constant(labels)
        )
        assert perturbation_norms(adversarial.numpy(), 0.25 + x / 2)["l2"].max() < 0.05

    def test_carlini_wagner_needs_an_optimizer_of_keras_2(self, network, data):
        x, _ = data
        with pytest.raises(TypeError, match="not callable"):
            carlini_wagner_l2(network, tf.constant(x), max_iterations=1, binary_search_steps=1)

    def test_constants_of_carlini_wagner_have_the_shape_of_the_images(self, network, data, monkeypatch):
        """With the optimizer mended: a constant a value times a loss an image does not go together but in shades of grey."""
        monkeypatch.setattr("keras.optimizers.Adam", AdamOfKeras2)
        coloured = tf.constant(np.repeat(data[0], 3, axis=3))
        with pytest.raises(
            (tf.errors.InvalidArgumentError, ValueError), match=r"(?i)incompatible shapes|equal|broadcast"
        ):
            carlini_wagner_l2(lambda x: network(x[..., :1]), coloured, max_iterations=1, binary_search_steps=1)

    def test_the_default_starts_at_x(self, network, data):
        assert (self.call(network, data).numpy() == self.call(network, data, rand_init=0.0).numpy()).all()


@pytest.mark.parametrize(
    ("step", "iterations", "epsilon", "reaches"),
    [(0.01, 40, "0.4", True), (0.01, 40, "0.5", False), (0.1, 3, "0.3", True), (0.1, 3, "0.30001", False)],
)
def test_step_budget_in_decimal_arithmetic(step, iterations, epsilon, reaches):
    assert reaches_epsilon(AttackSettings("pgd", step=step, iterations=iterations), epsilon) is reaches
