"""Fast gradient (sign) method (Goodfellow et al. 2015, arXiv 1412.6572, section 4), from cleverhans."""

from cleverhans.tf2.attacks.fast_gradient_method import fast_gradient_method

KEYS = ("labels", "target", "loss", "logit_scale")
SIGN_STEPS = True


def attack(context, images, labels):
    """One step of length epsilon."""
    return fast_gradient_method(
        context.logits_of, images, context.epsilon, context.norm, y=labels, loss_fn=context.loss_fn, **context.common
    )
