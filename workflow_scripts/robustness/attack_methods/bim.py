"""Basic iterative method (Kurakin et al. 2017, arXiv 1607.02533, equation 2), from cleverhans."""

from cleverhans.tf2.attacks.projected_gradient_descent import projected_gradient_descent


def attack(context, images, labels):
    """Steps from the image itself, each projected to the ball.

    As cleverhans' own basic_iterative_method, which is its PGD without a random start and takes no loss.
    """
    return projected_gradient_descent(
        context.logits_of,
        images,
        *context.steps,
        y=labels,
        rand_init=None,
        loss_fn=context.loss_fn,
        **context.common,
    )
