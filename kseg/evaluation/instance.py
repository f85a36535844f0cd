"""Objects against their truth: COCO's average precision, panoptic quality, and nuclei AP."""

import contextlib
import json
import sys
from pathlib import Path

import numpy as np

from kseg.base.arguments import integer, refused, share
from kseg.base.atomic import replacing
from kseg.base.optional import pycocotools_mask
from kseg.data.coco_format.results import of_sample
from kseg.data.coco_format.results import results as results_of
from kseg.evaluation.batches import samples_for
from kseg.evaluation.table import Table, most_confused
from kseg.metrics.average_precision import KINDS, MOST, NUMBERS
from kseg.prediction.instance import detect, seen
from kseg.prediction.predictor import ExportPredictor

SURE = 0.5  # score from which on a detection has a place in the map of objects
VISIBLE = 0.5  # share of it that those of a higher score must leave; both as panopticapi has them
OPTIONS = {
    "tta": None,
    "detections": None,
    "overlap": None,
    "min_score": SURE,
    "max_detections": None,
    "results": None,
}
BATCH_SIZE = 2
SCORE_NAME = "mask AP"
NUCLEI = ("nuclei_ap", "nuclei_ap50", "nuclei_ap75", "nuclei_ap_pooled")
# Key of a class' score -> heading; the key is its mean too.
COLUMNS = {
    "box_ap": "box AP",
    "mask_ap": "mask AP",
    "pq": "PQ",
    "sq": "SQ",
    "rq": "RQ",
    "nuclei_ap": "nuclei AP",
}


def evaluate(
    model,
    source,
    *,
    batch_size,
    progress,
    tta,
    detections,
    overlap,
    min_score,
    max_detections,
    results,
):
    """`kseg.evaluate` of a model that finds objects; see there."""
    from kseg.evaluation.objects import ObjectTally
    from kseg.metrics import AveragePrecision

    pycocotools_mask()  # says at once that it is missing
    share("min_score", min_score)
    image_ids = source.image_ids or range(1, sys.maxsize)
    category_ids = source.category_ids or range(1, source.num_classes + 1)
    most = most_of(model, detections, max_detections)
    tally = ObjectTally(source.class_names, AveragePrecision(category_ids, max_detections=most))
    tally.more["max_detections"] = most
    if told := getattr(model, "told", {}).get("min_score"):
        tally.more["min_score"] = told
    photos = _photos(samples_for(model, source), image_ids, category_ids, source.annotated)
    found = _detected(model, photos, batch_size, tta, detections, overlap)
    with _results_file(results, image_ids, category_ids) as write:
        for (i, size, known, classes), instances in found:
            listed = write(i, instances)
            maps = _overlaps(size, known, classes, instances, min_score)
            tally.add(i, image_ids[i], known, listed, maps)
            if progress:
                progress(len(tally))
    return tally


def rules(model, source, chosen):
    """What scores depend on beside the model and the data: for the protocol."""
    own = getattr(model, "settings", None)
    resize, told = getattr(model, "resize", None), getattr(model, "told", {})
    size = "each photo at its own"
    if isinstance(model, ExportPredictor):
        size = "as the export says"
    elif resize is not None:
        size = f"shortest side {resize[0]}, longest at most {resize[1]}"
    found = {
        name: getattr(own, name, None) if chosen[name] is None else chosen[name]
        for name in ("detections", "overlap")
    }
    return {
        "size": size,
        **{name: value for name, value in found.items() if value is not None},
        **({"min_score of the export": told["min_score"]} if told.get("min_score") else {}),
        "max_detections": most_of(model, chosen["detections"], chosen["max_detections"]),
        "true boxes and areas": "the masks'"
        if source.annotated is None
        else "the annotation file's",
        "map of objects": f"scores from {chosen['min_score']}, visible by {VISIBLE} at least",
        "IoU": "0.50:0.05:0.95",
    }


def most_of(model, detections, max_detections):
    """How many detections of a photo and class count: COCO's 100, or what the model may give."""
    if max_detections is not None:
        return integer("max_detections", max_detections)
    own = getattr(getattr(model, "settings", None), "detections", MOST)
    return max(MOST, own if detections is None else integer("detections", detections))


def _photos(samples, image_ids, category_ids, annotated=None):
    """Yields, of each sample, what is kept while its photo waits for others, and the photo.

    Whole masks are not: they become runs, and are read one by one.
    """
    for index, sample in enumerate(samples):
        image, known = sample["image"], of_sample(sample, image_ids[index], category_ids)
        classes = sample["classes"]
        del sample
        if annotated is not None:
            known = as_annotated(known, annotated(index))
        yield (index, image.shape[:2], known, classes), image


def as_annotated(known, stated):
    """Annotations with the boxes and areas that the file itself gives, where it gives any.

    Args:
        known: List of COCO annotations, of masks.
        stated: float64 `(N, 5)` of the same objects: x, y, width, height and area, NaN where the
            file says none.
    """
    if len(stated) != len(known):
        raise refused(
            "source",
            f"{len(known)} objects of a sample",
            f"{len(stated)}, as Source.annotated says",
            "Leave annotated=None where decode leaves objects out.",
        )
    changed = []
    for each, (*box, area) in zip(known, np.asarray(stated, "float64").tolist()):
        own = {"bbox": box} if not np.isnan(box).any() else {}
        changed.append({**each, **own, **({} if np.isnan(area) else {"area": area})})
    return changed


def _detected(model, photos, batch_size, tta, detections, overlap):
    """What `detect` yields, with masks as runs; of an export, what that gives."""
    if not isinstance(model, ExportPredictor):
        options = {"detections": detections, "overlap": overlap}
        if tta is not None:
            return ((key, seen(model, photo, tta, masks="rle", **options)) for key, photo in photos)
        return detect(model, photos, masks="rle", batch_size=batch_size, **options)
    for name, value in (("tta", tta), ("detections", detections), ("overlap", overlap)):
        if value is not None:
            remedy = "Export the model anew with it, or score the model itself."
            raise refused(name, value, "None for an export, which has its own", remedy)
    return model.detect(photos)


def _overlaps(size, known, classes, instances, min_score):
    """The `Overlaps` of a photo, with overlaps of both sides resolved.

    Args:
        size: `(height, width)` of the photo.
        known: Its true objects, as COCO's annotations.
        classes: Of those, `(N,)`.
        instances: What was found, with masks as runs.
        min_score: From which on a detection has a place in the map.
    """
    from kseg.metrics.overlaps import flattened, overlaps

    decode = pycocotools_mask().decode
    crowd = np.array([each["iscrowd"] for each in known], bool)
    pixels = [int(pycocotools_mask().area([each["segmentation"]])[0]) for each in known]
    order = np.lexsort((pixels, crowd))  # the small on top, as in kseg.data.coco's maps
    sure = int(np.count_nonzero(instances.scores >= min_score))
    return overlaps(
        flattened((decode(known[i]["segmentation"]) for i in order), size),
        classes[order],
        flattened(map(decode, instances.masks[:sure]), size, min_visible=VISIBLE),
        instances.classes[:sure],
        crowd=crowd[order],
    )


@contextlib.contextmanager
def _results_file(path, image_ids, category_ids):
    """A function of a photo's position and objects that gives COCO's results, and writes them.

    They are in the file in the order of the source: what comes before its turn waits.

    Args:
        path: Of the file, which appears whole or not at all; None for none.
        image_ids, category_ids: As of `results`.
    """
    if path is None:
        yield lambda position, instances: results_of(instances, image_ids[position], category_ids)
        return
    path = Path(path).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting, written = {}, [0, 0]  # photos and results

    with replacing(path) as temporary, temporary.open("w") as stream:

        def write(position, instances):
            listed = results_of(instances, image_ids[position], category_ids)
            waiting[position] = listed
            while written[0] in waiting:
                for each in waiting.pop(written[0]):
                    stream.write(("[" if not written[1] else ", ") + json.dumps(each))
                    written[1] += 1
                written[0] += 1
            return listed

        yield write
        stream.write("]" if written[1] else "[]")


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
    return [by_class, _numbers(scores)]


def _numbers(scores):
    """COCO's twelve numbers and the nuclei field's, of boxes and of masks."""
    sizes = ("small", "medium", "large")
    recalls = ("AR@1", "AR@10", f"AR@{scores['max_detections']}")
    names = ("AP", "AP50", "AP75", *(f"AP {size}" for size in sizes))
    names += (*recalls, *(f"AR {size}" for size in sizes))
    rows = [
        (name, *(f"{scores[f'{kind}_{key}']:.3f}" for kind in KINDS))
        for name, key in zip(names, NUMBERS)
    ]
    nuclei = ("nuclei AP", "nuclei AP50", "nuclei AP75", "nuclei AP, counts pooled")
    rows += [(name, "", f"{scores[key]:.3f}") for name, key in zip(nuclei, NUCLEI)]
    return Table(("", *KINDS), rows)


def notes(scores):
    """What is to be said beside the tables, line by line."""
    confused = most_confused(scores, "objects")
    lines = [confused] if confused else []
    if "min_score" in scores:
        lines.append(
            f"The export leaves out objects of a score below {scores['min_score']}, as the model "
            "does not: its AP is of those that are left. Export with min_score=0.0 for that of all."
        )
    return lines
