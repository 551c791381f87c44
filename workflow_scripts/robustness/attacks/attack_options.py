"""The options of programs that craft one attack, but for its epsilon."""

from collections.abc import Callable

import click

from robustness.attacks.attack_settings import CLIPS, LABELS, LOSSES
from robustness.cli import (
    batch_size_option,
    gpu_option,
    in_file,
    json_option,
    norm_option,
    seed_option,
    threads_option,
    unit_option,
)

OPTIONS = [
    in_file("--model", "The attacked network (.keras)."),
    in_file("--images", "The images to start from (.npz of select_evaluation_subset)."),
    in_file("--info", "dataset.json of the dataset."),
    click.option("--attack", required=True, help="Name of the attack in the study."),
    click.option(
        "--method", required=True, help="A module of robustness/attack_methods: fgsm, bim, mim, pgd, apgd, ..."
    ),
    norm_option("0"),
    unit_option(),
    click.option("--target", default="", help="least_likely, random or a class number; empty: untargeted."),
    click.option("--step", type=click.FloatRange(min=0, min_open=True), help="Of one iteration, in epsilon's unit."),
    click.option("--relative-step", type=click.FloatRange(0, 1, min_open=True), help="The step as a share of epsilon."),
    click.option("--iterations", type=click.IntRange(min=1), default=1, help="Steps of an iterative attack."),
    click.option("--random-start/--no-random-start", default=False, help="pgd: start at a random point of the ball."),
    click.option("--restarts", type=click.IntRange(min=1), default=1, help="Keep the best of so many runs."),
    click.option("--momentum", type=click.FloatRange(min=0), default=1.0, help="Decay factor of mim."),
    click.option(
        "--loss", type=click.Choice(LOSSES), default="cross_entropy", help="What fgsm, bim, pgd and apgd climb."
    ),
    click.option(
        "--logit-scale",
        type=click.FloatRange(min=0, min_open=True),
        help="scaled_cross_entropy: what logits are divided by; left out, it is found from the logits of each image.",
    ),
    click.option(
        "--queries", type=click.IntRange(min=1), default=1, help="Answers of the network that square may ask for."
    ),
    click.option(
        "--clip",
        type=click.Choice(CLIPS),
        default="ball",
        help="bim: cut iterates to the ball of epsilon, or to the pixel range alone.",
    ),
    click.option(
        "--labels",
        type=click.Choice(LABELS),
        default="given",
        help="What fgsm, bim and pgd lead away from: the given (true) class, or the network's prediction.",
    ),
    json_option("--own", "What the method's file describes itself; its defaults for what is left out.", default="{}"),
    batch_size_option(),
    seed_option("Seed of random starts and random targets."),
    threads_option(),
    gpu_option(),
]


def attack_options(function: Callable) -> Callable:
    """The options above, in their order."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function
