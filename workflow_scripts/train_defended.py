"""Train a network with a defence of robustness/defences."""

import click

from robustness.cli import json_option, program, unit_option
from robustness.training.recipe_options import recipe_options


@program
@recipe_options
@click.option("--method", required=True, help="A module of robustness/defences with a make_trainer: trades, ...")
@json_option("--settings", "Its settings, with its defaults filled in.", required=True)
@unit_option()
def main(method, settings, epsilon_unit, **options):
    """Train a network with a defence of robustness/defences; a killed run goes on from its last whole epoch."""
    from robustness.config.defence_files import defence_file
    from robustness.errors import UserError
    from robustness.training.training_run import run_training

    declared = defence_file(method)
    if declared.wraps:
        raise UserError(f"{method} stands around a trained network: use wrap_model.")
    if declared.needs_initial and not options["initial"]:
        raise UserError(f"{method} goes on from a trained network: name it with --initial.")

    def trainer(network, info, one_hot):
        from importlib import import_module

        from robustness.data.datasets import Images
        from robustness.models.model_files import load_network
        from robustness.training.defence_task import Task, check_trainer

        validation, initial = Images.load(options["validation"]), options["initial"]
        start = load_network(initial, info.shape, len(info.classes)) if initial else None
        task = Task(network, info, validation, epsilon_unit, options["seed"], one_hot, start)
        made = import_module(f"robustness.defences.{method}").make_trainer(task, settings)
        check_trainer(method, made, network)
        return made, None

    defence = {"method": method, "epsilon_unit": epsilon_unit, "method_settings": settings}
    run_training(options, defence, trainer, rejecting=declared.rejects)


if __name__ == "__main__":
    main()
