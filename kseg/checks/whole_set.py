"""What only shows in the whole set: classes that never occur, masks of 0 and 255, orphans."""

import collections
import os

import numpy as np

from kseg.checks.mask_values import interpolated
from kseg.data.bad_files import file_of
from kseg.data.files import PHOTOS, PICTURES, left_out
from kseg.data.values import proposed_range

LINE_SHARE = 0.25  # of a class's pixels that lie between two others, in a class of thin lines


LINE_CLASSES = 2  # at most: interpolation makes more classes look so


def problems_of_set(source, seen, stats):
    """`(kind, index or None, file, message)` of what shows in a source as a whole.

    Args:
        source: A `Source`.
        seen: `Facts` of each of its samples that were looked at.
        stats: Its `Statistics`.
    """
    yield from unsaid_ranges(source, seen)
    yield from repeated_ids(source)
    yield from absent_classes(source, stats)
    if source.task == "semantic":
        read = [facts for facts in seen if facts.counts is not None]
        yield from poor_masks(source, read)
        yield from interpolated_masks(source, read)


def repeated_ids(source):
    counts = collections.Counter(source.ids)
    for index, name in enumerate(source.ids):
        if counts[name] > 1:
            file = file_of(source, "image", index) or name
            message = f"{file!r}: {counts[name]} samples are called {name!r}."
            yield "duplicate_id", index, file, message


def unsaid_ranges(source, seen):
    """Numbers of another range than 0..255, of which nothing is said: what to say of them."""
    if source.value_range is not None:
        return
    found = [facts for facts in seen if facts.counts is None and facts.numbers]
    if found:
        low, high = min(f.numbers[0] for f in found), max(f.numbers[1] for f in found)
        whole = source.stored.dtype.is_integer
        low, high = (int(low), int(high)) if whole else (round(low, 4), round(high, 4))
        kind, say = source.stored.dtype.name, proposed_range(low, high, whole)
        message = f"The photos hold numbers from {low} to {high} ({kind}), and nothing says "
        message += f"which are black and white. Say {say}."
        for facts in found:
            file = file_of(source, "image", facts.index) or source.ids[facts.index]
            yield "no_value_range", facts.index, file, message


def absent_classes(source, stats):
    if not stats.read or source.task not in ("semantic", "instance"):
        return
    counts = stats.images if stats.instances is None else stats.instances
    absent = [name for name, count in zip(source.class_names, counts) if not count]
    if absent:
        names = ", ".join(absent[:6]) + (", ..." if len(absent) > 6 else "")
        message = f"{len(absent)} of {source.num_classes} classes never occur: {names}."
        yield "absent_class", None, source.name, message


def poor_masks(source, read):
    """Masks of void alone, of one class alone, and of 0 and 255 where 255 should be a class."""
    counts = np.stack([facts.counts for facts in read]) if read else np.zeros((0, 1))
    void, classes = counts[:, -1], np.count_nonzero(counts[:, :-1], axis=1)
    only_first = (classes == 1) & (counts[:, 0] > 0) & (source.num_classes > 1)
    two_valued = only_first & (void > 0)
    # such a mask may be right where void borders the objects of other masks
    usual = ((void > 0) & counts[:, 1:-1].any(axis=1)).any()
    for position, facts in enumerate(read):
        file = file_of(source, "label", facts.index) or source.ids[facts.index]
        if two_valued[position]:
            kind = "maybe_black_and_white" if usual else "black_and_white"
            what = "(255 in most files) means void"
            message = f"{file!r}: all that is not {source.class_names[0]!r} is void; {source.void}"
            yield kind, facts.index, file, f"{message} {what}: no other class would be learnt."
        elif classes[position] == 0:
            yield "void_mask", facts.index, file, f"{file!r}: every pixel is void."
        elif classes[position] == 1 and source.num_classes > 1:
            name = source.class_names[int(np.argmax(counts[position, :-1]))]
            message = f"{file!r}: every pixel is {name!r}."
            yield "single_class_mask", facts.index, file, message


def interpolated_masks(source, read):
    """Masks with ghost classes along their edges, all within the class list.

    A class of thin lines, such as the contour between a cell (2) and the ground (0), lies between
    two others by nature; interpolation makes many classes do so.
    """
    if not read:
        return
    ghosts = np.stack([facts.ghosts for facts in read])
    pixels = np.stack([facts.counts for facts in read]).sum(0)
    lines = ghosts.sum(0) > LINE_SHARE * np.maximum(pixels, 1)
    if lines.sum() <= LINE_CLASSES:
        ghosts = ghosts * ~lines
    for facts, number in zip(read, ghosts.sum(1)):
        if interpolated(number, facts.jumps):
            file = file_of(source, "label", facts.index) or source.ids[facts.index]
            message = f"{file!r}: {number} pixels along edges are of a class between their sides'."
            yield "interpolated_mask", facts.index, file, message


def orphans(sources):
    """Masks whose photo is in none of the folders that the sources take photos from.

    Returns:
        `(source name, mask path, message)` of each. Empty where names do not tell: photo and mask
        must differ by an ending alone (`a.jpg`, `a_mask.png`), the same for all samples.
    """
    without_photo = []
    photos = set()
    for source in sources:
        folders = {os.path.dirname(path) for path in _paths(source, "image")}
        photos |= {_stem(name) for folder in folders for name in _files(folder)}
    done = set()
    for source in sources:
        masks = _paths(source, "label")
        endings = {_endings(p, m) for p, m in zip(_paths(source, "image"), masks)}
        if len(endings) != 1 or None in endings:
            continue
        ((photo_ending, mask_ending),) = endings
        kinds = {os.path.splitext(mask)[1] for mask in masks}
        for folder in sorted({os.path.dirname(mask) for mask in masks} - done):
            done.add(folder)
            for name in _files(folder):
                stem, kind = os.path.splitext(name)
                if kind not in kinds or not stem.endswith(mask_ending):
                    continue
                if stem.removesuffix(mask_ending) + photo_ending not in photos:
                    path = os.path.join(folder, name)
                    message = f"{path!r} has no photo of its name."
                    without_photo.append((source.name, path, message))
    return without_photo


def photos_left_out(sources):
    """Pictures beside the photos of the sources that end as no photo that training reads.

    Returns:
        `(source name, path, message)` of each.
    """
    found, done = [], set()
    for source in sources:
        for folder in sorted({os.path.dirname(path) for path in _paths(source, "image")} - done):
            done.add(folder)
            for name in left_out(folder, PHOTOS):
                if name.lower().endswith(PICTURES):
                    path = os.path.join(folder, name)
                    message = f"{path!r} is left out: photos end in "
                    found.append((source.name, path, message + ", ".join(PHOTOS) + "."))
    return found


def _paths(source, column):
    paths = [file_of(source, column, index) for index in range(len(source))]
    return [path for path in paths if path] if all(paths) else []


def _files(folder):
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_file())


def _stem(path):
    return os.path.splitext(os.path.basename(path))[0]


def _endings(photo, mask):
    """What photo and mask names add to their common part; None if they have none."""
    photo, mask = _stem(photo), _stem(mask)
    common = os.path.commonprefix([photo, mask])
    return (photo[len(common) :], mask[len(common) :]) if common else None
