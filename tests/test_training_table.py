"""The table of trainings, from metadata and histories written by hand."""

import json

import pytest

from robustness.errors import UserError
from robustness.evaluation.records import read_records, write_records
from robustness.tables.training_table import COLUMNS, ended_above_guessing, training_markdown, training_table

HISTORY = "epoch,accuracy,extra_loss,loss,val_accuracy,val_loss,learning_rate,seconds\n"


def write_training(folder, model: str, seed: int, median: float, kept: object, lines: list[str], **changes) -> None:
    """Metadata and history of one training; the lines are epochs as above."""
    place = folder / model / f"seed{seed}"
    place.mkdir(parents=True)
    metadata = {
        **{"dataset": "d_1", "architecture": "net", "defence": "none", "model": model, "seed": seed},
        **{"parameters": 1234, "epochs": len(lines), "kept_epoch": kept, "seconds_per_epoch": median},
        **{"device": "cpu", "threads": 2, "settings": {"loss": "categorical_crossentropy"}},
    }
    (place / "metadata.json").write_text(json.dumps(metadata | changes))
    (place / "history.csv").write_text(HISTORY + "".join(f"{line}\n" for line in lines))


@pytest.fixture
def trainings(tmp_path):
    """Model plain keeps its second epoch of three, guarded its first and only one; two seeds."""
    for seed in (1, 2):
        epochs = ["1,0.5,9,2.0,0.6,1.5,0.1,30.0", "2,0.7,9,1.0,0.8,0.5,0.1,10.5", "3,0.9,9,0.1,0.7,0.9,0.1,10.0"]
        write_training(tmp_path, "plain", seed, 10.0 * seed, 2, epochs)
        epochs = ["1,0.25,9,7,0.375,8,0.1,25"]
        write_training(tmp_path, "guarded", seed, 25.0, 1, epochs, defence="defensive_distillation", threads=1)
    return tmp_path


def test_a_row_has_the_numbers_of_the_epoch_that_was_kept(trainings):
    table = training_table(trainings, ["plain", "guarded"], [1, 2], {"guarded": "plain"}, {"guarded": "plain"})
    assert list(table.columns) == COLUMNS
    assert table[["model", "seed"]].values.tolist() == [["plain", 1], ["plain", 2], ["guarded", 1], ["guarded", 2]]
    first = table.iloc[0]
    names = ["training_loss", "training_accuracy", "validation_loss", "validation_accuracy"]
    assert first[names].tolist() == [1.0, 0.7, 0.5, 0.8]
    assert first[["epochs", "kept_epoch", "parameters", "threads", "device"]].tolist() == [3, 2, 1234, 2, "cpu"]
    assert first[["seconds_per_epoch", "seconds"]].tolist() == [10.0, 50.5]
    assert table["times_baseline"].tolist()[2:] == [2.5, 1.25] and table["times_baseline"][:2].isna().all()
    assert table["baseline"].tolist() == table["initial"].tolist() == ["", "", "plain", "plain"]


def test_the_file_says_the_same_again(trainings, tmp_path):
    table = training_table(trainings, ["plain", "guarded"], [1], {"guarded": "plain"}, {"guarded": "plain"})
    write_records(table, tmp_path / "training.csv")
    again = read_records(tmp_path / "training.csv")
    assert again["times_baseline"].tolist() == ["", "2.5"] and again["validation_loss"].tolist() == [0.5, 8]


def test_the_text_has_a_line_a_training(trainings):
    text = training_markdown(
        training_table(trainings, ["plain", "guarded"], [1], {"guarded": "plain"}, {"guarded": "plain"})
    )
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    plain, guarded = (dict(zip(cells[0], line)) for line in cells[2:])
    assert plain["kept epoch"] == "2 of 3" and plain["seconds per epoch"] == "10.00" and plain["seconds"] == "50.5"
    assert plain["training accuracy"] == "70.00" and plain["validation loss"] == "0.5000"
    assert plain["times baseline"] == "" and guarded["times baseline"] == "2.50 x plain"
    assert guarded["validation accuracy"] == "37.50" and guarded["defence"] == "defensive_distillation"


@pytest.fixture
def beside_guessing(tmp_path):
    """Four models: sound, exploded, one whose loss is no number, and one of a version that did not compare."""
    row = "1,0.5,9,2.0,0.6,1.5,0.1,30.0"
    for model, loss, above in (("sound", 0.25, False), ("exploded", 5.6e7, True), ("broken", None, True)):
        numbers = {"loss": loss, "guessing": 2.30258509, "images": 1000, "above": above}
        write_training(tmp_path, model, 1, 10.0, 1, [row], loss_of_guessing=numbers)
    write_training(tmp_path, "earlier", 1, 10.0, 1, [row])
    return training_table(tmp_path, ["sound", "exploded", "broken", "earlier"], [1], {}, {})


def test_a_training_that_did_not_end_below_guessing_is_named(beside_guessing):
    text = training_markdown(beside_guessing)
    before, _, _ = text.partition("| dataset")
    assert "exploded, seed 1 (5.6e+07, guessing 2.303); broken, seed 1 (nan, guessing 2.303). Lower the" in before
    assert "sound" not in before and "earlier" not in before and "guessing" not in text.removeprefix(before)
    assert "guessing" not in training_markdown(beside_guessing.iloc[[0, 3]])


def test_the_file_tells_which_did_not_end_below_guessing(beside_guessing, tmp_path):
    assert beside_guessing["above_guessing"].tolist() == [False, True, True, ""]
    write_records(beside_guessing, tmp_path / "training.csv")
    again = read_records(tmp_path / "training.csv")
    assert again["above_guessing"].tolist() == ["False", "True", "True", ""]
    assert again["final_loss"].tolist() == ["0.25", "56000000", "", ""]
    assert again["loss_of_guessing"].tolist() == ["2.30258509"] * 3 + [""]
    for table in (beside_guessing, again):
        assert ended_above_guessing(table)["model"].tolist() == ["exploded", "broken"]
    write_records(beside_guessing.iloc[:3], tmp_path / "training.csv")  # then pandas reads booleans
    assert ended_above_guessing(read_records(tmp_path / "training.csv"))["model"].tolist() == ["exploded", "broken"]


@pytest.mark.parametrize("kept", [None, 0, 4])
def test_a_training_that_does_not_tell_its_epoch_is_refused(tmp_path, kept):
    write_training(tmp_path, "plain", 1, 10.0, kept, ["1,0.5,9,2.0,0.6,1.5,0.1,30.0"])
    with pytest.raises(UserError, match="seed1 does not tell the epoch whose weights were kept: train"):
        training_table(tmp_path, ["plain"], [1], {}, {})


def test_a_baseline_that_is_not_there_is_refused(trainings):
    with pytest.raises(UserError, match="the baseline plain is not among the models"):
        training_table(trainings, ["guarded"], [1], {"guarded": "plain"}, {"guarded": "plain"})
