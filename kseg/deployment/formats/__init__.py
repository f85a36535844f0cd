"""The formats that a model can be exported to: a module each, and a line in `FORMATS`.

A format's module has

- its options, a frozen dataclass with `format`, the format's name, `precisions`, those that it has,
  `precision` and `shape`, as of `NetworkOptions`;
- `export(job, path, options)`, which writes, compares and returns `Exported`.

Those of a bare network, all but SavedModel, read alike: they also have `write(model, path, *,
shape, precision, samples)`, which runs where Keras' backend is TensorFlow, and `Runtime(path)`,
which runs what was written in the format's own runtime, with neither Keras nor TensorFlow. Such an
artefact takes `images`, uint8 `(B, H, W, C)`, and gives `logits`, float32 `(B, H, W, K)`; all that
a model does to an image is inside.
"""

import dataclasses
import importlib

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


def format_options(format):
    """The options that `kseg.export` was given: themselves, or those by default of a format's name.

    Raises:
        ValueError: it is neither.

    Example:

    >>> format_options("onnx")
    OnnxOptions(shape=(None, None), precision='float32')
    """
    if isinstance(format, tuple(map(options_class, FORMATS))):
        return format
    if not isinstance(format, str) or format not in FORMATS:
        known = ", ".join(map(repr, FORMATS))
        raise refused(
            "format", format, f"one of {known}, or the options of one, as kseg.OnnxOptions()"
        )
    return options_class(format)()


def options_from(name, given):
    """The options of a format, from values by name; one rule refuses those of another format.

    Args:
        name: One of `FORMATS`.
        given: dict of options of all formats.

    Raises:
        ValueError: an option is not of this format, or out of its range.

    Example:

    >>> options_from("litert", {"shape": (256, 320)})
    LiteRTOptions(shape=(256, 320), precision='float32')
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
