"""BIM and PGD step by step, with cleverhans' own steps: what its loop does, but from any point and with a look at each."""

from collections.abc import Iterator

import tensorflow as tf
from cleverhans.tf2.attacks.fast_gradient_method import fast_gradient_method
from cleverhans.tf2.utils import clip_eta, compute_gradient


def projected_steps(context, images, start, labels, count: int) -> Iterator[tf.Tensor]:
    """The adversarial images after each of `count` steps from start, in the ball around images.

    images, start: (n, h, w, c) float32 within context.clip. labels: (n,) int64, of a targeted attack the targets.
    """
    adversarial = start
    for _ in range(count):
        adversarial = fast_gradient_method(
            context.logits_of,
            adversarial,
            context.step,
            context.norm,
            y=labels,
            loss_fn=context.loss_fn,
            **context.common,
        )
        perturbation = clip_eta(adversarial - images, context.norm, context.epsilon)
        adversarial = tf.clip_by_value(images + perturbation, *context.clip)
        yield adversarial


def free_signs(context, images, labels) -> Iterator[tf.Tensor]:
    """The signs of the gradient at each step of a run that no ball holds back, (n, h, w, c) each; maximum norm."""
    free = images
    for _ in range(context.settings.iterations):
        gradient = compute_gradient(context.logits_of, context.loss_fn, free, labels, context.settings.targeted)
        signs = tf.sign(gradient)
        yield signs
        ahead = tf.clip_by_value(free + context.step * signs, *context.clip)
        free = tf.clip_by_value(images + (ahead - images), *context.clip)
