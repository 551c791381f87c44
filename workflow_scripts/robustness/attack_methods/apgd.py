"""Auto-PGD (Croce and Hein 2020, arXiv 2003.01690, algorithm 1): PGD with momentum that halves its own step.

Adversarial Robustness Toolbox 1.20.1 has one, three to four times slower on the quick study's network; tests hold the
two side by side.
"""

import numpy as np

from robustness.attacks.attack_context import project, random_direction, steepest

KEYS = ("restarts", "loss", "logit_scale", "iterations")
REQUIRED = ("iterations",)

MOMENTUM = 0.75  # alpha of equation 4
PROGRESS = 0.75  # rho: the share of steps that must have raised the loss


def checkpoints(iterations: int) -> list[int]:
    """Iterations at which the step may be halved: w_j of the paper's section 3.2."""
    shares = [0, 22]  # per cent, since 0.22 + 0.19 + 0.16 is more than 0.57 in floating point
    while shares[-1] < 100:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 3, 6))
    return sorted({-(-share * iterations // 100) for share in shares[1:] if share < 100})


def attack(context, images, labels):
    """The first point on the way that is misclassified (and accepted); where there is none in any restart, that of highest loss."""
    images, labels = np.asarray(images), np.asarray(labels)
    best, best_loss = images.copy(), np.full(len(images), -np.inf, np.float32)
    todo = np.arange(len(images))
    for _ in range(context.settings.restarts):
        found, loss, broken = _run(context, images[todo], labels[todo])
        better = broken | (loss > best_loss[todo])
        best[todo[better]], best_loss[todo[better]] = found[better], loss[better]
        todo = todo[~broken]
        if not len(todo):
            break
    return best


def _run(context, images, labels):
    """One start: the best points, their loss, and whether they are misclassified."""
    n, iterations = len(images), context.settings.iterations
    uniform = context.random.uniform(size=(n, 1, 1, 1)).astype(np.float32)
    if context.norm == np.inf:
        uniform = context.random.uniform(size=images.shape).astype(np.float32)
    x = project(images + context.epsilon * uniform * random_direction(images.shape, context), images, np.inf, context)
    loss, gradient, logits = context.loss_and_gradient(x, labels)
    broken = context.fooled(logits, labels)
    previous = x.copy()
    best, best_loss, best_gradient = x.copy(), loss.copy(), gradient.copy()
    step = np.full((n, 1, 1, 1), 2 * context.epsilon, np.float32)
    raised = np.zeros(n, int)
    last_check, halved, loss_at_check = 0, np.zeros(n, bool), best_loss.copy()
    halvings = set(checkpoints(iterations))
    for k in range(1, iterations + 1):
        alive = np.flatnonzero(~broken)
        if not len(alive):
            break
        here, source = x[alive], images[alive]
        ahead = project(here + step[alive] * steepest(gradient[alive], context.norm), source, context.epsilon, context)
        if k > 1:
            ahead = here + MOMENTUM * (ahead - here) + (1 - MOMENTUM) * (here - previous[alive])
            ahead = project(ahead, source, context.epsilon, context)
        previous[alive], x[alive] = here, ahead
        new_loss, new_gradient, logits = context.loss_and_gradient(ahead, labels[alive])
        raised[alive] += new_loss > loss[alive]
        loss[alive], gradient[alive] = new_loss, new_gradient
        broken[alive] = context.fooled(logits, labels[alive])
        better = alive[(new_loss > best_loss[alive]) | broken[alive]]
        best[better], best_loss[better], best_gradient[better] = x[better], loss[better], gradient[better]
        if k in halvings:
            stuck = raised < PROGRESS * (k - last_check)
            stuck |= ~halved & (best_loss <= loss_at_check)
            step[stuck] /= 2
            x[stuck], gradient[stuck], loss[stuck] = best[stuck], best_gradient[stuck], best_loss[stuck]
            previous[stuck] = x[stuck]
            raised[:], last_check, halved, loss_at_check = 0, k, stuck, best_loss.copy()
    return best, best_loss, broken
