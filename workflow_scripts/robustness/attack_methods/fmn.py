"""Fast minimum-norm attack (Pintor et al. 2021, arXiv 2102.12827, algorithm 1): the smallest perturbation that fools.

One run tells for every epsilon whether there is an example within it. The loss is the margin, whose gradient does not
vanish however large the logits are. Foolbox 3.3.4 has one, two times slower on the quick study's network and broken in
the Euclidean norm; tests hold the two side by side. Unlike there and in the paper the ball grows until it holds an example: one as large as the
boundary seems far ends on the boundary itself or, where pixels are clipped, before it, and many images never fall.
"""

import numpy as np

from robustness.attacks.attack_context import project
from robustness.attacks.lengths import lengths

KEYS = ("iterations",)
REQUIRED = ("iterations",)
CLIMBS = "margin"
MINIMUM_NORM = True

STEP = 1.0, 0.01  # first and last alpha, as a share of the pixel range: Euclidean length of a step
GAMMA = 0.05, 0.001  # first and last gamma: how much the ball shrinks or grows in an iteration


def attack(context, images, labels):
    """The nearest misclassified (and accepted) image that was found, if it lies within epsilon, else the image itself."""
    images, labels = np.asarray(images), np.asarray(labels)
    dual = {np.inf: 1, 2: 2}[context.norm]
    width, iterations = context.clip[1] - context.clip[0], context.settings.iterations
    x, best = images.copy(), images.copy()
    best_norm = np.full((len(images), 1, 1, 1), np.inf, np.float32)
    radius = np.zeros_like(best_norm)
    for k in range(iterations):
        cosine = (1 + np.cos(np.pi * k / iterations)) / 2
        alpha = width * (STEP[1] + (STEP[0] - STEP[1]) * cosine)
        gamma = GAMMA[1] + (GAMMA[0] - GAMMA[1]) * cosine
        margin, gradient, logits = context.loss_and_gradient(x, labels)
        norm = lengths(x - images, context.norm)
        fooled = context.fooled(logits, labels)[:, None, None, None]
        nearer = fooled & (norm < best_norm)
        best, best_norm = np.where(nearer, x, best), np.where(nearer, norm, best_norm)
        # Where nothing was found yet, the boundary's distance is that of the margin's linear model.
        boundary = norm + np.abs(margin)[:, None, None, None] / np.maximum(lengths(gradient, dual), 1e-12)
        outside = np.where(np.isfinite(best_norm), radius, np.maximum(radius, boundary)) * (1 + gamma)
        radius = np.where(fooled, np.minimum(radius * (1 - gamma), best_norm), outside)
        ahead = x + alpha * gradient / np.maximum(lengths(gradient, 2), 1e-12)
        x = project(ahead, images, radius, context)
    return np.where(best_norm <= context.epsilon, best, images)
