"""Crafting with Foolbox."""

from pathlib import Path

from peer import Craft, bind_tensorflow, in_batches, time_craft


def open_library(folder: Path, batch_size: int, threads: int) -> Craft:
    bind_tensorflow(threads)
    import foolbox
    import keras
    import tensorflow as tf

    network = keras.saving.load_model(folder / "network.keras", compile=False)
    model = foolbox.TensorFlowModel(network, bounds=(0.0, 1.0))

    def attack(work):
        if work.method == "fgsm":
            return foolbox.attacks.LinfFastGradientAttack(random_start=False)
        kind = {"bim": foolbox.attacks.LinfBasicIterativeAttack, "pgd": foolbox.attacks.LinfPGD}[work.method]
        return kind(abs_stepsize=work.step, steps=work.iterations, random_start=False)

    def craft(work, images, labels):
        found = attack(work)(model, tf.constant(images), tf.constant(labels), epsilons=list(work.epsilons))[1]
        return [images.numpy() for images in found]

    return in_batches(craft, batch_size)


if __name__ == "__main__":
    time_craft(open_library)
