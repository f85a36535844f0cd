"""TFRecord files: any Source written to sharded, checksummed records, and read back.

A folder of records holds `data-00000-of-00016.tfrecord`, ..., `index.npz` (where each record
begins) and `source.json` (classes, colours, task). Every record carries TensorFlow's CRC-32C
checksums, which are verified when it is read. The index makes any record reachable by itself, so a
record set shuffles, splits and resumes exactly like a folder of files: one large sequential file
for the storage, random access for training.

Photos are kept as the bytes they were (a JPEG stays that JPEG), labels and masks as PNG.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from kseg.base.arguments import integer, refused, tuples
from kseg.base.types import PathLike
from kseg.data.errors import DataError, MissingData
from kseg.data.source import Source
from kseg.data.tfrecords import FORMAT, record_decoder


def records(path: PathLike, *, shard: tuple[int, int] | None = None) -> Source:
    """Reads a folder that `write_records` made.

    Args:
        path: The folder, local or whatever file system TensorFlow knows, mounted.
        shard: None for all, or `(number, count)`: every `count`-th file from the `number`-th on,
            so that each of many hosts reads files of its own.

    Returns:
        `Source`, the one that was written.

    Raises:
        FileNotFoundError: the folder, or a file of it, is missing.
        ValueError: the folder is not one of records, or `shard` is out of its range.
    """
    path = Path(path).expanduser()
    described, index = path / "source.json", path / "index.npz"
    for file in (described, index):
        if not file.is_file():
            raise MissingData(
                "missing",
                path,
                f"path={str(path)!r} holds no {file.name}: expected a folder that "
                "kseg.data.write_records has made.",
            )
    try:
        description = json.loads(described.read_text())
        with np.load(index) as saved:
            place, offsets, ids = saved["shard"], saved["offset"], saved["ids"]
            annotated = _annotated(saved, len(offsets)) if "annotated" in saved else None
        files = np.array([str(path / name) for name in description["files"]], dtype=object)
        given = {
            key: tuples(description[key])
            for key in ("name", "task", "class_names", "colors", "void", "category_ids")
        }
        given["image_ids"] = tuples(description.get("image_ids"))
        given |= {key: tuples(description.get(key)) for key in ("value_range", "bands")}
        decoded = description["decoded"]
        _check(given, decoded, files, place, offsets)
        source = Source(
            columns={"file": files[place], "offset": offsets},
            decode=record_decoder(
                decoded,
                task=given["task"],
                void=given["void"],
                num_classes=len(given["class_names"]),
                **description.get("images", {}),
            ),
            ids=tuple(ids.tolist()),
            annotated=annotated,
            **given,
        )
    except Exception as error:  # of damaged bytes, zipfile and NumPy raise whatever they run into
        raise DataError(
            "malformed",
            path,
            f"path={str(path)!r}: source.json or index.npz is damaged ({error!r}).",
            "Write the records again.",
        ) from error
    if description.get("format") != FORMAT:
        raise DataError(
            "malformed",
            path,
            f"path={str(path)!r} has records of format {description.get('format')!r}; this "
            f"version of kseg reads format {FORMAT}.",
        )
    missing = [file for file in files if not os.path.isfile(file)]
    if missing:
        raise MissingData(
            "missing",
            missing[0],
            f"{missing[0]!r} does not exist: {len(missing)} of {len(files)} record files are "
            "missing.",
            "Copy the whole folder, or write it again.",
        )
    if shard is None:
        return source
    number, hosts = _check_shard(shard, len(files))
    return source.subset(np.flatnonzero(place % hosts == number))


def _annotated(saved, count):
    """`Source.annotated` of what `write_records` has kept of it: all rows, and how many of each."""
    rows, objects = saved["annotated"], saved["objects"]
    sound = rows.dtype == np.float64 and rows.shape[1:] == (5,) and objects.dtype == np.int64
    if not (sound and len(objects) == count and sum(objects) == len(rows) and min(objects) >= 0):
        raise ValueError("its annotated is not what write_records writes")
    each = np.split(rows, np.cumsum(objects)[:-1])
    return each.__getitem__


def _check_shard(shard, files):
    """`(number, count)`, each an integer, as the argument should have them."""
    expected = (
        f"(number, count) with 0 <= number < count and count at most {files}, the number of files"
    )
    try:
        number, hosts = shard
        hosts = integer("count", hosts, high=files)
        return integer("number", number, low=0, high=hosts - 1), hosts
    except (TypeError, ValueError):
        raise refused("shard", shard, expected) from None


def _check(given, decoded, files, place, offsets):
    """Raises `ValueError` for a description of wrong types, which would fail later or elsewhere."""

    def is_list(value, of):
        return isinstance(value, tuple) and all(type(each) is of for each in value)

    sound = {
        "name": isinstance(given["name"], str),
        "class_names": is_list(given["class_names"], str),
        "colors": is_list(given["colors"], tuple)
        and all(len(color) == 3 and is_list(color, int) for color in given["colors"]),
        "void": type(given["void"]) is int,
        "category_ids": given["category_ids"] is None or is_list(given["category_ids"], int),
        "image_ids": given["image_ids"] is None
        or all(type(each) in (int, str) for each in given["image_ids"]),
        "decoded": isinstance(decoded, bool),
        "shard": place.dtype == np.int64 and 0 <= place.min() and place.max() < len(files),
        "offset": offsets.dtype == np.int64 and 0 <= offsets.min(),
    }
    for key, is_sound in sound.items():
        if not is_sound:
            raise ValueError(f"its {key} is not what write_records writes")
