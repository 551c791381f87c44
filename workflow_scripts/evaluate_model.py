"""Score a model on clean images."""

from robustness.cli import gpu_option, in_file, out_file, program, threads_option


@program
@in_file("--model", "The network (.keras), or a classifier of another technique (.pickle).")
@in_file("--metadata", "The model's metadata (.json).")
@in_file("--validation", "Validation images (.npz).")
@in_file("--test", "Test images (.npz).")
@in_file("--evaluation", "The test images that attacks start from (.npz).")
@in_file("--info", "dataset.json of the dataset.")
@threads_option()
@gpu_option()
@out_file(
    "--records",
    "One row a test image: index, label, prediction (-1: rejected), confidence, loss, in_evaluation (.csv).",
)
@out_file("--summary", "Counts, accuracy with its 95 % interval and mean loss of each part (.json).")
@out_file("--confusion", "One row a pair of true and predicted class of the test images: n and share (.csv).")
def main(model, metadata, validation, test, evaluation, info, threads, gpu, records, summary, confusion):
    """Score a model on clean images: the validation part, the test part, and the subset that is attacked."""
    import numpy as np

    from robustness.cluster import devices
    from robustness.data.datasets import DatasetInfo, Images, to_pixels
    from robustness.evaluation import scoring
    from robustness.evaluation.records import write_records
    from robustness.files import read_json, write_json
    from robustness.models.scored_models import load_logits

    devices.prepare(threads, seed=0, gpu=gpu)
    data = DatasetInfo.load(info)
    logits = load_logits(model, data.shape, len(data.classes))

    def scored(images):
        table = scoring.score(logits(to_pixels(images.images, data.pixel_range)), images.labels, len(data.classes))
        table.insert(0, "index", images.indices)
        return table

    tested, attacked = scored(Images.load(test)), Images.load(evaluation)
    tested["in_evaluation"] = np.isin(tested["index"], attacked.indices)
    trained = read_json(metadata)
    content = {key: trained[key] for key in ("model", "dataset", "architecture", "defence", "seed")}
    content["n_classes"] = len(data.classes)
    content["parts"] = {
        "validation": scoring.summarise(scored(Images.load(validation))),
        "test": scoring.summarise(tested),
        "evaluation": scoring.summarise(tested[tested["in_evaluation"]]),
    }
    write_records(tested, records)
    write_records(scoring.confusion(tested, data.classes), confusion)
    write_json(summary, content)


if __name__ == "__main__":
    main()
