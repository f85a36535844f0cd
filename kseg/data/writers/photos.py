"""Samples as writers want them: photos as the files they were, labels and masks as arrays."""

import re

import numpy as np

from kseg.base.arguments import refused
from kseg.base.tensorflow import in_order, tensorflow
from kseg.data.bad_files import naming_bad_files
from kseg.data.sample import constants, read
from kseg.data.tfrecords import is_colour
from kseg.data.values import BYTE_RANGE, words

ENDINGS = {b"\xff\xd8\xff": ".jpg", b"\x89PNG": ".png", b"BM": ".bmp", b"GIF8": ".gif"}
OTHER = ".webp"


def check_colour(source, argument="source"):
    """Raises `ValueError` unless photos are three bands of 0..255, as the files of layouts are."""
    if is_colour(source):
        return
    shown = f"{source.channels} bands, numbers {words(source.value_range or BYTE_RANGE)}"
    remedy = "Write records, which hold any: records:PATH, or kseg.data.write_records."
    raise refused(f"images of {argument}", shown, "three bands of 0..255", remedy)


def stored_samples(source):
    """Yields every sample in order, as arrays; `"image"` is the bytes of a file.

    A photo that comes as pixels is a PNG.

    Raises:
        DataError: a file cannot be read.
        ValueError: photos are of other bands or numbers than files of layouts hold.
    """
    check_colour(source)
    tf = tensorflow()
    columns = constants(source)

    def stored(index):
        row = {name: rows[index] for name, rows in columns.items()}
        sample = read(source, row, whole=False)
        if sample["image"].dtype != tf.string:
            sample["image"] = tf.io.encode_png(sample["image"])
        return sample

    with naming_bad_files(source):
        yield from in_order(len(source), stored)


def ending(content):
    """The ending of a photo's name, by its bytes."""
    return next((e for start, e in ENDINGS.items() if content.startswith(start)), OTHER)


def write_bytes(path, content):
    """Writes a file, and the folder for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def as_png(content):
    """The bytes of a photo as those of a PNG of the same pixels."""
    if content.startswith(b"\x89PNG"):
        return content
    from kseg.data.decode import decode_image

    return tensorflow().io.encode_png(decode_image(content)).numpy()


def file_names(sources, flat, unique=False):
    """A name for each sample of each split: its id, as a file may be called.

    Args:
        sources: Split -> `Source`.
        flat: Whether names may hold no folders and no spaces.
        unique: Whether no name may come twice in the set: then it has its split before it.

    Returns:
        Split -> list of names.
    """
    names = {split: list(source.ids) for split, source in sources.items()}
    if flat:
        names = {s: [re.sub(r"[\s/\\]+", "_", name) for name in of] for s, of in names.items()}
    every = [name for of in names.values() for name in of]
    if unique and len(set(every)) < len(every):
        names = {s: [f"{s}_{name}" for name in of] for s, of in names.items()}
    for split, of in names.items():
        if len(set(of)) < len(of):
            twice = next(name for name in of if of.count(name) > 1)
            expected = f"a different name for each sample of {split!r}, and {twice!r} comes twice"
            raise refused("ids", f"{len(of)} names", expected)
    return names


def label_of(sample, void, own=255):
    """Class ids with `own` in place of the source's void."""
    label = sample["label"]
    return label if void == own else np.where(label == void, own, label.astype(np.int32))


def painted(sample, values, what, ground=0):
    """A map with a value for each object.

    Args:
        sample: Of objects that do not overlap.
        values: One for each object.
        what: The layout, for the error.
        ground: Where there is no object.

    Raises:
        ValueError: objects overlap, of which a map would keep one.
    """
    masks = sample["masks"] != 0
    if masks.sum(axis=0, dtype=np.int32).max(initial=0) > 1:
        expected = f"objects that do not overlap, for {what} is a map of them"
        raise refused("source", "objects that overlap", expected, "Convert to coco: or yolo:.")
    painted = np.full(masks.shape[1:], ground, np.int32)
    for mask, value in zip(masks, values):
        painted[mask] = value
    return painted


def no_crowds(sample, what):
    """Raises `ValueError` if a sample has crowd regions, which a layout cannot hold."""
    if sample["crowd"].any():
        expected = f"no crowd regions, which {what} cannot hold"
        raise refused("source", "objects with crowd regions", expected, "Convert to coco:.")
