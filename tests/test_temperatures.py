"""Temperature sweeps: from records written by hand to the table, its text and its figure."""

import pytest
from conftest import call
from small_study import SmallStudy
from test_tables import Tables, grid

from robustness.attacks.attack_settings import AttackSettings
from robustness.errors import UserError
from robustness.evaluation.records import read_records, write_records
from robustness.tables.temperature_tables import (
    TemperatureSweep,
    temperature_curves,
    temperatures,
    temperatures_markdown,
)

LOSSES = {"fgsm": "cross_entropy", "pgd": "cross_entropy", "bim": "margin", "square": ""}
PROMISED = (
    "dataset sweep series model temperature seed quantity attack climbed_loss norm epsilon epsilon_unit value low high n "
    "verdict"
)
# Of the 100 images of each network, model and seed: what is right under each attack and under all, what has no gradient.
CLEAN = {"t_1": {1: 90, 2: 92}, "t_50": {1: 80, 2: 84}, "s_50": {1: 70, 2: 70}}
FGSM = {"t_1": {1: 20, 2: 30}, "t_50": {1: 60, 2: 64}, "s_50": {1: 50, 2: 66}}
TOGETHER = {"t_1": 8, "t_50": 9, "s_50": {1: 4, 2: 7}}
ZERO = {"t_1": 0, "t_50": 5, "s_50": 62}


def small(folder, seeds=(1, 2)) -> SmallStudy:
    """Attacks fgsm and pgd on cross-entropy, bim on the margin, square without a gradient; two epsilons, one is asked for."""
    attacked = {}
    for model in CLEAN:
        attacked |= {("fgsm", model, "0.02"): 69, ("fgsm", model, "0.10"): FGSM[model]}
        attacked |= {("pgd", model, "0.10"): 40, ("bim", model, "0.10"): 41, ("square", model, "0.10"): 42}
    together = {(model, "inf", "0.10"): alive for model, alive in TOGETHER.items()}
    together |= {(model, "inf", "0.02"): 33 for model in CLEAN}
    settings = {"pgd": AttackSettings("pgd", relative_step=0.5, iterations=4)}
    settings["bim"] = AttackSettings("bim", relative_step=0.5, iterations=4, loss="margin")
    settings["square"] = AttackSettings("square", queries=9)
    zero = {(model, attack): count for model, count in ZERO.items() for attack in ("fgsm", "pgd")}
    return SmallStudy(folder, CLEAN, attacked, together, settings=settings, zero=zero, seeds=seeds)


def sweep(*attacks: str, epsilon: str = "0.1") -> TemperatureSweep:
    members = [("teacher", "t_50", 50.0), ("teacher", "t_1", 1.0), ("student", "s_50", 50.0)]
    return TemperatureSweep("wide", epsilon, {attack: LOSSES[attack] for attack in attacks}, members)


def read(folder, **settings) -> Tables:
    found = Tables(small(folder, **settings))
    found.clean.loc[found.clean["part"] == "test", ["n", "accuracy"]] = [1000, 0.75]  # others than those attacked
    return found


@pytest.fixture(scope="module")
def of(tmp_path_factory):
    """A function from sweeps to their table."""
    told = read(tmp_path_factory.mktemp("study"))
    return lambda *sweeps: temperatures(list(sweeps), told.robust, told.clean, told.worst_case, told.verdicts)


def numbers(table, quantity: str, attack: str = "") -> dict:
    """{(series, temperature, seed): value in images of 100}"""
    rows = table[(table["quantity"] == quantity) & (table["attack"] == attack)]
    return {(row.series, row.temperature, row.seed): pytest.approx(100 * row.value) for row in rows.itertuples()}


def by_seed(counts: dict) -> dict:
    names = {"t_1": ("teacher", 1.0), "t_50": ("teacher", 50.0), "s_50": ("student", 50.0)}
    return {
        (*names[model], seed): count[seed] if isinstance(count, dict) else count
        for model, count in counts.items()
        for seed in (1, 2)
    }


def test_every_number_is_that_of_its_model_seed_and_epsilon(of):
    table = of(sweep("fgsm", "pgd", "bim", "square"))
    assert list(table.columns) == PROMISED.split()
    assert numbers(table, "evaluation_accuracy") == by_seed(CLEAN)
    assert numbers(table, "clean_accuracy") == by_seed(dict.fromkeys(CLEAN, 75))
    assert numbers(table, "robust_accuracy", "fgsm") == by_seed(FGSM)
    for attack, count in (("pgd", 40), ("bim", 41), ("square", 42)):
        assert numbers(table, "robust_accuracy", attack) == by_seed(dict.fromkeys(CLEAN, count))
    assert numbers(table, "worst_case") == by_seed(TOGETHER)
    for attack, counts in (("fgsm", ZERO), ("pgd", ZERO), ("bim", dict.fromkeys(CLEAN, 0)), ("square", {})):
        assert numbers(table, "zero_gradients", attack) == by_seed(counts)
    assert len(table) == 6 * (2 + 4 + 1 + 3)
    assert set(zip(table["quantity"], table["n"])) >= {("clean_accuracy", 1000), ("zero_gradients", 100)}


def test_temperatures_rise_within_a_series_and_series_stay_in_order(of):
    table = of(sweep("fgsm")).drop_duplicates(["series", "temperature"])
    assert list(zip(table["series"], table["temperature"])) == [("teacher", 1), ("teacher", 50), ("student", 50)]


def test_a_share_without_a_gradient_names_its_loss_has_an_interval_and_a_verdict(of):
    table = of(sweep("fgsm", "bim", "square")).query("seed == 1 and quantity == 'zero_gradients'")
    told = {(row.model, row.attack): (row.climbed_loss, row.verdict) for row in table.itertuples()}
    assert told == {
        ("t_1", "fgsm"): ("cross_entropy", "pass"),
        ("t_50", "fgsm"): ("cross_entropy", "warning"),  # 5 of 100 images
        ("s_50", "fgsm"): ("cross_entropy", "fail"),
        **{(model, "bim"): ("margin", "pass") for model in CLEAN},
    }
    row = table.query("model == 's_50' and attack == 'fgsm'").iloc[0]
    assert [row["low"], row["high"]] == pytest.approx([0.5221, 0.7090], abs=1e-4)  # Wilson's of 62 of 100
    assert (row["norm"], row["epsilon"]) == ("", "")


def test_an_accuracy_has_the_verdict_of_its_attack_and_the_epsilon_as_it_is_written(of):
    table = of(sweep("fgsm")).query("quantity == 'robust_accuracy' and model == 's_50'")
    assert set(table["verdict"]) == {"fail"} and set(table["epsilon"]) == {"0.10"} and set(table["norm"]) == {"inf"}


def test_curves_of_several_seeds_have_their_spread_and_the_worst_verdict(of):
    table = of(sweep("fgsm"))
    table.loc[(table["model"] == "t_1") & (table["seed"] == 2) & (table["attack"] == "fgsm"), "verdict"] = "warning"
    curves = temperature_curves(table).set_index(["series", "temperature", "quantity", "attack"])
    fgsm = curves.loc["teacher", 1, "robust_accuracy", "fgsm"]
    assert fgsm[["value", "low", "high", "seeds", "verdict"]].tolist() == pytest.approx([0.25, 0.2, 0.3, 2, "warning"])
    together = curves.loc["student", 50, "worst_case", ""]
    assert together[["value", "low", "high"]].tolist() == pytest.approx([0.055, 0.04, 0.07])
    assert curves.loc["teacher", 1, "evaluation_accuracy", ""]["verdict"] == ""


def test_a_curve_of_one_seed_has_its_interval(tmp_path):
    told = read(tmp_path, seeds=(1,))
    table = temperatures([sweep("fgsm")], told.robust, told.clean, told.worst_case, told.verdicts)
    curves = temperature_curves(table).set_index(["series", "temperature", "quantity", "attack"])
    row = curves.loc["teacher", 50, "robust_accuracy", "fgsm"]
    assert row[["value", "low", "high"]].tolist() == pytest.approx([0.6, 0.5020, 0.6906], abs=1e-4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epsilon": "0.3"}, "no accuracy of t_1 under fgsm at epsilon 0.3"),
        ({"attacks": {"cw": "margin"}}, "no accuracy of t_1 under cw"),
        ({"attacks": {"square": "margin"}}, "no share of images of t_1 without a gradient under square"),
        ({"members": [("teacher", "t_9", 9.0)]}, "no model t_9"),
    ],
)
def test_what_was_not_measured_is_one_sentence(of, change, words):
    asked = TemperatureSweep(**(vars(sweep("fgsm")) | change))
    with pytest.raises(UserError, match=words):
        of(asked)


def test_the_text_has_a_row_a_network_and_names_the_loss_of_the_gradients(of):
    text = temperatures_markdown(of(sweep("fgsm", "pgd", "bim")))
    assert "## d_1, wide" in text and "Epsilon 0.10 on the pixel range 0-1, norm inf; n = 100 attacked images." in text
    head, *rows = grid(text)
    assert head == (
        ["series", "temperature", "model", "seed", "clean", "unattacked", "fgsm", "pgd", "bim", "worst case"]
        + ["no gradient of cross_entropy (fgsm, pgd)", "no gradient of margin (bim)"]
    )
    assert [row[:4] for row in rows[::2]] == [
        ["teacher", "1", "t_1", "1"],
        ["teacher", "50", "t_50", "1"],
        ["student", "50", "s_50", "1"],
    ]
    cells = dict(zip(head, rows[4]))
    assert cells["fgsm"] == "50.00 [40.38, 59.62] †" and cells["unattacked"][:6] == "70.00 "
    assert cells["no gradient of cross_entropy (fgsm, pgd)"] == "62.00 [52.21, 70.90]"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder in which the program made the tables of two sweeps."""
    folder = tmp_path_factory.mktemp("made")
    told = read(folder)
    tables = {"robust": told.robust, "clean": told.clean, "worst-cases": told.worst_case}
    for name, table in tables.items():
        write_records(table, folder / f"{name}.csv")
    words = []
    for name in ("wide", "narrow"):
        words += [
            "--sweep",
            name,
            "0.1",
            "--member",
            name,
            "teacher",
            "t_1",
            "1",
            "--member",
            name,
            "teacher",
            "t_50",
            "50",
        ]
        for attack in ("fgsm", "pgd", "square"):
            words += ["--attack", name, attack, LOSSES[attack]]
    words += ["--member", "wide", "student", "s_50", "50", "--attack", "narrow", "bim", "margin"]
    names = {"table": "temperatures.csv", "text": "temperatures.md", "curves": "curves.csv", "verdicts": "verdicts.csv"}
    files = {name: folder / path for name, path in names.items()} | {name: folder / f"{name}.csv" for name in tables}
    call("aggregate_temperatures", *words, **files)
    return folder


def test_the_program_makes_the_same_of_files(made, of):
    table = read_records(made / "temperatures.csv")
    wide = table[table["sweep"] == "wide"]
    expected = of(sweep("fgsm", "pgd", "square"))
    assert wide["value"].tolist() == pytest.approx(expected["value"].tolist())
    columns = [
        "series",
        "model",
        "temperature",
        "seed",
        "quantity",
        "attack",
        "climbed_loss",
        "epsilon",
        "n",
        "verdict",
    ]
    assert wide[columns].values.tolist() == expected[columns].values.tolist()
    assert set(table.query("sweep == 'narrow'")["series"]) == {"teacher"}
    assert (made / "temperatures.md").read_text().count("\n## ") == 2


def drawn(made, folder, monkeypatch, name: str):
    kept = []
    monkeypatch.setattr("robustness.figures.plotting.plt.close", kept.append)
    files = {"png": folder / "f.png", "svg": folder / "f.svg"}
    call(
        "plot_temperatures", curves=made / "curves.csv", sweep=name, title="{sweep} at {epsilon} of {dataset}", **files
    )
    monkeypatch.undo()
    assert (folder / "f.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and (folder / "f.svg").stat().st_size > 5000
    return kept[0]


def line(axes, label: str) -> tuple:
    """(x, y in per cent) of the line of this label."""
    (found,) = [found for found in axes.get_lines() if found.get_label() == label]
    return found.get_xdata().tolist(), pytest.approx(found.get_ydata().tolist())


def test_a_figure_has_a_column_a_series_accuracy_above_and_gradients_below(made, tmp_path, monkeypatch):
    figure = drawn(made, tmp_path, monkeypatch, "wide")
    teacher, student, teacher_zero, student_zero = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["teacher", "student", "", ""]
    assert line(teacher, "unattacked") == ([1, 50], [91, 82]) and line(teacher, "fgsm") == ([1, 50], [25, 62])
    assert line(teacher, "all attacks together") == ([1, 50], [8, 9]) and line(student, "fgsm") == ([50], [58])
    assert line(teacher_zero, "cross_entropy\n(fgsm, pgd)") == ([1, 50], [0, 5])
    assert line(student_zero, "cross_entropy\n(fgsm, pgd)") == ([50], [62])
    assert figure.get_suptitle() == "wide at 0.10 of d_1" and student_zero.get_xscale() == "log"
    assert [text.get_text() for text in student_zero.get_xticklabels()] == ["1", "50"]
    assert "least to greatest of 2 seeds" in teacher.get_ylabel() and "without a gradient" in teacher_zero.get_ylabel()
    assert student_zero.get_legend().get_title().get_text() == "gradient of"


def test_points_that_do_not_pass_are_open(made, tmp_path, monkeypatch):
    """fgsm and pgd fail at 50 on the student (62 images without a gradient) and are warned of on the teacher (5)."""
    teacher, student, *_ = drawn(made, tmp_path, monkeypatch, "wide").axes
    marked = {}
    for name, axes in (("teacher", teacher), ("student", student)):
        points = [point for point in axes.get_lines() if point.get_linestyle() == "None" and len(point.get_xdata())]
        kinds = [("fail" if point.get_markerfacecolor() == "white" else point.get_fillstyle()) for point in points]
        marked[name] = list(zip(kinds, [point.get_xdata().tolist() for point in points]))
    assert marked == {"teacher": [("bottom", [50])] * 2, "student": [("fail", [50])] * 2}
    told = student.get_legend().get_title().get_text()
    assert "open †: fails its diagnosis" in told and "half open *" in told


def test_each_loss_has_a_line_of_its_own(made, tmp_path, monkeypatch):
    accuracy, zero = drawn(made, tmp_path, monkeypatch, "narrow").axes
    assert line(zero, "margin\n(bim)") == ([1, 50], [0, 0]) and line(zero, "cross_entropy\n(fgsm, pgd)")[1] == [0, 5]
    told = [text.get_text() for text in accuracy.get_legend().get_texts()]
    assert told == ["unattacked", "fgsm", "pgd", "square", "bim", "all attacks together"]
