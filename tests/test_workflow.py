"""The workflow as a whole: one real run of the tiny study, and what later changes would re-run."""

import ast
import csv
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, TINY, commit_all, copy_project, run, snakemake

from robustness.version import project_version

UNTOUCHED = "Nothing to be done"


def planned(folder: Path, *words: str) -> dict[str, list[str]]:
    """What a dry run would do: {rule: its jobs' wildcards}."""
    text = snakemake(folder, "--dry-run", *words)
    jobs: dict[str, list[str]] = {}
    for block in re.split(r"\n(?=\[)|\n\n", text):
        if found := re.search(r"^(?:local)?rule (\w+):$", block, re.MULTILINE):
            wildcards = re.search(r"wildcards: (.*)", block)
            jobs.setdefault(found[1], []).append(wildcards[1] if wildcards else "")
    jobs.pop("all", None)
    return jobs


def edit(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / name
    text = path.read_text()
    assert text.count(old) == 1, (name, old)
    path.write_text(text.replace(old, new))


def rows(folder: Path, name: str) -> list[dict]:
    with open(folder / "results/tables" / name, newline="") as handle:
        return list(csv.DictReader(handle))


# --- the run ---------------------------------------------------------------------------------------------------------


def test_everything_was_made(tiny_run):
    tables, plots = (
        {p.name for p in (tiny_run / "results" / kind).rglob("*") if p.is_file()} for kind in ("tables", "plots")
    )
    names = ("robust_accuracy", "clean_accuracy", "worst_case", "transfer", "targeted", "defences")
    expected = {f"{name}.{suffix}" for name in names for suffix in ("csv", "md", "tex")}
    names = ("training", "drops", "published", "temperatures")
    expected |= {f"{name}.{suffix}" for name in names for suffix in ("csv", "md")}
    expected |= {"iterations.csv", "iterations.md", "iteration_curves.csv", "temperature_curves.csv"}
    assert tables == expected | {"curves.csv", "verdicts.csv", "verdicts.md", "comparisons.csv", "findings.md"}
    assert {
        "worst_case_norm_inf.png",
        "fgsm.png",
        "pgd.svg",
        "fgsm_targeted.png",
        "seed3.png",
        "fashion_mnist.png",
        "eps0.10.png",
        "bim_iterations.png",
        "two_models.svg",
        "budget.png",
        "to_50.png",
        "published.png",
    } <= plots
    for path in (tiny_run / "results/plots").rglob("*.png"):
        assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and path.stat().st_size > 5000
    assert UNTOUCHED in snakemake(tiny_run, "--dry-run")


def test_no_half_written_file_is_left(tiny_run):
    odd = [
        path for path in (tiny_run / "results").rglob("*") if ".part" in path.name or path.name.endswith(".download")
    ]
    assert odd == []
    assert list((tiny_run / "results/checkpoints").iterdir()) == []


def test_the_table_has_a_row_a_set_and_agrees_with_the_records(tiny_run):
    table = rows(tiny_run, "robust_accuracy.csv")
    expected = {(m, "fgsm", e) for m in ("undefended", "teacher", "distilled") for e in ("0.05", "0.10")}
    expected |= {(m, "pgd", e) for m in ("undefended", "distilled") for e in ("0.05", "0.10")}
    expected |= {("undefended", "fgsm_targeted", "0.10"), ("undefended", "bim_range", "0.10")}
    assert {(row["model"], row["attack"], row["epsilon"]) for row in table} == expected
    assert len(table) == len(expected)
    for row in table:
        path = f"results/evaluation/{row['model']}/seed3/attacks/{row['attack']}.csv"
        with open(tiny_run / path, newline="") as handle:
            records = [record for record in csv.DictReader(handle) if record["epsilon"] == row["epsilon"]]
        right = sum(record["label"] == record["prediction"] for record in records)
        assert (int(row["n"]), int(row["correct"])) == (len(records), right) == (30, right)
        assert float(row["accuracy"]) == pytest.approx(right / 30)
        assert float(row["loss"]) == pytest.approx(np.mean([float(r["loss"]) for r in records]), rel=1e-6)
        reach = 2 if row["clip"] == "pixel_range" else 1  # two steps as long as epsilon
        assert (reach == 2) == (row["attack"] == "bim_range")
        assert (
            float(row["max_linf"]) == max(float(r["linf"]) for r in records) <= float(row["epsilon"]) * reach * 1.00001
        )
        assert reach == 1 or float(row["max_linf"]) > 1.5 * float(row["epsilon"])
        defence = {"undefended": "none", "teacher": "temperature_training", "distilled": "defensive_distillation"}
        assert row["defence"] == defence[row["model"]]
        assert row["architecture"] == ("report_student_cnn" if row["model"] == "distilled" else "report_cnn")


def test_the_table_of_defences_repeats_the_other_tables(tiny_run):
    """At the middle one of two epsilons, the greater, since the study names none; every model is attacked, the teacher, too."""
    table = rows(tiny_run, "defences.csv")
    assert list(dict.fromkeys(row["model"] for row in table)) == ["undefended", "teacher", "distilled"]
    for quantity, name, column in (
        ("robust_accuracy", "robust_accuracy.csv", "accuracy"),
        ("worst_case", "worst_case.csv", "accuracy"),
        ("target_success", "targeted.csv", "success"),
    ):
        keys = ("model", *(["attack"] if "attack" in rows(tiny_run, name)[0] else []))
        found = {tuple(row[key] for key in keys): row["value"] for row in table if row["quantity"] == quantity}
        expected = {
            tuple(row[key] for key in keys): row[column]
            for row in rows(tiny_run, name)
            if row["epsilon"] == "0.10" and (quantity != "robust_accuracy" or not row["target"])
        }
        assert found == expected
    times = {row["model"]: row["value"] for row in table if row["quantity"] == "times_baseline"}
    assert times == {row["model"]: row["times_baseline"] for row in rows(tiny_run, "training.csv")}


def test_targets_are_counted_to_the_target(tiny_run):
    with open(tiny_run / "results/evaluation/undefended/seed3/attacks/fgsm_targeted.csv", newline="") as handle:
        records = list(csv.DictReader(handle))
    row = next(row for row in rows(tiny_run, "robust_accuracy.csv") if row["attack"] == "fgsm_targeted")
    assert all(record["target"] != record["label"] for record in records)
    hits = sum(record["prediction"] == record["target"] for record in records)
    assert (int(row["target_hits"]), int(row["n"])) == (hits, 30)
    (told,) = rows(tiny_run, "targeted.csv")
    assert (told["attack"], told["model"], told["target"]) == ("fgsm_targeted", "undefended", "least_likely")
    assert float(told["success"]) == pytest.approx(hits / 30) and float(told["ci_low"]) <= hits / 30


def test_sets_carry_where_they_come_from(tiny_run):
    with np.load(tiny_run / "results/adversarial/distilled/seed3/pgd/eps0.10.npz") as crafted:
        note = json.loads(str(crafted["note"]))
        assert crafted["images"].dtype == np.float32
        with np.load(tiny_run / "results/datasets/fashion_mnist/evaluation.npz") as source:
            assert (crafted["indices"] == source["indices"]).all()
    model = (tiny_run / "results/models/distilled/seed3/model.keras").read_bytes()
    assert note["model_sha256"] == hashlib.sha256(model).hexdigest()
    assert note["attack"]["epsilon"] == "0.10" and note["attack"]["iterations"] == 3


def test_the_worst_case_is_every_attack_together(tiny_run):
    """Image by image: it survives at an epsilon only where no attack, own or transferred, broke it up to there."""
    models = ("undefended", "teacher", "distilled")
    for model in models:
        evaluation = tiny_run / f"results/evaluation/{model}/seed3"

        def read(name, folder=evaluation):
            with open(folder / name, newline="") as handle:
                return list(csv.DictReader(handle))

        fallen = {row["index"] for row in read("clean.csv") if row["prediction"] != row["label"]}
        moved = read("transfer.csv")
        assert {row["source"] for row in moved} == set(models) - {model}
        assert {row["attack"] for row in moved} <= {"fgsm", "pgd", "fgsm_targeted"}  # bim_range leaves the ball
        table = {row["epsilon"]: row for row in rows(tiny_run, "worst_case.csv") if row["model"] == model}
        for epsilon in ("0.05", "0.10"):
            for attack in ("fgsm", "pgd", "fgsm_targeted"):
                if (evaluation / f"attacks/{attack}.csv").exists():
                    found = [row for row in read(f"attacks/{attack}.csv") if row["epsilon"] == epsilon]
                    fallen |= {row["index"] for row in found if row["prediction"] != row["label"]}
            fallen |= {row["index"] for row in moved if row["epsilon"] == epsilon and row["prediction"] != row["label"]}
            together = [row for row in read("worst_case/norm_inf.csv") if row["epsilon"] == epsilon]
            survivors = {row["index"] for row in together if row["survived"] == "True"}
            assert len(together) == 30 and not survivors & fallen
            # What fell beyond the records is the cascade's, and was found by a name of its own.
            others = {row["broken_by"] for row in together} - {"", "clean", "fgsm", "pgd", "fgsm_targeted"}
            own = ("least_norm", "apgd_dlr", "gradient_free")
            assert all(name in own or name.startswith("transfer from ") for name in others)
            assert int(table[epsilon]["correct"]) == len(survivors)
            fallen |= {row["index"] for row in together if row["survived"] != "True"}


def test_no_robust_accuracy_stands_without_its_verdict(tiny_run):
    order, found = ["pass", "warning", "fail"], {}
    for row in rows(tiny_run, "verdicts.csv"):
        found.setdefault((row["model"], row["attack"]), []).append(row)
    for name in ("robust_accuracy.csv", "worst_case.csv"):
        for row in rows(tiny_run, name):
            against = found[row["model"], row.get("attack", "worst_case")]
            concerned = [verdict["verdict"] for verdict in against if verdict["epsilon"] in ("", row["epsilon"])]
            assert row["verdict"] == max(concerned, key=order.index)
    for name in ("curves.csv", "transfer.csv", "comparisons.csv"):
        assert {row["verdict"] for row in rows(tiny_run, name)} <= set(order)


def test_an_attack_without_a_ball_is_diagnosed_and_told_as_such(tiny_run):
    judged = {row["diagnostic"] for row in rows(tiny_run, "verdicts.csv") if row["attack"] == "bim_range"}
    # One epsilon can't rise.
    assert judged == {"zero_gradients", "survives_huge_epsilon", "step_budget_below_epsilon", "answers_by_guessing"}
    text = (tiny_run / "results/tables/robust_accuracy.md").read_text()
    assert text.count("bim_range is bounded by the pixel range only") == 1
    transferred = {row["attack"] for row in rows(tiny_run, "transfer.csv")}
    assert transferred == {"fgsm", "pgd"}


def test_a_sweep_has_a_row_a_number_of_iterations_and_agrees_with_the_records(tiny_run):
    with open(tiny_run / "results/evaluation/undefended/seed3/iterations/bim_iterations.csv", newline="") as handle:
        records = list(csv.DictReader(handle))
    assert list(records[0]) == ["iterations", "index", "label", "prediction", "confidence", "loss", "linf", "l2"]
    table = rows(tiny_run, "iterations.csv")
    assert [row["iterations"] for row in table] == ["1", "3"]
    for row in table:
        found = [record for record in records if record["iterations"] == row["iterations"]]
        right = sum(record["label"] == record["prediction"] for record in found)
        assert (row["model"], row["sweep"], row["epsilon"]) == ("undefended", "bim_iterations", "0.10")
        assert (int(row["n"]), int(row["correct"])) == (len(found), right) == (30, right)
        assert float(row["loss"]) == pytest.approx(np.mean([float(record["loss"]) for record in found]), rel=1e-6)
        reach = 0.05 if row["iterations"] == "1" else 0.1
        assert float(row["max_linf"]) == max(float(record["linf"]) for record in found)
        assert float(row["max_linf"]) == pytest.approx(reach, rel=1e-4)
    with np.load(tiny_run / "results/adversarial/undefended/seed3/iterations/bim_iterations.npz") as crafted:
        assert crafted["images"].dtype == np.float32 and crafted["images"].shape == (2, 30, 28, 28, 1)
        model = (tiny_run / "results/models/undefended/seed3/model.keras").read_bytes()
        assert json.loads(str(crafted["note"]))["model_sha256"] == hashlib.sha256(model).hexdigest()


def test_a_temperature_sweep_agrees_with_the_other_tables(tiny_run):
    table = rows(tiny_run, "temperatures.csv")
    quantities = ("clean_accuracy", "evaluation_accuracy", "robust_accuracy", "worst_case", "zero_gradients")
    series = {("teacher", "undefended", 1.0), ("teacher", "teacher", 50.0)}
    series |= {("student", "undefended", 1.0), ("student", "distilled", 50.0)}
    found = {(row["series"], row["model"], float(row["temperature"]), row["quantity"]) for row in table}
    assert found == {(*member, quantity) for member in series for quantity in quantities} and len(table) == len(found)
    robust = {row["model"]: row for row in rows(tiny_run, "robust_accuracy.csv") if row["attack"] == "fgsm"}  # at 0.10
    for row in table:
        if row["quantity"] == "robust_accuracy":
            of = robust[row["model"]]
            assert [row[key] for key in ("epsilon", "value", "verdict")] == ["0.10", of["accuracy"], of["verdict"]]
        if row["quantity"] == "zero_gradients":
            probes = json.loads((tiny_run / f"results/evaluation/{row['model']}/seed3/probes.json").read_text())
            zero = probes["zero_gradients"]["fgsm"]
            assert float(row["value"]) == pytest.approx(zero["zero"] / zero["n"], rel=1e-8)
            assert row["climbed_loss"] == "cross_entropy"


def test_clean_accuracy_names_its_parts(tiny_run):
    table = rows(tiny_run, "clean_accuracy.csv")
    sizes = {row["part"]: row["n"] for row in table}
    assert sizes == {"validation": "60", "test": "100", "evaluation": "30"}
    metadata = json.loads((tiny_run / "results/models/teacher/seed3/metadata.json").read_text())
    assert metadata["settings"]["temperature"] == 50 and metadata["seed"] == 3 and metadata["device"] == "cpu"
    assert "gpu" not in metadata["settings"]  # so that a stopped training goes on whatever device it is told
    assert metadata["versions"]["keras"] and metadata["seconds_per_epoch"] > 0 and metadata["parameters"] == 840586
    assert metadata["workflow"] == project_version(tiny_run)


def test_a_training_is_told_by_the_epoch_that_was_kept(tiny_run):
    table = {row["model"]: row for row in rows(tiny_run, "training.csv")}
    assert [*table] == ["undefended", "teacher", "distilled"]
    for model, row in table.items():
        folder = tiny_run / f"results/models/{model}/seed3"
        metadata = json.loads((folder / "metadata.json").read_text())
        with open(folder / "history.csv", newline="") as handle:
            history = {int(epoch["epoch"]): epoch for epoch in csv.DictReader(handle)}
        accuracies = [float(history[epoch]["val_accuracy"]) for epoch in sorted(history)]
        kept = 1 + int(np.argmax(accuracies))  # the recipe's checkpoint is the best validation accuracy
        assert int(row["kept_epoch"]) == kept and int(row["epochs"]) == len(history) == metadata["epochs"]
        assert float(row["training_loss"]) == float(history[kept]["loss"])
        assert float(row["validation_accuracy"]) == max(accuracies)
        assert float(row["seconds"]) == pytest.approx(sum(float(epoch["seconds"]) for epoch in history.values()))
        assert row["baseline"] == ("" if model == "undefended" else "undefended")


def test_published_numbers_stand_beside_those_of_the_tables(tiny_run):
    clean, robust, loss, seconds, swept, gain = rows(tiny_run, "published.csv")
    found = {(row["model"], row["part"]): row for row in rows(tiny_run, "clean_accuracy.csv")}
    told = found["undefended", "test"]
    assert float(clean["measured"]) == pytest.approx(100 * float(told["accuracy"]))
    assert float(clean["measured_high"]) == pytest.approx(100 * float(told["ci_high"]))
    assert (clean["published"], clean["measured_n"], clean["published_low"]) == ("93.7", "100", "")
    assert loss["measured"] == found["teacher", "test"]["loss"] and loss["measured_low"] == loss["inside"] == ""
    (told,) = [
        row
        for row in rows(tiny_run, "robust_accuracy.csv")
        if (row["model"], row["attack"], row["epsilon"]) == ("undefended", "fgsm", "0.10")
    ]
    assert float(robust["measured"]) == pytest.approx(100 * float(told["accuracy"]))
    assert robust["verdict"] == told["verdict"] and robust["measured_n"] == "30"
    (told,) = [row for row in rows(tiny_run, "training.csv") if row["model"] == "teacher"]
    assert seconds["measured"] == told["seconds_per_epoch"]
    (told,) = [row for row in rows(tiny_run, "iterations.csv") if row["iterations"] == "3"]
    assert float(swept["measured"]) == pytest.approx(100 * float(told["accuracy"]))
    accuracies = {"undefended": [], "distilled": []}
    for row in rows(tiny_run, "robust_accuracy.csv"):
        if row["attack"] == "fgsm" and row["model"] in accuracies:
            accuracies[row["model"]].append(float(row["accuracy"]))
    expected = 100 * (np.mean(accuracies["distilled"]) - np.mean(accuracies["undefended"]))
    assert float(gain["measured"]) == pytest.approx(expected, abs=1e-6) and gain["measured_n"] == "30"
    assert (gain["published"], gain["unit"], gain["published_low"]) == ("-1.5", "points", "")


def test_the_same_seed_gives_the_same_bytes_twice(tiny_run, tmp_path):
    """A second run from nothing, of one model and its sets."""
    folder = copy_project(tmp_path)
    names = [
        "results/datasets/fashion_mnist/train.npz",
        "results/datasets/fashion_mnist/erasing.npz",
        "results/models/teacher/seed3/model.keras",
        "results/adversarial/teacher/seed3/fgsm/eps0.10.npz",
        "results/evaluation/teacher/seed3/attacks/fgsm.csv",
    ]
    snakemake(folder, *names)
    for name in names:
        assert (folder / name).read_bytes() == (tiny_run / name).read_bytes(), name


def test_a_killed_run_goes_on_to_the_same_bytes(tiny_run, tmp_path):
    """Snakemake and its jobs are killed at once in mid-training; then the README's way on."""
    folder = copy_project(tmp_path)
    model, state = "results/models/undefended/seed3/model.keras", folder / "results/checkpoints/undefended-seed3.npz"
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    words = ["snakemake", "--cores", "2", model, "--configfile", TINY]
    started = subprocess.Popen(
        words, cwd=folder, env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while started.poll() is None and not state.exists():
        time.sleep(0.01)
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    assert state.exists() and not (folder / model).exists(), "it ended before it could be killed"
    snakemake(folder, "--unlock")
    snakemake(folder, model)
    assert (folder / model).read_bytes() == (tiny_run / model).read_bytes()
    assert "going on after epoch" in (folder / "results/logs/train_model/undefended/seed3.log").read_text()
    assert list(state.parent.iterdir()) == []


# --- what a change re-runs -------------------------------------------------------------------------------------------

SCORED = {"evaluate_attack", "plot_examples"}  # go by an attack's records, which stand together for all its epsilons
TOGETHER = {
    "evaluate_transfer",
    "craft_worst_case",
    "evaluate_worst_case",
    "probe_model",
}  # look at all attacks on a model
LAST = {  # look at the whole study
    *(
        "diagnose_attacks",
        "aggregate_tables",
        "aggregate_defences",
        "aggregate_drops",
        "write_findings",
        "plot_epsilon_curve",
        "plot_comparison",
    ),
    *("aggregate_temperatures", "plot_temperatures", "compare_published", "plot_published"),
}


def test_one_more_epsilon_plans_only_its_own_sets(tiny_copy):
    edit(tiny_copy, TINY, 'epsilons: [0.05, "0.10"]', 'epsilons: [0.05, "0.10", 0.07]')
    jobs = planned(tiny_copy)
    assert set(jobs) == {"craft_adversarial"} | SCORED | TOGETHER | LAST
    assert len(jobs["craft_adversarial"]) == 5 and all("epsilon=0.07" in job for job in jobs["craft_adversarial"])
    assert len(jobs["evaluate_attack"]) == 5 and not any("targeted" in job for job in jobs["evaluate_attack"])


def test_one_more_model_costs_its_own_work(tiny_copy):
    """Of the others only the transfers between it and them, what is counted with these, tables and figures are made again."""
    entry = "  second: {dataset: fashion_mnist, architecture: lenet5, training: *recipe}\nattacks:\n"
    edit(tiny_copy, TINY, "attacks:\n  fgsm:", entry + "  fgsm:")
    jobs = planned(tiny_copy)
    own = {"train_model", "craft_path", "craft_adversarial", "craft_worst_case", "probe_model", "evaluate_model"}
    own |= {"evaluate_attack", "plot_examples", "plot_training", "plot_confusion"}
    for rule in own:
        assert jobs[rule] and all("model=second" in job for job in jobs[rule]), rule
    scored = {"evaluate_transfer", "evaluate_worst_case"}
    for rule in scored:
        assert sorted(job.split(",")[0] for job in jobs[rule]) == [
            f"model={model}" for model in ("distilled", "second", "teacher", "undefended")
        ]
    assert set(jobs) - own - scored <= LAST | {"aggregate_training"}


def test_one_epsilon_less_crafts_nothing(tiny_copy):
    edit(tiny_copy, TINY, 'epsilons: [0.05, "0.10"]', 'epsilons: ["0.10"]')
    assert set(planned(tiny_copy)) == SCORED | TOGETHER | LAST


def test_the_cascade_touches_no_published_attack(tiny_copy):
    edit(tiny_copy, TINY, "least_norm: {method: fmn, iterations: 4}", "least_norm: {method: fmn, iterations: 5}")
    assert set(planned(tiny_copy)) == {"craft_worst_case", "evaluate_worst_case", "probe_model"} | LAST


def test_how_the_cascade_searches_touches_no_published_attack(tiny_copy):
    with open(tiny_copy / "workflow_scripts/robustness/attacks/first_errors.py", "a") as handle:
        handle.write("\nCHANGED = True\n")
    assert set(planned(tiny_copy)) == {"craft_worst_case", "evaluate_worst_case", "probe_model"} | LAST


def test_the_probes_touch_no_attack(tiny_copy):
    edit(tiny_copy, TINY, "diagnosis: {images: 10, queries: 4}", "diagnosis: {images: 10, queries: 5}")
    assert set(planned(tiny_copy)) == {"probe_model"} | LAST


def test_a_claim_is_a_matter_of_the_page_alone(tiny_copy):
    claim = "teacher: teacher\n    claim: {text: it helps, source: me}\n"
    edit(tiny_copy, TINY, "teacher: teacher\n", claim)
    assert set(planned(tiny_copy)) == {"write_findings"}


def test_a_new_version_or_commit_plans_nothing_and_is_named_by_what_is_made_next(tiny_copy):
    findings = tiny_copy / "results/tables/findings.md"
    assert findings.read_text().endswith(" of the workflow, commit unknown.\n")
    first = commit_all(tiny_copy)
    assert planned(tiny_copy) == {}
    (tiny_copy / "VERSION").write_text("77.0.0\n")
    assert planned(tiny_copy) == {}
    second = commit_all(tiny_copy)
    assert second != first and planned(tiny_copy) == {}
    snakemake(tiny_copy, str(findings.relative_to(tiny_copy)), "--forcerun", "write_findings")
    assert findings.read_text().endswith(f"\n\nMade by version 77.0.0 of the workflow, commit {second}.\n")
    assert planned(tiny_copy) == {}


def test_the_epsilon_of_the_findings_is_a_matter_of_two_tables(tiny_copy):
    edit(tiny_copy, TINY, "epsilons: [0.05,", "findings: {epsilon: 0.05}\nepsilons: [0.05,")
    assert set(planned(tiny_copy)) == {"write_findings", "aggregate_defences"}


def test_a_title_plans_only_its_figures(tiny_copy):
    edit(tiny_copy, TINY, "plots:\n", 'plots:\n  training_title: "How {model} learnt"\n')
    assert set(planned(tiny_copy)) == {"plot_training"}


def test_a_comparison_is_a_figure_alone(tiny_copy):
    edit(tiny_copy, TINY, "attacks: [fgsm, pgd]}", "attacks: [pgd]}")
    assert set(planned(tiny_copy)) == {"plot_comparison"}


def test_a_temperature_sweep_is_a_table_and_a_figure_alone(tiny_copy):
    edit(tiny_copy, TINY, "student: [undefended, distilled]", "pupil: [undefended, distilled]")
    assert set(planned(tiny_copy)) == {"aggregate_temperatures", "plot_temperatures"}


def test_a_published_number_is_held_against_what_was_measured_before(tiny_copy):
    edit(tiny_copy, "tests/configs/published.csv", "93.7", "93.8")
    assert set(planned(tiny_copy)) == {"compare_published", "plot_published"}


def test_another_baseline_changes_no_training(tiny_copy):
    edit(tiny_copy, TINY, "teacher: teacher\n", "teacher: teacher\n    baseline: teacher\n")
    last = {"write_findings", "compare_published", "plot_published"}
    assert set(planned(tiny_copy)) == {"aggregate_training", "aggregate_defences", "aggregate_drops"} | last


def test_a_sweep_touches_nothing_but_its_own(tiny_copy):
    edit(tiny_copy, TINY, "iterations: [1, 3]", "iterations: [1, 2, 3]")
    jobs = set(planned(tiny_copy))
    own = {"craft_iteration_sweep", "evaluate_iteration_sweep", "aggregate_iterations", "plot_iterations"}
    assert own <= jobs <= own | {"compare_published", "plot_published"}


def test_the_students_temperature_retrains_the_student_alone(tiny_copy):
    edit(tiny_copy, TINY, "distillation: {temperature: 50,", "distillation: {temperature: 60,")
    jobs = planned(tiny_copy)
    assert "train_model" not in jobs and jobs["distill_student"] == ["model=distilled, seed=3"]
    assert all("model=distilled" in job for job in jobs["craft_adversarial"])


def test_the_teachers_temperature_does_not_touch_the_undefended(tiny_copy):
    edit(tiny_copy, TINY, "    temperature: 50\n", "    temperature: 60\n")
    jobs = planned(tiny_copy)
    assert jobs["train_model"] == ["model=teacher, seed=3"] and len(jobs["distill_student"]) == 1
    assert not any("model=undefended" in job for rule in ("craft_adversarial", "evaluate_attack") for job in jobs[rule])


def test_one_models_epochs_touch_no_other_and_no_erasing(tiny_copy):
    edit(tiny_copy, TINY, "training: {<<: *recipe, epochs: 1}", "training: {<<: *recipe, epochs: 3}")
    jobs = planned(tiny_copy)
    assert "train_model" not in jobs and "draw_erasing_schedule" not in jobs and len(jobs["distill_student"]) == 1


def test_erasing_touches_only_the_models_that_train_with_it(tiny_copy):
    edit(tiny_copy, TINY, "erasing: {passes: 2}", "erasing: {passes: 2, probability: 0.4}")
    jobs = planned(tiny_copy)
    assert jobs["train_model"] == ["model=teacher, seed=3"]
    assert "preprocess_dataset" not in jobs and "select_evaluation_subset" not in jobs


def test_threads_belong_to_the_study(tiny_copy):
    edit(tiny_copy, TINY, "threads: {train: 1, distill: 1}", "threads: {train: 2, distill: 1}")
    assert len(planned(tiny_copy)["train_model"]) == 2


def test_a_gpu_makes_no_result_again(tiny_copy):
    """What is made from now on is made on one; the metadata tell on what each model was trained."""
    (tiny_copy / "b.yaml").write_text("gpu: 1\n")
    words = ("snakemake", "--cores", "2", "--dry-run", "--printshellcmds", "--configfile", TINY, "b.yaml")
    assert UNTOUCHED in run(tiny_copy, *words).stdout
    assert " --gpu " in run(tiny_copy, *words, "--forcerun", "train_model").stdout


def test_fewer_cores_do_not_change_the_threads(tiny_copy):
    edit(tiny_copy, TINY, "threads: {train: 1, distill: 1}", "threads: {train: 1, distill: 2}")
    text = run(tiny_copy, "snakemake", "--cores", "1", "--dry-run", "--printshellcmds", "--configfile", TINY).stdout
    assert "--threads 2" in text


def test_another_mirror_of_the_same_bytes_plans_nothing(tiny_copy):
    old = "  mirrors: [resources/fashion_mnist_embedded]"
    edit(tiny_copy, "resources/sources.yaml", old, "  mirrors: [nowhere, resources/fashion_mnist_embedded]")
    assert planned(tiny_copy) == {}


def test_other_bytes_re_run_what_they_touch(tiny_copy):
    old = "    - name: t10k-labels-idx1-ubyte.gz\n      sha256: e6d25f5f3e85bb315a10172898c1c8f69ce52c4f9306c5821205c821bfca8847"
    edit(tiny_copy, "resources/sources.yaml", old, old[:-1] + "0")
    assert {"download_dataset", "preprocess_dataset", "train_model"} <= set(planned(tiny_copy))


def test_another_evaluation_subset_retrains_nothing(tiny_copy):
    edit(tiny_copy, TINY, "evaluation: {n: 30}", "evaluation: {n: 20}")
    jobs = planned(tiny_copy)
    assert not {"train_model", "distill_student", "preprocess_dataset", "draw_erasing_schedule"} & set(jobs)
    assert len(jobs["craft_adversarial"]) == 12


def test_one_attack_changed_leaves_the_others(tiny_copy):
    edit(tiny_copy, TINY, "iterations: 3", "iterations: 4")
    jobs = planned(tiny_copy)
    assert len(jobs["craft_adversarial"]) == 4 and all("attack=pgd" in job for job in jobs["craft_adversarial"])


def test_one_more_seed_leaves_the_first(tiny_copy):
    edit(tiny_copy, TINY, "seeds: [3]", "seeds: [3, 4]")
    jobs = planned(tiny_copy)
    assert all("seed=4" in job for rule in ("train_model", "craft_adversarial") for job in jobs[rule])


@pytest.mark.parametrize(
    ("module", "expected", "spared"),
    [
        (
            "robustness/attacks/crafting.py",
            {"craft_adversarial", "craft_worst_case"},
            {"train_model", "preprocess_dataset"},
        ),
        (
            "robustness/attack_methods/apgd.py",
            {"craft_worst_case", "probe_model"},
            {"craft_adversarial", "train_model"},
        ),
        (
            "robustness/attack_methods/bim.py",
            {"craft_adversarial", "craft_iteration_sweep", "probe_model"},
            {"craft_worst_case", "train_model"},
        ),
        ("robustness/attack_methods/mim.py", set(), {"craft_adversarial", "craft_worst_case", "probe_model"}),
        (
            "robustness/diagnosis/diagnostics.py",
            {"diagnose_attacks"},
            {"probe_model", "craft_worst_case", "evaluate_attack"},
        ),
        ("robustness/tables/findings.py", {"write_findings"}, {"diagnose_attacks", "aggregate_tables"}),
        ("robustness/training/distillation.py", {"distill_student"}, {"train_model", "preprocess_dataset"}),
        ("robustness/training/loop.py", {"distill_student", "train_model"}, {"preprocess_dataset"}),
        ("robustness/figures/plotting.py", {"plot_training", "plot_confusion"}, {"aggregate_tables", "train_model"}),
        (
            "robustness/tables/accuracy_tables.py",
            {"aggregate_tables"},
            {"evaluate_attack", "train_model", "plot_training"},
        ),
        ("robustness/data/splits.py", {"preprocess_dataset"}, {"download_dataset"}),
        ("plot_confusion.py", {"plot_confusion"}, {"plot_training", "aggregate_tables", "evaluate_model"}),
    ],
)
def test_changed_code_plans_the_rules_that_use_it(tiny_copy, module, expected, spared):
    with open(tiny_copy / "workflow_scripts" / module, "a") as handle:
        handle.write("\nCHANGED = True\n")
    jobs = set(planned(tiny_copy))
    assert expected <= jobs and not spared & jobs


def reword(folder: Path) -> None:
    """Every docstring, and a comment in every file."""
    for path in (folder / "workflow_scripts").rglob("*.py"):
        lines, described = path.read_text().splitlines(), (ast.Module, ast.ClassDef, ast.FunctionDef)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, described) and ast.get_docstring(node):
                text = node.body[0].value
                line = lines[text.lineno - 1]
                lines[text.lineno - 1] = line[: text.col_offset + 3] + "Reworded: " + line[text.col_offset + 3 :]
        path.write_text("\n".join(["# Another remark.", *lines]))


def reformat(folder: Path) -> None:
    """Shorter lines, other quotes, imports in another order."""
    style = ["--config", "line-length=70", "--config", "lint.isort.force-sort-within-sections=true"]
    run(folder, "ruff", "check", "--select", "I", "--fix", *style, "workflow_scripts")
    run(folder, "ruff", "format", *style, "--config", 'format.quote-style="single"', "workflow_scripts")


def move_modules(folder: Path) -> None:
    """Two modules of which the one or the other is imported nearly everywhere to a new package, and the imports after them."""
    package = folder / "workflow_scripts/robustness/shared"
    package.mkdir()
    (package / "__init__.py").write_text('"""What all stages share."""\n')
    for name in ("errors.py", "cluster/devices.py"):
        (package.parent / name).rename(package / Path(name).name)
    changed = 0
    for path in [*(folder / "workflow_scripts").rglob("*.py"), folder / "rules/common.smk"]:
        old = path.read_text()
        text = old.replace("robustness.errors import", "robustness.shared.errors import")
        text = text.replace("robustness.cluster import devices", "robustness.shared import devices")
        changed += text != old
        path.write_text(text)
    assert changed > 50
    run(folder, "ruff", "check", "--select", "I", "--fix", "workflow_scripts")


@pytest.mark.parametrize("change", [reword, reformat, move_modules], ids=lambda change: change.__name__)
def test_what_changes_in_code_but_not_in_what_it_does_plans_nothing(tiny_copy, change):
    change(tiny_copy)
    assert UNTOUCHED in snakemake(tiny_copy, "--dry-run")
    run(tiny_copy, "python", "workflow_scripts/train_model.py", "--help")


def test_a_constant_in_an_attack_plans_what_a_setting_of_it_plans(tiny_copy):
    """That is the attack's own jobs and what follows from them."""
    edit(tiny_copy, "workflow_scripts/robustness/attack_methods/pgd.py", "rand_init=1.0", "rand_init=0.5")
    by_code = planned(tiny_copy)
    edit(tiny_copy, "workflow_scripts/robustness/attack_methods/pgd.py", "rand_init=0.5", "rand_init=1.0")
    assert planned(tiny_copy) == {}
    edit(tiny_copy, TINY, "iterations: 3", "iterations: 4")
    by_setting = planned(tiny_copy)
    assert {rule: sorted(jobs) for rule, jobs in by_code.items()} == {
        rule: sorted(jobs) for rule, jobs in by_setting.items()
    }
    assert len(by_code["craft_adversarial"]) == 4 and all("attack=pgd" in job for job in by_code["craft_adversarial"])


def test_a_new_attack_as_its_page_tells_it(tiny_copy):
    """Its file and a config entry; nothing else is crafted or scored anew, and what it makes is what its own setting says."""
    page = (ROOT / "docs/add_an_attack.md").read_text()
    (code,), (entry,) = (re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL) for kind in ("python", "yaml"))
    name = re.search(r"`workflow_scripts/robustness/attack_methods/`, here `(\w+\.py)`", page)[1]
    (tiny_copy / "workflow_scripts/robustness/attack_methods" / name).write_text(code)
    edit(tiny_copy, TINY, "\nattacks:\n", f"\n{entry}")
    jobs = planned(tiny_copy)
    assert jobs["craft_adversarial"] == ["model=undefended, seed=3, attack=random, epsilon=0.05"]
    assert jobs["evaluate_attack"] == ["model=undefended, seed=3, attack=random"]
    assert not {"train_model", "distill_student", "evaluate_model"} & set(jobs)
    summary = "results/evaluation/undefended/seed3/attacks/random.json"
    snakemake(tiny_copy, summary)
    told = json.loads((tiny_copy / summary).read_text())
    assert told["attack"]["own"] == {"share": 0.25} and told["epsilons"]["0.05"]["n"] == 30
    with np.load(tiny_copy / "results/adversarial/undefended/seed3/random/eps0.05.npz") as crafted:
        moved = crafted["images"]
    with np.load(tiny_copy / "results/datasets/fashion_mnist/evaluation.npz") as source:
        clean = source["images"] / np.float32(255)
    free = (moved > 0) & (moved < 1) & (np.abs(clean - 0.5) < 0.4)
    steps = np.round(np.abs(moved - clean)[free] / 0.05, 3)
    # A quarter of epsilon at random and three quarters along the gradient, with each other or against each other.
    assert set(steps.tolist()) == {0.5, 1.0} and 0.3 < (steps == 1).mean() < 0.7
    edit(tiny_copy, TINY, "share: 0.25", "share: 2")
    done = run(tiny_copy, "snakemake", "-n", "--configfile", TINY, check=False)
    assert "attacks.random.share is 2; it must be at most 1." in done.stdout and "Traceback" not in done.stdout


def test_a_new_architecture_as_the_readme_tells_it(tiny_copy):
    """Its own file, a place in the schema and a config entry; no other model is trained anew."""
    told = (ROOT / "README.md").read_text().split("### Add an architecture")[1].split("### ")[0]
    code = re.search(r"```python\n(.*?)```", told, re.DOTALL)[1]
    (tiny_copy / "workflow_scripts/robustness/networks/small_cnn.py").write_text(code)
    edit(tiny_copy, "schemas/config.schema.yaml", "resnet50, vgg11, vgg16]", "resnet50, small_cnn, vgg11, vgg16]")
    entry = "  small: {dataset: fashion_mnist, architecture: small_cnn, training: {epochs: 1}}\nattacks:\n"
    edit(tiny_copy, TINY, "attacks:\n  fgsm:", entry + "  fgsm:")
    jobs = planned(tiny_copy)
    assert jobs["train_model"] == ["model=small, seed=3"] and "distill_student" not in jobs
    snakemake(tiny_copy, "results/models/small/seed3/model.keras")
    metadata = json.loads((tiny_copy / "results/models/small/seed3/metadata.json").read_text())
    assert metadata["parameters"] == 9 * 16 + 16 + 26 * 26 * 16 * 10 + 10


def test_another_study_attacks_the_same_models(tiny_copy):
    """With models_dir nothing is trained, and what was made stays."""
    (tiny_copy / "b.yaml").write_text("results_dir: other\nmodels_dir: results\nepsilon_unit: 0-255\n")
    text = run(tiny_copy, "snakemake", "-n", "--configfile", TINY, "b.yaml").stdout
    rules = set(re.findall(r"^(?:local)?rule (\w+):$", text, re.MULTILINE))
    assert {"craft_adversarial", "evaluate_model", "aggregate_training"} <= rules
    assert not {"download_dataset", "preprocess_dataset", "train_model", "distill_student"} & rules
    made = {line.split(":")[1].split("/")[0].strip() for line in text.splitlines() if line.startswith("    output:")}
    assert made == {"other"}


def test_a_comment_in_the_config_and_a_new_time_plan_nothing(tiny_copy):
    with open(tiny_copy / TINY, "a") as handle:
        handle.write("# a remark\n")
    (tiny_copy / "workflow_scripts/robustness/attacks/crafting.py").touch()
    assert planned(tiny_copy) == {}


def test_new_versions_plan_what_they_touch(tiny_copy):
    edit(tiny_copy, "envs/tensorflow.yaml", "cleverhans==", "cleverhans>=")
    jobs = set(planned(tiny_copy))
    assert {"train_model", "craft_adversarial"} <= jobs and not {"preprocess_dataset", "download_dataset"} & jobs


def test_a_removed_set_is_crafted_again_only_when_it_is_asked_for(tiny_copy):
    results = tiny_copy / "results"
    (results / "adversarial/teacher/seed3/fgsm/eps0.05.npz").unlink()
    (results / "evaluation/teacher/seed3/attacks/fgsm.json").unlink()
    assert planned(tiny_copy) == {}  # what it was made for is still there
    (results / "tables/robust_accuracy.csv").unlink()
    jobs = planned(tiny_copy)
    assert set(jobs) == {"craft_adversarial"} | SCORED | TOGETHER | LAST
    assert len(jobs["craft_adversarial"]) == len(jobs["evaluate_attack"]) == 1


# --- configs ---------------------------------------------------------------------------------------------------------


def test_configfile_replaces_config_yaml_whole(tmp_path):
    folder = copy_project(tmp_path)
    jobs = planned(folder)
    assert not any("fgsm, epsilon=0.2" in job for job in jobs["craft_adversarial"])
    assert len(jobs["craft_adversarial"]) == 12 and len(jobs["download_dataset"]) == 4


def test_a_model_that_no_attack_names_is_trained_only(tmp_path):
    """No set of another model is scored on it either; it may be a teacher, or what another starts from."""
    folder = copy_project(tmp_path)
    spare = "  spare: {dataset: fashion_mnist, architecture: lenet5, training: {epochs: 1}}\n"
    attacks = "attacks:\n  fgsm: {method: fgsm"
    edit(folder, TINY, attacks + "}", f"{spare}{attacks}, models: [undefended, teacher, distilled]}}")
    jobs = planned(folder)
    of_spare = {rule for rule, wildcards in jobs.items() if any("model=spare" in text for text in wildcards)}
    assert of_spare == {"train_model", "evaluate_model", "plot_training", "plot_confusion"}
    assert len(jobs["evaluate_transfer"]) == 3


def test_what_others_wait_for_is_trained_first(tmp_path):
    text = snakemake(copy_project(tmp_path), "--dry-run")
    found = {}
    for block in re.split(r"\n(?=\[)|\n\n", text):
        if re.search(r"^rule (train_model|distill_student):$", block, re.MULTILINE):
            found[re.search(r"wildcards: model=(\w+)", block)[1]] = int(re.search(r"priority: (\d+)", block)[1])
    assert found == {"undefended": 10, "teacher": 11, "distilled": 10}


def test_two_configfiles_merge(tmp_path):
    folder = copy_project(tmp_path)
    (folder / "b.yaml").write_text("seeds: [8]\n")
    text = run(folder, "snakemake", "-n", "--configfile", TINY, "b.yaml").stdout
    assert "seed=8" in text and "seed=3" not in text


def test_a_published_number_of_another_study_ends_with_one_sentence(tmp_path):
    folder = copy_project(tmp_path)
    edit(folder, "tests/configs/published.csv", "fgsm,0.1", "fgsm,0.3")
    done = run(folder, "snakemake", "-n", "--configfile", TINY, check=False)
    sentence = "published.csv, line 3: epsilon is 0.3; fgsm has 0.05, 0.10: leave the row out, or add it."
    assert done.returncode == 1 and sentence in done.stdout
    assert "Traceback (most recent call last)" not in done.stdout


@pytest.mark.parametrize(
    ("addition", "sentence"),
    [
        ("epsilonss: [1]\n", "config: the top level has the unknown key epsilonss"),
        ("seeds: [1]\n", "'seeds' stands there twice"),
        ("gpu: many\n", "config: gpu is 'many'; it must be a whole number."),
        ("gpu: 2\n", "config: gpu is 2; it must be at most 1."),
    ],
)
def test_a_wrong_config_ends_with_one_sentence(tmp_path, addition, sentence):
    folder = copy_project(tmp_path)
    with open(folder / TINY, "a") as handle:
        handle.write(addition)
    done = run(folder, "snakemake", "-n", "--configfile", TINY, check=False)
    assert done.returncode == 1 and sentence in done.stdout
    assert "Traceback (most recent call last)" not in done.stdout


def test_a_broken_config_yaml_tells_the_line(tmp_path):
    folder = copy_project(tmp_path)
    edit(folder, "config.yaml", "  undefended:\n", "   undefended:\n")
    done = run(folder, "snakemake", "-n", check=False)
    assert done.returncode == 1 and "config.yaml is not valid YAML" in done.stdout and "line" in done.stdout


def test_the_published_step_budget_is_warned_of(tmp_path):
    folder = copy_project(tmp_path)
    edit(folder, TINY, "relative_step: 0.5, iterations: 3", "step: 0.01, iterations: 6")
    assert "step x iterations = 0.01 x 6 = 0.06, which can't reach epsilon 0.10" in snakemake(folder, "-n")


# --- a folder of images ----------------------------------------------------------------------------------------------

PHOTOS = ("snakemake", "--cores", "2", "--configfile", "mine.yaml")


@pytest.fixture(scope="module")
def photos_run(tmp_path_factory) -> Path:
    """A clone with a user's own colour images, as config alone, in which the study was run whole.

    One image has more bytes than files that Snakemake compares by content. One class of images lies behind a link, and other
    links lead nowhere.
    """
    from PIL import Image

    folder = copy_project(tmp_path_factory.mktemp("photos"))
    rng = np.random.default_rng(0)
    for part, n in (("train", 20), ("test", 6)):
        for label, colour in (("red", 0), ("green", 1), ("blue", 2)):
            (folder / "photos" / part / label).mkdir(parents=True)
            for i in range(n):
                pixels = rng.integers(0, 100, (20, 24, 3), dtype=np.uint8)
                pixels[..., colour] += 120
                Image.fromarray(pixels).save(folder / "photos" / part / label / f"{i}.png")
    Image.fromarray(rng.integers(0, 255, (700, 840, 3), dtype=np.uint8)).save(folder / "photos/train/red/large.bmp")
    (folder / "photos/train/blue").rename(folder / "behind")
    (folder / "photos/train/blue").symlink_to("../../behind")
    for name in (".#notes.txt", ".notes.png"):
        (folder / "photos/train/red" / name).symlink_to("nowhere")
    (folder / "mine.yaml").write_text(
        """
sources: {photos: {format: image_folder, licence: mine, mirrors: [photos], image_size: [16, 16]}}
datasets:
  colours: {source: photos, n_classes: 3, pixel_range: -1-1, split: {protocol: validation_is_test}, evaluation: {n: 9}}
models: {plain: {dataset: colours, architecture: report_cnn, training: {epochs: 1, batch_size: 8}}}
attacks:
  bim: {method: bim, step: 4, iterations: 2, norm: 2}
  to_green: {method: mim, step: 4, iterations: 2, target: 1}
  few: {method: jsma, epsilons: [0.05]}
  near: {method: carlini_wagner, iterations: 5, binary_search_steps: 2}
worst_case:
  attacks:
    least_norm: {method: fmn, iterations: 3}
    square: {method: square, queries: 5}
diagnosis: {images: 9, queries: 5}
epsilon_unit: 0-255
epsilons: [8]
seeds: [0, 1]
"""
    )
    run(folder, *PHOTOS)
    return folder


@pytest.fixture
def photos_copy(photos_run, tmp_path) -> Path:
    return Path(shutil.copytree(photos_run, tmp_path / "clone", symlinks=True))


def test_an_image_folder_goes_all_the_way(photos_run):
    folder = photos_run
    table = {(row["attack"], row["seed"]): row for row in rows(folder, "robust_accuracy.csv")}
    assert set(table) == {(attack, seed) for attack in ("bim", "to_green", "few", "near") for seed in "01"}
    assert all(row["epsilon_unit"] == "0-255" for row in table.values())
    assert 7.9 < float(table["bim", "0"]["max_l2"]) <= 8.0001
    assert [table["to_green", "0"][key] for key in ("n", "target")] == ["6", "1"]  # three of nine are green already
    assert 0 < float(table["few", "0"]["max_l0"]) <= 0.05 and float(table["near", "0"]["max_l2"]) <= 8.0001
    assert {row["attack"] for row in rows(folder, "targeted.csv")} == {"to_green"}
    figures = {path.stem for path in (folder / "results/plots/accuracy/colours").glob("*.png")}
    assert figures == {"bim", "to_green", "few", "near", "worst_case_norm_inf", "worst_case_norm_2"}
    worst = {(row["norm"], row["seed"]): row for row in rows(folder, "worst_case.csv")}
    assert set(worst) == {(norm, seed) for norm in ("inf", "2") for seed in "01"}
    assert all(int(worst["2", seed]["correct"]) <= int(table["bim", seed]["correct"]) for seed in "01")
    assert (
        rows(folder, "transfer.csv") == []
        and "No model of this study has a defence" in (folder / "results/tables/findings.md").read_text()
    )
    parts = {row["part"]: row for row in rows(folder, "clean_accuracy.csv") if row["seed"] == "0"}
    assert parts["validation"]["n"] == parts["test"]["n"] == "18"
    assert parts["validation"]["correct"] == parts["test"]["correct"]
    (seeds,) = {row["seeds"] for row in rows(folder, "curves.csv")}
    assert seeds == "2"
    assert UNTOUCHED in run(folder, *PHOTOS, "--dry-run").stdout


def touch(photos: Path) -> None:
    for path in [photos, *photos.rglob("*"), *photos.with_name("behind").iterdir()]:
        os.utime(path, follow_symlinks=path.exists())


def rename_and_back(photos: Path) -> None:
    photos.rename(photos.with_name("renamed"))
    photos.with_name("renamed").rename(photos)


def pack_again(photos: Path) -> None:
    """Packed to an archive without times, and unpacked; what was behind a link is then in the folder itself."""
    run(
        photos.parent,
        "tar",
        "--create",
        "--dereference",
        "--ignore-failed-read",
        "--mtime=@0",
        "--file=photos.tar",
        "photos",
        check=False,
    )
    shutil.rmtree(photos)
    run(photos.parent, "tar", "--extract", "--touch", "--file=photos.tar")
    assert not (photos / "train/blue").is_symlink()


@pytest.mark.parametrize("change", [touch, rename_and_back, pack_again], ids=lambda change: change.__name__)
def test_the_same_images_plan_nothing(photos_copy, change):
    change(photos_copy / "photos")
    for _ in range(2):
        assert UNTOUCHED in run(photos_copy, *PHOTOS, "--dry-run").stdout


def test_the_same_images_in_another_folder_plan_nothing(photos_copy):
    (photos_copy / "photos").rename(photos_copy / "pictures")
    edit(photos_copy, "mine.yaml", "mirrors: [photos]", "mirrors: [gone, pictures]")
    assert UNTOUCHED in run(photos_copy, *PHOTOS, "--dry-run").stdout


def change_an_image(photos: Path) -> None:
    """A single bit, at the same size and time."""
    path = photos / "train/red/large.bmp"
    times, content = path.stat(), bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def add_an_image(photos: Path) -> None:
    shutil.copy2(photos / "train/red/0.png", photos / "train/red/new.png")


def remove_an_image(photos: Path) -> None:
    (photos / "test/green/0.png").unlink()


def change_one_behind_the_link(photos: Path) -> None:
    shutil.copy2(photos.with_name("behind") / "0.png", photos.with_name("behind") / "1.png")


@pytest.mark.parametrize(
    "change",
    [change_an_image, add_an_image, remove_an_image, change_one_behind_the_link],
    ids=lambda change: change.__name__,
)
def test_other_images_are_noticed(photos_copy, change):
    change(photos_copy / "photos")
    text = run(photos_copy, *PHOTOS, "--dry-run").stdout
    rules = set(re.findall(r"^(?:local)?rule (\w+):$", text, re.MULTILINE))
    assert {"download_dataset", "preprocess_dataset", "train_model", "craft_adversarial"} <= rules


# --- weights and failures --------------------------------------------------------------------------------------------


def test_pretrained_weights_come_through_the_download_rule(tmp_path):
    """A local file as the source; a wrong checksum is one sentence, and nothing half-written stays."""
    import keras

    folder = copy_project(tmp_path)
    (folder / "kept").mkdir()
    base = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(32, 32, 3))
    base.save_weights(folder / "kept/base.weights.h5")
    sha256 = hashlib.sha256((folder / "kept/base.weights.h5").read_bytes()).hexdigest()

    def train(expected):
        (folder / "b.yaml").write_text(
            f"""
sources:
  drawn: {{format: weights, licence: mine, mirrors: [kept], files: [{{name: base.weights.h5, sha256: "{expected}"}}]}}
datasets: {{fashion_mnist: {{split: {{train_limit: 60}}}}}}
models: {{undefended: {{architecture: mobilenet_v2, upsampling: 2, weights: drawn, training: {{epochs: 1}}}}}}
"""
        )
        target = "results/models/undefended/seed3/model.keras"
        return run(folder, "snakemake", "--cores", "2", target, "--configfile", TINY, "b.yaml", check=False)

    done = train("0" * 64)
    assert done.returncode == 1 and f"its sha256 is {sha256}, expected 0000" in done.stdout
    assert "Traceback (most recent call last)" not in done.stdout and not list((folder / "results").rglob("*.h5"))
    assert train(sha256).returncode == 0
    metadata = json.loads((folder / "results/models/undefended/seed3/metadata.json").read_text())
    assert metadata["settings"]["weights_sha256"] == sha256
    assert metadata["settings"]["trainable"] == "batch_normalization"
    trained = keras.saving.load_model(folder / "results/models/undefended/seed3/model.keras", compile=False)
    inner = next(layer for layer in trained.layers if isinstance(layer, keras.Model))
    for ours, theirs in zip(inner.weights, base.weights, strict=True):
        if "BatchNorm" not in ours.path and "bn" not in ours.path.lower():
            np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def test_a_file_without_a_checksum_counts_by_its_content(tmp_path):
    """Also if it is larger than what Snakemake compares by content."""
    folder = copy_project(tmp_path)
    (folder / "kept").mkdir()
    path = folder / "kept/base.weights.h5"
    path.write_bytes(bytes(2_000_000))
    source = "drawn: {format: weights, licence: mine, mirrors: [kept], files: [{name: base.weights.h5}]}"
    (folder / "b.yaml").write_text(f"sources: {{{source}}}\n")
    words = ["snakemake", "--cores", "1", "results/downloads/drawn/base.weights.h5", "--configfile", TINY, "b.yaml"]
    run(folder, *words)
    os.utime(path)
    assert UNTOUCHED in run(folder, *words, "--dry-run").stdout
    path.write_bytes(bytes(1_999_999) + b"1")
    assert "download_dataset" in run(folder, *words, "--dry-run").stdout


def test_a_failing_job_shows_its_sentence_and_leaves_nothing(tmp_path):
    folder = copy_project(tmp_path)
    archive = folder / "resources/fashion_mnist_embedded/t10k-labels-idx1-ubyte.gz"
    archive.write_bytes(archive.read_bytes()[:-10])
    done = run(folder, "snakemake", "--cores", "2", "--configfile", TINY, check=False)
    assert done.returncode == 1
    assert "t10k-labels-idx1-ubyte.gz can't be had from any mirror" in done.stdout
    assert "Traceback (most recent call last)" not in done.stdout
    assert not list((folder / "results/downloads").rglob("t10k-labels*"))


def test_the_slurm_command_of_the_readme_plans(tmp_path):
    """Literally, from the clone's root, as a dry run (--use-conda has its own test)."""
    command = "snakemake --profile slurm"
    assert command in (ROOT / "README.md").read_text()
    text = run(copy_project(tmp_path), *command.split(), "--dry-run").stdout
    assert "This was a dry-run" in text and re.search(r"craft_adversarial +12", text)
