"""Make a conda out of the Python package index alone, for the tests of --use-conda.

conda itself is not on the index, but the wheel of conda-lock carries a whole conda 24.7.1, the oldest that Snakemake
accepts, under a name of its own.
"""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import click

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
VENDORED = "conda_lock._vendor.conda"

# -I keeps modules of the current folder and of PYTHONPATH out of conda.
CONDA = """\
#!/bin/sh
exec "{root}/bin/python" -I -m conda "$@"
"""

# Snakemake sources this file; that of the virtual environment, which it replaces, activates just the environment.
ACTIVATE = """\
eval "$("{root}/bin/conda" shell.posix activate "$@")"
"""

# channel_alias is where a channel's plain name is looked for, so conda-forge is the folder of that name.
CONDARC = """\
channel_alias: {channels}
channel_priority: strict
channels: [conda-forge]
default_channels: []
notify_outdated_conda: false
register_envs: false # keeps its environments out of the list in ~/.conda
report_errors: false
solver: classic
"""


@click.command()
@click.argument("root", type=click.Path(path_type=Path, resolve_path=True))
@click.argument("channels", type=click.Path(path_type=Path, resolve_path=True))
def main(root: Path, channels: Path) -> None:
    """Make a conda in the folder ROOT whose channels are folders in CHANNELS.

    ROOT/condabin holds the command `conda` and nothing else: put it on PATH.
    """
    if root.exists():
        raise click.ClickException(f"{root} exists: name a folder that is to be made.")
    venv.create(root, with_pip=False)
    # --no-deps: conda-lock asks for much that conda does not need.
    pip = [sys.executable, "-m", "pip", "--python", root / "bin/python", "--disable-pip-version-check", "--quiet"]
    if subprocess.run([*pip, "install", "--no-deps", "--requirement", REQUIREMENTS]).returncode:
        raise click.ClickException(f"pip could not install {REQUIREMENTS}: see above, and check the network.")
    unpack_conda(next(root.glob("lib/python*/site-packages")))

    (root / ".condarc").write_text(CONDARC.format(channels=channels.as_uri()), encoding="utf-8")
    (root / "bin/activate").write_text(ACTIVATE.format(root=root), encoding="utf-8")
    (root / "bin/conda").write_text(CONDA.format(root=root), encoding="utf-8")
    (root / "bin/conda").chmod(0o755)
    (root / "condabin").mkdir()
    (root / "condabin/conda").symlink_to("../bin/conda")
    (root / "conda-meta").mkdir()
    (root / "conda-meta/history").touch()  # by this file conda knows an environment, its own included


def unpack_conda(packages: Path) -> None:
    """Move the conda inside conda-lock to where `import conda` finds it, give it its own name back, drop the rest.

    It does not work where it lies: some of its modules import others by the name `conda`.
    """
    conda = packages / "conda"
    packages.joinpath(*VENDORED.split(".")).rename(conda)
    for file in conda.rglob("*.py"):
        file.write_bytes(file.read_bytes().replace(VENDORED.encode(), b"conda"))
    for folder in packages.glob("conda_lock*"):  # conda would load its plugin, which lacks what it needs
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
