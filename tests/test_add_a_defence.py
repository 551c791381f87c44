"""A new defence: docs/add_a_defence.md word for word, and what is refused on the way."""

import csv
import importlib.util
import json
import re
import sys
import zipfile
from pathlib import Path
from types import ModuleType, SimpleNamespace

import keras
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from conftest import ROOT, TINY, copy_project, run, snakemake
from networks import images
from test_workflow import edit, planned

from robustness import models
from robustness.config.defence_files import defence_file
from robustness.data.datasets import Images, to_pixels
from robustness.defences import null_labelling
from robustness.errors import UserError
from robustness.models import squeezing
from robustness.models.architectures import build
from robustness.models.model_files import load_network, predict_logits, save_network
from robustness.training.defence_task import Task, check_network, check_trainer
from robustness.version import project_version

PAGE = (ROOT / "docs/add_a_defence.md").read_text()
MODELS = Path("results/models")
EVALUATION = Path("results/evaluation")


def module_of(path: Path) -> ModuleType:
    """A Python file as a module of another name."""
    spec = importlib.util.spec_from_file_location(f"page_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def entropies(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cross-entropy of each image, natural logarithm."""
    logits = logits.astype(np.float64)
    return (
        np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1))
        + logits.max(1)
        - logits[range(len(labels)), labels]
    )


def table(path: Path) -> list[dict]:
    with open(path, newline="") as handle:
        return list(csv.DictReader(handle))


# --- the page --------------------------------------------------------------------------------------------------------


@pytest.fixture
def with_both(tiny_copy) -> Path:
    """The tiny study, run before, with the page's two files and their two config entries, and nothing else."""
    files, entries = (re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL) for kind in ("python", "yaml"))
    first, second = re.findall(r"here `(\w+\.py)`|In the same folder, `(\w+\.py)`", PAGE)
    for name, code in zip((first[0], second[1]), files, strict=True):
        (tiny_copy / "workflow_scripts/robustness/defences" / name).write_text(code)
    edit(tiny_copy, TINY, "\nmodels:\n", "\nmodels:\n" + "".join(entry.removeprefix("models:\n") for entry in entries))
    return tiny_copy


def test_new_defences_as_their_page_tells_them(with_both):
    jobs = planned(with_both)
    assert (jobs["train_defended"], jobs["wrap_model"]) == (["model=squeezed, seed=3"], ["model=shifted, seed=3"])
    assert not {"train_model", "distill_student", "preprocess_dataset"} & set(jobs)
    for rule in ("evaluate_model", "craft_adversarial", "evaluate_attack"):
        assert {re.search(r"model=(\w+)", job)[1] for job in jobs[rule]} == {"squeezed", "shifted"}
    wanted = [f"{model}/seed3/{name}.json" for model in ("squeezed", "shifted") for name in ("clean", "attacks/fgsm")]
    snakemake(with_both, *(str(EVALUATION / name) for name in wanted))

    def attacked(model: str) -> int:
        return json.loads((with_both / EVALUATION / model / "seed3/attacks/fgsm.json").read_text())["epsilons"]["0.10"][
            "correct"
        ]

    def unattacked(model: str) -> dict:
        return json.loads((with_both / EVALUATION / model / "seed3/clean.json").read_text())

    for model in ("squeezed", "shifted"):
        metadata = json.loads((with_both / MODELS / f"{model}/seed3/metadata.json").read_text())
        assert metadata["workflow"] == project_version(with_both)
    assert unattacked("squeezed")["defence"] == "logit_squeezing"
    assert unattacked("shifted")["defence"] == "shift_average"
    for model in ("squeezed", "shifted"):  # the attack's gradient comes through the layers
        assert attacked(model) < unattacked(model)["parts"]["evaluation"]["correct"]
    the_trained_one_minimised_what_the_page_says(with_both)
    the_wrapped_one_says_the_mean_over_shifts(with_both)

    with open(with_both / "workflow_scripts/robustness/defences/shift_average.py", "a") as handle:
        handle.write("CHANGED = True\n")
    again = planned(
        with_both, str(EVALUATION / "shifted/seed3/clean.json"), str(EVALUATION / "squeezed/seed3/clean.json")
    )
    assert again == {"wrap_model": ["model=shifted, seed=3"], "evaluate_model": ["model=shifted, seed=3"]}
    model = with_both / MODELS / "shifted/seed3/model.keras"
    before = model.read_bytes()
    snakemake(with_both, str(model.relative_to(with_both)))
    assert model.read_bytes() == before  # a layer's arithmetic is not in it, and yet all that it is loaded for goes on
    again = planned(with_both, *(str(EVALUATION / name) for name in wanted))
    assert set(again) == {"evaluate_model", "craft_path", "craft_adversarial", "evaluate_attack"}
    assert {re.search(r"model=(\w+)", job)[1] for jobs in again.values() for job in jobs} == {"shifted"}

    for old, new, sentence in [
        ("weight: 0.05", "weight: -1", "models.squeezed.defence.weight is -1; it must be at least 0."),
        ("pixels: 2", "pixel: 2", "models.shifted.defence has the unknown key pixel;"),
    ]:
        edit(with_both, TINY, old, new)
        done = run(with_both, "snakemake", "-n", "--configfile", TINY, check=False)
        assert done.returncode and sentence in done.stdout and "Traceback" not in done.stdout
        edit(with_both, TINY, new, old)


def network_of(folder: Path, model: str) -> keras.Model:
    return load_network(folder / MODELS / model / "seed3/model.keras", (28, 28, 1), 10)


def the_trained_one_minimised_what_the_page_says(folder: Path) -> None:
    """Its loss on the validation images, in the epoch that was kept, is that of its logits by NumPy; and these are short."""
    validation = Images.load(folder / "results/datasets/fashion_mnist/validation.npz")
    kept = json.loads((folder / MODELS / "squeezed/seed3/metadata.json").read_text())["kept_epoch"]
    row = table(folder / MODELS / "squeezed/seed3/history.csv")[kept - 1]
    pixels = to_pixels(validation.images, (0.0, 1.0))
    logits, plain = (predict_logits(network_of(folder, model), pixels) for model in ("squeezed", "undefended"))
    squared = (logits.astype(np.float64) ** 2).sum(1).mean()
    assert float(row["val_squared_length"]) == pytest.approx(squared, rel=1e-4)
    assert float(row["val_loss"]) == pytest.approx(
        entropies(logits, validation.labels).mean() + 0.05 * squared, rel=1e-4
    )
    assert squared < (plain**2).sum(1).mean() / 2


def the_wrapped_one_says_the_mean_over_shifts(folder: Path) -> None:
    """The loss of each image in its records is that of the undefended network's mean logits over NumPy's own shifts."""
    test = Images.load(folder / "results/datasets/fashion_mnist/test.npz")
    pixels, network = to_pixels(test.images, (0.0, 1.0)), network_of(folder, "undefended")
    ways = [(0, 0), (0, 2), (0, -2), (2, 0), (-2, 0)]
    expected = entropies(
        np.mean([predict_logits(network, np.roll(pixels, way, (1, 2))) for way in ways], 0), test.labels
    )
    records = {
        int(record["index"]): float(record["loss"]) for record in table(folder / EVALUATION / "shifted/seed3/clean.csv")
    }
    assert [records[index] for index in test.indices] == pytest.approx(expected.tolist(), rel=1e-3, abs=1e-5)


def test_files_that_do_otherwise_than_they_say_are_refused(with_both):
    """A network that does not reject as its REJECTS says, and a trainer that trains another network than is kept."""
    defences = "workflow_scripts/robustness/defences"
    with open(with_both / defences / "shift_average.py", "a") as handle:
        handle.write("REJECTS = True\n")
    edit(
        with_both,
        f"{defences}/logit_squeezing.py",
        "LogitSqueezer(task.network",
        "LogitSqueezer(keras.models.clone_model(task.network)",
    )
    models = [str(MODELS / model / "seed3/model.keras") for model in ("shifted", "squeezed")]
    done = run(with_both, "snakemake", "--cores", "1", "--keep-going", *models, "--configfile", TINY, check=False)
    assert done.returncode
    for log, sentence in [
        (
            "wrap_model/shifted",
            "shift_average.py says REJECTS = True, but its network has 10 outputs for 10 classes and no last",
        ),
        ("train_defended/squeezed", "logit_squeezing.py makes a trainer that does not train task.network"),
    ]:
        told = (with_both / "results/logs" / log / "seed3.log").read_text()
        assert sentence in told and "Traceback" not in told
    assert not any((with_both / model).exists() for model in models)


def test_the_loss_of_the_page_by_hand(with_both):
    """Logits of 0 say a half each: log 2. (3, 4) has the squared length 25 and the entropy 1 + log(1 + 1/e) of class 0."""
    pixels = keras.layers.Input((2,))
    network = keras.Model(pixels, keras.layers.Dense(2)(pixels))
    made = module_of(with_both / "workflow_scripts/robustness/defences/logit_squeezing.py")
    trainer = made.make_trainer(SimpleNamespace(network=network, one_hot=False), {"weight": 0.1})
    loss = trainer.compute_loss(None, np.array([0, 1]), np.array([[3, 4], [0, 0]], "f4"))
    assert float(loss) == pytest.approx((1 + np.log1p(np.exp(-1)) + np.log(2)) / 2 + 0.1 * 25 / 2)


SAYING_LAYERS = '''

silent_code_of = code_of


def code_of(name, **plug_ins):
    """The same, and prints for each job the modules whose layers count."""

    def of_job(wildcards):
        if "layers" in plug_ins:
            print(f"of {name} {wildcards.model}:", *plug_ins["layers"](wildcards), file=sys.stderr)
        return silent_code_of(name, **plug_ins)(wildcards)

    return of_job
'''


def test_what_loads_a_defended_network_reads_its_layers_too(tmp_path):
    """And nothing else does, so that a change of the layers crafts and scores the sets of this model alone again."""
    folder = copy_project(tmp_path)
    content = yaml.safe_load((ROOT / TINY).read_text())
    plain = content["models"]["undefended"]
    last = {"training": plain["training"] | {"checkpoint": "last"}}
    content["models"] = {
        "undefended": plain,
        "squeezed": {
            "wraps": "undefended",
            "defence": {"method": "feature_squeezing", "squeezers": ["median 2"]},
        },
        "stolen": plain | last | {"substitute": {"of": "squeezed", "images": 9, "rounds": 2, "step": 0.1}},
        "stolen_too": plain | last | {"substitute": {"of": "undefended", "images": 9, "rounds": 2, "step": 0.1}},
    }
    for attack in (*content["attacks"].values(), *content["iteration_sweeps"].values()):
        attack.pop("models", None)
    for key in ("temperature_sweeps", "published", "plots"):
        del content[key]
    (folder / "study.yaml").write_text(yaml.safe_dump(content))
    with open(folder / "rules/common.smk", "a") as handle:
        handle.write(SAYING_LAYERS)
    text = run(folder, "snakemake", "--dry-run", "--printshellcmds", "--configfile", "study.yaml").stdout
    jobs = re.findall(r"^of (\w+) (\w+): ?(.*)", text, re.MULTILINE)
    assert {model for _, model, _ in jobs} == set(content["models"])
    reading = {(rule, model) for rule, model, layers in jobs if layers == "robustness.defences.feature_squeezing"}
    assert {layers for *_, layers in jobs} == {"", "robustness.defences.feature_squeezing"}
    crafting = ("craft_path", "craft_adversarial", "craft_iteration_sweep", "craft_worst_case")
    scoring = ("model", "attack", "iteration_sweep", "transfer", "worst_case")
    rules = ("wrap_model", *crafting, *(f"evaluate_{name}" for name in scoring), "probe_model")
    assert reading == {(rule, "squeezed") for rule in rules} | {("train_substitute", "stolen")}


# --- layers that are found again -------------------------------------------------------------------------------------


def with_bit_depth() -> keras.Model:
    """Two classes behind pixels of two levels."""
    pixels = keras.layers.Input((4, 4, 1))
    x = keras.layers.Flatten()(squeezing.BitDepth(1, 0.0, 1.0)(pixels))
    return keras.Model(pixels, keras.layers.Dense(2)(x))


@pytest.fixture
def saved(tmp_path) -> Path:
    save_network(with_bit_depth(), tmp_path / "m.keras")
    return tmp_path / "m.keras"


def test_a_network_is_loaded_by_who_does_not_know_its_layers(saved, monkeypatch):
    expected = predict_logits(load_network(saved, (4, 4, 1), 2), np.full((1, 4, 4, 1), 0.4, "f4"))
    monkeypatch.delitem(sys.modules, "robustness.models.squeezing")
    monkeypatch.setattr(models, "squeezing", None)
    for name in [name for name in keras.saving.get_custom_objects() if name.startswith("robustness.squeezing>")]:
        monkeypatch.delitem(keras.saving.get_custom_objects(), name)
    found = load_network(saved, (4, 4, 1), 2)
    dark, less = (np.full((1, 4, 4, 1), value, "f4") for value in (0.4, 0.1))
    assert (predict_logits(found, dark) == expected).all() and (predict_logits(found, less) == expected).all()


@pytest.mark.parametrize(
    "name",
    ["robustness.defences.gone>BitDepth", "robustness.squeezing>Gone", "antigravity>BitDepth", "BitDepth"],
)
def test_a_network_of_layers_that_the_project_lacks_is_told(saved, name):
    with zipfile.ZipFile(saved) as source:
        files = {each: source.read(each) for each in source.namelist()}
    files["config.json"] = files["config.json"].replace(b"robustness.squeezing>BitDepth", name.encode())
    with zipfile.ZipFile(saved, "w") as target:
        for each, content in files.items():
            target.writestr(each, content)
    with pytest.raises(
        UserError, match=rf"m\.keras has a layer registered as {re.escape(name)}, which no module of robustness"
    ):
        load_network(saved, (4, 4, 1), 2)
    assert "antigravity" not in sys.modules  # nothing is imported because a file says so


class Unregistered(keras.layers.Identity):
    """Known to this process alone."""


@keras.saving.register_keras_serializable(package="mine")
class Mine(keras.layers.Identity):
    """Registered under a name that is no module's."""


@pytest.mark.parametrize(("layer", "name"), [(Unregistered, "Unregistered"), (Mine, "mine>Mine")])
def test_a_network_that_could_not_be_loaded_is_not_written(tmp_path, layer, name):
    pixels = keras.layers.Input((4, 4, 1))
    inner = keras.Model(pixels, layer()(pixels))  # within another network, as a wrapped one is
    with pytest.raises(UserError, match=f"the network has a layer registered as {name}, which no module"):
        save_network(keras.Sequential([inner, keras.layers.Flatten(), keras.layers.Dense(2)]), tmp_path / "m.keras")
    assert list(tmp_path.iterdir()) == []


# --- what a file says, and what its network does ---------------------------------------------------------------------


def ending(outputs: int, name: str) -> keras.Model:
    pixels = keras.layers.Input((2, 2, 1))
    return keras.Model(pixels, keras.layers.Dense(outputs, name=name)(keras.layers.Flatten()(pixels)))


@pytest.mark.parametrize(
    ("outputs", "name", "rejecting", "right"),
    [
        (3, "logits", False, True),
        (4, "logits_and_rejection", True, True),
        (4, "logits_and_rejection", False, False),
        (3, "logits", True, False),
        (4, "logits", True, False),
        (4, "logits", False, False),
        (3, "logits_and_rejection", True, False),
    ],
)
def test_a_network_of_three_classes_rejects_as_its_file_says(outputs, name, rejecting, right):
    network = ending(outputs, name)
    if right:
        check_network("cut", network, 3, rejecting)
        return
    with pytest.raises(
        UserError, match=rf"cut\.py says REJECTS = {rejecting}, but its network has {outputs} outputs for 3"
    ):
        check_network("cut", network, 3, rejecting)


class Around(keras.Model):
    """A trainer that puts out what `head` makes of a network's logits."""

    def __init__(self, network, head=None):
        super().__init__()
        self.network, self.head = network, head or keras.layers.Identity()

    def call(self, inputs, training=None):
        return self.head(self.network(inputs, training=training))


def test_a_trainer_trains_the_network_that_is_kept():
    kept = ending(3, "logits")
    check_trainer("cut", Around(kept), kept)
    check_trainer("cut", kept, kept)
    with pytest.raises(UserError, match=r"cut\.py makes a trainer of 4 outputs around a network of 3: let"):
        check_trainer("cut", Around(kept, keras.layers.Dense(4)), kept)
    with pytest.raises(UserError, match=r"a trainer that does not train task\.network, which"):
        check_trainer("cut", Around(ending(3, "logits")), kept)


@pytest.mark.parametrize("flag", ["REJECTS", "NEEDS_INITIAL"])
def test_a_flag_is_true_or_false(tmp_path, flag):
    (tmp_path / "cut.py").write_text(
        f"SETTINGS = {{'type': 'object'}}\n{flag} = 'no'\ndef wrap(task, settings): pass\n"
    )
    with pytest.raises(UserError, match=rf"cut\.py has {flag} = 'no': write True or False\."):
        defence_file("cut", tmp_path)


@pytest.mark.parametrize(
    ("program", "method", "sentence"),
    [
        ("train_defended", "feature_squeezing", "feature_squeezing stands around a trained network: use wrap_model."),
        ("train_defended", "null_labelling", "null_labelling goes on from a trained network: name it with --initial."),
        ("wrap_model", "trades", "trades trains a network: use train_defended."),
    ],
)
def test_the_wrong_program_for_a_defence_is_told(tmp_path, program, method, sentence):
    command = importlib.import_module(program).main
    given = {"--method": method, "--settings": "{}", "--epsilon-unit": "0-1"}
    words = []
    for option in command.params:
        if option.required:
            value = given.get(option.opts[0], "1")
            if getattr(option.type, "exists", False):
                value = tmp_path / option.name
                value.touch()
            words += [option.opts[0], str(value)]
    done = CliRunner().invoke(command, words)
    assert (done.exit_code, done.output) == (1, f"Error: {sentence}\n")


def test_null_labelling_does_not_go_on_from_a_network_that_rejects():
    network = build("report_cnn", (8, 8, 1), 4, (0.0, 1.0), rejects=True)
    info = SimpleNamespace(shape=(8, 8, 1), classes=["a"] * 4, pixel_range=(0.0, 1.0))
    task = Task(
        network,
        info,
        images(),
        "0-1",
        seed=1,
        one_hot=True,
        initial=build("report_cnn", (8, 8, 1), 4, (0.0, 1.0), rejects=True),
    )
    settings = {"perturbation": 0.5, "clean_weight": 0.5, "full_at": 0.1}
    with pytest.raises(UserError, match="name an initial that does not reject"):
        null_labelling.make_trainer(task, settings)
