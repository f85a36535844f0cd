"""The masks of detections, enlarged from their boxes into the photo; in NumPy.

As torchvision does it (`torchvision/models/detection/roi_heads.py`, `paste_masks_in_image`), after
He et al., "Mask R-CNN", ICCV 2017. Axes: N objects, m a mask's side, H and W the photo.
"""

import numpy as np

BORDER = 1  # pixels of zeros around a mask, so that it fades out where it is enlarged


def bilinear(image, height, width, rows=slice(None), columns=slice(None)):
    """An image resized, or a part of it: half-pixel centres, no antialiasing.

    As `torch.nn.functional.interpolate(mode="bilinear", align_corners=False)`.

    Args:
        image: Numbers `(h, w, ...)`.
        height, width: Of the whole result.
        rows, columns: Which part of the result to compute. Default: all of it.

    Returns:
        float32 `(height, width, ...)`, or the part of it.

    Example:

    >>> bilinear(np.array([[0.0, 1.0]]), 1, 4)
    array([[0.  , 0.25, 0.75, 1.  ]], dtype=float32)
    """
    image = np.asarray(image)
    if image.shape[:2] == (height, width):
        return image[rows, columns].astype(np.float32)
    y, y_next, down = _neighbours(image.shape[0], height, rows)
    x, x_next, right = _neighbours(image.shape[1], width, columns)
    more = (1,) * (image.ndim - 2)
    down, right = down.reshape(-1, 1, *more), right.reshape(1, -1, *more)
    image = image[y] * (1 - down) + image[y_next] * down
    return image[:, x] * (1 - right) + image[:, x_next] * right


def _neighbours(length, new_length, part):
    """The pixels on either side of each new one, and how far it is from the first to the second."""
    # of the scale in float32, with a single rounding after it, as PyTorch's fused arithmetic
    scale = np.float64(np.float32(length / new_length))
    at = ((np.arange(new_length)[part] + 0.5) * scale - 0.5).astype(np.float32)
    at = np.maximum(at, 0)
    first = np.minimum(at.astype(np.int64), length - 1)
    second = np.minimum(first + 1, length - 1)
    return first, second, at - first.astype(np.float32)


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
