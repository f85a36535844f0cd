"""Panoptic annotations: a PNG of segment ids for each photo, and what each id is. Kirillov et al.,
"Panoptic Segmentation", CVPR 2019."""

from kseg.base.colors import class_colors
from kseg.base.tensorflow import tensorflow
from kseg.data.coco_format.annotations import Place, field
from kseg.data.coco_format.photos import files_below
from kseg.data.coco_format.rle import numbers_of
from kseg.data.coco_format.rows import as_text
from kseg.data.coco_format.sources import box_notes, source_of
from kseg.data.color_masks import decode_colors
from kseg.data.errors import DataError, require
from kseg.data.listing import column
from kseg.data.sample import masks_of, without_empty
from kseg.data.source import void_beyond


def panoptic_source(annotated, photos, instances, folder, numbers):
    """The source of a panoptic file, its PNGs in a folder: of its things, or of a map of all."""
    each = _one_a_photo(annotated)
    names = [field(a, "file_name", str, annotated.where(a)) for a in each]
    masks = files_below(folder, names, "panoptic")
    chosen = _categories(annotated, instances)
    void = void_beyond(len(chosen))
    rows, problems = [], {}
    for index, (image, annotation) in enumerate(zip(annotated.images, each)):
        segments, notes = _segments(annotation, image, annotated.where(annotation))
        rows.append(_row(segments, chosen, None if instances else void))
        if notes:
            problems[index] = notes
    read = numbers.photos(photos)
    return source_of(
        annotated,
        {
            "image": column(photos),
            "label": column(masks),
            **{key: column(row[key] for row in rows) for key in ("keys", "classes", "crowd")},
        },
        _things(read) if instances else _map(read, void),
        [category["name"] for category in chosen],
        _colors(chosen),
        instances,
        void,
        [category["id"] for category in chosen],
        problems,
        annotated.notes,
        read,
    )


def _one_a_photo(annotated):
    """The annotation of each image, of which there is one."""
    missing = [
        image["file_name"] for image, of in zip(annotated.images, annotated.of_image) if not of
    ]
    if missing:
        raise DataError(
            "unpaired",
            annotated.path,
            f"{annotated.path}: {len(missing)} of {len(annotated.images)} images have no "
            f"annotation; the first is {missing[0]!r}.",
            "A panoptic set has one for each: add it, or remove the image.",
        )
    return [of[0] for of in annotated.of_image]


def _categories(annotated, instances):
    """All of them, or those of things."""
    if not instances:
        return annotated.categories
    return [
        category
        for category in annotated.categories
        if field(category, "isthing", int, Place(annotated.path, f"category {category['id']}"))
    ]


def _segments(annotation, image, where):
    """Packed id -> segment, in the order of the ids; and what is odd in them."""
    segments, notes = {}, []
    for segment in annotation["segments_info"]:
        key = field(segment, "id", int, where)
        if not 0 < key < 2**24 or _packed(key) in segments:
            raise where.malformed(
                f"segment id={key}: expected a different number, 1 to 2^24 - 1, for each segment."
            )
        segments[_packed(key)] = segment
        inside = where.within(f", segment {key}")
        notes += box_notes(segment, image["height"], image["width"], inside)
        if segment.get("area") == 0:
            notes.append(("empty_instance", f"{inside} has no pixel."))
    return dict(sorted(segments.items())), notes


def _packed(key):
    """A segment id, R + 256 G + 256^2 B, as `decode_colors` gives it: 0xRRGGBB."""
    return (key & 255) << 16 | key & 0xFF00 | key >> 16


def _row(segments, chosen, crowd_is):
    """Ids, and the class of each: -1 is none; `crowd_is`, where given, is that of a crowd."""
    class_of = {category["id"]: position for position, category in enumerate(chosen)}
    crowd = [int(segment.get("iscrowd", 0)) for segment in segments.values()]
    classes = [class_of.get(segment["category_id"], -1) for segment in segments.values()]
    if crowd_is is not None:
        classes = [crowd_is if is_crowd else c for is_crowd, c in zip(crowd, classes)]
    return {"keys": as_text(segments), "classes": as_text(classes), "crowd": as_text(crowd)}


def _colors(categories):
    """The file's own colours, if it has one for each category."""
    given = [category.get("color") for category in categories]
    known = range(256)
    if all(isinstance(c, list) and len(c) == 3 and all(v in known for v in c) for c in given):
        return tuple(map(tuple, given))
    return class_colors([category["name"] for category in categories])


# Within a graph


def _things(read):
    def decode(row):
        tf = tensorflow()
        classes = numbers_of(row["classes"])
        things = tf.where(classes >= 0)[:, 0]
        return without_empty(
            {
                "image": read(row["image"]),
                "masks": masks_of(_positions(row), tf.cast(things, tf.int32) + 1),
                "classes": tf.gather(classes, things),
                "crowd": tf.gather(numbers_of(row["crowd"]) != 0, things),
            }
        )

    return decode


def _map(read, void):
    def decode(row):
        tf = tensorflow()
        kind = tf.uint8 if void < 256 else tf.int32
        classes = tf.cast(tf.concat([[void], numbers_of(row["classes"])], 0), kind)
        return {"image": read(row["image"]), "label": tf.gather(classes, _positions(row))}

    return decode


def _positions(row):
    """The PNG as positions in the row's keys, with 0 (no segment) before them."""
    tf = tensorflow()
    mask = decode_colors(row["label"])
    keys = tf.concat([[0], numbers_of(row["keys"])], 0)
    flat = tf.reshape(mask, [-1])
    place = tf.minimum(tf.searchsorted(keys, flat), tf.size(keys) - 1)
    require(
        tf.reduce_all(tf.gather(keys, place) == flat),
        "malformed",
        row["label"],
        "the PNG holds a segment id that segments_info of the annotation file does not list.",
        "Take the PNG and the JSON from the same release.",
    )
    return tf.reshape(place, tf.shape(mask))
