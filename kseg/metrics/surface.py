"""Distances between the surfaces (contours) of truth and prediction, by NumPy and SciPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kseg.base.arguments import refused
from kseg.base.types import ClassIds
from kseg.metrics.base import divide
from kseg.ops import labels as labels_


def surface_distances(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    num_classes: int,
    ignore_class: ClassIds = 255,
    spacing: float | tuple[float, float] | None = None,
) -> dict[str, np.ndarray]:
    """95 % Hausdorff and average symmetric surface distance of each class of one image.

    The surface of a mask is its pixels with one of their four neighbours outside of it; beyond the
    image is outside, void is not (a border against void is no border). From each surface pixel of
    either mask the Euclidean distance to the other's nearest is taken.

    - `hd95`: the larger of the two directions' 95th percentiles (linear interpolation).
    - `asd`: the mean over both directions' distances together.

    Both are those of MONAI (`compute_hausdorff_distance(percentile=95)` and
    `compute_average_surface_distance(symmetric=True)`).

    Conventions: a class with no surface in truth and prediction has no distance, NaN. With a
    surface in one of them only (`missed`), the distance is the image diagonal, sqrt(H^2 + W^2) in
    units of `spacing`: finite, and larger than any distance there can be.

    Args:
        y_true: Class ids, NumPy (H, W).
        y_pred: Class ids, NumPy (H, W).
        num_classes: Number of classes, >= 2 (2 for a binary problem).
        ignore_class: Void id(s) of `y_true`: int, sequence of ints, or None. Defaults to 255.
        spacing: Height and width of a pixel; one number for both. Defaults to None: distances are
            in pixels.

    Returns:
        dict of arrays (C,): `"hd95"` and `"asd"`, float64, and `"missed"`, bool.

    Raises:
        ValueError: Shapes are not (H, W) and equal, or `spacing` is not positive.

    Example:

    >>> y_true, y_pred = np.zeros((2, 8, 8), int)
    >>> y_true[2:6, 2:6], y_pred[2:6, 3:7] = 1, 1
    >>> surface_distances(y_true, y_pred, 2)["hd95"][1]
    np.float64(1.0)
    """
    from scipy.spatial import cKDTree

    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.shape != y_pred.shape or y_true.ndim != 2:
        raise refused(
            "shapes of y_true and y_pred",
            (y_true.shape, y_pred.shape),
            "one image's class ids, (H, W), in both",
        )
    unit = np.ones(2) if spacing is None else np.broadcast_to(np.asarray(spacing, "float64"), 2)
    if not (unit > 0).all():
        raise refused("spacing", spacing, "one number > 0, or (height, width) of a pixel")
    void = np.isin(y_true, labels_.void_ids(ignore_class))
    diagonal = float(np.hypot(*(unit * y_true.shape)))

    hd95, asd = np.full(num_classes, np.nan), np.full(num_classes, np.nan)
    missed = np.zeros(num_classes, bool)
    for c in range(num_classes):
        true, predicted = (np.argwhere(_surface(ids == c, void)) * unit for ids in (y_true, y_pred))
        if len(true) and len(predicted):
            there, back = cKDTree(true).query(predicted)[0], cKDTree(predicted).query(true)[0]
            hd95[c] = max(np.percentile(there, 95), np.percentile(back, 95))
            asd[c] = np.concatenate([there, back]).mean()
        elif len(true) or len(predicted):
            hd95[c], asd[c], missed[c] = diagonal, diagonal, True
    return {"hd95": hd95, "asd": asd, "missed": missed}


class SurfaceDistances:
    """Averages `surface_distances` over images, class by class.

    Every image counts once for each class that has a distance in it, the image diagonal included
    where the class was missed.

    Args:
        num_classes, ignore_class, spacing: As for `surface_distances`.

    Example:

    >>> distances, ids = SurfaceDistances(2), np.zeros((8, 8), int)
    >>> distances.update(ids, ids)  # one image; as often as there are images
    >>> distances.result()["hd95"]
    array([ 0., nan])
    """

    def __init__(
        self,
        num_classes: int,
        ignore_class: ClassIds = 255,
        spacing: float | tuple[float, float] | None = None,
    ) -> None:
        self.options = (num_classes, ignore_class, spacing)
        self.sums = {name: np.zeros(num_classes) for name in ("hd95", "asd")}
        self.images = np.zeros(num_classes, "int64")
        self.missed = np.zeros(num_classes, "int64")

    def update(self, y_true: ArrayLike, y_pred: ArrayLike) -> None:
        """Adds one image: class ids (H, W) of truth and prediction."""
        distances = surface_distances(y_true, y_pred, *self.options)
        for name, total in self.sums.items():
            total += np.nan_to_num(distances[name])
        self.images += ~np.isnan(distances["hd95"])
        self.missed += distances["missed"]

    def result(self) -> dict[str, np.ndarray]:
        """dict of arrays (C,).

        `"hd95"`, `"asd"`: means over the images, float64, NaN where there was none. `"images"`:
        how many those are; `"missed"`: in how many of them the class was in truth or prediction
        only; int64.
        """
        means = {name: divide(total, self.images) for name, total in self.sums.items()}
        return {**means, "images": self.images.copy(), "missed": self.missed.copy()}


def _surface(mask, void):
    """The valid pixels of a mask (H, W) that have a neighbour outside of it."""
    inside = np.pad(mask | void, 1)
    neighbours = inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:]
    return mask & ~void & ~neighbours
