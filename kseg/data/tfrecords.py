"""Samples as records of TFRecord files: encoded, written as examples, found and parsed again."""

from kseg.base.tensorflow import in_order, tensorflow
from kseg.data.decode import mask_of_bytes
from kseg.data.errors import DataError, require
from kseg.data.sample import MAPS, WEIGHT, constants, maps_of, read, size_of
from kseg.data.source import LABELLED

FORMAT = 1  # of source.json; a later version that reads another layout raises it


TASKS = ("semantic", "multilabel", "instance")  # those whose samples a record has a layout for


def encoded_samples(source, decoded):
    """Yields every sample in order, as it will be stored: a dict of bytes and arrays.

    Pixels are raw arrays if `decoded`. Otherwise the photo is its file's bytes, or a PNG where
    there was no file; the label is a PNG, and so are the masks, one below the other `(N * H, W)`,
    and a label of several classes, `(C * H, W)`.
    Photos that no PNG of bytes holds are raw arrays always, and weights are float32.
    """
    tf = tensorflow()
    raw_image = decoded or not is_colour(source)
    columns = constants(source)
    kind = tf.int32 if is_wide(source.num_classes, source.void) else tf.uint8

    def png(maps):
        kind = tf.uint8 if maps.dtype == tf.uint8 else tf.uint16
        return tf.cond(
            tf.size(maps) > 0,
            lambda: tf.io.encode_png(tf.cast(maps, kind)[:, :, None]),
            lambda: tf.constant(b""),  # no instances
        )

    def encode(index):
        row = {name: rows[index] for name, rows in columns.items()}
        sample = read(source, row, whole=raw_image)
        size = size_of(sample)
        stored = {key: sample[key] for key in ("classes", "crowd", WEIGHT) if key in sample}
        stored |= {"size": size, "image": sample["image"]}
        if source.task == "multilabel":
            sample["label"] = maps_of(sample["label"])
        for key in MAPS:
            if key in sample:
                maps = sample[key]
                if decoded:  # the bytes are read as of this type
                    maps = tf.cast(maps, kind if key == "label" else tf.uint8)
                stored[key] = maps if decoded else tf.reshape(maps, (-1, size[1]))
        if not decoded:
            if not raw_image and stored["image"].dtype != tf.string:
                stored["image"] = tf.io.encode_png(stored["image"])
            for key in MAPS:
                if key in stored:
                    stored[key] = png(stored[key])
        return stored

    yield from in_order(len(source), encode)


def is_colour(source):
    """Whether the photos of a source have three channels of 0..255."""
    return source.value_range is None and source.channels in (3, None)


def layout_of(source):
    """What `record_decoder` and `example_parser` are told of a source, a dict."""
    return {
        "task": source.task,
        "void": source.void,
        "num_classes": source.num_classes,
        "channels": source.channels or 3,
        "dtype": source.dtype,
        "colour": is_colour(source),
        "weighted": source.weighted,
    }


def is_wide(num_classes, void):
    """Whether labels need more than a byte."""
    return max(num_classes - 1, void) > 255


def as_example(tf, sample):
    """A sample of `encoded_samples` -> tf.train.Example."""

    def feature(name, value):
        if isinstance(value, bytes) or name in ("image", WEIGHT, *MAPS):
            text = value if isinstance(value, bytes) else value.tobytes()
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[text]))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=value.astype(int).tolist()))

    features = {name: feature(name, value) for name, value in sample.items()}
    return tf.train.Example(features=tf.train.Features(feature=features))


def record_decoder(decoded, **layout):
    """The `decode` of a `Source` of records: of columns `"file"` and `"offset"`."""
    parse = example_parser(decoded, **layout)

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
        DataError: the file ends within a record.
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
                raise DataError(
                    "malformed",
                    file,
                    f"{str(file)!r} is cut off within the record that begins at byte {position}.",
                    "Copy the file again.",
                )
            offsets.append(position)
            position = after
    return offsets


def example_parser(
    decoded,
    *,
    task,
    void,
    num_classes,
    channels=3,
    dtype="uint8",
    colour=True,
    weighted=False,
):
    """Function from a serialized example to a sample.

    Args:
        decoded: Whether all pixels are raw arrays.
        task, void, num_classes: Of the source.
        channels, dtype: Of its images.
        colour: Whether these are three channels of 0..255, which are raw if `decoded` alone.
        weighted: Whether pixels have weights.
    """
    tf = tensorflow()
    kind = tf.as_dtype(dtype)
    wide = is_wide(num_classes, void)
    text = tf.io.FixedLenFeature((), tf.string)
    numbers = tf.io.FixedLenSequenceFeature((), tf.int64, allow_missing=True)
    size = tf.io.FixedLenFeature((2,), tf.int64)
    wanted = {"image": text, "size": size}
    if task in LABELLED:
        wanted["label"] = text
    else:
        wanted |= {"masks": text, "classes": numbers, "crowd": numbers}
    if weighted:
        wanted[WEIGHT] = text

    def pixels(content, shape, kind):
        if decoded:
            return tf.reshape(tf.io.decode_raw(content, kind), shape)
        ids = mask_of_bytes(content, "a record's mask", wide=kind == tf.int32)
        return tf.reshape(ids, shape)

    def parse(serialized):
        stored = tf.io.parse_single_example(serialized, wanted)
        sample = pictures(stored)
        if weighted:
            weight = tf.io.decode_raw(stored[WEIGHT], tf.float32)
            sample[WEIGHT] = tf.reshape(weight, tf.cast(stored["size"], tf.int32))
        return sample

    def pictures(stored):
        height, width = tf.unstack(tf.cast(stored["size"], tf.int32))
        image = stored["image"]
        if decoded or not colour:
            image = tf.io.decode_raw(image, kind)
            image = tf.reshape(image, (height, width, channels))
        if task == "semantic":
            label = pixels(stored["label"], (height, width), tf.int32 if wide else tf.uint8)
            return {"image": image, "label": label}
        if task == "multilabel":
            maps = pixels(stored["label"], (num_classes, height, width), tf.uint8)
            return {"image": image, "label": tf.transpose(maps, (1, 2, 0))}
        count = tf.size(stored["classes"])
        as_many = count == tf.size(stored["crowd"])
        require(as_many, "malformed", "", "a record is damaged.", "Write it again.")

        def some():
            return pixels(stored["masks"], (count, height, width), tf.uint8)

        return {
            "image": image,
            "masks": tf.cond(count > 0, some, lambda: tf.zeros((0, height, width), tf.uint8)),
            "classes": tf.cast(stored["classes"], tf.int32),
            "crowd": tf.cast(stored["crowd"], tf.bool),
        }

    return parse
