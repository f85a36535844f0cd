"""What a model that finds objects answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kseg.base.colors import object_colors
from kseg.base.shown import card, counted, line
from kseg.prediction.masks import Drawn, Runs, Thinned

MASKS = ("binary", "probability", "rle")
WIDEST = 400  # pixels of the picture in a notebook


@dataclasses.dataclass(frozen=True, eq=False)
class Instances:
    """The objects found in one photo, in falling order of their scores.

    Args:
        boxes: float32 `(N, 4)`, x1, y1, x2, y2 in pixels of the photo, x2 and y2 exclusive.
        classes: int32 `(N,)`, class ids.
        scores: float32 `(N,)`, 0..1.
        masks: bool `(N, H, W)`; float32 probabilities `(N, H, W)`; or a list of N dicts of COCO's
            compressed runs, `{"size": [H, W], "counts": str}`. As `kseg.predict` was asked for.
            Arrays are drawn when they are first asked for, all at once: until then, and for
            whoever takes them one by one from `each_mask`, they take next to no memory.

    Example:

    >>> objects = kseg.predict(mask_rcnn, "street.jpg")
    >>> len(objects) == len(objects.boxes), objects.masks[objects.classes == 2].any(axis=0).shape
    (True, (48, 64))
    >>> [mask.shape for mask in objects.each_mask()] == [(48, 64)] * len(objects)
    True
    """

    boxes: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    masks: np.ndarray | list

    def __post_init__(self):
        if isinstance(self.masks, Drawn):
            self.__dict__["_drawn"] = self.__dict__.pop("masks")

    if not TYPE_CHECKING:  # a checker knows the field

        def __getattr__(self, name):
            """`masks`, where they are not drawn yet; for nothing else is missing."""
            if name != "masks" or "_drawn" not in self.__dict__:
                raise AttributeError(
                    f"{type(self).__name__!r} has no attribute {name!r}", name=name
                )
            masks = self.__dict__["masks"] = self._drawn.array()
            return masks

    def each_mask(self) -> Sequence[np.ndarray]:
        """The masks one by one: a sequence of `(H, W)`, each drawn when it is asked for.

        Of runs they are bool, decoded by pycocotools.
        """
        if "_drawn" in self.__dict__:
            return self.__dict__["_drawn"]
        return self.masks if isinstance(self.masks, np.ndarray) else Runs(self.masks)

    def __len__(self) -> int:
        return len(self.scores)

    def __repr__(self) -> str:
        return line(self, self._summary())

    def _summary(self):
        if not len(self):
            return "no object"
        classes = ", ".join(map(str, np.unique(self.classes)))
        scores = f"{self.scores.max():.2f} to {self.scores.min():.2f}"
        return f"{counted(len(self), 'object')}, scores {scores}, class ids {classes}"

    def _repr_html_(self) -> str:
        headings = ["", "class id", "score", "box (x1, y1, x2, y2)"]
        colors = object_colors(np.zeros(len(self), bool))
        columns = zip(self.classes, self.scores, self.boxes.round().astype(int).tolist())
        rows = [
            (str(number), str(class_id), f"{score:.3f}", ", ".join(map(str, box)))
            for number, (class_id, score, box) in enumerate(columns)
        ]
        title = self._summary()
        pictures = self._pictures()
        return card(title, headings=headings, rows=rows, colors=colors, pictures=pictures)

    def in_runs(self) -> Instances:
        """The same with COCO's compressed runs in place of whole binary masks.

        Raises:
            ImportError: pycocotools is not installed.
        """
        from kseg.data.coco_format.results import of_mask

        return dataclasses.replace(self, masks=[of_mask(mask) for mask in self.each_mask()])

    def _pictures(self):
        """The objects on white ground: an `Instances` holds no photo, and runs no pixels."""
        each = self.each_mask()
        if not len(self) or isinstance(each, Runs):
            return []
        from kseg.pictures.image import data_uri
        from kseg.pictures.instance import objects

        step = max(1, max(each[0].shape) // WIDEST)
        masks = Thinned(each, step)
        ground = np.full((*masks.size, 3), 255, np.uint8)
        picture = objects(ground, masks, self.boxes / step, opacity=1.0)
        return [(data_uri(picture, WIDEST), "")]
