"""Digests of data: what counts of a folder or file, and when a file is read again."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from robustness.config import data_inputs
from robustness.config.data_inputs import Contents, images_of
from robustness.errors import UserError

IMAGES = [f"{part}/{label}/{i}.png" for part in ("train", "test") for label in ("cat", "dog") for i in (1, 2)]


@pytest.fixture
def folder(tmp_path) -> Path:
    """An image folder that was written a while ago, as far as the clock below tells."""
    for name in IMAGES:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "photos"


@pytest.fixture
def read(monkeypatch) -> list[Path]:
    """The files that are read, in their order; the clock is a minute ahead, so that no file is too new to be noted."""
    found, sha256_of, now = [], data_inputs.sha256_of, time.time
    monkeypatch.setattr(data_inputs, "sha256_of", lambda path: found.append(path) or sha256_of(path))
    monkeypatch.setattr(data_inputs.time, "time", lambda: now() + 60)
    return found


def digest(folder: Path) -> str:
    """As each start of Snakemake takes it."""
    return Contents(folder.parent / "notes").digest(folder, images_of(folder))


def touch(folder: Path) -> None:
    for path in folder.rglob("*"):
        os.utime(path, (1e9, 1e9))


def rename_and_back(folder: Path) -> None:
    folder.rename(folder.with_name("else"))
    folder.with_name("else").rename(folder)


def pack_again(folder: Path) -> None:
    """Another folder with the same files: other times, other inodes."""
    shutil.copytree(folder, folder.with_name("copy"), copy_function=shutil.copyfile)
    shutil.rmtree(folder)
    folder.with_name("copy").rename(folder)


def rename_an_image_and_back(folder: Path) -> None:
    path = folder / IMAGES[0]
    path.rename(path.with_suffix(".gif"))
    path.with_suffix(".gif").rename(path)


def move_a_class_behind_a_link(folder: Path) -> None:
    (folder / "train/cat").rename(folder.parent / "cats")
    (folder / "train/cat").symlink_to("../../cats")


def move_an_image_behind_a_link(folder: Path) -> None:
    (folder / IMAGES[0]).rename(folder.parent / "image.png")
    (folder / IMAGES[0]).symlink_to(folder.parent / "image.png")


def leave_links_and_others(folder: Path) -> None:
    """What is not packed: links that lead nowhere or round in a circle, files that are no images."""
    (folder / "train/cat/.notes.png").symlink_to("nowhere")
    (folder / "train/cat/round.png").symlink_to("round.png")
    (folder / "train/cat/up").symlink_to("..")
    (folder / "train/cat/up.png").symlink_to("..")
    (folder / "train/lost").symlink_to("nowhere")
    (folder / "train/loose.png").write_bytes(b"1")
    (folder / "train/cat/Thumbs.db").write_bytes(b"1")


SAME = [touch, rename_and_back, pack_again, rename_an_image_and_back, move_a_class_behind_a_link]
SAME += [move_an_image_behind_a_link, leave_links_and_others]


@pytest.mark.parametrize("change", SAME, ids=lambda change: change.__name__)
def test_the_same_images_have_the_same_digest(folder, read, change):
    before = digest(folder)
    change(folder)
    assert digest(folder) == before
    del read[:]
    assert digest(folder) == before and read == []


def test_another_place_does_not_count(folder, tmp_path, read):
    moved = Path(shutil.copytree(folder, tmp_path / "deep" / "other"))
    assert digest(moved) == digest(folder)


def overwrite(folder: Path) -> None:
    (folder / IMAGES[0]).write_bytes(b"another")


def overwrite_keeping_size_and_time(folder: Path) -> None:
    path = folder / IMAGES[0]
    times = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def add(folder: Path) -> None:
    shutil.copy(folder / IMAGES[0], folder / "train/dog/3.png")


def remove(folder: Path) -> None:
    (folder / IMAGES[0]).unlink()


def rename(folder: Path) -> None:
    (folder / IMAGES[0]).rename(folder / "train/cat/0.png")


def swap(folder: Path) -> None:
    one, two = folder / IMAGES[0], folder / IMAGES[1]
    one.rename(folder / "x")
    two.rename(one)
    (folder / "x").rename(two)


def another_class(folder: Path) -> None:
    (folder / "train/cat").rename(folder / "train/cow")


OTHER = [overwrite, overwrite_keeping_size_and_time, add, remove, rename, swap, another_class]


@pytest.mark.parametrize("behind", ["folder", "link to a class", "link to the whole"])
@pytest.mark.parametrize("change", OTHER, ids=lambda change: change.__name__)
def test_other_images_have_another_digest(folder, read, change, behind):
    if behind == "link to a class":
        move_a_class_behind_a_link(folder)
    if behind == "link to the whole":
        folder.rename(folder.with_name("elsewhere"))
        folder.symlink_to("elsewhere")
    before = digest(folder)
    assert digest(folder) == before
    change(folder)
    assert digest(folder) != before


def test_a_link_to_another_image_has_another_digest(folder, read):
    path = folder / IMAGES[0]
    path.unlink()
    path.symlink_to("2.png")
    before = digest(folder)
    path.unlink()
    path.symlink_to("../dog/1.png")
    assert digest(folder) != before


def test_only_what_changed_is_read_again(folder, read):
    digest(folder)
    assert len(read) == len(IMAGES)
    del read[:]
    digest(folder)
    assert read == []
    os.utime(folder / IMAGES[2])
    digest(folder)
    assert read == [folder / IMAGES[2]]
    digest(folder)
    assert read == [folder / IMAGES[2]]


def test_a_file_that_just_changed_is_read_again(folder, read, monkeypatch):
    """It may change once more without another time."""
    monkeypatch.setattr(data_inputs.time, "time", lambda: (folder / IMAGES[3]).stat().st_ctime + 1)
    for path in (folder / name for name in IMAGES if name != IMAGES[3]):
        path.chmod(0o600)
    digest(folder)
    del read[:]
    digest(folder)
    assert folder / IMAGES[3] in read


@pytest.mark.parametrize("spoilt", ["", "{", "[]", "null\n1\n", '["a", "b"]\nnull\n', "\0"])
def test_spoilt_notes_are_made_anew(folder, read, spoilt):
    before = digest(folder)
    (notes,) = (folder.parent / "notes").iterdir()
    notes.write_text(spoilt)
    assert digest(folder) == before
    del read[:]
    assert digest(folder) == before and read == []


def test_notes_that_can_not_be_written_are_done_without(folder, read):
    (folder.parent / "notes").write_text("a file in place of the folder")
    assert digest(folder) == digest(folder) and len(read) == 2 * len(IMAGES)


def test_an_image_that_can_not_be_read_is_named(folder, read, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(data_inputs, "sha256_of", refuse)
    with pytest.raises(UserError) as error:
        digest(folder)
    assert (
        str(error.value)
        == f"{folder / IMAGES[0]} can't be read (Permission denied): change its permissions, or remove it."
    )


def test_a_long_reading_is_announced(folder, read, monkeypatch):
    said = []
    monkeypatch.setattr(data_inputs, "LARGE", 10)
    contents = Contents(folder.parent / "notes", said.append)
    for _ in range(2):
        contents.digest(folder, images_of(folder))
    assert len(said) == 1 and said[0].startswith(f"Reading {len(IMAGES)} files in {folder} (")


def test_a_single_file_counts_by_its_content(tmp_path, read):
    path, contents = tmp_path / "weights.h5", Contents(tmp_path / "notes")
    path.write_bytes(b"1")
    before = contents.digest(path, [(path.name, path)])
    os.utime(path, (1e9, 1e9))
    assert contents.digest(path, [(path.name, path)]) == before
    path.write_bytes(b"2")
    assert contents.digest(path, [(path.name, path)]) != before
    assert all(json.loads(line) for notes in (tmp_path / "notes").iterdir() for line in notes.read_text().splitlines())
