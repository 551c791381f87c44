"""Snakemake's cache between workflows: what studies in several clones share, and what they must not."""

import re
from pathlib import Path

import pytest
from conftest import copy_project, run

from robustness.files import sha256_of

STUDY = """
results_dir: results
datasets:
  small:
    source: fashion_mnist_embedded
    split: {train_limit: 100, test_limit: 20, seed: 1}
    evaluation: {n: 10}
    erasing: {passes: 1, seed: 1}
models:
  teacher: &network
    dataset: small
    architecture: report_student_cnn
    erasing: true
    temperature: 50
    training: &recipe {epochs: 1, batch_size: 50}
  start: {dataset: small, architecture: report_student_cnn, training: *recipe}
  student:
    dataset: small
    architecture: report_student_cnn
    teacher: teacher
    initial: start
    distillation: {temperature: 50, alpha: 0.1}
    training: *recipe
attacks: {fgsm: {method: fgsm, models: [student]}}
epsilon_unit: 0-1
epsilons: [0.1]
seeds: [3]
threads: {train: 1, distill: 1}
"""


def study(folder: Path, *words: str, config: str = STUDY, cache: Path | str | None = None, **settings) -> str:
    """Run a study in a clone, with --cache if there is a folder for it, and return all that Snakemake printed."""
    (folder / "study.yaml").write_text(config)
    cached = [] if cache is None else ["--cache"]
    environment = {"SNAKEMAKE_OUTPUT_CACHE": str(cache or "")} | settings.pop("environment", {})
    words = (*words, *cached, "--configfile", "study.yaml")
    return run(folder, "snakemake", "--cores", "1", *words, environment=environment, **settings).stdout


def model(name: str, results: str = "results", seed: int | str = 3) -> str:
    return f"{results}/models/{name}/seed{seed}/model.keras"


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> tuple[Path, Path]:
    """A clone in which a study trained its models, and the cache that it put them in."""
    folder, cache = copy_project(tmp_path_factory.mktemp("first")), tmp_path_factory.mktemp("cache")
    text = study(folder, model("student"), cache=cache)
    assert text.count("Moving output file") == 4 + 4 + 1 + 3 * 3  # downloads, parts of the dataset, erasing, models
    return folder, cache


def test_with_and_without_the_cache_nothing_is_planned_afterwards(first):
    folder, cache = first
    for used in (None, cache):
        text = study(folder, model("student"), "--dry-run", cache=used)
        assert "Nothing to be done" in text and "warn" not in text.lower() and "eligible" not in text


def test_another_study_takes_the_teacher_and_trains_only_its_own_student(first, tmp_path):
    """In another clone, with another results_dir, another student and another attack."""
    folder, cache = first
    other = copy_project(tmp_path)
    config = STUDY.replace("results_dir: results", "results_dir: other").replace("  student:", "  pupil:")
    config = config.replace("distillation: {temperature: 50", "distillation: {temperature: 20")
    config = config.replace("fgsm: {method: fgsm, models: [student]", "led: {method: fgsm, labels: predicted")
    table, records = other / "other/tables/training.csv", other / "other/evaluation/pupil/seed3/attacks/led.csv"
    study(other, *(str(path.relative_to(other)) for path in (table, records)), config=config, cache=cache)
    trained = {path.parent.name for path in (other / "other/logs").rglob("seed3.log") if path.stat().st_size}
    assert trained == {"pupil"}  # the log of a job whose results come from the cache is empty
    for name in ("teacher", "start"):
        assert (other / model(name, "other")).is_symlink()
        assert sha256_of(other / model(name, "other")) == sha256_of(folder / model(name))
    assert len(table.read_text().splitlines()) == 1 + 3 and records.exists()


DATASET, ERASING = "datasets/small/train.npz", "datasets/small/erasing.npz"
TEACHER, START, STUDENT = (f"models/{name}/seed3/model.keras" for name in ("teacher", "start", "student"))
CHANGES = {  # in the study, and what is then made anew; all else comes from the cache
    "nothing that changes a result": (
        {
            "results_dir: results": "results_dir: other",
            "{method: fgsm, ": "{method: bim, step: 0.1, iterations: 2, ",
            "    temperature: 50\n": "    temperature: 50\n    baseline: start\n    claim: {text: it helps, source: me}\n",
        },
        set(),
    ),
    "the student's temperature": ({"distillation: {temperature: 50": "distillation: {temperature: 20"}, {STUDENT}),
    "who is whose teacher": (
        {"teacher: teacher\n    initial: start": "teacher: start\n    initial: teacher"},
        {STUDENT},
    ),
    "a name": ({"start": "begin"}, {START.replace("start", "begin"), STUDENT}),
    "epochs": ({"{epochs: 1,": "{epochs: 2,"}, {TEACHER, START, STUDENT}),
    "the seed": ({"seeds: [3]": "seeds: [4]"}, {name.replace("seed3", "seed4") for name in (TEACHER, START, STUDENT)}),
    "the split": ({"test_limit: 20, seed: 1": "test_limit: 20, seed: 2"}, {DATASET, ERASING, TEACHER, START, STUDENT}),
    "code": ({}, {TEACHER, START, STUDENT}),
    "a comment in code": ({}, set()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_passes_over_the_cache_where_it_changes_the_result(first, tmp_path, change):
    replaced, made = CHANGES[change]
    folder, config = copy_project(tmp_path), STUDY
    for old, new in replaced.items():
        assert old in config
        config = config.replace(old, new)
    if text := {"code": "\nVERSION = 2\n", "a comment in code": "# a remark\n"}.get(change):
        with open(folder / "workflow_scripts/robustness/networks/report_student_cnn.py", "a") as handle:
            handle.write(text)
    results, seed = re.search(r"results_dir: (\w+)", config)[1], re.search(r"seeds: \[(\d)\]", config)[1]
    text = study(folder, model("student", results, seed), "--dry-run", config=config, cache=first[1])
    told = re.findall(rf"^Output file {results}/(\S+) will be (obtained from|written to) global", text, re.MULTILINE)
    assert {name for name, how in told if how == "written to"} == made
    assert len(told) == 4 + 2 + 3  # downloads, the dataset's parts and its erasing, models


@pytest.mark.parametrize("folder", ["", "relative", "/nowhere/at/all"])
def test_an_unusable_folder_ends_the_start_with_one_sentence(tmp_path, folder):
    clone = copy_project(tmp_path)
    (clone / "relative").mkdir()
    text = study(clone, "--dry-run", cache=folder, check=False)
    assert f"SNAKEMAKE_OUTPUT_CACHE is '{folder}': set it to the absolute path of a folder that exists" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("name", ["craft_adversarial", "results/tables/training.csv"])
def test_what_can_not_be_cached_ends_the_start_with_one_sentence(tmp_path, name):
    """Epsilon stands in no param of craft_adversarial: one's set would be taken for another's. The other is a target."""
    words, environment = ("--dry-run", "--cache", name), {"SNAKEMAKE_OUTPUT_CACHE": str(tmp_path)}
    text = study(copy_project(tmp_path), *words, environment=environment, check=False)
    assert f"--cache: {name} is none of the rules that can be cached (download_dataset, " in text
    assert "Traceback" not in text


EXECUTOR = '''
"""Every job in a Snakemake of its own, as on a cluster."""

import subprocess

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
from snakemake_interface_executor_plugins.settings import CommonSettings

common_settings = CommonSettings(
    non_local_exec=True, implies_no_shared_fs=False, job_deploy_sources=False, init_seconds_before_status_checks=0
)


class Executor(RemoteExecutor):
    def run_job(self, job):
        info = SubmittedJobInfo(job, aux={"process": subprocess.Popen(self.format_job_exec(job), shell=True)})
        self.report_job_submission(info)

    async def check_active_jobs(self, active_jobs):
        for info in active_jobs:
            code = info.aux["process"].poll()
            if code is None:
                yield info
            else:
                (self.report_job_error if code else self.report_job_success)(info)

    def cancel_jobs(self, active_jobs):
        for info in active_jobs:
            info.aux["process"].kill()
'''


def test_jobs_of_a_cluster_put_into_the_cache_and_take_from_it(first, tmp_path):
    plugin = tmp_path / "plugins/snakemake_executor_plugin_spawned/__init__.py"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(EXECUTOR)
    target, environment = f"results/{DATASET}", {"PYTHONPATH": str(tmp_path / "plugins")}
    words = [target, "--executor", "spawned", "--jobs", "1", "--seconds-between-status-checks", "1"]
    for clone, moved in (("a", True), ("b", False)):
        text = study(copy_project(tmp_path / clone), *words, cache=first[1], environment=environment)
        assert (f"Moving output file {target} to cache." in text) == moved
        assert f"Symlinking output file {target} from cache." in text
