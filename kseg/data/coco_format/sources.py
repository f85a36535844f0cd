"""A `Source` of what an annotation file in COCO's format says."""

import os

from kseg.data.coco_format.annotations import Place, beyond
from kseg.data.listing import stem
from kseg.data.source import Source


def source_of(
    annotated,
    columns,
    decode,
    names,
    colors,
    instances,
    void,
    categories,
    problems,
    notes,
    read,
    stated=None,
):
    """The source of these columns, one row for each of `annotated.images`."""
    files = [image["file_name"].replace("\\", "/") for image in annotated.images]
    ids = [stem(name) for name in files]
    if len(set(ids)) < len(ids):  # as in folders of videos: 000001.jpg in each
        ids = [os.path.splitext(name)[0] for name in files]
    if len(set(ids)) < len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        message = f"two images are named {twice!r}; expected one each."
        remedy = "Give one of them, and all annotations its id."
        raise Place(annotated.path).malformed(message, remedy)
    return Source(
        name=f"coco/{stem(annotated.path)}",
        columns=columns,
        decode=decode,
        class_names=tuple(names),
        colors=tuple(colors),
        ids=tuple(ids),
        void=void,
        task="instance" if instances else "semantic",
        category_ids=tuple(categories),
        image_ids=tuple(image["id"] for image in annotated.images),
        problems=lambda index: problems.get(index, []),
        notes=tuple(notes),
        annotated=stated and stated.__getitem__,
        **read.said,
    )


def box_notes(entry, height, width, where):
    """That an entry's box reaches beyond its photo, if it does."""
    past = beyond(entry["bbox"], height, width, where) if "bbox" in entry else 0
    if not past:
        return []
    return [
        (
            "box_outside",
            f"{where}: bbox={entry['bbox']} reaches {past:g} pixels beyond its photo of "
            f"{width}x{height} (width x height).",
        )
    ]
