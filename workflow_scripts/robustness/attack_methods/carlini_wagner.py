"""Carlini and Wagner's attack in the Euclidean norm (2017, arXiv 1608.04644, section V-A): the nearest example, by Adam.

Minimises the squared distance plus c times how far the image is from fooling with the wanted confidence (f6), in the
variable w whose hyperbolic tangent is the pixel; c is searched by bisection, image by image. One run tells for every
epsilon. Distances are of pixels from 0 to 1 whatever the network's range, so that constants mean the same everywhere.

That of cleverhans 4.0.0 can't be used: it empties its optimizer by `optimizer.variables()`, which Keras 3 no longer has, and
its constants have the shape of the images where its losses have one an image. Foolbox 3.3.4 has one that runs and finds the same
distances, in 1.6 times the processor time on the quick study's network; where it finds nothing it gives a black image. That of
Adversarial Robustness Toolbox 1.20.1 took more than ten times as long. Tests hold this one beside Foolbox's.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import tensorflow as tf

from robustness.attacks.attack_losses import loss_named
from robustness.attacks.lengths import lengths

KEYS = ("target", "iterations")
REQUIRED = ("iterations",)
NORMS = ("2",)
CLIMBS = "margin"
MINIMUM_NORM = True
SETTINGS = {
    "type": "object",
    "properties": {
        "confidence": {
            "type": "number",
            "minimum": 0,
            "default": 0,
            "description": "By how much the logit of the wrong class has to exceed the true one's (kappa).",
        },
        "learning_rate": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 0.01,
            "description": "Of Adam, in the variable whose hyperbolic tangent is the pixel.",
        },
        "binary_search_steps": {
            "type": "integer",
            "minimum": 1,
            "default": 9,
            "description": "How many constants are tried; each costs all iterations.",
        },
        "initial_constant": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 0.001,
            "description": "The first constant (c), the weight of fooling against the squared distance.",
        },
    },
}
SHRINK = 1 - 1e-6  # black and white lie at infinity of the hyperbolic tangent
DECAYS = 0.9, 0.999  # of Adam's two moments


def attack(context, images, labels):
    """The nearest example that was found, if it lies within epsilon, else the image itself."""
    images, labels, own = np.asarray(images), np.asarray(labels), context.own
    descend = _descent(
        context.logits_of,
        context.settings.targeted,
        context.settings.iterations,
        own["confidence"],
        own["learning_rate"],
        context.clip,
        context.rejects and not context.settings.targeted,
    )
    best, nearest = images.copy(), np.full(len(images), np.inf)
    constant = np.full(len(images), own["initial_constant"])
    low, high = np.zeros(len(images)), np.full(len(images), np.inf)
    for _ in range(own["binary_search_steps"]):
        found, square = (array.numpy() for array in descend(images, labels, constant.astype(np.float32)))
        nearer, fooled = square < nearest, np.isfinite(square)
        best[nearer], nearest[nearer] = found[nearer], square[nearer]
        low, high = np.where(fooled, low, constant), np.where(fooled, constant, high)
        constant = np.where(np.isfinite(high), (low + high) / 2, 10 * constant)
    return np.where(lengths(best - images, 2) <= context.epsilon, best, images)


@lru_cache(maxsize=8)
def _descent(
    logits_of: Callable,
    targeted: bool,
    iterations: int,
    confidence: float,
    rate: float,
    clip: tuple[float, float],
    spare_rejection: bool,
) -> Callable:
    """(images, labels, constants (n,)) -> the nearest image that fools on the way, and its squared distance (infinity: none).

    Compiled once for all batches of a network. spare_rejection: the last logit is a rejection's and counts with the true class.
    """
    margin = loss_named("margin", spare_rejection=spare_rejection)
    bottom, width = clip[0], clip[1] - clip[0]

    def lead(labels, logits):
        """How far the wrong class is ahead, and whether that is what the prediction says."""
        ahead, answer = margin(labels, logits), tf.argmax(logits, 1)
        right = answer == labels
        if spare_rejection:
            right |= answer == logits.shape[1] - 1
        ahead, right = (-ahead, ~right) if targeted else (ahead, right)
        return ahead, (ahead >= confidence) & ~right

    @tf.function(reduce_retracing=True)
    def descend(images, labels, constants):
        source = (images - bottom) / width
        _, there = lead(labels, logits_of(images))  # at once: it is its own nearest example
        best, nearest = images, tf.where(there, 0.0, float("inf"))
        w = tf.atanh((2 * source - 1) * SHRINK)
        first, second = tf.zeros_like(w), tf.zeros_like(w)
        for k in tf.range(1.0, iterations + 1.0):
            with tf.GradientTape() as tape:
                tape.watch(w)
                share = (tf.tanh(w) + 1) / 2
                pixels = tf.clip_by_value(bottom + width * share, *clip)
                square = tf.reduce_sum((share - source) ** 2, (1, 2, 3))
                ahead, fooled = lead(labels, logits_of(pixels))
                loss = square + constants * tf.maximum(confidence - ahead, 0.0)
            gradient = tape.gradient(loss, w)
            nearer = fooled & (square < nearest)
            best, nearest = tf.where(nearer[:, None, None, None], pixels, best), tf.where(nearer, square, nearest)
            first = DECAYS[0] * first + (1 - DECAYS[0]) * gradient
            second = DECAYS[1] * second + (1 - DECAYS[1]) * gradient**2
            step = first / (1 - DECAYS[0] ** k) / (tf.sqrt(second / (1 - DECAYS[1] ** k)) + 1e-8)
            w -= rate * step
        return best, nearest

    return lambda images, labels, constants: descend(
        tf.constant(images), tf.constant(labels, tf.int64), tf.constant(constants)
    )
