"""Which anchor or region stands for which object, and which of them are learned from.

Axes: B batch, A anchors (or regions), M objects, S places of the sample.
"""

from keras import ops

NEGATIVE, IGNORED = -1, -2

# An anchor that lies at least this much in a crowd region is no background.
CROWD_OVERLAP = 0.5


def match(overlaps, valid, *, positive, negative, keep_best=False, crowd=None):
    """Gives each anchor an object, the background, or nothing (Ren et al. 2015, section 3.1.2).

    Args:
        overlaps: `(..., A, M)`, of `boxes.overlaps`.
        valid: bool `(..., M)`, which places hold an object to be found.
        positive: Least overlap with an object.
        negative: Overlap with every object below which an anchor is background. Between the two it
            is neither.
        keep_best: Whether the anchors that overlap an object most of all (all of them, if several
            tie, and if they overlap it at all) count as positive even below `positive`; each then
            stands for the object that *it* overlaps most, which may be another.
        crowd: bool `(..., M)`, places of crowd regions (not `valid`): what lies in one by at least
            `CROWD_OVERLAP` and would be background is ignored. Default: none.

    Returns:
        int32 `(..., A)`: place of the object, or `NEGATIVE` or `IGNORED`.
    """
    usable = ops.where(valid[..., None, :], overlaps, -1.0)
    best = ops.max(usable, axis=-1)  # (..., A)
    place = ops.cast(ops.argmax(usable, axis=-1), "int32")
    result = ops.where(best >= positive, place, IGNORED)
    if crowd is not None:
        inside = ops.max(ops.where(crowd[..., None, :], overlaps, 0.0), axis=-1) >= CROWD_OVERLAP
        background = ops.where(inside, IGNORED, NEGATIVE)
    else:
        background = NEGATIVE
    result = ops.where(best < negative, background, result)
    if keep_best:
        highest = ops.max(usable, axis=-2, keepdims=True)  # (..., 1, M)
        ties = (usable == highest) & (highest > 0) & valid[..., None, :]
        result = ops.where(ops.any(ties, axis=-1), place, result)
    return result


def sample(matched, count, most_positive, randomness):
    """Draws anchors to learn from: at most `most_positive` positive ones, negatives for the rest.

    Args:
        matched: int32 `(B, A)`, of `match`.
        count: S, how many to draw at most.
        most_positive: How many of them may be positive.
        randomness: float `(B, A)`, uniform 0..1: those with the highest numbers are drawn.

    Returns:
        index: int32 `(B, S)` into the anchors, positives first; 0 where none is drawn.
        drawn: bool `(B, S)`, which places are filled; there may be too few anchors.
        positive: bool `(B, S)`, which of them are positive.
    """
    # enough places to draw from, however few anchors there are
    matched, randomness = (
        ops.pad(x, [[0, 0], [0, count]], constant_values=IGNORED) for x in (matched, randomness)
    )
    key = ops.cast(randomness, "float32")
    chosen, place = ops.top_k(ops.where(matched >= 0, key, -1.0), min(most_positive, count))
    others, other_place = ops.top_k(ops.where(matched == NEGATIVE, key, -1.0), count)
    index = ops.cast(ops.concatenate([place, other_place], axis=1), "int32")
    drawn = ops.concatenate([chosen, others], axis=1) >= 0
    # fill the places from the front: positives, negatives, then what is empty
    slots = index.shape[1]
    order = ops.where(drawn, 0, slots) + ops.arange(slots, dtype="int32")
    _, order = ops.top_k(-order, count)
    index, drawn = (ops.take_along_axis(x, order, axis=1) for x in (index, drawn))
    positive = drawn & (ops.take_along_axis(matched, index, axis=1) >= 0)
    return ops.where(drawn, index, 0), drawn, positive
