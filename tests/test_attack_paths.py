"""Attacks that share their way between epsilons: the same bits as without, and fewer gradients."""

import sys
from dataclasses import replace
from pathlib import Path

import click
import keras
import numpy as np
import pytest
from conftest import ROOT, call, run
from networks import curved_network, images

from robustness.attacks import projected_steps
from robustness.attacks.attack_paths import AttackPath, pack
from robustness.attacks.attack_settings import AttackSettings, describe
from robustness.attacks.crafting import craft, craft_on, craft_path
from robustness.data.datasets import to_pixels
from robustness.errors import UserError
from robustness.files import write_json
from robustness.models.model_files import save_network

STEPS = {"step": 0.015, "iterations": 12}
EPSILONS = [0.0, 0.015, 0.05, 0.1, 0.17, 0.18, 0.4]  # all twelve steps together reach 0.18


def network_on(clip) -> keras.Model:
    """The same network for pixels of either range."""
    pixels = keras.layers.Input((8, 8, 1))
    return keras.Model(pixels, curved_network()(keras.layers.Rescaling(1 / clip[1])(pixels)))


def walked(network, x, labels, settings, clip, batch_size) -> AttackPath:
    scale = clip[1] - clip[0]
    found = craft_path(network, x, labels, settings, (settings.step or 0) * scale, clip, 3, batch_size)
    note = {k: v for k, v in describe("a", settings, "", "0-1", 3).items() if k != "epsilon"}
    bits, attacked, targets = found
    return AttackPath(bits, x.shape[1:], attacked, targets, np.arange(len(x)), note, "hash")


@pytest.mark.parametrize("clip", [(0.0, 1.0), (0.0, 255.0)], ids=str)
@pytest.mark.parametrize("batch_size", [16, 40])  # 16: the last batch is padded
@pytest.mark.parametrize(
    "settings",
    [
        AttackSettings("fgsm"),
        AttackSettings("fgsm", target="least_likely"),
        AttackSettings("fgsm", target="1"),  # images of class 1 are left alone
        AttackSettings("fgsm", labels="predicted", loss="margin"),
        AttackSettings("pgd", **STEPS),
        AttackSettings("pgd", **STEPS, labels="predicted"),
        AttackSettings("pgd", **STEPS, target="random"),
        AttackSettings("bim", **STEPS, loss="scaled_cross_entropy"),
        AttackSettings("bim", **STEPS, target="1"),
    ],
    ids=lambda settings: "-".join(filter(None, (settings.method, settings.target, settings.labels, settings.loss))),
)
def test_the_sets_are_those_without_a_path_bit_for_bit(settings, batch_size, clip):
    network, loaded, scale = network_on(clip), images(), clip[1] - clip[0]
    x, labels = to_pixels(loaded.images, clip), loaded.labels
    path, step = walked(network, x, labels, settings, clip, batch_size), (settings.step or 0) * scale
    seen = set()
    for epsilon in EPSILONS:
        expected, targets = craft(
            network, x, labels, settings, epsilon * scale, (settings.step or epsilon) * scale, clip, 3, batch_size
        )
        found, taken = path.follow(x, epsilon * scale, step, clip)
        # The first step that the ball bends is the last whose gradient is known; rounding may bend one that just fits.
        free = 1 if settings.method == "fgsm" else min(12, int(epsilon / 0.015 + 1e-9) + 1)
        assert free - 1 <= taken <= free and (taken >= 1) and (taken == 12 or epsilon < 0.18 or free == 1)
        if taken < settings.iterations:
            sizes = (settings, epsilon * scale, step, clip)
            found = craft_on(network, x, found, taken, path.attacked, *sizes, batch_size)
        assert found.dtype == np.float32 and found.tobytes() == expected.tobytes(), epsilon
        assert path.targets.tolist() == targets.tolist()
        seen.add(found.tobytes())
    assert len(seen) > 4


def test_only_what_the_path_does_not_know_costs_gradients(monkeypatch):
    taken, real = [], projected_steps.fast_gradient_method

    def counted(*arguments, **options):
        taken.append(1)
        return real(*arguments, **options)

    monkeypatch.setattr("robustness.attacks.projected_steps.fast_gradient_method", counted)
    network, loaded, settings = curved_network(), images(), AttackSettings("pgd", **STEPS)
    x = to_pixels(loaded.images, (0.0, 1.0))
    path = walked(network, x, loaded.labels, settings, (0.0, 1.0), 40)
    found, done = path.follow(x, 0.1, 0.015, (0.0, 1.0))
    craft_on(network, x, found, done, path.attacked, settings, 0.1, 0.015, (0.0, 1.0), 40)
    assert done == 7 and len(taken) == 5  # 6 x 0.015 lie within 0.1, and the seventh step's signs are known


def test_signs_survive_their_packing():
    signs = np.random.default_rng(0).integers(-1, 2, (2, 5, 3, 3, 1))
    path = AttackPath(np.stack([pack(step) for step in signs]), (3, 3, 1), *[np.zeros(5)] * 3, {}, "")
    assert np.array_equal(np.stack(list(path.signs())), signs)
    assert path.bits.nbytes == 2 * 2 * 5 * 2  # nine pixels are two bytes, twice


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (AttackSettings("fgsm"), True),
        (AttackSettings("fgsm", norm="2"), False),
        (AttackSettings("pgd", step=0.1, iterations=3), True),
        (AttackSettings("pgd", relative_step=0.1, iterations=3), False),
        (AttackSettings("pgd", step=0.1, iterations=3, random_start=True), False),
        (AttackSettings("pgd", step=0.1, iterations=3, restarts=2), False),
        (AttackSettings("bim", step=0.1, iterations=3), True),
        (AttackSettings("bim", step=0.1, iterations=3, clip="pixel_range"), False),
        (AttackSettings("mim", step=0.1, iterations=3), False),
        (AttackSettings("apgd", iterations=3), False),
    ],
    ids=str,
)
def test_which_attacks_have_a_path(settings, expected):
    assert settings.has_path is expected


# --- the programs ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def place(tmp_path_factory, threads_stay):
    folder, loaded = tmp_path_factory.mktemp("paths"), images()
    loaded.save(folder / "evaluation.npz")
    save_network(curved_network(), folder / "model.keras")
    classes = ["a", "b", "c", "d"]
    write_json(folder / "dataset.json", {"name": "d", "classes": classes, "shape": [8, 8, 1], "pixel_range": "0-1"})
    return folder


PGD = {"method": "pgd", "step": 0.015, "iterations": 12}
FGSM = {"method": "fgsm"}
FMN = {"method": "fmn", "iterations": 15}
NEAREST = {
    "method": "carlini_wagner",
    "norm": "2",
    "iterations": 30,
    "own": '{"binary_search_steps": 3}',
    "target": "1",
}


def common(place: Path, **settings) -> dict:
    files = {"model": place / "model.keras", "info": place / "dataset.json", "images": place / "evaluation.npz"}
    return files | {"attack": "a", "epsilon_unit": "0-1", "seed": 3, "threads": 1} | settings


@pytest.mark.parametrize(
    ("settings", "epsilons", "without_gradients"),
    [
        (FGSM, "0.1", True),
        (PGD, "0.18", True),
        (PGD, "0.05", False),
        (FMN, "0.02", True),
        (FMN, "0", True),
        (FMN | {"norm": "2"}, "0.1", True),
        (NEAREST, "0.3", True),
        (NEAREST, "4", True),
    ],
)
def test_a_set_along_a_path_starts_no_tensorflow_where_it_needs_none(
    place, tmp_path, settings, epsilons, without_gradients
):
    """A TensorFlow that can't be imported stands in the way: the set is made, byte for byte, or it is not."""
    call("craft_path", **common(place, **settings), output=tmp_path / "path.npz")
    call("craft_adversarial", **common(place, **settings), epsilon=epsilons, output=tmp_path / "plain.npz")
    call(
        "craft_adversarial", **common(place, **settings), epsilon=epsilons, path=tmp_path / "path.npz",
        output=tmp_path / "followed.npz",
    )  # fmt: skip
    assert (tmp_path / "followed.npz").read_bytes() == (tmp_path / "plain.npz").read_bytes()
    broken = tmp_path / "broken/tensorflow"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('no TensorFlow here')\n")
    options = common(place, **settings) | {"epsilon": epsilons, "path": tmp_path / "path.npz"}
    words = [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
    done = run(
        ROOT, sys.executable, "workflow_scripts/craft_adversarial.py", *words, f"--output={tmp_path / 'light.npz'}",
        environment={"PYTHONPATH": str(broken.parent)}, check=False,
    )  # fmt: skip
    assert (done.returncode == 0) is without_gradients, done.stdout
    assert (tmp_path / "light.npz").exists() is without_gradients
    if without_gradients:
        assert (tmp_path / "light.npz").read_bytes() == (tmp_path / "plain.npz").read_bytes()
    else:
        assert "no TensorFlow here" in done.stdout


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"attack": "b"}, "path.npz holds the path of another attack: make it again"),
        ({"step": 0.02}, "path.npz holds the path of another attack: make it again"),
        ({"seed": 4}, "path.npz holds the path of another attack: make it again"),
        ({"images": "others.npz"}, "path.npz holds the path of other images: make it again"),
        ({"model": "other.keras"}, "path.npz holds the path of another model: make it again"),
        ({"path": "evaluation.npz"}, "has no array 'bits'"),
    ],
)
def test_a_foreign_path_is_refused(place, tmp_path, changed, sentence):
    replace(images(), indices=np.arange(40)).save(place / "others.npz")
    save_network(curved_network(2.0), place / "other.keras")
    call("craft_path", **common(place, **PGD), output=tmp_path / "path.npz")
    options = common(place, **PGD) | {"path": tmp_path / "path.npz"}
    options |= {key: place / value if key in ("images", "model", "path") else value for key, value in changed.items()}
    with pytest.raises(click.ClickException, match=sentence):
        call("craft_adversarial", **options, epsilon="0.18", output=tmp_path / "set.npz")
    assert not (tmp_path / "set.npz").exists()


def test_a_path_without_its_note_is_refused(tmp_path):
    path = AttackPath(np.zeros((1, 2, 1, 8), np.uint8), (8, 8, 1), *[np.zeros(1, np.int64)] * 3, {}, "")
    path.save(tmp_path / "path.npz")
    with np.load(tmp_path / "path.npz") as archive:
        arrays = dict(archive) | {"note": np.array("{}")}
    np.savez(tmp_path / "path.npz", **arrays)
    with pytest.raises(UserError, match="does not say what it is the path of: remove it"):
        AttackPath.load(tmp_path / "path.npz")


def test_a_foreign_run_of_least_norm_is_refused(place, tmp_path):
    call("craft_path", **common(place, **FMN), output=tmp_path / "path.npz")
    options = common(place, **FMN | {"iterations": 16}) | {"path": tmp_path / "path.npz"}
    with pytest.raises(click.ClickException, match="path of another attack: make it again"):
        call("craft_adversarial", **options, epsilon="0.1", output=tmp_path / "set.npz")
    call("craft_path", **common(place, **PGD), output=tmp_path / "path.npz")
    with pytest.raises(click.ClickException, match="has no array 'images'"):
        call("craft_adversarial", **options, epsilon="0.1", output=tmp_path / "set.npz")


def test_an_attack_without_a_path_is_told(place, tmp_path):
    with pytest.raises(click.ClickException, match="a has another way at every epsilon: only fgsm, and bim and pgd"):
        call("craft_path", **common(place, method="pgd", relative_step=0.1), output=tmp_path / "path.npz")
    assert not (tmp_path / "path.npz").exists()
