"""Files about to be written, beside what is there: nothing of a user's is written over.

Every command looks here before it starts: a refusal costs nothing and leaves nothing behind.
"""

import os
import unicodedata
from pathlib import Path

from kseg.base.arguments import refused


def check_outputs(outputs, inputs=(), overwrite=False):
    """Raises unless these files can be written without harm to any that is there.

    An output is never one of the inputs, by whatever name, link or letter case either is reached,
    nor lies in a folder of them under a name that is taken; no two outputs are one file; and what
    is there is only replaced if `overwrite` says so.

    Args:
        outputs: Pairs of the argument that asks for a file, and the file's path.
        inputs: Paths that are read: files, and folders of which no file may be replaced.
        overwrite: Whether other files may be replaced. Defaults to False.

    Raises:
        ValueError: two outputs are one file, or an output is an input.
        FileExistsError: an output is there already.
        NotADirectoryError: where a folder is needed for an output, there is a file.

    Example:

    >>> check_outputs([("json", "scores.json"), ("html", "./Scores.JSON")])
    Traceback (most recent call last):
    ValueError: html='Scores.JSON': expected another file than json='scores.json'. Give two names.
    """
    outputs = [(name, Path(path).expanduser()) for name, path in outputs]
    _check_apart(outputs)
    for name, path in outputs:
        check_folder(name, path)
    present = [(name, path) for name, path in outputs if os.path.lexists(path)]
    if not present:
        return
    _check_no_inputs(present, [Path(path).expanduser() for path in inputs])
    for name, path in present:
        if path.is_dir():
            raise refused(name, str(path), "a file, and this is a folder", "Give another name.")
    if not overwrite:
        name, path = present[0]
        more = f" ({len(present)} of {len(outputs)} are there)" if len(outputs) > 1 else ""
        raise refused(
            name,
            str(path),
            f"the name of a file that is not there yet{more}",
            "Give another one, or overwrite=True to replace what is there.",
            FileExistsError,
        )


def _check_apart(outputs):
    """No two outputs are one file, nor is one the folder of another."""
    known = {}
    for name, path in outputs:
        first = known.setdefault(place(path), (name, path))
        if first != (name, path):
            other = f"another file than {first[0]}={str(first[1])!r}"
            raise refused(name, str(path), other, "Give two names.")
    for name, path in outputs:
        for parent in place(path).parents:
            if parent in known:
                other, folder = known[parent]
                expected = f"a file that is not within {other}={str(folder)!r}, a file too"
                raise refused(name, str(path), expected, "Give two names.")


def check_folder(name, path):
    """Raises `NotADirectoryError` unless what is there of the path to an output are folders."""
    there = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
    if not there.is_dir():
        expected = f"a path through folders, and {str(there)!r} is a file"
        raise refused(name, str(path), expected, "Give another one.", NotADirectoryError)


def _check_no_inputs(outputs, inputs):
    """None of the outputs, which exist, is an input or lies in a folder of inputs."""
    read = {identity(path): path for path in inputs if path.exists()}
    for name, path in outputs:
        # the link and what it leads to: neither the name nor the file is the user's to lose
        own = {identity(path)} if path.exists() else set()
        if own & read.keys():
            expected = "another file than those that are read, which would be lost"
            raise refused(name, str(path), expected, "Give another name.")
        for parent in (*path.absolute().parents, *path.resolve().parents):
            if parent.is_dir() and identity(parent) in read:
                expected = (
                    f"the name of a file that is not there yet in {str(read[identity(parent)])!r}, "
                    "whose files are read"
                )
                raise refused(name, str(path), expected, "Give another name or folder.")


def identity(path):
    """What tells whether two paths that exist are one file: links and letter case do not matter."""
    found = os.stat(path)
    return found.st_dev, found.st_ino


def place(path):
    """A path as all of its spellings have it, also on a file system that ignores letter case.

    Two names that only such a system takes for one are one here everywhere: results are copied.

    >>> place("a/../B.png") == place("b.PNG")
    True
    """
    folder = os.path.realpath(os.path.dirname(os.path.abspath(path)))
    return Path(folded(os.path.join(folder, Path(path).name)))


def folded(name):
    """A name without what some file systems do not tell apart: letter case, ways to write é."""
    return unicodedata.normalize("NFC", name).casefold()
