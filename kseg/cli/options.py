"""What several commands share: how an argument is read, and the options that name data.

Keras and TensorFlow take seconds to import, so only the commands that need them do.
"""

import argparse

DATA = (
    "camvid:PATH, voc:PATH, cityscapes:PATH, coco:PATH, tfds:NAME, folder:PATH, records:PATH "
    "or shapes"
)


def add_data_options(parser):
    """The options that say how a data set is to be opened."""
    parser.add_argument(
        "--classes", type=names, help="class names of folder:PATH or tfds:NAME, comma-separated"
    )
    parser.add_argument("--values", type=integers, help="mask value of each class, e.g. 0,255")
    parser.add_argument(
        "--val-fraction",
        type=float,
        default=0.2,
        help="where the set has no split of its own (0.2)",
    )


def data_spec(options, instances=False):
    """The `DataSpec` of the data that the options name."""
    from kseg.data.spec import DataSpec

    given = (options.data, options.classes, options.values, options.val_fraction, instances)
    return DataSpec(*given).resolved()


def given(options, names):
    """Those of the named options that were given, as a dict: the others keep their defaults."""
    values = {name: getattr(options, name, None) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def console():
    from rich.console import Console

    return Console()


def size(text):
    """`HEIGHTxWIDTH` -> two integers."""
    height, _, width = text.lower().partition("x")
    if not (height.isdigit() and width.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r}: expected HEIGHTxWIDTH, e.g. 224x320")
    return int(height), int(width)


def number_pair(text):
    """`LOW,HIGH` -> two floats."""
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected LOW,HIGH, e.g. 0.5,2") from None
    return low, high


def integer_pair(text):
    """`A,B` -> two integers."""
    pair = integers(text)
    if len(pair) != 2:
        raise argparse.ArgumentTypeError(f"{text!r}: expected two integers, e.g. 800,1333")
    return pair


def names(text):
    """`a, b` -> ("a", "b")."""
    return tuple(part.strip() for part in text.split(","))


def integers(text):
    """`0,255` -> (0, 255)."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected integers, e.g. 0,255") from None
