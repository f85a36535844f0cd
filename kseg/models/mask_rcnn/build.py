"""Mask R-CNN: He, Gkioxari, Dollar, Girshick, "Mask R-CNN", 2017 (arXiv:1703.06870), on a feature
pyramid, as torchvision builds `maskrcnn_resnet50_fpn`.

With a ResNet-50 and a batch of images, padded to H x W, multiples of 32:

    encoder    C2, C3, C4, C5       H/4 .. H/32, 256 .. 2048 channels
    pyramid    P2, P3, P4, P5, pool H/4 .. H/64, 256
    proposals  3 anchors a cell     up to 2000 boxes in training, 1000 in prediction
    box head   7x7x256 a region     num_classes + 1 scores and boxes
    mask head  14x14x256 a region   28x28 for each class

Equal to torchvision's network in every number for the same weights (`tests/parity`). Deviations in
training: masks are centred (`paste`) unless the weights are torchvision's; an anchor that overlaps
no object never stands for one (in torchvision an object that no anchor overlaps claims all that
overlap nothing); what lies in a crowd region is no background.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from kseg.base.arguments import integer, number, refused
from kseg.base.types import ImageShape, Model, PathLike, Range, Size
from kseg.data.values import BYTE_RANGE, check_value_range
from kseg.models.arguments import check_arguments
from kseg.models.defaults import compile_instance
from kseg.models.mask_rcnn.model import MaskRCNN, RCNNSettings
from kseg.models.mask_rcnn.pyramid import STRIDES
from kseg.ops.anchors import RATIOS

ANCHOR_SIZES = ((32,), (64,), (128,), (256,), (512,))


def build_mask_rcnn(
    num_classes: int,
    *,
    input_shape: ImageShape = (None, None, 3),
    value_range: Range = BYTE_RANGE,
    encoder: str | Model = "torchvision:resnet50",
    weights: PathLike | None = None,
    freeze: bool | int | None = None,
    fpn_width: int = 256,
    box_width: int = 1024,
    mask_width: int = 256,
    anchor_sizes: Sequence[Sequence[float]] = ANCHOR_SIZES,
    anchor_ratios: Sequence[float] = RATIOS,
    resize: Size | None = (800, 1333),
    train_proposals: int = 2000,
    predict_proposals: int = 1000,
    anchor_samples: int = 256,
    region_samples: int = 512,
    mask_samples: int = 128,
    min_score: float = 0.05,
    overlap: float = 0.5,
    detections: int = 100,
    paste: Literal["centred", "torchvision"] = "centred",
    seed: int | None = None,
    compile: bool = True,
    name: str = "mask_rcnn",
) -> MaskRCNN:
    """Builds a Mask R-CNN for images of any size.

    Args:
        num_classes: Number of classes, >= 1, without the background.
        input_shape: `(height, width, channels)` in pixels; None for any height or width.
        value_range: What black and white are in the images; another than 0..255 as the data's
            `Source` says it: `(0, 4095)` for 12 bits, `(0.0, 1.0)` for some floats.
        encoder: A name, or a Keras model, with features at the strides 4, 8, 16 and 32.
        weights: Of a named encoder: None for a random start, `"imagenet"`, or a weights file.
            Weights of the whole model: `kseg.weights.torchvision.load(model, path)`.
        freeze: What of the encoder stays as it is: True, False, or a stride up to which, along
            with every batch norm. None is 4 where there are weights, as torchvision fine-tunes,
            and False where there are none.
        fpn_width: Channels of the pyramid.
        box_width: Width of the box head's dense layers.
        mask_width: Channels of the mask head.
        anchor_sizes: Sizes of the anchors of the levels P2 to P5 and of the pooled one, in pixels:
            five tuples. Halve them for small objects.
        anchor_ratios: Height / width of the anchors.
        resize: `(shortest, longest)` side to which `kseg.predict` resizes photos, None to leave
            them. The batches of `fit` are taken as they are.
        train_proposals: Regions of each level, and of all levels, that training looks at.
        predict_proposals: The same, of prediction.
        anchor_samples: Anchors of each image to learn from.
        region_samples: Regions of each image that the box head learns from.
        mask_samples: How many of these may be objects. Fewer cost less memory and time.
        min_score: Probability that a detection must exceed.
        overlap: Intersection over union above which detections of a class suppress one another.
        detections: Detections of an image at most.
        paste: How masks are cut from labels for training, and pasted into photos by all that
            predicts: `"centred"`, where a pixel is what the mask is at its centre; or
            `"torchvision"`, where boxes are cut to whole pixels and grow, by a third of the area of
            an object of 8 x 8. `kseg.weights.torchvision.load` sets the latter with the mask head
            of a checkpoint, which was trained so.
        seed: Integer, of the sampling; None for a random one.
        compile: Whether to return a compiled model, ready for `fit`.
        name: Name of the model.

    Returns:
        `kseg.models.mask_rcnn.model.MaskRCNN`, which describes what it takes and gives.

    Raises:
        ValueError: an argument is out of its range, or the encoder has no features at a stride.

    Example:

    >>> fewer = {"fpn_width": 16, "predict_proposals": 50, "detections": 20}
    >>> model = build_mask_rcnn(num_classes=80, encoder="torchvision:resnet18", **fewer)
    >>> model.predict(np.zeros((1, 65, 97, 3), "uint8"), verbose=0)["masks"].shape
    (1, 20, 28, 28)
    """
    settings = RCNNSettings(
        resize,
        train_proposals,
        predict_proposals,
        anchor_samples,
        region_samples,
        mask_samples,
        min_score,
        overlap,
        detections,
        paste,
    )
    shape = check_arguments(num_classes, input_shape)
    anchor_sizes = check_anchor_sizes(anchor_sizes)
    anchor_ratios = check_anchor_ratios(anchor_ratios)
    integer("fpn_width", fpn_width)
    integer("box_width", box_width)
    integer("mask_width", mask_width)
    if freeze is None:
        freeze = False if weights is None else 4
    arguments = {
        "num_classes": num_classes,
        "input_shape": shape,
        "value_range": check_value_range(value_range),
        "encoder": encoder,
        "freeze": freeze,
        "fpn_width": fpn_width,
        "box_width": box_width,
        "mask_width": mask_width,
        "anchor_sizes": anchor_sizes,
        "anchor_ratios": anchor_ratios,
        "seed": seed,
    }
    model = MaskRCNN.assembled(settings, arguments, weights=weights, name=name)
    if compile:
        compile_instance(model)
    return model


def check_anchor_sizes(sizes):
    """Five tuples, of the levels P2 to P5 and the pooled one, of equally many sizes in pixels.

    Raises:
        ValueError: they are something else.
    """
    try:
        levels = tuple(tuple(number("size", size, above=0) for size in level) for level in sizes)
    except (TypeError, ValueError):
        levels = ()
    counts = {len(level) for level in levels}
    if len(levels) != len(STRIDES) + 1 or len(counts) != 1 or counts == {0}:
        expected = "five tuples of equally many numbers > 0, in pixels"
        raise refused("anchor_sizes", sizes, expected, "These are P2 to P5 and the pooled level.")
    return levels


def check_anchor_ratios(ratios):
    """A tuple of numbers above 0.

    Raises:
        ValueError: it is something else, or empty.
    """
    try:
        checked = tuple(number("ratio", ratio, above=0) for ratio in ratios)
    except (TypeError, ValueError):
        checked = ()
    if not checked:
        raise refused("anchor_ratios", ratios, "numbers > 0, height / width")
    return checked
