"""`kseg.data.convert`: any `Source` in another layout."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from kseg.base import atomic
from kseg.base.arguments import choice, refused
from kseg.base.outputs import check_folder
from kseg.data.source import Source, check_is_source
from kseg.data.tfrecords import TASKS
from kseg.data.writers.folders import WRITERS

WHOLE = ("coco", "records")  # layouts that hold what an annotation file says beside its masks
OF_SEVERAL = ("folder", "records")  # layouts that hold several classes at a pixel


def convert(
    source: Source | Mapping[str, Source],
    to: str,
    *,
    progress: Callable[[int], object] | None = None,
) -> Path:
    """Writes a Source, or the splits of a set, in another layout; exactly, or not at all.

    Photos that are JPEG or PNG stay the files they are, byte by byte, but that Cityscapes wants
    PNG, which others become. What a layout cannot hold is refused: void in YOLO, objects that
    overlap in a map of them. Boxes and areas that an annotation file has of its own, and its ids of
    photos and classes, go to COCO and records; the others have no place for them. The folder
    appears when it is complete; an interruption leaves nothing behind.

    Args:
        source: A `Source`, which is written as the split "train"; or a dict of split -> `Source`,
            of one task and the same classes.
        to: Layout and folder, which must not exist, or be empty:

            - `"coco:PATH"`: objects as `annotations/instances_SPLIT.json`; labels as
              `panoptic_SPLIT.json` with PNGs, every class a kind of stuff.
            - `"voc:PATH"`: Pascal VOC's folders; classes of one's own in `labelmap.txt`, as CVAT
              has them.
            - `"cityscapes:PATH"`: its folders and label ids; which classes they stand for, if
              others, is said in `classes.json`.
            - `"yolo:PATH"`: a line of polygons for each object, or class of a map.
            - `"folder:PATH"`: `images`, `masks` and `classes.txt`; of objects those of one class;
              of several classes a pixel a mask each.
            - `"records:PATH"`: TFRecord files, see `write_records`.
        progress: Called with the number of samples written after each.

    Returns:
        The folder, a `pathlib.Path`.

    Raises:
        FileExistsError: there is something at the folder's place.
        ValueError: `to` is no layout; the sources do not go together; the layout cannot hold them;
            or a sample cannot be read.
        ImportError: pycocotools is not installed, for COCO and YOLO.

    Example:

    >>> scenes = kseg.data.shapes("val", count=3)
    >>> kseg.data.convert({"val": scenes}, "coco:converted")
    PosixPath('converted')
    >>> kseg.data.coco("converted/val", "converted/annotations/panoptic_val.json").class_names[:2]
    ('background', 'disk')
    """
    sources = dict(source) if isinstance(source, Mapping) else {"train": source}
    kind, path = target(to)
    _check_together(sources, kind, to)
    if kind != "records":
        for each in sources.values():
            _check_usual(each, kind)
    check_free(path)
    done = 0

    def count():
        nonlocal done
        done += 1
        if progress:
            progress(done)

    with atomic.into(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        unfinished.chmod(0o755)
        try:
            WRITERS[kind](unfinished, sources, count)
            if path.is_dir():
                path.rmdir()  # empty
            os.rename(unfinished, path)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    return path


def left_behind(sources, kind):
    """What an annotation file says beside its masks and a layout has no place for.

    Args:
        sources: Split -> `Source`.
        kind: The layout.

    Returns:
        A sentence; "" if nothing is lost.
    """
    if kind in WHOLE:
        return ""
    said = {
        "boxes and areas of its own": any(each.annotated for each in sources.values()),
        "ids of photos": any(each.image_ids for each in sources.values()),
    }
    lost = " and ".join(name for name, there in said.items() if there)
    holders = " and ".join(f"{each}:" for each in WHOLE)
    return f"not in {kind}: the annotation file's {lost} ({holders} hold them)" if lost else ""


def target(to):
    """Kind and folder of `to`, `"voc"` and the path of `"voc:PATH"`.

    Raises:
        ValueError: it is no layout and folder.
    """
    kind, _, place = str(to).partition(":")
    if kind not in WRITERS or not place:
        expected = f"one of {', '.join(f'{each}:PATH' for each in WRITERS)}"
        raise refused("to", str(to), expected)
    return kind, Path(place).expanduser()


def check_free(path, read=()):
    """Raises unless a folder can be made here, where nothing is and nothing is read.

    Args:
        path: The folder.
        read: Folders that are read.
    """
    check_folder("to", path)
    if os.path.lexists(path) and not (path.is_dir() and not os.listdir(path)):
        expected = "the name of a folder that is not there yet, or is empty"
        raise refused("to", str(path), expected, "Give another one.", FileExistsError)
    inner = path.absolute().resolve()
    for folder in read:
        if Path(folder).resolve() in (inner, *inner.parents):
            expected = f"a folder outside of {str(folder)!r}, which is read"
            raise refused("to", str(path), expected, "Give another one.")


def _check_usual(source, kind):
    """Raises unless this is a source of photos of 0..255."""
    if source.weighted:
        expected = f"False for {kind}:, which holds no weights of pixels"
        remedy = "Convert to records:, which hold them; or open the set without them."
        raise refused("source.weighted", True, expected, remedy)
    if source.value_range is not None:
        expected = f"None for {kind}:, whose photos are of 0..255"
        remedy = "Convert to records:, which hold all of it."
        raise refused("source.value_range", source.value_range, expected, remedy)


def _check_together(sources, kind, to):
    """Raises unless these are sources of one task, that a kind has, with the same classes."""
    if not sources:
        raise refused("source", sources, "a Source, or a dict of one or more")
    first = None
    for split, each in sources.items():
        check_is_source(f"source[{split!r}]", each)
        if not (isinstance(split, str) and split.isidentifier()):
            raise refused("source", split, "names of splits, as 'train' and 'val'")
        choice("source.task", each.task, TASKS)
        if each.task == "multilabel" and kind not in OF_SEVERAL:
            expected = " or ".join(f"{own}:PATH" for own in OF_SEVERAL)
            raise refused("to", str(to), f"{expected} for several classes at a pixel")
        first = first or each
        if (each.task, each.class_names) != (first.task, first.class_names):
            expected = f"splits of one task and one list of classes, as {first.name!r} has them"
            raise refused("source", each.name, expected)
