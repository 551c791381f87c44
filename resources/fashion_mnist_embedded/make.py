"""Make the embedded part of Fashion-MNIST from the original files.

Run from the clone's root after `apt-get install dataset-fashion-mnist`:
    python resources/fashion_mnist_embedded/make.py /usr/share/datasets/fashion-mnist
It rewrites the four .gz files beside it, byte for byte the same each time, and prints their checksums.
"""

import gzip
import hashlib
import struct
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
PER_CLASS = {"train": 1000, "t10k": 200}


def read(path: Path) -> np.ndarray:
    data = gzip.decompress(path.read_bytes())
    shape = struct.unpack(f">{data[3]}I", data[4 : 4 + 4 * data[3]])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def write(path: Path, array: np.ndarray) -> None:
    data = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        packed.write(data)
    print(hashlib.sha256(path.read_bytes()).hexdigest(), path.name)


def main(folder: Path) -> None:
    for part, per_class in PER_CLASS.items():
        images = read(folder / f"{part}-images-idx3-ubyte.gz")
        labels = read(folder / f"{part}-labels-idx1-ubyte.gz")
        # The first images of each class, in the order of the original files: no draw to explain.
        keep = np.sort(np.concatenate([np.flatnonzero(labels == label)[:per_class] for label in range(10)]))
        write(HERE / f"{part}-images-idx3-ubyte.gz", images[keep])
        write(HERE / f"{part}-labels-idx1-ubyte.gz", labels[keep])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
