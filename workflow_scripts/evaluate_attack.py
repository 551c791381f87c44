"""Score a model on the adversarial images that one attack crafted on it, at each epsilon."""

import click

from robustness.cli import gpu_option, in_file, out_file, program, threads_option


@program
@in_file("--model", "The attacked network (.keras).")
@in_file("--metadata", "The network's metadata (.json).")
@in_file("--images", "The images that the sets were crafted from (.npz).")
@click.option(
    "--adversarial",
    "sets",
    multiple=True,
    required=True,
    type=click.Path(exists=True, dir_okay=False),
    help="An adversarial set (.npz); once for each epsilon.",
)
@in_file("--info", "dataset.json of the dataset.")
@threads_option()
@gpu_option()
@out_file(
    "--records",
    "One row an epsilon and image: epsilon, index, label, target, prediction (-1: rejected), confidence, loss, norms, moved (.csv).",
)
@out_file("--summary", "Counts, accuracy with its 95 % interval, mean loss, per epsilon (.json).")
def main(model, metadata, images, sets, info, threads, gpu, records, summary):
    """Score a model on the adversarial images that one attack crafted on it, after checking them against their sources.

    An image outside the epsilon ball (of an attack clipped to the pixel range alone: further off than all of its steps
    together) or the pixel range is an error, and so is a set crafted on another model.
    """
    import pandas as pd

    from robustness.attacks.attack_settings import AdversarialSet, without_epsilon
    from robustness.cluster import devices
    from robustness.data.datasets import DatasetInfo, Images
    from robustness.errors import UserError
    from robustness.evaluation.records import write_records
    from robustness.evaluation.scoring import check_adversarial_set, score, summarise
    from robustness.files import read_json, sha256_of, write_json
    from robustness.models.model_files import load_network, predict_logits

    devices.prepare(threads, seed=0, gpu=gpu)
    data, clean, digest = DatasetInfo.load(info), Images.load(images), sha256_of(model)
    network = load_network(model, data.shape, len(data.classes))
    tables, attacks, numbers = [], [], {}
    for path in sets:  # one at a time, so that memory does not grow with their number
        crafted = AdversarialSet.load(path)
        norms = check_adversarial_set(crafted, clean, data.pixel_range, digest)
        table = score(predict_logits(network, crafted.images), crafted.labels, len(data.classes))
        epsilon = crafted.attack["epsilon"]
        table.insert(0, "epsilon", epsilon)
        table.insert(1, "index", crafted.indices)
        table.insert(3, "target", crafted.targets)
        table = table.assign(**norms, moved=norms["linf"] > 0)
        # A targeted attack leaves images of the target class alone: they stand in the records, but say nothing about it.
        attacked = table[table["target"] >= 0] if crafted.attack["target"] else table
        if attacked.empty:
            raise UserError(f"every image is of the target class {crafted.attack['target']}: aim at another class.")
        found = summarise(attacked) | {"moved": int(attacked["moved"].sum())}
        found |= {f"max_{name}": float(values.max()) for name, values in norms.items()}
        if crafted.attack["target"]:
            found["target_hits"] = int((attacked["prediction"] == attacked["target"]).sum())
        tables.append(table)
        attacks.append(without_epsilon(crafted.attack))
        numbers[epsilon] = found
    if any(attack != attacks[0] for attack in attacks) or len(numbers) < len(sets):
        raise UserError(
            "--adversarial names sets of several attacks, or two of one epsilon: give one attack's, each once."
        )
    trained = read_json(metadata)
    content = {key: trained[key] for key in ("model", "dataset", "architecture", "defence", "seed")}
    write_records(pd.concat(tables), records)
    write_json(summary, content | {"attack": attacks[0], "epsilons": numbers})


if __name__ == "__main__":
    main()
