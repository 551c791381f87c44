"""The pinned requirements are installed without their dependencies, so they have to be complete by themselves."""

from importlib.metadata import requires, version

import pytest
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FILES = {
    "requirements.txt": ["requirements.txt"],
    "requirements-test.txt": ["requirements.txt", "requirements-test.txt"],
}

BUILDING = {"setuptools", "wheel"}  # named as needed, and imported by nobody at run time; pip freeze leaves them out


def pinned(file):
    lines = (ROOT / file).read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


@pytest.mark.parametrize("file", FILES)
def test_nothing_that_a_requirement_needs_is_missing(file):
    complete = {canonicalize_name(name): v for each in FILES[file] for name, v in pinned(each).items()}
    needed = [
        (name, Requirement(line))
        for name in pinned(file)
        if canonicalize_name(name) != "cleverhans"  # asks for packages that its attacks do not need
        for line in requires(name) or []
        if Requirement(line).name not in BUILDING
    ]
    assert needed
    for name, requirement in needed:
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            found = complete.get(canonicalize_name(requirement.name))
            assert found and found in requirement.specifier, f"{name} needs {requirement}, pinned is {found}"


def test_no_package_is_pinned_twice():
    assert not pinned("requirements.txt").keys() & pinned("requirements-test.txt").keys()


@pytest.mark.parametrize("file", FILES)
def test_what_runs_is_what_is_pinned(file):
    assert {name: version(name) for name in pinned(file)} == pinned(file)
