"""One start scores all epsilons of an attack: records and summary against the network's own answers."""

import json

import click
import numpy as np
import pytest
from conftest import call
from networks import curved_network, images

from robustness.attacks.attack_settings import AdversarialSet
from robustness.evaluation.records import read_attack_records
from robustness.files import write_json
from robustness.models.model_files import save_network

EPSILONS = ["0.10", "0.02", "0.5"]


@pytest.fixture(scope="module")
def place(tmp_path_factory, threads_stay):
    folder = tmp_path_factory.mktemp("scored")
    images().save(folder / "evaluation.npz")
    save_network(curved_network(), folder / "model.keras")
    save_network(curved_network(2.0), folder / "other.keras")
    classes = ["a", "b", "c", "d"]
    write_json(folder / "dataset.json", {"name": "d", "classes": classes, "shape": [8, 8, 1], "pixel_range": "0-1"})
    told = {"model": "m", "dataset": "d", "architecture": "net", "defence": "none", "seed": 3}
    write_json(folder / "metadata.json", told)
    common = {"model": folder / "model.keras", "info": folder / "dataset.json", "images": folder / "evaluation.npz"}
    for name, target in (("away", ""), ("to_1", "1")):
        for epsilon in EPSILONS:
            call(
                "craft_adversarial", **common, attack=name, method="fgsm", epsilon=epsilon, epsilon_unit="0-1",
                target=target, seed=3, threads=1, output=folder / f"{name}/eps{epsilon}.npz",
            )  # fmt: skip
    return folder


def score(place, folder, sets, model="model.keras"):
    words = [word for name in sets for word in ("--adversarial", place / name)]
    call(
        "evaluate_attack", *words, model=place / model, metadata=place / "metadata.json", threads=1,
        images=place / "evaluation.npz", info=place / "dataset.json",
        records=folder / "attacks/a.csv", summary=folder / "attacks/a.json",
    )  # fmt: skip


@pytest.mark.parametrize("attack", ["away", "to_1"])
def test_each_epsilon_is_scored_by_itself(place, tmp_path, attack):
    score(place, tmp_path, [f"{attack}/eps{epsilon}.npz" for epsilon in EPSILONS])
    records = read_attack_records(tmp_path, "a")
    content = json.loads((tmp_path / "attacks/a.json").read_text())
    assert records["epsilon"].tolist() == [epsilon for epsilon in EPSILONS for _ in range(40)]
    assert set(content["epsilons"]) == set(EPSILONS) and content["attack"]["name"] == attack
    assert "epsilon" not in content["attack"] and (content["model"], content["seed"]) == ("m", 3)
    network = curved_network()
    for epsilon in EPSILONS:
        crafted = AdversarialSet.load(place / f"{attack}/eps{epsilon}.npz")
        seen = network(crafted.images).numpy().argmax(axis=1)
        rows, told = records[records["epsilon"] == epsilon], content["epsilons"][epsilon]
        assert rows["prediction"].tolist() == seen.tolist() and rows["index"].tolist() == crafted.indices.tolist()
        counted = crafted.targets >= 0 if attack == "to_1" else np.full(40, True)
        right = int((seen == crafted.labels)[counted].sum())
        assert (told["n"], told["correct"]) == (int(counted.sum()), right)
        assert told.get("target_hits") == (int((seen == 1)[counted].sum()) if attack == "to_1" else None)
        assert told["max_linf"] == pytest.approx(float(epsilon), rel=1e-5)


@pytest.mark.parametrize(
    ("sets", "model", "sentence"),
    [
        (
            ["away/eps0.10.npz", "to_1/eps0.02.npz"],
            "model.keras",
            "names sets of several attacks, or two of one epsilon",
        ),
        (
            ["away/eps0.10.npz", "away/eps0.10.npz"],
            "model.keras",
            "names sets of several attacks, or two of one epsilon",
        ),
        (["away/eps0.10.npz"], "other.keras", "the set of away at epsilon 0.10 was crafted on another model"),
        (["away/eps0.10.npz", "evaluation.npz"], "model.keras", "has no array 'targets'"),
    ],
)
def test_a_wrong_choice_of_sets_is_one_sentence_and_leaves_nothing(place, tmp_path, sets, model, sentence):
    with pytest.raises(click.ClickException, match=sentence):
        score(place, tmp_path, sets, model)
    assert not (tmp_path / "attacks").exists()
