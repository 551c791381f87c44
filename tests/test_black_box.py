"""Black boxes: which networks are one for which model, the table by hand, and a whole study with every kind of model."""

import csv
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, copy_project, run
from sklearn.naive_bayes import GaussianNB
from small_study import SmallStudy
from test_study import check

from robustness.config import study
from robustness.files import write_json
from robustness.statistics.intervals import wilson_interval
from robustness.tables import accuracy_tables as tables
from robustness.tables.black_box import COLUMNS, black_box, black_box_latex, black_box_markdown

CONFIG = "tests/configs/black_box.yaml"


def config(**more_models) -> dict:
    content = yaml.safe_load((ROOT / CONFIG).read_text())
    content["models"] |= more_models
    return check(content)


# --- who is a black box for whom -------------------------------------------------------------------------------------

PLAIN = {"dataset": "fashion_mnist", "architecture": "lenet5", "training": {"epochs": 1}}


def test_a_black_box_is_a_network_that_was_made_without_the_target():
    warm = PLAIN | {"initial": "undefended", "architecture": "report_student_cnn"}
    student = PLAIN | {"teacher": "undefended", "distillation": {"temperature": 5, "alpha": 0}}
    found = config(plain=PLAIN, warm=warm, student=student)
    on = {model: study.black_boxes_on(found, model) for model in found["models"]}
    answers = {"stolen": "answers of forest"}
    assert on["undefended"] == answers | {"plain": "dataset"}  # not what learnt from it or started from it
    assert on["warm"] == on["student"] == on["undefended"]  # nor what the same one was a parent of
    every = {"undefended", "plain", "warm", "student"}
    assert on["plain"] == answers | dict.fromkeys(every - {"plain"}, "dataset")
    assert on["forest"] == answers | dict.fromkeys(every, "dataset")


def test_only_attacked_networks_are_black_boxes():
    found = config(plain=PLAIN)
    found["attacks"]["fgsm"]["models"] = ["undefended", "stolen"]
    assert study.black_boxes_on(found, "forest") == {"undefended": "dataset", "stolen": "answers of forest"}


def test_a_substitute_and_a_classifier_are_no_baseline():
    student = PLAIN | {"teacher": "undefended", "distillation": {"temperature": 5, "alpha": 0}}
    content = yaml.safe_load((ROOT / CONFIG).read_text())
    content["models"] = {name: content["models"][name] for name in ("stolen", "forest", "undefended")}
    found = check(content | {"models": content["models"] | {"student": student}})
    assert study.baseline_of(found, "student") == "undefended"
    assert study.baseline_of(found, "stolen") is study.baseline_of(found, "forest") is None
    assert study.defence_of(found, "stolen") == study.defence_of(found, "forest") == "none"


def test_a_substitute_waits_for_its_target():
    found = config(late=PLAIN | {"initial": "stolen"})
    assert study.waiting_for(found, "forest") == ["stolen", "late"]


def test_attacks_without_models_are_on_all_networks():
    found = config()
    assert found["attacks"]["fgsm"]["models"] == ["undefended", "stolen"]
    assert study.attacks_on(found, "forest") == [] and study.norms_of(found, "forest") == []
    assert found["models"]["forest"]["technique"] == {"name": "random_forest", "trees": 10}


# --- the table, by hand ----------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path):
    """Of 100 images net has 90 right, forest the same first 80, stolen 70, of which 60 are among net's."""
    measured = SmallStudy(
        folder=tmp_path / "evaluation",
        clean={"net": 90, "stolen": [*range(60), *range(90, 100)], "forest": 80},
        attacked={("fgsm", model, epsilon): 5 for model in ("net", "stolen") for epsilon in ("0.1", "0.20")},
        transferred={
            ("fgsm", "stolen", "net", "0.1"): 40,
            ("fgsm", "stolen", "net", "0.20"): 30,
            ("fgsm", "net", "forest", "0.1"): 55,
            ("fgsm", "stolen", "forest", "0.1"): 66,
        },
    )
    write_json(tmp_path / "models/stolen/seed1/metadata.json", {"queries": 480})
    records, verdicts = measured.read()
    moved = tables.transfer(records, tables.robust_accuracy(records, verdicts), ["forest"])
    pairs = [
        ("net", "stolen", "answers of net", "intra"),
        ("forest", "net", "dataset", "cross"),
        ("forest", "stolen", "answers of net", "cross"),
    ]
    return moved, black_box(records, tmp_path / "models", moved, pairs)


def test_the_table_counts_what_the_records_hold(small):
    _, table = small
    assert list(table.columns) == COLUMNS
    found = table[["target", "substitute", "epsilon", "queries", "correct", "technique"]].to_numpy().tolist()
    assert found == [
        ["net", "stolen", "0.1", 480, 40, "intra"],
        ["net", "stolen", "0.20", 480, 30, "intra"],
        ["forest", "net", "0.1", 0, 55, "cross"],
        ["forest", "stolen", "0.1", 480, 66, "cross"],
    ]
    # Labels are 0 to 9 in turn, and what is wrong is predicted as the next class: two models agree where both are right,
    # or both wrong.
    assert table["agreement"].tolist() == [0.6, 0.6, 0.9, 0.7]
    assert table["clean_accuracy"].tolist() == [0.9, 0.9, 0.8, 0.8]
    low, high = wilson_interval(66, 100)
    last = table.iloc[-1]
    assert (last["accuracy"], last["ci_low"], last["ci_high"]) == (0.66, low, high)
    assert tuple(last[["agreement_low", "agreement_high"]]) == wilson_interval(70, 100)


def test_the_texts_hold_the_numbers(small):
    _, table = small
    text, latex = black_box_markdown(table), black_box_latex(table)
    (row,) = [line for line in text.splitlines() if "| answers of net " in line and "| cross " in line]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[2:10] == ["forest", "stolen", "answers of net", "cross", "480", "70.0 [60.4, 78.1]", "80.00", "fgsm"]
    assert cells[10].startswith("66.00 [56.28, 74.54]") and cells[11] == ""
    assert "66.00 [56.28, 74.54]" in latex and "answers of net" in latex
    assert black_box_markdown(table.iloc[:0]) and black_box_latex(table.iloc[:0])


@pytest.mark.parametrize("told", [black_box_markdown, black_box_latex])
def test_a_target_that_can_reject_is_said_to(small, told):
    _, table = small
    assert "net can reject an image" in told(table, ["net"]) and "a rejection agrees with nobody" in told(
        table, ["net"]
    )
    assert "reject" not in told(table)


def test_the_transfer_table_tells_the_techniques(small):
    moved, _ = small
    told = {(row["source"], row["target"]): row["technique"] for _, row in moved.iterrows()}
    assert told == {
        **{("stolen", "net"): "intra", ("net", "net"): "intra", ("stolen", "stolen"): "intra"},
        **{("net", "forest"): "cross", ("stolen", "forest"): "cross"},
    }
    assert "No neural network is forest: " in tables.transfer_markdown(moved)
    assert "No neural network" not in tables.transfer_markdown(moved.drop(columns="technique"))


# --- a whole study ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def black_box_run(tmp_path_factory):
    folder = copy_project(tmp_path_factory.mktemp("black_box"))
    run(folder, "snakemake", "--cores", "2", "--configfile", CONFIG)
    return folder


def read(path):
    return pd.read_csv(path, dtype={"epsilon": str})


def test_a_study_with_a_classifier_and_its_substitute_goes_all_the_way(black_box_run):
    folder = black_box_run / "results"
    table = read(folder / "tables/black_box.csv")
    assert table[["target", "substitute", "trained_on", "technique", "queries"]].to_numpy().tolist() == [
        ["undefended", "stolen", "answers of forest", "intra", 80],
        ["forest", "undefended", "dataset", "cross", 0],
        ["forest", "stolen", "answers of forest", "cross", 80],
    ]
    of_forest = read(folder / "evaluation/forest/seed3/transfer.csv")
    for row in table[table["target"] == "forest"].itertuples():
        records = of_forest[of_forest["source"] == row.substitute]
        assert (row.n, row.correct) == (40, (records["prediction"] == records["label"]).sum())
    clean = {
        name: read(folder / f"evaluation/{name}/seed3/clean.csv").query("in_evaluation")
        for name in ("forest", "stolen")
    }
    agreed = (clean["forest"]["prediction"] == clean["stolen"]["prediction"]).mean()
    assert table.iloc[2]["agreement"] == pytest.approx(agreed)
    assert set(read(folder / "tables/defences.csv")["model"]) == {
        "undefended"
    }  # the others are no network, or no defence
    matrix = read(folder / "tables/transfer.csv").set_index(["source", "target"])["technique"]
    assert matrix["stolen", "forest"] == "cross" and matrix["stolen", "undefended"] == "intra"
    assert not (folder / "adversarial/forest").exists() and not (folder / "plots/training/forest").exists()
    assert (folder / "plots/confusion/forest/seed3.png").exists()
    with open(folder / "tables/training.csv", newline="") as handle:
        assert [row["model"] for row in csv.DictReader(handle)] == ["undefended", "stolen"]
    assert set(read(folder / "tables/clean_accuracy.csv")["architecture"]) == {
        "report_student_cnn",
        "lenet5",
        "random_forest",
    }


def test_the_substitute_began_with_none_of_the_attacked_images(black_box_run, tmp_path):
    """Where the test part holds no attacked image, the same seed draws the same images, and trains the same substitute."""
    folder, name = shutil.copytree(black_box_run, tmp_path / "clone", symlinks=True), "results/models/stolen/seed3"
    metadata = json.loads((folder / name / "metadata.json").read_text())
    assert metadata["queries"] == 20 * 2**2 and metadata["settings"]["images"] == 20
    parts = folder / "results/datasets/fashion_mnist"
    test, attacked = (dict(np.load(parts / f"{part}.npz")) for part in ("test", "evaluation"))
    free = ~np.isin(test["indices"], attacked["indices"])
    assert (len(free), free.sum()) == (100, 60)
    np.savez(parts / "test.npz", **{key: array[free] for key, array in test.items()})
    words = ("--cores", "1", "--force", "--allowed-rules", "train_substitute", "--configfile", CONFIG)
    run(folder, "snakemake", f"{name}/model.keras", *words)
    assert (folder / name / "model.keras").stat().st_mtime > (black_box_run / name / "model.keras").stat().st_mtime
    assert (folder / name / "model.keras").read_bytes() == (black_box_run / name / "model.keras").read_bytes()


def test_a_new_technique_as_the_readme_tells_it(black_box_run, tmp_path):
    """One file and one config entry; no other model is trained anew."""
    folder = shutil.copytree(black_box_run, tmp_path / "clone", symlinks=True)
    told = (ROOT / "README.md").read_text().split("### Add a classifier")[1].split("### ")[0]
    code = re.search(r"```python\n(.*?)```", told, re.DOTALL)[1]
    (folder / "workflow_scripts/robustness/techniques/naive_bayes.py").write_text(code)
    entry = re.search(r"`(technique: \{.*\})`", told)[1]
    (folder / "b.yaml").write_text(f"models: {{bayes: {{dataset: fashion_mnist, {entry}}}}}\n")
    words = ["snakemake", "--cores", "1", "results/evaluation/bayes/seed3/clean.json", "--configfile", CONFIG, "b.yaml"]
    done = run(folder, *words).stdout
    assert re.search(r"^total +2$", done, re.MULTILINE)  # trained and evaluated
    parts = [np.load(folder / f"results/datasets/fashion_mnist/{name}.npz") for name in ("train", "test")]
    flat = [(part["images"].reshape(len(part["labels"]), -1) / 255, part["labels"]) for part in parts]
    own = GaussianNB(var_smoothing=0.01).fit(*flat[0]).score(*flat[1])
    found = json.loads((folder / "results/evaluation/bayes/seed3/clean.json").read_text())
    assert found["architecture"] == "naive_bayes"
    assert found["parts"]["test"]["accuracy"] == pytest.approx(own, abs=0.021)  # two images, for rounding


def test_the_same_study_plans_nothing_and_another_forest_what_hangs_on_it(black_box_run):
    def planned(*words):
        return run(black_box_run, "snakemake", "--dry-run", "--configfile", CONFIG, *words).stdout

    assert "Nothing to be done" in planned()
    path = black_box_run / CONFIG
    text = path.read_text()
    try:
        path.write_text(text.replace("trees: 10", "trees: 11"))
        jobs = planned()
    finally:
        path.write_text(text)
    assert "train_classifier" in jobs and "train_substitute" in jobs and "rule train_model" not in jobs
