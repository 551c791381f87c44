import dataclasses

import numpy as np
import pandas as pd
import pytest
from networks import images

from robustness.attacks.attack_settings import AdversarialSet, AttackSettings, describe, settings_from_note
from robustness.data.datasets import encode_labels, to_pixels
from robustness.errors import UserError
from robustness.evaluation.records import read_records, write_records
from robustness.evaluation.scoring import check_adversarial_set, confusion, perturbation_norms, score, summarise


def test_score_against_plain_arithmetic():
    logits = np.array([[2.0, 1.0, 0.0], [0.0, 0.0, 5.0], [1.0, 3.0, 1.0]], "f4")
    labels = np.array([0, 1, 1])
    table = score(logits, labels, 3)
    for row, (z, label) in zip(table.itertuples(), zip(logits.astype("f8"), labels)):
        p = [np.exp(v) / sum(np.exp(w) for w in z) for v in z]
        assert row.prediction == int(np.argmax(p))
        assert row.confidence == pytest.approx(max(p))
        assert row.loss == pytest.approx(-np.log(p[label]))
    assert summarise(table) == pytest.approx(
        {"n": 3, "correct": 2, "accuracy": 2 / 3, "ci_low": 0.20766, "ci_high": 0.93851, "loss": table["loss"].mean()},
        rel=1e-4,
    )


def test_confusion():
    records = pd.DataFrame({"label": [0, 0, 2, 0], "prediction": [0, 1, 2, 0]})
    table = confusion(records, ["a", "b", "c"]).set_index(["label", "prediction"])
    assert table["n"].to_dict() | {("a", "a"): 2, ("a", "b"): 1, ("c", "c"): 1} == table["n"].to_dict()
    assert table["n"].sum() == 4 and len(table) == 9
    assert table.loc[("a", "a"), "share"] == pytest.approx(2 / 3) and table.loc[("b", "b"), "share"] == 0


def test_losses_of_huge_logits_do_not_overflow():
    table = score(np.array([[1000.0, 0.0], [0.0, 1000.0]], "f4"), np.array([0, 0]), 2)
    assert table["loss"].tolist() == [0.0, 1000.0]


def test_logits_that_are_no_numbers():
    with pytest.raises(UserError, match="train it again"):
        score(np.array([[np.nan, 1.0]]), np.array([0]), 2)


def test_norms():
    clean = np.zeros((2, 2, 2, 1), "f4")
    moved = clean.copy()
    moved[0, 0, 0] = 3
    moved[0, 1, 1] = -4
    norms = perturbation_norms(moved, clean)
    assert norms["linf"].tolist() == [4, 0] and norms["l2"].tolist() == [5, 0]


# --- the check of adversarial sets -----------------------------------------------------------------------------------


def adversarial_set(pixel_range=(0.0, 1.0), unit="0-1", epsilon="0.1", norm="inf", shift=0.1) -> AdversarialSet:
    """A set that moves one pixel of each image by shift (of the pixel range)."""
    clean = images()
    low, high = pixel_range
    x = to_pixels(clean.images, pixel_range)
    x[:, 4, 4] += np.where(x[:, 4, 4] < (low + high) / 2, 1, -1) * np.float32(shift * (high - low))
    attack = describe("a", AttackSettings("fgsm", norm=norm), epsilon, unit, 0)
    return AdversarialSet(x, clean.labels, np.full(len(clean), -1), clean.indices, attack, "hash")


@pytest.mark.parametrize("pixel_range", [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)])
@pytest.mark.parametrize("norm", ["inf", "2"])
@pytest.mark.parametrize(("unit", "epsilon", "expected"), [("0-1", "0.1", 0.1), ("0-255", "25.5", 25.5)])
def test_a_set_at_the_edge_of_the_ball_passes(pixel_range, norm, unit, epsilon, expected):
    norms = check_adversarial_set(adversarial_set(pixel_range, unit, epsilon, norm), images(), pixel_range, "hash")
    np.testing.assert_allclose(norms["linf"], expected, rtol=1e-5)
    np.testing.assert_allclose(norms["l2"], expected, rtol=1e-5)


def changed(**fields):
    return lambda good: dataclasses.replace(good, **{name: change(good) for name, change in fields.items()})


def with_pixel(value):
    def change(good):
        x = good.images.copy()
        x[3, 0, 0, 0] = value
        return x

    return change


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (changed(model_sha256=lambda good: "other"), "crafted on another model, so this would be a transfer result"),
        (changed(indices=lambda good: good.indices[::-1]), "comes from other images"),
        (changed(labels=lambda good: (good.labels + 1) % 4), "comes from other images"),
        (changed(images=lambda good: good.images.astype("f8")), "holds float64"),
        (changed(images=lambda good: good.images[:, :4]), "of shape"),
        (changed(images=with_pixel(np.nan)), "no numbers"),
        (changed(images=with_pixel(-1e-6)), "leaves the pixel range"),
        (changed(images=with_pixel(1.000001)), "leaves the pixel range"),
        (changed(images=with_pixel(0.999)), "more than epsilon"),
        (changed(attack=lambda good: good.attack | {"epsilon": "0.0999"}), "moves an image by 0.1, more than epsilon"),
        (changed(attack=lambda good: good.attack | {"epsilon": "0"}), "more than epsilon"),
    ],
)
def test_a_broken_set_is_an_error(break_it, words):
    with pytest.raises(UserError, match=words) as caught:
        check_adversarial_set(break_it(adversarial_set()), images(), (0.0, 1.0), "hash")
    assert "the set of a at epsilon" in str(caught.value) and str(caught.value).endswith("craft it again.")


RANGE = AttackSettings("bim", relative_step=0.5, iterations=6, clip="pixel_range")  # reaches three times epsilon


@pytest.mark.parametrize("pixel_range", [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)])
@pytest.mark.parametrize(("unit", "epsilon"), [("0-1", "0.1"), ("0-255", "25.5")])
@pytest.mark.parametrize(
    ("settings", "shift", "words"),
    [
        (RANGE, 0.3, None),
        (RANGE, 0.301, "more than all of its steps together"),
        (dataclasses.replace(RANGE, iterations=1), 0.05, None),
        (dataclasses.replace(RANGE, iterations=1), 0.0501, "more than all of its steps together"),
        (dataclasses.replace(RANGE, clip="ball"), 0.3, "more than epsilon"),
    ],
)
def test_without_a_ball_a_set_may_go_as_far_as_its_steps(pixel_range, unit, epsilon, settings, shift, words):
    good = adversarial_set(pixel_range, unit, epsilon, shift=shift)
    attacked = dataclasses.replace(good, attack=describe("a", settings, epsilon, unit, 0))
    if words is None:
        norms = check_adversarial_set(attacked, images(), pixel_range, "hash")
        np.testing.assert_allclose(norms["linf"], shift * {"0-1": 1, "0-255": 255}[unit], rtol=1e-5)
    else:
        with pytest.raises(UserError, match=words):
            check_adversarial_set(attacked, images(), pixel_range, "hash")


def test_without_a_ball_the_pixel_range_is_checked_all_the_same():
    good = adversarial_set()
    bad = dataclasses.replace(good, attack=describe("a", RANGE, "0.1", "0-1", 0), images=with_pixel(1.000001)(good))
    with pytest.raises(UserError, match="leaves the pixel range"):
        check_adversarial_set(bad, images(), (0.0, 1.0), "hash")


def test_the_euclidean_norm_is_checked_as_such():
    good = adversarial_set(norm="2")
    x = good.images.copy()
    x[:, 0, 0] += np.float32(0.05)  # within 0.1 in the maximum norm, beyond it in the Euclidean
    with pytest.raises(UserError, match="more than epsilon"):
        check_adversarial_set(dataclasses.replace(good, images=x), images(), (0.0, 1.0), "hash")


def test_a_set_survives_its_file_byte_for_byte(tmp_path):
    good = adversarial_set()
    good.save(tmp_path / "a.npz")
    good.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    loaded = AdversarialSet.load(tmp_path / "a.npz")
    assert loaded.images.dtype == np.float32 and loaded.images.tobytes() == good.images.tobytes()
    assert loaded.attack == good.attack and loaded.model_sha256 == "hash"


@pytest.mark.parametrize("pixel_range", [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)])
@pytest.mark.parametrize("unit", ["0-1", "0-255"])
def test_in_norm_0_epsilon_is_the_share_of_values_that_may_change(pixel_range, unit):
    """Two of 64 values change in each image, one of them by almost nothing; whatever the unit is."""
    good = adversarial_set(pixel_range, unit)
    x, source = good.images.copy(), to_pixels(images().images, pixel_range)
    x[:, 0, 0] = np.nextafter(source[:, 0, 0], np.float32(pixel_range[0] + pixel_range[1]) / 2)
    settings = AttackSettings("jsma", norm="0", own={"theta": 1})

    def crafted(epsilon):
        return dataclasses.replace(good, images=x, attack=describe("a", settings, epsilon, unit, 0))

    norms = check_adversarial_set(crafted("0.03125"), images(), pixel_range, "hash")
    assert norms["l0"].tolist() == [2 / 64] * 40
    np.testing.assert_allclose(norms["linf"], {"0-1": 0.1, "0-255": 25.5}[unit], rtol=1e-5)
    with pytest.raises(UserError, match=r"changes 0\.03125 of an image's values, more than epsilon: craft it again"):
        check_adversarial_set(crafted("0.0312"), images(), pixel_range, "hash")
    assert "l0" not in check_adversarial_set(adversarial_set(pixel_range), images(), pixel_range, "hash")


def test_settings_of_an_attacks_own_survive_their_note_and_leave_no_trace_where_there_are_none():
    settings = AttackSettings("carlini_wagner", norm="2", iterations=5, own={"confidence": 2})
    assert settings_from_note(describe("a", settings, "0.1", "0-1", 0)) == settings
    plain = describe("a", AttackSettings("fgsm"), "0.1", "0-1", 0)
    assert "own" not in plain and settings_from_note(plain) == AttackSettings("fgsm")


@pytest.mark.parametrize("content", [b"", b"PK broken", b"not a zip at all"])
def test_a_broken_file_is_told(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(UserError, match="remove it"):
        AdversarialSet.load(tmp_path / "a.npz")


def test_a_file_that_breaks_off_is_told(tmp_path):
    adversarial_set().save(tmp_path / "a.npz")
    whole = (tmp_path / "a.npz").read_bytes()
    for length in (len(whole) - 30, len(whole) // 2, 40):
        (tmp_path / "a.npz").write_bytes(whole[:length])
        with pytest.raises(UserError, match="remove it"):
            AdversarialSet.load(tmp_path / "a.npz")


def test_records_keep_an_epsilons_text_and_every_name(tmp_path):
    table = pd.DataFrame({"epsilon": ["0.10", "8"], "target": ["", "random"], "model": ["inf", "nan"]})
    write_records(table, tmp_path / "r.csv")
    assert read_records(tmp_path / "r.csv")["model"].tolist() == ["inf", "nan"]
    assert read_records(tmp_path / "r.csv")["epsilon"].tolist() == ["0.10", "8"]
    assert read_records(tmp_path / "r.csv")["target"].tolist() == ["", "random"]


def test_label_encodings():
    labels = np.array([2, 0])
    assert encode_labels(labels, 3, "integer") is labels
    assert encode_labels(labels, 3, "one_hot").tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize(
    ("pixel_range", "ends"), [((0.0, 1.0), (0, 1)), ((0.0, 255.0), (0, 255)), ((-1.0, 1.0), (-1, 1))]
)
def test_pixel_ranges(pixel_range, ends):
    pixels = to_pixels(np.arange(256, dtype=np.uint8), pixel_range)
    assert pixels.dtype == np.float32 and (pixels[0], pixels[-1]) == pytest.approx(ends)
    assert pixels.min() >= pixel_range[0] and pixels.max() <= pixel_range[1]
    np.testing.assert_allclose(np.diff(pixels), (ends[1] - ends[0]) / 255, rtol=1e-3)
