"""Photos of any size through an instance model: resized, put into batches, and back again.

Axes: B batch, N objects of a photo, m a mask's side in the network, H and W the photo.
"""

import numpy as np

from kseg.ops.paste import paste_masks, pasted
from kseg.ops.resize import bilinear, resized_size
from kseg.prediction.batching import bucket
from kseg.prediction.results import MASKS, Instances


def detect(model, photos, *, min_score=0.0, threshold=0.5, masks="binary", batch_size=1):
    """Finds the objects of photos.

    Photos are resized as the model says, then those of about one size go together into a batch,
    filled up at the bottom and right.

    Args:
        model: An instance model.
        photos: Iterable of pairs: anything, and a photo `(H, W, 3)` of 0..255.
        min_score: Objects of a lower score are left out.
        threshold: Probability from which on a pixel belongs to an object.
        masks: `"binary"`, `"probability"` or `"rle"`; see `Instances`.
        batch_size: Photos predicted at once. At most four times as many wait for others of their
            size.

    Yields:
        Pairs of what came with a photo, and its `Instances`; in order if `batch_size` is 1.

    Raises:
        ValueError: an argument is out of its range.
        ImportError: `masks="rle"` and pycocotools is not installed.
    """
    _check(min_score, threshold, masks, batch_size)
    options = (min_score, threshold, masks)
    multiple = bucket()
    waiting = {}
    for key, photo in photos:
        resized = bilinear(photo, *resized_size(photo.shape[:2], model.resize))
        filled = tuple(-(-side // multiple) * multiple for side in resized.shape[:2])
        alike = waiting.setdefault(filled, [])
        alike.append((key, photo.shape[:2], resized))
        if len(alike) < batch_size:
            if sum(map(len, waiting.values())) <= 4 * batch_size:
                continue
            filled = max(waiting, key=lambda filled: len(waiting[filled]))
        yield from _detect_batch(model, filled, waiting.pop(filled), batch_size, options)
    for filled, alike in waiting.items():
        yield from _detect_batch(model, filled, alike, batch_size, options)


def _detect_batch(model, bucket, photos, batch_size, options):
    filled = filled_count(len(photos), batch_size)
    images = np.zeros((filled, *bucket, 3), np.float32)
    sizes = np.ones((filled, 2), np.int32)  # of what fills up the batch: a black pixel
    for image, size, (_, _, resized) in zip(images, sizes, photos):
        height, width = size[:] = resized.shape[:2]
        image[:height, :width] = resized
    found = model.predict_on_batch({"image": images, "size": sizes})
    found = {name: np.asarray(found[name]) for name in ("boxes", "classes", "scores", "masks")}
    for index, (key, size, resized) in enumerate(photos):
        one = {name: values[index] for name, values in found.items()}
        yield key, _instances(one, size, resized.shape[:2], *options)


def _instances(found, size, resized, min_score, threshold, masks):
    """One photo's objects in its own pixels, from the network's."""
    kept = (found["classes"] >= 0) & (found["scores"] >= min_score)
    scale = np.float32(size) / np.float32(resized)
    boxes = found["boxes"][kept] * scale[[1, 0, 1, 0]]
    small = found["masks"][kept]
    if masks == "rle":
        large = _runs(small, boxes, *size, threshold)
    else:
        large = paste_masks(small, boxes, *size, threshold=threshold if masks == "binary" else None)
    return Instances(boxes, found["classes"][kept], found["scores"][kept], large)


def _runs(masks, boxes, height, width, threshold):
    """Masks as runs, one after the other: all of them at a photo's size may be too much."""
    from kseg.data.coco_format.results import of_mask

    runs = []
    for rows, columns, values in pasted(masks, boxes, height, width):
        mask = np.zeros((height, width), bool)
        mask[rows, columns] = values >= threshold
        runs.append(of_mask(mask))
    return runs


def filled_count(count, batch_size):
    """The size of an incomplete batch, on JAX 1, 2, 4, ...: it compiles for every shape anew."""
    import keras

    if keras.backend.backend() != "jax":
        return count
    return min(1 << (count - 1).bit_length(), batch_size)


def _check(min_score, threshold, masks, batch_size):
    for name, value in (("min_score", min_score), ("threshold", threshold)):
        if not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise ValueError(f"{name}={value!r}: expected a number from 0 to 1.")
    if masks not in MASKS:
        raise ValueError(f"masks={masks!r}: expected one of {', '.join(map(repr, MASKS))}.")
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size={batch_size!r}: expected an integer >= 1.")
