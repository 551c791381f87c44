"""What an attack has to go on: the gradient of its loss with respect to the pixels."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf


def has_zero_gradient(
    network, images: np.ndarray, labels: np.ndarray, loss: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], batch_size=250
) -> np.ndarray:
    """Whether the gradient of a loss with respect to an image is zero in every pixel, (n,) bool.

    In float32, as attacks see it. Where it is zero, gradient attacks do not know where to go (gradient masking;
    Athalye et al. 2018, arXiv 1802.00420). images: (n, h, w, c) float32 pixels. labels: (n,) integers. loss: a function
    of robustness/attacks/attack_losses.py.
    """

    @tf.function
    def gradient(x, y):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = loss(y, network(x, training=False))
        return tape.gradient(value, x)

    parts = [
        (gradient(tf.constant(images[i : i + batch_size]), tf.constant(labels[i : i + batch_size])).numpy() == 0)
        for i in range(0, len(images), batch_size)
    ]
    return np.concatenate(parts).reshape(len(images), -1).all(axis=1)
