"""The `kseg` command: finds the command that is asked for, runs it, and says what went wrong.

Each command is a module beside this one, with `add_arguments` and `run`, imported when it is asked
for.
"""

import argparse
import importlib
import importlib.util
import os
import sys

from kseg.base.arguments import choice
from kseg.base.optional import import_package
from kseg.base.quiet import silence_tensorflow
from kseg.base.version import __version__
from kseg.base.words import spoken_as
from kseg.cli.language import options_by_name, spoken

BACKENDS = ("tensorflow", "jax", "torch")
OTHERS = ("openvino", "numpy")  # Keras' own beside them, which predict alone
COMMANDS = {  # and what they say of themselves
    "demo": "Train, evaluate and draw, without any data of your own.",
    "data": "Show what is understood of a data set: counts, classes, sizes, three pictures.",
    "check": "Find what is wrong with a data set, before training on it.",
    "convert": "Write a data set in another layout: COCO, VOC, Cityscapes, YOLO, folder or "
    "records.",
    "plan": "Propose the settings of a training, from what a data set holds.",
    "fit": "Train a network.",
    "evaluate": "Score a run or an export on labelled data.",
    "compare": "Score two runs or exports on the same images, and test their difference.",
    "report": "Show what a run has become, or two side by side, as one HTML page.",
    "card": "Write the card of a run: what it is, of which data, how good, and where not.",
    "robustness": "Score a run or an export under corruptions, at other scales, in other light, by "
    "scene.",
    "adapt": "Adapt a model to photos of a new scene, without labels.",
    "predict": "Write id masks, or objects, and colour overlays of photos and videos.",
    "export": "Write a model for a server, or in another format; checked.",
    "info": "Show versions and devices, or what a run, a model or an export holds.",
}


def main(arguments=None):
    """Entry point of the `kseg` command; returns the exit code.

    0 is success, 1 errors that `kseg check` found in the data or photos that `kseg predict` could
    not read, 2 a mistake in the arguments or the data (one line on standard error), 130 an
    interruption.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser({*arguments} & {*COMMANDS}).parse_args(arguments)
    if options.backend:
        os.environ["KERAS_BACKEND"] = options.backend
    silence_tensorflow()
    try:
        check_backend(os.environ.get("KERAS_BACKEND"))
        with spoken_as(lambda text: spoken(text, options.by_name)):
            return options.run_command(options) or 0
    except KeyboardInterrupt:
        print("kseg: interrupted", file=sys.stderr)
        return 130
    except (ValueError, OSError, ImportError) as error:
        if options.traceback:
            raise
        message = spoken(str(error), options.by_name)
        print(f"kseg: {' '.join(message.split())}", file=sys.stderr)
        return 2
    except Exception as error:  # nothing that kseg has foreseen: still no bare traceback
        if options.traceback:
            raise
        print(
            f"kseg: {type(error).__name__}: {' '.join(str(error).split())} "
            "(--traceback shows where it came from)",
            file=sys.stderr,
        )
        return 2


def check_backend(name):
    """Raises if the backend that Keras is told is not there; None is Keras' own choice."""
    if name is None or name in sys.modules:
        return
    choice("KERAS_BACKEND", name, (*BACKENDS, *OTHERS))
    if importlib.util.find_spec(name) is None:
        import_package(name, name, f"The backend {name!r}")


def parser(known=tuple(COMMANDS)):
    """The parser of every command.

    Args:
        known: Names of the commands that are to know their arguments. Defaults to all.
    """
    whole = argparse.ArgumentParser(prog="kseg", description="Image segmentation on Keras 3.")
    whole.add_argument("--version", action="version", version=f"kseg {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--backend", choices=BACKENDS, help="Keras backend (or KERAS_BACKEND)")
    common.add_argument("--traceback", action="store_true", help="show where an error came from")
    commands = whole.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        sub = commands.add_parser(name, help=text, description=text, parents=[common])
        if name in known:
            command = importlib.import_module(f"kseg.cli.{name}")
            command.add_arguments(sub)
            sub.set_defaults(run_command=command.run, by_name=options_by_name(sub))
    return whole


if __name__ == "__main__":
    sys.exit(main())
