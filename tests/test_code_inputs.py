"""Digests of code: what counts, what does not, and which imports are found."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from robustness.config.code_inputs import ANY, ProjectCode
from robustness.errors import UserError

SCRIPTS = ROOT / "workflow_scripts"
PROJECT = {  # a program, what it imports in every way, and what it does not
    "main.py": '"""A program."""\n\nimport numpy as np\n\nfrom robustness import losses\nfrom robustness.steps import STEP, step as move\n\n\n'
    'def main(x):\n    """Help."""\n    from robustness.late import late\n\n    return late(move(np.abs(x) * STEP)) + losses.loss(x)\n',
    "other.py": "from robustness.unused import nothing\n",
    "robustness/__init__.py": '"""What programs share."""\n',
    "robustness/steps.py": '"""Steps."""\n\nfrom robustness.errors import UserError\n\nSTEP = 0.25\n\n\ndef step(x):\n    return x\n',
    "robustness/losses.py": "import importlib\n\n\ndef loss(x):\n    return 1\n",
    "robustness/late.py": "def late(x):\n    # a comment\n    return x\n",
    "robustness/errors.py": 'class UserError(Exception):\n    """A mistake."""\n',
    "robustness/unused.py": "nothing = None\n",
}


@pytest.fixture
def folder(tmp_path) -> Path:
    return written(tmp_path, PROJECT)


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def digest(folder: Path, program: str = "main", **plug_ins) -> str:
    return ProjectCode(folder).digest(program, plug_ins)


def edit(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text()
    assert text.count(old) == 1, (name, old)
    (folder / name).write_text(text.replace(old, new))


# --- what does not count ---------------------------------------------------------------------------------------------

WITHOUT_EFFECT = {
    "a comment": ("robustness/late.py", "# a comment", "# another\n\n    # and more"),
    "a docstring of a module": ("robustness/steps.py", '"""Steps."""', '"""Steps and strides."""'),
    "no docstring of a module": ("main.py", '"""A program."""\n\n', ""),
    "a docstring of a function": ("main.py", '"""Help."""', '"""Help, and what it is for."""'),
    "a docstring of a class in place of a body": ("robustness/errors.py", '"""A mistake."""', "pass"),
    "a docstring where there was none": ("robustness/steps.py", "    return x", '    """As it is."""\n    return x'),
    "a text below a constant": ("robustness/steps.py", "STEP = 0.25", 'STEP = 0.25\n"""of the range"""'),
    "spaces": ("robustness/steps.py", "STEP = 0.25", "STEP   =   (0.25)"),
    "quotes and lines": ("main.py", "late(move(np.abs(x) * STEP))", "late(\n        move(\n            np.abs(x) * STEP,\n        )\n    )"),
    "the order of imports": ("main.py", "from robustness import losses\nfrom robustness.steps import STEP, step as move",
                             "from robustness.steps import step as move\nfrom robustness.steps import STEP\nfrom robustness import losses"),
    "a module that is not imported": ("robustness/unused.py", "None", "1"),
}  # fmt: skip


@pytest.mark.parametrize("change", WITHOUT_EFFECT)
def test_what_changes_no_result_does_not_count(folder, change):
    before = digest(folder)
    edit(folder, *WITHOUT_EFFECT[change])
    assert digest(folder) == before


def test_another_place_does_not_count(folder, tmp_path):
    before = digest(folder)
    moved = tmp_path / "elsewhere" / "scripts"
    shutil.copytree(folder, moved, ignore=shutil.ignore_patterns("elsewhere"))
    assert digest(moved) == before


MOVED = {
    "a module that programs import names of": (
        {"robustness/steps.py": "robustness/attacks/steps.py"},
        {"main.py": ("robustness.steps import", "robustness.attacks.steps import")},
    ),
    "a module that programs import itself": (
        {"robustness/losses.py": "robustness/attacks/near/losses.py"},
        {"main.py": ("from robustness import losses", "from robustness.attacks.near import losses")},
    ),
    "a module that a module imports": (
        {"robustness/errors.py": "robustness/mistakes.py"},
        {"robustness/steps.py": ("robustness.errors", "robustness.mistakes")},
    ),
    "a module that becomes a package": ({"robustness/late.py": "robustness/late/__init__.py"}, {}),
    "the program": ({"main.py": "first.py"}, {}),
}


@pytest.mark.parametrize("described", [True, False], ids=["__init__ with a docstring", "no __init__"])
@pytest.mark.parametrize("what", MOVED)
def test_a_move_does_not_count_if_the_imports_follow(folder, what, described):
    moves, edits = MOVED[what]
    before = digest(folder)
    for old, new in moves.items():
        (folder / new).parent.mkdir(parents=True, exist_ok=True)
        if described and not new.endswith("__init__.py") and Path(new).parent.name not in ("robustness", ""):
            (folder / new).with_name("__init__.py").write_text('"""Attacks."""\n')
        (folder / old).rename(folder / new)
    for name, (old, new) in edits.items():
        edit(folder, name, old, new)
    assert digest(folder, "first" if what == "the program" else "main") == before


# --- what counts -----------------------------------------------------------------------------------------------------

WITH_EFFECT = {
    "a constant": ("robustness/steps.py", "0.25", "0.5"),
    "a constant of another type": ("robustness/losses.py", "return 1", "return 1.0"),
    "a text that is no docstring": ("robustness/losses.py", "return 1", 'return "1"'),
    "an annotation": ("robustness/steps.py", "def step(x)", "def step(x: int)"),
    "a default": ("robustness/steps.py", "def step(x)", "def step(x=None)"),
    "a decorator": ("robustness/steps.py", "def step(x)", "@staticmethod\ndef step(x)"),
    "an exponent": ("main.py", "np.abs(x) * STEP", "np.abs(x) ** STEP"),
    "another name of an imported module": ("main.py", "import STEP, step as move", "import STEP as step, STEP as move"),
    "another module": ("main.py", "from robustness.late import late", "from robustness.steps import step as late"),
    "an import inside a function": ("robustness/late.py", "return x", "return -x"),
    "one more import": ("robustness/late.py", "    return x", "    import math\n    return x"),
    "code in an __init__": ("robustness/__init__.py", '"""\n', '"""\n\nSEED = 1\n'),
    "a base class": ("robustness/errors.py", "(Exception)", "(ValueError)"),
}


@pytest.mark.parametrize("change", WITH_EFFECT)
def test_what_may_change_a_result_counts(folder, change):
    before = digest(folder)
    edit(folder, *WITH_EFFECT[change])
    assert digest(folder) != before


def test_which_of_two_modules_is_imported_where_counts(tmp_path):
    """Both are reached either way."""
    files = {"robustness/a.py": "f = 1\n", "robustness/b.py": "f = 2\n"}
    one = written(
        tmp_path / "one", files | {"main.py": "from robustness.a import f\nfrom robustness.b import f as g\n"}
    )
    two = written(
        tmp_path / "two", files | {"main.py": "from robustness.b import f\nfrom robustness.a import f as g\n"}
    )
    assert digest(one) != digest(two)


# --- imports that are found ------------------------------------------------------------------------------------------

LEAF = "robustness/deep/leaf.py"
WAYS = {  # to import the leaf, beside a robustness/deep/__init__.py that holds no code
    "from a module": {"main.py": "from robustness.deep.leaf import VALUE\n"},
    "the module": {"main.py": "from robustness.deep import leaf\n"},
    "the module with another name": {"main.py": "import robustness.deep.leaf as leaf\n"},
    "the module with its whole name": {"main.py": "import robustness.deep.leaf\nx = robustness.deep.leaf.VALUE\n"},
    "everything": {"main.py": "from robustness.deep.leaf import *\n"},
    "by its name": {"main.py": 'import importlib\nx = importlib.import_module("robustness.deep.leaf")\n'},
    "in a function": {"main.py": "def f():\n    if True:\n        from robustness.deep.leaf import VALUE\n    return VALUE\n"},
    "relative": {"main.py": "from robustness.deep.near import x\n", "robustness/deep/near.py": "from .leaf import VALUE as x\n"},
    "relative module": {"main.py": "from robustness.deep import near\n", "robustness/deep/near.py": "from . import leaf\n"},
    "relative from above": {"main.py": "import robustness.near\n", "robustness/near.py": "from .deep.leaf import VALUE\n"},
    "relative from below": {
        "main.py": "import robustness.deep.far.x\n",
        "robustness/deep/far/x.py": "from ..leaf import VALUE\n",
    },
    "through an __init__": {"main.py": "from robustness import x\n", "robustness/__init__.py": "from robustness.deep.leaf import x\n"},
    "through an __init__ on the way": {
        "main.py": "from robustness.wide.y import z\n",
        "robustness/wide/__init__.py": "from ..deep.leaf import x\n",
        "robustness/wide/y.py": "z = 1\n",
    },
    "a program": {"main.py": "import second\n", "second.py": "from robustness.deep.leaf import VALUE\n"},
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_import_is_found(tmp_path, way):
    folder = written(tmp_path, {"robustness/deep/__init__.py": '"""Deep."""\n', LEAF: "VALUE = x = 1\n"} | WAYS[way])
    before = digest(folder)
    assert folder / LEAF in ProjectCode(folder).files("main")
    (folder / LEAF).write_text("VALUE = x = 1  # one\n")
    assert digest(folder) == before
    (folder / LEAF).write_text("VALUE = x = 2\n")
    assert digest(folder) != before


def test_a_whole_name_may_change_with_the_place(tmp_path):
    use = "import robustness.{0}\n\n\ndef f():\n    return robustness.{0}.VALUE + robustness.{0}.g(1)\n"
    leaf = "VALUE = 1\n\n\ndef g(x):\n    return x\n"
    one = written(tmp_path / "one", {"main.py": use.format("leaf"), "robustness/leaf.py": leaf})
    two = written(tmp_path / "two", {"main.py": use.format("deep.leaf"), "robustness/deep/leaf.py": leaf})
    assert digest(one) == digest(two)
    edit(two, "main.py", "VALUE", "OTHER")
    assert digest(one) != digest(two)


def test_modules_that_import_each_other(tmp_path):
    files = {
        "main.py": "from robustness.a import f\n",
        "robustness/a.py": "def f(x):\n    from robustness.b import g\n\n    return g(x)\n",
        "robustness/b.py": "from robustness.a import f\nfrom robustness.c import STEP\n\n\ndef g(x):\n    return f(x - STEP)\n",
        "robustness/c.py": "STEP = 1\n",
    }
    folder = written(tmp_path, files)
    before = digest(folder)
    (folder / "robustness/near").mkdir()
    (folder / "robustness/b.py").rename(folder / "robustness/near/b.py")
    edit(folder, "robustness/a.py", "robustness.b", "robustness.near.b")
    assert digest(folder) == before
    found = {before}
    for name, old, new in (
        ("robustness/c.py", "1", "2"),
        ("robustness/near/b.py", "x - STEP", "x + STEP"),
        ("robustness/a.py", "return g(x)", "return g(-x)"),
    ):
        edit(folder, name, old, new)
        found.add(digest(folder))
    assert len(found) == 4


def test_an_init_may_import_its_own_package(tmp_path):
    init = "from robustness.errors import UserError\n"
    folder = written(tmp_path, {"main.py": "import robustness.errors\n", "robustness/__init__.py": init})
    written(folder, {"robustness/errors.py": "class UserError(Exception):\n    pass\n"})
    before = digest(folder)
    edit(folder, "robustness/errors.py", "Exception", "ValueError")
    assert digest(folder) != before


# --- plug-ins --------------------------------------------------------------------------------------------------------

BUILDER = (
    'import importlib\n\n\ndef build(name):\n    return importlib.import_module(f"robustness.{0}.{{name}}").net()\n'
)
NETS = {
    "main.py": "from robustness.build import build\n",
    "robustness/build.py": BUILDER.format("nets"),
    "robustness/nets/small.py": "from robustness.layers import dense\n",
    "robustness/nets/large.py": "from robustness.layers import dense\n\nSIZE = 2\n",
    "robustness/layers.py": "dense = 1\n",
}


def test_a_plug_in_counts_with_what_it_imports(tmp_path):
    folder = written(tmp_path, NETS)

    def of(*names):
        return ProjectCode(folder).digest("main", {"robustness.nets": names})

    assert len({of("small"), of("large"), of("small", "large"), of()}) == 4
    assert of("small", "large") == of("large", "small", "small")
    before = of("small"), of("large"), of()
    edit(folder, "robustness/nets/large.py", "2", "3")
    assert (of("small"), of()) == (before[0], before[2]) and of("large") != before[1]
    edit(folder, "robustness/layers.py", "1", "2")
    assert of("small") != before[0] and of() == before[2]


def test_a_package_of_plug_ins_may_move(tmp_path):
    folder = written(tmp_path, NETS)
    before = ProjectCode(folder).digest("main", {"robustness.nets": ["small"]})
    (folder / "robustness/models").mkdir()
    (folder / "robustness/nets").rename(folder / "robustness/models/networks")
    (folder / "robustness/build.py").write_text(BUILDER.format("models.networks"))
    assert ProjectCode(folder).digest("main", {"robustness.models.networks": ["small"]}) == before


def test_a_kind_of_plug_ins_that_is_left_out_is_refused(tmp_path):
    folder = written(tmp_path, NETS)
    with pytest.raises(UserError, match=r"main imports modules of robustness\.nets by name"):
        digest(folder)
    edit(folder, "robustness/build.py", 'f"robustness.nets.{name}"', "name")
    with pytest.raises(UserError, match=r"main imports modules by name"):
        digest(folder)
    whole = ProjectCode(folder).digest("main", {ANY: ["robustness.nets.small"]})
    assert whole != ProjectCode(folder).digest("main", {ANY: ["robustness.nets.large"]})


# --- mistakes --------------------------------------------------------------------------------------------------------

MISTAKES = {
    "no Python": ({"main.py": "def (:\n"}, "main.py, line 1, is no Python"),
    "no such module": ({"main.py": "import robustness.gone\n", "robustness/x.py": ""}, "imports robustness.gone, which"),
    "no such name": ({"main.py": "from robustness import gone\n", "robustness/__init__.py": ""}, "imports robustness.gone"),
    "no such relative": ({"main.py": "import robustness.x\n", "robustness/x.py": "from .gone import x\n"}, "imports robustness.gone"),
    "from above": ({"main.py": "from . import x\n"}, "line 1, imports from above its packages"),
    "no program": ({"other.py": ""}, "has no module main: check its name."),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_in_a_sentence(tmp_path, mistake):
    files, sentence = MISTAKES[mistake]
    with pytest.raises(UserError) as error:
        digest(written(tmp_path, files))
    assert sentence in str(error.value) and "\n" not in str(error.value)


# --- the project -----------------------------------------------------------------------------------------------------

PROGRAMS = sorted(path.stem for path in SCRIPTS.glob("*.py"))


def kinds_of(project: ProjectCode, program: str) -> set[str]:
    return {kind for file in project.files(program) for kind in project.code(file).kinds}


def test_every_program_has_its_own_digest():
    project = ProjectCode(SCRIPTS)
    found = {project.digest(name, dict.fromkeys(kinds_of(project, name), ())) for name in PROGRAMS}
    assert len(found) == len(PROGRAMS)


def test_every_import_that_python_makes_is_found():
    """What is loaded while all modules of the project are imported that need no TensorFlow, beside what the digest counts."""
    project, light = (
        ProjectCode(SCRIPTS),
        [
            "robustness.config.study",
            "robustness.tables.accuracy_tables",
            "robustness.tables.findings",
            "robustness.cli",
        ],
    )
    code = f"import sys\nsys.path.insert(0, {str(SCRIPTS)!r})\nimport {', '.join(light)}\n"
    code += "print(*(m.__file__ for n, m in sys.modules.items() if n.startswith('robustness.')))"
    loaded = {Path(word) for word in subprocess.check_output([sys.executable, "-c", code], text=True).split()}
    files = {project.file_of(name) for name in light}
    assert {path for path in loaded if project.holds_code(path)} <= files.union(*map(project.reached, files))


@pytest.mark.parametrize("reads", ["__doc__", "getdoc", "getsource", "getcomments"])
def test_no_code_reads_what_does_not_count(reads):
    """click shows the docstrings of programs as help, which is no result."""
    found = [path for path in SCRIPTS.rglob("*.py") if path.name != "code_inputs.py" and reads in path.read_text()]
    assert found == []
