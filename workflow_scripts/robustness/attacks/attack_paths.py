"""What an attack shares at all epsilons: the signs of the gradients on its way, or what it found (no TensorFlow here).

FGSM takes one step along the signs at the image itself. BIM and PGD, from the image and with a step of fixed length in the
maximum norm, walk the same way at every epsilon until the ball holds one of them back. So the signs of one walk that
nothing holds back are enough for every epsilon that all steps together don't exceed, and for the first steps at smaller ones.

An attack of least norm looks for the nearest example: what it finds is enough for every epsilon.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robustness.attacks.attack_settings import settings_from_note, without_epsilon
from robustness.attacks.lengths import lengths
from robustness.errors import UserError
from robustness.files import read_npz, write_npz


def pack(signs: np.ndarray) -> np.ndarray:
    """Signs, (n, h, w, c) of -1, 0 and 1, as two bits each: (2, n, bytes) uint8, where they are 1 and where they are -1."""
    flat = np.asarray(signs).reshape(len(signs), -1)
    return np.stack([np.packbits(flat > 0, axis=1), np.packbits(flat < 0, axis=1)])


@dataclass(frozen=True, eq=False)
class AttackPath:
    """The signs of an attack's gradients, step by step, while no ball holds it back.

    bits: (k, 2, n, bytes) uint8, k steps as pack gives them. shape: (h, w, c). attacked: (n,) int64, the classes that are
    led away from or, of a targeted attack, aimed at; -1 where an image is left alone. targets: as in an AdversarialSet.
    indices: (n,) int64 of the images. attack: as in an AdversarialSet, without epsilon. model_sha256: of the .keras file.
    """

    bits: np.ndarray
    shape: tuple[int, int, int]
    attacked: np.ndarray
    targets: np.ndarray
    indices: np.ndarray
    attack: dict
    model_sha256: str

    def signs(self) -> Iterator[np.ndarray]:
        """The signs of each step in turn, (n, h, w, c) float32."""
        count = int(np.prod(self.shape))
        for up, down in self.bits:
            planes = [np.unpackbits(plane, axis=1, count=count).astype(np.float32) for plane in (up, down)]
            yield (planes[0] - planes[1]).reshape(-1, *self.shape)

    def follow(
        self, images: np.ndarray, epsilon: float, step: float, clip: tuple[float, float]
    ) -> tuple[np.ndarray, int]:
        """Adversarial images as far as these signs lead at an epsilon, and the number of steps that were taken.

        images: (n, h, w, c) float32 pixels within clip. epsilon, step: in pixel units. All steps may be taken; fewer where
        the ball bent the way, so that the next gradient has to be taken elsewhere. In float32, operation by operation as
        cleverhans' fast_gradient_method and projected_gradient_descent, so that the bits are theirs.
        """
        epsilon, step = np.float32(epsilon), np.float32(step)
        if not settings_from_note(self.attack).stepping:
            return np.clip(images + epsilon * next(self.signs()), *clip), 1
        free = here = images
        for taken, signs in enumerate(self.signs()):
            if not np.array_equal(here, free):
                return here, taken
            moved = np.clip(free + step * signs, *clip) - images
            free = np.clip(images + moved, *clip)
            here = np.clip(images + np.clip(moved, -epsilon, epsilon), *clip)
        return here, len(self.bits)

    def save(self, path: str | Path) -> None:
        """Write the path; equal paths give equal bytes."""
        arrays = {name: getattr(self, name) for name in ("bits", "attacked", "targets", "indices")}
        note = json.dumps({"attack": self.attack, "model_sha256": self.model_sha256}, sort_keys=True)
        write_npz(path, **arrays, shape=np.array(self.shape), note=np.array(note))

    @staticmethod
    def load(path: str | Path) -> "AttackPath":
        """Read what save wrote; raises UserError for a broken or foreign file."""
        bits, shape, *arrays, note = read_npz(path, "bits", "shape", "attacked", "targets", "indices", "note")
        return AttackPath(bits, tuple(shape.tolist()), *arrays, *_noted(path, note))


@dataclass(frozen=True, eq=False)
class NearestExamples:
    """What an attack of least norm found, however far off it lies.

    images: (n, h, w, c) float32, the nearest examples, where there is none the image itself. targets, indices, attack,
    model_sha256: as in an AttackPath.
    """

    images: np.ndarray
    targets: np.ndarray
    indices: np.ndarray
    attack: dict
    model_sha256: str

    def follow(self, images: np.ndarray, epsilon: float) -> np.ndarray:
        """Adversarial images at an epsilon, in pixel units: what lies within it, else the image; bit for bit what the attack gives."""
        norm = {"inf": np.inf, "2": 2}[self.attack["norm"]]
        return np.where(lengths(self.images - images, norm) <= epsilon, self.images, images)

    def save(self, path: str | Path) -> None:
        """Write the examples; equal ones give equal bytes."""
        arrays = {name: getattr(self, name) for name in ("images", "targets", "indices")}
        note = json.dumps({"attack": self.attack, "model_sha256": self.model_sha256}, sort_keys=True)
        write_npz(path, **arrays, note=np.array(note))

    @staticmethod
    def load(path: str | Path) -> "NearestExamples":
        """Read what save wrote; raises UserError for a broken or foreign file."""
        *arrays, note = read_npz(path, "images", "targets", "indices", "note")
        return NearestExamples(*arrays, *_noted(path, note))


def check_shared(
    shared: AttackPath | NearestExamples, path: str | Path, attack: dict, indices: np.ndarray, model_sha256: str
) -> None:
    """Raise UserError if what was read from path is of another attack, of other images or of another model."""
    same = (
        (without_epsilon(attack) == shared.attack, "another attack"),
        (np.array_equal(indices, shared.indices), "other images"),
        (model_sha256 == shared.model_sha256, "another model"),
    )
    for right, what in same:
        if not right:
            raise UserError(f"{path} holds the path of {what}: make it again.")


def _noted(path: str | Path, note: np.ndarray) -> tuple[dict, str]:
    """The attack and the hash of the model in a file's note."""
    try:
        content = json.loads(str(note))
        return content["attack"], content["model_sha256"]
    except (json.JSONDecodeError, KeyError) as error:
        raise UserError(f"{path} does not say what it is the path of: remove it, so that it is made again.") from error
