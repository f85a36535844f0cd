"""What several commands share: how an argument is read, and the options that name data.

Keras and TensorFlow take seconds to import, so only the commands that need them do.
"""

import argparse

DATA = (
    "the folder of the data, whose layout is found by looking; or by name: camvid:PATH, voc:PATH, "
    "cityscapes:PATH, ade20k:PATH, oxford_pets:PATH, coco:PATH, yolo:PATH, labelme:PATH, "
    "cvat:PATH, via:PATH, jsonl:PATH, rle:PATH, nnunet:PATH, tfds:NAME, folder:PATH, "
    "records:PATH or shapes"
)
BANDS = "bands that pictures show, counted from 0, e.g. 3,2,1 (0,1,2)"


def add_data_options(parser):
    """The options that say how a data set is to be opened; see `kseg.data.spec.DataSpec`.

    Here as everywhere, `dest` is the name in Python, by which `kseg.cli.language` finds the option.
    """
    parser.add_argument(
        "--classes",
        dest="class_names",
        type=names,
        help="class names, comma-separated, where no file of the set says them",
    )
    parser.add_argument("--values", type=integers, help="mask value of each class, e.g. 0,255")
    parser.add_argument(
        "--palette",
        type=colors,
        help="colour of each class in masks of colours, e.g. 0,0,0/255,0,0",
    )
    parser.add_argument(
        "--void",
        dest="void_values",
        type=values_or_colors,
        help="mask values (or colours) of pixels without a label (255), e.g. 0,255",
    )
    parser.add_argument(
        "--mask-suffix", help="what a mask's name adds to its photo's, e.g. _mask for a_mask.png"
    )
    parser.add_argument(
        "--bits", type=int, help="bits that the photos' numbers use (8), e.g. 12: 0..4095"
    )
    parser.add_argument(
        "--value-range",
        type=range_pair,
        metavar="LOW,HIGH",
        help="or what black and white are among them, e.g. 0,1",
    )
    parser.add_argument("--bands", type=integers, metavar="R,G,B", help=BANDS)
    add_clip(parser)
    parser.add_argument(
        "--attribute", help="of a set of VIA's: the attribute that is a region's class"
    )
    parser.add_argument(
        "--order", help="of run-lengths in a table: pixels are counted by columns, or by rows"
    )
    parser.add_argument(
        "--pairs",
        type=patterns,
        metavar="PHOTOS,MASKS",
        help="patterns of paths, with {} for the same text in both, e.g. '{}_sat.jpg,{}_mask.png'; "
        "of a file for each band 'red/{}.tif+nir/{}.tif,mask/{}.png', of masks for each class "
        "'{}.jpg,{class}/{}.png' with --multilabel",
    )
    parser.add_argument(
        "--class-masks",
        metavar="FOLDER",
        help="with objects: a second mask each, of classes, in this folder of the set (or pattern)",
    )
    parser.add_argument(
        "--pixel-weights",
        metavar="FOLDER",
        help="a weight of each pixel for the loss, in pictures or arrays in this folder of the set "
        "(or pattern)",
    )
    parser.add_argument(
        "--weight-scale", type=float, help="the number that is weight 1 in these, e.g. 255"
    )
    parser.add_argument(
        "--splits",
        type=names,
        metavar="TRAIN,VAL",
        help="what the set calls its splits (train,val), e.g. training,validation",
    )
    parser.add_argument(
        "--val-fraction", type=float, help="where the set has no split of its own (0.2)"
    )
    parser.add_argument(
        "--multilabel",
        action="store_true",
        default=None,
        help="of folder:PATH, rle:PATH and nnunet:PATH: a pixel may have several classes",
    )


def add_clip(parser):
    """The option for numbers of photos that are beyond their range."""
    parser.add_argument(
        "--clip",
        action="store_true",
        default=None,
        help="take numbers beyond the range of the photos for its ends, in place of an error",
    )


def add_overwrite(parser):
    """The option that lets earlier results go, which `kseg.base.outputs` asks for."""
    parser.add_argument("--overwrite", action="store_true", help="replace results that are there")


def outputs_of(options, *names):
    """The files that these options ask for, as `kseg.base.outputs.check_outputs` takes them."""
    return [(name, getattr(options, name)) for name in names if getattr(options, name) is not None]


DATA_OPTIONS = (
    "class_names",
    "values",
    "palette",
    "void_values",
    "mask_suffix",
    "bits",
    "value_range",
    "bands",
    "clip",
    "pairs",
    "class_masks",
    "pixel_weights",
    "weight_scale",
    "attribute",
    "order",
    "splits",
    "val_fraction",
    "multilabel",
)


def data_spec(options, screen, instances=False):
    """The `DataSpec` of the data that the options name; prints what was found by looking."""
    from kseg.data.spec import DataSpec

    asked = DataSpec(options.data, instances=instances, **given(options, DATA_OPTIONS))
    spec = asked.resolved()
    if found := spec.found_since(asked):
        screen.print(f"data: {found}", highlight=False, markup=False)
    return spec


def opened_splits(spec):
    """The splits that a set has: "train", "val" and "test" -> `Source`.

    Raises:
        DataError, ValueError: one of them cannot be opened; or there is none.
    """
    from kseg.data.errors import DataError

    sources, absent = {}, None
    for split in ("train", "val", "test"):
        try:
            sources[split] = spec.open(split, probe=False)
        except DataError as error:
            if error.kind != "no_split":
                raise
            absent = absent or error
    if not sources:
        raise absent
    return sources


def add_with(parser):
    """The option of further runs, which answer with the first as one."""
    parser.add_argument(
        "--with",
        dest="others",
        action="append",
        metavar="RUN",
        help="another run or .keras file of the same classes, which answers with the first as one "
        "(an ensemble); repeatable. A folder of folds is one by itself",
    )


def loaded_of(run, options):
    """What `kseg.load` gives of a run, and of those that `--with` names beside it."""
    from kseg.deployment.load import load

    return load([run, *options.others] if options.others else run)


def own_data(loaded, options):
    """The `DataSpec` of the data that the run of a model learned from, as `kseg.load` gives it.

    Options about data go with data alone.
    """
    from kseg.base.arguments import refused
    from kseg.data.spec import DataSpec

    run = getattr(loaded, "run", None)
    if run is None or not run.data:
        raise ValueError(
            f"{str(loaded.path)!r} does not say its data: give them, e.g. camvid:PATH."
        )
    for name, value in given(options, DATA_OPTIONS).items():
        expected = f"None for the run's own data, {run.data['spec']}"
        raise refused(name, value, expected, "Leave it out, or name the data too.")
    return DataSpec.from_json(run.data)


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


size.separator = "x"


def number_pair(text):
    """`LOW,HIGH` -> two floats."""
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected LOW,HIGH, e.g. 0.5,2") from None
    return low, high


def threshold(text):
    """`0.5` -> 0.5; `0.5,0.3` -> (0.5, 0.3), one for each class."""
    try:
        several = tuple(float(part) for part in text.split(","))
    except ValueError:
        message = f"{text!r}: expected a number, or one for each class, e.g. 0.5 or 0.5,0.3"
        raise argparse.ArgumentTypeError(message) from None
    return several if len(several) > 1 else several[0]


def add_threshold(parser):
    """The option for the probability from which something is decided; see `kseg.predict`."""
    parser.add_argument(
        "--threshold",
        type=threshold,
        metavar="NUMBER[,NUMBER...]",
        help="of a multilabel model: probability above which a pixel has a class (0.5, or what an "
        "export was told), one or one for each class",
    )


def add_object_options(parser):
    """The options of an instance model that predicts, without building it anew."""
    parser.add_argument(
        "--min-score", type=float, help="of an instance model: leave out objects below this (0.5)"
    )
    parser.add_argument(
        "--detections", type=int, help="objects of a photo at most (as the model was built)"
    )
    parser.add_argument(
        "--overlap",
        type=float,
        help="intersection over union above which one of two objects of a class is dropped (as the "
        "model was built)",
    )


def range_pair(text):
    """`LOW,HIGH` -> two numbers, integers where they are written so.

    >>> range_pair("0,4095"), range_pair("0,1.0")
    ((0, 4095), (0, 1.0))
    """
    number_pair(text)  # says so if it is none
    return tuple(
        int(part) if part.strip().lstrip("-").isdigit() else float(part) for part in text.split(",")
    )


def integer_pair(text):
    """`A,B` -> two integers."""
    pair = integers(text)
    if len(pair) != 2:
        raise argparse.ArgumentTypeError(f"{text!r}: expected two integers, e.g. 800,1333")
    return pair


def colors(text):
    """`0,0,0/255,0,0` -> ((0, 0, 0), (255, 0, 0))."""
    found = tuple(integers(part) for part in text.split("/"))
    if any(len(color) != 3 or not all(0 <= c <= 255 for c in color) for color in found):
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected R,G,B/R,G,B/... of 0..255, e.g. 0,0,0/255,0,0"
        )
    return found


def values_or_colors(text):
    """`0,255` -> (0, 255); with a slash, or a slash at the end, as `colors`."""
    return colors(text.strip("/")) if "/" in text else integers(text)


def patterns(text):
    """`{}_sat.jpg,{}_mask.png` -> two patterns; `a/{}+b/{},m/{}` -> those of bands, and another."""
    photos, _, masks = (part.strip() for part in text.partition(","))
    bands = tuple(part.strip() for part in photos.split("+"))
    pair = (bands if len(bands) > 1 else photos, masks)
    if not all("{}" in part and "," not in part for part in (*bands, masks)):
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected PHOTOS,MASKS, each with {{}}, e.g. '{{}}_sat.jpg,{{}}_mask.png'"
        )
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


def add_tta(parser):
    """The option of the ways to see a photo."""
    from kseg.prediction.views import AXES

    parser.add_argument(
        "--tta",
        type=views,
        metavar="VIEW[,VIEW...]",
        help=f"see photos several ways and average: {', '.join(AXES)} (mirrored), and of a model "
        "that labels pixels scales, e.g. horizontal,0.75,1.25",
    )


def views(text):
    """`horizontal,0.75` -> ("horizontal", 0.75)."""
    return tuple(_view(part.strip()) for part in text.split(","))


def _view(part):
    try:
        return float(part)
    except ValueError:
        return part
