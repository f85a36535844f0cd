"""Photos of which only a part is in memory at a time: mapped arrays, and TIFF by its tiles.

A GeoTIFF's place, `geo`, is kept as its tags are. Alpha that a TIFF declares is no band, unless the
model takes one more.
"""

import collections
import contextlib
from pathlib import Path

import numpy as np

from kseg.base.arguments import refused
from kseg.data.channels import with_channels
from kseg.data.files import load_photo, reading, start_of
from kseg.data.tiff import ALPHA, WHITE_IS_ZERO, bands_axis, is_tiff, only_series
from kseg.data.values import NotAPhoto, check_finite, words

# Tags of GeoTIFF 1.1 (OGC 19-008r4): scale, tie points, transformation, keys and their values
GEO = (33550, 33922, 34264, 34735, 34736, 34737)
KEPT = 256 << 20  # bytes of tiles of a TIFF that stay decoded: more than a row of tiles has
LARGE = 1 << 26  # pixels, from which on a photo is read part by part


class Raster:
    """A photo that is read part by part.

    Args:
        size: `(height, width)`.
        part: Function of two slices, rows and columns, to the stored numbers `(h, w, bands)`.
        channels, value_range: Of the model.
        clip: Whether numbers beyond the range become its ends. Default False.
        geo: A GeoTIFF's tags as tifffile writes them; None of a photo without a place.
        name: What to call it in errors.
    """

    def __init__(self, size, part, channels, value_range, clip=False, geo=None, name="image"):
        self.size, self.part, self.geo, self.name = tuple(map(int, size)), part, geo, name
        self.channels, self.value_range, self.clip = channels, value_range, clip
        self.least, self.most = np.inf, -np.inf  # of what was read so far

    def read(self, rows, columns):
        """The numbers of a part as the model takes them, `(h, w, channels)`."""
        array = self._numbers(self.part(rows, columns))
        return with_channels(array, self.channels, self.name)

    def _numbers(self, array):
        """`kseg.data.values.numbers` of a part, of which less can be told than of the whole."""
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        if array.dtype == np.uint8 and (self.value_range or (0, 255))[1] <= 255:
            return array
        if array.dtype.kind == "b":
            return array.astype(np.uint8) * np.uint8(255)
        low, high = self.value_range or (0, 65535 if array.dtype == np.uint16 else 255)
        wanted = f"numbers of {words((low, high))}"
        check_finite(array, self.name, wanted)
        least, most = array.min().item(), array.max().item()
        self.least, self.most = min(self.least, least), max(self.most, most)
        if self.clip:
            array = np.clip(array, low, high)
        elif least < low or most > high:
            remedy = "Give a larger range to model and data, or hold it within this one: clip=True."
            beyond = least if least < low else most
            raise refused(self.name, beyond, wanted, remedy, NotAPhoto)
        if self.value_range is None:
            bytes_ = array >> 8 if array.dtype == np.uint16 else np.rint(array)
            return bytes_.astype(np.uint8)
        return array if array.dtype in (np.uint8, np.uint16) else array.astype(np.float32)

    def check_seen(self):
        """Raises `NotAPhoto` if all that was read is plainly of another range than the model's."""
        most = 65535 if self.most > 255 else 255
        high = self.value_range[1] if self.value_range else most
        if self.least >= 0 and 0 < self.most <= 1 < high / 2:
            remedy = f"These are of 0..1: multiply by {high}, or say value_range=(0, 1) to both."
            wanted = f"numbers of {words(self.value_range or (0, most))}"
            raise refused(f"{self.name}.max()", self.most, wanted, remedy, NotAPhoto)


@contextlib.contextmanager
def opened(image, channels, value_range=None, clip=False):
    """Yields the `Raster` of whatever holds a photo.

    Args:
        image: A path, of a TIFF, of NumPy's `.npy`, or of another photo, which is read whole; or an
            array `(H, W)` or `(H, W, bands)`, as `np.memmap`.
        channels, value_range, clip: As of `Raster`.

    Raises:
        DataError: the file is missing or unreadable.
        NotAPhoto: the array is none.
    """
    more = {"channels": channels, "value_range": value_range, "clip": clip}
    if not isinstance(image, (str, Path)):
        yield _of_array(np.asanyarray(image), "image", more)
        return
    path = Path(image).expanduser()
    with contextlib.ExitStack() as stack:
        with reading(path):
            raster = _of_file(path, stack, more)
        yield raster


def _of_file(path, stack, more):
    if path.suffix.lower() == ".npy":
        return _of_array(np.load(path, mmap_mode="r", allow_pickle=False), str(path), more)
    if is_tiff(start_of(path)):
        import tifffile

        file = stack.enter_context(tifffile.TiffFile(path))
        series = only_series(file)
        page = series.keyframe
        geo = geo_tags(page)
        if len(series.pages) == 1 and page.compression in (1, 8, 32946) or _has_codecs():
            if len(series.pages) == 1 and page.photometric not in (3, 5, 6):
                tiles = Tiles(page, series, more["channels"])
                return Raster(tiles.size, tiles.part, **more, geo=geo, name=str(path))
        photo = load_photo(path, more["channels"], more["value_range"], more["clip"])
        return _of_array(photo, str(path), more, geo)
    photo = load_photo(path, more["channels"], more["value_range"], more["clip"])
    return _of_array(photo, str(path), more)


def _has_codecs():
    try:
        import imagecodecs  # noqa: F401
    except ImportError:
        return False
    return True


def _of_array(array, name, more, geo=None):
    if array.ndim not in (2, 3) or 0 in array.shape or array.dtype.kind not in "buif":
        expected = "numbers of a shape (height, width) or (height, width, bands)"
        raise refused(name, array.shape, expected, error=NotAPhoto)

    def part(rows, columns):
        values = np.array(array[rows, columns])
        return values if values.ndim == 3 else values[:, :, None]

    return Raster(array.shape[:2], part, **more, geo=geo, name=name)


def geo_tags(page):
    """The place of a GeoTIFF's page as `extratags` of tifffile; None if it has none."""
    tags = [page.tags[code] for code in GEO if code in page.tags]
    return [(tag.code, int(tag.dtype), tag.count, tag.value, True) for tag in tags] or None


def is_raster(path):
    """Whether a photo is read part by part: it has a place, or is large."""
    path = Path(path)
    if path.suffix.lower() == ".npy":
        with reading(path):
            return int(np.prod(np.load(path, mmap_mode="r").shape[:2])) > LARGE
    if not is_tiff(start_of(path)):
        return False
    import tifffile

    with reading(path), tifffile.TiffFile(path) as file:
        page = only_series(file).keyframe
        return geo_tags(page) is not None or page.imagelength * page.imagewidth > LARGE


class Tiles:
    """The tiles, or strips, of a TIFF's page.

    Args:
        page, series: As of tifffile.
        channels: Of the model.
    """

    def __init__(self, page, series, channels):
        self.page, self.size = page, (page.imagelength, page.imagewidth)
        tiled = page.is_tiled
        self.step = (
            page.tilelength if tiled else min(page.rowsperstrip, page.imagelength),
            page.tilewidth if tiled else page.imagewidth,
        )
        self.down, self.across = (-(-whole // step) for whole, step in zip(self.size, self.step))
        self.planes = page.samplesperpixel if page.planarconfig == 2 else 1
        bands = 1
        if len(series.shape) == 3:
            bands = series.shape[bands_axis(series.axes, series.shape)]
        declared = tuple(page.extrasamples or ())[-1:]
        self.drop = bands in (2, 4) and bands == channels + 1 and declared and declared[0] in ALPHA
        self.kept, self.held = collections.OrderedDict(), 0

    def part(self, rows, columns):
        """The stored numbers of a part, `(h, w, bands)`."""
        size = (rows.stop - rows.start, columns.stop - columns.start)
        planes = [self._plane(plane, rows, columns, size) for plane in range(self.planes)]
        whole = planes[0] if len(planes) == 1 else np.concatenate(planes, axis=-1)
        if self.page.photometric == WHITE_IS_ZERO and whole.dtype.kind == "u":
            whole = np.iinfo(whole.dtype).max - whole
        return whole[..., :-1] if self.drop else whole

    def _plane(self, plane, rows, columns, size):
        whole = None
        (h, w) = self.step
        for i in range(rows.start // h, -(-rows.stop // h)):
            for j in range(columns.start // w, -(-columns.stop // w)):
                tile = self._tile((plane * self.down + i) * self.across + j)
                if whole is None:
                    whole = np.zeros((*size, tile.shape[-1]), tile.dtype)
                y, x = max(rows.start, i * h), max(columns.start, j * w)
                y_end = min(rows.stop, i * h + tile.shape[0])
                x_end = min(columns.stop, j * w + tile.shape[1])
                inside = tile[y - i * h : y_end - i * h, x - j * w : x_end - j * w]
                whole[
                    y - rows.start : y_end - rows.start, x - columns.start : x_end - columns.start
                ] = inside
        return whole

    def _tile(self, index):
        """A tile `(h, w, bands)`, of those that were decoded last, or decoded."""
        if index in self.kept:
            self.kept.move_to_end(index)
            return self.kept[index]
        page = self.page
        offset, count = page.dataoffsets[index], page.databytecounts[index]
        data = None
        if count:  # GDAL leaves out tiles of nothing
            page.parent.filehandle.seek(offset)
            data = page.parent.filehandle.read(count)
        tables = {"jpegtables": page.jpegtables} if page.jpegtables is not None else {}
        tile, _, shape = page.decode(data, index, **tables)
        if tile is None:
            bands = 1 if self.planes > 1 else page.samplesperpixel
            tile = np.zeros((1, *self.step, bands), page.dtype)
        tile = tile[0]
        self.kept[index], self.held = tile, self.held + tile.nbytes
        while self.held > KEPT and len(self.kept) > 1:
            self.held -= self.kept.popitem(last=False)[1].nbytes
        return tile
