"""A model that finds what it is told to, and a source of what there is; both without a network."""

import numpy as np

import kseg

SIDE = 28  # of the masks
NAMES = ("cat", "dog", "bird")


def detections(rng, size, count, num_classes=3):
    """Objects in a photo of this size as an instance model gives them, in falling order of score.

    Their masks are blobs that do not fill their boxes, of which some reach beyond the photo.
    """
    height, width = size
    centre = rng.uniform(0, 1, (count, 2)) * (width, height)
    reach = rng.uniform(4, 0.4 * min(size), (count, 2))
    boxes = np.concatenate([centre - reach, centre + reach], axis=1).astype("float32")
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    middle = rng.uniform(0.4, 0.6, (2, count, 1, 1)) * SIDE
    distance = np.hypot(y - middle[0], x - middle[1]) / SIDE
    return {
        "boxes": boxes,
        "classes": rng.integers(0, num_classes, count).astype("int32"),
        "scores": np.sort(rng.uniform(0.1, 1, count))[::-1].astype("float32"),
        "masks": np.clip(1.5 - 3 * distance, 0, 1).astype("float32"),
        "size": size,
    }


def photo(index, size):
    """All of one colour, which says its number: resizing does not change it."""
    return np.full((*size, 3), index, np.uint8)


class InstanceModel:
    """Obeys the contract of instance models; photo i holds `found[i]`."""

    task, channels, score, name = "instance", 3, "mask_ap", "finder"

    def __init__(self, found, num_classes=3, resize=None):
        self.found, self.num_classes, self.resize = found, num_classes, resize
        self.shapes = []  # of the batches seen

    def predict_on_batch(self, x):
        images, sizes = np.asarray(x["image"]), np.asarray(x["size"])
        assert set(x) == {"image", "size"} and sizes.dtype == np.int32
        assert images.dtype == np.float32 and images.ndim == 4 and sizes.shape == (len(images), 2)
        self.shapes.append(images.shape)
        most = max(len(each["scores"]) for each in self.found) + 2  # never quite full
        result = {
            "boxes": np.zeros((len(images), most, 4), np.float32),
            "classes": np.full((len(images), most), -1, np.int32),
            "scores": np.zeros((len(images), most), np.float32),
            "masks": np.zeros((len(images), most, SIDE, SIDE), np.float32),
        }
        for i, (image, (height, width)) in enumerate(zip(images, sizes)):
            assert not image[height:].any() and not image[:, width:].any()
            if (height, width) == (1, 1):
                continue  # fills up the batch
            found = self.found[round(float(image[0, 0, 0]))]
            count = len(found["scores"])
            for name in ("classes", "scores", "masks"):
                result[name][i, :count] = found[name]
            scale = np.array([width, height] * 2) / np.array(found["size"][::-1] * 2)
            result["boxes"][i, :count] = found["boxes"] * scale
        return result


def source_of(found, crowd=None, **fields):
    """A source whose truth is exactly what these detections are once pasted.

    Args:
        found: A list of `detections`.
        crowd: A list of bool `(N,)`; by default no object is a crowd.
        fields: Of `Source`, if they are other than usual.
    """
    import tensorflow as tf

    from kseg.ops.paste import paste_masks

    def sample(index):
        each = found[index]
        return (
            photo(index, each["size"]),
            paste_masks(each["masks"], each["boxes"], *each["size"], threshold=0.5).astype("uint8"),
            each["classes"],
            each["boxes"],
            np.zeros(len(each["classes"]), bool) if crowd is None else np.asarray(crowd[index]),
        )

    def decode(row):
        kinds = (tf.uint8, tf.uint8, tf.int32, tf.float32, tf.bool)
        values = tf.numpy_function(sample, [row["index"]], kinds)
        shapes = ((None, None, 3), (None, None, None), (None,), (None, 4), (None,))
        names = ("image", "masks", "classes", "boxes", "crowd")
        return {n: tf.ensure_shape(v, shape) for n, v, shape in zip(names, values, shapes)}

    return kseg.data.Source(
        **{
            "name": "made",
            "columns": {"index": np.arange(len(found))},
            "decode": decode,
            "class_names": NAMES,
            "colors": ((200, 0, 0), (0, 200, 0), (0, 0, 200)),
            "ids": tuple(f"p{i}" for i in range(len(found))),
            "task": "instance",
            **fields,
        }
    )
