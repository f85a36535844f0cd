"""Source -> batched `tf.data.Dataset`, for training or for evaluation."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from kseg.base import arguments
from kseg.base.arguments import refused
from kseg.base.tensorflow import converted, mapped, tensorflow
from kseg.base.types import Dataset, PathLike, Size, Transform
from kseg.data.cache import cached
from kseg.data.sample import WEIGHT, boxes_of, constants, decoded, read, size_of
from kseg.data.source import LABELLED, Source, check_is_source
from kseg.data.transforms.color import color_jitter
from kseg.data.transforms.crop import letterbox, letterbox_factor, random_scale_crop
from kseg.data.transforms.flip import random_flip
from kseg.ops.replicas import rows_of

PLACES = 100  # for objects in a batch, doubled until all fit; COCO's photos hold 93 at most


def batches(
    source: Source,
    *,
    size: Size | None = None,
    batch_size: int = 8,
    augment: bool | Sequence[Transform] = False,
    shuffle: bool | None = None,
    seed: int = 0,
    start_step: int | None = None,
    share: tuple[int, int] | None = None,
    max_instances: int | None = None,
    cache: PathLike | None = None,
) -> Dataset:
    """Makes a `tf.data.Dataset` of `(images, labels)` for `model.fit` and `model.evaluate`.

    Only sample numbers are shuffled; files are read, decoded, transformed and batched in parallel
    by TensorFlow's own threads. Every random number follows from `seed`, the epoch and the sample.

    Args:
        source: A `Source`.
        size: `(height, width)` of every image in pixels. None keeps each photo's own size; a batch
            of different sizes is then padded at the bottom and right, with void labels.
        batch_size: Images a batch.
        augment: False for evaluation: whole photos (letterboxed to `size`), each exactly once, in
            order. True for training: random scale 0.5..2 and crop, flip, colour jitter. Or a list
            of transforms of `kseg.data.transforms`, applied in order.
        shuffle: Whether to draw the samples in a new random order each epoch; by default when
            augmenting.
        seed: Any integer.
        start_step: None for a data set of one epoch that ends, anew at each iteration. A number
            for an endless one that begins at this training step, as `fit(steps_per_epoch=...)`
            wants it: a run resumed at step n sees what it would have seen.
        share: With `start_step`, `(place, count)`: of each batch the part of one of `count` workers
            that train together, `place` from 0 on. Joined in their order, the parts are the batch
            of one worker. Defaults to None: whole batches.
        max_instances: N of an instance source's batches. None, the default, for 100 places, or
            200, 400, ... where a photo of the batch has more objects: none is lost. With a number,
            of a photo with more the largest N - 1 stay, and the last place is a crowd region of
            all the others: they are not learned, but no background either.
        cache: None; or `"memory"`, `"disk"` or a folder, to read and decode each file once and
            keep the raw pixels there: for slow formats and slow storage, if there is room
            (the bytes of every band and the labels). `"disk"` is `~/.cache/kseg`, or `$KSEG_CACHE`.

    Returns:
        `tf.data.Dataset` of images `(B, H, W, C)`, uint8 or as the source's `dtype` and
        `value_range` say, and int32 labels `(B, H, W)`, of a multilabel source uint8
        `(B, H, W, classes)`. Where pixels have weights these are the third, Keras' `sample_weight`:
        float32 `(B, H, W)`, 0 where a label is void. Of an instance source two dicts: `"image"`,
        `(B, H, W, C)`, and `"size"`, int32 `(B, 2)`, height and width of each image without its
        padding; and `"boxes"`, float32 `(B, N, 4)`; `"classes"`, int32 `(B, N)`, -1 where there is
        no instance; `"masks"`, uint8 `(B, N, H, W)`; `"crowd"`, bool `(B, N)`, true for a region of
        many objects. Of a source of another task, images and what its samples hold beside them: a
        dict, or the one thing that there is. A training set drops an incomplete last batch if it
        holds at least one whole one, so that shapes never change; an evaluation set drops nothing.

    Raises:
        TypeError: `source` is none.
        ValueError: an argument is out of its range.

    Example:

    >>> ds = batches(kseg.data.shapes("train"), size=(96, 96), augment=True)
    >>> model = kseg.build_unet(num_classes=6, width=4, depth=2)
    >>> history = model.fit(ds, steps_per_epoch=2, verbose=0)
    """
    check_is_source("source", source)
    _check_arguments(source, size, batch_size, augment, max_instances)
    rows = _rows(share, batch_size, start_step)
    if cache is not None:
        source = cached(source, cache)
    training = bool(augment)
    shuffle = training if shuffle is None else shuffle
    finished = sample_maker(source, _transforms(size, augment, source.void))

    def example(epoch, number):
        """(inputs, labels) of the sample with this number in this epoch."""
        sample, photo = finished(*_drawn(epoch, number, len(source), seed, shuffle))
        if source.task != "instance":
            return _parts(sample)
        whole = size_of(sample) if training or size is None else letterboxed_size(photo, size)
        return {"image": sample["image"], "size": whole}, padded(sample, max_instances)

    ds = mapped(_numbers(len(source), seed, batch_size, start_step, rows), example)
    batch_size = rows[1] - rows[0]
    whole = training and len(source) >= batch_size
    grows = source.task == "instance" and max_instances is None
    if size is None and not training or grows:
        padding = _padding(ds.element_spec, source)
        ds = ds.padded_batch(batch_size, padding_values=padding, drop_remainder=whole)
    else:
        ds = ds.batch(batch_size, drop_remainder=whole)
    if source.task == "semantic":
        ds = mapped(ds, _wide_labels)
    return _prefetched(ds)


def _parts(sample):
    """Image, labels and, if there are, weights of a sample; of a task of one's own all it holds."""
    rest = {name: values for name, values in sample.items() if name != "image"}
    if rest.keys() == {"label", WEIGHT}:
        return sample["image"], rest["label"], rest[WEIGHT]
    return sample["image"], rest if len(rest) > 1 else next(iter(rest.values()))


def sample_maker(source, transforms):
    """Function `(index, key)` -> a sample after all transforms, and its photo's size before them.

    Args:
        source: A `Source`.
        transforms: List of transforms. Their seeds all follow from `key`, int32 `(2,)`.
    """
    tf = tensorflow()
    columns, count = constants(source), len(source)

    def make(index, key, steps):
        """The sample at `index` after the first `steps` transforms."""
        row = {name: rows[index] for name, rows in columns.items()}
        sample = read(source, row, whole=False)
        photo = size_of(sample)
        if transforms:
            sample = in_levels(sample, source.value_range)
        seeds = tf.random.stateless_uniform((max(1, steps), 2), key, None, None, tf.int32)
        for position, transform in enumerate(transforms[:steps]):
            more = [seeds[position]]
            if not getattr(transform, "takes_bytes", False):
                sample = decoded(sample)
            if getattr(transform, "mixes", False):
                more.append(partners(position, seeds[position]))
            sample = converted(transform)(sample, *more)
        return decoded(sample), photo

    @functools.cache
    def stage(steps):
        """`make` as a function of the graph, which is built once however many partners ask."""
        return tf.function(lambda index, key: make(index, key, steps), autograph=False)

    def partners(position, seed):
        """What a mixing transform calls: number -> another sample, at the same stage."""

        def partner(number):
            key = tf.random.experimental.stateless_fold_in(seed, number + 1)
            other = tf.random.stateless_uniform((), key, 0, count, tf.int64)
            return stage(position)(other, key)[0]

        return partner

    def finished(index, key):
        sample, photo = make(index, key, len(transforms))
        return in_own_numbers(sample, source) if transforms else sample, photo

    return finished


def in_levels(sample, value_range):
    """A sample whose image has grey levels of 0..255: float32 where its numbers are of a range."""
    if value_range is None:
        return sample
    low, high = value_range
    levels = (tensorflow().cast(sample["image"], "float32") - low) * (255 / (high - low))
    return {**sample, "image": levels}


def in_own_numbers(sample, source):
    """The inverse of `in_levels`: the numbers and the type that the source has."""
    if source.value_range is None:
        return sample
    tf, (low, high) = tensorflow(), source.value_range
    own, kind = sample["image"] * ((high - low) / 255) + low, tf.as_dtype(source.dtype)
    if kind.is_integer:
        own = tf.clip_by_value(tf.round(own), low, high)
    return {**sample, "image": tf.cast(own, kind)}


def letterboxed_size(photo, size):
    """Height and width, int32 `(2,)`, of a photo letterboxed to `size`, without the padding.

    Args:
        photo: int32 `(2,)`, height and width of the photo.
        size: Height and width of the result.
    """
    tf = tensorflow()
    photo = tf.cast(photo, tf.float32)
    whole = tf.round(photo * letterbox_factor(photo, size))
    return tf.minimum(tf.cast(whole, tf.int32), size)


def padded(sample, count=None):
    """The objects of a sample, padded to `count`; of more, the last place is a crowd of the rest.

    Args:
        sample: The sample.
        count: N; None for `PLACES`, doubled until all objects fit.

    Returns:
        dict of `"boxes"`, float32 `(N, 4)`; `"classes"`, int32 `(N,)`, -1 for padding; `"masks"`,
        uint8 `(N, H, W)`; `"crowd"`, bool `(N,)`.
    """
    tf = tensorflow()
    fields = {key: sample[key] for key in ("boxes", "classes", "masks", "crowd")}
    area = tf.reduce_sum(tf.cast(fields["masks"], tf.int32), axis=(1, 2))
    there = tf.where(area > 0)[:, 0]
    fields = {key: tf.gather(values, there) for key, values in fields.items()}
    number = tf.size(fields["classes"])
    if count is None:
        places = _places(number)
    else:
        places = count
        area = tf.gather(area, there)
        fields = tf.cond(number > count, lambda: _crowded(fields, area, count), lambda: fields)
        number = tf.size(fields["classes"])
    more = [[0, places - number]]

    def filled(key, shape, padding=0):
        values = tf.pad(fields[key], more + [[0, 0]] * len(shape), constant_values=padding)
        return tf.ensure_shape(values, (count, *shape))

    return {
        "boxes": filled("boxes", (4,)),
        "classes": filled("classes", (), -1),
        "masks": filled("masks", sample["image"].shape[:2]),
        "crowd": filled("crowd", (), False),
    }


def _places(number):
    """`PLACES`, or twice, four times, ... as many, for this number of objects: int32 scalar."""
    tf = tensorflow()
    return tf.while_loop(lambda places: places < number, lambda places: [2 * places], [PLACES])[0]


def _crowded(fields, area, count):
    """The largest `count - 1` objects, and all else as one crowd region, the last."""
    tf = tensorflow()
    order = tf.where(fields["crowd"], 1, 2 * area)  # crowd regions are the first to go
    chosen = tf.sort(tf.math.top_k(order, count - 1).indices)  # in their own order
    is_chosen = tf.reduce_any(tf.range(tf.size(area))[:, None] == chosen, axis=1)
    rest = tf.where(~is_chosen)[:, 0]
    region = tf.reduce_max(tf.gather(fields["masks"], rest), axis=0, keepdims=True)
    others = {
        "boxes": boxes_of(region),
        "classes": tf.gather(fields["classes"], rest[:1]),
        "masks": region,
        "crowd": tf.constant([True]),
    }
    return {
        key: tf.concat([tf.gather(values, chosen), tf.cast(others[key], values.dtype)], 0)
        for key, values in fields.items()
    }


def steps_per_epoch(source: Source, batch_size: int) -> int:
    """Training batches in an epoch: incomplete ones are dropped, but never the only one."""
    return max(1, len(source) // batch_size)


def _numbers(count, seed, batch_size, start_step, rows):
    """The numbers of the samples as (epoch, number within it), int64 scalars, in order."""
    if start_step is None:
        return _one_epoch(count, seed)
    return _endless(count, start_step * batch_size, batch_size, rows)


def _drawn(epoch, number, count, seed, shuffle):
    """Which sample a number stands for in an epoch, and the key of all that is random about it."""
    random = tensorflow().random.experimental
    index = random.index_shuffle(number, [seed, epoch], count - 1) if shuffle else number
    seeds = tensorflow().cast([seed, epoch], "int32")
    return index, random.stateless_fold_in(seeds, tensorflow().cast(index, "int32"))


def _one_epoch(count, seed):
    """(epoch, number) for number 0..count-1; the epoch is drawn anew at each iteration."""
    tf = tensorflow()
    epochs = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).take(1)
    numbers = epochs.flat_map(
        lambda epoch: tf.data.Dataset.range(count).map(
            lambda number: (tf.bitwise.bitwise_and(epoch, 0x7FFFFFFF), number)
        )
    )
    return numbers.apply(tf.data.experimental.assert_cardinality(count))


def _endless(count, first, batch_size, rows):
    """(epoch, number) of the endless sequence of samples, from the sample `first` on.

    Of each batch the given rows alone, first and last, not included.
    """
    last = np.iinfo(np.int64).max
    numbers = tensorflow().data.Dataset.range(first, last)
    if rows != (0, batch_size):
        start, stop = rows
        numbers = numbers.filter(
            lambda i: ((i - first) % batch_size >= start) & ((i - first) % batch_size < stop)
        )
    return numbers.map(lambda i: (i // count, i % count))


def _rows(share, batch_size, start_step):
    """First and last row, not included, of a worker's part of each batch."""
    if share is None:
        return 0, batch_size
    expected = "(place, count), whole numbers with 0 <= place < count"
    if not (isinstance(share, tuple | list) and len(share) == 2):
        raise refused("share", share, expected)
    place, count = share
    arguments.integer("share", count, high=batch_size)
    arguments.integer("share", place, low=0, high=count - 1)
    if start_step is None:
        remedy = "Give start_step=0 beside it, for batches without end."
        raise refused("share", share, "None without start_step", remedy)
    return rows_of(batch_size, place, count)


def _transforms(size, augment, void):
    if augment is True:
        return [random_scale_crop(size, void=void), random_flip(), color_jitter()]
    if augment:
        return list(augment)
    return [letterbox(size, void=void)] if size is not None else []


def _padding(spec, source):
    """What fills a batch of photos of different sizes: black, void, and no pixel of a mask."""
    inputs, labels, *weights = tensorflow().nest.map_structure(
        lambda each: each.dtype.as_numpy_dtype(0), spec
    )
    if source.task in LABELLED:
        labels = np.array(source.void, labels.dtype)
    elif source.task == "instance":
        labels = {**labels, "classes": np.int32(-1)}
    if source.value_range is not None:  # black is not 0 in every range
        black = np.asarray(source.value_range[0])
        if isinstance(inputs, dict):
            inputs["image"] = black.astype(inputs["image"].dtype)
        else:
            inputs = black.astype(inputs.dtype)
    return inputs, labels, *weights


def _wide_labels(images, labels, *weights):
    """The labels as int32: after batching, which is quicker with bytes."""
    return images, tensorflow().cast(labels, "int32"), *weights


def _prefetched(ds):
    """The data set with the options of all: batches ahead, in order, samples side by side."""
    options = tensorflow().data.Options()
    options.deterministic = True
    options.threading.max_intra_op_parallelism = 1  # the samples themselves run in parallel
    return ds.prefetch(2).with_options(options)


def _check_arguments(source, size, batch_size, augment, max_instances):
    arguments.integer("batch_size", batch_size)
    if max_instances is not None:
        arguments.integer("max_instances", max_instances)
        if source.task != "instance":
            expected = "None, the default, for a source without objects"
            raise refused("max_instances", max_instances, expected, "Leave it out.")
    if size is not None:
        arguments.size("size", size)
    if augment is True and size is None:
        raise refused("size", size, "(height, width) in pixels, of the random crop of augment=True")
