"""Substitutes: networks that an adversary trains on the answers of a model, to craft adversarial images on them.

Papernot et al. 2017 (arXiv 1602.02697), algorithm 1. The adversary sees no weight, no logit and no training image of the
target; it asks for the class of images, and makes further images of its few first ones by following what its substitute
has learnt so far (Jacobian-based dataset augmentation).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import keras
import numpy as np
import tensorflow as tf

from robustness.data.datasets import Images, to_pixels
from robustness.errors import UserError
from robustness.models.model_files import compiled
from robustness.models.rejection import REJECTED, predictions
from robustness.training.loop import Checkpoint, Recipe, TrainingData, fit

LOG = logging.getLogger(__name__)
Logits = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Substitution:
    """images: that the adversary begins with. rounds: of training; each but the first doubles the images.

    step: lambda of the augmentation, on the pixel range 0 to 255.
    """

    images: int
    rounds: int
    step: float


class Target:
    """A model of which nothing but the classes of images can be had, and how often it was asked.

    logits: the model's, (n, n_classes or one more), the last of n_classes + 1 being the rejection's.
    """

    def __init__(self, logits: Logits, n_classes: int, pixel_range: tuple[float, float]):
        self._logits, self._n_classes, self._pixel_range = logits, n_classes, pixel_range
        self.queries = 0

    def answers(self, images: np.ndarray) -> np.ndarray:
        """Predicted classes, (n,) int64, REJECTED where it rejects, of (n, h, w, channels) pixels from 0 to 255."""
        self.queries += len(images)
        return predictions(self._logits(to_pixels(images, self._pixel_range)), self._n_classes)


def first_images(held: Images, attacked: Images, n: int, seed: int) -> Images:
    """n images that the adversary begins with, drawn from `held` but for those that are attacked, in their order.

    Their pixels become float32, since images that are made of them are no 8-bit ones. Raises UserError if there are
    fewer than n.
    """
    free = np.flatnonzero(~np.isin(held.indices, attacked.indices))
    if n > len(free):
        raise UserError(
            f"the adversary begins with {n} images, but there are only {len(free)} test images that are not attacked: "
            "lower substitute.images or the dataset's evaluation.n."
        )
    chosen = held.take(np.sort(np.random.default_rng(seed).choice(free, n, replace=False)))
    return replace(chosen, images=chosen.images.astype(np.float32))


def augmented(
    network: keras.Model,
    images: np.ndarray,
    answers: np.ndarray,
    step: float,
    pixel_range: tuple[float, float],
    batch_size: int = 250,
) -> np.ndarray:
    """Each image moved by step x the sign of the gradient of its answered class's logit, and clipped to the pixels.

    Papernot et al. 2017, section 4.2: the direction in which the substitute's output varies most, around the answer.
    images: (n, h, w, channels) float32 pixels from 0 to 255. answers: (n,), classes that the network has. step: on the
    same range as images. pixel_range: that of the network. Returns what has the shape of images.
    """
    logits_of = compiled(network)

    @tf.function(reduce_retracing=True)
    def direction(pixels, classes):
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            answered = tf.gather(logits_of(pixels), classes, axis=1, batch_dims=1)
        return tf.sign(tape.gradient(answered, pixels))  # each image's logit depends on that image alone

    moved = []
    for i in range(0, len(images), batch_size):
        part = images[i : i + batch_size]
        signs = direction(to_pixels(part, pixel_range), answers[i : i + batch_size]).numpy()
        moved.append(np.clip(part + np.float32(step) * signs, 0, 255))
    return np.concatenate(moved)


def train_on_answers(
    target: Target,
    settings: Substitution,
    trainer: keras.Model,
    network: keras.Model,
    data: TrainingData,
    recipe: Recipe,
    seed: int,
    show_batches: bool = False,
) -> list[dict]:
    """Train a substitute; return the history of robustness.training.loop.fit over all rounds, with `round` and `queries`.

    data.train: the images of first_images, whose labels are not looked at; afterwards those of the last round, which are all
    that were answered, with the answers as labels. recipe: of every round, which goes on from the weights and the optimiser of
    the last. Each image is asked once; what is rejected has no class to learn, and neither trains nor is augmented. Raises
    UserError if every image is rejected.
    """
    images, history = data.train.images, []
    known, labels = np.empty((0, *images.shape[1:]), np.float32), np.empty(0, np.int64)
    for number in range(settings.rounds):
        if number:
            images = augmented(network, known, labels, settings.step, data.pixel_range)
        answers = target.answers(images)
        answered = answers != REJECTED
        known, labels = np.concatenate([known, images[answered]]), np.concatenate([labels, answers[answered]])
        if not len(known):
            raise UserError(f"the target rejects all of the {len(images)} images of the adversary: give it others.")
        LOG.info("round %d/%d: %d queries, %d images", number + 1, settings.rounds, target.queries, len(known))
        asked = replace(data, train=Images(known, labels, np.arange(len(labels))))
        # Another seed for each round, or each would meet its first images in the same order as the last one.
        chance = int(np.random.default_rng([seed, number]).integers(2**32))
        rows = fit(trainer, network, asked, recipe, chance, Checkpoint(None, ""), show_batches)
        for row in rows:
            row["epoch"] += len(rows) * number
        history += [row | {"round": number + 1, "queries": target.queries} for row in rows]
    data.train = asked.train
    return history
