"""Photos inside JSON files, as labelme writes them: `imageData`, in base64.

The path of such a file stands for the photo where there is no other file of it. It is taken out
each time it is read, and lies in no memory between.
"""

import base64
import binascii
import io
import json
import re
from pathlib import Path

from kseg.data.errors import DataError, MissingData
from kseg.data.listing import PHOTOS, list_files
from kseg.data.tiff import is_tiff

KEY = "imageData"
HELD = re.compile(rb'"imageData"\s*:\s*"')  # of a file's text, as `has_photo` of its content
EXPORT = "Save it again in labelme, beside its photo."


def is_embedded(path):
    """Whether a photo's path is that of a JSON file, which holds it."""
    return str(path).lower().endswith(".json")


def has_photo(content):
    """Whether the content of a JSON file holds a photo."""
    return isinstance(content.get(KEY), str) and bool(content[KEY].strip())


def photo_files(folder, argument):
    """The photos of a folder, by name; where there is none, the JSON files that hold one each.

    Args:
        folder, argument: As of `kseg.data.listing.list_files`.

    Raises:
        MissingData: the folder does not exist, or holds neither.
    """
    try:
        return list_files(folder, PHOTOS, argument)
    except MissingData as error:
        files = [path for path in Path(folder).expanduser().glob("*") if is_embedded(path)]
        files = sorted(str(path) for path in files if path.is_file() and path.name[:1] != ".")
        if holding := [file for file in files if HELD.search(Path(file).read_bytes())]:
            return holding
        if not files:
            raise
        remedy = "Give the folder of the photos: these JSON files hold none."
        raise MissingData("missing", folder, error.message, remedy) from None


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
