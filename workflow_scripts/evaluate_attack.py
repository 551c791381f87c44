"""Score a model on the adversarial images that were crafted on it."""

from robustness.cli import in_file, out_file, program, threads_option


@program
@in_file("--model", "The attacked network (.keras).")
@in_file("--metadata", "The network's metadata (.json).")
@in_file("--images", "The images that the set was crafted from (.npz).")
@in_file("--adversarial", "The adversarial set (.npz).")
@in_file("--info", "dataset.json of the dataset.")
@threads_option()
@out_file("--records", "One row an image: index, label, target, prediction, confidence, loss, norms, moved (.csv).")
@out_file("--summary", "Counts, accuracy with its 95 % interval, mean loss (.json).")
def main(model, metadata, images, adversarial, info, threads, records, summary):
    """Score a model on the adversarial images that were crafted on it, after checking them against their sources.

    An image outside the epsilon ball (of an attack clipped to the pixel range alone: further off than all of its steps
    together) or the pixel range is an error, and so is a set crafted on another model.
    """
    from robustness.attack_settings import AdversarialSet
    from robustness.datasets import DatasetInfo, Images
    from robustness.errors import UserError
    from robustness.evaluation import check_adversarial_set, score, summarise
    from robustness.files import read_json, sha256_of, write_json
    from robustness.records import write_records

    data, clean, crafted = DatasetInfo.load(info), Images.load(images), AdversarialSet.load(adversarial)
    norms = check_adversarial_set(crafted, clean, data.pixel_range, sha256_of(model))

    from robustness import devices
    from robustness.model_files import load_network, predict_logits

    devices.prepare(threads, seed=0)
    network = load_network(model, data.shape, len(data.classes))
    table = score(predict_logits(network, crafted.images), crafted.labels)
    table.insert(0, "index", crafted.indices)
    table.insert(2, "target", crafted.targets)
    table = table.assign(**norms, moved=norms["linf"] > 0)
    # A targeted attack leaves images of the target class alone: they stand in the records, but say nothing about it.
    attacked = table[table["target"] >= 0] if crafted.attack["target"] else table
    if attacked.empty:
        raise UserError(f"every image is of the target class {crafted.attack['target']}: aim at another class.")
    content = summarise(attacked) | {"attack": crafted.attack, "moved": int(attacked["moved"].sum())}
    content |= {f"max_{name}": float(values.max()) for name, values in norms.items()}
    if crafted.attack["target"]:
        content["target_hits"] = int((attacked["prediction"] == attacked["target"]).sum())
    trained = read_json(metadata)
    content |= {key: trained[key] for key in ("model", "dataset", "architecture", "defence", "seed")}
    write_records(table, records)
    write_json(summary, content)


if __name__ == "__main__":
    main()
