"""Models that can reject: answers, scores, losses, attacks and tables, on networks and records made by hand."""

import importlib
import json
from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from click.testing import CliRunner
from conftest import ROOT, call
from small_study import SmallStudy

from robustness.attacks.attack_losses import loss_named
from robustness.attacks.attack_paths import AttackPath
from robustness.attacks.attack_settings import AttackSettings, describe, without_epsilon
from robustness.attacks.crafting import choose_targets, class_logits, context_of, craft, craft_path
from robustness.attacks.worst_case import Target, find_worst_case
from robustness.config import study as config_checks
from robustness.data.datasets import Images, to_pixels
from robustness.diagnosis.diagnostics import DIAGNOSTICS, Evidence
from robustness.diagnosis.probes import Probes, zero_gradients
from robustness.diagnosis.verdicts import markdown, verdicts
from robustness.errors import UserError
from robustness.evaluation.records import read_records
from robustness.evaluation.scoring import confusion, score, summarise
from robustness.evaluation.study_records import StudyRecords
from robustness.evaluation.worst_case_records import first_falls
from robustness.files import write_json
from robustness.models.model_files import load_network, save_network
from robustness.models.rejection import REJECTED, fooled, n_classes_of, predictions, rejects, standing_margin
from robustness.statistics.intervals import wilson_interval
from robustness.tables.drops import drops, drops_markdown
from robustness.tables.findings import comparisons
from robustness.tables.findings_page import page
from robustness.tables.rejection_table import rejections, rejections_latex, rejections_markdown

CLIP = (0.0, 1.0)
LABELS = np.array([0, 1, 1, 2, 0])
# Five images of three classes and a rejection: right; rejected; accepted and wrong; rejected (else wrong); right at a tie.
LOGITS = np.array([[3, 1, 0, 2], [0, 2, 1, 5], [4, 2, 0, 1], [1, 0, 0.5, 2], [2, 0, 1, 2]], "f4")


# --- answers ---------------------------------------------------------------------------------------------------------


def test_answers_by_hand():
    found = predictions(LOGITS, 3)
    assert found.tolist() == [0, REJECTED, 0, REJECTED, 0] and found.dtype == np.int64
    assert fooled(found, LABELS).tolist() == [False, False, True, False, False]
    assert standing_margin(LOGITS, LABELS, 3).tolist() == [-2, -4, 2, -1, -1]
    without = LOGITS[:, :3]
    assert predictions(without, 3).tolist() == [0, 1, 0, 0, 0]
    assert fooled(predictions(without, 3), LABELS).tolist() == [False, False, True, True, False]
    assert standing_margin(without, LABELS, 3).tolist() == [-2, -1, 2, 0.5, -1]
    with pytest.raises(ValueError, match="4 logits are not those of 2 classes"):
        predictions(LOGITS, 2)


def linear(weights, biases, name="logits_and_rejection") -> keras.Model:
    """Logits linear in the means of the upper and of the lower half of 4 x 4 pixels, each 0 at 0.5. weights: (2, logits)."""
    pixels = keras.layers.Input((4, 4, 1))
    dense = keras.layers.Dense(len(biases), name=name)
    network = keras.Model(pixels, dense(keras.layers.Flatten()(keras.layers.Rescaling(1.0, -0.5)(pixels))))
    kernel = np.repeat(np.array(weights, "f4"), 8, axis=0) / 8
    dense.set_weights([kernel, np.array(biases, "f4")])
    return network


@pytest.mark.parametrize(("outputs", "name", "classes"), [(4, "logits_and_rejection", 3), (3, "logits", 3)])
def test_the_name_of_the_last_layer_tells_that_a_network_rejects_and_its_file_keeps_it(
    tmp_path, outputs, name, classes
):
    network = linear(np.zeros((2, outputs)), np.zeros(outputs), name)
    around = keras.layers.Input((4, 4, 1))
    wrapped = keras.Model(around, network(keras.layers.Rescaling(1.0)(around)))
    for made in (network, wrapped):
        save_network(made, tmp_path / "model.keras")
        loaded = load_network(tmp_path / "model.keras", (4, 4, 1), classes)
        assert rejects(made) == rejects(loaded) == (outputs > classes) and n_classes_of(loaded) == classes
        with pytest.raises(UserError, match=f"tells {classes} classes apart, but the data has .* and {classes + 1}"):
            load_network(tmp_path / "model.keras", (4, 4, 1), classes + 1)


# --- scores ----------------------------------------------------------------------------------------------------------


def test_scores_by_plain_arithmetic():
    table = score(LOGITS, LABELS, 3)
    assert table["prediction"].tolist() == [0, -1, 0, -1, 0] and table["class_prediction"].tolist() == [0, 1, 0, 0, 0]
    for row, z, label in zip(table.itertuples(), LOGITS.astype("f8"), LABELS):
        p = np.exp(z) / np.exp(z).sum()
        assert row.confidence == pytest.approx(p.max()) and row.loss == pytest.approx(-np.log(p[label]))
    assert "class_prediction" not in score(LOGITS[:, :3], LABELS, 3)
    assert set(summarise(score(LOGITS[:, :3], LABELS, 3))) == {"n", "correct", "accuracy", "ci_low", "ci_high", "loss"}


def test_shares_by_hand():
    """Two right, one accepted and wrong, two rejected, of which one would have been wrong."""
    found = summarise(score(LOGITS, LABELS, 3))
    counts = {"correct": (2, 5), "rejected": (2, 5), "correct_accepted": (2, 3), "handled": (4, 5), "detected": (1, 2)}
    columns = {
        "correct": ("accuracy", "ci"),
        "rejected": ("rejection_rate", "rejection"),
        "correct_accepted": ("accepted_accuracy", "accepted"),
        "handled": ("handled_rate", "handled"),
        "detected": ("detection_rate", "detection"),
    }
    assert (found["n"], found["accepted"], found["successful"]) == (5, 3, 2)
    for name, (count, of) in counts.items():
        share, ends = columns[name]
        assert found[name] == count and found[share] == pytest.approx(count / of)
        assert (found[f"{ends}_low"], found[f"{ends}_high"]) == wilson_interval(count, of)


def test_a_share_of_no_image_is_none():
    every = summarise(score(LOGITS[1:2], LABELS[1:2], 3))
    assert every["accepted"] == every["successful"] == 0 and every["rejection_rate"] == 1
    assert every["accepted_accuracy"] is None and every["detection_low"] is None
    json.dumps(every, allow_nan=False)


def test_a_confusion_matrix_has_the_rejected():
    table = confusion(score(LOGITS, LABELS, 3), ["a", "b", "rejected"])  # a class may have any name
    counts = table["n"].to_numpy().reshape(3, 4)
    assert counts.tolist() == [[2, 0, 0, 0], [1, 0, 0, 1], [0, 0, 0, 1]]
    assert table["prediction"].tolist()[:4] == ["a", "b", "rejected", "rejected"]


# --- losses ----------------------------------------------------------------------------------------------------------


def spared_cross_entropy(z, label):
    p = np.exp(z) / np.exp(z).sum()
    return -np.log(p[label] + p[-1])


def spared_margin(z, label):
    return max(value for i, value in enumerate(z[:-1]) if i != label) - max(z[label], z[-1])


def spared_dlr(z, label):
    classes = [max(value, z[-1]) if i == label else value for i, value in enumerate(z[:-1])]
    falling = sorted(classes, reverse=True)
    return spared_margin(z, label) / (falling[0] - falling[2])


def spared_scaled(z, label):
    classes = np.array([np.log(np.exp(v) + np.exp(z[-1])) if i == label else v for i, v in enumerate(z[:-1])]) / 7
    return np.log(np.exp(classes).sum()) - classes[label]


@pytest.mark.parametrize(
    ("name", "scale", "plain"),
    [
        ("cross_entropy", None, spared_cross_entropy),
        ("margin", None, spared_margin),
        ("dlr", None, spared_dlr),
        ("scaled_cross_entropy", 7.0, spared_scaled),
    ],
)
def test_a_loss_that_counts_the_rejection_with_the_true_class_is_that_of_the_formula(name, scale, plain):
    rng = np.random.default_rng(3)
    logits, labels = rng.normal(scale=4, size=(40, 6)), rng.integers(0, 5, 40)
    given = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(given)
        value = loss_named(name, scale, spare_rejection=True)(tf.constant(labels), given)
    gradient = tape.gradient(value, given).numpy()
    np.testing.assert_allclose(value, [plain(z, label) for z, label in zip(logits, labels)], rtol=1e-9)
    for z, label, row in zip(logits, labels, gradient):
        for i, slope in enumerate(row):
            moved = 1e-6 * np.eye(6)[i]
            assert slope == pytest.approx(
                (plain(z + moved, label) - plain(z - moved, label)) / 2e-6, rel=1e-5, abs=1e-8
            )
    if name in ("margin", "dlr"):
        assert ((value.numpy() > 0) == fooled(predictions(logits, 5), labels)).all()
        assert fooled(predictions(logits, 5), labels).any()


# --- attacks ---------------------------------------------------------------------------------------------------------

# Class 0 is right. The upper half leads to class 1, the lower half, twice as fast, to the rejection; class 2 is out of reach.
TRAP = linear([[0, 10, 0, 0], [0, 0, 0, 20]], [0.5, 0, -9, 0])
CLOSED = linear(
    [[0, 10, 0, 0], [0, 0, 0, 20]], [0.5, 0, -9, 0.6]
)  # the same, but that the grey image itself is rejected
GREY = np.full((6, 4, 4, 1), 0.5, "f4")
ZEROS = np.zeros(6, np.int64)
STEPS = {"relative_step": 0.25, "iterations": 8}
EPSILON = {"inf": 0.1, "2": 0.4}
UNTARGETED = {
    "fgsm": AttackSettings("fgsm"),
    "bim": AttackSettings("bim", **STEPS),
    "bim from what is predicted": AttackSettings("bim", labels="predicted", **STEPS),
    "pgd": AttackSettings("pgd", random_start=True, restarts=2, **STEPS),
    "pgd, margin": AttackSettings("pgd", loss="margin", **STEPS),
    "pgd, scaled": AttackSettings("pgd", loss="scaled_cross_entropy", **STEPS),
    "pgd, dlr": AttackSettings("pgd", loss="dlr", **STEPS),
    "apgd": AttackSettings("apgd", iterations=10),
    "fmn": AttackSettings("fmn", iterations=30),
    "square": AttackSettings("square", queries=150),
    "noise": AttackSettings("noise", restarts=200),
}


def answers(network, x):
    return predictions(network(x).numpy(), n_classes_of(network))


def test_an_attack_that_only_leaves_the_true_class_is_caught_by_the_rejection():
    """What the tests below would not tell apart on another network: one step along the plain cross-entropy's gradient."""
    assert (answers(TRAP, GREY) == 0).all()
    x = tf.constant(GREY)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(ZEROS, TRAP(x))
    assert (answers(TRAP, x + 0.1 * tf.sign(tape.gradient(loss, x))) == REJECTED).all()
    mim = AttackSettings("mim", **STEPS)  # cleverhans' own, which takes no other loss
    found, _ = craft(TRAP, GREY, ZEROS, mim, 0.1, 0.025, CLIP, 0, 4)
    assert (answers(TRAP, found) == REJECTED).all()


@pytest.mark.parametrize("network", [TRAP, CLOSED], ids=["from accepted", "from rejected"])
@pytest.mark.parametrize("norm", ["inf", "2"])
@pytest.mark.parametrize("name", UNTARGETED)
def test_an_attack_finds_what_is_accepted_and_wrong(name, norm, network):
    settings, epsilon = replace(UNTARGETED[name], norm=norm), EPSILON[norm]
    if name in ("noise", "square"):  # a search finds the way with some luck
        epsilon *= 2
    found, _ = craft(network, GREY, ZEROS, settings, epsilon, epsilon / 4, CLIP, 0, 4)
    told = answers(network, found)
    if name == "noise":  # in many dimensions both halves' means stay near 0: what counts is that it looks for errors
        assert not (told == REJECTED).all()
    else:
        assert (told == 1).all()
    target = Target(network, CLIP, 1.0, 0, 4)
    found = find_worst_case(target, GREY, ZEROS, np.full(6, np.inf), [f"{epsilon:g}"], {"a": settings})
    assert len(found.positions) == fooled(told, ZEROS).sum()


@pytest.mark.parametrize("network", [TRAP, CLOSED], ids=["from accepted", "from rejected"])
def test_carlini_and_wagners_attack_finds_the_nearest_that_is_accepted_and_wrong(network):
    """Not the nearer image that is merely rejected; targeted, the rejection is a class to be beaten like any other."""
    for target in ("", "1"):
        settings = AttackSettings("carlini_wagner", "2", target, iterations=100, own={"initial_constant": 1.0})
        found, _ = craft(network, GREY, ZEROS, settings, 1.0, 1.0, CLIP, 0, 4)
        assert (answers(network, found) == 1).all()


@pytest.mark.parametrize("offset", [0, 0.6], ids=["from accepted", "from rejected"])
def test_jsma_ends_at_what_is_accepted_and_wrong(offset):
    """Untargeted it aims at a class, never at the rejection, though that is the likelier answer from the start."""
    network = linear([[-1, 10, 0, 0], [0, 0, 0, 20]], [0.5, -0.2, -9, offset])
    found, _ = craft(network, GREY, ZEROS, AttackSettings("jsma", "0"), 0.5, 0.5, CLIP, 0, 4)
    assert (answers(network, found) == 1).all()
    assert (found[:, 2:] == GREY[:, 2:]).all()  # the half that leads to the rejection is left alone


@pytest.mark.parametrize("network", [TRAP, CLOSED], ids=["from accepted", "from rejected"])
def test_of_several_draws_noise_keeps_the_accepted_error(network):
    """Two pixels' worth of chance: an error is a draw in which both halves move the right way, rejections are more."""
    halves = keras.layers.Input((2, 1, 1))
    small = keras.Model(halves, network(keras.layers.UpSampling2D((2, 4))(halves)))
    x, labels = np.full((20, 2, 1, 1), 0.5, "f4"), np.zeros(20, np.int64)
    found, _ = craft(small, x, labels, AttackSettings("noise", restarts=60), 0.2, 0.2, CLIP, 0, 20)
    assert (answers(small, found) == 1).all()


def test_apgd_goes_on_from_what_is_rejected_on_its_way():
    """The rejection is smallest in a valley that the first step leaps over; on its far side the network rejects."""
    pixels = keras.layers.Input((4, 4, 1))
    bent = linear([[1, -1, 0, 0], [0, 0, 1, -1]], [0, 0, -0.03, 0.03], "bent")(pixels)
    last = keras.layers.Dense(4, name="logits_and_rejection")
    network = keras.Model(pixels, last(keras.layers.ReLU()(bent)))
    last.set_weights(
        [np.array([[0, 10, 0, 0], [0, -10, 0, 0], [0, 0, 0, 30], [0, 0, 0, 30]]), np.array([0.5, 0, -9, 0])]
    )
    assert (answers(network, GREY + 0.1) == REJECTED).all()
    found, _ = craft(network, GREY, ZEROS, AttackSettings("apgd", iterations=20), 0.1, 0.1, CLIP, 0, 4)
    assert (answers(network, found) == 1).all()


def test_an_image_that_is_merely_rejected_does_not_fall_in_the_cascade():
    class Rejecting:
        scale = 1.0

        def search(self, images, labels, settings, epsilon, number):
            return images

        def predict(self, images):
            return np.array([0, REJECTED, 1])

    found = find_worst_case(Rejecting(), GREY[:3], ZEROS[:3], np.full(3, np.inf), ["0.1"], {"a": UNTARGETED["bim"]})
    assert found.positions.tolist() == [2] and found.epsilons.tolist() == ["0.1"]


@pytest.mark.parametrize("method", ["fgsm", "pgd"])
def test_a_targeted_attack_gets_its_class_accepted_and_never_aims_at_the_rejection(method):
    network = linear([[0, 10, -10, 0], [0, 0, 0, 20]], [0.5, 0, 0, -5])  # the rejection is the least likely output
    logits = class_logits(network, GREY)
    assert logits.shape == (6, 3) and choose_targets(logits, ZEROS, "least_likely", 0).max() < 3
    settings = AttackSettings(method, target="2", **({} if method == "fgsm" else STEPS))
    found, targets = craft(network, GREY, ZEROS, settings, 0.1, 0.025, CLIP, 0, 4)
    assert (targets == 2).all() and (answers(network, found) == 2).all()
    with pytest.raises(UserError, match="none of least_likely, random and the classes 0 to 2"):
        craft(network, GREY, ZEROS, replace(settings, target="3"), 0.1, 0.025, CLIP, 0, 4)


def test_dlr_counts_the_classes_without_the_rejection():
    network = linear(np.zeros((2, 3)), np.zeros(3))  # two classes
    with pytest.raises(UserError, match="needs three classes"):
        craft(network, GREY, ZEROS, AttackSettings("apgd", loss="dlr", iterations=2), 0.1, 0.1, CLIP, 0, 4)


@pytest.mark.parametrize("settings", [AttackSettings("fgsm"), AttackSettings("bim", step=0.02, iterations=5)])
def test_a_path_leads_to_the_images_of_the_attack(settings):
    note = without_epsilon(describe("a", settings, "0.1", "0-1", 0))
    way = craft_path(TRAP, GREY, ZEROS, settings, settings.step or 0.0, CLIP, 0, 4)
    path = AttackPath(way[0], GREY.shape[1:], *way[1:], np.arange(6), note, "hash")
    for epsilon in (0.1, 0.3):
        found, _ = craft(TRAP, GREY, ZEROS, settings, epsilon, settings.step or epsilon, CLIP, 0, 4)
        followed, taken = path.follow(GREY, epsilon, settings.step or epsilon, CLIP)
        assert taken == settings.iterations and followed.tobytes() == found.tobytes()
        assert (answers(TRAP, found) == 1).all()


def test_the_context_is_told_by_the_network():
    plain = linear(np.zeros((2, 3)), np.zeros(3), "logits")
    for network, expected in ((TRAP, True), (plain, False)):
        assert context_of(network, AttackSettings("fgsm"), 0.1, 0.1, CLIP, 0).rejects == expected


# --- probes ----------------------------------------------------------------------------------------------------------


def test_zero_gradients_are_those_of_the_loss_that_is_climbed():
    """A rejection 200 above the classes: plain cross-entropy has a gradient there, one that spares it has none in float32."""
    network = linear([[1, 2, 3, 4], [0, 0, 0, 0]], [0, 0, 0, 200])
    attacks = {"pgd": UNTARGETED["pgd"], "mim": AttackSettings("mim", **STEPS)}
    attacks["aimed"] = replace(attacks["mim"], method="pgd", target="1")
    found = zero_gradients(network, GREY, ZEROS, attacks, 0)
    assert {name: told["zero"] for name, told in found.items()} == {"pgd": 6, "mim": 0, "aimed": 0}


def test_the_huge_epsilon_is_the_whole_range_and_what_is_rejected_stands():
    """Half of the images, white below, are rejected unattacked; the first attack of the cascade brings all to class 1."""
    pixels = np.full((6, 4, 4, 1), 128, np.uint8)
    pixels[::2, 2:] = 255
    clean = Images(pixels, np.zeros(6, np.int64), np.arange(6))
    assert answers(TRAP, to_pixels(pixels, CLIP)).tolist() == [-1, 0, -1, 0, -1, 0]
    results = pd.DataFrame({"index": np.arange(6), "label": 0, "prediction": [-1, 0, 1, 1, -1, 1]})
    results = results.assign(attack="bim", epsilon="0.1")
    probes = Probes(Target(TRAP, CLIP, 1.0, 0, 6), clean, CLIP)
    attacks = {"bim": UNTARGETED["bim"]}
    rows = probes.run(attacks, {"pgd": UNTARGETED["pgd, margin"]}, results, 4, 0.5)
    huge = rows[rows["probe"] == "huge_epsilon"]
    assert set(huge["epsilon"]) == {"1"} and set(huge["attack"]) == {"bim", "worst_case"}
    assert (huge["prediction"] == 1).all()
    assert sorted(rows.loc[rows["probe"] == "twice_the_iterations", "index"]) == [0, 1, 4]


# --- records ---------------------------------------------------------------------------------------------------------


def test_an_image_falls_where_it_is_not_accepted_and_right_or_attacked_accepted_and_wrong():
    clean = pd.DataFrame({"index": [1, 2, 3, 4, 5], "label": [0, 1, 2, 0, 1], "prediction": [0, -1, 1, 0, 1]})
    rows = [
        (1, 0, -1, "0.1"),
        (2, 1, 1, "0.1"),
        (4, 0, 2, "0.1"),
        (5, 1, 1, "0.1"),
        (1, 0, 1, "0.2"),
        (5, 1, -1, "0.2"),
    ]
    attacked = pd.DataFrame(rows, columns=["index", "label", "prediction", "epsilon"]).assign(attack="pgd")
    falls = first_falls(clean, attacked).set_index("index")
    assert falls["falls_at"].to_dict() == {1: 0.2, 2: 0, 3: 0, 4: 0.1, 5: float("inf")}
    assert falls["by"].to_dict() == {1: "pgd", 2: "clean", 3: "clean", 4: "pgd", 5: ""}


def test_a_probe_that_only_gets_images_rejected_breaks_none():
    rows = pd.DataFrame({"probe": "noise", "attack": "", "norm": "inf", "epsilon": "0.1", "index": np.arange(99)})
    for prediction, verdict in ((REJECTED, "pass"), (1, "fail")):
        alive = {"0.1": pd.Series(True, np.arange(99))}
        against = Evidence(alive, UNTARGETED["pgd"], rows.assign(label=0, prediction=prediction), {}, None, 10)
        (finding,) = DIAGNOSTICS["weaker_than_noise"]("pgd", against)
        assert finding.verdict == verdict


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> SmallStudy:
    """Ten images. b can reject; a, undefended, can't. Whose class is right, and which are rejected:

    b clean: 0-8, rejected 7 8 9, so that 0-6 are accepted and right, 9 a detected error.
    b under pgd: 0 1 2, rejected 2 3 4 7: accepted and right 0 1, handled 0 1 2 3 4 7, robust 0 1 2 3 4.
    b under the set of a: 0-5, rejected 6 7 8 9: none is accepted and wrong, robust 0-6.
    """
    return SmallStudy(
        tmp_path_factory.mktemp("study"),
        clean={"a": 9, "b": 9},
        attacked={("pgd", "a", "0.1"): 1, ("pgd", "b", "0.1"): 3, ("pgd", "b", "0"): 9},
        together={("a", "inf", "0.1"): 1, ("b", "inf", "0.1"): 5},
        transferred={("pgd", "a", "b", "0.1"): 6, ("pgd", "b", "a", "0.1"): 5},
        rejected={
            "b": [7, 8, 9],
            ("pgd", "b", "0.1"): [2, 3, 4, 7],
            ("pgd", "b", "0"): [7, 8, 9],
            ("pgd", "a", "b", "0.1"): [6, 7, 8, 9],
        },
        settings={"pgd": AttackSettings("pgd", relative_step=0.5, iterations=4)},
        probed={
            ("b", "noise", "", "inf", "0.1"): 4,
            **{(model, "huge_epsilon", "pgd", "inf", "1"): 0 for model in "ab"},
        },
        defences={"b": "null_labelling"},
        n=10,
        probes=10,
    )


@pytest.fixture(scope="module")
def told(small) -> tuple[StudyRecords, pd.DataFrame]:
    return small.read()


def test_the_table_of_rejections_by_hand(told):
    table = rejections(*told)
    assert set(table["model"]) == {"b"}  # a can't reject
    rows = table.set_index(["part", "attack", "source"])
    assert list(rows.index) == [
        *((part, "clean", "") for part in ("validation", "test", "evaluation")),
        ("evaluation", "pgd", "b"),
        ("evaluation", "pgd", "a"),
    ]
    columns = ["correct", "rejected", "accepted", "correct_accepted", "successful", "detected"]
    assert rows.loc[("evaluation", "clean", ""), columns].tolist() == [7, 3, 7, 7, 1, 1]
    assert rows.loc[("evaluation", "clean", ""), ["handled", "robust"]].isna().all()
    columns += ["handled", "robust"]
    assert rows.loc[("evaluation", "pgd", "b"), columns].tolist() == [2, 4, 6, 2, 7, 3, 6, 5]
    assert rows.loc[("evaluation", "pgd", "a"), columns].tolist() == [6, 4, 6, 6, 4, 4, 10, 7]
    row = rows.loc[("evaluation", "pgd", "b")]
    assert row["detection_rate"] == pytest.approx(3 / 7) and row["robust_accuracy"] == pytest.approx(0.5)
    assert (row["robust_low"], row["robust_high"]) == wilson_interval(5, 10)


def test_the_table_of_rejections_as_text(told):
    text = rejections_markdown(rejections(*told))
    assert text.count("## d_1, b, seed 1") == 1
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if "| pgd" in line]
    own, moved = (line for line in lines)
    assert own[:4] == ["pgd (norm inf)", "b", "0.1", "10"] and moved[1] == "a"
    assert own[4].startswith("20.00 [") and own[5].startswith("40.00 [") and own[6].startswith("60.00 [")
    assert own[7].startswith("33.33 [") and own[7].endswith("of 6") and own[8].endswith("of 7")
    assert own[9].startswith("50.00 [")
    latex = rejections_latex(rejections(*told))
    assert latex.count("begin{table}") == 1 and "42.86" in latex  # 3 of 7


def test_comparisons_use_robust_accuracy_with_detection_and_say_so(told):
    study, judged = told
    table = comparisons(study, judged, [("b", "a")], 0.05).set_index("attack")
    assert table.loc[["clean", "pgd", "worst_case"], "accuracy"].tolist() == pytest.approx([0.7, 0.5, 0.5])
    assert table.loc[["clean", "pgd", "worst_case"], "accuracy_baseline"].tolist() == pytest.approx([0.9, 0.1, 0.1])
    text = page(table.reset_index(), {}, {}, ["fmn"], None, 0.05, [1], study.rejecting())
    sentence = "An image of b, which can reject it, counts as robust if it is accepted and right unattacked"
    assert sentence in text and "which can reject" not in page(table.reset_index(), {}, {}, ["fmn"], None, 0.05, [1])
    found = drops(study, judged, {"b": "a"}).set_index("model")
    assert found["drop"].to_dict() == pytest.approx({"a": 0.8, "b": 0.2})
    assert found.loc["b", "gain"] == pytest.approx(0.4)
    assert sentence in drops_markdown(found.reset_index(), study.rejecting())


def test_an_attack_is_judged_by_what_is_accepted_and_wrong(told, monkeypatch):
    """Under pgd 6 images of b are not, while noise leaves 4: it breaks more, though fewer are right under pgd."""
    seen: list[Evidence] = []
    monkeypatch.setattr(
        "robustness.diagnosis.verdicts.diagnose", lambda name, evidence: seen.append(evidence) or pd.DataFrame()
    )
    verdicts(told[0])
    of_pgd = seen[2]  # after pgd and the worst case of a
    assert of_pgd.survivals["0.1"].sum() == 6 and of_pgd.transfer[("a", "0.1")].sum() == 10
    assert "b can reject an image." in markdown(told[1], told[0].rejecting()) and "reject" not in markdown(told[1])


def test_programs_write_the_table_only_where_a_model_can_reject(small, told, tmp_path):
    options = small.options()
    words = ["--evaluation-folder", str(options["evaluation_folder"]), "--seed", "1", "--model", "a"]
    words += [
        "--attack",
        "pgd",
        "a,b",
        "0.1",
        "--worst-case",
        "a",
        "inf",
        "--verdicts",
        str(small.folder / "verdicts.csv"),
    ]
    for models, folder in (
        ([], "plain"),
        (["--model", "b", "--worst-case", "b", "inf", "--transfer", "b"], "rejecting"),
    ):
        main = importlib.import_module("aggregate_tables").main
        done = CliRunner().invoke(main, [*words, *models, "--output-folder", str(tmp_path / folder)])
        assert done.exit_code == 0, done.output
        names = {path.name for path in (tmp_path / folder).iterdir()}
        assert ({f"rejections.{suffix}" for suffix in ("csv", "md", "tex")} <= names) == (folder == "rejecting")
        for name in ("robust_accuracy", "clean_accuracy", "worst_case", "transfer"):
            text = (tmp_path / folder / f"{name}.md").read_text()
            assert ("b" in models) == ("can reject" in text)
    assert "In the worst case an image of b" in (tmp_path / "rejecting/robust_accuracy.md").read_text()
    assert len(read_records(tmp_path / "rejecting/rejections.csv")) == 5


# --- the config ------------------------------------------------------------------------------------------------------


def test_a_defence_that_rejects_is_known_by_its_file(tmp_path):
    (tmp_path / "nulled.py").write_text("import no_such_module\nREJECTS = True\n")
    (tmp_path / "squeezed.py").write_text("REJECTS = False\n")
    (tmp_path / "silent.py").write_text("SETTINGS = {}\n")
    models = {
        "plain": {},
        "by_nulled": {"defence": {"method": "nulled"}},
        "by_squeezed": {"wraps": "plain", "defence": {"method": "squeezed"}},
        "by_silent": {"defence": {"method": "silent"}},
        "of_no_file": {"defence": {"method": "unknown"}},
        "around": {"wraps": "by_nulled", "defence": {"method": "squeezed"}},
        "circle": {"wraps": "circle", "defence": {"method": "squeezed"}},
    }
    assert config_checks.rejecting_models({"models": models}, tmp_path) == ["by_nulled", "around"]
    assert config_checks.rejecting_models({"models": models}, tmp_path / "nowhere") == []


def test_a_student_of_a_model_that_rejects_is_refused(monkeypatch):
    schemas = {name: config_checks.read_yaml(ROOT / f"schemas/{name}.schema.yaml") for name in ("config", "sources")}
    config = config_checks.read_yaml(ROOT / "config.yaml")
    config_checks.check_schema(config, schemas["config"], "config")
    sources = config_checks.read_yaml(ROOT / "resources/sources.yaml")
    config_checks.check_study(config, sources)
    monkeypatch.setattr(config_checks, "rejecting_models", lambda config: ["teacher"])
    with pytest.raises(UserError, match=r"models\.distilled\.teacher is 'teacher', which can reject .*: name another"):
        config_checks.check_study(config, sources)


def test_mim_on_a_model_that_rejects_is_warned_of(monkeypatch):
    monkeypatch.setattr(config_checks, "rejecting_models", lambda config: ["nulled"])
    config = {
        "models": {"nulled": {"dataset": "d"}, "plain": {}},
        "attacks": {
            "by_mim": {"method": "mim", "relative_step": 1, "iterations": 2},
            "elsewhere": {"method": "mim", "relative_step": 1, "iterations": 2, "models": ["plain"]},
            "aimed": {"method": "mim", "relative_step": 1, "iterations": 2, "target": "1"},
        },
        "iteration_sweeps": {}, "worst_case": {"attacks": {}, "gradient_free": {"method": "square", "queries": 100}}, "findings": {}, "plots": {}, "epsilons": [0.1],
    }  # fmt: skip
    (sentence,) = config_checks.warnings_of(config)
    assert sentence.startswith("attacks.by_mim: mim takes no loss that spares a rejection, so that on nulled")


# --- the programs, from the network to the figures -------------------------------------------------------------------


@pytest.fixture(scope="module")
def place(tmp_path_factory, threads_stay):
    """TRAP as the model m, and as the other the same without a rejection; images of class 0 and of class 1."""
    folder = tmp_path_factory.mktemp("scored")
    pixels = np.full((8, 4, 4, 1), 128, np.uint8)
    pixels[1::4, :2] = 150  # class 1
    pixels[2::4, 2:] = 145  # rejected
    images = Images(pixels, np.array([0, 1] * 4, np.int64), np.arange(8) + 50)
    for name in ("validation", "test", "evaluation"):
        images.save(folder / f"{name}.npz")
    told = {"dataset": "d", "architecture": "net", "defence": "none", "seed": 3}
    for name, network in (("m", TRAP), ("other", linear([[0, 10, 0], [0, 0, 0]], [0.5, 0, -9], "logits"))):
        (folder / f"models/{name}/seed3").mkdir(parents=True)
        save_network(network, folder / f"models/{name}/seed3/model.keras")
        write_json(folder / f"models/{name}/seed3/metadata.json", told | {"model": name})
    info = {"name": "d", "classes": ["zero", "one", "two"], "shape": [4, 4, 1], "pixel_range": "0-1"}
    write_json(folder / "dataset.json", info)
    return folder


def test_from_the_network_to_the_figures(place):
    common = {"info": place / "dataset.json", "threads": 1}
    model = {name: place / f"models/{name}/seed3/model.keras" for name in ("m", "other")}
    told, images = place / "evaluation/m/seed3", {"images": place / "evaluation.npz"}
    for name in model:
        call(
            "craft_adversarial", **common, **images, model=model[name], attack="bim", method="bim", relative_step=0.25,
            iterations=8, epsilon="0.1", epsilon_unit="0-1", seed=3, output=place / f"sets/{name}/seed3/bim/eps0.1.npz",
        )  # fmt: skip
    trained = {"model": model["m"], "metadata": model["m"].with_name("metadata.json")}
    parts = {name: place / f"{name}.npz" for name in ("validation", "test", "evaluation")}
    call(
        "evaluate_model", **common, **trained, **parts, records=told / "clean.csv", summary=told / "clean.json",
        confusion=told / "confusion.csv",
    )  # fmt: skip
    call(
        "evaluate_attack", **common, **trained, **images, adversarial=place / "sets/m/seed3/bim/eps0.1.npz",
        records=told / "attacks/bim.csv", summary=told / "attacks/bim.json",
    )  # fmt: skip
    call(
        "evaluate_transfer", "--source", "other", "bim", "0.1", **common, **images, model=model["m"], seed=3,
        models_folder=place / "models", adversarial_folder=place / "sets", records=told / "transfer.csv",
    )  # fmt: skip
    clean, attacked, moved = (read_records(told / f"{name}.csv") for name in ("clean", "attacks/bim", "transfer"))
    assert clean["prediction"].tolist() == [0, 1, -1, 0] * 2 and clean["class_prediction"].tolist() == [0, 1, 0, 0] * 2
    # Labels are 0 and 1 in turn. Of each four the first two are right; attacked, 0 and 2 are led to 1, 1 to 0, where 3 is.
    assert attacked["prediction"].tolist() == [1, 0, 1, 0] * 2
    assert moved["prediction"].tolist() == [1, 0, -1, 0] * 2  # a stranger's set leaves the lower half as it is
    assert moved["class_prediction"].tolist() == [1, 0, 1, 0] * 2
    content = json.loads((told / "attacks/bim.json").read_text())["epsilons"]["0.1"]
    assert (content["correct"], content["rejected"], content["handled"], content["successful"]) == (0, 0, 0, 8)
    recorded = ("--recorded", "bim", "0.1")
    call(
        "craft_worst_case", *recorded, "--attack", "fmn", '{"method": "fmn", "iterations": 20}', **common, **images,
        model=model["m"], evaluation_folder=told, epsilons="0.02,0.1", epsilon_unit="0-1", rounds=1, seed=3,
        output=place / "found.npz",
    )  # fmt: skip
    call(
        "evaluate_worst_case", *recorded, **common, **trained, **images, worst_case=place / "found.npz",
        evaluation_folder=told, records=told / "worst.csv", summary=told / "worst.json",
    )  # fmt: skip
    worst = read_records(told / "worst.csv")
    survived = worst[worst["epsilon"] == "0.02"].set_index("index")["survived"].astype(str)
    assert survived.tolist() == ["True", "True", "False", "False"] * 2  # rejected unattacked, and of a wrong class
    assert not (worst.loc[worst["epsilon"] == "0.1", "survived"].astype(str) == "True").any()

    figure = {"png": place / "f.png", "svg": place / "f.svg"}
    call("plot_confusion", **figure, confusion=told / "confusion.csv", model="m", seed=3, title="t")
    drawn = (place / "f.svg").read_text()
    assert "<!-- rejected -->" in drawn and "<!-- two -->" in drawn
    call(
        "plot_examples", **figure, **images, info=place / "dataset.json", adversarial=place / "sets/m/seed3/bim/eps0.1.npz",
        clean_records=told / "clean.csv", attack_records=told / "attacks/bim.csv", model="m", n=6, title="t",
    )  # fmt: skip
    drawn = (place / "f.svg").read_text()
    assert "rejections in blue" in drawn and drawn.count("<!-- rejected") == 1 and "#0072b2" in drawn
