"""Which images survive every attack, per epsilon: checked examples of the cascade and the records of single attacks."""

from robustness.cli import gpu_option, in_file, out_file, program, records_options, threads_option


@program
@in_file("--model", "The attacked network (.keras).")
@in_file("--metadata", "The network's metadata (.json).")
@in_file("--images", "The images that the examples were crafted from (.npz).")
@in_file("--worst-case", "The examples that the cascade found (.npz of craft_worst_case).")
@in_file("--info", "dataset.json of the dataset.")
@records_options
@in_file("--transfer", "Records of evaluate_transfer.", required=False)
@threads_option()
@gpu_option()
@out_file("--records", "One row an image and epsilon: index, label, epsilon, survived, broken_by (.csv).")
@out_file("--summary", "Counts, accuracy with its 95 % interval and what broke the images, per epsilon (.json).")
def main(
    model, metadata, images, worst_case, info, evaluation_folder, recorded, transfer, threads, gpu, records, summary
):
    """Tell which images survive every attack, per epsilon: those that no example of this or a smaller epsilon fools.

    Of a model that can reject: those that it accepts and gets right unattacked, and of which no example is accepted and wrong.
    The cascade's examples are checked and scored anew: one outside its epsilon or the pixel range is an error.
    """

    import pandas as pd

    from robustness.cluster import devices
    from robustness.data.datasets import DatasetInfo, Images
    from robustness.evaluation.records import read_records, write_records
    from robustness.evaluation.worst_case_records import (
        WorstCaseSet,
        broken_by_round,
        check_worst_case,
        first_falls,
        read_attacks,
        read_clean,
    )
    from robustness.evaluation.worst_case_records import worst_case as survival
    from robustness.files import read_json, sha256_of, write_json
    from robustness.models.model_files import load_network, predict_logits
    from robustness.models.rejection import predictions
    from robustness.statistics.intervals import wilson_interval

    devices.prepare(threads, seed=0, gpu=gpu)
    data, clean, crafted = DatasetInfo.load(info), Images.load(images), WorstCaseSet.load(worst_case)
    check_worst_case(crafted, clean, data.pixel_range, sha256_of(model))
    network = load_network(model, data.shape, len(data.classes))
    examples = pd.DataFrame(
        {"index": crafted.indices, "epsilon": crafted.epsilons, "attack": crafted.attacks, "round": crafted.rounds}
    )
    examples["label"] = pd.Series(clean.labels, clean.indices).reindex(crafted.indices).to_numpy()
    examples["prediction"] = 0
    if len(examples):
        examples["prediction"] = predictions(predict_logits(network, crafted.images), len(data.classes))
    attacked = read_attacks(evaluation_folder, [(name, texts.split(",")) for name, texts in recorded])
    unattacked, tables = read_clean(evaluation_folder, clean.indices), [attacked, examples]
    if transfer:
        moved = read_records(transfer)
        moved = moved[moved["norm"] == crafted.note["norm"]]
        tables.append(moved.assign(attack="transfer from " + moved["source"] + ": " + moved["attack"]))
    table = survival(first_falls(unattacked, *tables), crafted.note["epsilons"])
    standing = first_falls(unattacked, attacked)

    trained = read_json(metadata)
    content = {key: trained[key] for key in ("model", "dataset", "architecture", "defence", "seed")}
    content |= {key: crafted.note[key] for key in ("norm", "epsilon_unit", "attacks", "max_rounds")}
    content["epsilons"] = {}
    for epsilon, rows in table.groupby("epsilon", sort=False):
        n, survivors = len(rows), int(rows["survived"].sum())
        low, high = wilson_interval(survivors, n)
        found = rows.loc[~rows["survived"], "broken_by"].value_counts().sort_index().to_dict()
        numbers = {"n": n, "correct": survivors, "accuracy": survivors / n, "ci_low": low, "ci_high": high}
        rounds, stands = broken_by_round(standing, examples, crafted.note["tried"][epsilon], crafted.phases, epsilon)
        # Attacks on the model itself left them; they fall to a set that was crafted on another one.
        only_transfer = int((stands.loc[rows["index"]].to_numpy() & ~rows["survived"].to_numpy()).sum())
        found = {"broken_by": found, "rounds": rounds, "broken_only_by_transfer": only_transfer}
        content["epsilons"][epsilon] = numbers | found
    write_records(table, records)
    write_json(summary, content)


if __name__ == "__main__":
    main()
