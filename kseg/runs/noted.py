"""`run.json` and `folds.json`: what both hold, and how it is read and written."""

import json
from pathlib import Path

from kseg.base.atomic import write_json


def read(file, version, make):
    """What a function makes of the fields in a file.

    Args:
        file: Its path.
        version: Of its layout, up to which it is known.
        make: Function of what both files hold, as arguments by name, and of all fields as a dict.

    Raises:
        ValueError: it is damaged, or written by a later kseg.
    """
    try:
        content = json.loads(Path(file).read_text())
        if content["version"] > version:
            raise ValueError(f"version {content['version']} is newer than this kseg")
        shared = {
            "class_names": tuple(content["class_names"]),
            "colors": tuple(map(tuple, content["colors"])),
            "void": content["void"],
            "settings": content["settings"],
            "data": content.get("data"),  # not in files of before, nor is the next
            "begun": content.get("begun") or {},
        }
        return make(shared, content)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{str(file)!r} cannot be read ({error}).") from error


def write(file, version, fields):
    """Writes a dict of fields, and what wrote them."""
    write_json(file, {"version": version, **writer(), **fields})


def writer():
    """What writes: versions of kseg and Keras, and the backend."""
    import keras

    from kseg.base.version import __version__

    return {"kseg": __version__, "keras": keras.__version__, "backend": keras.backend.backend()}


def written_by(file):
    """What wrote a file, as `writer` says it; what the file does not say is as it is now."""
    content = json.loads(Path(file).read_text())
    return {name: content.get(name, value) for name, value in writer().items()}
