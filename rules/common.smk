# What all stages share. The config is checked here, and functions turn it into inputs, params and resources.

import functools
import json
import math
import re
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

ROOT = Path(workflow.basedir)
SCRIPTS = ROOT / "workflow_scripts"
sys.path.insert(0, str(SCRIPTS))

from robustness.cluster import job_sizes
from robustness.config import defence_files, study
from robustness.config.attack_declarations import declaration_of, with_attacks
from robustness.attacks.attack_settings import as_noted
from robustness.config.code_inputs import ANY, ProjectCode
from robustness.config.data_inputs import Contents, images_of
from robustness.data.download import local_copy
from robustness.errors import UserError
from robustness.cluster.submitted_jobs import remember_unanswered


def checked_config():
    """Check the config, fill its defaults in place and return all sources of datasets."""
    schemas = {n: study.read_yaml(ROOT / f"schemas/{n}.schema.yaml") for n in ("config", "sources")}
    for path in map(str, workflow.configfiles):
        study.read_yaml(path)  # refuses two models of one name, which Snakemake's own reading would merge
    study.check_schema(config, defence_files.with_defences(with_attacks(schemas["config"])), "config")
    sources = study.read_yaml(ROOT / "resources/sources.yaml") | config["sources"]
    study.check_schema(sources, schemas["sources"], "sources")
    study.check_sources(sources)
    study.check_study(config, sources)
    return sources


def in_one_sentence(check, *arguments):
    """Run a check; a user's mistake ends the start with its sentence, without a traceback."""
    try:
        return check(*arguments)
    except UserError as error:
        raise WorkflowError(str(error)) from None


# --configfile replaces config.yaml whole: Snakemake by itself would merge the two.
if not workflow.overwrite_configfiles:
    # Tells the line of a mistake, which Snakemake's own reading does not.
    in_one_sentence(study.read_yaml, "config.yaml")

    configfile: "config.yaml"


SOURCES = in_one_sentence(checked_config)
if workflow.is_main_process:
    for sentence in study.warnings_of(config):
        logger.warning(f"Warning: {sentence}")

RESULTS = config["results_dir"]
MODELS_DIR = config.get("models_dir", RESULTS)


# --- names -----------------------------------------------------------------------------------------------------------


def one_of(names):
    """A regular expression that matches just these names, for wildcard_constraints."""
    return "|".join(re.escape(str(name)) for name in names) or "(?!)"


MODELS = list(config["models"])
STUDENTS = [name for name in MODELS if "teacher" in config["models"][name]]
SUBSTITUTES = [name for name in MODELS if "substitute" in config["models"][name]]
CLASSIFIERS = [name for name in MODELS if study.is_classifier(config["models"][name])]
NETWORKS = [name for name in MODELS if name not in CLASSIFIERS]
ADVERSARIALLY_TRAINED = [name for name in MODELS if "adversarial" in config["models"][name]]
WRAPPING = [name for name in MODELS if "wraps" in config["models"][name]]
TRAINED = [name for name in NETWORKS if name not in WRAPPING]
DEFENDED = [name for name in TRAINED if "defence" in config["models"][name]]
SEEDS = config["seeds"]
ATTACKS = list(config["attacks"])
EPSILONS = {attack: study.epsilons_of(config, attack) for attack in ATTACKS}
SWEEPS = list(config["iteration_sweeps"])
CASCADE = study.cascade_of(config)
NORMS = {model: study.norms_of(config, model) for model in MODELS}


wildcard_constraints:
    source=one_of(SOURCES),
    dataset=one_of(config["datasets"]),
    model=one_of(MODELS),
    seed=one_of(SEEDS),
    attack=one_of(ATTACKS),
    sweep=one_of(SWEEPS),
    epsilon=one_of(sorted({text for texts in EPSILONS.values() for text in texts})),
    comparison=one_of(config["plots"]["comparisons"]),
    temperature_sweep=one_of(config["temperature_sweeps"]),
    metric="accuracy|loss",
    norm="inf|2",
    curve=one_of([*ATTACKS, "worst_case_norm_inf", "worst_case_norm_2"]),


# --- code ------------------------------------------------------------------------------------------------------------

CODE = ProjectCode(SCRIPTS)


def program(name):
    """The click program of a rule. Where it lies is not tracked: what it does is, by the param `code`."""
    return Untracked(str(SCRIPTS.relative_to(ROOT) / f"{name}.py"))


def code_of(name, **plug_ins):
    """A function of wildcards for the param `code`: the digest of what a program does, so that a change re-runs just its rules.

    plug_ins: the modules that the program imports by their names, or functions of wildcards that give them: those in
    robustness/attack_methods, defences, networks or techniques; as `layers`, those whose layers may be in a network that
    it loads, with their whole names. An empty list says that none of them matters.
    """

    def of_job(wildcards):
        named = {kind: given(wildcards) if callable(given) else given for kind, given in plug_ins.items()}
        return in_one_sentence(code_digest, name, tuple((kind, tuple(names)) for kind, names in named.items()))

    return of_job


@functools.cache
def code_digest(name, plug_ins):
    """The digest of a program's code with its plug-ins, pairs of a kind and names. Many jobs share one.

    Snakemake shows it as the reason of a job, so the word says of what it is.
    """
    kinds = {ANY if kind == "layers" else f"robustness.{kind}": names for kind, names in plug_ins}
    return f"code {CODE.digest(name, kinds)}"


def training_code(name):
    """The code of a program that trains, with the model's network and the defence that it puts up."""
    return code_of(name, networks=network_of, defences=defence_method, layers=layers_of_defence)


def network_of(wildcards):
    """The file of robustness/networks that a model is built by."""
    return [config["models"][wildcards.model]["architecture"]]


def technique_of(wildcards):
    """The file of robustness/techniques that a classifier is made by."""
    return [config["models"][wildcards.model]["technique"]["name"]]


def defence_method(wildcards):
    """The file of robustness/defences that made a model; none for one without."""
    model = config["models"][wildcards.model]
    return [model["defence"]["method"]] if "defence" in model else []


def layers_of_defence(wildcards):
    """The modules whose layers may be in a model's network: that of its defence."""
    return [f"robustness.defences.{method}" for method in defence_method(wildcards)]


def layers_of_target(wildcards):
    """The same of the model that a substitute asks."""
    target = config["models"][config["models"][wildcards.model]["substitute"]["of"]]
    return [f"robustness.defences.{target['defence']['method']}"] if "defence" in target else []


def attack_method(wildcards):
    """The file of robustness/attack_methods that carries out an attack."""
    return [config["attacks"][wildcards.attack]["method"]]


def swept_method(wildcards):
    """The same of an iteration sweep."""
    return [config["iteration_sweeps"][wildcards.sweep]["method"]]


CASCADE_METHODS = [attack["method"] for attack in CASCADE.values()]


def probed_methods(wildcards):
    """The files of robustness/attack_methods that the probes of a model use."""
    own = [config["attacks"][name]["method"] for name in study.attacks_on(config, wildcards.model)]
    return ["fgsm", "noise", "square", *own, *CASCADE_METHODS]


# --- params ----------------------------------------------------------------------------------------------------------


def flags(values, prefix="-"):
    """A nested mapping as a list of command-line options: {a: {b_c: 1}} is --a-b-c 1, None is left out."""
    words = []
    for key, value in values.items():
        name = f"{prefix}-{key.replace('_', '-')}"
        if isinstance(value, dict):
            words += flags(value, name)
        elif isinstance(value, bool):
            words.append(name if value else name.replace("--", "--no-", 1))
        elif isinstance(value, list):
            words += [name, *map(str, value)]
        elif value is not None:
            words += [name, str(value)]
    return words


def options(values):
    """The same, quoted for the shell."""
    return shlex.join(flags(values))


def dataset_of(wildcards):
    """The config entry of a dataset, by its own wildcard or through the model's."""
    name = getattr(wildcards, "dataset", None) or config["models"][wildcards.model]["dataset"]
    return config["datasets"][name]


def source_files(source):
    """Names of the files that download_dataset brings for a source."""
    entry = SOURCES[source]
    return ["images.tar"] if entry["format"] == "image_folder" else [file["name"] for file in entry["files"]]


class Untracked(dict):
    """A text for the command line that changes no result: no reason to run a job again, nor to pass over a cached file.

    Snakemake runs a job again when the repr of a param changes, which here is that of `tracked`; the cache between
    workflows goes by params as JSON, where this is an empty object.
    """

    def __init__(self, text, tracked=""):
        super().__init__()
        self.text = text
        self.tracked = tracked

    def __str__(self):
        return self.text

    def __repr__(self):
        return repr(self.tracked)


def provenance(wildcards, input):
    """What tells a job's result from others and stands in no other param, for the cache between workflows.

    It sees params and what inputs were made by, but neither wildcards nor which input is which: a teacher and a model to
    start from, say. A param that is a function of input is never a reason to run a job again.
    """
    told = dict(wildcards.items())
    if "dataset" in told:
        told["files"] = SOURCES[dataset_of(wildcards)["source"]].get("files")
    if "model" in told:
        model = config["models"][wildcards.model]
        told["weights"] = model.get("weights")
        others = {role: model.get(role) for role in ("teacher", "initial", "wraps")}
        others["target"] = model.get("substitute", {}).get("of")
        told["made_from"] = {role: [name, recipe_of(name)] for role, name in others.items() if name}
    return told


def recipe_of(model):
    """A model's entry in the config without what is only told of it."""
    return {key: value for key, value in config["models"][model].items() if key not in ("baseline", "claim")}


def checkpoint_file(wildcards):
    """Where a training notes its state after each epoch; tracked as a text is, since earlier results were made with one."""
    path = f"{MODELS_DIR}/checkpoints/{wildcards.model}-seed{wildcards.seed}.npz"
    return Untracked(path, tracked=path)


def checksum_options(wildcards):
    """The checksums of one file; none if nothing guards it."""
    source = SOURCES[wildcards.source]
    files = {file["name"]: file for file in source.get("files", [])}
    file = files.get(wildcards.file, source)
    return flags({key: file.get(key) for key in ("sha256", "sha256_unpacked")})


def local_source(wildcards):
    """The file or folder of this machine that download_dataset takes, where no checksum guards the source; else None."""
    source = SOURCES[wildcards.source]
    if checksum_options(wildcards):
        return None
    return local_copy(wildcards.file, source["mirrors"], source["format"] == "image_folder")


def mirror_options(wildcards):
    """Where one file is to be had: not tracked where a checksum or the content tells whether it is another one."""
    source = SOURCES[wildcards.source]
    words = [word for mirror in source["mirrors"] for word in ("--mirror", mirror)]
    words += ["--image-folder"] * (source["format"] == "image_folder")
    text = shlex.join(words)
    return Untracked(text) if checksum_options(wildcards) or local_source(wildcards) else text


CONTENTS = Contents(Path(".snakemake/contents"), logger.info)


@functools.cache
def content_of(place):
    """A digest of what a file or an image folder holds, whatever its times."""
    digest = CONTENTS.digest(place, images_of(place) if place.is_dir() else [(place.name, place)])
    return f"content {digest}"


def unchecked_content(wildcards):
    """A digest of what a source of this machine holds that no checksum guards, so that a change is noticed."""
    place = local_source(wildcards)
    return in_one_sentence(content_of, place) if place else ""


def preprocess_options(wildcards):
    """How a dataset is read and split."""
    dataset = dataset_of(wildcards)
    source = SOURCES[dataset["source"]]
    words = [word for name in source.get("classes", []) for word in ("--class-name", name)]
    split = dict(dataset["split"])
    if split["protocol"] != "holdout":
        split.pop("validation_fraction")
    claims = {key: source.get(key) for key in ("n_classes", "n_train", "n_test")}
    claims["n_classes"] = dataset.get("n_classes", claims["n_classes"])
    values = claims | {"format": source["format"], "pixel_range": dataset["pixel_range"]}
    if source["format"] == "image_folder":
        values |= {"image_size": source.get("image_size"), "colour": source["colour"]}
    return shlex.join(words + flags(values | split))


def training_options(wildcards):
    """The recipe of a model, with its augmentation and its temperature, distillation, adversarial neighbours or queries."""
    model = config["models"][wildcards.model]
    values = {
        "dataset": model["dataset"],
        "defence": study.defence_of(config, wildcards.model),
        "architecture": model["architecture"],
        "upsampling": model.get("upsampling"),
        "width": model.get("width"),
        "head": ",".join(model["head"]) if "head" in model else None,
        "trainable": study.trainable_of(model),
        "temperature": model.get("temperature"),
        "augmentation": model.get("augmentation"),
    }
    own = dict(model.get("adversarial", model.get("distillation", model.get("substitute", {}))))
    own.pop("of", None)  # the target is an input
    if "adversarial" in model or "substitute" in model:
        own["epsilon_unit"] = config["epsilon_unit"]
    return options(values | model["training"] | own)


def classifier_options(wildcards):
    """The technique of a classifier and its settings."""
    model = config["models"][wildcards.model]
    settings = dict(model["technique"])
    values = {"dataset": model["dataset"], "technique": settings.pop("name"), "images": settings.pop("images", None)}
    return options(values | {"settings": json.dumps(settings, sort_keys=True)})


def defence_options(wildcards):
    """A defence of robustness/defences and its settings."""
    defence = config["models"][wildcards.model]["defence"]
    settings = {key: value for key, value in defence.items() if key != "method"}
    values = {"method": defence["method"], "settings": json.dumps(settings, sort_keys=True)}
    return options(values | {"epsilon_unit": config["epsilon_unit"]})


def attack_options(wildcards):
    """An attack without its epsilon."""
    attack = config["attacks"][wildcards.attack]
    settings = study.settings_of(attack, study.temperature_of(config, wildcards.model))
    values = {key: value for key, value in attack.items() if key not in ("models", "epsilons", *settings.own)}
    if "logit_scale" in values:
        values["logit_scale"] = settings.logit_scale
    if settings.own:
        values["own"] = json.dumps(settings.own, sort_keys=True)
    return options(values | {"epsilon_unit": config["epsilon_unit"], "batch_size": config["batch_size_attack"]})


def sweep_options(wildcards):
    """An iteration sweep."""
    sweep = config["iteration_sweeps"][wildcards.sweep]
    values = {key: value for key, value in sweep.items() if key != "models"}
    if "logit_scale" in values:
        temperature = study.temperature_of(config, wildcards.model)
        values["logit_scale"] = study.settings_of(study.longest_run(sweep), temperature).logit_scale
    values["epsilon"] = study.epsilon_text(sweep["epsilon"])
    values["iterations"] = ",".join(map(str, sweep["iterations"]))
    return options(values | {"epsilon_unit": config["epsilon_unit"], "batch_size": config["batch_size_attack"]})


def settings_options(option, attacks, model, norm=None):
    """Attacks on a model with their settings as JSON, in the order of the config: --option NAME SETTINGS."""
    temperature = study.temperature_of(config, model)
    words = []
    for name, attack in attacks.items():
        settings = study.settings_of(attack, temperature, norm)
        words += [option, name, json.dumps({k: v for k, v in as_noted(settings).items() if v is not None})]
    return shlex.join(words)


def recorded_options(wildcards):
    """The bounded attacks on a model in one norm, or in all, with their epsilons, as options of programs that read records."""
    names = study.bounded_attacks_on(config, wildcards.model, getattr(wildcards, "norm", None))
    words = [word for name in names for word in ("--recorded", name, ",".join(EPSILONS[name]))]
    return shlex.join(words)


def worst_case_options(wildcards):
    """The cascade of attacks on a model in one norm, those that know it, and its epsilons."""
    epsilons = study.worst_case_epsilons(config, wildcards.model, wildcards.norm)
    values = {
        "epsilons": ",".join(epsilons),
        "epsilon_unit": config["epsilon_unit"],
        "norm": wildcards.norm,
        "rounds": config["worst_case"]["rounds"],
        "batch_size": config["batch_size_attack"],
    }
    known = {
        name: attack for name, attack in CASCADE.items() if wildcards.norm in declaration_of(attack["method"]).norms
    }
    return f"{options(values)} {settings_options('--attack', known, wildcards.model, wildcards.norm)}".strip()


def probe_options(wildcards):
    """The attacks on a model, those of the cascade, and what is probed."""
    attacks = {name: config["attacks"][name] for name in study.attacks_on(config, wildcards.model)}
    diagnosis = config["diagnosis"]
    values = {
        "epsilon_unit": config["epsilon_unit"],
        "n": diagnosis["images"],
        "queries": diagnosis["queries"],
        "huge_epsilon": diagnosis["huge_epsilon"],
        "batch_size": config["batch_size_attack"],
    }
    parts = [
        settings_options("--attack", attacks, wildcards.model),
        settings_options("--worst-case", CASCADE, wildcards.model),
        options(values),
    ]
    return " ".join(filter(None, parts))


def curve_options(wildcards):
    """What a figure against epsilon shows: an attack in its norm, or the worst case in one."""
    if wildcards.curve in ATTACKS:
        return options({"attack": wildcards.curve, "norm": study.norm_of(config["attacks"][wildcards.curve])})
    attack, norm = wildcards.curve.split("_norm_")
    return options({"attack": attack, "norm": norm})


def comparison_options(wildcards):
    """What a figure of config["plots"]["comparisons"] shows."""
    comparison = config["plots"]["comparisons"][wildcards.comparison]
    words = ["--title", comparison["title"]]
    for option, key in (("--model", "models"), ("--attack", "attacks"), ("--panel", "panels")):
        words += [word for name in comparison[key] for word in (option, name)]
    return shlex.join(words)


def baseline_words(models):
    """Each of the models that has a baseline among them with it, as words of a command line."""
    pairs = [(model, study.baseline_of(config, model)) for model in models]
    return [word for model, baseline in pairs if baseline in models for word in ("--baseline", model, baseline)]


def training_runs_options():
    """Models with their baselines and those they start from, and seeds, as options of aggregate_training."""
    words = [word for model in TRAINED for word in ("--model", model)]
    words += [word for seed in SEEDS for word in ("--seed", str(seed))]
    words += baseline_words(TRAINED)
    for model in TRAINED:
        if initial := config["models"][model].get("initial"):
            words += ["--initial", model, initial]
    return shlex.join(words)


def black_box_options():
    """Each attacked pair of a target and a network made without it, what that was trained on, and the techniques."""
    words = [word for seed in SEEDS for word in ("--seed", str(seed))]
    for target in MODELS:
        if target not in SUBSTITUTES:
            technique = "cross" if target in CLASSIFIERS else "intra"
            for substitute, trained_on in study.black_boxes_on(config, target).items():
                words += ["--pair", target, substitute, trained_on, technique]
    return shlex.join(words)


def defence_table_options():
    """The networks of the table of defences with those inside them, the attacks, and the epsilon.

    An adversary's substitute is no defence, and a teacher that nothing attacks only a means to one.
    """
    teachers = {entry["teacher"] for entry in config["models"].values() if "teacher" in entry}
    words = []
    for model in NETWORKS:
        if model not in SUBSTITUTES and (model not in teachers or study.attacks_on(config, model)):
            words += ["--model", model]
            words += ["--wraps", model, config["models"][model]["wraps"]] if model in WRAPPING else []
    words += [word for attack in ATTACKS for word in ("--attack", attack)]
    if "epsilon" in config["findings"]:
        words += ["--epsilon", study.epsilon_text(config["findings"]["epsilon"])]
    return shlex.join(words)


def findings_options():
    """Each defended model with its baseline and its claim, and what is compared."""
    words = []
    for model, baseline in study.judged_defences(config):
        claim = config["models"][model].get("claim", {"text": "", "source": ""})
        words += ["--defence", model, baseline, claim["text"], claim["source"]]
    findings = dict(config["findings"])
    if "epsilon" in findings:
        findings["epsilon"] = study.epsilon_text(findings["epsilon"])
    return f"{shlex.join(words)} {options(findings)}".strip()


def sweep_runs_options():
    """Iteration sweeps with their models, and the seeds, as options of the program that reads all of them."""
    words = [word for seed in SEEDS for word in ("--seed", str(seed))]
    for sweep in SWEEPS:
        words += ["--sweep", sweep, ",".join(swept_models(sweep))]
    return shlex.join(words)


def temperature_sweeps_options():
    """Temperature sweeps with their models, temperatures and attacks, as options of aggregate_temperatures."""
    words = []
    for name, sweep in config["temperature_sweeps"].items():
        words += ["--sweep", name, study.epsilon_text(sweep["epsilon"])]
        for attack in sweep["attacks"]:
            words += ["--attack", name, attack, study.climbed_loss_of(config, attack)]
        for series, models in sweep["series"].items():
            for model in models:
                words += ["--member", name, series, model, str(study.temperature_of(config, model))]
    return shlex.join(words)


# --- paths -----------------------------------------------------------------------------------------------------------


def model_file(pattern):
    """A function of wildcards that gives a file of the model's dataset, for example dataset.json."""
    return lambda wildcards: f"{MODELS_DIR}/datasets/{config['models'][wildcards.model]['dataset']}/{pattern}"


def erasing_schedule(wildcards):
    """The erasing schedule of a model that trains with it, nothing for another."""
    model = config["models"][wildcards.model]
    return f"{MODELS_DIR}/datasets/{model['dataset']}/erasing.npz" if model["erasing"] else []


def artifact_of(model, seed):
    """The trained model: a network, or a classifier of another technique."""
    name = "classifier.pickle" if model in CLASSIFIERS else "model.keras"
    return f"{MODELS_DIR}/models/{model}/seed{seed}/{name}"


def target_file(wildcards):
    """The trained model that a substitute asks, of the same seed."""
    return artifact_of(config["models"][wildcards.model]["substitute"]["of"], wildcards.seed)


def teacher_file(wildcards):
    """The trained teacher of a student, of the same seed."""
    return f"{MODELS_DIR}/models/{config['models'][wildcards.model]['teacher']}/seed{wildcards.seed}/model.keras"


def wrapped_file(name):
    """A function of wildcards that gives a file of the model that a defence is put around, of the same seed."""
    return (
        lambda wildcards: f"{MODELS_DIR}/models/{config['models'][wildcards.model]['wraps']}/seed{wildcards.seed}/{name}"
    )


def weights_file(wildcards):
    """The pretrained weights of a model's network; nothing for one whose weights are drawn."""
    source = config["models"][wildcards.model].get("weights", "none")
    return [] if source == "none" else f"{MODELS_DIR}/downloads/{source}/{source_files(source)[0]}"


# Of what is left when models are trained, the longest chain leads over transfers to the worst case: it goes before probes
# and figures, which then fill the cores while its last links run.
TOWARDS_WORST_CASE = 5


def training_priority(wildcards):
    """Trainings go first, since much waits for them, and among them those that most others wait for."""
    return 10 + len(study.waiting_for(config, wildcards.model))


def initial_file(wildcards):
    """The trained model that another starts from, of the same seed; nothing for one that starts from drawn weights."""
    model = config["models"][wildcards.model]
    return f"{MODELS_DIR}/models/{model['initial']}/seed{wildcards.seed}/model.keras" if "initial" in model else []


def attacked_models(attack):
    """The models that an attack is run on."""
    return config["attacks"][attack].get("models", MODELS)


def swept_models(sweep):
    """The models that an iteration sweep is run on."""
    return config["iteration_sweeps"][sweep].get("models", MODELS)


ATTACK_SUMMARIES = [
    f"{RESULTS}/evaluation/{model}/seed{seed}/attacks/{attack}.json"
    for attack in ATTACKS
    for model in attacked_models(attack)
    for seed in SEEDS
]
SUBSTITUTE_METADATA = [
    f"{MODELS_DIR}/models/{model}/seed{seed}/metadata.json" for model in SUBSTITUTES for seed in SEEDS
]
WORST_CASES = [
    f"{RESULTS}/evaluation/{model}/seed{seed}/worst_case/norm_{norm}"
    for model in MODELS
    for seed in SEEDS
    for norm in NORMS[model]
]
SWEEP_SUMMARIES = [
    f"{RESULTS}/evaluation/{model}/seed{seed}/iterations/{sweep}.json"
    for sweep in SWEEPS
    for model in swept_models(sweep)
    for seed in SEEDS
]
PROBES = [
    f"{RESULTS}/evaluation/{model}/seed{seed}/probes"
    for model in MODELS
    if study.attacks_on(config, model)
    for seed in SEEDS
]
CLEAN_SUMMARIES = [f"{RESULTS}/evaluation/{model}/seed{seed}/clean.json" for model in MODELS for seed in SEEDS]


def attack_path(wildcards):
    """What an attack shares at all epsilons, if there is such a thing."""
    shared = study.settings_of(config["attacks"][wildcards.attack]).shares
    folder = f"{RESULTS}/adversarial/{wildcards.model}/seed{wildcards.seed}/{wildcards.attack}"
    return f"{folder}/path.npz" if shared else []


def attack_sets(wildcards):
    """The adversarial sets of an attack on a model, one an epsilon."""
    return [
        f"{RESULTS}/adversarial/{wildcards.model}/seed{wildcards.seed}/{wildcards.attack}/eps{epsilon}.npz"
        for epsilon in EPSILONS[wildcards.attack]
    ]


def attack_records(wildcards):
    """The records of all bounded attacks on a model in one norm, or in all."""
    return [
        f"{RESULTS}/evaluation/{wildcards.model}/seed{wildcards.seed}/attacks/{attack}.csv"
        for attack in study.bounded_attacks_on(config, wildcards.model, getattr(wildcards, "norm", None))
    ]


@functools.cache
def transfer_sources(model):
    """What is scored on an attacked model as transfer: (other model, attack, its epsilons above 0) of the same dataset.

    On a model of another technique, which is attacked in no other way, always.
    """
    if model not in CLASSIFIERS and not study.attacks_on(config, model):
        return []
    dataset = config["models"][model]["dataset"]
    return [
        (other, attack, [epsilon for epsilon in EPSILONS[attack] if float(epsilon) > 0])
        for other in MODELS
        if other != model and config["models"][other]["dataset"] == dataset
        for attack in study.bounded_attacks_on(config, other)
    ]


def transfer_records(wildcards):
    """The transfer records of a model, nothing where there is no other model."""
    if not transfer_sources(wildcards.model):
        return []
    return f"{RESULTS}/evaluation/{wildcards.model}/seed{wildcards.seed}/transfer.csv"


TRANSFERS = [
    f"{RESULTS}/evaluation/{model}/seed{seed}/transfer.csv"
    for model in MODELS
    if transfer_sources(model)
    for seed in SEEDS
]


def runs_options():
    """Models, seeds and attacks with their models and epsilons, as options of programs that read the whole study."""
    words = [word for model in MODELS for word in ("--model", model)]
    words += [word for seed in SEEDS for word in ("--seed", str(seed))]
    for attack in ATTACKS:
        words += ["--attack", attack, ",".join(attacked_models(attack)), ",".join(EPSILONS[attack])]
    for model in MODELS:
        words += [word for norm in NORMS[model] for word in ("--worst-case", model, norm)]
        words += ["--transfer", model] if transfer_sources(model) else []
    return shlex.join(words)


def all_plots():
    """Every figure of the study, without its suffix."""
    found = [f"training/{model}/seed{seed}" for model in TRAINED for seed in SEEDS]
    found += [f"confusion/{model}/seed{seed}" for model in MODELS for seed in SEEDS]
    found += [
        f"erasing/{dataset}" for dataset in {m["dataset"]: 0 for m in config["models"].values() if m.get("erasing")}
    ]
    worst_cases = {(config["models"][model]["dataset"], norm): 0 for model in MODELS for norm in NORMS[model]}
    found += [f"accuracy/{dataset}/worst_case_norm_{norm}" for dataset, norm in worst_cases]
    for sweep in SWEEPS:
        datasets = {config["models"][model]["dataset"]: 0 for model in swept_models(sweep)}
        found += [f"iterations/{dataset}/{sweep}" for dataset in datasets]
    for attack in ATTACKS:
        datasets = {config["models"][model]["dataset"]: 0 for model in attacked_models(attack)}
        found += [f"{metric}/{dataset}/{attack}" for metric in ("accuracy", "loss") for dataset in datasets]
        if epsilon := study.example_epsilon(config, attack):
            found += [
                f"examples/{model}/seed{seed}/{attack}/eps{epsilon}"
                for model in attacked_models(attack)
                for seed in SEEDS
            ]
    found += [f"comparisons/{name}" for name in config["plots"]["comparisons"]]
    found += [f"temperatures/{name}" for name in config["temperature_sweeps"]]
    return found + (["published"] if config["published"] else [])


# --- resources -------------------------------------------------------------------------------------------------------


def gpu_of_crafting(wildcards):
    """GPUs of a job of craft_adversarial: none where what craft_path found leads to the end at every epsilon."""
    settings = study.settings_of(config["attacks"][wildcards.attack])
    follows = settings.shares and (settings.declaration.minimum_norm or settings.iterations == 1)
    return 0 if follows else config["gpu"]


def gpu_of_scoring(wildcards):
    """GPUs of a job that scores any model: none for a classifier of another technique, which can't use one."""
    return 0 if wildcards.model in CLASSIFIERS else config["gpu"]


def gpu_option(wildcards, resources):
    """The option with which a job that has a GPU refuses to go on without.

    Not tracked: what another device rounds otherwise is the result of another machine, which is no reason to make it again
    either. The metadata of each trained model name its device. The config decides: a GPU that a profile asks for where the
    config says gpu: 0 may be used, but need not be there.
    """
    return Untracked("--gpu" if config["gpu"] and resources.gpu else "")


def grown(amount, most=math.inf):
    """A resource that grows with each attempt, for example memory in MB or run time in minutes.

    amount: a number, or a function of wildcards that gives one. most: what no attempt asks for more than.
    """

    def of_attempt(wildcards, attempt):
        return min(attempt * (amount(wildcards) if callable(amount) else amount), most)

    return of_attempt


PLAN = job_sizes.Plan(config, SOURCES, study.read_yaml(ROOT / "resources/network_costs.yaml"))


def sized(size, *names):
    """A function of wildcards: a size of robustness.cluster.job_sizes, of what these wildcards name."""
    return lambda wildcards: size(PLAN, *(getattr(wildcards, name) for name in names))


preprocessing_memory = sized(job_sizes.preprocessing_memory, "dataset")
preprocessing_minutes = sized(job_sizes.preprocessing_minutes, "dataset")
erasing_memory = sized(job_sizes.erasing_memory, "dataset")
erasing_minutes = sized(job_sizes.erasing_minutes, "dataset")
training_memory = sized(job_sizes.training_memory, "model")
training_minutes = sized(job_sizes.training_minutes, "model")
classifier_memory = sized(job_sizes.classifier_memory, "model")
path_memory = sized(job_sizes.path_memory, "model", "attack")
path_minutes = sized(job_sizes.path_minutes, "model", "attack")
set_memory = sized(job_sizes.crafting_memory, "model")
set_minutes = sized(job_sizes.set_minutes, "model", "attack", "epsilon")
sweep_memory = sized(job_sizes.sweep_memory, "model", "sweep")
sweep_minutes = sized(job_sizes.sweep_minutes, "model", "sweep")
worst_case_memory = sized(job_sizes.worst_case_memory, "model", "norm")
worst_case_minutes = sized(job_sizes.worst_case_minutes, "model", "norm")
probe_memory = sized(job_sizes.probe_memory, "model")
probe_minutes = sized(job_sizes.probe_minutes, "model")
clean_memory = sized(job_sizes.clean_memory, "model")
clean_minutes = sized(job_sizes.clean_minutes, "model")
attack_scoring_memory = sized(job_sizes.attack_scoring_memory, "model", "attack")
attack_scoring_minutes = sized(job_sizes.attack_scoring_minutes, "model", "attack")
sweep_scoring_memory = sized(job_sizes.sweep_scoring_memory, "model", "sweep")
sweep_scoring_minutes = sized(job_sizes.sweep_scoring_minutes, "model", "sweep")
transfer_memory = sized(job_sizes.transfer_memory, "model")
transfer_minutes = sized(job_sizes.transfer_minutes, "model")
worst_case_scoring_memory = sized(job_sizes.worst_case_scoring_memory, "model", "norm")
worst_case_scoring_minutes = sized(job_sizes.worst_case_scoring_minutes, "model", "norm")
