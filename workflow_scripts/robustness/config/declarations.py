"""What a module declares about itself, read without importing it, so that a check of the config starts no TensorFlow."""

import ast
from dataclasses import dataclass
from pathlib import Path

from robustness.errors import UserError


@dataclass(frozen=True)
class Declarations:
    """literals: the module's constants (names in capitals) that are plain values. functions, classes: names at its top level."""

    literals: dict
    functions: frozenset[str]
    classes: frozenset[str]


def declarations_of(path: Path) -> Declarations:
    """The declarations of a Python file; raises UserError where it is no Python.

    A constant is a literal if ast.literal_eval can read it: numbers, texts, lists, tuples and mappings of these.
    """
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    except SyntaxError as error:
        raise UserError(f"{path}, line {error.lineno}, is no Python ({error.msg}): correct it.") from error
    literals = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            try:
                literals[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:  # computed when it is imported: not for the check
                continue
    functions = frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))
    classes = frozenset(node.name for node in tree.body if isinstance(node, ast.ClassDef))
    return Declarations(literals, functions, classes)
