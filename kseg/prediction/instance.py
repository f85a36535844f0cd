"""Photos of any size through a model that finds objects: resized, put into batches, and back again.

Axes: B batch, N objects of a photo, m a mask's side in the network, H and W the photo.
"""

import dataclasses
import weakref

import numpy as np

from kseg.base.arguments import choice, integer, number, share
from kseg.base.atomic import write_json
from kseg.models.contract import fixed_size
from kseg.ops.resize import bilinear, resized_size
from kseg.prediction.batching import BUCKET, alike, filled_count
from kseg.prediction.masks import Pasted
from kseg.prediction.network import check_weights, forward, not_finite, once
from kseg.prediction.results import MASKS, Instances

OPTIONS = {
    "min_score": 0.5,
    "threshold": 0.5,
    "masks": "binary",
    "detections": None,
    "overlap": None,
}
FOLDER, SUFFIX = "objects", ".json"  # where `kseg predict` writes, and how the files end
HELD = 4  # batches that photos may wait for others of their size

_detectors = weakref.WeakKeyDictionary()  # model -> its networks, by their settings


def predict(
    model, photos, *, min_score=0.5, threshold=0.5, masks="binary", detections=None, overlap=None
):
    """Yields the `Instances` of each photo `(H, W, channels)`; see `kseg.predict`."""
    options = {
        "min_score": min_score,
        "threshold": threshold,
        "masks": masks,
        "detections": detections,
        "overlap": overlap,
    }
    for _, instances in detect(model, enumerate(photos), **options):
        yield instances


def write(instances, path, class_names, colors):
    """Writes objects as COCO's results.

    The file is a list, whose `image_id` is the file's own name and whose `category_id`, 1, 2, 3,
    ..., has its name beside it as `category`.

    Args:
        instances: `Instances` with whole masks.
        path: The file, a `pathlib.Path`; its folder is made.
        class_names: Name of each class.
        colors: Not used; objects have colours of their own.
    """
    from kseg.data.coco_format.results import results

    listed = results(
        instances.in_runs(), path.name.removesuffix(SUFFIX), range(1, len(class_names) + 1)
    )
    for each, class_id in zip(listed, instances.classes):
        each["category"] = class_names[class_id]
    write_json(path, listed)


def detect(
    model,
    photos,
    *,
    min_score=0.0,
    threshold=0.5,
    masks="binary",
    detections=None,
    overlap=None,
    batch_size=1,
):
    """Finds the objects of photos.

    Photos are resized as the model says, then those of about one size go together into a batch,
    filled up at the bottom and right.

    Args:
        model: An instance model.
        photos: Iterable of pairs: anything, and a photo `(H, W, channels)` of 0..255.
        min_score: Objects of a lower score are left out. Default 0.0.
        threshold: Probability from which on a pixel belongs to an object. Default 0.5.
        masks: `"binary"` (the default), `"probability"` or `"rle"`; see `Instances`.
        detections: Objects of a photo at most. Default None: as many as the model was built for.
        overlap: Intersection over union above which the better of two detections of a class drops
            the other. Default None: as the model was built.
        batch_size: Photos predicted at once. At most four times as many wait for others of their
            size. Default 1.

    Yields:
        Pairs of what came with a photo, and its `Instances`; in order if `batch_size` is 1.

    Raises:
        ValueError: an argument is out of its range, or the network's outputs are not finite.
        ImportError: `masks="rle"` and pycocotools is not installed.
    """
    share("min_score", min_score)
    share("threshold", threshold)
    choice("masks", masks, MASKS)
    integer("batch_size", batch_size)
    if detections is not None:
        integer("detections", detections)
    if overlap is not None:
        number("overlap", overlap, at_least=0, below=1)
    network = _network(model, detections=detections, overlap=overlap)
    fixed = fixed_size(model)

    def resized(photo):
        inner = resized_size(photo.shape[:2], model.resize, within=fixed)
        return bilinear(photo, *inner)

    def padded_size(waiting):
        sides = zip(fixed, waiting[2].shape[:2])
        return tuple(own or -(-side // BUCKET) * BUCKET for own, side in sides)

    waiting = ((key, photo.shape[:2], resized(photo)) for key, photo in photos)
    for batch in alike(waiting, padded_size, batch_size, HELD * batch_size):
        found = _detect_batch(model, network, padded_size(batch[0]), batch, batch_size)
        for (key, size, small), one in zip(batch, found):
            yield key, _instances(one, size, small.shape[:2], min_score, threshold, masks)


def _network(model, **given):
    """What finds objects by these settings of the model, those that are None as it was built."""
    made = _detectors.setdefault(model, {})
    once(made, "weights", lambda: check_weights(model))
    given = {name: value for name, value in given.items() if value is not None}
    if not given:
        return getattr(model, "detector", model)
    settings = dataclasses.replace(model.settings, **given)
    return once(made, settings, lambda: model.detector_of(settings))


def _detect_batch(model, network, padded, photos, batch_size):
    """The network's detections of resized photos: a dict of arrays a photo."""
    count = filled_count(len(photos), batch_size)
    images = np.zeros((count, *padded, model.channels), np.float32)
    sizes = np.ones((count, 2), np.int32)  # of what fills up the batch: a black pixel
    for image, size, (_, _, resized) in zip(images, sizes, photos):
        height, width = size[:] = resized.shape[:2]
        image[:height, :width] = resized
    found = forward(network, {"image": images, "size": sizes})
    if not found.pop("finite", np.ones(count, bool))[: len(photos)].all():
        raise not_finite(model)
    return [{name: values[i] for name, values in found.items()} for i in range(len(photos))]


def _instances(detections, size, resized, min_score, threshold, masks):
    """One photo's objects in its own pixels, from the network's."""
    from kseg.data.coco_format.results import of_mask

    kept = (detections["classes"] >= 0) & (detections["scores"] >= min_score)
    scale = np.float32(size) / np.float32(resized)
    boxes = detections["boxes"][kept] * scale[[1, 0, 1, 0]]
    small = detections["masks"][kept]
    large = Pasted(small, boxes, size, None if masks == "probability" else threshold)
    if masks == "rle":
        large = list(map(of_mask, large))
    return Instances(boxes, detections["classes"][kept], detections["scores"][kept], large)
