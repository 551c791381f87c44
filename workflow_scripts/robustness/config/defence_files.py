"""What the files of robustness/defences declare, for the check of a config (no TensorFlow here)."""

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from robustness.config.declarations import declarations_of
from robustness.errors import UserError

FOLDER = Path(__file__).parent.with_name("defences")


@dataclass(frozen=True)
class DefenceFile:
    """A defence as its file declares it.

    settings: JSON schema of its parameters, an object. wraps: it stands around a trained model; else it trains one.
    rejects: the last output of its network is the rejection. needs_initial: it trains on from another model.
    """

    settings: dict
    wraps: bool
    rejects: bool
    needs_initial: bool


def defence_names(folder: Path = FOLDER) -> list[str]:
    """The defences that a config can name, sorted."""
    return sorted(path.stem for path in folder.glob("[!_]*.py"))


def defence_file(name: str, folder: Path = FOLDER) -> DefenceFile:
    """What a defence's file declares.

    Raises UserError where there is none, or it lacks SETTINGS, has not one of make_trainer and wrap, or flags that are neither
    True nor False.
    """
    if name not in defence_names(folder):
        raise UserError(f"there is no defence {name}: choose one of {', '.join(defence_names(folder))}.")
    path = folder / f"{name}.py"
    found = declarations_of(path)
    if "SETTINGS" not in found.literals:
        raise UserError(f"{path} has no SETTINGS: write the JSON schema of its settings there as a plain value.")
    kinds = found.functions & {"make_trainer", "wrap"}
    if len(kinds) != 1:
        raise UserError(f"{path} has {len(kinds)} of the functions make_trainer and wrap: a defence has one of them.")
    flags = {name: found.literals.get(name, False) for name in ("REJECTS", "NEEDS_INITIAL")}
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise UserError(f"{path} has {name} = {value!r}: write True or False.")
    return DefenceFile(found.literals["SETTINGS"], "wrap" in kinds, flags["REJECTS"], flags["NEEDS_INITIAL"])


def with_defences(schema: dict, folder: Path = FOLDER) -> dict:
    """The config's schema with every defence's settings in it: each may have the keys that its file declares, and no others."""
    schema, names = deepcopy(schema), defence_names(folder)
    branches = []
    for name in names:
        settings = deepcopy(defence_file(name, folder).settings)
        settings["properties"] = {"method": {}} | settings.get("properties", {})
        settings["additionalProperties"] = False
        branches.append({"if": {"required": ["method"], "properties": {"method": {"const": name}}}, "then": settings})
    defence = schema["$defs"]["defence"]
    defence["properties"]["method"]["enum"] = names
    defence["allOf"] = branches
    return schema
