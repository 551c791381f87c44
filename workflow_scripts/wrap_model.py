"""Put a defence of robustness/defences around a trained network."""

import click

from robustness.cli import gpu_option, in_file, json_option, out_file, program, seed_option, threads_option, unit_option


@program
@in_file("--network", "The trained network (.keras).")
@in_file("--network-metadata", "Its metadata (.json).")
@in_file("--validation", "Validation images (.npz).")
@in_file("--info", "dataset.json of the dataset.")
@click.option("--method", required=True, help="A module of robustness/defences with a wrap: feature_squeezing, ...")
@json_option("--settings", "Its settings, with its defaults filled in.", required=True)
@unit_option()
@click.option("--name", required=True, help="Name of the model in the study.")
@click.option("--defence", required=True, help="Name of the defence, for the tables.")
@seed_option("Seed of the defence's chance.")
@threads_option()
@gpu_option()
@out_file("--model", "The defended network (.keras); it puts out logits.")
@out_file("--metadata", "The network's metadata with what was put around it (.json).")
def main(
    network,
    network_metadata,
    validation,
    info,
    method,
    settings,
    epsilon_unit,
    name,
    defence,
    seed,
    threads,
    gpu,
    **outputs,
):
    """Put a defence of robustness/defences around a trained network; nothing is trained."""
    from robustness.cluster import devices
    from robustness.config.defence_files import defence_file
    from robustness.errors import UserError

    declared = defence_file(method)
    if not declared.wraps:
        raise UserError(f"{method} trains a network: use train_defended.")
    devices.prepare(threads, seed, gpu)
    from importlib import import_module

    from robustness.data.datasets import DatasetInfo, Images
    from robustness.files import read_json, sha256_of, write_json
    from robustness.models.model_files import load_network, save_network
    from robustness.training.defence_task import Task, check_network
    from robustness.version import project_version

    data = DatasetInfo.load(info)
    trained = load_network(network, data.shape, len(data.classes))
    task = Task(trained, data, Images.load(validation), epsilon_unit, seed)
    defended = import_module(f"robustness.defences.{method}").wrap(task, settings)
    check_network(method, defended, len(data.classes), declared.rejects)
    save_network(defended, outputs["model"])
    note = read_json(network_metadata)
    wrapped = {"model": note["model"], "model_sha256": note["model_sha256"], "settings": note["settings"]}
    own = {"method": method, "epsilon_unit": epsilon_unit, "method_settings": settings, "wraps": wrapped}
    identity = {"model": name, "defence": defence, "seed": seed, "model_sha256": sha256_of(outputs["model"])}
    write_json(outputs["metadata"], note | identity | {"settings": own, "workflow": project_version()})
    click.echo(f"{name}: {method} around {note['model']}")


if __name__ == "__main__":
    main()
