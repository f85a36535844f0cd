"""U-Net: Ronneberger, Fischer, Brox, "U-Net: Convolutional Networks for Biomedical Image
Segmentation", 2015 (arXiv:1505.04597), figure 1.

At `width=64`, `depth=4` and an image of H x W:

    level   contracting path          expanding path
    0       H    x W     x 64    ->   H    x W     x 64   -> 1x1 -> num_classes logits
    1       H/2  x W/2   x 128   ->   H/2  x W/2   x 128
    2       H/4  x W/4   x 256   ->   H/4  x W/4   x 256
    3       H/8  x W/8   x 512   ->   H/8  x W/8   x 512
    4                   H/16 x W/16 x 1024

Deviations from the paper: convolutions pad with zeros ("same"), so that the logits have the
photo's own size, where the paper lost a border of 92 pixels; batch norm follows each convolution
(it was published the same year; `batch_norm=False` gives the paper's layers); the image is padded
to the stride inside the model instead of being refused. With `encoder=` the contracting path is a
classification network, the expanding path narrows from 256 to 16 channels, and in it repeated
pixels take the place of up-convolutions, which learned more slowly from pretrained features
(CamVid, 4 epochs: mean IoU 0.445 against 0.430).
"""

from __future__ import annotations

import warnings

import keras

from kseg.base.arguments import choice, integer, refused
from kseg.base.types import ImageShape, Model, PathLike, Range
from kseg.data.values import BYTE_RANGE, check_value_range
from kseg.models.arguments import check_arguments
from kseg.models.blocks import convolutions, detail_head, logits_head
from kseg.models.convolutions import Conv2D, MaxPooling2D, UpConv2D
from kseg.models.encoders import encode
from kseg.models.finish import finished
from kseg.models.layers import Enlarge, Normalize, PadToStride, in_levels

# channels of the expanding path on an encoder, by stride
DECODER_WIDTHS = {16: 256, 8: 128, 4: 64, 2: 32, 1: 16}


def build_unet(
    num_classes: int,
    *,
    input_shape: ImageShape = (None, None, 3),
    value_range: Range = BYTE_RANGE,
    encoder: str | Model | None = None,
    weights: PathLike | None = None,
    freeze: bool | int = False,
    width: int = 64,
    depth: int = 4,
    logits_stride: int = 1,
    detail: bool = False,
    batch_norm: bool = True,
    multilabel: bool = False,
    compile: bool = True,
    name: str = "unet",
) -> Model:
    """Builds a U-Net for images of any size.

    Args:
        num_classes: Number of classes, >= 1. 1 builds a binary model with one sigmoid channel.
        input_shape: `(height, width, channels)` in pixels; None for any height or width.
        value_range: What black and white are in the images; another than 0..255 as the data's
            `Source` says it: `(0, 4095)` for 12 bits, `(0.0, 1.0)` for some floats.
        encoder: None for the paper's contracting path; a name, for example
            `"efficientnet_lite0"`, `"resnet50"` or `"keras_hub:PRESET"`
            (`kseg.models.encoder_names()` lists them), or a Keras model to use in its place.
        weights: Of a named encoder: None for a random start, `"imagenet"`, or a weights file.
        freeze: Whether the encoder is left as it is, batch-norm statistics included.
        width: Channels of the first level, doubled at each further one. Not with `encoder`.
        depth: How often the image is halved, >= 1. Not with `encoder`.
        logits_stride: 1 as in the paper. At 2 or 4 the finest level has half or a quarter of the
            photo's resolution and the logits are enlarged bilinearly: several times faster and
            lighter, at some cost along thin objects.
        detail: With a `logits_stride` of 2 or 4: whether to add to the enlarged logits what is
            learned for each pixel of a patch, from the finest features and the pixels themselves.
            Nothing is computed at the photo's resolution for it but the logits.
        batch_norm: Whether batch norm follows each convolution outside the encoder.
        multilabel: Whether a pixel may have several classes, each channel with a sigmoid of its
            own: labels are then 0, 1 or void of each class, `(B, H, W, C)`.
        compile: Whether to return a compiled model, ready for `fit`.
        name: Name of the model.

    Returns:
        `keras.Model` from RGB images `(B, H, W, C)`, uint8 or float, 0..255, to float32 logits
        `(B, H, W, num_classes)`.

    Raises:
        ValueError: an argument is out of its range, or two of them do not go together.

    Example:

    >>> model = build_unet(num_classes=21, width=16)
    >>> model.predict(np.zeros((1, 97, 131, 3), "uint8"), verbose=0).shape
    (1, 97, 131, 21)
    """
    shape = check_arguments(num_classes, input_shape)
    value_range = check_value_range(value_range)
    choice("logits_stride", logits_stride, (1, 2, 4))
    choice("detail", detail, (False, True))
    if detail and logits_stride == 1:
        remedy = "There the logits have the photo's resolution anyway: give logits_stride=4, or 2."
        raise refused("detail", detail, "False with logits_stride=1", remedy)
    if encoder is None:
        _check_paper_arguments(width, depth, weights, freeze)
    else:
        _check_unused(width=width, depth=depth)
    image = keras.Input(shape, name="image")
    levels = in_levels(image, value_range)

    if encoder is None:
        x = PadToStride(logits_stride * 2**depth, dtype="float32", name="pad")(levels)
        x = pixels = Normalize(1 / 127.5, -1.0, name="preprocessing")(x)
        if logits_stride > 1:  # each patch of stride x stride pixels becomes one vector
            x = Conv2D(width, logits_stride, strides=logits_stride, name="stem")(x)
        features = contracting_path(x, logits_stride, width, depth, batch_norm=batch_norm)
        up = "convolution"
        widths = {logits_stride * 2**level: width * 2**level for level in range(depth)}
    else:
        x = PadToStride(32, dtype="float32", name="pad")(levels)
        pixels = Normalize(1 / 127.5, -1.0, name="detail_preprocessing")(x) if detail else None
        features = encode(x, encoder, weights=weights, freeze=freeze)
        if isinstance(encoder, keras.Model):
            _say_skips(encoder, features)
        widths = DECODER_WIDTHS
        up = "nearest"
    x = expanding_path(features, widths, logits_stride, up=up, batch_norm=batch_norm)
    if detail:
        logits = detail_head(x, pixels, num_classes, logits_stride, like=image)
    else:
        logits = logits_head(x, num_classes, logits_stride, like=image)
    return finished(image, logits, multilabel=multilabel, compile=compile, name=name)


def contracting_path(x, stride, width, depth, *, batch_norm):
    """The paper's left side: two convolutions a level, 2x2 max pooling between the levels.

    Returns:
        dict of stride -> tensor `(B, H / stride, W / stride, channels)`, from `stride` on.
    """
    features = {}
    for level in range(depth + 1):
        if level:
            x = MaxPooling2D(2, name=f"down{level}_pool")(x)
        x = convolutions(x, width * 2**level, batch_norm=batch_norm, name=f"down{level}")
        features[stride * 2**level] = x  # (B, H / stride, W / stride, width * 2^level)
    return features


def expanding_path(features, widths, last_stride, *, up, batch_norm):
    """The paper's right side: twice the size, skip connection, two convolutions a level.

    Args:
        features: Stride -> tensor; a stride that is missing gets no skip connection.
        widths: Stride -> channels, for every stride from `last_stride` up to the coarsest.
        last_stride: The stride to end at.
        up: `"convolution"` for the paper's 2x2 up-convolution, `"nearest"` for repeated pixels.
        batch_norm: Whether batch norm follows each 3x3 convolution.

    Returns:
        Tensor `(B, H / last_stride, W / last_stride, widths[last_stride])`.
    """
    stride = max(features)
    x = features[stride]
    while stride > last_stride:
        stride //= 2
        block = f"up{stride.bit_length() - 1}"
        if up == "nearest":
            x = Enlarge(2, "nearest", name=f"{block}_enlarge")(x)
        else:
            x = UpConv2D(
                widths[stride], 2, strides=2, kernel_initializer="he_normal", name=f"{block}_upconv"
            )(x)
        if stride in features:
            x = keras.layers.Concatenate(name=f"{block}_skip")([features[stride], x])
        x = convolutions(x, widths[stride], batch_norm=batch_norm, name=block)
    return x


def _say_skips(encoder, features):
    """Warns where a given encoder leaves levels of the expanding path without a skip connection."""
    *skips, deepest = features
    absent = [each for each in DECODER_WIDTHS if 1 < each < deepest and each not in features]
    if absent or not skips:
        found = f"at the strides {', '.join(map(str, skips))}" if skips else "at none"
        lacking = f", and not at {', '.join(map(str, sorted(absent)))}" if absent else ""
        warnings.warn(
            f"encoder={encoder.name!r}: its deepest features are at stride {deepest}, with skip "
            f"connections {found}{lacking}: fine detail is lost where there is none.",
            stacklevel=3,
        )


def _check_unused(**own):
    for name, given in own.items():
        default = build_unet.__kwdefaults__[name]
        if given != default:
            remedy = "The encoder says how wide and deep the network is: leave it out."
            raise refused(name, given, f"{default}, the default, with an encoder", remedy)


def _check_paper_arguments(width, depth, weights, freeze):
    integer("width", width)
    integer("depth", depth)
    if weights is not None:
        raise refused(
            "weights",
            weights,
            "None without an encoder",
            "Give one, for example encoder='resnet50'; for weights of a whole U-Net use "
            "model.load_weights(path).",
        )
    if freeze:
        raise refused(
            "freeze",
            freeze,
            "False without an encoder",
            "Give one, for example encoder='efficientnet_lite0'.",
        )
