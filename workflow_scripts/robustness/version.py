"""Which state of the project makes a result: the version in the file VERSION, and git's commit.

Programs read both as data when they run. Neither is a param or an input of a rule, and the digests of code do not take them
in, so a new version or a new commit alone re-runs nothing. Keep it so: what has to be made again follows from code, params
and inputs.
"""

import os
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
UNKNOWN = "unknown"
CHANGED = " with changes"
CODE = ("Snakefile", "rules", "schemas", "workflow_scripts")  # a new file in one of these may change what is computed


def project_version(project: Path = PROJECT) -> dict[str, str]:
    """The version and the commit, for the metadata of a result; 'unknown' where one can't be found out.

    The commit is followed by ' with changes' where a file that git tracks differs from it, or where the folders of code hold a file
    that git neither tracks nor ignores. It is unknown outside a git clone and where git is not installed.
    """
    return {"version": _version(project), "commit": _commit(project)}


def made_by(project: Path = PROJECT) -> str:
    """The same in a sentence, for pages."""
    return "Made by version {version} of the workflow, commit {commit}.".format(**project_version(project))


def _version(project: Path) -> str:
    try:
        return (project / "VERSION").read_text(encoding="utf-8").strip() or UNKNOWN
    except OSError:  # it is no reason to lose a training
        return UNKNOWN


def _commit(project: Path) -> str:
    try:
        commit = _git(project, "rev-parse", "--verify", "HEAD").strip()
        changed = _git(project, "status", "--porcelain", "--untracked-files=no")
        added = _git(project, "ls-files", "--others", "--exclude-standard", "--", *CODE)
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN
    return commit + (CHANGED if changed or added else "")


def _git(project: Path, *words: str) -> str:
    """What git prints about the clone in the project's folder; raises an error if that is none."""
    # A git hook sets variables that name its own clone. A clone around the project's folder is another project's.
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    variables |= {"GIT_CEILING_DIRECTORIES": str(project.parent), "GIT_OPTIONAL_LOCKS": "0"}
    # The clone may belong to another user, whose code this is.
    settings = ["-c", f"safe.directory={project}", "-c", "core.fsmonitor=false"]
    return subprocess.run(
        ["git", *settings, *words], cwd=project, env=variables, check=True, capture_output=True, text=True, timeout=60
    ).stdout
