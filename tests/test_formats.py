"""Reading published datasets. The archives are made here, in the layouts that their publishers use."""

import gzip
import hashlib
import io
import os
import pickle
import shutil
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import ROOT, run
from PIL import Image

from robustness.data.datasets import Images
from robustness.data.download import pack_image_folder
from robustness.data.formats import read_cifar, read_dataset, read_idx, read_image_tar
from robustness.errors import UserError
from robustness.files import read_json

RNG = np.random.default_rng(0)
EMBEDDED = ROOT / "resources" / "fashion_mnist_embedded"
SOURCES = yaml.safe_load((ROOT / "resources" / "sources.yaml").read_text(encoding="utf-8"))
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def pixels(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, np.uint8)


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def sentence(error: pytest.ExceptionInfo) -> str:
    """The text of an error, which must be one line that ends with what to do."""
    text = str(error.value)
    assert "\n" not in text
    assert ": " in text
    assert text.endswith(".")
    return text


# --- IDX -------------------------------------------------------------------------------------------------------------


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize("packed", [True, False], ids=["gzip", "plain"])
@pytest.mark.parametrize("shape", [(7,), (3, 4, 5), (2, 28, 28), (0,), (0, 28, 28), (300, 1, 2, 3)], ids=str)
def test_idx_round_trip(tmp_path, shape, packed):
    array = pixels(*shape)
    path = write(tmp_path / "file", gzip.compress(idx(array)) if packed else idx(array))
    read = read_idx(path)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, array)


WHOLE = idx(pixels(10, 28, 28))
PACKED = gzip.compress(WHOLE)


def damaged(data: bytes) -> bytes:
    """Pack data with a first block of a kind that deflate does not know: unpacking itself stumbles."""
    packed = gzip.compress(data)
    return packed[:10] + b"\x07" + packed[11:]


WRAPPING = struct.pack(">BBBB3I", 0, 0, 8, 3, 2**31, 2**31, 4)  # the product is 0 in 64 bits
IDX_FAULTS = {
    "empty": (b"", "no IDX file"),
    "text": (b"<html>not found</html>", "no IDX file"),
    "floats": (WHOLE[:2] + b"\x0d" + WHOLE[3:], "no IDX file"),
    "header cut": (WHOLE[:9], "not as long as its header says"),
    "header only": (WHOLE[:16], "not as long as its header says"),
    "short": (WHOLE[:-1], "not as long as its header says"),
    "long": (WHOLE + b"x", "not as long as its header says"),
    "sizes beyond 64 bits": (WRAPPING, "not as long as its header says"),
    "gzip cut": (PACKED[: len(PACKED) // 2], "broken gzip file"),
    "gzip header only": (PACKED[:2], "broken gzip file"),
    "gzip damaged": (damaged(WHOLE), "broken gzip file"),
    "gzip with a wrong check value": (PACKED[:-8] + bytes(8), "broken gzip file"),
    "gzip of text": (gzip.compress(b"not found"), "no IDX file"),
}


@pytest.mark.parametrize("fault", IDX_FAULTS)
def test_a_faulty_idx_file_is_named(tmp_path, fault):
    data, reason = IDX_FAULTS[fault]
    path = write(tmp_path / "file", data)
    with pytest.raises(UserError) as error:
        read_idx(path)
    assert str(path) in sentence(error)
    assert reason in sentence(error)


def idx_files(folder: Path, **changed: np.ndarray | None) -> dict[str, Path]:
    """The four files of a small dataset of three classes; None leaves a file out."""
    arrays = {
        "train_images": pixels(6, 5, 4),
        "train_labels": np.array([0, 1, 2, 0, 1, 2], np.uint8),
        "t10k_images": pixels(3, 5, 4),
        "t10k_labels": np.array([2, 1, 0], np.uint8),
    } | changed
    files = {}
    for key, array in arrays.items():
        part, kind = key.split("_")
        name = f"{part}-{kind}-idx{3 if kind == 'images' else 1}-ubyte.gz"
        if array is not None:
            files[name] = write(folder / name, gzip.compress(idx(array)))
    return files


CLASSES = ["ant", "bee", "cow"]


def read_idx_files(files, classes=CLASSES):
    return read_dataset("idx", files, classes, None, "rgb")


def test_idx_dataset(tmp_path):
    train = pixels(6, 5, 4)
    data = read_idx_files(idx_files(tmp_path, train_images=train))
    np.testing.assert_array_equal(data.train_images, train[..., None])
    assert data.test_images.shape == (3, 5, 4, 1)
    assert (data.train_labels.dtype, data.test_labels.dtype) == (np.int64, np.int64)
    assert (data.train_labels.tolist(), data.test_labels.tolist()) == ([0, 1, 2, 0, 1, 2], [2, 1, 0])
    assert data.classes == CLASSES


IDX_DATASET_FAULTS = {
    "no test labels": ({"t10k_labels": None}, "no file named t10k-labels-idx1-ubyte"),
    "labels for images": ({"train_images": np.zeros(6, np.uint8)}, "has 1 dimensions, not 3"),
    "images for labels": ({"t10k_labels": pixels(3, 5, 4)}, "has 3 dimensions, not 1"),
    "too few labels": ({"train_labels": np.zeros(5, np.uint8)}, "training part has 6 images and 5 labels"),
    "empty part": (
        {"t10k_images": pixels(0, 5, 4), "t10k_labels": np.zeros(0, np.uint8)},
        "test part has 0 images and 0 labels",
    ),
    "label beyond the classes": (
        {"t10k_labels": np.array([0, 1, 3], np.uint8)},
        "test part has label 3, but the source names 3 classes",
    ),
    "parts of two sizes": ({"t10k_images": pixels(3, 4, 5)}, "training images are 5x4x1, test images 4x5x1"),
}


@pytest.mark.parametrize("fault", IDX_DATASET_FAULTS)
def test_idx_files_that_do_not_fit_each_other(tmp_path, fault):
    changed, reason = IDX_DATASET_FAULTS[fault]
    with pytest.raises(UserError) as error:
        read_idx_files(idx_files(tmp_path, **changed))
    assert reason in sentence(error)


# --- CIFAR -----------------------------------------------------------------------------------------------------------


class Python2Pickler(pickle._Pickler):
    """Pickles as the Python 2 that CIFAR was published with: every string is a byte string."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_byte_string(self, value):
        data = value if isinstance(value, bytes) else value.encode("latin-1")
        short = len(data) < 256
        self.write(
            pickle.SHORT_BINSTRING + bytes([len(data)]) if short else pickle.BINSTRING + struct.pack("<i", len(data))
        )
        self.write(data)

    dispatch[bytes] = dispatch[str] = save_byte_string


def dumps_python2(content: object) -> bytes:
    file = io.BytesIO()
    Python2Pickler(file, protocol=2).dump(content)
    return file.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def dumps_python3(content: object) -> bytes:
    return pickle.dumps(content, protocol=2)


def tar(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def cifar_contents(n_classes: int, n: int = 4) -> dict[str, dict]:
    """What the files of CIFAR-10 or CIFAR-100 hold, with n images a file."""
    if n_classes == 10:
        meta = {b"num_cases_per_batch": n, b"label_names": [b"class %d" % i for i in range(10)], b"num_vis": 3072}
        contents = {"batches.meta": meta}
        for number, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
            contents[name] = {
                b"batch_label": b"batch %d" % number,
                b"labels": [(number + i) % 10 for i in range(n)],
                b"data": pixels(n, 3072),
                b"filenames": [b"%d.png" % i for i in range(n)],
            }
        return contents
    contents = {
        "meta": {
            b"fine_label_names": [b"class %d" % i for i in range(100)],
            b"coarse_label_names": [b"group %d" % i for i in range(20)],
        }
    }
    for number, name in enumerate(["train", "test"]):
        contents[name] = {
            b"filenames": [b"%d.png" % i for i in range(n)],
            b"batch_label": b"batch 1 of 1",
            b"fine_labels": [99 - number - i for i in range(n)],
            b"coarse_labels": [i % 20 for i in range(n)],
            b"data": pixels(n, 3072),
        }
    return contents


def cifar_members(contents: dict[str, object], dumps=dumps_python2) -> dict[str, bytes]:
    """An archive's members; a content that is bytes already stays as it is."""
    packed = {name: content if isinstance(content, bytes) else dumps(content) for name, content in contents.items()}
    return {"cifar-py/readme.html": b"<html>"} | {f"cifar-py/{name}": data for name, data in packed.items()}


def planes_to_pixels(rows: np.ndarray) -> np.ndarray:
    """CIFAR's own words: 1024 red values, then green, then blue, each row by row; taken by index."""
    n, row, column, channel = np.indices((len(rows), 32, 32, 3))
    return rows[n, 1024 * channel + 32 * row + column]


@pytest.mark.parametrize("dumps", [dumps_python2, dumps_python3])
@pytest.mark.parametrize("n_classes", [10, 100])
def test_cifar(tmp_path, n_classes, dumps):
    contents = cifar_contents(n_classes)
    path = write(tmp_path / "cifar.tar.gz", tar(cifar_members(contents, dumps)))
    data = read_dataset("cifar", {path.name: path}, [], None, "rgb")
    train = ["train"] if n_classes == 100 else [f"data_batch_{i}" for i in range(1, 6)]
    test = ["test"] if n_classes == 100 else ["test_batch"]
    key = b"fine_labels" if n_classes == 100 else b"labels"
    for names, images, labels in (
        (train, data.train_images, data.train_labels),
        (test, data.test_images, data.test_labels),
    ):
        rows = np.concatenate([contents[name][b"data"] for name in names])
        assert (images.dtype, labels.dtype) == (np.uint8, np.int64)
        np.testing.assert_array_equal(images, planes_to_pixels(rows))
        assert labels.tolist() == [label for name in names for label in contents[name][key]]
    assert data.classes == [f"class {i}" for i in range(n_classes)]


def test_pickles_are_as_python_2_made_them():
    data = dumps_python2({b"data": pixels(1, 3072)})
    assert b"cnumpy.core.multiarray\n_reconstruct" in data
    assert b"_codecs" not in data
    loaded = pickle.loads(data, encoding="bytes")
    assert loaded[b"data"].shape == (1, 3072)


class Evil:
    """Pickles to a call of any function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def attacks(marker: Path) -> dict:
    """Pickles that would leave a file if they ran, and the name that the refusal must give."""
    code = f"open({str(marker)!r}, 'w').close()"
    return {
        "os.system": (Evil(os.system, f"touch '{marker}'"), f"{os.name}.system"),
        "exec": (Evil(exec, code), "__builtin__.exec"),
        "subprocess": (Evil(subprocess.getoutput, f"touch '{marker}'"), "commands.getoutput"),
        "NumPy's own": (Evil(np.save, str(marker), 0), "numpy.save"),
    }


@pytest.mark.parametrize("kind", ["os.system", "exec", "subprocess", "NumPy's own"])
def test_the_attacks_would_work(tmp_path, kind):
    content, _ = attacks(tmp_path / "marker.npy")[kind]
    pickle.loads(dumps_python3(content), encoding="bytes")
    assert (tmp_path / "marker.npy").exists()


@pytest.mark.parametrize("place", ["batches.meta", "data_batch_3", "test_batch"])
@pytest.mark.parametrize("kind", ["os.system", "exec", "subprocess", "NumPy's own"])
def test_a_malicious_pickle_is_refused(tmp_path, kind, place):
    content, called = attacks(tmp_path / "marker.npy")[kind]
    contents = cifar_contents(10) | {place: dumps_python3({b"data": content})}
    path = write(tmp_path / "cifar.tar.gz", tar(cifar_members(contents)))
    with pytest.raises(UserError) as error:
        read_cifar(path)
    assert "don't trust" in sentence(error)
    assert called.rsplit(".", 1)[1] in sentence(error)
    assert [path.name for path in tmp_path.iterdir()] == ["cifar.tar.gz"]


@pytest.mark.parametrize("name", ["../evil", "/evil", "cifar-py/../../evil", "cifar-py/.."])
@pytest.mark.parametrize("read", [read_cifar, lambda path: read_image_tar(path, None, "rgb")], ids=["cifar", "images"])
def test_a_member_outside_the_archive_is_refused(tmp_path, name, read):
    path = write(tmp_path / "in" / "some.tar", tar(cifar_members(cifar_contents(10)) | {name: b"evil"}))
    with pytest.raises(UserError) as error:
        read(path)
    assert f"'{name}'" in sentence(error)
    assert "outside its folder" in sentence(error)
    assert not list(tmp_path.rglob("evil"))


def test_links_are_not_followed(tmp_path):
    write(tmp_path / "secret", dumps_python2(cifar_contents(10)["batches.meta"]))
    path = tmp_path / "cifar.tar"
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("cifar-py/batches.meta")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "secret")
        archive.addfile(link)
    with pytest.raises(UserError, match="is not CIFAR's python version"):
        read_cifar(path)


TGZ = tar(cifar_members(cifar_contents(10)))
TAR = tar(cifar_members(cifar_contents(10)), "w")
HALF = len(TGZ) // 2
ARCHIVE_FAULTS = {
    "empty": (b"", "broken archive"),
    "page": (b"<html>not found</html>" * 100, "broken archive"),
    "gzip of a page": (gzip.compress(b"<html>not found</html>" * 100), "broken archive"),
    **{f"cut at {n} of 8": (TGZ[: len(TGZ) * n // 8], "broken archive") for n in range(1, 8)},
    "damaged": (TGZ[:HALF] + bytes(byte ^ 255 for byte in TGZ[HALF : HALF + 50]) + TGZ[HALF + 50 :], "broken archive"),
    "damaged gzip": (damaged(TAR), "broken archive"),
    "plain tar cut in a file": (TAR[: len(TAR) // 2], "broken archive"),
    "plain tar cut in a header": (TAR[: TAR.index(b"cifar-py/data_batch_4") + 100], "broken archive"),
    "plain tar cut between files": (TAR[: TAR.index(b"cifar-py/data_batch_4")], "broken archive"),
    "plain tar without an end": (TAR[: len(TAR.rstrip(b"\0")) // 512 * 512 + 512], "broken archive"),
    "plain tar with a damaged header": (
        TAR.replace(b"cifar-py/data_batch_4", b"cifar-py/data_batch_8"),
        "broken archive",
    ),
}


@pytest.mark.parametrize("fault", ARCHIVE_FAULTS)
def test_a_broken_archive_is_named(tmp_path, fault):
    data, reason = ARCHIVE_FAULTS[fault]
    path = write(tmp_path / "cifar.tar.gz", data)
    with pytest.raises(UserError) as error:
        read_cifar(path)
    assert str(path) in sentence(error)
    assert reason in sentence(error)


@pytest.mark.parametrize(
    ("n_classes", "missing"),
    [*((10, name) for name in cifar_contents(10)), *((100, name) for name in cifar_contents(100))],
)
def test_a_missing_file_of_cifar_is_named(tmp_path, n_classes, missing):
    members = cifar_members(cifar_contents(n_classes))
    del members[f"cifar-py/{missing}"]
    path = write(tmp_path / "cifar.tar.gz", tar(members))
    with pytest.raises(UserError) as error:
        read_cifar(path)
    assert f"no file '{missing}'" in sentence(error)


def changed_batch(**changed: object) -> dict:
    return cifar_contents(10)["data_batch_2"] | {key.encode(): value for key, value in changed.items()}


def without(key: bytes) -> dict:
    return {k: v for k, v in cifar_contents(10)["data_batch_2"].items() if k != key}


PICKLE = dumps_python2(cifar_contents(10)["data_batch_2"])
CONTENT_FAULTS = {
    "empty": ("data_batch_2", b"", "'data_batch_2' in"),
    "text": ("data_batch_2", b"not a pickle", "'data_batch_2' in"),
    **{f"cut at {n} of 8": ("data_batch_2", PICKLE[: len(PICKLE) * n // 8], "'data_batch_2' in") for n in range(1, 8)},
    "stack underflow": ("data_batch_2", b"\x80\x02u.", "'data_batch_2' in"),
    "unknown memo": ("data_batch_2", b"\x80\x02h\x07.", "'data_batch_2' in"),
    "no data": ("data_batch_2", without(b"data"), "not laid out as CIFAR's"),
    "no labels": ("data_batch_2", without(b"labels"), "not laid out as CIFAR's"),
    "a list": ("data_batch_2", [1, 2], "not laid out as CIFAR's"),
    "none": ("data_batch_2", None, "not laid out as CIFAR's"),
    "other image size": ("data_batch_2", changed_batch(data=pixels(4, 784)), "not laid out as CIFAR's"),
    "no numbers": ("data_batch_2", changed_batch(labels=[b"cat"] * 4), "not laid out as CIFAR's"),
    "no class names": ("batches.meta", {b"num_vis": 3072}, "not laid out as CIFAR's"),
    "class names are numbers": ("batches.meta", {b"label_names": list(range(10))}, "not laid out as CIFAR's"),
    "too few labels": ("data_batch_2", changed_batch(labels=[1, 2]), "training part has 20 images and 18 labels"),
    "label beyond the classes": ("test_batch", changed_batch(labels=[0, 9, 10, 1]), "test part has label 10"),
    "negative label": ("test_batch", changed_batch(labels=[0, 9, -1, 1]), "test part has label -1"),
    "too few class names": ("batches.meta", {b"label_names": [b"a", b"b"]}, "the source names 2 classes"),
}


@pytest.mark.parametrize("fault", CONTENT_FAULTS)
def test_a_faulty_file_of_cifar_is_named(tmp_path, fault):
    place, content, reason = CONTENT_FAULTS[fault]
    path = write(tmp_path / "cifar.tar.gz", tar(cifar_members(cifar_contents(10) | {place: content})))
    with pytest.raises(UserError) as error:
        read_dataset("cifar", {path.name: path}, [], None, "rgb")
    assert reason in sentence(error)


# --- folders of images -----------------------------------------------------------------------------------------------


def image(array: np.ndarray, format_: str = "PNG", mode: str | None = None) -> bytes:
    file = io.BytesIO()
    picture = Image.fromarray(array)
    (picture.convert(mode) if mode else picture).save(file, format_)
    return file.getvalue()


def image_folder(folder: Path, n_train: int = 3, n_test: int = 2, shape=(9, 8, 3)) -> dict[str, np.ndarray]:
    """A folder of noise images, class by class; returns each image by its name in the tar."""
    arrays = {}
    for part, n in (("train", n_train), ("test", n_test)):
        for label in CLASSES:
            for i in range(n):
                name = f"{part}/{label}/{i:02}.png"
                arrays[name] = pixels(*shape)
                write(folder / name, image(arrays[name]))
    return arrays


def packed(folder: Path) -> Path:
    pack_image_folder(folder, folder.with_suffix(".tar"))
    return folder.with_suffix(".tar")


@pytest.mark.parametrize(("shape", "colour"), [((9, 8, 3), "rgb"), ((9, 8), "grey")])
def test_image_folder(tmp_path, shape, colour):
    arrays = image_folder(tmp_path / "images", shape=shape)
    path = packed(tmp_path / "images")
    data = read_dataset("image_folder", {path.name: path}, [], None, colour)
    assert data.classes == CLASSES
    assert data.train_labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert data.test_labels.tolist() == [0, 0, 1, 1, 2, 2]
    expected = np.stack(list(arrays.values())).reshape(15, 9, 8, -1)
    np.testing.assert_array_equal(np.concatenate([data.train_images, data.test_images]), expected)


COLOUR = np.array([204, 102, 51], np.uint8)  # one of Pillow's palette
LUMA = 0.299 * 204 + 0.587 * 102 + 0.114 * 51


# How an image is stored, what it is read as, and its one colour then.
COLOURS = {
    "colour as grey": ((9, 8, 3), COLOUR, None, "grey", [LUMA]),
    "grey as colour": ((9, 8), 77, None, "rgb", [77, 77, 77]),
    "grey as grey": ((9, 8), 77, None, "grey", [77]),
    "palette": ((9, 8, 3), COLOUR, "P", "rgb", COLOUR),
    "transparent": ((9, 8, 4), [*COLOUR, 255], None, "rgb", COLOUR),
    "black and white": ((9, 8), 255, "1", "rgb", [255, 255, 255]),
}


@pytest.mark.parametrize("kind", COLOURS)
def test_colours(tmp_path, kind):
    shape, value, mode, colour, expected = COLOURS[kind]
    data = image(np.broadcast_to(np.asarray(value, np.uint8), shape).copy(), mode=mode)
    for name in ("train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png"):
        write(tmp_path / "images" / name, data)
    read = read_image_tar(packed(tmp_path / "images"), None, colour)
    assert read.train_images.shape == (2, 9, 8, len(expected))
    np.testing.assert_allclose(read.train_images - np.asarray(expected, float), 0, atol=1)


def test_image_size_scales_every_image(tmp_path):
    """The left half is black, the right half white: the halves stay where they are, whatever the size was."""
    for n, (name, (height, width)) in enumerate(
        {
            "train/a/1.png": (12, 20),
            "train/b/1.png": (40, 16),
            "test/a/1.png": (6, 10),
            "test/b/1.png": (5, 4),
        }.items()
    ):
        array = np.zeros((height, width), np.uint8)
        array[:, width // 2 :] = 200 + n
        write(tmp_path / "images" / name, image(array))
    data = read_image_tar(packed(tmp_path / "images"), (6, 10), "grey")
    images = np.concatenate([data.train_images, data.test_images])
    assert images.shape == (4, 6, 10, 1)
    assert (images[:, :, :2] == 0).all()
    assert (images[:, :, -2:, 0] == np.array([200, 201, 202, 203])[:, None, None]).all()


@pytest.mark.parametrize("odd", ["train/bee/01.png", "test/cow/00.png"])
def test_images_of_two_sizes_need_image_size(tmp_path, odd):
    image_folder(tmp_path / "images")
    write(tmp_path / "images" / odd, image(pixels(8, 9, 3)))
    path = packed(tmp_path / "images")
    with pytest.raises(UserError) as error:
        read_image_tar(path, None, "rgb")
    assert odd in sentence(error)
    assert "8x9" in sentence(error)
    assert "image_size" in sentence(error)
    assert read_image_tar(path, (9, 8), "rgb").train_images.shape == (9, 9, 8, 3)


PNG = image(pixels(9, 8, 3))
IMAGE_FAULTS = {
    "empty": (b"", "no readable image"),
    "text": (b"not an image", "no readable image"),
    "cut": (PNG[:100], "no readable image"),
    "cut in the header": (PNG[:20], "no readable image"),
    "damaged": (PNG[:60] + bytes(40) + PNG[100:], "no readable image"),
    "text for numbers": (b"P2\n2 2\n255\n1 2 x 4\n", "no readable image"),
    "far too large": (b"P5\n60000 60000\n255\n", "no readable image"),
    "16 bits": (image(RNG.integers(0, 65536, (9, 8), np.uint16)), "more than 8 bits"),
    "floats": (image(RNG.random((9, 8), np.float32), "TIFF"), "more than 8 bits"),
}


@pytest.mark.parametrize("fault", IMAGE_FAULTS)
def test_a_faulty_image_is_named(tmp_path, fault):
    data, reason = IMAGE_FAULTS[fault]
    image_folder(tmp_path / "images")
    write(tmp_path / "images" / "test/bee/01.png", data)
    with pytest.raises(UserError) as error:
        read_image_tar(packed(tmp_path / "images"), None, "rgb")
    assert "test/bee/01.png" in sentence(error)
    assert reason in sentence(error)


TAR_FAULTS = {
    "loose image": ({"a.png": PNG}, "holds 'a.png', not train/CLASS/IMAGE"),
    "deeper folder": ({"all/train/a/1.png": PNG}, "holds 'all/train/a/1.png', not train/CLASS/IMAGE"),
    "third part": ({"validation/a/1.png": PNG}, "holds 'validation/a/1.png', not train/CLASS/IMAGE"),
    "no test image": ({"train/a/1.png": PNG, "train/b/1.png": PNG}, "no image of the part 'test'"),
    "nothing": ({}, "no image of the part 'train'"),
}


@pytest.mark.parametrize("fault", TAR_FAULTS)
def test_a_foreign_tar_is_named(tmp_path, fault):
    members, reason = TAR_FAULTS[fault]
    path = write(tmp_path / "images.tar", tar(members, "w"))
    with pytest.raises(UserError) as error:
        read_image_tar(path, None, "rgb")
    assert str(path) in sentence(error)
    assert reason in sentence(error)


# --- the program -----------------------------------------------------------------------------------------------------

OUTPUTS = ["train.npz", "validation.npz", "test.npz", "dataset.json"]


def preprocess(folder: Path, *words: object):
    """Run preprocess_dataset.py with its outputs in `folder`/out; later words override the first ones."""
    options = ["--name", "insects", "--pixel-range", "0-1", "--protocol", "holdout", "--seed", "1"]
    for option, name in zip(("--train", "--validation", "--test", "--info"), OUTPUTS, strict=True):
        options += [option, f"out/{name}"]
    script = str(ROOT / "workflow_scripts" / "preprocess_dataset.py")
    return run(folder, sys.executable, script, *options, *map(str, words), check=False)


@pytest.mark.parametrize(
    ("words", "counts"),
    [
        (["--validation-fraction", 0.2, "--n-classes", 3], (12, 3, 6)),
        (["--validation-fraction", 0.25, "--train-limit", 12, "--test-limit", 3], (9, 3, 3)),
        (["--protocol", "validation_is_test"], (15, 6, 6)),
    ],
    ids=["holdout", "limits", "validation is test"],
)
def test_program_from_folder_to_arrays(tmp_path, words, counts):
    arrays = image_folder(tmp_path / "images", n_train=5, n_test=2)
    done = preprocess(tmp_path, "--format", "image_folder", "--file", packed(tmp_path / "images"), *words)
    assert done.returncode == 0, done.stdout
    published = {
        part: np.stack([array for name, array in arrays.items() if name.startswith(part)]) for part in ("train", "test")
    }
    parts = [Images.load(tmp_path / "out" / name) for name in OUTPUTS[:3]]
    assert tuple(map(len, parts)) == counts
    validation_from = "test" if "validation_is_test" in words else "train"
    for data, origin in zip(parts, ("train", validation_from, "test"), strict=True):
        assert data.images.shape == (len(data), 9, 8, 3)
        np.testing.assert_array_equal(data.images, published[origin][data.indices])
        np.testing.assert_array_equal(data.labels, data.indices // (5 if origin == "train" else 2))
        assert np.bincount(data.labels).tolist() == [len(data) // 3] * 3
    if validation_from == "train":
        assert not set(parts[0].indices) & set(parts[1].indices)
    assert read_json(tmp_path / "out" / "dataset.json") == {
        "name": "insects",
        "classes": CLASSES,
        "shape": [9, 8, 3],
        "pixel_range": "0-1",
        "protocol": "validation_is_test" if validation_from == "test" else "holdout",
        "seed": 1,
        **dict(zip(("n_train", "n_validation", "n_test"), counts, strict=True)),
    }


def test_program_makes_the_same_bytes_again(tmp_path):
    image_folder(tmp_path / "images")
    path = packed(tmp_path / "images")
    words = ["--format", "image_folder", "--file", path, "--image-size", 8, 8, "--colour", "grey"]
    made = []
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        assert preprocess(tmp_path / place, *words, "--validation-fraction", 0.34).returncode == 0
        made.append([(tmp_path / place / "out" / name).read_bytes() for name in OUTPUTS])
    assert made[0] == made[1]
    assert Images.load(tmp_path / "one" / "out" / "test.npz").images.shape == (6, 8, 8, 1)


PROGRAM_FAULTS = {
    "number of classes": (["--n-classes", 4], "dataset insects: the data has 3 classes, not 4: correct n_classes"),
    "nothing to train on": (["--validation-fraction", 1], "no training image is left"),
    "nothing to validate on": (["--validation-fraction", 0], "no validation image is left"),
    "more than there are": (["--train-limit", 10], "10 images are asked for, but there are only 9"),
    "no such file": (["--file", "missing.tar"], "missing.tar"),
}


@pytest.mark.parametrize("fault", PROGRAM_FAULTS)
def test_program_names_the_fault_in_one_line(tmp_path, fault):
    words, reason = PROGRAM_FAULTS[fault]
    image_folder(tmp_path / "images")
    file = [] if "--file" in words else ["--file", packed(tmp_path / "images")]
    check_failure(preprocess(tmp_path, "--format", "image_folder", *file, *words), reason, tmp_path)


def test_program_names_a_label_beyond_the_classes(tmp_path):
    files = idx_files(tmp_path, train_labels=np.array([0, 1, 2, 3, 1, 2], np.uint8))
    words = [word for path in files.values() for word in ("--file", path)]
    words += [word for name in CLASSES for word in ("--class-name", name)]
    reason = "the training part has label 3, but the source names 3 classes: correct the source's classes."
    check_failure(preprocess(tmp_path, "--format", "idx", *words), reason, tmp_path)


def check_failure(done, reason: str, folder: Path) -> None:
    """One line, exit code 1, and none of the outputs nor a part of one."""
    assert done.returncode == 1
    assert done.stdout.startswith("Error: ")
    assert done.stdout.count("\n") == 1
    assert reason in done.stdout
    assert not (folder / "out").exists() or not list((folder / "out").iterdir())


def test_program_wants_a_size_of_one_pixel_or_more(tmp_path):
    done = preprocess(tmp_path, "--format", "image_folder", "--file", "images.tar", "--image-size", 0, 8)
    assert done.returncode == 2
    assert "'--image-size'" in done.stdout
    assert "Traceback" not in done.stdout


# --- the embedded data -----------------------------------------------------------------------------------------------


def embedded() -> dict[str, Path]:
    return {path.name: path for path in sorted(EMBEDDED.glob("*.gz"))}


def test_embedded_files_are_those_of_the_sources():
    files = {file["name"]: file["sha256"] for file in SOURCES["fashion_mnist_embedded"]["files"]}
    assert files == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in embedded().items()}


def test_embedded_classes_are_balanced():
    source = SOURCES["fashion_mnist_embedded"]
    data = read_dataset("idx", embedded(), source["classes"], None, "rgb")
    assert data.train_images.shape == (source["n_train"], 28, 28, 1)
    assert data.test_images.shape == (source["n_test"], 28, 28, 1)
    assert np.bincount(data.train_labels).tolist() == [1000] * 10
    assert np.bincount(data.test_labels).tolist() == [200] * 10
    assert len(data.classes) == source["n_classes"] == 10


debian = pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")


@debian
def test_embedded_files_can_be_made_again(tmp_path):
    """The unpacked bytes: another zlib may pack the same data otherwise."""
    script = Path(shutil.copy(EMBEDDED / "make.py", tmp_path))
    run(tmp_path, sys.executable, str(script), str(DEBIAN))
    made = {path.name: gzip.decompress(path.read_bytes()) for path in tmp_path.glob("*.gz")}
    assert made == {name: gzip.decompress(path.read_bytes()) for name, path in embedded().items()}


@debian
def test_the_whole_dataset_of_debian_has_the_checksums_of_the_sources():
    for file in SOURCES["fashion_mnist"]["files"]:
        with gzip.open(DEBIAN / file["name"]) as handle:
            assert hashlib.file_digest(handle, "sha256").hexdigest() == file["sha256_unpacked"]
