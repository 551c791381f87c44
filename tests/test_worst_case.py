"""The cascade, with attacks whose outcomes are written down beforehand, and the tables that its findings lead to."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from networks import curved_network, images

from robustness.attacks.attack_settings import AttackSettings
from robustness.attacks.crafting import craft
from robustness.attacks.worst_case import Target, find_worst_case, with_more_effort
from robustness.data.datasets import to_pixels
from robustness.errors import UserError
from robustness.evaluation.records import write_records
from robustness.evaluation.worst_case_records import (
    WorstCaseSet,
    broken_by_round,
    check_worst_case,
    first_falls,
    read_attacks,
    worst_case,
)

NEVER = float("inf")
IMAGES = np.zeros((5, 2, 2, 1), "f4") + np.arange(5, dtype="f4")[:, None, None, None]  # an image's pixels tell which
LABELS = np.zeros(5, int)
STANDING = np.full(5, NEVER)
BIM, PGD, FMN = (AttackSettings(method, iterations=1) for method in ("bim", "pgd", "fmn"))
SQUARE = AttackSettings("square", queries=1)


class Scripted:
    """A target on which attacks do what a script says, and that notes what it was asked for.

    script: {(method, epsilon): images that fall, or {round: images}}; of fmn {("fmn", image): distance, or {round:
    distance}}. Only 0 is the right class.
    """

    def __init__(self, script, scale=1.0):
        self.script, self.scale, self.asked = script, scale, []

    def search(self, images, labels, settings, epsilon, number):
        which = images[:, 0, 0, 0].astype(int)
        self.asked.append((settings.method, epsilon, which.tolist()))
        assert 2 ** (number - 1) == (settings.queries if settings.method == "square" else settings.iterations)
        found = images.copy()

        def told(key, nothing):
            content = self.script.get(key, nothing)
            return content.get(number, nothing) if isinstance(content, dict) else content

        for i, image in enumerate(which):
            if settings.method == "fmn":
                found[i, 1, 1] += told(("fmn", image), 0) * self.scale
            elif image in told((settings.method, epsilon), ()):
                found[i, 1, 1] += float(epsilon) * self.scale
        return found

    def predict(self, images):
        return (images[:, 1, 1, 0] != images[:, 0, 0, 0]).astype(int)


def search(script, attacks, epsilons=("0.1", "0.2", "0.4"), falls_at=STANDING, scale=1.0, rounds=1):
    """What the cascade asked for, and what it found."""
    target = Scripted(script, scale)
    attacks = {f"a_{settings.method}": settings for settings in attacks}
    given = IMAGES.copy(), LABELS.copy(), falls_at.copy()
    found = find_worst_case(target, *given, list(epsilons), attacks, rounds)
    for before, after in zip((IMAGES, LABELS, falls_at), given):
        assert (before == after).all()  # nothing that was given is changed
    assert found.images.dtype == np.float32 and target.predict(found.images).all()
    assert (found.images[:, 0, 0, 0] == found.positions).all()
    return target.asked, found


def smallest(found) -> dict:
    """{image: (epsilon, attack)} of the last example of each, which is that of the smallest epsilon."""
    kept: dict = {}
    for image, epsilon, attack in zip(found.positions.tolist(), found.epsilons, found.attacks):
        assert image not in kept or float(epsilon) < float(kept[image][0])
        kept[image] = epsilon, attack
    return kept


def find(*arguments, **options):
    """The same with what was found as {image: (epsilon, attack)}."""
    asked, found = search(*arguments, **options)
    return asked, smallest(found)


def test_each_attack_is_spent_on_what_all_before_it_left_standing():
    script = {("bim", "0.1"): [0], ("pgd", "0.1"): [2], ("bim", "0.2"): [1, 4], ("pgd", "0.4"): [0, 3]}
    asked, found = find(script, [BIM, PGD])
    assert asked == [
        ("bim", "0.1", [0, 1, 2, 3, 4]),
        ("pgd", "0.1", [1, 2, 3, 4]),
        ("bim", "0.2", [1, 3, 4]),
        ("pgd", "0.2", [3]),
        ("bim", "0.4", [3]),
        ("pgd", "0.4", [3]),
    ]
    assert found == {
        0: ("0.1", "a_bim"),
        2: ("0.1", "a_pgd"),
        1: ("0.2", "a_bim"),
        4: ("0.2", "a_bim"),
        3: ("0.4", "a_pgd"),
    }


def test_what_needs_no_gradient_comes_last_wherever_it_stands():
    """Image 2 falls to the gradient at 0.2 and to the search at 0.1: both examples are kept, so that both are known."""
    script = {("bim", "0.1"): [0], ("bim", "0.2"): [2], ("square", "0.1"): [1, 2], ("bim", "0.4"): [4]}
    asked, found = search(script, [SQUARE, BIM])
    assert asked == [
        ("bim", "0.1", [0, 1, 2, 3, 4]),
        ("bim", "0.2", [1, 2, 3, 4]),
        ("bim", "0.4", [1, 3, 4]),
        ("square", "0.1", [1, 2, 3, 4]),
        ("square", "0.2", [3, 4]),
        ("square", "0.4", [3]),
    ]
    examples = list(zip(found.positions.tolist(), found.epsilons, found.attacks))
    assert [example for example in examples if example[0] == 2] == [(2, "0.2", "a_bim"), (2, "0.1", "a_square")]
    assert found.tried == {text: {"gradient": 1, "gradient_free": 1} for text in ("0.1", "0.2", "0.4")}


def test_rounds_go_on_while_they_break_something_and_only_where_they_do():
    """At 0.2 round 1 breaks two more than at 0.1, round 2 nothing; at 0.1 round 2 breaks one, round 3 nothing."""
    script = {("bim", "0.1"): {1: [0], 2: [0, 1], 4: [2]}, ("bim", "0.2"): {1: [1, 2]}}
    asked, found = search(script, [BIM, SQUARE], epsilons=["0.1", "0.2"], rounds=9)
    assert asked == [
        ("bim", "0.1", [0, 1, 2, 3, 4]),
        ("bim", "0.2", [1, 2, 3, 4]),
        ("bim", "0.1", [1, 2, 3, 4]),
        ("bim", "0.2", [3, 4]),
        ("bim", "0.1", [2, 3, 4]),
        ("square", "0.1", [2, 3, 4]),
        ("square", "0.2", [3, 4]),
    ]
    assert smallest(found) == {0: ("0.1", "a_bim"), 1: ("0.1", "a_bim"), 2: ("0.2", "a_bim")}
    assert found.rounds.tolist() == [1, 1, 1, 2]
    assert found.tried == {
        "0.1": {"gradient": 3, "gradient_free": 1},
        "0.2": {"gradient": 2, "gradient_free": 1},
    }


def test_rounds_end_with_their_budget():
    script = {("square", "0.1"): {1: [0], 2: [1], 3: [2]}}
    asked, found = search(script, [SQUARE], epsilons=["0.1"], rounds=2)
    assert len(asked) == 2 and sorted(smallest(found)) == [0, 1]
    assert found.tried == {"0.1": {"gradient": 0, "gradient_free": 2}}


def test_the_first_round_of_attacks_with_gradients_ends_nothing():
    """It may break nothing since it is no stronger than the study's own attacks; the second has twice the effort."""
    _, found = search({("bim", "0.1"): {2: [0]}}, [BIM, SQUARE], epsilons=["0.1"], rounds=9)
    assert found.tried == {"0.1": {"gradient": 3, "gradient_free": 1}} and smallest(found) == {0: ("0.1", "a_bim")}


@pytest.mark.parametrize(("broken", "rounds"), [(1, 2), (2, 3), (3, 3)])
def test_less_than_a_hundredth_of_the_images_ends_the_rounds(broken, rounds):
    """In the second round; of 200 images 2 are a hundredth."""
    images = np.zeros((200, 2, 2, 1), "f4") + np.arange(200, dtype="f4")[:, None, None, None]
    target = Scripted({("bim", "0.1"): {1: range(50), 2: range(50 + broken)}})
    found = find_worst_case(target, images, np.zeros(200, int), np.full(200, NEVER), ["0.1"], {"a": BIM}, 5)
    assert found.tried["0.1"]["gradient"] == rounds


def test_an_epsilon_is_attacked_again_when_another_breaks_its_images():
    """What falls at 0.1 in round 2 falls at 0.2, too, where round 1 had found nothing."""
    script = {("bim", "0.1"): {1: [0], 2: [1]}}
    _, found = search(script, [BIM], epsilons=["0.1", "0.2"], falls_at=np.array([0.2, NEVER, NEVER, 0, 0]), rounds=9)
    assert found.tried == {"0.1": {"gradient": 3, "gradient_free": 0}, "0.2": {"gradient": 3, "gradient_free": 0}}


def test_the_cascade_ends_when_all_have_fallen():
    asked, found = find({("bim", "0.1"): range(5)}, [BIM, SQUARE], rounds=4)
    assert asked == [("bim", "0.1", [0, 1, 2, 3, 4])] and len(found) == 5


def test_more_effort_doubles_iterations_and_queries_and_halves_steps():
    assert with_more_effort(AttackSettings("square", queries=100), 3).queries == 400
    assert with_more_effort(AttackSettings("fmn", iterations=20), 1) == AttackSettings("fmn", iterations=20)
    pgd = AttackSettings("pgd", relative_step=0.25, iterations=8, random_start=True, restarts=2)
    more = with_more_effort(pgd, 3)
    assert more == dataclasses.replace(pgd, iterations=32, relative_step=0.0625)
    assert with_more_effort(AttackSettings("noise"), 5) == AttackSettings("noise")


def test_epsilons_rise_however_they_are_given_and_zero_is_none():
    asked, _ = find({}, [BIM], epsilons=["10", "0.0", "9", "0", "0.10", "8e-3"])
    assert [epsilon for _, epsilon, _ in asked] == ["8e-3", "0.10", "9", "10"]


@pytest.mark.parametrize(("attacks", "epsilons"), [([], ["0.1"]), ([BIM, FMN], []), ([BIM, FMN], ["0"])])
def test_nothing_to_do_finds_nothing(attacks, epsilons):
    assert find({("bim", "0.1"): [0], ("fmn", 1): 0.05}, attacks, epsilons) == ([], {})


def test_images_that_are_known_to_fall_are_spared_from_there_on():
    known = np.array([0, 0.1, 0.2, 0.3, NEVER])
    script = {("bim", epsilon): range(5) for epsilon in ("0.2", "0.4")}
    asked, found = find(script, [BIM], falls_at=known)
    assert asked == [("bim", "0.1", [2, 3, 4]), ("bim", "0.2", [3, 4])]
    assert found == {3: ("0.2", "a_bim"), 4: ("0.2", "a_bim")}


@pytest.mark.parametrize("scale", [1.0, 255.0, 2 / 255])
@pytest.mark.parametrize("norm", ["inf", "2"])
def test_an_attack_of_least_norm_runs_first_and_once(norm, scale):
    """On what stands at the smallest epsilon; each find counts from the smallest epsilon on that holds it."""
    script = {("fmn", 0): 0.05, ("fmn", 1): 0.15, ("fmn", 2): 0.39, ("fmn", 3): 0.41, ("pgd", "0.2"): [0, 1, 2]}
    asked, found = find(script, [PGD, dataclasses.replace(FMN, norm=norm)], scale=scale)
    assert asked == [
        ("fmn", "0.4", [0, 1, 2, 3, 4]),
        ("pgd", "0.1", [1, 2, 3, 4]),
        ("pgd", "0.2", [2, 3, 4]),
        ("pgd", "0.4", [3, 4]),
    ]
    assert found == {0: ("0.1", "a_fmn"), 1: ("0.2", "a_fmn"), 2: ("0.2", "a_pgd")}


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
    found = find_worst_case(target, x, labels, np.full(24, NEVER), epsilons, attacks, rounds=3)
    falls_at = np.full(24, NEVER)
    for position, text in zip(found.positions, found.epsilons):
        falls_at[position] = min(falls_at[position], float(text))
    for name, settings in attacks.items():
        for size, text in zip(sizes, epsilons):
            alone, _ = craft(network, x, labels, settings, size, 0.5 * size, clip, seed, 24)
            fell = network(alone).numpy().argmax(1) != labels
            if name == "square":  # draws otherwise for fewer images
                assert fell.sum() <= (falls_at <= float(text)).sum()
            else:
                assert (falls_at[fell] <= float(text)).all()
    assert len(set(found.positions)) > 5 and {"pgd", "least_norm"} & set(found.attacks)
    note = {"norm": norm, "epsilon_unit": {1: "0-1", 255: "0-255"}[unit], "model_sha256": "hash"}
    indices = clean.indices[found.positions]
    worst = WorstCaseSet(found.images, indices, found.epsilons, found.attacks, found.rounds, note)
    norms = check_worst_case(worst, clean, clip, "hash")["linf" if norm == "inf" else "l2"]
    assert (norms <= worst.epsilons.astype(float) * (1 + 1e-5)).all()


def test_a_round_draws_anew():
    """The second round of noise, which is no stronger, moves the same images elsewhere."""
    target = Target(curved_network(), (0.0, 1.0), 1.0, 3, 24)
    x = to_pixels(images(4).images, (0.0, 1.0))
    noise = AttackSettings("noise")
    first, again, second = (target.search(x, LABELS[:4], noise, "0.1", number) for number in (1, 1, 2))
    assert (first == again).all() and (first != second).any()


# --- what each round broke -------------------------------------------------------------------------------------------

PHASES = {"a": "gradient", "b": "gradient", "square": "gradient_free"}
EXAMPLES = pd.DataFrame(
    [
        (1, "0.1", "a", 1, 0, 1),
        (2, "0.1", "b", 1, 0, 0),  # is not misclassified after all
        (2, "0.2", "a", 2, 0, 1),
        (3, "0.1", "a", 2, 0, 1),
        (4, "0.2", "b", 3, 0, 1),
        (4, "0.1", "square", 1, 0, 1),
        (5, "0.1", "square", 2, 0, 1),
        (6, "0.1", "square", 1, 0, 1),  # had fallen to an attack of the study
    ],
    columns=["index", "epsilon", "attack", "round", "label", "prediction"],
)


@pytest.mark.parametrize(
    ("epsilon", "tried", "counts", "left"),
    [
        ("0.1", (2, 2), [("gradient", 1, 6, 1), ("gradient", 2, 5, 1), ("gradient_free", 1, 4, 1),
                         ("gradient_free", 2, 3, 1)], [2, 7]),
        ("0.2", (3, 2), [("gradient", 1, 6, 1), ("gradient", 2, 5, 2), ("gradient", 3, 3, 1),
                         ("gradient_free", 1, 2, 0), ("gradient_free", 2, 2, 1)], [7]),
        ("0.2", (1, 0), [("gradient", 1, 6, 4), ("gradient_free", 1, 2, 1)], [7]),  # rounds at 0.1 broke more here
    ],
)  # fmt: skip
def test_what_each_round_broke(epsilon, tried, counts, left):
    """Seven images, of which 6 fell to an attack of the study at 0.1; of the cascade's examples by hand."""
    standing = pd.DataFrame({"index": range(1, 8), "falls_at": [NEVER] * 5 + [0.1, NEVER]})
    rounds, stands = broken_by_round(
        standing, EXAMPLES, dict(zip(("gradient", "gradient_free"), tried)), PHASES, epsilon
    )
    assert [tuple(row.values()) for row in rounds] == counts
    assert list(rounds[0]) == ["phase", "round", "attacked", "broken"]
    assert stands[stands].index.tolist() == left


def test_rounds_in_which_nothing_was_left_are_none():
    standing = pd.DataFrame({"index": [1], "falls_at": [0.1]})
    rounds, _ = broken_by_round(standing, EXAMPLES, {"gradient": 0, "gradient_free": 0}, PHASES, "0.1")
    assert rounds == []


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


ARRAYS = ("images", "indices", "epsilons", "attacks", "rounds")


def worst_case_set(pixel_range=(0.0, 1.0), unit="0-1", norm="inf", factor=1) -> WorstCaseSet:
    """Three images in another order than the subset's, each with one pixel at the edge of its own epsilon."""
    clean, which = images(), np.array([5, 30, 2])
    low, high = pixel_range
    x = to_pixels(clean.images, pixel_range)[which]
    sizes = np.array([0.1, 0.4, 0.2], "f4") * (high - low)
    x[:, 4, 4, 0] += np.where(x[:, 4, 4, 0] < (low + high) / 2, sizes, -sizes)
    note = {"norm": norm, "epsilon_unit": unit, "model_sha256": "hash"}
    epsilons = np.array([f"{size * factor:g}" for size in (0.1, 0.4, 0.2)])
    return WorstCaseSet(
        x, clean.indices[which], epsilons, np.array(["pgd", "square", "fmn"]), np.array([1, 1, 2]), note
    )


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
        (
            changed(
                indices=lambda good: good.indices[[0, 1, 0]], epsilons=lambda good: np.array(["0.1", "0.4", "0.10"])
            ),
            "comes from other images",
        ),
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
    empty = dataclasses.replace(good, **{name: getattr(good, name)[:0] for name in ARRAYS})
    empty.save(tmp_path / "a.npz")
    norms = check_worst_case(WorstCaseSet.load(tmp_path / "a.npz"), images(), (0.0, 1.0), "hash")
    assert {name: len(values) for name, values in norms.items()} == {"linf": 0, "l2": 0}


def test_a_set_survives_its_file_byte_for_byte(tmp_path):
    good = worst_case_set()
    good.save(tmp_path / "a.npz")
    good.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    loaded = WorstCaseSet.load(tmp_path / "a.npz")
    for name in ARRAYS:
        before, after = getattr(good, name), getattr(loaded, name)
        assert before.dtype == after.dtype and before.tobytes() == after.tobytes()
    assert loaded.note == good.note


@pytest.mark.parametrize("content", [b"", b"PK broken", json.dumps({"no": "set"}).encode()])
def test_a_broken_file_is_told(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(UserError, match="remove it"):
        WorstCaseSet.load(tmp_path / "a.npz")
