"""The first bad file of a training, found and named."""

import contextlib

from kseg.base.tensorflow import tensorflow
from kseg.data.converted import OF_GRAPHS
from kseg.data.decode import decode_photo
from kseg.data.errors import DataError, data_error
from kseg.data.files import load_mask, read_numbers, reading, start_of
from kseg.data.sample import one, samples

SIZES = "Export the mask at the image's size; never resize masks with interpolation."
MASKS_AND_PHOTOS = ("image", "label", "labels", "instances", "weight")  # columns of their paths
AS_PHOTOS = ("image", "weight")  # of any numbers, which are no ids
REPLACE = "Replace or remove the file."


@contextlib.contextmanager
def naming_bad_files(source):
    """Turns TensorFlow's error over one bad sample into a `DataError` that names its file."""
    tf = tensorflow()
    try:
        yield
    except tf.errors.OpError as error:
        index = first_bad_sample(source)
        if index is None:
            raise
        raise explanation(source, index) from error


def sample_at(source, index):
    """One sample, a dict of NumPy arrays.

    Raises:
        DataError: it cannot be read; the file is named.
    """
    try:
        return one(source, index)
    except tensorflow().errors.OpError as error:
        raise explanation(source, index) from error


def first_bad_sample(source):
    """Position of the first sample that cannot be read, or None."""
    index = -1
    try:
        for index, _ in enumerate(samples(source)):  # noqa: B007
            pass
    except tensorflow().errors.OpError:
        return index + 1
    return None


def explanation(source, index):
    """Why a sample cannot be read, as a `DataError`: the file, what is wrong, what to do."""
    sizes = {}
    for name in MASKS_AND_PHOTOS:
        for path in files_of(source, name, index):
            try:
                sizes[name] = look_at(path, name).shape[:2]
            except DataError as error:
                return error
    for name in ("label", "instances"):
        differ = name in sizes and sizes[name] != sizes.get("image", sizes[name])
        if differ and not undecodable(source, index):
            file = files_of(source, name, index)[-1]
            message = size_mismatch(repr(file), sizes["image"], sizes[name])
            return DataError("size_mismatch", file, message, SIZES)
    try:
        one(source, index)
    except Exception as error:  # whatever a reader's decode raises
        return fault_of(source, index, error)
    name = source.ids[index]
    return DataError("unreadable", name, f"{name}: cannot be read.")


def fault_of(source, index, error):
    """An error over a sample as a `DataError` about one of its files.

    Args:
        source, index: The sample that cannot be read.
        error: What was raised over it.
    """
    undecoded = undecodable(source, index)
    if undecoded:
        return undecoded
    fault = data_error(error)
    files = [
        path
        for name in (*MASKS_AND_PHOTOS, "file")  # the last one of records, or arrays
        for path in files_of(source, name, index)
    ]
    if fault.subject in files:
        return fault
    file = (files or [source.ids[index]])[0]
    if fault.kind == "unreadable":
        return DataError(fault.kind, file, f"{file!r} {fault.message}", REPLACE)
    return DataError(fault.kind, file, f"{file!r}: {fault.message}", fault.remedy)


def look_at(path, column="image"):
    """What Python reads of a file, whatever its bands and numbers: an array.

    Args:
        path: The file.
        column: `"image"` for a photo, `"weight"` for weights, else a mask.

    Raises:
        DataError: it cannot be read.
    """
    if column not in AS_PHOTOS:
        return load_mask(path)
    with reading(path):
        return read_numbers(path)


def undecodable(source, index):
    """The `DataError` about a sample's first file that TensorFlow cannot decode, or None."""
    for name in MASKS_AND_PHOTOS:
        for path in files_of(source, name, index):
            if not start_of(path).startswith(OF_GRAPHS):
                continue  # Python reads it, and has said what is wrong
            try:
                decode_photo(path)
            except tensorflow().errors.OpError as error:
                fault = data_error(error)
                if fault.subject == path:
                    return fault
                return DataError(fault.kind, path, f"{path!r} {fault.message}", REPLACE)
    return None


def file_of(source, column, index):
    """The path of a sample's photo (`"image"`) or mask (`"label"`); None where it is no file.

    Of a photo of several files, the first.
    """
    text = _text(source, column, index)
    return text.split("\n")[0] if text and column == "image" else text


def _text(source, column, index):
    """What a column of paths holds for a sample; None where it holds something else."""
    rows = source.columns.get(column)
    if rows is None or rows.ndim != 1 or rows.dtype.kind not in "OU":
        return None
    return rows[index] if isinstance(rows[index], str) else None


def files_of(source, column, index):
    """The paths of a sample's files in a column, which may be one for each instance, or band."""
    return [path for path in (_text(source, column, index) or "").split("\n") if path]


def class_file(source, index, class_id):
    """The file of a class of a multilabel sample: its own, that of all classes, or the sample's id.

    `""` where the class should have one of its own and has none.
    """
    paths = (file_of(source, "labels", index) or "").split("\n")
    if len(paths) == source.num_classes and any(paths):
        return paths[class_id]
    return file_of(source, "file", index) or source.ids[index]


def size_mismatch(file, image_shape, label_shape):
    """The sentence on a mask of another size than its photo; shapes begin with height, width."""
    return (
        f"{file}: the mask is {label_shape[1]}x{label_shape[0]} but its image is "
        f"{image_shape[1]}x{image_shape[0]} pixels (width x height)."
    )
