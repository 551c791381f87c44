"""Published numbers beside measured ones, worked out by hand."""

import csv

import pandas as pd
import pytest
from conftest import ROOT

from robustness.config.published import COLUMNS, described, read_published
from robustness.errors import UserError
from robustness.evaluation.records import read_records, write_records
from robustness.tables.published_table import compare, measured, published_markdown

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
        ("s,a,average_gain,fgsm,,,-100.5,", ["value is '-100.5'", "from -100 to 100"]),
        ("s,a,average_drop,fgsm,,,nan,", ["value is 'nan'", "from -100 to 100"]),
        ("s,a,average_drop,,,,5,", ["attack is empty"]),
        ("s,a,average_drop,fgsm,0.1,,5,", ["epsilon is '0.1'", "leave it empty"]),
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


@pytest.mark.parametrize(
    "lines",
    [
        ["s,a,robust_accuracy,fgsm,0.1,,63,", "s,a,robust_accuracy,pgd,0.1,,63,", "s,a,robust_accuracy,fgsm,0.10,,64,"],
        ["s,a,clean_accuracy,,,,90,", "t,a,clean_accuracy,,,,90,", "s,a,clean_accuracy,,,,90,"],
    ],
)
def test_a_number_that_a_source_tells_twice_is_refused(tmp_path, lines):
    with pytest.raises(UserError, match=r"p\.csv, line 4: the same number as in line 2: remove one"):
        read_published(write(tmp_path / "p.csv", *lines))


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


# --- the thesis ------------------------------------------------------------------------------------------------------

EPSILONS = ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8"]
WRONG = {
    ("5.1.2", "average_drop_from_baseline", "fgsm"),
    ("5.1.2", "average_gain", "fgsm"),
    ("5.2.2", "average_gain", "fgsm"),
}


@pytest.fixture(scope="module")
def thesis() -> list:
    return read_published(ROOT / "resources/published/thesis_cifar.csv")


def thesis_tables(thesis) -> dict[tuple[str, str, str], list[float]]:
    """The accuracies of each table, model and attack, in the order of epsilon."""
    found: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for row in thesis:
        if row.quantity == "robust_accuracy":
            found.setdefault((row.source, row.model, row.attack), []).append((float(row.epsilon), float(row.value)))
    return {key: [value for _, value in sorted(pairs)] for key, pairs in found.items()}


def test_the_thesis_tables_are_whole(thesis):
    networks = [f"{data}_{net}" for net in ("vgg16", "resnet50", "inception_v3") for data in ("cifar10", "cifar100")]
    models = [model for network in networks for model in (network, f"{network}_student")]
    expected = {(f"table 5-{i}", model, attack) for i, model in enumerate(models, 1) for attack in ("fgsm", "pgd")}
    tables = thesis_tables(thesis)
    assert set(tables) == expected and {len(values) for values in tables.values()} == {8}
    attacked = [row for row in thesis if row.quantity == "robust_accuracy"]
    assert (
        len(attacked) == 192
        and {row.n for row in attacked} == {200}
        and {row.epsilon for row in attacked} == set(EPSILONS)
    )
    # 200 images make steps of half a point.
    assert all(float(row.value) * 2 == round(float(row.value) * 2) for row in attacked)
    assert len(thesis) == 192 + 6 * 3 + 6 * 6


def test_the_thesis_pgd_stands_still_from_epsilon_0_4_on(thesis):
    for (_, _, attack), values in thesis_tables(thesis).items():
        assert (len(set(values[3:])) == 1) == (attack == "pgd")


def test_the_thesis_averages_follow_from_its_tables_but_for_three(thesis):
    """Drops are from the undefended network's accuracy, the students' too; 5.32 is the difference of two rounded drops."""
    means = {(model, attack): sum(values) / 8 for (_, model, attack), values in thesis_tables(thesis).items()}
    clean = {row.model: float(row.value) for row in thesis if row.quantity == "evaluation_accuracy"}
    wrong = set()
    for row in thesis:
        baseline = row.model.removesuffix("_student")
        if row.unit == "points":
            robust = means[row.model, row.attack]
            gain = robust - means[baseline, row.attack]
            expected = gain if row.quantity == "average_gain" else clean[baseline] - robust
            assert (row.quantity == "average_drop") == (row.model == baseline)
            if abs(float(row.value) - expected) > 0.01:
                wrong.add((row.source.removeprefix("section "), row.quantity, row.attack))
    assert wrong == WRONG


# --- beside the study's own ------------------------------------------------------------------------------------------


def tables(seeds=(1,)) -> dict[str, pd.DataFrame]:
    """The study's tables of a model a; with the second seed, each accuracy is a point higher, and each loss by one.

    On 100 images: 60 right on the test part (Wilson 50.20 to 69.06), 50 under fgsm (40.38 to 59.62).
    """
    wilson = {60: (0.5020, 0.6906), 50: (0.4038, 0.5962), 20: (0.1334, 0.2888), 90: (0.8256, 0.9448)}
    found: dict[str, list[dict]] = {"robust": [], "clean": [], "training": [], "drops": [], "iterations": []}
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
        drop = {"drop": 0.1 + k / 100, "drop_low": 0.05, "drop_high": 0.15, "verdict": "pass", "verdict_baseline": ""}
        gain = {"gain": "", "gain_low": "", "gain_high": ""} | {
            f"drop_from_baseline{end}": "" for end in ("", "_low", "_high")
        }
        found["drops"].append(key | {"attack": "fgsm", "clip": "ball", "n": 100} | drop | gain)
        gain = {"gain": -0.2, "gain_low": -0.25, "gain_high": -0.15, "verdict_baseline": "fail"}
        gain |= {"drop_from_baseline": 0.3, "drop_from_baseline_low": 0.2, "drop_from_baseline_high": 0.4}
        found["drops"].append(key | {"attack": "pgd", "clip": "ball", "n": 100} | drop | gain)
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


def test_averages_are_held_against_drops_and_gains_in_points(tmp_path):
    lines = ["average_drop,fgsm,,,12,200", "average_drop_from_baseline,pgd,,,-4.06,200", "average_gain,pgd,,,-20.5,"]
    table = held(tmp_path, *(f"s,a,{line}" for line in lines))
    assert table["measured"].tolist() == pytest.approx([10, 30, -20])
    assert table["measured_low"].tolist() == pytest.approx([5, 20, -25])
    assert table["difference"].tolist() == pytest.approx([-2, 34.06, 0.5])
    assert set(table["unit"]) == {"points"} and table["published_n"].tolist()[:2] == [200, 200]
    assert table["published_low"].isna().all()  # of a mean over epsilons the number of images implies none
    assert table["inside"].tolist() == [True, False, True] and set(table["apart"]) == {""}
    assert table["verdict"].tolist() == ["pass", "pass", "fail"]  # of a gain the baseline's counts, too
    text = published_markdown(table)
    assert (
        "- a, average drop from baseline under pgd (s): published -4.06, measured 30.00 [20.00, 40.00], +34.06 points"
        in text
    )
    assert "| -20.00 [-25.00, -15.00] † |" in text


def test_without_a_baseline_there_is_no_gain_to_hold_a_number_against(tmp_path):
    with pytest.raises(UserError, match="the tables have no average gain under fgsm of a"):
        held(tmp_path, "s,a,average_gain,fgsm,,,5,")


def test_a_source_with_several_epsilons_is_shown_in_its_own_shape(tmp_path):
    """Epsilons rise downward whatever their order in the file; what a source does not tell is empty."""
    found = tables()
    more = found["robust"].assign(epsilon="0.05", accuracy=0.75, ci_low=0.7, ci_high=0.8)
    found["robust"] = pd.concat([found["robust"], more])
    found["robust"].loc[found["robust"]["attack"] == "fgsm", "verdict"] = "fail"
    lines = [
        "s,a,clean_accuracy,,,,1,",
        "table 1,a,robust_accuracy,fgsm,0.1,,90,100",
        "table 1,a,robust_accuracy,pgd,0.1,,20,",
    ]
    lines += ["table 1,a,robust_accuracy,fgsm,0.05,,90,100", "table 2,a,robust_accuracy,fgsm,0.1,,90,"]
    text = published_markdown(compare(read_published(write(tmp_path / "report.csv", *lines)), measured(**found)))
    assert [line for line in text.splitlines() if line[:2] == "##"] == [
        *("## table 1", "## All numbers", "## Differences larger than the intervals")
    ]
    block = text.split("## table 1")[1].split("## All numbers")[0]
    assert "Robust accuracy of a, in per cent." in block
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines() if line[:1] == "|"]
    assert cells[0] == ["epsilon", "fgsm, published", "fgsm, measured", "pgd, published", "pgd, measured"]
    assert cells[2:] == [
        ["0.05", "90 [82.56, 94.48]", "75.00 [70.00, 80.00] †", "", ""],
        ["0.1", "90 [82.56, 94.48]", "50.00 [40.38, 59.62] †", "20", "20.00 [13.34, 28.88] ‡"],
    ]


def test_a_source_with_one_epsilon_is_in_the_list_alone(tmp_path):
    lines = [ROBUST.format("90", ""), "table 1,a,robust_accuracy,pgd,0.1,,20,", "table 2,a,clean_accuracy,,,,60,"]
    text = published_markdown(held(tmp_path, *lines))
    assert [line for line in text.splitlines() if line[:2] == "##"] == ["## Differences larger than the intervals"]


def test_several_models_of_one_source_are_told_apart(tmp_path):
    found = tables()
    found["robust"] = pd.concat([found["robust"], found["robust"].assign(model="b", epsilon="0.2", accuracy=0.25)])
    lines = ["t,a,robust_accuracy,fgsm,0.1,,50,", "t,b,robust_accuracy,fgsm,0.2,,25,"]
    text = published_markdown(compare(read_published(write(tmp_path / "r.csv", *lines)), measured(**found)))
    assert "| epsilon   | a, fgsm, published   | a, fgsm, measured    | b, fgsm, published   |" in text
    assert "Robust accuracy of a, b, in per cent." in text


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
    lines = [ROBUST.format("50.5", ""), "s,a,clean_loss,,,,0.5,", "table 2,a,robust_accuracy,fgsm,0.1,,51.1,9"]
    robust, loss, outside = held(tmp_path, *lines, seeds=(1, 2)).itertuples()
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
        ROBUST.format("60", "100").replace("table 1", "table 3"),  # outside, but not apart
        "section 2,a,clean_accuracy,,,,93.70,",  # outside, no n
        "section 3,a,clean_accuracy,,,,60,",
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
    nothing = measured(found["robust"].head(0), found["clean"], found["training"], found["drops"].head(0), None)
    rows = read_published(write(tmp_path / "p.csv", "s,a,clean_accuracy,,,,60,"))
    assert compare(rows, nothing)["measured"].tolist() == pytest.approx([60])
