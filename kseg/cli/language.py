"""Errors and remedies of Python in the words of a command: `palette=[...]` becomes `--palette ...`.

Everything below `kseg.cli` speaks of Python's arguments. The option that stands for one has its
name as `dest`, so one function says the same to who types a command.
"""

import argparse
import ast
import dataclasses
import re
import shlex

ARGUMENT = re.compile(r"""(?<![\w./'"=-])([a-z]\w*)=(?!=)""")
SCALAR = re.compile(r"[-+]?\w+(?:\.\w+)*(?:[-+]\d+)?")
CLOSING = {"(": ")", "[": "]", "{": "}"}


def options_by_name(parser):
    """Name of an argument in Python -> the parser's option, an `argparse.Action`."""
    return {action.dest: action for action in parser._actions if action.dest != "help"}


def spoken(text, options):
    """A message in the words of a command.

    Args:
        text: The message. `name=value` within it, of a name that the command has an option for, is
            written as that option; all else stays.
        options: As of `options_by_name`.

    Example:

    >>> import argparse
    >>> parser = argparse.ArgumentParser()
    >>> _ = parser.add_argument("--palette", type=str), parser.add_argument("data")
    >>> spoken("data='x': no ids. Give palette=[(0, 0, 0), (255, 0, 0)].", options_by_name(parser))
    'data x: no ids. Give --palette 0,0,0/255,0,0.'
    """
    pieces, start = [], 0
    for found in ARGUMENT.finditer(text):
        action = options.get(found[1])
        if action is None or found.start() < start:
            continue
        end = _end_of_value(text, found.end())
        pieces += [text[start : found.start()], _option(action, text[found.end() : end])]
        start = end
    return "".join([*pieces, text[start:]])


def spoken_report(report, options):
    """A `kseg.checks.Report` whose findings are in the words of a command."""
    findings = [
        dataclasses.replace(
            each, message=spoken(each.message, options), remedy=spoken(each.remedy, options)
        )
        for each in report.findings
    ]
    return dataclasses.replace(report, findings=tuple(findings))


def _end_of_value(text, start):
    """Where the Python value ends that begins here."""
    first = text[start : start + 1]
    if first and first in "'\"":
        end = text.find(first, start + 1)
        return end + 1 if end >= 0 else start
    if first in CLOSING:
        depth = 0
        for position in range(start, len(text)):
            depth += (text[position] in CLOSING) - (text[position] in CLOSING.values())
            if not depth:
                return position + 1
    scalar = SCALAR.match(text, start)
    return scalar.end() if scalar else start


def _option(action, value):
    """An option with its value as they are typed."""
    if isinstance(action, argparse.BooleanOptionalAction):
        with_it, without = action.option_strings
        return {"False": without, "None": f"no {with_it}"}.get(value, with_it)
    name = action.option_strings[-1] if action.option_strings else action.dest
    if action.nargs == 0:  # a switch
        return name if value in ("", repr(action.const)) else f"no {name}"
    if value == "None":
        return f"no {name}"
    typed = _typed(value, getattr(action.type, "separator", ","))
    if typed.startswith("-"):  # else argparse takes it for an option
        return f"{name}={typed}"
    return f"{name} {typed}".rstrip()


def _typed(value, separator):
    """A value of Python as it is typed: `(0, 255)` -> `0,255`, `[(r, g, b), ..]` -> `r,g,b/..`."""
    try:
        value = ast.literal_eval(value)
    except (SyntaxError, ValueError):  # names that stand for numbers
        return re.sub(r"[()\[\]\s]", "", re.sub(r"\)\s*,\s*", "/", value))
    if isinstance(value, (tuple, list)):
        value = [each for each in value if each is not ...]  # and so on, which nobody can type
        nested = any(isinstance(each, (tuple, list)) for each in value)
        parts = [_typed(repr(each), separator) if nested else str(each) for each in value]
        typed = ("/" if nested else separator).join(parts)
        return shlex.quote(typed) if any(isinstance(each, str) for each in value) else typed
    return shlex.quote(value) if isinstance(value, str) else str(value)
