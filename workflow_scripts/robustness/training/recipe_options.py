"""The command-line options that the programs that train share."""

import functools
from collections.abc import Callable

import click

from robustness.cli import gpu_option, in_file, out_file, seed_option, threads_option
from robustness.models.network_settings import TRAINABLE

# What an epoch can be judged by; the last two exist in adversarial training only.
MEASURES = ["val_accuracy", "val_loss", "adversarial_loss", "val_adversarial_loss"]
OPTIONS = [
    in_file("--train", "Training images (.npz)."),
    in_file("--validation", "Validation images (.npz)."),
    in_file("--info", "dataset.json of the dataset."),
    in_file("--erasing-schedule", "Rectangles of random erasing (.npz); without it nothing is erased.", required=False),
    click.option("--name", required=True, help="Name of the model in the study."),
    click.option("--dataset", required=True, help="Name of the dataset in the study."),
    click.option("--defence", required=True, help="Name of the defence, for the tables."),
    click.option("--architecture", required=True, help="A network of robustness/networks."),
    click.option(
        "--upsampling", type=click.IntRange(min=1), default=1, help="Each pixel is repeated so often, both ways."
    ),
    click.option(
        "--width",
        type=click.FloatRange(min=0, min_open=True),
        default=1.0,
        help="Every convolution has this share of its filters.",
    ),
    click.option(
        "--head",
        default="",
        metavar="WORDS",
        help="From the features to the logits, separated by commas: global_average_pooling,dense 256 relu,dropout 0.25,"
        "batch_normalization,logits. Without it the network's own.",
    ),
    in_file("--weights", "Pretrained weights of the network's base (.h5); without it they are drawn.", required=False),
    click.option(
        "--trainable",
        type=click.Choice(TRAINABLE),
        default="all",
        help="What of the base is trained: all, its batch normalisation, or nothing but the head.",
    ),
    in_file("--initial", "A trained network to start from (.keras); without it weights are drawn.", required=False),
    click.option(
        "--loss",
        type=click.Choice(["categorical_crossentropy", "sparse_categorical_crossentropy"]),
        default="categorical_crossentropy",
        help="Cross-entropy of one-hot or of integer labels; the values are the same.",
    ),
    click.option("--optimizer-name", type=click.Choice(["adam", "sgd"]), default="adam", help="Which optimiser."),
    click.option(
        "--optimizer-learning-rate",
        type=click.FloatRange(min=0, min_open=True),
        default=0.001,
        help="Rate of the first step.",
    ),
    click.option("--optimizer-momentum", type=click.FloatRange(0, 1), default=0.0, help="Of sgd."),
    click.option("--optimizer-nesterov/--no-optimizer-nesterov", default=False, help="Nesterov's momentum, of sgd."),
    click.option("--optimizer-beta-1", type=click.FloatRange(0, 1), default=0.9, help="Of adam."),
    click.option("--optimizer-beta-2", type=click.FloatRange(0, 1), default=0.999, help="Of adam."),
    click.option("--optimizer-epsilon", type=click.FloatRange(min=0), default=1e-7, help="Of adam."),
    click.option("--optimizer-amsgrad/--no-optimizer-amsgrad", default=False, help="Of adam."),
    click.option("--optimizer-decay", type=click.FloatRange(min=0), default=0.0, help="Rate / (1 + decay x steps)."),
    click.option("--optimizer-drop-every", type=click.IntRange(min=0), default=0, help="Epochs; 0: never."),
    click.option("--optimizer-drop-factor", type=click.FloatRange(0, 1), default=0.5, help="Factor of each drop."),
    click.option("--optimizer-cosine/--no-optimizer-cosine", default=False, help="Half a cosine down to 0."),
    click.option("--batch-size", type=click.IntRange(min=1), default=128, help="Images a step."),
    click.option("--epochs", type=click.IntRange(min=1), required=True, help="Passes over the training images."),
    click.option("--weight-decay", type=click.FloatRange(min=0), default=0.0, help="L2 coefficient of the kernels."),
    click.option("--early-stopping-patience", type=click.IntRange(min=0), default=0, help="Epochs; 0: no stopping."),
    click.option(
        "--early-stopping-monitor",
        type=click.Choice(MEASURES),
        default="val_loss",
        help="What has to get better.",
    ),
    click.option(
        "--early-stopping-min-delta", type=click.FloatRange(min=0), default=0.0, help="A smaller gain is none."
    ),
    click.option(
        "--checkpoint",
        type=click.Choice([*MEASURES, "last"]),
        default="val_accuracy",
        help="Keep the weights of the best epoch by this measure, or of the last.",
    ),
    click.option(
        "--precision",
        type=click.Choice(["float32", "mixed_bfloat16", "mixed_float16"]),
        default="float32",
        help="Of what layers compute in training; weights, logits, loss and validation are float32.",
    ),
    click.option(
        "--augmentation-blur-probability", type=click.FloatRange(0, 1), default=0.0, help="Of a Gaussian blur."
    ),
    click.option("--augmentation-blur-size", type=click.IntRange(min=1), default=3, help="Pixels of its kernel; odd."),
    click.option(
        "--augmentation-blur-sigma",
        type=click.FloatRange(min=0, min_open=True),
        default=1.0,
        help="Its standard deviation in pixels.",
    ),
    click.option(
        "--augmentation-noise-kind",
        type=click.Choice(["", "gaussian", "salt_and_pepper", "speckle"]),
        default="",
        help="Noise on every training image; none if left out.",
    ),
    click.option(
        "--augmentation-noise-amount",
        type=click.FloatRange(0, 1),
        default=0.0,
        help="Standard deviation on the pixel range 0-1; of salt_and_pepper the share of pixels.",
    ),
    click.option(
        "--augmentation-rotation", type=click.FloatRange(0, 180), default=0.0, help="Greatest angle in degrees."
    ),
    click.option(
        "--augmentation-width-shift",
        type=click.FloatRange(0, 1),
        default=0.0,
        help="Greatest, as a share of the width.",
    ),
    click.option(
        "--augmentation-height-shift", type=click.FloatRange(0, 1), default=0.0, help="The same of the height."
    ),
    click.option(
        "--augmentation-horizontal-flip/--no-augmentation-horizontal-flip",
        default=False,
        help="Left to right, of half.",
    ),
    click.option(
        "--augmentation-vertical-flip/--no-augmentation-vertical-flip", default=False, help="Top to bottom, of half."
    ),
    seed_option("Seed of the weights, the order of images, dropout, erasing's fill, augmentation and random starts."),
    threads_option(),
    gpu_option(),
    click.option(
        "--state",
        type=click.Path(dir_okay=False),
        help="Where to keep the state of an unfinished run; a run "
        "that is started again goes on from its last whole epoch. Removed at the end.",
    ),
    out_file("--model", "The trained network (.keras); it puts out logits."),
    out_file("--history", "One row an epoch: losses, accuracies, learning rate, seconds (.csv)."),
    out_file("--metadata", "Versions, commit, seed, device, parameters, seconds, settings (.json)."),
]


def recipe_options(function: Callable) -> Callable:
    """Give a program the options above; it receives them as keyword arguments."""
    return functools.reduce(lambda f, option: option(f), reversed(OPTIONS), function)
