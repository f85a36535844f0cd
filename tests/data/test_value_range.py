"""Numbers of a range of their own: uint16 and float32 through every transform, and kept."""

import numpy as np
import pytest
import tensorflow as tf

import kseg
from kseg.data import transforms
from kseg.data.values import NotAPhoto, numbers

SIZE = (24, 32)
TRANSFORMS = {
    "scale_crop": transforms.random_scale_crop(SIZE),
    "letterbox": transforms.letterbox((20, 40)),
    "pad": transforms.pad((50, 50)),
    "flip": transforms.random_flip(1.0, 1.0),
    "color": transforms.color_jitter(),
    "affine": transforms.random_affine(degrees=30, scale=(0.7, 1.4)),
    "elastic": transforms.random_elastic(),
    "blur": transforms.random_blur((1.0, 2.0)),
    "noise": transforms.random_noise((5.0, 10.0)),
    "cutout": transforms.random_cutout((0.1, 0.2)),
    "cut_mix": transforms.cut_mix(1.0),
    "mosaic": transforms.mosaic(SIZE),
}


def source_of(images, **options):
    """A semantic source of these images, `(N, H, W, C)`, of two classes."""
    labels = np.zeros(images.shape[:3], np.uint8)
    labels[:, 10:20, 10:30] = 1
    return kseg.data.Source(
        name="made",
        columns={"image": images, "label": labels},
        decode=lambda row: dict(row),
        class_names=("ground", "object"),
        colors=((0, 0, 0), (255, 0, 0)),
        ids=tuple(map(str, range(len(images)))),
        **options,
    )


@pytest.fixture
def photos(rng):
    """uint8 `(4, 24, 32, 5)`, smooth."""
    return np.kron(rng.integers(0, 256, (4, 3, 4, 5)), np.ones((1, 8, 8, 1))).astype(np.uint8)


@pytest.mark.few("affine", "blur", "noise", "color", "pad")
@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_transform_does_to_16_bits_and_floats_what_it_does_to_8(photos, name):
    """The same numbers on three scales come out the same, within the rounding of 8 bits."""
    steps = {"augment": [TRANSFORMS[name]], "batch_size": 4, "shuffle": False}
    (of_bytes, labels), *_ = kseg.data.batches(source_of(photos), **steps)
    deep = source_of(photos.astype(np.uint16) * 16 + 5, value_range=(5, 4085))
    floats = source_of((photos / 255 * 40 - 30).astype(np.float32), value_range=(-30.0, 10.0))
    for source, dtype in ((deep, "uint16"), (floats, "float32")):
        low, high = source.value_range
        ((images, same),) = kseg.data.batches(source, **steps)
        assert images.dtype == dtype == source.dtype
        np.testing.assert_array_equal(same, labels)
        levels = (tf.cast(images, "float32").numpy() - low) * (255 / (high - low))
        difference = np.abs(levels - of_bytes.numpy())
        # uint8 is rounded twice, by the transform and, of colour, in fixed point
        assert difference.max() <= 1.5, difference.max()


def test_what_is_not_transformed_is_the_same_to_the_bit(rng):
    deep = rng.integers(0, 4096, (3, 24, 32, 2)).astype(np.uint16)
    floats = rng.random((3, 24, 32, 13), np.float32)
    for images, options in ((deep, {"bits": 12}), (floats, {"value_range": (0, 1)})):
        source = source_of(images, **options)
        assert source.channels == images.shape[-1] and source.dtype == str(images.dtype)
        np.testing.assert_array_equal(source[1]["image"], images[1])
        ((batch, _),) = kseg.data.batches(source, batch_size=3)
        np.testing.assert_array_equal(batch, images)
        ((sized, _),) = kseg.data.batches(source, size=(24, 32), batch_size=3)
        np.testing.assert_allclose(sized, images, rtol=1e-6, atol=1e-7)


def test_black_is_the_lower_end_of_the_range(rng):
    images = rng.uniform(-20, 0, (2, 24, 32, 1)).astype(np.float32)
    source = source_of(images, value_range=(-30.0, 5.0))
    ((padded, _),) = kseg.data.batches(source, size=(24, 40), batch_size=2)
    np.testing.assert_allclose(padded[:, :, 32:], -30.0, rtol=1e-6)


@pytest.mark.parametrize("decoded", [True, False])
def test_records_and_caches_keep_bands_and_numbers(tmp_path, rng, decoded):
    images = rng.integers(0, 4096, (3, 24, 32, 5)).astype(np.uint16)
    source = source_of(images, bits=12, bands=(3, 2, 1))
    path = kseg.data.write_records(source, tmp_path / "records", decoded=decoded)
    read = kseg.data.records(path)
    assert (read.value_range, read.bands, read.channels) == ((0, 4095), (3, 2, 1), 5)
    for sample, image in zip(kseg.data.samples(read), images):
        np.testing.assert_array_equal(sample["image"], image)
    for cache in ("memory", tmp_path / "cache"):
        ((batch, _),) = kseg.data.batches(source, batch_size=3, cache=cache)
        np.testing.assert_array_equal(batch, images)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"bits": 0}, "bits=0: expected an integer from 1 to 32"),
        ({"bits": 12, "value_range": (0, 1)}, r"value_range=\(0, 1\): expected \(0, 4095\) with"),
        ({"value_range": (5, 5)}, r"value_range=\(5, 5\): expected \(low, high\)"),
        ({"value_range": 255}, "value_range=255: expected"),
        ({"bands": (0, 1)}, r"bands=\(0, 1\): expected three positions"),
        ({"bands": (0, 1, -1)}, "bands="),
    ],
)
def test_what_a_source_cannot_mean_is_refused(photos, options, message):
    with pytest.raises(ValueError, match=message):
        source_of(photos, **options)


@pytest.mark.parametrize(
    "array, value_range, message",
    [
        (np.array([5000]), (0, 4095), r"max\(\)=5000: expected numbers of 0..4095.*np.clip"),
        (np.array([-1.0]), (0, 4095), r"min\(\)=-1.0: expected numbers of 0..4095"),
        (np.array([0.5, 1.0]), (0, 4095), "These are of 0..1: multiply by 4095"),
        (np.array([200], np.uint8), (0, 4095), "more than 8 bits"),
        (np.array([np.nan]), (0.0, 1.0), r"\[0\]=nan: expected numbers of 0.0..1.0"),
    ],
)
def test_numbers_of_another_range_are_refused(array, value_range, message):
    with pytest.raises(NotAPhoto, match=message):
        numbers(array, value_range)


def test_a_photo_beyond_the_range_stops_the_batches(photos):
    source = source_of(photos.astype(np.uint16) * 100, bits=12)
    with pytest.raises(Exception, match="expected numbers of 0..4095"):
        list(kseg.data.batches(source, batch_size=4))


def test_layouts_that_cannot_hold_bands_say_so(photos, tmp_path):
    from kseg.data.writers.layouts import write_voc

    source = source_of(photos.astype(np.uint16), bits=12)
    with pytest.raises(ValueError, match="images of source='5 bands, numbers 0..4095': expected"):
        write_voc(source, tmp_path / "voc", "train")
    with pytest.raises(ValueError, match=r"source.value_range=\(0, 4095\): .* Convert to records:"):
        kseg.data.convert({"train": source}, f"folder:{tmp_path / 'folder'}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_the_range_that_is_proposed_ends_where_the_next_begins(bits):
    from kseg.data.values import proposed_range

    assert proposed_range(0, 2**bits - 1, True) == f"bits={bits}"
    assert proposed_range(0, 2**bits, True) != f"bits={bits}"
