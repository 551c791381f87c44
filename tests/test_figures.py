"""The figures of chosen models and attacks, and of published numbers: what their SVG files say and draw."""

import importlib
import re

import pytest
from click.testing import CliRunner

CURVES = "dataset,model,attack,epsilon,epsilon_unit,norm,clip,metric,value,low,high,seeds,verdict\n"
VERDICTS = {("b", "pgd"): "fail", ("c", "fgsm"): "warning"}


@pytest.fixture
def curves(tmp_path):
    """Models a, b, c under fgsm and pgd, from 90 % down to 20 %; b fails under pgd, c is warned of under fgsm."""
    lines = []
    for model in "abc":
        for attack in ("fgsm", "pgd"):
            for epsilon, accuracy in (("0", 0.9), ("0.10", 0.2), ("0.02", 0.6)):  # in the order of the config
                for metric, value in (("accuracy", accuracy), ("loss", 10 * (1 - accuracy))):
                    numbers = f"{metric},{value},{value - 0.05},{value + 0.05}"
                    verdict = VERDICTS.get((model, attack), "pass")
                    lines.append(f"d_1,{model},{attack},{epsilon},0-1,inf,ball,{numbers},1,{verdict}\n")
    (tmp_path / "curves.csv").write_text(CURVES + "".join(lines))
    return tmp_path / "curves.csv"


def draw(name: str, folder, *words: str, error: str = "") -> str:
    """Run a program; returns its SVG, in which matplotlib writes every text as a comment."""
    files = ["--png", str(folder / "f.png"), "--svg", str(folder / "f.svg")]
    done = CliRunner().invoke(importlib.import_module(name).main, [*words, *files], catch_exceptions=False)
    assert (done.exit_code != 0) == bool(error) and error in done.output, done.output
    return "" if error else (folder / "f.svg").read_text()


def texts(svg: str) -> list[str]:
    return re.findall(r"<!-- (.*?) -->", svg, re.DOTALL)


def lines(svg: str) -> list[tuple[bool, list[tuple[float, float]]]]:
    """(dashed, points in pixels) of every line in the panels' colours of lines."""
    found = []
    for path, style in re.findall(r'<path d="([^"]*)" clip-path="[^"]*" style="(fill: none; [^"]*)"', svg):
        points = [(float(x), float(y)) for x, y in re.findall(r"[ML] ([\d.]+) ([\d.]+)", path)]
        if len(points) == 3:
            found.append(("stroke-dasharray" in style, points))
    return found


def compared(curves, models: str, *attacks: str, panels: tuple[str, ...] = (), **settings) -> str:
    words = [word for name in panels for word in ("--panel", name)]
    words += [word for name in models for word in ("--model", name)]
    words += [word for name in attacks for word in ("--attack", name)]
    words += ["--curves", str(curves), "--title", "Side by side"]
    return draw("plot_comparison", curves.parent, *words, **settings)


def test_in_norm_0_epsilon_is_a_share_of_values(curves):
    told = curves.read_text().replace(",0-1,inf,", ",0-1,0,")
    curves.write_text(told)
    words = ["--curves", str(curves), "--metric", "accuracy", "--dataset", "d_1", "--attack", "fgsm", "--title", "t"]
    svg = draw("plot_epsilon_curve", curves.parent, *words, "--norm", "0")
    assert "epsilon (norm 0), share of the image's values" in [text.replace("&#39;", "'") for text in texts(svg)]


def test_one_model_has_a_line_an_attack(curves):
    svg = compared(curves, "b", "fgsm", "pgd")
    told = texts(svg)
    assert told.count("b") == 2 and told.count("Side by side") == 1  # a heading for loss and one for accuracy
    assert [text for text in told if "gd" in text or "fgsm" in text] == ["fgsm", "pgd †"]
    assert "epsilon (norm inf), on the pixel range 0-1" in told and "accuracy, % (band: 95 % Wilson interval)" in told
    drawn = lines(svg)
    assert [dashed for dashed, _ in drawn] == [False, True, False, True]  # loss, then accuracy
    for _, points in drawn:
        assert [x for x, _ in points] == sorted(x for x, _ in points)  # by the size of epsilon, from 0 on


def test_several_models_have_a_row_an_attack_and_a_line_a_model(curves):
    svg = compared(curves, "ca", "fgsm", "pgd")
    told = texts(svg)
    assert told.count("fgsm") == told.count("pgd") == 2 and "b" not in told
    assert [text for text in told if text in ("c *", "a", "c")] == ["c *", "a", "c", "a"]
    drawn = lines(svg)
    assert len(drawn) == 8 and not any(dashed for dashed, _ in drawn)
    (_, loss), (_, accuracy) = drawn[0], drawn[2]
    assert loss[0][1] > loss[2][1] and accuracy[0][1] < accuracy[2][1]  # pixels count downward: the loss rises


def moved(curves, attack: str, *points: tuple[str, float]) -> None:
    """Adds how far an attack moved the images of model a."""
    with open(curves, "a") as handle:
        for epsilon, value in points:
            handle.write(f"d_1,a,{attack},{epsilon},0-1,inf,ball,perturbation,{value},{value},{value},1,pass\n")


def test_panels_are_those_that_are_asked_for_in_their_order(curves, monkeypatch):
    kept = []
    monkeypatch.setattr("robustness.figures.plotting.plt.close", kept.append)
    moved(curves, "fgsm", ("0", 0), ("0.10", 0.1), ("0.02", 0.02))
    moved(curves, "pgd", ("0", 0), ("0.10", 0.03), ("0.02", 0.02))
    compared(curves, "a", "fgsm", "pgd", panels=("perturbation", "accuracy", "loss"))
    (drawn,) = kept
    perturbation, accuracy, loss = drawn.axes
    fgsm, pgd, epsilon = [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in perturbation.get_lines()]
    assert fgsm == ([0, 0.02, 0.1], [0, 0.02, 0.1]) and pgd == ([0, 0.02, 0.1], [0, 0.02, 0.03])
    assert epsilon == ([0, 0.1], [0, 0.1]) and "thin line: epsilon" in perturbation.get_ylabel()
    assert (
        accuracy.get_lines()[0].get_ydata().tolist() == pytest.approx([90, 60, 20]) and len(accuracy.get_lines()) == 2
    )
    assert loss.get_lines()[0].get_ydata().tolist() == pytest.approx([1, 4, 8]) and len(loss.get_lines()) == 2
    assert [axes.get_legend() is None for axes in drawn.axes] == [True, True, False]  # beside them all


def test_a_perturbation_that_the_table_lacks_is_one_sentence(curves):
    moved(curves, "fgsm", ("0", 0), ("0.02", 0.02))
    compared(
        curves, "a", "fgsm", "pgd", panels=("accuracy", "perturbation"), error="under the attack pgd: name others."
    )


def test_one_model_under_one_attack(curves):
    assert len(lines(compared(curves, "a", "pgd"))) == 2


def test_an_attack_that_may_leave_the_ball_of_epsilon_is_marked(curves):
    curves.write_text(curves.read_text().replace("a,pgd,0.02,0-1,inf,ball", "a,pgd,0.02,0-1,inf,pixel_range"))
    curves.write_text(curves.read_text().replace("a,pgd,0,0-1,inf,ball", "a,pgd,0,0-1,inf,pixel_range"))
    assert {"fgsm", "pgd ‡"} <= set(texts(compared(curves, "a", "fgsm", "pgd")))


def test_the_worst_case_stands_beside_what_epsilon_bounds_only(curves):
    """Under an attack that leaves the ball an image may fall that survives every attack within it."""
    text = curves.read_text().replace("pgd,0,0-1,inf,ball", "pgd,0,0-1,inf,pixel_range")
    for model in "abc":
        text += f"d_1,{model},worst_case,0.10,0-1,inf,ball,accuracy,0.1,0.05,0.15,1,pass\n"
    curves.write_text(text)
    common = ["--curves", str(curves), "--metric", "accuracy", "--dataset", "d_1", "--title", "t", "--attack"]
    fgsm, pgd = (texts(draw("plot_epsilon_curve", curves.parent, *common, attack)) for attack in ("fgsm", "pgd"))
    assert "a, all attacks together" in fgsm and not [text for text in fgsm if "‡" in text]
    assert {"a ‡", "b †‡"} <= set(pgd) and not [text for text in pgd if "together" in text]


def test_what_was_not_measured_is_one_sentence(curves):
    compared(curves, "ax", "fgsm", error="has no line of the model x under the attack fgsm: name others.")
    assert sorted(path.name for path in curves.parent.iterdir()) == ["curves.csv"]


PUBLISHED = (
    "publication,source,dataset,model,quantity,attack,epsilon,iterations,unit,published,published_n,published_low,"
    "published_high,measured,measured_n,measured_low,measured_high,seeds,verdict,clip,difference,inside,apart\n"
)


def published(folder, *rows: str) -> str:
    (folder / "published.csv").write_text(PUBLISHED + "".join(f"{row}\n" for row in rows))
    return draw("plot_published", folder, "--published", str(folder / "published.csv"))


def test_published_accuracies_stand_beside_measured_ones(tmp_path):
    told = texts(
        published(
            tmp_path,
            "p,s,d_1,a,robust_accuracy,fgsm,0.1,,%,63.6,200,56.6,69.9,50,100,40,60,1,fail,ball,-13.6,False,False",
            "p,s,d_1,a,robust_accuracy,wide,0.1,,%,20,,,,15,100,9,23,1,pass,pixel_range,-5,True,",
            "p,s,d_1,a,clean_loss,,,,nats,0.2374,,,,0.3,100,,,1,,,0.06,,",
            "p,s,d_1,a,training_accuracy,,,,%,83,,,,82,,,,1,,,-1,,",
        )
    )
    assert "robust accuracy under fgsm at epsilon 0.1" in "\n".join(told) and "loss" not in "\n".join(told)
    assert "training accuracy" in "\n".join(told) and "measured (95 % interval)" in told
    assert told.count("‡") == 1 and told.count("†") == 1 and "†: fails its diagnosis, no evidence of robustness" in told


def test_a_source_with_several_epsilons_has_a_panel_an_attack(tmp_path):
    numbers = "50,100,40,60,1,{},ball,-13.6,False,False"
    rows = [
        f"p,table 1,d_1,a,robust_accuracy,{attack},{epsilon},,%,63.6,200,56.6,69.9,{numbers.format(verdict)}"
        for attack, verdict in (("fgsm", "pass"), ("pgd", "fail"))
        for epsilon in ("0.1", "0.2", "0.3")
    ]
    rows.append("p,section 1,d_1,a,clean_accuracy,,,,%,63.6,,,,50,100,40,60,1,,,-13.6,False,")
    rows.append("p,section 1,d_1,a,average_drop,fgsm,,,points,-3,200,,,2,200,-1,5,1,warning,ball,5,False,")
    told = texts(published(tmp_path, *rows))
    assert "table 1: fgsm" in told and "table 1: pgd" in told and told.count("epsilon") == 2
    assert told.count("†") == 3 and told.count("*") == 1  # beside each measured point
    assert "clean accuracy" in told and "average drop under fgsm" in told and "percentage points" in told
    assert not [text for text in told if "robust accuracy" in text]  # those have their panels
    assert len([text for text in told if text.startswith("measured (")]) == 1


def test_of_several_seeds_the_figure_says_what_the_bars_are(tmp_path):
    told = texts(published(tmp_path, "p,s,d_1,a,clean_accuracy,,,,%,63.6,,,,50,100,40,60,2,,,-13.6,False,"))
    assert "measured (least to greatest of 2 seeds)" in told and not [text for text in told if "diagnosis" in text]


def test_a_file_of_losses_alone_gives_a_figure_all_the_same(tmp_path):
    assert published(tmp_path, "p,s,d_1,a,clean_loss,,,,nats,0.2374,,,,0.3,100,,,1,,,0.06,,")
