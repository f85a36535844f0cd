"""torchvision's checkpoints into kseg models and back.

    torchvision                              kseg
    fcn_resnet50, fcn_resnet101              build_fcn(encoder="torchvision:resnet50"), ...
    deeplabv3_resnet50, deeplabv3_resnet101  build_deeplabv3(encoder="torchvision:resnet50"), ...
    resnet18 to resnet152, without "fc"      any model on an encoder "torchvision:resnet..."

Layers are found by name, at any depth of nested models. The trunk's names are torchvision's own
with underscores for dots (`kseg/models/encoders/resnet.py`); those of the heads stand in `HEADS`.

    PyTorch                           Keras
    conv weight (out, in, kh, kw)     kernel (kh, kw, in, out)
    norm weight, bias                 gamma, beta
    norm running_mean, running_var    moving_mean, moving_variance
    norm num_batches_tracked          nothing; 0 on the way back (it is not used in computing)
"""

import re
from pathlib import Path

import keras
import numpy as np

from kseg.weights.files import read

TRUNK = re.compile(r"(conv1|bn1|layer[1-4]_\d+_(conv[123]|bn[123]|downsample_[01]))")

# kseg layer -> torchvision module
HEADS = {
    # FCNHead
    "fcn_conv": "classifier.0",
    "fcn_norm": "classifier.1",
    # DeepLabHead
    "aspp_point_conv": "classifier.0.convs.0.0",
    "aspp_point_norm": "classifier.0.convs.0.1",
    "aspp_atrous1_conv": "classifier.0.convs.1.0",
    "aspp_atrous1_norm": "classifier.0.convs.1.1",
    "aspp_atrous2_conv": "classifier.0.convs.2.0",
    "aspp_atrous2_norm": "classifier.0.convs.2.1",
    "aspp_atrous3_conv": "classifier.0.convs.3.0",
    "aspp_atrous3_norm": "classifier.0.convs.3.1",
    "aspp_mean_conv": "classifier.0.convs.4.1",
    "aspp_mean_norm": "classifier.0.convs.4.2",
    "aspp_project_conv": "classifier.0.project.0",
    "aspp_project_norm": "classifier.0.project.1",
    "decoder_conv": "classifier.1",
    "decoder_norm": "classifier.2",
    # both
    "head": "classifier.4",
}

# parts of a checkpoint that have no place in a kseg model: read over, and named by `load`
LEFT_OUT = ("aux_classifier.", "fc.")
COUNTER = "num_batches_tracked"


def load(model, weights, *, head=True):
    """Loads a torchvision checkpoint into a kseg model, whole or not at all.

    Args:
        model: A model of `build_fcn` or `build_deeplabv3` on an encoder `"torchvision:resnet..."`,
            for checkpoints of torchvision's segmentation models; for checkpoints of its
            classifiers, or with `head=False`, any model that holds such an encoder.
        weights: Path of a .pth or .safetensors file, or a dict of name -> array.
        head: False loads the encoder of a segmentation checkpoint and leaves the model's head, for
            instance for other classes.

    Returns:
        list of the checkpoint's keys that were left out: the auxiliary classifier's, the
        classifier's last layer, and with `head=False` the head's.

    Raises:
        ValueError: keys are missing, unexpected or of another shape (all are listed), or the model
            has layers that torchvision's has not. The model is then as it was.
        FileNotFoundError, ImportError: as `kseg.weights.read`.

    Example:

    >>> model = kseg.build_deeplabv3(num_classes=21)
    >>> left_out = kseg.weights.torchvision.load(model, "deeplabv3_resnet50_coco-cd0a2569.pth")
    """
    source = weights if isinstance(weights, (str, Path)) else "weights"
    tensors = read(weights) if isinstance(weights, (str, Path)) else dict(weights)
    segmentation = any(key.startswith("backbone.") for key in tensors)
    with_head = segmentation and head
    left_out = [
        key
        for key in tensors
        if key.startswith(LEFT_OUT) or (not head and key.startswith("classifier."))
    ]
    given = {key: array for key, array in tensors.items() if key not in left_out}
    variables = _variables(model, head=with_head, prefix="backbone." if segmentation else "")
    _check(source, given, variables)
    for key, variable in variables.items():
        variable.assign(_to_keras(np.asarray(given[key])).astype(variable.dtype))
    return left_out


def state_dict(model, *, head=True):
    """The model's weights as torchvision names and lays them out; the inverse of `load`.

    Args:
        model: As for `load`.
        head: True for a segmentation model's keys, which torchvision's `load_state_dict` takes
            with `strict=True` where the model was built with `aux_loss=False`; False for the
            encoder alone, with the keys of a classifier, less `fc`.

    Returns:
        dict of name -> NumPy array: float32, and int64 for `num_batches_tracked`.

    Raises:
        ValueError: the model has no torchvision encoder, or layers that torchvision's has not.

    Example:

    >>> tensors = kseg.weights.torchvision.state_dict(kseg.build_fcn(num_classes=21))
    >>> tensors["backbone.conv1.weight"].shape
    (64, 3, 7, 7)
    """
    tensors = {}
    for key, variable in _variables(model, head=head, prefix="backbone." if head else "").items():
        array = keras.ops.convert_to_numpy(variable.value).astype("float32")
        tensors[key] = _to_torch(array)
        if key.endswith("running_var"):
            tensors[key.replace("running_var", COUNTER)] = np.zeros((), "int64")
    return tensors


def _variables(model, *, head, prefix):
    """torchvision key -> the model's variable."""
    layers = {layer.name: layer for layer in _weighted_layers(model)}
    trunk = {name: prefix + name.replace("_", ".") for name in layers if TRUNK.fullmatch(name)}
    if "layer1_0_conv1" not in trunk:
        raise ValueError(
            f"The model {model.name!r} holds no ResNet of torchvision's layout. Build it with "
            "encoder='torchvision:resnet50', for example."
        )
    modules = dict(trunk)
    if head:
        modules |= {name: HEADS[name] for name in layers if name in HEADS}
        others = sorted(set(layers) - set(modules))
        if others:
            raise ValueError(
                f"The model {model.name!r} has layers without a counterpart in torchvision: "
                f"{', '.join(others)}. Expected a model of build_fcn or build_deeplabv3; "
                "head=False takes the encoder of any other."
            )
    return {
        f"{module}.{key}": variable
        for name, module in modules.items()
        for key, variable in _parameters(layers[name])
    }


def _weighted_layers(model):
    """Every layer that holds weights of its own, through nested models."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _weighted_layers(layer)
        elif layer.weights:
            yield layer


def _parameters(layer):
    """Pairs of PyTorch parameter name and Keras variable."""
    if isinstance(layer, keras.layers.BatchNormalization):
        return [
            ("weight", layer.gamma),
            ("bias", layer.beta),
            ("running_mean", layer.moving_mean),
            ("running_var", layer.moving_variance),
        ]
    return [("weight", layer.kernel)] + ([("bias", layer.bias)] if layer.use_bias else [])


def _check(source, given, variables):
    """Raises one `ValueError` that lists every key that does not fit."""
    faults = [f"missing: {key}" for key in variables if key not in given]
    faults += [
        f"unexpected: {key}"
        for key in given
        if key not in variables and not _counts_a_norm(key, variables)
    ]
    for key, variable in variables.items():
        shape = tuple(np.shape(given[key])) if key in given else None
        expected = _torch_shape(variable.shape)
        if shape not in (None, expected):
            faults.append(f"shape: {key} is {shape}, but the model's {expected}")
    if faults:
        raise ValueError(
            f"{source}: {len(faults)} keys do not fit the model:\n  " + "\n  ".join(faults) + "\n"
            "Compare the encoder's depth, the number of classes and the kind of model; head=False "
            "loads the encoder alone."
        )


def _counts_a_norm(key, variables):
    module, _, parameter = key.rpartition(".")
    return parameter == COUNTER and f"{module}.running_var" in variables


def _torch_shape(shape):
    return tuple(shape[i] for i in (3, 2, 0, 1)) if len(shape) == 4 else tuple(shape)


def _to_keras(array):
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array


def _to_torch(array):
    return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array
