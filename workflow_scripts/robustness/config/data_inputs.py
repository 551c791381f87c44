"""What data of this machine a rule's result depends on, as a digest of the contents of files.

Reading a large folder takes minutes, and every plan asks for its digest. So what was read is noted, and a file is read
again only where its size, its times or its inode are others than noted: a touched file is read once more and has the same
digest, and of a folder in which nothing has moved no file is opened.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

from robustness.data.download import image_files
from robustness.errors import UserError
from robustness.files import sha256_of

RECENT = 2  # seconds: a file that changed so shortly before it was read may change again without another time
LARGE = 1_000_000_000  # bytes to read of which the user is told

State = list[int]  # of a file: what differs where the content may differ


def images_of(folder: Path) -> list[tuple[str, Path]]:
    """The images of an image folder, by the names that they have when it is packed."""
    return [
        (f"{part}/{label}/{path.name}", path)
        for part, labels in image_files(folder).items()
        for label, paths in labels.items()
        for path in paths
    ]


class Contents:
    """Digests of files' contents, with notes of those read before in a folder; without effect where it can't be written."""

    def __init__(self, notes: Path, say: Callable[[str], None] = lambda _: None):
        self.notes, self.say = notes, say

    def digest(self, place: Path, files: Sequence[tuple[str, Path]]) -> str:
        """The digest of the names and contents of files, in their order.

        place: the folder or file that they belong to; each has its own notes. Raises UserError if a file can't be read.
        """
        started = time.time()
        states = {name: _state(path) for name, path in files}
        state = _sha256(states)
        notes = self.notes / f"{_sha256(str(place.absolute()))[:16]}.txt"
        together, noted = _read(notes, state)
        if together:
            return together
        new = [(name, path) for name, path in files if name not in noted or noted[name][:-1] != states[name]]
        size = sum(states[name][0] for name, _ in new)
        if size > LARGE:
            self.say(
                f"Reading {len(new)} files in {place} ({size / 1e9:.1f} GB), so that changes of them will be noticed."
            )
        found = {name: noted[name][-1] for name, _ in files if name in noted} | dict(map(_content, new))
        digest = _sha256([[name, found[name]] for name, _ in files])
        kept = {name: [*states[name], found[name]] for name, _ in files if states[name][2] < (started - RECENT) * 1e9}
        _write(notes, [state, digest] if len(kept) == len(files) else [], kept)
        return digest


def _state(path: Path) -> State:
    """Size, time of the last change of the content, of the last change at all (ns), and inode; of a link its target's."""
    try:
        found = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _content(file: tuple[str, Path]) -> tuple[str, str]:
    name, path = file
    try:
        return name, sha256_of(path)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path} can't be read ({error.strerror}): change its permissions, or remove it.")


def _sha256(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def _read(notes: Path, state: str) -> tuple[str | None, dict[str, list]]:
    """The digest of all files if their state is as noted, else None; and then what is noted of each of them."""
    try:
        with open(notes, encoding="utf-8") as lines:
            if (together := json.loads(next(lines))) and together[0] == state:
                return together[1], {}
            return None, dict(map(json.loads, lines))
    except (OSError, ValueError, TypeError, StopIteration):  # none yet, or none of this version
        return None, {}


def _write(notes: Path, together: list[str], files: dict[str, list]) -> None:
    """Replace notes at once: several plans may read and write them at the same time."""
    lines = [json.dumps(together), *(json.dumps([name, entry]) for name, entry in files.items())]
    try:
        notes.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=notes.parent, delete=False, encoding="utf-8") as handle:
            handle.write("\n".join(lines) + "\n")
        os.replace(handle.name, notes)
    except OSError:  # of a folder that may not be written, say: then all is read again next time
        return
