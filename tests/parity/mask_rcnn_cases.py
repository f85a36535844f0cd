"""The networks, photos and objects on which kseg's Mask R-CNN is compared with torchvision's.

All of it follows from names and seeds by NumPy alone, photos and objects by whole numbers only, so
that the maker and the test hold the same, and only the expected numbers are stored.

    model       backbone    FPN    box head    mask head    classes
    resnet18    ResNet-18   32     64          4 x 32       5, and the background
    resnet50    ResNet-50   32     64          4 x 32       5, and the background
"""

import zlib
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("mask_rcnn.npz")

MODELS = ("resnet18", "resnet50")
NUM_CLASSES = 5  # without the background, as kseg counts
FPN_WIDTH, BOX_WIDTH, MASK_WIDTH = 32, 64, 32
TRAIN_PROPOSALS, PREDICT_PROPOSALS = 300, 500  # of each level before NMS, of all after it
DETECTIONS = 157  # of an image at most; in each photo a wide gap in the scores follows
ANCHOR_SAMPLES, REGION_SAMPLES = 64, 64  # an image; half and a quarter at most positive

# batches of photos (height, width); torchvision pads one with zeros to the next multiples of 32
BATCHES = {
    "one": ((150, 203),),
    "three": ((150, 203), (97, 240), (224, 161)),
    # the least there is: below, torchvision takes the padding for a larger scale of the features
    "tiny": ((24, 25),),
}
REAL = ("000000000009.jpg", "000000000025.jpg")  # of COCO's train2017, each a batch of its own
OBJECTS = (3, 0, 14)  # of the batch "three" in training
RESIZED = (97, 240)  # the photo that goes through the default transform, 800 and 1333 pixels
FULL = 2**16 - 1  # what stands for a probability of 1
SIDES = (1, 2, 37, 97, 240, 333, 480, 500, 600, 640, 799, 800, 801, 1333, 1334, 2000, 4032)

# Variance that a last layer gives its outputs for inputs of mean square 1, chosen so that scores,
# boxes and masks spread widely.
GAINS = {
    "rpn.head.cls_logits": 2.0,
    "rpn.head.bbox_pred": 0.1,
    "roi_heads.box_predictor.cls_score": 4.0,
    "roi_heads.box_predictor.bbox_pred": 2.0,
    "roi_heads.mask_predictor.mask_fcn_logits": 8.0,
}
# The batch norm that shows its epsilon: its variances are this much less than elsewhere.
SMALL = ".layer1.0.bn1."
SMALL_VARIANCE = 1e-4


def tensor(key, shape):
    """The weight of that name (torchvision's present names), float32.

    Convolutions keep the variance, batch norm in the blocks takes some away, so that features stay
    of order 1, and its statistics and parameters are far from their start. Outside the backbone the
    kernels' means are taken out: after ReLU all inputs are positive, and their mean would otherwise
    decide everything.
    """
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    module, _, parameter = key.rpartition(".")
    small = SMALL_VARIANCE if SMALL in key else 1.0
    if parameter in ("running_mean", "bias"):
        return (rng.normal(0, 0.1, shape) * np.sqrt(small)).astype("float32")
    if parameter == "running_var":
        return (rng.uniform(0.5, 1.5, shape) * small).astype("float32")
    if len(shape) == 1:  # gamma of a batch norm
        middle = 0.2 if module.endswith("bn3") else 0.4 if ".layer" in module else 1.0
        if "downsample" in module:
            middle = 0.8
        return rng.uniform(0.7 * middle, 1.3 * middle, shape).astype("float32")
    if ".layer1.0.conv1." in key:
        small = SMALL_VARIANCE  # what the batch norm after it measures
    values = rng.standard_normal(shape, dtype="float32")
    if not key.startswith("backbone.body."):
        values -= values.mean(axis=tuple(range(1, len(shape))), keepdims=True)
    fan_in = shape[0] if "conv5_mask" in key else int(np.prod(shape[1:]))
    gain = GAINS.get(module, 1.0 if "fpn" in module else 2.0)
    return values * np.float32(np.sqrt(gain * small / fan_in))


def photo(height, width, seed=0):
    """uint8 `(height, width, 3)`: random colours every 16 pixels, mixed between, and some noise."""
    rng = np.random.default_rng([height, width, seed])
    corners = rng.integers(0, 256, (height // 16 + 2, width // 16 + 2, 3))
    y, x = np.arange(height), np.arange(width)
    rows = (
        corners[y // 16] * (16 - y % 16)[:, None, None]
        + corners[y // 16 + 1] * ((y % 16)[:, None, None])
    )
    smooth = rows[:, x // 16] * (16 - x % 16)[:, None] + rows[:, x // 16 + 1] * (x % 16)[:, None]
    noise = rng.integers(-8, 9, (height, width, 3))
    return np.clip(smooth // 256 + noise, 0, 255).astype(np.uint8)


def photos(batch):
    """The photos of one of `BATCHES`, a list of different sizes."""
    return [photo(*size, seed) for seed, size in enumerate(BATCHES[batch])]


def padded(images):
    """A batch as kseg takes it: uint8 `(B, H, W, 3)`, zeros at the bottom and right.

    Returns:
        dict of it, `"image"`, and of the sizes without the zeros, `"size"`, int32 `(B, 2)`.
    """
    sizes = np.array([image.shape[:2] for image in images], "int32")
    batch = np.zeros((len(images), *sizes.max(axis=0), 3), np.uint8)
    for place, image, (height, width) in zip(batch, images, sizes):
        place[:height, :width] = image
    return {"image": batch, "size": sizes}


def labels(targets):
    """`objects` of several photos as kseg takes them, with empty places up to the most objects.

    Returns:
        dict of `"boxes"` `(B, M, 4)`, `"classes"` `(B, M)`, -1 where empty, and `"masks"`
        `(B, M, H, W)`, padded as the photos.
    """
    most = max(len(classes) for _, classes, _ in targets)
    height, width = np.max([masks.shape[1:] for _, _, masks in targets], axis=0)
    result = {
        "boxes": np.zeros((len(targets), most, 4), "float32"),
        "classes": np.full((len(targets), most), -1, "int32"),
        "masks": np.zeros((len(targets), most, height, width), np.uint8),
    }
    for i, (boxes, classes, masks) in enumerate(targets):
        count, h, w = masks.shape
        result["boxes"][i, :count], result["classes"][i, :count] = boxes, classes
        result["masks"][i, :count, :h, :w] = masks
    return result


def objects(height, width, count, seed=0):
    """Ellipses: boxes float32 `(M, 4)`, class ids int32 `(M,)` from 0, masks uint8 `(M, H, W)`."""
    rng = np.random.default_rng([height, width, count, seed])
    boxes, masks = np.zeros((count, 4), "float32"), np.zeros((count, height, width), np.uint8)
    y, x = np.arange(height)[:, None], np.arange(width)
    for i in range(count):
        h, w = rng.integers(6, height // 2), rng.integers(6, width // 2)
        top, left = rng.integers(0, height - h), rng.integers(0, width - w)
        v, u = 2 * (y - top) + 1 - h, 2 * (x - left) + 1 - w  # twice the distance to the centre
        masks[i] = (v * w) ** 2 + (u * h) ** 2 <= (h * w) ** 2
        rows, columns = np.flatnonzero(masks[i].any(1)), np.flatnonzero(masks[i].any(0))
        boxes[i] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return boxes, rng.integers(0, NUM_CLASSES, count).astype("int32"), masks


def targets():
    """`objects` for each photo of the batch "three"."""
    return [objects(*size, count) for size, count in zip(BATCHES["three"], OBJECTS)]


def regions(height, width):
    """float32 `(12, 4)`: boxes of every kind that RoIAlign knows, in an image of that size."""
    rng = np.random.default_rng([height, width])
    a, b = rng.uniform(0, 1, (2, 5, 2))
    some = np.concatenate([np.minimum(a, b), np.maximum(a, b)], axis=1) * [
        width,
        height,
        width,
        height,
    ]
    special = [
        [0, 0, width, height],
        [width - 5.5, height - 3.25, width, height],  # over the last pixels
        [10, 10, 10.5, 11],  # less than a feature pixel
        [3, 4, 115, 116],  # 112 x 112: sqrt(area) / 224 is 1/2, the border of two levels
        [0, 20, width, 22],  # a line
        [16, 16, 48, 48],  # on the grid
        [-8, -6, 12, 9],  # over the upper left corner
    ]
    return np.concatenate([some, special]).astype("float32")


def pasting():
    """Boxes float32 `(8, 4)`, masks float32 `(8, 28, 28)` in 0..1, and an image's (61, 83)."""
    rng = np.random.default_rng(8)
    boxes = [
        [10, 12, 50, 40],
        [0, 0, 83, 61],
        [-7.6, -3.2, 20.4, 19.9],  # over the border: cut
        [70.3, 50.7, 95.1, 66.2],
        [30.5, 30.5, 30.9, 30.8],  # less than a pixel
        [5.49, 6.51, 33.5, 34.5],  # 28 x 28, but not on whole pixels
        [40, 2, 42, 58],
        [20.999, 20.001, 60.999, 21.002],
    ]
    return np.array(boxes, "float32"), rng.uniform(0, 1, (8, 28, 28)).astype("float32"), (61, 83)


def thin_feature(feature):
    """Of `(B, H, W, C)` every third row and column and the last, and every fifth channel."""
    rows, columns = (sorted({*range(0, size, 3), size - 1}) for size in feature.shape[1:3])
    return feature[:, rows][:, :, columns][..., ::5]


def thin_anchors(values):
    """Of `(B, anchors, ...)` every 13th anchor: each shape of anchor occurs."""
    return values[:, ::13]


def thin_regions(values):
    """Of `(R, P, P, C)` every fifth channel."""
    return values[..., ::5]


def thin_detections(values):
    """Of `(N, ...)` every eighth."""
    return values[::8]


def thin_pasted(values):
    """Of `(N, ...)` every 32nd: for masks of the photo's size."""
    return values[::32]


def fixed_point(probabilities):
    """0..1 as uint16: within 8e-6, and half of float32's size."""
    return np.round(np.float64(probabilities) * FULL).astype("uint16")


def thin_photo(image):
    """Of `(H, W, 3)` every 17th row and every 19th column: each remainder of the scale occurs."""
    return image[::17, ::19]


def names_and_shapes(shapes):
    """One line a tensor, in order of name: what a strict load compares."""
    return [f"{key} {tuple(shape)}" for key, shape in sorted(shapes.items())]
