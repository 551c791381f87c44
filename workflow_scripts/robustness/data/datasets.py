"""Preprocessed datasets: what stands in their files, and how pixels reach a network."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robustness.errors import UserError
from robustness.files import read_json, read_npz, write_npz

PIXEL_RANGES = {"0-1": (0.0, 1.0), "0-255": (0.0, 255.0), "-1-1": (-1.0, 1.0)}


@dataclass(frozen=True)
class Images:
    """Labelled images of one part of a dataset.

    images: (n, height, width, channels) uint8, as published. labels: (n,) int64. indices: (n,) int64, the place of
    each image in the published training or test part.
    """

    images: np.ndarray
    labels: np.ndarray
    indices: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, which: np.ndarray) -> "Images":
        """The chosen images, by position."""
        return Images(self.images[which], self.labels[which], self.indices[which])

    def save(self, path: str | Path) -> None:
        """Write the three arrays; equal images give equal bytes."""
        write_npz(path, images=self.images, labels=self.labels, indices=self.indices)

    @staticmethod
    def load(path: str | Path) -> "Images":
        """Read what save wrote; raises UserError for a broken or foreign file."""
        return Images(*read_npz(path, "images", "labels", "indices"))


@dataclass(frozen=True)
class DatasetInfo:
    """What dataset.json says: name, classes (names), shape (height, width, channels), pixel_range (low, high)."""

    name: str
    classes: list[str]
    shape: tuple[int, int, int]
    pixel_range: tuple[float, float]

    @staticmethod
    def load(path: str | Path) -> "DatasetInfo":
        """Read dataset.json."""
        content = read_json(path)
        try:
            return DatasetInfo(
                content["name"], content["classes"], tuple(content["shape"]), PIXEL_RANGES[content["pixel_range"]]
            )
        except KeyError as error:
            raise UserError(
                f"{path} lacks {error}: it is not a dataset.json of this version; make it again."
            ) from error


def to_pixels(images: np.ndarray, pixel_range: tuple[float, float]) -> np.ndarray:
    """8-bit images as float32 in the pixel range that networks of this dataset are fed with."""
    low, high = pixel_range
    return images.astype(np.float32) * np.float32((high - low) / 255) + np.float32(low)


def encode_labels(labels: np.ndarray, n_classes: int, encoding: str) -> np.ndarray:
    """Labels as a loss needs them: 'integer', (n,) int64, or 'one_hot', (n, n_classes) float32."""
    if encoding == "integer":
        return labels
    if encoding == "one_hot":
        return np.eye(n_classes, dtype=np.float32)[labels]
    raise ValueError(encoding)
