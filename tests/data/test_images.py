"""The one door: every kind of array and file means the same, or is refused with what to do."""

import numpy as np
import pytest
from PIL import Image

import kseg
from kseg.data.errors import DataError
from kseg.data.images import image_array, image_arrays
from kseg.data.values import as_bytes


@pytest.fixture
def photo(rng):
    return rng.integers(0, 256, (12, 15, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "dtype", ["uint8", "int16", "int64", ">i4", "float16", "float32", "float64", ">f4"]
)
def test_numbers_of_0_to_255_are_themselves(photo, dtype):
    image = image_array(photo.astype(dtype), 3)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, photo)


def test_floats_are_rounded():
    values = as_bytes(np.array([-0.4, 0.4, 0.6, 127.5, 254.5, 255.4]))
    assert values.tolist() == [0, 0, 1, 128, 254, 255]


@pytest.mark.parametrize("order", ["<", ">"])
def test_uint16_is_read_as_its_own_png(rng, tmp_path, order):
    deep = rng.integers(0, 65536, (9, 11)).astype("uint16")
    Image.fromarray(deep).save(tmp_path / "deep.png")
    file = image_array(tmp_path / "deep.png", 3)
    np.testing.assert_array_equal(image_array(deep.astype(f"{order}u2"), 3), file)
    np.testing.assert_array_equal(file[:, :, 1], deep // 256)


def test_bool_is_read_as_its_own_png(rng, tmp_path):
    bits = rng.random((9, 11)) > 0.5
    Image.fromarray(bits).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(image_array(bits, 1), image_array(tmp_path / "bits.png", 1))
    assert image_array(bits, 1)[..., 0].tolist() == (bits * 255).tolist()


@pytest.mark.parametrize("layout", ["reversed", "mirrored", "turned", "fortran", "read-only"])
def test_layout_in_memory_does_not_matter(photo, layout):
    views = {
        "reversed": photo[:, :, ::-1],
        "mirrored": photo[::-1, ::-1],
        "turned": photo.transpose(1, 0, 2),
        "fortran": np.asfortranarray(photo),
        "read-only": np.broadcast_to(photo[:1], photo.shape),
    }
    view = views[layout]
    np.testing.assert_array_equal(image_array(view, 3), np.array(view.tolist()))


SQUARE = np.ones((4, 4, 3))


@pytest.mark.parametrize(
    "image, message",
    [
        (0.5 * SQUARE, r"image.max\(\)=0.5: expected numbers of 0..255 .* Multiply by 255"),
        (SQUARE, r"image.max\(\)=1.0: .* Or give uint8, if it is that dark"),
        (SQUARE - 1.5, r"image.min\(\)=-0.5: .* Undo the normalisation"),
        (-2 * SQUARE, r"image.min\(\)=-2.0: .* Undo the normalisation"),
        (-2 * SQUARE.astype(int), r"image.min\(\)=-2: "),
        (300 * SQUARE, r"image.max\(\)=300.0: .* Scale it"),
        (255.5 * SQUARE, r"image.max\(\)=255.5: "),
        (256 * SQUARE.astype("int64"), r"image.max\(\)=256: "),
        (200 * SQUARE.astype("uint16"), r"image.max\(\)=200: expected numbers of 0..65535.*uint8"),
        (np.where(SQUARE == 1, np.nan, 0), r"image\[0, 0, 0\]=nan: "),
        (np.inf * SQUARE, r"image\[0, 0, 0\]=inf: "),
        (SQUARE[None], r"image.shape=\(1, 4, 4, 3\): .* list\(images\)"),
        (np.ones((3, 4, 5)), r"image.shape=\(3, 4, 5\): .*moveaxis"),
        (np.full((4, 4, 4), 9), r"image.shape=\(4, 4, 4\): .* image\[..., :3\]"),
        (np.zeros((0, 4, 3)), r"image.shape=\(0, 4, 3\)"),
    ],
)
def test_what_is_no_photo_is_refused_with_a_remedy(image, message):
    wanted = np.uint8 if "shape" in message else image.dtype
    with pytest.raises(ValueError, match=message):
        image_array(image.astype(wanted), 3)


@pytest.mark.parametrize("image", [None, b"bytes", object(), np.array(["a"]), 1j * SQUARE])
def test_what_is_no_array_is_told_what_was_expected(image):
    with pytest.raises(TypeError, match="expected a path, a Pillow image or an array"):
        image_array(image, 3)


def test_all_zeros_are_black():
    assert not image_array(np.zeros((4, 4)), 3).any()


@pytest.mark.parametrize(
    "channels, mode, ending", [(1, "L", "png"), (1, "RGB", "png"), (4, "RGBA", "png")]
)
def test_files_for_other_channels_than_three(rng, tmp_path, channels, mode, ending):
    bands = rng.integers(0, 256, (8, 9, len(mode)), dtype=np.uint8)
    pillow = Image.fromarray(bands.squeeze(), mode)
    pillow.save(tmp_path / f"a.{ending}")
    image = image_array(tmp_path / f"a.{ending}", channels)
    assert image.shape == (8, 9, channels)
    np.testing.assert_array_equal(image, image_array(pillow, channels))
    np.testing.assert_array_equal(image, image_array(bands, channels))


def test_npy_files_hold_any_channels(rng, tmp_path):
    bands = rng.integers(0, 256, (8, 9, 5), dtype=np.uint8)
    np.save(tmp_path / "bands.npy", bands.astype("float32"))
    np.testing.assert_array_equal(image_array(str(tmp_path / "bands.npy"), 5), bands)
    np.save(tmp_path / "dark.npy", bands / 255)
    with pytest.raises(ValueError, match=r"dark.npy'.*max\(\)=.*Multiply by 255"):
        image_array(tmp_path / "dark.npy", 5)
    (tmp_path / "text.npy").write_text("no array")
    with pytest.raises(DataError, match="text.npy"):
        image_array(tmp_path / "text.npy", 5)


@pytest.mark.parametrize("mode, channels", [("RGB", 4), ("RGB", 5), ("L", 2)])
def test_files_without_the_channels_are_named(tmp_path, mode, channels):
    Image.new(mode, (4, 4)).save(tmp_path / "few.png")
    with pytest.raises(ValueError, match=rf"few.png'.*expected {channels} channels.*npy"):
        image_array(tmp_path / "few.png", channels)


def source_of(images):
    labels = np.zeros(images.shape[:3], np.uint8)
    return kseg.data.Source(
        name="made",
        columns={"image": images, "label": labels},
        decode=lambda row: dict(row),
        class_names=("a", "b"),
        colors=((0, 0, 0), (255, 0, 0)),
        ids=tuple("abcd"[: len(images)]),
    )


def test_a_source_of_floats_of_0_to_1_says_so(rng):
    source = source_of(rng.random((2, 8, 8, 3), dtype=np.float32))
    with pytest.raises(Exception, match=r"expected numbers of 0..255 \(uint8\). Multiply by 255"):
        next(iter(kseg.data.batches(source, size=(8, 8), batch_size=2)))


def test_a_source_of_uint16_is_the_same_at_every_size(rng):
    deep = rng.integers(0, 65536, (2, 8, 8, 3)).astype("uint16")
    source = source_of(deep)
    np.testing.assert_array_equal(source[1]["image"], deep[1] // 256)
    for size in (None, (8, 8)):
        images, _ = next(iter(kseg.data.batches(source, size=size, batch_size=2)))
        assert images.dtype == "uint8"
        np.testing.assert_array_equal(images.numpy(), deep // 256)


def test_five_bands_are_checked(rng):
    source = source_of(rng.integers(0, 256, (2, 40, 40, 5), dtype=np.uint8))
    assert source[0]["image"].shape == (40, 40, 5)
    (counted,) = kseg.check(source).sources
    assert counted.samples == counted.read == 2


def test_a_folder_gives_every_photo_that_can_be_read(write_image, rng):
    """By name, TIFF and WebP too, as `kseg predict` reads them."""
    photos = rng.integers(0, 256, (3, 5, 4, 3), dtype=np.uint8)
    for name, photo in zip(("a.tif", "b.png", "c.webp"), photos):
        path = write_image(f"photos/{name}", photo, **({"lossless": True} if "w" in name else {}))
    arrays, several = image_arrays(path.parent, 3)
    assert several
    np.testing.assert_array_equal(list(arrays), photos)


def test_grey_is_the_same_everywhere(rng):
    """Of Pillow, of a batch inside `tf.data`, and of a colour jitter: to the last bit."""
    import tensorflow as tf

    from kseg.data.channels import with_channels, with_channels_of

    image = rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(image).convert("L"))[:, :, None]
    np.testing.assert_array_equal(with_channels(image, 1), expected)
    for given in (image, image[None], image.astype("float32")):
        grey = with_channels_of(tf.constant(given), 1)
        assert grey.dtype == given.dtype
        np.testing.assert_array_equal(grey.numpy().reshape(expected.shape), expected)
    np.testing.assert_array_equal(with_channels_of(tf.constant(expected), 3)[..., 2:], expected)
    with pytest.raises(ValueError, match="Give all bands as one"):  # grey is no infrared
        with_channels_of(tf.constant(expected), 4)
