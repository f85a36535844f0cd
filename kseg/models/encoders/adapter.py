"""One way to every encoder: a name or a Keras model in, one feature map for each stride out.

A decoder asks for "the features at stride 4", whatever the network is called. A model with several
outputs says itself what its features are. Of any other, the features of a stride are the output of
the *last* layer that still works at that stride, as the paper's U-Net takes them just before each
pooling. They are found by shape, never by layer name (names of activation layers depend on what was
built before), with squeeze-and-excite branches (1x1) and padding layers (one pixel too large) left
out because their size is no exact fraction of the image.
"""

from __future__ import annotations

import keras

from kseg.base.arguments import choice, refused
from kseg.base.types import Model, PathLike, Tensor
from kseg.models.arguments import OUTPUT_STRIDES, check_deepest
from kseg.models.encoders import applications, efficientnet_lite, given, presets, torchvision
from kseg.models.encoders.rebuild import rebuilt
from kseg.models.graph import PROBE, nodes_of, operations_before, shapes_of
from kseg.models.layers import Normalize, PadToStride, ZeroBeyond

STRIDES = (1, 2, 4, 8, 16, 32)


def encode(
    image: Tensor,
    encoder: str | Model,
    *,
    weights: PathLike | None = None,
    freeze: bool | int = False,
    output_stride: int = 32,
    size: Tensor | None = None,
) -> dict[int, Tensor]:
    """Applies an encoder to an image tensor.

    Args:
        image: Keras tensor `(B, H, W, C)`, RGB 0..255, H and W multiples of 32 (or unknown).
        encoder: A name, as `encoder_names()` lists them; `"keras_cv:PRESET"` or
            `"keras_hub:PRESET"`, for a backbone of those packages; or a `keras.Model` of one image
            of C channels, which must do its own preprocessing: functional, with other models in it
            or not; `Sequential`; or a subclass, of which the outputs are the features. One that is
            built for images of one size is copied for any.
        weights: None for a random start, `"imagenet"` (of a preset: the preset's own weights), or
            the path of a weights file. Only for an encoder given by name. Where the image has other
            than 3 channels, the first convolution's weights are repeated over them and scaled so
            that a grey image gives what it gives in RGB.
        freeze: Whether the encoder stays as it is: neither its weights nor its batch-norm
            statistics change. (`model.get_layer("encoder").trainable = True` thaws it.) Or a
            stride: what leads to the features of that stride stays, and every batch norm.
        output_stride: 32, or 16 or 8 to keep the last stages at that stride and dilate their
            convolutions instead (Chen et al. 2017, arXiv:1706.05587, section 3.1).
        size: Keras tensor `(B, 2)`, valid height and width of each image, the rest of the batch
            being padding: it is 0 *after* normalising. None where all of every image is valid.

    Returns:
        dict of stride -> Keras tensor `(B, H / stride, W / stride, features)`, in rising order of
        stride. A stride at which the encoder does not work is absent. Where dilation makes several
        stages share a stride, it is the last one's.

    Raises:
        ValueError: unknown name, wrong number of channels, weights or an output stride that do not
            go with the encoder, or a model without spatial features.
        ImportError: the package that the encoder comes from is not installed.

    Example:

    >>> image = keras.Input((None, None, 3))
    >>> {stride: f.shape[-1] for stride, f in encode(image, "vgg16").items()}
    {1: 64, 2: 128, 4: 256, 8: 512, 16: 512, 32: 512}
    """
    channels = image.shape[-1]
    choice("output_stride", output_stride, OUTPUT_STRIDES)
    preprocessing = None
    if isinstance(encoder, keras.Model):
        model = given.encoder(encoder, weights, channels)
        if output_stride < 32:
            model = rebuilt(model, output_stride)
    else:
        model, preprocessing = _named(encoder, weights, channels)
        model = rebuilt(model, output_stride)
    features = _features(model)
    model = keras.Model(model.input, list(features.values()), name="encoder")
    _freeze(model, features, freeze)
    if preprocessing is not None:
        image = Normalize(*preprocessing, name="preprocessing")(image)
    if size is not None:
        image = ZeroBeyond(dtype="float32", name="zero_beyond")([image, size])
    tensors = model(image)
    return dict(zip(features, tensors if isinstance(tensors, (list, tuple)) else [tensors]))


def deepest_feature(image, encoder, weights, freeze, output_stride):
    """The encoder's feature at `output_stride`, and the image it was given.

    torchvision's networks round every size up, so they take any; others want multiples of 32.

    Args:
        image: Keras tensor `(B, H, W, C)`, RGB 0..255.
        encoder, weights, freeze, output_stride: As for `encode`.

    Returns:
        `(B, ceil(H' / output_stride), ceil(W' / output_stride), C)` and `(B, H', W', C)`.

    Raises:
        ValueError: as `encode`; or the encoder does not end at `output_stride`.
    """
    choice("output_stride", output_stride, OUTPUT_STRIDES)
    padded = image
    if not (isinstance(encoder, str) and encoder.startswith("torchvision:")):
        padded = PadToStride(32, dtype="float32", name="pad")(image)
    features = encode(padded, encoder, weights=weights, freeze=freeze, output_stride=output_stride)
    check_deepest(encoder, features, output_stride)
    return features[output_stride], padded


def encoder_names() -> tuple[str, ...]:
    """The encoders that `encode` and every builder know by name, presets apart."""
    return (*applications.NAMES, *efficientnet_lite.NAMES, *torchvision.NAMES)


def _named(name, weights, channels):
    """The model of a name, with its weights, and the (scale, offset) that its input wants."""
    for part in (applications, efficientnet_lite, torchvision):
        if name in part.NAMES:
            return part.encoder(name, weights, channels)
    if isinstance(name, str) and name.partition(":")[0] in presets.PACKAGES:
        return presets.encoder(name, weights, channels)
    others = " or ".join(f"{package}:PRESET" for package in presets.PACKAGES)
    expected = f"one of {', '.join(encoder_names())}; {others}; or a Keras model"
    raise refused("encoder", name, expected)


def _freeze(model, features, freeze):
    """`freeze=True` or up to a stride, as `encode` explains."""
    if freeze is True:
        model.trainable = False
    elif freeze:
        if freeze not in features:
            strides = ", ".join(map(str, features))
            expected = f"True, False or a stride at which the encoder has features, of {strides}"
            raise refused("freeze", freeze, expected)
        before = operations_before(model, features[freeze])
        for layer in model.layers:
            if layer in before or isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = False


def _features(model):
    """Stride -> output of the last layer that works at that stride."""
    tensors = [t for t in keras.tree.flatten(model.output) if len(t.shape) == 4]
    if len(tensors) < 2:
        tensors = [t for node in nodes_of(model) for t in node.outputs if len(t.shape) == 4]
    sizes = [shape[1:3] for shape in shapes_of(model, tensors)] if tensors else []
    features = {}
    for stride in STRIDES:
        fitting = [t for t, size in zip(tensors, sizes) if size == (PROBE // stride,) * 2]
        if fitting:
            features[stride] = fitting[-1]
    if not features:
        raise refused(
            "encoder",
            model.name,
            f"a model with a feature map at one of the strides {STRIDES}",
            "That is a functional Keras model of one (None, None, channels) input.",
        )
    return features
