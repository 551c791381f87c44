"""Fetching one file from the first mirror that has it, with its checksum verified before it gets its name."""

import gzip
import hashlib
import io
import logging
import os
import shutil
import tarfile
import time
import urllib.error
import urllib.request
import zlib
from http.client import HTTPException
from pathlib import Path

from robustness.errors import UserError
from robustness.files import whole_file

LOG = logging.getLogger(__name__)
CHUNK = 1 << 20
ATTEMPTS = 3  # for each mirror; an attempt that got further than all before it does not count
TIMEOUT = 30  # seconds without a byte
PAUSE = 0.2  # seconds before the second attempt; twice as long before the third
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}


class Unreachable(Exception):
    """A mirror that did not deliver; the text says why."""


def is_url(mirror: str) -> bool:
    """True for an address (http, https), False for a path of this machine."""
    return mirror.startswith(("http://", "https://"))


def digest_of(path: Path, unpacked: bool) -> str:
    """SHA-256 of a file, or of what a gzip file unpacks to (the same data may be packed with other headers)."""
    with gzip.open(path, "rb") if unpacked else open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def mismatch(path: Path, sha256: str | None, sha256_unpacked: str | None) -> str | None:
    """Why the file is not the expected one, or None if it is."""
    for expected, unpacked in ((sha256, False), (sha256_unpacked, True)):
        if expected:
            try:
                found = digest_of(path, unpacked)
            except (OSError, EOFError, zlib.error) as error:
                return f"it {'does not unpack' if unpacked else 'is not readable'} ({error})"
            if found != expected:
                return f"its sha256{' (unpacked)' if unpacked else ''} is {found}, expected {expected}"
    return None


def fetch_url(url: str, part: Path) -> None:
    """Append to `part` what is missing of the file at `url`; start over where the server can't go on.

    Raises Unreachable after ATTEMPTS attempts without a new byte; what has come so far stays in `part`.
    """
    failures, reason = 0, ""
    furthest = part.stat().st_size if part.exists() else 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            request = urllib.request.Request(url, headers={"Range": f"bytes={before}-"} if before else {})
            with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
                resumed = response.status == 206
                have = before if resumed else 0
                total = have + (response.length or 0)
                LOG.info("%s: %s%d bytes to come", url, f"{have} bytes there, " if have else "", total - have)
                with open(part, "ab" if resumed else "wb") as handle:
                    last = time.monotonic()
                    while chunk := response.read1(CHUNK):  # read would drop what came before a connection stalls
                        handle.write(chunk)
                        have += len(chunk)
                        if time.monotonic() - last > 10:
                            last = time.monotonic()
                            LOG.info("%s: %d of %d bytes", url, have, total)
            if have >= total:
                return
            reason = f"broke off after {have} of {total} bytes"
        except urllib.error.HTTPError as error:
            reason = f"HTTP status {error.code}"
            if error.code == 416:  # what is there is as long as the file, or longer: begin again
                part.unlink(missing_ok=True)
            elif error.code < 500:
                raise Unreachable(reason) from error
        except (OSError, HTTPException, ValueError) as error:  # ValueError: an address that urllib can't parse
            reason = str(getattr(error, "reason", None) or error) or type(error).__name__
        size = part.stat().st_size if part.exists() else 0
        failures = 0 if size > furthest else failures + 1
        furthest = max(furthest, size)
        if failures == ATTEMPTS:
            raise Unreachable(reason)
        LOG.info("%s: %s; trying again", url, reason)
        time.sleep(PAUSE * failures)


def fetch_file(
    name: str, mirrors: list[str], output: Path, sha256: str | None = None, sha256_unpacked: str | None = None
) -> str:
    """Bring the file `name` from the first mirror that delivers the expected bytes; return that mirror's address.

    mirrors: addresses or folders of this machine (a mirror that is a file is that file itself), tried in order.
    A download that breaks is resumed from `output`.download, in a later call and from another mirror only if there
    is a checksum, since nothing else would notice that the two parts are of different files.
    Raises UserError with every mirror's reason if none delivers; nothing is then written to `output`.
    """
    part = output.with_name(output.name + ".download")
    output.parent.mkdir(parents=True, exist_ok=True)
    checked = bool(sha256 or sha256_unpacked)
    reasons = []
    for mirror in mirrors:
        if is_url(mirror):
            address = f"{mirror.rstrip('/')}/{name}"
            if not checked:
                part.unlink(missing_ok=True)
            foreign = part.exists()  # its bytes may be of an older file, or of one that another mirror packed otherwise
            try:
                fetch_url(address, part)
                wrong = mismatch(part, sha256, sha256_unpacked)
                if wrong and foreign:
                    LOG.info("%s: %s; beginning again", address, wrong)
                    part.unlink()
                    fetch_url(address, part)
                    wrong = mismatch(part, sha256, sha256_unpacked)
            except Unreachable as error:
                reasons.append(f"{address}: {error}")
                continue
            if wrong is None:
                os.replace(part, output)
                return address
            part.unlink()
            reasons.append(f"{address}: {wrong}")
        else:
            path = Path(mirror) / name if Path(mirror).is_dir() else Path(mirror)
            if not path.is_file():
                reasons.append(f"{path}: no such file")
                continue
            wrong = mismatch(path, sha256, sha256_unpacked)
            if wrong is None:
                with whole_file(output) as temporary:
                    shutil.copyfile(path, temporary)
                part.unlink(missing_ok=True)
                return str(path)
            reasons.append(f"{path}: {wrong}")
    if not checked:
        part.unlink(missing_ok=True)
    raise UserError(
        f"{name} can't be had from any mirror ({'; '.join(reasons)}): mend the source's mirrors or checksum."
    )


def local_copy(name: str, mirrors: list[str], image_folder: bool) -> Path | None:
    """The file or image folder of this machine that is taken where there is no checksum: that of the first mirror that has it.

    None if none has it, or the address of a file comes before.
    """
    for mirror in mirrors:
        if not is_url(mirror):
            path = Path(mirror)
            if image_folder and path.is_dir():
                return path
            path = path / name if path.is_dir() else path
            if not image_folder and path.is_file():
                return path
        elif not image_folder:
            return None
    return None


def image_files(folder: Path) -> dict[str, dict[str, list[Path]]]:
    """The images of an image folder: {part: {class: paths}} of FOLDER/train/CLASS/* and FOLDER/test/CLASS/*, sorted by name.

    Links are followed; those that lead nowhere are passed over, as are files that are no images by their suffix. Raises
    UserError if a folder can't be read.
    """
    try:
        found = {}
        for part in ("train", "test"):
            inside = (folder / part).iterdir() if (folder / part).is_dir() else []
            labels = sorted(path.name for path in inside if path.is_dir())
            found[part] = {label: _images_in(folder / part / label) for label in labels}
        return found
    except PermissionError as error:
        raise UserError(f"{error.filename} can't be read: change its permissions, or remove it.") from error


def _images_in(folder: Path) -> list[Path]:
    def is_file(entry: os.DirEntry) -> bool:
        return entry.is_file(follow_symlinks=False) or Path(entry.path).is_file()  # False for links in a circle, too

    with os.scandir(folder) as entries:
        names = [
            entry.name for entry in entries if Path(entry.name).suffix.lower() in IMAGE_SUFFIXES and is_file(entry)
        ]
    return [folder / name for name in sorted(names)]


def pack_image_folder(folder: Path, output: Path, sha256: str | None = None) -> int:
    """Pack FOLDER/train/CLASS/* and FOLDER/test/CLASS/* into one tar of sorted names; return the number of images.

    The same images give the same bytes. Raises UserError if a part is missing, a class stands in one part only,
    or the tar is not the expected one.
    """
    for part in ("train", "test"):
        if not (folder / part).is_dir():
            raise UserError(f"{folder} has no folder '{part}': an image folder holds train/CLASS/ and test/CLASS/.")
    found = image_files(folder)
    if odd := sorted(set(found["train"]) ^ set(found["test"])):
        raise UserError(f"{folder}: class '{odd[0]}' stands in only one of train and test: give both the same classes.")
    if len(found["train"]) < 2:
        raise UserError(f"{folder}/train has {len(found['train'])} class folders: a classifier needs two or more.")
    n = 0
    with whole_file(output) as temporary:
        with tarfile.open(temporary, "w", format=tarfile.GNU_FORMAT) as tar:
            for part, labels in found.items():
                for label, images in labels.items():
                    if not images:
                        raise UserError(
                            f"{folder / part / label} holds no image: remove the class or add images to it."
                        )
                    for path in images:
                        data = path.read_bytes()
                        info = tarfile.TarInfo(f"{part}/{label}/{path.name}")
                        info.size = len(data)
                        tar.addfile(info, io.BytesIO(data))
                        n += 1
        if wrong := mismatch(temporary, sha256, None):
            raise UserError(f"{folder} is not the expected image folder ({wrong}): mend the images or the checksum.")
    return n
