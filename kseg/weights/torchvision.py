"""torchvision's checkpoints into kseg models and back.

    torchvision                              kseg
    fcn_resnet50, fcn_resnet101              build_fcn(encoder="torchvision:resnet50"), ...
    deeplabv3_resnet50, deeplabv3_resnet101  build_deeplabv3(encoder="torchvision:resnet50"), ...
    maskrcnn_resnet50_fpn                    build_mask_rcnn(encoder="torchvision:resnet50")
    resnet18 to resnet152, without "fc"      any model on an encoder "torchvision:resnet..."

Layers are found by name, at any depth of nested models. The trunk's names are torchvision's own
with underscores for dots (`kseg/models/encoders/resnet.py`); those of the heads stand in `HEADS`
here and in `torchvision_mask_rcnn.py`.

    PyTorch                           Keras
    conv weight (out, in, kh, kw)     kernel (kh, kw, in, out)
    up-conv weight (in, out, kh, kw)  kernel (kh, kw, out, in)
    linear weight (out, in)           kernel (in, out)
    norm weight, bias                 gamma, beta
    norm running_mean, running_var    moving_mean, moving_variance
    norm num_batches_tracked          nothing; 0 on the way back (it is not used in computing)

A batch norm's epsilon is no weight, and the published Mask R-CNN was trained without one. Where it
differs from the layer's, gamma makes up for it:

    gamma' / sqrt(variance + layer's epsilon) = gamma / sqrt(variance + norm_epsilon)

The variance could not: variance + norm_epsilon - layer's epsilon loses all its digits where the
variance is far below the layer's epsilon, and then divides by zero.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from kseg.base.arguments import number, refused
from kseg.base.types import Model, PathLike
from kseg.weights import torchvision_mask_rcnn as mask_rcnn
from kseg.weights.files import read
from kseg.weights.published import FILES
from kseg.weights.torchvision_mask_rcnn import COCO_CLASSES

__all__ = ["COCO_CLASSES", "load", "state_dict"]

WITHOUT_EPSILON = (Path(FILES["maskrcnn_resnet50_fpn"]["COCO_V1"]).stem,)
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
HEAD_KEYS = ("classifier.", "backbone.fpn.", "rpn.", "roi_heads.")
COUNTER = "num_batches_tracked"

# number of axes -> which of Keras' axes PyTorch has first, second, ...: plain convolutions swap
# input and output channels between them as transposed ones do
_AXES = {1: (0,), 2: (1, 0), 4: (3, 2, 0, 1)}


def load(
    model: Model,
    weights: PathLike | Mapping[str, np.ndarray],
    *,
    head: bool = True,
    classes: Sequence[int] | None = None,
    norm_epsilon: float | None = None,
) -> list[str]:
    """Loads a torchvision checkpoint into a kseg model, whole or not at all.

    A Mask R-CNN that gets the heads of one cuts and pastes masks from then on as torchvision does,
    `paste="torchvision"` of `kseg.build_mask_rcnn`: so they were trained.

    Args:
        model: A model of `build_fcn`, `build_deeplabv3` or `build_mask_rcnn` on an encoder
            `"torchvision:resnet..."`, for checkpoints of torchvision's model of that kind; for
            checkpoints of its classifiers, or with `head=False`, any model that holds such an
            encoder.
        weights: Path of a .pth or .safetensors file, or a dict of name -> array.
        head: False loads the encoder of a segmentation or detection checkpoint and leaves the rest
            of the model, for instance for other classes.
        classes: For Mask R-CNN: torchvision's indices, from 1, of the checkpoint's classes that
            become the model's classes 0, 1, ...; `COCO_CLASSES` for the 80 of COCO in a published
            checkpoint of 91. The background comes along. None takes all.
        norm_epsilon: Epsilon of batch norm for which the weights were made. None for the layers'
            own, 1e-5, but 0.0 for a file with the name of the published Mask R-CNN, which has none.

    Returns:
        list of the checkpoint's keys that were left out: the auxiliary classifier's, the
        classifier's last layer, and with `head=False` the head's.

    Raises:
        ValueError: keys are missing, unexpected or of another shape (all are listed), the model has
            layers that torchvision's has not, `classes` does not fit the checkpoint or
            `norm_epsilon` is negative or makes it divide by zero. The model is then as it was.
        FileNotFoundError, ImportError: as `kseg.weights.read`.

    Example:

    >>> classes = kseg.weights.torchvision.COCO_CLASSES
    >>> model = kseg.build_mask_rcnn(num_classes=len(classes))  # doctest: +SKIP
    >>> file = kseg.weights.fetch("maskrcnn_resnet50_fpn")  # doctest: +SKIP
    >>> kseg.weights.torchvision.load(model, file, classes=classes)  # doctest: +SKIP
    []
    """
    is_file = isinstance(weights, (str, Path))
    source = weights if is_file else "a dict"
    tensors = read(weights) if is_file else dict(weights)
    if norm_epsilon is None and is_file and Path(weights).stem in WITHOUT_EPSILON:
        norm_epsilon = 0.0
    prefix = _prefix(tensors)
    with_head = head and prefix != ""
    left_out = [
        key
        for key in tensors
        if key.startswith(LEFT_OUT) or (not head and key.startswith(HEAD_KEYS))
    ]
    given = {key: np.asarray(array) for key, array in tensors.items() if key not in left_out}
    if classes is not None:
        _check_classes(model, classes, with_head)
        given = mask_rcnn.pick_classes(given, classes)
    layers = _modules(model, head=with_head, prefix=prefix)
    variables = {
        mask_rcnn.earlier(key) if mask_rcnn.earlier(key) in given else key: variable
        for key, variable in _variables(layers).items()
    }
    _check(source, given, variables)
    scales = _gamma_scales(layers, given, norm_epsilon)
    for key, variable in variables.items():
        array = _to_keras(key, given[key].astype("float32")) * scales.get(key, np.float32(1))
        variable.assign(array.astype(variable.dtype))
    if with_head and hasattr(model, "paste"):
        model.paste = "torchvision"
    return left_out


def state_dict(
    model: Model, *, head: bool = True, norm_epsilon: float | None = None
) -> dict[str, np.ndarray]:
    """The model's weights as torchvision names and lays them out; the inverse of `load`.

    Args:
        model: As for `load`.
        head: True for the keys of a segmentation or detection model, which torchvision's
            `load_state_dict` takes with `strict=True`: `maskrcnn_resnet50_fpn` as it is, with
            batch norm frozen or not, and the others where built with `aux_loss=False`. False for
            the encoder alone, with the keys of a classifier, less `fc`.
        norm_epsilon: Epsilon of batch norm in the model that will read the weights. None for the
            layers' own, 1e-5, which is also torchvision's.

    Returns:
        dict of name -> NumPy array: float32, and int64 for `num_batches_tracked`.

    Raises:
        ValueError: the model has no torchvision encoder, or layers that torchvision's has not, or
            `norm_epsilon` is negative or makes torchvision divide by zero.

    Example:

    >>> tensors = kseg.weights.torchvision.state_dict(kseg.build_fcn(num_classes=21))
    >>> tensors["backbone.conv1.weight"].shape
    (64, 3, 7, 7)
    """
    prefix = "" if not head else "backbone.body." if _is_mask_rcnn(model) else "backbone."
    layers = _modules(model, head=head, prefix=prefix)
    tensors = {}
    for key, variable in _variables(layers).items():
        array = keras.ops.convert_to_numpy(variable.value).astype("float32")
        tensors[key] = _to_torch(key, array)
        if key.endswith("running_var"):
            tensors[key.replace("running_var", COUNTER)] = np.zeros((), "int64")
    for key, scale in _gamma_scales(layers, tensors, norm_epsilon).items():
        tensors[key] = tensors[key] / scale
    return tensors


def _prefix(tensors):
    """What stands before the trunk's names: nothing in a checkpoint of a classifier."""
    for prefix in ("backbone.body.", "backbone."):
        if any(key.startswith(prefix) for key in tensors):
            return prefix
    return ""


def _is_mask_rcnn(model):
    return any(layer.name in mask_rcnn.HEADS for layer in _weighted_layers(model))


def _modules(model, *, head, prefix):
    """torchvision module -> the model's layer."""
    layers = {layer.name: layer for layer in _weighted_layers(model)}
    trunk = {name: prefix + name.replace("_", ".") for name in layers if TRUNK.fullmatch(name)}
    if "layer1_0_conv1" not in trunk:
        raise refused(
            "model",
            model.name,
            "a ResNet of torchvision's layout in it",
            "Build it with encoder='torchvision:resnet50', for example.",
        )
    modules = dict(trunk)
    if head:
        heads = mask_rcnn.HEADS if _is_mask_rcnn(model) else HEADS
        modules |= {name: heads[name] for name in layers if name in heads}
        others = sorted(set(layers) - set(modules))
        if others:
            raise refused(
                "model",
                model.name,
                "a model of build_fcn, build_deeplabv3 or build_mask_rcnn",
                f"It has layers without a counterpart in torchvision: {', '.join(others)}. "
                "head=False takes the encoder of any model.",
            )
    return {module: layers[name] for name, module in modules.items()}


def _weighted_layers(model):
    """Every layer that holds weights of its own, through nested models."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _weighted_layers(layer)
        elif layer.weights:
            yield layer


def _variables(layers):
    """torchvision key -> variable, of a dict of torchvision module -> layer."""
    return {
        f"{module}.{key}": variable
        for module, layer in layers.items()
        for key, variable in _parameters(layer)
    }


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
        raise refused(
            "weights",
            str(source),
            "the model's keys",
            f"{len(faults)} keys do not fit:\n  " + "\n  ".join(faults) + "\n"
            "Compare the encoder's depth, the number of classes and the kind of model; head=False "
            "loads the encoder alone, classes=... some classes of a Mask R-CNN.",
        )


def _counts_a_norm(key, variables):
    module, _, parameter = key.rpartition(".")
    return parameter == COUNTER and f"{module}.running_var" in variables


def _check_classes(model, classes, with_head):
    if not (with_head and _is_mask_rcnn(model)):
        raise refused(
            "classes",
            classes,
            "None unless a checkpoint of Mask R-CNN goes into a model of build_mask_rcnn, with "
            "head=True",
        )


def _gamma_scales(layers, tensors, norm_epsilon):
    """Key of each batch norm's weight -> what a gamma for `norm_epsilon` is multiplied with."""
    if norm_epsilon is None:
        return {}
    number("norm_epsilon", norm_epsilon, at_least=0)
    scales, zeros = {}, []
    for module, layer in layers.items():
        if not isinstance(layer, keras.layers.BatchNormalization):
            continue
        key = f"{module}.running_var"
        variance = tensors[key].astype("float64")
        if not (variance + norm_epsilon > 0).all():
            zeros.append(key)
            continue
        scale = np.sqrt((variance + layer.epsilon) / (variance + norm_epsilon))
        scales[f"{module}.weight"] = scale.astype("float32")
    if zeros:
        raise refused(
            "norm_epsilon",
            norm_epsilon,
            "a number that leaves every variance above 0",
            f"Batch norm would divide by the root of zero or less: {', '.join(zeros)}. Leave it "
            "out, for 1e-5.",
        )
    return scales


def _torch_shape(shape):
    return tuple(shape[i] for i in _AXES[len(shape)])


def _to_keras(key, array):
    if key == mask_rcnn.FLATTENED:
        return mask_rcnn.to_rows_first(array)
    return array.transpose(np.argsort(_AXES[array.ndim]))


def _to_torch(key, array):
    if key == mask_rcnn.FLATTENED:
        return mask_rcnn.to_channels_first(array)
    return array.transpose(_AXES[array.ndim])
