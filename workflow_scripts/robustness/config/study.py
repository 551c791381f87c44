"""Checking a study's config before anything runs: its schema, and what no schema can say."""

import math
import re
from collections.abc import Iterable
from copy import deepcopy
from operator import itemgetter
from pathlib import Path

import jsonschema
import yaml

from robustness.attacks.attack_settings import AttackSettings, check_clip, reaches_epsilon, step_of
from robustness.attacks.epsilon_units import EPSILON_UNITS
from robustness.config import defence_files
from robustness.config.attack_declarations import NORMS, declaration_of
from robustness.config.declarations import declarations_of
from robustness.config.published import AVERAGES, Published, read_published
from robustness.config.technique_files import technique_names, technique_settings
from robustness.data.download import is_url
from robustness.errors import UserError
from robustness.models.network_settings import WITH_BASE, WITH_WIDTH, check_head

LAST_ATTACK = "gradient_free"  # the name, in all results, of the attack that every worst case ends with
FEWEST_QUERIES = 100  # of that attack: with fewer it would find next to nothing
# Names that no attack may have.
RESERVED = ("worst_case", "worst_case_norm_inf", "worst_case_norm_2", "clean", "iterations", LAST_ATTACK)


class _UniqueKeys(yaml.SafeLoader):
    """Reads YAML, but refuses a mapping that has one key twice (plain YAML quietly keeps the last)."""


def _unique_mapping(loader: yaml.SafeLoader, node: yaml.MappingNode, deep: bool = False) -> dict:
    seen = {}
    for key_node, _ in node.value:
        key = key_node.value
        if key in seen and key != "<<":
            raise UserError(
                f"{key_node.start_mark.name}, line {key_node.start_mark.line + 1}: '{key}' stands there twice (first in "
                f"line {seen[key]}): rename or remove one."
            )
        seen[key] = key_node.start_mark.line + 1
    loader.flatten_mapping(node)
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def read_yaml(path: str | Path) -> dict:
    """Read a YAML file; raises UserError where it is broken or has a key twice."""
    try:
        with open(path, encoding="utf-8") as handle:
            return yaml.load(handle, _UniqueKeys)
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from error


def _with_defaults(validator_class: type) -> type:
    """A validator that fills in `default`s on its way."""
    check_properties = validator_class.VALIDATORS["properties"]

    def fill_and_check(validator, properties, instance, schema):
        if validator.is_type(instance, "object"):
            for key, subschema in properties.items():
                while "$ref" in subschema and "default" not in subschema:
                    subschema = validator._resolver.lookup(subschema["$ref"]).contents
                if "default" in subschema:
                    instance.setdefault(key, deepcopy(subschema["default"]))
        yield from check_properties(validator, properties, instance, schema)

    return jsonschema.validators.extend(validator_class, {"properties": fill_and_check})


def _position(content: object, path: Iterable) -> list[int]:
    """Where a path stands in the file's order, so that of one recipe shared by models the first is named."""
    found = []
    for part in path:
        found.append(list(content).index(part) if isinstance(content, dict) else part)
        content = content[part]
    return found


def _sentence(error: jsonschema.ValidationError, what: str) -> str:
    """One sentence that names the key and what it may be."""
    if error.context:  # of anyOf: the alternative that got furthest
        error = max(error.context, key=lambda e: len(e.path)) if len(error.context) > 1 else error.context[0]
    place = ".".join(str(part) for part in error.absolute_path) or "the top level"
    if "propertyNames" in error.absolute_schema_path:
        return f"{what}: {place} has the name {error.instance!r}; use letters, digits, - and _ and begin with a letter."
    if error.validator == "additionalProperties":
        known = ", ".join(sorted(error.schema.get("properties", {})))
        unknown = ", ".join(sorted(set(error.instance) - set(error.schema.get("properties", {}))))
        return f"{what}: {place} has the unknown key {unknown}; it may have {known}."
    if error.validator == "required":
        missing = re.match(r"'(.*)' is a required", error.message)
        return f"{what}: {place} lacks the key {missing[1] if missing else error.message}; add it."
    if error.validator == "enum":
        return f"{what}: {place} is {error.instance!r}; allowed are {', '.join(str(v) for v in error.validator_value)}."
    limits = {
        "minimum": "at least",
        "exclusiveMinimum": "more than",
        "maximum": "at most",
        "exclusiveMaximum": "less than",
        "pattern": "of the form",
        "minItems": "of a length of at least",
        "maxItems": "of a length of at most",
        "minProperties": "of a length of at least",
    }
    if error.validator == "type" and isinstance(error.instance, str) and "number" in error.validator_value:
        return f"{what}: {place} is the text {error.instance!r}; write a plain number, like 0.001."
    if error.validator == "type":
        kinds = {"integer": "a whole number", "boolean": "true or false", "array": "a list, like [0.1]"}
        kinds |= {"object": "a mapping of keys to values", "number": "a number", "string": "a text"}
        return f"{what}: {place} is {error.instance!r}; it must be {kinds[error.validator_value]}."
    if error.validator in limits:
        return f"{what}: {place} is {error.instance!r}; it must be {limits[error.validator]} {error.validator_value}."
    return f"{what}: {place}: {error.message}."


def check_schema(content: object, schema: dict, what: str) -> None:
    """Check content against a schema and fill in its defaults, in place; raises UserError with the first violation."""
    validator = _with_defaults(jsonschema.Draft202012Validator)(schema)
    errors = sorted(validator.iter_errors(content), key=lambda error: _position(content, error.absolute_path))
    if errors:
        raise UserError(_sentence(errors[0], what))


def epsilon_text(value: float | str) -> str:
    """An epsilon as it stands in paths: a quoted one as it is, a number in its shortest decimal form."""
    if isinstance(value, str):
        return value
    text = repr(value)
    return f"{value:.20f}".rstrip("0") if "e" in text else text


def epsilons_of(config: dict, attack: str) -> list[str]:
    """The epsilons of an attack, as texts, in the config's order."""
    return [epsilon_text(value) for value in config["attacks"][attack].get("epsilons", config["epsilons"])]


def temperature_of(config: dict, model: str) -> float:
    """The temperature at which a model, or the one inside it, was trained."""
    entry = config["models"][config["models"][model].get("wraps", model)]
    return entry.get("distillation", entry).get("temperature", 1)


def trained_after(entry: dict) -> list[str]:
    """The models that must be made before that of an entry: its teacher, its initial one, the wrapped, a substitute's target."""
    named = (entry.get("teacher"), entry.get("initial"), entry.get("wraps"), entry.get("substitute", {}).get("of"))
    return [name for name in named if name is not None]


def waiting_for(config: dict, model: str) -> list[str]:
    """The models that are made only after this one: those that learn from it, start from it or wrap it, and theirs in turn."""
    found: list[str] = []
    for name, entry in config["models"].items():
        if model in trained_after(entry):
            found += [name, *waiting_for(config, name)]
    return list(dict.fromkeys(found))


def is_classifier(entry: dict) -> bool:
    """Whether a model is of another technique than a neural network, without gradients that an attack could follow."""
    return "technique" in entry


def fill_attacked_models(config: dict) -> None:
    """Name the networks, in place, in all attacks without `models`, where not every model of the study is a network."""
    networks = [name for name, entry in config["models"].items() if not is_classifier(entry)]
    if len(networks) < len(config["models"]):
        for attack in (*config["attacks"].values(), *config["iteration_sweeps"].values()):
            attack.setdefault("models", networks)


def lineage_of(config: dict, model: str) -> set[str]:
    """A model with those whose weights or soft labels it was made of, and theirs in turn."""
    entry = config["models"][model]
    parents = [entry[key] for key in ("teacher", "initial", "wraps") if key in entry]
    return {model}.union(*(lineage_of(config, parent) for parent in parents))


def black_boxes_on(config: dict, model: str) -> dict[str, str]:
    """The networks through which a model is attacked as a black box, and what each of them was trained on.

    Those are the attacked networks of its dataset that were made without it: neither shares a lineage with the other.
    """
    found = {}
    for name, entry in config["models"].items():
        related = lineage_of(config, name) & lineage_of(config, model)
        if entry["dataset"] == config["models"][model]["dataset"] and not related and bounded_attacks_on(config, name):
            found[name] = f"answers of {entry['substitute']['of']}" if "substitute" in entry else "dataset"
    return found


def trainable_of(model: dict) -> str | None:
    """What of a model's base is trained, None where it has no base: of a pretrained one its batch normalisation, else all."""
    if model["architecture"] not in WITH_BASE:
        return None
    pretrained = model.get("weights", "none") != "none"
    return model.get("trainable", "batch_normalization" if pretrained else "all")


def norm_of(attack: dict) -> str:
    """The norm of an attack's config entry: its own, or the first that its method knows."""
    return str(attack.get("norm", declaration_of(attack["method"]).norms[0]))


def settings_of(attack: dict, temperature: float = 1, norm: str | None = None) -> AttackSettings:
    """An attack's settings as its config entry says, on a model of this training temperature; norm overrides its own."""
    fields = {k: v for k, v in attack.items() if k not in ("models", "epsilons")}
    own = {key: fields.pop(key) for key in declaration_of(attack["method"]).own_keys if key in fields}
    fields |= {"own": own, "norm": norm or norm_of(attack)}
    if "target" in fields:
        fields["target"] = str(fields["target"])
    if "logit_scale" in fields:
        named = {"auto": None, "temperature": float(temperature)}
        fields["logit_scale"] = named.get(fields["logit_scale"], fields["logit_scale"])
    return AttackSettings(**fields)


def climbed_loss_of(config: dict, attack: str) -> str:
    """The loss whose gradient an attack follows, in words, with its logit_scale and its target; '' if it follows none."""
    entry = config["attacks"][attack]
    loss = settings_of(entry).climbed_loss
    details = [f"{key} {entry[key]}" for key in ("logit_scale", "target") if key in entry]
    return f"{loss} ({', '.join(details)})" if loss and details else loss


def attacks_on(config: dict, model: str, norm: str | None = None) -> list[str]:
    """The attacks of the study that a model is attacked with, in one norm or in any."""
    return [
        name
        for name, attack in config["attacks"].items()
        if model in attack.get("models", config["models"])
        and norm in (None, norm_of(attack))
        and any(float(text) > 0 for text in epsilons_of(config, name))
    ]


def longest_run(sweep: dict) -> dict:
    """What an entry of iteration_sweeps carries out, as an entry of attacks: the run of its most iterations."""
    settings = {key: value for key, value in sweep.items() if key != "epsilon"}
    return settings | {"iterations": sweep["iterations"][-1], "epsilons": [sweep["epsilon"]]}


def bounded_attacks_on(config: dict, model: str, norm: str | None = None) -> list[str]:
    """Those of attacks_on whose images lie within epsilon: what the worst case and transfer are made of."""
    return [name for name in attacks_on(config, model, norm) if settings_of(config["attacks"][name]).bounded]


def norms_of(config: dict, model: str) -> list[str]:
    """The norms in which a model has a worst case: 'inf', '2'; norm 0 has none, since no attack of the cascade works in it."""
    attacks = [config["attacks"][name] for name in bounded_attacks_on(config, model)]
    return [norm for norm in dict.fromkeys(map(norm_of, attacks)) if norm in NORMS]


def cascade_of(config: dict) -> dict[str, dict]:
    """The attacks of the worst case, in their order, the one that needs no gradient last."""
    return config["worst_case"]["attacks"] | {LAST_ATTACK: config["worst_case"]["gradient_free"]}


def worst_case_epsilons(config: dict, model: str, norm: str) -> list[str]:
    """All epsilons above 0 at which a model is attacked within them in a norm, rising."""
    texts = {text for name in bounded_attacks_on(config, model, norm) for text in epsilons_of(config, name)}
    return sorted((text for text in texts if float(text) > 0), key=float)


def baseline_of(config: dict, model: str) -> str | None:
    """The model that another's defence is measured against; None for one without a defence, or where there is none."""
    entry = config["models"][model]
    if "baseline" in entry:
        return entry["baseline"]
    if "wraps" in entry:
        return entry["wraps"]
    if defence_of(config, model) == "none":
        return None
    plain = [
        name
        for name, other in config["models"].items()
        if other["dataset"] == entry["dataset"] and defence_of(config, name) == "none" and _may_be_baseline(other)
    ]
    same = [name for name in plain if config["models"][name]["architecture"] == entry["architecture"]]
    return next(iter(same + plain), None)


def judged_defences(config: dict) -> list[tuple[str, str]]:
    """(model, baseline) of the defences that the answer page judges: those that are attacked, and are no mere means.

    A teacher is a means to its student, and is judged only if its entry names a `baseline` or a `claim` of its own.
    """
    teachers = {entry["teacher"] for entry in config["models"].values() if "teacher" in entry}
    pairs = []
    for model, entry in config["models"].items():
        means = model in teachers and not {"baseline", "claim"} & set(entry)
        if (baseline := baseline_of(config, model)) and attacks_on(config, model) and not means:
            pairs.append((model, baseline))
    return pairs


def _may_be_baseline(entry: dict) -> bool:
    """Neither an adversary's substitute nor a model of another technique is what a network would be without its defence."""
    return "substitute" not in entry and not is_classifier(entry)


def defence_of(config: dict, model: str) -> str:
    """The defence that a model stands for in the tables."""
    entry, found = config["models"][model], []
    if "wraps" in entry and defence_of(config, entry["wraps"]) != "none":
        found.append(defence_of(config, entry["wraps"]))
    if "defence" in entry:
        found.append(entry["defence"]["method"])
    if "augmentation" in entry:
        found.append("data_augmentation")
    if "adversarial" in entry:
        regularised = entry["adversarial"]["clean_weight"] > 0
        found.append("adversarial_regularisation" if regularised else "adversarial_training")
    if "teacher" in entry:
        found.append("defensive_distillation")
    elif entry.get("temperature", 1) != 1:
        found.append("temperature_training")
    return "_and_".join(found) or "none"


def rejecting_models(config: dict, folder: Path = defence_files.FOLDER) -> list[str]:
    """The models that can reject an image: by their defence, or by that of the model which they wrap.

    folder: of the defences' files; of those that can reject, one declares REJECTS = True, which is read without importing
    it. A method without a file rejects nothing here.
    """
    return [name for name in config["models"] if _rejects(config, name, folder)]


def _rejects(config: dict, model: str, folder: Path) -> bool:
    seen: list[str] = []
    while model in config["models"] and model not in seen:
        entry = config["models"][model]
        path = folder / f"{entry.get('defence', {}).get('method', '')}.py"
        if path.is_file() and declarations_of(path).literals.get("REJECTS") is True:
            return True
        seen.append(model)
        model = entry.get("wraps", "")
    return False


def warnings_of(config: dict) -> list[str]:
    """What is allowed but hardly meant, a sentence each: steps that can't reach epsilon, figures that are not made."""
    found: list[str] = []
    runs = {f"attacks.{name}": (attack, epsilons_of(config, name)) for name, attack in config["attacks"].items()}
    for name, sweep in config["iteration_sweeps"].items():
        runs[f"iteration_sweeps.{name}"] = longest_run(sweep), [epsilon_text(sweep["epsilon"])]
    for name, attack in cascade_of(config).items():
        settings = settings_of(attack)
        if not reaches_epsilon(settings, "1"):
            found.append(
                f"worst_case.attacks.{name}: relative_step x iterations is less than 1, so that it can't reach any epsilon: "
                "raise one of them."
            )
    for name, model in config["models"].items():
        adversarial = model.get("adversarial", {})
        step = adversarial.get("step", adversarial.get("relative_step", 1) * adversarial.get("epsilon", 0))
        reached = step * adversarial.get("iterations", 1)
        if adversarial and not adversarial["random_start"] and reached < adversarial["epsilon"] * (1 - 1e-9):
            found.append(
                f"models.{name}.adversarial: all steps together are {reached:g}, which can't reach epsilon "
                f"{adversarial['epsilon']:g}: raise step or iterations."
            )
    rejecting = rejecting_models(config)
    for name, attack in config["attacks"].items():
        attacked = [model for model in rejecting if model in attack.get("models", rejecting)]
        if attacked and not declaration_of(attack["method"]).spares_rejection and "target" not in attack:
            found.append(
                f"attacks.{name}: {attack['method']} takes no loss that spares a rejection, so that on {', '.join(attacked)} it may "
                "only lead to rejected images: judge these models by pgd."
            )
    if "epsilon" in config["findings"]:
        wanted = config["findings"]["epsilon"]
        for name in config["attacks"]:
            if float(wanted) not in map(float, epsilons_of(config, name)):
                found.append(
                    f"findings.epsilon is {wanted}, which is no epsilon of {name}: the page tells its middle one instead."
                )
    for where, (attack, texts) in runs.items():
        settings = settings_of(attack)
        attacked = [text for text in texts if float(text) > 0]
        short = [text for text in attacked if not reaches_epsilon(settings, text)]
        if short and settings.relative_step is not None:
            share = settings.relative_step * settings.iterations
            found.append(
                f"{where}: relative_step x iterations = {settings.relative_step:g} x {settings.iterations} = "
                f"{share:g}, so that no image moves by more than {share:g} of any epsilon: raise one of them."
            )
        elif short:
            budget = settings.step * settings.iterations
            found.append(
                f"{where}: step x iterations = {settings.step:g} x {settings.iterations} = {budget:g}, which can't "
                f"reach epsilon {', '.join(short)}: beyond {budget:g} the attack's own budget is measured, not the model."
            )
        if not settings.bounded and settings.step is not None and len(attacked) > 1:
            found.append(
                f"{where}: with clip: pixel_range nothing but a relative_step depends on epsilon, so that this step makes "
                f"one set at epsilon {', '.join(attacked)} alike: set relative_step."
            )
    for name in config["attacks"]:
        if "examples_epsilon" in config["plots"] and example_epsilon(config, name) is None:
            found.append(
                f"plots.examples_epsilon is {config['plots']['examples_epsilon']}, which is no epsilon of {name}: "
                "it gets no image grid."
            )
    return found


def example_epsilon(config: dict, attack: str) -> str | None:
    """The epsilon of an attack's image grids: the configured one if it is among its own, else its largest if none is."""
    texts = epsilons_of(config, attack)
    if "examples_epsilon" not in config["plots"]:
        return max(texts, key=float)
    wanted = float(config["plots"]["examples_epsilon"])
    return next((text for text in texts if float(text) == wanted), None)


def _check_cascade(config: dict, sources: dict) -> None:
    """Raises UserError for an attack that does not fit into the worst case."""
    for name, attack in config["worst_case"]["attacks"].items():
        if name in RESERVED:
            raise UserError(
                f"worst_case.attacks.{name}: the name {name} means something else in the results: choose another."
            )
        if name in config["attacks"]:
            raise UserError(
                f"attacks.{name}: worst_case.attacks has an attack of this name too, and both would be counted as one: "
                "rename one of them."
            )
        _check_of_cascade(f"worst_case.attacks.{name}", attack, config, sources)
    last, where = config["worst_case"]["gradient_free"], "worst_case.gradient_free"
    if "queries" not in declaration_of(last["method"]).keys or settings_of(last).climbed_loss:
        raise UserError(f"{where}.method is {last['method']}, which is no search without gradients: take square.")
    if last["queries"] < FEWEST_QUERIES:
        raise UserError(
            f"{where}.queries is {last['queries']}, too few to find what gradients hide: take {FEWEST_QUERIES} or more."
        )
    _check_of_cascade(where, last, config, sources)
    cascade = [declaration_of(attack["method"]).norms for attack in config["worst_case"]["attacks"].values()]
    for norm in dict.fromkeys(norm for model in config["models"] for norm in norms_of(config, model)):
        if not any(norm in norms for norms in cascade):
            raise UserError(
                f"worst_case.attacks has none that works in norm {norm}, in which models are attacked: add one."
            )


def _check_of_cascade(where: str, attack: dict, config: dict, sources: dict) -> None:
    norms = declaration_of(attack["method"]).norms
    if not set(norms) & set(NORMS):
        raise UserError(
            f"{where}.method is {attack['method']}, which works in norm {', '.join(norms)}; the worst case is counted in norm "
            f"{', '.join(NORMS)}: remove it."
        )
    idle = [key for key in ("norm", "target", "models", "epsilons") if key in attack]
    if idle := [key for key in idle if (key, str(attack[key])) != ("norm", norms[0])]:  # which the schema fills in
        raise UserError(
            f"{where}.{idle[0]} is not for the worst case, which takes norms and epsilons from the study's attacks: remove it."
        )
    if "step" in attack:
        raise UserError(
            f"{where}.step would be one step for all epsilons, which the cascade goes through: set relative_step instead."
        )
    if not settings_of(attack).bounded:
        raise UserError(
            f"{where}.clip lets images leave the ball of epsilon, within which the worst case is counted: remove it."
        )
    _check_steps(where, attack)
    _check_loss(where, attack, config, config["models"], sources)


def check_study(config: dict, sources: dict) -> None:
    """Check what no schema can say: names that must exist, sizes that must fit. Raises UserError with one sentence.

    config: with defaults filled in; those that no schema can tell are filled in here, and a model that wraps another gets the
    dataset and architecture of that. sources: all sources, the config's own among them.
    """
    for name, model in config["models"].items():
        if "wraps" in model:
            _check_wrapping(config, name, model)
            model |= {key: config["models"][model["wraps"]][key] for key in ("dataset", "architecture")}
    fill_attacked_models(config)
    for name, dataset in config["datasets"].items():
        _check_dataset(f"datasets.{name}", dataset, sources)
    for name, model in config["models"].items():
        _check_model(config, name, model, sources)
    _check_cascade(config, sources)
    for name, attack in config["attacks"].items():
        if name in RESERVED:
            raise UserError(f"attacks.{name}: the name {name} means something else in the results: choose another.")
        _check_attack(config, f"attacks.{name}", attack, epsilons_of(config, name), sources)
    for name, sweep in config["iteration_sweeps"].items():
        _check_sweep(config, name, sweep, sources)
    spelt: dict[float, str] = {}
    for name in config["attacks"]:
        for text in epsilons_of(config, name):
            if spelt.setdefault(float(text), text) != text:
                raise UserError(
                    f"attacks.{name}: epsilon {text} is written {spelt[float(text)]} elsewhere: write it alike, since it "
                    "stands in paths and tables."
                )
    for name, comparison in config["plots"]["comparisons"].items():
        where = f"plots.comparisons.{name}"
        _check_side_by_side(config, where, {"models": comparison["models"]}, comparison["attacks"])
    for name, sweep in config["temperature_sweeps"].items():
        _check_temperature_sweep(config, f"temperature_sweeps.{name}", sweep)
    for path in config["published"]:
        if not Path(path).is_file():
            raise UserError(
                f"published names {path}, which is no file: correct its path, from where snakemake is started."
            )
        for row in read_published(path):
            _check_published(config, row)


def _check_dataset(where: str, dataset: dict, sources: dict) -> None:
    if dataset["source"] not in sources:
        raise UserError(f"{where}.source is '{dataset['source']}'; known sources are {', '.join(sorted(sources))}.")
    source = sources[dataset["source"]]
    if source["format"] == "weights":
        raise UserError(f"{where}.source is '{dataset['source']}', which holds weights, no images: name a dataset's.")
    if "n_classes" in dataset and source.get("n_classes", dataset["n_classes"]) != dataset["n_classes"]:
        raise UserError(
            f"{where}.n_classes is {dataset['n_classes']}, but the source has {source['n_classes']}: correct it."
        )
    split, n_test = dataset["split"], source.get("n_test")
    if n_test and split.get("test_limit", 0) > n_test:
        raise UserError(f"{where}.split.test_limit is {split['test_limit']}, but there are {n_test}: lower it.")
    if source.get("n_train") and split.get("train_limit", 0) > source["n_train"]:
        raise UserError(
            f"{where}.split.train_limit is {split['train_limit']}, but there are {source['n_train']}: lower it."
        )
    n_test = split.get("test_limit", n_test)
    if n_test and dataset["evaluation"]["n"] > n_test:
        raise UserError(
            f"{where}.evaluation.n is {dataset['evaluation']['n']}, but there are {n_test} test images: lower it."
        )
    for key in ("area", "aspect"):
        low, high = dataset["erasing"][key]
        if low > high:
            raise UserError(f"{where}.erasing.{key} is [{low}, {high}]: put the smaller number first.")


def _check_network(where: str, model: dict, sources: dict) -> None:
    if "head" in model:
        try:
            check_head(tuple(model["head"]))
        except UserError as error:
            raise UserError(f"{where}.head: {error}") from error
    idle = [key for key in ("weights", "trainable") if key in model]
    if idle and model["architecture"] not in WITH_BASE:
        raise UserError(
            f"{where}.{idle[0]} is for a network on a pretrained base ({', '.join(WITH_BASE)}), which "
            f"{model['architecture']} is not: remove it."
        )
    if "width" in model and model["architecture"] not in WITH_WIDTH:
        raise UserError(
            f"{where}.width is for {', '.join(WITH_WIDTH)}; {model['architecture']} has one width: remove it."
        )
    weights = model.get("weights", "none")
    known = [name for name, source in sources.items() if source["format"] == "weights"]
    if weights != "none" and weights not in known:
        raise UserError(f"{where}.weights is '{weights}'; known are none, {', '.join(known)}.")


def _check_model(config: dict, name: str, model: dict, sources: dict) -> None:
    where = f"models.{name}"
    if model["dataset"] not in config["datasets"]:
        raise UserError(f"{where}.dataset is '{model['dataset']}'; this study has {', '.join(config['datasets'])}.")
    for key, other in (("teacher", model.get("teacher")), ("initial", model.get("initial"))):
        if is_classifier(config["models"].get(other, {})):
            raise UserError(f"{where}.{key} is '{other}', which is no network: name a network.")
    if is_classifier(model):
        _check_technique(config, name, model["technique"])
        return
    _check_baseline(config, name, model)
    if "wraps" in model:
        return
    if "defence" in model:
        _check_defence(where, model)
    if ("teacher" in model) != ("distillation" in model):
        raise UserError(f"{where} has only one of 'teacher' and 'distillation': a distilled student needs both.")
    _check_network(where, model, sources)
    _check_augmentation(f"{where}.augmentation", model.get("augmentation", {}))
    _check_adversarial(config, where, model)
    if "initial" in model:
        _check_initial(config, name, model)
    optimizer = model["training"]["optimizer"]
    foreign = {"adam": ("momentum", "nesterov"), "sgd": ("beta_1", "beta_2", "epsilon", "amsgrad")}[optimizer["name"]]
    if idle := [key for key in foreign if key in optimizer]:
        raise UserError(f"{where}.training.optimizer.{idle[0]} has no effect on {optimizer['name']}: remove it.")
    if "drop_factor" in optimizer and "drop_every" not in optimizer:
        raise UserError(f"{where}.training.optimizer.drop_factor has no effect alone: set drop_every too.")
    if "substitute" in model:
        _check_substitute(config, name, model, sources)
    _check_order(config, name)
    if "teacher" not in model:
        return
    if model["teacher"] not in config["models"]:
        raise UserError(
            f"{where}.teacher is '{model['teacher']}', which is no model of this study: define it in models."
        )
    if model["teacher"] in rejecting_models(config):
        raise UserError(
            f"{where}.teacher is '{model['teacher']}', which can reject images, while a student learns classes alone: name "
            "another teacher."
        )
    teacher = config["models"][model["teacher"]]
    if "wraps" in teacher:
        raise UserError(f"{where}.teacher is '{model['teacher']}', which is more than a trained network: name one.")
    if teacher["dataset"] != model["dataset"]:
        raise UserError(
            f"{where}.teacher is '{model['teacher']}', trained on {teacher['dataset']}, but the student learns "
            f"{model['dataset']}: use one dataset."
        )
    if "temperature" in model:
        raise UserError(f"{where}.temperature is not for a student: set distillation.temperature.")


def _check_technique(config: dict, name: str, technique: dict) -> None:
    known = technique_names()
    if technique["name"] not in known:
        raise UserError(f"models.{name}.technique.name is '{technique['name']}'; allowed are {', '.join(known)}.")
    schema = technique_settings(technique["name"])
    schema = schema | {"properties": {"name": {}, "images": {}} | schema["properties"], "additionalProperties": False}
    for key in ("technique", name, "models"):
        schema = {"properties": {key: schema}}
    check_schema(config, schema, "config")


def _check_substitute(config: dict, name: str, model: dict, sources: dict) -> None:
    where, substitute, training = f"models.{name}", model["substitute"], model["training"]
    other, dataset = config["models"].get(substitute["of"]), config["datasets"][model["dataset"]]
    if other is None or substitute["of"] == name:
        raise UserError(f"{where}.substitute.of is '{substitute['of']}': name another model of this study.")
    if other["dataset"] != model["dataset"]:
        raise UserError(
            f"{where}.substitute.of is '{substitute['of']}', trained on {other['dataset']}, but the substitute has "
            f"{model['dataset']}: use one dataset."
        )
    idle = ("teacher", "adversarial", "defence", "temperature", "augmentation", "initial", "baseline", "claim")
    if found := [key for key in idle if key in model] + ["erasing"] * model["erasing"]:
        raise UserError(f"{where} has both 'substitute' and '{found[0]}', but learns nothing but answers: remove one.")
    if training["checkpoint"] != "last":
        raise UserError(
            f"{where}.training.checkpoint is {training['checkpoint']}, but an adversary has no validation images: set last."
        )
    if "early_stopping" in training:
        raise UserError(f"{where}.training.early_stopping: an adversary has no validation images: remove it.")
    if found := [key for key in ("drop_every", "cosine") if training["optimizer"].get(key)]:
        raise UserError(
            f"{where}.training.optimizer.{found[0]} follows epochs of one length, and a substitute's grow: remove it."
        )
    if substitute["step"] > EPSILON_UNITS[config["epsilon_unit"]]:
        raise UserError(
            f"{where}.substitute.step {substitute['step']:g} is above the pixel range {config['epsilon_unit']}: lower it "
            "or change epsilon_unit."
        )
    n_test = dataset["split"].get("test_limit", sources[dataset["source"]].get("n_test"))
    if n_test and substitute["images"] > n_test - dataset["evaluation"]["n"]:
        raise UserError(
            f"{where}.substitute.images is {substitute['images']}, but of {n_test} test images {dataset['evaluation']['n']} "
            "are attacked: lower it, or the dataset's evaluation.n."
        )


def _check_wrapping(config: dict, name: str, model: dict) -> None:
    where, method = f"models.{name}", model["defence"]["method"]
    if idle := [
        key for key in model if key not in ("wraps", "defence", "baseline", "claim") and model[key] is not False
    ]:
        raise UserError(f"{where}.{idle[0]} has no effect beside 'wraps', since nothing is trained: remove it.")
    if not defence_files.defence_file(method).wraps:
        raise UserError(f"{where}.wraps is not for {method}, which trains a network: give it a training instead.")
    inside = config["models"].get(model["wraps"])
    if inside is None:
        raise UserError(f"{where}.wraps is '{model['wraps']}', which is no model of this study: define it in models.")
    if "wraps" in inside or is_classifier(inside) or model["wraps"] in rejecting_models(config):
        raise UserError(f"{where}.wraps is '{model['wraps']}', which is more than a trained network: name one.")


def _check_defence(where: str, model: dict) -> None:
    method = model["defence"]["method"]
    declared = defence_files.defence_file(method)
    if declared.wraps:
        raise UserError(f"{where}.defence: {method} stands around a trained model: name that as 'wraps'.")
    for key in ("teacher", "temperature", "adversarial"):
        if key in model:
            raise UserError(f"{where} has both 'defence' and '{key}': a model is trained in one of these ways.")
    if declared.needs_initial and "initial" not in model:
        raise UserError(f"{where}.defence: {method} goes on from a trained model: name that as 'initial'.")


def _check_baseline(config: dict, name: str, model: dict) -> None:
    where = f"models.{name}"
    if "baseline" in model:
        other = config["models"].get(model["baseline"])
        if other is None or model["baseline"] == name or other["dataset"] != model["dataset"]:
            raise UserError(f"{where}.baseline is '{model['baseline']}': name another model of the same dataset.")
        if not _may_be_baseline(other):
            raise UserError(
                f"{where}.baseline is '{model['baseline']}', a substitute or a classifier of another technique: name a model "
                "that differs by its defence."
            )
    if "claim" in model and baseline_of(config, name) is None:
        raise UserError(f"{where}.claim has no model to be held against: name one as its baseline.")


def _check_augmentation(where: str, augmentation: dict) -> None:
    if augmentation.get("blur", {}).get("size", 1) % 2 == 0:
        raise UserError(f"{where}.blur.size is {augmentation['blur']['size']}: take an odd number of pixels.")


def _check_adversarial(config: dict, where: str, model: dict) -> None:
    training, unit = model["training"], config["epsilon_unit"]
    measures = {"checkpoint": training["checkpoint"]}
    if "early_stopping" in training:
        measures["early_stopping.monitor"] = training["early_stopping"]["monitor"]
    if "adversarial" not in model:
        for key, measure in measures.items() if "defence" not in model else ():  # a defence may have such losses, too
            if "adversarial" in measure:
                raise UserError(
                    f"{where}.training.{key} is {measure}, which only a model with 'adversarial' has: choose another."
                )
        return
    for key in ("teacher", "temperature"):
        if key in model:
            raise UserError(f"{where} has both 'adversarial' and '{key}': a model is trained in one of these ways.")
    adversarial = model["adversarial"]
    if "step" in adversarial and "relative_step" in adversarial:
        raise UserError(f"{where}.adversarial has both 'step' and 'relative_step': remove one.")
    if adversarial["norm"] == "inf" and adversarial["epsilon"] > EPSILON_UNITS[unit]:
        raise UserError(
            f"{where}.adversarial.epsilon {adversarial['epsilon']:g} is above the pixel range {unit}: lower it or change "
            "epsilon_unit."
        )
    if adversarial["clip_low"] >= EPSILON_UNITS[unit]:
        raise UserError(
            f"{where}.adversarial.clip_low {adversarial['clip_low']:g} leaves no pixel of the range {unit}: lower it."
        )


def _check_initial(config: dict, name: str, model: dict) -> None:
    where, initial = f"models.{name}", model["initial"]
    other = config["models"].get(initial)
    if other is None:
        raise UserError(f"{where}.initial is '{initial}', which is no model of this study: define it in models.")
    rejecting = rejecting_models(config)
    if "wraps" in other or (initial in rejecting and name not in rejecting):
        raise UserError(f"{where}.initial is '{initial}', which is more than this network: start from one alike.")
    for key in ("dataset", "architecture"):
        if other[key] != model[key]:
            raise UserError(
                f"{where}.initial is '{initial}', of the {key} {other[key]}, but this model has {model[key]}: use one {key}."
            )


def _check_order(config: dict, name: str) -> None:
    """No model may wait for itself, through its teacher, the model it starts from, its target, theirs and so on."""
    ways = [[name]]
    while ways:
        way = ways.pop()
        for before in trained_after(config["models"].get(way[-1], {})):
            if before in way:
                raise UserError(
                    f"models.{name}: 'teacher', 'initial' and 'substitute' go in a circle ({' <- '.join([*way, before])}): "
                    "let one train without."
                )
            ways.append([*way, before])


def _check_steps(where: str, attack: dict) -> None:
    settings = settings_of(attack)
    if settings.declaration.stepping and (settings.step is None) == (settings.relative_step is None):
        raise UserError(f"{where} needs exactly one of 'step' and 'relative_step': give it one.")
    if "random_start" in settings.declaration.keys and settings.restarts > 1 and not settings.random_start:
        raise UserError(f"{where}.restarts would repeat the same run without a random start: set random_start.")
    if settings.targeted and settings.labels != "given":
        raise UserError(f"{where} has both 'target' and 'labels': a targeted attack leads to a class; remove one.")
    if "logit_scale" in attack and settings.loss != "scaled_cross_entropy":
        raise UserError(
            f"{where}.logit_scale has no effect on the loss {settings.loss}: set loss: scaled_cross_entropy."
        )


def _check_loss(where: str, attack: dict, config: dict, models: Iterable[str], sources: dict) -> None:
    if attack.get("loss") != "dlr":
        return
    for model in (name for name in models if name in config["models"]):
        dataset = config["models"][model]["dataset"]
        source = sources[config["datasets"][dataset]["source"]]
        if config["datasets"][dataset].get("n_classes", source.get("n_classes", 3)) < 3:
            raise UserError(f"{where}.loss is dlr, which needs three classes, but {dataset} has two: set loss: margin.")


def _check_sweep(config: dict, name: str, sweep: dict, sources: dict) -> None:
    where, text = f"iteration_sweeps.{name}", epsilon_text(sweep["epsilon"])
    if name in (*RESERVED, *config["attacks"], *cascade_of(config)):
        raise UserError(f"{where}: the name {name} means something else in the results: choose another.")
    if sweep["iterations"] != sorted(sweep["iterations"]):
        raise UserError(f"{where}.iterations are {', '.join(map(str, sweep['iterations']))}: put them in rising order.")
    _check_attack(config, where, longest_run(sweep), [text], sources)
    if float(text) == 0:
        raise UserError(f"{where}.epsilon is {text}, at which nothing is attacked: raise it.")


def _check_attack(config: dict, where: str, attack: dict, texts: list[str], sources: dict) -> None:
    unit, settings = config["epsilon_unit"], settings_of(attack)
    _check_steps(where, attack)
    check_clip(f"{where}.clip", settings)
    _check_loss(where, attack, config, attack.get("models", config["models"]), sources)
    for model in attack.get("models", []):
        if model not in config["models"]:
            raise UserError(f"{where}.models names '{model}'; this study has {', '.join(config['models'])}.")
        if is_classifier(config["models"][model]):
            raise UserError(
                f"{where}.models names '{model}', which has no gradient and is scored on the sets of networks: leave it out."
            )
    values = [float(text) for text in texts]
    for text, value in zip(texts, values, strict=True):
        if not math.isfinite(value) or value < 0:
            raise UserError(f"{where}: epsilon {text} is below 0 or no number: give the size of the perturbation.")
        if settings.norm == "0" and value > 1:
            raise UserError(
                f"{where}: epsilon {text} is the share of an image's values that may change, which is at most 1: give the "
                "attack epsilons of its own."
            )
        if settings.norm == "inf" and value > EPSILON_UNITS[unit]:
            raise UserError(
                f"{where}: epsilon {text} is above the pixel range {unit}: lower it or change epsilon_unit."
            )
        if values.count(value) > 1:
            raise UserError(f"{where}: epsilon {text} stands there twice: remove one.")
        if settings.bounded and step_of(settings, text) > value > 0:
            raise UserError(
                f"{where}.step is {settings.step}, larger than epsilon {text}, which cleverhans refuses: lower it or "
                "set relative_step."
            )
    if settings.target.isdigit():
        for model in attack.get("models", config["models"]):
            source = sources[config["datasets"][config["models"][model]["dataset"]]["source"]]
            if int(settings.target) >= source.get("n_classes", 10**9):
                raise UserError(
                    f"{where}.target is class {settings.target}, but there are {source['n_classes']}: lower it."
                )


def _check_side_by_side(config: dict, where: str, models: dict[str, list[str]], attacks: list[str]) -> None:
    """Check that models can stand in one figure under these attacks; models: by their keys below `where`."""
    for key, names, known in (
        *((key, names, "models") for key, names in models.items()),
        ("attacks", attacks, "attacks"),
    ):
        if unknown := [name for name in names if name not in config[known]]:
            raise UserError(f"{where}.{key} names '{unknown[0]}'; this study has {', '.join(config[known])}.")
    every = list(dict.fromkeys(name for names in models.values() for name in names))
    for attack in attacks:
        attacked = config["attacks"][attack].get("models", config["models"])
        if spared := [model for model in every if model not in attacked]:
            raise UserError(f"{where}: {attack} is not run on {spared[0]}: leave one of them out, or run it.")
    for key, names, kind, kind_of in (
        ("models", every, "dataset", itemgetter("dataset")),
        ("attacks", attacks, "norm", norm_of),
    ):
        kinds = {kind_of(config[key][name]) for name in names}
        if len(kinds) > 1:
            raise UserError(
                f"{where}: its {key} are of the {kind}s {' and '.join(sorted(kinds))}: make a figure for each."
            )


def _check_temperature_sweep(config: dict, where: str, sweep: dict) -> None:
    _check_side_by_side(config, where, {f"series.{name}": of for name, of in sweep["series"].items()}, sweep["attacks"])
    for name, models in sweep["series"].items():
        seen: dict[float, str] = {}
        for model in models:
            temperature = temperature_of(config, model)
            if seen.setdefault(temperature, model) != model:
                raise UserError(
                    f"{where}.series.{name}: {seen[temperature]} and {model} are both trained at temperature "
                    f"{temperature:g}: put them into two series."
                )
    for attack in sweep["attacks"]:
        texts = epsilons_of(config, attack)
        if float(sweep["epsilon"]) not in map(float, texts) or float(sweep["epsilon"]) == 0:
            raise UserError(
                f"{where}.epsilon is {sweep['epsilon']}; {attack} has {', '.join(texts)}: take one of them above 0."
            )
        if norm_of(config["attacks"][attack]) not in NORMS:
            raise UserError(
                f"{where}.attacks names '{attack}', whose norm 0 has no worst case to stand beside it: leave it out."
            )
        if not settings_of(config["attacks"][attack]).bounded:
            raise UserError(
                f"{where}.attacks names '{attack}', whose clip lets images leave the ball of epsilon, within which the worst "
                "case beside it is counted: leave it out."
            )


def _check_published(config: dict, row: Published) -> None:
    if row.model not in config["models"]:
        raise UserError(f"{row.place}: model is '{row.model}'; this study has {', '.join(config['models'])}.")
    if not row.attack:
        return
    swept = row.quantity == "iterations_accuracy"
    entries = config["iteration_sweeps"] if swept else config["attacks"]
    if row.attack not in entries:
        kind = "iteration_sweeps" if swept else "attacks"
        raise UserError(
            f"{row.place}: attack is '{row.attack}'; the {kind} of this study are {', '.join(entries) or 'none'}."
        )
    entry = entries[row.attack]
    if row.model not in entry.get("models", config["models"]):
        raise UserError(f"{row.place}: {row.attack} is not run on {row.model}: leave the row out, or run it.")
    epsilons = [epsilon_text(entry["epsilon"])] if swept else epsilons_of(config, row.attack)
    if row.quantity in AVERAGES:
        _check_average(config, row, epsilons)
        return
    if float(row.epsilon) not in map(float, epsilons):
        raise UserError(
            f"{row.place}: epsilon is {row.epsilon}; {row.attack} has {', '.join(epsilons)}: leave the row out, or add it."
        )
    if swept and int(row.iterations) not in entry["iterations"]:
        counts = ", ".join(map(str, entry["iterations"]))
        raise UserError(
            f"{row.place}: iterations is {row.iterations}; {row.attack} has {counts}: leave the row out, or add it."
        )


def _check_average(config: dict, row: Published, epsilons: list[str]) -> None:
    if not any(float(text) > 0 for text in epsilons):
        raise UserError(f"{row.place}: {row.attack} has no epsilon above 0: leave the row out, or add one.")
    if row.quantity == "average_drop":
        return
    baseline = baseline_of(config, row.model)
    if baseline is None:
        raise UserError(f"{row.place}: {row.model} has no baseline: leave the row out, or name one in its entry.")
    if row.quantity == "average_gain" and baseline not in config["attacks"][row.attack].get("models", [baseline]):
        raise UserError(
            f"{row.place}: {row.attack} is not run on {baseline}, the baseline of {row.model}: leave the row out, or run it."
        )


def check_sources(sources: dict) -> None:
    """Check that each source can be read and verified; raises UserError with one sentence."""
    for name, source in sources.items():
        where, remote = f"sources.{name}", [mirror for mirror in source["mirrors"] if is_url(mirror)]
        if idle := [key for key in ("image_size", "sha256") if key in source and source["format"] != "image_folder"]:
            raise UserError(f"{where}.{idle[0]} is for an image_folder only: remove it.")
        if source["format"] == "image_folder":
            if remote:
                raise UserError(f"{where}.mirrors: an image_folder is a folder of this machine, not {remote[0]}.")
            if "files" in source:
                raise UserError(f"{where}.files is not for an image_folder: its mirror is the folder itself.")
            continue
        if "files" not in source:
            raise UserError(f"{where} lacks the key files; add the files below its mirrors.")
        if source["format"] == "weights":
            if len(source["files"]) > 1:
                raise UserError(f"{where}.files: weights are one file, not {len(source['files'])}: remove the others.")
            if "sha256_unpacked" in source["files"][0]:
                raise UserError(f"{where}.files: weights are not unpacked: give the sha256 of the file as it is.")
            if not source["files"][0]["name"].endswith(".h5"):
                raise UserError(f"{where}.files: {source['files'][0]['name']} is no .h5 file, as Keras' weights are.")
        if source["format"] == "idx" and "classes" not in source:
            raise UserError(f"{where} lacks the key classes; an IDX file holds none, so name them.")
        for file in source["files"]:
            if remote and not ("sha256" in file or "sha256_unpacked" in file):
                raise UserError(f"{where}.files: {file['name']} comes from the network: give its sha256.")
