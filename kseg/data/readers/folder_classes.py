"""Masks of a folder whose pixels may have several classes: a mask for each class, or an array.

Whichever of these there is, the folder itself tells:

    masks/CLASS/NAME.png    a folder for each class (or .bmp, .gif, .tif)
    masks/NAME/CLASS.png    a folder for each photo
    masks/NAME.npy          an array (H, W, C), or .npz that holds one

A mask is black and white: 0 and 255, or 0 and 1 with 255 for void. Where a photo has no mask of a
class, the class is nowhere in it.
"""

import os
from pathlib import Path

import numpy as np

from kseg.base.arguments import refused
from kseg.base.tensorflow import built_once, tensorflow
from kseg.data.decode import decode_mask
from kseg.data.errors import DataError, MissingData, require
from kseg.data.files import load_array, load_mask
from kseg.data.listing import ARRAYS, MASKS, column, is_hidden, likewise, list_files, stem
from kseg.data.sample import image_size
from kseg.data.source import VOID, spread

LABELS = "labels"  # the array of a file of `kseg predict`
PROBED = 16  # masks looked into for the values that they hold
RESIZED = "Export the mask at the image's size; never resize masks with interpolation."


def masks_of_classes(images, folder, class_names, mask_suffix, faults):
    """What of a folder belongs to each photo.

    Args:
        images: Paths of the photos.
        folder: Of the masks, a `pathlib.Path`.
        class_names: Of the classes.
        mask_suffix: What a mask's name, or its folder's, adds to its photo's.
        faults: `kseg.data.faults.Faults`, to which photos without any mask are added.

    Returns:
        A string for each photo: the paths of the masks of its classes, joined by newlines, empty
        for none; or the path of its array. None for a photo without any.

    Raises:
        MissingData: there is none for a class.
    """
    names = [stem(image) + mask_suffix for image in images]
    folders = [name for name in class_names if os.path.isdir(folder / name)]
    if folders:
        return _by_class(images, names, folder, class_names, folders, faults)
    if folder.is_dir() and _folders_in(folder):
        return _by_photo(images, names, folder, class_names, faults)
    arrays = {stem(path): path for path in list_files(folder, ARRAYS, "masks")}
    _check_each(images, [name in arrays for name in names], f"NAME.npy in {str(folder)!r}", faults)
    return [arrays.get(name) for name in names]


def _by_class(images, names, folder, class_names, folders, faults):
    for name in class_names:
        if name not in folders:
            there = ", ".join(_folders_in(folder))
            raise MissingData(
                "missing",
                folder / name,
                f"{str(folder / name)!r} does not exist: expected a folder of masks for each of "
                f"class_names, and there are {there}.",
                "Correct class_names=, or add the folder.",
            )
    masks = [{stem(p): p for p in list_files(folder / c, MASKS, "masks")} for c in class_names]
    rows = [[of_class.get(name, "") for of_class in masks] for name in names]
    expected = f"NAME.png in a folder of a class in {str(folder)!r}"
    _check_each(images, map(any, rows), expected, faults)
    return ["\n".join(row) if any(row) else None for row in rows]


def _by_photo(images, names, folder, class_names, faults):
    there = [os.path.isdir(folder / name) for name in names]
    _check_each(images, there, f"a folder NAME in {str(folder)!r}", faults)
    rows, others = [], set()
    for name, is_there in zip(names, there):
        if not is_there:
            rows.append(None)
            continue
        with os.scandir(folder / name) as entries:
            masks = [e for e in entries if e.name.lower().endswith(MASKS) and not is_hidden(e)]
            masks = {stem(e.path): e.path for e in masks}
        rows.append([masks.get(each, "") for each in class_names])
        others |= masks.keys() - set(class_names)
    for each, of_class in zip(class_names, zip(*filter(None, rows))):
        if not any(of_class):
            there = ", ".join(f"{other}.png" for other in sorted(others)[:6]) or "none of others"
            raise MissingData(
                "missing",
                folder,
                f"masks={str(folder)!r}: no photo has a mask {each}.png, and there are {there}.",
                "Correct class_names=, or leave the class out.",
            )
    return [row and "\n".join(row) for row in rows]


def _folders_in(folder):
    with os.scandir(folder) as entries:
        return sorted(e.name for e in entries if e.is_dir() and not is_hidden(e))


def _check_each(images, have, expected, faults):
    missing = [image for image, has in zip(images, have) if not has]
    if missing:
        error = MissingData(
            "unpaired",
            missing[0],
            f"{len(missing)} of {len(images)} images have no mask of any class; the first is "
            f"{missing[0]!r}: expected {expected.replace('NAME', stem(missing[0]))}."
            f"{likewise(list(map(os.path.basename, missing[1:])))}",
            "Add it, empty (black) where the photo shows none of the classes, or remove the image.",
        )
        faults.add(error)


def class_labels(images, masks, class_names, values, void_values, photo):
    """Columns and decode function of a source of these masks.

    Args:
        images, masks: Paths of the photos, and what `masks_of_classes` gave of each.
        class_names: Of the classes.
        values: What stands in a mask for a pixel without and with the class; None to look.
        void_values: What stands for void; None for 255 where it is not among `values`.
        photo: Function that reads a photo, of `kseg.data.photos`.

    Raises:
        ValueError: one of the arguments is something else.
    """
    arrays = masks[0].lower().endswith(ARRAYS)
    values = _stored(masks, arrays) if values is None else _check_values(values)
    if void_values is None:
        void_values = () if VOID in values else (VOID,)
    elif set(void_values) & set(values):
        expected = f"values of void alone, none of values={values}"
        raise refused("void_values", tuple(void_values), expected)
    decode = _arrays if arrays else _files
    columns = {"image": column(images), "file" if arrays else "labels": column(masks)}
    return columns, decode(len(class_names), values, tuple(void_values), photo)


def _files(count, values, void_values, photo):
    """The decode function of a mask for each class."""
    tf = tensorflow()

    def decode(row):
        image = photo(row["image"])
        paths = tf.strings.split(row["labels"], "\n")
        label = _masks_of_files(paths, image_size(image), tuple(values), void_values)
        return {"image": image, "label": tf.ensure_shape(label, (None, None, count))}

    return decode


@built_once("paths", "size")
def _masks_of_files(paths, size, values, void_values):
    """A mask of each class, of none where the path is empty: uint8 `(H, W, classes)`."""
    tf = tensorflow()

    def mask(path):
        stored = decode_mask(path, repeated=True)
        _require_size(tf.shape(stored), size, path)
        return _of_values(stored, values, void_values, path)

    def of_class(path):
        return tf.cond(path == "", lambda: tf.zeros(size, tf.uint8), lambda: mask(path))

    spec = tf.TensorSpec((None, None), tf.uint8)
    return tf.transpose(tf.map_fn(of_class, paths, fn_output_signature=spec), (1, 2, 0))


def _arrays(count, values, void_values, photo):
    """The decode function of an array for each photo."""
    tf = tensorflow()

    def loaded(path):
        try:
            return _array(os.fsdecode(np.asarray(path).item()), count).astype(np.int32), b""
        except ValueError as error:
            return np.zeros((1, 1, count), np.int32), str(error).encode()

    def decode(row):
        path = row["file"]
        stored, fault = tf.numpy_function(loaded, [path], [tf.int32, tf.string], stateful=False)
        require(fault == b"", "malformed", path, fault)
        stored = tf.ensure_shape(stored, (None, None, count))
        image = photo(row["image"])
        _require_size(tf.shape(stored), image_size(image), path)
        label = _of_values(stored, values, void_values, path)
        return {"image": image, "label": tf.ensure_shape(label, (None, None, count))}

    return decode


def _array(path, count=None):
    """The array of a file, `(H, W, count)`: of `.npz` that of `kseg predict`, or the only one.

    Raises:
        ValueError: it has another shape, or there is none.
    """
    if path.lower().endswith(".npy"):
        array = load_array(Path(path))
    else:
        try:
            with np.load(path, allow_pickle=False) as stored:
                name = LABELS if LABELS in stored.files or not stored.files else stored.files[0]
                array = stored[name]
        except Exception as error:  # of damaged bytes, zipfile and NumPy raise whatever they meet
            raise ValueError(f"no array can be read ({error!r}).") from error
    if array.ndim != 3 or count not in (None, array.shape[-1]) or array.dtype.kind not in "biu":
        shape = f"(height, width, {count or 'classes'})"
        raise ValueError(
            f"the array is of {array.dtype} {array.shape}: expected integers or bool, {shape}."
        )
    return array


def _require_size(mask, size, path):
    """Fails unless a mask's height and width, the first of its shape, are its photo's."""
    tf = tensorflow()
    require(
        tf.reduce_all(mask[:2] == size),
        "size_mismatch",
        path,
        tf.strings.format(
            "the mask and its image differ in size: {} and {} (height, width).", (mask[:2], size)
        ),
        RESIZED,
    )


def _of_values(stored, values, void_values, path):
    """Values of a mask or an array -> uint8 0, 1 and void, of its shape."""
    tf = tensorflow()
    stored = tf.cast(stored, tf.int32)
    is_class = stored == values[1]
    is_void = tf.reduce_any([stored == value for value in (-1, *void_values)], axis=0)
    wrong = ~(is_class | is_void | (stored == values[0]))
    void = f", or {', '.join(map(str, void_values))} for void" if void_values else ""
    require(
        ~tf.reduce_any(wrong),
        "mask_value",
        path,
        lambda: tf.strings.format(
            f"the mask holds the value {{}}: expected {values[0]} and {values[1]}{void}.",
            (tf.reduce_max(tf.where(wrong, stored, -1)),),
        ),
        "Correct the mask, or give the values=(WITHOUT, WITH) that masks have.",
    )
    return tf.where(is_void, tf.constant(VOID, tf.uint8), tf.cast(is_class, tf.uint8))


def has_masks_of_classes(images, folder, class_names, mask_suffix):
    """Whether a folder looks like one of masks of classes, of which each has its own."""
    of_photo = folder / (stem(images[0]) + mask_suffix)
    return all(os.path.isdir(folder / name) for name in class_names) or any(
        os.path.isfile(of_photo / f"{name}{ending}") for name in class_names for ending in MASKS
    )


def _check_values(values):
    whole = all(isinstance(each, (int, np.integer)) and 0 <= each < 256 for each in values)
    if len(values) != 2 or not whole or values[0] == values[1]:
        expected = "two of 0..255 with multilabel=True, of pixels without and with the class"
        raise refused("values", tuple(values), expected, "As (0, 255), of black and white masks.")
    return tuple(map(int, values))


def _stored(masks, arrays):
    """The two values that masks hold, by a look into a few; one that cannot be read says nothing.

    Raises:
        DataError: some hold 0 and 1, others 0 and 255 alone, which may be void or the class.
    """
    ones, white = [], []  # masks that hold 1, and those that hold 255 and no 1
    paths = [path for row in masks for path in row.split("\n") if path]
    for index in spread(len(paths), PROBED):
        try:
            values = np.unique(_array(paths[index]) if arrays else load_mask(paths[index]))
        except (ValueError, OSError):
            continue
        if 1 in values:
            ones.append(paths[index])
        elif VOID in values:
            white.append(paths[index])
    if ones and white:
        raise DataError(
            "unsuitable",
            white[0],
            f"{white[0]!r} holds 0 and 255, and {ones[0]!r} 0 and 1: 255 may be void or the class.",
            "Give values=(0, 1) if 255 is void; else write all masks alike.",
        )
    return (0, 1) if ones else (0, VOID)
