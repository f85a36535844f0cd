"""What is looked at of a source: so many photos, its classes in those of a model."""

import dataclasses

import numpy as np

from kseg.base.arguments import integer, refused
from kseg.base.colors import class_colors
from kseg.base.tensorflow import converted, tensorflow
from kseg.data.source import spread


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
