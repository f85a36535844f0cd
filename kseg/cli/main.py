"""The `kseg` command: finds the command that is asked for, runs it, and says what went wrong.

Each command is a module beside this one, with `HELP`, `add_arguments` and `run`.
"""

import argparse
import os
import sys

from kseg.base.version import __version__
from kseg.cli import check, demo, evaluate, export, fit, info, predict
from kseg.cli.language import options_by_name, spoken

BACKENDS = ("tensorflow", "jax", "torch")
COMMANDS = {
    "demo": demo,
    "check": check,
    "fit": fit,
    "evaluate": evaluate,
    "predict": predict,
    "export": export,
    "info": info,
}


def main(arguments=None):
    """Entry point of the `kseg` command; returns the exit code.

    0 is success, 1 errors that `kseg check` found in the data, 2 a mistake in the arguments or the
    data (one line on standard error), 130 an interruption.
    """
    options = parser().parse_args(arguments)
    if options.backend:
        os.environ["KERAS_BACKEND"] = options.backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up chatter
    try:
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


def parser():
    """The parser of every command."""
    whole = argparse.ArgumentParser(prog="kseg", description="Image segmentation on Keras 3.")
    whole.add_argument("--version", action="version", version=f"kseg {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--backend", choices=BACKENDS, help="Keras backend (or KERAS_BACKEND)")
    common.add_argument("--traceback", action="store_true", help="show where an error came from")
    commands = whole.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        text = command.HELP
        sub = commands.add_parser(name, help=text, description=text, parents=[common])
        command.add_arguments(sub)
        sub.set_defaults(run_command=command.run, by_name=options_by_name(sub))
    return whole


if __name__ == "__main__":
    sys.exit(main())
