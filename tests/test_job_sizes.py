"""The memory and time that jobs ask for: by hand, never less than was measured, and growing with the work."""

import csv
import math
import os
import re
import sys
from collections import defaultdict
from copy import deepcopy
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT, TINY, copy_project, run
from test_study import check, sources

import memory_peaks
import network_costs
from robustness.cluster import job_sizes
from robustness.config import study
from robustness.models.architectures import ARCHITECTURES, build

COSTS = study.read_yaml(ROOT / "resources/network_costs.yaml")
SMALL = [name for name in COSTS if name not in ("default", "inception_v3", "resnet50", "vgg16")]
# Programs of rules that ask for more with more work, and how the sizes of their jobs are called.
MEASURED_RULES = {
    "preprocess_dataset": (job_sizes.preprocessing_memory, "dataset"),
    "draw_erasing_schedule": (job_sizes.erasing_memory, "dataset"),
    "train_model": (job_sizes.training_memory, "undefended"),
    "distill_student": (job_sizes.training_memory, "distilled"),
    "craft_path": (job_sizes.path_memory, "undefended", "fgsm"),
    "craft_adversarial": (job_sizes.crafting_memory, "undefended"),
    "craft_worst_case": (job_sizes.worst_case_memory, "undefended", "inf"),
    "probe_model": (job_sizes.probe_memory, "undefended"),
    "evaluate_model": (job_sizes.clean_memory, "undefended"),
    "evaluate_attack": (job_sizes.attack_scoring_memory, "undefended", "pgd"),
    "evaluate_transfer": (job_sizes.transfer_memory, "undefended"),
    "evaluate_worst_case": (job_sizes.worst_case_scoring_memory, "undefended", "inf"),
}
SNAKEMAKES = 2 * 130  # MB, beside a program in the same job of a cluster


def plan_of(config: dict) -> job_sizes.Plan:
    checked = check(deepcopy(config))
    return job_sizes.Plan(checked, sources() | checked["sources"], COSTS)


def one_model(architecture="report_cnn", source="fashion_mnist", threads=1, epochs=1, **model) -> dict:
    """A study of one model on all training images of a source."""
    entry = {"dataset": "d", "architecture": architecture, "training": {"epochs": epochs, "batch_size": 64}} | model
    return {
        "datasets": {"d": {"source": source, "evaluation": {"n": 1000}}},
        "models": {"m": entry},
        "attacks": {},
        "epsilons": [0.1],
        "epsilon_unit": "0-1",
        "seeds": [1],
        "threads": dict.fromkeys(("train", "distill", "craft", "evaluate"), threads),
    }


def rows_of(path: str) -> list[dict]:
    with open(ROOT / path, encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


# --- what networks cost ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_costs_are_those_that_tensorflow_and_keras_count(name):
    cost = COSTS[name]
    network = build(name, tuple(cost["image"]), 10, (0.0, 1.0))
    graph = tf.function(network).get_concrete_function(tf.TensorSpec((1, *cost["image"]))).graph
    builder = tf.compat.v1.profiler.ProfileOptionBuilder
    options = builder(builder.float_operation()).with_empty_output().build()
    operations = tf.compat.v1.profiler.profile(graph, options=options).total_float_ops
    assert network_costs.costs(name) == cost
    # Biases, normalisation and activations are in TensorFlow's count too.
    assert 1 <= operations / (2e6 * cost["multiply_adds"]) < 1.03
    assert cost["parameters"] == pytest.approx(network.count_params() / 1e3, abs=0.06)
    if not any(isinstance(layer, keras.Model) for layer in network.layers):
        # What is given, flattened or dropped out are no further values in memory; ResNet-20's padding is no layer.
        passing = (keras.layers.InputLayer, keras.layers.Flatten, keras.layers.Dropout)
        outputs = [layer.output for layer in network.layers if not isinstance(layer, passing)]
        values = keras.Model(network.inputs, outputs)([np.zeros((1, *cost["image"]), np.float32)])
        sizes = [np.size(each) / 1e3 for each in values]
        assert cost["largest"] == pytest.approx(max(sizes), abs=0.06)
        assert cost["activations"] == pytest.approx(sum(sizes), rel=0.02 if name == "resnet20" else 1e-6, abs=0.06)


def test_the_default_is_no_cheaper_a_pixel_than_any_architecture():
    assert set(COSTS) <= {"default", *ARCHITECTURES}
    for cost in COSTS.values():
        for key in ("multiply_adds", "activations", "largest"):
            pixels, usual = math.prod(cost["image"][:2]), math.prod(COSTS["default"]["image"][:2])
            assert cost[key] / pixels <= COSTS["default"][key] / usual + 1e-5


def test_an_architecture_of_ones_own_is_taken_for_the_costliest():
    plan = plan_of(one_model("vgg16", "cifar10"))
    known = job_sizes.network_of(plan, "m")
    unknown = job_sizes.network_of(job_sizes.Plan(plan.config, plan.sources, {"default": COSTS["default"]}), "m")
    assert unknown.operations >= known.operations and unknown.activations > known.activations


# --- by hand ---------------------------------------------------------------------------------------------------------


def test_a_network_is_scaled_to_pixels_and_width():
    full, changed = (
        job_sizes.network_of(plan_of(one_model("vgg16", "cifar10", **more)), "m")
        for more in ({}, {"upsampling": 2, "width": 0.5})
    )
    assert full.activations == 1371.7e3 and full.operations == 2 * 776.672e6 + 50 * 1371.7e3
    assert changed.activations == 4 / 2 * full.activations and changed.largest == 4 / 2 * 65.5e3
    assert changed.operations == pytest.approx(4 / 4 * 2 * 776.672e6 + 50 * changed.activations)
    assert changed.parameters == pytest.approx((12834.9e3 - 1054.2e3) / 4 + 4 * 1054.2e3)


@pytest.mark.parametrize(
    ("split", "counts"),
    [
        ({}, (54000, 6000, 10000)),
        ({"protocol": "validation_is_test"}, (60000, 10000, 10000)),
        ({"train_limit": 2000, "test_limit": 1500, "validation_fraction": 0.2}, (1600, 400, 1500)),
    ],
)
def test_images_are_counted_as_they_are_split(split, counts):
    config = one_model()
    config["datasets"]["d"]["split"] = split
    parts = job_sizes.data_of(plan_of(config), "m")
    assert (parts.train, parts.validation, parts.test) == counts
    assert (parts.attacked, parts.values, parts.classes) == (1000, 784, 10)


def test_images_of_a_folder_are_counted_and_those_of_an_unknown_source_assumed(tmp_path):
    for part, n in (("train", 7), ("test", 3)):
        (tmp_path / part / "cat").mkdir(parents=True)
        for i in range(n):
            (tmp_path / part / "cat" / f"{i}.png").touch()
    photos = {"format": "image_folder", "licence": "?", "mirrors": [str(tmp_path)]}
    other = {"format": "cifar", "licence": "?", "mirrors": [str(tmp_path)], "files": [{"name": "x"}]}
    config = one_model(source="photos") | {"sources": {"photos": photos, "other": other}}
    config["datasets"]["o"] = {"source": "other", "evaluation": {"n": 5}}
    config["datasets"]["d"] |= {"evaluation": {"n": 2}, "split": {"validation_fraction": 0.3}}
    plan = plan_of(config)
    parts = job_sizes.parts_of(plan, "d")
    assert (parts.train, parts.validation, parts.test, parts.shape) == (5, 2, 3, (224, 224, 3))
    assert job_sizes.parts_of(plan, "o").train == 54000
    assert job_sizes.preprocessing_minutes(plan, "d") == 11


PGD = {"method": "pgd", "relative_step": 0.1, "iterations": 40}


@pytest.mark.parametrize(
    ("attack", "passes"),
    [
        ({"method": "fgsm"}, 3 + 1),
        (PGD, 3 * 40 + 1),
        (PGD | {"restarts": 5}, 3 * 200 + 5),
        ({"method": "square", "queries": 1000}, 3 + 1000),
        ({"method": "carlini_wagner", "iterations": 60, "binary_search_steps": 4}, 3 * 240 + 1),
        ({"method": "jsma", "theta": -0.5}, 3 * (1 + 0.1 * 784 / 0.5) + 1),
    ],
)
def test_passes_of_attacks(attack, passes):
    assert job_sizes.attack_passes(attack, 784, 0.1) == pytest.approx(passes)


def test_seconds_by_hand():
    plan = plan_of(one_model(threads=3))
    operations = 2 * 15.271e6 + 50 * 65.5e3
    image = operations / (job_sizes.CPU_RATE * 2) + 784 * 30e-9  # three threads count as two
    assert job_sizes.seconds(plan, "m", "train", 1000, 3, 64) == pytest.approx(3 * (1000 * image + 16 * 0.005))
    epoch = 3 * (54000 * image + 844 * 0.005) + 6000 * image + 94 * 0.005
    assert job_sizes.training_seconds(plan, "m") == pytest.approx(epoch)
    assert job_sizes.training_minutes(plan, "m") == 10 + math.ceil(2 * epoch / 60)


# --- as was measured -------------------------------------------------------------------------------------------------


def per_epoch(measured: float, n: int, *arguments, **options):
    """(seconds of n training images, the study of one model on all of its source's)."""
    return pytest.param(measured, n, one_model(*arguments, **options), id=f"{arguments} {options}"[:60])


TRAININGS = [  # seconds of an epoch on two threads, measured once, beside those of docs/performance on one
    per_epoch(20, 60000, "report_cnn", threads=2),
    per_epoch(270, 50000, "vgg16", "cifar10", threads=2),
    per_epoch(6900, 50000, "vgg16", "cifar10", threads=2, upsampling=5),
    per_epoch(3850, 50000, "resnet50", "cifar10", threads=2, upsampling=7),
    per_epoch(2400, 50000, "inception_v3", "cifar10", threads=2, upsampling=7),
    per_epoch(125, 50000, "resnet50", "cifar10", threads=2),
] + [
    per_epoch(10000 / float(row["images_per_second"]), 10000, row["architecture"], source)
    for row in rows_of("docs/performance/training.csv")
    for source in ["fashion_mnist" if row["architecture"] == "report_cnn" else "cifar10"]
    if row["feed"] == "workflow" and row["defence"] in ("none", "erasing", "augmentation")
]


@pytest.mark.parametrize(("measured", "n", "config"), TRAININGS)
def test_a_training_gets_more_than_twice_what_was_measured_and_not_twenty_times_it(measured, n, config):
    found = job_sizes.SAFETY * job_sizes.seconds(plan_of(config), "m", "train", n, job_sizes.GRADIENT, 64)
    assert 2 * measured < found < 20 * measured


@pytest.mark.parametrize("name", ["cifar_small", "fashion_mnist", "reviewed_defences", "temperature_sweep"])
def test_the_trainings_of_studies_that_were_run_fit_in(name):
    """With all of their defences; on a machine that was shared, so that twice the seconds are not asked for."""
    plan = plan_of(study.read_yaml(ROOT / f"studies/{name}.yaml"))
    for row in rows_of(f"docs/{name}/training.csv"):
        entry = plan.entry(row["model"])
        epochs = entry["training"]["epochs"] * entry.get("substitute", {}).get("rounds", 1)
        expected = job_sizes.training_seconds(plan, row["model"]) * int(row["epochs"]) / epochs
        assert 1.5 < job_sizes.SAFETY * expected / float(row["seconds"]) < 10, row["model"]


def crafting_cases():
    for row in rows_of("docs/performance/crafting.csv"):
        gradients = {"FGSM at 8 epsilons": 1, "BIM-10 at one epsilon": 10, "PGD-40 at one epsilon": 40}
        if row["library"] == "workflow" and row["work"] in gradients:
            attack = {"method": "pgd", "iterations": gradients[row["work"]]}
            yield pytest.param(
                row["network"], attack, float(row["seconds_per_1000"]), id=f"{row['network']} {row['work']}"
            )


@pytest.mark.parametrize(("network", "attack", "measured"), list(crafting_cases()))
def test_an_attack_gets_more_than_twice_what_was_measured_on_two_threads(network, attack, measured):
    plan = plan_of(one_model(network, "fashion_mnist" if network == "report_cnn" else "cifar10", threads=2))
    passes = job_sizes.attack_passes(attack, job_sizes.data_of(plan, "m").values)
    found = job_sizes.SAFETY * job_sizes.seconds(plan, "m", "craft", 1000, passes)
    assert 2 * measured < found < 20 * measured


@pytest.fixture(scope="module")
def memory_plans():
    """The studies of docs/performance/memory.csv, by the names that they have there."""
    source = {"format": "cifar", "licence": "none", "mirrors": ["x"], "files": [{"name": "x"}]}
    source |= {"n_classes": 10, "n_train": 50000, "n_test": 10000}
    found = {name: memory_peaks.study(source, *size) for name, size in memory_peaks.STUDIES.items()}
    for config in found.values():
        config["datasets"]["dataset"] = config["datasets"]["random"]  # the name in MEASURED_RULES
    return {name: plan_of(config) for name, config in found.items()}


@pytest.mark.parametrize("rule", MEASURED_RULES)
def test_no_measured_peak_is_more_than_its_job_gets(rule, memory_plans):
    size, *names = MEASURED_RULES[rule]
    rows = [row for row in rows_of("docs/performance/memory.csv") if row["rule"] == rule]
    assert rows
    for row in rows:
        found = size(memory_plans[row["study"]], *names)
        assert 1.1 * (int(row["peak_mb"]) + SNAKEMAKES) < found < 5000, row["study"]


# Peaks of networks that are large, in MB, images as small as can be: on one thread, measured once.
LARGE = [
    ("resnet50", 7, 16, 3318, None),
    ("resnet50", 7, 32, 4261, None),
    ("resnet50", 7, 16, None, 1477),
    ("resnet50", 7, 64, None, 3454),
    ("vgg16", 5, 32, 5175, 2495),
]


@pytest.mark.parametrize(("architecture", "upsampling", "batch", "training", "crafting"), LARGE)
def test_large_networks_fit_in(architecture, upsampling, batch, training, crafting):
    config = one_model(architecture, "cifar10", upsampling=upsampling) | {"batch_size_attack": batch}
    config["models"]["m"]["training"] = {"epochs": 1, "batch_size": batch}
    config["datasets"]["d"] |= {"evaluation": {"n": 64}, "split": {"train_limit": 71, "test_limit": 64}}
    plan = plan_of(config)
    if training:
        assert 1.1 * (training + SNAKEMAKES) < job_sizes.training_memory(plan, "m") < 3 * training
    if crafting:
        assert 1.1 * (crafting + SNAKEMAKES) < job_sizes.crafting_memory(plan, "m") < 4 * crafting


# --- more work, more of it -------------------------------------------------------------------------------------------

WORK = {
    "datasets": {"d": {"source": "cifar10", "split": {"train_limit": 20000}, "evaluation": {"n": 1000}}},
    "models": {
        "plain": {"dataset": "d", "architecture": "resnet20", "training": {"epochs": 10}, "erasing": True},
        "student": {"dataset": "d", "architecture": "resnet20", "teacher": "plain", "training": {"epochs": 10}}
        | {"distillation": {"temperature": 10, "alpha": 0.1}},
        "robust": {"dataset": "d", "architecture": "resnet20", "training": {"epochs": 10}}
        | {"adversarial": {"epsilon": 0.1, "iterations": 3, "relative_step": 0.5}},
        "trades": {"dataset": "d", "architecture": "resnet20", "training": {"epochs": 10}}
        | {"defence": {"method": "trades", "epsilon": 0.1, "iterations": 3}},
        "squeezed": {"wraps": "plain", "defence": {"method": "feature_squeezing_detector", "squeezers": ["median 2"]}},
        "stolen": {"dataset": "d", "architecture": "resnet20", "training": {"epochs": 10, "checkpoint": "last"}}
        | {"substitute": {"of": "plain", "images": 100, "rounds": 5, "step": 0.1}},
        "neighbours": {"dataset": "d", "technique": {"name": "k_nearest_neighbours"}},
    },
    "attacks": {
        "fgsm": {"method": "fgsm"},
        "pgd": {"method": "pgd", "relative_step": 0.1, "iterations": 40},
        "nearest": {"method": "carlini_wagner", "iterations": 100},
    },
    "iteration_sweeps": {"sweep": {"method": "bim", "relative_step": 0.1, "epsilon": 0.1, "iterations": [1, 40]}},
    "epsilons": [0.1, 0.2],
    "epsilon_unit": "0-1",
    "seeds": [1],
}
NETWORKS = [name for name in WORK["models"] if name != "neighbours"]


def all_sizes(config: dict) -> dict:
    """Every size of every job: {(function, what it is of): MB or minutes}."""
    plan, found = plan_of(config), {}
    trained = [name for name in NETWORKS if name != "squeezed"]
    jobs = {
        ("training_memory", "training_minutes"): [(name,) for name in trained],
        ("crafting_memory", "probe_memory", "probe_minutes"): [(name,) for name in NETWORKS],
        ("clean_memory", "clean_minutes", "transfer_memory", "transfer_minutes"): [(n,) for n in WORK["models"]],
        ("path_memory", "path_minutes"): [(name, "fgsm") for name in NETWORKS] + [("plain", "nearest")],
        ("attack_scoring_memory", "attack_scoring_minutes"): [(name, "pgd") for name in NETWORKS],
        ("set_minutes",): [(name, "pgd", "0.1") for name in NETWORKS] + [("plain", "nearest", "0.1")],
        ("sweep_memory", "sweep_minutes", "sweep_scoring_memory", "sweep_scoring_minutes"): [("plain", "sweep")],
        ("worst_case_memory", "worst_case_minutes"): [(name, "inf") for name in NETWORKS],
        ("worst_case_scoring_memory", "worst_case_scoring_minutes"): [(name, "inf") for name in NETWORKS],
        ("erasing_memory", "erasing_minutes", "preprocessing_memory", "preprocessing_minutes"): [("d",)],
        ("classifier_memory",): [("neighbours",)],
    }
    for names, arguments in jobs.items():
        for name in names:
            for each in arguments:
                found[name, each] = getattr(job_sizes, name)(plan, *each)
    return found


def changed(path: str, value) -> dict:
    config = deepcopy(WORK)
    *parents, last = path.split("/")
    place = config
    for parent in parents:
        place = place[parent]
    place[last] = value
    return config


@pytest.mark.parametrize(
    ("path", "value", "grows"),
    [
        ("models/plain/training", {"epochs": 100}, [("training_minutes", ("plain",))]),
        ("models/plain/training", {"epochs": 10, "batch_size": 512}, [("training_memory", ("plain",))]),
        ("models/plain/width", 2, [("training_minutes", ("plain",)), ("training_memory", ("plain",))]),
        ("models/plain/width", 2, [("training_minutes", ("student",)), ("worst_case_minutes", ("squeezed", "inf"))]),
        ("models/plain/upsampling", 2, [("crafting_memory", ("plain",)), ("set_minutes", ("plain", "pgd", "0.1"))]),
        ("models/robust/adversarial/iterations", 10, [("training_minutes", ("robust",))]),
        ("models/trades/defence/iterations", 10, [("training_minutes", ("trades",))]),
        ("models/stolen/substitute/rounds", 9, [("training_minutes", ("stolen",))]),
        ("models/squeezed/defence/squeezers", ["median 2", "median 3"], [("crafting_memory", ("squeezed",))]),
        ("datasets/d/split/train_limit", 50000, [("training_minutes", ("plain",)), ("training_memory", ("plain",))]),
        ("datasets/d/erasing", {"passes": 1000}, [("erasing_memory", ("d",)), ("training_memory", ("plain",))]),
        ("datasets/d/evaluation/n", 9000, [("attack_scoring_memory", ("plain", "pgd")), ("probe_memory", ("plain",))]),
        ("attacks/pgd/iterations", 400, [("set_minutes", ("plain", "pgd", "0.1")), ("probe_minutes", ("plain",))]),
        ("attacks/nearest/iterations", 1000, [("path_minutes", ("plain", "nearest"))]),
        ("iteration_sweeps/sweep/iterations", [1, 40, 400], [("sweep_minutes", ("plain", "sweep"))]),
        ("epsilons", [0.1, 0.2, 0.3, 0.4], [("worst_case_minutes", ("plain", "inf"))]),
        ("diagnosis", {"queries": 5000}, [("probe_minutes", ("plain",))]),
        ("worst_case", {"gradient_free": {"method": "square", "queries": 50000}}, [("worst_case_minutes", ("plain", "inf"))]),
        ("batch_size_attack", 1000, [("crafting_memory", ("plain",))]),
    ],
)  # fmt: skip
def test_more_work_never_asks_for_less(path, value, grows):
    before, after = all_sizes(WORK), all_sizes(changed(path, value))
    # Larger batches are fewer: they take more memory, but no more time.
    unlike = "minutes" if "batch_size" in str([path, value]) else "none"
    less = [job for job in before if after[job] < before[job] and unlike not in job[0]]
    assert not less
    assert all(after[job] > before[job] for job in grows), {job: (before[job], after[job]) for job in grows}


def test_sizes_are_whole_numbers_above_those_of_an_empty_job():
    for gpu in (0, 1):
        for (name, _), value in all_sizes(WORK | {"gpu": gpu}).items():
            assert isinstance(value, int) and value >= (job_sizes.LIGHT if "memory" in name else 10), name


def test_a_gpu_takes_the_work_and_libraries_take_memory():
    cpu, gpu = all_sizes(WORK), all_sizes(WORK | {"gpu": 1})
    assert gpu["training_minutes", ("plain",)] < cpu["training_minutes", ("plain",)]
    assert gpu["clean_memory", ("plain",)] > cpu["clean_memory", ("plain",)]
    wide = changed("models/plain/upsampling", 7)
    assert all_sizes(wide)["training_memory", ("plain",)] > all_sizes(wide | {"gpu": 1})["training_memory", ("plain",)]


def test_a_training_that_can_go_on_is_cut_to_a_day(tmp_path):
    (tmp_path / "long.yaml").write_text("models: {undefended: {training: {epochs: 1000000}}}")
    found = planned("--configfile", TINY, str(tmp_path / "long.yaml"))["train_model"]
    assert max(time for _, time in found) == job_sizes.LONGEST > min(time for _, time in found)


# --- as Snakemake plans them -----------------------------------------------------------------------------------------


def asked_for(text: str) -> dict[str, list[tuple[int, int]]]:
    """(MB, minutes) of every job that Snakemake tells of, by rule."""
    found, rule = defaultdict(list), ""
    for line in text.splitlines():
        if named := re.match(r"(?:local)?rule (\w+):", line):
            rule = named[1]
        if "resources:" in line and "mem_mb=" in line:
            found[rule].append(tuple(int(re.search(rf"\b{key}=(\d+)", line)[1]) for key in ("mem_mb", "runtime")))
    return found


def planned(*words: str) -> dict[str, list[tuple[int, int]]]:
    """The same of all jobs of a study, in a dry run."""
    return asked_for(run(ROOT, "snakemake", "--dry-run", "--forceall", "--cores", "2", *words).stdout)


def test_a_second_attempt_asks_for_twice_as_much(tmp_path):
    clone, stub = copy_project(tmp_path / "clone"), tmp_path / "bin" / "python"
    stub.parent.mkdir()
    stub.write_text(f'#!/bin/sh\ncase "$1" in *preprocess*) exit 1 ;; esac\nexec {sys.executable} "$@"\n')
    stub.chmod(0o755)
    path = os.pathsep.join([str(stub.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    words = ["--retries", "1", "results/datasets/fashion_mnist/test.npz", "--configfile", TINY]
    failed = run(clone, "snakemake", "--cores", "1", *words, environment={"PATH": path}, check=False)
    (memory, time), *others = asked_for(failed.stdout)["preprocess_dataset"]
    assert memory >= 700 and time >= 10 and others == [(2 * memory, 2 * time)]


def test_the_tiny_study_asks_for_little():
    found = planned("--configfile", TINY)
    assert {"train_model", "distill_student", "craft_iteration_sweep", "probe_model", "evaluate_transfer"} <= set(found)
    plan = plan_of(study.read_yaml(ROOT / TINY))
    expected = {(job_sizes.training_memory(plan, name), 11) for name in ("undefended", "teacher")}
    assert set(found["train_model"]) == expected
    assert all(500 <= memory <= 2500 and 10 <= time <= 120 for jobs in found.values() for memory, time in jobs)


def test_every_job_of_the_thesis_study_fits_into_a_day_on_a_gpu():
    found = planned("--configfile", "studies/thesis_cifar.yaml")
    assert len(found["train_model"]) == 12 and len(found["craft_adversarial"]) == 288
    assert all(0 < memory <= 16000 and 0 < time <= 24 * 60 for jobs in found.values() for memory, time in jobs)
    assert max(found["train_model"])[1] > 10 * max(found["evaluate_model"])[1]
