"""Which GPU of a machine a program computes on: one that no other program has (no TensorFlow here)."""

import fcntl
import functools
import itertools
import logging
import os
import subprocess
import tempfile
import time
from pathlib import Path

from robustness.errors import UserError

PAUSE = 0.5  # seconds between two looks for a free GPU
VISIBLE = "CUDA_VISIBLE_DEVICES"


@functools.cache  # once is enough: a second call would wait for what this process has
def take_gpu() -> None:
    """Make one GPU the only one that this process sees, its own until it ends; wait while others have them all.

    Handed out are those that CUDA_VISIBLE_DEVICES names, without it all of the machine. Where there are none, nothing is
    done, nor in a SLURM job with one, since SLURM has handed it out. A GPU is known by its name: programs of one user that
    name it in two ways, by number and by UUID, or have another TMPDIR, do not see each other.
    """
    job = os.environ.get("SLURM_JOB_ID", "")
    gpus = _visible() if job or VISIBLE in os.environ else _installed()
    if not gpus or (job and len(gpus) == 1):
        return
    # In a SLURM job numbers count what the job was given: the 0 of another job is another GPU.
    locks = {gpu: _lock_folder() / f"{job}_{gpu}.lock".replace("/", "_") for gpu in gpus}
    for attempt in itertools.count():
        for gpu, path in locks.items():
            if _locked(path):
                os.environ[VISIBLE] = gpu
                return
        if attempt == 0:
            logging.info("waiting for a GPU: all %d are in use", len(gpus))
        time.sleep(PAUSE)


def _visible() -> list[str]:
    """The GPUs that CUDA_VISIBLE_DEVICES names; as CUDA reads it, none behind an empty name or a -1."""
    names = (name.strip() for name in os.environ.get(VISIBLE, "").split(","))
    return list(itertools.takewhile(lambda name: name and not name.startswith("-"), names))


def _installed() -> list[str]:
    """The UUIDs of the machine's GPUs; none where NVIDIA's program is missing or fails."""
    words = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    return [line.strip() for line in told.splitlines() if line.startswith("GPU-")]


def _lock_folder() -> Path:
    """Where this user's programs lock GPUs, a file each. They stay: one that is removed could be locked twice."""
    folder = Path(tempfile.gettempdir()) / f"robustness-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise UserError(f"{folder} is another user's: set TMPDIR to a folder of your own.")
    return folder


def _locked(path: Path) -> bool:
    """Lock a file for this process, if no other has it locked; the kernel unlocks it when the process ends, also by kill -9."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)  # stays open, and programs that are started do not inherit it
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return False
    return True
