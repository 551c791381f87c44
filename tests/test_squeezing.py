"""Feature squeezing against SciPy's filters, and what an attack's gradient sees of it."""

import keras
import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf
from networks import curved_network, images

from robustness.attacks.attack_settings import AttackSettings
from robustness.attacks.crafting import craft
from robustness.data.datasets import DatasetInfo, to_pixels
from robustness.defences import feature_squeezing
from robustness.errors import UserError
from robustness.models.model_files import load_network, predict_logits, save_network
from robustness.models.squeezing import squeezer
from robustness.training.defence_task import Task

CLIP = (0.0, 1.0)
SHAPE = (8, 6, 2)
X = np.random.default_rng(0).random((5, *SHAPE), np.float32)


def filtered(filter_of, x):
    """A SciPy filter of every image and channel by itself."""
    return np.stack([np.stack([filter_of(image[..., c]) for c in range(image.shape[-1])], -1) for image in x])


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("bit_depth 1", lambda x: np.round(x)),
        ("bit_depth 3", lambda x: np.round(x * 7) / 7),
        ("bit_depth 7", lambda x: np.round(x * 127) / 127),
        ("median 2", lambda x: filtered(lambda image: scipy.ndimage.median_filter(image, 2), x)),
        ("median 3", lambda x: filtered(lambda image: scipy.ndimage.median_filter(image, 3), x)),
        ("median 5", lambda x: filtered(lambda image: scipy.ndimage.median_filter(image, 5), x)),
        ("gaussian 1", lambda x: filtered(lambda image: scipy.ndimage.gaussian_filter(image, 1), x)),
        ("gaussian 0.5", lambda x: filtered(lambda image: scipy.ndimage.gaussian_filter(image, 0.5), x)),
    ],
)
def test_a_squeezer_does_what_scipy_does(word, expected):
    np.testing.assert_allclose(np.asarray(squeezer(word, SHAPE, CLIP)(X)), expected(X), atol=1e-6)


@pytest.mark.parametrize("pixel_range", [(0.0, 255.0), (-1.0, 1.0)])
def test_the_levels_of_a_bit_depth_span_the_pixel_range(pixel_range):
    low, high = pixel_range
    found = np.asarray(squeezer("bit_depth 2", SHAPE, pixel_range)(low + (high - low) * X))
    np.testing.assert_allclose(np.unique(found), low + (high - low) * np.arange(4) / 3, atol=1e-4)


@pytest.mark.parametrize("word", ["bit_depth 3", "median 3"])
def test_backwards_rounding_and_median_are_the_identity(word):
    layer, x, upstream = squeezer(word, SHAPE, CLIP), tf.constant(X), np.random.default_rng(1).normal(size=X.shape)
    for call in (layer, tf.function(layer)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(call(x) * upstream.astype(np.float32))
        np.testing.assert_allclose(tape.gradient(value, x), upstream, rtol=1e-6)


def test_backwards_gaussian_smoothing_is_its_own_transpose():
    """<G x, y> = <x, G' y>, and a kernel that is even, with mirrored edges, is its own transpose."""
    layer, x = squeezer("gaussian 1", SHAPE, CLIP), tf.constant(X)
    upstream = tf.constant(np.random.default_rng(1).random(X.shape, np.float32))
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.reduce_sum(layer(x) * upstream)
    np.testing.assert_allclose(tape.gradient(value, x), layer(upstream), atol=1e-5)


@pytest.mark.parametrize("word", ["bit_depth 8", "bit_depth", "median 1", "gaussian 0", "blur 3"])
def test_another_word_is_refused(word):
    with pytest.raises(UserError, match=f"'{word}' is no squeezer"):
        squeezer(word, SHAPE, CLIP)


def test_a_window_beyond_the_image_is_refused():
    with pytest.raises(UserError, match="reaches 8 pixels far, beyond images of 8 x 6"):
        squeezer("gaussian 2", SHAPE, CLIP)


def task(network) -> Task:
    return Task(network, DatasetInfo("stripes", list("abcd"), (8, 8, 1), CLIP), images(), "0-1", seed=1)


def test_a_squeezed_network_sees_the_squeezed_image_and_its_file_keeps_that(tmp_path):
    network, x = curved_network(), to_pixels(images().images, CLIP)
    squeezed = feature_squeezing.wrap(task(network), {"squeezers": ["bit_depth 2", "median 2"]})
    rounded = np.round(x * 3) / 3
    seen = filtered(lambda image: scipy.ndimage.median_filter(image, 2), rounded)
    np.testing.assert_allclose(predict_logits(squeezed, x), predict_logits(network, seen), atol=1e-5)
    save_network(squeezed, tmp_path / "model.keras")
    loaded = load_network(tmp_path / "model.keras", (8, 8, 1), 4)
    assert predict_logits(loaded, x).tobytes() == predict_logits(squeezed, x).tobytes()


def test_an_attack_goes_through_the_rounding_where_its_true_gradient_is_zero():
    """One bit a pixel: differentiated as it is, it stops every gradient; passed through, the attack finds its way."""
    network, data = curved_network(), images()
    x = to_pixels(data.images, CLIP)
    squeezed = feature_squeezing.wrap(task(network), {"squeezers": ["bit_depth 1"]})
    labels = predict_logits(squeezed, x).argmax(1)
    pixels = keras.layers.Input((8, 8, 1))
    stopped = keras.Model(pixels, network(keras.layers.Lambda(lambda p: keras.ops.round(p) + 0 * p)(pixels)))
    fallen = {}
    for name, attacked in (("passed", squeezed), ("stopped", stopped)):
        settings = AttackSettings("pgd", relative_step=0.25, iterations=10)
        found, _ = craft(attacked, x, labels, settings, 0.4, 0.1, CLIP, 1, 40)
        fallen[name] = int((predict_logits(squeezed, found).argmax(1) != labels).sum())
    assert fallen["stopped"] == 0 and fallen["passed"] > 10
