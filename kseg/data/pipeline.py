"""Source -> batched `tf.data.Dataset`, for training or for evaluation."""

import functools

import numpy as np

from kseg.base.tensorflow import converted, mapped, tensorflow
from kseg.data.sample import constants, decoded, read, size_of

MAX_INSTANCES = 100  # COCO's photos hold 7 objects on average, 93 at most


def batches(
    source,
    *,
    size=None,
    batch_size=8,
    augment=False,
    shuffle=None,
    seed=0,
    start_step=None,
    max_instances=MAX_INSTANCES,
    cache=None,
):
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
        max_instances: N of an instance source's batches; of a photo with more, the largest stay,
            and crowd regions only where there is room.
        cache: None; or `"memory"`, `"disk"` or a folder, to read and decode each file once and
            keep the raw pixels there: for slow formats and slow storage, if there is room
            (3 bytes a pixel and the labels). `"disk"` is `~/.cache/kseg`, or `$KSEG_CACHE`.

    Returns:
        `tf.data.Dataset` of uint8 images `(B, H, W, 3)` and int32 labels `(B, H, W)`; for an
        instance source, of two dicts: `"image"`, uint8 `(B, H, W, 3)`, and `"size"`, int32
        `(B, 2)`, height and width of each image without its padding; and `"boxes"`, float32
        `(B, N, 4)`; `"classes"`, int32 `(B, N)`, -1 where there is no instance; `"masks"`, uint8
        `(B, N, H, W)`; `"crowd"`, bool `(B, N)`, true for a region of many objects. A training set
        drops an incomplete last batch if it holds at least one whole one, so that shapes never
        change; an evaluation set drops nothing.

    Raises:
        ValueError: an argument is out of its range.

    Example:

    >>> ds = batches(kseg.data.shapes("train"), size=(96, 96), augment=True)
    >>> kseg.build_unet(num_classes=6, width=8).fit(ds)
    """
    _check_arguments(size, batch_size, augment, max_instances)
    tf = tensorflow()
    if cache is not None:
        from kseg.data.cache import cached

        source = cached(source, cache)
    training = bool(augment)
    shuffle = training if shuffle is None else shuffle
    transforms = _transforms(size, augment, source.void)
    columns = constants(source)
    count = len(source)
    instances = source.task == "instance"

    @functools.cache
    def stage(steps):
        """`make` as a function of the graph, which is built once however many partners ask."""
        return tf.function(lambda index, key: make(index, key, steps), autograph=False)

    def make(index, key, steps):
        """The sample at `index` after the first `steps` transforms, which `key` seeds; and the size
        of its photo before them."""
        sample = read(source, {name: rows[index] for name, rows in columns.items()}, whole=False)
        photo = size_of(sample)
        seeds = tf.random.stateless_uniform((max(1, steps), 2), key, None, None, tf.int32)
        for position, transform in enumerate(transforms[:steps]):
            seed_here = seeds[position]
            if not getattr(transform, "takes_bytes", False):
                sample = decoded(sample)
            if not getattr(transform, "mixes", False):
                sample = converted(transform)(sample, seed_here)
                continue

            def partner(number, seed_here=seed_here, position=position):
                key = tf.random.experimental.stateless_fold_in(seed_here, number + 1)
                other = tf.random.stateless_uniform((), key, 0, count, tf.int64)
                return stage(position)(other, key)[0]

            sample = converted(transform)(sample, seed_here, partner)
        return decoded(sample), photo

    def example(epoch, number):
        index = number
        if shuffle:
            index = tf.random.experimental.index_shuffle(number, [seed, epoch], count - 1)
        key = tf.random.experimental.stateless_fold_in(
            tf.cast([seed, epoch], tf.int32), tf.cast(index, tf.int32)
        )
        sample, photo = make(index, key, len(transforms))
        if instances:
            inputs = {"image": sample["image"], "size": valid_size(sample, photo)}
            return inputs, padded(sample, max_instances)
        return sample["image"], sample["label"]

    def valid_size(sample, photo):
        """Height and width without the padding of the letterbox."""
        if training or size is None:
            return size_of(sample)
        from kseg.data.transforms.crop import letterbox_factor

        photo = tf.cast(photo, tf.float32)
        whole = tf.round(photo * letterbox_factor(photo, size))
        return tf.minimum(tf.cast(whole, tf.int32), size)

    if start_step is None:
        numbers = _one_epoch(tf, count, seed)
    else:
        numbers = _endless(tf, count, start_step * batch_size)
    ds = mapped(numbers, example)
    drop = training and count >= batch_size
    if size is None and not training:
        image, label = ds.element_spec
        padding = tf.nest.map_structure(lambda spec: spec.dtype.as_numpy_dtype(0), (image, label))
        if not instances:
            padding = (padding[0], np.array(source.void, label.dtype.as_numpy_dtype))
        ds = ds.padded_batch(batch_size, padding_values=padding)
    else:
        ds = ds.batch(batch_size, drop_remainder=drop)
    if not instances:
        ds = mapped(ds, lambda images, labels: (images, tf.cast(labels, tf.int32)))
    ds = ds.prefetch(2)
    options = tf.data.Options()
    options.deterministic = True
    options.threading.max_intra_op_parallelism = 1  # the samples themselves run in parallel
    return ds.with_options(options)


def padded(sample, count):
    """The instances of a sample, the largest `count` of them, padded to `count`.

    Returns:
        dict of `"boxes"`, float32 `(N, 4)`; `"classes"`, int32 `(N,)`, -1 for padding; `"masks"`,
        uint8 `(N, H, W)`; `"crowd"`, bool `(N,)`. Crowd regions are the first to be left out.
    """
    tf = tensorflow()
    masks = sample["masks"]
    area = tf.reduce_sum(tf.cast(masks, tf.int32), axis=(1, 2))
    found = tf.minimum(tf.math.count_nonzero(area, dtype=tf.int32), count)
    order = tf.where(sample["crowd"] & (area > 0), 1, 2 * area)
    chosen = tf.sort(tf.math.top_k(order, found).indices)  # in their own order
    more = [[0, count - found]]

    def filled(key, shape, padding=0):
        values = tf.gather(sample[key], chosen)
        values = tf.pad(values, more + [[0, 0]] * len(shape), constant_values=padding)
        return tf.ensure_shape(values, (count, *shape))

    return {
        "boxes": filled("boxes", (4,)),
        "classes": filled("classes", (), -1),
        "masks": filled("masks", sample["image"].shape[:2]),
        "crowd": filled("crowd", (), False),
    }


def steps_per_epoch(source, batch_size):
    """Training batches in an epoch: incomplete ones are dropped, but never the only one."""
    return max(1, len(source) // batch_size)


def _one_epoch(tf, count, seed):
    """(epoch, number) for number 0..count-1; the epoch is drawn anew at each iteration."""
    epochs = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).take(1)
    numbers = epochs.flat_map(
        lambda epoch: tf.data.Dataset.range(count).map(
            lambda number: (tf.bitwise.bitwise_and(epoch, 0x7FFFFFFF), number)
        )
    )
    return numbers.apply(tf.data.experimental.assert_cardinality(count))


def _endless(tf, count, first):
    """(epoch, number) of the endless sequence of samples, from the sample `first` on."""
    last = np.iinfo(np.int64).max
    return tf.data.Dataset.range(first, last).map(lambda i: (i // count, i % count))


def _transforms(size, augment, void):
    from kseg.data import transforms

    if augment is True:
        return [
            transforms.random_scale_crop(size, void=void),
            transforms.random_flip(),
            transforms.color_jitter(),
        ]
    if augment:
        return list(augment)
    return [transforms.letterbox(size, void=void)] if size is not None else []


def _check_arguments(size, batch_size, augment, max_instances):
    for name, value in (("batch_size", batch_size), ("max_instances", max_instances)):
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}={value!r}: expected an integer >= 1.")
    if size is not None and (
        len(tuple(size)) != 2 or not all(isinstance(s, int) and s >= 1 for s in size)
    ):
        raise ValueError(f"size={size!r}: expected (height, width) in pixels, or None.")
    if augment is True and size is None:
        raise ValueError("augment=True needs size=(height, width), the size of the random crop.")
