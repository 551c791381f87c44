"""Crafting with the Adversarial Robustness Toolbox."""

from pathlib import Path

from peer import Craft, bind_tensorflow, time_craft


def open_library(folder: Path, batch_size: int, threads: int) -> Craft:
    bind_tensorflow(threads)
    import keras
    from art.attacks.evasion import BasicIterativeMethod, FastGradientMethod, ProjectedGradientDescent
    from art.estimators.classification import TensorFlowV2Classifier

    network = keras.saving.load_model(folder / "network.keras", compile=False)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    shape, classes = network.input_shape[1:], network.output_shape[1]
    classifier = TensorFlowV2Classifier(network, classes, shape, loss_object=loss, clip_values=(0.0, 1.0))

    def attack(work, epsilon):
        if work.method == "fgsm":
            return FastGradientMethod(classifier, eps=epsilon, batch_size=batch_size)
        steps = {"eps": epsilon, "eps_step": work.step, "max_iter": work.iterations, "batch_size": batch_size}
        if work.method == "bim":
            return BasicIterativeMethod(classifier, verbose=False, **steps)
        return ProjectedGradientDescent(classifier, num_random_init=0, verbose=False, **steps)

    def craft(work, images, labels):
        return [attack(work, epsilon).generate(images, labels) for epsilon in work.epsilons]

    return craft


if __name__ == "__main__":
    time_craft(open_library)
