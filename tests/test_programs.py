"""The programs by themselves: what they import, what --help tells, how they fail."""

import ast
import importlib
import re
import subprocess
import sys

import pytest
from conftest import ROOT, run

from robustness.config.code_inputs import ProjectCode

SCRIPTS = ROOT / "workflow_scripts"
CODE = ProjectCode(SCRIPTS)
PROGRAMS = sorted(path.stem for path in SCRIPTS.glob("*.py"))
HEAVY = {"tensorflow", "keras", "cleverhans", "pandas", "matplotlib", "PIL", "scipy", "sklearn"}
WITH_TENSORFLOW = {
    *(
        "train_model",
        "train_adversarially",
        "train_substitute",
        "train_defended",
        "wrap_model",
        "distill_student",
        "craft_path",
        "craft_adversarial",
        "craft_worst_case",
        "probe_model",
    ),
    *("evaluate_model", "evaluate_attack", "evaluate_transfer", "evaluate_worst_case"),
    *("craft_iteration_sweep", "evaluate_iteration_sweep"),
}


def imported(words: list[str]) -> set[str]:
    """Top-level packages that a Python program imports."""
    done = subprocess.run([sys.executable, "-X", "importtime", *words], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in lines}


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_imports_nothing_heavy(name):
    """That is what makes it quick; seconds are measured in benchmarks/, where no slow machine turns a test red."""
    assert not imported([f"workflow_scripts/{name}.py", "--help"]) & HEAVY


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_tells_every_option(name):
    command = importlib.import_module(name).main
    assert command.help
    assert [option.name for option in command.params if not option.help] == []


@pytest.mark.parametrize("name", PROGRAMS)
def test_only_rules_that_need_tensorflow_can_import_it(name):
    """By all modules that its digest takes in, so a light program can't reach TensorFlow even by a detour."""
    packages = set()
    for path in CODE.files(name):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else names
            packages |= {module.split(".")[0] for module in names}
    assert bool(packages & {"tensorflow", "keras", "cleverhans"}) == (name in WITH_TENSORFLOW)


def test_every_rule_has_a_program_of_its_name_and_none_is_left_over():
    rules = [
        line.split()[1].rstrip(":")
        for path in (ROOT / "rules").glob("*.smk")
        for line in path.read_text().splitlines()
        if line.startswith("rule ")
    ]
    assert sorted(rules) == PROGRAMS


def test_every_rule_depends_on_the_code_of_its_program():
    """And on nothing else of workflow_scripts: a program among the inputs would count with its comments."""
    for path in (ROOT / "rules").glob("*.smk"):
        for text in re.split(r"^rule ", path.read_text(), flags=re.MULTILINE)[1:]:
            name = text.split(":")[0]
            assert text.count(f'        program=program("{name}"),\n') == text.count("{params.program:q}") == 1, name
            assert len(re.findall(rf'^        code=(code_of|training_code)\("{name}"', text, re.MULTILINE)) == 1, name
            assert "workflow_scripts" not in text, name


CRAFT = [
    "--model", "m.keras", "--images", "i.npz", "--info", "d.json", "--attack", "a", "--epsilon-unit", "0-1",
    "--seed", "1", "--output", "o.npz",
]  # fmt: skip

MODEL = ["--model", "m.keras", "--images", "i.npz", "--info", "d.json"]
SWEEP = [
    "craft_iteration_sweep", *MODEL, "--sweep", "s", "--epsilon-unit", "0-1", "--seed", "1", "--output", "o.npz",
    "--method", "bim",
]  # fmt: skip
SCORE = [
    "evaluate_iteration_sweep", *MODEL, "--metadata", "d.json", "--adversarial", "i.npz", "--records", "r.csv",
    "--summary", "s.json",
]  # fmt: skip
ITERATIONS = [
    "aggregate_iterations", "--evaluation-folder", ".", "--seed", "1", "--sweep", "s", "m", "--table", "t.csv",
    "--text", "t.md", "--curves", "c.csv",
]  # fmt: skip
CASCADE = [
    *MODEL, "--evaluation-folder", ".", "--epsilons", "0.1", "--epsilon-unit", "0-1", "--rounds", "2", "--seed", "1",
    "--output", "o.npz",
]  # fmt: skip
MOVED = [
    *MODEL, "--models-folder", ".", "--adversarial-folder", ".", "--seed", "1", "--records", "r.csv",
    "--source", "other", "pgd", "0.1",
]  # fmt: skip
WORST = [
    *MODEL, "--metadata", "d.json", "--worst-case", "i.npz", "--evaluation-folder", ".", "--records", "r.csv",
    "--summary", "s.json",
]  # fmt: skip
PROBE = [
    *MODEL, "--evaluation-folder", ".", "--epsilon-unit", "0-1", "--n", "5", "--queries", "5", "--huge-epsilon", "0.5",
    "--seed", "1", "--records", "r.csv", "--summary", "s.json",
]  # fmt: skip
STUDY = ["--evaluation-folder", ".", "--model", "m", "--seed", "1"]
DIAGNOSE = ["diagnose_attacks", *STUDY, "--verdicts", "v.csv", "--text", "v.md"]
TABLES = ["aggregate_tables", *STUDY, "--verdicts", "d.json", "--output-folder", "."]
DROPS = ["aggregate_drops", *STUDY, "--verdicts", "d.json", "--table", "t.csv", "--text", "t.md"]
FINDINGS = ["write_findings", *STUDY, "--verdicts", "d.json", "--comparisons", "c.csv", "--findings", "f.md"]
TRAINING = ["--models-folder", ".", "--model", "m", "--seed", "1", "--table", "t.csv", "--text", "t.md"]
TEMPERATURES = [
    "aggregate_temperatures", "--robust", "d.json", "--clean", "d.json", "--worst-cases", "d.json", "--verdicts", "d.json",
    "--sweep", "s", "0.1", "--table", "t.csv", "--text", "t.md", "--curves", "c.csv",
]  # fmt: skip
DEFENCES = [
    "aggregate_defences", "--robust", "d.json", "--clean", "d.json", "--worst-cases", "d.json", "--training", "d.json",
    "--table", "t.csv", "--text", "t.md", "--latex", "t.tex",
]  # fmt: skip
CLASSIFIER = [
    "train_classifier", "--train", "i.npz", "--info", "d.json", "--name", "m", "--dataset", "d", "--technique", "forest",
    "--seed", "1", "--model", "o.pickle", "--metadata", "o.json",
]  # fmt: skip
BLACK_BOX = [
    "aggregate_black_box", "--evaluation-folder", ".", "--models-folder", ".", "--seed", "1", "--table", "t.csv",
    "--text", "t.md", "--latex", "t.tex",
]  # fmt: skip
PUBLISHED = [
    "--published", "d.json", "--robust", "d.json", "--clean", "d.json", "--training", "d.json", "--drops", "d.json",
    "--table", "t.csv", "--text", "t.md",
]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["craft_adversarial", *CRAFT, "--method", "fgsm", "--epsilon", "a lot"], "epsilon 'a lot' is no size"),
        (["craft_adversarial", *CRAFT, "--method", "fgsm", "--epsilon", "nan"], "epsilon 'nan' is no size"),
        (["craft_adversarial", *CRAFT, "--method", "fgsm", "--epsilon", "-0.1"], "epsilon '-0.1' is no size"),
        (["craft_adversarial", *CRAFT, "--method", "cw", "--epsilon", "0.1"], "choose one of apgd, bim, carlini_wagner, fgsm"),
        (["craft_adversarial", *CRAFT, "--method", "pgd", "--epsilon", "0.1"], "give exactly one"),
        (["craft_adversarial", *CRAFT, "--method", "bim", "--epsilon", "0.1", "--step", "0.2"], "cleverhans refuses"),
        (["craft_adversarial", *CRAFT, "--method", "fgsm", "--epsilon", "0.1"], "d.json is not valid JSON"),
        (["craft_adversarial", *CRAFT, "--method", "fgsm", "--epsilon", "1", "--loss", "hinge"], "'hinge' is not one of"),
        (
            ["craft_adversarial", *CRAFT, "--method", "jsma", "--epsilon", "0.1"],
            "--norm: jsma works in norm 0, not in inf: choose another.",
        ),
        (
            ["craft_adversarial", *CRAFT, "--method", "jsma", "--norm", "0", "--epsilon", "1.1"],
            "epsilon 1.1 is a share of the image's values in norm 0: give one from 0 to 1.",
        ),
        (
            ["craft_adversarial", *CRAFT, "--method", "fgsm", "--epsilon", "0.1", "--own", '{"theta": 1}'],
            "--own has the unknown setting theta; of its own fgsm has none.",
        ),
        (["craft_adversarial", *CRAFT, "--method", "fgsm", "--epsilon", "0.1", "--own", "theta"], "'theta' is no JSON object"),
        (
            ["craft_worst_case", *CASCADE, "--attack", "a", '{"method": "carlini_wagner", "iterations": 5}'],
            "attack a: carlini_wagner works in norm 2, not in inf: choose another.",
        ),
        (
            ["craft_adversarial", *CRAFT, "--method", "pgd", "--epsilon", "1", "--step", "1", "--clip", "pixel_range"],
            "--clip is pixel_range, which is for bim in norm inf only",
        ),
        (
            ["craft_adversarial", *CRAFT, "--method", "bim", "--epsilon", "1", "--step", "1", "--clip", "pixel_range", "--norm", "2"],
            "--clip is pixel_range, which is for bim in norm inf only",
        ),
        ([*SWEEP, "--epsilon", "0.1", "--step", "0.1", "--iterations", "1,5,2"], "--iterations is '1,5,2': write rising"),
        ([*SWEEP, "--epsilon", "0.1", "--step", "0.1", "--iterations", "1,,2"], "--iterations is '1,,2': write rising"),
        ([*SWEEP, "--epsilon", "0.1", "--step", "0.1", "--iterations", "2,2"], "--iterations is '2,2': write rising"),
        ([*SWEEP, "--epsilon", "0.1", "--iterations", "2"], "give exactly one"),
        ([*SWEEP, "--epsilon", "0.1", "--step", "0.2", "--iterations", "2"], "cleverhans refuses"),
        ([*SWEEP, "--epsilon", "0", "--step", "0.2", "--iterations", "2"], "epsilon 0 leaves nothing to attack"),
        ([*SWEEP, "--epsilon", "0.1", "--step", "0.1", "--iterations", "2"], "d.json is not valid JSON"),
        (SCORE, "d.json is not valid JSON"),
        (ITERATIONS, "s.json does not exist"),
        (["craft_worst_case", *CASCADE, "--attack", "a", "{method"], "settings of attack a are no JSON object"),
        (["craft_worst_case", *CASCADE, "--attack", "a", '{"method": "pgd", "steps": 3}'], "unexpected keyword argument 'steps'"),
        (["craft_worst_case", *CASCADE, "--attack", "a", '["pgd"]'], "settings of attack a are no JSON object"),
        (["craft_worst_case", *CASCADE, "--attack", "a", '{"method": "fgsm"}'], "d.json is not valid JSON"),
        (["evaluate_transfer", *MOVED], "d.json is not valid JSON"),
        (["evaluate_transfer", *MOVED[:-4]], "Missing option '--source'"),
        (["evaluate_worst_case", *WORST], "d.json is not valid JSON"),
        (["probe_model", *PROBE, "--attack", "a", "fgsm"], "settings of attack a are no JSON object"),
        (["probe_model", *PROBE, "--worst-case", "a", '{"norm": "2"}'], "missing 1 required positional argument: 'method'"),
        (["probe_model", *PROBE], "d.json is not valid JSON"),
        (["probe_model", *PROBE, "--huge-epsilon", "0"], "0.0 is not in the range 0.5<=x<=1"),
        (DIAGNOSE, "clean.json does not exist"),
        (TABLES, "clean.json does not exist"),
        ([*DROPS, "--attack", "a", "m", "0.1"], "a.csv does not exist"),
        ([*DROPS, "--baseline", "m", "other"], "the baseline other is not among the models"),
        ([*FINDINGS, "--defence", "m", "other", "", ""], "clean.csv does not exist"),
        (["aggregate_training", *TRAINING], "metadata.json does not exist"),
        (["aggregate_training", *TRAINING, "--baseline", "m", "other"], "the baseline other is not among the models"),
        ([*TEMPERATURES, "--member", "s", "teacher", "m", "hot"], "'hot' is not a valid float"),
        ([*DEFENCES, "--rejections", "nowhere.csv"], "does not exist"),
        (CLASSIFIER, "d.json is not valid JSON"),
        ([*CLASSIFIER, "--settings", "{trees"], "Invalid value for '--settings': '{trees' is no JSON object"),
        ([*CLASSIFIER, "--settings", "3"], "'3' is no JSON object"),
        ([*CLASSIFIER, "--settings", '[["trees", 3]]'], "is no JSON object"),
        (["train_defended", "--settings", "[1]"], "'[1]' is no JSON object"),
        (["wrap_model", "--settings", "{"], "'{' is no JSON object"),
        ([*BLACK_BOX, "--transfer", "nowhere.csv"], "does not exist"),
        (["train_adversarially", "--norm", "0"], "Invalid value for '--norm': '0' is not one of 'inf', '2'."),
        (["craft_worst_case", *CASCADE, "--norm", "0"], "'0' is not one of 'inf', '2'."),
        ([*SWEEP, "--norm", "0"], "'0' is not one of 'inf', '2'."),
        (["compare_published", *PUBLISHED], "d.json has other columns than source, model"),
        (["select_evaluation_subset", "--test", "i.npz", "--n", "5", "--seed", "1", "--output", "o.npz"], "can't be read"),
        (["draw_erasing_schedule", "--info", "nowhere.json"], "does not exist"),
    ],
)  # fmt: skip
def test_a_users_mistake_is_one_sentence_and_leaves_nothing(tmp_path, words, sentence):
    for name in ("m.keras", "i.npz", "d.json"):
        (tmp_path / name).write_text("not what it should be")
    name, *options = words
    done = run(tmp_path, "python", str(SCRIPTS / f"{name}.py"), *options, check=False)
    assert done.returncode in (1, 2)
    assert sentence in done.stdout and "Traceback" not in done.stdout, done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.json", "i.npz", "m.keras"]
