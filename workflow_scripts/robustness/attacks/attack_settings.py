"""What an attack is, as far as everything but its crafting needs to know (no TensorFlow here)."""

import json
import math
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from robustness.config.attack_declarations import METHODS, AttackDeclaration, declaration_of
from robustness.errors import UserError
from robustness.files import read_npz, write_npz

LOSSES = ("cross_entropy", "scaled_cross_entropy", "margin", "dlr")
CLIPS = ("ball", "pixel_range")
LABELS = ("given", "predicted")


@dataclass(frozen=True)
class AttackSettings:
    """An attack without its epsilon.

    method: a module of robustness/attack_methods. norm: 'inf', '2' or '0', one that the method has. target: '' for an untargeted attack, else
    'least_likely', 'random' or a class number. step: of one iteration, in the unit of epsilon; relative_step: the
    same as a share of epsilon (one of the two for an attack that takes steps, none for another). iterations,
    random_start, restarts, momentum (decay factor of mim), queries (of square): as the methods' papers name them.
    clip: what every iterate is cut to, one of CLIPS: the ball of epsilon and the pixels' range, or that range alone.
    loss: what is climbed, one of LOSSES; logit_scale: of scaled_cross_entropy, None finds it from the logits.
    labels: what an untargeted attack leads away from, one of LABELS: the given (true) class, or what the network predicts.
    own: the settings that the method's file describes itself, by name; those left out have its defaults.
    """

    method: str
    norm: str = "inf"
    target: str = ""
    step: float | None = None
    relative_step: float | None = None
    iterations: int = 1
    random_start: bool = False
    restarts: int = 1
    momentum: float = 1.0
    loss: str = "cross_entropy"
    logit_scale: float | None = None
    queries: int = 1
    clip: str = "ball"
    labels: str = "given"
    own: dict = field(default_factory=dict, hash=False)

    @property
    def declaration(self) -> AttackDeclaration:
        """What the method's file tells about it."""
        return declaration_of(self.method)

    @property
    def bounded(self) -> bool:
        """True if epsilon bounds how far an image moves; where not, epsilon is but the unit of a relative step."""
        return self.clip == "ball"

    @property
    def has_path(self) -> bool:
        """True if the attack walks the same way at every epsilon, until the ball holds it back (robustness.attacks.attack_paths)."""
        told = self.declaration
        fixed = not told.stepping or (self.step is not None and not self.random_start and self.restarts == 1)
        return told.sign_steps and self.norm == "inf" and self.bounded and fixed

    @property
    def shares(self) -> bool:
        """True if what the attack does at one epsilon serves the others: one with a path, or one of least norm."""
        return self.has_path or self.declaration.minimum_norm

    @property
    def targeted(self) -> bool:
        """True if the attack aims at a class."""
        return self.target != ""

    @property
    def stepping(self) -> bool:
        """True if the attack takes steps of a configured size."""
        return self.step is not None or self.relative_step is not None

    @property
    def spares_rejection(self) -> bool:
        """True if, on a model that can reject, the loss counts the rejection with the true class.

        Not of a targeted attack, whose class is accepted where it is reached, nor of one whose file says that it can't.
        """
        return not self.targeted and self.declaration.spares_rejection

    @property
    def climbed_loss(self) -> str:
        """The loss whose gradient the attack follows: '' for one that follows none."""
        climbs = self.declaration.climbs
        return self.loss if climbs is None else climbs


def settings_from_json(name: str, text: str) -> AttackSettings:
    """The settings of an attack from a JSON object with AttackSettings' fields; raises UserError for anything else."""
    try:
        settings = AttackSettings(**json.loads(text))
    except (json.JSONDecodeError, TypeError) as error:
        raise UserError(f"the settings of attack {name} are no JSON object of attack settings ({error}).") from error
    if settings.method not in METHODS:
        raise UserError(f"attack {name}: there is no method {settings.method}; choose one of {', '.join(METHODS)}.")
    check_own(f"attack {name}", settings)
    return settings


def step_of(settings: AttackSettings, epsilon_text: str) -> float:
    """The step of an iterative attack at this epsilon, in epsilon's unit; epsilon itself for an attack without steps of its own."""
    epsilon = float(epsilon_text)
    if not settings.stepping:
        return epsilon
    if settings.relative_step is not None:
        return epsilon * settings.relative_step
    return settings.step


def reach_of(settings: AttackSettings, epsilon_text: str) -> float:
    """The furthest that an attack may move an image, in epsilon's unit and the attack's norm."""
    epsilon = float(epsilon_text)
    return epsilon if settings.bounded else step_of(settings, epsilon_text) * settings.iterations


def check_clip(where: str, settings: AttackSettings) -> None:
    """Raises UserError for an attack that is clipped to the pixel range alone and can't be: of another method or norm."""
    if not settings.bounded and not ("clip" in settings.declaration.keys and settings.norm == "inf"):
        able = ", ".join(method for method in METHODS if "clip" in declaration_of(method).keys)
        raise UserError(f"{where} is pixel_range, which is for {able} in norm inf only: remove it or take that.")


def check_norm(where: str, settings: AttackSettings) -> None:
    """Raises UserError for a norm in which the method does not work."""
    if settings.norm not in settings.declaration.norms:
        norms = ", ".join(settings.declaration.norms)
        raise UserError(f"{where}: {settings.method} works in norm {norms}, not in {settings.norm}: choose another.")


def check_own(where: str, settings: AttackSettings) -> None:
    """Raises UserError for a setting that the method's file does not describe, or one that it requires and lacks."""
    known, required = settings.declaration.own_keys, (settings.declaration.settings or {}).get("required", [])
    if unknown := sorted(set(settings.own) - set(known)):
        raise UserError(
            f"{where} has the unknown setting {unknown[0]}; of its own {settings.method} has {', '.join(known) or 'none'}."
        )
    if missing := [key for key in required if key not in settings.own]:
        raise UserError(f"{where} lacks the setting {missing[0]} of {settings.method}; add it.")


def checked_sizes(settings: AttackSettings, epsilon_text: str) -> tuple[float, float]:
    """Epsilon and step of an attack as numbers, in epsilon's unit; raises UserError for settings that can't be carried out."""
    declaration = settings.declaration
    check_norm("--norm", settings)
    check_own("--own", settings)
    try:
        epsilon = float(epsilon_text)
    except ValueError:
        epsilon = math.nan
    if not 0 <= epsilon < math.inf:
        raise UserError(f"epsilon '{epsilon_text}' is no size of a perturbation: write a number like 0.1 or 8.")
    if settings.norm == "0" and epsilon > 1:
        raise UserError(f"epsilon {epsilon_text} is a share of the image's values in norm 0: give one from 0 to 1.")
    if declaration.stepping and (settings.step is None) == (settings.relative_step is None):
        raise UserError(f"{settings.method} needs one of --step and --relative-step: give exactly one.")
    check_clip("--clip", settings)
    step = step_of(settings, epsilon_text)
    if step > epsilon > 0 and settings.bounded:
        raise UserError(
            f"the step {step} is larger than epsilon {epsilon_text}, which cleverhans refuses: lower the step."
        )
    return epsilon, step


def reaches_epsilon(settings: AttackSettings, epsilon_text: str) -> bool:
    """True if step x iterations reaches epsilon, in exact decimal arithmetic (40 x 0.01 is 0.4, not less)."""
    if not settings.stepping:
        return True
    if settings.relative_step is not None:
        return Fraction(repr(settings.relative_step)) * settings.iterations >= 1
    return Fraction(repr(settings.step)) * settings.iterations >= Fraction(epsilon_text)


@dataclass(frozen=True)
class AdversarialSet:
    """Adversarial images of one model, attack and epsilon.

    images: (n, h, w, c) float32 in the model's pixel range. labels, targets (-1: none), indices: (n,) int64.
    attack: the attack's name in the study, settings, epsilon (the config's text), unit and seed.
    model_sha256: of the .keras file that they were crafted on.
    """

    images: np.ndarray
    labels: np.ndarray
    targets: np.ndarray
    indices: np.ndarray
    attack: dict
    model_sha256: str

    def save(self, path: str | Path) -> None:
        """Write the set; equal sets give equal bytes."""
        note = json.dumps({"attack": self.attack, "model_sha256": self.model_sha256}, sort_keys=True)
        write_npz(
            path,
            images=self.images,
            labels=self.labels,
            targets=self.targets,
            indices=self.indices,
            note=np.array(note),
        )

    @staticmethod
    def load(path: str | Path) -> "AdversarialSet":
        """Read what save wrote; raises UserError for a broken or foreign file."""
        images, labels, targets, indices, note = read_npz(path, "images", "labels", "targets", "indices", "note")
        try:
            content = json.loads(str(note))
            return AdversarialSet(images, labels, targets, indices, content["attack"], content["model_sha256"])
        except (json.JSONDecodeError, KeyError) as error:
            raise UserError(
                f"{path} does not say how it was crafted: remove it, so that it is crafted again."
            ) from error


def describe(name: str, settings: AttackSettings, epsilon_text: str, unit: str, seed: int) -> dict:
    """The attack as it is noted in a set and in its records."""
    return {"name": name, "epsilon": epsilon_text, "epsilon_unit": unit, "seed": seed} | as_noted(settings)


def as_noted(settings: AttackSettings) -> dict:
    """The settings as they are noted; without `own` where there are none, as files of such attacks have always been."""
    return {key: value for key, value in asdict(settings).items() if key != "own" or value}


def without_epsilon(note: dict) -> dict:
    """What describe gave, as it holds at every epsilon."""
    return {key: value for key, value in note.items() if key != "epsilon"}


def settings_from_note(note: dict) -> AttackSettings:
    """The settings in what describe gave."""
    return AttackSettings(
        **{key: note[key] for key in AttackSettings.__dataclass_fields__ if key != "own" or key in note}
    )
