"""Photos by scene, and the classes of another data set in those of a model."""

import dataclasses
import os
import re

import numpy as np

from kseg.base.arguments import integer, refused
from kseg.base.colors import class_colors
from kseg.base.tensorflow import converted, tensorflow
from kseg.data.bad_files import file_of
from kseg.data.source import spread

FOLDER = "folder"


def scenes(source, group):
    """The positions of the photos of each scene.

    Args:
        source: The `Source`.
        group: `"folder"` for the folder of a photo's file; or a regular expression, searched in a
            photo's id: its first group, or all that it finds, is the scene.

    Returns:
        dict of scene -> list of positions, by name; empty where `group` is None.

    Raises:
        ValueError: it is no expression, or does not find a scene in each id.
    """
    if group is None:
        return {}
    scene_of = _folder(source) if group == FOLDER else _by_pattern(source, group)
    found = {}
    for index in range(len(source)):
        found.setdefault(scene_of(index), []).append(index)
    return dict(sorted(found.items()))


def _folder(source):
    files = [file_of(source, "image", index) for index in range(len(source))]
    if None in files:
        remedy = "Give a regular expression that finds the scene in a photo's id."
        raise refused("group", FOLDER, "a set of photos in files of their own", remedy)
    folders = [os.path.dirname(os.path.abspath(file)) for file in files]
    shared = os.path.commonpath(folders)
    if shared in folders:
        shared = os.path.dirname(shared)
    return lambda index: os.path.relpath(folders[index], shared)


def _by_pattern(source, group):
    example = f"{source.ids[0]!r}"
    try:
        pattern = re.compile(group)
    except (re.error, TypeError) as error:
        expected = f"'folder', or a regular expression ({error})"
        raise refused("group", group, expected) from None
    for name in source.ids:
        if not pattern.search(name):
            remedy = f"It finds none in {name!r}; the first id is {example}."
            raise refused("group", group, "an expression that finds a scene in each id", remedy)

    def scene_of(index):
        found = pattern.search(source.ids[index])
        return (found.groups() or (found[0],))[0] or ""

    return scene_of


def looked_at(source, names, class_map=None, images=None):
    """What is scored of a source: with the classes of a model, and of so many photos.

    Args:
        source, names, class_map: As of `mapped`.
        images: Photos, evenly spread; None for all.
    """
    source = mapped(source, names, class_map)
    if images is None:
        return source
    return source.subset(spread(len(source), integer("images", images)))


def mapped(source, names, class_map):
    """A `Source` of another data set with the classes of a model.

    Args:
        source: The set, of labels: one class a pixel.
        names: Of the model's classes.
        class_map: dict of the set's class -> the model's, by name; one that is left out goes to the
            class of its own name, or where there is none or it is None, to void.

    Returns:
        The `Source`; the one that was given where its classes are the model's.

    Raises:
        ValueError: a name is none, or nothing would be left to score.
    """
    if class_map is None:
        return source
    for own, theirs in dict(class_map).items():
        if own not in source.class_names:
            raise refused("class_map", own, _one_of(source.class_names, source.name))
        if theirs is not None and theirs not in names:
            raise refused("class_map", theirs, _one_of(names, "the model"))
    chosen = [class_map.get(name, name if name in names else None) for name in source.class_names]
    if not any(chosen):
        remedy = "Map at least one class to one of the model's."
        raise refused("class_map", class_map, "something that is left to score", remedy)
    return _relabelled(source, names, chosen)


def _one_of(names, whose):
    return f"a class of {whose}: {', '.join(names)}"


def _relabelled(source, names, chosen):
    """The source whose class `i` is now called `chosen[i]`, or void where that is None."""
    tf = tensorflow()
    decode = converted(source.decode)
    table = np.full(max(len(chosen), source.void + 1), source.void, np.int32)
    table[: len(chosen)] = [source.void if name is None else names.index(name) for name in chosen]

    def read(row):
        sample = dict(decode(row))
        if "label" not in sample or len(sample["label"].shape) == 3:
            raise refused("class_map", chosen, "None for a set that has no one class a pixel")
        sample["label"] = tf.gather(table, tf.cast(sample["label"], tf.int32))
        return sample

    return dataclasses.replace(
        source, decode=read, class_names=names, colors=class_colors(names), category_ids=None
    )
