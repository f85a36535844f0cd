"""Objects that several speak of, models or views of a photo, as one each: weighted boxes fusion.

Source: Solovyev et al. 2021, "Weighted boxes fusion" (arXiv:1910.13302). `xp` is NumPy, or
`keras.ops` in the graph of an export; see `kseg.ops.resize`.

Axes: V views, D objects of one of them, N those of all, m a mask's side.
"""

import numpy as np

from kseg.base.arguments import refused
from kseg.ops.resize import cast

SAME = 0.55  # overlap of boxes of one object, as in the paper
TINY = 1e-12


def fused(views, xp=np):
    """The objects of which several views speak, as one each.

    Of a class, the best is the first; of each other view the box that overlaps it most, from
    `SAME` on, is the same object. Boxes and masks are averaged by their scores; the score is the
    mean of all views, 0 where the object was not found.

    Args:
        views: List of boxes `(D, 4)`, classes `(D,)`, -1 where there is none, scores `(D,)` and
            masks `(D, m, m)`, one for each view; D may be another for each.
        xp: NumPy or `keras.ops`. Defaults to NumPy.

    Returns:
        The same of all, `(N, ...)`, in falling order of score; what is no object comes last, with
        the class -1 and zeros.

    Raises:
        ValueError: the masks of views are of several sizes, as of other networks.

    Example:

    >>> masks = np.ones((1, 28, 28), "float32")
    >>> first = np.float32([[0, 0, 10, 10]]), np.int32([2]), np.float32([0.75]), masks
    >>> other = np.float32([[0, 0, 10, 13]]), np.int32([2]), np.float32([0.25]), masks
    >>> boxes, classes, scores, _ = fused([first, other])
    >>> boxes[0].tolist(), classes.tolist(), scores.tolist()
    ([0.0, 0.0, 10.0, 10.75], [2, -1], [0.5, 0.0])
    """
    check_sides(masks.shape[-1] for *_, masks in views)
    view = np.repeat(np.arange(len(views)), [each[1].shape[0] for each in views])
    boxes, classes, scores, masks = (xp.concatenate(each) for each in zip(*views))
    scores = xp.where(classes >= 0, scores, -1.0)
    order = _descending(scores, xp)
    boxes, scores, masks = (xp.take(each, order, axis=0) for each in (boxes, scores, masks))
    classes, view = (cast(xp.take(each, order), "int32", xp) for each in (classes, view))

    members = _members(boxes, classes, view, len(views), xp)
    spoken = xp.where(members >= 0, xp.take(scores, xp.maximum(members, 0)), 0.0)  # (N, V)
    total = xp.sum(spoken, axis=-1)
    share = spoken / xp.maximum(total, TINY)[:, None]

    def mean(values):
        weights = xp.reshape(share, (*share.shape, *[1] * (len(values.shape) - 1)))
        each = (
            xp.take(values, xp.maximum(members[:, i], 0), axis=0) * weights[:, i]
            for i in range(len(views))
        )
        return sum(each)

    there = xp.any(members >= 0, axis=-1)
    mean_score = total / len(views)
    order = _descending(xp.where(there, mean_score, -1.0), xp)
    found = mean(boxes), xp.where(there, classes, -1), mean_score, mean(masks)
    return tuple(xp.take(each, order, axis=0) for each in found)


def check_sides(sides):
    """Raises `ValueError` if masks of several views are of several sizes, as of other networks."""
    sides = sorted(set(sides))
    if len(sides) > 1:
        expected = "masks of one size of all members"
        raise refused("models", f"networks with masks of {sides} pixels", expected)


def _members(boxes, classes, view, count, xp):
    """Which box of each of `count` views is of the object that a box begins.

    Args:
        boxes, classes, view: Of all, the best first; those of no class last.

    Returns:
        int32 `(N, V)`, -1 where a view does not speak of it. A box of another's begins none.
    """
    numbers, views = (xp.arange(each, dtype="int32") for each in (classes.shape[0], count))

    def step(first, state):
        free, members = state
        near = xp.where(
            free & (classes == xp.take(classes, first)),
            _iou(xp.take(boxes, first, axis=0), boxes, xp),
            0.0,
        )
        near = xp.where(view == views[:, None], near, 0.0)  # (V, N)
        best = cast(xp.argmax(near, axis=-1), "int32", xp)
        own = xp.where(xp.max(near, axis=-1) >= SAME, best, -1)
        own = xp.where(views == xp.take(view, first), cast(first, "int32", xp), own)
        own = xp.where(xp.take(free, first), own, -1)
        taken = xp.any(numbers == own[:, None], axis=0)
        return free & ~taken, xp.where((numbers == first)[:, None], own, members)

    state = classes >= 0, xp.full((classes.shape[0], count), -1, dtype="int32")
    if not classes.shape[0]:
        return state[1]
    present = xp.sum(cast(state[0], "int32", xp))
    if xp is not np:
        return xp.fori_loop(0, present, step, state)[1]
    for first in range(present):
        state = step(first, state)
    return state[1]


def _descending(scores, xp):
    """Positions from the highest score to the lowest; of equal ones the first comes first."""
    return np.argsort(-scores, kind="stable") if xp is np else xp.argsort(-scores)


def _iou(box, boxes, xp):
    """Intersection over union of a box with each of several."""
    low, high = xp.maximum(box[:2], boxes[:, :2]), xp.minimum(box[2:], boxes[:, 2:])
    meeting = xp.prod(xp.maximum(high - low, 0), axis=-1)
    area, areas = (xp.prod(each[..., 2:] - each[..., :2], axis=-1) for each in (box, boxes))
    return meeting / xp.maximum(area + areas - meeting, TINY)
