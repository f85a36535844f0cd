"""One way to every encoder: a name or a Keras model in, one feature map for each stride out.

A decoder asks for "the features at stride 4", whatever the network is called. A model with several
outputs says itself what its features are. Of any other, the features of a stride are the output of
the *last* layer that still works at that stride, as the paper's U-Net takes them just before each
pooling. They are found by shape, never by layer name (names of activation layers depend on what was
built before), with squeeze-and-excite branches (1x1) and padding layers (one pixel too large) left
out because their size is no exact fraction of the image.
"""

import keras

from kseg.models.encoders import applications, efficientnet_lite, presets, torchvision
from kseg.models.encoders.rebuild import rebuilt
from kseg.models.graph import PROBE, nodes_of, shapes_of
from kseg.models.layers import Normalize, ZeroBeyond

STRIDES = (1, 2, 4, 8, 16, 32)


OUTPUT_STRIDES = (8, 16, 32)


def encode(image, encoder, *, weights=None, freeze=False, output_stride=32, size=None):
    """Applies an encoder to an image tensor.

    Args:
        image: Keras tensor `(B, H, W, C)`, RGB 0..255, H and W multiples of 32 (or unknown).
        encoder: A name, as `encoder_names()` lists them; `"keras_cv:PRESET"` or
            `"keras_hub:PRESET"`, for a backbone of those packages; or a functional `keras.Model` of
            one `(None, None, C)` input, which must do its own preprocessing.
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
    if output_stride not in OUTPUT_STRIDES:
        raise ValueError(f"output_stride={output_stride!r}: expected 8, 16 or 32.")
    preprocessing = None
    if isinstance(encoder, keras.Model):
        model = _given(encoder, weights, channels)
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


def encoder_names():
    """The encoders that `encode` and every builder know by name, presets apart."""
    return (*applications.NAMES, *efficientnet_lite.NAMES, *torchvision.NAMES)


def _named(name, weights, channels):
    """The model of a name, with its weights, and the (scale, offset) that its input wants."""
    for part in (applications, efficientnet_lite, torchvision):
        if name in part.NAMES:
            return part.encoder(name, weights, channels)
    if isinstance(name, str) and name.partition(":")[0] in presets.PACKAGES:
        return presets.encoder(name, weights, channels)
    raise ValueError(
        f"encoder={name!r}: expected one of {', '.join(encoder_names())}; "
        f"{' or '.join(f'{p}:PRESET' for p in presets.PACKAGES)}; or a Keras model."
    )


def _given(model, weights, channels):
    if weights is not None:
        raise ValueError(
            f"weights={weights!r} goes with an encoder given by name. "
            "Load the weights into your encoder model before passing it."
        )
    taken = model.inputs[0].shape[-1]
    if len(model.inputs) != 1 or taken != channels:
        raise ValueError(
            f"The encoder {model.name!r} takes {taken} channels, but input_shape has {channels}."
        )
    return model


def _freeze(model, features, freeze):
    """`freeze=True` or up to a stride, as `encode` explains."""
    if freeze is True:
        model.trainable = False
    elif freeze:
        if freeze not in features:
            raise ValueError(
                f"freeze={freeze!r}: expected True, False or a stride at which the encoder has "
                f"features, one of {', '.join(map(str, features))}."
            )
        before = {op for op in keras.Model(model.input, features[freeze]).operations}
        for layer in model.layers:
            if layer in before or isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = False


def _features(model):
    """Stride -> output of the last layer that works at that stride."""
    tensors = [t for t in keras.tree.flatten(model.output) if len(t.shape) == 4]
    if len(tensors) < 2:
        tensors = [t for node in nodes_of(model) for t in node.outputs if len(t.shape) == 4]
    if not tensors:
        raise ValueError(_no_features(model))
    sizes = [shape[1:3] for shape in shapes_of(model, tensors)]
    found = {}
    for stride in STRIDES:
        fitting = [t for t, size in zip(tensors, sizes) if size == (PROBE // stride,) * 2]
        if fitting:
            found[stride] = fitting[-1]
    if not found:
        raise ValueError(_no_features(model))
    return found


def _no_features(model):
    return (
        f"The encoder {model.name!r} has no feature map at any of the strides {STRIDES}. "
        "Expected a functional Keras model of one (None, None, channels) input."
    )
