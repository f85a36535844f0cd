"""RoIAlign (He et al. 2017, arXiv:1703.06870, section 3): the features of a region on a grid of
fixed size, by bilinear interpolation, without rounding.

Definition as of torchvision's compiled kernel with `aligned=False`: the region is divided into
bins, each bin is the mean of `ratio` x `ratio` evenly spaced samples; coordinates are feature
pixels with their values at whole numbers. A region is at least one feature pixel wide and high. A
sample further out than one pixel counts 0; one within that pixel takes the border's value.

Everything is linear in the features, so a result is a weighted sum of feature rows (a row: the
channels at one pixel). What is needed is found as indices and weights first, and summed by what the
backend is good at.

Axes: B batch, R regions, P rows and columns of the grid, L pixels of all levels together, C
channels, T the taps (4 * ratio**2) that make a bin.
"""

import contextlib

import keras
from keras import ops

from kseg.base.platform import is_jax_on_cpu
from kseg.ops.boxes import area
from kseg.ops.torch_rows import weighted_rows_by_adding

TAPS = 4  # that the gradient holds at a time: all 16 would be 400 MB for 512 regions of 7x7x256
CANONICAL_SIDE, CANONICAL_LEVEL = 224, 4  # Lin et al. 2017 (arXiv:1612.03144), equation 1


def roi_align(features, boxes, size, *, strides, ratio=2):
    """Features of boxes, each from the level that suits its size.

    Args:
        features: List of `(B, h, w, C)`, one a level, finest first.
        boxes: float32 `(B, R, 4)`, in pixels of the image. No gradient flows into them.
        size: P, rows and columns of the result.
        strides: Image pixels a feature pixel of each level; powers of 2 in rising order.
        ratio: Samples along each side of a bin. Default 2.

    Returns:
        `(B, R, P, P, C)`, of the features' dtype.

    Example:

    >>> features = [ops.ones((1, 64, 64, 8)), ops.ones((1, 32, 32, 8))]
    >>> tuple(roi_align(features, ops.array([[[0.0, 0, 50, 80]]]), 7, strides=(4, 8)).shape)
    (1, 1, 7, 7, 8)
    """
    boxes = ops.stop_gradient(ops.cast(boxes, "float32"))
    levels = level_of(boxes, strides)
    channels = features[0].shape[-1]
    batch, regions = ops.shape(boxes)[:2]
    heights, widths = zip(*(ops.shape(f)[1:3] for f in features))
    starts, pixels = [], 0  # of each level among the L pixels
    for height, width in zip(heights, widths):
        starts.append(pixels)
        pixels = pixels + height * width
    table = ops.concatenate([ops.reshape(f, (batch, -1, channels)) for f in features], axis=1)
    table = ops.reshape(table, (-1, channels))  # (B * L, C)

    def of_level(values):  # one number a level -> one a box
        values = [ops.cast(value, "int32") for value in values]
        return ops.take(ops.stack(values), levels, axis=0)  # (B, R)

    heights, widths, starts = map(of_level, (heights, widths, starts))
    scale = 1.0 / ops.cast(of_level(strides), "float32")
    y, y_weight = _taps(boxes[..., 1] * scale, boxes[..., 3] * scale, heights, size, ratio)
    x, x_weight = _taps(boxes[..., 0] * scale, boxes[..., 2] * scale, widths, size, ratio)
    image = ops.reshape(ops.arange(batch, dtype="int32"), (-1, 1))
    first = image * pixels + starts  # (B, R)
    # (B, R, P, 1, 2 ratio, 1) with (B, R, 1, P, 1, 2 ratio)
    index = y[..., :, None, :, None] * widths[:, :, None, None, None, None]
    index = index + x[..., None, :, None, :] + first[:, :, None, None, None, None]
    weight = y_weight[..., :, None, :, None] * x_weight[..., None, :, None, :]
    taps = 4 * ratio**2
    rows = weighted_rows(table, ops.reshape(index, (-1, taps)), ops.reshape(weight, (-1, taps)))
    return ops.reshape(rows, (batch, regions, size, size, channels))


def level_of(boxes, strides):
    """Which level serves a box: floor(4 + log2(sqrt(area) / 224)), held to the levels there are.

    Args:
        boxes: `(..., 4)`.
        strides: As of `roi_align`.

    Returns:
        int32 `(...)`, 0 for the first level.
    """
    first = strides[0].bit_length() - 1  # 2 for stride 4
    side = ops.sqrt(area(boxes))
    level = ops.floor(CANONICAL_LEVEL + ops.log2(side / CANONICAL_SIDE + 1e-30) + 1e-6)
    return ops.cast(ops.clip(level - first, 0, len(strides) - 1), "int32")


def _taps(start, stop, length, size, ratio):
    """Feature rows (or columns) that the bins of a region are made of, and their weights.

    Args:
        start, stop: float32 `(B, R)`, the region's edges in feature pixels.
        length: int32 `(B, R)`, rows of the level.

    Returns:
        int32 and float32 `(B, R, P, 2 * ratio)`.
    """
    side = ops.maximum(stop - start, 1.0)
    place = (ops.arange(size * ratio, dtype="float32") + 0.5) / ratio  # in bins
    at = start[..., None] + place * (side / size)[..., None]  # (B, R, P * ratio)
    lower, upper, share, inside = neighbours(at, length[..., None])
    weights = ops.stack([(1 - share) * inside, share * inside], axis=-1) / ratio
    index = ops.stack([lower, upper], axis=-1)
    shape = (*ops.shape(start), size, 2 * ratio)
    return ops.reshape(index, shape), ops.reshape(weights, shape)


def neighbours(at, length):
    """The two pixels beside a coordinate, the share of the second, and whether it counts.

    Args:
        at: float32, coordinates with pixels at whole numbers.
        length: int32, number of pixels, of a shape that broadcasts.

    Returns:
        lower, upper: int32. share: float32, 0..1. inside: float32, 0 further than 1 pixel out.
    """
    last = length - 1
    inside = ops.cast((at >= -1.0) & (at <= ops.cast(length, "float32")), "float32")
    at = ops.clip(at, 0.0, ops.cast(last, "float32"))
    lower = ops.cast(ops.floor(at), "int32")
    return lower, ops.minimum(lower + 1, last), at - ops.cast(lower, "float32"), inside


def weighted_rows(table, index, weight):
    """Sums of rows: result n is the sum over t of weight[n, t] * table[index[n, t]].

    Tap after tap is added, which XLA fuses into one pass; so the (N, T, C) rows are never in memory
    at once, and none are kept for the gradient.

    Args:
        table: `(L, C)`.
        index: int32 `(N, T)`.
        weight: float32 `(N, T)`. No gradient flows into it.

    Returns:
        `(N, C)`, of the table's dtype.

    Example:

    >>> table = ops.array([[1.0, 2.0], [10.0, 20.0]])
    >>> index, weight = ops.array([[0, 1], [1, 1]]), ops.array([[1.0, 0.5], [0.0, 2.0]])
    >>> ops.convert_to_numpy(weighted_rows(table, index, weight)).tolist()
    [[6.0, 12.0], [20.0, 40.0]]
    """
    weight = ops.stop_gradient(weight)
    if keras.backend.backend() == "torch":
        import torch

        if table.is_cuda:
            return weighted_rows_by_adding(table, index, weight)
        # one fused kernel, forward and backward
        return torch.nn.functional.embedding_bag(
            index, table, mode="sum", per_sample_weights=ops.cast(weight, table.dtype)
        )

    if keras.backend.backend() == "jax":
        return _with_own_gradient(table, index, weight)

    @ops.custom_gradient
    def rows(table):
        return _gather(table, index, weight), lambda up: _scatter(up, index, weight, table)

    return rows(table)


def _with_own_gradient(table, index, weight):
    """What `ops.custom_gradient` does; under JAX that may not refer to tensors around it, which
    within a condition belong to another trace."""
    import jax

    like = jax.ShapeDtypeStruct(table.shape, table.dtype)  # all that the gradient needs of it
    rows = jax.custom_vjp(_gather)
    rows.defvjp(
        lambda *inputs: (_gather(*inputs), inputs[1:]),
        lambda taps, up: (_scatter(up, *taps, like), None, None),
    )
    return rows(table, index, weight)


def _gather(table, index, weight):
    total = ops.zeros((ops.shape(index)[0], table.shape[1]))  # float32, whatever the table is
    for tap in range(index.shape[1]):
        with _after(total):
            rows = ops.take(table, index[:, tap], axis=0)
            total = total + ops.cast(rows, "float32") * weight[:, tap, None]
    return ops.cast(total, table.dtype)


def _after(tensor):
    """A context in which TensorFlow's graphs compute nothing before the tensor is there. They would
    gather all taps at once, and hold them in memory, as soon as they could."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.control_dependencies([tensor])
    return contextlib.nullcontext()


def _scatter(rows, index, weight, table):
    """The transpose of `weighted_rows`: row n, times weight[n, t], is added to row index[n, t] of
    zeros as many as the table has rows, and of its dtype."""
    rows, length = ops.cast(rows, "float32"), ops.shape(table)[0]
    if is_jax_on_cpu():
        total = _scatter_by_row(rows, index, weight, length)
    else:
        total = ops.zeros((length, rows.shape[1]))
        for tap in range(0, index.shape[1], TAPS):
            part = slice(tap, tap + TAPS)
            with _after(total):
                products = rows[:, None, :] * weight[:, part, None]  # (N, TAPS, C)
                products = ops.reshape(products, (-1, rows.shape[1]))
                places = ops.reshape(index[:, part], (-1,))
                total = total + ops.segment_sum(products, places, length)
    return ops.cast(total, table.dtype)


def _scatter_by_row(rows, index, weight, length):
    """Row after row, which takes XLA a quarter of the time of its own scatter on CPU."""
    channels = rows.shape[1]

    def add(number, total):
        for tap in range(index.shape[1]):
            place = (index[number, tap], 0)
            before = ops.slice(total, place, (1, channels))
            total = ops.slice_update(total, place, before + rows[number] * weight[number, tap])
        return total

    return ops.fori_loop(0, rows.shape[0], add, ops.zeros((length, channels)))
