"""Photos and masks: TensorFlow (training) and Pillow (prediction) must read the same bytes."""

import numpy as np
import pytest
from PIL import Image

import kseg
from kseg.data.color_masks import decode_colors
from kseg.data.decode import (
    decode_mask,
    decode_photo,
    mask_of_bytes,
    photo_size,
)
from kseg.data.errors import DataError
from kseg.data.faults import Faults
from kseg.data.files import load_mask, load_photo
from kseg.data.listing import list_files, pair_by_name
from kseg.data.relabel import relabel


@pytest.mark.parametrize(
    "name, mode",
    [
        ("a.jpg", "RGB"),
        ("a.jpg", "L"),
        ("a.jpg", "CMYK"),
        ("a.png", "RGB"),
        ("a.png", "L"),
        ("a.png", "RGBA"),
        ("a.png", "LA"),
        ("a.png", "P"),
        ("a.png", "1"),
        ("a.bmp", "RGB"),
    ],
)
def test_photos_are_read_alike(write_image, rng, name, mode):
    smooth = Image.fromarray(rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)).resize((57, 43))
    path = write_image(name, np.asarray(smooth), mode=mode)
    image = load_photo(path)
    assert image.shape == (43, 57, 3) and image.dtype == np.uint8
    np.testing.assert_array_equal(decode_photo(str(path)).numpy(), image)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp"])
def test_the_size_of_a_photo_that_is_not_decoded(write_image, rng, name):
    path = write_image(name, rng.integers(0, 256, (300, 5, 3), dtype=np.uint8))
    assert photo_size(path.read_bytes()).numpy().tolist() == [300, 5]


def test_16_bit_grey_keeps_its_upper_byte(write_image, rng):
    grey = rng.integers(0, 65536, (12, 15)).astype(np.uint16)
    path = write_image("deep.png", grey)
    expected = np.repeat((grey >> 8).astype(np.uint8)[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(load_photo(path), expected)
    np.testing.assert_array_equal(decode_photo(str(path)).numpy(), expected)


def test_exif_orientation_is_not_applied(tmp_path):
    image = Image.fromarray(np.zeros((20, 30, 3), np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6  # "rotate by 90 degrees"
    image.save(tmp_path / "turned.jpg", exif=exif)
    assert load_photo(tmp_path / "turned.jpg").shape == (20, 30, 3)
    assert decode_photo(str(tmp_path / "turned.jpg")).shape == (20, 30, 3)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palette_masks_give_their_indices(tmp_path, rng, bits):
    ids = rng.integers(0, 2**bits, (13, 18)).astype(np.uint8)
    image = Image.fromarray(ids, mode=None).convert("L")
    image = Image.frombytes("P", (18, 13), ids.tobytes())
    image.putpalette(rng.integers(0, 256, 3 * 2**bits).astype(np.uint8).tolist())
    image.save(tmp_path / "mask.png", bits=bits, transparency=0)
    np.testing.assert_array_equal(decode_mask(str(tmp_path / "mask.png")).numpy(), ids)
    np.testing.assert_array_equal(load_mask(tmp_path / "mask.png"), ids)


def test_palette_masks_in_tf_data_of_many_sizes(tmp_path, rng):
    import tensorflow as tf

    paths, expected = [], []
    for index in range(20):  # 20 sizes: the checksum trick must not depend on the header
        ids = rng.integers(0, 22, rng.integers(1, 300, 2)).astype(np.uint8)
        image = Image.frombytes("P", ids.shape[::-1], ids.tobytes())
        image.putpalette(rng.integers(0, 256, 768).astype(np.uint8).tolist())
        paths.append(str(tmp_path / f"{index}.png"))
        image.save(paths[-1])
        expected.append(ids)
    for ids, mask in zip(expected, tf.data.Dataset.from_tensor_slices(paths).map(decode_mask)):
        np.testing.assert_array_equal(mask.numpy(), ids)


def test_grey_masks_of_8_and_16_bits(write_image, rng):
    ids = rng.integers(0, 256, (11, 14)).astype(np.uint8)
    np.testing.assert_array_equal(decode_mask(str(write_image("8.png", ids))).numpy(), ids)
    deep = rng.integers(0, 65536, (11, 14)).astype(np.uint16)
    np.testing.assert_array_equal(
        decode_mask(str(write_image("16.png", deep)), wide=True).numpy(), deep
    )


def test_one_bit_masks_hold_0_and_1(write_image, rng):
    ids = rng.integers(0, 2, (9, 21)).astype(np.uint8)
    path = write_image("bits.png", ids * 255, mode="1")
    np.testing.assert_array_equal(decode_mask(str(path)).numpy(), ids)
    np.testing.assert_array_equal(load_mask(path), ids)


def test_colour_masks_are_packed(write_image):
    colors = np.array([[[1, 2, 3], [255, 0, 16]]], np.uint8)
    packed = decode_colors(str(write_image("c.png", colors))).numpy()
    np.testing.assert_array_equal(packed, [[0x010203, 0xFF0010]])


def test_transparent_colours_are_their_own_or_refused(write_image):
    red, black, erased = (255, 0, 0, 255), (0, 0, 0, 255), (0, 0, 0, 0)
    white = (255, 255, 255, 0)  # as some tools write what is not drawn
    for good in ([red, erased, black], [red, white, black]):
        path = write_image("good.png", np.array([good], np.uint8))
        expected = [[0xFF0000, 0xFFFFFF if white in good else 0, 0]]
        np.testing.assert_array_equal(decode_colors(str(path)).numpy(), expected)
    path = write_image("masks/a.png", np.array([[red, (255, 0, 0, 0), black]], np.uint8))
    photo = write_image("photos/a.png", np.zeros((1, 3, 3), np.uint8))
    colors = [(0, 0, 0), (255, 0, 0)]
    source = kseg.data.folder(photo.parent, path.parent, ["ground", "thing"], palette=colors)
    with pytest.raises(DataError, match="1 pixels are transparent and have .*255 0 0") as error:
        source[0]
    assert error.value.kind == "unsuitable"


def test_colours_of_a_palette_are_compared_likewise(tmp_path):
    mask = Image.frombytes("P", (3, 1), b"\0\1\2")
    mask.putpalette([255, 0, 0, 255, 0, 0, 0, 0, 255])
    mask.save(tmp_path / "seen.png")
    packed = decode_colors(str(tmp_path / "seen.png")).numpy().tolist()
    assert packed == [[0xFF0000, 0xFF0000, 0xFF]]
    mask.save(tmp_path / "hidden.png", transparency=0)
    with pytest.raises(Exception, match="1 pixels are transparent"):
        decode_colors(str(tmp_path / "hidden.png"))


GREY_ALPHA_CASES = {  # what is stored, alpha -> ids, or None where it is refused
    "all seen": ([0, 3, 255, 9], [255, 1, 128, 255], [0, 3, 255, 9]),
    "nothing under the hidden": ([0, 3, 0, 9], [0, 255, 255, 1], [0, 3, 0, 9]),
    "erased": ([0, 3, 0, 9], [255, 0, 255, 255], None),
    "hidden white": ([0, 3, 255, 9], [255, 255, 0, 255], None),
}


@pytest.mark.parametrize("case", GREY_ALPHA_CASES)
@pytest.mark.parametrize("kind", ["png", "16.png", "tif"])
def test_hidden_pixels_of_grey_and_alpha_hold_nothing(tmp_path, case, kind):
    ids, alpha, expected = GREY_ALPHA_CASES[case]
    pixels, path = np.array([np.stack([ids, alpha], -1)], np.uint8), tmp_path / f"m.{kind}"
    if kind == "16.png":  # numbers below 256, whose upper 8 bits are 0
        import tensorflow as tf

        path.write_bytes(tf.io.encode_png(pixels.astype(np.uint16)).numpy())
    else:
        Image.fromarray(pixels, "LA").save(path)
    for read in (load_mask, lambda path: decode_mask(str(path)).numpy()):
        if expected:
            assert read(path).tolist() == [expected]
        else:
            with pytest.raises(Exception, match="1 pixels are transparent and hold a number"):
                read(path)


def test_a_colour_file_is_no_mask_of_ids(write_image):
    path = write_image("c.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(Exception, match="colour"):
        decode_mask(str(path))


@pytest.mark.parametrize("channel", [None, 0, 1, 2])
def test_ids_may_be_there_three_times(write_image, rng, channel):
    ids = rng.integers(0, 9, (5, 7), dtype=np.uint8)
    pixels = np.repeat(ids[..., None], 3, axis=-1)
    if channel is not None:
        pixels[2, 3, channel] += 1
    path = write_image("m.png", pixels)
    if channel is None:
        decoded = mask_of_bytes(path.read_bytes(), "m", repeated=True)
        np.testing.assert_array_equal(decoded, ids)
    else:
        with pytest.raises(Exception, match="colour mask"):
            mask_of_bytes(path.read_bytes(), "m", repeated=True)


def test_ids_three_times_with_alpha(write_image):
    for hidden, good in ((0, True), (1, False)):
        pixels = np.array([[[1, 1, 1, 255], [hidden, hidden, hidden, 0]]], np.uint8)
        content = write_image("m.png", pixels).read_bytes()
        if good:
            assert mask_of_bytes(content, "m", repeated=True).numpy().tolist() == [[1, 0]]
        else:
            with pytest.raises(Exception, match="1 pixels are transparent"):
                mask_of_bytes(content, "m", repeated=True)


def test_real_voc_masks_equal_pillow(voc_root):
    files = sorted((voc_root / "SegmentationClass").glob("*.png"))
    assert len(files) == 4
    for file in files:
        with Image.open(file) as image:
            np.testing.assert_array_equal(decode_mask(str(file)).numpy(), np.asarray(image))


def test_relabel_by_hand():
    mask = np.array([[0, 7], [9, 255]], np.int32)
    labels = relabel(mask, values=[9, 0, 7], void_values=[255], void=255, path="m.png")
    np.testing.assert_array_equal(labels.numpy(), [[1, 2], [0, 255]])


def test_relabel_names_the_file_and_the_value():
    with pytest.raises(Exception) as error:
        relabel(np.array([[0, 12]], np.int32), range(11), [11], 255, "masks/m.png")
    assert "masks/m.png" in str(error.value) and "value 12" in str(error.value)
    assert "0..10" in str(error.value)


def test_list_files_says_what_is_wrong(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        list_files(tmp_path / "nowhere", (".png",), "images")
    with pytest.raises(FileNotFoundError, match="no file ending in .png"):
        list_files(tmp_path, (".png",), "images")


def test_pairs_name_the_image_without_a_mask(write_image):
    blank = np.zeros((2, 2), np.uint8)
    images = [write_image(f"i/{n}.png", blank) for n in "abc"]
    masks = [write_image(f"m/{n}_gt.png", blank) for n in "ac"]
    faults = Faults()
    assert pair_by_name(images, masks, "_gt", faults) == [masks[0], None, masks[1]]
    with pytest.raises(FileNotFoundError, match=r"1 of 3 .*b\.png"):
        faults.check()


@pytest.mark.parametrize("content", [b"", b"no image", b"\xff\xd8\xff\xe0 cut short"])
def test_unreadable_files_are_named(tmp_path, content):
    path = tmp_path / "bad.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="bad.jpg"):
        load_photo(path)
