"""A mask as one polygon, holes and pieces and all, of which pycocotools makes the same mask."""

import numpy as np


def outline(mask):
    """The outline of a mask along the borders of its pixels.

    Pieces and holes are joined to the first corner by a line there and back, which encloses
    nothing.

    Args:
        mask: `(H, W)`, zero outside; of one pixel or more.

    Returns:
        float64 `(M, 2)` of x and y.

    Example:

    >>> outline(np.array([[1, 1], [0, 0]])).tolist()
    [[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]]
    """
    loops = _loops(mask)
    corners = list(loops[0])
    for loop in loops[1:]:
        corners += [loops[0][0], *loop, loop[0]]
    if len(loops) > 1:
        corners.append(loops[0][0])
    return np.array(corners, np.float64)


def _loops(mask):
    """Closed ways along the borders, each a list of `(x, y)` where it turns."""
    after = {}  # a corner -> those that a border leads to from there
    for start, end in _borders(mask):
        after.setdefault(start, []).append(end)
    loops = []
    while after:
        start = next(iter(after))
        way, here = [start], after[start].pop()
        while here != start:
            way.append(here)
            here = after[here].pop()
        after = {corner: ends for corner, ends in after.items() if ends}
        loops.append(_turns(way))
    return loops


def _borders(mask):
    """Pairs of corners, `(x, y)` each: the sides of pixels that part inside and outside."""
    inside = np.pad(np.asarray(mask) != 0, 1)
    body = inside[1:-1, 1:-1]
    sides = (
        (body & ~inside[:-2, 1:-1], (0, 0), (1, 0)),  # to the right along the top
        (body & ~inside[1:-1, 2:], (1, 0), (1, 1)),
        (body & ~inside[2:, 1:-1], (1, 1), (0, 1)),
        (body & ~inside[1:-1, :-2], (0, 1), (0, 0)),
    )
    for border, start, end in sides:
        for y, x in np.argwhere(border).tolist():
            yield (x + start[0], y + start[1]), (x + end[0], y + end[1])


def _turns(way):
    """The corners of a closed way without those on a straight line."""
    kept = []
    for index, (x, y) in enumerate(way):
        before, behind = way[index - 1], way[(index + 1) % len(way)]
        if not (before[0] == x == behind[0] or before[1] == y == behind[1]):
            kept.append((x, y))
    return kept
