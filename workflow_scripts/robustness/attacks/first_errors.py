"""BIM and PGD where only errors count: an image's way ends at the first point on it that is misclassified (and accepted).

The attacks themselves (attack_methods) take all steps with every image and give the last point, as published. From the
image itself this takes the same steps, so that it finds an error wherever they find one, and those that they walk past; and
it spends no gradient on what has fallen.
"""

import logging
import time

import numpy as np

from robustness.attacks.attack_context import Context, project, random_direction, steepest

LOG = logging.getLogger(__name__)


def first_errors(context: Context, images: np.ndarray, labels: np.ndarray, batch_size: int) -> np.ndarray:
    """The first misclassified point of each image's way or, where there is none in any restart, the last point.

    context: of an untargeted attack in the ball. images: (n, h, w, c) float32 pixels within context.clip. labels: (n,)
    int64, the true classes; context.settings.labels does not matter, since as long as an image stands they are what is
    predicted, or it is rejected. batch_size: images a gradient; those that stand share as few batches as hold them. (n, h, w, c) float32.
    """
    found, stands = images.copy(), np.ones(len(images), bool)
    shown, settings = time.monotonic(), context.settings
    for restart in range(settings.restarts):
        for which in _batches(stands, batch_size):
            found[which] = _start(context, images[which])
        for step in range(settings.iterations):
            for which in _batches(stands, batch_size):
                here = found[which]
                _, gradient, logits = context.loss_and_gradient(here, labels[which], context.loss_fn)
                right = stands[which] = ~context.fooled(logits, labels[which])
                ahead = np.clip(here + context.step * steepest(gradient, context.norm), *context.clip)
                found[which[right]] = project(ahead, images[which], context.epsilon, context)[right]
            if time.monotonic() - shown > 10:
                shown = time.monotonic()
                done = restart * settings.iterations + step + 1
                LOG.info(
                    "%d of %d steps, %d of %d images stand",
                    done,
                    settings.restarts * settings.iterations,
                    stands.sum(),
                    len(stands),
                )
        for which in _batches(stands, batch_size):
            stands[which] = ~context.fooled(context.logits(found[which]), labels[which])
    return found


def _batches(stands: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Positions of the images that stand, in as few batches as hold them, as even as it goes."""
    todo = np.flatnonzero(stands)
    return np.array_split(todo, -(-len(todo) // batch_size)) if len(todo) else []


def _start(context: Context, images: np.ndarray) -> np.ndarray:
    """Where the ways begin: at the images or, with a random start, uniformly anywhere in their balls."""
    if not context.settings.random_start:
        return images
    if context.norm == np.inf:
        share = context.random.random(images.shape, np.float32)
    else:
        share = context.random.random((len(images), 1, 1, 1), np.float32) ** (1 / images[0].size)
    drawn = images + context.epsilon * share * random_direction(images.shape, context)
    return project(drawn, images, context.epsilon, context)
