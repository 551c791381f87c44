"""What an attack's file tells about the attack, read without importing it: facts, and the keys of its entry in a config."""

import functools
from copy import deepcopy
from dataclasses import dataclass, fields
from pathlib import Path

from robustness.config.declarations import declarations_of
from robustness.errors import UserError

FOLDER = Path(__file__).parent.with_name("attack_methods")
METHODS = tuple(sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__"))
NORMS = ("inf", "2")
KNOWN_NORMS = (*NORMS, "0")
# Keys of an entry that more than one attack has or had, each a field of AttackSettings and a definition of the schema.
SHARED_KEYS = (
    *("target", "step", "relative_step", "iterations", "random_start", "restarts", "momentum", "loss", "logit_scale"),
    *("queries", "clip", "labels"),
)
SHARE = "Of norm 0 epsilon is the share of the image's values that may change, 0 to 1, whatever epsilon_unit is."


@dataclass(frozen=True)
class AttackDeclaration:
    """The constants of a module of attack_methods, as its __init__.py explains them.

    keys, required: of SHARED_KEYS. norms: of '0', '2' and 'inf', the first is the default. climbs: a loss, '' for an
    attack that follows no gradient, None where the entry's `loss` says it. settings: JSON schema of the keys of its own.
    """

    name: str
    keys: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    norms: tuple[str, ...] = NORMS
    climbs: str | None = None
    sign_steps: bool = False
    first_error: bool = False
    minimum_norm: bool = False
    spares_rejection: bool = True
    settings: dict | None = None
    sweepable: bool = False

    @property
    def stepping(self) -> bool:
        """True if it needs a step or a relative_step."""
        return "step" in self.keys

    @property
    def iterating(self) -> bool:
        """True if it gets better with more iterations."""
        return "iterations" in self.keys

    @property
    def own_keys(self) -> dict:
        """The schemas of the keys that no other attack has."""
        return (self.settings or {}).get("properties", {})

    @property
    def own_defaults(self) -> dict:
        """The defaults of these keys, of those that have one."""
        return {key: entry["default"] for key, entry in self.own_keys.items() if "default" in entry}

    def schema(self) -> dict:
        """JSON schema of an entry of this attack, for use within that of the config."""
        norm = {"$ref": "#/$defs/norm"}
        if self.norms != NORMS:
            numbers = [int(name) for name in self.norms if name.isdigit()]
            told = f"The norm that bounds epsilon{'; this attack knows no other' if len(self.norms) == 1 else ''}."
            told += f" {SHARE}" if "0" in self.norms else ""
            norm = {"enum": [*self.norms, *numbers], "default": self.norms[0], "description": told}
        properties = {
            "method": {},
            "norm": norm,
            "models": {"$ref": "#/$defs/attacked_models"},
            "epsilons": {"$ref": "#/$defs/epsilons"},
        }
        properties |= {key: {"$ref": f"#/$defs/{key}"} for key in self.keys} | self.own_keys
        required = [*self.required, *(self.settings or {}).get("required", [])]
        return {"additionalProperties": False, "required": required, "properties": properties}


@functools.cache
def declaration_of(method: str) -> AttackDeclaration:
    """What the file of a method declares; raises UserError where there is none, or one that declares what can't be."""
    if method not in METHODS:
        raise UserError(f"there is no attack {method}: choose one of {', '.join(METHODS)}.")
    path = FOLDER / f"{method}.py"
    told = declarations_of(path)
    names = {field.name for field in fields(AttackDeclaration)} - {"name", "sweepable"}
    facts = {name: told.literals[name.upper()] for name in names if name.upper() in told.literals}
    found = AttackDeclaration(method, **facts, sweepable="iterates" in told.functions)
    if unknown := sorted(set(found.keys) - set(SHARED_KEYS)):
        raise UserError(
            f"{path}: KEYS has {unknown[0]}, which is none of {', '.join(SHARED_KEYS)}: describe it in SETTINGS."
        )
    if taken := sorted({*SHARED_KEYS, "method", "norm", "models", "epsilons"} & set(found.own_keys)):
        raise UserError(f"{path}: SETTINGS has {taken[0]}, which is a key of all attacks: give it another name.")
    if unknown := sorted(set(found.norms) - set(KNOWN_NORMS)):
        raise UserError(f"{path}: NORMS has {unknown[0]!r}; known are '0', '2' and 'inf'.")
    return found


def sweepable_methods() -> tuple[str, ...]:
    """The methods that iteration_sweeps may name: those with a function `iterates`."""
    return tuple(method for method in METHODS if declaration_of(method).sweepable)


def with_attacks(schema: dict) -> dict:
    """The schema of a config with all attacks in it, each as its file tells; the given one stays as it is."""
    schema = deepcopy(schema)
    definitions = schema["$defs"]
    definitions["attack_methods"] = {method: declaration_of(method).schema() for method in METHODS}
    definitions["attack"]["properties"]["method"]["enum"] = list(METHODS)
    definitions["attack"]["allOf"] = [
        {
            "if": {"required": ["method"], "properties": {"method": {"const": method}}},
            "then": {"$ref": f"#/$defs/attack_methods/{method}"},
        }
        for method in METHODS
    ]
    definitions["iteration_sweep"]["properties"]["method"]["enum"] = list(sweepable_methods())
    return schema
