"""The frame of every page: templates that escape what is put into them, and files in one piece.

A page extends `templates/page.html`, which holds the style, and needs no other file: pictures are
put into it as data URIs.
"""

import base64
import functools
import io
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from kseg.base.atomic import replacing

WIDTH = 320  # of a picture on the page, in pixels; stored twice as wide for fine screens


def write_page(path, template, **content):
    """Writes a page; it appears whole or not at all.

    Args:
        path: The HTML file; its folder is made.
        template: Name of a file in `templates/` that extends `page.html`.
        **content: What the template asks for, `title` among it. Text is escaped.

    Raises:
        jinja2.UndefinedError: the template asks for something else.
    """
    text = _environment().get_template(template).render(content)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def data_uri(picture):
    """A picture, uint8 `(H, W, 3)`, as a small JPEG in a data URI."""
    image = Image.fromarray(picture)
    image.thumbnail((2 * WIDTH, 2 * WIDTH))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


@functools.cache
def _environment():
    environment = Environment(
        loader=PackageLoader("kseg.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["width"] = WIDTH
    return environment
