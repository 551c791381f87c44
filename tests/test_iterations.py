"""Iteration sweeps through their programs, on a small network with two seeds; and sets that may leave the ball."""

import dataclasses
import json

import click
import numpy as np
import pytest
from conftest import call
from networks import curved_network, images

from robustness.attacks.attack_settings import AdversarialSet
from robustness.attacks.iteration_sets import IterationSets
from robustness.data.datasets import to_pixels
from robustness.errors import UserError
from robustness.evaluation.records import read_records
from robustness.files import write_json
from robustness.models.model_files import save_network
from robustness.tables.iteration_tables import iteration_curves, iterations, iterations_markdown

COUNTS = [1, 4, 9]
SETTINGS = {"method": "bim", "relative_step": 0.3, "loss": "margin"}
SEEDS = (3, 4)


pytestmark = pytest.mark.usefixtures("threads_stay")


@pytest.fixture(scope="module")
def place(tmp_path_factory, threads_stay):
    """A folder in which the sweep was crafted and scored on a network for each seed, and brought into the tables."""
    folder = tmp_path_factory.mktemp("sweep")
    images(40).save(folder / "evaluation.npz")
    shape = {"shape": [8, 8, 1], "pixel_range": "0-1"}
    write_json(folder / "dataset.json", {"name": "stripes", "classes": list("abcd")} | shape)
    for seed, scale in zip(SEEDS, (1.0, 3.0), strict=True):
        home = folder / f"models/net/seed{seed}"
        save_network(curved_network(scale), home / "model.keras")
        described = {"dataset": "stripes", "architecture": "small", "defence": "none", "model": "net", "seed": seed}
        write_json(home / "metadata.json", described)
        common = {"model": home / "model.keras", "info": folder / "dataset.json", "images": folder / "evaluation.npz"}
        sets, scored = folder / f"sets/seed{seed}.npz", folder / f"evaluation/net/seed{seed}/iterations/sweep"
        call(
            "craft_iteration_sweep", **common, **SETTINGS, sweep="sweep", epsilon="0.10", epsilon_unit="0-1",
            iterations=",".join(map(str, COUNTS)), batch_size=16, seed=seed, output=sets,
        )  # fmt: skip
        call(
            "evaluate_iteration_sweep", **common, metadata=home / "metadata.json", adversarial=sets,
            records=f"{scored}.csv", summary=f"{scored}.json",
        )  # fmt: skip
    seeds = [word for seed in SEEDS for word in ("--seed", seed)]
    call(
        "aggregate_iterations", *seeds, "--sweep", "sweep", "net", evaluation_folder=folder / "evaluation",
        table=folder / "iterations.csv", text=folder / "iterations.md", curves=folder / "curves.csv",
    )  # fmt: skip
    return folder


def test_a_sweep_holds_the_sets_that_craft_adversarial_makes(place, tmp_path):
    """Images, labels, note and hash: each set by itself is what the other program writes with so many iterations."""
    swept = dict(IterationSets.load(place / "sets/seed3.npz").each())
    assert list(swept) == COUNTS
    for count, found in swept.items():
        call(
            "craft_adversarial", **SETTINGS, model=place / "models/net/seed3/model.keras", info=place / "dataset.json",
            images=place / "evaluation.npz", attack="sweep", epsilon="0.10", epsilon_unit="0-1", iterations=count,
            batch_size=16, seed=3, output=tmp_path / "alone.npz",
        )  # fmt: skip
        alone = AdversarialSet.load(tmp_path / "alone.npz")
        assert found.images.tobytes() == alone.images.tobytes() and found.attack == alone.attack
        assert found.model_sha256 == alone.model_sha256
        for name in ("labels", "targets", "indices"):
            assert getattr(found, name).tolist() == getattr(alone, name).tolist()


def test_the_records_are_what_the_network_says_of_each_image(place):
    network, clean = curved_network(3.0), images(40)
    records = read_records(place / "evaluation/net/seed4/iterations/sweep.csv")
    numbers = json.loads((place / "evaluation/net/seed4/iterations/sweep.json").read_text())["numbers"]
    assert records["iterations"].tolist() == np.repeat(COUNTS, 40).tolist()
    for (count, found), told in zip(IterationSets.load(place / "sets/seed4.npz").each(), numbers, strict=True):
        rows = records[records["iterations"] == count]
        logits = network(found.images).numpy().astype(float)
        share = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        assert rows["index"].tolist() == clean.indices.tolist() and rows["label"].tolist() == clean.labels.tolist()
        assert rows["prediction"].tolist() == logits.argmax(axis=1).tolist()
        np.testing.assert_allclose(rows["confidence"], share.max(axis=1), rtol=1e-5)
        np.testing.assert_allclose(rows["loss"], -np.log(share[np.arange(40), clean.labels]), rtol=1e-4, atol=1e-6)
        moved = found.images.astype(float) - to_pixels(clean.images, (0.0, 1.0))
        np.testing.assert_allclose(rows["linf"], np.abs(moved).max(axis=(1, 2, 3)), rtol=1e-6)
        np.testing.assert_allclose(rows["l2"], np.sqrt((moved**2).sum(axis=(1, 2, 3))), rtol=1e-6)
        right = int((logits.argmax(axis=1) == clean.labels).sum())
        assert (told["iterations"], told["n"], told["correct"], told["accuracy"]) == (count, 40, right, right / 40)
        assert told["loss"] == pytest.approx(rows["loss"].mean())
        assert told["max_linf"] == pytest.approx(rows["linf"].max(), rel=1e-8)
        assert told["max_linf"] == pytest.approx(min(0.03 * count, 0.1), rel=1e-5)


def test_the_table_has_a_row_a_seed_and_number_of_iterations(place):
    table = read_records(place / "iterations.csv")
    promised = (
        "dataset model seed sweep method norm epsilon epsilon_unit iterations n correct accuracy ci_low ci_high loss"
    )
    assert list(table.columns) == [*promised.split(), "max_linf"]
    assert list(zip(table["seed"], table["iterations"])) == [(seed, count) for seed in SEEDS for count in COUNTS]
    assert set(zip(table["sweep"], table["method"], table["norm"], table["epsilon"])) == {
        ("sweep", "bim", "inf", "0.10")
    }
    for row in table.itertuples():
        summary = json.loads((place / f"evaluation/net/seed{row.seed}/iterations/sweep.json").read_text())
        told = summary["numbers"][COUNTS.index(row.iterations)]
        assert (row.correct, row.n) == (told["correct"], 40) and row.loss == pytest.approx(told["loss"], rel=1e-8)


def summary(model: str, seed: int, correct: dict[int, int]) -> dict:
    """Of 100 images, so many correct after so many iterations; the interval is a tenth to either side, the loss 1."""
    attack = {"name": "sweep", "method": "bim", "norm": "inf", "epsilon": "8", "epsilon_unit": "0-255"}
    numbers = [
        {"iterations": count, "n": 100, "correct": right, "accuracy": right / 100, "loss": float(seed), "max_linf": 8.0}
        | {"ci_low": right / 100 - 0.1, "ci_high": right / 100 + 0.1}
        for count, right in correct.items()
    ]
    return {"dataset": "d", "model": model, "seed": seed, "attack": attack, "numbers": numbers}


def test_curves_of_one_seed_have_its_interval_and_of_several_their_spread():
    table = iterations([summary("a", 1, {1: 60, 10: 30}), summary("a", 2, {1: 80, 10: 40}), summary("b", 1, {1: 50})])
    curves = iteration_curves(table).set_index(["model", "iterations", "metric"])[["value", "low", "high", "seeds"]]
    assert {key: row.tolist() for key, row in curves.iterrows()} == {
        ("a", 1, "accuracy"): pytest.approx([0.7, 0.6, 0.8, 2]),
        ("a", 1, "loss"): [1.5, 1, 2, 2],
        ("a", 10, "accuracy"): pytest.approx([0.35, 0.3, 0.4, 2]),
        ("a", 10, "loss"): [1.5, 1, 2, 2],
        ("b", 1, "accuracy"): pytest.approx([0.5, 0.4, 0.6, 1]),
        ("b", 1, "loss"): [1, 1, 1, 1],
    }


def test_the_text_has_iterations_down_and_models_across():
    text = iterations_markdown(iterations([summary("b", 1, {2: 60, 10: 30}), summary("a", 1, {2: 80, 10: 40})]))
    assert "## d, sweep" in text and "bim, norm inf, epsilon 8 on the pixel range 0-255; n = 100." in text
    grid = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    assert grid[0] == ["iterations", "b, seed 1", "a, seed 1"]
    assert grid[2:4] == [["2", "60.00 [50.00, 70.00]", "80.00 [70.00, 90.00]"], ["10", "30.00 [20.00, 40.00]", "40.00 [30.00, 50.00]"]]  # fmt: skip
    assert grid[6:] == [["2", "1", "1"], ["10", "1", "1"]]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(
    ("pixel", "sentence"),
    [(0.5, "moves an image by"), (1.01, "leaves the pixel range"), (None, "crafted on another model")],
)
def test_every_iterate_is_checked_before_it_is_scored(place, tmp_path, count, pixel, sentence):
    good = IterationSets.load(place / "sets/seed3.npz")
    bad = dataclasses.replace(good, images=good.images.copy(), model_sha256=good.model_sha256 if pixel else "other")
    if pixel:
        bad.images[COUNTS.index(count), 7, 0, 0, 0] += pixel
    bad.save(tmp_path / "bad.npz")
    with pytest.raises(click.ClickException, match=sentence):
        call(
            "evaluate_iteration_sweep", model=place / "models/net/seed3/model.keras", info=place / "dataset.json",
            images=place / "evaluation.npz", metadata=place / "models/net/seed3/metadata.json",
            adversarial=tmp_path / "bad.npz", records=tmp_path / "r.csv", summary=tmp_path / "s.json",
        )  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["bad.npz"]


def test_a_sweep_survives_its_file_byte_for_byte(place, tmp_path):
    first = IterationSets.load(place / "sets/seed3.npz")
    first.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (place / "sets/seed3.npz").read_bytes()
    assert first.images.dtype == np.float32 and first.images.shape == (3, 40, 8, 8, 1)
    (tmp_path / "again.npz").write_bytes(b"PK broken")
    with pytest.raises(UserError, match="remove it"):
        IterationSets.load(tmp_path / "again.npz")


def test_a_figure_draws_the_curves_as_they_are(place, tmp_path, monkeypatch):
    kept = []
    monkeypatch.setattr("robustness.figures.plotting.plt.close", kept.append)
    files = {"png": tmp_path / "f.png", "svg": tmp_path / "f.svg"}
    call("plot_iterations", curves=place / "curves.csv", dataset="stripes", sweep="sweep", title="{sweep}!", **files)
    monkeypatch.undo()
    (drawn,) = kept
    curves = read_records(place / "curves.csv")
    for axes, metric, scale in zip(drawn.axes, ("loss", "accuracy"), (1, 100), strict=True):
        (line,) = axes.get_lines()
        values = curves.loc[curves["metric"] == metric, "value"]
        assert line.get_xdata().tolist() == COUNTS and line.get_label() == "net"
        assert line.get_ydata().tolist() == pytest.approx((scale * values).tolist())
        assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "4", "9"]
    assert drawn.get_suptitle() == "sweep!" and "least to greatest of 2 seeds" in drawn.axes[1].get_ylabel()
    assert (tmp_path / "f.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and (tmp_path / "f.svg").stat().st_size > 5000


def test_a_set_that_left_the_ball_is_no_transfer(place, tmp_path):
    """Moved by 0.3 x 9 of epsilon it is scored on its own model, and refused on any other at that epsilon."""
    model, home = place / "models/net/seed3/model.keras", tmp_path / "sets/net/seed3/loose"
    common = {"info": place / "dataset.json", "images": place / "evaluation.npz"}
    call(
        "craft_adversarial", **common, **SETTINGS, model=model, attack="loose", epsilon="0.10", epsilon_unit="0-1",
        iterations=9, clip="pixel_range", seed=3, output=home / "eps0.10.npz",
    )  # fmt: skip
    call(
        "evaluate_attack", **common, model=model, metadata=place / "models/net/seed3/metadata.json",
        adversarial=home / "eps0.10.npz", records=tmp_path / "r.csv", summary=tmp_path / "s.json",
    )  # fmt: skip
    assert 0.1 < json.loads((tmp_path / "s.json").read_text())["epsilons"]["0.10"]["max_linf"] <= 0.27 * (1 + 1e-5)
    with pytest.raises(click.ClickException, match=r"may lie outside the ball of epsilon 0\.10"):
        call(
            "evaluate_transfer", "--source", "net", "loose", "0.10", **common, model=model, seed=3,
            models_folder=place / "models", adversarial_folder=tmp_path / "sets", records=tmp_path / "t.csv",
        )  # fmt: skip
