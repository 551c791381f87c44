"""The workflow on a real SLURM of one node that these tests start: `snakemake --profile slurm`, and what can go wrong there."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, copy_project, run
from slurm import cluster
from slurm.cluster import TIMEOUT, wait_for

STUDY = "tests/configs/slurm.yaml"

# Every program of a rule goes through this: it notes where the program runs, and hangs once in a program whose name is a folder
# in `stuck`, for a mishap that shall come while that runs.
PYTHON = """\
#!/bin/sh
program=$(basename "$1" .py)
echo "$program ${{SLURM_JOB_ID-none}} ${{SLURM_JOB_PARTITION-none}} ${{CUDA_VISIBLE_DEVICES-none}}" >> {folder}/programs
if rmdir "{folder}/stuck/$program" 2> /dev/null; then
    exec sleep 1000
fi
exec {python} "$@"
"""


class Cluster:
    """A running cluster, and clones of the project that use it."""

    def __init__(self, folder: Path):
        self.folder = folder
        cluster.up(folder)

    def command(self, name: str, *words: str) -> str:
        return cluster.command(self.folder, name, *words)

    def jobs(self, *states: str) -> dict[str, str]:
        """The jobs in one of the states: {what Snakemake says that it is: id}."""
        found = self.command("squeue", "--noheader", f"--states={','.join(states)}", "--format=%k|%i").split("\n")
        return dict(line.split("|") for line in filter(None, found))

    def end_all(self) -> None:
        self.command("scancel", "--user", str(os.getuid()))
        wait_for(lambda: not self.jobs("PD", "R", "CG"), "jobs do not end")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    started = Cluster(tmp_path_factory.mktemp("slurm") / "cluster")
    yield started
    cluster.down(started.folder)


class Clone:
    """A clone of the project; its profile looks more often at jobs that end in seconds."""

    def __init__(self, folder: Path, slurm: Cluster):
        self.folder, self.slurm, self.variables, self.snakemake = folder, slurm, {}, None
        self.edit("profiles/slurm/config.yaml", "latency-wait: 60", "latency-wait: 5")
        self.edit("profiles/slurm/config.yaml", "checks: 65", "checks: 1")
        (folder / "stuck").mkdir()
        python = folder / "bin/python"
        python.parent.mkdir()
        python.write_text(PYTHON.format(folder=folder, python=sys.executable))
        python.chmod(0o755)

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text()
        assert text.count(old) == 1, (name, old)
        path.write_text(text.replace(old, new))

    def name_partitions(self) -> None:
        """Name the cluster's partitions in the profile, as docs/cluster.md tells it; without, all goes to the default one."""
        self.edit("profiles/slurm/partitions.yaml", "partitions: {}", "partitions:\n  cpu: {}\n  gpu: {max_gpu: 1}")

    def ask_for(self, resources: dict[str, dict]) -> None:
        """Set resources of rules in the profile."""
        path = self.folder / "profiles/slurm/config.yaml"
        settings = yaml.safe_load(path.read_text())
        for rule, more in resources.items():
            settings["set-resources"].setdefault(rule, {}).update(more)
        path.write_text(yaml.safe_dump(settings))

    @property
    def environment(self) -> dict[str, str]:
        variables = cluster.environment(self.slurm.folder)
        folders = [self.folder / "bin", Path(sys.executable).parent, variables["PATH"]]
        return variables | self.variables | {"PATH": os.pathsep.join(map(str, folders))}

    def start(self, *words: str) -> None:
        """Start snakemake on the cluster; what it prints goes to a file."""
        with open(self.folder / "printed", "a") as printed:
            self.snakemake = subprocess.Popen(
                ["snakemake", "--profile", "slurm", *words],
                cwd=self.folder, env=self.environment, stdout=printed, stderr=subprocess.STDOUT,
            )  # fmt: skip

    @property
    def printed(self) -> str:
        return (self.folder / "printed").read_text()

    def run(self, *words: str, succeeds: bool = True) -> str:
        """Run snakemake on the cluster to its end and return all that it printed so far."""
        self.start(*words)
        assert (self.snakemake.wait(TIMEOUT) == 0) == succeeds, self.printed
        return self.printed

    def wait_until(self, condition, complaint: str) -> None:
        """Wait until something holds, no longer than snakemake runs."""

        def ended_or_holds() -> bool:
            assert self.snakemake.poll() is None, self.printed
            return condition()

        wait_for(ended_or_holds, complaint)

    def wait_for(self, name: str) -> None:
        """Wait until a file is there."""
        self.wait_until((self.folder / name).exists, f"{name} is not made")

    def running(self, name: str) -> str:
        """The id of the job of a rule or group (rule_NAME), as soon as it runs."""
        found = {}

        def looked_up() -> bool:
            found.update(self.slurm.jobs("R"))
            return any(job.startswith(name) for job in found)

        self.wait_until(looked_up, f"{name} does not run")
        return next(number for job, number in found.items() if job.startswith(name))

    def hang(self, program: str) -> None:
        """The next time that a program starts, it does nothing and does not end."""
        (self.folder / "stuck" / program).mkdir()

    def wait_until_it_hangs(self, program: str) -> None:
        self.wait_until(lambda: not (self.folder / "stuck" / program).exists(), f"{program} does not start")

    def programs(self) -> list[list[str]]:
        """Where each program ran: its name, its job's id, the partition, its GPU; 'none' for what is not so."""
        return [line.split() for line in (self.folder / "programs").read_text().splitlines()]


def tables(folder: Path) -> dict[str, bytes]:
    """The tables of a run but those that tell its seconds, and findings.md but for its last line.

    That names the commit, and the tables of the checkout may have been made in a git clone; those of the tests' copies are not.
    """
    found = {path.name: path.read_bytes() for path in (folder / "results/tables").iterdir()}
    findings, _, version = found["findings.md"].rpartition(b"\n\nMade by ")
    assert version.count(b"\n") == 1
    found["findings.md"] = findings
    return {name: content for name, content in found.items() if not name.startswith(("training.", "defences."))}


# --- the quick study -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def local_quick_study(tmp_path_factory):
    """The quick study as `make run` makes it; what that has made in this checkout is brought along and made complete."""
    folder = copy_project(tmp_path_factory.mktemp("local") / "clone")
    for name in ("results", ".snakemake"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("conda", "locks"))
    run(folder, "snakemake", "--cores", "2")
    return folder


@pytest.fixture(scope="module")
def quick_study(tmp_path_factory, slurm):
    """The quick study on the cluster. Its rules that use a GPU ask for one, but the programs compute on the CPU."""
    clone = Clone(copy_project(tmp_path_factory.mktemp("quick") / "clone"), slurm)
    clone.name_partitions()
    clone.ask_for({rule: {"gpu": 1} for rule in GPU_RULES})
    clone.run()
    return clone


GPU_RULES = ["train_model", "distill_student", "craft_path", "craft_adversarial", "craft_worst_case"]
GPU_RULES += ["evaluate_model", "evaluate_attack", "evaluate_transfer", "evaluate_worst_case", "probe_model"]
SUBMITTED = [*GPU_RULES, "preprocess_dataset", "select_evaluation_subset", "draw_erasing_schedule"]


def test_the_quick_study_has_the_tables_of_a_local_run(quick_study, local_quick_study):
    assert tables(quick_study.folder) == tables(local_quick_study)


def test_gpu_rules_run_in_the_gpu_partition_with_one_gpu_and_no_other_rule_does(quick_study):
    for program, job, partition, gpu in quick_study.programs():
        if program in GPU_RULES:
            assert (partition, gpu) in (("gpu", "0"), ("gpu", "1")), program
        elif program in SUBMITTED:
            assert (job.isdigit(), partition, gpu) == (True, "cpu", "none"), program
        else:
            assert (job, partition, gpu) == ("none", "none", "none"), program


def test_two_trainings_have_a_gpu_each_at_a_time(quick_study):
    """The two that need no other start together; had `gpu` held the cluster to one job, both would have had the first GPU."""
    assert [gpu for program, _, _, gpu in quick_study.programs() if program == "train_model"] in (
        ["0", "1"],
        ["1", "0"],
    )


def test_an_attack_at_all_its_epsilons_is_one_submission(quick_study):
    programs = quick_study.programs()
    # Two models: fgsm has a path and three epsilons, pgd three epsilons; each attack is scored in the same job.
    crafting = {"craft_path": 2, "craft_adversarial": 12, "evaluate_attack": 4}
    assert {name: sum(program == name for program, *_ in programs) for name in crafting} == crafting
    assert len({job for program, job, *_ in programs if program in crafting}) == 4
    # Then the dataset, three trainings, clean accuracy of three models, worst case and probes of two.
    assert quick_study.printed.count("has been submitted with SLURM jobid") == 4 + 1 + 3 + 3 + 2 + 2


# --- GPUs and networks that are not there ----------------------------------------------------------------------------


def test_a_gpu_that_the_framework_cannot_use_is_told_at_once(tmp_path, slurm):
    """The cluster's GPUs are pretended: SLURM hands one out, and TensorFlow finds nothing."""
    clone = Clone(copy_project(tmp_path / "clone"), slurm)
    clone.name_partitions()
    words = (
        "results/models/undefended/seed1/model.keras",
        "--retries",
        "0",
        "--configfile",
        STUDY,
        "--config",
        "gpu=1",
    )
    printed = clone.run(*words, succeeds=False)
    assert clone.programs()[-1][0] == "train_model"
    assert clone.programs()[-1][2:] == ["gpu", "0"]
    log = (clone.folder / "results/logs/train_model/undefended/seed1.log").read_text()
    sentence = log.splitlines()[-1]
    assert sentence.startswith("Error: TensorFlow finds no GPU here, and the config says gpu: 1: ")
    assert "Traceback" not in log
    assert sentence in printed
    assert not (clone.folder / "results/models/undefended/seed1").exists()


class SlowHandler(SimpleHTTPRequestHandler):
    """Serves the embedded images, but not before two seconds have gone."""

    def __init__(self, *arguments):
        super().__init__(*arguments, directory=ROOT / "resources/fashion_mnist_embedded")

    def do_GET(self):
        time.sleep(2)
        super().do_GET()

    def log_message(self, *_):
        pass


def test_nothing_is_submitted_before_all_downloads_are_done(tmp_path, slurm):
    clone = Clone(copy_project(tmp_path / "clone"), slurm)
    source = yaml.safe_load((ROOT / "resources/sources.yaml").read_text())["fashion_mnist_embedded"]
    dataset = yaml.safe_load((ROOT / STUDY).read_text())["datasets"]["fashion_mnist"]
    with ThreadingHTTPServer(("127.0.0.1", 0), SlowHandler) as server:
        threading.Thread(target=server.serve_forever).start()
        source["mirrors"] = [f"http://127.0.0.1:{server.server_address[1]}"]
        more = {"sources": {"slow": source}, "datasets": {"later": dataset | {"source": "slow"}}}
        (clone.folder / "slow.yaml").write_text(yaml.safe_dump(more))
        targets = [f"results/datasets/{name}/dataset.json" for name in ("fashion_mnist", "later")]
        printed = clone.run(*targets, "--configfile", STUDY, "slow.yaml")
        server.shutdown()
    events = re.findall(r"\(Rule: (download_dataset)\)|(has been submitted)", printed)
    assert ["".join(event) for event in events] == ["download_dataset"] * 8 + ["has been submitted"] * 2


# --- what studies share ----------------------------------------------------------------------------------------------


def test_a_second_clone_trains_nothing(tmp_path, slurm):
    """On a cluster, too, where each job looks into the cache by itself."""
    (tmp_path / "cache").mkdir()
    models = []
    for name in ("first", "second"):
        clone = Clone(copy_project(tmp_path / name), slurm)
        clone.variables = {"SNAKEMAKE_OUTPUT_CACHE": str(tmp_path / "cache")}
        model = f"{name}/models/undefended/seed1/model.keras"
        clone.run(model, "--cache", "--configfile", STUDY, "--config", f"results_dir={name}")
        models.append((clone.folder / model).resolve())
        ran = [program for program, *_ in clone.programs()] if (clone.folder / "programs").exists() else []
        assert ("train_model" in ran) == (name == "first")
    assert models[0] == models[1]
    assert models[0].parent == tmp_path / "cache"


# --- mishaps ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The small study, run locally."""
    folder = copy_project(tmp_path_factory.mktemp("undisturbed") / "clone")
    run(folder, "snakemake", "--cores", "2", "--configfile", STUDY)
    return folder


@pytest.fixture
def clone(undisturbed, slurm, tmp_path):
    """The small study as far as its dataset, and no job of another test about."""
    folder = Path(shutil.copytree(undisturbed, tmp_path / "clone", symlinks=True))
    for path in (folder / "results").iterdir():
        if path.name not in ("downloads", "datasets"):
            shutil.rmtree(path)
    clone = Clone(folder, slurm)
    yield clone
    if clone.snakemake:  # still runs where the test has failed
        clone.snakemake.kill()
        clone.snakemake.wait()
    cluster.mend(slurm.folder)
    slurm.end_all()


@pytest.fixture
def words(undisturbed):
    """The tables as targets, since figures are drawn where snakemake runs and prove nothing here."""
    return [*(f"results/tables/{name}" for name in sorted(tables(undisturbed))), "--configfile", STUDY]


def test_mishaps_of_jobs_change_no_table(clone, undisturbed, words):
    """A job is cancelled from outside in the midst of a training, one runs out of time, one out of memory."""
    clone.hang("craft_adversarial")
    too_little = {"mem_mb": "300 * attempt**2"}  # TensorFlow alone takes 500
    clone.ask_for({"craft_worst_case": too_little, "evaluate_worst_case": too_little})
    clone.start(*words)

    clone.wait_for("results/checkpoints/undefended-seed1.npz")
    ended = {clone.running("rule_train_model"): "CANCELLED"}
    clone.slurm.command("scancel", *ended)

    stuck = clone.running("rule_attack")
    clone.wait_until_it_hangs("craft_adversarial")
    clone.slurm.command("scontrol", "update", f"JobId={stuck}", "EndTime=now")  # SLURM looks twice a minute
    ended[stuck] = "TIMEOUT"

    short_of_memory = clone.running("rule_worst_case")
    assert clone.snakemake.wait(TIMEOUT) == 0, clone.printed
    told = clone.slurm.command("squeue", "--noheader", "--states=all", f"--jobs={','.join(ended)}", "--format=%i|%T")
    assert dict(line.split("|") for line in told.split()) == ended
    # The node's daemon or that of the job's step says so, whichever looks first.
    logs = [clone.slurm.folder / "log/slurmd.out", *clone.folder.glob(f".snakemake/slurm_logs/*/{short_of_memory}.log")]
    said = "".join(path.read_text() for path in logs)
    assert re.search(rf"(Job |StepId=){short_of_memory}\S* exceeded memory limit", said)
    assert clone.printed.count("Trying to restart job") == 3
    assert tables(clone.folder) == tables(undisturbed)


def test_mishaps_of_machines_change_no_table(clone, undisturbed, words):
    """The node is lost with all that runs on it and comes back, the controller restarts, snakemake is killed."""
    clone.hang("train_model")
    clone.hang("probe_model")
    clone.start(*words)

    lost = clone.running("rule_train_model")
    clone.wait_until_it_hangs("train_model")
    lose_node(clone.slurm, lost)
    wait_for(lambda: "down" in clone.slurm.command("sinfo", "--noheader", "--format=%T"), "the loss goes unnoticed")
    cluster.start(clone.slurm.folder, "slurmd")

    # The same job trains; it ends while the controller is away.
    clone.wait_until(
        lambda: [name for name, *_ in clone.programs()].count("train_model") == 2, "no training begins anew"
    )
    cluster.stop(clone.slurm.folder, "slurmctld")
    clone.wait_for("results/models/undefended/seed1/metadata.json")
    cluster.start(clone.slurm.folder, "slurmctld")

    clone.running("rule_probe_model")
    clone.wait_until_it_hangs("probe_model")
    clone.snakemake.kill()
    clone.snakemake.wait()
    clone.slurm.end_all()  # as docs/cluster.md asks for before the run is taken up again
    clone.run("--unlock", *words)
    clone.run(*words)
    assert tables(clone.folder) == tables(undisturbed)


def lose_node(slurm: Cluster, job: str) -> None:
    """All processes of the node, its daemon and those of a job, end in an instant."""
    listed = slurm.command("scontrol", "listpids", job).split("\n")[1:]
    processes = {int(line.split()[0]) for line in filter(None, listed)} - {-1}
    cluster.stop(slurm.folder, "slurmd", signal.SIGKILL)
    for process in processes | {parent_of(process) for process in processes}:
        os.kill(process, signal.SIGKILL)


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
