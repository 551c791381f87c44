"""The version and the commit that results name."""

import os
import re
import shutil

import pytest
import yaml
from conftest import ROOT, commit_all, run

from robustness import version
from robustness.version import made_by, project_version


@pytest.fixture
def clone(tmp_path):
    """A git clone of a few files, in a folder of its own."""
    folder = tmp_path / "around/clone"
    for name, text in {"VERSION": "1.2.3\n", "rules/a.smk": "", ".gitignore": "results\n", "config.yaml": ""}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    commit_all(folder)
    return folder


def commit(folder) -> str:
    return run(folder, "git", "rev-parse", "HEAD").stdout.strip()


def test_a_clone_has_a_version_and_a_commit(clone):
    assert project_version(clone) == {"version": "1.2.3", "commit": commit(clone)}
    assert re.fullmatch(r"Made by version 1\.2\.3 of the workflow, commit [0-9a-f]{40}\.", made_by(clone))


@pytest.mark.parametrize("name", ["VERSION", "config.yaml", "rules/a.smk", "rules/new.smk", "workflow_scripts/new.py"])
def test_changes_are_marked(clone, name):
    (clone / name).parent.mkdir(exist_ok=True)
    (clone / name).write_text("changed\n")
    assert project_version(clone)["commit"] == f"{commit(clone)} with changes"
    commit_all(clone)
    assert project_version(clone)["commit"] == commit(clone)


@pytest.mark.parametrize("name", ["results/a.csv", "other_results/a.csv", "my_study.yaml"])
def test_results_and_studies_of_ones_own_are_no_changes(clone, name):
    (clone / name).parent.mkdir(exist_ok=True)
    (clone / name).write_text("new\n")
    assert project_version(clone)["commit"] == commit(clone)


def test_a_touched_file_is_no_change(clone):
    os.utime(clone / "rules/a.smk", (1, 1))
    assert project_version(clone)["commit"] == commit(clone)


def test_a_copy_without_git_has_no_commit_not_even_one_of_a_clone_around_it(clone, monkeypatch):
    shutil.rmtree(clone / ".git")
    assert project_version(clone) == {"version": "1.2.3", "commit": "unknown"}
    commit_all(clone.parent)
    assert project_version(clone)["commit"] == "unknown"
    assert made_by(clone) == "Made by version 1.2.3 of the workflow, commit unknown."


def test_a_clone_without_a_commit_has_none(clone):
    shutil.rmtree(clone / ".git")
    run(clone, "git", "init", "--quiet")
    assert project_version(clone)["commit"] == "unknown"


def test_without_git_there_is_no_commit(clone, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert project_version(clone) == {"version": "1.2.3", "commit": "unknown"}


def test_variables_of_a_git_hook_do_not_lead_to_another_clone(clone, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    commit_all(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other/.git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "other"))
    found = project_version(clone)["commit"]
    monkeypatch.undo()
    assert found == commit(clone)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files to another user")
def test_the_clone_may_belong_to_another_user(clone):
    expected = commit(clone)
    for path in [clone, *clone.rglob("*")]:
        os.chown(path, 65534, 65534)
    assert "dubious ownership" in run(clone, "git", "status", check=False).stdout
    assert project_version(clone)["commit"] == expected


def test_without_its_file_the_version_is_unknown(clone):
    (clone / "VERSION").unlink()
    assert project_version(clone)["version"] == "unknown"


def test_version_and_citation_are_those_of_the_project():
    assert version.PROJECT == ROOT
    found = project_version()["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", found)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == found and citation["license"] == "MIT"
    assert citation["title"] == (ROOT / "README.md").read_text().splitlines()[0].removeprefix("# ")
    names = [author["name"] for author in citation["authors"]]
    assert f"Copyright (c) 2026 {names[0]}" in (ROOT / "LICENSE").read_text() and len(names) == 1
