"""Instance model + Source -> average precision and panoptic quality."""

import json
from pathlib import Path

import numpy as np

from kseg.data.coco_format.results import results

SURE = 0.5  # score from which on a detection has a place in the panoptic map


VISIBLE = 0.5  # share of it that those of a higher score must leave; both as panopticapi has them


AP = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")


PQ = ("pq", "sq", "rq")


def evaluate_instances(model, source, *, batch_size=2, progress=None, detections=None):
    """`kseg.evaluate` of an instance model; see there."""
    from kseg.base.optional import pycocotools_mask
    from kseg.data.bad_files import naming_bad_files
    from kseg.data.coco_format.results import of_sample
    from kseg.data.sample import samples
    from kseg.metrics import PanopticQuality, average_precision
    from kseg.prediction.instance import detect

    pycocotools_mask()  # says at once that it is missing
    _check(model, source)
    image_ids = source.image_ids or range(1, len(source) + 1)
    category_ids = source.category_ids or range(1, source.num_classes + 1)
    quality = PanopticQuality(source.num_classes)
    truth, listed = {}, {}  # by position: batches of one size come out of order
    objects, crowds = np.zeros(source.num_classes, np.int64), 0
    photos = (((i, sample), sample["image"]) for i, sample in enumerate(samples(source)))
    with naming_bad_files(source):
        for (i, sample), found in detect(model, photos, masks="rle", batch_size=batch_size):
            truth[i] = of_sample(sample, image_ids[i], category_ids)
            listed[i] = results(found, image_ids[i], category_ids)
            _update(quality, sample, found)
            np.add.at(objects, sample["classes"][~sample["crowd"]], 1)
            crowds += int(sample["crowd"].sum())
            if progress:
                progress(len(listed))

    truth, listed = ([each for i in range(len(source)) for each in of[i]] for of in (truth, listed))
    if detections is not None:
        _write(listed, Path(detections))
    precision = average_precision(truth, listed, category_ids)
    panoptic = quality.result()
    per_class = {
        "box_ap": precision["box"]["classes"],
        "mask_ap": precision["mask"]["classes"],
        **{name: panoptic[name] for name in PQ},
        "objects": objects,
    }
    return {
        "images": len(source),
        "objects": int(objects.sum()),
        "crowds": crowds,
        "detections": len(listed),
        **{f"{kind}_{name}": precision[kind][name] for kind in ("box", "mask") for name in AP},
        **{name: _mean(panoptic[name]) for name in PQ},
        "classes": {
            class_name: {name: values[i].item() for name, values in per_class.items()}
            for i, class_name in enumerate(source.class_names)
        },
    }


def _check(model, source):
    if source.task != "instance":
        raise ValueError(
            f"source={source.name!r} has {source.task} labels, but the model finds objects: open "
            "the source with instances=True."
        )
    if model.num_classes != source.num_classes:
        raise ValueError(
            f"The model has {model.num_classes} classes but {source.name!r} has "
            f"{source.num_classes}. Build the model with num_classes={source.num_classes}, or use "
            "the data it was trained on."
        )


def _update(quality, sample, found):
    """Adds a photo to the panoptic quality, with overlaps of both sides resolved."""
    from kseg.base.optional import pycocotools_mask
    from kseg.metrics.panoptic import flattened

    size, decode = sample["image"].shape[:2], pycocotools_mask().decode
    area = np.count_nonzero(sample["masks"], axis=(1, 2))
    order = np.lexsort((area, sample["crowd"]))  # the small on top, as in kseg.data.coco's maps
    sure = int(np.count_nonzero(found.scores >= SURE))
    quality.update(
        flattened((sample["masks"][i] for i in order), size),
        sample["classes"][order],
        flattened(map(decode, found.masks[:sure]), size, min_visible=VISIBLE),
        found.classes[:sure],
        crowd=sample["crowd"][order],
    )


def _write(listed, path):
    from kseg.base.atomic import replacing

    path = path.expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(listed))


def _mean(values):
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")
