"""Samples that are read and decoded once, and then come from memory or from disk."""

import dataclasses
import hashlib
import os
import types
from pathlib import Path

import numpy as np

from kseg.base.arguments import choice
from kseg.base.tensorflow import tensorflow
from kseg.data.bad_files import naming_bad_files
from kseg.data.converted import cache_folder
from kseg.data.readers.records import records
from kseg.data.source import Source
from kseg.data.tfrecords import (
    FORMAT,
    TASKS,
    as_example,
    encoded_samples,
    example_parser,
    layout_of,
)
from kseg.data.writers.records import write_records


def cached(source, where):
    """The same samples, read and decoded once and then from memory or from disk.

    Args:
        source: A `Source`.
        where: `"memory"`; `"disk"`, which is the folder `$KSEG_CACHE` or `~/.cache/kseg`; or a
            folder.

    Returns:
        A `Source`.
    """
    if where == "memory":
        return _in_memory(source)
    if where == "disk":
        where = cache_folder()
    path = Path(where).expanduser() / fingerprint(source)
    if not path.exists():
        try:
            write_records(source, path, decoded=True)
        except OSError:
            if not path.exists():  # else another process was quicker
                raise
    return records(path)


def fingerprint(source):
    """A name for the contents of a source: changes with its files, their sizes and their times."""
    digest = hashlib.sha256(repr((FORMAT, source.name, source.task, source.class_names)).encode())
    digest.update(repr((source.void, source.category_ids)).encode())
    if source.value_range is not None or source.bands is not None:
        digest.update(repr((source.value_range, source.bands)).encode())
    digest.update(repr(said_in(source.decode)).encode())
    for name, rows in sorted(source.columns.items()):
        digest.update(name.encode())
        if rows.dtype.kind not in "OUS":
            digest.update(np.ascontiguousarray(rows).tobytes())
            continue
        for row in rows.tolist():
            text = row if isinstance(row, bytes) else str(row).encode()
            digest.update(text + b"\0")
            for path in text.split(b"\n"):  # several files of one sample
                if 0 < len(path) < 4096 and os.path.isfile(path):
                    status = os.stat(path)
                    digest.update(repr((status.st_size, status.st_mtime_ns)).encode())
    name = "".join(c if c.isalnum() else "-" for c in source.name)
    return f"{name}-{digest.hexdigest()[:24]}"


def said_in(thing, depth=8):
    """What a function is made with, as values, colours and ranges: of its closure and defaults.

    Two sets of the same files that are read differently are not the same contents.

    Args:
        thing: A function, or what one holds.
        depth: How far to look.
    """
    if thing is None or isinstance(thing, (bool, int, float, str, bytes, range)):
        return repr(thing)
    if isinstance(thing, np.ndarray):
        return thing.dtype.str, thing.shape, hashlib.sha256(thing.tobytes()).hexdigest()
    if depth == 0:
        return ""
    if isinstance(thing, (list, tuple)):
        return [said_in(each, depth - 1) for each in thing]
    if isinstance(thing, dict):
        return [(said_in(k, depth - 1), said_in(v, depth - 1)) for k, v in thing.items()]
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        held = [getattr(thing, field.name) for field in dataclasses.fields(thing)]
        return [type(thing).__name__, *(said_in(each, depth - 1) for each in held)]
    if isinstance(thing, types.FunctionType):
        held = [cell.cell_contents for cell in thing.__closure__ or () if not _is_empty(cell)]
        held += [thing.__defaults__, thing.__kwdefaults__]
        return [thing.__qualname__, *(said_in(each, depth - 1) for each in held)]
    return type(thing).__name__


def _is_empty(cell):
    """Whether nothing has been put into the cell of a closure yet."""
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return True
    return False


def _in_memory(source):
    choice("source.task", source.task, TASKS)
    tf = tensorflow()
    with naming_bad_files(source):
        rows = [
            as_example(tf, sample).SerializeToString() for sample in encoded_samples(source, True)
        ]
    parse = example_parser(True, **layout_of(source))
    return Source(
        name=source.name,
        columns={"record": np.array(rows, dtype=object)},
        decode=lambda row: parse(row["record"]),
        class_names=source.class_names,
        colors=source.colors,
        ids=source.ids,
        void=source.void,
        task=source.task,
        category_ids=source.category_ids,
        image_ids=source.image_ids,
        value_range=source.value_range,
        bands=source.bands,
    )
