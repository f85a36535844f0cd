"""Masks as a cell of a table has them: pairs of a start, counted from 1, and a length."""

import re

import numpy as np

from kseg.base.optional import pycocotools_mask

ORDERS = ("columns", "rows")  # in which pixels are counted: down the columns, or along the rows
EMPTY = ("", "-1", "nan", "none", "null", "[]")  # of a photo without an object
CUT = 32767  # characters of a cell at most, as Excel saves it
SPARSE = 16  # of the photo's pixels one is of the mask, at most, where it is quicker to list them


def starts_and_lengths(text):
    """Runs in a cell: starts, counted from 0, and lengths, by rising starts; none for none.

    Raises:
        ValueError: they are no runs; the message says why.

    >>> starts_and_lengths("5 2 1 3")
    (array([0, 4]), array([3, 2]))
    """
    if text.lower() in EMPTY:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    if len(text) == CUT:
        raise ValueError(f"{CUT} characters, where Excel cuts cells: take the original file")
    words = text.strip("[]").replace(",", " ").split()
    odd = next((word for word in words if not re.fullmatch(r"\d{1,12}", word)), None)
    if odd is not None:
        raise ValueError(f"{odd[:20]!r} is no start or length")
    numbers = np.array(words, np.int64)
    if len(numbers) % 2:
        raise ValueError(f"{len(numbers)} numbers, which are not pairs of a start and a length")
    starts, lengths = numbers[::2], numbers[1::2]
    if lengths.min() < 1:
        raise ValueError(f"run {int(lengths.argmin())} has the length 0")
    if starts.min() < 1:
        raise ValueError("a run starts at 0, and pixels are counted from 1: add 1 to every start")
    order = np.argsort(starts, kind="stable")
    starts, lengths = starts[order] - 1, lengths[order]
    over = np.flatnonzero(starts[1:] < (starts + lengths)[:-1])
    if len(over):
        first, second = (f"{starts[i] + 1} {lengths[i]}" for i in (over[0], over[0] + 1))
        raise ValueError(f"the runs {first!r} and {second!r} overlap")
    return starts, lengths


def turns_between_lines(starts, lengths, height, width):
    """Pixels that differ from that beside them in the next line, of a mask read both ways.

    Args:
        starts, lengths: Of the mask's runs.
        height, width: Of the photo.

    Returns:
        Two numbers: with pixels counted down the columns, and along the rows. Objects have edges
        far fewer in the order that is meant than in the other, in which they are torn apart.
    """
    flat = _flat(starts, lengths, height * width)
    return tuple(int((flat[side:] != flat[:-side]).sum()) for side in (height, width))


def coco_rle(starts, lengths, height, width, order):
    """Runs as pycocotools' compressed ones, which go down the columns.

    Args:
        starts, lengths: As of `starts_and_lengths`.
        height, width: Of the photo.
        order: One of `ORDERS`, that of the runs.
    """
    mask = pycocotools_mask()
    if order == "rows":
        if SPARSE * lengths.sum() > height * width:
            flat = _flat(starts, lengths, height * width).astype(np.uint8)
            return mask.encode(np.asfortranarray(flat.reshape(height, width)))
        shift = np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
        y, x = np.divmod(np.arange(lengths.sum()) + shift, width)
        starts = np.sort(x * height + y)
        lengths = np.ones_like(starts)
    ends = starts + lengths
    apart = starts[1:] > ends[:-1]  # runs that touch are one
    starts, ends = starts[np.append(True, apart)], ends[np.append(apart, True)]
    bounds = np.stack([starts, ends], axis=1).ravel()
    counts = np.diff(np.concatenate([[0], bounds, [height * width]]))
    counts = counts if counts[-1] else counts[:-1]
    return mask.frPyObjects({"counts": counts.tolist(), "size": [height, width]}, height, width)


def _flat(starts, lengths, count):
    """The pixels of a mask in the order in which they are counted: 0 and 1."""
    flat = np.zeros(count + 1, np.int8)
    flat[starts] += 1  # none is twice: runs do not overlap
    np.subtract.at(flat, starts + lengths, 1)
    return np.cumsum(flat[:-1], dtype=np.int8)
