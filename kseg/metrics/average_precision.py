"""COCO's average precision of boxes and masks, by pycocotools."""

from __future__ import annotations

import collections
import contextlib
import io
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from kseg.base.optional import pycocotools_mask

MOST = 100  # detections of a photo and class that count, by COCO's rule
AREAS = ("all", "small", "medium", "large")  # in pycocotools' order


def average_precision(
    truth: Sequence[dict[str, Any]],
    detections: Sequence[dict[str, Any]],
    category_ids: Sequence[int],
) -> dict[str, dict[str, Any]]:
    """Average precision of objects, as COCO's server scores it.

    At each IoU of 0.50, 0.55, ..., 0.95, the detections of a class are matched to its objects in
    falling order of their scores; precision is averaged over 101 levels of recall. At most 100
    detections of a photo and class count. Objects, and detections without a match, are left out
    of an area's score where theirs is another: below 32^2 pixels, to 96^2, or above. A crowd counts
    neither for nor against, and takes in any number of detections.

    Args:
        truth: List of COCO annotations, dicts with `"image_id"`, `"category_id"`, `"bbox"`,
            `"area"`, `"iscrowd"` and `"segmentation"`, a dict of runs.
        detections: List of COCO results, dicts with `"image_id"`, `"category_id"`, `"score"`,
            `"bbox"` and `"segmentation"`. A box' area is its own, a mask's the number of pixels.
        category_ids: Category id of each class.

    Returns:
        dict of `"box"` and `"mask"`, each a dict of floats 0..1: `"ap"`, `"ap50"`, `"ap75"`,
        `"ap_small"`, `"ap_medium"`, `"ap_large"`; and `"classes"`, `"ap"` of each class, float64
        `(C,)`. NaN where there is no object to find.

    Raises:
        ImportError: pycocotools is not installed.

    Example:

    >>> runs = {"size": [10, 10], "counts": "0d3"}  # a mask of the whole photo
    >>> place = {"image_id": 7, "category_id": 1, "bbox": [0, 0, 10, 10], "segmentation": runs}
    >>> truth, detection = {**place, "area": 100, "iscrowd": 0}, {**place, "score": 0.9}
    >>> scores = average_precision([truth], [detection], [1])
    >>> round(scores["mask"]["ap50"], 6)
    1.0

    Source: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014, and `cocoeval.py`
    of pycocotools.
    """
    mask_api = pycocotools_mask()
    _warn_of_many(truth)
    truth = [{**each, "id": number} for number, each in enumerate(truth, 1)]  # 0 is "no match"
    scores = {}
    for name, kind in (("box", "bbox"), ("mask", "segm")):
        results = []
        for number, each in enumerate(detections, 1):
            # one at a time: of more than 255 masks, pycocotools 2.0.11 cannot tell the areas
            area = (
                each["bbox"][2] * each["bbox"][3]
                if name == "box"
                else int(mask_api.area([each["segmentation"]])[0])
            )
            results.append({**each, "id": number, "iscrowd": 0, "area": area})
        scores[name] = _summary(_precision(truth, results, category_ids, kind))
    return scores


def _warn_of_many(truth):
    """Says so where not even perfect detections could have an average precision of 1."""
    places = ((each["image_id"], each["category_id"]) for each in truth if not each["iscrowd"])
    (place, count), *_ = collections.Counter(places).most_common(1) or [(None, 0)]
    if count > MOST:
        warnings.warn(
            f"image {place[0]!r} has {count} objects of category {place[1]!r}, and by COCO's rule "
            f"{MOST} detections of a photo and class count: the others are scored as missed.",
            stacklevel=3,
        )


def _precision(truth, detections, category_ids, kind):
    """-> `(T, R, C, A)`: IoUs, levels of recall, classes, areas; -1 where there is no object."""
    from pycocotools.cocoeval import COCOeval

    images = {}
    for each in [*truth, *detections]:
        height, width = each["segmentation"]["size"]
        images[each["image_id"]] = {"id": each["image_id"], "height": height, "width": width}
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        evaluator = COCOeval(
            *(_coco(images, category_ids, list(map(dict, each))) for each in (truth, detections)),
            kind,
        )
        evaluator.evaluate()
        evaluator.accumulate()
    return evaluator.eval["precision"][..., -1]


def _coco(images, category_ids, annotations):
    from pycocotools.coco import COCO

    coco = COCO()
    coco.dataset = {
        "images": list(images.values()),
        "categories": [{"id": int(category)} for category in category_ids],
        "annotations": annotations,
    }
    coco.createIndex()
    return coco


def _summary(precision):
    def mean(values):
        defined = values[values > -1]
        return float(defined.mean()) if defined.size else float("nan")

    return {
        "ap": mean(precision[..., 0]),
        "ap50": mean(precision[0, ..., 0]),
        "ap75": mean(precision[5, ..., 0]),
        **{f"ap_{area}": mean(precision[..., i]) for i, area in enumerate(AREAS) if i},
        "classes": np.array([mean(each) for each in precision[..., 0].transpose(2, 0, 1)]),
    }
