"""The masks of a photo's objects, each drawn when it is asked for.

As bytes of the photo's pixels, 100 objects of 50 megapixels are 5 GB. As the network gives them, of
28x28 pixels in their boxes, they are 0.3 MB.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from kseg.base.optional import pycocotools_mask
from kseg.ops.paste import CENTRED, TORCHVISION, paste_masks, pasted


class Drawn(Sequence):
    """Masks `(H, W)`, drawn one by one.

    A subclass has `size`, `(H, W)`, and draws by `__getitem__`.
    """

    dtype = np.dtype(bool)

    def part(self, index):
        """Where a mask is not empty, and what it is there.

        Returns:
            Rows and columns, two slices; and the mask in them, bool or probabilities.
        """
        return slice(None), slice(None), self[index]

    def array(self):
        """All of them at once, `(N, H, W)`."""
        whole = np.empty((len(self), *self.size), self.dtype)
        for index, mask in enumerate(self):
            whole[index] = mask
        return whole


class OfParts(Drawn):
    """Masks that are empty but for a part. A subclass draws that, by `part`."""

    def __getitem__(self, index):
        whole = np.zeros(self.size, self.dtype)
        rows, columns, values = self.part(index)
        whole[rows, columns] = values
        return whole


@dataclasses.dataclass(frozen=True, eq=False)
class Pasted(OfParts):
    """Masks as a network gives them, inside their boxes.

    Args:
        small: Probabilities `(N, m, m)`, float32.
        boxes: `(N, 4)`, x1, y1, x2, y2 in pixels of the photo.
        size: Its `(height, width)`.
        threshold: From which on a pixel belongs to the object; None for probabilities.
        paste: By which rule, one of `kseg.ops.paste.RULES`.

    Example:

    >>> masks = Pasted(np.ones((1, 28, 28), "float32"), np.array([[2, 1, 5, 3]]), (4, 6), 0.5)
    >>> int(masks[0].sum()), masks.part(0)[:2], masks.array().shape
    (20, (slice(0, 4, None), slice(1, 6, None)), (1, 4, 6))
    """

    small: np.ndarray
    boxes: np.ndarray
    size: tuple[int, int]
    threshold: float | None = 0.5
    paste: str = TORCHVISION

    @property
    def dtype(self):
        return np.dtype(np.float32 if self.threshold is None else bool)

    def __len__(self):
        return len(self.small)

    def part(self, index):
        one = slice(range(len(self))[index], range(len(self))[index] + 1)
        small, boxes, centred = self.small[one], self.boxes[one], self.paste == CENTRED
        ((rows, columns, values),) = pasted(small, boxes, *self.size, centred=centred)
        return rows, columns, values if self.threshold is None else values >= self.threshold

    def array(self):
        how = {"threshold": self.threshold, "centred": self.paste == CENTRED}
        return paste_masks(self.small, self.boxes, *self.size, **how)


@dataclasses.dataclass(frozen=True, eq=False)
class Runs(Drawn):
    """Masks as COCO's compressed runs.

    Args:
        runs: List of dicts `{"size": [H, W], "counts": str}`.

    Raises:
        ImportError: pycocotools is not installed, when one is drawn.
    """

    runs: list

    @property
    def size(self):
        return tuple(self.runs[0]["size"]) if self.runs else (0, 0)

    def __len__(self):
        return len(self.runs)

    def __getitem__(self, index):
        return pycocotools_mask().decode(self.runs[index]) != 0


@dataclasses.dataclass(frozen=True, eq=False)
class Thinned(Drawn):
    """Masks of which every so many rows and columns are left, for a small picture.

    Args:
        masks: Sequence of masks, bool or probabilities.
        step: Of how many pixels one is left, along both sides.
    """

    masks: Sequence
    step: int

    @property
    def size(self):
        return self[0].shape if len(self) else (0, 0)

    def __len__(self):
        return len(self.masks)

    def __getitem__(self, index):
        return self.masks[index][:: self.step, :: self.step] >= 0.5
