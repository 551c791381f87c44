"""What tests share: copies of the project to run in, and one run of the tiny study."""

import fcntl
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TINY = "tests/configs/tiny.yaml"

# Files of tests that take minutes each, the longest first: begun last, one of them would run alone at the end.
LONG = ("test_slurm.py", "test_workflow.py", "test_conda.py")

# Variables that name folders to write to, or settings that change what Snakemake does.
ELSEWHERE = ("GIT_", "KERAS_HOME", "MPLCONFIGDIR", "PIP_CACHE_DIR", "SNAKEMAKE_", "XDG_")


def pytest_configure(config: pytest.Config) -> None:
    """Give each process of tests, and what it starts, an empty home in the temporary folder, before any test file is imported.

    Snakemake, matplotlib, Keras, pip and the Adversarial Robustness Toolbox write into the home folder. The last does so when it
    is imported, and breaks if another process has written half of its file. The user's home is not written, and need not exist.
    """
    # Where pip finds packages is still the user's choice.
    settings = Path(os.environ.get("XDG_CONFIG_HOME") or f"{os.environ.get('HOME')}/.config", "pip/pip.conf")
    if settings.exists():
        os.environ.setdefault("PIP_CONFIG_FILE", str(settings))
    for name in [name for name in os.environ if name.startswith(ELSEWHERE)]:
        del os.environ[name]
    home = tempfile.TemporaryDirectory(prefix="home-", ignore_cleanup_errors=True)
    config.add_cleanup(home.cleanup)
    os.environ["HOME"] = home.name


def pytest_collection_modifyitems(items: list) -> None:
    """Long files first."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


def copy_project(target: Path) -> Path:
    """Copy what git tracks, or would track, to a folder: a clean clone of the working tree."""
    # safe.directory: Git refuses a clone that belongs to another user, and the user's setting for it is not read (see above).
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        if source.is_symlink() or source.exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name, follow_symlinks=False)
    return target


def run(folder: Path, *words: str, environment: dict | None = None, check: bool = True) -> subprocess.CompletedProcess:
    """Run a program of the tests' own environment in a folder; output and errors come as one text."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        words, cwd=folder, env=os.environ | {"PATH": path} | (environment or {}),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert not check or done.returncode == 0, done.stdout
    return done


def commit_all(folder: Path) -> str:
    """Make a folder a git clone, if it is none, and commit all that is not ignored there; returns the commit."""
    run(folder, "git", "init", "--quiet", ".")
    run(folder, "git", "add", "--all")
    user = ("-c", "user.name=tests", "-c", "user.email=tests@localhost")
    run(folder, "git", *user, "commit", "--quiet", "--allow-empty", "--message", "A state of the project")
    return run(folder, "git", "rev-parse", "HEAD").stdout.strip()


def snakemake(folder: Path, *words: str, **settings) -> str:
    """Run snakemake on the tiny study and return all that it printed."""
    return run(folder, "snakemake", "--cores", "2", *words, "--configfile", TINY, **settings).stdout


def call(program: str, *words: object, **options: object) -> None:
    """Run a program of the project in this process, so that TensorFlow starts once; needs the fixture threads_stay."""
    for name, value in options.items():
        words = (*words, f"--{name.replace('_', '-')}", value)
    importlib.import_module(program).main.main([str(word) for word in words], standalone_mode=False)


@pytest.fixture(scope="module")
def threads_stay():
    """TensorFlow's threads can't be set once it has begun, and in this process it has."""
    import keras

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "robustness.cluster.devices.prepare", lambda threads, seed, gpu=False: keras.utils.set_random_seed(seed)
        )
        yield


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory) -> Path:
    """A clone in which the tiny study was run whole. Tests read it; those that change it take a copy (`tiny_copy`).

    Of several processes of tests the first makes it, and the others wait.
    """
    several = "PYTEST_XDIST_WORKER" in os.environ
    base = tmp_path_factory.getbasetemp().parent if several else tmp_path_factory.getbasetemp()
    folder, done = base / "tiny", base / "tiny.done"
    with open(base / "tiny.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            snakemake(copy_project(folder))
            done.touch()
    return folder


@pytest.fixture
def tiny_copy(tiny_run, tmp_path) -> Path:
    """A copy of the run clone, times and Snakemake's notes included, free to be changed."""
    return Path(shutil.copytree(tiny_run, tmp_path / "clone", symlinks=True))
