"""Encoders: a name or a Keras model in, one feature map for each stride out.

A decoder asks for "the features at stride 4", whatever the network is called. The features of a
stride are the output of the *last* layer that still works at that stride, as the paper's U-Net
takes them just before each pooling. They are found by shape, never by layer name (names of
activation layers depend on what was built before), with squeeze-and-excite branches (1x1) and
padding layers (one pixel too large) left out because their size is no exact fraction of the image.
"""

import keras

from kseg.models.blocks import Normalize

STRIDES = (1, 2, 4, 8, 16, 32)
PROBE = 256  # pixels; every stride divides it

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)

# name -> (builder, how its ImageNet weights want their input, further arguments)
APPLICATIONS = {
    "vgg16": ("VGG16", "caffe", {}),
    "resnet50": ("ResNet50", "caffe", {}),
    "mobilenetv2": ("MobileNetV2", "tf", {}),
    "efficientnetv2b0": ("EfficientNetV2B0", "torch", {"include_preprocessing": False}),
}


def encode(image, encoder, *, weights=None):
    """Applies an encoder to an image tensor.

    Args:
        image: Keras tensor `(B, H, W, C)`, RGB 0..255, H and W multiples of 32 (or unknown).
        encoder: A name out of `APPLICATIONS`, or a functional `keras.Model` of one
            `(None, None, C)` input, which must do its own preprocessing.
        weights: None for a random start, `"imagenet"`, or the path of a Keras weights file. Only
            for an encoder given by name.

    Returns:
        dict of stride -> Keras tensor `(B, H / stride, W / stride, features)`, in rising order of
        stride. A stride at which the encoder does not work is absent.

    Raises:
        ValueError: unknown name, wrong number of channels, or a model without spatial features.

    Example:

    >>> image = keras.Input((None, None, 3))
    >>> {stride: f.shape[-1] for stride, f in encode(image, "vgg16").items()}
    {1: 64, 2: 128, 4: 256, 8: 512, 16: 512, 32: 512}
    """
    channels = image.shape[-1]
    if isinstance(encoder, keras.Model):
        if weights is not None:
            raise ValueError(
                f"weights={weights!r} goes with an encoder given by name. "
                "Load the weights into your encoder model before passing it."
            )
        model = encoder
    else:
        model, image = _application(encoder, image, weights)
    if model.inputs[0].shape[-1] != channels:
        raise ValueError(
            f"The encoder {model.name!r} takes {model.inputs[0].shape[-1]} channels, but "
            f"input_shape has {channels}."
        )
    outputs = _outputs_by_stride(model)
    features = keras.Model(model.input, list(outputs.values()), name=f"{model.name}_features")
    tensors = features(image)
    return dict(zip(outputs, tensors if isinstance(tensors, (list, tuple)) else [tensors]))


def _application(name, image, weights):
    """One of `keras.applications` without its classifier, and the image as it wants it."""
    if name not in APPLICATIONS:
        raise ValueError(
            f"encoder={name!r}: expected one of {', '.join(sorted(APPLICATIONS))}, or a Keras "
            "model."
        )
    channels = image.shape[-1]
    if weights == "imagenet" and channels != 3:
        raise ValueError(
            f"weights='imagenet' needs 3 channels, but input_shape has {channels}. "
            "Use weights=None, or a Keras model of your own as the encoder."
        )
    builder, mode, arguments = APPLICATIONS[name]
    model = getattr(keras.applications, builder)(
        include_top=False,
        weights=weights,
        input_shape=(None, None, channels),
        **arguments,
    )
    return model, _preprocess(image, mode)


def _preprocess(image, mode):
    """RGB 0..255 -> what `keras.applications` weights of that mode were trained on."""
    channels = image.shape[-1]
    if mode == "tf":
        scale, offset = 1 / 127.5, -1.0
    elif mode == "torch":
        mean, std = _for_channels(IMAGENET_MEAN, channels), _for_channels(IMAGENET_STD, channels)
        scale = [1 / (255 * s) for s in std]
        offset = [-m / s for m, s in zip(mean, std)]
    else:  # caffe
        if channels == 3:
            image = image[..., ::-1]  # RGB -> BGR
        scale, offset = 1.0, [-m for m in _for_channels(CAFFE_MEAN_BGR, channels)]
    return Normalize(scale, offset, name="preprocessing")(image)


def _for_channels(values, channels):
    return values if channels == 3 else (sum(values) / 3,) * channels


def _outputs_by_stride(model):
    """Stride -> output of the last layer that works at that stride."""
    tensors = [
        output
        for layer in model.layers
        for output in keras.tree.flatten(layer.output)
        if len(output.shape) == 4
    ]
    probe = keras.KerasTensor((1, PROBE, PROBE, model.inputs[0].shape[-1]))
    shapes = keras.Model(model.input, tensors).compute_output_spec(probe)
    found = {}
    for tensor, spec in zip(tensors, keras.tree.flatten(shapes)):
        for stride in STRIDES:
            if spec.shape[1:3] == (PROBE // stride, PROBE // stride):
                found[stride] = tensor
    found = {stride: found[stride] for stride in STRIDES if stride in found}
    # an input layer alone is no feature
    found = {s: t for s, t in found.items() if not any(t is i for i in model.inputs)}
    if not found:
        raise ValueError(
            f"The encoder {model.name!r} has no feature map at any of the strides {STRIDES}. "
            "Expected a functional Keras model of one (None, None, channels) input."
        )
    return found
