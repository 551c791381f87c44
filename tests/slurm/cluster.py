"""A SLURM of one node for the tests: real daemons, two pretend GPUs, everything in one folder.

It needs no root, no systemd, no cgroups, no munge and no file outside its folder: the daemons run as whoever starts them,
and SLURM's commands in FOLDER/bin are told where this cluster is, also inside a job, where Snakemake's plugin clears the
environment of SLURM's variables. Two clusters do not see each other, nor a SLURM that the machine belongs to.
"""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import click

COMMANDS = ("sacct", "sbatch", "scancel", "scontrol", "sinfo", "squeue", "srun")
DAEMONS = ("slurmctld", "slurmd")
GPUS = 2
TIMEOUT = 1200  # seconds; a daemon answers within one or two, but a slow machine shall not turn a test red

CONFIG = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
# A node that was away for longer than such a credential lives would refuse its jobs.
AuthInfo=cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
# A job's memory is sampled each second, and one that takes more than it asked for is killed, which cgroups do elsewhere.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
# What takes half a minute or more on a real cluster takes seconds here.
SlurmdTimeout=5
KillWait=1
ReturnToService=2
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0
# Ended jobs are told for so long, also on a slow machine.
MinJobAge=7200
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
# More cores and memory than the machine may have: they are counted, not bound.
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:{gpus} State=UNKNOWN
PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=ALL MaxTime=INFINITE State=UP
"""

WRAPPER = """\
#!/bin/sh
SLURM_CONF={folder}/slurm.conf exec {program} "$@"
"""


def missing() -> list[str]:
    """The programs of SLURM that are not installed."""
    return [name for name in COMMANDS + DAEMONS if not program(name)]


def program(name: str) -> str | None:
    """Where one of SLURM's programs is; daemons are not on everybody's path."""
    return shutil.which(name, path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")


def up(folder: Path, cpus: int = 8, memory: int = 64000) -> None:
    """Make a cluster in a new folder and start it; it has `memory` MB, counted but for jobs that take more than they asked."""
    if absent := missing():
        raise click.ClickException(f"{', '.join(absent)} missing: run tests/slurm/install.sh first.")
    folder.mkdir(parents=True)
    for name in ("bin", "log", "spool", "state"):
        (folder / name).mkdir()
    with socket.socket() as first, socket.socket() as second:
        for free in (first, second):
            free.bind(("127.0.0.1", 0))
        ports = {"controller_port": first.getsockname()[1], "node_port": second.getsockname()[1]}
    host = socket.gethostname().split(".")[0]
    words = {"host": host, "user": getpass.getuser(), "folder": folder, "cpus": cpus, "memory": memory, "gpus": GPUS}
    (folder / "slurm.conf").write_text(CONFIG.format(**words, **ports), encoding="utf-8")
    # Only a GPU with a device of its own is handed out by number (CUDA_VISIBLE_DEVICES).
    for number in range(GPUS):
        (folder / f"gpu{number}").symlink_to(os.devnull)
    (folder / "gres.conf").write_text(f"NodeName={host} Name=gpu File={folder}/gpu[0-{GPUS - 1}]\n", encoding="utf-8")
    for name in COMMANDS:
        wrapper = folder / "bin" / name
        wrapper.write_text(WRAPPER.format(folder=folder, program=program(name)), encoding="utf-8")
        wrapper.chmod(0o755)
    mend(folder)


def mend(folder: Path) -> None:
    """Start the daemons that are not there and wait until the node takes jobs."""
    for daemon in DAEMONS:
        path = folder / f"{daemon}.pid"
        if not (path.exists() and running(int(path.read_text()))):
            start(folder, daemon)
    wait_until_idle(folder)


def start(folder: Path, daemon: str) -> None:
    """Start a daemon with what the last one of its kind knew."""
    with open(folder / f"log/{daemon}.out", "ab") as log:
        subprocess.Popen(
            [program(daemon), "-D"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | {"SLURM_CONF": str(folder / "slurm.conf")},
            start_new_session=True,
        )


def stop(folder: Path, daemon: str, how: signal.Signals = signal.SIGTERM) -> None:
    """End a daemon of this cluster and wait until it is gone; its jobs stay."""
    path = folder / f"{daemon}.pid"
    if path.exists() and (pid := int(path.read_text())) and running(pid):
        os.kill(pid, how)
        wait_for(lambda: not running(pid), f"{daemon} did not stop")
    path.unlink(missing_ok=True)


def down(folder: Path) -> None:
    """End all jobs and both daemons; the folder stays, for its logs."""
    if answers(folder):
        command(folder, "scancel", "--quiet", "--user", getpass.getuser())
        wait_for(lambda: not command(folder, "squeue", "--noheader").strip(), "jobs did not end")
    for daemon in reversed(DAEMONS):
        stop(folder, daemon)


def environment(folder: Path) -> dict[str, str]:
    """The variables of this process, and this cluster's commands first on the path."""
    return os.environ | {"PATH": f"{folder}/bin{os.pathsep}{os.environ['PATH']}"}


def command(folder: Path, name: str, *words: str) -> str:
    """What one of SLURM's commands answers."""
    done = subprocess.run([folder / "bin" / name, *words], check=True, capture_output=True, text=True)
    return done.stdout


def answers(folder: Path) -> bool:
    """Whether the controller is up."""
    done = subprocess.run([folder / "bin/scontrol", "ping"], capture_output=True, text=True)
    return "is UP" in done.stdout


def wait_until_idle(folder: Path) -> None:
    """Wait until the node takes jobs."""
    states = ("idle", "mixed", "allocated")
    wait_for(
        lambda: answers(folder) and command(folder, "sinfo", "--noheader", "--format=%T").split()[0] in states,
        f"the cluster did not come up: see {folder}/log",
    )


def wait_for(condition: Callable[[], bool], complaint: str) -> None:
    """Wait until something holds."""
    until = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > until:
            raise click.ClickException(complaint)
        time.sleep(0.05)


def running(pid: int) -> bool:
    """Whether a process lives; one that has ended, but whose end nobody has looked at yet, does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@click.group()
def main() -> None:
    """A SLURM of one node with two pretend GPUs, for the tests."""


FOLDER = click.argument("folder", type=click.Path(path_type=Path, resolve_path=True))


@main.command("up")
@FOLDER
def up_command(folder: Path) -> None:
    """Make a cluster in the new folder FOLDER and start it. Put FOLDER/bin on PATH to use it."""
    up(folder)


@main.command("down")
@FOLDER
def down_command(folder: Path) -> None:
    """End the cluster in FOLDER, its jobs first."""
    down(folder)


if __name__ == "__main__":
    main()
