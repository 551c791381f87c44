"""The one table of all defences, from tables of a small study whose records are written by hand."""

import re

import pandas as pd
import pytest
from click.testing import CliRunner
from small_study import SmallStudy

from aggregate_defences import main
from robustness.attacks.attack_settings import AttackSettings
from robustness.errors import UserError
from robustness.evaluation.records import read_records, write_records
from robustness.statistics.intervals import wilson_interval
from robustness.tables import accuracy_tables as tables
from robustness.tables import defence_table
from robustness.tables.defence_table import COLUMNS, defences, defences_latex, defences_markdown
from robustness.tables.rejection_table import rejections
from robustness.tables.training_table import COLUMNS as TRAINING_COLUMNS

ATTACKS = ["fgsm", "wide", "pgd", "aimed"]  # not in the order in which the first model meets them
MODELS = ["plain", "hard", "squeezed"]
CELL = re.compile(r"\d+\.\d \[\d+\.\d, \d+\.\d\]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Ten images, two seeds. hard is defended, and has no gradient; squeezed is put around hard and can reject.

    squeezed clean: 0-8 of their class, 7 8 9 rejected, so 0-6 accepted and right. Under pgd at 0.20: 0 1 2 of their class,
    2 3 4 7 rejected: accepted and right 0 1; accepted and wrong 5 6 8 9, so of 0-6 robust 0 1 2 3 4; of the seven of a wrong
    class 3 4 7 detected. SmallStudy lets a targeted attack hit its target three times.
    """
    place = tmp_path_factory.mktemp("study")
    middle = {"plain": {1: 2, 2: 4}, "hard": 6, "squeezed": 3}
    small = SmallStudy(
        place / "evaluation",
        clean={"plain": {1: 9, 2: 8}, "hard": 8, "squeezed": 9},
        attacked={
            **{("pgd", model, epsilon): alive for model, alive in middle.items() for epsilon in ("0.3", "0.1", "0.20")},
            **{("pgd", model, "0"): 8 for model in MODELS},
            ("fgsm", "plain", "0.5"): 1,
            ("aimed", "plain", "0.20"): 5,
            ("aimed", "squeezed", "0.20"): 3,
            **{("wide", "hard", epsilon): 4 for epsilon in ("0", "0.05", "0.1")},
        },
        together={
            **{(model, "inf", "0.1"): 5 for model in MODELS},
            **{("plain", "inf", "0.20"): 1, ("hard", "inf", "0.20"): 3, ("squeezed", "inf", "0.20"): 4},
            ("plain", "inf", "0.5"): 1,
            ("plain", "2", "0.5"): 0,
        },
        transferred={("pgd", "hard", "squeezed", "0.20"): 9},
        rejected={
            "squeezed": [7, 8, 9],
            **{("pgd", "squeezed", epsilon): [2, 3, 4, 7] for epsilon in ("0.3", "0.1", "0.20", "0")},
            ("aimed", "squeezed", "0.20"): [9],
            ("pgd", "hard", "squeezed", "0.20"): [],
        },
        settings={
            "pgd": AttackSettings("pgd", relative_step=0.5, iterations=4),
            "fgsm": AttackSettings("fgsm", norm="2"),
            "aimed": AttackSettings("fgsm", target="least_likely"),
            "wide": AttackSettings("bim", relative_step=1, iterations=2, clip="pixel_range"),
        },
        zero={("hard", "pgd"): 5},
        defences={"hard": "trades", "squeezed": "trades_and_feature_squeezing"},
        n=10,
        probes=10,
        seeds=(1, 2),
    )
    study, judged = small.read()
    robust = tables.robust_accuracy(study, judged)
    summaries = [study.clean_summary(model, seed) for model in MODELS for seed in small.seeds]
    trained = [
        dict.fromkeys(TRAINING_COLUMNS, "")
        | {"model": model, "seed": seed, "seconds": seconds + seed, "times_baseline": times, "baseline": baseline}
        for model, seconds, times, baseline in (("plain", 10, "", ""), ("hard", 30, 1.25, "plain"))
        for seed in small.seeds
    ]
    made = {
        "robust": robust,
        "clean": tables.clean_accuracy(summaries),
        "worst_cases": tables.worst_case(study, judged),
        "training": pd.DataFrame(trained),
        "rejections": rejections(study, judged),
        "targeted": tables.targeted(robust),
    }
    for name, table in made.items():
        write_records(table, place / f"{name}.csv")
    return place


def read(folder, *left_out) -> dict[str, pd.DataFrame]:
    names = ("robust", "clean", "worst_cases", "training", "rejections", "targeted")
    return {name: read_records(folder / f"{name}.csv") for name in names if name not in left_out}


@pytest.fixture(scope="module")
def table(folder):
    return defences(MODELS, ATTACKS, None, {"squeezed": "hard"}, **read(folder))


def blocks(text: str) -> dict[str, list[list[str]]]:
    """{title: the cells of its table, the head first}."""
    found = {}
    for block in text.split("\n## ")[1:]:
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines() if line[:1] == "|"]
        found[block.splitlines()[0]] = [rows[0], *rows[2:]]
    return found


@pytest.mark.parametrize(
    ("model", "seed", "quantity", "attack", "epsilon", "right", "n"),
    [
        ("plain", 1, "clean_accuracy", "", "", 9, 10),
        ("plain", 2, "clean_accuracy", "", "", 8, 10),
        ("plain", 1, "robust_accuracy", "pgd", "0.20", 2, 10),  # the middle one of three
        ("plain", 2, "robust_accuracy", "pgd", "0.20", 4, 10),
        ("plain", 1, "robust_accuracy", "fgsm", "0.5", 1, 10),
        ("plain", 1, "target_success", "aimed", "0.20", 3, 10),
        ("hard", 1, "robust_accuracy", "wide", "0.1", 4, 10),  # the middle one of two, 0 left out
        ("hard", 1, "worst_case", "", "0.20", 3, 10),
        ("squeezed", 1, "clean_accuracy", "", "", 7, 10),
        ("squeezed", 1, "robust_accuracy", "pgd", "0.20", 5, 10),  # with detection
        ("squeezed", 1, "worst_case", "", "0.20", 4, 10),
        ("squeezed", 1, "rejection_rate", "", "", 3, 10),
        ("squeezed", 1, "detection_rate", "pgd", "0.20", 3, 7),
        ("squeezed", 1, "detection_rate", "aimed", "0.20", 1, 7),
    ],
)
def test_each_number_is_that_of_the_records_with_its_interval(table, model, seed, quantity, attack, epsilon, right, n):
    key = {"model": model, "seed": seed, "quantity": quantity, "attack": attack, "epsilon": epsilon}
    (row,) = table[(table[list(key)] == list(key.values())).all(axis=1)].to_dict("records")
    assert (row["n"], row["value"]) == (n, pytest.approx(right / n))
    assert (row["low"], row["high"]) == pytest.approx(wilson_interval(right, n))


def test_nothing_else_stands_there(table):
    assert list(table.columns) == COLUMNS and list(dict.fromkeys(table["model"])) == MODELS
    assert not table.duplicated(["model", "seed", "quantity", "attack", "norm", "epsilon"]).any()
    of_seed = table[table["seed"] == 1].groupby(["model", "quantity"]).size().to_dict()
    common = {"clean_accuracy": 1, "training_seconds": 1, "times_baseline": 1}
    expected = {
        "plain": {"robust_accuracy": 2, "target_success": 1, "worst_case": 2},  # the worst case in either norm
        "hard": {"robust_accuracy": 2, "worst_case": 1},
        # Of one attack robust accuracy: a targeted one has none.
        "squeezed": {
            **{"robust_accuracy": 1, "target_success": 1, "worst_case": 1},
            **{"rejection_rate": 1, "detection_rate": 2},
        },
    }
    assert of_seed == {(m, name): n for m, own in expected.items() for name, n in (own | common).items()}


def test_verdicts_are_those_of_the_numbers(table):
    verdicts = table[table["quantity"] == "robust_accuracy"].set_index(["model", "attack"])["verdict"]
    assert set(verdicts["hard", "pgd"]) == {"fail"} and set(verdicts["plain", "fgsm"]) != {"fail"}


def test_an_attack_stands_at_the_configured_epsilon_if_it_has_it(folder):
    """0.10 is 0.1 in another form. The worst case then stands at the epsilons of its attacks, not at all of its own."""
    found = defences(MODELS, ATTACKS, "0.10", {"squeezed": "hard"}, **read(folder))
    at = found[found["attack"] != ""].drop_duplicates("attack").set_index("attack")["epsilon"]
    assert at.to_dict() == {"pgd": "0.1", "fgsm": "0.5", "wide": "0.1", "aimed": "0.20"}
    together = found[(found["quantity"] == "worst_case") & (found["model"] == "plain") & (found["seed"] == 1)]
    assert together[["norm", "epsilon"]].to_numpy().tolist() == [["2", "0.5"], ["inf", "0.1"], ["inf", "0.20"]]
    assert together["value"].tolist() == [0, 0.5, 0.1]


def test_a_model_around_another_has_the_training_of_that(table):
    cost = table[table["quantity"].isin(["training_seconds", "times_baseline"]) & (table["seed"] == 2)]
    told = cost[["model", "quantity", "training_of", "baseline"]].to_numpy().tolist()
    assert told == [
        ["plain", "training_seconds", "plain", ""],
        ["plain", "times_baseline", "plain", ""],
        ["hard", "training_seconds", "hard", ""],
        ["hard", "times_baseline", "hard", "plain"],
        ["squeezed", "training_seconds", "hard", ""],
        ["squeezed", "times_baseline", "hard", "plain"],
    ]
    assert cost["value"].fillna(-1).tolist() == [12, -1, 32, 1.25, 32, 1.25]


def test_the_text_has_models_down_and_attacks_across(table):
    text = defences_markdown(table, ATTACKS)
    found = blocks(text)
    titles = ["white box in norm 2", "white box in norm inf", "targeted attacks", "rejections", "training"]
    assert list(found) == [f"d_1, {title}" for title in titles]
    heads = ["model", "defence", "seed", "clean accuracy"]
    norm_2, norm_inf, aimed, rejected, training = found.values()
    assert norm_2[0] == [*heads, "fgsm at 0.5", "worst case at 0.5"]
    assert [row[0] for row in norm_2[1:]] == ["plain", "plain"]  # the others were not attacked in norm 2
    assert norm_inf[0] == [*heads, "wide at 0.1", "pgd at 0.20", "worst case at 0.20"]
    assert [row[0:3:2] for row in norm_inf[1:]] == [[model, seed] for model in MODELS for seed in "12"]
    assert norm_inf[1][4] == "" and norm_inf[1][5].startswith("20.0 [5.7, 51.0]")
    assert CELL.sub("", norm_inf[3][4]).strip().endswith("‡") and CELL.sub("", norm_inf[3][5]).strip() == "†"
    assert norm_inf[5][1] == "trades_and_feature_squeezing" and norm_inf[5][5].startswith("50.0 [")
    assert "‡ wide is bounded by the pixel range only" in text
    assert aimed[0] == [*heads, "aimed at 0.20"] and aimed[1][4].startswith("30.0 [")
    assert "aimed (norm inf) at least_likely" in text
    assert rejected[0] == [
        *heads,
        "rejection rate, unattacked",
        "detection rate, pgd at 0.20",
        "detection rate, aimed at 0.20",
    ]
    assert [row[0] for row in rejected[1:]] == ["squeezed", "squeezed"] and rejected[1][4].startswith("30.0 [")
    assert rejected[1][5].startswith("42.9 [") and rejected[1][5].endswith("] of 7")
    assert training[0] == ["model", "defence", "seed", "training of", "clean accuracy", "seconds", "time an epoch"]
    assert training[1][3:4] + training[1][5:] == ["plain", "11.0", ""]
    assert training[5][3:4] + training[5][5:] == ["hard", "31.0", "1.25 x plain"]
    assert "An image of squeezed, which can reject it, counts as robust if" in text


def test_latex_has_a_table_for_each_of_the_text(table):
    latex = defences_latex(table, ATTACKS)
    assert latex.count("begin{table}") == 5 and "\\textdagger{}" in latex and "\\textdaggerdbl{}" in latex
    assert "42.9" in latex and "1.25 x plain" in latex and "`" not in latex and "trades\\_and" in latex


def test_ten_models_under_eight_attacks_stay_readable():
    """Two pages of four attacks, each with all models, clean accuracy and the worst case."""
    names, attacks = [f"m{i}" for i in range(10)], [f"attack{i}" for i in range(8)]
    common = {"dataset": "d", "architecture": "net", "defence": "none", "seed": 1}
    share = {"n": 10, "accuracy": 0.5, "ci_low": 0.2, "ci_high": 0.8, "verdict": "pass"}
    at = {"norm": "inf", "epsilon": "0.1", "epsilon_unit": "0-1", "clip": "ball", "target": ""}
    models = [common | {"model": name} | share for name in names]
    trained = {"seconds": 1, "times_baseline": "", "baseline": ""}
    found = defences(
        names, attacks, None, {},
        clean=pd.DataFrame([row | {"part": "evaluation"} for row in models]),
        robust=pd.DataFrame([row | at | {"attack": attack} for row in models for attack in attacks]),
        worst_cases=pd.DataFrame([row | at for row in models]),
        training=pd.DataFrame([row | trained for row in models]),
    )  # fmt: skip
    first, second, training = blocks(defences_markdown(found, attacks)).values()
    for page, part in ((first, attacks[:4]), (second, attacks[4:])):
        assert page[0][3:] == ["clean accuracy", *(f"{attack} at 0.1" for attack in part), "worst case at 0.1"]
        assert [row[0] for row in page[1:]] == names and all(all(row) for row in page)
    assert len(training) == 11


@pytest.mark.parametrize(("n", "lengths"), [(0, []), (1, [1]), (5, [5]), (6, [3, 3]), (11, [3, 4, 4])])
def test_pages_are_about_equally_wide(n, lengths):
    pages = defence_table._in_pages([str(i) for i in range(n)])
    assert [len(page) for page in pages] == lengths and [head for page in pages for head in page] == [
        str(i) for i in range(n)
    ]


def test_two_datasets_do_not_share_a_table(folder):
    read_in = read(folder)
    read_in["clean"].loc[read_in["clean"]["model"] == "hard", "dataset"] = "other"
    found = blocks(defences_markdown(defences(["plain", "hard"], ATTACKS, None, {}, **read_in), ATTACKS))
    models = {title: {row[0] for row in rows[1:]} for title, rows in found.items()}
    assert models["d_1, white box in norm inf"] == models["d_1, training"] == {"plain"}
    assert models["other, white box in norm inf"] == models["other, training"] == {"hard"}


def test_a_model_that_the_tables_lack_is_named(folder):
    for models, wraps in ((["nobody"], {}), (["squeezed"], {"squeezed": "nobody"})):
        with pytest.raises(UserError, match=r"no model nobody: name another\."):
            defences(models, ATTACKS, None, wraps, **read(folder))


def test_the_program_writes_the_same_and_needs_no_targets_or_rejections(folder, table, tmp_path):
    def call(*words, out):
        needed = [word for name in ("robust", "clean", "worst_cases", "training")
                  for word in (f"--{name.replace('_', '-')}", str(folder / f"{name}.csv"))]  # fmt: skip
        files = [word for kind, end in (("table", "csv"), ("text", "md"), ("latex", "tex"))
                 for word in (f"--{kind}", str(tmp_path / f"{out}.{end}"))]  # fmt: skip
        attacks = [word for attack in ATTACKS for word in ("--attack", attack)]
        done = CliRunner().invoke(main, [*needed, *files, *attacks, *words])
        assert done.exit_code == 0, done.output

    more = ["--rejections", str(folder / "rejections.csv"), "--targeted", str(folder / "targeted.csv")]
    models = [word for model in MODELS for word in ("--model", model)]
    call(*models, *more, "--wraps", "squeezed", "hard", out="all")
    assert (tmp_path / "all.md").read_text() == defences_markdown(table, ATTACKS)
    assert (tmp_path / "all.tex").read_text() == defences_latex(table, ATTACKS)
    written = read_records(tmp_path / "all.csv")
    assert len(written) == len(table) and list(written.columns) == COLUMNS
    call("--model", "plain", "--epsilon", "0.3", out="few")
    found = blocks((tmp_path / "few.md").read_text())
    assert list(found) == [f"d_1, {title}" for title in ("white box in norm 2", "white box in norm inf", "training")]
    assert "pgd at 0.3" in found["d_1, white box in norm inf"][0]
    call(out="none")
    assert read_records(tmp_path / "none.csv").empty
