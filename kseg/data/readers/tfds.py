"""Published data sets of TensorFlow Datasets, any that has a segmentation feature.

The set is prepared by its own builder. Its records are then reached one by one, through an index of
where each begins, so that a TFDS set shuffles, splits and resumes like every other Source.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from kseg.base.arguments import name_list, refused
from kseg.base.colors import class_colors
from kseg.base.types import Color, PathLike
from kseg.data.decode import mask_of_bytes
from kseg.data.errors import DataError, MissingData, no_split
from kseg.data.readers.cityscapes import CLASSES, LABEL_IDS, LABELS
from kseg.data.relabel import relabel
from kseg.data.source import VOID, Source
from kseg.data.tfrecords import read_record, record_offsets

HINTS = ("segment", "mask", "annotation", "label")  # in the names of features that hold masks


@dataclasses.dataclass(frozen=True)
class Labels:
    """What the mask values of a set mean, which TFDS does not record."""

    class_names: tuple[str, ...]
    values: tuple[int, ...]
    void_values: tuple[int, ...]
    colors: tuple | None = None


KNOWN = {
    # "1: foreground, 2: background, 3: not classified": the README of its annotations
    "oxford_iiit_pet": Labels(("pet", "background"), (1, 2), (3,)),
    # 0 is "other objects", which its benchmark does not score
    "scene_parse150": Labels(
        tuple(f"class {n}" for n in range(1, 151)), tuple(range(1, 151)), (0,)
    ),
    "cityscapes": Labels(
        tuple(CLASSES),
        LABEL_IDS,
        tuple(sorted({*range(LABELS), VOID} - set(LABEL_IDS))),
        tuple(color for _, color in CLASSES.values()),
    ),
}


def tfds(
    name: Any,
    split: str = "train",
    *,
    data_dir: PathLike | None = None,
    image: str | None = None,
    label: str | None = None,
    class_names: Sequence[str] | None = None,
    values: Sequence[int] | None = None,
    void_values: Sequence[int] | None = None,
    colors: Sequence[Color] | None = None,
    download: bool = True,
) -> Source:
    """Reads a data set of TensorFlow Datasets.

    Args:
        name: Name of the set as for `tfds.load`, for example `"oxford_iiit_pet"`; or a builder; or
            the folder of a prepared set.
        split: Split of the set, `"train"` by default; slices such as `"train[:80%]"` too.
        data_dir: Folder of prepared sets; None for TFDS' own, `~/tensorflow_datasets`.
        image: Name of the feature that holds the photo; None to find it.
        label: Name of the feature that holds the mask; None to find it.
        class_names: Name of each class; None where kseg knows the set (oxford_iiit_pet, cityscapes,
            scene_parse150) or TFDS knows the names (a `LabeledImage` feature).
        values: The mask value of each class; None for those known, or 0, 1, 2, ... So
            `values=(1, 2, 3)` undoes a shift by one.
        void_values: Mask values of pixels without a label; None for those known, or 255.
        colors: RGB of each class; None for colours told apart by eye.
        download: Whether to download and prepare the set if it is not there yet.

    Returns:
        `Source` with void = 255. In oxford_iiit_pet, 0 is pet, 1 background, and the unclassified
        outline is void.

    Raises:
        ValueError: the set has no segmentation feature, its classes are not known, or its records
            are not TFRecord files.
        FileNotFoundError: the set is not prepared and `download` is False.

    Example:

    >>> source = kseg.data.tfds("oxford_iiit_pet", "train[:90%]")  # doctest: +SKIP
    >>> source.class_names  # doctest: +SKIP
    ('pet', 'background')
    """
    builder = _builder(name, data_dir)
    if download and not builder.info.splits:
        builder.download_and_prepare()
    info = builder.info
    if not info.splits:
        raise MissingData(
            "missing",
            info.name,
            f"{info.name!r} is not prepared in {str(builder.data_dir)!r}.",
            "Give data_dir=, or let download=True prepare it.",
        )
    if str(getattr(info.file_format, "value", info.file_format)) != "tfrecord":
        raise DataError(
            "unsuitable",
            info.name,
            f"{info.name!r} was prepared as {info.file_format}, but TFRecord files are expected.",
            'Prepare it with tfds.builder(..., file_format="tfrecord").',
        )
    features = info.features
    label = label or _find_label(info)
    image = image or _find_image(info, label)
    known = _labels(info, features[label], class_names, values, void_values, colors)
    files, offsets = _index(info, split)
    classes = len(known.class_names)
    where = f"{info.name}/{split}"

    def decode(row):
        import tensorflow_datasets

        skip = tensorflow_datasets.decode.SkipDecoding()
        example = features.deserialize_example(
            read_record(row["file"], row["offset"]), decoders={image: skip, label: skip}
        )
        mask = mask_of_bytes(
            example[label], where, wide=max(known.values + known.void_values) > 255, repeated=True
        )
        return {
            "image": example[image],
            "label": relabel(mask, known.values, known.void_values, VOID, where),
        }

    return Source(
        name=where,
        columns={"file": files, "offset": offsets},
        decode=decode,
        class_names=known.class_names,
        colors=known.colors or class_colors(known.class_names),
        ids=tuple(f"{index:06d}" for index in range(len(offsets))),
        category_ids=None if known.values == tuple(range(classes)) else known.values,
    )


def divided(name, split, val_fraction):
    """A set, prepared, and what of it stands for a split it may call otherwise, or may lack.

    Args:
        name: As for `tfds`.
        split: `"train"`, `"val"` or `"test"`.
        val_fraction: The share of "train" that stands for "val" where the set has no such split.

    Returns:
        The builder, and the split in TFDS' own words.

    Raises:
        ValueError: the set has no such split.
    """
    builder = _builder(name, None)
    if not builder.info.splits:
        builder.download_and_prepare()
    names = set(builder.info.splits)
    own = names & {"val", "validation"}
    if split == "val" and own:
        return builder, own.pop()
    kept = round(100 * (1 - val_fraction))
    if "train" in names and not own and split in ("train", "val"):
        return builder, f"train[:{kept}%]" if split == "train" else f"train[{kept}%:]"
    if split not in names:
        raise no_split(split, f"one of {', '.join(sorted(names))} of {builder.info.name!r}")
    return builder, split


def _builder(name, data_dir):
    import tensorflow_datasets

    is_builder = isinstance(name, tensorflow_datasets.core.DatasetBuilder)
    if is_builder or os.path.isfile(os.path.join(name, "dataset_info.json")):
        if data_dir is not None:
            expected = "None for a builder or a prepared folder, which say where they are"
            raise refused("data_dir", data_dir, expected, "Leave it out.")
        return name if is_builder else tensorflow_datasets.builder_from_directory(name)
    try:
        return tensorflow_datasets.builder(name, data_dir=data_dir)
    except tensorflow_datasets.core.registered.DatasetNotFoundError as error:
        expected = f"a data set that TFDS knows ({str(error).splitlines()[0]})"
        remedy = "Give a name of its catalogue, a builder, or the folder of a prepared set."
        raise refused("name", name, expected, remedy) from error


def _images(info):
    """The features of a set that are images: name -> feature."""
    import tensorflow_datasets

    kinds = tensorflow_datasets.features
    features = info.features
    if not hasattr(features, "items"):
        return {}
    return {name: f for name, f in features.items() if isinstance(f, kinds.Image)}


def _find_label(info):
    import tensorflow_datasets

    images = _images(info)
    for name, feature in images.items():
        if isinstance(feature, tensorflow_datasets.features.LabeledImage):
            return name
    for hint in HINTS:
        for name in images:
            if hint in name:
                return name
    raise DataError(
        "unsuitable",
        info.name,
        f"{info.name!r} has no segmentation feature among its images "
        f"({', '.join(images) or 'it has none'}).",
        "Name it with label=, or choose another set.",
    )


def _find_image(info, label):
    for name, feature in _images(info).items():
        if name != label and feature.shape[-1] == 3:
            return name
    raise DataError(
        "unsuitable",
        info.name,
        f"{info.name!r} has no photo among its features ({', '.join(info.features)}).",
        "Name it with image=.",
    )


def _labels(info, feature, class_names, values, void_values, colors):
    """`Labels`: what was given, completed by what is known of the set."""
    known = KNOWN.get(info.name)
    if class_names is None and known is None:
        names = getattr(feature, "names", None)
        if names is None:
            raise DataError(
                "unsuitable",
                info.name,
                f"{info.name!r} does not say what its mask values mean.",
                "Give class_names=(...), and values=(...) if they are not 0, 1, 2, ...",
            )
        class_names = tuple(names)
    if class_names is None:
        class_names = known.class_names
        values = known.values if values is None else values
        void_values = known.void_values if void_values is None else void_values
        colors = colors or known.colors
    values = tuple(range(len(class_names))) if values is None else tuple(values)
    if len(values) != len(class_names):
        expected = f"one for each of the {len(class_names)} class_names"
        raise refused("values", values, expected)
    if void_values is None:
        void_values = (VOID,)
    void_values = tuple(value for value in void_values if value not in values)
    return Labels(name_list("class_names", class_names), values, void_values, colors)


def _index(info, split):
    """The file of each example of a split, and the byte where its record begins."""
    files, offsets = [], []
    try:
        instructions = info.splits[split].file_instructions
    except (KeyError, ValueError) as error:
        expected = f"one of {', '.join(info.splits)} of {info.name!r}, or a slice of it"
        raise no_split(split, expected) from error
    for instruction in instructions:
        file = str(instruction.filename)
        stop = None if instruction.take == -1 else instruction.skip + instruction.take
        begins = record_offsets(file)[instruction.skip : stop]
        files += [file] * len(begins)
        offsets += begins
    return np.array(files, dtype=object), np.array(offsets, np.int64)
