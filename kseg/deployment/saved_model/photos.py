"""Encoded photos in a graph: decoded one by one so that a bad one fails alone, and put into groups
of one size, which a network can take as a batch.

Axes: B photos of a request, G of one size, H and W a photo.
"""

from kseg.base.tensorflow import mapped, tensorflow
from kseg.deployment.saved_model.encoded import RGB
from kseg.pictures.image import PNG_LEVEL

MAX_PIXELS = 50_000_000  # 12 bytes of each are held at times
MAX_SIDE = 65_500  # pixels: libjpeg, which draws overlays, writes no more
GROUP_PIXELS = 1 << 22  # two photos of 1024x2048 at a time: bounds the memory of a large request

OK = "ok"
EMPTY = "empty: expected the bytes of a JPEG, PNG or .npy file"
UNKNOWN = "neither JPEG nor PNG nor .npy"
DAMAGED = "damaged: it cannot be decoded"
BROKEN = "the network's numbers are not finite: NaN is no answer"


def answered(contents, empty, answer, max_pixels=MAX_PIXELS, encoded=RGB):
    """Answers a request of encoded photos, in groups of one size.

    Of all photos the headers are read first; then one group after the other is decoded and
    answered, so that the memory of a request is that of its largest group.

    Args:
        contents: string `(B,)`, files.
        empty: dict of the results, `(B, ...)`, as they are for a photo that cannot be answered.
        answer: Function of a group's images, `(G, H, W, C)`, to a dict like `empty`, `(G, ...)`;
            and optionally `"finite"`, bool `(G,)`: where it is not, the results are left empty.
        max_pixels: Photos of more are not decoded.
        encoded: What files are taken. Default: those of photos of three bands, which are uint8.

    Returns:
        dict of the results, `(B, ...)`, and of `"status"`, string `(B,)`: `"ok"` or what is wrong;
        and int32 `(B, 2)`, height and width of the photos, 0 where the status is not ok.
    """
    tf = tensorflow()
    sizes, status = headers(contents, max_pixels, encoded)
    none = tf.zeros([0], tf.string)

    def group_of(members, size):
        images, whole = decode(tf.gather(contents, members), size, encoded)
        # a header may promise more than follows: the network is not run for nothing
        results = tf.cond(
            tf.reduce_any(whole),
            lambda: finite_of(tf.boolean_mask(images, whole)),
            lambda: {**{name: values[:0] for name, values in empty.items()}, "status": none},
        )
        return whole, results

    def finite_of(images):
        results = dict(answer(images))
        finite = results.pop("finite", tf.fill(tf.shape(images)[:1], True))
        right = encoded.within(images)
        status = tf.where(right, tf.where(finite, OK, BROKEN), encoded.beyond())
        fine = status == OK
        kept = {name: only(fine, values, empty[name][:1]) for name, values in results.items()}
        return {**kept, "status": status}

    def only(fine, values, nothing):
        each = tf.reshape(fine, [-1] + [1] * (len(values.shape) - 1))
        return tf.ensure_shape(tf.where(each, values, nothing), values.shape)

    damaged = tf.where(status == OK, DAMAGED, status)
    results = by_size(sizes, status, {**empty, "status": damaged}, group_of)
    return results, tf.where((results["status"] == OK)[:, None], sizes, 0)


def headers(contents, max_pixels, encoded=RGB):
    """Sizes of encoded photos, from their headers, and which of them are to be decoded.

    Args:
        contents: string `(B,)`.
        max_pixels: The largest photo that is accepted.
        encoded: What files are taken.

    Returns:
        sizes: int32 `(B, 2)`, height and width.
        status: string `(B,)`, `"ok"` or what is wrong.
    """
    tf = tensorflow()
    known = tf.map_fn(encoded.is_known, contents, fn_output_signature=tf.bool)
    taken = tf.map_fn(encoded.is_taken, contents, fn_output_signature=tf.bool)
    places = tf.where(known)[:, 0]
    sizes, read = _surviving(encoded.size, tf.gather(contents, places), tf.zeros([2], tf.int32))
    read = tf.scatter_nd(places[:, None], read, tf.shape(known, tf.int64))
    sizes = tf.scatter_nd(places[:, None], sizes, tf.stack([tf.size(known, tf.int64), 2]))
    too_large = tf.reduce_prod(tf.cast(sizes, tf.int64), axis=-1) > max_pixels
    status = tf.where(too_large, f"too large: more than {max_pixels:,} pixels", OK)
    too_long = tf.reduce_max(sizes, axis=-1) > MAX_SIDE
    status = tf.where(too_long, f"too large: a side of more than {MAX_SIDE:,} pixels", status)
    # PNG's sizes are unsigned: what is negative here is beyond 2**31, which its standard forbids
    read = read & tf.reduce_all(sizes > 0, axis=-1)
    status = tf.where(read, status, DAMAGED)
    status = tf.where(read & ~taken, f"unsuitable: expected {encoded.words}", status)
    status = tf.where(known, status, UNKNOWN)
    return sizes, tf.where(contents == "", EMPTY, status)


def decode(contents, size, encoded=RGB):
    """Decodes photos of one size.

    Args:
        contents: string `(G,)`.
        size: int32 `(2,)`, their height and width.
        encoded: What files are taken.

    Returns:
        `(G, H, W, C)`, black where a photo is damaged; bool `(G,)`, which are not.
    """
    tf = tensorflow()

    def image(content):
        decoded = encoded.decode(content)
        same = tf.debugging.assert_equal(tf.shape(decoded)[:2], size)
        with tf.control_dependencies([same]):
            return tf.identity(decoded)

    black = tf.zeros(tf.concat([size, [encoded.channels]], 0), encoded.kind)
    return _surviving(image, contents, black)


def _surviving(function, contents, nothing):
    """`function` of each content; where it fails, `nothing`, of the same shape.

    Returns:
        The results `(N, ...)`, and bool `(N,)`, where it has not failed.
    """
    tf = tensorflow()
    count = tf.size(contents)
    ds = tf.data.Dataset.from_tensor_slices((tf.range(count), contents))
    ds = mapped(ds, lambda index, content: (index, function(content))).ignore_errors()
    # one more, beyond the last: there is always an element to get
    ds = ds.concatenate(tf.data.Dataset.from_tensors((count, nothing)))
    index, values = ds.batch(tf.cast(count + 1, tf.int64)).get_single_element()
    survived = tf.scatter_nd(index[:, None], tf.ones_like(index, tf.bool), [count + 1])
    shape = tf.concat([[count + 1], tf.shape(nothing)], 0)
    values = tf.cond(
        tf.reduce_all(survived),
        lambda: values,  # in order: nothing has to be moved
        lambda: tf.scatter_nd(index[:, None], values, shape),
    )
    return values[:-1], survived[:-1]


def by_size(sizes, status, empty, answer):
    """Calls `answer` on groups of photos of one size, and puts its results in the photos' order.

    Args:
        sizes: int32 `(B, 2)`.
        status: string `(B,)`; photos that are not `"ok"` are left out.
        empty: dict of the results, `(B, ...)`, as they are where a photo is left out.
        answer: Function of the positions of a group, int32 `(G,)`, and its size, int32 `(2,)`, to
            bool `(G,)`, which of the photos it answered, and the results of those: a dict like
            `empty`.

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
        known, answers = answer(members, sizes[members[0]])
        members = tf.boolean_mask(members, known)[:, None]
        updated = {
            name: tf.tensor_scatter_nd_update(values, members, answers[name])
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
    """Images `(G, h, w, C)` at another size, float32, as `kseg.ops.resize.bilinear` does it.

    By TensorFlow's own kernel, which takes half the time and differs by rounding.
    """
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
    return tf.map_fn(
        lambda image: tf.io.encode_png(image, PNG_LEVEL), images, fn_output_signature=tf.string
    )


def encode_jpeg(images):
    """uint8 `(G, H, W, 3)` -> JPEG files, string `(G,)`."""
    tf = tensorflow()
    return tf.map_fn(
        lambda image: tf.io.encode_jpeg(image, quality=90), images, fn_output_signature=tf.string
    )
