"""What the numbers of a photo mean: bytes of 0..255, or the range that a set says it has.

Where nothing is said, any type -> uint8 of 0..255, or a refusal:

    uint8        itself
    bool         0 and 255, as a PNG of 1 bit is read
    uint16       its upper 8 bits, as a PNG of 16 bits is read
    other ints   themselves, if they are from 0 to 255
    floats       rounded, if they are from 0 to 255 and not all from 0 to 1

Byte order and memory layout do not matter. What would come out black or wrong is refused: floats
whose largest is above 0 and at most 1, for those are 0..1 and not 0..255; uint16 of which none is
above 255; whatever is negative, too large or not finite. All zeros are black in any reading.

With a range, `value_range=(low, high)` or `bits=`, numbers stay what they are, uint8, uint16 or
float32, and what lies beyond it is refused.
"""

import numpy as np

from kseg.base.arguments import integer, number, refused

BYTES = "numbers of 0..255 (uint8)"
BYTE_RANGE = (0, 255)  # of whatever says nothing else
DARK = "Or give uint8, if it is that dark."
SAY_RANGE = "If it is another range, say so: value_range=(low, high), or bits=, of model and data."
USUAL_BITS = (8, 10, 12, 14, 16)  # of sensors


class NotAPhoto(ValueError):
    """These are not the numbers, or not the channels, of a photo."""


def check_value_range(value_range, bits=None):
    """The range of a set's numbers, as it is said by one of two arguments.

    Args:
        value_range: `(low, high)`, or None.
        bits: Bits that whole numbers use, 1 to 32, for `(0, 2**bits - 1)`; or None.

    Returns:
        `(low, high)`, or None where neither is given or it is that of bytes.

    Raises:
        ValueError: it is none, or the two say different things.

    Example:

    >>> check_value_range(None, bits=12), check_value_range((0, 255))
    ((0, 4095), None)
    """
    if bits is not None:
        whole = (0, 2 ** integer("bits", bits, high=32) - 1)
        if value_range is not None and tuple(value_range) != whole:
            raise refused("value_range", value_range, f"{whole} with bits={bits}", "Give one.")
        value_range = whole
    if value_range is None:
        return None
    try:
        low, high = (number("value_range", each) for each in value_range)
        if not low < high:
            raise ValueError
    except (TypeError, ValueError):
        expected = "(low, high), two numbers with low < high, of black and white"
        raise refused("value_range", value_range, expected) from None
    return None if (low, high) == BYTE_RANGE else (low, high)


def numbers(array, value_range=None, name="image"):
    """Numbers of any type and byte order as a photo has them: `as_bytes`, or of a range of its own.

    Args:
        array: Array of any shape.
        value_range: `(low, high)`; None for 0..255.
        name: What to call it in an error.

    Returns:
        uint8 without a range; with one uint8 or uint16 as they are, all else float32.

    Raises:
        NotAPhoto: they are beyond the range, or plainly of another.

    Example:

    >>> numbers(np.array([0, 4095], ">u2"), (0, 4095))
    array([   0, 4095], dtype=uint16)
    """
    if value_range is None:
        return as_bytes(array, name)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.size:
        _check_own_range(array, value_range, name)
    return array if array.dtype in (np.uint8, np.uint16) else array.astype(np.float32)


def _check_own_range(array, value_range, name):
    (low, high), wanted = value_range, f"numbers of {words(value_range)}"
    if array.dtype.kind == "b" or array.dtype == np.uint8 and high > 255:
        expected = f"{wanted}, which have more than 8 bits"
        remedy = "Give what was not reduced to 8 bits, or leave value_range= and bits= out of all."
        raise refused(f"{name}.dtype", str(array.dtype), expected, remedy, NotAPhoto)
    check_finite(array, name, wanted)
    least, most = array.min().item(), array.max().item()
    for what, value, beyond in (("min", least, least < low), ("max", most, most > high)):
        if beyond:
            remedy = "Give a larger range to model and data, or hold files within it: clip=True "
            remedy += f"(an array: np.clip(image, {low}, {high}))."
            raise refused(f"{name}.{what}()", value, wanted, remedy, NotAPhoto)
    if array.dtype.kind == "f" and low >= 0 and 0 < most <= 1 < high / 2:
        remedy = f"These are of 0..1: multiply by {high}."
        raise refused(f"{name}.max()", most, wanted, remedy, NotAPhoto)


def clipped(array, value_range):
    """Numbers held within a range, of the same type; NaN stays NaN.

    >>> clipped(np.array([7, 5000], "uint16"), (0, 4095)).tolist()
    [7, 4095]
    """
    low, high = value_range
    if array.dtype.kind in "iu":  # bounds beyond a type hold everything
        kind = np.iinfo(array.dtype)
        low, high = max(int(np.ceil(low)), kind.min), min(int(np.floor(high)), kind.max)
    elif array.dtype.kind != "f":
        return array
    return np.clip(array, low, high)


def words(value_range):
    """A range in words: `0..4095`."""
    low, high = value_range
    return f"{low}..{high}"


def proposed_range(low, high, whole):
    """The argument that says a range which holds what was seen.

    Args:
        low, high: The least and the largest number.
        whole: Whether they are integers.

    Example:

    >>> proposed_range(3, 3987, True), proposed_range(0.01, 0.98, False)
    ('bits=12', 'value_range=(0.0, 1.0)')
    >>> proposed_range(-31.5, 4.25, False), proposed_range(-400, 8000, True)
    ('value_range=(-40.0, 5.0)', 'value_range=(-400, 8000)')
    """
    if whole and low >= 0:
        for bits in USUAL_BITS:
            if high < 1 << bits:
                return f"bits={bits}"
    if not whole and -1 <= low and high <= 1:
        return f"value_range=({-1.0 if low < 0 else 0.0}, 1.0)"
    low, high = (_outward(low, -1) if low < 0 else 0), _outward(high, 1)
    kind = int if whole else float
    return f"value_range=({kind(low)}, {kind(high)})"


def _outward(value, side):
    """The next number of one digit away from zero, or towards it where `side` is the other."""
    if not value:
        return 0
    step = 10.0 ** np.floor(np.log10(abs(value)))
    return float((np.ceil if side > 0 else np.floor)(value / step) * step)


def levels(array, value_range):
    """Numbers of a range as grey levels 0..255, float32; of bytes themselves.

    >>> levels(np.array([0, 4095], "uint16"), (0, 4095))
    array([  0., 255.], dtype=float32)
    """
    if value_range is None:
        return array
    low, high = value_range
    return (array.astype(np.float32) - np.float32(low)) * np.float32(255 / (high - low))


def as_bytes(array, name="image"):
    """Numbers of any type, byte order and range -> uint8 of the same shape; see the module.

    Raises:
        NotAPhoto: they are not those of a photo.
    """
    kind = array.dtype.kind
    if array.dtype == np.uint8 or not array.size:
        return array.astype(np.uint8, copy=False)
    if kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.newbyteorder("=") == np.uint16:
        if 0 < array.max() < 256:
            remedy = "If they are of 0..255, give image.astype('uint8')."
            raise refused(
                f"{name}.max()", array.max().item(), "numbers of 0..65535", remedy, NotAPhoto
            )
        return (array >> 8).astype(np.uint8)
    check_range(array, name)
    return np.rint(array).astype(np.uint8) if kind == "f" else array.astype(np.uint8)


def check_range(array, name="image", value_range=None):
    """Raises `NotAPhoto` unless these integers or floats are of 0..255, as those of a photo.

    Args:
        array: The numbers.
        name: What to call them in an error.
        value_range: `(low, high)` where they are of another range.
    """
    if value_range is not None:
        _check_own_range(array, value_range, name)
        return
    check_finite(array, name, BYTES)
    low, high = array.min().item(), array.max().item()
    floats = array.dtype.kind == "f"
    if round(low) < 0 or low < 0 and high <= 1:
        remedy = (
            "Undo the normalisation: the model does its own. What is below 0 by a filter, clip. "
            f"{SAY_RANGE}"
        )
        raise refused(f"{name}.min()", low, BYTES, remedy, NotAPhoto)
    if round(high) > 255:
        remedy = f"Scale it so that white is 255, or clip what a filter left beyond. {SAY_RANGE}"
        raise refused(f"{name}.max()", high, BYTES, remedy, NotAPhoto)
    if floats and 0 < high <= 1:
        remedy = f"Multiply by 255, or say value_range=(0, 1), of model and data. {DARK}"
        raise refused(f"{name}.max()", high, BYTES, remedy, NotAPhoto)


def check_finite(array, name, expected):
    """Raises `NotAPhoto` if a number is NaN or infinite."""
    if not (np.isfinite(array.min()) and np.isfinite(array.max())):
        where = np.argwhere(~np.isfinite(array))[0].tolist()
        value = float(array[tuple(where)])
        remedy = "Replace what is missing, as by np.nan_to_num(image, posinf=255)."
        raise refused(f"{name}[{', '.join(map(str, where))}]", value, expected, remedy, NotAPhoto)
