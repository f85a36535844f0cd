"""How the options of a format are declared: each field with its text, which is written once.

A format has a frozen dataclass of its options. `help` of it and the flags of `kseg export` are made
from its fields.
"""

import dataclasses
import inspect
import textwrap
from typing import Any, TypeVar

Names = tuple[str, ...]
Sides = tuple[int, int]  # shortest, longest
Threshold = float | tuple[float, ...]  # of all classes, or of each
Size = tuple[int | None, int | None]  # height, width; None for any

Options = TypeVar("Options")  # a class of them

WIDTH = 100  # of the docstrings' lines


def option(default: Any, about: str) -> Any:
    """A field of an options class, with the text that its users read."""
    return dataclasses.field(default=default, metadata={"about": about})


def documented(cls: type[Options]) -> type[Options]:
    """Decorator of an options class: its docstring gets the list of its fields."""
    text, _, example = inspect.cleandoc(cls.__doc__ or "").partition("Example:\n")
    lines = ["Args:"]
    for field in dataclasses.fields(cls):
        lines += textwrap.wrap(
            f"{field.name}: {field.metadata['about']} Default {field.default!r}.",
            WIDTH,
            initial_indent=" " * 4,
            subsequent_indent=" " * 8,
        )
    cls.__doc__ = "\n".join([text.rstrip(), "", *lines, "", "Example:", example])
    return cls
