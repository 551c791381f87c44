"""Train a network on its training images and their adversarial neighbours."""

import click

from robustness.cli import norm_option, program, unit_option
from robustness.training.recipe_options import recipe_options


@program
@recipe_options
@click.option(
    "--epsilon",
    type=click.FloatRange(min=0, min_open=True),
    required=True,
    help="Radius of the ball of the neighbours.",
)
@unit_option()
@norm_option()
@click.option("--step", type=click.FloatRange(min=0, min_open=True), help="Of one iteration, in epsilon's unit.")
@click.option("--relative-step", type=click.FloatRange(0, 1, min_open=True), help="The step as a share of epsilon.")
@click.option("--iterations", type=click.IntRange(min=1), default=1, help="Steps to the neighbour.")
@click.option("--random-start/--no-random-start", default=False, help="Start at a random point of the ball.")
@click.option("--clean-weight", type=click.FloatRange(min=0), default=1.0, help="Factor of the loss at the image.")
@click.option("--weight", type=click.FloatRange(min=0), default=1.0, help="Factor of the loss at the neighbour.")
@click.option(
    "--clip-low",
    type=click.FloatRange(min=0),
    default=0.0,
    help="Smallest pixel of a neighbour, in epsilon's unit; above 0 it lifts dark pixels, out of the ball if it must.",
)
@click.option(
    "--mode",
    type=click.Choice(["inference", "training"]),
    default="inference",
    help="Of the network while it is differentiated; training keeps dropout on, as neural-structured-learning does.",
)
def main(epsilon, epsilon_unit, norm, step, relative_step, clean_weight, weight, clip_low, mode, **options):
    """Train a network on clean_weight x loss + weight x loss at an adversarial neighbour of each image.

    With a clean weight it is adversarial regularisation, without one adversarial training of Madry et al.
    """
    from robustness.attacks.epsilon_units import EPSILON_UNITS, pixel_scale
    from robustness.errors import UserError
    from robustness.training.adversarial_training import AdversarialTrainer, AdversarialTraining
    from robustness.training.loop import TemperedCrossEntropy
    from robustness.training.training_run import run_training

    if step is not None and relative_step is not None:
        raise UserError("--step and --relative-step are given: give one of them, or none for one step of epsilon.")
    if clip_low >= EPSILON_UNITS[epsilon_unit]:
        raise UserError(f"--clip-low {clip_low:g} leaves no pixel of the range {epsilon_unit}: lower it.")
    length = step if step is not None else epsilon * (relative_step or 1)
    own = {"iterations": options.pop("iterations"), "random_start": options.pop("random_start")}
    weights = {"clean_weight": clean_weight, "weight": weight}
    defence = {"epsilon": epsilon, "epsilon_unit": epsilon_unit, "norm": norm, "step": length, "clip_low": clip_low}

    def trainer(network, info, one_hot):
        scale = pixel_scale(epsilon_unit, info.pixel_range)
        low, high = info.pixel_range
        clip = (low + clip_low * scale, high)
        settings = AdversarialTraining(epsilon * scale, length * scale, clip, norm, mode=mode, **own, **weights)
        return AdversarialTrainer(network, TemperedCrossEntropy(1.0, one_hot), settings, options["seed"]), None

    run_training(options, defence | own | weights | {"mode": mode}, trainer)


if __name__ == "__main__":
    main()
