"""Projected gradient descent (Madry et al. 2018, arXiv 1706.06083, section 2.1), from cleverhans.

On other losses than cross-entropy it sees through logits that are merely large: the margin is Carlini and Wagner's.
"""

import tensorflow as tf
from cleverhans.tf2.attacks.projected_gradient_descent import projected_gradient_descent

KEYS = ("labels", "target", "loss", "logit_scale", "step", "relative_step", "iterations", "random_start", "restarts")
REQUIRED = ("iterations",)
SIGN_STEPS = True
FIRST_ERROR = True


def attack(context, images, labels):
    """Steps from the image or a random point of the ball; of several restarts the one of highest loss, per image."""
    settings, best, best_loss = context.settings, None, None
    for _ in range(settings.restarts):
        candidate = projected_gradient_descent(
            context.logits_of,
            images,
            *context.steps,
            y=labels,
            rand_init=1.0 if settings.random_start else None,
            loss_fn=context.loss_fn,
            **context.common,
        )
        if settings.restarts == 1:
            return candidate
        loss = context.loss_fn(labels, context.logits_of(candidate))
        loss = -loss if settings.targeted else loss
        if best is None:
            best, best_loss = candidate, loss
        else:
            best = tf.where((loss > best_loss)[:, None, None, None], candidate, best)
            best_loss = tf.maximum(loss, best_loss)
    return best
