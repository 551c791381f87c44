"""BIM and PGD in the cascade: they find what the published attacks find, and stop asking about what has fallen."""

import dataclasses
from itertools import pairwise

import keras
import numpy as np
import pytest
import tensorflow as tf
from networks import curved_network, images

from robustness.attacks.attack_settings import AttackSettings
from robustness.attacks.crafting import context_of
from robustness.attacks.first_errors import first_errors
from robustness.attacks.worst_case import Target, find_worst_case
from robustness.data.datasets import to_pixels
from robustness.evaluation.worst_case_records import WorstCaseSet, check_worst_case

CLIP, NEVER = (0.0, 1.0), float("inf")
STEPS = {"relative_step": 0.25, "iterations": 12}
SIZES = {  # epsilons at which few to most images fall
    "curved": {"inf": [0.005, 0.01, 0.02, 0.04, 0.08], "2": [0.04, 0.08, 0.16, 0.32, 0.64]},
    "trained": {"inf": [0.05, 0.07, 0.08, 0.09, 0.11], "2": [0.3, 0.4, 0.5, 0.6, 0.7]},
}
LOSSES = {
    "cross_entropy": lambda labels, z: tf.nn.sparse_softmax_cross_entropy_with_logits(labels, z),
    "margin": lambda labels, z: (
        tf.reduce_max(z - 1e9 * tf.one_hot(labels, 4), 1) - tf.reduce_sum(z * tf.one_hot(labels, 4), 1)
    ),
}


@pytest.fixture(scope="module", params=["curved", "trained"])
def attacked(request):
    """A network, images that it tells right, and epsilons of each norm: (network, pixels, labels, sizes)."""
    network, loaded, sizes = curved_network(), images(60), SIZES[request.param]
    x = to_pixels(loaded.images, CLIP)
    if request.param == "curved":
        return network, x, network(x).numpy().argmax(1), sizes
    keras.utils.set_random_seed(2)
    network.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.fit(x, loaded.labels, epochs=30, batch_size=20, verbose=0)
    right = network(x).numpy().argmax(1) == loaded.labels
    assert right.sum() > 50
    return network, x[right], loaded.labels[right], sizes


def target_on(network, seed=3, batch_size=16):
    return Target(network, CLIP, 1.0, seed, batch_size)


def cascade(target, x, labels, epsilons, settings):
    """The smallest epsilon at which each image falls, and what was found."""
    told = find_worst_case(target, x, labels, np.full(len(x), NEVER), epsilons, {"a": settings})
    found, at = x.copy(), np.full(len(x), "", dtype="<U32")
    found[told.positions], at[told.positions] = (
        told.images,
        told.epsilons,
    )  # of several the last, of the smallest epsilon
    return np.array([float(text or "inf") for text in at]), found, at


def independent(target, x, labels, epsilons, settings):
    """The smallest epsilon at which the attack as it is, in a run of its own for each epsilon, breaks each image."""
    falls_at = np.full(len(x), NEVER)
    for epsilon in sorted(epsilons, key=float, reverse=True):
        falls_at[target.predict(target.craft(x, labels, settings, epsilon)) != labels] = float(epsilon)
    return falls_at


def ways(network, x, labels, settings, epsilon):
    """All points of each image's way from itself, (iterations + 1, n, h, w, c): Madry et al., by TensorFlow's gradient."""
    points, loss_of = [x], LOSSES[settings.loss]
    for _ in range(settings.iterations):
        here = tf.constant(points[-1])
        with tf.GradientTape() as tape:
            tape.watch(here)
            loss = tf.reduce_sum(loss_of(labels, network(here)))
        gradient = tape.gradient(loss, here).numpy()
        step = np.float32(epsilon * settings.relative_step)
        if settings.norm == "inf":
            moved = np.clip(points[-1] + step * np.sign(gradient), 0, 1) - x
            moved = np.clip(moved, -np.float32(epsilon), np.float32(epsilon))
        else:
            length = np.sqrt((gradient.astype("f8") ** 2).sum((1, 2, 3), keepdims=True))
            moved = np.clip(points[-1] + step * gradient / length, 0, 1) - x
            length = np.sqrt((moved**2).sum((1, 2, 3), keepdims=True))
            moved *= np.minimum(1, epsilon / np.maximum(length, 1e-9))
        points.append(np.clip(x + moved, 0, 1).astype("f4"))
    return np.stack(points)


def first_error(network, points, labels):
    """The number of the first point of each way that is misclassified; that after the last where none is."""
    wrong = np.stack([network(point).numpy().argmax(1) != labels for point in points])
    return np.where(wrong.any(0), wrong.argmax(0), len(points))


def lengths(perturbation, norm):
    return np.linalg.norm(perturbation.reshape(len(perturbation), -1), axis=1, ord=np.inf if norm == "inf" else 2)


# --- what is found ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["inf", "2"])
@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("pgd", {}),
        ("pgd", {"loss": "margin"}),
        ("pgd", {"loss": "dlr"}),
        ("bim", {"loss": "scaled_cross_entropy", "labels": "predicted"}),
    ],
    ids=str,
)
def test_each_image_falls_where_independent_runs_break_it_or_before(attacked, method, fields, norm):
    network, x, labels, sizes = attacked
    settings = AttackSettings(method, norm=norm, **STEPS, **fields)
    target, epsilons = target_on(network), [f"{size:g}" for size in sizes[norm]]
    alone = independent(target, x, labels, epsilons, settings)
    together, _, _ = cascade(target, x, labels, epsilons, settings)
    assert (together <= alone).all()
    assert len(set(alone)) > 3  # they fall at several epsilons


@pytest.mark.parametrize("norm", ["inf", "2"])
@pytest.mark.parametrize("restarts", [1, 3])
def test_a_random_start_finds_no_less_either(attacked, norm, restarts):
    """Its points are drawn otherwise than cleverhans', so the images that fall are counted."""
    network, x, labels, sizes = attacked
    settings = AttackSettings("pgd", norm=norm, **STEPS, random_start=True, restarts=restarts)
    for size in sizes[norm][1:4:2]:
        target, epsilon = target_on(network), f"{size:g}"
        alone = np.isfinite(independent(target, x, labels, [epsilon], settings)).sum()
        together = np.isfinite(cascade(target, x, labels, [epsilon], settings)[0]).sum()
        assert together >= alone - 0.05 * len(x)


@pytest.mark.parametrize("norm", ["inf", "2"])
@pytest.mark.parametrize("loss", LOSSES)
def test_an_image_becomes_the_first_misclassified_point_of_its_way(attacked, norm, loss):
    network, x, labels, sizes = attacked
    settings, size = AttackSettings("pgd", norm=norm, loss=loss, **STEPS), sizes[norm][2]
    points = ways(network, x, labels, settings, size)
    first = first_error(network, points, labels)
    found = target_on(network).search(x, labels, settings, f"{size:g}")
    expected = points[np.minimum(first, len(points) - 1), np.arange(len(x))]
    assert found.dtype == np.float32
    same = np.abs(found - expected).max((1, 2, 3)) < 1e-5
    assert same.mean() > 0.95  # where rounding turned the sign of a gradient near 0, the way is another
    assert len(set(first)) > 3 and first.max() == len(points)  # some fall soon, some late, some never


def test_a_point_that_the_attack_walks_past_counts():
    """Grey is misclassified between 0.515 and 0.545: a step of 0.04 leads from 0.5 to 0.54, and the next one back."""

    def network(z, training=False):
        error = 0.015 - tf.abs(tf.reduce_mean(z, (1, 2, 3)) - 0.53)
        return tf.stack([tf.zeros_like(error), 100 * error], 1)

    x, labels = np.full((3, 4, 4, 1), 0.5, "f4"), np.zeros(3, int)
    settings, target = AttackSettings("pgd", relative_step=0.4, iterations=2), target_on(network)
    assert np.abs(target.craft(x, labels, settings, "0.1") - 0.5).max() < 1e-6
    assert np.abs(target.search(x, labels, settings, "0.1") - 0.54).max() < 1e-6


@pytest.mark.parametrize("norm", ["inf", "2"])
@pytest.mark.parametrize("start", [False, True])
def test_examples_pass_the_evaluations_checks(attacked, norm, start):
    network, x, labels, sizes = attacked
    settings = AttackSettings("pgd", norm=norm, **STEPS, random_start=start)
    epsilons = [f"{size:g}" for size in sizes[norm]]
    _, found, at = cascade(target_on(network), x, labels, epsilons, settings)
    fell = at != ""
    assert (network(found).numpy().argmax(1) != labels).tolist() == fell.tolist() and fell.sum() > 20
    clean = dataclasses.replace(images(len(x)), images=np.rint(x * 255).astype(np.uint8), labels=labels)
    note = {"norm": norm, "epsilon_unit": "0-1", "model_sha256": "hash"}
    names, rounds = np.full(fell.sum(), "a"), np.ones(fell.sum(), int)
    examples = WorstCaseSet(found[fell], clean.indices[fell], at[fell], names, rounds, note)
    check_worst_case(examples, clean, CLIP, "hash")


def test_a_vanishing_gradient_is_followed_as_far_as_cleverhans_follows_it():
    """In the Euclidean norm it gets the loss times 1e12, which keeps a gradient above the smallest number on its way back."""
    curved, x = curved_network(), to_pixels(images(60).images, CLIP)
    dense = curved.layers[-2]
    dense.set_weights([1e9 * weights for weights in dense.get_weights()])
    network = keras.Sequential([curved, keras.layers.Rescaling(1e-7)])  # logits some 70 apart
    labels = network(x).numpy().argmax(1)
    settings = AttackSettings("pgd", norm="2", **STEPS)
    context = context_of(network, settings, 1.0, 0.25, CLIP, 0)
    lost = [(context.loss_and_gradient(x, labels, loss)[1] == 0).all((1, 2, 3)) for loss in (None, context.loss_fn)]
    assert (lost[0] & ~lost[1]).sum() >= 3
    target = target_on(network)
    found, crafted = (run(x, labels, settings, "0.2") for run in (target.search, target.craft))
    moved = [(run != x).any((1, 2, 3)) for run in (found, crafted)]
    assert (moved[0] == ~lost[1]).all() and (moved[0] >= moved[1]).all()


@pytest.mark.parametrize(
    "settings",
    [
        AttackSettings("bim", **STEPS, clip="pixel_range"),
        AttackSettings("pgd", **STEPS, target="least_likely"),
        AttackSettings("mim", **STEPS),
        AttackSettings("apgd", iterations=5),
        AttackSettings("square", queries=5),
    ],
    ids=lambda settings: "-".join(filter(None, (settings.method, settings.target, settings.clip))),
)
def test_all_else_is_crafted_as_it_is(attacked, settings):
    network, x, labels, _ = attacked
    target = target_on(network)
    found, crafted = (run(x, labels, settings, "0.02") for run in (target.search, target.craft))
    assert found.tobytes() == crafted.tobytes()


# --- random starts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["inf", "2"])
def test_starts_are_uniform_in_the_ball(norm):
    """A network that is always wrong ends every way where it begins."""
    x, epsilon = np.full((3000, 2, 2, 1), 0.5, "f4"), 0.25

    def wrong(z, training=False):
        return tf.one_hot(tf.ones(tf.shape(z)[0], tf.int32), 3) + 0 * tf.reduce_sum(z)

    settings = AttackSettings("pgd", norm=norm, **STEPS, random_start=True)
    moved = target_on(wrong, batch_size=700).search(x, np.zeros(3000, int), settings, str(epsilon)) - x
    assert len({start.tobytes() for start in moved}) == 3000
    np.testing.assert_allclose(moved.mean(0), 0, atol=0.02)
    # The maximum norm of a uniform point, and the Euclidean one, are epsilon x u^(1/4) with u uniform on [0, 1].
    shares = np.sort((lengths(moved, norm) / epsilon) ** 4)
    np.testing.assert_allclose(shares, (np.arange(3000) + 0.5) / 3000, atol=0.04)
    if norm == "inf":
        np.testing.assert_allclose(np.sort(moved, axis=None), np.linspace(-epsilon, epsilon, 12000), atol=0.01)


def test_the_seed_decides_and_nothing_else(attacked):
    network, x, labels, sizes = attacked
    settings = AttackSettings("pgd", **STEPS, random_start=True, restarts=2)
    bits = [target_on(network, seed).search(x, labels, settings, f"{sizes['inf'][2]}").tobytes() for seed in (3, 3, 4)]
    assert bits[0] == bits[1] != bits[2]


# --- what it costs ---------------------------------------------------------------------------------------------------


class Asked:
    """A network that notes, for each gradient, which images it was asked about, also in TensorFlow's compiled copies.

    It does not see an image's first pixel, which therefore tells the image: 0.2 + its number x spacing.
    """

    def __init__(self, network, spacing=0.01):
        self.network, self.output_shape, self.spacing = network, network.output_shape, spacing
        self.gradients, self.traces = [], 0
        self.unseen = np.zeros((8, 8, 1), "f4")
        self.unseen[0, 0] = 1

    def numbered(self, x):
        x = x.copy()
        x[:, 0, 0, 0] = 0.2 + self.spacing * np.arange(len(x))
        return x

    def note(self, first_pixels):
        self.gradients.append(np.rint((first_pixels - 0.2) / self.spacing).astype(int))
        return np.int32(0)

    def __call__(self, x, training=False):
        self.traces += not tf.executing_eagerly()

        @tf.custom_gradient
        def noted(z):
            def gradient(upstream):
                tf.numpy_function(self.note, [z[:, 0, 0, 0]], tf.int32)
                return upstream

            return tf.identity(z), gradient

        return self.network(noted(tf.convert_to_tensor(x)) * (1 - self.unseen))

    def times(self, n):
        """How many gradients each of n images cost."""
        return np.bincount(np.concatenate(self.gradients), minlength=n)


@pytest.fixture
def asked(attacked):
    network = Asked(attacked[0])
    x = network.numbered(attacked[1])
    return network, x, network(x).numpy().argmax(1), attacked[3]


@pytest.mark.parametrize("norm", ["inf", "2"])
def test_an_image_costs_gradients_until_it_falls_and_batches_stay_full(asked, norm):
    network, x, labels, sizes = asked
    settings, size = AttackSettings("pgd", norm=norm, **STEPS), sizes[norm][2]
    first = first_error(network, ways(network, x, labels, settings, size), labels)
    network.gradients.clear()
    target_on(network).search(x, labels, settings, f"{size:g}")
    # The gradient and the logits of a point are had in one, so the last gradient is taken at the misclassified point.
    expected = np.minimum(first + 1, 12)
    assert (network.times(len(x)) == expected).mean() > 0.95 and expected.min() < 6
    standing = [(expected > step).sum() for step in range(12)]
    assert abs(len(network.gradients) - sum(-(-n // 16) for n in standing)) <= 2
    assert max(len(which) for which in network.gradients) <= 16


def test_a_sweep_costs_a_part_of_independent_runs(asked):
    network, x, labels, sizes = asked
    settings, target = AttackSettings("pgd", **STEPS), target_on(network, batch_size=len(x))
    epsilons = [f"{size:g}" for size in np.linspace(sizes["inf"][0], sizes["inf"][-1], 8)]
    alone = independent(target, x, labels, epsilons, settings)
    network.gradients.clear()
    together, _, _ = cascade(target, x, labels, epsilons, settings)
    assert (together <= alone).all()
    assert (network.times(len(x))[together == float(epsilons[0])] <= 12).all()  # at no other epsilon
    assert (network.times(len(x))[np.isinf(together)] == 8 * 12).all()
    between_epsilons = sum(12 * (together >= float(epsilon)).sum() for epsilon in epsilons)
    assert network.times(len(x)).sum() < between_epsilons < 8 * 12 * len(x)


def test_the_gradient_is_traced_twice_however_many_sizes_batches_have(asked):
    """Once for the first batch, once for any size; so are the logits."""
    network, x, labels, sizes = asked
    network.traces = 0
    cascade(target_on(network), x, labels, [f"{size:g}" for size in sizes["inf"]], AttackSettings("pgd", **STEPS))
    assert len({len(which) for which in network.gradients}) > 3
    assert network.traces <= 4


def test_later_restarts_are_spent_on_what_stands():
    network = Asked(curved_network(), spacing=0.08)  # further apart than a random start of 0.02 can bring them
    x = network.numbered(to_pixels(images(9).images, CLIP))
    labels = network(x).numpy().argmax(1)
    settings = AttackSettings("pgd", relative_step=0.5, iterations=3, random_start=True, restarts=4)
    found = first_errors(context_of(network, settings, 0.02, 0.01, CLIP, 1), x, labels, 9)
    fell = network(found).numpy().argmax(1) != labels
    assert 0 < fell.sum() < 9
    for before, after in pairwise(network.gradients):
        assert set(after) <= set(before)
    assert (network.times(9)[~fell] == 4 * 3).all()
    assert set(network.gradients[-1]) >= set(np.flatnonzero(~fell)) and len(network.gradients[3]) < 9
