"""TFRecord files: any Source written to sharded, checksummed records, and read back.

A folder of records holds `data-00000-of-00016.tfrecord`, ..., `index.npz` (where each record
begins) and `source.json` (classes, colours, task). Every record carries TensorFlow's CRC-32C
checksums, which are verified when it is read. The index makes any record reachable by itself, so a
record set shuffles, splits and resumes exactly like a folder of files: one large sequential file
for the storage, random access for training.

Photos are kept as the bytes they were (a JPEG stays that JPEG), labels and masks as PNG.
"""

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from kseg.data._tensorflow import mapped, tensorflow
from kseg.data.decode import mask_of_bytes, require
from kseg.data.pipeline import constants
from kseg.data.sample import MAPS, read, size_of
from kseg.data.source import Source

FORMAT = 1  # of source.json; a later version that reads another layout raises it


def write_records(source, path, *, shards=None, decoded=False, progress=None):
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
        ValueError: `shards` is out of its range, or a sample cannot be read.

    Example:

    >>> write_records(kseg.data.shapes("val"), "records/shapes-val", shards=4)
    >>> kseg.data.records("records/shapes-val").num_classes
    6
    """
    from kseg.data.check import naming_bad_files

    path = Path(path).expanduser()
    if path.exists():
        raise FileExistsError(f"path={str(path)!r} exists already: choose another folder.")
    count = len(source)
    shards = shards or min(1024, -(-count // 256))
    if not 1 <= shards <= count:
        raise ValueError(f"shards={shards!r}: expected 1 to {count}, the number of samples.")
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
                for index, sample in enumerate(_encoded(source, decoded)):
                    if place[index] != current:
                        if writer is not None:
                            writer.close()
                        current, offset = place[index], 0
                        writer = tf.io.TFRecordWriter(str(unfinished / files[current]))
                    record = _example(tf, sample).SerializeToString()
                    writer.write(record)
                    offsets[index] = offset
                    offset += len(record) + 16  # two lengths of 8 and 4 bytes, two checksums
                    if progress:
                        progress(index + 1)
        finally:
            if writer is not None:
                writer.close()
        np.savez(unfinished / "index.npz", shard=place, offset=offsets, ids=np.array(source.ids))
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
            "files": files,
        }
        (unfinished / "source.json").write_text(json.dumps(description, indent=1))
        os.rename(unfinished, path)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return path


def records(path, *, shard=None):
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
            raise FileNotFoundError(
                f"path={str(path)!r} holds no {file.name}: expected a folder that "
                "kseg.data.write_records has made."
            )
    try:
        description = json.loads(described.read_text())
        with np.load(index) as saved:
            place, offsets, ids = saved["shard"], saved["offset"], saved["ids"]
        files = np.array([str(path / name) for name in description["files"]], dtype=object)
        given = {
            key: _tuples(description[key])
            for key in ("name", "task", "class_names", "colors", "void", "category_ids")
        }
        given["image_ids"] = _tuples(description.get("image_ids"))
        decoded = description["decoded"]
        _check(given, decoded, files, place, offsets)
        source = Source(
            columns={"file": files[place], "offset": offsets},
            decode=_decoder(given["task"], decoded, given["void"], len(given["class_names"])),
            ids=tuple(ids.tolist()),
            **given,
        )
    except Exception as error:  # of damaged bytes, zipfile and NumPy raise whatever they run into
        raise ValueError(
            f"path={str(path)!r}: source.json or index.npz is damaged ({error!r}). "
            "Write the records again."
        ) from error
    if description.get("format") != FORMAT:
        raise ValueError(
            f"path={str(path)!r} has records of format {description.get('format')!r}; this "
            f"version of kseg reads format {FORMAT}."
        )
    missing = [file for file in files if not os.path.isfile(file)]
    if missing:
        raise FileNotFoundError(
            f"{missing[0]!r} does not exist: {len(missing)} of {len(files)} record files are "
            "missing. Copy the whole folder, or write it again."
        )
    if shard is None:
        return source
    number, hosts = shard
    if not 0 <= number < hosts <= len(files):
        raise ValueError(
            f"shard={shard!r}: expected (number, count) with 0 <= number < count and count at "
            f"most {len(files)}, the number of files."
        )
    return source.subset(np.flatnonzero(place % hosts == number))


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
        where = os.environ.get("KSEG_CACHE") or Path.home() / ".cache" / "kseg"
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
    for name, rows in sorted(source.columns.items()):
        digest.update(name.encode())
        if rows.dtype.kind not in "OUS":
            digest.update(np.ascontiguousarray(rows).tobytes())
            continue
        for row in rows.tolist():
            text = row if isinstance(row, bytes) else str(row).encode()
            digest.update(text + b"\0")
            if len(text) < 4096 and os.path.isfile(text):
                status = os.stat(text)
                digest.update(repr((status.st_size, status.st_mtime_ns)).encode())
    name = "".join(c if c.isalnum() else "-" for c in source.name)
    return f"{name}-{digest.hexdigest()[:24]}"


def _in_memory(source):
    from kseg.data.check import naming_bad_files

    tf = tensorflow()
    with naming_bad_files(source):
        rows = [_example(tf, sample).SerializeToString() for sample in _encoded(source, True)]
    parse = _parser(source.task, True, source.void, source.num_classes)
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
    )


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


def _tuples(value):
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _encoded(source, decoded):
    """Yields every sample in order, as it will be stored: a dict of bytes and arrays.

    Pixels are raw arrays if `decoded`. Otherwise the photo is its file's bytes, or a PNG where
    there was no file; the label is a PNG, and so are the masks, one below the other `(N * H, W)`.
    """
    tf = tensorflow()
    columns = constants(source)

    def png(maps):
        kind = tf.uint8 if maps.dtype == tf.uint8 else tf.uint16
        return tf.cond(
            tf.size(maps) > 0,
            lambda: tf.io.encode_png(tf.cast(maps, kind)[:, :, None]),
            lambda: tf.constant(b""),  # no instances
        )

    def encode(index):
        row = {name: rows[index] for name, rows in columns.items()}
        sample = read(source, row, whole=decoded)
        size = size_of(sample)
        stored = {key: sample[key] for key in ("classes", "crowd") if key in sample}
        stored |= {"size": size, "image": sample["image"]}
        for key in MAPS:
            if key in sample:
                stored[key] = sample[key] if decoded else tf.reshape(sample[key], (-1, size[1]))
        if not decoded:
            if stored["image"].dtype != tf.string:
                stored["image"] = tf.io.encode_png(stored["image"])
            for key in MAPS:
                if key in stored:
                    stored[key] = png(stored[key])
        return stored

    ds = mapped(tf.data.Dataset.range(len(source)), encode)
    yield from ds.prefetch(2).as_numpy_iterator()


def _example(tf, sample):
    """A sample of `_encoded` -> tf.train.Example."""

    def feature(name, value):
        if isinstance(value, bytes) or name in ("image", *MAPS):
            text = value if isinstance(value, bytes) else value.tobytes()
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[text]))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=value.astype(int).tolist()))

    features = {name: feature(name, value) for name, value in sample.items()}
    return tf.train.Example(features=tf.train.Features(feature=features))


def _decoder(task, decoded, void, num_classes):
    parse = _parser(task, decoded, void, num_classes)

    def decode(row):
        return parse(read_record(row["file"], row["offset"]))

    return decode


def read_record(file, offset):
    """The record of a TFRecord file that begins at this byte, its checksum verified.

    Args:
        file: String scalar.
        offset: int64 scalar.
    """
    tf = tensorflow()
    # the op can begin at any byte, which tf.data.TFRecordDataset does not pass on
    rest = tf.raw_ops.TFRecordDatasetV2(
        filenames=[file], compression_type="", buffer_size=0, byte_offsets=[offset]
    )
    kind = {"output_types": [tf.string], "output_shapes": [()]}
    one = tf.raw_ops.TakeDataset(input_dataset=rest, count=1, **kind)
    return tf.raw_ops.DatasetToSingleElement(dataset=one, **kind)[0]


def record_offsets(file):
    """The bytes where the records of a TFRecord file begin, found by hopping over its lengths.

    Raises:
        ValueError: the file ends within a record.
    """
    tf = tensorflow()
    offsets, position = [], 0
    with tf.io.gfile.GFile(file, "rb") as stream:
        end = stream.size()
        while position < end:
            stream.seek(position)
            length = stream.read(8)  # then a checksum of 4 bytes, the record, another checksum
            after = position + 16 + int.from_bytes(length, "little")
            if after > end:
                raise ValueError(
                    f"{str(file)!r} is cut off within the record that begins at byte {position}. "
                    "Copy the file again."
                )
            offsets.append(position)
            position = after
    return offsets


def _parser(task, decoded, void, num_classes):
    """Function from a serialized example to a sample."""
    tf = tensorflow()
    wide = max(num_classes - 1, void) > 255
    text = tf.io.FixedLenFeature((), tf.string)
    numbers = tf.io.FixedLenSequenceFeature((), tf.int64, allow_missing=True)
    size = tf.io.FixedLenFeature((2,), tf.int64)
    wanted = {"image": text, "size": size}
    if task == "semantic":
        wanted["label"] = text
    else:
        wanted |= {"masks": text, "classes": numbers, "crowd": numbers}

    def pixels(content, shape, kind):
        if decoded:
            return tf.reshape(tf.io.decode_raw(content, kind), shape)
        ids = mask_of_bytes(content, "a record's mask", wide=kind == tf.int32)
        return tf.reshape(ids, shape)

    def parse(serialized):
        found = tf.io.parse_single_example(serialized, wanted)
        height, width = tf.unstack(tf.cast(found["size"], tf.int32))
        image = found["image"]
        if decoded:
            image = tf.reshape(tf.io.decode_raw(image, tf.uint8), (height, width, 3))
        if task == "semantic":
            label = pixels(found["label"], (height, width), tf.int32 if wide else tf.uint8)
            return {"image": image, "label": label}
        count = tf.size(found["classes"])
        require(count == tf.size(found["crowd"]), lambda: tf.constant("a record is damaged"))

        def some():
            return pixels(found["masks"], (count, height, width), tf.uint8)

        return {
            "image": image,
            "masks": tf.cond(count > 0, some, lambda: tf.zeros((0, height, width), tf.uint8)),
            "classes": tf.cast(found["classes"], tf.int32),
            "crowd": tf.cast(found["crowd"], tf.bool),
        }

    return parse
