"""Anchors: boxes of a few sizes and shapes at every cell of every feature map (Ren et al. 2015,
arXiv:1506.01497, section 3.1.1; one size a level, Lin et al. 2017, arXiv:1612.03144).

Rounding is torchvision's, so that its weights see the anchors that they were trained with.
"""

import numpy as np
from keras import ops

RATIOS = (0.5, 1.0, 2.0)


def cell_anchors(sizes, ratios=RATIOS):
    """The anchors of one cell, around the origin.

    Args:
        sizes: Square roots of their areas in pixels.
        ratios: Height / width of each.

    Returns:
        float32 array `(len(ratios) * len(sizes), 4)`, ratio by ratio, of whole pixels: rounded
        half to even.

    Example:

    >>> cell_anchors([32]).tolist()
    [[-23.0, -11.0, 23.0, 11.0], [-16.0, -16.0, 16.0, 16.0], [-11.0, -23.0, 11.0, 23.0]]
    """
    stretch = np.sqrt(np.asarray(ratios, "float32"))
    sizes = np.asarray(sizes, "float32")
    heights = (stretch[:, None] * sizes).ravel()
    widths = ((1 / stretch)[:, None] * sizes).ravel()
    return np.round(np.stack([-widths, -heights, widths, heights], axis=1) / 2)


def anchors(grid, image, sizes, ratios=RATIOS):
    """The anchors of one level.

    A cell's stride is image // grid, whole pixels for each axis; anchors are centred on the cells'
    top left corners.

    Args:
        grid: `(h, w)` of the feature map; integers, or scalar tensors.
        image: `(H, W)` of the padded image in pixels, likewise.
        sizes, ratios: As of `cell_anchors`.

    Returns:
        float32 `(h * w * A, 4)`, by row, column and anchor of the cell.
    """
    cell = ops.convert_to_tensor(cell_anchors(sizes, ratios))  # (A, 4)
    y, x = (
        ops.cast(ops.arange(count) * (side // count), "float32") for count, side in zip(grid, image)
    )
    x, y = ops.meshgrid(x, y)  # (h, w)
    corners = ops.reshape(ops.stack([x, y, x, y], axis=-1), (-1, 1, 4))
    return ops.reshape(corners + cell, (-1, 4))
