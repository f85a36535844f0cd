"""Source -> batched `tf.data.Dataset`, for training or for evaluation."""

import numpy as np

from kseg.data._tensorflow import tensorflow


def batches(
    source,
    *,
    size=None,
    batch_size=8,
    augment=False,
    shuffle=None,
    seed=0,
    start_step=None,
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

    Returns:
        `tf.data.Dataset` of uint8 images `(B, H, W, 3)` and int32 labels `(B, H, W)`. A training
        set drops an incomplete last batch if it holds at least one whole one, so that shapes never
        change; an evaluation set drops nothing.

    Raises:
        ValueError: an argument is out of its range.

    Example:

    >>> ds = batches(kseg.data.shapes("train"), size=(96, 96), augment=True)
    >>> kseg.build_unet(num_classes=6, width=8).fit(ds)
    """
    _check_arguments(size, batch_size, augment)
    tf = tensorflow()
    training = bool(augment)
    shuffle = training if shuffle is None else shuffle
    transforms = _transforms(size, augment, source.void)
    # eager constants: captured by reference, not copied into the graph
    with tf.device("CPU"):
        columns = {name: tf.constant(rows) for name, rows in source.columns.items()}
    count = len(source)

    def read(epoch, number):
        index = number
        if shuffle:
            index = tf.random.experimental.index_shuffle(number, [seed, epoch], count - 1)
        sample = source.decode({name: rows[index] for name, rows in columns.items()})
        tf.debugging.assert_equal(
            tf.shape(sample["image"])[:2],
            tf.shape(sample["label"]),
            "image and mask differ in size",
        )
        sample_seed = tf.random.experimental.stateless_fold_in(
            tf.cast([seed, epoch], tf.int32), tf.cast(index, tf.int32)
        )
        for position, transform in enumerate(transforms):
            seed_here = tf.random.experimental.stateless_fold_in(sample_seed, position)
            sample = transform(sample, seed_here)
        return sample["image"], sample["label"]

    if start_step is None:
        numbers = _one_epoch(tf, count, seed)
    else:
        numbers = _endless(tf, count, start_step * batch_size)
    ds = numbers.map(read, num_parallel_calls=tf.data.AUTOTUNE)
    drop = training and count >= batch_size
    if size is None and not training:
        void = tf.constant(source.void, tf.int32)
        ds = ds.padded_batch(batch_size, padding_values=(np.uint8(0), void))
    else:
        ds = ds.batch(batch_size, drop_remainder=drop)
    ds = ds.prefetch(2)
    options = tf.data.Options()
    options.deterministic = True
    return ds.with_options(options)


def steps_per_epoch(source, batch_size):
    """Training batches in an epoch: incomplete ones are dropped, but never the only one."""
    return max(1, len(source) // batch_size)


def samples(source):
    """Yields every sample in order at its own size, decoded ahead in parallel.

    Yields:
        dict of NumPy arrays, as `Source.decode` returns them.
    """
    tf = tensorflow()
    with tf.device("CPU"):
        columns = {name: tf.constant(rows) for name, rows in source.columns.items()}
    ds = tf.data.Dataset.range(len(source))
    ds = ds.map(
        lambda index: source.decode({name: rows[index] for name, rows in columns.items()}),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    yield from ds.prefetch(2).as_numpy_iterator()


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


def _check_arguments(size, batch_size, augment):
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size={batch_size!r}: expected an integer >= 1.")
    if size is not None and (
        len(tuple(size)) != 2 or not all(isinstance(s, int) and s >= 1 for s in size)
    ):
        raise ValueError(f"size={size!r}: expected (height, width) in pixels, or None.")
    if augment is True and size is None:
        raise ValueError("augment=True needs size=(height, width), the size of the random crop.")
