"""Train a substitute: a network that learns a model's answers, to attack that model through it."""

import click

from robustness.cli import in_file, program, unit_option
from robustness.training.recipe_options import recipe_options


@program
@in_file("--target", "The model that is asked: a network (.keras) or a classifier (.pickle).")
@in_file("--evaluation", "The images that are attacked, with which the adversary does not begin (.npz).")
@recipe_options
@click.option("--images", type=click.IntRange(min=1), required=True, help="Images that the adversary begins with.")
@click.option(
    "--rounds", type=click.IntRange(min=1), required=True, help="Of training; each but the first doubles the images."
)
@click.option(
    "--step",
    type=click.FloatRange(min=0, min_open=True),
    required=True,
    help="By which each image is moved to make another one (lambda), in the unit of --epsilon-unit.",
)
@unit_option()
def main(target, evaluation, images, rounds, step, epsilon_unit, **options):
    """Train a network on a model's answers, with Jacobian-based dataset augmentation (Papernot et al. 2017).

    --train names the images that the adversary draws its first ones from; labels are the target's answers. Epochs are
    those of a round. Validation images are only measured. A killed run starts anew.
    """
    from robustness.attacks.epsilon_units import pixel_scale
    from robustness.data.datasets import DatasetInfo, Images
    from robustness.models.scored_models import load_logits
    from robustness.training.loop import TemperedCrossEntropy
    from robustness.training.substitutes import Substitution, Target, first_images, train_on_answers
    from robustness.training.training_run import run_training

    info = DatasetInfo.load(options["info"])
    settings = Substitution(images, rounds, step * pixel_scale(epsilon_unit, (0.0, 255.0)))
    notes: dict = {}

    def trainer(network, _info, one_hot):
        return network, TemperedCrossEntropy(1.0, one_hot)

    def train(trainer, network, data, recipe, seed, _checkpoint, show_batches):
        asked = Target(load_logits(target, info.shape, len(info.classes)), len(info.classes), info.pixel_range)
        data.train = first_images(data.train, Images.load(evaluation), images, seed)
        history = train_on_answers(asked, settings, trainer, network, data, recipe, seed, show_batches)
        notes["queries"] = asked.queries
        return history

    told = {"images": images, "rounds": rounds, "step": step, "epsilon_unit": epsilon_unit}
    run_training(options, told, trainer, inputs=[target, evaluation], train=train, notes=notes)


if __name__ == "__main__":
    main()
