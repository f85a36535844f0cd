"""Objects and their masks as entries of COCO's JSON files: annotations, and results."""

import math

import numpy as np

from kseg.base.optional import pycocotools_mask


def of_mask(mask):
    """A mask `(H, W)`, zero outside, as COCO's JSON files have it: `{"size", "counts"}`."""
    rle = pycocotools_mask().encode(np.asfortranarray(np.asarray(mask) != 0, np.uint8))
    return {"size": list(map(int, rle["size"])), "counts": rle["counts"].decode("ascii")}


def of_box(box):
    """x1, y1, x2, y2 -> COCO's `[x, y, width, height]`."""
    x1, y1, x2, y2 = map(float, box)
    return [x1, y1, x2 - x1, y2 - y1]


def of_sample(sample, image_id, categories, stated=None):
    """The objects of an instance sample as COCO's annotations, but for their ids.

    Args:
        sample: Dict of arrays, as `Source` has it.
        image_id: The photo's.
        categories: The category id of each class.
        stated: Box and area of each object, as of `Source.annotated`; None, or NaN, for its mask's.
    """
    annotations = [
        {
            "image_id": image_id,
            "category_id": int(categories[class_id]),
            "iscrowd": int(crowd),
            "bbox": of_box(box),
            "area": int(np.count_nonzero(mask)),
            "segmentation": of_mask(mask),
        }
        for mask, class_id, box, crowd in zip(
            *(sample[key] for key in ("masks", "classes", "boxes", "crowd"))
        )
    ]
    for annotation, (*box, area) in zip(annotations, () if stated is None else stated.tolist()):
        if all(map(math.isfinite, box)):
            annotation["bbox"] = box
        if math.isfinite(area):
            annotation["area"] = area
    return annotations


def results(objects, image_id, category_ids):
    """The objects found in a photo in the format of COCO's result files.

    Args:
        objects: `kseg.prediction.results.Instances` with masks as runs.
        image_id: The photo's.
        category_ids: The category id of each class.

    Returns:
        List of dicts of `"image_id"`, `"category_id"`, `"bbox"` (`[x, y, width, height]`),
        `"score"` and `"segmentation"` (`{"size", "counts"}`).
    """
    return [
        {
            "image_id": image_id,
            "category_id": int(category_ids[class_id]),
            "bbox": of_box(box),
            "score": float(score),
            "segmentation": runs,
        }
        for class_id, box, score, runs in zip(
            objects.classes, objects.boxes, objects.scores, objects.masks
        )
    ]
