"""The networks: their size counted by hand, their heads, their pixels, their pretrained weights."""

import functools
from importlib import import_module
from itertools import pairwise

import h5py
import keras
import numpy as np
import pytest

from robustness.errors import UserError
from robustness.models.architectures import ARCHITECTURES, build
from robustness.models.imagenet_bases import blue_green_red, minus_one_to_one
from robustness.models.model_files import load_network, predict_logits, save_network
from robustness.models.network_settings import TRAINABLE, WITH_BASE, NetworkSettings, check_head, parse_word

RANGE = (0.0, 1.0)
LIGHT = [name for name in ARCHITECTURES if name not in WITH_BASE]
RNG = np.random.default_rng(0)


@functools.cache
def network(name, shape=(32, 32, 3), **settings):
    keras.utils.set_random_seed(2)
    return build(name, shape, 10, RANGE, NetworkSettings(**settings))


def convolutions(*channels):
    """Kernels of 3 x 3 with biases between so many channels, and four numbers a normalised channel."""
    return sum(9 * a * b + b + 4 * b for a, b in pairwise(channels))


def inception(channels, ones, threes):
    """A convolution of 1 x 1 beside one of 3 x 3, each normalised."""
    return (channels + 5) * ones + (9 * channels + 5) * threes


INCEPTION = sum(
    [
        (27 + 5) * 96,
        inception(96, 32, 32) + inception(64, 32, 48),
        (9 * 80 + 5) * 80,
        inception(160, 112, 48) + inception(160, 96, 64) + inception(160, 80, 80) + inception(160, 48, 96),
        (9 * 144 + 5) * 96,
        inception(240, 176, 160) + inception(336, 176, 160),
        336 * 10 + 10,
    ]
)
HALF_INCEPTION = sum(
    [
        (27 + 5) * 48,
        inception(48, 16, 16) + inception(32, 16, 24),
        (9 * 40 + 5) * 40,
        inception(80, 56, 24) + inception(80, 48, 32) + inception(80, 40, 40) + inception(80, 24, 48),
        (9 * 72 + 5) * 48,
        inception(120, 88, 80) + inception(168, 88, 80),
        168 * 10 + 10,
    ]
)
THESIS_VGG = convolutions(3, 64, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512)
HALF_VGG = (32, 32, 64, 64, 128, 128, 256, 256, 256, 256, 256)
VGG_HEAD = 512 + 4 * 512 + (5120 + 10) + 4 * 10


@pytest.mark.parametrize(
    ("name", "shape", "settings", "by_hand"),
    [
        # Appendices A and B of the report.
        ("report_cnn", (28, 28, 1), {}, 320 + 18496 + 256 + 73856 + 147584 + 4 * 1152 + (1152 * 512 + 512) + 5130),
        ("report_student_cnn", (28, 28, 1), {}, 320 + 9248 + 256 + 18496 + 36928 + 512 + (3136 * 512 + 512) + 5130),
        # Listing A.1 of the thesis: four poolings leave 10 x 10 of 160 x 160 pixels, and 2 x 2 of 32 x 32.
        ("vgg16", (32, 32, 3), {"upsampling": 5}, THESIS_VGG + 10 * 10 * 512 * 512 + VGG_HEAD),
        ("vgg16", (32, 32, 3), {}, THESIS_VGG + 2 * 2 * 512 * 512 + VGG_HEAD),
        ("vgg11", (32, 32, 3), {}, convolutions(3, 64, 128, 256, 256, 512, 512, 512, 512) + 512 * 512 + VGG_HEAD),
        ("lenet5", (32, 32, 1), {}, 61706),  # LeCun et al. 1998 with full connections between the maps
        # Zhang et al. 2017, figure 3.
        ("inception_small", (28, 28, 3), {}, INCEPTION),
        # He et al. 2015, table 6: 0.27 million; a convolution's kernel, four numbers a normalised channel.
        (
            *("resnet20", (32, 32, 3), {}),
            (432 + 64) + 6 * (2304 + 64) + (4608 + 5 * 9216 + 6 * 128) + (18432 + 5 * 36864 + 6 * 256) + 650,
        ),
        # The documented size with its classifier of 1,000 classes, less that, plus the listing's head.
        (
            *("resnet50", (32, 32, 3), {}),
            25636712 - 2049000 + (2048 * 256 + 256) + 4 * 256 + 2570,
        ),
        (
            *("inception_v3", (32, 32, 3), {"upsampling": 3}),
            (23851784 - 2049000)
            + (2048 * 1024 + 1024)
            + (1024 * 512 + 512)
            + 4 * 512
            + (512 * 256 + 256)
            + 4 * 256
            + 2570,
        ),
        # Half the filters in every convolution, dense layers as they are.
        ("vgg16", (32, 32, 3), {"width": 0.5}, convolutions(3, *HALF_VGG) + 2 * 2 * 256 * 512 + VGG_HEAD),
        ("vgg11", (32, 32, 3), {"width": 0.5}, convolutions(3, 32, 64, *[128] * 2, *[256] * 4) + 256 * 512 + VGG_HEAD),
        (
            *("resnet20", (32, 32, 3), {"width": 0.25}),
            (108 + 16) + 6 * (144 + 16) + (288 + 5 * 576 + 6 * 32) + (1152 + 5 * 2304 + 6 * 64) + 170,
        ),
        ("inception_small", (32, 32, 3), {"width": 0.5}, HALF_INCEPTION),
        ("mobilenet_v2", (32, 32, 3), {}, 3538984 - 1281000 + 12810),
    ],
)
def test_networks_have_the_documents_size(name, shape, settings, by_hand):
    assert network(name, shape, **settings).count_params() == by_hand


@pytest.mark.parametrize("name", LIGHT)
@pytest.mark.parametrize("pixel_range", [(0.0, 255.0), (-1.0, 1.0)])
def test_networks_put_out_logits_and_see_the_same_image_in_every_range(name, pixel_range):
    keras.utils.set_random_seed(2)
    unit, other = network(name), build(name, (32, 32, 3), 10, pixel_range)
    other.set_weights(unit.get_weights())
    x = np.random.default_rng(0).random((3, 32, 32, 3), dtype="f4")
    low, high = pixel_range
    logits = predict_logits(other, x * (high - low) + low)
    np.testing.assert_allclose(logits, predict_logits(unit, x), atol=1e-4)
    assert logits.shape == (3, 10) and (logits < 0).any() and not np.allclose(logits.sum(axis=1), 1)


@pytest.mark.parametrize("name", ["resnet20", "vgg11", "mobilenet_v2", "resnet50"])
def test_a_saved_network_is_the_same_function(name, tmp_path):
    keras.utils.set_random_seed(2)
    save_network(network(name), tmp_path / "a.keras")
    x = np.random.default_rng(0).random((2, 32, 32, 3), dtype="f4")
    loaded = load_network(tmp_path / "a.keras", (32, 32, 3), 10)
    assert predict_logits(loaded, x).tobytes() == predict_logits(network(name), x).tobytes()


def test_upsampling_repeats_each_pixel():
    keras.utils.set_random_seed(2)
    small, large = network("lenet5", (16, 16, 1), upsampling=2), network("lenet5", (32, 32, 1))
    large.set_weights(small.get_weights())
    x = np.random.default_rng(0).random((2, 16, 16, 1), dtype="f4")
    repeated = x.repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_allclose(predict_logits(small, x), predict_logits(large, repeated), atol=1e-6)


def test_the_first_two_stages_of_resnet20_are_those_of_the_paper():
    """Stride 2 drops every second pixel of the shortcut, and its new channels are zero."""
    whole = network("resnet20")
    add = [layer for layer in whole.layers if isinstance(layer, keras.layers.Add)]
    shortcut = add[3].input[0] if isinstance(add[3].input, list) else add[3].input
    x = np.random.default_rng(1).random((2, 32, 32, 3), dtype="f4")
    before, behind = keras.Model(whole.input, [whole.layers[whole.layers.index(add[2]) + 1].output, shortcut])(x)
    before, behind = np.asarray(before), np.asarray(behind)
    assert before.shape == (2, 32, 32, 16) and behind.shape == (2, 16, 16, 32)
    np.testing.assert_array_equal(behind[..., :16], before[:, ::2, ::2])
    assert not behind[..., 16:].any()


# --- heads -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "parsed"),
    [
        ("flatten", ("flatten", ())),
        ("dense 256", ("dense", ("256", ""))),
        ("dense 84 tanh", ("dense", ("84", " tanh"))),
        ("dropout .3", ("dropout", (".3",))),
        ("logits", ("logits", ("",))),
        ("logits undecayed", ("logits", (" undecayed",))),
    ],
)
def test_words_of_a_head(word, parsed):
    assert parse_word(word) == parsed


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        (["flatten", "dense 0", "logits"], "can't have 'dense 0'"),
        (["flatten", "softmax"], "can't have 'softmax'"),
        (["flatten", "dropout 1.5", "logits"], "can't have 'dropout 1.5'"),
        (["flatten", "dense 8"], "exactly once, not 0 times"),
        (["flatten", "logits", "logits"], "exactly once, not 2 times"),
        (["dense 8", "flatten", "logits"], "before its first dense layer"),
        (["batch_normalization", "logits"], "before its first dense layer"),
    ],
)
def test_a_wrong_head_is_refused_in_one_sentence(head, sentence):
    with pytest.raises(UserError, match=sentence):
        check_head(tuple(head))
    with pytest.raises(UserError, match=sentence):
        build("lenet5", (16, 16, 1), 4, RANGE, NetworkSettings(head=tuple(head)))


def test_a_head_of_ones_own():
    head = ("global_average_pooling", "dense 7 relu", "dropout 0.5", "batch_normalization", "logits")
    made = build("lenet5", (16, 16, 1), 4, RANGE, NetworkSettings(head=head, weight_decay=0.1))
    kinds = [type(layer).__name__ for layer in made.layers[-5:]]
    assert kinds == ["GlobalAveragePooling2D", "Dense", "Dropout", "BatchNormalization", "Dense"]
    x = (
        np.random.default_rng(0).normal(size=(3, 16)).astype("f4")
    )  # what the features put out, by hand through the head
    inner = keras.Model(made.layers[-5].output, made.output)
    (kernel, bias), (gamma, beta, mean, variance) = made.layers[-4].get_weights(), made.layers[-2].get_weights()
    hidden = np.maximum(x @ kernel + bias, 0)
    hidden = gamma * (hidden - mean) / np.sqrt(variance + made.layers[-2].epsilon) + beta
    last, constant = made.layers[-1].get_weights()
    np.testing.assert_allclose(np.asarray(inner(x)), hidden @ last + constant, atol=1e-5)


@pytest.mark.parametrize(("words", "decayed"), [("logits", True), ("logits undecayed", False)])
def test_weight_decay_is_the_sum_of_squared_kernels(words, decayed):
    made = build("lenet5", (16, 16, 1), 4, RANGE, NetworkSettings(head=("flatten", words), weight_decay=0.1))
    kernels = [np.asarray(weight) for weight in made.weights if weight.name == "kernel"]
    counted = kernels if decayed else kernels[:-1]
    assert len(kernels) == 3
    assert float(sum(made.losses)) == pytest.approx(0.1 * sum((kernel**2).sum() for kernel in counted), rel=1e-5)


def test_every_network_has_a_valid_head_of_its_own():
    for name in ARCHITECTURES:
        check_head(import_module(f"robustness.networks.{name}").HEAD)


@pytest.mark.parametrize(
    ("name", "shape", "settings", "sentence"),
    [
        (
            "alexnet",
            (32, 32, 3),
            {},
            "there is no architecture alexnet: choose one of inception_small, inception_v3, lenet5",
        ),
        ("vgg16", (8, 8, 3), {}, "vgg16 can't be built for 8x8 images: use larger ones, or upsampling"),
        ("inception_v3", (32, 32, 3), {"upsampling": 2}, "inception_v3 can't be built for 64x64 images"),
        ("lenet5", (32, 32, 3), {"weights": "w.h5"}, "lenet5 has no pretrained base"),
        ("vgg16", (32, 32, 3), {"trainable": "head"}, "vgg16 has no pretrained base"),
        ("lenet5", (32, 32, 3), {"width": 0.5}, "lenet5 has one width: width is for inception_small, resnet20, vgg11"),
    ],
)
def test_what_no_network_can_be_is_told(name, shape, settings, sentence):
    with pytest.raises(UserError, match=sentence):
        build(name, shape, 10, RANGE, NetworkSettings(**settings))


# --- pretrained bases ------------------------------------------------------------------------------------------------

APPLICATIONS = {  # of keras.applications, and what it does to pixels on [0, 255]
    "resnet50": (keras.applications.ResNet50, keras.applications.resnet50.preprocess_input, blue_green_red),
    "inception_v3": (
        keras.applications.InceptionV3,
        keras.applications.inception_v3.preprocess_input,
        minus_one_to_one,
    ),
    "mobilenet_v2": (
        keras.applications.MobileNetV2,
        keras.applications.mobilenet_v2.preprocess_input,
        minus_one_to_one,
    ),
}


@pytest.mark.parametrize("name", WITH_BASE)
def test_pixels_reach_a_base_as_its_weights_expect_them(name):
    _, expected, prepared = APPLICATIONS[name]
    pixels = keras.layers.Input((4, 4, 3))
    x = RNG.random((2, 4, 4, 3), dtype="f4")
    ours = keras.Model(pixels, prepared(pixels))(x)
    np.testing.assert_allclose(np.asarray(ours), expected(x.copy() * 255), atol=1e-4)


@pytest.fixture(scope="module")
def made_weights(tmp_path_factory):
    """Files of drawn weights of MobileNetV2, without its classifier and with it, and what is in the first."""
    folder = tmp_path_factory.mktemp("weights")
    keras.utils.set_random_seed(5)
    base = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(32, 32, 3))
    base.set_weights([RNG.normal(size=w.shape).astype("f4") ** 2 for w in base.get_weights()])  # no variance below 0
    base.save_weights(folder / "base.weights.h5")
    whole = keras.applications.MobileNetV2(include_top=True, weights=None)
    whole.set_weights(base.get_weights() + whole.get_weights()[-2:])
    whole.save_weights(folder / "whole.weights.h5")
    write_old_layout(base, folder / "base.h5")
    write_old_layout(whole, folder / "whole.h5")
    return folder, base.get_weights()


def write_old_layout(model, path):
    """The layout of the files that keras.applications publishes: a group a layer, the names of all as attributes."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        for layer in model.layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{weight.name}:0" for weight in layer.weights]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, weight in zip(names, layer.weights, strict=True):
                group[name] = np.asarray(weight)


@pytest.mark.parametrize("file", ["base.weights.h5", "whole.weights.h5", "base.h5", "whole.h5"])
def test_pretrained_weights_reach_the_base(made_weights, file):
    folder, expected = made_weights
    made = build("mobilenet_v2", (32, 32, 1), 4, RANGE, NetworkSettings(weights=str(folder / file), upsampling=2))
    base = next(layer for layer in made.layers if isinstance(layer, keras.Model))
    assert base.input_shape == (None, 64, 64, 3)  # grey images go to all three channels
    for ours, theirs in zip(base.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_what_holds_no_weights_of_the_base_is_refused(tmp_path):
    (tmp_path / "text.h5").write_text("no weights at all")
    network("lenet5").save_weights(tmp_path / "other.weights.h5")
    write_old_layout(network("lenet5"), tmp_path / "other.h5")
    for name in ("text.h5", "other.weights.h5", "other.h5"):
        with pytest.raises(UserError, match=f"{name} does not hold weights of mobilenet"):
            build("mobilenet_v2", (32, 32, 3), 4, RANGE, NetworkSettings(weights=str(tmp_path / name)))


@pytest.mark.parametrize("trainable", TRAINABLE)
def test_a_step_changes_what_of_the_base_is_trainable(made_weights, trainable):
    folder, _ = made_weights
    settings = NetworkSettings(weights=str(folder / "base.h5"), trainable=trainable, weight_decay=0.01)
    made = build("mobilenet_v2", (32, 32, 3), 4, RANGE, settings)
    base = next(layer for layer in made.layers if isinstance(layer, keras.Model))
    before = {variable.path: np.asarray(variable) for variable in made.weights}
    penalty = sum(
        0.01 * (np.asarray(v) ** 2).sum() for v in made.trainable_variables if v.name in ("kernel", "depthwise_kernel")
    )
    assert float(sum(made.losses)) == pytest.approx(penalty, rel=1e-4)
    made.compile(keras.optimizers.SGD(1e-6), keras.losses.CategoricalCrossentropy(from_logits=True))
    made.fit(RNG.random((4, 32, 32, 3), dtype="f4"), np.eye(4, dtype="f4"), verbose=0)
    changed = {path for path, value in before.items() if not np.array_equal(value, np.asarray(by_path(made)[path]))}
    normalised = {
        weight.path for layer in base.layers if "BatchNorm" in type(layer).__name__ for weight in layer.weights
    }
    of_base = {weight.path for weight in base.weights}
    assert {path for path in changed if path not in of_base}  # the head learns in any case
    expected = {"all": of_base, "batch_normalization": normalised, "head": set()}[trainable]
    assert changed & of_base <= expected
    assert len(changed & expected) >= 0.5 * len(expected)  # where a ReLU is shut for all four images nothing moves


def by_path(model):
    return {variable.path: variable for variable in model.weights}
