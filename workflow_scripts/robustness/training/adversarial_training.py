"""Training on adversarial neighbours of the training images.

One loss for two defences: adversarial regularisation, the clean loss plus a weighted loss at the neighbour (Goodfellow et
al. 2015, arXiv 1412.6572, section 6; the loss of neural-structured-learning, which the Fashion-MNIST report used, but for
its gradient: that comes from the pass of the clean loss there, from a pass of its own with its own dropout here), and PGD
adversarial training, the loss at the neighbour alone (Madry et al. 2018, arXiv 1706.06083, equation 2.1).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import keras
from keras import ops

from robustness.errors import UserError

# Of the loss that leads to a neighbour, whose direction alone counts: float16 would round a batch's mean gradient to 0. A
# power of two, which changes no bit of it in float32.
GRADIENT_SCALE = 2.0**7


@dataclass(frozen=True)
class AdversarialTraining:
    """How the neighbours are found and weighed; epsilon, step and clip in the units of the network's pixels.

    epsilon: radius of the ball. norm: 'inf' or '2'. step: of one iteration, along the sign of the gradient or the
    gradient itself at length 1. random_start: begin at a random point of the ball. clip: (low, high) of the neighbour's
    pixels; a low above the pixel range's lifts dark pixels out of the ball, which the report's 0.25 does. clean_weight,
    weight: factors of the loss at the image and at its neighbour. mode: of the network while it is differentiated,
    'training' as in neural-structured-learning (dropout active), or 'inference'.
    """

    epsilon: float
    step: float
    clip: tuple[float, float]
    norm: str = "inf"
    iterations: int = 1
    random_start: bool = False
    clean_weight: float = 1.0
    weight: float = 1.0
    mode: str = "inference"


def input_gradient(loss_of: Callable, x):
    """Gradient of loss_of(x), a scalar, with respect to x. Raises UserError on a backend that can't nest it in training."""
    if keras.backend.backend() != "tensorflow":
        raise UserError("adversarial training needs the TensorFlow backend: set KERAS_BACKEND=tensorflow.")
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(x)
        value = loss_of(x)
    return tape.gradient(value, x)


def steepest(gradient, norm: str):
    """The direction of length 1 in the norm along which the loss grows fastest, 0 where there is no gradient."""
    if norm == "inf":
        return ops.sign(gradient)
    return gradient / ops.maximum(_lengths(gradient), 1e-30)


def _lengths(x):
    """Euclidean length of each image, (n, 1, 1, 1); of the largest pixel's share first, so that no square vanishes."""
    largest = ops.maximum(ops.max(ops.abs(x), axis=(1, 2, 3), keepdims=True), 1e-30)
    return largest * ops.sqrt(ops.sum((x / largest) ** 2, axis=(1, 2, 3), keepdims=True))


class AdversarialTrainer(keras.Model):
    """Trains `network` on clean_weight x loss(x) + weight x loss(neighbour of x), plus its weight decay.

    loss: cross-entropy of (labels, logits). The neighbour is a constant of the optimisation: no gradient goes through it.
    History: clean_loss and adversarial_loss, without their factors, and the accuracy on clean images.
    """

    def __init__(self, network: keras.Model, loss: keras.losses.Loss, settings: AdversarialTraining, seed: int):
        super().__init__()
        self.network, self.entropy, self.settings = network, loss, settings
        self.chance = keras.random.SeedGenerator(seed)
        self.clean_tracker = keras.metrics.Mean(name="clean_loss")
        self.adversarial_tracker = keras.metrics.Mean(name="adversarial_loss")

    def call(self, inputs, training=None):
        """Logits of clean images. Where these do not count, batch normalisation does not see them either."""
        return self.network(inputs, training=training and self.settings.clean_weight > 0)

    def neighbour(self, x, y, training: bool):
        """Adversarial neighbours of images: steps along the gradient within the ball, then cut to the clip."""
        settings = self.settings
        mode = training and settings.mode == "training"
        climbed = self.climbed_loss(x, y, mode)

        def loss_of(candidate):
            return GRADIENT_SCALE * climbed(self.network(candidate, training=mode))

        candidate = x
        if settings.random_start:
            candidate = ops.clip(self.start_of(x), *settings.clip)
        for _ in range(settings.iterations):
            step = settings.step * steepest(input_gradient(loss_of, candidate), settings.norm)
            candidate = ops.clip(x + self._within(candidate + step - x), *settings.clip)
        return ops.stop_gradient(candidate)

    def climbed_loss(self, x, y, mode: bool):
        """What the steps from images x climb: a function of a neighbour's logits, a scalar. mode: as network(training=mode)."""
        return lambda logits: self.entropy(y, logits)

    def start_of(self, x):
        """Where the steps begin, if not at the image: uniform in the cube, or in the ball of the Euclidean norm."""
        return x + self._random_point(x)

    def loss_at_neighbour(self, y, logits, neighbour_logits):
        """The part of the loss that `weight` weighs, a scalar, of the logits of images and of their neighbours."""
        return self.entropy(y, neighbour_logits)

    def _within(self, delta):
        if self.settings.norm == "inf":
            return ops.clip(delta, -self.settings.epsilon, self.settings.epsilon)
        return delta * ops.minimum(1.0, self.settings.epsilon / ops.maximum(_lengths(delta), 1e-30))

    def _random_point(self, x):
        if self.settings.norm == "inf":
            epsilon = self.settings.epsilon
            return keras.random.uniform(ops.shape(x), -epsilon, epsilon, seed=self.chance)
        drawn = keras.random.normal(ops.shape(x), seed=self.chance)
        radius = keras.random.uniform((ops.shape(x)[0], 1, 1, 1), seed=self.chance) ** (1 / math.prod(x.shape[1:]))
        return self.settings.epsilon * radius * steepest(drawn, "2")

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """clean_weight x clean + weight x adversarial, plus the network's weight decay."""
        clean = self.entropy(y, y_pred)
        neighbours = self.network(self.neighbour(x, y, training), training=training)
        adversarial = self.loss_at_neighbour(y, y_pred, neighbours)
        size = ops.shape(y_pred)[0]  # weighs a smaller last batch as the loss itself is weighed
        self.clean_tracker.update_state(clean, sample_weight=size)
        self.adversarial_tracker.update_state(adversarial, sample_weight=size)
        loss = self.settings.clean_weight * clean + self.settings.weight * adversarial
        for penalty in self.network.losses:
            loss = loss + penalty
        return loss
