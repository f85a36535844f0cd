"""Answers as tiled BigTIFF, written from the top down while they come."""

import numpy as np

from kseg.base.atomic import into, replacing

TILE = 256  # pixels, as GDAL has it


def write_strips(path, strips, size, dtype, *, bands=None, colors=None, geo=None):
    """Writes an answer of any size; the file appears whole or not at all.

    Args:
        path: The file, a `pathlib.Path`; its folder is made.
        strips: Iterable of arrays `(h, W)` or `(h, W, bands)` from the top down, of any heights.
        size: `(H, W)`.
        dtype: Of the numbers.
        bands: Of a pixel; None for one number.
        colors: RGB of each id, for a palette of up to 256; None for none.
        geo: `geo` of a `kseg.data.rasters.Raster`: the place on earth.
    """
    import tifffile

    dtype, more = np.dtype(dtype), {}
    if not bands and colors is not None and len(colors) <= 256 and dtype == np.uint8:
        palette = np.zeros((3, 256), np.uint16)
        palette[:, : len(colors)] = np.transpose(colors) * 257  # of 16 bits
        more = {"photometric": "palette", "colormap": palette}
    shape = (*size, bands) if bands else tuple(size)
    if bands:
        more["planarconfig"] = "contig"
    with replacing(path) as temporary, into(path):
        with tifffile.TiffWriter(temporary, bigtiff=True) as file:
            file.write(
                _tiles(strips, size[1]),
                shape=shape,
                dtype=dtype,
                tile=(TILE, TILE),
                compression="zlib",
                maxworkers=1,
                metadata=None,
                extratags=geo or (),
                **{"photometric": "minisblack", **more},
            )


def _tiles(strips, width):
    """Tiles of `TILE` x `TILE`, row by row, of strips of any height; what is beyond is 0."""
    held = None
    for strip in strips:
        held = strip if held is None else np.concatenate([held, strip])
        while len(held) >= TILE:
            yield from _row(held[:TILE], width)
            held = held[TILE:]
    if held is not None and len(held):
        yield from _row(held, width)


def _row(rows, width):
    beyond = [(0, TILE - len(rows)), (0, -width % TILE)] + [(0, 0)] * (rows.ndim - 2)
    rows = np.pad(rows, beyond)
    for left in range(0, width, TILE):
        yield np.ascontiguousarray(rows[:, left : left + TILE])
