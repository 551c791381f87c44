"""`--sdm apptainer`: every program runs in the image that the config names. The image is not built here, and the command apptainer
is a stand-in that notes its words and runs the program outside of any container: that an image works inside is not tested."""

import os
import sys
from pathlib import Path

from conftest import ROOT, copy_project, snakemake

APPTAINER = """\
#!/bin/sh
case "$1" in
    --version) echo "apptainer version 1.4.0" ;;
    *)
        echo "$@" >> "$CALLS"
        while [ "$1" != bash ]; do shift; done
        exec "$@"
        ;;
esac
"""


def test_programs_run_in_the_image(tmp_path):
    clone = copy_project(tmp_path / "clone")
    command = tmp_path / "bin/apptainer"
    command.parent.mkdir()
    command.write_text(APPTAINER)
    command.chmod(0o755)
    (clone / "workflow.sif").touch()
    path = [str(command.parent), str(Path(sys.executable).parent), os.environ["PATH"]]
    variables = {"PATH": os.pathsep.join(path), "CALLS": str(tmp_path / "calls")}
    target, image = "results/datasets/fashion_mnist/dataset.json", "workflow.sif"
    snakemake(clone, target, "--sdm", "apptainer", "--config", f"container={image}", environment=variables)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert len(calls) == 5  # four downloads, one preparation
    assert all(call.startswith("exec ") and f" {image} bash -c " in call for call in calls)


def test_the_image_has_what_make_run_installs():
    text = (ROOT / "envs/container.def").read_text()
    assert "pip install --no-cache-dir --no-deps --requirement /opt/requirements.txt" in text
    assert "install --no-deps --requirement requirements.txt" in (ROOT / "Makefile").read_text()
