"""Score a model on the adversarial images that were crafted on the other models of its dataset."""

import click

from robustness.cli import gpu_option, in_file, in_folder, out_file, program, seed_option, threads_option


@program
@in_file("--model", "The scored network (.keras), or a classifier of another technique (.pickle).")
@in_file("--images", "The images that the sets were crafted from (.npz).")
@in_file("--info", "dataset.json of the dataset.")
@click.option(
    "--source",
    "sources",
    multiple=True,
    required=True,
    nargs=3,
    metavar="MODEL ATTACK EPSILONS",
    help="Another model, an attack on it and its epsilons, separated by commas: the sets that are scored.",
)
@in_folder("--models-folder", "Holds the other models as MODEL/seedSEED/model.keras.")
@in_folder("--adversarial-folder", "Holds the sets as MODEL/seedSEED/ATTACK/epsEPSILON.npz.")
@seed_option("Seed of the other models and sets.")
@threads_option()
@gpu_option()
@out_file(
    "--records",
    "One row an image and set: source, attack, epsilon, norm, index, label, prediction (-1: rejected) (.csv).",
)
def main(model, images, info, sources, models_folder, adversarial_folder, seed, threads, gpu, records):
    """Score a model on the adversarial images that were crafted on the other models of its dataset (transfer).

    Each set is checked against its sources first: an image outside the epsilon ball or the pixel range is an error.
    """
    import functools
    from pathlib import Path

    import pandas as pd

    from robustness.attacks.attack_settings import AdversarialSet, settings_from_note
    from robustness.cluster import devices
    from robustness.data.datasets import DatasetInfo, Images
    from robustness.errors import UserError
    from robustness.evaluation.records import write_records
    from robustness.evaluation.scoring import check_adversarial_set, score
    from robustness.files import sha256_of
    from robustness.models.scored_models import load_logits

    devices.prepare(threads, seed=0, gpu=gpu)
    data, clean = DatasetInfo.load(info), Images.load(images)
    logits = load_logits(model, data.shape, len(data.classes))
    digest, tables = functools.cache(sha256_of), []
    for name, attack, epsilons in sources:
        for epsilon in epsilons.split(","):  # one set at a time: all together may not fit into memory
            crafted = AdversarialSet.load(
                Path(adversarial_folder) / name / f"seed{seed}" / attack / f"eps{epsilon}.npz"
            )
            source = digest(Path(models_folder) / name / f"seed{seed}" / "model.keras")
            check_adversarial_set(crafted, clean, data.pixel_range, source)
            if not settings_from_note(crafted.attack).bounded:
                raise UserError(
                    f"the set of {attack} on {name} may lie outside the ball of epsilon {epsilon}, where it proves nothing "
                    "about another model: leave it out."
                )
            columns = {"source": name, "attack": attack, "epsilon": epsilon, "norm": crafted.attack["norm"]}
            columns |= {"index": crafted.indices, "label": crafted.labels}
            scored = score(logits(crafted.images), crafted.labels, len(data.classes))
            answers = [name for name in ("prediction", "class_prediction") if name in scored]
            tables.append(pd.DataFrame(columns | {name: scored[name] for name in answers}))
    write_records(pd.concat(tables), records)


if __name__ == "__main__":
    main()
