"""The study of the Fashion-MNIST report, every rule of it, with few images and epochs."""

import csv
import json
import re
from pathlib import Path

import pytest
from conftest import ROOT, copy_project, run

from robustness.config import study

STUDY, SMALL = "studies/fashion_mnist.yaml", "tests/configs/fashion_mnist_small.yaml"
RESULTS = "results/fashion_mnist"


def planned_models(folder: Path, *configs: str) -> set[str]:
    """The models that a dry run would train."""
    text = run(folder, "snakemake", "--cores", "2", "--dry-run", "--configfile", STUDY, SMALL, *configs).stdout
    rules = "rule (?:train_model|train_adversarially|distill_student):"
    return set(re.findall(rf"{rules}.*?wildcards: model=(\w+)", text, re.DOTALL))


def rows(folder: Path, name: str) -> list[dict]:
    with open(folder / RESULTS / "tables" / name, newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def small_run(tmp_path_factory) -> Path:
    folder = copy_project(tmp_path_factory.mktemp("fashion_mnist"))
    run(folder, "snakemake", "--cores", "2", "--configfile", STUDY, SMALL)
    return folder


@pytest.fixture(scope="module")
def config() -> dict:
    return study.read_yaml(ROOT / STUDY)


def test_every_figure_of_the_report_is_made(small_run):
    plots = small_run / RESULTS / "plots"
    figures = ["confusion/original/seed1", "iterations/fashion_mnist/bim_iterations", "published"]  # 8, 14
    figures += [f"comparisons/figure_{number}" for number in (12, 13, 15, 16, 17)]
    figures += ["examples/original/seed1/fgsm/eps0.1", "examples/original/seed1/bim_range/eps0.1"]  # 9, 10
    for figure in figures:
        for suffix in ("png", "svg"):
            assert (plots / f"{figure}.{suffix}").stat().st_size > 5000, figure


def test_every_model_is_trained_in_its_own_way(small_run, config):
    told = {row["model"]: row for row in rows(small_run, "training.csv")}
    assert list(told) == list(config["models"])
    defences = {name: row["defence"] for name, row in told.items()}
    assert {name for name, defence in defences.items() if defence == "none"} == {
        "original",
        "early_stopping",
        "weight_decay",
    }
    assert defences["augmented"] == "data_augmentation"
    assert defences["adversarial_sequence"] == defences["adversarial_regularisation"] == "adversarial_regularisation"
    assert defences["augmented_adversarial"] == "data_augmentation_and_adversarial_regularisation"
    assert defences["pgd_trained"] == "adversarial_training"
    assert defences["student"] == defences["student_modified"] == "defensive_distillation"
    assert {row["architecture"] for row in told.values()} == {"report_cnn", "report_student_cnn"}


def test_what_the_report_states_reaches_the_trainings(small_run):
    def settings(model):
        return json.loads((small_run / RESULTS / f"models/{model}/seed1/metadata.json").read_text())["settings"]

    regularised = settings("adversarial_regularisation")
    assert [regularised[key] for key in ("epsilon", "step", "weight", "clean_weight", "iterations")] == [
        0.2,
        0.2,
        0.5,
        1,
        1,
    ]
    assert [regularised[key] for key in ("mode", "early_stopping_patience", "early_stopping_monitor", "clip_low")] == [
        "training", 5, "adversarial_loss", 0,
    ]  # fmt: skip
    assert settings("adversarial_regularisation_clipped")["clip_low"] == 0.25
    names = ("sequence_0_1", "sequence_0_15", "sequence_0_2", "adversarial_sequence")
    assert [settings(name)["epsilon"] for name in names] == [0.1, 0.15, 0.2, 0.25]
    assert {(settings(name)["clean_weight"], settings(name)["weight"]) for name in names} == {(0.9, 0.1)}
    augmented = {key.removeprefix("augmentation_"): value for key, value in settings("augmented").items()}
    assert [augmented[key] for key in ("blur_size", "blur_sigma", "width_shift", "height_shift", "rotation")] == [
        3, 1, 0.1, 0.1, 90,
    ]  # fmt: skip
    assert augmented["horizontal_flip"] and augmented["vertical_flip"]
    assert augmented["early_stopping_patience"] == 5 and augmented["early_stopping_monitor"] == "val_loss"


def test_the_sequence_goes_on_from_model_to_model(config):
    models = config["models"]
    names = ("sequence_0_1", "sequence_0_15", "sequence_0_2", "adversarial_sequence")
    assert [models[name]["initial"] for name in names] == ["original", *names[:-1]]


def test_all_published_numbers_stand_beside_measured_ones(small_run):
    published = rows(small_run, "published.csv")
    with open(ROOT / "resources/published/report_fashion_mnist.csv", newline="") as handle:
        assert len(published) == len(list(csv.DictReader(handle)))
    assert all(row["published"] and row["measured"] for row in published)


def test_the_sweep_takes_steps_of_a_level_and_stays_in_the_ball(small_run):
    sweep = rows(small_run, "iterations.csv")
    assert [int(row["iterations"]) for row in sweep] == [1, 3, 25]
    assert [round(255 * float(row["max_linf"])) for row in sweep] == [
        1,
        3,
        13,
    ]  # steps of a level, then the ball of 0.05


def test_nothing_is_planned_after_the_run(small_run):
    done = run(small_run, "snakemake", "--cores", "2", "--dry-run", "--configfile", STUDY, SMALL).stdout
    assert "Nothing to be done" in done


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("models.augmented.augmentation.rotation=45", {"augmented", "augmented_adversarial"}),
        ("models.adversarial_regularisation_clipped.adversarial.clip_low=0.3", {"adversarial_regularisation_clipped"}),
        ("models.sequence_0_15.adversarial.weight=0.2", {"sequence_0_15", "sequence_0_2", "adversarial_sequence"}),
        ("models.pgd_trained.adversarial.iterations=6", {"pgd_trained"}),
        ("models.student.distillation.temperature=5", {"student"}),
        ("attacks.bim_ball.iterations=11", set()),
        ("iteration_sweeps.bim_iterations.loss=margin", set()),
    ],
)
def test_a_change_trains_what_it_touches(small_run, tmp_path, setting, expected):
    keys, value = setting.split("=")
    text = value
    for key in reversed(keys.split(".")):
        text = f"{{{key}: {text}}}"
    (tmp_path / "change.yaml").write_text(text)
    assert planned_models(small_run, str(tmp_path / "change.yaml")) == expected
