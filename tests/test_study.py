import json
from copy import deepcopy
from importlib import import_module

import pytest
from conftest import ROOT
from snakemake.utils import update_config

from robustness.config import study
from robustness.config.attack_declarations import (
    METHODS,
    AttackDeclaration,
    declaration_of,
    sweepable_methods,
    with_attacks,
)
from robustness.config.defence_files import with_defences
from robustness.errors import UserError

SCHEMAS = {name: study.read_yaml(ROOT / f"schemas/{name}.schema.yaml") for name in ("config", "sources")}
SCHEMAS["config"] = with_defences(with_attacks(SCHEMAS["config"]))


def sources() -> dict:
    return study.read_yaml(ROOT / "resources/sources.yaml")


def check(config: dict) -> dict:
    study.check_schema(config, SCHEMAS["config"], "config")
    found = sources() | config["sources"]
    study.check_schema(found, SCHEMAS["sources"], "sources")
    study.check_sources(found)
    study.check_study(config, found)
    return config


@pytest.fixture
def quick_study():
    # Through JSON, so that models that share a recipe by a YAML anchor can be changed one at a time.
    return json.loads(json.dumps(study.read_yaml(ROOT / "config.yaml")))


@pytest.fixture
def config(quick_study):
    """The quick study, but with all attacks on all of its models, and at four epsilons."""
    for attack in quick_study["attacks"].values():
        del attack["models"]
    return quick_study | {"epsilons": [0.02, 0.05, 0.1, 0.2]}


def put(config: dict, path: str, value) -> None:
    *parents, last = path.split("/")
    for parent in parents:
        config = config[parent]
    if value is None:
        del config[last]
    else:
        config[last] = deepcopy(value)  # since defaults are filled in


MODEL = {"dataset": "fashion_mnist", "architecture": "report_cnn", "training": {"epochs": 1}}
STUDENT = MODEL | {"distillation": {"temperature": 2, "alpha": 0}}
OTHER = {"source": "cifar10", "evaluation": {"n": 10}}
PGD = {"method": "pgd", "relative_step": 0.5, "iterations": 3}
JSMA = {"method": "jsma", "epsilons": [0.1]}
NEAREST = {"method": "carlini_wagner", "iterations": 9}
RANGE = {"method": "bim", "clip": "pixel_range", "relative_step": 0.5, "iterations": 10}
SWEEP = {"method": "bim", "relative_step": 0.1, "epsilon": 0.05, "iterations": [1, 10]}
SUBSTITUTE = {"substitute": {"of": "undefended", "images": 9, "rounds": 2, "step": 0.1}}
STOLEN = MODEL | SUBSTITUTE | {"training": {"epochs": 1, "checkpoint": "last"}}
TRADES = {"method": "trades", "epsilon": 0.1}
WRAPPED = {"wraps": "undefended", "defence": {"method": "feature_squeezing", "squeezers": ["bit_depth 3"]}}
NULL = {
    "dataset": "fashion_mnist",
    "architecture": "report_cnn",
    "initial": "undefended",
    "defence": {"method": "null_labelling", "perturbation": 0.5},
    "training": {"epochs": 1},
}
FOREST = {"dataset": "fashion_mnist", "technique": {"name": "random_forest"}}
WEIGHTS = {"format": "weights", "licence": "?", "mirrors": ["folder"]}
UNPACKED = {"name": "a.h5", "sha256_unpacked": "0" * 64}
COMPARISON = {"title": "t", "models": ["undefended", "teacher"], "attacks": ["fgsm", "pgd"]}
HEATED = {
    "series": {"plain": ["undefended", "teacher"], "student": ["undefended", "distilled"]},
    "attacks": ["fgsm"],
    "epsilon": 0.1,
}


SEARCH = {"method": "square", "queries": 100}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        # what the schema says
        ({"modles": {}}, ["top level", "unknown key modles", "models"]),
        ({"models/undefended/epochs": 3}, ["models.undefended", "unknown key epochs", "training"]),
        ({"models/undefended/training/optimizer/lr": 3}, ["models.undefended.training.optimizer", "lr", "learning_rate"]),
        ({"attacks/fgsm/step": 0.1}, ["attacks.fgsm", "unknown key step", "norm"]),
        ({"attacks/pgd/iterations": None}, ["attacks.pgd", "lacks the key iterations"]),
        ({"attacks/x": JSMA | {"theta": 0}}, ["attacks.x.theta is 0", "more than 0"]),
        ({"attacks/x": JSMA | {"norm": 2}}, ["attacks.x.norm is 2", "allowed are 0"]),
        ({"attacks/x": JSMA | {"epsilons": [1.5]}}, ["attacks.x: epsilon 1.5 is the share", "at most 1"]),
        ({"attacks/x": JSMA | {"loss": "dlr"}}, ["attacks.x", "unknown key loss", "theta"]),
        ({"worst_case/attacks/x": {"method": "jsma"}}, ["worst_case.attacks.x.method is jsma", "norm 0", "remove it"]),
        ({"worst_case/attacks": {"x": NEAREST}}, ["worst_case.attacks has none that works in norm inf", "add one"]),
        ({"worst_case/attacks/x": NEAREST | {"norm": 2, "target": 1}}, ["worst_case.attacks.x.target", "remove it"]),
        ({"attacks/x": NEAREST | {"norm": "inf"}}, ["attacks.x.norm is 'inf'", "allowed are 2"]),
        ({"attacks/x": NEAREST | {"confidence": -1}}, ["attacks.x.confidence is -1", "at least 0"]),
        ({"attacks/x": {"method": "carlini_wagner"}}, ["attacks.x", "lacks the key iterations"]),
        (
            {"temperature_sweeps": {"x": HEATED | {"attacks": ["few"]}}, "attacks/few": JSMA},
            ["temperature_sweeps.x.attacks names 'few'", "norm 0 has no worst case"],
        ),
        (
            {"plots/comparisons": {"x": COMPARISON | {"attacks": ["fgsm", "few"]}}, "attacks/few": JSMA},
            ["plots.comparisons.x: its attacks are of the norms 0 and inf", "a figure for each"],
        ),
        ({"attacks/fgsm/method": "cw"}, ["attacks.fgsm.method", "cw", "apgd, bim, carlini_wagner, fgsm, fmn, jsma, mim, noise, pgd, square"]),
        ({"worst_case/attacks/x": {"method": "cw"}}, ["worst_case.attacks.x.method", "cw", "noise, pgd, square"]),
        ({"worst_case/attacks/x": {"method": "apgd"}}, ["worst_case.attacks.x", "lacks the key iterations"]),
        ({"worst_case/attack": {}}, ["worst_case", "unknown key attack", "attacks"]),
        ({"worst_case/attacks": {}}, ["worst_case.attacks", "of a length of at least 1"]),
        ({"worst_case/attacks/clean": {"method": "noise"}}, ["worst_case.attacks.clean", "choose another"]),
        ({"worst_case/attacks/gradient_free": {"method": "noise"}}, ["worst_case.attacks.gradient_free", "choose another"]),
        ({"attacks/gradient_free": PGD}, ["attacks.gradient_free", "choose another"]),
        ({"worst_case/gradient_free": PGD}, ["worst_case.gradient_free.method is pgd", "take square"]),
        ({"worst_case/gradient_free": {"method": "noise"}}, ["worst_case.gradient_free.method is noise", "take square"]),
        ({"worst_case/gradient_free": SEARCH | {"queries": 99}}, ["worst_case.gradient_free.queries is 99", "take 100 or more"]),
        ({"worst_case/gradient_free": SEARCH | {"norm": 2}}, ["worst_case.gradient_free.norm", "remove it"]),
        ({"worst_case/rounds": 0}, ["worst_case.rounds is 0", "at least 1"]),
        (
            {"sources": {"two": {"format": "image_folder", "licence": "?", "mirrors": ["x"], "image_size": [8, 8], "n_classes": 2}},
             "datasets/d": {"source": "two", "evaluation": {"n": 2}}, "models/m": MODEL | {"dataset": "d"},
             "attacks/x": {"method": "fgsm", "loss": "dlr"}},
            ["attacks.x.loss is dlr", "d has two", "set loss: margin"],
        ),
        ({"worst_case/attacks/x": {"method": "bim", "step": 0.01, "iterations": 9}}, ["worst_case.attacks.x.step", "relative_step"]),
        ({"attacks/x": {"method": "square"}}, ["attacks.x", "lacks the key queries"]),
        ({"attacks/x": {"method": "square", "queries": 5, "loss": "dlr"}}, ["attacks.x", "unknown key loss", "queries"]),
        ({"attacks/x": {"method": "noise", "target": 1}}, ["attacks.x", "unknown key target", "restarts"]),
        ({"attacks/fgsm/loss": "hinge"}, ["attacks.fgsm.loss", "hinge", "cross_entropy, scaled_cross_entropy, margin, dlr"]),
        ({"attacks/fgsm/logit_scale": 0}, ["attacks.fgsm.logit_scale"]),
        ({"diagnosis/huge_epsilon": 0}, ["diagnosis.huge_epsilon", "0", "at least 0.5"]),
        ({"diagnosis/huge_epsilon": 2}, ["diagnosis.huge_epsilon", "2", "at most 1"]),
        ({"diagnosis/images": 0}, ["diagnosis.images", "0", "at least 1"]),
        ({"findings": {"difference": 0}}, ["findings.difference", "0", "more than 0"]),
        ({"findings": {"epsilons": [0.1]}}, ["findings", "unknown key epsilons", "difference, epsilon"]),
        ({"models/distilled/claim": {"text": "it helps"}}, ["models.distilled.claim", "lacks the key source"]),
        ({"models/distilled/claim": "it helps"}, ["models.distilled.claim", "a mapping of keys to values"]),
        ({"models/undefended/architecture": "vgg99"}, ["models.undefended.architecture", "vgg99", "report_cnn"]),
        ({"models/undefended/head": ["flatten", "softmax"]}, ["models.undefended.head.1", "softmax", "logits"]),
        ({"models/undefended/head": ["flatten"]}, ["models.undefended.head", "exactly once, not 0 times"]),
        ({"models/undefended/head": ["dense 9", "logits"]}, ["models.undefended.head", "before its first dense layer"]),
        ({"models/undefended/upsampling": 0}, ["models.undefended.upsampling", "0", "at least 1"]),
        ({"models/undefended/width": 0}, ["models.undefended.width", "0", "more than 0"]),
        ({"models/undefended/width": 0.5}, ["models.undefended.width", "resnet20, vgg11", "report_cnn has one width"]),
        ({"models/undefended/weights": "imagenet_resnet50"}, ["models.undefended.weights", "report_cnn is not"]),
        ({"models/undefended/trainable": "head"}, ["models.undefended.trainable", "resnet50", "remove it"]),
        (
            {"models/undefended/architecture": "resnet50", "models/undefended/weights": "fashion_mnist"},
            ["models.undefended.weights is 'fashion_mnist'", "known are none, imagenet_resnet50, imagenet_inception_v3"],
        ),
        ({"datasets/fashion_mnist/source": "imagenet_resnet50"}, ["datasets.fashion_mnist.source", "holds weights"]),
        ({"attacks/x": PGD | {"labels": "guessed"}}, ["attacks.x.labels", "guessed", "given, predicted"]),
        ({"attacks/x": PGD | {"labels": "predicted", "target": 3}}, ["attacks.x has both 'target' and 'labels'"]),
        ({"models/undefended/training": None}, ["models.undefended", "lacks the key training"]),
        ({"models/undefended/training/epochs": 0}, ["models.undefended.training.epochs", "0", "at least 1"]),
        ({"models/undefended/training/epochs": "ten"}, ["training.epochs", "'ten'", "a whole number"]),
        (
            {"models/undefended/training/precision": "bfloat16"},
            ["training.precision", "bfloat16", "float32, mixed_bfloat16, mixed_float16"],
        ),
        ({"datasets/fashion_mnist/pixel_range": "0-2"}, ["pixel_range", "0-1, 0-255, -1-1"]),
        ({"datasets/fashion_mnist/erasing/probability": 1.5}, ["erasing.probability", "1.5", "at most 1"]),
        ({"models/distilled/distillation/alpha": -0.1}, ["distillation.alpha", "-0.1", "at least 0"]),
        ({"models/bad name": MODEL}, ["models has the name 'bad name'", "letters, digits"]),
        ({"models/undefended/training/optimizer/learning_rate": "1e-3"}, ["the text '1e-3'", "like 0.001"]),
        ({"epsilons": 0.1}, ["epsilons is 0.1", "a list"]),
        ({"results_dir": "out/"}, ["results_dir"]),
        ({"seeds": []}, ["seeds"]),
        ({"seeds": [1, 1]}, ["seeds"]),
        ({"epsilon_unit": "percent"}, ["epsilon_unit", "0-1, 0-255"]),
        ({"epsilons": ["8/255"]}, ["epsilons.0", "8/255"]),
        # what it can't say
        ({"epsilons": [-0.1]}, ["epsilon -0.1 is below 0"]),
        ({"epsilons": [float("inf")], "attacks/fgsm/norm": 2}, ["attacks.fgsm: epsilon inf", "no number"]),
        ({"epsilons": [float("nan")], "attacks/fgsm/norm": 2}, ["attacks.fgsm: epsilon nan", "no number"]),
        ({"attacks/fgsm/epsilons": ["0.10"]}, ["epsilon 0.1 is written 0.10 elsewhere"]),
        ({"attacks/pgd/restarts": 3, "attacks/pgd/random_start": False}, ["attacks.pgd.restarts", "random_start"]),
        ({"attacks/x": PGD | {"random_start": False, "restarts": 2}}, ["attacks.x.restarts", "set random_start"]),
        (
            {"worst_case/attacks/x": PGD | {"random_start": False, "restarts": 2}},
            ["worst_case.attacks.x.restarts", "set random_start"],
        ),
        ({"worst_case/attacks/x": {"method": "bim", "iterations": 3}}, ["worst_case.attacks.x", "'step' and 'relative_step'"]),
        ({"worst_case/attacks/x": PGD | {"norm": 2}}, ["worst_case.attacks.x.norm", "from the study's attacks"]),
        ({"worst_case/attacks/x": PGD | {"target": 3}}, ["worst_case.attacks.x.target", "remove it"]),
        ({"worst_case/attacks/x": PGD | {"models": ["teacher"]}}, ["worst_case.attacks.x.models", "remove it"]),
        ({"worst_case/attacks/x": PGD | {"epsilons": [0.1]}}, ["worst_case.attacks.x.epsilons", "remove it"]),
        ({"worst_case/attacks/pgd": PGD}, ["attacks.pgd", "worst_case.attacks has an attack of this name", "rename"]),
        ({"worst_case/attacks/x": PGD | {"logit_scale": 5}}, ["worst_case.attacks.x.logit_scale", "scaled_cross_entropy"]),
        ({"attacks/pgd/logit_scale": "auto"}, ["attacks.pgd.logit_scale", "cross_entropy", "loss: scaled_cross_entropy"]),
        ({"attacks/worst_case": PGD}, ["attacks.worst_case", "choose another"]),
        ({"attacks/clean": PGD}, ["attacks.clean", "choose another"]),
        ({"attacks/iterations": PGD}, ["attacks.iterations", "choose another"]),
        ({"attacks/x": RANGE | {"norm": 2}}, ["attacks.x.clip is pixel_range", "norm inf only"]),
        ({"attacks/x": PGD | {"clip": "pixel_range"}}, ["attacks.x", "unknown key clip"]),
        ({"attacks/x": RANGE | {"clip": "box"}}, ["attacks.x.clip", "box", "ball, pixel_range"]),
        ({"worst_case/attacks/x": RANGE}, ["worst_case.attacks.x.clip", "leave the ball of epsilon", "remove it"]),
        ({"iteration_sweeps": {"x": SWEEP | {"method": "pgd"}}}, ["iteration_sweeps.x.method", "pgd", "allowed are bim"]),
        ({"iteration_sweeps": {"x": SWEEP | {"clip": "ball"}}}, ["iteration_sweeps.x", "unknown key clip"]),
        ({"iteration_sweeps": {"x": SWEEP | {"iterations": [2, 1]}}}, ["iteration_sweeps.x.iterations are 2, 1", "rising order"]),
        ({"iteration_sweeps": {"x": SWEEP | {"iterations": [1, 1]}}}, ["iteration_sweeps.x.iterations", "non-unique"]),
        ({"iteration_sweeps": {"x": SWEEP | {"iterations": [0, 1]}}}, ["iteration_sweeps.x.iterations.0", "at least 1"]),
        ({"iteration_sweeps": {"x": SWEEP | {"iterations": []}}}, ["iteration_sweeps.x.iterations", "of a length of at least 1"]),
        ({"iteration_sweeps": {"x": {"method": "bim", "step": 1, "iterations": [1]}}}, ["iteration_sweeps.x", "lacks the key epsilon"]),
        ({"iteration_sweeps": {"x": SWEEP | {"epsilon": 0}}}, ["iteration_sweeps.x.epsilon is 0", "raise it"]),
        ({"iteration_sweeps": {"x": SWEEP | {"epsilon": 1.5}}}, ["iteration_sweeps.x: epsilon 1.5 is above the pixel range"]),
        ({"iteration_sweeps": {"x": SWEEP | {"step": 0.01}}}, ["iteration_sweeps.x", "exactly one of 'step' and 'relative_step'"]),
        (
            {"iteration_sweeps": {"x": {"method": "bim", "step": 0.06, "epsilon": 0.05, "iterations": [1]}}},
            ["iteration_sweeps.x.step is 0.06", "epsilon 0.05"],
        ),
        ({"iteration_sweeps": {"x": SWEEP | {"models": ["nobody"]}}}, ["iteration_sweeps.x.models", "nobody", "undefended"]),
        ({"iteration_sweeps": {"x": SWEEP | {"logit_scale": 2}}}, ["iteration_sweeps.x.logit_scale", "scaled_cross_entropy"]),
        ({"iteration_sweeps": {"pgd": SWEEP}}, ["iteration_sweeps.pgd", "choose another"]),
        ({"iteration_sweeps": {"apgd_scaled": SWEEP}}, ["iteration_sweeps.apgd_scaled", "choose another"]),
        ({"iteration_sweeps": {"clean": SWEEP}}, ["iteration_sweeps.clean", "choose another"]),
        ({"models/distilled/baseline": "undefnded"}, ["models.distilled.baseline", "undefnded", "another model"]),
        ({"models/distilled/baseline": "distilled"}, ["models.distilled.baseline", "another model"]),
        (
            {"datasets/cifar": OTHER, "models/x": MODEL | {"dataset": "cifar", "baseline": "undefended"}},
            ["models.x.baseline", "undefended", "same dataset"],
        ),
        ({"models/undefended/claim": {"text": "a", "source": "b"}}, ["models.undefended.claim", "its baseline"]),
        ({"models/undefended/training/optimizer/momentum": 0.9}, ["optimizer.momentum has no effect on adam"]),
        ({"models/undefended/training/optimizer/drop_factor": 0.9}, ["drop_factor", "drop_every"]),
        ({"plots/comparisons": {"x": {"title": "t", "models": ["teacher"]}}}, ["plots.comparisons.x", "lacks the key attacks"]),
        ({"plots/comparisons": {"x": COMPARISON | {"models": []}}}, ["plots.comparisons.x.models", "of a length of at least 1"]),
        ({"plots/comparisons": {"a b": COMPARISON}}, ["plots.comparisons has the name 'a b'", "letters, digits"]),
        ({"plots/comparisons": {"x": COMPARISON | {"models": ["techer"]}}}, ["plots.comparisons.x.models", "techer", "teacher"]),
        ({"plots/comparisons": {"x": COMPARISON | {"attacks": ["worst_case"]}}}, ["plots.comparisons.x.attacks", "fgsm, pgd"]),
        (
            {"plots/comparisons": {"x": COMPARISON}, "attacks/pgd/models": ["undefended"]},
            ["plots.comparisons.x: pgd is not run on teacher", "leave one of them out"],
        ),
        (
            {"plots/comparisons": {"x": COMPARISON}, "attacks/pgd/norm": 2},
            ["plots.comparisons.x: its attacks are of the norms 2 and inf", "a figure for each"],
        ),
        (
            {"plots/comparisons": {"x": COMPARISON | {"models": ["teacher", "m"]}}, "datasets/cifar": OTHER,
             "models/m": MODEL | {"dataset": "cifar"}},
            ["plots.comparisons.x: its models are of the datasets cifar and fashion_mnist", "a figure for each"],
        ),
        ({"plots/comparisons": {"x": COMPARISON | {"panels": ["loss"]}}}, ["plots.comparisons.x.panels", "of a length of at least 2"]),
        (
            {"plots/comparisons": {"x": COMPARISON | {"panels": ["loss", "speed"]}}},
            ["plots.comparisons.x.panels.1", "speed", "loss, accuracy, perturbation"],
        ),
        ({"temperature_sweeps": {"x": HEATED | {"model": []}}}, ["temperature_sweeps.x", "unknown key model", "series"]),
        ({"temperature_sweeps": {"x": HEATED | {"series": {"s": ["teacher"]}}}}, ["temperature_sweeps.x.series.s", "of a length of at least 2"]),
        ({"temperature_sweeps": {"x": HEATED | {"series": {}}}}, ["temperature_sweeps.x.series", "of a length of at least 1"]),
        (
            {"temperature_sweeps": {"x": HEATED | {"series": {"s": ["undefended", "distiled"]}}}},
            ["temperature_sweeps.x.series.s names 'distiled'", "undefended, teacher, distilled"],
        ),
        ({"temperature_sweeps": {"x": HEATED | {"attacks": ["apgd_scaled"]}}}, ["temperature_sweeps.x.attacks", "apgd_scaled", "fgsm, pgd"]),
        (
            {"temperature_sweeps": {"x": HEATED}, "attacks/fgsm/models": ["undefended", "teacher"]},
            ["temperature_sweeps.x: fgsm is not run on distilled", "or run it"],
        ),
        ({"temperature_sweeps": {"x": HEATED | {"epsilon": 0.15}}}, ["temperature_sweeps.x.epsilon is 0.15; fgsm has 0.02, 0.05, 0.1"]),
        ({"temperature_sweeps": {"x": HEATED | {"epsilon": 0}}, "epsilons": [0, 0.1]}, ["temperature_sweeps.x.epsilon is 0", "above 0"]),
        (
            {"temperature_sweeps": {"x": HEATED | {"series": {"s": ["teacher", "distilled"]}}}},
            ["temperature_sweeps.x.series.s: teacher and distilled are both trained at temperature 200", "two series"],
        ),
        (
            {"temperature_sweeps": {"x": HEATED | {"attacks": ["fgsm", "pgd"]}}, "attacks/pgd/norm": 2},
            ["temperature_sweeps.x: its attacks are of the norms 2 and inf", "a figure for each"],
        ),
        (
            {"temperature_sweeps": {"x": HEATED | {"series": {"s": ["undefended", "teacher"], "t": ["teacher", "m"]}}}, "datasets/cifar": OTHER,
             "models/m": MODEL | {"dataset": "cifar"}},
            ["temperature_sweeps.x: its models are of the datasets cifar and fashion_mnist"],
        ),
        (
            {"temperature_sweeps": {"x": HEATED | {"attacks": ["loose"]}}, "attacks/loose": RANGE},
            ["temperature_sweeps.x.attacks names 'loose'", "leave the ball of epsilon", "leave it out"],
        ),
        ({"published": "report.csv"}, ["published", "a list"]),
        ({"published": ["nowhere.csv"]}, ["published names nowhere.csv", "correct its path"]),
        ({"epsilons": [1.5]}, ["epsilon 1.5 is above the pixel range 0-1"]),
        ({"epsilon_unit": "0-255", "epsilons": [256]}, ["epsilon 256 is above the pixel range 0-255"]),
        ({"epsilons": [0.1, "0.10"]}, ["epsilon 0.1 stands there twice"]),
        ({"attacks/pgd/step": 0.01}, ["attacks.pgd", "exactly one of 'step' and 'relative_step'"]),
        ({"attacks/pgd/relative_step": None}, ["attacks.pgd", "exactly one of 'step' and 'relative_step'"]),
        ({"attacks/pgd/relative_step": None, "attacks/pgd/step": 0.03}, ["attacks.pgd.step is 0.03", "epsilon 0.02"]),
        ({"attacks/pgd/models": ["undefnded"]}, ["attacks.pgd.models", "undefnded", "undefended"]),
        ({"attacks/fgsm/target": 10}, ["attacks.fgsm.target is class 10", "there are 10"]),
        ({"models/undefended/dataset": "mnist"}, ["models.undefended.dataset", "mnist", "fashion_mnist"]),
        ({"datasets/fashion_mnist/source": "mnist"}, ["datasets.fashion_mnist.source", "mnist", "cifar10"]),
        ({"models/distilled/teacher": "techer"}, ["models.distilled.teacher", "techer", "define it"]),
        ({"models/distilled/teacher": "distilled"}, ["models.distilled", "circle"]),
        ({"models/undefended/initial": "undefended"}, ["models.undefended", "circle", "undefended <- undefended"]),
        ({"models/teacher/initial": "distilled"}, ["'teacher', 'initial' and 'substitute' go in a circle", "let one train without"]),
        ({"models/undefended/initial": "none"}, ["models.undefended.initial is 'none'", "define it in models"]),
        (
            {"models/undefended/initial": "distilled", "models/distilled/architecture": "report_student_cnn"},
            ["models.undefended.initial is 'distilled'", "report_student_cnn", "use one architecture"],
        ),
        ({"datasets/d": OTHER, "models/m": MODEL | {"dataset": "d", "initial": "teacher"}}, ["models.m.initial", "use one dataset"]),
        ({"models/s": STOLEN, "models/s/substitute/rounds": 0}, ["models.s.substitute.rounds is 0", "at least 1"]),
        ({"models/s": STOLEN, "models/s/substitute/step": None}, ["models.s.substitute lacks the key step"]),
        ({"models/s": STOLEN, "models/s/substitute/of": "nobody"}, ["models.s.substitute.of is 'nobody'", "name another model"]),
        ({"models/s": STOLEN, "models/s/substitute/of": "s"}, ["models.s.substitute.of is 's'", "name another model"]),
        ({"models/s": STOLEN, "models/s/substitute/step": 2}, ["models.s.substitute.step 2 is above the pixel range 0-1"]),
        ({"models/s": STOLEN, "models/s/substitute/images": 1501}, ["substitute.images is 1501", "of 2000 test images 500"]),
        ({"datasets/d": OTHER, "models/s": STOLEN | {"dataset": "d"}}, ["models.s.substitute.of", "trained on fashion_mnist", "use one dataset"]),
        ({"models/s": STOLEN, "models/undefended/initial": "s"}, ["models.undefended", "circle", "undefended <- s <- undefended"]),
        ({"models/s": STOLEN, "models/s/erasing": True}, ["models.s has both 'substitute' and 'erasing'"]),
        ({"models/s": STOLEN, "models/s/initial": "undefended"}, ["models.s has both 'substitute' and 'initial'"]),
        ({"models/s": STOLEN, "models/s/baseline": "undefended"}, ["models.s has both 'substitute' and 'baseline'"]),
        ({"models/s": STOLEN, "models/s/training/checkpoint": "val_loss"}, ["models.s.training.checkpoint is val_loss", "set last"]),
        ({"models/s": MODEL | SUBSTITUTE}, ["models.s.training.checkpoint is val_accuracy", "set last"]),
        ({"models/s": STOLEN, "models/s/training/early_stopping": {"patience": 1}}, ["models.s.training.early_stopping", "remove it"]),
        ({"models/s": STOLEN, "models/s/training/optimizer": {"cosine": True}}, ["models.s.training.optimizer.cosine", "remove it"]),
        ({"models/s": STOLEN, "models/distilled/baseline": "s"}, ["models.distilled.baseline is 's', a substitute"]),
        ({"models/f": FOREST | {"training": {"epochs": 1}}}, ["models.f", "unknown key training", "dataset, technique"]),
        ({"models/f": FOREST | {"technique": {}}}, ["models.f.technique lacks the key name"]),
        ({"models/f": FOREST | {"technique": {"name": "oak"}}}, ["models.f.technique.name is 'oak'", "decision_tree, k_nearest_neighbours"]),
        ({"models/f": FOREST, "models/f/technique/leaves": 3}, ["models.f.technique", "unknown key leaves", "depth, images, name, trees"]),
        ({"models/f": FOREST, "models/f/technique/trees": 0}, ["models.f.technique.trees is 0", "at least 1"]),
        ({"models/f": FOREST, "models/f/technique/images": 0}, ["models.f.technique.images is 0", "at least 1"]),
        ({"models/f": FOREST | {"dataset": "mnist"}}, ["models.f.dataset", "mnist", "fashion_mnist"]),
        ({"models/f": FOREST, "attacks/pgd/models": ["f"]}, ["attacks.pgd.models names 'f'", "no gradient", "leave it out"]),
        ({"models/f": FOREST, "iteration_sweeps": {"x": SWEEP | {"models": ["f"]}}}, ["iteration_sweeps.x.models names 'f'", "no gradient"]),
        ({"models/f": FOREST, "models/distilled/teacher": "f"}, ["models.distilled.teacher is 'f'", "name a network"]),
        ({"models/f": FOREST, "models/undefended/initial": "f"}, ["models.undefended.initial is 'f'", "name a network"]),
        ({"models/f": FOREST, "models/distilled/baseline": "f"}, ["models.distilled.baseline is 'f'", "another technique"]),
        (
            {"models/f": FOREST, "plots/comparisons": {"x": COMPARISON | {"models": ["undefended", "f"]}}},
            ["plots.comparisons.x: fgsm is not run on f", "leave one of them out"],
        ),
        ({"models/w": WRAPPED | {"wraps": "nobody"}}, ["models.w.wraps is 'nobody'", "define it in models"]),
        ({"models/w": WRAPPED, "models/v": WRAPPED | {"wraps": "w"}}, ["models.v.wraps is 'w'", "more than a trained network"]),
        ({"models/f": FOREST, "models/w": WRAPPED | {"wraps": "f"}}, ["models.w.wraps is 'f'", "more than a trained network"]),
        ({"models/n": NULL, "models/w": WRAPPED | {"wraps": "n"}}, ["models.w.wraps is 'n'", "more than a trained network"]),
        ({"models/w": WRAPPED | {"training": {"epochs": 1}}}, ["models.w.training has no effect beside 'wraps'", "remove it"]),
        ({"models/w": {"wraps": "undefended"}}, ["models.w lacks the key defence"]),
        ({"models/w": WRAPPED | {"defence": {"method": "wall"}}}, ["models.w.defence.method is 'wall'", "feature_squeezing", "trades"]),
        ({"models/w": WRAPPED | {"defence": TRADES}}, ["models.w.wraps is not for trades", "training"]),
        ({"models/w": WRAPPED, "models/w/defence/squeezers": ["bits 3"]}, ["models.w.defence.squeezers.0 is 'bits 3'", "of the form"]),
        ({"models/w": WRAPPED, "models/w/defence/bits": 3}, ["models.w.defence", "unknown key bits", "method, squeezers"]),
        ({"models/w": WRAPPED, "models/distilled/teacher": "w"}, ["models.distilled.teacher is 'w'", "name one"]),
        ({"models/w": WRAPPED, "models/teacher/initial": "w"}, ["models.teacher.initial is 'w'", "start from one alike"]),
        ({"models/undefended/defence": WRAPPED["defence"]}, ["models.undefended.defence", "name that as 'wraps'"]),
        ({"models/undefended/defence": {"method": "trades"}}, ["models.undefended.defence lacks the key epsilon"]),
        ({"models/undefended/defence": TRADES | {"beta": 0}}, ["models.undefended.defence.beta is 0", "more than 0"]),
        ({"models/distilled/defence": TRADES}, ["models.distilled has both 'defence' and 'teacher'"]),
        ({"models/undefended/defence": TRADES, "models/undefended/adversarial": {"epsilon": 0.1}}, ["has both 'defence' and 'adversarial'"]),
        ({"models/n": NULL, "models/n/initial": None}, ["models.n.defence", "null_labelling goes on from a trained model", "initial"]),
        ({"models/n": NULL, "models/teacher/initial": "n"}, ["models.teacher.initial is 'n'", "start from one alike"]),
        ({"models/s": STOLEN, "models/s/defence": TRADES}, ["models.s has both 'substitute' and 'defence'"]),
        ({"models/undefended/augmentation": {}}, ["models.undefended.augmentation", "of a length of at least 1"]),
        ({"models/undefended/augmentation": {"zoom": 2}}, ["augmentation", "unknown key zoom", "blur, height_shift"]),
        ({"models/undefended/augmentation": {"rotation": 0}}, ["augmentation.rotation", "0", "more than 0"]),
        ({"models/undefended/augmentation": {"vertical_flip": False}}, ["augmentation.vertical_flip", "False", "True"]),
        ({"models/undefended/augmentation": {"rotation": 270}}, ["augmentation.rotation", "270", "at most 180"]),
        ({"models/undefended/augmentation": {"blur": {"size": 4}}}, ["augmentation.blur.size is 4", "odd number"]),
        ({"models/undefended/augmentation": {"noise": {"kind": "salt"}}}, ["augmentation.noise", "lacks the key amount"]),
        (
            {"models/undefended/augmentation": {"noise": {"kind": "salt", "amount": 0.1}}},
            ["augmentation.noise.kind is 'salt'", "gaussian, salt_and_pepper, speckle"],
        ),
        ({"models/undefended/adversarial": {}}, ["models.undefended.adversarial", "lacks the key epsilon"]),
        ({"models/undefended/adversarial": {"epsilon": 2}}, ["adversarial.epsilon 2 is above the pixel range 0-1"]),
        ({"models/undefended/adversarial": {"epsilon": 0.1, "clip_low": 1}}, ["adversarial.clip_low 1 leaves no pixel"]),
        (
            {"models/undefended/adversarial": {"epsilon": 0.1, "step": 0.1, "relative_step": 0.1}},
            ["adversarial has both 'step' and 'relative_step'", "remove one"],
        ),
        ({"models/distilled/adversarial": {"epsilon": 0.1}}, ["models.distilled has both 'adversarial' and 'teacher'"]),
        ({"models/teacher/adversarial": {"epsilon": 0.1}}, ["models.teacher has both 'adversarial' and 'temperature'"]),
        (
            {"models/undefended/training/checkpoint": "val_adversarial_loss"},
            ["models.undefended.training.checkpoint is val_adversarial_loss", "only a model with 'adversarial'"],
        ),
        (
            {"models/undefended/training/early_stopping": {"patience": 2, "monitor": "adversarial_loss"}},
            ["training.early_stopping.monitor is adversarial_loss", "choose another"],
        ),
        ({"models/distilled/distillation": None}, ["models.distilled", "needs both"]),
        ({"models/distilled/temperature": 5}, ["models.distilled.temperature", "distillation.temperature"]),
        (
            {"datasets/cifar": OTHER, "models/x": STUDENT | {"dataset": "cifar", "teacher": "teacher"}},
            ["models.x.teacher", "trained on fashion_mnist", "learns cifar"],
        ),
        ({"datasets/fashion_mnist/evaluation/n": 2001}, ["evaluation.n is 2001", "2000 test images"]),
        ({"datasets/fashion_mnist/split/test_limit": 100}, ["evaluation.n is 500", "100 test images"]),
        ({"datasets/fashion_mnist/split/train_limit": 10001}, ["train_limit is 10001", "10000"]),
        ({"datasets/fashion_mnist/n_classes": 100}, ["n_classes is 100", "has 10"]),
        ({"datasets/fashion_mnist/erasing/area": [0.4, 0.02]}, ["erasing.area", "smaller number first"]),
        ({"sources": {"s": {"format": "idx", "licence": "?", "mirrors": ["x"]}}}, ["sources.s", "files"]),
        (
            {"sources": {"s": {"format": "cifar", "licence": "?", "mirrors": ["https://x"], "files": [{"name": "a"}]}}},
            ["sources.s", "give its sha256"],
        ),
        ({"sources": {"s": {"format": "image_folder", "licence": "?", "mirrors": ["https://x"]}}}, ["sources.s", "folder"]),
        ({"sources": {"s": WEIGHTS | {"files": [{"name": "a.h5"}, {"name": "b.h5"}]}}}, ["sources.s", "one file, not 2"]),
        ({"sources": {"s": WEIGHTS | {"files": [{"name": "a.npz"}]}}}, ["sources.s", "a.npz is no .h5 file"]),
        ({"sources": {"s": WEIGHTS | {"files": [UNPACKED]}}}, ["sources.s", "give the sha256 of the file as it is"]),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_that_names_the_key(config, changes, words):
    for path, value in changes.items():
        put(config, path, value)
    with pytest.raises(UserError) as caught:
        check(config)
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.endswith(".")
    for word in words:
        assert word in sentence, sentence


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("s,undefended,clean_accuracy,,,,90,", None),
        ("s,undefended,robust_accuracy,pgd,0.100,,90,", None),
        ("s,teacher,iterations_accuracy,longer,0.050,25,90,", None),
        ("s,original,clean_accuracy,,,,90,", ["model is 'original'", "undefended"]),
        (
            "s,teacher,robust_accuracy,bim,0.1,,90,",
            ["attack is 'bim'", "the attacks of this study are fgsm, pgd, alone, none"],
        ),
        ("s,teacher,robust_accuracy,longer,0.05,,90,", ["attack is 'longer'", "fgsm, pgd"]),
        ("s,teacher,robust_accuracy,fgsm,0.15,,90,", ["epsilon is 0.15", "fgsm has 0.02, 0.05, 0.1"]),
        ("s,teacher,robust_accuracy,pgd,0.1,,90,", ["pgd is not run on teacher", "or run it"]),
        (
            "s,teacher,iterations_accuracy,pgd,0.05,25,90,",
            ["attack is 'pgd'", "iteration_sweeps of this study are longer"],
        ),
        ("s,teacher,iterations_accuracy,longer,0.1,25,90,", ["epsilon is 0.1; longer has 0.05"]),
        ("s,teacher,iterations_accuracy,longer,0.05,24,90,", ["iterations is 24; longer has 1, 25"]),
        ("s,undefended,iterations_accuracy,longer,0.05,25,90,", ["longer is not run on undefended"]),
        ("s,teacher,clean_accuracy,,,,890,", ["more than 100 %"]),
        ("s,undefended,average_drop,pgd,,,-3,", None),
        ("s,teacher,average_gain,fgsm,,,5,", None),
        ("s,teacher,average_drop_from_baseline,fgsm,,,5,", None),
        ("s,undefended,average_gain,fgsm,,,5,", ["undefended has no baseline", "name one"]),
        ("s,undefended,average_drop_from_baseline,fgsm,,,5,", ["undefended has no baseline"]),
        ("s,teacher,average_gain,alone,,,5,", ["alone is not run on undefended, the baseline of teacher"]),
        ("s,teacher,average_drop,none,,,5,", ["none has no epsilon above 0"]),
        ("s,teacher,average_drop,bim,,,5,", ["attack is 'bim'"]),
    ],
)
def test_a_published_number_has_to_be_one_of_the_study(config, tmp_path, line, words):
    (tmp_path / "p.csv").write_text(f"source,model,quantity,attack,epsilon,iterations,value,n\n{line}\n")
    put(config, "attacks/pgd/models", ["undefended"])
    sweep = {"method": "bim", "step": 0.01, "epsilon": 0.05, "iterations": [1, 25], "models": ["teacher"]}
    put(config, "iteration_sweeps", {"longer": sweep})
    put(config, "attacks/alone", {"method": "fgsm", "models": ["teacher"]})
    put(config, "attacks/none", {"method": "fgsm", "epsilons": [0]})
    put(config, "published", [str(tmp_path / "p.csv")])
    if words is None:
        check(config)
        return
    with pytest.raises(UserError) as caught:
        check(config)
    sentence = str(caught.value)
    assert sentence.startswith(f"{tmp_path}/p.csv, line 2: ") and "\n" not in sentence and sentence.endswith(".")
    for word in words:
        assert word in sentence, sentence


def test_an_epsilon_of_the_page_that_an_attack_lacks_is_warned_of(config):
    put(config, "findings", {"epsilon": 0.3})
    assert [sentence[:40] for sentence in study.warnings_of(check(config))] == [
        "findings.epsilon is 0.3, which is no ep"[:40] + "s"
    ] * 2


@pytest.mark.parametrize("path", sorted(ROOT.glob("studies/*.yaml")), ids=lambda path: path.stem)
def test_every_study_is_right(quick_study, path):
    """A whole one by itself, one of a few lines after config.yaml."""
    told = study.read_yaml(path)
    if "datasets" not in told:
        update_config(quick_study, told)
        told = quick_study
    check(json.loads(json.dumps(told)))


def test_a_cascade_that_reaches_no_epsilon_is_warned_of(config):
    put(config, "worst_case/attacks/x", {"method": "pgd", "relative_step": 0.1, "iterations": 9})
    (sentence,) = study.warnings_of(check(config))
    assert sentence.startswith("worst_case.attacks.x: ") and "can't reach any epsilon" in sentence


@pytest.mark.parametrize(
    ("steps", "warned"),
    [
        ({}, False),
        ({"iterations": 3}, False),
        ({"relative_step": 0.25, "iterations": 4}, False),
        ({"relative_step": 0.25, "iterations": 3}, True),
        ({"step": 0.05}, True),
        ({"step": 0.05, "random_start": True}, False),
    ],
)
def test_neighbours_that_reach_no_epsilon_are_warned_of(config, steps, warned):
    config["models"]["undefended"] |= {"adversarial": {"epsilon": 0.1} | steps, "baseline": "teacher"}
    config["models"]["distilled"]["baseline"] = "undefended"
    found = [sentence for sentence in study.warnings_of(check(config)) if "models.undefended.adversarial" in sentence]
    assert len(found) == warned


def test_what_others_wait_for_is_known_through_all_of_them():
    """In the report's study the original starts from another's weights, and others learn from it or go on from it."""
    config = study.read_yaml(ROOT / "studies/fashion_mnist.yaml")
    models = config["models"]
    direct = {
        name: {other for other in models if name in (models[other].get("teacher"), models[other].get("initial"))}
        for name in models
    }
    every = {name: set(found) for name, found in direct.items()}
    for _ in models:  # as often as a chain can be long
        every = {name: found.union(*(direct[other] for other in found)) for name, found in every.items()}
    assert {name: set(study.waiting_for(config, name)) for name in models} == every
    assert max(map(len, every.values())) > 8 and [] in map(list, every.values())


def test_the_quick_study_is_right_and_warns_of_nothing(quick_study):
    assert study.warnings_of(check(quick_study)) == []


def test_defaults_are_filled_in(config):
    minimal = {
        "datasets": {"d": {"source": "cifar10", "evaluation": {"n": 5}}},
        "models": {"m": MODEL | {"dataset": "d"}},
        "attacks": {"p": {"method": "pgd", "step": 1, "iterations": 3}},
        "epsilons": [2],
        "epsilon_unit": "0-255",
        "seeds": [0],
    }
    filled = check(deepcopy(minimal))
    assert filled["results_dir"] == "results" and filled["threads"]["train"] == 2
    assert filled["datasets"]["d"]["split"] == {"protocol": "holdout", "validation_fraction": 0.1, "seed": 1}
    assert filled["models"]["m"]["training"]["optimizer"] == {"name": "adam", "learning_rate": 0.001}
    assert filled["attacks"]["p"]["random_start"] is True and filled["attacks"]["p"]["norm"] == "inf"
    assert "step" not in filled["models"]["m"]
    assert "precision" not in filled["models"]["m"]["training"]  # the command line without it stays what it was
    assert [attack["method"] for attack in study.cascade_of(filled).values()] == [
        "fmn",
        "pgd",
        "apgd",
        "apgd",
        "square",
    ]
    assert filled["worst_case"]["gradient_free"]["queries"] == 1000 and filled["worst_case"]["rounds"] == 4
    assert filled["worst_case"]["attacks"]["apgd_margin"]["restarts"] == 1
    assert filled["diagnosis"] == {"images": 100, "queries": 200, "huge_epsilon": 0.5}
    assert filled["findings"] == {"difference": 0.05}


@pytest.mark.parametrize(
    ("attack", "epsilons", "words"),
    [
        ({"step": 0.01, "iterations": 40}, [0.3, 0.4], None),  # the thesis' PGD reaches 0.4 exactly
        ({"step": 0.01, "iterations": 40}, [0.4, 0.5, 0.8], ["0.01 x 40 = 0.4", "epsilon 0.5, 0.8"]),
        ({"relative_step": 0.25, "iterations": 4}, [0.5], None),
        ({"relative_step": 0.25, "iterations": 3}, [0, 0.5], ["attacks.a", "0.25 x 3 = 0.75", "0.75 of any epsilon"]),
        ({"step": 0.01, "iterations": 40}, [0, 0.4], None),
    ],
)
def test_a_step_budget_that_is_too_small_is_a_warning_with_both_numbers(config, attack, epsilons, words):
    config["attacks"] = {"a": {"method": "pgd", **attack}}
    config["epsilons"] = epsilons
    del config["plots"]["examples_epsilon"]
    warnings = study.warnings_of(check(config))
    assert len(warnings) == (words is not None)
    for word in words or []:
        assert word in warnings[0]


@pytest.mark.parametrize(
    ("sweep", "words"),
    [
        ({"step": 0.005, "iterations": [1, 10]}, None),
        ({"step": 0.005, "iterations": [1, 9]}, ["iteration_sweeps.x", "0.005 x 9 = 0.045", "epsilon 0.05"]),
        ({"relative_step": 0.1, "iterations": [1, 5]}, ["iteration_sweeps.x", "0.1 x 5 = 0.5"]),
    ],
)
def test_of_a_sweep_the_longest_run_has_to_reach_epsilon(config, sweep, words):
    config["iteration_sweeps"] = {"x": {"method": "bim", "epsilon": 0.05, **sweep}}
    warnings = study.warnings_of(check(config))
    assert len(warnings) == (words is not None)
    for word in words or []:
        assert word in warnings[0]


@pytest.mark.parametrize(
    ("attack", "epsilons", "words"),
    [
        (RANGE, [0.02, 0.05], []),
        (RANGE | {"relative_step": 0.05}, [0.02], ["0.05 x 10 = 0.5, so that no image moves by more than 0.5 of any epsilon"]),
        ({"method": "bim", "clip": "pixel_range", "step": 0.2, "iterations": 2}, [0, 0.05], []),  # a step above epsilon
        (
            {"method": "bim", "clip": "pixel_range", "step": 0.2, "iterations": 2},
            [0.02, 0.05],
            ["attacks.a: with clip: pixel_range nothing but a relative_step depends on epsilon"],
        ),
    ],
)  # fmt: skip
def test_what_is_warned_of_without_a_ball(config, attack, epsilons, words):
    config["attacks"], config["epsilons"] = {"a": attack}, epsilons
    del config["plots"]["examples_epsilon"]
    warnings = study.warnings_of(check(config))
    assert len(warnings) == len(words) and all(word in told for word, told in zip(words, warnings))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1, "0.1"), ("0.10", "0.10"), (8, "8"), (0.3, "0.3"), (1e-05, "0.00001"), (0.1 + 0.2, "0.30000000000000004")],
)
def test_epsilons_stand_in_paths_as_in_the_config(value, text):
    assert study.epsilon_text(value) == text


def test_image_grids_are_of_an_epsilon_by_its_value(config):
    config["epsilons"] = [0.05, "0.10"]
    assert study.example_epsilon(check(config), "fgsm") == "0.10" and study.warnings_of(config) == []
    config["plots"]["examples_epsilon"] = 0.3
    assert "plots.examples_epsilon is 0.3, which is no epsilon of fgsm" in study.warnings_of(config)[0]
    del config["plots"]["examples_epsilon"]
    assert study.example_epsilon(config, "fgsm") == "0.10"


def test_the_first_place_of_a_shared_recipe_is_named():
    shared = study.read_yaml(ROOT / "config.yaml")
    shared["models"]["undefended"]["training"]["optimizer"]["lr"] = 1
    with pytest.raises(UserError, match=r"models\.undefended\.training\.optimizer has the unknown key lr"):
        check(shared)


def test_a_key_that_stands_twice_is_refused(tmp_path):
    (tmp_path / "c.yaml").write_text("models:\n  a: {x: 1}\n  b: {x: 2}\n  a: {x: 3}\n")
    with pytest.raises(UserError, match=r"c.yaml, line 4: 'a' stands there twice \(first in line 2\)"):
        study.read_yaml(tmp_path / "c.yaml")


def test_merge_keys_may_be_overridden(tmp_path):
    (tmp_path / "c.yaml").write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n")
    assert study.read_yaml(tmp_path / "c.yaml")["b"] == {"x": 3, "y": 2}


def test_broken_yaml_is_one_sentence(tmp_path):
    (tmp_path / "c.yaml").write_text("a: [1, 2\nb: 3\n")
    with pytest.raises(UserError, match="is not valid YAML") as caught:
        study.read_yaml(tmp_path / "c.yaml")
    assert "\n" not in str(caught.value)


def properties(schema: dict, path: str = ""):
    """Every property of a schema, with its path."""
    for key, value in schema.items():
        if key == "properties":
            for name, entry in value.items():
                yield f"{path}/{name}", entry
        if isinstance(value, dict):
            yield from properties(value, f"{path}/{key}")


@pytest.mark.parametrize("name", ["config", "sources"])
def test_every_key_is_described_and_mappings_are_closed(name):
    schema, seen = SCHEMAS[name], 0
    for path, entry in properties(schema):
        while "$ref" in entry and "description" not in entry:
            entry = schema["$defs"][entry["$ref"].rsplit("/", 1)[-1]]
        if entry.get("const") or entry == {} or "/if/" in path:
            continue  # `method` in the branches by method; described where it is defined
        seen += 1
        assert entry.get("description"), path
        if entry.get("type") == "object" and path != "/properties/sources" and not path.endswith("/sources"):
            assert "additionalProperties" in entry, path
    assert seen > 10


def test_the_schemas_architectures_and_losses_are_the_codes():
    from robustness.attacks.attack_settings import CLIPS, LABELS, LOSSES
    from robustness.models.architectures import ARCHITECTURES

    definitions = SCHEMAS["config"]["$defs"]
    assert set(definitions["model"]["properties"]["architecture"]["enum"]) == set(ARCHITECTURES)
    for key, values in (("loss", LOSSES), ("clip", CLIPS), ("labels", LABELS)):
        assert definitions[key]["enum"] == list(values)


@pytest.mark.parametrize("method", METHODS)
def test_what_an_attacks_file_tells_is_so(method):
    """Its constants, read without importing it, are those of the module; the schema knows its keys, the settings take them."""
    from robustness.attacks.attack_losses import loss_named
    from robustness.attacks.attack_settings import AttackSettings

    declared, module = declaration_of(method), import_module(f"robustness.attack_methods.{method}")
    names = "KEYS REQUIRED NORMS CLIMBS SIGN_STEPS FIRST_ERROR MINIMUM_NORM SPARES_REJECTION SETTINGS"
    for name in names.split():
        if hasattr(module, name):
            assert getattr(declared, name.lower()) == getattr(module, name), name
    assert declared.sweepable == hasattr(module, "iterates") == (method in sweepable_methods())
    assert not declared.climbs or callable(loss_named(declared.climbs))
    entry = SCHEMAS["config"]["$defs"]["attack_methods"][method]
    assert set(entry["properties"]) == {"method", "norm", "models", "epsilons", *declared.keys, *declared.own_keys}
    assert set(entry["required"]) <= set(entry["properties"])
    assert set(declared.keys) < set(AttackSettings.__dataclass_fields__)
    assert all(key in declared.own_defaults or key in entry["required"] for key in declared.own_keys)


def test_facts_about_the_attacks_that_papers_tell():
    def those(fact):
        return {method for method in METHODS if fact(declaration_of(method))}

    assert those(lambda told: told.climbs == "") == {"noise", "square"}
    assert those(lambda told: told.stepping) == {"bim", "mim", "pgd"}
    assert those(lambda told: told.iterating) == {"apgd", "bim", "carlini_wagner", "fmn", "mim", "pgd"}
    assert those(lambda told: told.sign_steps) == {"bim", "fgsm", "pgd"}
    assert those(lambda told: told.minimum_norm) == {"carlini_wagner", "fmn"}
    assert those(lambda told: not told.spares_rejection) == {"mim"}  # which cleverhans gives no other loss
    assert those(lambda told: told.norms != ("inf", "2")) == {"carlini_wagner", "jsma"}
    assert sweepable_methods() == ("bim",)


@pytest.mark.parametrize(
    ("norms", "alone", "share"),
    [(("2",), True, False), (("0",), True, True), (("2", "inf"), False, False), (("inf", "0"), False, True)],
)
def test_the_norm_of_an_entry_is_described_by_the_norms_that_the_attack_knows(norms, alone, share):
    described = AttackDeclaration("made_up", norms=norms).schema()["properties"]["norm"]
    assert described["default"] == norms[0] and {str(norm) for norm in described["enum"]} == set(norms)
    assert ("no other" in described["description"]) == alone
    assert ("share of the image's values" in described["description"]) == share


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('KEYS = ("speed",)', ["KEYS has speed", "describe it in SETTINGS"]),
        ('SETTINGS = {"type": "object", "properties": {"step": {}}}', ["SETTINGS has step", "another name"]),
        ('NORMS = ("1",)', ["NORMS has '1'", "'0', '2' and 'inf'"]),
        ("KEYS = (", ["is no Python"]),
    ],
)
def test_a_file_that_declares_what_can_not_be_is_told(tmp_path, monkeypatch, line, words):
    (tmp_path / "made_up.py").write_text(line + "\n")
    monkeypatch.setattr("robustness.config.attack_declarations.FOLDER", tmp_path)
    monkeypatch.setattr("robustness.config.attack_declarations.METHODS", ("made_up",))
    with pytest.raises(UserError) as caught:
        declaration_of("made_up")
    assert str(caught.value).startswith(f"{tmp_path}/made_up.py") and all(word in str(caught.value) for word in words)


def test_the_default_cascade_is_a_right_one(config):
    del config["worst_case"]
    filled = check(config)
    for name, attack in study.cascade_of(filled).items():
        for norm in ("inf", "2"):
            settings = study.settings_of(attack, 1, norm)
            assert settings.norm == norm and not settings.targeted, name


def test_a_cascade_may_say_the_norm_that_is_the_default(config):
    config["worst_case"]["attacks"] = {"x": PGD | {"norm": "inf"}}
    check(config)


@pytest.mark.parametrize(
    ("changes", "judged"),
    [
        ({}, ["distilled"]),
        ({"models/teacher/baseline": "undefended"}, ["teacher", "distilled"]),
        ({"models/teacher/claim": {"text": "it helps", "source": "me"}}, ["teacher", "distilled"]),
        ({"attacks/fgsm/models": ["undefended"], "attacks/pgd/models": ["undefended"]}, []),
        ({"models/hot": {"temperature": 9}}, ["distilled", "hot"]),
    ],
    ids=["a teacher is a means", "with a baseline", "with a claim", "not attacked", "no teacher of another"],
)
def test_which_defences_the_page_judges(config, changes, judged):
    for path, value in changes.items():
        put(config, path, value)
    if "models/hot" in changes:
        config["models"]["hot"] = config["models"]["undefended"] | {"temperature": 9}
    assert study.judged_defences(check(config)) == [(model, "undefended") for model in judged]


NAMES = ("plain", "wide", "hot", "student", "elsewhere", "alone")


@pytest.fixture
def several(config):
    """Two undefended models of one dataset that differ in architecture, two defended ones, and two of other datasets."""
    config["datasets"] |= {"cifar": OTHER, "cifar_b": OTHER}
    config["models"] = {
        "plain": MODEL,
        "wide": MODEL | {"architecture": "report_student_cnn"},
        "hot": MODEL | {"temperature": 20},
        "student": STUDENT | {"teacher": "hot", "architecture": "report_student_cnn"},
        "elsewhere": MODEL | {"dataset": "cifar", "architecture": "report_student_cnn"},
        "alone": MODEL | {"dataset": "cifar_b", "temperature": 2},
    }
    return json.loads(json.dumps(config))


def test_the_baseline_is_an_undefended_model_of_the_same_dataset_and_architecture(several):
    check(several)
    assert {name: study.baseline_of(several, name) for name in NAMES} == {
        "plain": None,  # it has no defence itself
        "wide": None,
        "hot": "plain",
        "student": "wide",  # the first of its own architecture
        "elsewhere": None,
        "alone": None,  # no undefended model of its dataset
    }


def test_without_one_of_its_architecture_the_first_undefended_model_is_the_baseline(several):
    del several["models"]["wide"]
    assert study.baseline_of(check(several), "student") == "plain"


def test_a_wrapping_model_is_of_the_one_inside(config):
    config["models"] |= {
        "w": deepcopy(WRAPPED) | {"wraps": "distilled"},
        "d": {"wraps": "undefended", "defence": {"method": "feature_squeezing_detector", "squeezers": ["median 2"]}},
        "n": deepcopy(NULL),
    }
    check(config)
    wrapped = config["models"]["w"]
    assert (wrapped["dataset"], wrapped["architecture"]) == ("fashion_mnist", "report_cnn")
    assert study.defence_of(config, "w") == "defensive_distillation_and_feature_squeezing"
    assert study.baseline_of(config, "w") == "distilled" and study.baseline_of(config, "d") == "undefended"
    assert study.temperature_of(config, "w") == 200
    assert study.waiting_for(config, "teacher") == ["distilled", "w"]
    assert study.rejecting_models(config) == ["d", "n"]
    assert config["models"]["d"]["defence"]["false_positive_rate"] == 0.05  # the file's default
    assert study.black_boxes_on(config, "w").keys().isdisjoint({"distilled", "teacher"})


def test_a_named_baseline_counts_whatever_it_is(several):
    several["models"]["student"]["baseline"] = "hot"
    several["models"]["wide"]["baseline"] = "plain"
    check(several)
    assert study.baseline_of(several, "student") == "hot" and study.baseline_of(several, "wide") == "plain"


def test_a_claim_may_be_held_against_a_named_baseline(several):
    several["models"]["wide"] |= {"baseline": "plain", "claim": {"text": "wider is safer", "source": "nobody"}}
    check(several)
    several["models"]["alone"]["claim"] = {"text": "it helps", "source": "nobody"}
    with pytest.raises(UserError, match=r"models\.alone\.claim has no model to be held against"):
        check(several)


def test_the_temperature_of_a_model_is_that_of_its_training(several):
    assert {name: study.temperature_of(check(several), name) for name in NAMES} == {
        "plain": 1, "wide": 1, "hot": 20, "student": 2, "elsewhere": 1, "alone": 2,
    }  # fmt: skip


@pytest.fixture
def attacked(several):
    """Attacks in both norms, some of them on some models only, one at epsilon 0 alone."""
    several["epsilons"] = [0.1, "0.02", 0]
    several["attacks"] = {
        "first": {"method": "fgsm"},
        "long": {"method": "fgsm", "norm": 2, "models": ["plain", "hot"], "epsilons": [2, 10]},
        "longer": PGD | {"norm": "2", "models": ["plain"], "epsilons": [1, 2]},
        "still": {"method": "bim", "norm": 2, "models": ["wide"], "epsilons": [0], "step": 1, "iterations": 1},
    }
    return check(several)


def test_what_leaves_the_ball_has_no_part_in_what_is_counted_within_epsilon(attacked):
    """Neither norms nor epsilons of the worst case are those of an attack with clip: pixel_range."""
    attacked["attacks"]["wide_range"] = RANGE | {"models": ["plain", "alone"], "epsilons": [0.3]}
    attacked["attacks"]["first"]["models"] = ["plain"]
    check(attacked)
    assert study.attacks_on(attacked, "plain", "inf") == ["first", "wide_range"]
    assert study.bounded_attacks_on(attacked, "plain", "inf") == ["first"]
    assert study.bounded_attacks_on(attacked, "plain") == ["first", "long", "longer"]
    assert study.worst_case_epsilons(attacked, "plain", "inf") == ["0.02", "0.1"]
    assert study.attacks_on(attacked, "alone") == ["wide_range"]
    assert study.norms_of(attacked, "alone") == study.bounded_attacks_on(attacked, "alone") == []


def test_a_model_has_the_norms_in_which_it_is_really_attacked(attacked):
    assert study.norms_of(attacked, "plain") == ["inf", "2"]
    assert study.norms_of(attacked, "wide") == ["inf"]  # epsilon 0 is no attack
    assert study.attacks_on(attacked, "plain") == ["first", "long", "longer"]
    assert study.attacks_on(attacked, "plain", "2") == ["long", "longer"]
    assert study.attacks_on(attacked, "hot", "inf") == ["first"]
    attacked["attacks"]["first"]["models"] = ["hot"]
    assert study.norms_of(attacked, "student") == []


def test_the_worst_cases_epsilons_are_those_of_all_attacks_in_its_norm(attacked):
    assert study.worst_case_epsilons(attacked, "plain", "inf") == ["0.02", "0.1"]
    assert study.worst_case_epsilons(attacked, "plain", "2") == ["1", "2", "10"]  # by size
    assert study.worst_case_epsilons(attacked, "hot", "2") == ["2", "10"]
    assert study.worst_case_epsilons(attacked, "wide", "2") == []


@pytest.mark.parametrize(
    ("written", "temperature", "scale"),
    [("auto", 20, None), ("temperature", 20, 20.0), ("temperature", 1, 1.0), (7.5, 20, 7.5), (3, 20, 3)],
)
def test_the_logit_scale_of_an_attack_on_a_model(written, temperature, scale):
    attack = {"method": "fgsm", "loss": "scaled_cross_entropy", "logit_scale": written}
    assert study.settings_of(attack, temperature).logit_scale == scale


@pytest.mark.parametrize(
    ("attack", "loss"),
    [
        ({"method": "fgsm"}, "cross_entropy"),
        ({"method": "mim", "relative_step": 0.1, "iterations": 3}, "cross_entropy"),
        ({"method": "fmn", "iterations": 3}, "margin"),
        (PGD | {"loss": "dlr"}, "dlr"),
        (PGD | {"loss": "scaled_cross_entropy"}, "scaled_cross_entropy"),
        (PGD | {"loss": "scaled_cross_entropy", "logit_scale": "temperature"}, "scaled_cross_entropy (logit_scale temperature)"),
        ({"method": "fgsm", "target": 3}, "cross_entropy (target 3)"),
        ({"method": "square", "queries": 5}, ""),
    ],
)  # fmt: skip
def test_the_loss_that_an_attack_climbs_is_told_with_what_tells_it_apart(config, attack, loss):
    put(config, "attacks/x", attack)
    assert study.climbed_loss_of(check(config), "x") == loss


def test_what_only_one_attack_has_travels_as_its_own(config):
    put(config, "attacks/x", NEAREST | {"confidence": 2, "target": 1, "epsilons": [1]})
    put(config, "attacks/few", JSMA)
    put(config, "worst_case/attacks/nearest", NEAREST)
    filled = check(config)
    settings = study.settings_of(filled["attacks"]["x"])
    defaults = {"learning_rate": 0.01, "binary_search_steps": 9, "initial_constant": 0.001}
    assert (settings.norm, settings.target, settings.iterations) == ("2", "1", 9)
    assert settings.own == defaults | {"confidence": 2}
    assert study.settings_of(filled["attacks"]["few"]).own == {"theta": 1}
    assert study.settings_of(filled["attacks"]["fgsm"]).own == {}
    assert (
        study.climbed_loss_of(filled, "x") == "margin (target 1)" and study.climbed_loss_of(filled, "few") == "margin"
    )
    # Norm 0 has no worst case, and what is attacked in it adds no epsilon to that of others.
    assert study.norms_of(filled, "undefended") == ["inf", "2"]
    assert study.worst_case_epsilons(filled, "undefended", "2") == ["1"]
    assert study.attacks_on(filled, "undefended", "0") == ["few"]


def test_settings_leave_out_what_is_no_setting_and_take_a_norm_over():
    entry = PGD | {"models": ["a"], "epsilons": [1], "norm": 2, "target": 3}
    settings = study.settings_of(entry)
    assert (settings.norm, settings.target, settings.relative_step, settings.logit_scale) == ("2", "3", 0.5, None)
    assert study.settings_of(entry, norm="inf").norm == "inf"
    assert study.settings_of({"method": "fgsm"}).norm == "inf"
