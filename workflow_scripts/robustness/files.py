"""Files that are whole or absent: every writer here writes beside the target and renames at the end."""

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from robustness.errors import UserError


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Give a temporary path in the folder of `path`; rename it to `path` if the block succeeds, remove it if not.

    The temporary name keeps the suffix of `path`, since several writers choose their format by it, and is the same
    each time, so that what a killed process leaves behind is overwritten by the next.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def write_npz(path: str | Path, **arrays: np.ndarray) -> None:
    """Write arrays as an uncompressed .npz; equal arrays give equal bytes."""
    with whole_file(path) as temporary:
        np.savez(temporary, **arrays)


def read_npz(path: str | Path, *names: str) -> list[np.ndarray]:
    """Read the named arrays of a .npz file, in the order of `names`.

    Raises UserError if the file is no .npz or lacks one of the names.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in names if name not in archive]
            if missing:
                raise UserError(f"{path} has no array '{missing[0]}': make it again with this version of the workflow.")
            return [archive[name] for name in names]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, UserError | FileNotFoundError):
            raise
        raise UserError(
            f"{path} can't be read as a .npz file ({error}): remove it, so that it is made again."
        ) from error


def write_text(path: str | Path, text: str) -> None:
    """Write a text, as UTF-8."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: object) -> None:
    """Write JSON with a stable order of keys."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True) + "\n")


def read_json(path: str | Path) -> dict:
    """Read a JSON object; raises UserError if it is broken."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not valid JSON ({error}): remove it, so that it is made again.") from error
