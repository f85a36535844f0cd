"""The formats that a model can be exported to: a module each, and a line in `FORMATS`.

A format's module has

- its options, a frozen dataclass with `format`, the format's name, `precisions`, those that it has,
  `precision` and `shape`, as of `NetworkOptions`;
- `export(job, path, options)`, which writes, compares and returns `Exported`.

Those of a bare network, all but SavedModel, read alike: they also have `write(model, path, *,
shape, precision, samples, about)`, which runs where Keras' backend is TensorFlow, and
`Runtime(path)`, which runs what was written in the format's own runtime, with neither Keras nor
TensorFlow. Such an artefact takes `images`, uint8 `(B, H, W, C)`, and gives `logits`, float32
`(B, H, W, K)`; all that a model does to an image is inside.
"""

import dataclasses
import importlib
from pathlib import Path

from kseg.base.arguments import choice, refused

# Name -> its module, and its options there.
FORMATS = {
    "saved_model": ("kseg.deployment.saved_model.export", "SavedModelOptions"),
    "onnx": ("kseg.deployment.formats.onnx", "OnnxOptions"),
    "litert": ("kseg.deployment.formats.litert", "LiteRTOptions"),
    "openvino": ("kseg.deployment.formats.openvino", "OpenVINOOptions"),
}


def format_module(name):
    """The module of a format.

    Args:
        name: One of `FORMATS`.

    Raises:
        ValueError: there is no such format.

    Example:

    >>> format_module("openvino").__name__
    'kseg.deployment.formats.openvino'
    """
    return importlib.import_module(FORMATS[choice("format", name, FORMATS)][0])


def options_class(name):
    """The dataclass of a format's options.

    Example:

    >>> options_class("openvino").precisions
    ('float32', 'float16')
    """
    return getattr(format_module(name), FORMATS[name][1])


def format_options(format, path):
    """The options that `kseg.export` was given: themselves, or those by default of a format's name.

    Args:
        format: Options, a name, or None: then the path's ending says which format it is.
        path: Of the artefact.

    Raises:
        ValueError: it is neither; or the path ends as those of another format, or as none.

    Example:

    >>> format_options(None, "street.onnx")
    OnnxOptions(shape=(None, None), precision='float32', threshold=None)
    """
    if not isinstance(format, tuple(map(options_class, FORMATS))):
        format = options_class(format_name(format, path))()
    format_name(format.format, path)
    return format


def format_name(format, path):
    """The name of the format that a path is to be written in.

    Args:
        format: A name; None for what the path's ending says, which is `"saved_model"` of a folder.
        path: Of the artefact.

    Raises:
        ValueError: there is no such format; or the path ends as those of another, or as none.

    Example:

    >>> format_name("onnx", "street.tflite")
    Traceback (most recent call last):
    ValueError: format='onnx': expected 'litert' for path='street.tflite'. ...
    """
    if format is not None and (not isinstance(format, str) or format not in FORMATS):
        known = ", ".join(map(repr, FORMATS))
        raise refused(
            "format", format, f"one of {known}, or the options of one, as kseg.OnnxOptions()"
        )
    suffix = Path(path).suffix.lower()
    files = {options_class(name).suffix: name for name in FORMATS if name != "saved_model"}
    meant = files.get(suffix or ".")
    if meant and format not in (None, meant):
        remedy = "Leave format out, or give the path the ending of the format."
        raise refused("format", format, f"{meant!r} for path={str(path)!r}", remedy)
    if format is None and meant is None and suffix and not Path(path).is_dir():
        expected = f"a folder, or a file ending in {' or '.join(filter(None, files))}"
        remedy = "For a folder of this name give format='saved_model' or format='openvino'."
        raise refused("path", str(path), expected, remedy)
    return format or meant or "saved_model"


def options_from(name, given):
    """The options of a format, from values by name; one rule refuses those of another format.

    Args:
        name: One of `FORMATS`.
        given: dict of options of all formats.

    Raises:
        ValueError: an option is not of this format, or out of its range.

    Example:

    >>> options_from("litert", {"shape": (256, 320)})
    LiteRTOptions(shape=(256, 320), precision='float32', threshold=None)
    """
    options, every = options_class(name), every_option()
    for option, value in given.items():
        _, owners = every[option]
        if name not in owners:
            raise ValueError(
                f"{option}={value!r} is of format {' and '.join(owners)}, and this one is {name}: "
                "leave it out."
            )
    return options(**given)


def every_option():
    """Name of an option -> its field, and the formats that have it; those of all formats."""
    every = {}
    for name in FORMATS:
        for field in dataclasses.fields(options_class(name)):
            every.setdefault(field.name, (field, []))[1].append(name)
    return every


def formats_in(precision):
    """Names of the formats that have a precision.

    >>> formats_in("float16")
    ['litert', 'openvino']
    """
    return [name for name in FORMATS if precision in options_class(name).precisions]
