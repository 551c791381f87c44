"""Score a model on the adversarial images of an iteration sweep, after each number of iterations."""

from robustness.cli import gpu_option, in_file, out_file, program, threads_option


@program
@in_file("--model", "The attacked network (.keras).")
@in_file("--metadata", "The network's metadata (.json).")
@in_file("--images", "The images that the sweep was crafted from (.npz).")
@in_file("--adversarial", "The images after each number of iterations (.npz of craft_iteration_sweep).")
@in_file("--info", "dataset.json of the dataset.")
@threads_option()
@gpu_option()
@out_file(
    "--records",
    "One row an image and number of iterations: iterations, index, label, prediction, confidence, loss, norms (.csv).",
)
@out_file("--summary", "Counts, accuracy with its 95 % interval and mean loss, per number of iterations (.json).")
def main(model, metadata, images, adversarial, info, threads, gpu, records, summary):
    """Score a model on an iteration sweep, after each number of iterations, checking the images as evaluate_attack does.

    An image outside the epsilon ball or the pixel range is an error, and so is a sweep crafted on another model.
    """
    import pandas as pd

    from robustness.attacks.iteration_sets import IterationSets
    from robustness.cluster import devices
    from robustness.data.datasets import DatasetInfo, Images
    from robustness.evaluation.records import write_records
    from robustness.evaluation.scoring import check_adversarial_set, score, summarise
    from robustness.files import read_json, sha256_of, write_json
    from robustness.models.model_files import load_network, predict_logits

    devices.prepare(threads, seed=0, gpu=gpu)
    data, clean, sweep = DatasetInfo.load(info), Images.load(images), IterationSets.load(adversarial)
    digest = sha256_of(model)
    norms = {count: check_adversarial_set(found, clean, data.pixel_range, digest) for count, found in sweep.each()}
    network = load_network(model, data.shape, len(data.classes))
    tables, numbers = [], []
    for count, found in sweep.each():
        table = score(predict_logits(network, found.images), found.labels, len(data.classes))
        table.insert(0, "iterations", count)
        table.insert(1, "index", found.indices)
        tables.append(table.assign(**norms[count]))
        furthest = {f"max_{name}": float(values.max()) for name, values in norms[count].items()}
        numbers.append({"iterations": count} | summarise(table) | furthest)
    trained = read_json(metadata)
    content = {key: trained[key] for key in ("model", "dataset", "architecture", "defence", "seed")}
    write_records(pd.concat(tables), records)
    write_json(summary, content | {"attack": sweep.attack, "numbers": numbers})


if __name__ == "__main__":
    main()
