"""What a model that finds objects answers."""

import dataclasses

import numpy as np

MASKS = ("binary", "probability", "rle")


@dataclasses.dataclass(frozen=True, eq=False)
class Instances:
    """The objects found in one photo, in falling order of their scores.

    Args:
        boxes: float32 `(N, 4)`, x1, y1, x2, y2 in pixels of the photo, x2 and y2 exclusive.
        classes: int32 `(N,)`, class ids.
        scores: float32 `(N,)`, 0..1.
        masks: bool `(N, H, W)`; float32 probabilities `(N, H, W)`; or a list of N dicts of COCO's
            compressed runs, `{"size": [H, W], "counts": str}`. As `kseg.predict` was asked for.

    Example:

    >>> objects = kseg.predict(mask_rcnn, "street.jpg")
    >>> len(objects) == len(objects.boxes), objects.masks[objects.classes == 2].any(axis=0).shape
    (True, (48, 64))
    """

    boxes: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    masks: np.ndarray | list

    def __len__(self):
        return len(self.scores)
