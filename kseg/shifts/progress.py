"""What was scored already, in a file: a long list of conditions goes on where it was stopped."""

import hashlib
import json
from pathlib import Path

import numpy as np

from kseg.base.arguments import path, refused
from kseg.base.atomic import write_json


class Kept:
    """Scores by condition, in a file if there is to be one.

    Args:
        file: The JSON file; None to keep them in memory alone.
        protocol: What they were computed of, as JSON can: a file of another protocol is refused.
        overwrite: Whether such a file may go.

    Raises:
        ValueError: the file holds something else.
    """

    def __init__(self, file, protocol, overwrite):
        self.file = None if file is None else path("file", file, "a JSON file")
        self.protocol, self.scores = json.loads(json.dumps(protocol)), {}
        if self.file is None or not self.file.is_file():
            return
        content = _read(self.file)
        if content.get("protocol") == self.protocol:
            self.scores = content["scores"]
        elif not overwrite:
            expected = "the name of a file that is not there yet, or that of the same model and set"
            differ = _difference(content.get("protocol"), self.protocol)
            remedy = f"{differ}Give another name, or overwrite=True."
            raise refused("file", str(file), expected, remedy)

    def get(self, key, make):
        """The scores of a key; made, and written into the file, if they are not there."""
        if key not in self.scores:
            self.scores[key] = make()
            if self.file is not None:
                write_json(self.file, {"protocol": self.protocol, "scores": self.scores})
        return self.scores[key]


def _read(file):
    try:
        content = json.loads(Path(file).read_text())
        return content if isinstance(content, dict) else {}
    except (ValueError, OSError):
        return {}


def _difference(old, new):
    """What is another in the protocol of a file, in a sentence."""
    if not isinstance(old, dict):
        return "It holds something else. "
    names = [name for name in new if old.get(name) != new[name]]
    return f"Its {', '.join(names)} differ. " if names else ""


def fingerprint(model):
    """What tells two models apart: a hash of the weights, or of the files of an export."""
    found = hashlib.sha256()
    if hasattr(model, "weights"):
        import keras

        for weight in model.weights:
            array = keras.ops.convert_to_numpy(keras.ops.cast(weight, "float32"))
            found.update(np.ascontiguousarray(array).tobytes())
    else:
        found.update(str(getattr(model, "name", type(model).__name__)).encode())
        for each in getattr(model, "files", list)():
            files = sorted(Path(each).rglob("*")) if Path(each).is_dir() else [Path(each)]
            for file in filter(Path.is_file, files):
                found.update(file.read_bytes())
    return found.hexdigest()[:16]
