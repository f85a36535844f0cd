"""Masks of a folder that hold objects: their numbers, or a file each; and of which class they are.

The class of an object is that of a second mask, of class ids or colours, under it. Outlines of two
masks differ by a pixel or so, therefore most of an object's pixels decide, as in Pascal VOC. If
more than a quarter of them are of other classes, it is refused: then two objects have one number,
as where numbers begin anew with each class, or the two masks are not of one photo.
"""

import os

from kseg.base.arguments import refused
from kseg.base.tensorflow import built_once, tensorflow
from kseg.data.coco_format.categories import role_of
from kseg.data.decode import decode_mask
from kseg.data.errors import DataError, MissingData, missing_folder, require
from kseg.data.listing import MASKS, PHOTOS, column, is_hidden, list_files
from kseg.data.readers.folder_arguments import check_unused, check_values, check_void
from kseg.data.relabel import relabel
from kseg.data.sample import image_size, masks_of
from kseg.data.source import void_beyond

MOST_OF_OTHERS = 0.25  # share of an object's pixels that may be of other classes
BOWL = (".", ".")  # of a spec: the root is the folder of the photos and that of the masks
OF_ARCHIVES = "__MACOSX"  # a folder that macOS puts beside what it packs
BLACK = (0, 0, 0)  # the ground in colours


def bowl(root):
    """The layout of the 2018 Data Science Bowl: `root/NAME/images/NAME.png`, `.../masks/*.png`."""
    if not root.is_dir():
        raise missing_folder("images", root)
    images, masks = [], []
    for sample in _folders(root):
        photos = list_files(os.path.join(sample, "images"), PHOTOS, "images")
        if len(photos) > 1:
            message = f"{sample!r} holds {len(photos)} images: expected one."
            raise DataError("malformed", sample, message)
        images += photos
        masks.append(one_each(os.path.join(sample, "masks"), photos[0]))
    if not images:
        raise MissingData(
            "missing",
            root,
            f"images={str(root)!r} and masks= are the same folder, and it holds no folder of "
            "`images` and `masks` for each photo.",
            "Give the folder of the photos and that of the masks.",
        )
    return images, masks


def is_bowl(root):
    """Whether a folder is of this layout."""
    inner = ("images", "masks")
    samples = _folders(root)
    return bool(samples) and all(os.path.isdir(os.path.join(s, i)) for s in samples for i in inner)


def _folders(root):
    """Paths of the folders in a folder, without hidden ones, by name."""
    folders = [e for e in os.scandir(root) if e.is_dir() and not is_hidden(e)]
    return sorted(e.path for e in folders if e.name != OF_ARCHIVES)


def one_each(folder, image):
    """The paths of the masks of one photo's objects, joined by newlines; none for no object."""
    if not os.path.isdir(folder):
        raise MissingData(
            "unpaired",
            folder,
            f"{str(folder)!r} does not exist: expected a folder with one mask for each object of "
            f"{image!r}.",
            "Add it, empty if there is no object, or remove the image.",
        )
    with os.scandir(folder) as entries:
        return "\n".join(
            sorted(e.path for e in entries if e.name.lower().endswith(MASKS) and not is_hidden(e))
        )


def objects(images, masks, each, photo, decided=None):
    """Columns and decode function of masks of objects.

    Args:
        images, masks: Paths; of one file for each object those of a photo joined by newlines.
        each: Whether there is one file for each object.
        photo: Function that reads a photo, of `kseg.data.photos`.
        decided: None for labels, 1 where an object is; or a function of masks, what to call each
            object, and the row, to a dict of `"classes"` and maybe `"crowd"`.
    """
    tf = tensorflow()

    def decode_files(row, image):
        paths = tf.strings.split(row["instances"], "\n")
        paths = tf.boolean_mask(paths, paths != "")
        return masks_of_files(paths, image_size(image)), paths

    def decode_numbers(row, image):
        numbers = decode_mask(row["instances"], wide=True)
        keys = tf.sort(tf.unique(tf.reshape(numbers, [-1])).y)
        keys = tf.boolean_mask(keys, keys > 0)
        return masks_of(numbers, keys), tf.strings.as_string(keys)

    def decode(row):
        image = photo(row["image"])
        object_masks, names = (decode_files if each else decode_numbers)(row, image)
        if decided is None:
            label = tf.reduce_any(object_masks > 0, axis=0)
            return {"image": image, "label": tf.cast(label, tf.uint8)}
        return {"image": image, "masks": object_masks, **decided(object_masks, names, row)}

    return {"image": column(images), "instances": column(masks)}, decode


@built_once("paths", "size")
def masks_of_files(paths, size):
    """What each file holds beside 0: uint8 `(N, H, W)`; of no file, none of the given size."""
    tf = tensorflow()

    def object_mask(path):
        return tf.cast(decode_mask(path, wide=True) > 0, tf.uint8)

    object_masks = tf.cond(
        tf.size(paths) > 0,
        lambda: tf.map_fn(object_mask, paths, fn_output_signature=tf.uint8),
        lambda: tf.zeros(tf.concat([[0], size], 0), tf.uint8),
    )
    return tf.ensure_shape(object_masks, (None, None, None))


@built_once("object_masks", "label")
def pixels_of_classes(object_masks, label, count):
    """How many pixels of each mask are of each class: int32 `(N, count)`."""
    tf = tensorflow()

    def counted(mask):
        return tf.math.bincount(label[mask != 0], minlength=count, maxlength=count)

    counts = tf.map_fn(counted, object_masks, fn_output_signature=tf.int32)
    return tf.ensure_shape(counts, (None, count))


def of_one_class(object_masks, names, row):
    """All of class 0; see `objects`."""
    tf = tensorflow()
    return {"classes": tf.zeros(tf.shape(object_masks)[:1], tf.int32)}


def classes_and_ground(class_names, values, palette, void_values):
    """What stands for each class of objects in a mask of classes, and what for none.

    A class called background is none: its value is the ground's. Else the ground is 0, or black.

    Returns:
        Names, their values (or colours), those of the ground, those of void.
    """
    grounds = [i for i, name in enumerate(class_names) if role_of(name) == "background"]
    if values is None and not palette and not grounds:
        values = range(1, len(class_names) + 1)
    if palette:
        check_unused("colours (palette=)", values=values)
    given = check_values(class_names, values, palette)
    given = tuple(map(tuple, palette)) if palette else given
    own = [i for i in range(len(class_names)) if i not in grounds]
    if not own:
        expected = "the name of a class of objects beside the background"
        raise refused("class_names", class_names, expected)
    ground = tuple(given[i] for i in grounds)
    void = check_void(void_values, given, palette)
    none = BLACK if palette else 0
    if not ground and none not in (*given, *void):
        ground = (none,)
    names, given = (tuple(each[i] for i in own) for each in (class_names, given))
    return names, given, ground, tuple(each for each in void if each not in ground)


def of_classes(class_names, read, values, ground, void):
    """A function as `objects` takes it: the class of each object by the mask of classes under it.

    Args:
        class_names: Of the objects.
        read: Function of the path of a mask of classes to what it holds.
        values, ground, void: What stands there for each class, for none, and for void.
    """
    tf = tensorflow()
    count = len(class_names)
    none = void_beyond(count + len(ground))

    def decided(object_masks, names, row):
        path = row["label"]
        label = relabel(read(path), (*values, *ground), void, none, path)
        label = tf.cast(label, tf.int32)
        label = tf.where(label == none, count + 1, tf.minimum(label, count))  # the ground: `count`
        same = require(
            tf.reduce_all(tf.shape(label) == tf.shape(object_masks)[1:]),
            "size_mismatch",
            path,
            tf.strings.join(["it and the objects of '", row["image"], "' differ in size."]),
            "Take both from the same export.",
        )
        with tf.control_dependencies([same]):  # else what follows may fail before it
            label = tf.identity(label)

        counts = pixels_of_classes(object_masks, label, count + 2)
        of_class, of_void = tf.reduce_max(counts[:, :count], axis=1), counts[:, count + 1]
        labelled = tf.reduce_sum(counts[:, :count], axis=1)
        is_void = of_void > labelled
        _require_each(
            is_void | (labelled > 0),
            path,
            names,
            lambda first: " has no pixel of a class here.",
            "Draw its class, or take both masks from the same export.",
        )
        others = tf.cast(labelled - of_class, tf.float32)
        _require_each(
            is_void | (others <= MOST_OF_OTHERS * tf.cast(labelled, tf.float32)),
            path,
            names,
            lambda first: tf.strings.join(
                [" covers ", _said(class_names, counts[first, :count]), ": expected one class."]
            ),
            "Give each object a number of its own, not one anew for each class, or correct the "
            "mask of classes.",
        )
        classes = tf.argmax(counts[:, :count], axis=1, output_type=tf.int32)
        return {"classes": tf.where(is_void, 0, classes), "crowd": is_void}

    return decided


def _require_each(fine, path, names, what, remedy):
    """Fails with the first object that is not fine; `what` is a function of its position."""
    tf = tensorflow()

    def message():
        first = tf.cast(tf.where(~fine)[0, 0], tf.int32)
        return tf.strings.join(["object ", names[first], what(first)])

    require(tf.reduce_all(fine), "unsuitable", path, message, remedy)


def _said(class_names, counts):
    """`12 pixels of cell, 9 of nucleus`: a string scalar."""
    tf = tensorflow()
    there = tf.where(counts > 0)[:, 0]
    each = [tf.strings.as_string(tf.gather(counts, there)), tf.gather(list(class_names), there)]
    return tf.strings.reduce_join(tf.strings.join(each, " pixels of "), separator=", ")
