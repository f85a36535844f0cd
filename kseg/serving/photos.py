"""Encoded photos in a graph: decoded one by one so that a bad one fails alone, and put into groups
of one size, which a network can take as a batch.

Axes: B photos of a request, G of one size, H and W a photo.
"""

from kseg.data._tensorflow import mapped, tensorflow
from kseg.data.decode import decode_image, is_png, photo_size

MAX_PIXELS = 50_000_000  # 12 bytes of each are held at times
GROUP_PIXELS = 1 << 22  # two photos of 1024x2048 at a time: bounds the memory of a large request

OK = "ok"
EMPTY = "empty: expected the bytes of a JPEG or PNG file"
UNKNOWN = "neither JPEG nor PNG"
DAMAGED = "damaged: it cannot be decoded"


def decode(contents, max_pixels=MAX_PIXELS):
    """Decodes the photos of a request; one that cannot be gets a status instead of an error.

    A photo's size is read from its header, and one of more than `max_pixels` is not decoded.

    Args:
        contents: string `(B,)`, JPEG or PNG files.
        max_pixels: The largest photo that is accepted.

    Returns:
        sizes: int32 `(B, 2)`, height and width; 0 of a photo that was refused.
        pixels: string `(B,)`, each a serialized uint8 tensor `(H, W, 3)`; see `restore`.
        status: string `(B,)`, `"ok"` or what is wrong.
    """
    tf = tensorflow()
    count = tf.size(contents)
    jpeg = tf.map_fn(tf.io.is_jpeg, contents, fn_output_signature=tf.bool)
    png = tf.map_fn(is_png, contents, fn_output_signature=tf.bool)
    too_large = f"too large: more than {max_pixels:,} pixels"

    def header(index, content):
        return index, photo_size(content), content

    def whole(index, size, content):
        pixels = tf.cond(
            tf.reduce_prod(tf.cast(size, tf.int64)) > max_pixels,
            lambda: "",
            lambda: tf.io.serialize_tensor(decode_image(content)),
        )
        return index, size, pixels

    known = tf.boolean_mask(tf.range(count), jpeg | png)
    ds = tf.data.Dataset.from_tensor_slices((known, tf.gather(contents, known)))
    ds = mapped(mapped(ds, header), whole).ignore_errors()
    # one more, beyond the photos: there is always an element to get
    last = tf.data.Dataset.from_tensors((count, tf.zeros([2], tf.int32), ""))
    index, size, pixels = (
        ds.concatenate(last).batch(tf.cast(count + 1, tf.int64)).get_single_element()
    )
    place = index[:, None]

    def scattered(values, empty):
        return tf.tensor_scatter_nd_update(empty, place, values)[:-1]

    sizes = scattered(size, tf.zeros([count + 1, 2], tf.int32))
    texts = scattered(pixels, tf.fill([count + 1], ""))
    seen = scattered(tf.ones_like(index, tf.bool), tf.zeros([count + 1], tf.bool))
    status = tf.where(seen, tf.where(texts == "", too_large, OK), DAMAGED)
    status = tf.where(jpeg | png, status, UNKNOWN)
    status = tf.where(contents == "", EMPTY, status)
    return tf.where((status == OK)[:, None], sizes, 0), texts, status


def restore(pixels, size):
    """The images of a group, all of one `size`: string `(G,)` -> uint8 `(G, H, W, 3)`."""
    tf = tensorflow()
    images = tf.map_fn(
        lambda each: tf.ensure_shape(tf.io.parse_tensor(each, tf.uint8), (None, None, 3)),
        pixels,
        fn_output_signature=tf.TensorSpec((None, None, 3), tf.uint8),
    )
    return tf.reshape(images, tf.concat([tf.shape(pixels), size, [3]], 0))


def by_size(sizes, status, empty, answer):
    """Calls `answer` on groups of photos of one size, and puts its results in the photos' order.

    Args:
        sizes: int32 `(B, 2)`.
        status: string `(B,)`; photos that are not `"ok"` are left out.
        empty: dict of the results, `(B, ...)`, as they are where a photo is left out.
        answer: Function of the positions of a group, int32 `(G,)`, and its size, int32 `(2,)`, to a
            dict like `empty`, `(G, ...)`.

    Returns:
        dict of results, `(B, ...)`.
    """
    tf = tensorflow()
    positions = tf.boolean_mask(tf.range(tf.size(status)), status == OK)
    own = tf.cast(tf.gather(sizes, positions), tf.int64)  # (N, 2)
    alike = tf.reduce_all(own[:, None] == own[None], axis=-1)  # (N, N)
    rank = tf.reduce_sum(tf.cast(tf.linalg.band_part(alike, -1, 0), tf.int64), axis=-1) - 1
    most = tf.maximum(GROUP_PIXELS // tf.maximum(tf.reduce_prod(own, axis=-1), 1), 1)
    names = tf.strings.reduce_join(
        tf.strings.as_string(tf.concat([own, (rank // most)[:, None]], axis=1)), -1, separator=" "
    )
    groups, group = tf.unique(names)

    def body(number, results):
        members = tf.boolean_mask(positions, group == number)
        found = answer(members, sizes[members[0]])
        updated = {
            name: tf.tensor_scatter_nd_update(values, members[:, None], found[name])
            for name, values in results.items()
        }
        return number + 1, updated

    shapes = {name: values.shape for name, values in empty.items()}
    _, results = tf.while_loop(
        lambda number, _: number < tf.size(groups),
        body,
        (0, empty),
        shape_invariants=(tf.TensorShape([]), shapes),
        parallel_iterations=1,  # one group's memory at a time
    )
    return results


def resized(images, size):
    """Images `(G, h, w, C)` at another size, float32, as `kseg.paste.bilinear` does it."""
    tf = tensorflow()
    images = tf.cast(images, tf.float32)
    return tf.cond(
        tf.reduce_all(tf.shape(images)[1:3] == size),
        lambda: images,
        lambda: tf.image.resize(images, size, "bilinear"),
    )


def encode_png(images):
    """uint8 or uint16 `(G, H, W, C)` -> PNG files, string `(G,)`."""
    tf = tensorflow()
    return tf.map_fn(tf.io.encode_png, images, fn_output_signature=tf.string)


def encode_jpeg(images):
    """uint8 `(G, H, W, 3)` -> JPEG files, string `(G,)`."""
    tf = tensorflow()
    return tf.map_fn(
        lambda image: tf.io.encode_jpeg(image, quality=90), images, fn_output_signature=tf.string
    )
