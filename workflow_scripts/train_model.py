"""Train a network on labelled images."""

import click

from robustness.cli import program
from robustness.training.recipe_options import recipe_options


@program
@recipe_options
@click.option(
    "--temperature",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    help="The loss sees logits / temperature, as a teacher of defensive distillation is trained.",
)
def main(temperature, **options):
    """Train a network on labelled images; a killed run goes on from its last whole epoch."""
    from robustness.training.loop import TemperedCrossEntropy
    from robustness.training.training_run import run_training

    def trainer(network, _info, one_hot):
        return network, TemperedCrossEntropy(temperature, one_hot)

    run_training(options, {"temperature": temperature}, trainer)


if __name__ == "__main__":
    main()
