"""Basic iterative method (Kurakin et al. 2017, arXiv 1607.02533, equation 2), from cleverhans."""

from cleverhans.tf2.attacks.projected_gradient_descent import projected_gradient_descent

from robustness.attacks.projected_steps import projected_steps

KEYS = ("labels", "target", "loss", "logit_scale", "step", "relative_step", "iterations", "clip")
REQUIRED = ("iterations",)
SIGN_STEPS = True
FIRST_ERROR = True


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
    """What attack gives with each of several rising numbers of iterations, in the ball."""
    run = projected_steps(context, images, images, labels, iterations[-1])
    return [found for i, found in enumerate(run, start=1) if i in iterations]
