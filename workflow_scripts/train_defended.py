"""Train a network with a defence of robustness/defences."""

import click

from robustness.cli import program, unit_option
from robustness.recipe_options import recipe_options


@program
@recipe_options
@click.option("--method", required=True, help="A module of robustness/defences with a make_trainer: trades, ...")
@click.option("--settings", required=True, help="Its settings as a JSON object, with its defaults filled in.")
@unit_option()
def main(method, settings, epsilon_unit, **options):
    """Train a network with a defence of robustness/defences; a killed run goes on from its last whole epoch."""
    from robustness.defence_files import defence_file, settings_from_json
    from robustness.training_run import run_training

    declared, settings = defence_file(method), settings_from_json(method, settings)

    def trainer(network, info, one_hot):
        from importlib import import_module

        from robustness.datasets import Images
        from robustness.defence_task import Task
        from robustness.model_files import load_network

        validation, initial = Images.load(options["validation"]), options["initial"]
        start = load_network(initial, info.shape, len(info.classes)) if initial else None
        task = Task(network, info, validation, epsilon_unit, options["seed"], one_hot, start)
        return import_module(f"robustness.defences.{method}").make_trainer(task, settings), None

    defence = {"method": method, "epsilon_unit": epsilon_unit, "method_settings": settings}
    run_training(options, defence, trainer, rejecting=declared.rejects)


if __name__ == "__main__":
    main()
