"""How things of kseg show themselves: one line where they are printed, one card in a notebook.

A card is HTML that needs no other file, takes the notebook's own colours, light or dark, and has
all its text escaped.
"""

import functools
from collections.abc import Sequence

LONGEST = 100  # characters of a line
MOST_ROWS = 40  # of a table


def line(thing: object, text: str) -> str:
    """What `repr` says of a thing: its class, and text about it.

    >>> line([], "nothing in it"), line([], "")
    ('<list: nothing in it>', '<list>')
    """
    text = " ".join(f"{type(thing).__name__}: {text}".split()).removesuffix(":")
    fits = len(text) <= LONGEST - 2
    return f"<{text}>" if fits else f"<{text[: LONGEST - 5]}...>"


def counted(number: int, name: str) -> str:
    """A number of things.

    >>> counted(1, "class"), counted(2, "class"), counted(1000, "pixel")
    ('1 class', '2 classes', '1,000 pixels')
    """
    plural = "" if number == 1 else "es" if name.endswith("s") else "s"
    return f"{number:,} {name}{plural}"


def card(
    title: str,
    *,
    lines: Sequence[str] = (),
    headings: Sequence[str] = (),
    rows: Sequence[Sequence[str]] = (),
    colors: Sequence[Sequence[int]] = (),
    pictures: Sequence[tuple[str, str]] = (),
) -> str:
    """A card.

    Args:
        title: Its first line.
        lines: Further lines of text.
        headings: Of the table's columns; without, there is none.
        rows: Of the table. Beyond 40 it says how many more there are.
        colors: RGB of the swatch before each row; empty for none.
        pictures: `(address, caption)` of each, as `kseg.pictures.image.data_uri` makes addresses.

    Returns:
        An element of HTML as text.

    Example:

    >>> "<b>a &lt; b</b>" in card("a < b")
    True
    """
    return (
        templates("kseg.base")
        .get_template("card.html")
        .render(
            title=title,
            lines=lines,
            headings=headings,
            rows=list(zip(rows, colors or [None] * len(rows)))[:MOST_ROWS],
            more=len(rows) - MOST_ROWS,
            pictures=pictures,
        )
    )


@functools.cache
def templates(package: str, **names: object):
    """The templates of a package, a Jinja2 environment: what is put into them is escaped.

    Args:
        package: Its folder `templates` holds them; what is not there is taken from `kseg.base`'s,
            as the frame of a page.
        **names: What all of them may ask for.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("kseg.base")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals |= names
    return environment
