"""Jacobian saliency map attack (Papernot et al. 2016, arXiv 1511.07528, algorithm 3, with equation 8): two values at a time.

Epsilon is the paper's distortion, the share of the image's values (pixels times channels) that may change, from 0 to 1. The
Jacobian is that of the logits, as in the paper where nothing is defended (JSMA-Z of Carlini and Wagner 2017, arXiv 1608.04644,
section III-C), so that large logits hide nothing. Untargeted it aims at the wrong class that is most likely at the start, and
any error ends it.

cleverhans 4.0.0 has none for TensorFlow 2. That of Adversarial Robustness Toolbox 1.20.1 runs, but looks at the gradient of
the target alone, takes the two largest of it, whatever they do to the other classes, and checks the share only after it was
passed; tests hold the two side by side.
"""

import numpy as np
import tensorflow as tf

KEYS = ("target",)
NORMS = ("0",)
CLIMBS = "margin"  # of the classes' logits, whose gradients are all that it looks at
SETTINGS = {
    "type": "object",
    "properties": {
        "theta": {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
                {"type": "number", "minimum": -1, "exclusiveMaximum": 0},
            ],
            "default": 1,
            "description": (
                "What is added to a chosen value, as a share of the pixel range, below 0 to darken: 1 makes it white, -1 black. A "
                "smaller one may be added to the same value again."
            ),
        },
    },
}


def attack(context, images, labels):
    """The first image on the way that fools, else that at which no pair helps or none fits into epsilon any more."""
    images, labels = np.asarray(images), np.asarray(labels)
    source, (low, high) = images.reshape(len(images), -1), context.clip
    theta = context.own["theta"] * (high - low)
    allowed = int(context.epsilon * source.shape[1] + 1e-6)  # 0.29 of 100 values are 29
    targeted = context.settings.targeted
    targets = labels if targeted else context.likeliest_wrong(context.logits(images), labels)
    found, todo = source.copy(), np.arange(len(images))
    while len(todo):
        here = found[todo].reshape(-1, *images.shape[1:])
        _, rise, logits = context.loss_and_gradient(here, targets[todo], _logit)
        _, every, _ = context.loss_and_gradient(here, targets[todo], _all_logits)
        standing = logits.argmax(1) != labels[todo] if targeted else ~context.fooled(logits, labels[todo])
        going = []
        for place in np.flatnonzero(standing):
            image = todo[place]
            movable = found[image] < high if theta > 0 else found[image] > low
            alpha, beta = rise[place].ravel(), every[place].ravel() - rise[place].ravel()
            pair = best_pair(np.sign(theta) * alpha, -np.sign(theta) * beta, movable)
            changed = found[image] != source[image]
            changed[pair] = True
            if len(pair) and changed.sum() <= allowed:
                found[image, pair] = np.clip(found[image, pair] + np.float32(theta), low, high)
                going.append(image)
        todo = np.array(going, int)
    return found.reshape(images.shape)


def best_pair(helps: np.ndarray, harms: np.ndarray, movable: np.ndarray) -> list[int]:
    """The two values for which the product of the sums of both numbers is largest, both sums above 0; [] where there are none.

    helps: (d,), how much the target gains by moving a value; harms: (d,), how much all other classes lose. movable: (d,)
    bool, the search domain. Exact, without going through all d * d / 2 pairs: a value that two others equal or excel in both
    can be replaced by the one of them that is not its partner, so that those which at most one excels are enough.
    """
    domain = np.flatnonzero(movable)
    order = domain[np.argsort(-helps[domain], kind="stable")]
    if len(order) < 2:
        return []
    a, b = helps[order].astype(float), harms[order].astype(float)
    largest = np.maximum.accumulate(b)
    second = np.maximum.accumulate(np.minimum(b[1:], largest[:-1]))  # second largest of b up to here
    kept = np.flatnonzero(b > np.concatenate([[-np.inf, -np.inf], second[:-1]]))
    gain, loss = (values[kept][:, None] + values[kept] for values in (a, b))
    saliency = np.where((gain > 0) & (loss > 0), gain * loss, 0)
    np.fill_diagonal(saliency, 0)
    first, other = divmod(int(saliency.argmax()), len(kept))
    return [int(order[kept[first]]), int(order[kept[other]])] if saliency[first, other] > 0 else []


def _logit(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.gather(logits, labels, batch_dims=1)


def _all_logits(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(logits, 1)
