"""How objects stand out from what is around them: what a photo itself says of a label.

A model that is sure of an object as faint as the ground beside it is likely wrong; one that finds
nothing at a label that stands out as its neighbours do has likely missed it.
"""

import numpy as np

GAP = 1  # pixels beside an object that belong to neither
RING = 0.4  # width of what is around it, of the root of its area
LEAST_RING = 3  # pixels
FEW = 10  # pixels of a ring that are needed
OTHERS = 3  # labelled objects beside it that are needed, to say how they stand out


class Contrast:
    """Of the objects of a photo.

    Args:
        image: `(H, W, channels)`.
        masks: `(N, H, W)`, the labelled ones.
    """

    def __init__(self, image, masks):
        self.image = np.asarray(image, "float32")
        self.labelled = np.asarray(masks).any(axis=0) if len(masks) else None
        self.each = np.array([self.of(mask) for mask in masks])

    def of(self, mask):
        """The distance of the mean colour within a mask to that around it; NaN of one without."""
        from scipy.ndimage import binary_dilation

        rows, columns = (np.flatnonzero(np.asarray(mask).any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            return float("nan")
        width = max(LEAST_RING, round(RING * np.sqrt(np.count_nonzero(mask))))
        around = tuple(
            slice(max(0, each[0] - width - GAP), each[-1] + 1 + width + GAP)
            for each in (rows, columns)
        )
        within, image = np.asarray(mask[around]) != 0, self.image[around]
        near = binary_dilation(within, iterations=GAP)
        ring = binary_dilation(near, iterations=width) & ~near
        if self.labelled is not None:
            free = ring & ~self.labelled[around]
            ring = free if np.count_nonzero(free) >= FEW else ring
        if not ring.any():
            return float("nan")
        return float(np.linalg.norm(image[within].mean(0) - image[ring].mean(0)))

    def beside(self, mask, own=None):
        """That of a mask as a share of what the labelled objects of the photo usually have.

        Args:
            mask: `(H, W)`.
            own: Its position among them, which is left out; None for none.

        Returns:
            The share, NaN where too few others are labelled to say what is usual.
        """
        others = np.delete(self.each, [] if own is None else own)
        others = others[~np.isnan(others)]
        if len(others) < OTHERS:
            return float("nan")
        usual = float(np.median(others))
        return self.of(mask) / usual if usual > 0 else float("nan")
