"""TIFF compressed in every usual way: to the number written, or refused with what to do."""

import numpy as np
import pytest
import tifffile
from PIL import Image

import kseg
from kseg.data.errors import DataError
from kseg.data.files import load_mask, load_photo, read_numbers, reading
from kseg.data.tiff import CompressedTiff, read_tiff

SMOOTH = np.add.outer(np.arange(32), np.arange(48))[..., None] + np.arange(5) * 50
FIVE = (SMOOTH * 8).astype(np.uint16)
FLOATS = FIVE.astype(np.float32) / 4000
RGB = (SMOOTH[..., :3] % 256).astype(np.uint8)
IDS = (SMOOTH[..., 0] % 3).astype(np.uint8)
DEEP = (SMOOTH[..., 0] * 20).astype(np.uint16)


def write(path, array, compression, predictor=None):
    kind = "rgb" if array is RGB else "minisblack"
    more = {} if array.ndim == 2 else {"planarconfig": "contig"}
    if predictor:
        more |= {"predictor": True, "tile": (16, 16)}
    tifffile.imwrite(path, array, compression=compression, photometric=kind, **more)


@pytest.mark.parametrize("predictor", [False, True], ids=["", "predictor"])
@pytest.mark.parametrize("compression", ["lzw", "deflate", "zstd", "lzma", "packbits"])
def test_every_number_comes_out(tmp_path, compression, predictor):
    pytest.importorskip("imagecodecs")
    path = tmp_path / "a.tif"
    for array in (FIVE, FLOATS):
        write(path, array, compression, predictor)
        np.testing.assert_array_equal(read_numbers(path), array)
    write(path, RGB, compression, predictor)
    np.testing.assert_array_equal(load_photo(path), RGB)
    for ids in (IDS, DEEP):
        write(path, ids, compression, predictor)
        np.testing.assert_array_equal(load_mask(path), ids)


@pytest.mark.parametrize("compression", ["jpeg2000", "jpegxl", "png", "lerc"])
def test_ways_that_pillow_does_not_know(tmp_path, compression):
    pytest.importorskip("imagecodecs")
    for name, array, read in (("photo", RGB, load_photo), ("mask", IDS, load_mask)):
        path = tmp_path / f"{name}.tif"
        write(path, array, compression)
        np.testing.assert_array_equal(read(path), array)


def test_a_mask_compressed_by_jpeg_is_refused(tmp_path):
    pytest.importorskip("imagecodecs")
    write(tmp_path / "photo.tif", RGB, "jpeg")
    assert np.abs(load_photo(tmp_path / "photo.tif").astype(int) - RGB).max() <= 8
    write(tmp_path / "mask.tif", IDS, "jpeg")
    with pytest.raises(DataError, match="compression='JPEG': .* JPEG changes ids: export"):
        load_mask(tmp_path / "mask.tif")


def test_photos_and_masks_of_a_set(tmp_path):
    """GDAL's usual way: LZW with a predictor."""
    pytest.importorskip("imagecodecs")
    for folder, array in (("images", FIVE), ("masks", IDS)):
        (tmp_path / folder).mkdir()
        for name in "ab":
            write(tmp_path / folder / f"{name}.tif", array, "lzw", True)
    names = ["a", "b", "c"]
    source = kseg.data.folder(tmp_path / "images", tmp_path / "masks", names, bits=12)
    np.testing.assert_array_equal(source[1]["image"], FIVE)
    np.testing.assert_array_equal(source[1]["label"], IDS)
    assert kseg.check(source, duplicates=False).errors == []


@pytest.mark.parametrize(
    "error, said",
    [
        (ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package"), "LZW"),
        (ModuleNotFoundError("No module named 'compression'"), "LZW"),  # ZSTD before Python 3.14
    ],
)
def test_what_is_missing_is_named_with_its_extra(tmp_path, monkeypatch, error, said):
    path = tmp_path / "a.tif"
    Image.fromarray(IDS).save(path, compression="tiff_lzw")

    def refuse(self, **given):
        raise error

    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", refuse)
    with pytest.raises(CompressedTiff, match=f"^{said}$"):
        read_tiff(path)
    message = (
        r"a.tif' is a TIFF compressed by LZW, for which imagecodecs is missing: it comes with "
        r"kseg's extra tiff. Run: pip install .*\[tiff\]"
    )
    with pytest.raises(DataError, match=message):
        with reading(path):
            read_tiff(path)


def test_a_tiff_without_a_page_is_damaged(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\0\x08\0\0\0")
    with pytest.raises(DataError, match="cannot be read as an image .it holds no page"):
        load_photo(path)
