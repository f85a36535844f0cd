"""Files that appear whole or not at all, whatever interrupts the program."""

import contextlib
import json
import os


def write_json(path, content):
    """Writes a file of JSON, and the folder for it.

    Args:
        path: A `pathlib.Path`.
        content: Of dicts, lists, strings and numbers.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


@contextlib.contextmanager
def replacing(path):
    """Yields a temporary path in the same folder and moves it to `path` on success."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
