import pandas as pd
import pytest

from robustness import tables
from robustness.evaluation import summarise


def summary(model, attack, epsilon, correct, **more):
    records = pd.DataFrame({"label": [1] * 100, "prediction": [1] * correct + [0] * (100 - correct), "loss": 0.5})
    described = {
        "name": attack,
        "epsilon": epsilon,
        "epsilon_unit": "0-1",
        "method": "fgsm",
        "norm": "inf",
        "target": "",
    }
    return summarise(records) | {
        "attack": described, "moved": 100, "max_linf": 0.1, "max_l2": 1.0, "model": model, "dataset": "d_1",
        "architecture": "net", "defence": "none", "seed": 1,
    } | more  # fmt: skip


@pytest.fixture
def robust():
    return tables.robust_accuracy(
        [
            summary("a", "fgsm", "0.10", 60),
            summary("a", "fgsm", "0.02", 80, moved=40),
            summary("a", "pgd", "0.10", 7),
            summary("b", "fgsm", "0.10", 99),
        ]
    )


@pytest.fixture
def clean():
    part = {"n": 100, "correct": 90, "accuracy": 0.9, "ci_low": 0.825, "ci_high": 0.945, "loss": 0.3}
    base = {"dataset": "d_1", "architecture": "net", "defence": "none", "seed": 1}
    parts = dict.fromkeys(("validation", "test", "evaluation"), part)
    return tables.clean_accuracy([base | {"model": model, "parts": parts} for model in "ab"])


def test_the_columns_that_were_promised(robust, clean):
    promised = (
        "dataset architecture defence model seed attack epsilon epsilon_unit n correct accuracy ci_low ci_high loss"
    )
    assert list(robust.columns)[:14] == promised.split()
    assert robust.loc[0, "epsilon"] == "0.10" and robust.loc[0, "correct"] == 60
    assert robust.loc[0, "ci_low"] == pytest.approx(0.5020, abs=1e-4)
    assert len(clean) == 6


def test_markdown_has_epsilons_down_and_attacks_across(robust, clean):
    text = tables.robust_markdown(robust, clean)
    block = text.split("## ")[1]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines() if line.startswith("|")
    ]
    assert rows[0] == ["epsilon", "fgsm", "pgd"]
    assert [row[0] for row in rows[2:]] == ["0.02", "0.10"]
    assert rows[3][1:] == ["60.00 [50.20, 69.06]", "7.00 [3.43, 13.75]"]
    assert rows[2][2] == ""  # pgd was not run at 0.02
    assert "clean accuracy on the same images 90.00 [82.50, 94.50]" in block


def test_unmoved_images_are_marked(robust, clean):
    text = tables.robust_markdown(robust, clean)
    assert "80.00 [71.12, 86.66] †" in text and text.count("†") == 2  # the cell and its explanation
    assert "exactly zero" in text
    assert "†" not in text.split("## ")[2]


def test_latex_escapes_and_compiles_in_shape(robust, clean):
    text = tables.robust_latex(robust, clean)
    assert text.count("\\begin{table}") == text.count("\\end{table}") == 2
    assert "d\\_1" in text and "d_1" not in text.replace("d\\_1", "")
    assert "epsilon & fgsm & pgd" in text
