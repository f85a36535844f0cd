"""How the answer passes from one tile to the next, for photos that come and go in strips.

Where `kseg.ops.tiles.spans` has an edge between two tiles, each is weighed by a Gaussian round its
own middle; the two, normalised, are a logistic curve across the edge. It is cut off where a tile's
own border comes near: what a network sees there is not what the photo is, and beyond its receptive
field tiles give exactly what the whole photo gives.

Axes: H and W the photo, C numbers a pixel.
"""

import numpy as np

from kseg.ops.tiles import spans

ZONE = (
    8  # what two tiles share, over half the width in which the answer passes from one to the next
)
STEEP = 4.0  # the logistic curve's exponent at the ends of the zone: 2 % and 98 %


def faded(length, tile, overlap):
    """Where the tiles of an axis lie, and how much each says of each pixel.

    Args:
        length, tile, overlap: As of `kseg.ops.tiles.spans`.

    Returns:
        start: First pixel of each tile, int `(n,)`.
        side: Pixels of each tile.
        first, last: Of each tile, the pixels that it has a say in, from and to, `(n,)`; it is the
            last with a say from its first pixel to the next one's first.
        weight: Of each tile an array of its say in these pixels, float32; the tiles' sum is 1.

    Example:

    >>> start, side, first, last, weight = faded(1000, 512, 128)
    >>> first.tolist(), last.tolist()
    ([0, 343, 599], [401, 657, 1000])
    """
    start, side, edge = spans(length, tile, overlap)
    side = int(side)
    shared = start[:-1] + side - start[1:]
    zone = np.minimum(shared // ZONE, np.diff(edge).min() // 2) if len(start) > 1 else shared
    zone = np.concatenate([[0], zone, [0]])  # at each edge; the photo's own are sharp
    first, last = edge[:-1] - zone[:-1], edge[1:] + zone[1:]
    weight = []
    for index in range(len(start)):
        each = np.ones(last[index] - first[index], np.float32)
        before, after = zone[index], zone[index + 1]
        each[: 2 * before] = _curve(before)
        each[len(each) - 2 * after :] -= _curve(after)
        weight.append(each)
    return start, side, first, last, weight


def _curve(zone):
    """The say of the later of two tiles, from `zone` pixels before their edge to as many after."""
    at = (np.arange(-zone, zone) + 0.5) / max(zone, 1)
    return (1 / (1 + np.exp(-STEEP * at))).astype(np.float32)


def strips(size, tile, overlap, answer, decide):
    """What a function answers of tiles, put together from the top down, in strips.

    Of the photo nothing is held but a row of tiles' decisions, and what the next row of tiles has a
    say in.

    Args:
        size: `(H, W)` of the photo.
        tile, overlap: As of `kseg.ops.tiles.spans`.
        answer: Function of two slices, rows and columns of a tile, to float32 `(h, w, C)`.
        decide: Function of such numbers, put together, to an array `(h, w, ...)`.

    Yields:
        First row, and the decisions `(h, W, ...)` from there on.
    """
    (y, height, top, bottom, down), (x, width, left, right, across) = (
        faded(side, tile, overlap) for side in size
    )
    ends = np.append(left[1:], size[1])  # of the columns that a tile is the last with a say in
    above = None  # sums of the rows that the next row of tiles has a say in: (rows, W, C)
    for row, start in enumerate(y):
        done = (top[row + 1] if row + 1 < len(y) else size[0]) - top[row]
        kept = below = beside = None
        for column, begin in enumerate(x):
            values = answer(slice(start, start + height), slice(begin, begin + width))
            rows = slice(top[row] - start, bottom[row] - start)
            columns = slice(left[column] - begin, right[column] - begin)
            values = values[rows, columns] * down[row][:, None, None]
            values *= across[column][:, None]
            if beside is not None:
                values[:, : beside.shape[1]] += beside
            part = slice(left[column], ends[column])
            ready, beside = np.split(values, [ends[column] - left[column]], axis=1)
            if above is not None:
                ready[: len(above)] += above[:, part]
            decided = decide(ready[:done])
            if kept is None:
                kept = np.empty((done, size[1], *decided.shape[2:]), decided.dtype)
                below = np.empty((len(values) - done, size[1], values.shape[-1]), np.float32)
            kept[:, part], below[:, part] = decided, ready[done:]
        yield int(top[row]), kept
        above = below
