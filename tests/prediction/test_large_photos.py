"""Photos that would not fit into memory in one piece: the same mask from tiles."""

import keras
import numpy as np
import pytest

import kseg
from kseg.models.graph import bytes_a_pixel
from kseg.prediction import memory, semantic
from kseg.prediction.large import as_strips


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return kseg.build_unet(3, width=4, depth=2, compile=False)


@pytest.fixture
def photo(rng):
    """Of soft shapes, so that no two logits are near each other by chance everywhere."""
    coarse = rng.integers(0, 256, (9, 12, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((32, 32, 1), np.uint8))[:270, :370]


@pytest.fixture
def shapes_seen(monkeypatch):
    """The shape of every array that goes through a network."""
    seen, forward = [], semantic.forward

    def watched(network, images):
        seen.append(images.shape)
        return forward(network, images)

    monkeypatch.setattr(semantic, "forward", watched)
    return seen


def differing(a, b):
    return float(np.mean(a != b))


@pytest.mark.once("torch")
def test_a_tile_that_is_asked_for(model, photo, shapes_seen):
    """U-Net of depth 2 sees 22 pixels round each; tiles of 256 share 128, 64 on either side."""
    tiled = kseg.predict(model, photo, tile=256)
    assert len(shapes_seen) == 6 and max(max(shape[1:3]) for shape in shapes_seen) <= 256
    assert tiled.shape == photo.shape[:2] and tiled.dtype == np.int32
    whole = kseg.predict(model, photo)
    assert len(np.unique(whole)) > 1 and differing(tiled, whole) < 1e-4  # near ties


@pytest.mark.once("torch")
def test_a_network_that_looks_further_shows_seams(photo):
    keras.utils.set_random_seed(0)
    model = kseg.build_unet(3, width=2, depth=5, compile=False)
    assert differing(kseg.predict(model, photo, tile=128), kseg.predict(model, photo)) > 0.01


@pytest.mark.parametrize("tile", [0, 127, 1.5, "large"])
def test_what_is_no_tile_is_refused(model, photo, tile):
    with pytest.raises(ValueError, match="tile="):
        kseg.predict(model, photo, tile=tile)


@pytest.mark.once("torch")
def test_photos_beyond_memory_go_in_tiles(model, photo, shapes_seen, monkeypatch):
    whole = kseg.predict(model, photo)
    monkeypatch.setattr(semantic, "FEW", 1000)
    monkeypatch.setattr(semantic, "LEAST_TILE", 128)
    monkeypatch.setattr(memory, "MEMORY", bytes_a_pixel(model) * 260**2)
    del shapes_seen[:]
    assert differing(kseg.predict(model, photo), whole) < 1e-4
    assert len(shapes_seen) == 6 and all(128 < h <= 256 for _, h, _, _ in shapes_seen)
    # photos of a batch one after the other, where two do not fit
    del shapes_seen[:]
    labels = semantic.labels_on_batch(model, np.stack([photo[:256, :256]] * 3))
    assert [shape[0] for shape in shapes_seen] == [1, 1, 1] and labels.shape == (3, 256, 256)
    # and together where they do: of three two at once
    del shapes_seen[:]
    labels = semantic.labels_on_batch(model, np.stack([photo[:180, :180]] * 3))
    assert sum(shape[0] for shape in shapes_seen) in (3, 4)
    assert max(shape[0] for shape in shapes_seen) == 2 and labels.shape == (3, 180, 180)
    np.testing.assert_array_equal(labels[0], labels[2])


def test_confidence_comes_in_tiles_too(model, photo, monkeypatch):
    ids, confidence = semantic.confident_labels_on_batch(model, photo[None])
    monkeypatch.setattr(semantic, "FEW", 1000)
    monkeypatch.setattr(semantic, "LEAST_TILE", 128)
    monkeypatch.setattr(memory, "MEMORY", bytes_a_pixel(model) * 260**2)
    tiled_ids, tiled = semantic.confident_labels_on_batch(model, photo[None])
    assert differing(tiled_ids, ids) < 1e-4
    np.testing.assert_allclose(tiled, confidence, atol=1e-4)


@pytest.mark.parametrize("classes", [1, 3])
def test_logits_are_enlarged_in_strips(photo, monkeypatch, classes):
    keras.utils.set_random_seed(0)
    model = kseg.build_unet(classes, width=4, depth=2, compile=False)
    whole = kseg.predict(model, photo, resize=(64, 100))
    monkeypatch.setattr(memory, "MEMORY", 370 * classes * 4 * semantic.COPIES * 100)
    monkeypatch.setattr(semantic, "FEW", 1 << 30)
    stripes = kseg.predict(model, photo, resize=(64, 100))
    assert len(np.unique(whole)) > 1 and differing(stripes, whole) < 1e-3


def test_a_network_of_one_size_sees_the_whole_photo(photo, shapes_seen):
    model = kseg.build_unet(3, input_shape=(64, 96, 3), width=4, depth=2, compile=False)
    mask = kseg.predict(model, photo)
    assert shapes_seen == [(1, 64, 96, 3)] and mask.shape == photo.shape[:2]
    fitting = kseg.predict(model, photo[:64, :96])
    assert shapes_seen[1:] == [(1, 64, 96, 3)] and fitting.shape == (64, 96)
    with pytest.raises(ValueError, match=r"tile=256: expected None .*leave tile= out"):
        kseg.predict(model, photo, tile=256)


def test_bytes_a_pixel_by_hand():
    """What is held while the last of three convolutions runs: its input and its output."""
    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(8, 3, padding="same")(image)  # 3 + 8 numbers a pixel
    x = keras.layers.Conv2D(16, 3, padding="same")(x)  # 8 + 16; the image is forgotten
    model = keras.Model(image, keras.layers.Conv2D(2, 1)(x))  # 16 + 2
    assert bytes_a_pixel(model) == 4 * (8 + 16)
    # a map that is read again later stays: 3 + 8, 8 + 16, 8 + 16 + 16 and then 8 + 16 + 24
    x = keras.layers.Conv2D(8, 3, padding="same")(image)
    y = keras.layers.Conv2D(16, 3, padding="same")(x)
    y = keras.layers.Conv2D(16, 3, padding="same")(y)
    both = keras.Model(image, keras.layers.Concatenate()([x, y]))
    assert bytes_a_pixel(both) == 4 * (8 + 16 + 24)
    # inside another model the same, beside the image, which is read again after it
    outer = keras.Model(image, keras.layers.Concatenate()([image, model(image)]))
    assert bytes_a_pixel(outer) == 4 * (3 + 8 + 16)
    # a map of half the sides has a quarter of the pixels; bfloat16 has 2 bytes
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", dtype="bfloat16")(image)
    half = keras.Model(image, keras.layers.Conv2D(8, 1, dtype="bfloat16")(x))
    assert bytes_a_pixel(half) == max(4 * 3 + 2 * 8 / 4, 2 * (8 + 8) / 4)


@pytest.mark.once("torch")
def test_a_tile_is_as_large_as_memory_allows():
    model = kseg.build_unet(3, width=16, depth=3, compile=False)
    tile = semantic.tile_in_memory(model, (10**5, 10**5))
    each = bytes_a_pixel(model) + 4 * semantic.COPIES * 3
    stride = semantic.STRIDE
    assert tile % stride == 0 and tile > semantic.LEAST_TILE
    assert tile**2 * each <= semantic.MEMORY < (tile + stride) ** 2 * each
    assert semantic.tile_in_memory(model, (100, 300)) == 300


def test_strips_of_an_array_are_all_of_it():
    array = np.arange(1100 * 2).reshape(1100, 2)
    strips = list(as_strips(array))
    assert [len(strip) for strip in strips] == [512, 512, 76]
    np.testing.assert_array_equal(np.concatenate(strips), array)
