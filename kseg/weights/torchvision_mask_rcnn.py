"""What torchvision's Mask R-CNN checkpoints call the layers of `build_mask_rcnn`.

The backbone's ResNet has torchvision's own names below `backbone.body.`; the other layers stand in
`HEADS`, by torchvision's present names. Earlier files, the published one among them, have shorter
names for some (`earlier`).
"""

import re

import numpy as np

from kseg.base.arguments import refused

# kseg layer -> torchvision module
HEADS = {
    **{f"fpn_inner_blocks_{i}": f"backbone.fpn.inner_blocks.{i}.0" for i in range(4)},
    **{f"fpn_layer_blocks_{i}": f"backbone.fpn.layer_blocks.{i}.0" for i in range(4)},
    "rpn_head_conv": "rpn.head.conv.0.0",
    "rpn_head_cls_logits": "rpn.head.cls_logits",
    "rpn_head_bbox_pred": "rpn.head.bbox_pred",
    "box_head_fc6": "roi_heads.box_head.fc6",
    "box_head_fc7": "roi_heads.box_head.fc7",
    "box_predictor_cls_score": "roi_heads.box_predictor.cls_score",
    "box_predictor_bbox_pred": "roi_heads.box_predictor.bbox_pred",
    **{f"mask_head_mask_fcn{i + 1}": f"roi_heads.mask_head.{i}.0" for i in range(4)},
    "mask_predictor_conv5_mask": "roi_heads.mask_predictor.conv5_mask",
    "mask_predictor_mask_fcn_logits": "roi_heads.mask_predictor.mask_fcn_logits",
}

# The published weights name classes by COCO's category ids, 1 to 90, of which ten were never used.
COCO_CLASSES = tuple(sorted({*range(1, 91)} - {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}))
FLATTENED = "roi_heads.box_head.fc6.weight"
COUNTED = "roi_heads.box_predictor.cls_score.bias"  # one number a class

OF_CLASSES = tuple(
    f"roi_heads.{module}.{parameter}"
    for module in (
        "box_predictor.cls_score",
        "box_predictor.bbox_pred",
        "mask_predictor.mask_fcn_logits",
    )
    for parameter in ("weight", "bias")
)


def earlier(key):
    """The name of a parameter in files of torchvision's first years; mostly the same.

    Example:

    >>> earlier("roi_heads.mask_head.0.0.weight")
    'roi_heads.mask_head.mask_fcn1.weight'
    """
    key = re.sub(r"(backbone\.fpn\.\w+_blocks\.\d)\.0\.", r"\1.", key)
    key = key.replace("rpn.head.conv.0.0.", "rpn.head.conv.")
    return re.sub(
        r"(roi_heads\.mask_head\.)(\d)\.0\.", lambda m: f"{m[1]}mask_fcn{int(m[2]) + 1}.", key
    )


def pick_classes(tensors, classes):
    """A checkpoint of fewer classes, in the order given, after the background.

    Args:
        tensors: dict of name -> array of a checkpoint.
        classes: torchvision's indices of the classes to keep, from 1.

    Returns:
        dict like `tensors`.

    Raises:
        ValueError: `classes` has an entry that the checkpoint has not, or one twice.
    """
    if COUNTED not in tensors:  # a fault that is reported with the others
        return tensors
    count = len(tensors[COUNTED])
    classes = list(classes)
    if len(set(classes)) < len(classes) or not set(classes) <= {*range(1, count)}:
        raise refused(
            "classes",
            classes,
            f"different integers from 1 to {count - 1}",
            "They are the checkpoint's indices of the classes to keep; 0 is its background, which "
            "stays.",
        )
    rows = [0, *classes]
    picked = {}
    for key in OF_CLASSES:
        array = np.asarray(tensors.get(key, ()))
        if array.size and len(array) % count == 0:  # else of a wrong shape: reported later
            by_class = array.reshape(count, -1, *array.shape[1:])
            picked[key] = by_class[rows].reshape(-1, *array.shape[1:])
    return {**tensors, **picked}


def to_rows_first(kernel):
    """fc6 of torchvision, which flattens C, 7, 7, -> a kernel of kseg, which flattens 7, 7, C.

    Shapes: `(out, C * 49)` -> `(49 * C, out)`.
    """
    by_pixel = kernel.reshape(len(kernel), -1, 49)  # (out, C, 7 * 7)
    return by_pixel.transpose(2, 1, 0).reshape(-1, len(kernel))


def to_channels_first(kernel):
    """The inverse of `to_rows_first`."""
    by_pixel = kernel.reshape(49, -1, kernel.shape[1])  # (7 * 7, C, out)
    return by_pixel.transpose(2, 1, 0).reshape(kernel.shape[1], -1)
