"""The workflow under `snakemake --use-conda`, with a real conda and the files in envs/ as users have them."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig

import pytest
import yaml
from conftest import ROOT, copy_project
from slurm import cluster

ENVIRONMENTS = [pytest.param(path, id=path.stem) for path in sorted(ROOT.glob("envs/*.yaml"))]
TABLES = {
    *(
        f"{n}.{s}"
        for n in ("clean_accuracy", "defences", "robust_accuracy", "worst_case", "transfer")
        for s in ("csv", "md", "tex")
    ),
    *(f"{name}.{suffix}" for name in ("drops", "training", "verdicts") for suffix in ("csv", "md")),
    *("curves.csv", "comparisons.csv", "findings.md"),
}
FIGURES = {
    f"{name}.{suffix}"
    for name in (
        "accuracy/fashion_mnist/fgsm",
        "accuracy/fashion_mnist/worst_case_norm_inf",
        "confusion/undefended/seed1",
        "erasing/fashion_mnist",
        "examples/undefended/seed1/fgsm/eps0.1",
        "loss/fashion_mnist/fgsm",
        "training/undefended/seed1",
    )
    for suffix in ("png", "svg")
}

# What an environment tells about itself: where it is, where it looks for modules, what is installed in it.
PROBE = """
import importlib.metadata, json, sys
versions = {d.metadata["Name"].lower().replace("_", "-"): d.version for d in importlib.metadata.distributions()}
print(json.dumps({"prefix": sys.base_prefix, "path": sys.path[1:], "python": sys.version.split()[0]} | versions))
"""


def pins(path):
    """The versions in an environment file, by the names of the Python package index; that of Python too."""
    dependencies = yaml.safe_load(path.read_text())["dependencies"]
    by_conda = [entry for entry in dependencies if isinstance(entry, str)]
    by_pip = [entry for part in dependencies if isinstance(part, dict) for entry in part["pip"]]
    pairs = [re.split(" ?=+", entry) for entry in by_conda + by_pip if entry != "pip"]
    return {name.replace("matplotlib-base", "matplotlib"): version for name, version in pairs}


def files_in(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("path", ENVIRONMENTS)
def test_versions_are_those_of_the_requirements(path):
    lines = (ROOT / "requirements.in").read_text().splitlines()
    required = dict(line.split("==") for line in lines if "==" in line)
    pinned = pins(path)
    pinned.pop("python")
    assert pinned == {name: required.get(name) for name in pinned}


class Study:
    """A copy of the project, and the surroundings that its programs run in."""

    def __init__(self, folder):
        self.folder, self.project = folder, copy_project(folder / "project")
        # Variables of another conda or Python would lead elsewhere. conda and pip write gigabytes: to a home that is removed.
        elsewhere = ("CONDA", "_CE_", "KERAS", "PYTHON", "VIRTUAL_ENV")
        self.surroundings = {key: value for key, value in os.environ.items() if not key.startswith(elsewhere)}
        for key, name in (("HOME", "home"), ("TMPDIR", "tmp")):
            (folder / name).mkdir()
            self.surroundings[key] = str(folder / name)

        # The first `python` on PATH fails, so every program of the workflow has to run in an environment.
        (folder / "bin").mkdir()
        (folder / "bin/python").write_text("#!/bin/sh\necho 'this program runs in no environment' >&2\nexit 1\n")
        (folder / "bin/python").chmod(0o755)
        self.surroundings["PATH"] = f"{folder}/bin:{folder}/conda/condabin:{os.environ['PATH']}"

    def run(self, *command, **variables):
        """Run a command in the project, which has to succeed, and return what it prints."""
        result = subprocess.run(
            command,
            cwd=self.project,
            env=self.surroundings | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert result.returncode == 0, result.stdout
        return result.stdout

    def snakemake(self, *options):
        study = "tests/configs/conda.yaml"
        return self.run(sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", study, *options)

    def environment(self, path):
        """The folder of the environment that Snakemake made from a file; it keeps a copy of the file beside it."""
        copies = self.project.glob(".snakemake/conda/*.yaml")
        (found,) = [copy.with_suffix("") for copy in copies if copy.read_text() == path.read_text()]
        return found

    def probe(self, path):
        """What PROBE tells about the environment made from a file."""
        return json.loads(self.run(self.environment(path) / "bin/python", "-c", PROBE))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The study of tests/configs/conda.yaml, run once with --use-conda (minutes, for TensorFlow is installed anew)."""
    python = pins(ROOT / "envs/light.yaml")["python"]
    if python != f"{sys.version_info.major}.{sys.version_info.minor}":
        pytest.skip(f"the environments have Python {python}, and the local channel can give only the running one")
    if sys.platform != "linux" or "deb_system" in sysconfig.get_scheme_names():
        pytest.skip("only a Linux Python in the usual layout can be made a conda package; Debian's has its own")

    folder = tmp_path_factory.mktemp("conda")
    try:
        study = Study(folder)
        channels, environments = folder / "channels", sorted(study.project.glob("envs/*.yaml"))
        study.run(sys.executable, "tests/conda/make_conda.py", folder / "conda", channels)
        study.run(sys.executable, "tests/conda/build_channel.py", channels / "conda-forge", *environments)
        study.snakemake("--use-conda")
        yield study
    finally:
        shutil.rmtree(folder)  # gigabytes, which pytest would keep for three runs


def test_every_table_and_figure_is_made(study):
    assert files_in(study.project / "results/tables") == TABLES
    assert files_in(study.project / "results/plots") == FIGURES


@pytest.mark.parametrize("path", ENVIRONMENTS)
def test_environments_have_what_their_files_say(study, path):
    told = study.probe(path)
    prefix, pinned = told["prefix"], pins(path)
    assert prefix == str(study.environment(path))
    assert all(entry.startswith(prefix) for entry in told["path"]), "it borrows modules from another Python"
    assert told.pop("python").startswith(pinned.pop("python"))
    assert {name: told.get(name) for name in pinned} == pinned


def test_light_environment_has_no_tensorflow(study):
    assert not [name for name in study.probe(ROOT / "envs/light.yaml") if name.startswith(("tensorflow", "keras"))]


def test_models_are_trained_with_the_environments_versions(study):
    metadata = json.loads((study.project / "results/models/undefended/seed1/metadata.json").read_text())
    told = study.probe(ROOT / "envs/tensorflow.yaml")
    assert metadata["versions"] == {name: told.get(name) for name in metadata["versions"]}
    assert {"python", "tensorflow-cpu", "keras", "cleverhans"} <= set(metadata["versions"])


@pytest.mark.parametrize("options", [[], ["--use-conda"]], ids=["without", "with"])
def test_turning_conda_off_and_on_plans_nothing(study, options):
    assert "Nothing to be done" in study.snakemake("--dry-run", *options)


@pytest.mark.skipif(bool(cluster.missing()), reason="no SLURM: run tests/slurm/install.sh as root")
def test_jobs_of_a_cluster_run_in_the_environments(study, tmp_path):
    """A job that is submitted makes its outputs again; the first `python` on its path fails in it, too."""
    target = "results/evaluation/undefended/seed1/clean.json"
    before = (study.project / target).read_bytes()
    (study.project / target).unlink()
    cluster.up(tmp_path / "cluster")
    try:
        path = (
            f"{study.surroundings['PATH'].replace(os.environ['PATH'], '')}{tmp_path}/cluster/bin:{os.environ['PATH']}"
        )
        words = ("--profile", "slurm", "--use-conda", "--configfile", "tests/configs/conda.yaml")
        words = (target, *words, "--latency-wait", "5", "--slurm-init-seconds-before-status-checks", "5")
        printed = study.run(sys.executable, "-m", "snakemake", *words, PATH=path)
    finally:
        cluster.down(tmp_path / "cluster")
    assert printed.count("has been submitted with SLURM jobid") == 1
    assert (study.project / target).read_bytes() == before


def test_the_readmes_command_plans_the_quick_study(study):
    command = "snakemake --cores 8 --use-conda"
    assert command in (ROOT / "README.md").read_text()
    assert "craft_adversarial" in study.run(sys.executable, "-m", *command.split(), "--dry-run")
