"""TIFF and GeoTIFF of any number of bands and type of number, by tifffile.

Pillow reads TIFF of 1, 3 and 4 bands of 8 bits, and grey of 16; what is beyond comes here. A file
is one photo: its further pages are refused, but for smaller copies of the first and masks of what
is not there (overviews, as GDAL writes them, are both).
"""

import dataclasses

import numpy as np

from kseg.base.arguments import refused
from kseg.data.values import NotAPhoto

MOST_BANDS = 32  # that come before the pixels
FEW_BANDS = 16  # of a last axis that is no longer it is believed that it is one of bands
WHITE_IS_ZERO = 0  # of PhotometricInterpretation, TIFF 6.0, page 37
SEPARATED = 5  # CMYK
ALPHA = (1, 2)  # of ExtraSamples, page 31; 0 is a band of which nothing is said
ONE_PAGE = (
    "Save each as a file of its own; bands of one photo as one page of several samples, as "
    "tifffile.imwrite(path, array, planarconfig='separate', photometric='minisblack') does."
)
# Compressions that Pillow undoes, by their numbers: none, CCITT, LZW, JPEG, PackBits, deflate, LZMA
# and ZSTD; and those of which it undoes a predictor too, which it forgets where none should be
BY_PILLOW = (1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 34925, 50000)
PREDICTED = (1, 5, 8, 32946, 34925, 50000)
LOSSY = (6, 7, 34892, 33007)  # JPEG
NO_PREDICTOR = (None, 1)


class CompressedTiff(ValueError):
    """A TIFF is compressed in a way that takes another package, `imagecodecs`."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """What a TIFF holds.

    Args:
        bands: Of a pixel, alpha among them.
        dtype: Of its numbers, as NumPy calls it.
        has_alpha: Whether the last of its bands says which pixels are seen.
        is_plain: Whether it is a photo of grey or colours, of which Pillow reads everything.
        is_lossy: Whether it is compressed by JPEG, which changes numbers.
    """

    bands: int
    dtype: str
    has_alpha: bool
    is_plain: bool
    is_lossy: bool


def is_tiff(start):
    """Whether a file that begins so is a TIFF, or a BigTIFF."""
    return start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def layout_of(path):
    """The `Layout` of a TIFF.

    Raises:
        NotAPhoto: it holds several pages.
    """
    import tifffile

    with tifffile.TiffFile(path) as file:
        series = only_series(file)
        page = series.keyframe
        bands = 1 if len(series.shape) < 3 else series.shape[bands_axis(series.axes, series.shape)]
        extra = tuple(page.extrasamples or ())
        is_color = page.samplesperpixel == bands and page.planarconfig == 1
        has_alpha = is_color and bands in (2, 4) and extra[-1:] and extra[-1] in ALPHA
        if has_alpha and bands == 4 and page.dtype.kind in "ui":
            has_alpha = _is_opaque(series, page)
        colors = bands in (1, 3) or bool(has_alpha) or page.photometric == SEPARATED and not extra
        shallow = page.bitspersample in (1, 2, 4, 8) or page.bitspersample == 16 and bands == 1
        plain = is_color and colors and shallow and page.dtype.kind in "bu"
        way = int(page.compression)
        undone = way in BY_PILLOW and (way in PREDICTED or page.predictor in NO_PREDICTOR)
        plain, lossy = bool(plain and undone), way in LOSSY
        return Layout(bands, str(np.dtype(page.dtype)), bool(has_alpha), plain, lossy)


def _is_opaque(series, page):
    """Whether every pixel of a fourth band is seen: then it is alpha, as it says, and no band.

    tifffile itself writes four bands of anything as RGB with alpha.
    """
    try:
        last = series.asarray()[..., -1]
    except (ImportError, ValueError):  # a compression: Pillow will say
        return True
    return last.min() == np.iinfo(page.dtype).max


def size_in_header(path):
    """Height and width of a TIFF.

    Raises:
        NotAPhoto: it holds several pages.
    """
    import tifffile

    with tifffile.TiffFile(path) as file:
        series = only_series(file)
        shape = list(series.shape)
        if len(shape) == 3:
            del shape[bands_axis(series.axes, series.shape)]
        return tuple(shape)


def check_one_page(path):
    """Raises `NotAPhoto` if a TIFF holds more than a photo."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        only_series(file)


def read_tiff(path):
    """The numbers of a TIFF file: `(H, W, bands)`, of the type that is stored.

    Raises:
        NotAPhoto: it holds several pages, which are not the bands of one photo.
        CompressedTiff: it is compressed in a way for which a package is missing.
    """
    import tifffile

    with tifffile.TiffFile(path) as file:
        series = only_series(file)
        array = _decompressed(series)
        if array.ndim == 3:
            array = np.moveaxis(array, bands_axis(series.axes, array.shape), -1)
        else:
            array = array[:, :, None]
        if series.keyframe.photometric == WHITE_IS_ZERO and array.dtype.kind == "u":
            array = np.iinfo(array.dtype).max - array
    return array


def _decompressed(series):
    """The array of a picture; of what cannot be undone, the name of the way that it is compressed.

    tifffile asks for `imagecodecs`, or from Python 3.14 on for a module of its own library.
    """
    try:
        return series.asarray()
    except (ImportError, ValueError) as error:
        if not isinstance(error, ImportError) and "codec" not in str(error):
            raise
        page = series.keyframe
        way = getattr(page.compression, "name", str(page.compression))
        if page.predictor not in NO_PREDICTOR:
            way += f" with predictor {int(page.predictor)}"
        raise CompressedTiff(way) from error


def only_series(file):
    """The pictures of a file that are one photo, without smaller copies of it and masks."""
    pages = [
        each for each in file.series if not (each.keyframe.is_reduced or each.keyframe.is_mask)
    ]
    if not pages:
        raise ValueError("it holds no page")
    one = pages[0]
    if len(pages) != 1 or len(one.shape) not in (2, 3) or set("ITZ") & set(one.axes):
        expected = "one page in a file"
        raise refused("pages", len(file.pages), expected, ONE_PAGE, NotAPhoto)
    return one


def bands_axis(axes, shape):
    """Which axis of a picture of three is that of its bands.

    Args:
        axes: tifffile's letters: S of samples, C of channels, X and Y of pixels, Q of nothing said.
        shape: Lengths of the axes.

    Example:

    >>> [bands_axis(*of) for of in [("YXS", (40, 48, 5)), ("SYX", (5, 9, 48)), ("QYX", (5, 9, 48))]]
    [2, 0, 0]
    """
    for letter in "SC":
        if letter in axes:
            return axes.index(letter)
    return band_axis(shape)


def band_axis(shape):
    """Which of three axes, of which nothing is said, is that of the bands: the last, or the first.

    >>> band_axis((40, 48, 5)), band_axis((5, 40, 48)), band_axis((64, 64, 3))
    (2, 0, 2)
    """
    first, middle, last = shape
    is_first = first <= MOST_BANDS and first < min(middle, last) and last > FEW_BANDS
    return 0 if is_first else 2
