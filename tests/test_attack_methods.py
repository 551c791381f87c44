"""The attacks that are the project's own; those by cleverhans are in test_attacks.py."""

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
from robustness.attack_methods.jsma import best_pair
from robustness.attacks.attack_settings import METHODS, AttackSettings
from robustness.attacks.crafting import craft
from robustness.data.datasets import to_pixels

CLIP = (0.0, 1.0)
EPSILON = {"inf": 0.05, "2": 0.25, "0": 0.1}
SETTINGS = {
    "apgd": AttackSettings("apgd", iterations=10),
    "apgd restarted": AttackSettings("apgd", loss="dlr", iterations=5, restarts=2),
    "carlini_wagner": AttackSettings("carlini_wagner", norm="2", iterations=40, own={"binary_search_steps": 4}),
    "fmn": AttackSettings("fmn", iterations=20),
    "jsma": AttackSettings("jsma", norm="0"),
    "jsma that darkens": AttackSettings("jsma", norm="0", own={"theta": -0.5}),
    "noise": AttackSettings("noise"),
    "noise drawn often": AttackSettings("noise", restarts=5),
    "square": AttackSettings("square", queries=30),
}
IN_EACH_NORM = [(name, norm) for name, settings in SETTINGS.items() for norm in settings.declaration.norms]
DRAWING_NOTHING = {"carlini_wagner", "fmn", "jsma", "jsma that darkens"}


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
    if norm == "0":
        return (flat != 0).mean(1)
    return np.abs(flat).max(1) if norm == "inf" else np.sqrt((flat**2).sum(1))


def fooled(network, x, labels):
    return network(x).numpy().argmax(1) != labels


def cross_entropies(network, x, labels):
    z = network(x).numpy().astype("f8")
    return np.log(np.exp(z).sum(1)) - z[np.arange(len(z)), labels]


# --- what all of them share ------------------------------------------------------------------------------------------


def test_every_method_is_tested_here_or_with_those_of_cleverhans():
    assert set(METHODS) == {settings.method for settings in (*SETTINGS.values(), *OF_CLEVERHANS)}


@pytest.mark.parametrize(("name", "norm"), IN_EACH_NORM)
def test_an_attack_stays_in_ball_and_range_and_means_the_same_in_every_pixel_range(network, data, name, norm):
    x, labels = data
    shares = []
    for low, high in [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)]:
        width = high - low
        inputs = keras.layers.Input(x.shape[1:])
        ranged = keras.Model(inputs, network(keras.layers.Rescaling(1 / width, -low / width)(inputs)))
        pixels, epsilon = x * width + low, EPSILON[norm] * (1 if norm == "0" else width)
        settings = replace(SETTINGS[name], norm=norm)
        found = run(ranged, (pixels, labels), settings, epsilon, clip=(low, high))
        assert found.dtype == np.float32 and found.shape == x.shape
        assert found.min() >= low and found.max() <= high
        assert lengths(found - pixels, norm).max() <= epsilon * (1 + 1e-5)
        shares.append(fooled(ranged, found, labels).mean())
    assert min(shares) > 0 and max(shares) - min(shares) < 0.1


@pytest.mark.parametrize(("name", "norm"), IN_EACH_NORM)
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
    assert (first.tobytes() == other.tobytes()) == (name in DRAWING_NOTHING)


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


# --- Carlini and Wagner's attack ---------------------------------------------------------------------------------------

LONG = {"learning_rate": 0.02, "binary_search_steps": 8, "initial_constant": 0.1}


@pytest.mark.parametrize("classes", [2, 5])
def test_carlini_wagner_finds_the_distance_from_the_boundary_of_a_linear_network(classes):
    network = linear_network(classes)
    x, labels = inside(network)
    exact = distances(network, x, labels, "2")
    found = run(network, (x, labels), AttackSettings("carlini_wagner", norm="2", iterations=150, own=LONG), 10.0)
    assert fooled(network, found, labels).all()
    excess = lengths(found - x, "2") / exact
    assert excess.min() > 1 - 1e-3 and np.median(excess) < 1.02 and excess.max() < 1.1


def test_the_confidence_of_carlini_wagner_is_the_lead_in_logits():
    """Of a linear network the distance grows by confidence over the length of the difference of weights."""
    network = linear_network(2)
    x, labels = inside(network)
    weights = network.layers[-1].get_weights()[0].astype("f8")
    exact = distances(network, x, labels, "2") + 0.5 / np.sqrt(((weights[:, 0] - weights[:, 1]) ** 2).sum())
    own = LONG | {"confidence": 0.5}
    found = run(network, (x, labels), AttackSettings("carlini_wagner", norm="2", iterations=150, own=own), 10.0)
    z, rows = network(found).numpy(), np.arange(len(x))
    assert (z[rows, 1 - labels] - z[rows, labels] >= 0.5 - 1e-4).all()
    assert np.median(lengths(found - x, "2") / exact) == pytest.approx(1, abs=0.02)


def test_carlini_wagner_aims_at_its_target_and_gives_back_what_it_does_not_reach():
    network = linear_network(5)
    x, labels = inside(network)
    labels[::4] = 3
    settings = AttackSettings("carlini_wagner", norm="2", target="3", iterations=150, own=LONG)
    far, targets = craft(network, x, labels, settings, 10.0, 10.0, CLIP, 0, 16)
    aimed = targets >= 0
    assert (targets == np.where(labels == 3, -1, 3)).all() and 0 < aimed.sum() < len(x)
    assert (network(far).numpy().argmax(1)[aimed] == 3).all() and (far[~aimed] == x[~aimed]).all()
    epsilon = float(np.median(lengths(far - x, "2")[aimed]))
    near, _ = craft(network, x, labels, settings, epsilon, epsilon, CLIP, 0, 16)
    within = lengths(far - x, "2") <= epsilon
    assert near.tobytes() == np.where(within[:, None, None, None], far, x).tobytes()
    assert 0 < (network(near).numpy().argmax(1)[aimed] == 3).sum() < aimed.sum()


def test_carlini_wagner_gives_misclassified_images_back(network, data):
    x, labels = data
    found = run(network, (x, (labels + 1) % 4), SETTINGS["carlini_wagner"], 0.5)
    assert found.tobytes() == x.tobytes()


def test_carlini_wagner_sees_through_huge_logits(network, data):
    _, labels = data
    masked = curved_network(scale=1e5)
    plain, behind = (run(net, data, SETTINGS["carlini_wagner"], 10.0) for net in (network, masked))
    assert fooled(masked, behind, labels).mean() >= fooled(network, plain, labels).mean() - 0.05


# --- the Jacobian saliency map attack ----------------------------------------------------------------------------------


def brute_pair(helps, harms, movable):
    """Papernot et al. 2016, algorithm 3: all pairs, one after the other; the greatest product, 0 where none helps."""
    best = 0.0
    for p, q in itertools.combinations(np.flatnonzero(movable), 2):
        gain, loss = helps[p] + helps[q], harms[p] + harms[q]
        if gain > 0 and loss > 0:
            best = max(best, gain * loss)
    return best


@pytest.mark.parametrize("correlation", [-1, -0.9, 0, 0.9, 1])
@pytest.mark.parametrize("grain", [None, 1.0], ids=["all different", "many alike"])
def test_the_best_of_all_pairs_is_found_without_going_through_them(correlation, grain):
    rng = np.random.default_rng(5)
    for size in (0, 1, 2, 3, 20, 40):
        for shift in (-2, 0, 2):
            helps = rng.normal(size=size) + shift
            harms = correlation * helps + np.sqrt(1 - correlation**2) * rng.normal(size=size)
            if grain:
                helps, harms = np.round(helps / grain), np.round(harms / grain)
            movable = rng.random(size) < 0.8
            pair, best = best_pair(helps, harms, movable), brute_pair(helps, harms, movable)
            assert bool(pair) == (best > 0)
            if pair:
                assert pair[0] != pair[1] and movable[pair].all()
                assert helps[pair].sum() * harms[pair].sum() == pytest.approx(best)


def saliency_steps(network, image, target, theta, allowed):
    """The attack on one image, by the book: TensorFlow's own Jacobian, all pairs; until the target is predicted."""
    x = image.astype("f4").copy()
    while network(x[None]).numpy()[0].argmax() != target:
        with tf.GradientTape() as tape:
            z = tf.constant(x[None])
            tape.watch(z)
            logits = network(z)
        jacobian = tape.jacobian(logits, z).numpy()[0, :, 0].reshape(logits.shape[1], -1).astype("f8")
        alpha, beta = jacobian[target], np.delete(jacobian, target, 0).sum(0)
        best, chosen = 0.0, None
        movable = np.flatnonzero(x.ravel() < 1 if theta > 0 else x.ravel() > 0)
        for p, q in itertools.combinations(movable, 2):
            a, b = alpha[p] + alpha[q], beta[p] + beta[q]
            if (a * theta > 0 and b * theta < 0) and -a * b > best:
                best, chosen = -a * b, [p, q]
        if chosen is None:
            break
        ahead = x.ravel().copy()
        ahead[chosen] = np.clip(ahead[chosen] + theta, 0, 1)
        if (ahead != image.ravel()).sum() > allowed:
            break
        x = ahead.reshape(x.shape)
    return x


@pytest.mark.parametrize("theta", [1, 0.3, -1, -0.3])
def test_jsma_is_the_papers_algorithm_step_by_step(network, data, theta):
    x, labels = data[0][:8], data[1][:8]
    settings = AttackSettings("jsma", norm="0", target="random", own={"theta": theta})
    found, targets = craft(network, x, labels, settings, 0.08, 1, CLIP, 3, 4)  # five of 64 values
    expected = [saliency_steps(network, image, target, theta, 5) for image, target in zip(x, targets)]
    np.testing.assert_allclose(found, np.array(expected), atol=1e-6)
    hits = network(found).numpy().argmax(1) == targets
    assert hits.any() and len({int((a != b).sum()) for a, b in zip(found, x)}) > 1


def test_jsma_moves_one_way_only_and_no_more_values_than_it_may(network, data):
    x, _ = data
    for epsilon, allowed in ((0.01, 0), (0.032, 2), (0.1, 6), (0.125, 8)):  # of 64 values, in pairs
        for theta, sign in ((1, 1), (-1, -1), (0.2, 1)):
            found = run(network, data, AttackSettings("jsma", norm="0", own={"theta": theta}), epsilon)
            changed = (found != x).reshape(len(x), -1).sum(1)
            assert changed.max() == allowed if theta in (1, -1) else changed.max() <= allowed
            assert (sign * (found - x) >= 0).all()


def test_untargeted_jsma_goes_towards_the_likeliest_wrong_class_and_ends_at_any_error(network, data):
    x, labels = (array[:12] for array in data)
    z = network(x).numpy()
    z[np.arange(len(x)), labels] = -np.inf
    likeliest = z.argmax(1)
    found = run(network, (x, labels), AttackSettings("jsma", norm="0"), 0.2)
    broken = fooled(network, found, labels)
    assert broken.mean() > 0.5
    for image, label, target, result in zip(x, labels, likeliest, found):
        aimed = saliency_steps(network, image, target, 1, 12)
        predicted = network(result[None]).numpy()[0].argmax()
        # The same way, left as soon as anything but the true class is predicted.
        assert ((result == image) | (result == aimed)).all() or predicted not in (label, target)


def test_jsma_gives_misclassified_images_back_and_sees_through_huge_logits(network, data):
    x, labels = data
    found = run(network, (x, (labels + 1) % 4), SETTINGS["jsma"], 0.5)
    assert found.tobytes() == x.tobytes()
    masked = curved_network(scale=1e5)
    assert np.array_equal(run(network, data, SETTINGS["jsma"], 0.1), run(masked, data, SETTINGS["jsma"], 0.1))
