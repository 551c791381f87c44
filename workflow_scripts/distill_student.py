"""Train a student network on the soft labels of a trained teacher."""

import click

from robustness.cli import in_file, program
from robustness.training.recipe_options import recipe_options


@program
@in_file("--teacher", "The trained teacher (.keras).")
@recipe_options
@click.option("--temperature", type=click.FloatRange(min=0, min_open=True), required=True, help="T of the soft labels.")
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1),
    required=True,
    help="Weight of the true labels' cross-entropy; 0 is Papernot's defensive distillation.",
)
@click.option("--t-squared/--no-t-squared", default=False, help="Multiply the soft part by T squared (Hinton et al.).")
@click.option(
    "--hard-temperature",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    help="The true labels' cross-entropy sees logits / this.",
)
def main(teacher, temperature, alpha, t_squared, hard_temperature, **options):
    """Train a student network on the soft labels of a trained teacher; it is used at temperature 1 afterwards."""
    from dataclasses import asdict

    from robustness.models.model_files import load_network
    from robustness.training.distillation import Distillation, Distiller
    from robustness.training.training_run import run_training

    settings = Distillation(temperature, alpha, t_squared, hard_temperature)

    def trainer(network, info, _one_hot):
        return Distiller(network, load_network(teacher, info.shape, len(info.classes)), settings), None

    run_training(options, asdict(settings), trainer, inputs=[teacher])


if __name__ == "__main__":
    main()
