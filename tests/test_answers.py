"""The quick study's answer of each run and seed, side by side: the program that writes the table, and the table in docs/."""

import pytest
from click.testing import CliRunner
from conftest import ROOT
from small_study import SmallStudy

import answers
from robustness.attacks.attack_settings import AttackSettings
from robustness.evaluation.records import read_records, write_records

PGD = AttackSettings("pgd", relative_step=0.25, iterations=10)


def test_each_seed_is_judged_by_itself(tmp_path):
    """Of 200 images: the first seed gains 20 at epsilon 0.1, the second none; together they would be two trainings."""
    attacked = {("pgd", model, epsilon): 60 for model in ("undefended", "distilled") for epsilon in ("0.05", "0.1")}
    attacked["pgd", "distilled", "0.1"] = 120
    together = {("undefended", "inf", "0.05"): 50, ("distilled", "inf", "0.05"): 45}
    together |= {("undefended", "inf", "0.1"): 40, ("distilled", "inf", "0.1"): {1: 60, 2: 40}}
    clean = {"undefended": 180, "distilled": 170}
    small = SmallStudy(
        tmp_path / "run/evaluation", clean, attacked, together, settings={"pgd": PGD}, n=200, seeds=(1, 2),
        zero={("distilled", "pgd"): 100}, transferred={("pgd", "undefended", "distilled", "0.1"): 150,
                                                       ("pgd", "distilled", "undefended", "0.1"): 150},
        defences={"distilled": "defensive_distillation"},
    )  # fmt: skip
    _, verdicts = small.read()
    write_records(verdicts, tmp_path / "run/tables/verdicts.csv")
    out = ["--table", str(tmp_path / "a.csv"), "--text", str(tmp_path / "a.md")]
    done = CliRunner().invoke(answers.main, ["--run", "mine", str(tmp_path / "run"), *out], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    table = read_records(tmp_path / "a.csv")
    assert table[["seed", "epsilon"]].to_numpy().tolist() == [[1, "0.05"], [1, "0.1"], [2, "0.05"], [2, "0.1"]]
    page = table[table["epsilon"] == "0.1"]
    assert page["raises_robust_accuracy"].tolist() == [
        "not contradicted on this one training",
        "contradicted on this one training",
    ]
    assert page["verdict"].tolist() == [
        "a gain on this one training, 67 % less than it seems",
        "masking on this one training",
    ]
    assert page["difference"].tolist() == pytest.approx([0.1, 0])
    text = (tmp_path / "a.md").read_text()
    assert "| 90.0 → 85.0 | 30.0 → 60.0  | 20.0 → 30.0 " in text and "-2.5 [" in text


def test_the_quick_studys_answer_is_the_same_in_every_run():
    """What docs/quick_study says of its own table: ten seeds, two threads, without oneDNN."""
    table = read_records(ROOT / "docs/quick_study/answers.csv")
    page = table[table["epsilon"] == "0.1"]
    assert len(page) == 12 and page["run"].nunique() == 3 and page["seed"].nunique() == 10
    assert set(page["verdict"]) == {"masking on this one training"}
    assert set(page["raises_robust_accuracy"]) == {"contradicted on this one training"}
    assert set(page["worst_case_verdict"]) == {"pass"}
    middle = table[(table["epsilon"] == "0.05") & (table["run"] == "one thread")]["difference"]
    assert (100 * middle.min(), 100 * middle.max()) == pytest.approx((-10.6, 13.2))
    assert (
        "from training to training the difference\nof the worst cases goes from 11 points less to 13 points more"
        in (ROOT / "docs/quick_study/README.md").read_text(encoding="utf-8")
    )
