"""Whether a training ended below the loss of guessing, which says that all classes are equally likely."""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np

from robustness.data.datasets import encode_labels
from robustness.training.loop import Batches, Recipe, TrainingData, seed_chance

LOG = logging.getLogger(__name__)
IMAGES = 1000  # of the training images, at most: a fraction of an epoch, and the loss of a failed training is far off


def compare_with_guessing(
    trainer: keras.Model, network: keras.Model, data: TrainingData, recipe: Recipe, seed: int
) -> dict[str, object]:
    """Compute the loss of a trained network and that of guessing, and log a warning if the first is not below the second.

    trainer: as for robustness.training.loop.fit, trained. network: with the weights that are kept, which it has afterwards, too.
    Returns loss and guessing (None where it is no finite number), images (how many training images both were computed on) and
    above: whether the loss is not below that of guessing, as a loss that is no number never is.

    Both are the loss that this training minimises, on the same images, without weight decay. Guessing is the same network
    with all of its weights 0, and so all of its logits: that needs to know nothing of the loss, be it a cross-entropy (then it
    is ln(classes)), a divergence from a teacher, or that of a defence's own file. The loss is computed anew, in inference
    mode on training images as they are, instead of taken from the history: there it is a mean over an epoch in which the
    weights change, with dropout, augmentation and weight decay, and one epoch that begins badly may end well. Validation
    images would not do: a network that has learnt its training images by heart may be surer of its errors there than guessing.
    """
    chosen = np.random.default_rng([seed, 4]).permutation(len(data.train))[:IMAGES]
    labels = encode_labels(data.train.labels, data.n_classes, recipe.label_encoding)
    batches = Batches(data.train, labels, data.pixel_range, recipe.batch_size, chosen)

    def loss() -> float:
        seed_chance(network, trainer, seed, recipe.epochs)  # both draw the same random starts
        return float(trainer.evaluate(batches, verbose=0, return_dict=True)["loss"])

    kept = network.get_weights()
    with without_weight_decay(trainer, network):
        trained = loss()
        network.set_weights([np.zeros_like(weight) for weight in kept])
        guessing = loss()
        network.set_weights(kept)
    # A defence's own loss may have no value at logits of 0 (if it divides by their length): then it is not known.
    above = not trained < (math.inf if math.isnan(guessing) else guessing)
    if above:
        LOG.warning(
            "the training ended with a loss of %.4g, which is not below that of guessing, %.4g (all classes equally likely): "
            "lower the learning rate, or train longer where its curves in plots/training still fall.",
            trained,
            guessing,
        )
    numbers = {"loss": trained, "guessing": guessing}
    finite = {name: float(f"{value:.9g}") if math.isfinite(value) else None for name, value in numbers.items()}
    return finite | {"images": len(chosen), "above": above}


@contextmanager
def without_weight_decay(trainer: keras.Model, network: keras.Model) -> Iterator[None]:
    """Within it, a trainer evaluates the loss of its network without the penalties on weights, however it adds them.

    Subtracted afterwards, the penalty of a network whose weights have exploded would leave nothing but rounding.
    """
    decayed = [(variable, variable.regularizer) for variable in network.trainable_variables if variable.regularizer]
    try:
        if decayed:
            trainer.test_function = None  # its graph has the penalties in it
        for variable, _ in decayed:
            variable.regularizer = None
        yield
    finally:
        for variable, regularizer in decayed:
            variable.regularizer = regularizer
        if decayed:
            trainer.test_function = None
