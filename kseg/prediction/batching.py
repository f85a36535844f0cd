"""TODO"""

import numpy as np

HELD = 64  # photos of other sizes that wait for their batch to be full


def same_sized(source, batch_size):
    """Batches of photos of one size, as arrays; at most `HELD` photos wait for others like them."""
    from kseg.data.sample import samples

    waiting = {}

    def taken(shape):
        return tuple(map(np.stack, zip(*waiting.pop(shape))))

    for sample in samples(source):
        image, label = sample["image"], sample["label"]
        alike = waiting.setdefault(image.shape, [])
        alike.append((image, label))
        if len(alike) == batch_size:
            yield taken(image.shape)
        elif sum(map(len, waiting.values())) > HELD:
            yield taken(max(waiting, key=lambda shape: len(waiting[shape])))
    for shape in list(waiting):
        yield taken(shape)


def filled(images, batch_size):
    """An incomplete batch, on JAX filled up to 1, 2, 4, ...: it compiles for every shape anew."""
    import keras

    count = len(images)
    if keras.backend.backend() != "jax" or count == batch_size:
        return images
    wanted = min(1 << (count - 1).bit_length(), batch_size)
    return np.concatenate([images, np.repeat(images[-1:], wanted - count, axis=0)])


# Pixels: sides are filled up to multiples of what the network needs anyway, on JAX of more, because
# every new shape is compiled anew there, for a minute. (Zeros are convolved too, so that numbers
# near the bottom and right edge depend a little on it.)
BUCKET, JAX_BUCKET = 32, 128


def bucket():
    """The multiple to which sides are filled up, on this backend."""
    import keras

    return JAX_BUCKET if keras.backend.backend() == "jax" else BUCKET
