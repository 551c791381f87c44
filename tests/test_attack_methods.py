"""The attacks that are the project's own: apgd, fmn, noise and square; those by cleverhans are in test_attacks.py."""

import itertools
from dataclasses import replace
from fractions import Fraction

import keras
import numpy as np
import pytest
import tensorflow as tf
from networks import curved_network, images
from test_attacks import ALL as OF_CLEVERHANS

from robustness.attack_methods.apgd import checkpoints
from robustness.attack_settings import METHODS, AttackSettings
from robustness.crafting import craft
from robustness.datasets import to_pixels

CLIP = (0.0, 1.0)
EPSILON = {"inf": 0.05, "2": 0.25}
SETTINGS = {
    "apgd": AttackSettings("apgd", iterations=10),
    "apgd restarted": AttackSettings("apgd", loss="dlr", iterations=5, restarts=2),
    "fmn": AttackSettings("fmn", iterations=20),
    "noise": AttackSettings("noise"),
    "noise drawn often": AttackSettings("noise", restarts=5),
    "square": AttackSettings("square", queries=30),
}


@pytest.fixture(scope="module")
def network():
    return curved_network()


@pytest.fixture(scope="module")
def data(network):
    """Pixels, many of them black, and as labels what the network predicts."""
    x = to_pixels(images(32).images, CLIP)
    return x, network(x).numpy().argmax(1)


def run(network, data, settings, epsilon, seed=0, clip=CLIP, batch_size=16):
    return craft(network, *data, settings, epsilon, epsilon, clip, seed, batch_size)[0]


def lengths(perturbation, norm):
    flat = perturbation.astype("f8").reshape(len(perturbation), -1)
    return np.abs(flat).max(1) if norm == "inf" else np.sqrt((flat**2).sum(1))


def fooled(network, x, labels):
    return network(x).numpy().argmax(1) != labels


def cross_entropies(network, x, labels):
    z = network(x).numpy().astype("f8")
    return np.log(np.exp(z).sum(1)) - z[np.arange(len(z)), labels]


# --- what all of them share ------------------------------------------------------------------------------------------


def test_every_method_is_tested_here_or_with_those_of_cleverhans():
    assert set(METHODS) == {settings.method for settings in (*SETTINGS.values(), *OF_CLEVERHANS)}


@pytest.mark.parametrize("norm", ["inf", "2"])
@pytest.mark.parametrize("name", ["apgd", "fmn", "noise", "square"])
def test_an_attack_stays_in_ball_and_range_and_means_the_same_in_every_pixel_range(network, data, name, norm):
    x, labels = data
    shares = []
    for low, high in [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)]:
        width = high - low
        inputs = keras.layers.Input(x.shape[1:])
        ranged = keras.Model(inputs, network(keras.layers.Rescaling(1 / width, -low / width)(inputs)))
        pixels, epsilon = x * width + low, EPSILON[norm] * width
        settings = replace(SETTINGS[name], norm=norm)
        found = run(ranged, (pixels, labels), settings, epsilon, clip=(low, high))
        assert found.dtype == np.float32 and found.shape == x.shape
        assert found.min() >= low and found.max() <= high
        assert lengths(found - pixels, norm).max() <= epsilon * (1 + 1e-5)
        shares.append(fooled(ranged, found, labels).mean())
    assert min(shares) > 0 and max(shares) - min(shares) < 0.1


@pytest.mark.parametrize("norm", ["inf", "2"])
@pytest.mark.parametrize("name", SETTINGS)
def test_an_attack_takes_coloured_images_of_any_shape(name, norm):
    keras.utils.set_random_seed(3)
    inputs = keras.layers.Input((7, 12, 3))
    network = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(inputs)))
    x = np.random.default_rng(0).uniform(size=(5, 7, 12, 3)).astype("f4")
    found = run(network, (x, network(x).numpy().argmax(1)), replace(SETTINGS[name], norm=norm), EPSILON[norm])
    assert found.shape == x.shape and (lengths(found - x, norm) <= EPSILON[norm] * (1 + 1e-5)).all()
    assert (found != x).any()


@pytest.mark.parametrize("name", SETTINGS)
def test_the_seed_decides_and_nothing_else(network, data, name):
    first, again, other = (run(network, data, SETTINGS[name], 0.05, seed) for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert (first.tobytes() == other.tobytes()) == (name == "fmn")  # the only one that draws nothing


@pytest.mark.parametrize("name", SETTINGS)
def test_epsilon_zero_gives_the_images_back(network, data, name):
    assert run(network, data, SETTINGS[name], 0).tobytes() == data[0].tobytes()


# --- networks whose answers are known beforehand ---------------------------------------------------------------------


def linear_network(classes: int, side: int = 8) -> keras.Model:
    """Logits that are linear in the pixels."""
    keras.utils.set_random_seed(2)
    pixels = keras.layers.Input((side, side, 1))
    return keras.Model(pixels, keras.layers.Dense(classes, bias_initializer="normal")(keras.layers.Flatten()(pixels)))


def inside(network, n=24):
    """Pixels far from black and white, so that nothing is cut, and as labels what the network predicts."""
    x = np.random.default_rng(4).uniform(0.4, 0.6, (n, *network.input_shape[1:])).astype("f4")
    return x, network(x).numpy().argmax(1)


def distances(network, x, labels, norm):
    """Exact distance of each image from the nearest boundary of a linear network: the smallest, over the wrong classes,
    difference of logits over the dual norm of the difference of weights."""
    weights = network.layers[-1].get_weights()[0].T.astype("f8")  # (classes, pixels)
    found = []
    for z, label in zip(network(x).numpy().astype("f8"), labels):
        wrong = [j for j in range(len(z)) if j != label]
        steep = [np.abs(d).sum() if norm == "inf" else np.sqrt((d**2).sum()) for d in weights[wrong] - weights[label]]
        found.append(min((z[label] - z[j]) / length for j, length in zip(wrong, steep)))
    return np.array(found)


class Flat:
    """A network with a gradient that is zero everywhere: it sees pixels rounded to `levels` levels.

    It counts how often it is asked, and for how many images, also where TensorFlow runs a compiled copy of it.
    """

    def __init__(self, network, levels):
        self.network, self.levels = network, levels
        self.calls, self.images = tf.Variable(0), tf.Variable(0)

    def __call__(self, x, training=False):
        x = tf.convert_to_tensor(x)
        self.calls.assign_add(1)
        self.images.assign_add(tf.shape(x)[0])
        return self.network(tf.stop_gradient(tf.round(x * self.levels) / self.levels)) + 0 * tf.reduce_sum(x)


# --- Auto-PGD --------------------------------------------------------------------------------------------------------


def exact_checkpoints(iterations):
    """Croce and Hein 2020, section 3.2, in fractions: p_0 = 0, p_1 = 0.22, and w_j the ceiling of p_j x iterations."""
    shares = [Fraction(0), Fraction(22, 100)]
    while shares[-1] <= 1:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - Fraction(3, 100), Fraction(6, 100)))
    return [-(-share.numerator * iterations // share.denominator) for share in shares if 0 < share <= 1]


def test_apgd_halves_its_step_where_the_paper_does():
    assert exact_checkpoints(100) == [22, 41, 57, 70, 80, 87, 93, 99]  # by hand
    for iterations in range(1, 1001):
        assert checkpoints(iterations) == sorted(set(exact_checkpoints(iterations)))


@pytest.mark.parametrize("norm", ["inf", "2"])
def test_apgd_finds_the_highest_loss_of_a_linear_network(norm):
    """Of two classes it lies along the difference of their weights (its signs), at the edge of the ball."""
    network = linear_network(2)
    x, labels = inside(network)
    weights = network.layers[-1].get_weights()[0].T
    direction = (weights[1 - labels] - weights[labels]).reshape(x.shape)
    direction = np.sign(direction) if norm == "inf" else direction / lengths(direction, "2")[:, None, None, None]
    epsilon = 0.9 * distances(network, x, labels, norm).min()  # no image falls, which would end its search
    found = run(network, (x, labels), AttackSettings("apgd", norm=norm, iterations=30), epsilon)
    best = cross_entropies(network, (x + epsilon * direction).astype("f4"), labels)
    gained = cross_entropies(network, found, labels) - cross_entropies(network, x, labels)
    np.testing.assert_allclose(gained, best - cross_entropies(network, x, labels), rtol=1e-2)


@pytest.mark.parametrize("norm", ["inf", "2"])
@pytest.mark.parametrize("relative_step", [0.1, 0.25, 1.0])
def test_apgd_is_no_weaker_than_pgd_of_as_many_steps(network, data, norm, relative_step):
    _, labels = data
    common = {"norm": norm, "iterations": 20}
    apgd = run(network, data, AttackSettings("apgd", **common), EPSILON[norm])
    pgd = AttackSettings("pgd", **common, relative_step=relative_step, random_start=True)
    step = EPSILON[norm] * relative_step
    pgd, _ = craft(network, *data, pgd, EPSILON[norm], step, CLIP, 0, 16)
    assert fooled(network, apgd, labels).sum() >= fooled(network, pgd, labels).sum()
    standing = ~fooled(network, apgd, labels) & ~fooled(network, pgd, labels)  # the others' search ends early
    assert standing.sum() >= 5
    ours, theirs = (cross_entropies(network, x, labels)[standing].mean() for x in (apgd, pgd))
    assert ours >= 0.999 * theirs


def test_restarts_break_no_fewer_images_and_lose_no_loss(network, data):
    _, labels = data
    settings = AttackSettings("apgd", iterations=2)
    one, many = (run(network, data, replace(settings, restarts=n), 0.03, batch_size=32) for n in (1, 6))
    assert (fooled(network, many, labels) >= fooled(network, one, labels)).all()  # the first of them is the same
    standing = ~fooled(network, many, labels)
    gained = (cross_entropies(network, many, labels) - cross_entropies(network, one, labels))[standing]
    assert (gained >= 0).all() and gained.max() > 1e-3


@pytest.mark.parametrize(("loss", "works"), [("cross_entropy", False), ("scaled_cross_entropy", True), ("dlr", True)])
def test_apgd_sees_through_huge_logits_unless_it_climbs_cross_entropy(network, data, loss, works):
    _, labels = data
    settings = AttackSettings("apgd", loss=loss, iterations=10)
    masked = curved_network(scale=1e5)
    plain, behind = (fooled(net, run(net, data, settings, 0.05), labels).sum() for net in (network, masked))
    if works:
        assert abs(int(plain) - int(behind)) <= 2
    else:
        assert behind < 0.5 * plain


# --- the fast minimum-norm attack ------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("norm", ["inf", "2"])
def test_fmn_finds_the_distance_from_the_boundary_of_a_linear_network(norm, classes):
    network = linear_network(classes)
    x, labels = inside(network)
    exact = distances(network, x, labels, norm)
    assert exact.min() > 0 and (exact.max() if norm == "inf" else exact.max() / 4) < 0.4  # the range cuts nothing
    found = run(network, (x, labels), AttackSettings("fmn", norm=norm, iterations=100), 10.0)
    assert fooled(network, found, labels).all()
    excess = lengths(found - x, norm) / exact
    assert excess.min() > 1 - 1e-3 and np.median(excess) < 1.01 and excess.max() < 1.03


@pytest.mark.parametrize("norm", ["inf", "2"])
def test_fmn_gives_the_image_back_where_nothing_lies_within_epsilon(norm):
    network = linear_network(5)
    x, labels = inside(network)
    exact = distances(network, x, labels, norm)
    epsilon = float(np.median(exact))
    found = run(network, (x, labels), AttackSettings("fmn", norm=norm, iterations=100), epsilon)
    still = (found == x).all((1, 2, 3))
    assert still[exact > epsilon].all() and not still[1.03 * exact < epsilon].any()
    assert (fooled(network, found, labels) == ~still).all()


def test_fmn_gives_misclassified_images_back(network, data):
    x, labels = data
    found = run(network, (x, (labels + 1) % 4), AttackSettings("fmn", iterations=5), 0.5)
    assert found.tobytes() == x.tobytes()


@pytest.mark.parametrize("norm", ["inf", "2"])
def test_one_run_of_fmn_tells_for_every_epsilon(network, data, norm):
    """A run at a smaller epsilon gives exactly those of a larger one that lie within the smaller."""
    x, _ = data
    settings = AttackSettings("fmn", norm=norm, iterations=20)
    large = run(network, data, settings, 10 * EPSILON[norm])
    small = run(network, data, settings, EPSILON[norm])
    within = lengths(large - x, norm) <= EPSILON[norm]
    assert within.any() and not within.all()
    assert small.tobytes() == np.where(within[:, None, None, None], large, x).tobytes()


@pytest.mark.parametrize("norm", ["inf", "2"])
def test_fmn_finds_an_example_where_most_pixels_are_clipped(norm):
    """Of black images each second pixel can't move where the gradient points; what can be reached is a linear program."""
    network = linear_network(2)
    x = np.zeros((2, 8, 8, 1), "f4")
    weights, bias = (array.astype("f8") for array in network.layers[-1].get_weights())
    z = bias[0] - bias[1]
    labels = np.full(2, 0 if z > 0 else 1)
    network.layers[-1].set_weights([weights, np.where([z > 0, z <= 0], 0.5, 0.0)])  # half a logit of distance
    upwards = np.maximum((weights[:, 1] - weights[:, 0]) * (1 if z > 0 else -1), 0)
    exact = 0.5 / (upwards.sum() if norm == "inf" else np.sqrt((upwards**2).sum()))
    found = run(network, (x, labels), AttackSettings("fmn", norm=norm, iterations=60), 10.0)
    assert fooled(network, found, labels).all()
    np.testing.assert_allclose(lengths(found - x, norm), exact, rtol=0.02)


@pytest.mark.parametrize("norm", ["inf", "2"])
def test_fmn_does_not_depend_on_the_scale_of_the_logits(network, data, norm):
    x, labels = data
    settings = AttackSettings("fmn", norm=norm, iterations=30)
    small, huge = (run(net, data, settings, 10.0) for net in (network, curved_network(scale=1e5)))
    assert fooled(network, small, labels).all() and fooled(network, huge, labels).all()
    np.testing.assert_allclose(np.median(lengths(huge - x, norm)), np.median(lengths(small - x, norm)), rtol=0.02)


# --- the Square attack -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["inf", "2"])
def test_square_needs_no_gradient(network, data, norm):
    x, _ = data
    flat = Flat(network, 30)
    labels = flat(x).numpy().argmax(1)
    bim = AttackSettings("bim", norm=norm, relative_step=0.5, iterations=4)
    assert run(flat, (x, labels), bim, 2 * EPSILON[norm]).tobytes() == x.tobytes()
    found = run(flat, (x, labels), AttackSettings("square", norm=norm, queries=100), 2 * EPSILON[norm])
    assert fooled(flat, found, labels).mean() > 0.5


@pytest.mark.parametrize("norm", ["inf", "2"])
@pytest.mark.parametrize("queries", [1, 2, 25])
def test_square_asks_no_more_than_it_may(norm, queries):
    """Of a network that can't be fooled it asks exactly `queries` answers an image."""
    flat = Flat(lambda x: tf.one_hot(tf.zeros(tf.shape(x)[0], tf.int32), 4), 255)
    x = to_pixels(images(16).images, CLIP)
    run(flat, (x, np.zeros(16, int)), AttackSettings("square", norm=norm, queries=queries), 0.1)
    assert flat.calls.numpy() == queries and flat.images.numpy() == 16 * queries


def test_square_asks_no_more_about_what_is_found(network, data):
    flat = Flat(network, 255)
    labels = flat(data[0]).numpy().argmax(1)
    flat.calls.assign(0), flat.images.assign(0)
    settings = AttackSettings("square", queries=40)
    found = run(flat, (data[0], labels), settings, 0.3, batch_size=32)
    asked = flat.calls.numpy(), flat.images.numpy()
    standing = (~fooled(flat, found, labels)).sum()
    assert standing < 3 and asked[0] <= 40 and 40 * standing <= asked[1] < 40 * standing + 32 * 20


def test_square_wastes_no_query_on_a_square_that_changes_nothing():
    """Seen by the network: the first proposal after the start differs from it in every image, however small it is."""
    seen = []

    def network(x):
        tf.py_function(lambda pixels: seen.append(pixels.numpy()), [x], [])
        return tf.one_hot(tf.zeros(tf.shape(x)[0], tf.int32), 4)

    x = to_pixels(images(16).images, CLIP)
    run(Flat(network, 255), (x, np.zeros(16, int)), AttackSettings("square", queries=60), 0.1)
    seen = np.rint(np.array(seen) * 255)
    assert seen.shape == (60, 16, 8, 8, 1)
    # Nothing is ever better than the start, so that all are proposed beside it.
    changed = (seen[1:] != seen[0]).any((2, 3, 4))
    assert changed.all()


@pytest.mark.parametrize("queries", [1, 2, 40])
def test_square_moves_every_pixel_to_the_edge_of_the_ball(queries):
    """Algorithms 2 and 3 of the paper: what it proposes lies at the corners of the cube, or on the sphere."""
    flat = Flat(lambda x: tf.one_hot(tf.zeros(tf.shape(x)[0], tf.int32), 4) - tf.reduce_sum(x, (1, 2, 3))[:, None], 255)
    x = 0.3 + 0.4 * to_pixels(images(16).images, CLIP)
    labels = np.zeros(16, int)
    found = run(flat, (x, labels), AttackSettings("square", queries=queries), 0.1)
    np.testing.assert_allclose(np.abs(found - x), 0.1, rtol=1e-5)
    found = run(flat, (x, labels), AttackSettings("square", norm="2", queries=queries), 0.25)
    np.testing.assert_allclose(lengths(found - x, "2"), 0.25, rtol=1e-4)


@pytest.mark.parametrize("norm", ["inf", "2"])
def test_square_raises_the_margin_query_by_query(norm):
    """On a linear network of two classes the margin is known: it comes near what the ball allows."""
    network = linear_network(2)
    x, labels = inside(network)
    epsilon = 0.9 * distances(network, x, labels, norm).min()
    weights = network.layers[-1].get_weights()[0].T
    steep = weights[1 - labels] - weights[labels]
    possible = epsilon * (np.abs(steep).sum(1) if norm == "inf" else np.sqrt((steep**2).sum(1)))

    def gain(queries):
        found = run(network, (x, labels), AttackSettings("square", norm=norm, queries=queries), epsilon)
        return ((steep * (found - x).reshape(len(x), -1)).sum(1) / possible).mean()

    gains = [gain(queries) for queries in (1, 30, 200)]
    assert all(smaller < larger for smaller, larger in itertools.pairwise(gains)) and gains[-1] > 0.5


# --- noise -----------------------------------------------------------------------------------------------------------


def test_noise_moves_every_pixel_by_epsilon_in_the_maximum_norm(network, data):
    x, _ = data
    moved = run(network, data, AttackSettings("noise"), 0.1) - x
    cut = (x < 0.1) | (x > 0.9)
    np.testing.assert_allclose(np.abs(moved[~cut]), 0.1, rtol=1e-5)
    assert 0.45 < (moved[~cut] > 0).mean() < 0.55
    assert (np.isclose(np.abs(moved[cut]), 0.1, rtol=1e-5) | np.isin((x + moved)[cut], (0, 1))).all()


def test_noise_is_as_long_as_epsilon_in_the_euclidean_norm(network, data):
    x, labels = 0.3 + 0.4 * data[0], data[1]  # far from black and white, so that nothing is cut
    moved = run(network, (x, labels), AttackSettings("noise", norm="2"), 0.5) - x
    np.testing.assert_allclose(lengths(moved, "2"), 0.5, rtol=1e-5)
    # Uniform on the sphere: no pixel is preferred, each holds 1/64 of the squared length.
    shares = (moved.astype("f8") ** 2).mean(0).ravel() / 0.25
    assert shares.max() < 3 / 64 and abs(moved.mean()) < 0.01


def test_noise_drawn_again_keeps_what_fooled(network, data):
    _, labels = data
    one, many = (run(network, data, AttackSettings("noise", restarts=n), 0.1, batch_size=32) for n in (1, 20))
    first, all_ = fooled(network, one, labels), fooled(network, many, labels)
    assert all_[first].all() and all_.sum() > first.sum()
    assert one[first].tobytes() == many[first].tobytes()


@pytest.mark.parametrize("method", ["fmn", "noise", "square"])
def test_an_attack_without_a_choice_of_loss_ignores_it(network, data, method):
    with_dlr = AttackSettings(method, loss="dlr", iterations=3, queries=3)
    assert (
        run(network, data, with_dlr, 0.1).tobytes()
        == run(network, data, replace(with_dlr, loss="margin"), 0.1).tobytes()
    )
