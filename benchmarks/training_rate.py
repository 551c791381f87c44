"""Images a second that training takes, for networks and defences, beside the same Keras model fed in the old way.

The old way is the thesis': Keras' ImageDataGenerator with a Python function that erases image by image. Each measurement
is a process of its own: an epoch that compiles, then one that counts. Run from the clone's root by make bench.
"""

import json
import sys
import time
from pathlib import Path

import click
import numpy as np

from measurements import SCRIPTS, run_program, write_rows

sys.path.insert(0, str(SCRIPTS))

# architecture: (shape, images an epoch); fewer where an epoch takes minutes
ARCHITECTURES = {
    "report_cnn": ((28, 28, 1), 1920),
    "resnet20": ((32, 32, 3), 640),
    "inception_small": ((32, 32, 3), 256),
    "vgg11": ((32, 32, 3), 512),
}
DEFENCES = ("none", "erasing", "augmentation", "distillation", "adversarial")
FEEDS = ("workflow", "generator")
BATCH = 64
COLUMNS = ("architecture", "defence", "feed", "round", "images_per_second", "pipeline_share")


def erase_one(image: np.ndarray) -> np.ndarray:
    """Random erasing of one image as thesis-like code does it: draw until a rectangle fits, then fill it."""
    height, width, channels = image.shape
    if np.random.rand() > 0.5:
        return image
    while True:
        area, aspect = np.random.uniform(0.02, 0.4) * height * width, np.random.uniform(0.3, 1 / 0.3)
        w, h = int(np.sqrt(area / aspect)), int(np.sqrt(area * aspect))
        left, top = np.random.randint(0, width), np.random.randint(0, height)
        if left + w <= width and top + h <= height:
            break
    image[top : top + h, left : left + w] = np.random.uniform(0, 255, (h, w, channels))
    return image


def measure(architecture: str, defence: str, feed: str, threads: int) -> dict:
    """images_per_second of an epoch, and the share of it that one thread needs to make the batches (0 for the generator)."""
    from robustness.cluster import devices

    devices.prepare(threads, 1)
    import keras

    from robustness.data.augmentation import Augmentation
    from robustness.data.datasets import Images
    from robustness.data.erasing import ErasingSettings, draw_schedule
    from robustness.models.architectures import build
    from robustness.training import loop as training
    from robustness.training.adversarial_training import AdversarialTrainer, AdversarialTraining
    from robustness.training.distillation import Distillation, Distiller

    shape, n = ARCHITECTURES[architecture]
    rng = np.random.default_rng(1)
    pixels, labels = rng.integers(0, 256, (n, *shape), dtype=np.uint8), rng.integers(0, 10, n)
    images = Images(pixels, labels, np.arange(n))
    network = build(architecture, shape, 10, (0.0, 1.0))
    loss = training.TemperedCrossEntropy(1.0, one_hot=True)
    trainer = network
    if defence == "distillation":
        trainer = Distiller(network, build(architecture, shape, 10, (0.0, 1.0)), Distillation(20.0, 0.2))
    if defence == "adversarial":
        trainer = AdversarialTrainer(network, loss, AdversarialTraining(0.1, 0.1, (0.0, 1.0)), 1)
    own_loss = trainer is not network
    recipe = training.Recipe(batch_size=BATCH, epochs=2, checkpoint="last")
    trainer.compile("adam", loss=None if own_loss else loss, metrics=[training.accuracy_metric(recipe)])
    moves = {"rotation": 15.0, "width_shift": 0.1, "height_shift": 0.1, "horizontal_flip": True}

    if feed == "generator":
        arguments = {"preprocessing_function": erase_one} if defence != "none" else {}
        if defence == "augmentation":
            arguments = {"rotation_range": 15, "width_shift_range": 0.1, "height_shift_range": 0.1}
            arguments |= {"horizontal_flip": True}
        generator = keras.src.legacy.preprocessing.image.ImageDataGenerator(rescale=1 / 255, **arguments)
        batches = generator.flow(pixels.astype("float32"), keras.utils.to_categorical(labels, 10), batch_size=BATCH)
        first = pixels[:BATCH] / np.float32(255), keras.utils.to_categorical(labels[:BATCH], 10)
        trainer.fit(batches, validation_data=first, epochs=1, verbose=0)
        started = time.perf_counter()
        trainer.fit(batches, validation_data=first, epochs=1, verbose=0)
        return {"images_per_second": n / (time.perf_counter() - started), "pipeline_share": ""}

    data = training.TrainingData(images, images.take(np.arange(BATCH)), (0.0, 1.0), 10)
    if defence not in ("none", "augmentation"):
        data.rectangles = draw_schedule(n, *shape[:2], ErasingSettings(0.5, (0.02, 0.4), (0.3, 1 / 0.3)), 1, 1)
    if defence == "augmentation":
        data.augmentation = Augmentation(blur_probability=0.5, **moves)
    history = training.fit(trainer, network, data, recipe, 1, training.Checkpoint(None, ""))
    seconds = history[-1]["seconds"]
    rectangles = None if data.rectangles is None else data.rectangles[0]
    one_hot = keras.utils.to_categorical(labels, 10)
    order = np.arange(n)
    batches = training.Batches(images, one_hot, (0.0, 1.0), BATCH, order, rectangles, data.augmentation, (1, 1))
    batches[0]
    started = time.perf_counter()
    for i in range(len(batches)):
        batches[i]
    return {"images_per_second": n / seconds, "pipeline_share": (time.perf_counter() - started) / seconds}


@click.command()
@click.option("--threads", default=1, show_default=True)
@click.option("--rounds", default=2, show_default=True)
@click.option("--architecture", "architectures", multiple=True, type=click.Choice(ARCHITECTURES))
@click.option("--defence", "defences", multiple=True, type=click.Choice(DEFENCES))
@click.option("--feed", type=click.Choice(FEEDS), help="Measure this one, in this process, and print it as JSON.")
@click.option("--output", type=click.Path(path_type=Path), help="A row a measurement (.csv).")
def main(threads, rounds, architectures, defences, feed, output):
    """Measure all networks and defences, or those that are named."""
    architectures, defences = architectures or tuple(ARCHITECTURES), defences or DEFENCES
    if feed:
        click.echo(json.dumps(measure(architectures[0], defences[0], feed, threads)))
        return
    rows = []
    # The defences differ in what is fed and computed an image, which one network shows; the networks in what a step takes.
    todo = [(a, d) for a in architectures for d in defences if a == architectures[0] or d == "erasing"]
    for turn in range(rounds):
        for architecture, defence in todo:
            for fed in FEEDS:
                words = ["--architecture", architecture, "--defence", defence, "--feed", fed, "--threads", threads]
                found = json.loads(run_program(Path(__file__), *words).splitlines()[-1])
                found = {key: f"{value:.4g}" if value != "" else "" for key, value in found.items()}
                rows.append(dict(zip(COLUMNS, (architecture, defence, fed, turn + 1, *found.values()), strict=True)))
                click.echo("  ".join(map(str, rows[-1].values())))
    write_rows(output, rows)


if __name__ == "__main__":
    main()
