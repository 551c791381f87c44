"""Crafting adversarial images of a network with any attack of robustness/attack_methods.

Traps of cleverhans 4.0.0 that are stepped around here and in attack_context.py, each held by a test:
sanity_checks=True raises as soon as pixels are clipped; a step larger than epsilon is an assertion error; the gradient
is traced again for every new model function; in the Euclidean norm a gradient shorter than 1e-6 makes a shorter step
than asked for.
"""

import functools
import importlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType

import numpy as np
import tensorflow as tf

from robustness.attacks.attack_context import Context
from robustness.attacks.attack_losses import check_classes_of_dlr
from robustness.attacks.attack_paths import pack
from robustness.attacks.attack_settings import AttackSettings
from robustness.attacks.projected_steps import free_signs, projected_steps
from robustness.errors import UserError
from robustness.models.model_files import compiled, predict_logits
from robustness.models.rejection import n_classes_of, rejects

LOG = logging.getLogger(__name__)


def method_of(settings: AttackSettings) -> ModuleType:
    """The module of an attack. Imported by name, so that a new attack is no reason to craft the others again."""
    return importlib.import_module(f"robustness.attack_methods.{settings.method}")


def choose_targets(logits: np.ndarray, labels: np.ndarray, target: str, seed: int) -> np.ndarray:
    """The class that a targeted attack aims at, for each image, never the true one.

    target: 'least_likely' (smallest logit among the wrong classes; Kurakin et al. 2017), 'random' (uniform over the
    wrong classes), or the number of a class; images of that class get -1, which means: not attacked. logits: (n, classes),
    as class_logits gives them: a rejection is no target.
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


def class_logits(network, images: np.ndarray, batch_size: int = 250) -> np.ndarray:
    """Logits of the classes, (n, classes), without that of a rejection."""
    return predict_logits(network, images, batch_size)[:, : n_classes_of(network)]


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
    epsilon, step: in pixel units (in norm 0 epsilon is a share of values); epsilon 0 gives the images back. seed: of random starts and targets.
    """
    attacked, targets = _attacked_classes(network, images, labels, settings, seed, batch_size)
    if epsilon == 0:
        return images.copy(), targets
    adversarial, attack = images.copy(), method_of(settings).attack
    context = context_of(network, settings, epsilon, step, clip, seed)
    for which, batch in _in_batches(functools.partial(attack, context), images, attacked, batch_size):
        adversarial[which] = np.asarray(batch)[: len(which)]
    return adversarial, targets


def craft_path(
    network,
    images: np.ndarray,
    labels: np.ndarray,
    settings: AttackSettings,
    step: float,
    clip: tuple[float, float],
    seed: int,
    batch_size: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The signs on the way of an attack that has a path, the classes that it attacks, and targets: an AttackPath's arrays.

    settings: with has_path. step: 0 for fgsm. The others as for craft.
    """
    attacked, targets = _attacked_classes(network, images, labels, settings, seed, batch_size)
    bits = np.stack([pack(np.zeros(images.shape, np.int8))] * settings.iterations)
    context = context_of(network, settings, np.inf, step, clip, seed)
    for which, walk in _in_batches(functools.partial(free_signs, context), images, attacked, batch_size):
        for place, signs in enumerate(walk):
            bits[place][:, which] = pack(np.asarray(signs)[: len(which)])
    return bits, attacked, targets


def craft_on(
    network,
    images: np.ndarray,
    adversarial: np.ndarray,
    taken: int,
    attacked: np.ndarray,
    settings: AttackSettings,
    epsilon: float,
    step: float,
    clip: tuple[float, float],
    batch_size: int,
) -> np.ndarray:
    """What craft gives, from where a path has led at this epsilon: images, what became of them, after how many steps.

    attacked: the path's. The others as for craft, whose batches they share, so that the bits are the same.
    """
    found, left = adversarial.copy(), settings.iterations - taken
    context = context_of(network, settings, epsilon, step, clip, seed=0)  # nothing on this way is drawn

    def go_on(batch, labels, start):
        return list(projected_steps(context, batch, start, labels, left))[-1]

    for which, batch in _in_batches(go_on, images, attacked, batch_size, adversarial):
        found[which] = np.asarray(batch)[: len(which)]
    return found


def craft_iterates(
    network,
    images: np.ndarray,
    labels: np.ndarray,
    settings: AttackSettings,
    iterations: Sequence[int],
    epsilon: float,
    step: float,
    clip: tuple[float, float],
    seed: int,
    batch_size: int,
) -> np.ndarray:
    """What craft gives with each of several numbers of iterations, bit for bit, at the cost of the longest run.

    iterations: k rising numbers. settings: of an untargeted attack whose method has a function `iterates`. The others as
    for craft. (k, n, h, w, c) float32.
    """
    found, iterates = np.repeat(images[None], len(iterations), axis=0), method_of(settings).iterates
    context = context_of(network, settings, epsilon, step, clip, seed)
    attack = functools.partial(iterates, context, iterations=iterations)
    attacked = _left_classes(network, images, labels, settings, batch_size)
    for which, batches in _in_batches(attack, images, attacked, batch_size):
        for place, batch in enumerate(batches):
            found[place, which] = np.asarray(batch)[: len(which)]
    return found


def _attacked_classes(network, images, labels, settings, seed, batch_size) -> tuple[np.ndarray, np.ndarray]:
    """The classes that are led away from or aimed at, and the targets alone, (n,) int64 each; -1 for none."""
    if settings.targeted:
        targets = choose_targets(class_logits(network, images, batch_size), labels, settings.target, seed)
        return targets, targets
    return _left_classes(network, images, labels, settings, batch_size), np.full(len(labels), -1, np.int64)


def _left_classes(network, images, labels, settings: AttackSettings, batch_size: int) -> np.ndarray:
    """The classes, (n,) int64, that an untargeted attack leads away from: the given (true) ones, or those that are predicted.

    Of a rejected image that is the class that the network would have told, since no attack leads away from a rejection alone.
    """
    if settings.labels == "given":
        return labels
    return class_logits(network, images, batch_size).argmax(axis=1).astype(np.int64)


def context_of(
    network, settings: AttackSettings, epsilon: float, step: float, clip: tuple[float, float], seed: int
) -> Context:
    """What an attack is given, with the arguments of craft; from here on its chance is that of the seed.

    Here it is told whether the network rejects.
    Raises UserError where the network has too few classes for the loss.
    """
    if settings.climbed_loss == "dlr":
        check_classes_of_dlr(n_classes_of(network))
    tf.random.set_seed(seed)
    random = np.random.default_rng([seed, 11])
    return Context(compiled(network), settings, epsilon, step, clip, random, rejects(network))


def _in_batches(
    attack: Callable, images: np.ndarray, attacked: np.ndarray, batch_size: int, *more: np.ndarray
) -> Iterator:
    """(positions, what the attack gives for their images) a batch; images whose class to be attacked is -1 are left out.

    more: further arrays, a row an image, that the attack is given after images and classes.

    All batches have one size, batch_size or less (the last is padded by an image or two), so that the gradient is traced
    once.
    """
    todo = np.flatnonzero(attacked >= 0)
    shown = time.monotonic()
    size = -(-len(todo) // max(1, -(-len(todo) // batch_size)))  # as even as it goes: padding costs as much as images
    for start in range(0, len(todo), max(1, size)):
        if time.monotonic() - shown > 10:
            shown = time.monotonic()
            LOG.info("%d of %d images", start, len(todo))
        which = todo[start : start + size]
        padded = np.resize(which, size)
        others = [tf.constant(array[padded]) for array in more]
        yield which, attack(tf.constant(images[padded]), tf.constant(attacked[padded], dtype=tf.int64), *others)
