"""The `kseg` command: arguments in, `kseg.commands` does the rest."""

import argparse
import os
import sys
from pathlib import Path

from kseg import commands, export_cli
from kseg.commands import DATA

BACKENDS = ("tensorflow", "jax", "torch")


def main(arguments=None):
    """Entry point of the `kseg` command; returns the exit code.

    0 is success, 1 errors that `kseg check` found in the data, 2 a mistake in the arguments or the
    data (one line on standard error), 130 an interruption.
    """
    options = _parser().parse_args(arguments)
    if options.backend:
        os.environ["KERAS_BACKEND"] = options.backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up chatter
    try:
        return options.command(options) or 0
    except KeyboardInterrupt:
        print("kseg: interrupted", file=sys.stderr)
        return 130
    except (ValueError, OSError, ImportError) as error:
        if options.traceback:
            raise
        print(f"kseg: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


def _parser():
    from kseg import __version__

    parser = argparse.ArgumentParser(prog="kseg", description="Image segmentation on Keras 3.")
    parser.add_argument("--version", action="version", version=f"kseg {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--backend", choices=BACKENDS, help="Keras backend (or KERAS_BACKEND)")
    common.add_argument("--traceback", action="store_true", help="show where an error came from")
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name, function, text):
        sub = subparsers.add_parser(name, help=text, description=text, parents=[common])
        sub.set_defaults(command=function)
        return sub

    sub = command("demo", commands.demo, "Train, evaluate and draw, without any data of your own.")
    sub.add_argument("--data", default="shapes", help=f"shapes (default), or {DATA}")
    sub.add_argument("--run", default="runs/demo", help="folder for the results (%(default)s)")
    sub.add_argument("--epochs", type=int, help="passes over the data (default: about 2 minutes)")

    sub = command(
        "check", commands.check, "Find what is wrong with a data set, before training on it."
    )
    sub.add_argument("data", help=DATA)
    sub.add_argument("--json", type=Path, metavar="FILE", help="also write the findings here")
    sub.add_argument("--html", type=Path, metavar="FILE", help="also write a page with pictures")
    sub.add_argument("--limit", type=int, help="samples of each split to look at (all)")
    sub.add_argument("--instances", action="store_true", help="check objects, not labels")
    _data_options(sub)

    sub = command("fit", commands.fit, "Train a network.")
    sub.add_argument("data", nargs="?", help=DATA)
    sub.add_argument("--run", default="runs/unet", help="folder for the run (%(default)s)")
    sub.add_argument("--resume", action="store_true", help="go on with the run from its last step")
    _data_options(sub)
    sub.add_argument(
        "--no-check", action="store_true", help="train in spite of errors that the check finds"
    )
    sub.add_argument("--model", choices=commands.MODELS, default="unet", help="(%(default)s)")
    sub.add_argument("--encoder", help="encoder in place of the paper's, e.g. efficientnet_lite0")
    sub.add_argument("--weights", help="weights of the encoder: imagenet or a file")
    sub.add_argument("--freeze", action="store_true", help="leave the encoder as it is")
    sub.add_argument("--width", type=int, help="channels, as the model's builder has it (unet: 32)")
    sub.add_argument("--depth", type=int, help="times halved (unet: 4)")
    sub.add_argument("--logits-stride", type=int, choices=(1, 2, 4), help="of unet (1)")
    sub.add_argument("--size", type=_size, metavar="HxW", help="crop in pixels (256x256)")
    sub.add_argument("--scale", type=_pair, metavar="LOW,HIGH", help="random scale (0.5,2)")
    for name, kind, text in (
        ("batch-size", int, "crops a step (8)"),
        ("epochs", int, "passes over the data (30)"),
        ("learning-rate", float, "peak of the schedule (0.002)"),
        ("checkpoint-steps", int, "steps between checkpoints (100)"),
        ("validate-epochs", int, "epochs between validations (1)"),
        ("seed", int, "of weights, order and augmentation (0)"),
    ):
        sub.add_argument(f"--{name}", type=kind, help=text)

    sub = command("evaluate", commands.evaluate, "Score a run on labelled data.")
    sub.add_argument("run", help="run folder")
    sub.add_argument("data", nargs="?", help="as for fit; default: the run's own")
    sub.add_argument("--split", default="val", help="train, val or test (%(default)s)")
    for name, text in (
        ("boundary", "score contours too: Boundary IoU and boundary F1"),
        ("surface", "measure surface distances too, in pixels (needs SciPy)"),
        ("calibration", "compare confidence with accuracy too"),
    ):
        sub.add_argument(f"--{name}", action="store_true", help=text)
    sub.add_argument(
        "--detections",
        type=Path,
        metavar="FILE",
        help="of an instance model: also write what it finds here, as COCO's results",
    )
    sub.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers here")
    _data_options(sub)

    sub = command(
        "predict", commands.predict, "Write id masks, or objects, and colour overlays of photos."
    )
    sub.add_argument("photos", nargs="+", type=Path, help="image files, or folders of them")
    sub.add_argument("-o", "--output", required=True, type=Path, help="folder for the results")
    sub.add_argument("--run", default="runs/unet", help="run folder (%(default)s)")
    sub.add_argument(
        "--min-score", type=float, help="of an instance model: leave out objects below this (0.5)"
    )

    sub = command(
        "export", export_cli.export, "Write a model for a server, or in another format; checked."
    )
    sub.add_argument("run", help="run folder or .keras file")
    sub.add_argument("path", help="folder for SavedModels (PATH/NAME/VERSION); else the file")
    _export_options(sub)
    _data_options(sub)

    sub = command(
        "info", commands.info, "Show versions and devices, or what a run or an export holds."
    )
    sub.add_argument("run", nargs="?", help="run folder, or exported SavedModel")
    return parser


def _export_options(parser):
    parser.add_argument(
        "--format", choices=("saved_model", "onnx", "litert", "openvino"), default="saved_model"
    )
    parser.add_argument("--data", help="to compare on, as for fit; default: the run's own")
    parser.add_argument("--split", default="val", help="train, val or test (%(default)s)")
    for name, kind, text in (
        ("samples", int, "how many photos to compare on (8)"),
        ("tolerance", float, "share of results that may differ (by precision)"),
        ("max-drop", float, "by how much the mean IoU may fall (0.01)"),
        ("name", str, "SavedModel: name it is served under (the model's)"),
        ("version", int, "SavedModel: (the next)"),
        ("signatures", _names, "SavedModel: names, comma-separated, e.g. with tiled or logits"),
        ("resize", _int_pair, "SavedModel: SHORTEST,LONGEST side for the network (as they are)"),
        ("max-pixels", int, "SavedModel: larger photos are refused (50000000)"),
        ("tile", int, "SavedModel: side of a tile of `tiled` (512)"),
        ("overlap", int, "SavedModel: what a tile shares with the next (128)"),
        ("min-score", float, "of objects (0.5)"),
        ("threshold", float, "of masks of objects (0.5)"),
        ("shape", _size, "HEIGHTxWIDTH that another format takes (any)"),
    ):
        parser.add_argument(f"--{name}", type=kind, help=text)
    parser.add_argument("--overlay", choices=("jpeg", "png"), help="SavedModel: of overlays (jpeg)")
    parser.add_argument(
        "--precision", choices=("float32", "float16", "int8"), help="of another format (float32)"
    )


def _data_options(parser):
    parser.add_argument(
        "--classes", type=_names, help="class names of folder:PATH or tfds:NAME, comma-separated"
    )
    parser.add_argument("--values", type=_ints, help="mask value of each class, e.g. 0,255")
    parser.add_argument(
        "--val-fraction",
        type=float,
        default=0.2,
        help="where the set has no split of its own (0.2)",
    )


def _size(text):
    height, _, width = text.lower().partition("x")
    if not (height.isdigit() and width.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r}: expected HEIGHTxWIDTH, e.g. 224x320")
    return int(height), int(width)


def _pair(text):
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected LOW,HIGH, e.g. 0.5,2") from None
    return low, high


def _int_pair(text):
    pair = _ints(text)
    if len(pair) != 2:
        raise argparse.ArgumentTypeError(f"{text!r}: expected two integers, e.g. 800,1333")
    return pair


def _names(text):
    return tuple(part.strip() for part in text.split(","))


def _ints(text):
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected integers, e.g. 0,255") from None


if __name__ == "__main__":
    sys.exit(main())
