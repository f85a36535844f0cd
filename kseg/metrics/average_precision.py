"""COCO's average precision and recall of boxes and masks: pycocotools' numbers, image by image.

Of an image that has been matched, a score and a few bits of each detection are kept, so a data set
needs no more memory than that, and the numbers of some images, or of images drawn several times,
follow without matching anew.

Axes: N images, D detections, G true objects, A areas, T IoUs, C classes.
"""

from __future__ import annotations

import collections
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from kseg.base.arguments import integer
from kseg.base.optional import pycocotools_mask

MOST = 100  # detections of a photo and class that count, by COCO's rule
IOUS = np.linspace(0.5, 0.95, 10)
LEVELS = np.linspace(0.0, 1.0, 101)  # of recall
# Pixels, both ends included
AREAS = {
    "all": (0, 1e10),
    "small": (0, 32**2),
    "medium": (32**2, 96**2),
    "large": (96**2, 1e10),
}
KINDS = ("box", "mask")
# The twelve numbers, in COCO's order
NUMBERS = (
    *("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"),
    *("ar1", "ar10", "ar", "ar_small", "ar_medium", "ar_large"),
)


def average_precision(
    truth: Sequence[dict[str, Any]],
    detections: Sequence[dict[str, Any]],
    category_ids: Sequence[int],
    *,
    max_detections: int = MOST,
) -> dict[str, dict[str, Any]]:
    """Average precision and recall of objects, as COCO's server scores them.

    At each IoU of 0.50, 0.55, ..., 0.95, the detections of a class are matched to its objects in
    falling order of their scores; precision is averaged over 101 levels of recall. Objects, and
    detections without a match, are left out of an area's score where theirs is another: below 32^2
    pixels, to 96^2, or above. A crowd counts neither for nor against, and takes in any number of
    detections.

    Args:
        truth: List of COCO annotations, dicts with `"image_id"`, `"category_id"`, `"bbox"`,
            `"area"`, `"iscrowd"` and `"segmentation"`, a dict of runs.
        detections: List of COCO results, dicts with `"image_id"`, `"category_id"`, `"score"`,
            `"bbox"` and `"segmentation"`. A box' area is its own, a mask's the number of pixels.
        category_ids: Category id of each class.
        max_detections: How many detections of a photo and class count, the best ones. Defaults to
            100, as in COCO.

    Returns:
        dict of `"box"` and `"mask"`, each a dict of floats 0..1: `"ap"`, `"ap50"`, `"ap75"`,
        `"ap_small"`, `"ap_medium"`, `"ap_large"`; recall, averaged over the IoUs, where one
        detection of a photo and class counts, ten, or `max_detections`: `"ar1"`, `"ar10"`, `"ar"`,
        and of the latter `"ar_small"`, `"ar_medium"`, `"ar_large"`; and `"classes"`, `"ap"` of each
        class, float64 `(C,)`. NaN where there is no object to find.

    Raises:
        ImportError: pycocotools is not installed.
        ValueError: `max_detections` is no integer >= 1.

    Example:

    >>> runs = {"size": [10, 10], "counts": "0d3"}  # a mask of the whole photo
    >>> place = {"image_id": 7, "category_id": 1, "bbox": [0, 0, 10, 10], "segmentation": runs}
    >>> truth, detection = {**place, "area": 100, "iscrowd": 0}, {**place, "score": 0.9}
    >>> scores = average_precision([truth], [detection], [1])
    >>> round(scores["mask"]["ap50"], 6), round(scores["mask"]["ar1"], 6)
    (1.0, 1.0)

    Source: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014, and `cocoeval.py`
    of pycocotools.
    """
    images = collections.defaultdict(lambda: ([], []))
    for position, listed in enumerate((truth, detections)):
        for each in listed:
            images[each["image_id"]][position].append(each)
    counted = AveragePrecision(category_ids, max_detections=max_detections)
    for image_id, (known, found) in images.items():
        counted.update(image_id, known, found)
    return counted.result()


class AveragePrecision:
    """As `average_precision`, image after image.

    Args:
        category_ids: Category id of each class.
        max_detections: How many detections of a photo and class count. Defaults to 100.

    Example:

    >>> runs = {"size": [10, 10], "counts": "0d3"}
    >>> place = {"image_id": 7, "category_id": 1, "bbox": [0, 0, 10, 10], "segmentation": runs}
    >>> precision = AveragePrecision([1])
    >>> precision.update(7, [{**place, "area": 100, "iscrowd": 0}], [{**place, "score": 0.9}])
    >>> round(precision.result()["box"]["ap75"], 6)
    1.0
    """

    def __init__(self, category_ids: Sequence[int], *, max_detections: int = MOST) -> None:
        self.class_of = {int(category): i for i, category in enumerate(category_ids)}
        self.max_detections = integer("max_detections", max_detections)
        self.ids: list[Any] = []  # of the images
        self.objects: list[np.ndarray] = []  # to be found in each, int32 (A, C)
        self.found: dict[str, list] = {kind: [] for kind in KINDS}  # `Found` of each image
        self.many: tuple | None = None  # where there are more objects than count
        self._sorted: dict[str, list] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def update(
        self, image_id: Any, truth: Sequence[dict[str, Any]], detections: Sequence[dict[str, Any]]
    ) -> None:
        """Adds an image: its annotations and the results of it, as of `average_precision`."""
        pycocotools_mask()
        self._sorted = {}
        self.ids.append(image_id)
        objects = np.zeros((len(AREAS), len(self.class_of)), np.int32)
        found = {kind: [] for kind in KINDS}
        for category, class_id in self.class_of.items():
            known = [each for each in truth if each["category_id"] == category]
            best = [each for each in detections if each["category_id"] == category]
            if not known and not best:
                continue
            scores = np.array([each["score"] for each in best])
            order = np.argsort(-scores, kind="stable")[: self.max_detections]
            best, scores = [best[i] for i in order], scores[order]
            crowd = np.array([bool(each["iscrowd"]) for each in known], bool)
            left_out = crowd | ~_within([each["area"] for each in known])  # (A, G)
            objects[:, class_id] = (~left_out).sum(1)
            self._look_for_many(image_id, category, int((~crowd).sum()))
            for kind in KINDS:
                bits = _matched(kind, best, known, crowd, left_out)
                found[kind].append((np.full(len(best), class_id), scores, *bits))
        self.objects.append(objects)
        for kind in KINDS:
            columns = [np.concatenate(each) for each in zip(*found[kind])] if found[kind] else []
            self.found[kind].append(columns)

    def _look_for_many(self, image_id, category, count):
        if count > max(self.max_detections, self.many[-1] if self.many else 0):
            self.many = image_id, category, count

    def result(self) -> dict[str, dict[str, Any]]:
        """The numbers of all images, as of `average_precision`.

        Where not even perfect detections could have a recall of 1, a warning says so.
        """
        if self.many:
            image_id, category, count = self.many
            warnings.warn(
                f"image {image_id!r} has {count} objects of category {category!r}, and "
                f"{self.max_detections} detections of a photo and class count: the others are "
                f"scored as missed. Count more of them: max_detections={count}.",
                stacklevel=2,
            )
        weights = np.ones(len(self))
        return {kind: self._numbers(kind, weights) for kind in KINDS}

    def precision(self, weights: np.ndarray, kind: str) -> dict[str, float]:
        """AP, and that at an IoU of 0.5 and of 0.75, of images that count so often, `(N,)`."""
        precision, _ = self._curves(kind, weights, areas=("all",))
        return _averages(precision[0])

    def of_image(self, row: int) -> dict[str, float]:
        """`"box_ap"` and `"mask_ap"` of one image alone: row is its place in the updates."""
        alone = AveragePrecision(list(self.class_of), max_detections=self.max_detections)
        alone.ids, alone.objects = [self.ids[row]], [self.objects[row]]
        alone.found = {kind: [images[row]] for kind, images in self.found.items()}
        return {f"{kind}_ap": alone.precision(np.ones(1), kind)["ap"] for kind in KINDS}

    def joined(self, other: AveragePrecision) -> AveragePrecision:
        """One of the images of both, this one's first."""
        both = AveragePrecision(list(self.class_of), max_detections=self.max_detections)
        both.ids, both.objects = self.ids + other.ids, self.objects + other.objects
        both.found = {kind: self.found[kind] + other.found[kind] for kind in KINDS}
        return both

    def _numbers(self, kind, weights):
        precision, recall = self._curves(kind, weights)
        numbers = _averages(precision[0])
        numbers |= {f"ap_{area}": _mean(precision[i]) for i, area in enumerate(AREAS) if i}
        for name, most in (("ar1", 1), ("ar10", 10)):
            numbers[name] = _mean(self._curves(kind, weights, ("all",), most)[1][0])
        numbers["ar"] = _mean(recall[0])
        numbers |= {f"ar_{area}": _mean(recall[i]) for i, area in enumerate(AREAS) if i}
        numbers["classes"] = np.array([_mean(each) for each in precision[0]])
        return numbers

    def _curves(self, kind, weights, areas=tuple(AREAS), most=None):
        """Precision, averaged over recall, and the last recall: `(A, C, T)`; NaN without objects.

        Args:
            kind: `"box"` or `"mask"`.
            weights: How often each image counts, `(N,)`.
            areas: Names of them.
            most: Detections of a photo and class that count; None for `max_detections`.
        """
        rows = [list(AREAS).index(area) for area in areas]
        objects = np.array(self.objects, "float64").reshape(-1, len(AREAS), len(self.class_of))
        wanted = np.tensordot(weights, objects[:, rows], 1)  # (A, C)
        shape = (*wanted.shape, len(IOUS))
        precision, recall = np.full(shape, np.nan), np.full(shape, np.nan)
        for class_id, (image, rank, hits, misses) in enumerate(self._by_class(kind)):
            counts = weights[image] * (rank < (most or self.max_detections))
            for i, row in enumerate(rows):
                if wanted[i, class_id] > 0:
                    both = (np.cumsum(each[row] * counts, axis=1) for each in (hits, misses))
                    place = (i, class_id)
                    precision[place], recall[place] = _areas_under(*both, wanted[place])
        return precision, recall

    def _by_class(self, kind):
        """Of each class its detections in falling order of score, kept until the next update.

        Each is a tuple of the image's place, the rank in the image, and which are right and which
        wrong, bool `(A, T, D)`. Among equal scores the lower image id comes first, as in
        pycocotools.
        """
        if kind in self._sorted:
            return self._sorted[kind]
        rows = [row for row in self._image_order() if self.found[kind][row]]
        shape = (0, len(AREAS), len(IOUS))
        empty = np.zeros(0, int), np.zeros(0), np.zeros(0, int), *[np.zeros(shape, bool)] * 2
        columns = [self.found[kind][row] for row in rows]
        image = np.repeat(rows, [len(each[0]) for each in columns]).astype(int)
        classes, scores, rank, hits, misses = (
            [np.concatenate(each) for each in zip(*columns)] if columns else empty
        )
        order = np.argsort(-scores, kind="stable")
        by_class = []
        for class_id in range(len(self.class_of)):
            own = order[classes[order] == class_id]
            both = (np.moveaxis(each[own], 0, -1) for each in (hits, misses))
            by_class.append((image[own], rank[own], *both))
        self._sorted[kind] = by_class
        return by_class

    def _image_order(self):
        try:
            return sorted(range(len(self.ids)), key=lambda row: self.ids[row])
        except TypeError:  # ids of several kinds
            return range(len(self.ids))


def _within(areas):
    """Whether each area is within each range: bool `(A, n)`."""
    areas = np.array(areas, "float64")
    return np.array([(areas >= low) & (areas <= high) for low, high in AREAS.values()])


def _matched(kind, detections, truth, crowd, left_out):
    """Detections of one image and class, best first, matched to its objects.

    Args:
        kind: `"box"` or `"mask"`.
        detections, truth: Dicts, D and G.
        crowd: bool `(G,)`.
        left_out: bool `(A, G)`, objects that count neither for nor against.

    Returns:
        Rank `(D,)`, and which are right and which wrong: bool `(D, A, T)`.
    """
    api = pycocotools_mask()
    shape = (len(detections), len(AREAS), len(IOUS))
    match, excused = np.zeros(shape, bool), np.zeros(shape, bool)
    key = {"box": "bbox", "mask": "segmentation"}[kind]
    if detections and truth:
        flags = crowd.astype(int).tolist()
        iou = api.iou([d[key] for d in detections], [t[key] for t in truth], flags)
        taken = np.zeros((len(AREAS), len(IOUS), len(truth)), bool)
        for position, row in enumerate(iou):
            near = np.flatnonzero(row >= IOUS[0])
            if len(near):
                match[position], excused[position] = _match(row, near, taken, crowd, left_out)
    if kind == "box":
        area = [each["bbox"][2] * each["bbox"][3] for each in detections]
    else:  # one at a time: of more than 255 masks, pycocotools 2.0.11 cannot tell the areas
        area = [int(api.area([each["segmentation"]])[0]) for each in detections]
    excused |= ~match & ~_within(area).T[..., None]
    return np.arange(len(detections)), match & ~excused, ~match & ~excused


def _match(iou, near, taken, crowd, left_out):
    """The objects that one detection takes, at each area and IoU, which `taken` then holds.

    Of those that are free and overlap enough the one of largest IoU, of equal ones the last; one
    that is left out only where there is no other. A crowd stays free.

    Args:
        iou: With each object, `(G,)`.
        near: Positions of those that it overlaps at all.
        taken: bool `(A, T, G)`.
        crowd, left_out: As of `_matched`.

    Returns:
        Whether there is a match, and whether that is one left out: bool `(A, T)`.
    """
    open_ = (iou[near] >= IOUS[:, None]) & ~(taken[..., near] & ~crowd[near])  # (A, T, n)
    out = left_out[:, None, near]
    matches = []
    for able in (open_ & ~out, open_ & out):
        values = np.where(able, iou[near], -1.0)[..., ::-1]
        matches.append((able.any(-1), near[len(near) - 1 - values.argmax(-1)]))
    (real, first), (other, second) = matches
    found, excused = real | other, ~real & other
    area, level = np.nonzero(found)
    chosen = np.where(real, first, second)
    taken[area, level, chosen[area, level]] = True
    return found, excused


def _areas_under(hits, misses, objects):
    """Mean precision over the levels of recall, and the last recall: `(T,)` each.

    Args:
        hits, misses: Cumulated, `(T, D)`.
        objects: How many there are to be found.
    """
    if not hits.shape[1]:
        return np.zeros(len(hits)), np.zeros(len(hits))
    recall = hits / objects
    precision = hits / (hits + misses + np.spacing(1))
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    envelope = np.pad(envelope, ((0, 0), (0, 1)))  # beyond the last recall
    places = [np.searchsorted(each, LEVELS, side="left") for each in recall]
    return np.take_along_axis(envelope, np.array(places), 1).mean(1), recall[:, -1]


def _averages(precision):
    """AP over all IoUs, at 0.5 and at 0.75: of `(C, T)`."""
    return {
        "ap": _mean(precision),
        "ap50": _mean(precision[:, 0]),
        "ap75": _mean(precision[:, 5]),
    }


def _mean(values):
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")
