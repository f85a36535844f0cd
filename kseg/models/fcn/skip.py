"""FCN: Long, Shelhamer, Darrell, "Fully Convolutional Networks for Semantic Segmentation", 2015
(arXiv:1411.4038), figure 3; Shelhamer, Long, Darrell, 2017 (arXiv:1605.06211).

Class scores at strides 32, 16 and 8, coarse to fine, for an image of H x W:

    stride  scored feature     scores (num_classes each)
    32      fc7   (score_fr)   H/32 x W/32                              -> x32 = FCN-32s
    16      pool4              H/16 x W/16  + upscore2 of stride 32     -> x16 = FCN-16s
    8       pool3              H/8  x W/8   + upscore_pool4 of 16       -> x8  = FCN-8s

The features are those of VGG16 turned fully convolutional (`vgg16.py`), or of any encoder.

Scores are enlarged by transposed convolutions of stride s and kernel 2s that start as bilinear
interpolation: the ones of stride 2 are then learned, the last one stays fixed (2015, section 4.3).
The authors' published networks fix them all and report no difference: `upsampling="fixed"`. Each
class has one kernel, as in those; a kernel from each class to each other is not offered.

`padding="same"` departs from the paper: the photo is padded to the stride inside the model instead
of by 100 zeros on each side, and fc6 is padded instead of losing 6 rows and columns, which saves
the time spent on zeros (a photo of 500 x 375 becomes 700 x 575). `padding="paper"` is the original
network, its sizes and its crops, and computes the original's numbers from the original's weights,
but for the mean (`vgg16.MEAN_BGR`). Preprocessing is inside the model in both.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import keras

from kseg.base.arguments import choice, integer, number, refused
from kseg.base.types import ImageShape, Model, PathLike, Range
from kseg.data.values import BYTE_RANGE, check_value_range
from kseg.models.arguments import check_arguments, check_strides
from kseg.models.convolutions import Conv2D, DepthwiseConv2DTranspose
from kseg.models.encoders import encode
from kseg.models.fcn.surgery import carry_vgg16_classifier, vgg16_classifier
from kseg.models.fcn.vgg16 import FC_WIDTH, fully_connected, vgg16
from kseg.models.finish import finished
from kseg.models.layers import CropAt, Normalize, PadToStride, in_levels


class Skip(NamedTuple):
    """How the scores of one stride join the coarser ones."""

    feature: str  # the paper's name of the feature
    upscore: str  # ... and of the layer that enlarges the coarser scores to this stride
    at_once_scale: float  # of the feature, where all streams are trained together
    crop: int  # "paper": where in the scores of this feature the enlarged coarser ones begin


SKIPS = {
    16: Skip("pool4", "upscore2", 0.01, 5),
    8: Skip("pool3", "upscore_pool4", 0.0001, 9),
}

LAST_CROP = {32: 19, 16: 27, 8: 31}  # "paper": where in the enlarged scores the photo begins


def build_fcn8s(
    num_classes: int,
    *,
    input_shape: ImageShape = (None, None, 3),
    value_range: Range = BYTE_RANGE,
    encoder: str | Model = "vgg16",
    weights: PathLike | Model | None = None,
    freeze: bool | int = False,
    width: int = 64,
    fc_width: int | None = None,
    padding: Literal["same", "paper"] = "same",
    upsampling: Literal["learned", "fixed"] = "learned",
    at_once: bool | None = None,
    dropout: float = 0.5,
    multilabel: bool = False,
    compile: bool = True,
    name: str = "fcn8s",
) -> Model:
    """Builds a FCN-8s for images of any size.

    Args:
        num_classes: Number of classes, >= 1. 1 builds a binary model with one sigmoid channel.
        input_shape: `(height, width, channels)` in pixels; None for any height or width.
        value_range: What black and white are in the images; another than 0..255 as the data's
            `Source` says it: `(0, 4095)` for 12 bits, `(0.0, 1.0)` for some floats.
        encoder: `"vgg16"` for the paper's network; another name (as for `build_unet`) or a Keras
            model for the same decoder on that encoder's features at strides 32, 16 and 8.
        weights: None for a random start; `"imagenet"`; or a weights file. For "vgg16", of
            `keras.applications.VGG16`, with its classifier if `fc_width` is 4096 (fc6 and fc7 are
            then filled too) and without it otherwise; a VGG16 classifier, a Keras model, may be
            passed as well (see `kseg.models.carry_vgg16_classifier`).
        freeze: Whether the encoder keeps its weights during training (fc6 and fc7 are trained).
        width: Channels of VGG16's first stage; the others follow. Only for "vgg16".
        fc_width: Channels of fc6 and fc7. None is 4096 for "vgg16", which is 120 of FCN-8s' 134
            million weights: 512 makes a network for small machines. On other encoders None
            scores the deepest feature as it is, and a number puts fc6 and fc7 between.
        padding: `"same"`, or `"paper"` for the original's 100 zeros around the photo; only for
            "vgg16".
        upsampling: `"learned"` trains the enlargements by 2, from a bilinear start, and fixes the
            last one, as in the paper; `"fixed"` keeps them all bilinear.
        at_once: Whether pool4 and pool3 are scaled by 0.01 and 0.0001 before they are scored, with
            which the paper trains all streams at once. False is for its other way, in stages (see
            `kseg.models.hand_over`). None is True for "vgg16", whose features are large, and False
            for other encoders, whose batch norm evens them out.
        dropout: Share of the channels dropped after fc6 and fc7 in training, in [0, 1).
        multilabel: Whether a pixel may have several classes, each channel with a sigmoid of its
            own: labels are then 0, 1 or void of each class, `(B, H, W, C)`.
        compile: Whether to return a compiled model, ready for `fit`.
        name: Name of the model.

    Returns:
        `keras.Model` from RGB images `(B, H, W, C)`, uint8 or float, 0..255, to float32 logits
        `(B, H, W, num_classes)`. The score layers start at zero (2015, section 4.3), so that all
        logits are zero before training.

    Raises:
        ValueError: an argument is out of its range, or two of them do not go together.
        FileNotFoundError: `weights` names no file.

    Example:

    >>> model = build_fcn8s(num_classes=21, width=8, fc_width=32)
    >>> model.predict(np.zeros((1, 97, 131, 3), "uint8"), verbose=0).shape
    (1, 97, 131, 21)
    """
    return _build(
        8,
        num_classes,
        input_shape=input_shape,
        value_range=value_range,
        encoder=encoder,
        weights=weights,
        freeze=freeze,
        width=width,
        fc_width=fc_width,
        padding=padding,
        upsampling=upsampling,
        at_once=at_once,
        dropout=dropout,
        multilabel=multilabel,
        compile=compile,
        name=name,
    )


def build_fcn16s(
    num_classes: int,
    *,
    input_shape: ImageShape = (None, None, 3),
    value_range: Range = BYTE_RANGE,
    encoder: str | Model = "vgg16",
    weights: PathLike | Model | None = None,
    freeze: bool | int = False,
    width: int = 64,
    fc_width: int | None = None,
    padding: Literal["same", "paper"] = "same",
    upsampling: Literal["learned", "fixed"] = "learned",
    at_once: bool | None = None,
    dropout: float = 0.5,
    multilabel: bool = False,
    compile: bool = True,
    name: str = "fcn16s",
) -> Model:
    """Builds a FCN-16s: a FCN-8s without the scores of pool3, coarser and a little lighter.

    Args, returns and errors are those of `build_fcn8s`; `at_once` scales pool4 alone, and an
    encoder needs features at strides 32 and 16 only.

    Example:

    >>> model = build_fcn16s(num_classes=21, width=8, fc_width=32)
    >>> model.predict(np.zeros((1, 97, 131, 3), "uint8"), verbose=0).shape
    (1, 97, 131, 21)
    """
    return _build(
        16,
        num_classes,
        input_shape=input_shape,
        value_range=value_range,
        encoder=encoder,
        weights=weights,
        freeze=freeze,
        width=width,
        fc_width=fc_width,
        padding=padding,
        upsampling=upsampling,
        at_once=at_once,
        dropout=dropout,
        multilabel=multilabel,
        compile=compile,
        name=name,
    )


def build_fcn32s(
    num_classes: int,
    *,
    input_shape: ImageShape = (None, None, 3),
    value_range: Range = BYTE_RANGE,
    encoder: str | Model = "vgg16",
    weights: PathLike | Model | None = None,
    freeze: bool | int = False,
    width: int = 64,
    fc_width: int | None = None,
    padding: Literal["same", "paper"] = "same",
    dropout: float = 0.5,
    multilabel: bool = False,
    compile: bool = True,
    name: str = "fcn32s",
) -> Model:
    """Builds a FCN-32s: the scores of stride 32 alone, enlarged by a fixed bilinear kernel.

    Args, returns and errors are those of `build_fcn8s`; there is nothing to learn or to scale
    between streams, and an encoder needs a feature at stride 32 only.

    Example:

    >>> model = build_fcn32s(num_classes=21, encoder="torchvision:resnet18")
    >>> model.predict(np.zeros((1, 97, 131, 3), "uint8"), verbose=0).shape
    (1, 97, 131, 21)
    """
    return _build(
        32,
        num_classes,
        input_shape=input_shape,
        value_range=value_range,
        encoder=encoder,
        weights=weights,
        freeze=freeze,
        width=width,
        fc_width=fc_width,
        padding=padding,
        upsampling="fixed",
        at_once=False,
        dropout=dropout,
        multilabel=multilabel,
        compile=compile,
        name=name,
    )


def _build(
    last_stride,
    num_classes,
    *,
    input_shape,
    value_range,
    encoder,
    weights,
    freeze,
    width,
    fc_width,
    padding,
    upsampling,
    at_once,
    dropout,
    multilabel,
    compile,
    name,
):
    """The three networks: features, then scores down to `last_stride`, then the enlargement."""
    shape = check_arguments(num_classes, input_shape)
    value_range = check_value_range(value_range)
    paper = isinstance(encoder, str) and encoder == "vgg16"
    _check_options(paper, width, fc_width, padding, upsampling, at_once, dropout, weights)
    classifier = None
    if paper:
        fc_width = FC_WIDTH if fc_width is None else fc_width
        if weights is not None:  # before the network, as a file may be missing
            classifier = vgg16_classifier(
                weights, channels=shape[2], width=width, fc_width=fc_width
            )
    image = keras.Input(shape, name="image")

    x = in_levels(image, value_range)
    if padding == "same":
        x = PadToStride(32, dtype="float32", name="pad")(x)
    if paper:
        features = vgg16(
            x, width=width, fc_width=fc_width, dropout=dropout, freeze=freeze, padding=padding
        )
    else:
        features = encode(x, encoder, weights=weights, freeze=freeze)
        check_strides(encoder, features, [s for s in (32, 16, 8) if s >= last_stride])
        if fc_width is not None:
            features[32] = fully_connected(features[32], fc_width, dropout, padding)
    logits = coarse_to_fine(
        features,
        last_stride,
        num_classes,
        like=image,
        padding=padding,
        learned=upsampling == "learned",
        at_once=paper if at_once is None else at_once,
    )
    model = finished(image, logits, multilabel=multilabel, compile=compile, name=name)
    if classifier is not None:
        carry_vgg16_classifier(model, classifier)
    return model


def coarse_to_fine(features, last_stride, num_classes, *, like, padding, learned, at_once):
    """The paper's decoder, in float32 under every dtype policy.

    Args:
        features: Stride -> tensor, for the strides from 32 down to `last_stride`.
        last_stride: 32, 16 or 8, where the scores are enlarged to the photo's size.
        num_classes: Channels of all scores.
        like: The photo `(B, H, W, C)`.
        padding: "same", where all sizes fit as they are, or "paper", whose sizes are cropped.
        learned: Whether the enlargements by 2 are trained.
        at_once: Whether the features of the skips are scaled.

    Returns:
        Tensor `(B, H, W, num_classes)`.
    """
    full = padding == "paper"
    transposed = {"padding": "valid" if full else "same", "dtype": "float32"}
    x = _score(features[32], num_classes, "score_fr")
    stride = 32
    while stride > last_stride:
        stride //= 2
        skip = SKIPS[stride]
        x = DepthwiseConv2DTranspose(2, learned=learned, name=skip.upscore, **transposed)(x)
        scores = features[stride]
        if at_once:
            scores = Normalize(skip.at_once_scale, 0.0, name=f"scale_{skip.feature}")(scores)
        scores = _score(scores, num_classes, f"score_{skip.feature}")
        if full:
            name = f"crop_{skip.feature}"
            scores = CropAt(skip.crop, dtype="float32", name=name)([scores, x])
        x = keras.layers.Add(dtype="float32", name=f"fuse_{skip.feature}")([x, scores])
    x = DepthwiseConv2DTranspose(
        last_stride, learned=False, name=f"upscore{last_stride}", **transposed
    )(x)
    crop = LAST_CROP[last_stride] if full else 0
    return CropAt(crop, dtype="float32", name="logits")([x, like])  # (B, H, W, num_classes)


def _score(x, num_classes, name):
    return Conv2D(num_classes, 1, kernel_initializer="zeros", dtype="float32", name=name)(x)


def _check_options(paper, width, fc_width, padding, upsampling, at_once, dropout, weights):
    integer("width", width)
    if fc_width is not None:
        integer("fc_width", fc_width)
    choice("padding", padding, ("same", "paper"))
    choice("upsampling", upsampling, ("learned", "fixed"))
    choice("at_once", at_once, (None, True, False))
    number("dropout", dropout, at_least=0, below=1)
    if paper:
        return
    if padding == "paper":
        raise refused(
            "padding",
            padding,
            "'same' unless encoder='vgg16'",
            "The crops of 'paper' are derived from the layers of VGG16.",
        )
    if width != 64:
        raise refused("width", width, "64 unless encoder='vgg16'")
    if isinstance(weights, keras.Model):
        raise refused(
            "weights",
            weights.name,
            "no model unless encoder='vgg16'",
            "Pass a Keras model as the encoder instead.",
        )
