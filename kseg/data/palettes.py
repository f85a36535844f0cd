"""Palettes of masks: their indices are the class ids, unless each file numbers its colours anew."""

import numpy as np

from kseg.data.errors import DataError
from kseg.data.source import VOID

MOST = 24  # colours that are listed
BLACK = (0, 0, 0)  # which palettes are filled up with


def renumbered(paths):
    """What palettes say against their indices: a colour that has one number here, another there.

    So do programs that reduce a picture to few colours: they number these anew in each file.

    Args:
        paths: Of masks, a few.

    Returns:
        `DataError`; None where the palettes agree, or there are none.
    """
    seen = {}
    for path in paths:
        for color, index in _used(path).items():
            first, before = seen.setdefault(color, (path, index))
            if before != index:
                message = f"{str(path)!r} has the colour {color} as number {index} of its palette, "
                message += f"and {str(first)!r} as {before}: the numbers are no class ids."
                every = tuple(sorted({color for path in paths for color in _used(path, True)}))
                remedy = "Give the colour of each class, in the order of the class names"
                remedy += f", as palette={every}." if len(every) <= MOST else " (palette=)."
                return DataError("palettes_differ", path, message, remedy)
    return None


def black_elsewhere(path):
    """Of a mask whose palette has black, but not as 0: what is odd, as notes of a `Source`.

    Black is the background nearly everywhere; programs that reduce colours give it any number.
    """
    numbers = {index: color for color, index in _used(path, True).items()}
    black = next((i for i, color in numbers.items() if color == BLACK and i != VOID), 0)
    if not black or numbers.get(0, BLACK) == BLACK:
        return ()
    message = f"{str(path)!r} has black as number {black} of its palette, and {numbers[0]} as 0."
    return (("black_elsewhere", message),)


def _used(path, every=False):
    """Colours of a mask's pixels -> their number in its palette.

    Args:
        path: The mask.
        every: Whether colours that a palette has twice, and black, are among them. Default False.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            if image.mode != "P":
                return {}
            palette = np.reshape(image.getpalette("RGB"), (-1, 3)).tolist()
            palette = [tuple(color) for color in palette]
            numbers = np.unique(image).tolist()
    except Exception:  # its reader says so
        return {}
    numbers = [number for number in numbers if number < len(palette)]
    return {
        palette[number]: number
        for number in numbers
        if every or palette.count(palette[number]) == 1 and palette[number] != BLACK
    }
