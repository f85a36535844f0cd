"""Net surgery: FCNs filled from a VGG16 classifier, and from a coarser FCN (Long et al. 2015,
sections 3.1 and 4.2)."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from kseg.base.arguments import refused
from kseg.base.types import Model
from kseg.models.encoders.applications import downloading
from kseg.models.fcn.vgg16 import CONVOLUTIONS, FC_WIDTH


def carry_vgg16_classifier(model: Model, classifier: Model) -> tuple[str, ...]:
    """Net surgery: copies the weights of a VGG16 classifier into a FCN built on VGG16.

    A fully connected layer on a map of 7x7 is a convolution of 7x7: fc1 `(49 * 512, 4096)` becomes
    fc6 `(7, 7, 512, 4096)` and fc2 becomes the 1x1 convolution fc7 (figure 2 of the paper). They
    are carried where the classifier has them and the model's `fc_width` is theirs; the thirteen
    convolutions always are. The classifier's last layer is left behind.

    Args:
        model: What `kseg.build_fcn8s`, `build_fcn16s` or `build_fcn32s` built on "vgg16"; changed
            in place.
        classifier: `keras.applications.VGG16`, with or without its top, or a Keras model with the
            same names of layers ("block1_conv1" .. "block5_conv3", "fc1", "fc2").

    Returns:
        Tuple of the names of the model's layers that were filled.

    Raises:
        ValueError: a convolution is missing in one of the two, or shapes do not fit.

    Example:

    >>> classifier = keras.applications.VGG16(weights=None, include_top=False)
    >>> model = kseg.build_fcn8s(num_classes=21, fc_width=512)
    >>> kseg.models.carry_vgg16_classifier(model, classifier)[-1]
    'conv5_3'
    """
    pairs = {
        f"block{stage}_conv{i}": f"conv{stage}_{i}"
        for stage, count in enumerate(CONVOLUTIONS, start=1)
        for i in range(1, count + 1)
    }
    theirs = {layer.name: layer for layer in classifier.layers}
    ours = {layer.name: layer for layer in model.layers}
    for role, layers, names in (
        ("classifier", theirs, pairs),
        ("model", ours, [*pairs.values(), "fc6", "fc7"]),
    ):
        missing = [name for name in names if name not in layers]
        if missing:
            kind = "keras.applications.VGG16" if role == "classifier" else "a FCN on 'vgg16'"
            given = {"classifier": classifier, "model": model}[role].name
            raise refused(role, given, f"{kind}, with a layer {missing[0]!r}")
    fc_width = ours["fc7"].filters
    if "fc1" in theirs and "fc2" in theirs and theirs["fc1"].units == fc_width:
        pairs = {**pairs, "fc1": "fc6", "fc2": "fc7"}

    values = {}
    for their_name, name in pairs.items():
        kernel, bias = theirs[their_name].get_weights()
        shape = tuple(ours[name].kernel.shape)
        # only a fully connected kernel may change its shape; Keras flattens as (row, column, C)
        fits = kernel.size == np.prod(shape) if kernel.ndim == 2 else kernel.shape == shape
        if not fits:
            raise refused(
                f"shape of the classifier's {their_name!r}",
                kernel.shape,
                f"that of the model's {name!r}, {shape}",
                "Pass a VGG16 of the model's width and channels that classifies images of "
                "224 x 224.",
            )
        values[name] = [kernel.reshape(shape), bias]
    for name, value in values.items():  # all or nothing
        ours[name].set_weights(value)
    return tuple(values)


def vgg16_classifier(weights, *, channels, width, fc_width):
    """The classifier that `weights` means: "imagenet", a weights file, or the model itself."""
    if isinstance(weights, keras.Model):
        return weights
    if weights == "imagenet" and channels != 3:
        raise refused(
            "weights", weights, f"None where input_shape has {channels} channels, and not 3"
        )
    weights = str(weights)
    if width != 64:
        raise refused(
            "weights", weights, f"None where width={width}", "VGG16, whose they are, has width=64."
        )
    if weights != "imagenet" and not Path(weights).is_file():
        expected = "None, 'imagenet', a weights file of keras.applications.VGG16, or such a model"
        raise refused(
            "weights", weights, expected, "There is no such file.", error=FileNotFoundError
        )
    top = fc_width == FC_WIDTH  # otherwise fc6 and fc7 keep their random start
    try:
        with downloading("vgg16", weights):
            return keras.applications.VGG16(
                include_top=top,
                weights=weights,
                input_shape=(224, 224, channels),
            )
    except ValueError as error:
        kind = "with its classifier" if top else "without its classifier (include_top=False)"
        expected = f"weights of keras.applications.VGG16 {kind}, as fc_width is {fc_width}"
        raise refused("weights", weights, expected, str(error)) from error


def hand_over(source: Model, target: Model) -> tuple[str, ...]:
    """Copies every weight that two FCNs share by name: FCN-32s to FCN-16s to FCN-8s, in stages.

    The paper trains FCN-32s first, starts FCN-16s from it, and FCN-8s from that (2015, section
    4.2). The score layer that is new in the target keeps its zeros, so that a newly built target
    begins with the source's own scores: fuse_pool4 of the 16s is the bilinear enlargement of the
    32s' score_fr, exactly. The logits agree wherever those scores are an affine function of the
    place. At a kink they differ, by at most an eighth of the change of slope a cell in each
    direction, as two bilinear steps round off the corner that one step keeps.

    Args:
        source: The trained model.
        target: The model to fill, in place; build it with `at_once=False` and the same encoder,
            `width`, `fc_width`, `padding` and `num_classes`.

    Returns:
        Tuple of the names of the layers that were filled.

    Raises:
        ValueError: the models share no layer, one of them has another shape, or only one of the
            models scales the feature that both score.

    Example:

    >>> coarse = kseg.build_fcn32s(num_classes=21, width=8, fc_width=32)  # ... then coarse.fit
    >>> model = kseg.build_fcn16s(num_classes=21, width=8, fc_width=32, at_once=False)
    >>> kseg.models.hand_over(coarse, model)[-1]
    'score_fr'
    """
    theirs = {layer.name: layer for layer in source.layers if layer.weights}
    shared = [layer for layer in target.layers if layer.weights and layer.name in theirs]
    if not shared:
        raise refused("source", source.name, f"a model that shares layers with {target.name!r}")
    for layer in shared:
        ours = [tuple(w.shape) for w in layer.weights]
        given = [tuple(w.shape) for w in theirs[layer.name].weights]
        if ours != given:
            raise refused(
                f"shapes of {layer.name!r} in source",
                given,
                f"those in target, {ours}",
                "Build both with the same encoder, width, fc_width and num_classes.",
            )
    names = [{layer.name for layer in model.layers} for model in (source, target)]
    for layer in shared:
        scale = layer.name.replace("score_", "scale_")
        if (scale in names[0]) != (scale in names[1]):
            raise refused(
                "source",
                source.name,
                f"a model that scales what {layer.name!r} sees if {target.name!r} does",
                "Its weights mean different things. Build both with the same at_once.",
            )
    for layer in shared:
        layer.set_weights(theirs[layer.name].get_weights())
    return tuple(layer.name for layer in shared)
