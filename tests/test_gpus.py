"""Jobs with a GPU: the programs refuse to go on without one, no two share one, and the rules that ask for one say so."""

import importlib
import itertools
import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT, TINY, copy_project, run

SCRIPTS = ROOT / "workflow_scripts"
RULES = {
    block.split()[0].rstrip(":"): block
    for path in (ROOT / "rules").glob("*.smk")
    for block in re.split(r"^rule ", path.read_text(), flags=re.MULTILINE)[1:]
}
WITH_GPU = {name for name, block in RULES.items() if re.search(r"^    resources:\n        gpu=", block, re.MULTILINE)}

# --- without a GPU ---------------------------------------------------------------------------------------------------

MODEL = ["--model", "m.keras", "--images", "i.npz", "--info", "d.json"]
TRAIN = [
    "train_model", "--train", "i.npz", "--validation", "i.npz", "--info", "d.json", "--name", "m", "--dataset", "d",
    "--defence", "none", "--architecture", "lenet5", "--epochs", "1", "--seed", "1", "--state", "s/state.npz", "--model",
    "o.keras", "--history", "o.csv", "--metadata", "o.json",
]  # fmt: skip
CRAFT = [
    "craft_adversarial", *MODEL, "--attack", "a", "--method", "fgsm", "--epsilon", "0.1", "--epsilon-unit", "0-1", "--seed",
    "1", "--output", "o.npz",
]  # fmt: skip
SCORE = [
    "evaluate_attack", *MODEL, "--metadata", "d.json", "--adversarial", "i.npz", "--records", "r.csv", "--summary", "s.json",
]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "backend", "framework"),
    [
        (TRAIN, "tensorflow", "TensorFlow"),
        (CRAFT, "tensorflow", "TensorFlow"),
        (SCORE, "tensorflow", "TensorFlow"),
        (TRAIN, "jax", "JAX"),
    ],
)
def test_a_program_told_to_use_a_gpu_ends_where_there_is_none(tmp_path, words, backend, framework):
    """Before it reads its inputs, which are not what they should be."""
    for name in ("m.keras", "i.npz", "d.json"):
        (tmp_path / name).write_text("not what it should be")
    name, *options = words
    program = ("python", str(SCRIPTS / f"{name}.py"), *options)
    hidden = {"CUDA_VISIBLE_DEVICES": "", "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"}
    done = run(tmp_path, *program, "--gpu", environment=hidden, check=False)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == (
        f"Error: {framework} finds no GPU here, and the config says gpu: 1: run this where there is one, install "
        f"{framework}'s GPU build (envs/tensorflow.yaml), or say gpu: 0."
    )
    assert "Traceback" not in done.stdout and "d.json" not in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.json", "i.npz", "m.keras"]


def test_a_platform_of_jax_that_is_not_there_is_no_gpu(tmp_path):
    words = ("python", "-c", "from robustness.cluster import devices; devices.prepare(1, 0, gpu=True)")
    asked = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cuda", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(SCRIPTS)}
    assert "UserError: JAX finds no GPU here" in run(tmp_path, *words, environment=asked, check=False).stdout


def test_nothing_looks_for_gpus_before_one_was_taken(tmp_path):
    """By importing, that is: from the first look on, TensorFlow would see all."""
    modules = [".".join(path.relative_to(SCRIPTS).with_suffix("").parts) for path in SCRIPTS.glob("robustness/**/*.py")]
    code = f"""
import importlib, keras
from tensorflow.python.eager import context
for name in {sorted(modules)}:
    importlib.import_module(name)
print("found:", context.context()._physical_devices)
"""
    text = run(tmp_path, "python", "-c", code, environment={"PYTHONPATH": str(SCRIPTS)}).stdout
    assert text.splitlines()[-1] == "found: None"


# --- which jobs ------------------------------------------------------------------------------------------------------


def test_the_rules_that_ask_for_a_gpu_are_those_that_pass_the_option_on():
    assert {name for name, block in RULES.items() if '" {params.gpu}"' in block} == WITH_GPU
    programs = {path.stem: importlib.import_module(path.stem).main for path in SCRIPTS.glob("*.py")}
    assert {name for name, main in programs.items() if "gpu" in {option.name for option in main.params}} == WITH_GPU


@pytest.mark.parametrize("gpu", [0, 1])
def test_jobs_that_can_use_a_gpu_are_told_to(tmp_path, gpu):
    """Not those that need no network: what one walk found is enough for FGSM and attacks of least norm at every epsilon."""
    folder = copy_project(tmp_path)
    (folder / "b.yaml").write_text(
        f"""
gpu: {gpu}
models: {{neighbours: {{dataset: fashion_mnist, technique: {{name: k_nearest_neighbours}}}}}}
attacks:
  bim_one: {{method: bim, step: 0.05, iterations: 1}}
  bim_far: {{method: bim, step: 0.05, iterations: 2}}
  near: {{method: fmn, iterations: 2}}
"""
    )
    text = run(folder, "snakemake", "-n", "-p", "--profile", "gpu", "--configfile", TINY, "b.yaml").stdout
    assert "This was a dry-run" in text
    told: dict[tuple[str, str], set[bool]] = {}
    for block in re.split(r"\n(?=\[)", text):
        rule, command = (
            re.search(r"^(?:local)?rule (\w+):$", block, re.MULTILINE),
            block.partition("Shell command: ")[2],
        )
        if rule and command:
            about = re.search(r"attack=(\w+)|model=(neighbours)", block)
            asked = bool(re.search(r"gpu=1\b", block))
            assert asked == (" --gpu " in command), block
            told.setdefault((rule[1], next(filter(None, about.groups())) if about else ""), set()).add(asked)
    assert WITH_GPU - {rule for rule, _ in told} == {
        *("train_adversarially", "train_defended", "train_substitute", "wrap_model")  # of which this study has none
    }
    spared = {("craft_adversarial", attack) for attack in ("fgsm", "fgsm_targeted", "bim_one", "near")}
    spared |= {("evaluate_model", "neighbours"), ("evaluate_transfer", "neighbours")}
    assert spared < set(told)
    assert told == {job: {bool(gpu) and job[0] in WITH_GPU and job not in spared} for job in told}


# --- one GPU a job ---------------------------------------------------------------------------------------------------

UUIDS = ["GPU-11111111-aaaa", "GPU-22222222-bbbb"]
# Takes a GPU, tells which, keeps it for some seconds or until it is told to end, and tells from when to when it had it.
HOLDER = """
import logging, os, sys, time
from robustness.cluster.gpus import take_gpu

logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
take_gpu()
since = time.monotonic()
print("has", os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
sys.stdin.readline() if sys.argv[1] == "asked" else time.sleep(float(sys.argv[1]))
print(since, time.monotonic(), flush=True)
"""


@pytest.fixture
def start(tmp_path):
    """A function that starts a process that takes a GPU of a machine with two, in the given environment."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/nvidia-smi"
    program.write_text("#!/bin/sh\nprintf '%s\\n' " + " ".join(UUIDS) + "\n")
    program.chmod(0o755)
    own = {
        "PATH": f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}",
        "TMPDIR": str(tmp_path),
        "PYTHONPATH": str(SCRIPTS),
    }
    other = {key: value for key, value in os.environ.items() if key not in ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID")}
    started = []

    def of_environment(seconds: float | str = "asked", **environment: str) -> subprocess.Popen:
        words = [sys.executable, "-u", "-c", HOLDER, str(seconds)]
        started.append(
            subprocess.Popen(
                words, env=other | own | environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        )
        return started[-1]

    yield of_environment
    for process in started:
        process.kill()
        process.communicate()


def line_of(process: subprocess.Popen) -> str:
    return process.stdout.readline().strip()


def test_no_two_processes_have_one_gpu_at_once(start):
    processes = [start(seconds) for seconds in (0.3, 0.2, 0.1, 0.3, 0.2, 0.1)]
    times: dict[str, list[tuple[float, ...]]] = {}
    for process in processes:
        *waited, has, told = process.communicate()[0].splitlines()
        assert process.returncode == 0 and waited in ([], ["waiting for a GPU: all 2 are in use"])
        times.setdefault(has.removeprefix("has "), []).append(tuple(map(float, told.split())))
    assert set(times) <= set(UUIDS)
    for spans in map(sorted, times.values()):
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


def test_all_gpus_are_used_and_a_killed_process_gives_its_own_back(start):
    first = [start(), start()]
    has = {line_of(process): process for process in first}
    assert set(has) == {f"has {uuid}" for uuid in UUIDS}
    third = start()
    assert line_of(third) == "waiting for a GPU: all 2 are in use"
    has[f"has {UUIDS[1]}"].kill()  # with -9: nothing of its own runs any more
    assert line_of(third) == f"has {UUIDS[1]}"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"CUDA_VISIBLE_DEVICES": "1"}, ["1"]),
        ({"CUDA_VISIBLE_DEVICES": "3, 2,-1,0"}, ["3", "2"]),
        ({"CUDA_VISIBLE_DEVICES": f"{UUIDS[1]}"}, [UUIDS[1]]),
        ({"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "0,1"}, ["0", "1"]),
    ],
)
def test_only_gpus_that_are_visible_are_handed_out(start, environment, expected):
    processes = [start(**environment) for _ in expected]
    assert {line_of(process) for process in processes} == {f"has {gpu}" for gpu in expected}
    assert line_of(start(**environment)) == f"waiting for a GPU: all {len(expected)} are in use"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "0"}, "0"),
        ({"SLURM_JOB_ID": "7"}, "None"),
        ({"CUDA_VISIBLE_DEVICES": ""}, ""),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, "-1"),
        ({"PATH": "/nowhere"}, "None"),
    ],
)
def test_what_slurm_gave_and_no_gpu_at_all_are_left_alone(start, environment, expected):
    """By as many processes as like; that there is no GPU is for TensorFlow to find."""
    for process in [start(**environment), start(**environment)]:
        assert line_of(process) == f"has {expected}".strip()


def test_jobs_of_slurm_do_not_wait_for_each_other(start):
    """Their numbers count what each was given."""
    names = [line_of(start(SLURM_JOB_ID=job, CUDA_VISIBLE_DEVICES="0,1")) for job in ("7", "8")]
    assert names == ["has 0", "has 0"]


def test_the_locks_are_the_users_own(start, tmp_path):
    line_of(start())
    (folder,) = tmp_path.glob("robustness-gpus-*")
    assert folder.stat().st_mode & 0o777 == 0o700 and len(list(folder.iterdir())) == 1
