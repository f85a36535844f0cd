"""What only shows in the whole set: classes that never occur, masks of 0 and 255, orphans."""

import collections
import os

import numpy as np

from kseg.checks.mask_values import interpolated
from kseg.data.bad_files import class_file, file_of
from kseg.data.listing import PHOTOS, PICTURES, left_out, shortened
from kseg.data.source import LABELLED
from kseg.data.values import proposed_range

LINE_SHARE = 0.25  # of a class's pixels that lie between two others, in a class of thin lines


LINE_CLASSES = 2  # at most: interpolation makes more classes look so


DETECTIONS = 100  # of a photo that a Mask R-CNN finds, unless it is told otherwise


def problems_of_set(source, seen, stats, learnt):
    """`(kind, index or None, file, message)` of what shows in a source as a whole.

    Args:
        source: A `Source`.
        seen: `Facts` of each of its samples that were looked at.
        stats: Its `Statistics`.
        learnt: Whether it is the one to learn from, or else to score by.
    """
    yield from unsaid_ranges(source, seen)
    read = [facts for facts in seen if facts.counts is not None]
    for kind, message in source.notes:
        yield kind, None, source.name, message
    yield from repeated_ids(source)
    yield from absent_classes(source, stats)
    poor = list(poor_masks(source, read)) if source.task == "semantic" else []
    yield from poor
    if source.task == "semantic":
        yield from interpolated_masks(source, read)
    if source.task == "instance":
        yield from many_objects(source, read)
    if source.task == "multilabel":
        yield from poor_labels(source, read)
    told = {kind for kind, *_ in poor} | {kind for kind, _ in source.notes}
    if not told & EXPLAINED:
        yield from nothing_there(source, read, stats, learnt)


# Kinds that say why there is nothing to learn
EXPLAINED = {
    "all_crowd",
    "boxes_only",
    "relative_coordinates",
    "nothing_drawn",
    "black_and_white",
}


def nothing_there(source, read, stats, learnt):
    """One finding if all samples were read and no two classes, or no object, are in them.

    Or if no pixel has a weight.
    """
    if not stats.read or stats.read < stats.samples:
        return
    kind, photos = ("nothing_to_learn" if learnt else "nothing_to_score"), f"{len(read)} photos"
    if read and all(facts.weightless for facts in read):
        message = f"{source.name}: every pixel of {photos} has weight 0."
        yield kind, None, source.name, message
        return
    if not stats.bare:
        return
    if source.task == "instance":
        if any(facts.crowds for facts in read):
            number = sum(facts.crowds for facts in read)
            message = f"all {number} objects of {photos} are crowd regions, which are not learnt."
            yield "all_crowd", None, source.name, f"{source.name}: {message}"
        else:
            yield kind, None, source.name, f"{source.name}: there is no object in {photos}."
    else:
        yield kind, None, source.name, f"{source.name}: {_one_class(source, stats)} {photos}."


def _one_class(source, stats):
    """What a set of one class, or none, holds; in words before "in so many photos"."""
    seen = np.flatnonzero(stats.pixels).tolist()
    others = [name for index, name in enumerate(source.class_names) if index not in seen]
    absent = f", none is of {shortened(list(map(repr, others)))}," if others else ""
    if not seen:
        return f"there is no labelled pixel{absent} in"
    return f"every labelled pixel is of {source.class_names[seen[0]]!r}{absent} in"


def many_objects(source, read):
    """One finding for the photo with the most objects, if a Mask R-CNN would not find them all."""
    most = max(read, key=lambda facts: facts.instances.sum(), default=None)
    if most is None or most.instances.sum() <= DETECTIONS:
        return
    photos = sum(facts.instances.sum() > DETECTIONS for facts in read)
    file = file_of(source, "image", most.index) or source.ids[most.index]
    message = f"{file!r} shows {most.instances.sum()} objects, the most of all; {photos} photos "
    yield "many_objects", most.index, file, f"{message}show more than {DETECTIONS}."


def different_classes(sources):
    """`(source name, kind, message)` of each source whose classes are not those of the first."""
    first = sources[0]
    for source in sources[1:]:
        if source.task != first.task or source.class_names == first.class_names:
            continue
        ours, theirs = source.class_names, first.class_names
        same = len(ours) == len(theirs) and set(ours) != set(theirs)
        index = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), None)
        if index is None:
            what = f"{source.name} has {len(ours)} classes, {first.name} {len(theirs)}"
        else:
            what = f"class {index} of {source.name} is {ours[index]!r}, of {first.name} "
            what += repr(theirs[index])
            what += f"; they have {len(ours)} and {len(theirs)}" if len(ours) != len(theirs) else ""
        yield source.name, "other_names" if same else "classes_differ", f"{what}."


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
    if not stats.read or source.task not in (*LABELLED, "instance"):
        return
    counts = stats.images if stats.instances is None else stats.instances
    absent = [name for name, count in zip(source.class_names, counts) if not count]
    if absent:
        names = ", ".join(absent[:6]) + (", ..." if len(absent) > 6 else "")
        message = f"{len(absent)} of {source.num_classes} classes never occur: {names}."
        yield "absent_class", None, source.name, message


def poor_masks(source, read):
    """Masks of void alone, of one class alone, and of 0 and 255 where 255 should be a class."""
    if not read:
        return
    counts = np.stack([facts.counts for facts in read])
    void, classes = counts[:, -1], np.count_nonzero(counts[:, :-1], axis=1)
    only_first = (classes == 1) & (counts[:, 0] > 0) & (source.num_classes > 1)
    two_valued = only_first & (void > 0)
    # such a mask may be right where void borders the objects of other masks
    usual = ((void > 0) & counts[:, 1:-1].any(axis=1)).any()
    for position, facts in enumerate(read):
        file = file_of(source, "label", facts.index) or source.ids[facts.index]
        if two_valued[position] and "crowd" in source.columns:
            name = source.class_names[0]
            message = f"{file!r}: all that is not {name!r} is of crowd regions, which are void."
            yield "single_class_mask", facts.index, file, message
        elif two_valued[position]:
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


def poor_labels(source, read):
    """Of a multilabel source: masks that are not there, void alone, or 0 and 255 for a class."""
    counts = sum((facts.counts for facts in read), np.zeros(source.num_classes + 1, np.int64))
    for facts in read:
        index = facts.index
        files = [class_file(source, index, c) for c in range(source.num_classes)]
        photo = file_of(source, "image", index) or source.ids[index]
        missing = ", ".join(n for n, f in zip(source.class_names, files) if not f)
        if missing:
            message = f"{photo!r} has no mask of {missing}: read as nowhere in it."
            yield "absent_mask", index, photo, message
        if facts.counts[-1] == facts.size[0] * facts.size[1]:
            yield "void_mask", index, photo, f"{photo!r}: every pixel is void of every class."
        pixels = facts.size[0] * facts.size[1]
        two_valued = (facts.voids > 0) & (facts.voids < pixels) & (facts.counts[:-1] == 0)
        for c in np.flatnonzero(two_valued):
            name, void = source.class_names[c], f"void ({source.void})"
            if counts[c]:
                message = f"{files[c]!r}: all that is not without {name!r} is {void}."
                yield "maybe_black_and_white", index, files[c], message
            else:
                message = f"{files[c]!r}: {name!r} is nowhere, but {void}: it would not be learnt."
                yield "black_and_white", index, files[c], message


def interpolated_masks(source, read):
    """Masks with ghost classes along their edges, all within the class list.

    A class of thin lines, such as the contour between a cell (2) and the ground (0), lies between
    two others by nature; interpolation makes many classes do so. Nobody has resized what is drawn
    from polygons, where one object leaves but a strip of another.
    """
    drawn = source.image_ids is not None and file_of(source, "label", 0) is None
    if not read or drawn:
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
