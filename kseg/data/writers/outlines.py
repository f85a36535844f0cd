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


def rings(mask):
    """The polygons of a mask along the borders of its pixels, with their holes.

    Pixels that touch at a corner alone belong to two polygons, so that no ring meets itself.

    Args:
        mask: `(H, W)`, zero outside.

    Returns:
        List of polygons: the outer ring, and then those of its holes, each a list of `(x, y)`; the
        first corner is not repeated. Outer rings turn right as y points down, holes left.

    Example:

    >>> square = np.ones((3, 3), bool)
    >>> square[1, 1] = False
    >>> rings(square)
    [[[(0, 0), (3, 0), (3, 3), (0, 3)], [(1, 2), (2, 2), (2, 1), (1, 1)]]]
    """
    outer, holes = [], []
    for way in _simple_ways(mask):
        (outer if _area(way) > 0 else holes).append(way)
    polygons = [[each] for each in outer]
    for hole in holes:
        within = polygons if len(polygons) == 1 else [p for p in polygons if _holds(p[0], hole)]
        min(within, key=lambda each: _area(each[0])).append(hole)
    return polygons


def _simple_ways(mask):
    """Closed ways along the borders, none of which meets itself at a corner."""
    after = {}
    for start, end in _borders(mask):
        after.setdefault(start, []).append(end)
    ways = []
    while after:
        start = next(iter(after))
        way, before, here = [start], start, _left(after, start)
        while here != start:
            way.append(here)
            step = here[0] - before[0], here[1] - before[1]
            right = here[0] - step[1], here[1] + step[0]
            before, here = here, _left(after, here, right)
        ways += map(_turns, _parted(way))
    return ways


def _left(after, corner, preferred=None):
    """Where a border leads to from a corner, which is then gone; where two do, the preferred."""
    ends = after[corner]
    end = preferred if preferred in ends else ends[0]
    ends.remove(end)
    if not ends:
        del after[corner]
    return end


def _parted(way):
    """The closed ways that a way is, which comes back to some of its corners."""
    open_way, seen = [], {}
    for corner in (*way, way[0]):
        if corner in seen:
            loop = open_way[seen[corner] :]
            yield loop
            for each in loop:
                del seen[each]
            del open_way[-len(loop) :]
        seen[corner] = len(open_way)
        open_way.append(corner)


def _area(way):
    """Twice the area of a closed way, more than 0 where it turns right as y points down."""
    return sum(x * below - across * y for (x, y), (across, below) in zip(way, way[1:] + way[:1]))


def _holds(outer, hole):
    """Whether a ring holds another, which does not cross it: by a ray from within the other's
    first corner to the left."""
    x, y = min(hole)
    x, y = x + 0.5, y + 0.5
    inside = False
    for (side, above), (_, below) in zip(outer, outer[1:] + outer[:1]):
        if (above > y) != (below > y) and side < x:
            inside = not inside
    return inside
