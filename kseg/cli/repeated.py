"""`kseg evaluate --repeat`: a scoring that is done again, its numbers beside the earlier ones."""

import argparse
import json
import math
import os
import sys
from pathlib import Path

from kseg.base.arguments import refused, tuples
from kseg.cli.tables import print_table
from kseg.evaluation.table import Table

# What may stand beside --repeat: another model or another place of the data, and files to write
BESIDE = (
    *("run", "data", "json", "results", "confusion"),
    *("repeat", "overwrite", "backend", "traceback"),
)
APART = ("protocol",)  # no numbers
MOST = 20  # differing numbers that are shown


def read(path):
    """The numbers and the protocol of an earlier scoring, a dict.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is none that `kseg evaluate --json` wrote.
    """
    path = Path(path).expanduser()
    remedy = "Give a file that kseg evaluate --json FILE wrote."
    if not path.is_file():
        raise refused("repeat", str(path), "a file that is there", remedy, FileNotFoundError)
    try:
        earlier = json.loads(path.read_text())
        earlier["protocol"]["command"]["options"]
    except (ValueError, KeyError, TypeError):
        expected = "numbers with the protocol of a kseg evaluate"
        raise refused("repeat", str(path), expected, remedy) from None
    return earlier


def begun_with(options, earlier):
    """The options of the command with those of the earlier one, whose backend is taken too.

    Raises:
        ValueError: one is given that the protocol has to say.
    """
    command = earlier["protocol"]["command"]
    for name, value in vars(options).items():
        if name in BESIDE or callable(value) or isinstance(value, dict):
            continue
        if value not in (None, False):
            expected = f"none beside repeat={str(options.repeat)!r}, which says it"
            raise refused(name, value, expected, "Leave it out.")
    backend = earlier["protocol"]["versions"]["backend"]
    if "keras" not in sys.modules and not os.environ.get("KERAS_BACKEND"):
        os.environ["KERAS_BACKEND"] = backend
    again = {**command["options"], "split": command["split"], "run": options.run or command["run"]}
    again["others"] = () if options.run else command.get("others", ())
    if options.data is None:
        spec = dict(command["data"])
        again |= {"data": spec.pop("spec"), **spec}
    else:
        again |= {k: v for k, v in command["data"].items() if k != "spec"}
    again.pop("instances", None)
    return argparse.Namespace(**{**vars(options), **{k: tuples(v) for k, v in again.items()}})


def print_comparison(screen, path, earlier, scores):
    """Says whether two results are equal, and what differs; 0 if they are, else 1."""
    then, now = (dict(flat(each)) for each in (earlier, json.loads(json.dumps(scores))))
    names = [name for name in [*then, *(set(now) - set(then))] if name.split(".")[0] not in APART]
    differing = [name for name in names if not same(then.get(name), now.get(name))]
    for line in changes(then, now):
        screen.print(line, highlight=False, markup=False)
    if not differing:
        text = f"repeated: all {len(names):,} numbers are equal to those of {path}"
        screen.print(text, highlight=False, markup=False)
        return 0
    rows = [(name, shown(then.get(name)), shown(now.get(name))) for name in differing[:MOST]]
    title = f"{len(differing):,} of {len(names):,} numbers differ from those of {path}"
    if len(differing) > MOST:
        title += f"; the first {MOST}"
    print_table(screen, Table(("", "then", "now"), rows, title=title))
    return 1


def changes(then, now):
    """What of the protocol is another: lines of text."""
    names = [name for name in then if name.startswith("protocol.") and ".command." not in name]
    return [
        f"changed: {name.partition('.')[2]}: {shown(then[name])}, now {shown(now.get(name))}"
        for name in names
        if not same(then[name], now.get(name))
    ]


def flat(value, name=""):
    """Pairs of the name and value of each number within dicts and lists.

    >>> list(flat({"a": {"b": [1, 2]}, "c": 3}))
    [('a.b.0', 1), ('a.b.1', 2), ('c', 3)]
    """
    if isinstance(value, (dict, list)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in items:
            yield from flat(each, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def same(a, b):
    """Whether two numbers are equal to the bit; NaN is NaN."""
    both_nan = all(isinstance(each, float) and math.isnan(each) for each in (a, b))
    return both_nan or a == b


def shown(value):
    return f"{value:.9g}" if isinstance(value, float) else str(value)
