"""NULL labelling (Hosseini et al. 2017, arXiv 1703.04318; the thesis, section 2.5.4 and equation 2.5).

The network learns to say "none of the classes" (NULL) the surer, the more of an image is perturbed. Three steps:

1. Initial training: the model named by `initial`.
2. The probability of NULL, p = f(share of the image's values that are perturbed). The papers leave f open but for its end,
   where it reaches 1. Here it is measured: the share of the validation images that the initial network classifies right and
   no longer does when so many of their values are perturbed, divided by `full_at` and cut off at 1; where more values fool
   fewer images, f stays where it was.
3. Adversarial training: the initial network, with one output more, goes on with clean images and perturbed ones. Of these,
   the number of perturbed values is drawn evenly from 1 to the smallest number N at which f is 1; their soft label is p for
   NULL and 1 - p for the true class.

What is perturbed are the values whose gradient of the initial network's loss is largest, each by `perturbation` along its
sign, among those that this can move: a black pixel grows no darker. An image with fewer such values than are drawn gets the
label of those that it has.
"""

import logging

import keras
import numpy as np
from keras import ops

from robustness.data.datasets import to_pixels
from robustness.errors import UserError
from robustness.models.model_files import predict_logits
from robustness.models.rejection import rejects
from robustness.training.adversarial_training import input_gradient

SETTINGS = {
    "type": "object",
    "required": ["perturbation"],
    "properties": {
        "perturbation": {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": "How far each perturbed value moves, in epsilon_unit.",
        },
        "clean_weight": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "default": 0.5,
            "description": "Weight of the clean images' loss; the perturbed ones' has the rest.",
        },
        "full_at": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 1,
            "default": 0.9,
            "description": "The share of fooled images from which on NULL gets the whole label.",
        },
    },
}
REJECTS = True
NEEDS_INITIAL = True
SHARES = np.geomspace(1 / 512, 1, 19)  # of an image's values; f is measured at these and straight in between
LOG = logging.getLogger(__name__)


def perturbed(images, gradient, counts, size: float, clip: tuple[float, float]):
    """Images (n, h, w, c) whose `counts` (n,) values of largest absolute gradient move by size along its sign, within clip.

    A value that is at its end of clip already is passed over; where fewer than counts can move, all of these do.
    """
    n_values = int(np.prod(images.shape[1:]))
    low, high = clip
    stuck = ops.logical_or(ops.logical_and(images <= low, gradient < 0), ops.logical_and(images >= high, gradient > 0))
    gradient = ops.where(stuck, 0.0, gradient)
    sizes = ops.reshape(ops.abs(gradient), (-1, n_values))
    ranked = -ops.sort(-sizes, axis=1)
    places = ops.reshape(ops.cast(counts, "int32") - 1, (-1, 1))
    least = ops.take_along_axis(ranked, places, axis=1)
    chosen = ops.cast(ops.reshape(sizes >= least, ops.shape(images)), images.dtype)
    return ops.clip(images + size * chosen * ops.sign(gradient), *clip)


def null_probabilities(fooled: np.ndarray, counts: np.ndarray, full_at: float) -> np.ndarray:
    """The probability of NULL for 0, 1, ..., N perturbed values, (N + 1,) float64; the last is 1 and no other.

    fooled: (k,), the share of images that `counts` (k,) perturbed values, rising, fool. Raises UserError if none reaches full_at.
    """
    reached = np.minimum(np.maximum.accumulate(fooled) / full_at, 1)
    if reached[-1] < 1:
        raise UserError(
            f"perturbing every value fools {fooled.max():.1%} of the images, less than full_at {full_at:g}: raise the "
            "perturbation or lower full_at."
        )
    every = np.interp(np.arange(counts[-1] + 1), np.r_[0, counts], np.r_[0, reached])
    return every[: int(np.argmax(every >= 1)) + 1]


class NullTrainer(keras.Model):
    """Trains `network`, (n, classes + 1) logits, on clean and perturbed images with the soft labels of step 3.

    initial: the network whose gradient perturbs, (n, classes) logits. probabilities: of null_probabilities. size: of
    a perturbation, in pixel units. History: clean_loss and adversarial_loss, without their weights.
    """

    def __init__(self, network, initial, probabilities, size, clip, clean_weight, seed):
        super().__init__()
        initial.trainable = False
        self.network, self.initial = network, initial
        self.probabilities = np.asarray(probabilities, np.float32)
        self.size, self.clip, self.clean_weight = size, clip, clean_weight
        self.chance = keras.random.SeedGenerator(seed)
        self.clean_tracker = keras.metrics.Mean(name="clean_loss")
        self.adversarial_tracker = keras.metrics.Mean(name="adversarial_loss")

    def call(self, inputs, training=None):
        return self.network(inputs, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """clean_weight x clean + (1 - clean_weight) x perturbed, plus the network's weight decay."""
        classes = self.initial.output_shape[-1]
        labels = y if len(y.shape) == 2 and y.shape[-1] == classes else ops.one_hot(ops.reshape(y, (-1,)), classes)
        labels = ops.cast(labels, "float32")
        counts = keras.random.randint((ops.shape(x)[0],), 1, len(self.probabilities), seed=self.chance)
        gradient = _loss_gradient(self.initial, x, labels)
        moved = ops.stop_gradient(perturbed(x, gradient, counts, self.size, self.clip))
        changed = ops.sum(ops.cast(moved != x, "int32"), axis=tuple(range(1, len(x.shape))))
        # Values of equal gradient move together, so that a few more than were drawn can change.
        changed = ops.minimum(changed, len(self.probabilities) - 1)
        null = ops.reshape(ops.take(self.probabilities, changed), (-1, 1))
        clean = ops.mean(_entropy(ops.concatenate([labels, 0 * null], axis=1), y_pred))
        soft = ops.concatenate([(1 - null) * labels, null], axis=1)
        adversarial = ops.mean(_entropy(soft, self.network(moved, training=training)))
        size = ops.shape(y_pred)[0]  # weighs a smaller last batch as the loss itself is weighed
        self.clean_tracker.update_state(clean, sample_weight=size)
        self.adversarial_tracker.update_state(adversarial, sample_weight=size)
        loss = self.clean_weight * clean + (1 - self.clean_weight) * adversarial
        for penalty in self.network.losses:
            loss = loss + penalty
        return loss


def _entropy(labels, logits):
    """Cross-entropy of soft labels, (n,)."""
    return -ops.sum(labels * ops.log_softmax(logits, axis=-1), axis=-1)


def _loss_gradient(network, images, labels):
    """Gradient of each image's loss with respect to its pixels, in inference mode; labels one-hot."""
    return input_gradient(lambda x: ops.sum(_entropy(labels, network(x, training=False))), images)


def measured_probabilities(task, size: float, full_at: float) -> np.ndarray:
    """Step 2: null_probabilities of the task's initial network on its validation images; size in pixel units."""
    images, labels = to_pixels(task.validation.images, task.info.pixel_range), task.validation.labels
    right = predict_logits(task.initial, images).argmax(1) == labels
    images, labels = images[right], labels[right]
    counts = np.unique(np.ceil(SHARES * images[0].size).astype(int))
    fooled = np.zeros(len(counts))
    for start in range(0, len(images), 250):
        batch, truth = ops.convert_to_tensor(images[start : start + 250]), labels[start : start + 250]
        gradient = _loss_gradient(task.initial, batch, ops.one_hot(truth, len(task.info.classes)))
        for i, count in enumerate(counts):
            moved = perturbed(batch, gradient, np.full(len(truth), count), size, task.info.pixel_range)
            fooled[i] += (predict_logits(task.initial, ops.convert_to_numpy(moved)).argmax(1) != truth).sum()
    probabilities = null_probabilities(fooled / len(images), counts, full_at)
    LOG.info("NULL is certain from %d of %d perturbed values on", len(probabilities) - 1, images[0].size)
    return probabilities


def make_trainer(task, settings):
    """The trainer of a task; settings as SETTINGS describes them. Raises UserError if the initial network rejects."""
    if rejects(task.initial):
        raise UserError(
            "null_labelling goes on from a network that knows NULL already: name an initial that does not reject."
        )
    size = settings["perturbation"] * task.scale
    probabilities = measured_probabilities(task, size, settings["full_at"])
    return NullTrainer(
        task.network,
        task.initial,
        probabilities,
        size,
        task.info.pixel_range,
        settings["clean_weight"],
        task.seed,
    )
