"""TensorFlow Serving's layout: `NAME/VERSION/`, where a version appears whole or not at all."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from kseg.base import atomic
from kseg.base.arguments import integer


def present(folder):
    """The versions in a model's folder, in rising order: dict of number -> folder.

    As TensorFlow Serving reads names, `00000100` is version 100. Empty if there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        return {}
    named = (each for each in folder.iterdir() if each.name.isascii() and each.name.isdecimal())
    return {int(each.name): each for each in sorted(named, key=lambda each: int(each.name))}


def latest(folder):
    """The folder of the highest version.

    Raises:
        FileNotFoundError: there is none.
    """
    versions = present(folder)
    if not versions:
        raise FileNotFoundError(f"{str(folder)!r} holds no version: expected folders 1, 2, 3, ...")
    return versions[max(versions)]


@contextlib.contextmanager
def new(folder, version=None):
    """Yields a folder to write into, which becomes `folder/VERSION` on success.

    A server that polls `folder` never sees a half-written version: until the end it has a name that
    is no number, and lies on the same file system.

    Args:
        folder: The model's folder.
        version: Integer >= 1, or None for the one after the highest.

    Yields:
        The folder to write into, and a list whose one element is, afterwards, the final folder.

    Raises:
        FileExistsError: this version is there already.
        ValueError: `version` is no integer >= 1.
        Unwritten: there is no room.
    """
    folder = Path(folder)
    if version is not None:
        integer("version", version)
    if there := present(folder).get(version):
        raise FileExistsError(
            f"version={version}: {str(there)!r} exists. Servers may be using it: give another "
            "number, or none for the next."
        )
    final = []
    with atomic.into(folder), atomic.folder(folder):
        temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
        try:
            yield temporary, final
            temporary.chmod(0o755)  # mkdtemp's are for their owner alone; a server is another user
            final.append(_move(temporary, folder, version))
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _move(temporary, folder, version):
    while True:
        number = version or max(present(folder), default=0) + 1
        target = folder / str(number)
        try:
            os.rename(temporary, target)  # fails where another export was faster
            return target
        except OSError:
            if version is not None or not target.exists():
                raise
