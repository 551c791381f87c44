import numpy as np
import pytest
from networks import images
from scipy import ndimage

from robustness.data.augmentation import NOISES, Augmentation, augment, draw_transforms
from robustness.training.loop import Batches

EVERYTHING = Augmentation(0.5, 3, 1.0, "gaussian", 0.1, 90, 0.2, 0.2, True, True)


@pytest.fixture
def pictures():
    """Smooth, unsymmetrical images in [0, 1], higher than wide, so that axes can't be mixed up unnoticed."""
    noise = np.random.default_rng(0).random((200, 12, 9, 2)).astype("f4")
    smooth = ndimage.gaussian_filter(noise, (0, 1.5, 1.5, 0))
    return (smooth - smooth.min()) / (smooth.max() - smooth.min())


def rng():
    return np.random.default_rng(7)


def test_nothing_asked_for_changes_nothing(pictures):
    assert augment(pictures, Augmentation(), rng()).tobytes() == pictures.tobytes()


@pytest.mark.parametrize(("size", "sigma"), [(3, 1.0), (3, 0.5), (5, 1.0)])
def test_the_blur_is_scipys_with_a_mirrored_edge(pictures, size, sigma):
    taps = np.exp(-((np.arange(size) - size // 2) ** 2) / (2 * sigma**2))
    taps /= taps.sum()
    expected = pictures.astype("f8")
    for axis in (1, 2):
        expected = ndimage.correlate1d(expected, taps, axis=axis, mode="mirror")
    blurred = augment(pictures, Augmentation(blur_probability=1, blur_size=size, blur_sigma=sigma), rng())
    np.testing.assert_allclose(blurred, expected, atol=1e-6)


def test_a_share_of_the_images_is_blurred_and_the_others_stay(pictures):
    blurred = augment(pictures, Augmentation(blur_probability=0.3), rng())
    whole = augment(pictures, Augmentation(blur_probability=1), rng())
    changed = (blurred != pictures).any(axis=(1, 2, 3))
    assert 40 <= changed.sum() <= 80  # 60 of 200 expected, standard deviation 6.5
    np.testing.assert_array_equal(blurred[changed], whole[changed])


def test_the_interpolation_is_scipys(pictures):
    settings = Augmentation(rotation=90, width_shift=0.2, height_shift=0.1, horizontal_flip=True, vertical_flip=True)
    moved = augment(pictures, settings, rng())
    transforms = draw_transforms(200, 12, 9, settings, rng())
    for image, transform, result in zip(pictures[:20], transforms, moved):
        a0, a1, a2, b0, b1, b2, _, _ = transform.astype("f8")
        matrix, offset = np.array([[b1, b0], [a1, a0]]), np.array([b2, a2])  # scipy's points are (row, column)
        for channel in range(2):
            expected = ndimage.affine_transform(image[..., channel], matrix, offset, order=1, mode="nearest")
            np.testing.assert_allclose(result[..., channel], expected, atol=2e-4)


@pytest.mark.parametrize(
    ("settings", "flipped"),
    [
        (Augmentation(horizontal_flip=True), lambda x: x[:, :, ::-1]),
        (Augmentation(vertical_flip=True), lambda x: x[:, ::-1]),
    ],
)
def test_half_of_the_images_are_flipped_and_the_others_stay(pictures, settings, flipped):
    moved = augment(pictures, settings, rng())
    turned = np.isclose(moved, flipped(pictures), atol=1e-5).all(axis=(1, 2, 3))
    stayed = np.isclose(moved, pictures, atol=1e-5).all(axis=(1, 2, 3))
    assert (turned ^ stayed).all() and 75 <= turned.sum() <= 125  # standard deviation 7


@pytest.mark.parametrize("places", [-3, 0, 2])
def test_a_whole_shift_moves_the_columns_and_repeats_the_edge(pictures, places, monkeypatch):
    """Nine pixels wide: a third is three pixels; the drawn share is held at what moves whole pixels."""

    class Fixed:
        def uniform(self, low, high, n):
            return np.full(n, places / 9 if high == pytest.approx(1 / 3) else 0.0)

        def random(self, n):
            return np.ones(n)

    moved = augment(pictures, Augmentation(width_shift=1 / 3), Fixed())
    columns = np.clip(np.arange(9) - places, 0, 8)
    np.testing.assert_allclose(moved, pictures[:, :, columns], atol=1e-5)


def test_angles_and_shifts_are_drawn_over_their_whole_range():
    transforms = draw_transforms(5000, 20, 10, Augmentation(rotation=30), rng()).astype("f8")
    angles = np.rad2deg(np.arctan2(transforms[:, 1], transforms[:, 0]))
    assert -30 <= angles.min() < -29.5 and 29.5 < angles.max() <= 30 and abs(angles.mean()) < 1
    np.testing.assert_allclose(np.hypot(transforms[:, 0], transforms[:, 1]), 1, atol=1e-6)  # no scaling
    transforms = draw_transforms(5000, 20, 10, Augmentation(width_shift=0.1, height_shift=0.2), rng()).astype("f8")
    for column, reach in ((2, 1.0), (5, 4.0)):  # pixels: 0.1 of 10, 0.2 of 20
        shifts = transforms[:, column]
        assert -reach <= shifts.min() < -0.98 * reach and 0.98 * reach < shifts.max() <= reach


def test_gaussian_noise_has_its_deviation():
    grey = np.full((50, 20, 20, 1), 0.5, "f4")
    drawn = augment(grey, Augmentation(noise_kind="gaussian", noise_amount=0.05), rng()) - grey
    assert drawn.std() == pytest.approx(0.05, rel=0.03) and abs(drawn.mean()) < 0.001


def test_speckle_grows_with_the_pixel():
    dark, light = np.full((50, 20, 20, 1), 0.1, "f4"), np.full((50, 20, 20, 1), 0.4, "f4")
    settings = Augmentation(noise_kind="speckle", noise_amount=0.2)
    assert (augment(dark, settings, rng()) - dark).std() == pytest.approx(0.02, rel=0.03)
    assert (augment(light, settings, rng()) - light).std() == pytest.approx(0.08, rel=0.03)
    black = np.zeros((5, 8, 8, 1), "f4")
    assert not augment(black, settings, rng()).any()


def test_salt_and_pepper_takes_its_share_of_the_pixels_in_all_channels():
    grey = np.full((50, 20, 20, 3), 0.5, "f4")
    noisy = augment(grey, Augmentation(noise_kind="salt_and_pepper", noise_amount=0.2), rng())
    assert set(np.unique(noisy)) == {0.0, 0.5, 1.0}
    assert (noisy == noisy[..., :1]).all()
    assert (noisy == 0).mean() == pytest.approx(0.1, rel=0.06) and (noisy == 1).mean() == pytest.approx(0.1, rel=0.06)


@pytest.mark.parametrize("kind", NOISES)
def test_pixels_stay_in_their_range_and_type(pictures, kind):
    settings = Augmentation(0.5, 3, 1.0, kind, 0.5, 180, 1, 1, True, True)
    augmented = augment(pictures, settings, rng())
    assert augmented.dtype == np.float32 and augmented.shape == pictures.shape
    assert augmented.min() >= 0 and augmented.max() <= 1


@pytest.mark.parametrize("pixel_range", [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)])
def test_batches_are_augmented_alike_in_every_pixel_range(pixel_range):
    data, order = images(), np.arange(40)
    unit = Batches(data, data.labels, (0.0, 1.0), 16, order, None, EVERYTHING, (1, 2))
    other = Batches(data, data.labels, pixel_range, 16, order, None, EVERYTHING, (1, 2))
    low, high = pixel_range
    for i in range(len(unit)):
        np.testing.assert_allclose(other[i][0], unit[i][0] * (high - low) + low, rtol=1e-5, atol=1e-5)


def test_the_same_epoch_is_drawn_alike_and_another_anew():
    data, order = images(), np.arange(40)
    first, again, later, batch = (
        Batches(data, data.labels, (0.0, 1.0), 16, order, None, EVERYTHING, seed)[i][0]
        for seed, i in (((1, 2), 0), ((1, 2), 0), ((1, 3), 0), ((1, 2), 1))
    )
    assert first.tobytes() == again.tobytes() and first.tobytes() != later.tobytes()
    transforms = [draw_transforms(16, 8, 8, EVERYTHING, np.random.default_rng([1, 2, 3, i])) for i in (0, 1)]
    assert not np.allclose(*transforms) and batch.shape == first.shape
