"""The networks of `keras.applications`, without their classifiers.

A name is the function's in lower case. Left out are the Inceptions, NASNets and Xception: their
convolutions without padding give feature maps whose sizes are no fraction of the image's.

Some of these networks normalise inside, some outside, each in its own way. Here all of them start
behind that, and what they want is found by asking: normalisation is `image * scale + offset`, so
two images, 0 and 255, tell scale and offset.
"""

import contextlib

import keras
import numpy as np

from kseg.models.encoders.rebuild import adapted

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CAFFE_MEAN = (123.68, 116.779, 103.939)  # RGB; these networks were trained on BGR

# function -> how its ImageNet weights want their input
APPLICATIONS = {
    **dict.fromkeys(("VGG16", "VGG19", "ResNet50", "ResNet101", "ResNet152"), "caffe"),
    **dict.fromkeys(("ResNet50V2", "ResNet101V2", "ResNet152V2"), "tf"),
    **dict.fromkeys(("MobileNet", "MobileNetV2"), "tf"),
    **dict.fromkeys(("DenseNet121", "DenseNet169", "DenseNet201"), "torch"),
    **dict.fromkeys(("MobileNetV3Small", "MobileNetV3Large"), "inside"),
    **dict.fromkeys((f"EfficientNetB{i}" for i in range(8)), "inside"),
    **dict.fromkeys((f"EfficientNetV2{i}" for i in ("B0", "B1", "B2", "B3", *"SML")), "inside"),
    **dict.fromkeys(
        (f"ConvNeXt{i}" for i in ("Tiny", "Small", "Base", "Large", "XLarge")), "inside"
    ),
}

NAMES = {name.lower(): name for name in APPLICATIONS}


def encoder(name, weights, channels):
    """A network of `keras.applications`, for images of `channels` channels.

    Args:
        name: Out of `NAMES`.
        weights: None, `"imagenet"` or the path of a Keras weights file of that network without its
            top, for images of 3 channels.
        channels: Channels of the image; weights of the first convolution are adapted to it.

    Returns:
        `(model, (scale, offset))`: the model takes `image * scale + offset`.

    Raises:
        ConnectionError: the weights could not be downloaded.
    """
    function = getattr(keras.applications, NAMES[name])
    options = {"weights": weights, "include_top": False, "input_shape": (None, None, 3)}
    with downloading(name, weights):
        model = function(**options)
    mode = APPLICATIONS[NAMES[name]]
    if mode == "inside":
        model, scale, offset = _behind_preprocessing(model)
    elif mode == "tf":
        scale, offset = np.full(3, 1 / 127.5), np.full(3, -1.0)
    elif mode == "torch":
        scale = 1 / (255 * np.array(IMAGENET_STD))
        offset = -np.array(IMAGENET_MEAN) / IMAGENET_STD
    else:
        scale, offset = np.ones(3), -np.array(CAFFE_MEAN)
        model = _for_rgb(model)
    if channels != 3:
        model = adapted(model, channels)
        scale, offset = (np.full(channels, values.mean()) for values in (scale, offset))
    return model, (scale.tolist(), offset.tolist())


@contextlib.contextmanager
def downloading(name, weights):
    """Within it, a download by Keras that fails is a `ConnectionError` that says what to do."""
    try:
        yield
    except Exception as error:  # Keras raises bare ones
        if "URL fetch failure" not in str(error):
            raise
        raise ConnectionError(
            f"weights={weights!r}: those of encoder={name!r} could not be downloaded ({error}). "
            "Without a network, copy the file of that address here by other means and give its "
            "path (weights=PATH), or take encoder='efficientnet_lite0', whose weights come in a "
            "package."
        ) from error


def _behind_preprocessing(model):
    """The network without its `Rescaling` and `Normalization`, and what those did."""
    kinds = (keras.layers.Rescaling, keras.layers.Normalization)
    inside = {layer.name: layer for layer in model.layers if isinstance(layer, kinds)}
    before = keras.Model(model.input, list(inside.values())[-1].output)
    black, white = (
        keras.ops.convert_to_numpy(before(np.full((1, 1, 1, 3), value, "float32")))[0, 0, 0]
        for value in (0, 255)
    )

    def call(layer, *args, **arguments):
        return args[0] if layer.name in inside else layer(*args, **arguments)

    bare = keras.models.clone_model(model, call_function=call)
    for layer in bare.layers:
        if not layer.weights:  # an input layer goes by another name
            continue
        layer.set_weights(model.get_layer(layer.name).get_weights())
    return bare, (white - black) / 255, black


def _for_rgb(model):
    """A network trained on BGR that takes RGB: its first convolution's kernel is turned round."""
    first = next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    first.kernel.assign(keras.ops.flip(first.kernel, axis=2))
    return model
