"""Reading image datasets as their publishers pack them. Nothing is unpacked to disk."""

import gzip
import io
import math
import pickle
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robustness.errors import UserError


@dataclass
class RawDataset:
    """A dataset as published.

    train_images, test_images: (n, height, width, channels) uint8. train_labels, test_labels: (n,) int64.
    classes: the names, in the order of the labels.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: list[str]


def read_idx(path: Path) -> np.ndarray:
    """An IDX array of unsigned bytes (LeCun's MNIST format), gzip-packed or not."""
    with open(path, "rb") as handle:
        packed = handle.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path, "rb") if packed else open(path, "rb") as handle:
            data = handle.read()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(
            f"{path} is a broken gzip file ({error}): remove it, so that it is downloaded again."
        ) from error
    if len(data) < 4 or data[:3] != b"\0\0\x08":
        raise UserError(f"{path} is no IDX file of unsigned bytes: check the source's files and format.")
    start = 4 + 4 * data[3]
    shape = tuple(int.from_bytes(data[i : i + 4], "big") for i in range(4, start, 4))
    if len(data) != start + math.prod(shape):
        raise UserError(f"{path} is not as long as its header says: remove it, so that it is downloaded again.")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def read_idx_dataset(files: dict[str, Path], classes: list[str]) -> RawDataset:
    """The four files of MNIST and its relatives."""
    arrays = {}
    for part in ("train", "t10k"):
        for kind, dimensions in (("images-idx3-ubyte", 3), ("labels-idx1-ubyte", 1)):
            found = [path for name, path in files.items() if name.startswith(f"{part}-{kind}")]
            if not found:
                raise UserError(f"the IDX source has no file named {part}-{kind}[.gz]: add it to the source's files.")
            array = read_idx(found[0])
            if array.ndim != dimensions:
                raise UserError(f"{found[0]} has {array.ndim} dimensions, not {dimensions}: check the source's files.")
            arrays[part, kind[:6]] = array
    return RawDataset(
        arrays["train", "images"][..., None],
        arrays["train", "labels"].astype(np.int64),
        arrays["t10k", "images"][..., None],
        arrays["t10k", "labels"].astype(np.int64),
        classes,
    )


class ArrayUnpickler(pickle.Unpickler):
    """Unpickles lists, dicts, strings and NumPy arrays; anything else that a pickle could call is refused."""

    ALLOWED = {
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("_codecs", "encode"),
    }

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in self.ALLOWED:
            raise UserError(
                f"a pickle of the archive asks for {module}.{name}, which no CIFAR file does: don't trust it."
            )
        return super().find_class(module, name)


def read_tar(path: Path) -> dict[str, bytes]:
    """All regular files of a tar archive. Raises UserError for a broken archive or a name outside its folder."""
    try:
        with tarfile.open(path) as tar:
            content = {}
            for member in tar:
                if member.name.startswith("/") or ".." in Path(member.name).parts:
                    raise UserError(
                        f"{path} holds '{member.name}', a path outside its folder: don't trust this archive."
                    )
                if member.isfile():
                    content[member.name] = tar.extractfile(member).read()
            rest = tar.fileobj.read()  # to the end, where gzip's check value stands
            if not rest or any(rest):  # tarfile takes a damaged header for the end of the archive
                raise tarfile.ReadError("it breaks off")
            return content
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        if isinstance(error, FileNotFoundError):
            raise
        reason = str(error).partition("\n")[0].rstrip(":")  # tarfile's text may have several lines
        raise UserError(f"{path} is a broken archive ({reason}): remove it, so that it is downloaded again.") from error


def read_cifar(path: Path) -> RawDataset:
    """CIFAR-10 or CIFAR-100, "python version" (Krizhevsky 2009); CIFAR-100 with its fine labels."""
    content = read_tar(path)
    by_name = {name.rsplit("/", 1)[-1]: data for name, data in content.items()}

    def load(name: str) -> dict:
        if name not in by_name:
            raise UserError(f"{path} has no file '{name}': it is not CIFAR's python version.")
        try:
            return ArrayUnpickler(io.BytesIO(by_name[name]), encoding="bytes").load()
        except UserError:
            raise
        except Exception as error:  # a broken pickle can raise almost anything
            raise UserError(
                f"'{name}' in {path} is broken ({error}): remove it, so that it is downloaded again."
            ) from error

    if "batches.meta" in by_name or "data_batch_1" in by_name:
        train, test, meta = [load(f"data_batch_{i}") for i in range(1, 6)], [load("test_batch")], load("batches.meta")
        labels, names = b"labels", b"label_names"
    else:
        train, test, meta = [load("train")], [load("test")], load("meta")
        labels, names = b"fine_labels", b"fine_label_names"

    def images(batches: list[dict]) -> np.ndarray:
        rows = np.concatenate([np.asarray(batch[b"data"], np.uint8) for batch in batches])
        return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))

    try:
        return RawDataset(
            images(train),
            np.concatenate([np.asarray(batch[labels], np.int64) for batch in train]),
            images(test),
            np.concatenate([np.asarray(batch[labels], np.int64) for batch in test]),
            [name.decode() for name in meta[names]],
        )
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path} is not laid out as CIFAR's python version ({error!r}): check the source.") from error


def read_image_tar(path: Path, size: tuple[int, int] | None, colour: str) -> RawDataset:
    """The tar that download_dataset makes of a folder of images.

    size: (height, width) to scale every image to; None keeps the size, which must then be the same for all.
    colour: 'rgb' or 'grey'.
    """
    from PIL import Image  # here, since only this format needs it

    images, labels, classes = {"train": [], "test": []}, {"train": [], "test": []}, []
    for name, data in read_tar(path).items():
        part, label = name.split("/")[:2] if name.count("/") == 2 else ("", "")
        if part not in images:
            raise UserError(f"{path} holds '{name}', not train/CLASS/IMAGE or test/CLASS/IMAGE: pack the folder again.")
        if label not in classes:
            classes.append(label)
        try:
            image = Image.open(io.BytesIO(data))
            if image.mode.startswith(("I", "F")):  # Pillow would clip these to 255 without a word
                raise UserError(f"{name} in the image folder has more than 8 bits a channel: convert it to 8 bits.")
            image = image.convert({"rgb": "RGB", "grey": "L"}[colour])
        except UserError:
            raise
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise UserError(f"{name} in the image folder is no readable image: remove or replace it.") from error
        if size and image.size != size[::-1]:
            image = image.resize(size[::-1], Image.Resampling.BILINEAR)
        array = np.asarray(image, np.uint8).reshape(image.height, image.width, -1)
        if images["train"] and array.shape != images["train"][0].shape:
            raise UserError(
                f"{name} is {array.shape[0]}x{array.shape[1]}, unlike the others: set the source's image_size."
            )
        images[part].append(array)
        labels[part].append(classes.index(label))
    if empty := [part for part in images if not images[part]]:
        raise UserError(f"{path} holds no image of the part '{empty[0]}': pack the folder again.")
    return RawDataset(
        np.stack(images["train"]),
        np.array(labels["train"], np.int64),
        np.stack(images["test"]),
        np.array(labels["test"], np.int64),
        classes,
    )


def read_dataset(
    format_: str, files: dict[str, Path], classes: list[str], size: tuple[int, int] | None, colour: str
) -> RawDataset:
    """Read a dataset of one of the formats 'idx', 'cifar' and 'image_folder'.

    files: name to path. classes: names where the format holds none (idx). size, colour: of an image folder.
    Raises UserError if labels and images do not fit each other or the classes.
    """
    if format_ == "idx":
        data = read_idx_dataset(files, classes)
    elif format_ == "cifar":
        data = read_cifar(next(iter(files.values())))
    else:
        data = read_image_tar(next(iter(files.values())), size, colour)
    for part, images, labels in (
        ("training", data.train_images, data.train_labels),
        ("test", data.test_images, data.test_labels),
    ):
        if len(images) != len(labels) or not len(images):
            raise UserError(
                f"the {part} part has {len(images)} images and {len(labels)} labels: check the source's files."
            )
        if labels.min() < 0 or labels.max() >= len(data.classes):
            odd = labels.min() if labels.min() < 0 else labels.max()
            raise UserError(
                f"the {part} part has label {odd}, but the source names {len(data.classes)} classes: "
                "correct the source's classes."
            )
    if data.train_images.shape[1:] != data.test_images.shape[1:]:
        shapes = ["x".join(map(str, images.shape[1:])) for images in (data.train_images, data.test_images)]
        raise UserError(f"training images are {shapes[0]}, test images {shapes[1]}: check the source's files.")
    return data
