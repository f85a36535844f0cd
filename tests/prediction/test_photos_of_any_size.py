"""`kseg.predict(..., output=)`: photos part by part, into tiled TIFF with their place."""

import keras
import numpy as np
import pytest
import tifffile
from seeds import fresh_seed

import kseg
from kseg.data.rasters import opened

PLACE = [
    (33550, 12, 3, (0.5, 0.5, 0.0), True),
    (33922, 12, 6, (0.0, 0.0, 0.0, 4e5, 5e6, 0.0), True),
    (34735, 3, 8, (1, 1, 0, 1, 3072, 0, 1, 32633), True),
]


@pytest.fixture(scope="module")
def model():
    fresh_seed(0)
    return kseg.build_unet(3, width=4, depth=2, compile=False)


@pytest.fixture(scope="module")
def photo():
    coarse = np.random.default_rng(0).integers(0, 256, (10, 12, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((32, 32, 1), np.uint8))[:310, :370]


@pytest.fixture(scope="module")
def whole(model, photo):
    return kseg.predict(model, photo)


def write_npy(path, photo):
    np.save(path.with_suffix(".npy"), photo)
    return path.with_suffix(".npy")


def tiff(**options):
    def write(path, photo):
        tifffile.imwrite(path, photo, **options)
        return path

    return write


def planes(path, photo):
    bands = np.moveaxis(photo, -1, 0)
    tifffile.imwrite(path, bands, planarconfig="separate", photometric="rgb", tile=(64, 128))
    return path


def with_alpha(path, photo):
    alpha = np.full((*photo.shape[:2], 1), 7, np.uint8)
    more = {"photometric": "rgb", "extrasamples": ["unassalpha"], "rowsperstrip": 50}
    tifffile.imwrite(path, np.concatenate([photo, alpha], -1), **more)
    return path


def mapped(path, photo):
    return np.load(write_npy(path, photo), mmap_mode="r")


WAYS = {
    "npy": write_npy,
    "memmap": mapped,
    "tiles": tiff(tile=(128, 112), compression="zlib"),
    "strips": tiff(rowsperstrip=7),
    "planes": planes,
    "alpha": with_alpha,
    "array": lambda path, photo: photo,
}


@pytest.mark.parametrize("way", WAYS)
def test_parts_of_a_photo(tmp_path, photo, way):
    with opened(WAYS[way](tmp_path / "photo.tif", photo), 3) as raster:
        assert raster.size == photo.shape[:2]
        for rows, columns in ((slice(0, 310), slice(0, 370)), (slice(60, 131), slice(111, 300))):
            np.testing.assert_array_equal(raster.read(rows, columns), photo[rows, columns])


@pytest.mark.parametrize("way", ["memmap", "tiles"])
def test_tiles_give_what_the_whole_photo_gives(tmp_path, model, photo, whole, way, monkeypatch):
    """Beyond what U-Net of depth 2 sees, 22 pixels: tiles of 256 share 128, of which 48 do not
    count at either end."""
    output = kseg.predict(
        model, WAYS[way](tmp_path / "photo.tif", photo), tile=256, output=tmp_path / "o/labels.tif"
    )
    assert output == tmp_path / "o/labels.tif"
    with tifffile.TiffFile(output) as file:
        page = file.pages[0]
        assert file.is_bigtiff and page.is_tiled and page.photometric == 3
        labels = file.asarray()
    assert labels.dtype == np.uint8 and len(np.unique(whole)) > 1
    assert np.mean(labels != whole) < 1e-4  # near ties
    assert [path.name for path in (tmp_path / "o").iterdir()] == ["labels.tif"]


def test_the_place_of_a_geotiff_is_kept(tmp_path, model, photo, whole):
    path = tiff(tile=(64, 64), extratags=PLACE)(tmp_path / "photo.tif", photo)
    kseg.predict(model, path, output=tmp_path / "labels.tif")
    with tifffile.TiffFile(tmp_path / "labels.tif") as file:
        tags = file.pages[0].tags
        assert [tuple(tags[code].value) for code, *_ in PLACE] == [value for *_, value, _ in PLACE]
        np.testing.assert_array_equal(file.asarray(), whole)


def test_probabilities_of_labels(tmp_path, model, photo, whole):
    found = kseg.predict(model, photo, probabilities=True)
    assert found.shape == (*photo.shape[:2], 3) and found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)
    np.testing.assert_array_equal(found.argmax(axis=-1), whole)
    path = kseg.predict(
        model, photo, tile=256, probabilities=True, output=tmp_path / "probabilities.tif"
    )
    np.testing.assert_allclose(tifffile.imread(path), found, atol=1e-4)


def test_of_a_binary_model_both(photo):
    fresh_seed(0)
    model = kseg.build_unet(1, width=2, depth=1, compile=False)
    found = kseg.predict(model, photo, probabilities=True)
    logits = keras.ops.convert_to_numpy(model(photo[None].astype("float32"), training=False))[0]
    np.testing.assert_allclose(found[..., 1:], 1 / (1 + np.exp(-logits)), atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)


def test_several_classes_a_pixel_are_bands(tmp_path, photo):
    fresh_seed(0)
    model = kseg.build_unet(3, width=2, depth=1, multilabel=True, compile=False)
    chosen = {"threshold": (0.5, 0.4, 0.6)}
    whole = kseg.predict(model, photo, **chosen)
    clear = np.abs(kseg.predict(model, photo, probabilities=True) - (0.5, 0.4, 0.6)) > 1e-5
    path = kseg.predict(model, photo, tile=192, output=tmp_path / "labels.tif", **chosen)
    labels = tifffile.imread(path)
    assert labels.dtype == np.uint8 and labels.shape == whole.shape
    assert clear.mean() > 0.5
    np.testing.assert_array_equal(labels[clear], whole[clear])
    assert 0 < labels.mean() < 1


def test_numbers_of_parts_are_those_of_the_whole(tmp_path, photo):
    deep = photo.astype(np.uint16) * 257
    deep[:100] = 3  # a dark part, which alone would pass for bytes
    with opened(deep, 3) as raster:
        part = raster.read(slice(0, 50), slice(0, 50))
        assert part.dtype == np.uint8 and not part.any()
        np.testing.assert_array_equal(raster.read(slice(200, 310), slice(0, 9)), photo[200:, :9])
        raster.check_seen()
    with opened(photo.astype(np.float32) / 255, 3) as raster:
        raster.read(slice(0, 310), slice(0, 370))
        with pytest.raises(ValueError, match="These are of 0..1: multiply by 255"):
            raster.check_seen()
    with opened(deep, 3, (0, 4095)) as raster:
        with pytest.raises(ValueError, match="clip=True"):
            raster.read(slice(200, 310), slice(0, 370))
    with opened(deep, 3, (0, 4095), clip=True) as raster:
        assert raster.read(slice(200, 310), slice(0, 370)).max() == 4095


def test_nothing_half_written_is_left(tmp_path, model, photo):
    bad = photo.astype(np.float32)
    bad[-1, -1] = np.nan
    with pytest.raises(ValueError, match="nan"):
        kseg.predict(model, bad, tile=128, output=tmp_path / "labels.tif")
    assert not list(tmp_path.iterdir())
    path = tiff()(tmp_path / "photo.tif", photo)
    with pytest.raises(ValueError, match="which would be lost"):
        kseg.predict(model, path, output=path, overwrite=True)
    (tmp_path / "labels.tif").write_text("mine")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        kseg.predict(model, path, output=tmp_path / "labels.tif")
    with pytest.raises(ValueError, match=r"expected the name of a file ending in .tif, .tiff"):
        kseg.predict(model, path, output=tmp_path / "labels.png")
    with pytest.raises(ValueError, match="without output="):
        kseg.predict(model, path, resize=(64, 64), output=tmp_path / "other.tif")
    assert (tmp_path / "labels.tif").read_text() == "mine"


# Seen several ways


def test_mirrored_photos_are_averaged(model, photo):
    plain = [kseg.predict(model, each, probabilities=True) for each in (photo, photo[:, ::-1])]
    both = kseg.predict(model, photo, probabilities=True, tta="horizontal")
    np.testing.assert_allclose(both, (plain[0] + plain[1][:, ::-1]) / 2, atol=1e-5)
    again = kseg.predict(model, photo[:, ::-1], tta=("horizontal",))
    labels = kseg.predict(model, photo, tta=("horizontal",))
    np.testing.assert_array_equal(labels, both.argmax(axis=-1))
    assert np.mean(again[:, ::-1] != labels) < 1e-4  # the order of the two does not matter


def test_scales_are_averaged(model, photo):
    half = kseg.predict(model, photo, resize=(155, 1000), probabilities=True)
    plain = kseg.predict(model, photo, probabilities=True)
    both = kseg.predict(model, photo, probabilities=True, tta=(0.5,))
    np.testing.assert_allclose(both, (plain + half) / 2, atol=1e-4)


@pytest.mark.parametrize("tta", ["diagonal", (0,), (100.0,), ("horizontal", None), 3j])
def test_what_is_no_view_is_refused(model, photo, tta):
    with pytest.raises(ValueError, match="tta="):
        kseg.predict(model, photo, tta=tta)
