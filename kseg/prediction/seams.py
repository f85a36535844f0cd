"""Objects of a photo that was seen tile by tile: none twice, none in two.

Tiles share a border. An object in it is found by two of them, in whole, or cut at a tile's own end:

1. What two tiles found is one object if the masks agree in what both tiles see: intersection over
   union of at least `SAME`. No tile has two parts of one object.
2. Of those, one that no tile's end cuts stands for all of them, the best by score. Where each is
   cut, the object is longer than what tiles share, and their masks are put together.
3. An object that its neighbour sees too but did not find belongs to the tile in whose own part its
   centre lies, as `kseg.ops.tiles.spans` divides the photo: the other saw it better, and saw none.

Axes: N objects of all tiles.
"""

import dataclasses
import itertools

import numpy as np

from kseg.ops.tiles import spans
from kseg.prediction.masks import OfParts

SAME = 0.5
NEAR = 2  # pixels from a tile's end, within which a mask is cut by it
SHARE = 4  # of a tile, one part is what it shares with the next


@dataclasses.dataclass(frozen=True, eq=False)
class Parts(OfParts):
    """Masks as the rectangles that they fill.

    Args:
        places: int `(N, 2)`, first row and column of each.
        values: List of arrays `(h, w)`, bool or probabilities.
        size: `(H, W)` of the photo.
    """

    places: np.ndarray
    values: list
    size: tuple[int, int]
    kind: type = bool

    @property
    def dtype(self):
        return np.dtype(self.kind)

    def __len__(self):
        return len(self.values)

    def part(self, index):
        (top, left), values = self.places[index], self.values[index]
        return slice(top, top + values.shape[0]), slice(left, left + values.shape[1]), values


@dataclasses.dataclass
class Found:
    """An object as a tile found it.

    Args:
        tile: Number of the tile.
        box: float32 `(4,)` in pixels of the photo.
        class_id, score: Of the object.
        top, left: Where the mask's rectangle begins in the photo.
        values: The mask in it, bool or probabilities.
        cut: Whether an end of the tile, within the photo, cuts it.
        owned: Whether its centre lies in the tile's own part.
    """

    tile: int
    box: np.ndarray
    class_id: int
    score: float
    top: int
    left: int
    values: np.ndarray
    cut: bool
    owned: bool

    @property
    def bottom(self):
        return self.top + self.values.shape[0]

    @property
    def right(self):
        return self.left + self.values.shape[1]


def tiles_of(size, tile):
    """The tiles of a photo of objects.

    Args:
        size: `(H, W)`.
        tile: Pixels of a side.

    Returns:
        List of pairs of what each sees and what is its own: rows and columns, four numbers each,
        top, left, bottom, right.
    """
    axes = []
    for length in size:
        start, side, edge = spans(length, tile, tile // SHARE)
        axes.append([(a, a + side, b, c) for a, b, c in zip(start, edge, edge[1:])])
    return [
        tuple(map(int, (y[0], x[0], y[1], x[1]))) + tuple(map(int, (y[2], x[2], y[3], x[3])))
        for y, x in itertools.product(*axes)
    ]


def found_in(number, tile, size, instances):
    """The objects of a tile, each as `Found`; those without a pixel are none.

    Args:
        number: Of the tile.
        tile: As of `tiles_of`.
        size: `(H, W)` of the photo.
        instances: `Instances` of the tile, with masks that are drawn.
    """
    top, left, bottom, right, *own = tile
    masks, found = instances.each_mask(), []
    for index in range(len(instances)):
        rows, columns, values = masks.part(index)
        inside = values if values.dtype == bool else values >= SAME
        y, x = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        if not len(y):
            continue
        tight = values[y[0] : y[-1] + 1, x[0] : x[-1] + 1]
        first, begin = rows.start + y[0] + top, columns.start + x[0] + left
        last, end = first + tight.shape[0], begin + tight.shape[1]
        cut = (
            (top > 0 and first - top < NEAR)
            or (left > 0 and begin - left < NEAR)
            or (bottom < size[0] and bottom - last < NEAR)
            or (right < size[1] and right - end < NEAR)
        )
        middle = (first + last) / 2, (begin + end) / 2
        owned = own[0] <= middle[0] < own[2] and own[1] <= middle[1] < own[3]
        box = instances.boxes[index] + np.float32([left, top, left, top])
        what = int(instances.classes[index]), float(instances.scores[index])
        place = int(first), int(begin)
        found.append(Found(number, box, *what, *place, tight.copy(), bool(cut), bool(owned)))
    return found


def merged(found, tiles):
    """The objects of a photo: a list of `Found`, in falling order of score.

    Args:
        found: Those of all tiles.
        tiles: As of `tiles_of`.
    """
    group = list(range(len(found)))  # of each, the number of its first
    members = {index: [index] for index in group}
    for _, a, b in sorted(_pairs(found, tiles), reverse=True):
        a, b = group[a], group[b]
        seen = {found[each].tile for each in members[a]}
        if a == b or seen & {found[each].tile for each in members[b]}:
            continue
        for each in members[b]:
            group[each] = a
        members[a] += members.pop(b)
    objects = [_one([found[each] for each in several]) for several in members.values()]
    return sorted(filter(None, objects), key=lambda each: -each.score)


def _pairs(found, tiles):
    """Pairs of objects of two tiles whose masks agree where both tiles see: how well, and which."""
    by_tile = {}
    for index, each in enumerate(found):
        by_tile.setdefault(each.tile, []).append(index)
    for one, other in itertools.combinations(sorted(by_tile), 2):
        shared = _common(tiles[one][:4], tiles[other][:4])
        if shared is None:
            continue
        mine, theirs = (
            [i for i in by_tile[tile] if _common(_place(found[i]), shared)] for tile in (one, other)
        )
        for a, b in itertools.product(mine, theirs):
            if found[a].class_id == found[b].class_id:
                agree = _agreement(found[a], found[b], shared)
                if agree >= SAME:
                    yield agree, a, b


def _place(each):
    return each.top, each.left, each.bottom, each.right


def _common(a, b):
    """What two rectangles have in common; None for nothing."""
    common = max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
    return common if common[0] < common[2] and common[1] < common[3] else None


def _agreement(a, b, shared):
    """Intersection over union of two masks within a rectangle."""
    both = _common(_place(a), _place(b))
    both = both and _common(both, shared)
    if both is None:
        return 0.0
    meeting = np.count_nonzero(_inside(a, both) & _inside(b, both))
    areas = [np.count_nonzero(_inside(each, _common(_place(each), shared))) for each in (a, b)]
    return meeting / max(sum(areas) - meeting, 1)


def _inside(each, place):
    """The mask of an object in a rectangle that lies within its own, bool."""
    top, left, bottom, right = place
    values = each.values[top - each.top : bottom - each.top, left - each.left : right - each.left]
    return values if values.dtype == bool else values >= SAME


def _one(several):
    """The object that those of several tiles are; None for what its neighbour saw and left out."""
    whole = [each for each in several if not each.cut]
    if len(several) == 1:
        return several[0] if several[0].owned else None
    if whole:
        return max(whole, key=lambda each: each.score)
    top, left = min(each.top for each in several), min(each.left for each in several)
    bottom, right = max(each.bottom for each in several), max(each.right for each in several)
    values = np.zeros((bottom - top, right - left), several[0].values.dtype)
    for each in several:
        part = values[each.top - top : each.bottom - top, each.left - left : each.right - left]
        np.maximum(part, each.values, out=part)
    boxes = np.stack([each.box for each in several])
    areas = np.array([np.count_nonzero(_inside(each, _place(each))) for each in several])
    scores = np.array([each.score for each in several])
    return dataclasses.replace(
        several[0],
        box=np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)]),
        score=float((scores * areas).sum() / areas.sum()),
        top=top,
        left=left,
        values=values,
    )
