"""Crafting with cleverhans 4, called as its TensorFlow 2 tutorial does: eagerly, epsilon by epsilon."""

from pathlib import Path

import numpy as np

from peer import Craft, bind_tensorflow, in_batches, time_craft


def open_library(folder: Path, batch_size: int, threads: int) -> Craft:
    bind_tensorflow(threads)
    import keras
    import tensorflow as tf
    from cleverhans.tf2.attacks.fast_gradient_method import fast_gradient_method
    from cleverhans.tf2.attacks.projected_gradient_descent import projected_gradient_descent

    network = keras.saving.load_model(folder / "network.keras", compile=False)

    def craft(work, images, labels):
        x, y = tf.constant(images), tf.constant(labels)
        # Its checks fail as soon as pixels are clipped; its basic_iterative_method is its PGD without a random start.
        common = {"y": y, "clip_min": 0.0, "clip_max": 1.0, "sanity_checks": False}
        if work.method == "fgsm":
            found = [fast_gradient_method(network, x, epsilon, np.inf, **common) for epsilon in work.epsilons]
        else:
            steps = (work.step, work.iterations, np.inf)
            found = [
                projected_gradient_descent(network, x, epsilon, *steps, rand_init=None, **common)
                for epsilon in work.epsilons
            ]
        return [images.numpy() for images in found]

    return in_batches(craft, batch_size)


if __name__ == "__main__":
    time_craft(open_library)
