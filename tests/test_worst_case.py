"""The cascade, with attacks whose outcomes are written down beforehand, and the tables that its findings lead to."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from networks import curved_network, images

from robustness.attack_settings import AttackSettings
from robustness.crafting import craft
from robustness.datasets import to_pixels
from robustness.errors import UserError
from robustness.records import write_records
from robustness.worst_case import Target, find_worst_case
from robustness.worst_case_records import WorstCaseSet, check_worst_case, first_falls, read_attacks, worst_case

NEVER = float("inf")
IMAGES = np.zeros((5, 2, 2, 1), "f4") + np.arange(5, dtype="f4")[:, None, None, None]  # an image's pixels tell which
LABELS = np.zeros(5, int)
STANDING = np.full(5, NEVER)
NOISE, SQUARE, FMN = AttackSettings("noise"), AttackSettings("square"), AttackSettings("fmn")


class Scripted:
    """A target on which attacks do what a script says, and that notes what it was asked for.

    script: {(method, epsilon): images that fall}; of fmn {("fmn", image): distance}. Only 0 is the right class.
    """

    def __init__(self, script, scale=1.0):
        self.script, self.scale, self.asked = script, scale, []

    def search(self, images, labels, settings, epsilon):
        which = images[:, 0, 0, 0].astype(int)
        self.asked.append((settings.method, epsilon, which.tolist()))
        found = images.copy()
        for i, image in enumerate(which):
            if settings.method == "fmn":
                found[i, 1, 1] += self.script.get(("fmn", image), 0) * self.scale
            elif image in self.script.get((settings.method, epsilon), ()):
                found[i, 1, 1] += float(epsilon) * self.scale
        return found

    def predict(self, images):
        return (images[:, 1, 1, 0] != images[:, 0, 0, 0]).astype(int)


def find(script, attacks, epsilons=("0.1", "0.2", "0.4"), falls_at=STANDING, scale=1.0):
    """What the cascade asked for; and what it found, as {image: (epsilon, attack)}."""
    target = Scripted(script, scale)
    attacks = {f"a_{settings.method}": settings for settings in attacks}
    given = IMAGES.copy(), LABELS.copy(), falls_at.copy()
    found, at, by = find_worst_case(target, *given, list(epsilons), attacks)
    for before, after in zip((IMAGES, LABELS, falls_at), given):
        assert (before == after).all()  # nothing that was given is changed
    assert found.dtype == np.float32 and (target.predict(found) == (at != "")).all()
    assert ((at == "") == (by == "")).all() and (found[at == ""] == IMAGES[at == ""]).all()
    return target.asked, {i: (at[i], by[i]) for i in range(5) if at[i]}


def test_each_attack_is_spent_on_what_all_before_it_left_standing():
    script = {("noise", "0.1"): [0], ("square", "0.1"): [2], ("noise", "0.2"): [1, 4], ("square", "0.4"): [0, 3]}
    asked, found = find(script, [NOISE, SQUARE])
    assert asked == [
        ("noise", "0.1", [0, 1, 2, 3, 4]),
        ("square", "0.1", [1, 2, 3, 4]),
        ("noise", "0.2", [1, 3, 4]),
        ("square", "0.2", [3]),
        ("noise", "0.4", [3]),
        ("square", "0.4", [3]),
    ]
    assert found == {
        0: ("0.1", "a_noise"),
        2: ("0.1", "a_square"),
        1: ("0.2", "a_noise"),
        4: ("0.2", "a_noise"),
        3: ("0.4", "a_square"),
    }


def test_the_cascade_ends_when_all_have_fallen():
    asked, found = find({("noise", "0.1"): range(5)}, [NOISE, SQUARE])
    assert asked == [("noise", "0.1", [0, 1, 2, 3, 4])] and len(found) == 5


def test_epsilons_rise_however_they_are_given_and_zero_is_none():
    asked, _ = find({}, [NOISE], epsilons=["10", "0.0", "9", "0", "0.10", "8e-3"])
    assert [epsilon for _, epsilon, _ in asked] == ["8e-3", "0.10", "9", "10"]


@pytest.mark.parametrize(("attacks", "epsilons"), [([], ["0.1"]), ([NOISE, FMN], []), ([NOISE, FMN], ["0"])])
def test_nothing_to_do_finds_nothing(attacks, epsilons):
    assert find({("noise", "0.1"): [0], ("fmn", 1): 0.05}, attacks, epsilons) == ([], {})


def test_images_that_are_known_to_fall_are_spared_from_there_on():
    known = np.array([0, 0.1, 0.2, 0.3, NEVER])
    script = {("noise", epsilon): range(5) for epsilon in ("0.2", "0.4")}
    asked, found = find(script, [NOISE], falls_at=known)
    assert asked == [("noise", "0.1", [2, 3, 4]), ("noise", "0.2", [3, 4])]
    assert found == {3: ("0.2", "a_noise"), 4: ("0.2", "a_noise")}


@pytest.mark.parametrize("scale", [1.0, 255.0, 2 / 255])
@pytest.mark.parametrize("norm", ["inf", "2"])
def test_an_attack_of_least_norm_runs_first_and_once(norm, scale):
    """On what stands at the smallest epsilon; each find counts from the smallest epsilon on that holds it."""
    script = {("fmn", 0): 0.05, ("fmn", 1): 0.15, ("fmn", 2): 0.39, ("fmn", 3): 0.41, ("square", "0.2"): [0, 1, 2]}
    asked, found = find(script, [SQUARE, dataclasses.replace(FMN, norm=norm)], scale=scale)
    assert asked == [
        ("fmn", "0.4", [0, 1, 2, 3, 4]),
        ("square", "0.1", [1, 2, 3, 4]),
        ("square", "0.2", [2, 3, 4]),
        ("square", "0.4", [3, 4]),
    ]
    assert found == {0: ("0.1", "a_fmn"), 1: ("0.2", "a_fmn"), 2: ("0.2", "a_square")}


def test_an_attack_of_least_norm_counts_only_below_what_is_known():
    known = np.array([0.1, 0.2, 0.2, 0.4, NEVER])
    script = {("fmn", 0): 0.05, ("fmn", 1): 0.05, ("fmn", 2): 0.15, ("fmn", 3): 0.15}
    asked, found = find(script, [FMN], falls_at=known)
    assert asked == [("fmn", "0.4", [1, 2, 3, 4])]
    assert found == {1: ("0.1", "a_fmn"), 3: ("0.2", "a_fmn")}


@pytest.mark.parametrize("norm", ["inf", "2"])
@pytest.mark.parametrize("unit", [1, 255])
def test_a_cascade_on_a_network_is_at_least_as_strong_as_each_of_its_attacks(norm, unit):
    clip, seed = (0.0, 1.0), 3
    network, clean = curved_network(), images(24)
    x = to_pixels(clean.images, clip)
    labels = network(x).numpy().argmax(1)
    clean = dataclasses.replace(clean, labels=labels)
    sizes = [size * (1 if norm == "inf" else 8) for size in (0.01, 0.03)]
    epsilons = [f"{size * unit:g}" for size in sizes]
    attacks = {
        "pgd": AttackSettings("pgd", norm=norm, relative_step=0.5, iterations=3),
        "least_norm": AttackSettings("fmn", norm=norm, iterations=15),
        "square": AttackSettings("square", norm=norm, queries=10),
    }
    target = Target(network, clip, 1 / unit, seed, 24)
    found, at, by = find_worst_case(target, x, labels, np.full(24, NEVER), epsilons, attacks)
    falls_at = np.array([float(text or "inf") for text in at])
    for name, settings in attacks.items():
        for size, text in zip(sizes, epsilons):
            alone, _ = craft(network, x, labels, settings, size, 0.5 * size, clip, seed, 24)
            fell = network(alone).numpy().argmax(1) != labels
            if name == "square":  # draws otherwise for fewer images
                assert fell.sum() <= (falls_at <= float(text)).sum()
            else:
                assert (falls_at[fell] <= float(text)).all()
    which = at != ""
    assert which.sum() > 5 and {"pgd", "least_norm"} & set(by)
    note = {"norm": norm, "epsilon_unit": {1: "0-1", 255: "0-255"}[unit], "model_sha256": "hash"}
    worst = WorstCaseSet(found[which], clean.indices[which], at[which], by[which], note)
    norms = check_worst_case(worst, clean, clip, "hash")["linf" if norm == "inf" else "l2"]
    assert (norms <= worst.epsilons.astype(float) * (1 + 1e-5)).all()


# --- from attacks to the smallest epsilon ----------------------------------------------------------------------------


def table(rows):
    """Records: (index, label, prediction), of an attack also its name and epsilon."""
    return pd.DataFrame(rows, columns=["index", "label", "prediction", "attack", "epsilon"][: len(rows[0])])


CLEAN = table([(7, 0, 0), (3, 1, 1), (9, 2, 0), (4, 1, 1), (5, 0, 0)])
FIRST = table(
    [
        (7, 0, 0, "fgsm", "0.1"),
        (7, 0, 2, "fgsm", "0.2"),
        (3, 1, 0, "fgsm", "0.2"),
        (9, 2, 0, "fgsm", "0.1"),  # was wrong without an attack
        (4, 1, 1, "fgsm", "0.1"),
        (7, 0, 1, "pgd", "0.20"),
        (3, 1, 0, "pgd", "0.1"),
        (3, 1, 1, "pgd", "0.2"),  # survives, but had fallen at a smaller epsilon
    ]
)
SECOND = table([(7, 0, 1, "square", "0.2"), (4, 1, 0, "square", "10"), (4, 1, 0, "square", "9")])


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ([], {7: (NEVER, "", ""), 3: (NEVER, "", ""), 9: (0, "0", "clean"), 4: (NEVER, "", "")}),
        ([FIRST.iloc[:0]], {7: (NEVER, "", ""), 3: (NEVER, "", ""), 9: (0, "0", "clean"), 4: (NEVER, "", "")}),
        ([FIRST], {7: (0.2, "0.2", "fgsm"), 3: (0.1, "0.1", "pgd"), 9: (0, "0", "clean"), 4: (NEVER, "", "")}),
        (
            [FIRST, SECOND],
            {7: (0.2, "0.2", "fgsm"), 3: (0.1, "0.1", "pgd"), 9: (0, "0", "clean"), 4: (9, "9", "square")},
        ),
        (
            [SECOND, FIRST],  # of a tie the first given counts
            {7: (0.2, "0.2", "square"), 3: (0.1, "0.1", "pgd"), 9: (0, "0", "clean"), 4: (9, "9", "square")},
        ),
    ],
    ids=["no table", "empty table", "one", "two", "the other way round"],
)
def test_an_image_falls_at_the_smallest_epsilon_of_any_attack(tables, expected):
    falls = first_falls(CLEAN, *tables)
    assert falls["index"].tolist() == [7, 3, 9, 4, 5] and falls["label"].tolist() == [0, 1, 2, 1, 0]
    found = {row[0]: row[1:] for row in zip(*(falls[name] for name in ("index", "falls_at", "epsilon", "by")))}
    assert found == expected | {5: (NEVER, "", "")}


def test_a_model_without_an_error_has_no_falls_at_zero():
    falls = first_falls(CLEAN[CLEAN["index"] != 9], FIRST)
    assert falls["falls_at"].tolist() == [0.2, 0.1, NEVER, NEVER]


def test_an_image_that_fell_stays_fallen_at_larger_epsilons():
    rows = worst_case(first_falls(CLEAN, FIRST, SECOND), ["10", "0.1", "9", "0.2", "0"])
    assert list(rows.columns) == ["index", "label", "epsilon", "survived", "broken_by"]
    assert rows["epsilon"].unique().tolist() == ["0", "0.1", "0.2", "9", "10"]  # as numbers, not as texts
    survived = {epsilon: part.loc[part["survived"], "index"].tolist() for epsilon, part in rows.groupby("epsilon")}
    assert survived == {"0": [7, 3, 4, 5], "0.1": [7, 4, 5], "0.2": [4, 5], "9": [5], "10": [5]}
    at_9 = rows[rows["epsilon"] == "9"].set_index("index")["broken_by"].to_dict()
    assert at_9 == {7: "fgsm", 3: "pgd", 9: "clean", 4: "square", 5: ""}
    assert rows.loc[rows["epsilon"] == "0", "broken_by"].tolist() == ["", "", "clean", "", ""]


def test_records_of_several_attacks_are_read_as_one_table(tmp_path):
    parts = {}
    for name, epsilon in [("fgsm", "0.10"), ("fgsm", "8"), ("pgd", "0.05"), ("pgd", "0.10")]:
        part = table([(7, 0, 1 if name == "pgd" else 0), (3, 1, 1)]).assign(epsilon=epsilon)
        parts.setdefault(name, []).append(part)
    for name, several in parts.items():
        write_records(pd.concat(several), tmp_path / "attacks" / f"{name}.csv")
    found = read_attacks(tmp_path, [("fgsm", ["0.10", "8"]), ("pgd", ["0.10"])])
    assert found["attack"].tolist() == ["fgsm"] * 4 + ["pgd"] * 2
    assert found["epsilon"].tolist() == ["0.10", "0.10", "8", "8", "0.10", "0.10"]
    assert first_falls(CLEAN, found)["by"].tolist() == ["pgd", "", "clean", "", ""]
    assert first_falls(CLEAN, read_attacks(tmp_path, []))["by"].tolist() == ["", "", "clean", "", ""]


# --- the file of what was found, and its check -----------------------------------------------------------------------


def worst_case_set(pixel_range=(0.0, 1.0), unit="0-1", norm="inf", factor=1) -> WorstCaseSet:
    """Three images in another order than the subset's, each with one pixel at the edge of its own epsilon."""
    clean, which = images(), np.array([5, 30, 2])
    low, high = pixel_range
    x = to_pixels(clean.images, pixel_range)[which]
    sizes = np.array([0.1, 0.4, 0.2], "f4") * (high - low)
    x[:, 4, 4, 0] += np.where(x[:, 4, 4, 0] < (low + high) / 2, sizes, -sizes)
    note = {"norm": norm, "epsilon_unit": unit, "model_sha256": "hash"}
    epsilons = np.array([f"{size * factor:g}" for size in (0.1, 0.4, 0.2)])
    return WorstCaseSet(x, clean.indices[which], epsilons, np.array(["pgd", "square", "fmn"]), note)


@pytest.mark.parametrize("pixel_range", [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)])
@pytest.mark.parametrize(("unit", "factor"), [("0-1", 1), ("0-255", 255)])
@pytest.mark.parametrize("norm", ["inf", "2"])
def test_examples_at_the_edges_of_their_balls_pass(pixel_range, unit, factor, norm):
    norms = check_worst_case(worst_case_set(pixel_range, unit, norm, factor), images(), pixel_range, "hash")
    for lengths in norms.values():
        np.testing.assert_allclose(lengths, factor * np.array([0.1, 0.4, 0.2]), rtol=1e-5)


def changed(**fields):
    return lambda good: dataclasses.replace(good, **{name: change(good) for name, change in fields.items()})


def with_pixel(value):
    def change(good):
        x = good.images.copy()
        x[1, 0, 0, 0] = value
        return x

    return change


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (changed(note=lambda good: good.note | {"model_sha256": "other"}), "this would be a transfer result"),
        (changed(indices=lambda good: np.array([1005, 1030, 1040])), "comes from other images"),
        (changed(indices=lambda good: np.array([1005, 1030, 1005])), "comes from other images"),
        (changed(indices=lambda good: good.indices[::-1]), "more than epsilon"),
        (changed(epsilons=lambda good: good.epsilons[::-1]), "more than epsilon"),
        (changed(epsilons=lambda good: np.array(["0.1", "0.399", "0.2"])), "moves an image by 0.4, more than epsilon"),
        (changed(note=lambda good: good.note | {"epsilon_unit": "0-255"}), "more than epsilon"),
        (changed(images=with_pixel(np.nan)), "no numbers"),
        (changed(images=with_pixel(-1e-6)), "leaves the pixel range"),
        (changed(images=with_pixel(1.000001)), "leaves the pixel range"),
        (changed(images=lambda good: good.images.astype("f8")), "holds float64"),
        (changed(images=lambda good: good.images[:2]), "of shape"),
        (changed(images=lambda good: good.images[:, :4]), "of shape"),
    ],
)
def test_a_broken_set_is_an_error(break_it, words):
    with pytest.raises(UserError, match=words) as caught:
        check_worst_case(break_it(worst_case_set()), images(), (0.0, 1.0), "hash")
    assert str(caught.value).startswith("the worst case in norm inf") and str(caught.value).endswith("craft it again.")


def test_the_euclidean_norm_is_checked_as_such():
    good = worst_case_set(norm="2")
    x = good.images.copy()
    x[:, 0, 0] += np.where(x[:, 0, 0] < 0.5, 1, -1) * np.float32(0.09)  # the maximum norm stays as it is
    check_worst_case(
        dataclasses.replace(good, images=x, note=good.note | {"norm": "inf"}), images(), (0.0, 1.0), "hash"
    )
    with pytest.raises(UserError, match="more than epsilon"):
        check_worst_case(dataclasses.replace(good, images=x), images(), (0.0, 1.0), "hash")


def test_an_empty_set_passes_and_survives_its_file(tmp_path):
    good = worst_case_set()
    empty = WorstCaseSet(good.images[:0], good.indices[:0], good.epsilons[:0], good.attacks[:0], good.note)
    empty.save(tmp_path / "a.npz")
    norms = check_worst_case(WorstCaseSet.load(tmp_path / "a.npz"), images(), (0.0, 1.0), "hash")
    assert {name: len(values) for name, values in norms.items()} == {"linf": 0, "l2": 0}


def test_a_set_survives_its_file_byte_for_byte(tmp_path):
    good = worst_case_set()
    good.save(tmp_path / "a.npz")
    good.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    loaded = WorstCaseSet.load(tmp_path / "a.npz")
    for name in ("images", "indices", "epsilons", "attacks"):
        before, after = getattr(good, name), getattr(loaded, name)
        assert before.dtype == after.dtype and before.tobytes() == after.tobytes()
    assert loaded.note == good.note


@pytest.mark.parametrize("content", [b"", b"PK broken", json.dumps({"no": "set"}).encode()])
def test_a_broken_file_is_told(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(UserError, match="remove it"):
        WorstCaseSet.load(tmp_path / "a.npz")
