"""Crafting as the workflow does it: one walk for all epsilons (craft_path), and what is left of each (craft_adversarial)."""

import sys
from pathlib import Path

import numpy as np

from peer import Craft, Work, time_craft

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow_scripts"))
CLIP = (0.0, 1.0)


def open_library(folder: Path, batch_size: int, threads: int) -> Craft:
    from robustness.cluster import devices

    devices.prepare(threads, 1)
    import keras

    from robustness.attacks.attack_paths import AttackPath
    from robustness.attacks.attack_settings import AttackSettings, describe, without_epsilon
    from robustness.attacks.crafting import craft, craft_on, craft_path

    network = keras.saving.load_model(folder / "network.keras", compile=False)
    network.trainable = False

    def crafted(work: Work, images: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
        steps = {} if work.method == "fgsm" else {"step": work.step, "iterations": work.iterations}
        settings = AttackSettings(work.method, **steps)
        if len(work.epsilons) == 1:
            step = work.step or work.epsilons[0]
            return [craft(network, images, labels, settings, work.epsilons[0], step, CLIP, 1, batch_size)[0]]
        bits, attacked, targets = craft_path(network, images, labels, settings, work.step, CLIP, 1, batch_size)
        note = without_epsilon(describe(work.method, settings, "", "0-1", 1))
        path = AttackPath(bits, images.shape[1:], attacked, targets, np.arange(len(images)), note, "")
        found = []
        for epsilon in work.epsilons:
            walked, taken = path.follow(images, epsilon, work.step, CLIP)
            if taken < settings.iterations:
                sizes = (settings, epsilon, work.step, CLIP, batch_size)
                walked = craft_on(network, images, walked, taken, attacked, *sizes)
            found.append(walked)
        return found

    return crafted


if __name__ == "__main__":
    time_craft(open_library)
