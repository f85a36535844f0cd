"""The first bad file of a training, found and named; whether a model suits a source."""

import contextlib

from kseg.data.errors import OWN, own_words

SIZES = "Export the mask at the image's size; never resize masks with interpolation."


@contextlib.contextmanager
def naming_bad_files(source):
    """Turns TensorFlow's error over one bad sample into a `ValueError` that names its file."""
    from kseg.base.tensorflow import tensorflow

    tf = tensorflow()
    try:
        yield
    except tf.errors.OpError as error:
        index = first_bad_sample(source)
        if index is None:
            raise
        raise ValueError(explain(source, index)) from error


def first_bad_sample(source):
    """Position of the first sample that cannot be read, or None."""
    from kseg.base.tensorflow import tensorflow
    from kseg.data.sample import samples

    index = -1
    try:
        for index, _ in enumerate(samples(source)):  # noqa: B007
            pass
    except tensorflow().errors.OpError:
        return index + 1
    return None


def explain(source, index):
    """One line on why a sample cannot be read: the file, what is wrong, what to do."""
    from kseg.data.files import load_photo

    shapes = {}
    for name in ("image", "label", "instances"):
        for path in files_of(source, name, index):
            try:
                shapes[name] = load_photo(path).shape[:2]
            except (ValueError, OSError) as error:
                return str(error)
    differ = "label" in shapes and shapes["label"] != shapes.get("image", shapes["label"])
    if differ and not undecodable(source, index):
        file = repr(file_of(source, "label", index))
        return f"{size_mismatch(file, shapes['image'], shapes['label'])} {SIZES}"
    try:
        source[index]
    except Exception as error:  # whatever a reader's decode raises
        file, text = file_at_fault(source, index, own_words(error))
        if file in text:
            return text
        if OWN in str(error):
            return f"{file!r}: {text}"
        return f"{file!r} cannot be read ({text}). Replace or remove the file."
    return f"{source.ids[index]}: cannot be read."


def file_at_fault(source, index, text):
    """The file that an error is about, and what is wrong with it.

    Args:
        source, index: The sample that cannot be read.
        text: What the error says.
    """
    found = undecodable(source, index)
    if found:
        return found
    files = [
        path
        for column in ("image", "label", "instances", "file")  # the last one of records
        for path in files_of(source, column, index)
    ]
    named = [path for path in files if path in text]
    return (named or files or [source.ids[index]])[0], text


def undecodable(source, index):
    """The first file of a sample that TensorFlow cannot decode, and why; None if it can."""
    from kseg.base.tensorflow import tensorflow
    from kseg.data.decode import decode_photo

    for column in ("image", "label", "instances"):
        for path in files_of(source, column, index):
            try:
                decode_photo(path)
            except tensorflow().errors.OpError as error:
                return path, own_words(error)
    return None


def file_of(source, column, index):
    """The path of a sample's photo (`"image"`) or mask (`"label"`); None where it is no file."""
    rows = source.columns.get(column)
    if rows is None or rows.ndim != 1 or rows.dtype.kind not in "OU":
        return None
    return rows[index] if isinstance(rows[index], str) else None


def files_of(source, column, index):
    """The paths of a sample's files in a column, which may be one for each instance."""
    return [path for path in (file_of(source, column, index) or "").split("\n") if path]


def size_mismatch(file, image_shape, label_shape):
    return (
        f"{file}: the mask is {label_shape[1]}x{label_shape[0]} but its image is "
        f"{image_shape[1]}x{image_shape[0]} pixels (width x height)."
    )
