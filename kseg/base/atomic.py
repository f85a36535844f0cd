"""Files that appear whole or not at all, whatever interrupts the program."""

import contextlib
import errno
import json
import os

# What the system says where there is no room for a file, also in errors of libraries that write it
FULL = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)))


class Unwritten(OSError):
    """A file or a folder could not be written; what was there before is as it was.

    Args:
        path: The file or folder.
        reason: What the system says.
        remedy: A sentence more.
    """

    def __init__(self, path, reason, remedy=""):
        super().__init__(path, reason, remedy)
        self.path, self.reason, self.remedy = str(path), reason, remedy

    def __str__(self):
        room = "Make room there, or choose another folder." if self.reason in FULL else ""
        said = f"{self.path!r} cannot be written: {self.reason}. Nothing half-written is left."
        return " ".join(filter(None, (said, room, self.remedy)))


def write_json(path, content):
    """Writes a file of JSON, and the folder for it.

    Args:
        path: A `pathlib.Path`.
        content: Of dicts, lists, strings and numbers.

    Raises:
        Unwritten: it cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


@contextlib.contextmanager
def replacing(path):
    """Yields a temporary path in `path`'s folder, which it makes, and moves it there on success.

    Raises:
        Unwritten: the system refuses it: no room, no permission.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        with moved(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def moved(path):
    """Within it, what the system refuses becomes `Unwritten` of this path."""
    try:
        yield
    except OSError as error:
        if isinstance(error, Unwritten):
            raise
        if isinstance(error, (FileExistsError, NotADirectoryError)):
            raise Unwritten(path, f"{str(path.parent)!r} is no folder") from error
        raise Unwritten(path, full(error) or error.strerror or str(error)) from error


@contextlib.contextmanager
def folder(path):
    """Makes a folder and those above it; of these, what is empty in the end is gone again."""
    made = [each for each in (path, *path.parents) if not each.exists()]
    path.mkdir(parents=True, exist_ok=True)
    try:
        yield path
    finally:
        for each in made:
            with contextlib.suppress(OSError):
                each.rmdir()


@contextlib.contextmanager
def into(path):
    """Within it, whatever a library raises because there is no room becomes `Unwritten`.

    Args:
        path: What is being written, for the message.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, Unwritten) or not full(error):
            raise
        raise Unwritten(path, full(error)) from error


def full(error):
    """What the system said where an error is about room on a disk; None where it is not."""
    return next((reason for reason in FULL if reason in str(error)), None)
