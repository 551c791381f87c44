"""The project's own attacks beside those of Adversarial Robustness Toolbox and Foolbox, on a small trained network."""

import eagerpy as ep
import foolbox
import keras
import numpy as np
import pytest
import tensorflow as tf
from art.attacks.evasion import AutoProjectedGradientDescent, SaliencyMapMethod, SquareAttack
from art.estimators.classification import TensorFlowV2Classifier
from networks import images

from robustness.attacks.attack_settings import AttackSettings
from robustness.attacks.crafting import craft
from robustness.data.datasets import to_pixels

CLIP = (0.0, 1.0)
N, SIDE = 96, 16


@pytest.fixture(scope="module")
def network():
    """A convolutional network that was trained for some seconds."""
    keras.utils.set_random_seed(5)
    data = images(640, SIDE, seed=7)
    layers = [
        keras.layers.Input((SIDE, SIDE, 1)),
        keras.layers.Conv2D(8, 3, strides=2, activation="relu"),
        keras.layers.Conv2D(16, 3, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(4),
    ]
    network = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(3e-3), loss)
    network.fit(to_pixels(data.images, CLIP), data.labels, batch_size=64, epochs=8, verbose=0)
    network.trainable = False
    return network


@pytest.fixture(scope="module")
def data(network):
    held_out = images(N, SIDE, seed=8)
    x = to_pixels(held_out.images, CLIP)
    assert (network(x).numpy().argmax(1) == held_out.labels).mean() > 0.95
    return x, held_out.labels


@pytest.fixture(scope="module")
def classifier(network):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return TensorFlowV2Classifier(network, 4, (SIDE, SIDE, 1), loss_object=loss, clip_values=CLIP)


def run(network, data, settings, epsilon):
    return craft(network, *data, settings, epsilon, epsilon, CLIP, 0, N)[0]


def survivors(network, found, data, norm, epsilon):
    """How many images are still classified correctly; all are in the ball and the range.

    The toolbox's Square attack gives images without numbers in the Euclidean norm: they did not fall.
    """
    numbers = np.isfinite(found).all((1, 2, 3))
    found = np.where(numbers[:, None, None, None], found, data[0])
    flat = (found.astype("f8") - data[0]).reshape(N, -1)
    reached = np.abs(flat).max(1) if norm == "inf" else np.sqrt((flat**2).sum(1))
    assert reached.max() <= epsilon * (1 + 1e-5) and found.min() >= 0 and found.max() <= 1
    return int((network(found).numpy().argmax(1) == data[1]).sum())


def alike(ours, theirs, tolerance):
    """Some, but not all images survive; of each hundred ours and theirs differ by `tolerance` at most."""
    assert 0.2 < theirs / N < 0.8
    return abs(ours - theirs) <= tolerance * N / 100


@pytest.mark.parametrize(("norm", "epsilon"), [("inf", 0.133), ("2", 1.27)])
@pytest.mark.parametrize(("loss", "theirs"), [("cross_entropy", "cross_entropy"), ("dlr", "difference_logits_ratio")])
def test_apgd_beside_that_of_the_toolbox(network, classifier, data, norm, epsilon, loss, theirs):
    ours = run(network, data, AttackSettings("apgd", norm=norm, loss=loss, iterations=20), epsilon)
    other = AutoProjectedGradientDescent(
        classifier,
        norm={"inf": np.inf, "2": 2}[norm],
        eps=epsilon,
        eps_step=2 * epsilon,
        max_iter=20,
        nb_random_init=1,
        batch_size=N,
        loss_type=theirs,
        verbose=False,
    ).generate(*data)
    standing = [survivors(network, found, data, norm, epsilon) for found in (ours, other)]
    assert alike(*standing, tolerance=6)


@pytest.mark.parametrize(("norm", "epsilon"), [("inf", 0.18), ("2", 2.6)])
def test_square_is_no_weaker_than_that_of_the_toolbox(network, classifier, data, norm, epsilon):
    """Both are random. The toolbox proposes squares that change nothing, and moves the same pixels of all images."""
    ours = run(network, data, AttackSettings("square", norm=norm, queries=150), epsilon)
    np.random.seed(0)
    norm_of_theirs = {"inf": np.inf, "2": 2}[norm]
    attack = SquareAttack(classifier, norm_of_theirs, eps=epsilon, max_iter=150, batch_size=N, verbose=False)
    standing = [survivors(network, found, data, norm, epsilon) for found in (ours, attack.generate(*data))]
    assert 0.2 < standing[0] / N < 0.8 and standing[0] <= standing[1] + 0.05 * N, standing


class Projecting(foolbox.attacks.L2FMNAttack):
    """Foolbox 3.3.4 projects to no ball in the Euclidean norm: it divides a length by itself."""

    def project(self, x, x0, epsilon):
        lengths = ep.maximum((x - x0).flatten(start=1).norms.l2(axis=-1), 1e-12)
        return x0 + (x - x0) * ep.minimum(1, epsilon / lengths).reshape((-1, 1, 1, 1))


def norms_of_foolbox(network, data, attack):
    """The lengths of what an attack of Foolbox finds, infinity where it finds nothing."""
    x, labels = data
    found, _, _ = attack(foolbox.TensorFlowModel(network, CLIP), tf.constant(x), tf.constant(labels), epsilons=[None])
    return found_norms(network, data, found[0].numpy(), attack.distance)


def found_norms(network, data, found, distance):
    x, labels = data
    wrong = network(found).numpy().argmax(1) != labels
    return np.where(wrong, distance(tf.constant(x), tf.constant(found)).numpy(), np.inf)


@pytest.mark.parametrize(
    ("norm", "attack", "tolerance"),
    [
        ("inf", foolbox.attacks.LInfFMNAttack, 0.02),
        ("2", foolbox.attacks.DDNAttack, 0.04),  # of another kind: decoupled direction and norm
    ],
)
def test_fmn_finds_examples_as_near_as_those_of_foolbox(network, data, norm, attack, tolerance):
    attack = attack(steps=60)
    found = run(network, data, AttackSettings("fmn", norm=norm, iterations=60), 100.0)
    ours, theirs = found_norms(network, data, found, attack.distance), norms_of_foolbox(network, data, attack)
    assert np.isfinite(ours).all()
    for share in (0.25, 0.5, 0.75):
        near, far = (np.quantile(norms, share, method="nearest") for norms in (ours, theirs))
        assert near == pytest.approx(far, rel=tolerance)


def test_fmn_finds_examples_where_that_of_foolbox_stays_on_the_boundary(network, data):
    """In the Euclidean norm, once its projection is mended."""
    found = run(network, data, AttackSettings("fmn", norm="2", iterations=60), 100.0)
    ours = found_norms(network, data, found, foolbox.distances.l2)
    theirs = norms_of_foolbox(network, data, Projecting(steps=60))
    assert np.isfinite(ours).all() and np.isfinite(theirs).mean() < 0.9
    both = np.isfinite(theirs)
    assert np.median(ours[both] / theirs[both]) < 1.01


def test_the_euclidean_attack_of_foolbox_still_projects_to_no_ball(network, data):
    """All that it finds is one step long; if this fails, Projecting is no longer needed."""
    theirs = norms_of_foolbox(network, data, foolbox.attacks.L2FMNAttack(steps=20))
    assert np.median(theirs) > 0.9


def test_carlini_wagner_finds_examples_as_near_as_that_of_foolbox(network, data):
    settings = {"binary_search_steps": 5, "initial_constant": 0.1, "learning_rate": 0.02}
    ours = AttackSettings("carlini_wagner", norm="2", iterations=60, own=settings)
    found = run(network, data, ours, 100.0)
    theirs = foolbox.attacks.L2CarliniWagnerAttack(
        binary_search_steps=5, steps=60, stepsize=0.02, initial_const=0.1, abort_early=False
    )
    ours, theirs = found_norms(network, data, found, theirs.distance), norms_of_foolbox(network, data, theirs)
    assert np.isfinite(ours).mean() > 0.95
    for share in (0.25, 0.5, 0.75):
        near, far = (np.quantile(norms, share, method="nearest") for norms in (ours, theirs))
        assert near == pytest.approx(far, rel=0.01)


def test_that_of_foolbox_still_gives_black_images_where_it_finds_nothing(network, data):
    attack = foolbox.attacks.L2CarliniWagnerAttack(binary_search_steps=1, steps=1)
    model = foolbox.TensorFlowModel(network, CLIP)
    found, _, _ = attack(model, *map(tf.constant, data), epsilons=[None])
    assert ((found[0].numpy() == 0).all((1, 2, 3)) & (data[0] != 0).any((1, 2, 3))).mean() > 0.9


def test_jsma_beside_that_of_the_toolbox_which_changes_more_than_it_may(network, classifier, data):
    """The toolbox looks at the target's gradient alone, which is another way, and at the share only when it is passed."""
    x, labels = data
    targets = (labels + 1) % 4
    theirs = SaliencyMapMethod(classifier, theta=1.0, gamma=0.05, batch_size=N, verbose=False)
    theirs = theirs.generate(x, np.eye(4)[targets])
    ours = np.empty_like(x)
    for target in range(4):
        which = targets == target
        aimed = AttackSettings("jsma", norm="0", target=str(target))
        ours[which] = craft(network, x[which], labels[which], aimed, 0.05, 1, CLIP, 0, N)[0]
    shares = [(found != x).reshape(N, -1).mean(1) for found in (ours, theirs)]
    assert shares[0].max() <= 0.05 < shares[1].max()
    within = [
        (network(found).numpy().argmax(1) == targets) & (share <= 0.05)
        for found, share in zip((ours, theirs), shares, strict=True)
    ]
    assert 0.2 < within[0].mean() < 1 and within[0].sum() >= 0.85 * within[1].sum()
