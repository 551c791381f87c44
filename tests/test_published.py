"""Published numbers beside measured ones, worked out by hand."""

import csv

import pandas as pd
import pytest
from conftest import ROOT

from robustness.errors import UserError
from robustness.published import COLUMNS, described, read_published
from robustness.published_table import compare, measured, published_markdown
from robustness.records import read_records, write_records

HEAD = ",".join(COLUMNS) + "\n"


def write(path, *lines: str):
    path.write_text(HEAD + "".join(f"{line}\n" for line in lines))
    return path


# --- the files -------------------------------------------------------------------------------------------------------


def test_a_row_is_read_as_it_was_published(tmp_path):
    lines = ['"table 2, left",a,robust_accuracy,fgsm,0.10,,63.60,200', "s,b,clean_loss,,,,0.2,"]
    path = write(tmp_path / "report.csv", *lines)
    first, second = read_published(path)
    assert (first.publication, first.source, first.model, first.attack) == ("report", "table 2, left", "a", "fgsm")
    assert (first.epsilon, first.value, first.n, first.unit) == ("0.10", "63.60", 200, "%")
    assert (second.attack, second.epsilon, second.iterations, second.n, second.unit) == ("", "", "", None, "nats")
    assert second.place == f"{path}, line 3"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("s,a,robustness,fgsm,0.1,,63,", ["quantity is 'robustness'", "robust_accuracy"]),
        ("s,a,robust_accuracy,fgsm,,,63,", ["epsilon is empty", "robust_accuracy"]),
        ("s,a,iterations_accuracy,sweep,0.1,,63,", ["iterations is empty"]),
        (",a,clean_accuracy,,,,63,", ["source is empty"]),
        ("s,,clean_accuracy,,,,63,", ["model is empty"]),
        ("s,a,clean_accuracy,fgsm,,,63,", ["attack is 'fgsm'", "nothing for a clean_accuracy"]),
        ("s,a,robust_accuracy,fgsm,0.1,5,63,", ["iterations is '5'", "leave it empty"]),
        ("s,a,clean_accuracy,,,,,", ["value is empty", "fill it in"]),
        ("s,a,clean_accuracy,,,,about 90,", ["value is 'about 90'", "a number"]),
        ("s,a,clean_loss,,,,nan,", ["value is 'nan'", "a number"]),
        ("s,a,clean_loss,,,,-1,", ["value is '-1'", "0 or more"]),
        ("s,a,seconds_per_epoch,,,,inf,", ["value is 'inf'", "a number"]),
        ("s,a,clean_accuracy,,,,100.5,", ["value is 100.5", "more than 100 %"]),
        ("s,a,robust_accuracy,fgsm,8/255,,63,", ["epsilon is '8/255'", "a number"]),
        ("s,a,clean_accuracy,,,,63,0", ["n is '0'", "1 or more"]),
        ("s,a,clean_accuracy,,,,63,all", ["n is 'all'", "a whole number"]),
        ("s,a,iterations_accuracy,sweep,0.1,2.5,63,", ["iterations is '2.5'", "a whole number"]),
        ("s,a,clean_accuracy,,,,63", ["does not have 8 cells"]),
        ("s, really,a,clean_accuracy,,,,63,", ["does not have 8 cells", "in quotes"]),
    ],
)
def test_a_wrong_row_is_one_sentence_that_names_its_line(tmp_path, line, words):
    path = write(tmp_path / "p.csv", "s,a,clean_accuracy,,,,90,", line)
    with pytest.raises(UserError) as caught:
        read_published(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path}, line 3") and sentence.endswith(".") and "\n" not in sentence
    for word in words:
        assert word in sentence, sentence


def test_other_columns_are_refused(tmp_path):
    (tmp_path / "p.csv").write_text("model,value\na,1\n")
    with pytest.raises(UserError, match="other columns than source, model, quantity, attack,"):
        read_published(tmp_path / "p.csv")


def test_a_spreadsheets_mark_before_the_first_column_does_not_matter(tmp_path):
    path = write(tmp_path / "p.csv", "s,a,clean_accuracy,,,,90,")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert [row.value for row in read_published(path)] == ["90"]


def test_another_encoding_is_told(tmp_path):
    path = write(tmp_path / "p.csv", "s,a,clean_accuracy,,,,90,")
    path.write_bytes(path.read_bytes() + "caf\u00e9,a,clean_accuracy,,,,90,\n".encode("cp1252"))
    with pytest.raises(UserError, match=r"can't be read as CSV in UTF-8 .*: save it as such"):
        read_published(path)


def test_the_reports_numbers_are_those_of_its_text():
    rows = read_published(ROOT / "resources/published/report_fashion_mnist.csv")
    told = [
        (row.source, row.model, described(row.quantity, row.attack, row.epsilon, row.iterations), row.value)
        for row in rows
    ]
    assert told == [
        ("section 3.3", "original", "clean accuracy", "93.7"),
        ("section 4.1.1", "original", "robust accuracy under fgsm at epsilon 0.1", "63.6"),
        ("section 4.1.2", "original", "accuracy under bim_iterations at epsilon 0.05 after 25 iterations", "37.48"),
        ("section 4.2.1", "augmented", "clean accuracy", "89"),
        ("section 4.2.1", "augmented", "validation accuracy", "89"),
        ("section 4.2.1", "augmented", "training accuracy", "83"),
        ("section 4.2.2", "adversarial_regularisation", "robust accuracy under fgsm at epsilon 0.2", "70"),
        ("section 4.2.3", "original", "clean accuracy", "93.76"),
        ("section 4.2.3", "original", "clean loss", "0.2374"),
        ("section 4.2.3", "student", "clean accuracy", "93.78"),
        ("section 4.2.3", "student", "clean loss", "0.1919"),
        ("section 4.2.3", "original", "seconds per epoch", "4.12"),
        ("section 4.2.3", "student", "seconds per epoch", "5.14"),
        ("section 4.2.3", "student_modified", "seconds per epoch", "6.18"),
    ]


# --- beside the study's own ------------------------------------------------------------------------------------------


def tables(seeds=(1,)) -> dict[str, pd.DataFrame]:
    """The study's tables of a model a; with the second seed, each accuracy is a point higher, and each loss by one.

    On 100 images: 60 right on the test part (Wilson 50.20 to 69.06), 50 under fgsm (40.38 to 59.62).
    """
    wilson = {60: (0.5020, 0.6906), 50: (0.4038, 0.5962), 20: (0.1334, 0.2888), 90: (0.8256, 0.9448)}
    found: dict[str, list[dict]] = {"robust": [], "clean": [], "training": [], "iterations": []}
    for k, seed in enumerate(seeds):

        def accuracy(correct, more=k):
            low, high = wilson[correct]
            numbers = {"n": 100, "correct": correct + more, "accuracy": (correct + more) / 100}
            return numbers | {"ci_low": low, "ci_high": high, "loss": correct / 120 + more}

        key = {"dataset": "d_1", "model": "a", "seed": seed}
        for part, correct in (("validation", 90), ("test", 60), ("evaluation", 50)):
            found["clean"].append(key | {"part": part} | accuracy(correct))
        for attack, epsilon, verdict in (("fgsm", "0.10", ["pass", "fail"][k]), ("pgd", "0.10", "pass")):
            clip = "ball" if attack == "fgsm" else "pixel_range"
            attacked = key | {"attack": attack, "epsilon": epsilon, "verdict": verdict, "clip": clip}
            found["robust"].append(attacked | accuracy(50 if attack == "fgsm" else 20))
        found["training"].append(key | {"seconds_per_epoch": 4.0 + k, "training_accuracy": 0.83 + k / 100})
        for iterations in (1, 25):
            swept = key | {"sweep": "longer", "epsilon": "0.05", "iterations": iterations}
            found["iterations"].append(swept | accuracy(60 if iterations == 1 else 20))
    return {name: pd.DataFrame(rows) for name, rows in found.items()}


def held(tmp_path, *lines: str, seeds=(1,)) -> pd.DataFrame:
    """The comparison of these published numbers with the tables above."""
    return compare(read_published(write(tmp_path / "report.csv", *lines)), measured(**tables(seeds)))


ROBUST = "table 1,a,robust_accuracy,fgsm,0.1,,{},{}"


def test_each_quantity_is_held_against_its_own_measure(tmp_path):
    table = held(
        tmp_path,
        "s,a,clean_accuracy,,,,1,",
        "s,a,validation_accuracy,,,,1,",
        "s,a,evaluation_accuracy,,,,1,",
        "s,a,clean_loss,,,,1,",
        "s,a,training_accuracy,,,,1,",
        "s,a,seconds_per_epoch,,,,1,",
        "s,a,robust_accuracy,fgsm,0.1,,1,",
        "s,a,robust_accuracy,pgd,0.100,,1,",
        "s,a,iterations_accuracy,longer,0.050,25,1,",
        "s,a,iterations_accuracy,longer,0.05,1,1,",
    )
    assert table["measured"].tolist() == pytest.approx([60, 90, 50, 0.5, 83, 4, 50, 20, 20, 60])
    assert table["difference"].tolist() == pytest.approx([59, 89, 49, -0.5, 82, 3, 49, 19, 19, 59])
    assert table["unit"].tolist() == ["%", "%", "%", "nats", "%", "s", "%", "%", "%", "%"]
    assert table["measured_low"].isna().tolist() == [False] * 3 + [True] * 3 + [False] * 4
    assert table.loc[0, ["measured_low", "measured_high"]].tolist() == pytest.approx([50.20, 69.06])
    assert table["verdict"].tolist() == [""] * 6 + ["pass"] * 2 + [""] * 2
    assert set(table["dataset"]) == {"d_1"} and set(table["publication"]) == {"report"}


@pytest.mark.parametrize(
    ("value", "n", "interval", "inside", "apart"),
    [
        ("59.62", "", None, True, ""),  # the measured interval reaches from 40.38 to 59.62
        ("59.63", "", None, False, ""),
        ("40.38", "", None, True, ""),
        ("40.37", "", None, False, ""),
        ("60", "100", (50.20, 69.06), False, False),
        ("90", "100", (82.56, 94.48), False, True),
        ("20", "100", (13.34, 28.88), False, True),
        ("50", "200", (43.14, 56.86), True, False),  # (0.5 + z^2/400 -+ z sqrt(0.25/200 + z^2/160000)) / (1 + z^2/200)
        ("0", "100", (0.0, 3.70), False, True),  # z^2 / (100 + z^2)
    ],
)
def test_what_the_intervals_say(tmp_path, value, n, interval, inside, apart):
    (row,) = held(tmp_path, ROBUST.format(value, n)).itertuples()
    assert row.published == value and (row.inside, row.apart) == (inside, apart)
    if interval is None:
        assert pd.isna(row.published_low) and pd.isna(row.published_n)
    else:
        assert (row.published_low, row.published_high) == pytest.approx(interval, abs=0.006)
        assert row.published_n == int(n)


def test_of_several_seeds_the_mean_stands_with_the_least_and_greatest(tmp_path):
    """50 and 51 of 100 under fgsm, losses of 0.5 and 1.5; the second seed fails its diagnosis."""
    robust, loss, outside = held(
        tmp_path, ROBUST.format("50.5", ""), "s,a,clean_loss,,,,0.5,", ROBUST.format("51.1", "9"), seeds=(1, 2)
    ).itertuples()
    assert (robust.measured, robust.measured_low, robust.measured_high) == pytest.approx((50.5, 50, 51))
    assert robust.seeds == 2 and robust.verdict == "fail" and robust.inside is True
    assert (loss.measured, loss.measured_low, loss.measured_high) == (1.0, 0.5, 1.5) and loss.inside is True
    assert outside.inside is False and outside.apart is False


@pytest.mark.parametrize(
    "line",
    [
        "s,b,clean_accuracy,,,,90,",
        "s,a,robust_accuracy,fgsm,0.2,,90,",
        "s,a,robust_accuracy,bim,0.1,,90,",
        "s,a,robust_accuracy,longer,0.05,,90,",
        "s,a,iterations_accuracy,longer,0.05,2,90,",
    ],
)
def test_a_number_without_its_counterpart_is_an_error(tmp_path, line):
    with pytest.raises(UserError, match=r"report\.csv, line 2: the tables have no .*accuracy.* of [ab]: correct"):
        held(tmp_path, line)


def test_the_text_lists_what_the_intervals_do_not_cover(tmp_path):
    lines = [
        ROBUST.format("90", "100"),  # apart
        ROBUST.format("60", "100"),  # outside, but not apart
        "section 2,a,clean_accuracy,,,,93.70,",  # outside, no n
        "section 2,a,clean_accuracy,,,,60,",
        "section 2,a,clean_loss,,,,0.2374,",
        "section 2,a,seconds_per_epoch,,,,400,",
    ]
    text = published_markdown(held(tmp_path, *lines))
    above, below = text.split("## Differences larger than the intervals")
    assert [line for line in below.splitlines() if line[:1] == "-"] == [
        "- a, robust accuracy under fgsm at epsilon 0.1 (table 1): published 90 [82.56, 94.48], measured 50.00 [40.38, 59.62], "
        "-40.00 points",
        "- a, clean accuracy (section 2): published 93.70, measured 60.00 [50.20, 69.06], -33.70 points",
    ]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in above.splitlines() if line[:1] == "|"]
    assert cells[3][4:] == ["60 [50.20, 69.06]", "50.00 [40.38, 59.62]", "-10.00", "no", "no"]
    assert cells[6] == ["section 2", "a", "clean loss", "nats", "0.2374", "0.5000", "+0.2626", "", ""]
    assert "None." in published_markdown(held(tmp_path, "section 2,a,clean_accuracy,,,,60,"))


def test_a_measured_number_that_fails_its_diagnosis_is_marked(tmp_path):
    text = published_markdown(held(tmp_path, ROBUST.format("90", ""), seeds=(1, 2)))
    assert "| 50.50 [50.00, 51.00] † |" in text and "Measured with 2 seeds." in text
    assert "measured 50.50 [50.00, 51.00] †, -39.50 points" in text


def test_of_two_publications_each_is_named(tmp_path):
    files = [write(tmp_path / f"{name}.csv", "table 1,a,clean_accuracy,,,,60,") for name in ("first", "second")]
    text = published_markdown(compare([row for file in files for row in read_published(file)], measured(**tables())))
    assert "first, table 1" in text and "second, table 1" in text


def test_the_file_keeps_published_numbers_as_they_are_and_has_empty_cells(tmp_path):
    write_records(held(tmp_path, ROBUST.format("90.10", "100"), "s,a,clean_loss,,,,0.2,"), tmp_path / "published.csv")
    with open(tmp_path / "published.csv", newline="") as handle:
        robust, loss = csv.DictReader(handle)
    assert (robust["published"], robust["published_n"]) == ("90.10", "100")
    assert (robust["inside"], robust["apart"]) == ("False", "True")
    empty = ("published_n", "published_low", "published_high", "measured_low", "measured_high", "inside", "apart")
    assert {loss[column] for column in empty} == {""} and loss["measured"] == "0.5"
    assert read_records(tmp_path / "published.csv")["epsilon"].tolist() == ["0.1", ""]


def test_a_study_without_sweeps_or_attacks_has_clean_numbers_still(tmp_path):
    found = tables()
    nothing = measured(found["robust"].head(0), found["clean"], found["training"], None)
    rows = read_published(write(tmp_path / "p.csv", "s,a,clean_accuracy,,,,60,"))
    assert compare(rows, nothing)["measured"].tolist() == pytest.approx([60])
