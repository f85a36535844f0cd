"""Non-maximum suppression: exact, for batches, with a fixed number of places in the result.

A box is kept unless it overlaps one of a higher score that is kept. Four ways to the same answer,
because no single one is quick everywhere (benchmarks/README.md):

- `_blocks`: block after block of the sorted boxes, all overlaps of a block at once;
- `_matrix`: all overlaps of the best boxes at once, of more where those do not do, on PyTorch's
  GPU, where each operation, and each answer that the host waits for, costs more than computing;
- `_sequential`: one kept box after the other; where few are wanted out of many.
- `_greedy`: in NumPy; on PyTorch's CPU, which would run the others op by op.

Axes: G groups (images, or levels of images), N boxes, K places of the result.
"""

import keras
import numpy as np
from keras import ops

from kseg.ops.boxes import overlaps

NOTHING = -1e30  # score of what is no candidate; finite, because XLA's sorting dislikes infinities
MATRIX = 1 << 28  # pairs of boxes that are compared at once, of two bytes each
BEST = 1 << 11  # boxes of a group that are compared at first
PAIRS = 1 << 23  # whose overlaps are in float32 at a time
ROUNDS = 8  # of `_matrix` between two looks
BLOCK = 256  # boxes taken at a time; fewer save time, and cost it where each block is compiled


def nms(boxes, scores, threshold, count, *, valid=None, classes=None):
    """Selects boxes of high score that do not overlap one another.

    Args:
        boxes: float32 `(G, N, 4)`.
        scores: float32 `(G, N)`, above -1e30.
        threshold: Boxes whose intersection over union is *above* it suppress one another.
        count: K, how many boxes to keep at most.
        valid: bool `(G, N)`, which boxes take part. Default: all.
        classes: int32 `(G, N)`: only boxes of the same class suppress one another. Default: all
            are of one class.

    Returns:
        index: int32 `(G, K)` into the boxes, in falling order of score; 0 where there is none.
        kept: bool `(G, K)`, which places are filled. They come first.

    Example:

    >>> boxes = ops.array([[[0.0, 0, 10, 10], [1.0, 0, 11, 10], [20.0, 0, 30, 10]]])
    >>> index, kept = nms(boxes, ops.array([[0.6, 0.9, 0.3]]), 0.5, 3)
    >>> ops.convert_to_numpy(index).tolist(), ops.convert_to_numpy(kept).tolist()
    ([[1, 2, 0]], [[True, True, False]])
    """
    boxes, scores = (ops.stop_gradient(ops.cast(x, "float32")) for x in (boxes, scores))
    if valid is not None:
        scores = ops.where(valid, scores, NOTHING)
    available = boxes.shape[1]
    places = min(count, available)
    index, kept = _method(boxes, classes, places)(boxes, scores, threshold, places, classes)
    index = ops.where(kept, index, 0)
    more = [[0, 0], [0, count - places]]
    return ops.pad(index, more), ops.pad(kept, more, constant_values=False)


def _method(boxes, classes, count):
    if keras.backend.backend() == "torch":
        if boxes.device.type == "cpu":
            return _greedy
        return _matrix
    return _step_by_step(boxes, classes, count)


def _step_by_step(boxes, classes, count):
    """A method that needs no matrix of all boxes."""
    few = classes is not None or 8 * count < boxes.shape[1]
    return _sequential if few else _blocks


def _blocks(boxes, scores, threshold, count, classes=None):
    """Sorts; settles the best boxes among themselves; lets those kept strike out what follows; and
    so on. Overlaps are compared where they are computed: never is there a matrix of all of them."""
    total = boxes.shape[1]
    order, alive, clashes = _sorted(boxes, scores, threshold, classes)
    kept = []
    for start in range(0, total, BLOCK):
        block, rest = slice(start, start + BLOCK), slice(start + BLOCK, total)
        candidates, alive = alive[:, :BLOCK], alive[:, BLOCK:]
        kept.append(_settled(candidates, clashes(block, block)))
        if rest.start < total:
            alive = alive & ~ops.any(kept[-1][:, :, None] & clashes(block, rest), axis=1)
    return _placed(order, ops.concatenate(kept, axis=1), count)


def _sorted(boxes, scores, threshold, classes):
    """The order of falling scores; which boxes, in that order, take part; and a function of two
    slices of them that gives which of these overlap too much: bool `(G, len, len)`."""
    order = ops.cast(ops.argsort(-scores, axis=1), "int32")  # stable, as PyTorch's top_k is not
    alive = ops.take_along_axis(scores, order, axis=1) > NOTHING
    boxes = ops.take_along_axis(boxes, order[..., None], axis=1)
    if classes is not None:
        classes = ops.take_along_axis(classes, order, axis=1)

    def clashes(some, others):
        clash = overlaps(boxes[:, some], boxes[:, others]) > threshold
        if classes is not None:
            clash = clash & (classes[:, some, None] == classes[:, None, others])
        return clash

    return order, alive, clashes


def _placed(order, kept, count):
    """The first boxes that are kept, of sorted ones: their indices, and which places are filled.

    Args:
        order: int32 `(G, N)`, indices of the sorted boxes.
        kept: bool `(G, N)`, in that order.
    """
    groups = ops.shape(order)[0]
    number = ops.cast(ops.cumsum(ops.cast(kept, "int32"), axis=1), "int32")
    # each kept box to its place; there is one place more, for all that are left out
    place = ops.where(kept & (number <= count), number - 1, count)
    place = place + (count + 1) * ops.arange(groups, dtype="int32")[:, None]
    nowhere = ops.zeros((groups * (count + 1),), "int32")  # ops.scatter is a loop on PyTorch
    index = ops.scatter_update(nowhere, ops.reshape(place, (-1, 1)), ops.reshape(order, (-1,)))
    index = ops.reshape(index, (-1, count + 1))[:, :count]
    return index, ops.arange(count, dtype="int32") < number[:, -1:]


def _matrix(boxes, scores, threshold, count, classes=None):
    """Settles the best boxes at once, by matrix products; more, where places are left for them.

    The host asks whether they are settled once in `ROUNDS` rounds: further ones change nothing.
    """
    import torch

    order, alive, clashes = _sorted(boxes, scores, threshold, classes)
    groups, total = alive.shape
    best = BEST
    while groups * min(best, total) ** 2 <= MATRIX:
        kept = _settled_at_once(alive[:, :best], clashes)
        enough = (kept.sum(1) >= count) | ~alive[:, best:].any(1)  # none is wanted, or left
        if best >= total or bool(enough.all()):
            rest = torch.zeros_like(alive[:, best:])
            return _placed(order, torch.cat([kept, rest], dim=1), count)
        best *= 4
    method = _step_by_step(boxes, classes, count)
    return method(boxes, scores, threshold, count, classes)


def _settled_at_once(alive, clashes):
    """Which of sorted boxes are kept: bool `(G, n)`, as those that take part."""
    import torch

    groups, total = alive.shape
    half = torch.float16 if alive.is_cuda else torch.float32
    suppressing = torch.empty((groups, total, total), dtype=half, device=alive.device)
    rows = max(1, PAIRS // (groups * total))
    for start in range(0, total, rows):
        some = slice(start, min(start + rows, total))
        suppressing[:, some] = clashes(some, slice(0, total)).to(half)
    suppressing.triu_(1)  # by those before
    kept, before = alive, None
    while before is None or not torch.equal(kept, before):
        before = kept
        for _ in range(ROUNDS):
            struck = torch.bmm(kept[:, None].to(half), suppressing)[:, 0] > 0.5
            kept = alive & ~struck
    return kept


def _settled(candidates, clashes):
    """Which of sorted boxes are kept: repeats "a candidate, and not suppressed by a kept one".

    After n rounds the n best are settled, but it takes only as many rounds as there are boxes in a
    chain in which each suppresses the next.

    Args:
        candidates: bool `(G, n)`.
        clashes: bool `(G, n, n)`, which overlap too much.

    Returns:
        bool `(G, n)`.
    """
    place = ops.arange(candidates.shape[1])
    suppressing = clashes & (place[:, None] < place)  # those before it

    def settle(kept, changed):
        new = candidates & ~ops.any(kept[:, :, None] & suppressing, axis=1)
        return new, ops.any(new != kept)

    start = (candidates, ops.any(candidates))
    return ops.while_loop(lambda kept, changed: changed, settle, start)[0]


def _sequential(boxes, scores, threshold, count, classes=None):
    """Takes the best box, strikes out what it suppresses, and so on until K are kept."""
    groups = ops.shape(boxes)[0]
    places = ops.arange(count)

    def more(step, left, index, kept):
        return (step < count) & ops.any(left > NOTHING)

    def take(step, left, index, kept):
        best = ops.cast(ops.argmax(left, axis=1), "int32")[:, None]  # (G, 1)
        any_left = ops.take_along_axis(left, best, axis=1) > NOTHING
        box = ops.take_along_axis(boxes, best[..., None], axis=1)  # (G, 1, 4)
        struck = overlaps(box, boxes)[:, 0] > threshold  # (G, N)
        if classes is not None:
            struck = struck & (classes == ops.take_along_axis(classes, best, axis=1))
        struck = struck | (ops.arange(boxes.shape[1], dtype="int32") == best)
        here = places == step
        return (
            step + 1,
            ops.where(struck, NOTHING, left),
            ops.where(here, best, index),
            ops.where(here, any_left, kept),
        )

    start = (
        ops.convert_to_tensor(0, "int32"),
        scores,
        ops.zeros((groups, count), "int32"),
        ops.zeros((groups, count), "bool"),
    )
    _, _, index, kept = ops.while_loop(more, take, start)
    return index, kept


def _greedy(boxes, scores, threshold, count, classes=None):
    """Block after block of the boxes still alive, from the best on."""
    boxes, scores = (ops.convert_to_numpy(x) for x in (boxes, scores))
    classes = [None] * len(boxes) if classes is None else ops.convert_to_numpy(classes)
    index = np.zeros((len(boxes), count), "int32")
    kept = np.zeros((len(boxes), count), bool)
    for row, (group_boxes, group_scores, group_classes) in enumerate(zip(boxes, scores, classes)):
        alive = np.argsort(-group_scores, kind="stable")
        alive = alive[group_scores[alive] > NOTHING]
        chosen = alive[:0]
        while len(alive) and len(chosen) < count:
            block, alive = alive[:BLOCK], alive[BLOCK:]
            clashes = _clashes(group_boxes, block, block, threshold, group_classes)
            removed = np.zeros(len(block), bool)
            for place, others in enumerate(clashes):
                if not removed[place]:
                    removed[place + 1 :] |= others[place + 1 :]
            taken = block[~removed]
            chosen = np.concatenate([chosen, taken])
            if len(chosen) < count:
                struck = _clashes(group_boxes, taken, alive, threshold, group_classes)
                alive = alive[~struck.any(axis=0)]
        chosen = chosen[:count]
        index[row, : len(chosen)] = chosen
        kept[row, : len(chosen)] = True
    return ops.convert_to_tensor(index), ops.convert_to_tensor(kept)


def _clashes(boxes, some, others, threshold, classes):
    """Which of some boxes overlap which others too much: bool `(len(some), len(others))`."""
    x1, y1, x2, y2 = (side[:, None] for side in boxes[some].T)
    u1, v1, u2, v2 = np.ascontiguousarray(boxes[others].T)
    common = np.minimum(x2, u2)
    common -= np.maximum(x1, u1)
    np.maximum(common, 0, out=common)  # width
    height = np.minimum(y2, v2)
    height -= np.maximum(y1, v1)
    common *= np.maximum(height, 0, out=height)
    own = np.maximum(x2 - x1, 0) * np.maximum(y2 - y1, 0)
    whole = own + np.maximum(u2 - u1, 0) * np.maximum(v2 - v1, 0) - common
    whole[whole <= 0] = 1
    clashes = common / whole > np.float32(threshold)
    if classes is not None:
        clashes &= classes[some][:, None] == classes[others]
    return clashes
