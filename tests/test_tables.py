import pandas as pd
import pytest

from robustness import tables
from robustness.evaluation import summarise


def summary(model, attack, epsilon, correct, seed=1, **described):
    records = pd.DataFrame({"label": [1] * 100, "prediction": [1] * correct + [0] * (100 - correct), "loss": 0.5})
    base = {"name": attack, "epsilon": epsilon, "epsilon_unit": "0-1", "method": "fgsm", "norm": "inf", "target": ""}
    return summarise(records) | {
        "attack": base | described,
        "moved": 100,
        "max_linf": 0.1,
        "max_l2": 1.0,
        "model": model,
        "dataset": "d_1",
        "architecture": "net",
        "defence": "none",
        "seed": seed,
    }


def clean_summary(model, zero_gradients, seed=1, correct=90):
    records = pd.DataFrame({"label": [1] * 100, "prediction": [1] * correct + [0] * (100 - correct), "loss": 0.3})
    base = {"dataset": "d_1", "architecture": "net", "defence": "none", "seed": seed, "model": model}
    parts = dict.fromkeys(("validation", "test", "evaluation"), summarise(records))
    return base | {"parts": parts, "zero_gradients": zero_gradients}


CLEAN = [clean_summary("a", 40), clean_summary("b", 1)]


@pytest.fixture
def robust():
    summaries = [
        summary("a", "fgsm", "0.10", 60),
        summary("a", "fgsm", "0.02", 80),
        summary("a", "pgd", "0.10", 7, method="pgd", norm="2"),
        summary("b", "fgsm", "0.10", 99) | {"target_hits": 3},
    ]
    return tables.robust_accuracy(summaries, CLEAN)


@pytest.fixture
def clean():
    return tables.clean_accuracy(CLEAN)


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
    assert rows[3][1:] == ["60.00 [50.20, 69.06] †", "7.00 [3.43, 13.75] †"]
    assert rows[2][2] == ""  # pgd was not run at 0.02
    assert "clean accuracy on the same images 90.00 [82.56, 94.48]" in block
    assert "under fgsm (norm inf; n = 100), pgd (norm 2; n = 100)" in block


def test_a_model_without_gradients_is_marked_under_every_attack(robust, clean):
    """A random start moves every image, so what an attack moved says nothing: the gradient itself is counted."""
    masked, sound = tables.robust_markdown(robust, clean).split("## ")[1:]
    assert masked.count("] †") == 3 and "For 40 % of these images the gradient of the loss is exactly zero" in masked
    assert "†" not in sound  # 1 of 100 is not more than 1 %
    assert robust["zero_gradients"].tolist() == [40, 40, 40, 1]


def test_curves_of_one_seed_have_its_interval_and_begin_unattacked(robust, clean):
    curves = tables.curves(robust, clean)
    line = curves.query("model == 'a' and attack == 'fgsm' and metric == 'accuracy'")
    assert dict(zip(line["epsilon"], line["value"])) == {"0": 0.9, "0.10": 0.6, "0.02": 0.8}
    assert line.set_index("epsilon").loc["0.10", ["low", "high"]].tolist() == pytest.approx([0.5020, 0.6906], abs=1e-4)
    assert line["masked"].all() and not curves.query("model == 'b'")["masked"].any()


def test_curves_of_several_seeds_are_one_line_with_their_spread():
    summaries = [summary("a", "fgsm", "0.1", correct, seed=seed) for seed, correct in ((1, 10), (2, 20), (3, 60))]
    cleans = [clean_summary("a", 0, seed=seed, correct=80 + seed) for seed in (1, 2, 3)]
    curves = tables.curves(tables.robust_accuracy(summaries, cleans), tables.clean_accuracy(cleans))
    rows = curves.query("metric == 'accuracy'").set_index("epsilon")[["value", "low", "high", "seeds"]]
    assert rows.loc["0.1"].tolist() == pytest.approx([0.3, 0.1, 0.6, 3])
    assert rows.loc["0"].tolist() == pytest.approx([0.82, 0.81, 0.83, 3])
    assert len(rows) == 2


def test_no_attack_at_all():
    empty, clean = tables.robust_accuracy([], CLEAN), tables.clean_accuracy(CLEAN)
    assert len(empty) == len(tables.curves(empty, clean)) == 0
    assert tables.robust_markdown(empty, clean) == "# Robust accuracy\n"


def test_latex_escapes_and_compiles_in_shape(robust, clean):
    text = tables.robust_latex(robust, clean)
    assert text.count("\\begin{table}") == text.count("\\end{table}") == 2
    assert "†" not in text and text.count("\\textdagger{}") == 4  # three cells and the note
    assert "d\\_1" in text and "d_1" not in text.replace("d\\_1", "")
    assert "epsilon & fgsm & pgd" in text
