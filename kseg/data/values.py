"""What the numbers of a photo mean: of any type -> uint8 of 0..255, or a refusal.

    uint8        itself
    bool         0 and 255, as a PNG of 1 bit is read
    uint16       its upper 8 bits, as a PNG of 16 bits is read
    other ints   themselves, if they are from 0 to 255
    floats       rounded, if they are from 0 to 255 and not all from 0 to 1

Byte order and memory layout do not matter. What would come out black or wrong is refused: floats
whose largest is above 0 and at most 1, for those are 0..1 and not 0..255; uint16 of which none is
above 255; whatever is negative, too large or not finite. All zeros are black in any reading.
"""

import numpy as np

from kseg.base.arguments import refused

BYTES = "numbers of 0..255 (uint8)"
DARK = "Or give uint8, if it is that dark."


class NotAPhoto(ValueError):
    """These are not the numbers, or not the channels, of a photo."""


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


def check_range(array, name="image"):
    """Raises `NotAPhoto` unless these integers or floats are of 0..255, as those of a photo."""
    low, high = array.min().item(), array.max().item()
    floats = array.dtype.kind == "f"
    if not (np.isfinite(low) and np.isfinite(high)):
        where = np.argwhere(~np.isfinite(array))[0].tolist()
        value = float(array[tuple(where)])
        remedy = "Replace what is missing, as by np.nan_to_num(image, posinf=255)."
        raise refused(f"{name}[{', '.join(map(str, where))}]", value, BYTES, remedy, NotAPhoto)
    if round(low) < 0 or low < 0 and high <= 1:
        remedy = (
            "Undo the normalisation: the model does its own. What is below 0 by a filter, clip."
        )
        raise refused(f"{name}.min()", low, BYTES, remedy, NotAPhoto)
    if round(high) > 255:
        remedy = "Scale it so that white is 255, or clip what a filter left beyond."
        raise refused(f"{name}.max()", high, BYTES, remedy, NotAPhoto)
    if floats and 0 < high <= 1:
        raise refused(f"{name}.max()", high, BYTES, f"Multiply by 255. {DARK}", NotAPhoto)
