"""Training networks, in backend-neutral Keras: one loop for every defence, repeatable and restartable.

Whatever is random in an epoch (order, erasing's fill, dropout) follows from the seed and the epoch's number alone, so
a run that goes on from its last whole epoch ends with the weights of an undisturbed run.
"""

import json
import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import ops

from robustness.data.augmentation import Augmentation, augment
from robustness.data.datasets import Images, encode_labels, to_pixels
from robustness.data.erasing import erase
from robustness.errors import UserError
from robustness.files import read_npz, write_npz
from robustness.training.precision import MixedPrecision

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Optimizer:
    """name: 'adam' or 'sgd'. learning_rate: of the first step.

    momentum, nesterov: of sgd. beta_1, beta_2, epsilon, amsgrad: of adam (Keras' names).
    decay: the rate is divided by 1 + decay x steps (Keras 2's `decay`). drop_every, drop_factor: multiply the rate by
    drop_factor each drop_every epochs (0: never). cosine: let the rate fall to 0 over all epochs along a half cosine.
    """

    name: str = "adam"
    learning_rate: float = 0.001
    momentum: float = 0.0
    nesterov: bool = False
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False
    decay: float = 0.0
    drop_every: int = 0
    drop_factor: float = 0.5
    cosine: bool = False


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    loss: 'categorical_crossentropy' or 'sparse_categorical_crossentropy' (one-hot or integer labels, the same values).
    early_stopping_patience: epochs without a better early_stopping_monitor before training ends (0: never).
    checkpoint: the weights that are kept, of the epoch with the best measure of these, or of the 'last'.
    Measures: 'val_accuracy', 'val_loss', and where a trainer has them 'adversarial_loss' and 'val_adversarial_loss'.
    precision: 'float32', or 'mixed_bfloat16' or 'mixed_float16': layers then compute in 16 bits while they are trained
    (robustness.training.precision); weights, logits, losses and validation are float32 nevertheless.
    """

    optimizer: Optimizer = Optimizer()
    loss: str = "categorical_crossentropy"
    batch_size: int = 128
    epochs: int = 10
    early_stopping_patience: int = 0
    early_stopping_monitor: str = "val_loss"
    early_stopping_min_delta: float = 0.0
    checkpoint: str = "val_accuracy"
    precision: str = "float32"

    @property
    def label_encoding(self) -> str:
        """The encoding of labels that the loss needs."""
        return "one_hot" if self.loss == "categorical_crossentropy" else "integer"


class RateSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate at a step, as class Optimizer tells it."""

    def __init__(self, optimizer: Optimizer, steps_per_epoch: int, epochs: int):
        self.optimizer, self.steps_per_epoch, self.epochs = optimizer, steps_per_epoch, epochs

    def __call__(self, step):
        step = ops.cast(step, "float32")
        rate = self.optimizer.learning_rate / (1 + self.optimizer.decay * step)
        if self.optimizer.drop_every:
            drops = ops.floor(step / (self.optimizer.drop_every * self.steps_per_epoch))
            rate = rate * ops.power(self.optimizer.drop_factor, drops)
        if self.optimizer.cosine:
            progress = ops.minimum(step / (self.epochs * self.steps_per_epoch), 1.0)
            rate = rate * 0.5 * (1 + ops.cos(math.pi * progress))
        return rate


def make_optimizer(
    settings: Optimizer, steps_per_epoch: int, epochs: int, precision: str = "float32"
) -> keras.optimizers.Optimizer:
    """The Keras optimiser of the settings; for mixed_float16 it scales the loss, so that small gradients don't round to 0."""
    rate = RateSchedule(settings, steps_per_epoch, epochs)
    if settings.name == "sgd":
        optimizer = keras.optimizers.SGD(rate, momentum=settings.momentum, nesterov=settings.nesterov)
    else:
        optimizer = keras.optimizers.Adam(
            rate, beta_1=settings.beta_1, beta_2=settings.beta_2, epsilon=settings.epsilon, amsgrad=settings.amsgrad
        )
    # compile() would do so itself only for a model that was built under the policy.
    return keras.optimizers.LossScaleOptimizer(optimizer) if precision == "mixed_float16" else optimizer


class TemperedCrossEntropy(keras.losses.Loss):
    """Cross-entropy between labels and softmax(logits / temperature), natural logarithm.

    Hinton et al. 2015 (arXiv 1503.02531), section 2. one_hot: labels are (n, classes), else (n,) integers.
    """

    def __init__(self, temperature: float, one_hot: bool):
        super().__init__(name="cross_entropy")
        self.temperature, self.one_hot = temperature, one_hot

    def call(self, y_true, y_pred):
        entropy = (
            keras.losses.categorical_crossentropy if self.one_hot else keras.losses.sparse_categorical_crossentropy
        )
        return entropy(y_true, y_pred / self.temperature, from_logits=True)


def accuracy_metric(recipe: Recipe) -> keras.metrics.Metric:
    """Share of images whose largest logit is the true class's."""
    if recipe.label_encoding == "one_hot":
        return keras.metrics.CategoricalAccuracy(name="accuracy")
    return keras.metrics.SparseCategoricalAccuracy(name="accuracy")


class Batches(keras.utils.PyDataset):
    """The batches of one epoch: a seeded order, erasing where a schedule is given, augmentation, float32 pixels, labels."""

    def __init__(
        self,
        images: Images,
        labels: np.ndarray,
        pixel_range: tuple[float, float],
        batch_size: int,
        order: np.ndarray,
        rectangles: np.ndarray | None = None,
        augmentation: Augmentation | None = None,
        seed: tuple[int, int] = (0, 0),
    ):
        # With one worker Keras lets tf.data tune itself, and then waits at the end of every epoch, without computing, for the
        # next turn of the tuning: 10.2, 20.5, 41, 82, 142, ... seconds after the epoch's start.
        super().__init__(workers=2)
        self.images, self.labels, self.pixel_range = images.images, labels, pixel_range
        self.batch_size, self.order, self.seed = batch_size, order, seed
        self.rectangles, self.augmentation = rectangles, augmentation

    def __len__(self) -> int:
        return math.ceil(len(self.order) / self.batch_size)

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        which = self.order[i * self.batch_size : (i + 1) * self.batch_size]
        batch = self.images[which]
        if self.rectangles is not None:
            batch = erase(batch, self.rectangles[which], np.random.default_rng([*self.seed, 2, i]))
        if self.augmentation is None:
            return to_pixels(batch, self.pixel_range), self.labels[which]
        low, high = self.pixel_range
        unit = augment(to_pixels(batch, (0.0, 1.0)), self.augmentation, np.random.default_rng([*self.seed, 3, i]))
        return unit * np.float32(high - low) + np.float32(low), self.labels[which]


@dataclass
class TrainingData:
    """What a training run reads. rectangles: the erasing schedule, (passes, n, 4), or None. augmentation: None for none."""

    train: Images
    validation: Images
    pixel_range: tuple[float, float]
    n_classes: int
    rectangles: np.ndarray | None = None
    augmentation: Augmentation | None = None


def seed_chance(network: keras.Model, trainer: keras.Model, seed: int, epoch: int) -> None:
    """Set the state of every random layer, and of the trainer's own chance, from seed and epoch, so that a restart draws alike."""
    variables = {id(variable): variable for model in (network, trainer) for variable in model.variables}
    states = [variable for variable in variables.values() if "seed_generator" in variable.path]
    draws = np.random.default_rng([seed, epoch, 1]).integers(0, 2**31, (len(states), 2))
    for state, draw in zip(states, draws, strict=True):
        state.assign(draw.astype(state.dtype))


@dataclass
class Progress:
    """All that a run needs to go on after an epoch."""

    history: list[dict]
    best: float
    best_weights: list[np.ndarray]
    stop_best: float
    waited: int = 0

    @property
    def epoch(self) -> int:
        """Number of whole epochs that are done."""
        return len(self.history)


class Checkpoint:
    """A run's state on disk, replaced after every epoch, used only by a run of the same fingerprint."""

    def __init__(self, path: Path | None, fingerprint: str):
        self.path, self.fingerprint = path, fingerprint

    def save(self, progress: Progress, network: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
        if self.path is None:
            return
        note = {
            "fingerprint": self.fingerprint,
            "history": progress.history,
            "best": progress.best,
            "stop_best": progress.stop_best,
            "waited": progress.waited,
        }
        arrays = {f"weight_{i}": np.asarray(w) for i, w in enumerate(network.get_weights())}
        arrays |= {f"optimizer_{i}": np.asarray(v) for i, v in enumerate(optimizer.variables)}
        arrays |= {f"best_{i}": w for i, w in enumerate(progress.best_weights)}
        write_npz(self.path, note=np.array(json.dumps(note)), **arrays)

    def restore(self, network: keras.Model, optimizer: keras.optimizers.Optimizer) -> Progress | None:
        """Put the saved state into network and optimiser, or return None where there is none that fits this run."""
        if self.path is None or not self.path.exists():
            return None
        try:
            (note,) = read_npz(self.path, "note")
            note = json.loads(str(note))
            if note["fingerprint"] != self.fingerprint:
                LOG.info("the state in %s belongs to other settings: starting anew", self.path)
                return None
            n = len(network.get_weights())
            weights = read_npz(self.path, *(f"weight_{i}" for i in range(n)))
            states = read_npz(self.path, *(f"optimizer_{i}" for i in range(len(optimizer.variables))))
            best_weights = read_npz(self.path, *(f"best_{i}" for i in range(n)))
        except (UserError, KeyError, json.JSONDecodeError):
            LOG.info("the state in %s is broken: starting anew", self.path)
            return None
        network.set_weights(weights)  # only now, with everything read: a run that starts anew starts untouched
        for variable, state in zip(optimizer.variables, states, strict=True):
            variable.assign(state)
        LOG.info("going on after epoch %d", len(note["history"]))
        return Progress(note["history"], note["best"], best_weights, note["stop_best"], note["waited"])

    def remove(self) -> None:
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def better(monitor: str, value: float, best: float, min_delta: float = 0.0) -> bool:
    """True if a monitored value beats the best one by more than min_delta: accuracies upward, losses downward."""
    return value > best + min_delta if monitor.endswith("accuracy") else value < best - min_delta


def worst(monitor: str) -> float:
    """What every value of a monitored quantity beats."""
    return -math.inf if monitor.endswith("accuracy") else math.inf


def kept_epoch(history: list[dict], recipe: Recipe) -> int:
    """The epoch, counted from 1, whose weights recipe.checkpoint keeps: the first best one, or the last."""
    kept = history[0]
    for row in history[1:]:
        if recipe.checkpoint == "last" or better(recipe.checkpoint, row[recipe.checkpoint], kept[recipe.checkpoint]):
            kept = row
    return kept["epoch"]


def fit(
    trainer: keras.Model,
    network: keras.Model,
    data: TrainingData,
    recipe: Recipe,
    seed: int,
    checkpoint: Checkpoint,
    show_batches: bool = False,
) -> list[dict]:
    """Train and return the history, a dict an epoch (epoch, loss, accuracy, val_loss, val_accuracy, rate, seconds).

    trainer: the compiled model whose loss is minimised. network: the model whose weights are kept (the trainer
    itself, or the student inside it); at the end it holds the weights that recipe.checkpoint names.
    Raises UserError if the loss is no longer a number.
    """
    labels = encode_labels(data.train.labels, data.n_classes, recipe.label_encoding)
    validation = Batches(
        data.validation,
        encode_labels(data.validation.labels, data.n_classes, recipe.label_encoding),
        data.pixel_range,
        recipe.batch_size,
        np.arange(len(data.validation)),
    )
    trainer.optimizer.build(trainer.trainable_variables)
    monitor = recipe.early_stopping_monitor
    callbacks = [] if recipe.precision == "float32" else [MixedPrecision(network, recipe.precision)]
    progress = checkpoint.restore(network, trainer.optimizer)
    if progress is None:
        progress = Progress([], worst(recipe.checkpoint), network.get_weights(), worst(monitor))
    while progress.epoch < recipe.epochs:
        if recipe.early_stopping_patience and progress.waited >= recipe.early_stopping_patience:
            LOG.info("no better %s for %d epochs: training ends", monitor, progress.waited)
            break
        epoch, start = progress.epoch, time.perf_counter()
        rate = float(trainer.optimizer.learning_rate)  # of the epoch's first step
        seed_chance(network, trainer, seed, epoch)
        rectangles = None if data.rectangles is None else data.rectangles[epoch % len(data.rectangles)]
        order = np.random.default_rng([seed, epoch, 0]).permutation(len(data.train))
        batches = Batches(
            data.train, labels, data.pixel_range, recipe.batch_size, order, rectangles, data.augmentation, (seed, epoch)
        )
        result = trainer.fit(
            batches,
            validation_data=validation,
            callbacks=callbacks,
            shuffle=False,
            verbose=1 if show_batches else 0,
            initial_epoch=epoch,
            epochs=epoch + 1,
        )
        row = {"epoch": epoch + 1} | {name: values[-1] for name, values in result.history.items()}
        row["learning_rate"] = rate
        row["seconds"] = round(time.perf_counter() - start, 3)
        LOG.info(
            "epoch %d/%d  %s",
            epoch + 1,
            recipe.epochs,
            "  ".join(f"{k} {v:.4g}" for k, v in row.items() if k != "epoch"),
        )
        for name in ("loss", "val_loss"):
            if not math.isfinite(row[name]):
                raise UserError(f"the {name} is {row[name]} in epoch {epoch + 1}: lower the learning rate.")
        if lacking := {recipe.checkpoint, monitor} - {"last", *row}:
            raise UserError(f"this training has no {' or '.join(lacking)}: choose another checkpoint or monitor.")
        progress.history.append(row)
        if recipe.checkpoint == "last" or better(recipe.checkpoint, row[recipe.checkpoint], progress.best):
            progress.best = row.get(recipe.checkpoint, math.nan)
            progress.best_weights = network.get_weights()
        if better(monitor, row[monitor], progress.stop_best, recipe.early_stopping_min_delta):
            progress.stop_best, progress.waited = row[monitor], 0
        else:
            progress.waited += 1
        checkpoint.save(progress, network, trainer.optimizer)
    network.set_weights(progress.best_weights)
    return progress.history
