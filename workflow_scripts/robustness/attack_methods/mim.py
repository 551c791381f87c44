"""Momentum iterative method (Dong et al. 2018, arXiv 1710.06081, algorithm 1), from cleverhans."""

from cleverhans.tf2.attacks.momentum_iterative_method import momentum_iterative_method

KEYS = ("target", "step", "relative_step", "iterations", "momentum")
REQUIRED = ("iterations",)
CLIMBS = "cross_entropy"
SPARES_REJECTION = False


def attack(context, images, labels):
    """Steps along the gathered gradient, which cleverhans norms before it gathers it; the loss is cross-entropy.

    cleverhans takes no other loss for it, so that on a model that can reject it leaves the true class for any other answer,
    the rejection among them: pgd is the attack to judge such a model by.
    """
    return momentum_iterative_method(
        context.logits_of,
        images,
        *context.steps,
        y=labels,
        decay_factor=context.settings.momentum,
        **context.common,
    )
