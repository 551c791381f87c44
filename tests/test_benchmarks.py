"""The benchmarks measure what they say: the same work with every library, operations counted right, tables from numbers."""

import json

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

import crafting_seconds
import planning_seconds
import write_performance
from measurements import run_program
from peer import WORKS, Work

PEERS = ROOT / "benchmarks/crafting_peers"


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    folder = tmp_path_factory.mktemp("network")
    run_program(PEERS / "export_network.py", "report_cnn", 8, 8, 1, folder, "--n", 12)
    return folder


def craft(library, folder, work, output):
    options = ["--folder", folder, "--work", work, "--n", 12, "--batch-size", 6, "--threads", 1, "--output", output]
    run_program(PEERS / f"with_{library}.py", *options)
    with np.load(output) as found:
        return found["images"]


@pytest.mark.parametrize("work", WORKS)
def test_the_workflow_and_cleverhans_craft_the_same_bits(network, work, tmp_path):
    mine, plain = (craft(library, network, work, tmp_path / "o.npz") for library in ("workflow", "cleverhans"))
    assert mine.shape == (len(WORKS[work].epsilons), 12, 8, 8, 1) and mine.tobytes() == plain.tobytes()
    with np.load(network / "images.npz") as given:
        moved = np.abs(mine - given["images"]).max(axis=(1, 2, 3, 4))
    reach = [min(epsilon, WORKS[work].step * WORKS[work].iterations or epsilon) for epsilon in WORKS[work].epsilons]
    assert moved == pytest.approx(reach, abs=1e-5)


@pytest.mark.parametrize("library", ["art", "foolbox"])
def test_other_libraries_craft_the_same_images_but_for_rounding(network, library, tmp_path):
    work = "BIM-10 at one epsilon"
    mine, other = (craft(name, network, work, tmp_path / "o.npz") for name in ("workflow", library))
    assert (np.abs(mine - other) < 1e-6).mean() > 0.98  # a sign of a gradient next to nothing is chance


def test_multiplications_are_counted(network):
    # 3 x 3 kernels: 8 x 8 x 32 of 1, 4 x 4 x 64 of 32, 2 x 2 x 128 of 64 and of 128; then 128 x 512 and 512 x 10
    convolutions = 9 * (64 * 32 * 1 + 16 * 64 * 32 + 4 * 128 * 64 + 4 * 128 * 128)
    counted = json.loads((network / "operations.json").read_text())["multiplications"]
    assert counted == convolutions + 128 * 512 + 512 * 10


@pytest.mark.parametrize(
    ("work", "gradients"),
    [
        (Work("fgsm", (0.1, 0.2)), 1),
        (Work("pgd", (0.1,), 0.01, 40), 40),
        (Work("pgd", (0.1, 0.3, 0.4, 0.8), 0.01, 40), 40 + 30 + 10),  # and none where all forty steps stay in the ball
    ],
)
def test_the_floor_counts_the_gradients_that_are_needed(work, gradients):
    assert crafting_seconds.gradients(work) == gradients


def test_tables_hold_medians_and_the_range():
    rows = [("n", "w", "workflow", i, 5, s, 1.0, 1, 0, 2.0) for i, s in ((1, 4.0), (2, 6.0), (3, 5.0))]
    rows += [("n", "w", "art", i, 5, 1.0, r, 0.5, 0.1, 2.0) for i, r in ((1, 3.0), (2, 2.0), (3, 7.0))]
    table = write_performance.crafting(pd.DataFrame(rows, columns=crafting_seconds.COLUMNS)).iloc[0]
    assert table["workflow, s per 1,000 images"] == "5 [4, 6]"
    assert table["workflow / floor"] == "2.5 [2, 3]"
    assert table["art / workflow"] == "3 [2, 7]"


def test_growth_tells_what_one_more_costs():
    columns = ["images", "epsilons", "models", "jobs", "wall_seconds"]
    rows = [(10, 4, 1, 9, 20.0), (30, 4, 1, 9, 30.0), (10, 8, 1, 12, 28.0), (10, 4, 3, 25, 50.0)]
    table = write_performance.growth(pd.DataFrame(rows, columns=columns))
    assert table["seconds for one more"].tolist() == ["", "0.5", "", "2", "", "15"]


@pytest.mark.parametrize(("size", "expected"), zip(planning_seconds.SIZES, (100, 1000, 10000), strict=True))
def test_the_planned_studies_have_as_many_sets_as_they_say(size, expected):
    config = planning_seconds.study(**size)
    attacked = sum(len(attack["models"]) for attack in config["attacks"].values())
    assert attacked * len(config["seeds"]) * len(set(config["epsilons"])) == expected


def test_planning_tells_the_shape_of_a_study():
    shape = {"models": 3, "attacked": 2, "seeds": 1, "attacks": 5, "epsilons": 10, "sets": 100, "jobs": 170}
    rows = pd.DataFrame([shape | {"plan": "fresh", "wall_seconds": 2.5, "cpu_seconds": 2.25, "peak_mb": 137}])
    table = write_performance.planning(rows).iloc[0]
    assert table["study"] == "models 3 (attacked 2), seeds 1, attacks 5, epsilons 10"
    numbers = ["adversarial sets", "jobs", "wall seconds", "CPU seconds", "peak, MB"]
    assert table[numbers].tolist() == [100, 170, 2.5, 2.25, 137]


def test_the_page_is_made_of_the_measurements_beside_it():
    page = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
    assert write_performance.filled(page, ROOT / "docs/performance") == page
