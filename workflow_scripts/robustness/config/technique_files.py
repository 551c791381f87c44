"""What the files of robustness/techniques declare, for the check of a config (no scikit-learn here)."""

from pathlib import Path

from robustness.config.declarations import declarations_of
from robustness.errors import UserError

FOLDER = Path(__file__).parent.with_name("techniques")


def technique_names() -> list[str]:
    """The techniques, besides neural networks, that a config can name, sorted."""
    return sorted(path.stem for path in FOLDER.glob("[!_]*.py"))


def technique_settings(name: str) -> dict:
    """JSON schema of a technique's settings, an object; raises UserError where there is no such technique."""
    if name not in technique_names():
        raise UserError(f"there is no technique {name}: choose one of {', '.join(technique_names())}.")
    return declarations_of(FOLDER / f"{name}.py").literals["SETTINGS"]
