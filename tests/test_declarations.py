"""What a module says about itself, read without importing it."""

import pytest

from robustness.config.declarations import declarations_of
from robustness.errors import UserError


def test_literals_functions_and_classes_are_read_and_nothing_is_run(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        "import no_such_module\n"
        "SETTINGS = {'type': 'object', 'properties': {'beta': {'type': 'number', 'default': 6}}}\n"
        "REJECTS = True\n"
        "WIDTH = 2 * REJECTS\n"
        "lower = 3\n"
        "class Trainer:\n"
        "    INNER = 1\n"
        "def wrap(network):\n"
        "    LOCAL = 2\n"
        "    def inner(): pass\n"
    )
    found = declarations_of(path)
    assert found.literals == {
        "SETTINGS": {"type": "object", "properties": {"beta": {"type": "number", "default": 6}}},
        "REJECTS": True,
    }
    assert found.functions == {"wrap"} and found.classes == {"Trainer"}


def test_a_broken_file_is_told_in_a_sentence(tmp_path):
    path = tmp_path / "module.py"
    path.write_text("x = 1\ndef (:\n")
    with pytest.raises(UserError, match=r"module\.py, line 2, is no Python \(.*\): correct it\."):
        declarations_of(path)
