"""The frame of every page: templates that escape what is put into them, and files in one piece.

A page extends `page.html` of `kseg.base`, which holds style, keys and the switch of light and dark,
and needs no other file: pictures are put into it as data URIs.
"""

from pathlib import Path

from kseg.base.atomic import replacing
from kseg.base.shown import templates
from kseg.base.version import __version__


def write_page(path, template, **content):
    """Writes a page; it appears whole or not at all.

    Args:
        path: The HTML file; its folder is made.
        template: Name of a file in `templates/` that extends `page.html`.
        **content: What the template asks for, `title` among it. Text is escaped.

    Raises:
        jinja2.UndefinedError: the template asks for something else.
    """
    text = templates("kseg.reports", version=__version__).get_template(template).render(content)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
