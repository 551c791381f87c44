"""Random noise at the edge of the ball, the floor under every attack: it knows nothing of the network but its answers."""

import numpy as np

from robustness.attacks.attack_context import project, random_direction

KEYS = ("restarts",)
CLIMBS = ""


def attack(context, images, labels):
    """Random signs (norm inf) or a random direction (norm 2) of length epsilon; of `restarts` draws one that fools."""
    images, labels = np.asarray(images), np.asarray(labels)
    best = images.copy()
    todo = np.arange(len(images))
    for _ in range(context.settings.restarts):
        start = images[todo]
        best[todo] = project(start + context.epsilon * random_direction(start.shape, context), start, np.inf, context)
        if context.settings.restarts > 1:
            todo = todo[~context.fooled(context.logits(best[todo]), labels[todo])]
            if not len(todo):
                break
    return best
