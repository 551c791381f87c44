"""What an attack gets to know about the network, its task and its chance."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import tensorflow as tf

from robustness.attacks.attack_losses import loss_named
from robustness.attacks.attack_settings import AttackSettings
from robustness.attacks.lengths import lengths
from robustness.models.rejection import fooled, predictions, standing_margin


@dataclass(frozen=True)
class Context:
    """What an attack on one network needs, epsilon and step in the units of its pixels (in norm 0 epsilon is a share of values).

    logits_of: one callable for all batches, (n, h, w, c) float32 tensor -> (n, classes), with one logit more, the last, of
    a network that rejects. clip: (low, high) pixels. random: of attacks that draw with NumPy; those of cleverhans draw from
    TensorFlow's global seed. rejects: whether the network can reject (robustness/models/rejection.py).
    """

    logits_of: Callable[[tf.Tensor], tf.Tensor]
    settings: AttackSettings
    epsilon: float
    step: float
    clip: tuple[float, float]
    random: np.random.Generator
    rejects: bool = False

    @property
    def norm(self) -> float:
        """The norm as cleverhans names it: infinity, 2 or 0."""
        return float("inf") if self.settings.norm == "inf" else int(self.settings.norm)

    @property
    def own(self) -> dict:
        """The settings that the attack's file describes itself, with its defaults for those that were left out."""
        return self.settings.declaration.own_defaults | self.settings.own

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

    @property
    def loss_fn(self) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        """The loss for cleverhans; of an untargeted attack on a network that rejects, one that leads to accepted errors.

        In the Euclidean norm it is multiplied by 1e12: the same direction, far above the length of 1e-6 under which
        cleverhans makes a shorter step than asked for.
        """
        return self._loss(1e12 if self.norm == 2 else 1.0)

    def _loss(self, factor: float) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        spared = self.rejects and self.settings.spares_rejection
        return _loss(self.settings.climbed_loss, self.settings.logit_scale, factor, spared)

    def loss_and_gradient(
        self, images: np.ndarray, labels: np.ndarray, loss: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Loss (n,), its gradient with respect to the pixels (n, h, w, c), and logits as of logits_of, as NumPy arrays.

        loss: what the settings name, if left out; else loss_fn, the same as cleverhans gets it.
        """
        loss = loss or self._loss(1.0)
        found = _loss_and_gradient(self.logits_of, loss)(tf.constant(images), tf.constant(labels, tf.int64))
        return tuple(array.numpy() for array in found)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits of pixels as of logits_of, as NumPy arrays."""
        return self.logits_of(tf.constant(images)).numpy()

    def fooled(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Where these logits misclassify an image, (n,) bool: where another class than the label is predicted, and accepted."""
        return fooled(predictions(logits, self._n_classes(logits)), labels)

    def margin(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """How far the network is from being fooled, (n,): largest wrong logit minus the true one, or the rejection's if larger.

        Positive where it is fooled.
        """
        return standing_margin(logits, labels, self._n_classes(logits))

    def likeliest_wrong(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The class of the largest logit but the label's, (n,); a rejection is no class."""
        wrong = logits[:, : self._n_classes(logits)].copy()
        wrong[np.arange(len(labels)), labels] = -np.inf
        return wrong.argmax(1)

    def _n_classes(self, logits: np.ndarray) -> int:
        return logits.shape[1] - self.rejects


@cache
def _loss(
    name: str, scale: float | None, factor: float, spare_rejection: bool
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """A loss times a factor: the same object each time, since cleverhans traces the gradient anew for another one."""
    loss = loss_named(name, scale, spare_rejection)
    return lambda labels, logits: factor * loss(labels, logits)


@lru_cache(maxsize=32)
def _loss_and_gradient(logits_of: Callable, loss: Callable) -> Callable:
    """(images, labels) -> (loss, gradient, logits), compiled once for all attacks on a network that climb this loss."""

    @tf.function(reduce_retracing=True)
    def loss_and_gradient(images, labels):
        with tf.GradientTape() as tape:
            tape.watch(images)
            logits = logits_of(images)
            value = loss(labels, logits)
        return value, tape.gradient(value, images), logits

    return loss_and_gradient


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
