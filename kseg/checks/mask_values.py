"""What a mask's values give away: interpolation, JPEG, grey palettes, Cityscapes' label ids.

Thresholds were set on clean CamVid, Pascal VOC, DSB 2018 and generated scenes, and on the same
masks resized with interpolation (bilinear and bicubic, 0.5 to 1.5 times) or saved as JPEG (quality
75 to 95).
"""

import numpy as np

from kseg.base.colors import voc_colors

# Ghosts among all steps of two ids and more. Clean masks: CamVid 0.02 at most, scenes of 32x32
# pixels 0.15 with few ghosts; interpolated ones: 0.27 and up, of CamVid
GHOST_SHARE = 0.2


FEWEST_GHOSTS = 12


# Changes of value on the 8x8 grid of JPEG, against what chance gives: interpolated ones 1.2 at most
GRID_EXCESS = 1.35


FEWEST_OBJECTS = 4  # of which numbers are told from ids of classes
WHOLE_SHARE = 0.8  # of them are of one piece


VOC_VOID = (224, 224, 192)


CITYSCAPES_CLASSES, CITYSCAPES_LABELS = 19, 34


def ghosts(mask, void=None):
    """Pixels strictly between the ids of their two neighbours, in a row or a column.

    Where a mask is resized with interpolation, an edge from class 2 to class 9 gets a pixel of
    class 5, which is not there. A clean mask jumps.

    Args:
        mask: Integer `(H, W)`.
        void: Id to leave out, with what touches it.

    Returns:
        Boolean `(H, W)`, and the number of plain jumps of two ids and more.
    """
    is_ghost = np.zeros(mask.shape, bool)
    jumps = 0
    for lines, out in ((mask, is_ghost), (mask.T, is_ghost.T)):
        left, middle, right = lines[:, :-2], lines[:, 1:-1], lines[:, 2:]
        between = ((left < middle) & (middle < right)) | ((left > middle) & (middle > right))
        first, second = lines[:, :-1], lines[:, 1:]
        jump = np.maximum(first, second) - np.minimum(first, second) >= 2
        if void is not None:
            known = lines != void
            between &= known[:, :-2] & known[:, 2:]
            jump &= known[:, :-1] & known[:, 1:]
        out[:, 1:-1] |= between
        jumps += int(np.count_nonzero(jump))
    return is_ghost, jumps


def interpolated(ghosts, jumps):
    """Whether that many ghosts beside that many jumps come of interpolation."""
    return ghosts >= FEWEST_GHOSTS and ghosts > GHOST_SHARE * (ghosts + jumps)


def on_jpeg_grid(mask):
    """Whether the mask changes on the borders of 8x8 blocks more often than elsewhere."""
    columns = np.count_nonzero(mask[:, 1:] != mask[:, :-1], axis=0)
    rows = np.count_nonzero(mask[1:] != mask[:-1], axis=1)
    changes = columns.sum() + rows.sum()
    on_grid = columns[7::8].sum() + rows[7::8].sum()
    places = len(columns[7::8]) / max(1, len(columns)) * columns.sum()
    places += len(rows[7::8]) / max(1, len(rows)) * rows.sum()
    return changes >= 64 and on_grid > GRID_EXCESS * places


def wrong_values(mask, source):
    """What is wrong with a mask of ids that holds values outside the class list.

    Args:
        mask: The stored values, integer `(H, W)`.
        source: Its `Source`.

    Returns:
        kind and what was seen; kind `"unknown_id"` and None if nothing better fits.
    """
    values, counts = np.unique(mask, return_counts=True)
    held = set(values.tolist())
    beyond = {v for v in held if v >= source.num_classes and v not in (source.void, 255)}
    if 255 in held and held <= {0, 1, 255}:
        return "black_and_white", f"the mask holds only {_listed(held)}"
    if source.num_classes == CITYSCAPES_CLASSES and beyond and max(beyond) < CITYSCAPES_LABELS:
        return "cityscapes_ids", f"the mask holds {_listed(beyond)}, and there are 19 classes"
    if numbers_objects(mask, held):
        return "object_numbers", f"the mask holds {_listed(held)}, each in one place"
    if beyond and held - {0, 255} <= luminances(source):
        return "palette_as_grey", f"the mask holds {_listed(held)}, the greys of colours"
    is_ghost, jumps = ghosts(mask, void=None)
    return _blended(mask, int(is_ghost.sum()), jumps, len(values), source)


def numbers_objects(mask, values):
    """Whether the values of a mask look like numbers of objects: 1, 2, 3, ..., each one region.

    Args:
        mask: Integer `(H, W)`.
        values: Those that it holds, a set.
    """
    from scipy import ndimage

    numbers = sorted(values - {0})
    if len(numbers) < FEWEST_OBJECTS or numbers[-1] > 2 * len(numbers):
        return False
    whole = sum(ndimage.label(mask == number)[1] == 1 for number in numbers)
    return whole >= WHOLE_SHARE * len(numbers)


def wrong_colors(mask, source):
    """As `wrong_values`, of a colour-coded mask `(H, W, 3)`."""
    red, green, blue = np.moveaxis(mask.astype(np.int64), -1, 0)
    packed = (red << 16) + (green << 8) + blue
    number, jumps = 0, 0
    for channel in (red, green, blue):
        is_ghost, more = ghosts(channel)
        number, jumps = number + int(is_ghost.sum()), jumps + more
    return _blended(packed, number, jumps, len(np.unique(packed)), source)


def _blended(mask, ghosts, jumps, distinct, source):
    """Interpolated, of JPEG, or with a few wrong values: by their number and place."""
    many = distinct > 2 * source.num_classes + 8  # many more values than classes
    if interpolated(ghosts, jumps) or many:
        if on_jpeg_grid(mask):
            return "jpeg_mask", f"the mask holds {distinct} values, in the blocks of JPEG"
        return "interpolated_mask", f"the mask holds {distinct} values, with ramps along its edges"
    return "unknown_id", None


def luminances(source):
    """Grey values of the class colours and of Pascal VOC's palette: of a mask converted to grey."""
    colors = [*source.colors, *voc_colors(max(21, source.num_classes)), VOC_VOID]
    grey = np.array(colors) @ (0.299, 0.587, 0.114)
    return set(np.floor(grey).astype(int).tolist()) | set(np.round(grey).astype(int).tolist())


def _listed(values, most=6):
    values = sorted(values)
    return ", ".join(map(str, values[:most])) + (", ..." if len(values) > most else "")
