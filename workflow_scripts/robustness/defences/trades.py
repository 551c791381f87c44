"""TRADES (Zhang et al. 2019, arXiv 1901.08573, equation 5 and algorithm 1).

The loss of an image plus beta times the divergence between what the network says of it and of its worst neighbour: accuracy
and smoothness have weights of their own.
"""

import keras
from keras import ops

from robustness.training.adversarial_training import AdversarialTrainer, AdversarialTraining
from robustness.training.loop import TemperedCrossEntropy

SETTINGS = {
    "type": "object",
    "required": ["epsilon"],
    "properties": {
        "epsilon": {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": "Radius of the ball of the neighbours, in epsilon_unit.",
        },
        "norm": {"enum": ["inf", "2"], "default": "inf", "description": "Norm that bounds it."},
        "beta": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 6,
            "description": "Weight of the divergence (1 / lambda of the paper, which takes 1 and 6).",
        },
        "iterations": {"type": "integer", "minimum": 1, "default": 10, "description": "Steps to the neighbour."},
        "relative_step": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 1,
            "default": 0.25,
            "description": "A step as a share of epsilon.",
        },
    },
}
START = (
    0.001  # standard deviation of the start, as a share of the pixel range: at the image itself there is no gradient
)


def divergence(logits, other_logits):
    """KL(softmax(logits) || softmax(other_logits)), natural logarithm, (n,)."""
    ours, theirs = ops.log_softmax(logits, axis=-1), ops.log_softmax(other_logits, axis=-1)
    return ops.sum(ops.exp(ours) * (ours - theirs), axis=-1)


class TradesTrainer(AdversarialTrainer):
    """Trains on cross-entropy(x) + beta x KL(p(x) || p(neighbour of x)), the neighbour being where the divergence is largest."""

    def start_of(self, x):
        """Normal noise, as in the authors' algorithm 1."""
        low, high = self.settings.clip
        return x + START * (high - low) * keras.random.normal(ops.shape(x), seed=self.chance)

    def climbed_loss(self, x, y, mode):
        """What the neighbour's steps climb: the divergence from what the network says of the image."""
        logits = ops.stop_gradient(self.network(x, training=mode))
        return lambda other: ops.mean(divergence(logits, other))

    def loss_at_neighbour(self, y, logits, other_logits):
        """The divergence, differentiated on both sides."""
        return ops.mean(divergence(logits, other_logits))


def make_trainer(task, settings):
    """The trainer of a task; settings as SETTINGS describes them."""
    epsilon = settings["epsilon"] * task.scale
    neighbours = AdversarialTraining(
        epsilon,
        settings["relative_step"] * epsilon,
        task.info.pixel_range,
        settings["norm"],
        settings["iterations"],
        random_start=True,
        clean_weight=1.0,
        weight=settings["beta"],
    )
    return TradesTrainer(task.network, TemperedCrossEntropy(1.0, task.one_hot), neighbours, task.seed)
