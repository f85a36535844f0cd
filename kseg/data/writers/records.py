"""Any `Source` written as a folder of TFRecord files; see `kseg.data.readers.records`."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kseg.base.arguments import choice, integer
from kseg.base.tensorflow import tensorflow
from kseg.base.types import PathLike
from kseg.data.bad_files import naming_bad_files
from kseg.data.source import Source
from kseg.data.tfrecords import FORMAT, TASKS, as_example, encoded_samples, layout_of


def write_records(
    source: Source,
    path: PathLike,
    *,
    shards: int | None = None,
    decoded: bool = False,
    progress: Callable[[int], object] | None = None,
) -> Path:
    """Writes a Source as a folder of TFRecord files.

    The folder appears when it is complete; an interruption leaves nothing behind.

    Args:
        source: A `Source`.
        path: Folder to make; must not exist.
        shards: Number of files; None for one a 256 samples, at most 1024. With many hosts, a
            multiple of their number.
        decoded: Whether to store raw pixels in place of JPEG and PNG: larger, quicker to read.
        progress: Called with the number of samples written after each.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        FileExistsError: the folder exists.
        ValueError: `shards` is out of its range, a sample cannot be read, or the source is of a
            task that records have no layout for.

    Example:

    >>> write_records(kseg.data.shapes("val"), "records/shapes-val", shards=4)
    PosixPath('records/shapes-val')
    >>> kseg.data.records("records/shapes-val").num_classes
    6
    """
    choice("source.task", source.task, TASKS)
    if source.task == "semantic":
        remedy = "Labels are stored as PNGs of 16 bits: give the source another void."
        integer("source.void", source.void, low=0, high=65535, remedy=remedy)
    path = Path(path).expanduser()
    if path.exists():
        raise FileExistsError(f"path={str(path)!r} exists already: choose another folder.")
    count = len(source)
    shards = (
        min(1024, -(-count // 256)) if shards is None else integer("shards", shards, high=count)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    unfinished.chmod(0o755)
    try:
        files = [f"data-{n:05d}-of-{shards:05d}.tfrecord" for n in range(shards)]
        # consecutive samples lie in one file: sample i in file i * shards // count
        place = np.arange(count, dtype=np.int64) * shards // count
        offsets = np.zeros(count, np.int64)
        tf, writer, current = tensorflow(), None, -1
        try:
            with naming_bad_files(source):
                for index, sample in enumerate(encoded_samples(source, decoded)):
                    if place[index] != current:
                        if writer is not None:
                            writer.close()
                        current, offset = place[index], 0
                        writer = tf.io.TFRecordWriter(str(unfinished / files[current]))
                    record = as_example(tf, sample).SerializeToString()
                    writer.write(record)
                    offsets[index] = offset
                    offset += len(record) + 16  # two lengths of 8 and 4 bytes, two checksums
                    if progress:
                        progress(index + 1)
        finally:
            if writer is not None:
                writer.close()
        beside = {"shard": place, "offset": offsets, "ids": np.array(source.ids)}
        if source.annotated is not None:
            stated = [np.reshape(source.annotated(index), (-1, 5)) for index in range(count)]
            beside["annotated"] = np.concatenate(stated)
            beside["objects"] = np.array(list(map(len, stated)), np.int64)
        np.savez(unfinished / "index.npz", **beside)
        layout = layout_of(source)
        description = {
            "format": FORMAT,
            "name": source.name,
            "task": source.task,
            "class_names": source.class_names,
            "colors": source.colors,
            "void": source.void,
            "category_ids": source.category_ids,
            "image_ids": source.image_ids,
            "decoded": decoded,
            "value_range": source.value_range,
            "bands": source.bands,
            "images": {key: layout[key] for key in ("channels", "dtype", "colour", "weighted")},
            "files": files,
        }
        (unfinished / "source.json").write_text(json.dumps(description, indent=1))
        os.rename(unfinished, path)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return path
