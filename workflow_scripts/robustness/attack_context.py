"""What an attack gets to know about the network, its task and its chance."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import tensorflow as tf

from robustness.attack_losses import loss_of
from robustness.attack_settings import AttackSettings


@dataclass(frozen=True)
class Context:
    """What an attack on one network needs, epsilon and step in the units of its pixels.

    logits_of: one callable for all batches, (n, h, w, c) float32 tensor -> (n, classes). clip: (low, high) pixels.
    random: of attacks that draw with NumPy; those of cleverhans draw from TensorFlow's global seed.
    """

    logits_of: Callable[[tf.Tensor], tf.Tensor]
    settings: AttackSettings
    epsilon: float
    step: float
    clip: tuple[float, float]
    random: np.random.Generator

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
            "sanity_checks": False,  # they raise whenever pixels are clipped; the evaluation checks the arrays
        }

    @cached_property
    def loss_fn(self) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        """The loss for cleverhans: one object for all batches, since a new one makes it trace the gradient again.

        In the Euclidean norm it is multiplied by 1e12: the same direction, far above the length of 1e-6 under which
        cleverhans makes a shorter step than asked for.
        """
        loss = loss_of(self.settings)
        if self.norm == 2:
            return lambda labels, logits: 1e12 * loss(labels, logits)
        return lambda labels, logits: loss(labels, logits)

    @cached_property
    def _compiled(self) -> Callable:
        loss_of_logits = loss_of(self.settings)

        @tf.function(reduce_retracing=True)
        def loss_and_gradient(images, labels):
            with tf.GradientTape() as tape:
                tape.watch(images)
                logits = self.logits_of(images)
                loss = loss_of_logits(labels, logits)
            return loss, tape.gradient(loss, images), logits

        return loss_and_gradient

    def loss_and_gradient(self, images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Loss (n,), its gradient with respect to the pixels (n, h, w, c), and logits (n, classes), as NumPy arrays."""
        found = self._compiled(tf.constant(images), tf.constant(labels, tf.int64))
        return tuple(array.numpy() for array in found)

    @cached_property
    def _compiled_logits(self) -> Callable:
        return tf.function(self.logits_of, reduce_retracing=True)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits (n, classes) of pixels, as NumPy arrays."""
        return self._compiled_logits(tf.constant(images)).numpy()


def lengths(perturbation: np.ndarray, norm: float) -> np.ndarray:
    """The norm (numpy.inf, 2 or 1) of each perturbation, shaped (n, 1, 1, 1)."""
    flat = np.linalg.norm(perturbation.reshape(len(perturbation), -1), ord=norm, axis=1)
    return flat[:, None, None, None].astype(np.float32)


def project(candidate: np.ndarray, images: np.ndarray, epsilon: np.ndarray | float, context: Context) -> np.ndarray:
    """The nearest point to a candidate in the ball of radius epsilon (a number, or (n, 1, 1, 1)), cut to the pixels.

    Cutting moves every pixel towards the image's own, so that it leaves no ball of either norm.
    """
    delta = candidate - images
    if context.norm == 2:
        delta *= np.minimum(1, epsilon / np.maximum(lengths(delta, 2), 1e-30))
    else:
        delta = np.clip(delta, -epsilon, epsilon)
    return np.clip(images + delta, *context.clip).astype(np.float32)


def steepest(gradient: np.ndarray, norm: float) -> np.ndarray:
    """The direction of length 1 in the norm along which the loss grows fastest; 0 where the gradient is 0."""
    if norm == np.inf:
        return np.sign(gradient)
    scaled = gradient / np.maximum(np.abs(gradient).max(axis=(1, 2, 3), keepdims=True), 1e-38)  # squares stay above 0
    return scaled / np.maximum(lengths(scaled, 2), 1e-30)


def random_direction(shape: tuple[int, ...], context: Context) -> np.ndarray:
    """Random directions of length 1 in the norm: signs, or uniform on the Euclidean sphere; float32."""
    if context.norm == np.inf:
        return context.random.choice(np.array([-1, 1], np.float32), shape)
    drawn = context.random.normal(size=shape).astype(np.float32)
    return drawn / lengths(drawn, 2)
