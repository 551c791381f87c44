"""Tests write nothing into the user's home folder, and need none: conftest.py gives each process a home of its own."""

import pytest
from conftest import copy_project, run

# Two processes import at once what writes into the home folder when it is imported, and start what writes there when it runs.
TESTS = """
import os
from pathlib import Path

import art.config
import matplotlib.pyplot
import pytest
from conftest import ROOT, TINY, run


@pytest.mark.parametrize("process", [1, 2])
def test_everything_is_written_into_a_home_of_its_own(process):
    run(ROOT, "snakemake", "--dry-run", "--configfile", TINY)
    assert {path.name for path in Path.home().iterdir()} == {".art", ".cache", ".config"}
    assert {path.name for path in Path.home().glob(".cache/*")} == {"matplotlib", "snakemake"}
    assert Path(art.config.ART_DATA_PATH).is_relative_to(Path.home())  # not in /tmp, where it goes from a home without access
    assert Path.home().is_relative_to(os.environ["TMPDIR"])
"""


@pytest.mark.parametrize("name", ["home", "file/home"], ids=["empty", "impossible"])
def test_the_users_home_stays_as_it_is(tmp_path, name):
    """An empty home, and one below a file, where not even root can write."""
    clone, home, temporary = copy_project(tmp_path / "clone"), tmp_path / "home", tmp_path / "temporary"
    (clone / "tests/test_home.py").write_text(TESTS)
    home.mkdir()
    temporary.mkdir()
    (tmp_path / "file").touch()
    folders = {
        "HOME": tmp_path / name,
        "MPLCONFIGDIR": home / "matplotlib",
        "XDG_CACHE_HOME": home / "cache",
        "TMPDIR": temporary,
    }
    words = ("python", "-m", "pytest", "--numprocesses", "2", "tests/test_home.py")
    printed = run(clone, *words, environment={key: str(path) for key, path in folders.items()}).stdout
    assert "2 passed" in printed
    assert list(home.iterdir()) == []
    # What pytest keeps is all that is left.
    assert [path.name for path in temporary.iterdir() if not path.name.startswith("pytest-of-")] == []
