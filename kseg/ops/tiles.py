"""Photos that are too large for a network in one piece: where their tiles lie.

Tiles lie inside the photo, so that those at its border see the same border as in one piece. Of two
neighbours each answers for its half of what they share. One rule for `kseg.predict`, with NumPy,
and for served graphs, with TensorFlow: `xp` is the one or the other.
"""

import numpy as np

STRIDE = 64  # pixels; a multiple of what one pixel of any network's smallest map stands for


def spans(length, tile, overlap, xp=np):
    """Where the tiles of an axis lie, and for which part each answers.

    A network halves its maps from the first pixel on: only tiles that begin at a multiple of its
    stride see the maps of the whole photo. Where tiles are large enough they begin at multiples of
    `STRIDE`, and are up to `STRIDE - 1` pixels shorter than `tile`, all of them alike.

    Args:
        length: int32 scalar, pixels of the axis.
        tile: Integer, pixels of a tile at most; the whole axis where that is shorter.
        overlap: Integer below `tile`, pixels that neighbours share at least.
        xp: NumPy or TensorFlow. Defaults to NumPy.

    Returns:
        start: int32 `(n,)`, first pixel of each tile.
        side: int32 scalar, pixels of each tile.
        edge: int32 `(n + 1,)`, tile i answers for pixels from edge i to edge i + 1.

    Example:

    >>> start, side, edge = spans(1000, 512, 128)
    >>> start.tolist(), int(side), edge.tolist()
    ([0, 256, 512], 488, [0, 372, 628, 1000])
    """
    step = STRIDE if tile - overlap >= 2 * STRIDE else 1
    side = xp.minimum(length, tile - (tile - length) % step)
    steps = (length - side) // step  # from the first tile's start to the last one's
    most = xp.maximum((side - overlap) // step, 1)  # from one tile's start to the next one's
    count = 1 - (-steps // most)
    number = xp.cumsum(xp.ones([count + 1], "int32")) - 1
    start = number * steps // xp.maximum(count - 1, 1) * step
    shared = xp.concat([start[:1] - side, start[:-1]], 0) + side  # where the tile before ends
    middle = (start + shared) // 2
    edge = xp.where(number == 0, 0, xp.where(number == count, length, middle))
    return start[:-1], side, edge


def stitched(images, answer, tile, overlap):
    """What a function answers of the tiles of images, put together to their size.

    Args:
        images: Array `(B, H, W, ...)`.
        answer: Function of a tile `(B, h, w, ...)` to a list of arrays `(B, h, w, ...)`.
        tile, overlap: As for `spans`; `tile=None` for the images in one piece.

    Returns:
        List of arrays `(B, H, W, ...)`.

    Example:

    >>> photos = np.arange(6 * 5).reshape(1, 6, 5)
    >>> bool((stitched(photos, lambda part: [part], 3, 1)[0] == photos).all())
    True
    """
    size = images.shape[1:3]
    if tile is None or max(size) <= tile:
        return answer(images)
    (y, height, y_edge), (x, width, x_edge) = (spans(side, tile, overlap) for side in size)
    whole = None
    for top, first, last in zip(y, y_edge, y_edge[1:]):
        for left, begin, end in zip(x, x_edge, x_edge[1:]):
            parts = answer(images[:, top : top + height, left : left + width])
            if whole is None:
                shapes = [(len(images), *size, *part.shape[3:]) for part in parts]
                whole = [np.empty(shape, part.dtype) for shape, part in zip(shapes, parts)]
            for each, part in zip(whole, parts):
                inside = part[:, first - top : last - top, begin - left : end - left]
                each[:, first:last, begin:end] = inside
    return whole
