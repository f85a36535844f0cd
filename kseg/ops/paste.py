"""The masks of detections, enlarged from their boxes into the photo; He et al., "Mask R-CNN", 2017.

By one of two rules, and a mask is cut out by the same (`kseg.ops.masks`):

- centred: a pixel is what the mask is at the pixel's centre, as in detectron2
  (`detectron2/layers/mask_ops.py`). The box stays where it is.
- torchvision's (`torchvision/models/detection/roi_heads.py`, `paste_masks_in_image`): the box is
  cut to whole pixels, both ends inclusive, and grows by up to two of them. Of a nucleus of 8 x 8
  that is a third of its area.

`xp` is NumPy, or `keras.ops` in the graph of an export; see `kseg.ops.resize`. Axes: N objects, m a
mask's side, H and W the photo.
"""

import numpy as np

from kseg.ops.resize import bilinear, cast

RULES = CENTRED, TORCHVISION = "centred", "torchvision"  # `paste` of `kseg.build_mask_rcnn`
LEAST = 1e-3  # pixels: the side of a box that has none
FAR = 1 << 30  # further out than any photo's pixels, and still an int32
BORDER = 1  # pixels of zeros around a mask, so that it fades out where it is enlarged


def paste_mask(mask, box, size, xp=np, *, centred=False):
    """A mask at the size of its box, with its place in the photo.

    The mask gets a border of one pixel of zeros and the box grows with it; by torchvision's rule
    the box's corners are then cut to whole pixels. What lies beyond the photo is cut off.

    Args:
        mask: Probabilities `(m, m)` inside the box, float32.
        box: `(4,)`, x1, y1, x2, y2 in pixels of the photo, float32.
        size: Height and width of the photo, int32 `(2,)`.
        xp: NumPy or `keras.ops`. Defaults to NumPy.
        centred: Whether pixels are sampled at their centres; False for torchvision's rule.

    Returns:
        The rectangle of the photo: int32 `(2,)` each, its first row and column, and those beyond
        its last ones; and the probabilities there, float32.
    """
    bordered = xp.pad(mask, [[BORDER, BORDER]] * 2)
    if centred:
        place = _centred_places(box, bordered.shape[-1], size, xp)
        return *place[2:], _sampled(bordered, *place, xp)
    place = _places(box, bordered.shape[-1], size, xp)
    return *place[2:], _enlarged(bordered, *place, xp)


def pasted(masks, boxes, height, width, *, centred=False):
    """Yields what `paste_mask` makes of each mask, by NumPy.

    Args:
        masks: Probabilities `(N, m, m)` inside the boxes.
        boxes: `(N, 4)`, x1, y1, x2, y2 in pixels of the photo.
        height, width: Of the photo.
        centred: As of `paste_mask`.

    Yields:
        The rows and columns of the photo, two slices, and the probabilities there, float32.
    """
    masks, boxes = np.asarray(masks, np.float32), np.asarray(boxes, np.float32).reshape(-1, 4)
    bordered = np.pad(masks, [(0, 0), (BORDER, BORDER), (BORDER, BORDER)])
    find, enlarge = (_centred_places, _sampled) if centred else (_places, _enlarged)
    places = find(boxes, bordered.shape[-1], np.array([height, width], np.int32), np)
    for mask, *place in zip(bordered, *(corner.tolist() for corner in places)):
        _, _, start, stop = place
        rows, columns = (slice(*ends) for ends in zip(start, stop))
        yield rows, columns, enlarge(mask, *place, np)


def paste_masks(masks, boxes, height, width, *, threshold=None, centred=False):
    """Masks in their boxes -> masks of the photo's size.

    Args:
        masks, boxes, height, width, centred: As for `pasted`.
        threshold: None for probabilities; a number for 1 where they are at least that.

    Returns:
        `(N, H, W)`, float32 probabilities, or bool with a `threshold`.

    Example:

    >>> paste_masks(np.ones((1, 28, 28)), [[2, 1, 5, 3]], 4, 6, threshold=0.5)[0].astype(int)
    array([[0, 1, 1, 1, 1, 1],
           [0, 1, 1, 1, 1, 1],
           [0, 1, 1, 1, 1, 1],
           [0, 1, 1, 1, 1, 1]])
    >>> paste_masks(np.ones((1, 28, 28)), [[2, 1, 5, 3]], 2, 6, threshold=0.5, centred=True)
    array([[[False, False, False, False, False, False],
            [False, False,  True,  True,  True, False]]])
    """
    whole = np.zeros((len(masks), height, width), np.float32 if threshold is None else bool)
    drawn = pasted(masks, boxes, height, width, centred=centred)
    for each, (rows, columns, values) in zip(whole, drawn):
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


def _centred_places(boxes, side, size, xp):
    """Where bordered masks lie, at the centres of pixels.

    Args:
        boxes, side, size: As of `_places`.

    Returns:
        origin, step: Where pixel 0 lies in the bordered mask, and how far on the next one does, in
            the mask's pixels; float64 `(..., 2)` each, rows and columns.
        start, stop: First pixel in the photo that the mask reaches, and that beyond the last.
    """
    boxes = cast(boxes, "float64", xp)
    low, high = boxes[..., :2][..., ::-1], boxes[..., 2:][..., ::-1]  # y, x
    inner = side - 2 * BORDER
    step = inner / xp.maximum(high - low, LEAST)
    origin = (0.5 - low) * step - 0.5 + BORDER
    # from the middle of the border's pixels inwards the mask is more than 0
    first = cast(xp.ceil(xp.clip(-origin / step, -FAR, FAR)), "int32", xp)
    last = cast(xp.floor(xp.clip((side - 1 - origin) / step, -FAR, FAR)), "int32", xp)
    start = xp.minimum(xp.maximum(first, 0), size)
    return origin, step, start, xp.maximum(xp.minimum(last + 1, size), start)


def _sampled(mask, origin, step, start, stop, xp):
    """A bordered mask at the centres of the pixels `start` to `stop` of the photo, float32."""
    for axis in (0, 1):
        at = cast(xp.arange(start[axis], stop[axis]), "float64", xp) * step[axis] + origin[axis]
        last = mask.shape[axis] - 1
        at = xp.clip(at, 0, last)
        first = xp.minimum(cast(at, "int32", xp), last - 1)
        share = cast(at - cast(first, "float64", xp), "float32", xp)
        share = xp.reshape(share, (-1, 1) if axis == 0 else (1, -1))
        lower, upper = xp.take(mask, first, axis), xp.take(mask, first + 1, axis)
        mask = lower * (1 - share) + upper * share
    return mask


def _enlarged(mask, first, span, start, stop, xp):
    """The part of an enlarged mask that is in the photo, float32."""
    rows, columns = (slice(start[axis] - first[axis], stop[axis] - first[axis]) for axis in (0, 1))
    return bilinear(mask, span[0], span[1], rows, columns, xp)
