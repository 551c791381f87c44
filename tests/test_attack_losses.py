"""The losses that attacks climb, against plain formulas and finite differences in float64."""

import numpy as np
import pytest
import tensorflow as tf
from networks import curved_network, images

from robustness.attacks.attack_losses import (
    check_classes_of_dlr,
    cross_entropy,
    difference_of_logits_ratio,
    loss_named,
    margin,
    scaled_cross_entropy,
)
from robustness.attacks.attack_settings import AttackSettings
from robustness.attacks.crafting import craft
from robustness.data.datasets import to_pixels
from robustness.errors import UserError

LOGITS = np.random.default_rng(0).normal(scale=6, size=(60, 5))
LABELS = np.random.default_rng(1).integers(0, 5, 60)


def plain_cross_entropy(z, label):
    return -np.log(np.exp(z[label]) / sum(np.exp(value) for value in z))


def plain_margin(z, label):
    return max(value for i, value in enumerate(z) if i != label) - z[label]


def plain_dlr(z, label):
    falling = sorted(z, reverse=True)
    return -(z[label] - max(value for i, value in enumerate(z) if i != label)) / (falling[0] - falling[2])


def found_scale(z):
    return max(1.0, (max(z) - min(z)) / 10)


# The loss, and its plain formula; what the formula holds constant is a function of the row where the gradient is taken.
LOSSES = {
    "cross_entropy": (cross_entropy, lambda z, label, at: plain_cross_entropy(z, label)),
    "scaled by 7": (scaled_cross_entropy(7.0), lambda z, label, at: plain_cross_entropy(z / 7, label)),
    "scaled by the logits": (
        scaled_cross_entropy(None),
        lambda z, label, at: plain_cross_entropy(z / found_scale(at), label),
    ),
    "margin": (margin, lambda z, label, at: plain_margin(z, label)),
    "dlr": (difference_of_logits_ratio, lambda z, label, at: plain_dlr(z, label)),
}


def value_and_gradient(loss, labels, logits):
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(tf.constant(labels, tf.int64), logits)
    return value.numpy(), tape.gradient(value, logits).numpy()


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_and_its_gradient_are_those_of_the_formula(name):
    loss, plain = LOSSES[name]
    value, gradient = value_and_gradient(loss, LABELS, LOGITS)
    np.testing.assert_allclose(value, [plain(z, label, z) for z, label in zip(LOGITS, LABELS)], rtol=1e-9)
    h = 1e-6
    for z, label, row in zip(LOGITS, LABELS, gradient):
        for i, slope in enumerate(row):
            moved = h * np.eye(5)[i]
            differences = (plain(z + moved, label, z) - plain(z - moved, label, z)) / (2 * h)
            assert slope == pytest.approx(differences, rel=1e-5, abs=1e-8)


def test_both_sides_of_the_scale_found_from_the_logits_are_tested():
    scales = np.array([found_scale(z) for z in LOGITS])
    assert (scales == 1).any() and (scales > 1.5).any()


@pytest.mark.parametrize("name", LOSSES)
def test_the_sign_of_a_margin_and_of_dlr_is_that_of_the_error(name):
    value, _ = value_and_gradient(LOSSES[name][0], LABELS, LOGITS)
    wrong = LOGITS.argmax(1) != LABELS
    assert wrong.any() and not wrong.all()
    if name in ("margin", "dlr"):
        assert ((value > 0) == wrong).all()
    else:
        assert value[wrong].min() > np.log(2)  # less than half of the probability is left


@pytest.mark.parametrize(
    ("name", "alive"),
    [
        ("cross_entropy", False),
        ("scaled by 7", False),  # a temperature far below the logits' scale does not help
        ("scaled by the logits", True),
        ("margin", True),
        ("dlr", True),
    ],
)
def test_the_gradient_on_huge_logits_in_float32(name, alive):
    """What training at a high temperature brings about: logits x 1e4, all predictions right."""
    logits = (1e4 * LOGITS).astype("f4")
    _, gradient = value_and_gradient(LOSSES[name][0], LOGITS.argmax(1), logits)
    assert ((gradient != 0).any(1) == alive).all()


def test_a_scale_as_large_as_the_logits_brings_the_gradient_back():
    logits = (1e4 * LOGITS).astype("f4")
    _, gradient = value_and_gradient(scaled_cross_entropy(1e4), LOGITS.argmax(1), logits)
    _, expected = value_and_gradient(cross_entropy, LOGITS.argmax(1), LOGITS)
    np.testing.assert_allclose(1e4 * gradient, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("factor", "shift"), [(1e4, 0), (3.0, 100.0)])
def test_dlr_does_not_depend_on_scale_and_shift(factor, shift):
    """Croce and Hein 2020, section 4: invariant to both."""
    value, _ = value_and_gradient(difference_of_logits_ratio, LABELS, factor * LOGITS + shift)
    np.testing.assert_allclose(value, [plain_dlr(z, label) for z, label in zip(LOGITS, LABELS)], rtol=1e-9)


def test_dlr_of_two_classes_is_told():
    with pytest.raises(UserError, match="needs three classes or more: choose the loss margin"):
        check_classes_of_dlr(2)
    check_classes_of_dlr(3)


@pytest.mark.parametrize("method", ["apgd", "pgd"])
def test_dlr_of_two_classes_is_told_by_an_attack(method):
    network = curved_network(classes=2)
    with pytest.raises(UserError, match="needs three classes or more"):
        craft(
            network,
            to_pixels(images(4).images, (0.0, 1.0)),
            np.array([0, 1, 0, 1]),
            AttackSettings(method, loss="dlr", iterations=2, relative_step=0.5 if method == "pgd" else None),
            *(0.1, 0.05, (0.0, 1.0), 0, 4),
        )


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (AttackSettings("pgd"), "cross_entropy"),
        (AttackSettings("pgd", loss="scaled_cross_entropy", logit_scale=7.0), "scaled by 7"),
        (AttackSettings("apgd", loss="scaled_cross_entropy"), "scaled by the logits"),
        (AttackSettings("bim", loss="margin"), "margin"),
        (AttackSettings("apgd", loss="dlr"), "dlr"),
        (AttackSettings("fmn"), "margin"),  # has no other
        (AttackSettings("mim"), "cross_entropy"),  # cleverhans' own takes no other
    ],
    ids=lambda value: value if isinstance(value, str) else value.method,
)
def test_an_attack_climbs_the_loss_of_its_settings(settings, name):
    value, _ = value_and_gradient(loss_named(settings.climbed_loss, settings.logit_scale), LABELS, LOGITS)
    np.testing.assert_allclose(value, [LOSSES[name][1](z, label, z) for z, label in zip(LOGITS, LABELS)], rtol=1e-9)
