"""Photos and masks of every kind: what training, the check and predictions read is the same."""

import numpy as np
import pytest
import tifffile
from PIL import Image

import kseg
from kseg.data import converted, rasters
from kseg.data.color_masks import decode_colors
from kseg.data.decode import decode_mask, decode_photo
from kseg.data.errors import DataError
from kseg.data.files import load_mask, load_photo, read_numbers
from kseg.data.images import image_array

CLASSES = ("ground", "object")
BANDS_LAST = {"photometric": "minisblack", "planarconfig": "contig"}
BANDS_FIRST = {"photometric": "minisblack", "planarconfig": "separate"}


@pytest.fixture
def smooth(rng):
    """A Pillow image of 57x43 pixels without noise, of which JPEG leaves something."""
    return Image.fromarray(rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)).resize((57, 43))


@pytest.mark.parametrize(
    "name, mode",
    [
        *(("a.bmp", mode) for mode in ("RGB", "L", "P", "1")),
        *(("a.gif", mode) for mode in ("L", "P", "1")),
        *(("a.tif", mode) for mode in ("RGB", "L", "P", "1", "RGBA", "LA")),
        *(("a.webp", mode) for mode in ("RGB", "RGBA")),
    ],
)
def test_photos_are_read_one_way(tmp_path, smooth, name, mode):
    path, image = tmp_path / name, smooth.convert(mode)
    image.save(path, **({"lossless": True} if name == "a.webp" else {}))
    np.testing.assert_array_equal(load_photo(path), np.asarray(image.convert("RGB")))
    np.testing.assert_array_equal(decode_photo(str(path)).numpy(), load_photo(path))
    np.testing.assert_array_equal(image_array(path, 1), np.asarray(image.convert("L"))[..., None])


def test_16_bits_of_tiff_are_those_of_png(tmp_path, rng):
    grey = rng.integers(0, 65536, (8, 9), dtype=np.uint16)
    colors = rng.integers(0, 65536, (8, 9, 3), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "grey.tif", grey)
    tifffile.imwrite(tmp_path / "colors.tif", colors, photometric="rgb")
    Image.fromarray(grey).save(tmp_path / "grey.png")
    for name, expected in (("grey.tif", grey), ("grey.png", grey), ("colors.tif", colors)):
        upper = np.broadcast_to(np.atleast_3d(expected >> 8), (8, 9, 3))
        np.testing.assert_array_equal(load_photo(tmp_path / name), upper)
        np.testing.assert_array_equal(read_numbers(tmp_path / name), np.atleast_3d(expected))


@pytest.mark.parametrize(
    "dtype, bands, options",
    [
        ("uint16", 5, {}),
        ("uint16", 5, BANDS_LAST),
        ("uint8", 4, {}),  # which tifffile calls RGB with alpha
        ("uint8", 2, BANDS_LAST),
        ("float32", 13, {**BANDS_LAST, "compression": "zlib"}),
        ("int16", 2, BANDS_LAST),
        (">u2", 5, {**BANDS_LAST, "byteorder": ">"}),
    ],
)
def test_tiffs_of_any_bands_are_read_as_they_are(tmp_path, rng, dtype, bands, options):
    stored = rng.integers(0, 200, (20, 24, bands)).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", stored, **options)
    np.testing.assert_array_equal(read_numbers(tmp_path / "a.tif"), stored)


def test_bands_that_come_first_are_moved(tmp_path, rng):
    stored = rng.integers(0, 200, (5, 20, 24)).astype(np.uint16)
    for name, options in (("planes.tif", BANDS_FIRST), ("pages.tif", {})):
        tifffile.imwrite(tmp_path / name, stored, **options)
        np.testing.assert_array_equal(read_numbers(tmp_path / name), np.moveaxis(stored, 0, -1))
    np.save(tmp_path / "first.npy", stored)
    with pytest.raises(DataError, match=r"first.npy.*\(5, 20, 24\).*np.moveaxis\(array, 0, -1\)"):
        load_photo(tmp_path / "first.npy", 5)


def test_further_pages_are_refused_and_smaller_copies_are_none(tmp_path, smooth):
    others = {"save_all": True, "append_images": [smooth.rotate(90)]}
    for name in ("a.tif", "a.gif", "a.webp"):
        smooth.save(tmp_path / name, **others)
        with pytest.raises(DataError, match=f"{name}'.*pages=2: expected one page in a file. Save"):
            load_photo(tmp_path / name)
        with pytest.raises(Exception, match=f"{name}.*pages=2"):
            decode_photo(str(tmp_path / name))
    pixels = np.asarray(smooth)
    with tifffile.TiffWriter(tmp_path / "overviews.tif") as file:
        file.write(pixels, photometric="rgb")
        file.write(pixels[::2, ::2], photometric="rgb", subfiletype=1)
    np.testing.assert_array_equal(load_photo(tmp_path / "overviews.tif"), pixels)


def test_arrays_are_photos(tmp_path, rng):
    photo = rng.integers(0, 256, (8, 9, 3), dtype=np.uint8)
    np.save(tmp_path / "a.npy", photo)
    np.savez(tmp_path / "a.npz", photo)
    for name in ("a.npy", "a.npz"):
        np.testing.assert_array_equal(load_photo(tmp_path / name), photo)
        np.testing.assert_array_equal(decode_photo(str(tmp_path / name)).numpy(), photo)
    np.savez(tmp_path / "two.npz", a=photo, b=photo)
    with pytest.raises(DataError, match="two.npz'.*one array in the file, which holds a, b"):
        load_photo(tmp_path / "two.npz")


def save_mask(path, ids):
    if path.suffix == ".npy":
        return np.save(path, ids)
    if path.suffix == ".npz":
        return np.savez(path, ids.astype(np.int64))
    image = Image.fromarray(ids)
    if path.name.startswith("palette"):
        image = image.convert("P")
        image.putpalette(np.random.default_rng(0).integers(0, 256, 768, dtype=np.uint8).tobytes())
    if path.name.startswith("alpha"):
        image = Image.merge("LA", [image, image.point(lambda _: 255)])
    image.save(path)


@pytest.mark.parametrize(
    "name",
    ["a.bmp", "palette.bmp", "palette.gif", "a.tif", "palette.tif", "a.npy", "a.npz", "alpha.png"],
)
def test_masks_of_every_kind_without_loss(tmp_path, rng, name):
    ids = rng.integers(0, 7, (12, 15), dtype=np.uint8)
    save_mask(tmp_path / name, ids)
    for wide in (False, True):
        mask = decode_mask(str(tmp_path / name), wide).numpy()
        assert mask.dtype == (np.int32 if wide else np.uint8)
        np.testing.assert_array_equal(mask, ids)
    np.testing.assert_array_equal(load_mask(tmp_path / name), ids)


def test_masks_above_255_and_of_colours_are_told(tmp_path):
    tifffile.imwrite(tmp_path / "deep.tif", np.array([[0, 300]], np.uint16))
    assert decode_mask(str(tmp_path / "deep.tif"), wide=True).numpy().tolist() == [[0, 300]]
    with pytest.raises(Exception, match="deep.tif.*the value 300, which is no class"):
        decode_mask(str(tmp_path / "deep.tif"))
    Image.new("RGB", (2, 1), (1, 2, 3)).save(tmp_path / "colors.bmp")
    with pytest.raises(Exception, match="colors.bmp.*colour mask.*palette="):
        decode_mask(str(tmp_path / "colors.bmp"))
    assert decode_colors(str(tmp_path / "colors.bmp")).numpy().tolist() == [[0x010203] * 2]


def test_a_folder_of_mixed_kinds_is_learned_from(pair_folders):
    root = pair_folders(count=4, size=(24, 32))
    expected = [s["image"] for s in kseg.data.samples(folder_of(root))]
    for index, ending in enumerate(("tif", "webp", "npy")):
        path = root / "images" / f"p{index}.png"
        with Image.open(path) as image:
            pixels = np.asarray(image)
        path.unlink()
        if ending == "npy":
            np.save(path.with_suffix(".npy"), pixels)
        else:
            options = {"lossless": True} if ending == "webp" else {}
            Image.fromarray(pixels).save(path.with_suffix(f".{ending}"), **options)
    source = folder_of(root)
    assert source.ids == ("p0", "p1", "p2", "p3") and kseg.check(source).ok
    for sample, image in zip(kseg.data.samples(source), expected):
        np.testing.assert_array_equal(sample["image"], image)
    ((images, labels),) = kseg.data.batches(source, size=(16, 16), batch_size=4, augment=True)
    assert images.shape == (4, 16, 16, 3) and labels.shape == (4, 16, 16)


def folder_of(root, **options):
    return kseg.data.folder(root / "images", root / "masks", CLASSES, **options)


def test_hidden_files_are_no_photos(pair_folders):
    root = pair_folders(count=2, size=(24, 32))
    for name in ("images/._p0.png", "masks/._p0.png", "images/.DS_Store"):
        (root / name).write_bytes(b"\0\5\x16\7")
    assert folder_of(root).ids == ("p0", "p1")


def test_a_photo_is_converted_once(tmp_path, smooth, monkeypatch):
    monkeypatch.setenv("KSEG_CACHE", str(tmp_path / "cache"))
    reads, load = [], converted.load_photo
    monkeypatch.setattr(converted, "load_photo", lambda path: reads.append(path) or load(path))
    path = tmp_path / "a.bmp"
    smooth.save(path)
    for _ in range(2):
        np.testing.assert_array_equal(decode_photo(str(path)).numpy(), np.asarray(smooth))
    assert reads == [str(path)] and len(list((tmp_path / "cache" / "photos").iterdir())) == 1
    turned = smooth.transpose(Image.Transpose.ROTATE_90)
    turned.save(path)  # another file of the same name
    np.testing.assert_array_equal(decode_photo(str(path)).numpy(), np.asarray(turned))
    monkeypatch.setenv("KSEG_CACHE", str(path / "no folder"))  # nothing can be written there
    np.testing.assert_array_equal(decode_photo(str(path)).numpy(), np.asarray(turned))
    assert len(reads) == 3


@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
def test_a_file_that_is_cut_off_is_named(pair_folders, smooth, ending):
    """By a plain pass over the batches: what `model.fit` sees."""
    root = pair_folders(count=2, size=(43, 57))
    (root / "images" / "p1.png").unlink()
    path = root / "images" / f"p1.{ending}"
    smooth.save(path)
    path.write_bytes(path.read_bytes()[:-300])
    batches = kseg.data.batches(folder_of(root), size=(16, 16), batch_size=2, augment=True)
    with pytest.raises(Exception, match=f"images/p1.{ending}"):
        list(batches)


def test_jpegs_that_go_on_after_their_end_are_read(tmp_path, smooth):
    """Some cameras write data of their own behind a photo."""
    smooth.save(tmp_path / "a.jpg")
    expected = load_photo(tmp_path / "a.jpg")
    with open(tmp_path / "a.jpg", "ab") as file:
        file.write(b"trailer")
    np.testing.assert_array_equal(decode_photo(str(tmp_path / "a.jpg")).numpy(), expected)


def test_photos_of_other_bands_than_the_first_are_named(pair_folders, rng):
    root = pair_folders(count=2, size=(24, 32))
    for index, bands in enumerate((5, 4)):
        (root / "images" / f"p{index}.png").unlink()
        stored = rng.integers(0, 255, (24, 32, bands), dtype=np.uint8)
        tifffile.imwrite(root / "images" / f"p{index}.tif", stored, **BANDS_LAST)
    source = folder_of(root)
    assert (source.channels, source.dtype) == (5, "uint8")
    np.testing.assert_array_equal(source[0]["image"].shape, (24, 32, 5))
    with pytest.raises(ValueError, match=r"bands=\(5, 1, 0\): expected positions below 5, the"):
        folder_of(root, bands=(5, 1, 0))
    (error,) = kseg.check(source).errors
    assert "p1.tif': has 4 bands, and the first photo has 5" in str(error)
    assert str(error).endswith("Give photos of one kind.")


def test_a_mask_of_floats_is_a_finding(pair_folders):
    root = pair_folders(count=2, size=(24, 32))
    for index in range(2):
        (root / "masks" / f"p{index}.png").unlink()
        ids = np.full((24, 32), index * 0.5, np.float32)  # whole numbers are ids
        tifffile.imwrite(root / "masks" / f"p{index}.tif", ids)
    (error,) = kseg.check(folder_of(root, probe=False)).errors
    assert error.files == (str(root / "masks" / "p1.tif"),)
    assert "expected integers (height, width), one id a pixel. Export it anew" in error.message


def test_layers_of_keras_take_bands_and_floats(rng):
    import keras

    from kseg.data.transforms import from_keras

    images = np.kron(rng.random((2, 3, 4, 5), np.float32), np.ones((1, 8, 8, 1), np.float32))
    source = kseg.data.Source(
        name="made",
        columns={"image": images, "label": np.zeros((2, 24, 32), np.uint8)},
        decode=lambda row: dict(row),
        class_names=("a", "b"),
        colors=((0, 0, 0), (255, 0, 0)),
        ids=("p", "q"),
        value_range=(0.0, 1.0),
    )
    flip = from_keras(keras.layers.RandomFlip("horizontal"))
    ((flipped, _),) = kseg.data.batches(source, batch_size=2, augment=[flip], shuffle=False)
    for image, original in zip(flipped.numpy(), images):
        near = [np.abs(image - each).max() < 1e-6 for each in (original, original[:, ::-1])]
        assert any(near)
    with pytest.raises(ValueError, match="RandomHue, which knows red, green and blue.* 5 bands"):
        list(kseg.data.batches(source, augment=[from_keras(keras.layers.RandomHue(0.5))]))


def test_what_is_read_part_by_part(tmp_path, monkeypatch):
    monkeypatch.setattr(rasters, "LARGE", 20)
    for height, large in ((4, False), (5, True)):
        tifffile.imwrite(tmp_path / "a.tif", np.zeros((height, 5), np.uint8))
        np.save(tmp_path / "a.npy", np.zeros((height, 5, 3), np.uint8))
        assert rasters.is_raster(tmp_path / "a.tif") == large
        assert rasters.is_raster(tmp_path / "a.npy") == large
