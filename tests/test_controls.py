"""Controls: networks of which it is known whether they are robust, through all programs from crafting to the page.

An undefended network has to fall, one whose logits are merely multiplied has to be caught, and one that was trained on
adversarial examples has to pass and keep more.
"""

import csv
import gzip
import json

import keras
import numpy as np
import pytest
from conftest import ROOT, call

from robustness.data.datasets import Images
from robustness.files import write_json
from robustness.models.model_files import save_network
from robustness.training.adversarial_training import AdversarialTrainer, AdversarialTraining
from robustness.training.loop import (
    Checkpoint,
    Optimizer,
    Recipe,
    TemperedCrossEntropy,
    TrainingData,
    accuracy_metric,
    fit,
    make_optimizer,
)

EPSILONS = ["0.05", "0.1", "0.15", "0.5"]
ATTACKS = {
    "fgsm": {"method": "fgsm"},
    "pgd": {"method": "pgd", "relative_step": 0.1, "iterations": 40, "random_start": True},
}
CASCADE = {
    "least_norm": {"method": "fmn", "iterations": 40},
    "pgd_scaled": {"method": "pgd", "loss": "scaled_cross_entropy", "relative_step": 0.1, "iterations": 40},
    "apgd_dlr": {"method": "apgd", "loss": "dlr", "iterations": 40},
    "square": {"method": "square", "queries": 200},
}
CLASSES = [0, 1, 5, 8]  # T-shirt, trouser, sandal, bag
MODELS = {"undefended": "none", "masked": "none", "adversarial": "adversarial_training"}


def shirts_and_more(part: str, n: int) -> Images:
    """The first n images of four classes of the embedded Fashion-MNIST, at half their size; labels 0 to 3."""
    folder = ROOT / "resources/fashion_mnist_embedded"
    with gzip.open(folder / f"{part}-images-idx3-ubyte.gz") as handle:
        pixels = np.frombuffer(handle.read()[16:], np.uint8).reshape(-1, 14, 2, 14, 2)
    with gzip.open(folder / f"{part}-labels-idx1-ubyte.gz") as handle:
        labels = np.frombuffer(handle.read()[8:], np.uint8)
    chosen = np.flatnonzero(np.isin(labels, CLASSES))[:n]
    small = pixels[chosen].mean((2, 4)).round().astype(np.uint8)[..., None]
    return Images(small, np.searchsorted(CLASSES, labels[chosen]).astype(np.int64), chosen)


def network() -> keras.Model:
    keras.utils.set_random_seed(3)
    pixels = keras.layers.Input((14, 14, 1))
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(pixels)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(32, activation="relu")(x)
    return keras.Model(pixels, keras.layers.Dense(4)(x))


def trained(images: Images, radius: float) -> keras.Model:
    """Trained on images, or for a radius above 0 on what seven steps of PGD make of them (Madry et al. 2018)."""
    trainer = model = network()
    recipe = Recipe(Optimizer(learning_rate=0.005), batch_size=100, epochs=12, checkpoint="last")
    loss = TemperedCrossEntropy(1.0, one_hot=True)
    if radius:
        settings = AdversarialTraining(
            radius, radius / 3, (0.0, 1.0), iterations=7, random_start=True, clean_weight=0.0, weight=1.0
        )
        trainer, loss = AdversarialTrainer(model, loss, settings, seed=0), None
    trainer.compile(make_optimizer(recipe.optimizer, 20, recipe.epochs), loss=loss, metrics=[accuracy_metric(recipe)])
    data = TrainingData(images, images.take(np.arange(100)), (0.0, 1.0), n_classes=4)
    fit(trainer, model, data, recipe, 0, Checkpoint(None, ""))
    bare = network()  # never compiled, so that it can be a part of another network's file
    bare.set_weights(model.get_weights())
    return bare


def multiplied(model: keras.Model, factor: float) -> keras.Model:
    pixels = keras.layers.Input((14, 14, 1))
    return keras.Model(pixels, keras.layers.Rescaling(factor)(model(pixels)))


def settings(option: str, attacks: dict) -> list[str]:
    return [word for name, fields in attacks.items() for word in (option, name, json.dumps(fields))]


@pytest.fixture(scope="module")
def tables(tmp_path_factory, threads_stay):
    """The tables of a study of the three networks, as {file name: rows}, and the page's text."""
    folder = tmp_path_factory.mktemp("controls")
    data, evaluation = folder / "datasets", folder / "evaluation"
    train, clean = shirts_and_more("train", 2000), shirts_and_more("t10k", 100)
    for name in ("validation", "test", "evaluation"):
        clean.save(data / f"{name}.npz")
    info = {"name": "shirts", "classes": list("abcd"), "shape": [14, 14, 1], "pixel_range": "0-1"}
    write_json(data / "dataset.json", info)

    plain = trained(train, 0.0)
    networks = {"undefended": plain, "masked": multiplied(plain, 100.0)}
    networks["adversarial"] = trained(train, 0.1)
    told = {"dataset": "shirts", "architecture": "small", "seed": 0}
    for name, model in networks.items():
        save_network(model, folder / f"models/{name}/seed0/model.keras")
        described = told | {"model": name, "defence": MODELS[name]}
        write_json(folder / f"models/{name}/seed0/metadata.json", described)

    common = {"info": data / "dataset.json", "threads": 1}
    crafting = common | {"images": data / "evaluation.npz", "epsilon_unit": "0-1", "seed": 0}
    recorded = [word for name in ATTACKS for word in ("--recorded", name, ",".join(EPSILONS))]
    for name in MODELS:
        home, mine = evaluation / name / "seed0", folder / f"models/{name}/seed0"
        model = {"model": mine / "model.keras"}
        parts = {part: data / f"{part}.npz" for part in ("validation", "test", "evaluation")}
        scored = {"records": home / "clean.csv", "summary": home / "clean.json", "confusion": home / "confusion.csv"}
        call("evaluate_model", **common, **model, **parts, **scored, metadata=mine / "metadata.json")
        for attack, fields in ATTACKS.items():
            sets = []
            for epsilon in EPSILONS:
                crafted = folder / f"adversarial/{name}/seed0/{attack}/eps{epsilon}.npz"
                flags = {key: value for key, value in fields.items() if key != "random_start"}
                words = ["--random-start"] * ("random_start" in fields)
                call(
                    "craft_adversarial", *words, **crafting, **model, **flags,
                    attack=attack, epsilon=epsilon, output=crafted,
                )  # fmt: skip
                sets += ["--adversarial", crafted]
            target = home / "attacks" / attack
            call(
                "evaluate_attack", *sets, **common, **model, metadata=mine / "metadata.json",
                images=data / "evaluation.npz", records=f"{target}.csv", summary=f"{target}.json",
            )  # fmt: skip
    for name in MODELS:
        home, mine = evaluation / name / "seed0", folder / f"models/{name}/seed0"
        model = {"model": mine / "model.keras"}
        others = [
            word
            for other in MODELS
            for attack in ATTACKS
            for word in ("--source", other, attack, ",".join(EPSILONS))
            if other != name
        ]
        call(
            "evaluate_transfer", *others, **common, **model, images=data / "evaluation.npz", seed=0,
            models_folder=folder / "models", adversarial_folder=folder / "adversarial", records=home / "transfer.csv",
        )  # fmt: skip
        found = folder / f"adversarial/{name}/seed0/worst_case/norm_inf.npz"
        call(
            "craft_worst_case", *recorded, *settings("--attack", CASCADE), **crafting, **model, evaluation_folder=home,
            epsilons=",".join(EPSILONS), rounds=4, output=found,
        )  # fmt: skip
        together = home / "worst_case/norm_inf"
        call(
            "evaluate_worst_case", *recorded, **common, **model, transfer=home / "transfer.csv", evaluation_folder=home,
            metadata=mine / "metadata.json",
            images=data / "evaluation.npz", worst_case=found, records=f"{together}.csv", summary=f"{together}.json",
        )  # fmt: skip
        probed = [*settings("--attack", ATTACKS), *settings("--worst-case", CASCADE)]
        call(
            "probe_model", *recorded, *probed, **crafting, **model, evaluation_folder=home, n=100, queries=100,
            huge_epsilon=0.5, records=home / "probes.csv", summary=home / "probes.json",
        )  # fmt: skip

    runs = ["--evaluation-folder", evaluation, "--seed", 0]
    for name in MODELS:
        runs += ["--model", name, "--worst-case", name, "inf", "--transfer", name]
    for attack in ATTACKS:
        runs += ["--attack", attack, ",".join(MODELS), ",".join(EPSILONS)]
    output = folder / "tables"
    call("diagnose_attacks", *runs, verdicts=output / "verdicts.csv", text=output / "verdicts.md")
    call("aggregate_tables", *runs, verdicts=output / "verdicts.csv", output_folder=output)
    defences = [
        *("--defence", "masked", "undefended", "multiplied logits help", "nobody"),
        *("--defence", "adversarial", "undefended", "adversarial training helps", "Madry et al. 2018"),
    ]
    pages = {"comparisons": output / "comparisons.csv", "findings": output / "findings.md"}
    call("write_findings", *runs, *defences, verdicts=output / "verdicts.csv", epsilon="0.1", **pages)
    found = {"findings": (output / "findings.md").read_text()}
    for path in output.glob("*.csv"):
        with open(path, newline="") as handle:
            found[path.stem] = list(csv.DictReader(handle))
    return found


def accuracies(rows: list[dict], **wanted: str) -> dict[str, float]:
    """{epsilon: accuracy} of the rows that have all the wanted values."""
    chosen = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    return {row["epsilon"]: float(row["accuracy"]) for row in chosen}


def verdicts(tables: dict, model: str, attack: str) -> dict[str, set[str]]:
    """{diagnostic: verdicts at any epsilon}."""
    found: dict[str, set[str]] = {}
    for row in tables["verdicts"]:
        if (row["model"], row["attack"]) == (model, attack):
            found.setdefault(row["diagnostic"], set()).add(row["verdict"])
    return found


def test_all_three_know_the_classes(tables):
    for row in tables["clean_accuracy"]:
        assert float(row["accuracy"]) > 0.9, row["model"]


def test_an_undefended_network_falls_to_nearly_zero(tables):
    assert accuracies(tables["worst_case"], model="undefended")["0.5"] <= 0.02
    assert accuracies(tables["robust_accuracy"], model="undefended", attack="pgd")["0.5"] <= 0.05
    assert verdicts(tables, "undefended", "worst_case")["survives_huge_epsilon"] == {"pass"}


def test_pgd_on_the_undefended_network_passes(tables):
    assert all("fail" not in found for found in verdicts(tables, "undefended", "pgd").values())


def test_multiplied_logits_are_caught(tables):
    """The same decisions as the undefended network: what it seems to keep under PGD is its gradient's absence."""
    seeming = accuracies(tables["robust_accuracy"], model="masked", attack="pgd")
    true = accuracies(tables["robust_accuracy"], model="undefended", attack="pgd")
    assert seeming["0.1"] > true["0.1"] + 0.3
    found = verdicts(tables, "masked", "pgd")
    raised = {name for name, seen in found.items() if "fail" in seen}
    assert {"zero_gradients", "weaker_than_transfer", "survives_huge_epsilon"} <= raised
    assert all(row["verdict"] == "fail" for row in tables["robust_accuracy"] if row["model"] == "masked")


def test_the_cascade_sees_through_multiplied_logits(tables):
    masked, plain = (accuracies(tables["worst_case"], model=name) for name in ("masked", "undefended"))
    assert all(abs(masked[epsilon] - plain[epsilon]) <= 0.05 for epsilon in EPSILONS)
    assert all("fail" not in seen for seen in verdicts(tables, "masked", "worst_case").values())


def test_an_adversarially_trained_network_passes_and_keeps_more(tables):
    for attack in ("pgd", "worst_case"):
        assert all("fail" not in seen for seen in verdicts(tables, "adversarial", attack).values()), attack
    trained_on, plain = (accuracies(tables["worst_case"], model=name) for name in ("adversarial", "undefended"))
    assert trained_on["0.1"] > plain["0.1"] + 0.2


def test_the_page_tells_them_apart(tables):
    masked, adversarial = tables["findings"].split("\n## ")[1:]
    assert masked.startswith("masked against undefended\n") and "it is masking" in masked
    assert "**is contradicted on this one training**" in masked or "**is not decided**" in masked
    assert "**is not contradicted on this one training**" in adversarial and "it is masking" not in adversarial
