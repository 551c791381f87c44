"""Adversarial images of one attack after several numbers of iterations, as one file (no TensorFlow here)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robustness.attacks.attack_settings import AdversarialSet
from robustness.errors import UserError
from robustness.files import read_npz, write_npz


@dataclass(frozen=True)
class IterationSets:
    """What one run of an attack gives after each of k numbers of iterations.

    images: (k, n, h, w, c) float32 in the model's pixel range. iterations: (k,) int64, rising. labels, indices: (n,)
    int64. attack: as in an AdversarialSet, with the settings of the whole run and the sweep's name. model_sha256: of
    the .keras file that they were crafted on.
    """

    images: np.ndarray
    iterations: np.ndarray
    labels: np.ndarray
    indices: np.ndarray
    attack: dict
    model_sha256: str

    def each(self) -> Iterator[tuple[int, AdversarialSet]]:
        """(number of iterations, the adversarial set that the attack gives with it), rising."""
        untargeted = np.full(len(self.labels), -1, np.int64)
        for count, images in zip(self.iterations.tolist(), self.images, strict=True):
            attack = self.attack | {"iterations": count}
            yield count, AdversarialSet(images, self.labels, untargeted, self.indices, attack, self.model_sha256)

    def save(self, path: str | Path) -> None:
        """Write the sets; equal sets give equal bytes."""
        arrays = {name: getattr(self, name) for name in ("images", "iterations", "labels", "indices")}
        note = json.dumps({"attack": self.attack, "model_sha256": self.model_sha256}, sort_keys=True)
        write_npz(path, **arrays, note=np.array(note))

    @staticmethod
    def load(path: str | Path) -> "IterationSets":
        """Read what save wrote; raises UserError for a broken or foreign file."""
        *arrays, note = read_npz(path, "images", "iterations", "labels", "indices", "note")
        try:
            content = json.loads(str(note))
            return IterationSets(*arrays, content["attack"], content["model_sha256"])
        except (json.JSONDecodeError, KeyError) as error:
            raise UserError(
                f"{path} does not say how it was crafted: remove it, so that it is crafted again."
            ) from error
