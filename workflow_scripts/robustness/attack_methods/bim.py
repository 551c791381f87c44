"""Basic iterative method (Kurakin et al. 2017, arXiv 1607.02533, equation 2), from cleverhans."""

import tensorflow as tf
from cleverhans.tf2.attacks.fast_gradient_method import fast_gradient_method
from cleverhans.tf2.attacks.projected_gradient_descent import projected_gradient_descent
from cleverhans.tf2.utils import clip_eta


def attack(context, images, labels):
    """Steps from the image itself, each projected to the ball, or cut to the pixel range alone.

    As cleverhans' own basic_iterative_method, which is its PGD without a random start and takes no loss. Without a ball
    of its own the attack gets one that all steps together can't leave.
    """
    epsilon, step, iterations, norm = context.steps
    if not context.settings.bounded:
        epsilon = step * iterations
    return projected_gradient_descent(
        context.logits_of,
        images,
        epsilon,
        step,
        iterations,
        norm,
        y=labels,
        rand_init=None,
        loss_fn=context.loss_fn,
        **context.common,
    )


def iterates(context, images, labels, iterations):
    """What attack gives with each of several rising numbers of iterations, in the ball: cleverhans' own steps, one by one."""
    adversarial, found = images, []
    for i in range(1, iterations[-1] + 1):
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
        if i in iterations:
            found.append(adversarial)
    return found
