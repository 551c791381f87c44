"""Memory and time that jobs ask a cluster for, from the config and the sources alone (no TensorFlow, no file that a job makes).

A job that is given too little is killed, one that asks for too much waits long. So what a network costs is counted, what
images take in memory is known, and how fast a machine computes is guessed on the slow side; an attempt that fails for want
of either is followed by one with more of both (`grown` in rules/common.smk).

Memory is in MB, time in whole minutes, both of a first attempt.
"""

import functools
import math
from dataclasses import dataclass
from pathlib import Path

from robustness.config import study
from robustness.config.attack_declarations import declaration_of

# --- time ---

SAFETY = 2  # what is computed below is asked for so many times over
CPU_RATE = 65e9  # operations a second on the first thread; each further one adds half of it
GPU_RATE = 5e12  # of any GPU, since which one a cluster gives is not known here; those of 2017 do twice this in float32
ACTIVATION = 50  # operations that take as long as writing a value of a layer and reading it again
VALUE_SECONDS = 30e-9  # of NumPy or the input pipeline, for a value of an image in a pass: not on the GPU
BATCH_SECONDS = 0.005  # of a batch in a pass, for all that does not grow with its images
START_MINUTES = 10  # Python, TensorFlow, compiling, reading and writing, on a slow file system
# Minutes that any attempt of a training asks for at most: longer requests are often refused, and what is stopped goes on from
# its last whole epoch with the next attempt.
LONGEST = 24 * 60

# Passes: through the network forward is one, back to weights or pixels counts as two.
GRADIENT = 3

# --- memory ---

LIGHT = 700  # MB of a job without TensorFlow, 2 x 130 of them for Snakemake's own two processes in it
TENSORFLOW = 1500  # MB of a job with TensorFlow and a network of no size
GPU_HOST = 4000  # MB more, of the machine's memory, that a GPU's libraries take
SPARE = 1.5  # what is computed below is asked for so many times over
FLOAT = 4  # bytes of a float32
HELD = 1.0  # of all activations of a batch, what is there for a gradient of the weights (measured: 0.4 to 1)
HELD_FOR_PIXELS = 0.6  # the same for one of the pixels, which needs no layer's input (measured: 0.3 to 0.4)
LAYERS = 4  # largest layers of a batch that are there at a time where no gradient is taken
WEIGHTS = (
    10  # times all weights are there in training: gradients, the optimiser's moments, the best epoch's, the state's
)
ROW = 500  # bytes of a row of records while tables are put together and written
CHECKED = 40  # bytes a value while adversarial images are measured: set, source, differences and squares in float64

BATCH = 250  # images a batch where the config has nothing to say: scoring
GREY, COLOUR = 1, 3  # channels

# What a source that does not say it is taken for; of a folder of images on this machine the images are counted.
SHAPES = {"idx": (28, 28, GREY), "cifar": (32, 32, COLOUR)}
UNKNOWN_SHAPE = (224, 224)
N_TRAIN, N_TEST, N_CLASSES = 60_000, 10_000, 100
PHOTO_BYTES = 300_000  # of a file in a folder of images
PHOTO_SECONDS = 0.02  # of reading and scaling it


@dataclass(frozen=True, eq=False)
class Plan:
    """A study as it is planned. config: checked and filled. sources: of datasets. costs: resources/network_costs.yaml."""

    config: dict
    sources: dict
    costs: dict

    def entry(self, model: str) -> dict:
        """The config entry of a model."""
        return self.config["models"][model]

    def threads(self, kind: str) -> int:
        """Threads of a kind of job: train, distill, craft or evaluate."""
        return self.config["threads"][kind]


@dataclass(frozen=True)
class Parts:
    """The images of a dataset: how many there are in each part, their values (pixels x channels) and their classes."""

    train: int
    validation: int
    test: int
    attacked: int
    shape: tuple[int, int, int]
    classes: int

    @property
    def values(self) -> int:
        """Of one image."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Network:
    """What an image costs. operations: of a forward pass; activations, largest (layer), parameters: numbers."""

    operations: float
    activations: float
    largest: float
    parameters: float


# --- what there is ---------------------------------------------------------------------------------------------------


def _files_in(folder: Path) -> int:
    return sum(1 for _ in folder.glob("*/*"))


@functools.cache
def raw_counts(plan: Plan, source: str) -> tuple[int, int]:
    """Training and test images of a source: as it says, as they lie in its folder, or as many as such datasets have."""
    entry, counted = plan.sources[source], {}
    if entry["format"] == "image_folder":
        for key, part in (("n_train", "train"), ("n_test", "test")):
            counted[key] = max(_files_in(Path(mirror) / part) for mirror in entry["mirrors"])
    found = {key: entry.get(key) or counted.get(key) for key in ("n_train", "n_test")}
    return found["n_train"] or N_TRAIN, found["n_test"] or N_TEST


@functools.cache
def parts_of(plan: Plan, dataset: str) -> Parts:
    """The images of a dataset, as its source, its split and its limits say."""
    entry = plan.config["datasets"][dataset]
    source, split = plan.sources[entry["source"]], entry["split"]
    n_train, n_test = raw_counts(plan, entry["source"])
    n_train, n_test = min(n_train, split.get("train_limit", n_train)), min(n_test, split.get("test_limit", n_test))
    holdout = split["protocol"] == "holdout"
    validation = round(split["validation_fraction"] * n_train) if holdout else n_test
    shape = SHAPES.get(source["format"])
    if shape is None:
        channels = GREY if source.get("colour") == "grey" else COLOUR
        shape = (*source.get("image_size", UNKNOWN_SHAPE), channels)
    return Parts(
        n_train - validation if holdout else n_train,
        validation,
        n_test,
        entry["evaluation"]["n"],
        shape,
        entry.get("n_classes", source.get("n_classes", N_CLASSES)),
    )


def data_of(plan: Plan, model: str) -> Parts:
    """The images of a model's dataset."""
    return parts_of(plan, plan.entry(model)["dataset"])


@functools.cache
def network_of(plan: Plan, model: str) -> Network:
    """What a model's network costs an image, scaled to the image's pixels and the network's width, whatever its head.

    A defence around a network is counted as so many of these as it may ask: for the image and each way of squeezing it, or two.
    Of a classifier of another technique an answer costs a look at each training image, as in nearest neighbours.
    """
    entry, parts = plan.entry(model), data_of(plan, model)
    if "wraps" in entry:
        inside, asked = network_of(plan, entry["wraps"]), 1 + len(entry["defence"].get("squeezers", [1]))
        return Network(inside.operations * asked, inside.activations * asked, inside.largest, inside.parameters)
    if study.is_classifier(entry):
        return Network(3.0 * parts.train * parts.values, 0, 0, parts.train * parts.values)
    cost = plan.costs.get(entry["architecture"], plan.costs["default"])
    pixels = math.prod(parts.shape[:2]) * entry.get("upsampling", 1) ** 2 / math.prod(cost["image"][:2])
    width = entry.get("width", 1)
    activations = 1e3 * cost["activations"] * pixels * width
    convolved = 1e3 * (cost["parameters"] - cost["dense_parameters"]) * width**2
    return Network(
        2e6 * cost["multiply_adds"] * pixels * width**2 + ACTIVATION * activations,
        activations,
        1e3 * cost["largest"] * pixels * width,
        convolved + 1e3 * cost["dense_parameters"] * max(pixels, 1),
    )


# --- from work to minutes and MB -------------------------------------------------------------------------------------


def minutes(seconds: float) -> int:
    """What to ask for where so many seconds are expected."""
    return START_MINUTES + math.ceil(SAFETY * seconds / 60)


def megabytes(base: int, size: float) -> int:
    """What to ask for where a program takes base MB and so many bytes besides, in hundreds."""
    return base + 100 * math.ceil(SPARE * size / 1e8)


def seconds(plan: Plan, model: str, kind: str, images: float, passes: float, batch_size: int = BATCH) -> float:
    """Of so many passes of so many images through a model, in jobs of a kind."""
    threads = 1 if study.is_classifier(plan.entry(model)) else plan.threads(kind)
    on_gpu = plan.config["gpu"] and not study.is_classifier(plan.entry(model))
    rate = GPU_RATE if on_gpu else CPU_RATE * (threads + 1) / 2
    image = network_of(plan, model).operations / rate + data_of(plan, model).values * VALUE_SECONDS
    return passes * (images * image + math.ceil(images / batch_size) * BATCH_SECONDS)


def base_of(plan: Plan) -> int:
    """MB of a job with TensorFlow."""
    return TENSORFLOW + (GPU_HOST if plan.config["gpu"] else 0)


def _held(plan: Plan, model: str, images: int, share: float = 0) -> float:
    """Bytes of a batch inside a network; none of the machine's own memory on a GPU. share: of all activations, for a gradient."""
    network = network_of(plan, model)
    values = max(share * network.activations, LAYERS * network.largest)
    return 0 if plan.config["gpu"] else FLOAT * images * values


def _weights(plan: Plan, *models: str) -> float:
    """Bytes of networks that are loaded, and of the files that they are read from."""
    return sum(2 * FLOAT * network_of(plan, model).parameters for model in models)


# --- training --------------------------------------------------------------------------------------------------------


def training_seconds(plan: Plan, model: str) -> float:
    """Of a training of all its epochs.

    Adversarial training takes a gradient for each step to a neighbour, and learns from the neighbour too. So does, it is
    assumed, a defence that trains in its own way, with one step where it has no `iterations`.
    """
    entry, parts = plan.entry(model), data_of(plan, model)
    recipe, kind = entry["training"], "distill" if "teacher" in entry else "train"
    train, validation, learn, look = parts.train, parts.validation, GRADIENT, 1
    if own := entry.get("adversarial", entry.get("defence")):
        steps = own.get("iterations", 1) * GRADIENT
        learn, look = 2 * GRADIENT + steps, 2 + steps
    others = 0.0
    if "teacher" in entry:
        others = recipe["epochs"] * seconds(plan, entry["teacher"], kind, train + validation, 1)
    if substitute := entry.get("substitute"):
        rounds, first = substitute["rounds"], substitute["images"]
        asked = first * 2 ** (rounds - 1)
        others = seconds(plan, substitute["of"], kind, asked, 1) + seconds(plan, model, kind, asked, GRADIENT)
        train, validation = first * (2**rounds - 1), validation * rounds
    batch = recipe["batch_size"]
    epoch = seconds(plan, model, kind, train, learn, batch) + seconds(plan, model, kind, validation, look, batch)
    return recipe["epochs"] * epoch + others


@functools.cache
def training_minutes(plan: Plan, model: str) -> int:
    """Of a training, whole. One that goes on where it was stopped asks for LONGEST at most (rules/train.smk)."""
    return minutes(training_seconds(plan, model))


@functools.cache
def training_memory(plan: Plan, model: str) -> int:
    """Of a training: images in 8 bits, labels, rectangles of erasing, a batch inside the network, weights and their copies."""
    entry, parts = plan.entry(model), data_of(plan, model)
    n, batch = parts.train + parts.validation, entry["training"]["batch_size"]
    size = n * (2 * parts.values + FLOAT * parts.classes)
    if entry["erasing"]:
        size += 2 * erasing_bytes(plan, entry["dataset"])
    graphs = 2 if "adversarial" in entry or "defence" in entry else 1
    size += graphs * _held(plan, model, batch, HELD) + WEIGHTS * FLOAT * network_of(plan, model).parameters
    size += _weights(plan, *study.trained_after(entry))
    if "teacher" in entry:
        size += _held(plan, entry["teacher"], batch)
    if substitute := entry.get("substitute"):
        size += 4 * FLOAT * parts.values * substitute["images"] * 2 ** (substitute["rounds"] - 1)
        size += _held(plan, model, BATCH, HELD_FOR_PIXELS) + _held(plan, substitute["of"], BATCH)
    return megabytes(base_of(plan), size)


@functools.cache
def classifier_memory(plan: Plan, model: str) -> int:
    """Of fitting a classifier of another technique: its images in float64, a few times over."""
    parts = data_of(plan, model)
    n = plan.entry(model)["technique"].get("images", parts.train)
    return megabytes(TENSORFLOW, parts.train * parts.values + 4 * 2 * FLOAT * n * parts.values)


# --- attacks ---------------------------------------------------------------------------------------------------------


def attack_passes(attack: dict, values: int, epsilon: float = 1) -> float:
    """Forward and backward passes of an image under an attack's entry; of norm 0 two gradients for each pair of values.

    Keys that only one attack has and that are not named here are taken for such that cost nothing.
    """
    restarts = attack.get("restarts", 1)
    gradients = attack.get("iterations", 1) * restarts * attack.get("binary_search_steps", 1)
    if study.norm_of(attack) == "0":
        gradients += epsilon * values / abs(attack.get("theta", 1))
    return GRADIENT * gradients + attack.get("queries", restarts)


def _crafting(plan: Plan, model: str, attack: dict, epsilon: float = 1, images: int | None = None) -> float:
    """Seconds of an attack at one epsilon, on all images that are attacked or so many."""
    parts = data_of(plan, model)
    n = parts.attacked if images is None else images
    batch = plan.config["batch_size_attack"]
    return seconds(plan, model, "craft", n, attack_passes(attack, parts.values, epsilon), batch)


@functools.cache
def crafting_memory(plan: Plan, model: str) -> int:
    """Of crafting a set with any attack: the batch of a gradient, images and what is found."""
    parts = data_of(plan, model)
    batch = min(parts.attacked, plan.config["batch_size_attack"])
    size = _held(plan, model, batch, HELD_FOR_PIXELS) + _weights(plan, model) + CHECKED * parts.attacked * parts.values
    return megabytes(base_of(plan), size)


@functools.cache
def path_memory(plan: Plan, model: str, attack: str) -> int:
    """Of what an attack shares at all epsilons: as of a set, with two bits for the sign of each value at each step."""
    parts, steps = data_of(plan, model), plan.config["attacks"][attack].get("iterations", 1)
    signs = 0 if _nearest(plan, attack) else steps * parts.attacked * parts.values / 4
    return crafting_memory(plan, model) + megabytes(0, 2 * signs)


def _nearest(plan: Plan, attack: str) -> bool:
    """Whether an attack looks for the nearest example, once for all epsilons."""
    return declaration_of(plan.config["attacks"][attack]["method"]).minimum_norm


@functools.cache
def path_minutes(plan: Plan, model: str, attack: str) -> int:
    """Of what an attack shares at all epsilons: a whole run of it."""
    return minutes(_crafting(plan, model, plan.config["attacks"][attack]))


@functools.cache
def set_minutes(plan: Plan, model: str, attack: str, epsilon: str) -> int:
    """Of one set: a whole run of its attack, since how far a shared way leads is not known; nothing of one of least norm."""
    entry = plan.config["attacks"][attack]
    return minutes(0 if _nearest(plan, attack) else _crafting(plan, model, entry, float(epsilon)))


@functools.cache
def sweep_memory(plan: Plan, model: str, sweep: str) -> int:
    """Of an iteration sweep: a set for each number of iterations, and a copy as it is written."""
    parts, counts = data_of(plan, model), plan.config["iteration_sweeps"][sweep]["iterations"]
    return crafting_memory(plan, model) + megabytes(0, 2 * FLOAT * len(counts) * parts.attacked * parts.values)


@functools.cache
def sweep_minutes(plan: Plan, model: str, sweep: str) -> int:
    """Of an iteration sweep: its longest run."""
    return minutes(_crafting(plan, model, study.longest_run(plan.config["iteration_sweeps"][sweep])))


def _cascade(plan: Plan, norm: str) -> list[dict]:
    """The attacks of the worst case that work in a norm."""
    cascade = study.cascade_of(plan.config).values()
    return [attack for attack in cascade if norm in declaration_of(attack["method"]).norms]


@functools.cache
def worst_case_minutes(plan: Plan, model: str, norm: str) -> int:
    """Of the cascade, as if every image withstood its first round at every epsilon, and a quarter of them a second one.

    Attacks of least norm run once for all epsilons. A robust model takes longer, and gets that at a second attempt.
    """
    n_epsilons, total = len(study.worst_case_epsilons(plan.config, model, norm)), 0.0
    for attack in _cascade(plan, norm):
        runs = 1 if declaration_of(attack["method"]).minimum_norm else n_epsilons
        total += runs * _crafting(plan, model, attack)
    second = 2 / 4 if plan.config["worst_case"]["rounds"] > 1 else 0  # twice the effort on a quarter of the images
    return minutes((1 + second) * total)


@functools.cache
def worst_case_memory(plan: Plan, model: str, norm: str) -> int:
    """Of the cascade: as of a set, with the best images that were found, and the records of all attacks."""
    parts = data_of(plan, model)
    found = 2 * FLOAT * parts.values + ROW * (_sets_of(plan, model, norm) + _sets_of_others(plan, model))
    return crafting_memory(plan, model) + megabytes(0, parts.attacked * found)


@functools.cache
def probe_minutes(plan: Plan, model: str) -> int:
    """Of the probes: for each attack and epsilon one step and twice its iterations, for each epsilon noise and a search; for
    each attack and the cascade a huge epsilon; a gradient of every image for each attack.
    """
    config, parts = plan.config, data_of(plan, model)
    passes, total = 0.0, 0.0
    for norm in study.norms_of(config, model):
        texts = study.worst_case_epsilons(config, model, norm)
        passes += len(texts) * (config["diagnosis"]["queries"] + 1)
        passes += sum(attack_passes(attack, parts.values) for attack in _cascade(plan, norm))
    for name in study.attacks_on(config, model):
        attack, texts = config["attacks"][name], study.epsilons_of(config, name)
        total += seconds(plan, model, "evaluate", parts.attacked, GRADIENT)
        if study.norm_of(attack) != "0":
            passes += (2 * len(texts) + 1) * attack_passes(attack, parts.values) + len(texts) * GRADIENT
    n = min(config["diagnosis"]["images"], parts.attacked)
    return minutes(total + seconds(plan, model, "evaluate", n, passes, config["batch_size_attack"]))


@functools.cache
def probe_memory(plan: Plan, model: str) -> int:
    """Of the probes: as of a set, but that zero gradients are counted in batches of a size of their own."""
    parts = data_of(plan, model)
    batch = max(min(parts.attacked, BATCH), min(plan.config["diagnosis"]["images"], plan.config["batch_size_attack"]))
    size = _held(plan, model, batch, HELD_FOR_PIXELS) + _weights(plan, model) + CHECKED * parts.attacked * parts.values
    return megabytes(base_of(plan), size)


# --- scoring ---------------------------------------------------------------------------------------------------------


def _scoring_memory(plan: Plan, model: str, n_sets: int, n_held: int = 1) -> int:
    """Of scoring so many sets of the images that are attacked, n_held of them in memory at a time."""
    parts = data_of(plan, model)
    n = parts.attacked
    size = _held(plan, model, min(n, BATCH)) + _weights(plan, model) + ROW * n * n_sets
    return megabytes(base_of(plan), size + (CHECKED + FLOAT * n_held) * n * parts.values)


def _scoring_minutes(plan: Plan, model: str, n_sets: int) -> int:
    """Of scoring so many sets of the images that are attacked; checking a set takes NumPy as long as some passes do."""
    parts = data_of(plan, model)
    checks = 10 * VALUE_SECONDS * parts.attacked * parts.values
    return minutes(n_sets * (seconds(plan, model, "evaluate", parts.attacked, 1) + checks))


@functools.cache
def _sets_of(plan: Plan, model: str, norm: str | None = None) -> int:
    """The sets within epsilon that are crafted on a model, in one norm or in all."""
    attacks = study.bounded_attacks_on(plan.config, model, norm)
    return sum(len(study.epsilons_of(plan.config, attack)) for attack in attacks)


@functools.cache
def _sets_of_others(plan: Plan, model: str) -> int:
    """The sets that are crafted on the other models of a model's dataset."""
    models, dataset = plan.config["models"], plan.entry(model)["dataset"]
    others = [name for name, entry in models.items() if name != model and entry["dataset"] == dataset]
    return sum(_sets_of(plan, other) for other in others)


@functools.cache
def attack_scoring_memory(plan: Plan, model: str, attack: str) -> int:
    """Of scoring an attack at all its epsilons, set by set."""
    return _scoring_memory(plan, model, len(study.epsilons_of(plan.config, attack)))


@functools.cache
def attack_scoring_minutes(plan: Plan, model: str, attack: str) -> int:
    """Of the same."""
    return _scoring_minutes(plan, model, len(study.epsilons_of(plan.config, attack)))


@functools.cache
def sweep_scoring_memory(plan: Plan, model: str, sweep: str) -> int:
    """Of scoring an iteration sweep, whose sets are one file."""
    n_sets = len(plan.config["iteration_sweeps"][sweep]["iterations"])
    return _scoring_memory(plan, model, n_sets, n_sets)


@functools.cache
def sweep_scoring_minutes(plan: Plan, model: str, sweep: str) -> int:
    """Of the same."""
    return _scoring_minutes(plan, model, len(plan.config["iteration_sweeps"][sweep]["iterations"]))


@functools.cache
def transfer_memory(plan: Plan, model: str) -> int:
    """Of scoring a model on the sets of all others, set by set."""
    return _scoring_memory(plan, model, _sets_of_others(plan, model))


@functools.cache
def transfer_minutes(plan: Plan, model: str) -> int:
    """Of the same."""
    return _scoring_minutes(plan, model, _sets_of_others(plan, model))


@functools.cache
def worst_case_scoring_memory(plan: Plan, model: str, norm: str) -> int:
    """Of scoring what the cascade found, and of reading the records of all attacks in a norm, transfer among them."""
    return _scoring_memory(plan, model, _sets_of(plan, model, norm) + _sets_of_others(plan, model))


@functools.cache
def worst_case_scoring_minutes(plan: Plan, model: str, norm: str) -> int:
    """Of the same; one set, reckoned as one an epsilon."""
    return _scoring_minutes(plan, model, len(study.worst_case_epsilons(plan.config, model, norm)))


@functools.cache
def clean_memory(plan: Plan, model: str) -> int:
    """Of scoring validation and test images, or of measuring on them: the larger part in float32, a few times over."""
    parts = data_of(plan, model)
    n = max(parts.validation, parts.test)
    size = _held(plan, model, min(n, BATCH)) + _weights(plan, model) + n * (4 * FLOAT * parts.values + ROW)
    return megabytes(base_of(plan), size)


@functools.cache
def clean_minutes(plan: Plan, model: str) -> int:
    """Of scoring validation and test images."""
    parts = data_of(plan, model)
    return minutes(seconds(plan, model, "evaluate", parts.validation + parts.test, 1))


# --- datasets --------------------------------------------------------------------------------------------------------


def erasing_bytes(plan: Plan, dataset: str) -> int:
    """Of the rectangles of random erasing: four numbers of 16 bits for each training image and pass."""
    return 8 * parts_of(plan, dataset).train * plan.config["datasets"][dataset]["erasing"]["passes"]


@functools.cache
def erasing_memory(plan: Plan, dataset: str) -> int:
    """Of drawing these: twice all of them, and what a pass draws from."""
    return megabytes(LIGHT, 2 * erasing_bytes(plan, dataset) + 100 * parts_of(plan, dataset).train)


@functools.cache
def erasing_minutes(plan: Plan, dataset: str) -> int:
    """Of drawing these: a microsecond or two each."""
    return minutes(erasing_bytes(plan, dataset) / 8 * 2e-6)


@functools.cache
def preprocessing_memory(plan: Plan, dataset: str) -> int:
    """Of reading and splitting a dataset: all of its images six times over, and the files of a folder of images."""
    source = plan.config["datasets"][dataset]["source"]
    photo = PHOTO_BYTES if plan.sources[source]["format"] == "image_folder" else 0
    return megabytes(LIGHT, sum(raw_counts(plan, source)) * (6 * parts_of(plan, dataset).values + photo))


@functools.cache
def preprocessing_minutes(plan: Plan, dataset: str) -> int:
    """Of reading and splitting a dataset."""
    source = plan.config["datasets"][dataset]["source"]
    folder = plan.sources[source]["format"] == "image_folder"
    image = PHOTO_SECONDS if folder else 10 * VALUE_SECONDS * parts_of(plan, dataset).values
    return minutes(sum(raw_counts(plan, source)) * image)
