"""Photos of one size, put together into batches."""

import numpy as np

# Pixels: sides are filled up to multiples of what the network needs anyway. On every backend the
# same, though JAX compiles each new shape for a minute: zeros are convolved too, so that more of
# them give other objects.
BUCKET = 32


def alike(items, size_of, batch_size, held):
    """Lists of `batch_size` items of one size, in the order in which they become full.

    Args:
        items: Iterable of anything.
        size_of: Function of an item to what must be equal in a batch.
        batch_size: Items of a batch; of a size of which there are fewer, as many as there are.
        held: At most this many items wait for others of their size: then the size that has most
            of them goes without.

    Example:

    >>> list(alike([1, 2, 11, 3, 12], lambda n: n > 9, batch_size=2, held=5))
    [[1, 2], [11, 12], [3]]
    """
    waiting = {}
    for item in items:
        size = size_of(item)
        waiting.setdefault(size, []).append(item)
        if len(waiting[size]) == batch_size:
            yield waiting.pop(size)
        elif sum(map(len, waiting.values())) > held:
            yield waiting.pop(max(waiting, key=lambda size: len(waiting[size])))
    yield from waiting.values()


def filled_count(count, batch_size):
    """The size of an incomplete batch: on JAX 1, 2, 4, ...: it compiles for every shape anew."""
    import keras

    if keras.backend.backend() != "jax":
        return count
    return min(1 << (count - 1).bit_length(), batch_size)


def filled(images, batch_size):
    """An incomplete batch `(n, ...)` with its last image repeated up to `filled_count`."""
    missing = filled_count(len(images), batch_size) - len(images)
    return np.concatenate([images, np.repeat(images[-1:], missing, axis=0)]) if missing else images


def mirrored(images, stride):
    """Images `(B, H, W, C)`, mirrored at the bottom and right up to multiples of a stride.

    >>> mirrored(np.arange(3).reshape(1, 1, 3, 1), 4)[0, :, :, 0].tolist()
    [[0, 1, 2, 2], [0, 1, 2, 2], [0, 1, 2, 2], [0, 1, 2, 2]]
    """
    more = [(0, -side % stride) for side in images.shape[1:3]]
    return np.pad(images, [(0, 0), *more, (0, 0)], "symmetric") if np.any(more) else images
