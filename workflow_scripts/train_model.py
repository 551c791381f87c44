"""Train a network on labelled images."""

import click

from robustness.cli import program
from robustness.recipe_options import recipe_options, run_training


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
    run_training(options, temperature)


if __name__ == "__main__":
    main()
