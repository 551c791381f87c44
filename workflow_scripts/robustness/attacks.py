"""Crafting adversarial images with cleverhans.

To add an attack: write a function (context, images, labels) -> adversarial images for one batch, decorate it with
`method`, and describe its keys in the schema's definition of attacks.

Traps of cleverhans 4.0.0 that are stepped around here, each held by a test: sanity_checks=True raises as soon as
pixels are clipped; a step larger than epsilon is an assertion error; the gradient is traced again for every new
model function; in the Euclidean norm a gradient shorter than 1e-6 makes a shorter step than asked for.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from cleverhans.tf2.attacks.fast_gradient_method import fast_gradient_method
from cleverhans.tf2.attacks.momentum_iterative_method import momentum_iterative_method
from cleverhans.tf2.attacks.projected_gradient_descent import projected_gradient_descent

from robustness.attack_settings import AttackSettings
from robustness.errors import UserError
from robustness.model_files import predict_logits


@dataclass(frozen=True)
class Context:
    """What an attack on one model needs, epsilon and step in the units of its pixels.

    logits_of: one callable for all batches, (n, h, w, c) float32 tensor -> (n, classes). clip: (low, high) pixels.
    """

    logits_of: Callable[[tf.Tensor], tf.Tensor]
    settings: AttackSettings
    epsilon: float
    step: float
    clip: tuple[float, float]

    @property
    def norm(self) -> float:
        """The norm as cleverhans names it."""
        return np.inf if self.settings.norm == "inf" else 2

    @property
    def steps(self) -> tuple[float, float, int, float]:
        """What an iterative attack of cleverhans takes after the images: epsilon, step, iterations, norm."""
        return self.epsilon, self.step, self.settings.iterations, self.norm

    @property
    def common(self) -> dict:
        """The keywords that all attacks of cleverhans share."""
        return {
            "clip_min": self.clip[0],
            "clip_max": self.clip[1],
            "targeted": self.settings.targeted,
            "loss_fn": amplified_cross_entropy if self.norm == 2 else None,  # None: cross-entropy
            "sanity_checks": False,  # they raise whenever pixels are clipped; the evaluation checks the arrays
        }


LOG = logging.getLogger(__name__)
METHODS: dict[str, Callable[[Context, tf.Tensor, tf.Tensor], tf.Tensor]] = {}


def method(function: Callable) -> Callable:
    """Register an attack under its function's name."""
    METHODS[function.__name__] = function
    return function


def amplified_cross_entropy(labels, logits):
    """Cross-entropy times 1e12: the same direction, far above the length under which cleverhans shortens a step."""
    return 1e12 * tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


@method
def fgsm(context: Context, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Fast gradient (sign) method (Goodfellow et al. 2015): one step of length epsilon."""
    return fast_gradient_method(context.logits_of, images, context.epsilon, context.norm, y=labels, **context.common)


@method
def bim(context: Context, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Basic iterative method (Kurakin et al. 2017): steps from the image itself, each projected to the ball.

    As cleverhans' own basic_iterative_method, which is its PGD without a random start and takes no loss.
    """
    return _projected_steps(context, images, labels, random_start=False)


@method
def mim(context: Context, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Momentum iterative method (Dong et al. 2018)."""
    settings = {key: value for key, value in context.common.items() if key != "loss_fn"}  # its gradient is normed first
    return momentum_iterative_method(
        context.logits_of,
        images,
        *context.steps,
        y=labels,
        decay_factor=context.settings.momentum,
        **settings,
    )


@method
def pgd(context: Context, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Projected gradient descent (Madry et al. 2018); of several restarts the one with the highest loss, per image."""
    best, best_loss = None, None
    for _ in range(context.settings.restarts):
        candidate = _projected_steps(context, images, labels, context.settings.random_start)
        if context.settings.restarts == 1:
            return candidate
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, context.logits_of(candidate))
        loss = -loss if context.settings.targeted else loss
        if best is None:
            best, best_loss = candidate, loss
        else:
            better = loss > best_loss
            best = tf.where(better[:, None, None, None], candidate, best)
            best_loss = tf.maximum(loss, best_loss)
    return best


def _projected_steps(context: Context, images: tf.Tensor, labels: tf.Tensor, random_start: bool) -> tf.Tensor:
    return projected_gradient_descent(
        context.logits_of,
        images,
        *context.steps,
        y=labels,
        rand_init=1.0 if random_start else None,
        **context.common,
    )


def choose_targets(logits: np.ndarray, labels: np.ndarray, target: str, seed: int) -> np.ndarray:
    """The class that a targeted attack aims at, for each image, never the true one.

    target: 'least_likely' (smallest logit among the wrong classes; Kurakin et al. 2017), 'random' (uniform over the
    wrong classes), or the number of a class; images of that class get -1, which means: not attacked.
    """
    n_classes = logits.shape[1]
    if target not in ("least_likely", "random") and not (target.isdigit() and int(target) < n_classes):
        raise UserError(f"target '{target}' is none of least_likely, random and the classes 0 to {n_classes - 1}.")
    if target == "least_likely":
        wrong = np.where(np.arange(n_classes) == labels[:, None], np.inf, logits)
        return wrong.argmin(axis=1).astype(np.int64)
    if target == "random":
        shift = np.random.default_rng([seed, 7]).integers(1, n_classes, len(labels))
        return (labels + shift) % n_classes
    return np.where(labels == int(target), -1, int(target)).astype(np.int64)


def craft(
    network,
    images: np.ndarray,
    labels: np.ndarray,
    settings: AttackSettings,
    epsilon: float,
    step: float,
    clip: tuple[float, float],
    seed: int,
    batch_size: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Adversarial images of a network and the targets aimed at: ((n, h, w, c) float32, (n,) int64, -1 for none).

    network: a Keras model from pixels to logits. images: (n, h, w, c) float32 pixels within clip. labels: (n,) int64.
    epsilon, step: in pixel units; epsilon 0 gives the images back. seed: of random starts and targets.
    Every batch has the same shape (the last is padded), so that the gradient is traced once.
    """
    targets = np.full(len(labels), -1, np.int64)
    if settings.targeted:
        targets = choose_targets(predict_logits(network, images, batch_size), labels, settings.target, seed)
    if epsilon == 0:
        return images.copy(), targets
    attacked = targets if settings.targeted else labels
    adversarial = images.copy()
    todo = np.flatnonzero(attacked >= 0)

    def logits_of(x):
        return network(x, training=False)

    context = Context(logits_of, settings, epsilon, step, clip)
    tf.random.set_seed(seed)
    shown = time.monotonic()
    for start in range(0, len(todo), batch_size):
        if time.monotonic() - shown > 10:
            shown = time.monotonic()
            LOG.info("%d of %d images", start, len(todo))
        which = todo[start : start + batch_size]
        padded = np.resize(which, min(batch_size, len(todo)))
        batch = METHODS[settings.method](
            context, tf.constant(images[padded]), tf.constant(attacked[padded], dtype=tf.int64)
        )
        adversarial[which] = batch.numpy()[: len(which)]
    return adversarial, targets
