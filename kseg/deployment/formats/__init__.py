"""The formats beside SavedModel: ONNX, LiteRT and OpenVINO, one module each, read alike.

A module has `write(model, path, *, shape, precision, samples)`, which runs where Keras' backend is
TensorFlow, and `Runtime(path)`, which runs what was written in the format's own runtime, with
neither Keras nor TensorFlow. Every artefact takes `images`, uint8 `(B, H, W, C)`, and gives
`logits`, float32 `(B, H, W, K)`; all that a model does to an image is inside.
"""

import importlib

FORMATS = ("onnx", "litert", "openvino")


def format_module(name):
    """The module of a format, with its `write`, `Runtime` and `PRECISIONS`.

    Args:
        name: `"onnx"`, `"litert"` or `"openvino"`.

    Raises:
        ValueError: there is no such format here.

    Example:

    >>> format_module("openvino").PRECISIONS
    ('float32', 'float16')
    """
    if name not in FORMATS:
        raise ValueError(f"format={name!r}: expected one of {FORMATS}.")
    return importlib.import_module(f"kseg.formats.{name}")
