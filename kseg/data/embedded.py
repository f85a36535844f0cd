"""Photos inside JSON files, as labelme writes them: `imageData`, in base64.

The path of such a file stands for the photo where there is no other file of it. It is taken out
each time it is read, and lies in no memory between.
"""

import base64
import binascii
import io
import json
from pathlib import Path

from kseg.data.errors import DataError
from kseg.data.tiff import is_tiff

KEY = "imageData"
EXPORT = "Save it again in labelme, beside its photo."


def is_embedded(path):
    """Whether a photo's path is that of a JSON file, which holds it."""
    return str(path).lower().endswith(".json")


def has_photo(content):
    """Whether the content of a JSON file holds a photo."""
    return isinstance(content.get(KEY), str) and bool(content[KEY].strip())


def embedded(path):
    """The bytes of the photo in a JSON file: those of a JPEG, PNG or the like.

    Raises:
        DataError: there is none, or it is damaged.
    """
    try:
        content = json.loads(Path(path).read_bytes())[KEY]
        photo = base64.b64decode(content.partition("base64,")[2] or content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
        message = f"{str(path)!r} holds no photo that can be read as {KEY}."
        raise DataError("unreadable", path, message, EXPORT) from None
    if is_tiff(photo[:4]):  # which may hold bands and pages: its readers want a file
        message = f"{str(path)!r} holds a TIFF as {KEY}: expected a JPEG or PNG."
        raise DataError("unsuitable", path, message, EXPORT)
    return photo


def opened(path):
    """A photo's path; or, of one in a JSON file, a stream of its bytes."""
    return io.BytesIO(embedded(path)) if is_embedded(path) else path
