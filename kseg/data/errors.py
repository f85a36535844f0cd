"""What is wrong with a user's data, in fields: the kind of fault, the file, what to do.

Programs go by `kind`; the sentences are for people and may be reworded at any time. Python code
raises `DataError`. Inside `tf.data` an error is nothing but text: `require` packs the fields into
it, and `data_error` takes them out again. The kinds:

    missing            a file or folder is not there
    no_split           the set has no split of this name
    unpaired           a photo has no mask, a list names no photo
    unreadable         a photo or mask cannot be decoded
    malformed          a list, an annotation, a record does not hold what its format says
    unsuitable         the data do not fit the arguments
    size_mismatch      photo and mask are of different size
    not_png            a mask is no PNG
    color_mask         a mask is coloured, where ids were expected
    unknown_id         a mask holds a value that is no class
    palettes_differ    a colour has one number in the palette of one mask, another in another's
    mask_value         the mask of one class holds a value that is neither of its two, nor void
    black_and_white    masks hold 0 and 255, and 255 means void
"""

from __future__ import annotations

import re

from kseg.base.arguments import refused
from kseg.base.tensorflow import built_once, tensorflow

# What `require` writes; TensorFlow escapes it as C, Python's `bytes` or both do
PACKED = re.compile(r"kseg\[(\w+)\]\\n(.*?)\\nkseg;")
WRAPPING = re.compile(r"^({{.*?}} *)+| *\[Op:.*")  # of TensorFlow around a message of its own


class DataError(ValueError):
    """Something is wrong with the user's data.

    Args:
        kind: One of the kinds above.
        subject: The file or folder at fault, or the name of the split; `""` if it is not known.
        message: What is wrong, naming the subject.
        remedy: What to do; `""` where the message says it.

    Example:

    >>> error = DataError("missing", "a.png", "'a.png' does not exist.", "Unpack the archive.")
    >>> str(error), error.kind
    ("'a.png' does not exist. Unpack the archive.", 'missing')
    """

    def __init__(self, kind: str, subject: str, message: str, remedy: str = "") -> None:
        super().__init__(kind, str(subject), message, remedy)
        self.kind, self.subject = kind, str(subject)
        self.message, self.remedy = message, remedy
        self.rest = None  # a `Source` of the samples that nothing is wrong with, if a reader has it

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    @property
    def faults(self) -> tuple[DataError, ...]:
        """Every kind of fault that it tells of, each as an error: itself, if it is of one."""
        return (self,)


class MissingData(DataError, FileNotFoundError):
    """A `DataError` about what is not there: a file, a folder, a split, the mask of a photo."""


def missing_folder(argument, folder, kind="missing"):
    """The error for an argument that should be a folder and is none.

    Args:
        argument: Its name.
        folder: Its value, a `pathlib.Path`.
        kind: Of the fault, where there is nothing of this name.
    """
    what = "does not exist"
    if folder.exists():
        kind, what = "missing", "is a file"
    return MissingData(kind, folder, f"{argument}={str(folder)!r} {what}: expected a folder.")


def no_split(split, expected):
    """The error for a split that a set does not have.

    Args:
        split: Its name.
        expected: Which there are, in words.
    """
    return DataError("no_split", split, str(refused("split", split, expected)))


def require(condition, kind, subject, message, remedy=""):
    """Fails the step in flight with the fields of a `DataError` unless `condition` holds.

    Args:
        condition: bool scalar.
        kind, remedy: As of `DataError`; strings or string scalars.
        subject: The file at fault, a string or string scalar; `""` if the caller does not know it.
        message: What is wrong without the subject, a string or string scalar; or, where it takes
            long to say, a function that gives it, called only when it is needed.

    Returns:
        True, a bool scalar: what depends on it waits for the check.
    """
    if not callable(message):
        return _require(condition, kind, subject, message, remedy)
    tf = tensorflow()

    def fail():
        tf.debugging.Assert(False, [packed(kind, subject, message(), remedy)])
        return False

    return tf.cond(condition, lambda: True, fail)


@built_once("condition", "kind", "subject", "message", "remedy")  # a branch is slow in the making
def _require(condition, kind, subject, message, remedy):
    return require(condition, kind, subject, lambda: message, remedy)


def packed(kind, subject, message, remedy):
    """The fields as the one text that `PACKED` finds in an error of TensorFlow."""
    lines = tensorflow().strings.join([subject, message, remedy], separator="\n")
    return tensorflow().strings.join(["kseg[", kind, "]\n", lines, "\nkseg;"])


def data_error(error):
    """Any error over a sample as a `DataError`.

    Args:
        error: A `DataError`; or one of TensorFlow with the fields that `require` packed; or
            whatever else a decode function has raised, which becomes `"unreadable"`.
    """
    if isinstance(error, DataError):
        return error
    text = getattr(error, "message", None) or str(error)
    fields = PACKED.search(text)
    if not fields:
        return DataError("unreadable", "", f"cannot be read ({own_words(text)}).")
    kind, packed = fields.groups()
    subject, *message, remedy = unescaped(packed).split("\n")
    message = " ".join(" ".join(message).split())
    return DataError(kind, subject, f"{subject!r}: {message}" if subject else message, remedy)


def own_words(text):
    """What TensorFlow says itself, in one line without the steps it was wrapped in."""
    return WRAPPING.sub("", text).split("\n")[0].rstrip("'\"] ").replace('\\"', "'")


def unescaped(text):
    """C's escapes undone, as `\\n` and `\\303`: in text that may hold other letters as they are."""
    return text.encode().decode("unicode_escape").encode("latin-1").decode(errors="replace")
