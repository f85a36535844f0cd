"""The masks of detections, enlarged from their boxes into the photo.

As torchvision does it (`torchvision/models/detection/roi_heads.py`, `paste_masks_in_image`), after
He et al., "Mask R-CNN", ICCV 2017. `xp` is NumPy, or `keras.ops` in the graph of an export; see
`kseg.ops.resize`. Axes: N objects, m a mask's side, H and W the photo.
"""

import numpy as np

from kseg.ops.resize import bilinear, cast

BORDER = 1  # pixels of zeros around a mask, so that it fades out where it is enlarged


def paste_mask(mask, box, size, xp=np):
    """A mask at the size of its box, with its place in the photo.

    The mask gets a border of one pixel of zeros and the box grows with it; the box's corners are
    then cut to whole pixels, both of them inclusive. What lies beyond the photo is cut off.

    Args:
        mask: Probabilities `(m, m)` inside the box, float32.
        box: `(4,)`, x1, y1, x2, y2 in pixels of the photo, float32.
        size: Height and width of the photo, int32 `(2,)`.
        xp: NumPy or `keras.ops`. Defaults to NumPy.

    Returns:
        The rectangle of the photo: int32 `(2,)` each, its first row and column, and those beyond
        its last ones; and the probabilities there, float32.
    """
    bordered = xp.pad(mask, [[BORDER, BORDER]] * 2)
    place = _places(box, bordered.shape[-1], size, xp)
    return *place[2:], _enlarged(bordered, *place, xp)


def pasted(masks, boxes, height, width):
    """Yields what `paste_mask` makes of each mask, by NumPy.

    Args:
        masks: Probabilities `(N, m, m)` inside the boxes.
        boxes: `(N, 4)`, x1, y1, x2, y2 in pixels of the photo.
        height, width: Of the photo.

    Yields:
        The rows and columns of the photo, two slices, and the probabilities there, float32.
    """
    masks, boxes = np.asarray(masks, np.float32), np.asarray(boxes, np.float32).reshape(-1, 4)
    bordered = np.pad(masks, [(0, 0), (BORDER, BORDER), (BORDER, BORDER)])
    places = _places(boxes, bordered.shape[-1], np.array([height, width], np.int32), np)
    for mask, *place in zip(bordered, *(corner.tolist() for corner in places)):
        _, _, start, stop = place
        rows, columns = (slice(*ends) for ends in zip(start, stop))
        yield rows, columns, _enlarged(mask, *place, np)


def paste_masks(masks, boxes, height, width, *, threshold=None):
    """Masks in their boxes -> masks of the photo's size.

    Args:
        masks, boxes, height, width: As for `pasted`.
        threshold: None for probabilities; a number for 1 where they are at least that.

    Returns:
        `(N, H, W)`, float32 probabilities, or bool with a `threshold`.

    Example:

    >>> paste_masks(np.ones((1, 28, 28)), [[2, 1, 5, 3]], 4, 6, threshold=0.5)[0].astype(int)
    array([[0, 1, 1, 1, 1, 1],
           [0, 1, 1, 1, 1, 1],
           [0, 1, 1, 1, 1, 1],
           [0, 1, 1, 1, 1, 1]])
    """
    whole = np.zeros((len(masks), height, width), np.float32 if threshold is None else bool)
    for each, (rows, columns, values) in zip(whole, pasted(masks, boxes, height, width)):
        each[rows, columns] = values if threshold is None else values >= threshold
    return whole


def _places(boxes, side, size, xp):
    """Where bordered masks lie: rows and columns, int32 `(..., 2)` each.

    Args:
        boxes: float32 `(..., 4)`.
        side: Pixels of a mask, its border included.
        size: Height and width of the photo, int32 `(2,)`.

    Returns:
        first, span: First pixel of the whole mask, in the photo or before it, and its length.
        start, stop: First pixel in the photo, and that beyond the last.
    """
    box_first, box_last = boxes[..., :2][..., ::-1], boxes[..., 2:][..., ::-1]  # y, x
    centre = (box_last + box_first) * 0.5
    reach = (box_last - box_first) * 0.5 * cast(side / (side - 2 * BORDER), "float32", xp)
    first, last = (cast(corner, "int32", xp) for corner in (centre - reach, centre + reach))
    stop = xp.minimum(xp.maximum(last + 1, 0), size)
    return first, xp.maximum(last - first + 1, 1), xp.minimum(xp.maximum(first, 0), stop), stop


def _enlarged(mask, first, span, start, stop, xp):
    """The part of an enlarged mask that is in the photo, float32."""
    rows, columns = (slice(start[axis] - first[axis], stop[axis] - first[axis]) for axis in (0, 1))
    return bilinear(mask, span[0], span[1], rows, columns, xp)
