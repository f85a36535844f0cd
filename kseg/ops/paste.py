"""The masks of detections, enlarged from their boxes into the photo; in NumPy.

As torchvision does it (`torchvision/models/detection/roi_heads.py`, `paste_masks_in_image`), after
He et al., "Mask R-CNN", ICCV 2017. Axes: N objects, m a mask's side, H and W the photo.
"""

import numpy as np

from kseg.ops.resize import bilinear

BORDER = 1  # pixels of zeros around a mask, so that it fades out where it is enlarged


def pasted(masks, boxes, height, width):
    """Yields each mask at the size of its box, with its place in the photo.

    The mask gets a border of one pixel of zeros and the box grows with it; the box's corners are
    then cut to whole pixels, both of them inclusive. What lies beyond the photo is cut off.

    Args:
        masks: Probabilities `(N, m, m)` inside the boxes.
        boxes: `(N, 4)`, x1, y1, x2, y2 in pixels of the photo.
        height, width: Of the photo.

    Yields:
        The rows and columns of the photo, two slices, and the probabilities there, float32.
    """
    masks = np.asarray(masks, np.float32)
    masks = np.pad(masks, [(0, 0), (BORDER, BORDER), (BORDER, BORDER)])
    grown = masks.shape[-1] / (masks.shape[-1] - 2 * BORDER)
    for mask, (x1, y1, x2, y2) in zip(masks, _whole(boxes, grown)):
        rows, seen_rows, h = _clipped(y1, y2, height)
        columns, seen_columns, w = _clipped(x1, x2, width)
        yield rows, columns, bilinear(mask, h, w, seen_rows, seen_columns)


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


def _whole(boxes, grown):
    """The boxes enlarged about their centres, their corners cut to whole pixels: int `(N, 4)`."""
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    first, last = boxes[:, :2], boxes[:, 2:]
    centre = (last + first) * np.float32(0.5)
    reach = (last - first) * np.float32(0.5) * np.float32(grown)
    return np.concatenate([centre - reach, centre + reach], axis=1).astype(np.int64)


def _clipped(first, last, length):
    """A span of pixels, `last` inclusive: the part in the photo, that part of the span, its length.

    Pixels from 0 to `length` - 1 are in the photo.
    """
    span = max(int(last - first + 1), 1)
    start, stop = max(first, 0), max(min(last + 1, length), 0)
    start = min(start, stop)
    return slice(start, stop), slice(start - first, stop - first), span
