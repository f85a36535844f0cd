"""Objects against their truth: COCO's average precision, and panoptic quality."""

import json
import sys
from pathlib import Path

import numpy as np

from kseg.base.atomic import replacing
from kseg.base.optional import pycocotools_mask
from kseg.data.coco_format.results import of_sample, results
from kseg.evaluation.batches import samples_for
from kseg.evaluation.table import Table
from kseg.prediction.instance import detect
from kseg.prediction.predictor import ExportPredictor

OPTIONS = {"detections": None}
BATCH_SIZE = 2
SCORE_NAME = "mask AP"
SURE = 0.5  # score from which on a detection has a place in the panoptic map
VISIBLE = 0.5  # share of it that those of a higher score must leave; both as panopticapi has them
AP = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")
PQ = ("pq", "sq", "rq")
# Key of a class' score -> heading; the key is its mean too.
COLUMNS = {"box_ap": "box AP", "mask_ap": "mask AP", "pq": "PQ", "sq": "SQ", "rq": "RQ"}


def evaluate(model, source, *, batch_size, progress, detections):
    """`kseg.evaluate` of a model that finds objects; see there."""
    from kseg.metrics import PanopticQuality, average_precision

    pycocotools_mask()  # says at once that it is missing
    image_ids = source.image_ids or range(1, sys.maxsize)
    category_ids = source.category_ids or range(1, source.num_classes + 1)
    quality = PanopticQuality(source.num_classes)
    truth, listed = {}, {}  # by position: batches of one size come out of order
    objects, crowds = np.zeros(source.num_classes, np.int64), 0
    photos = _photos(samples_for(model, source), image_ids, category_ids)
    for (i, size, known, classes), instances in _detected(model, photos, batch_size):
        truth[i] = known
        listed[i] = results(instances, image_ids[i], category_ids)
        crowd = np.array([each["iscrowd"] for each in known], bool)
        _update(quality, size, known, classes, crowd, instances)
        np.add.at(objects, classes[~crowd], 1)
        crowds += int(crowd.sum())
        if progress:
            progress(len(listed))

    images = len(listed)
    truth, listed = ([each for i in range(images) for each in of[i]] for of in (truth, listed))
    if detections is not None:
        _write(listed, Path(detections))
    precision = average_precision(truth, listed, category_ids)
    counts = {"images": images, "objects": int(objects.sum()), "crowds": crowds}
    counts["detections"] = len(listed)
    if told := getattr(model, "told", {}).get("min_score"):
        counts["min_score"] = told
    return {**counts, **_report(source, precision, quality.result(), objects)}


def _photos(samples, image_ids, category_ids):
    """Yields, of each sample, what is kept while its photo waits for others, and the photo.

    Whole masks are not: they become runs, and are read one by one.
    """
    for index, sample in enumerate(samples):
        image, known = sample["image"], of_sample(sample, image_ids[index], category_ids)
        classes = sample["classes"]
        del sample
        yield (index, image.shape[:2], known, classes), image


def _detected(model, photos, batch_size):
    """What `detect` yields, with masks as runs; of an export, what that gives."""
    if isinstance(model, ExportPredictor):
        return model.detect(photos)
    return detect(model, photos, masks="rle", batch_size=batch_size)


def _report(source, precision, panoptic, objects):
    """The scores over all classes and by class."""
    per_class = {
        "box_ap": precision["box"]["classes"],
        "mask_ap": precision["mask"]["classes"],
        **{name: panoptic[name] for name in PQ},
        "objects": objects,
    }
    return {
        **{f"{kind}_{name}": precision[kind][name] for kind in ("box", "mask") for name in AP},
        **{name: _mean(panoptic[name]) for name in PQ},
        "classes": {
            class_name: {name: values[i].item() for name, values in per_class.items()}
            for i, class_name in enumerate(source.class_names)
        },
    }


def _update(quality, size, known, classes, crowd, instances):
    """Adds a photo to the panoptic quality, with overlaps of both sides resolved.

    Args:
        quality: `PanopticQuality`.
        size: `(height, width)` of the photo.
        known: Its true objects, as COCO's annotations.
        classes, crowd: Of those, `(N,)`.
        instances: What was found, with masks as runs.
    """
    from kseg.metrics.panoptic import flattened

    decode = pycocotools_mask().decode
    area = [each["area"] for each in known]
    order = np.lexsort((area, crowd))  # the small on top, as in kseg.data.coco's maps
    sure = int(np.count_nonzero(instances.scores >= SURE))
    quality.update(
        flattened((decode(known[i]["segmentation"]) for i in order), size),
        classes[order],
        flattened(map(decode, instances.masks[:sure]), size, min_visible=VISIBLE),
        instances.classes[:sure],
        crowd=crowd[order],
    )


def _write(listed, path):
    path = path.expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(listed))


def _mean(values):
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def tables(source, scores):
    """The scores as a list of `Table`: of classes, and of overlaps and areas."""
    rows = [
        (name, *(f"{row[key]:.3f}" for key in COLUMNS), f"{row['objects']:,}")
        for name, row in scores["classes"].items()
    ]
    means = (f"{scores[key]:.3f}" for key in COLUMNS)
    title = (
        f"{source.name}: {scores['images']} images, {scores['objects']:,} objects, "
        f"{scores['detections']:,} detections"
    )
    by_class = Table(
        ("class", *COLUMNS.values(), "objects"),
        rows,
        ("mean", *means, f"{scores['objects']:,}"),
        title,
    )
    by_area = Table(
        ("", "AP", "AP50", "AP75", "small", "medium", "large"),
        [(kind, *(f"{scores[f'{kind}_{key}']:.3f}" for key in AP)) for kind in ("box", "mask")],
    )
    return [by_class, by_area]


def notes(scores):
    """What is to be said beside the tables, line by line."""
    if "min_score" not in scores:
        return []
    return [
        f"The export leaves out objects of a score below {scores['min_score']}, as the model does "
        "not: its AP is of those that are left. Export with min_score=0.0 for that of all."
    ]
