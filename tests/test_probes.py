"""Probes of a network, and of the same with logits so large that cross-entropy has no gradient."""

import dataclasses

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from networks import curved_network, images

from robustness.attacks.attack_settings import AttackSettings
from robustness.attacks.worst_case import Target
from robustness.data.datasets import to_pixels
from robustness.diagnosis.probes import COLUMNS, Probes, zero_gradients

CLIP = (0.0, 1.0)
N = 12
EPSILONS = ["0.05", "0.1"]
ATTACKS = {
    "fgsm": AttackSettings("fgsm"),
    "pgd": AttackSettings("pgd", relative_step=0.5, iterations=3),
    "short": AttackSettings("bim", step=0.001, iterations=2),
    "aimed": AttackSettings("pgd", relative_step=0.5, iterations=3, target="random"),
    "long": AttackSettings("pgd", norm="2", loss="dlr", relative_step=0.5, iterations=3),
}
CASCADE = {
    "least_norm": AttackSettings("fmn", iterations=20),
    "scaled": AttackSettings("pgd", loss="scaled_cross_entropy", relative_step=0.25, iterations=8),
}


class Noting(Target):
    """A target that notes what was crafted on it: (settings, epsilon, images)."""

    def craft(self, images, labels, settings, epsilon, number=1):
        noted.append((settings, epsilon, len(images)))
        return super().craft(images, labels, settings, epsilon, number)


noted = []


def probe(scale=1.0, attacks=ATTACKS, cascade=CASCADE, share=0.5, clip=CLIP, unit=1.0):
    """The probes' rows; by the records each attack left the images of even index standing."""
    network = curved_network(scale)
    if clip != CLIP:
        inputs = keras.layers.Input((8, 8, 1))
        width = clip[1] - clip[0]
        network = keras.Model(inputs, network(keras.layers.Rescaling(1 / width, -clip[0] / width)(inputs)))
    clean = images(N)
    x = to_pixels(clean.images, clip)
    clean = dataclasses.replace(clean, labels=network(x).numpy().argmax(1))
    wrong = clean.indices % 2
    others = np.arange(N) + 5000  # images that were attacked and are not probed
    parts = [
        pd.DataFrame({"index": index, "label": label, "prediction": label + error, "attack": name, "epsilon": epsilon})
        for name in attacks or ["none"]
        for epsilon in ["0", *EPSILONS]
        for index, label, error in [(others, 0, 0), (clean.indices[::-1], clean.labels[::-1], wrong[::-1])]
    ]
    noted.clear()
    target = Noting(network, clip, (clip[1] - clip[0]) / unit, 0, N)
    rows = Probes(target, clean, clip).run(attacks, cascade, pd.concat(parts, ignore_index=True), 8, share)
    assert rows.columns.tolist() == COLUMNS
    assert (rows["label"] == rows["index"].map(dict(zip(clean.indices, clean.labels)))).all()
    return rows


@pytest.fixture(scope="module", params=[1.0, 1e5], ids=["curved", "masked"])
def probed(request):
    return request.param, probe(request.param), list(noted)


def broken(rows, name, attack=""):
    """The share of images that a probe breaks."""
    rows = rows[(rows["probe"] == name) & (rows["attack"] == attack)]
    return (rows["prediction"] != rows["label"]).mean()


def test_every_probe_is_run_where_it_has_a_meaning(probed):
    _, rows, _ = probed
    expected = set()
    for norm, huge in [("inf", "0.5"), ("2", "4")]:
        expected |= {(probe, "", norm, e) for probe in ("noise", "gradient_free") for e in EPSILONS}
        expected.add(("huge_epsilon", "worst_case", norm, huge))
    for name, norm, huge in [
        ("fgsm", "inf", "0.5"),
        ("pgd", "inf", "0.5"),
        ("short", "inf", "0.5"),
        ("long", "2", "4"),
    ]:
        expected.add(("huge_epsilon", name, norm, huge))
        if name != "fgsm":
            expected |= {(probe, name, norm, e) for probe in ("one_step", "twice_the_iterations") for e in EPSILONS}
    groups = rows.groupby(["probe", "attack", "norm", "epsilon"])
    assert set(groups.groups) == expected
    all_ = set(range(1000, 1000 + N))
    for (name, *_), part in groups:
        assert part["index"].is_unique
        # The records say that images of odd index fell.
        assert set(part["index"]) == ({i for i in all_ if i % 2 == 0} if name == "twice_the_iterations" else all_)


def test_each_probe_is_the_attack_that_it_says(probed):
    _, _, crafted = probed
    asked = [(settings, epsilon) for settings, epsilon, _ in crafted]
    for norm in ("inf", "2"):
        for epsilon in EPSILONS:
            assert (AttackSettings("noise", norm=norm), epsilon) in asked
            assert (AttackSettings("square", norm=norm, queries=8), epsilon) in asked
    for epsilon in EPSILONS:
        assert (AttackSettings("fgsm"), epsilon) in asked
        assert (AttackSettings("fgsm", norm="2", loss="dlr"), epsilon) in asked  # of the same loss and norm
        for name, iterations in [("pgd", 6), ("short", 4), ("long", 6)]:
            assert (dataclasses.replace(ATTACKS[name], iterations=iterations), epsilon) in asked
    assert not any(settings.targeted for settings, _ in asked)


def test_at_the_huge_epsilon_every_step_can_cross_the_ball(probed):
    _, _, crafted = probed
    steps = {(s.method, s.norm, s.loss): s for s, epsilon, _ in crafted if epsilon in ("0.5", "4") and s.stepping}
    assert len(steps) == 3  # pgd, short and long: of the cascade the attack of least norm leaves nothing over
    for settings in steps.values():
        assert settings.step is None
        assert settings.relative_step * settings.iterations >= 2 or settings.relative_step == 1
    assert steps["bim", "inf", "cross_entropy"].relative_step == 1  # 2 x 0.001 of its own


def test_what_the_probes_see_of_masked_gradients(probed):
    scale, rows, _ = probed
    assert broken(rows, "huge_epsilon", "worst_case") == 1  # nothing withstands it
    assert broken(rows, "huge_epsilon", "long") == 1  # dlr does not depend on the logits' size
    for name in ("fgsm", "short"):  # no random start brings them away from the image
        assert (broken(rows, "huge_epsilon", name) > 0.5) == (scale == 1)
    assert (broken(rows, "one_step", "short") > 0.5) == (scale == 1)
    assert broken(rows, "gradient_free") > 0  # of few queries


@pytest.mark.parametrize("scale", [1.0, 1e5])
def test_zero_gradients_are_counted_for_each_loss(scale):
    network, x = curved_network(scale), to_pixels(images(N).images, CLIP)
    labels = network(x).numpy().argmax(1)
    attacks = ATTACKS | CASCADE
    attacks["at_temperature"] = AttackSettings("apgd", loss="scaled_cross_entropy", logit_scale=1e5)
    attacks |= {"noise": AttackSettings("noise"), "square": AttackSettings("square")}
    found = zero_gradients(network, x, labels, attacks, seed=0)
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, network(x))
    zero = int((tape.gradient(loss, x).numpy() == 0).all((1, 2, 3)).sum())
    assert zero == 0 if scale == 1 else zero > 0.8 * N
    assert found.pop("aimed")["n"] == N
    counted = dict.fromkeys(["fgsm", "pgd", "short"], zero)
    counted |= dict.fromkeys(["long", "least_norm", "scaled", "at_temperature"], 0)
    expected = {name: {"n": N, "zero": count} for name, count in counted.items()}
    assert found == expected


def test_zero_gradients_of_a_targeted_attack_are_those_of_its_target():
    """Of a class that the network is sure it is not, cross-entropy has a gradient; images of the class do not count."""
    network, x = curved_network(1e5), to_pixels(images(N).images, CLIP)
    labels = network(x).numpy().argmax(1)
    attacks = {"true": AttackSettings("fgsm"), "aimed": AttackSettings("fgsm", target=str(labels[0]))}
    found = zero_gradients(network, x, labels, attacks, seed=0)
    others = int((labels != labels[0]).sum())
    assert 0 < others < N and found["true"]["zero"] > 0.8 * N
    assert found["aimed"] == {"n": others, "zero": 0}


@pytest.mark.parametrize(
    ("norm", "clip", "unit", "text"),
    [
        ("inf", (0.0, 1.0), 1, "0.3"),
        ("inf", (0.0, 1.0), 255, "76.5"),
        ("inf", (0.0, 255.0), 1, "0.3"),
        ("inf", (0.0, 255.0), 255, "76.5"),
        ("inf", (-1.0, 1.0), 255, "76.5"),
        ("2", (0.0, 1.0), 1, "2.4"),  # the root of 64 pixels
        ("2", (0.0, 255.0), 255, "612"),
    ],
)
def test_the_huge_epsilon_is_a_share_of_the_pixel_range_in_epsilons_unit(norm, clip, unit, text):
    rows = probe(attacks={"a": AttackSettings("fgsm", norm=norm)}, cascade={}, share=0.3, clip=clip, unit=unit)
    assert set(rows.loc[rows["probe"] == "huge_epsilon", "epsilon"]) == {text}


def test_at_half_the_range_every_pixel_can_become_grey():
    """In the Euclidean norm as well: the grey image lies within it."""
    x = to_pixels(images(N).images, (0.0, 255.0))
    rows = probe(attacks={"a": AttackSettings("fgsm", norm="2")}, cascade={}, clip=(0.0, 255.0), unit=255)
    huge = float(rows.loc[rows["probe"] == "huge_epsilon", "epsilon"].iloc[0])
    assert np.sqrt(((x - 127.5) ** 2).sum((1, 2, 3))).max() <= huge == 127.5 * 8


def test_an_attack_that_leaves_the_ball_is_held_against_nothing_within_it():
    loose = AttackSettings("bim", relative_step=0.5, iterations=3, clip="pixel_range")
    alone = probe(attacks={"loose": loose}, cascade=CASCADE)
    assert set(zip(alone["probe"], alone["attack"])) == {("huge_epsilon", "loose")}
    beside = probe(attacks={"loose": loose, "fgsm": ATTACKS["fgsm"]}, cascade=CASCADE)
    assert set(beside.loc[beside["attack"] == "loose", "probe"]) == {"huge_epsilon"}
    assert set(beside.loc[beside["attack"] == "", "probe"]) == {"noise", "gradient_free"}
    assert set(beside.loc[beside["attack"] == "worst_case", "probe"]) == {"huge_epsilon"}


def test_norm_0_has_no_probes_and_an_attack_of_one_norm_is_probed_in_that_alone():
    few = AttackSettings("jsma", norm="0", own={"theta": 1})
    assert probe(attacks={"few": few}, cascade=CASCADE).empty
    nearest = AttackSettings("carlini_wagner", norm="2", iterations=10, own={"binary_search_steps": 2})
    rows = probe(attacks={"few": few, "fgsm": ATTACKS["fgsm"], "nearest": nearest}, cascade=CASCADE | {"cw": nearest})
    assert set(rows["norm"]) == {"inf", "2"} and "few" not in set(rows["attack"])
    of_nearest = rows[rows["attack"] == "nearest"]
    assert set(of_nearest["probe"]) == {"huge_epsilon", "one_step", "twice_the_iterations"}
    assert {settings.norm for settings, *_ in noted if settings.method == "carlini_wagner"} == {"2"}


def test_nothing_to_probe_gives_an_empty_table():
    assert probe(attacks={}, cascade=CASCADE).empty


def test_where_only_targeted_attacks_are_the_worst_case_is_probed_all_the_same():
    rows = probe(attacks={"aimed": ATTACKS["aimed"]}, cascade=CASCADE)
    assert set(rows["attack"]) == {"", "worst_case"}
    assert set(rows["probe"]) == {"noise", "gradient_free", "huge_epsilon"}
