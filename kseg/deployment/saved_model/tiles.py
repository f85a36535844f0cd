"""Photos tile by tile inside a served graph, in constant memory; `kseg.ops.tiles` says which."""

from kseg.base.tensorflow import tensorflow
from kseg.ops.tiles import spans


def winners(images, network, top_class, kinds, tile, overlap):
    """Class ids and scores of images, predicted in tiles.

    Args:
        images: uint8 `(G, H, W, C)`.
        network: Function of float32 images to logits.
        top_class: Function of logits to class ids and scores.
        kinds: Types of those two.
        tile, overlap: As for `kseg.ops.tiles.spans`.

    Returns:
        ids and scores, `(G, H, W)`.
    """

    def answer(part):
        return top_class(network(tensorflow().cast(part, "float32")))

    return stitched(images, answer, [(kind,) for kind in kinds], tile, overlap)


def resized_winners(images, size, network, outputs, top_class, kinds, tile, overlap):
    """As `winners`, of images that were resized for the network: the logits are brought back.

    The logits of the resized images are put together; they are enlarged or shrunk to the photo's
    size, where they may be too many, a strip of rows at a time.

    Args:
        images: float32 `(G, h, w, C)`, resized.
        size: int32 `(2,)`, height and width of the photos.
        outputs: How many logits a pixel has.
        network, top_class, kinds, tile, overlap: As for `winners`.

    Returns:
        ids and scores, `(G, H, W)`.
    """
    tf = tensorflow()
    kept = [(tf.float32, outputs)]
    (logits,) = stitched(images, lambda part: [network(part)], kept, tile, overlap)
    rows = tf.maximum(tile * tile // size[1], 1)  # as many pixels as a tile has

    def strip(number):
        top = number * rows
        part = _rows(logits, top, tf.minimum(top + rows, size[0]), size[0])
        part = tf.image.resize(part, (tf.shape(part)[1], size[1]), "bilinear")
        return [tf.transpose(value, (1, 0, 2)) for value in top_class(part)]  # (h, G, W)

    strips = _concatenated(-(-size[0] // rows), [(kind,) for kind in kinds], strip)
    return [tf.transpose(each, (1, 0, 2)) for each in strips]


def stitched(images, answer, kinds, tile, overlap):
    """What a function answers of the tiles of images, put together to their size.

    Args:
        images: `(G, H, W, C)`.
        answer: Function of a tile `(G, h, w, C)` to a list of `(G, h, w, ...)`.
        kinds: Of each of that list, its type and the length of each further axis.
        tile, overlap: As for `spans`.

    Returns:
        List of `(G, H, W, ...)`.
    """
    tf = tensorflow()
    height, width = tf.unstack(tf.shape(images)[1:3])
    y, tile_height, y_edge = spans(height, tile, overlap, tf)
    x, tile_width, x_edge = spans(width, tile, overlap, tf)

    def tile_at(row, column):
        top, left = y[row], x[column]
        values = answer(images[:, top : top + tile_height, left : left + tile_width])
        rows = slice(y_edge[row] - top, y_edge[row + 1] - top)
        columns = slice(x_edge[column] - left, x_edge[column + 1] - left)
        return [_axes(value[:, rows, columns], 2, 0, 1) for value in values]  # (w, G, h, ...)

    def strip(row):
        parts = _concatenated(tf.size(x), kinds, lambda column: tile_at(row, column))
        return [_axes(part, 2, 1, 0) for part in parts]  # (h, G, W, ...)

    return [_axes(each, 1, 0, 2) for each in _concatenated(tf.size(y), kinds, strip)]


def _axes(values, *order):
    """The first three axes in another order, the rest as they are."""
    return tensorflow().transpose(values, (*order, *range(3, len(values.shape))))


def _rows(values, top, bottom, height):
    """Rows `top` to `bottom` of `(G, h, w, C)` resized to `height`, as TensorFlow resizes them."""
    tf = tensorflow()
    own = tf.shape(values)[1]
    scale = tf.cast(own, tf.float32) / tf.cast(height, tf.float32)
    at = tf.maximum((tf.cast(tf.range(top, bottom), tf.float32) + 0.5) * scale - 0.5, 0)
    first = tf.minimum(tf.cast(at, tf.int32), own - 1)
    second = tf.minimum(first + 1, own - 1)
    share = (at - tf.cast(first, tf.float32))[:, None, None]
    upper, lower = tf.gather(values, first, axis=1), tf.gather(values, second, axis=1)
    return upper + (lower - upper) * share


def _concatenated(count, kinds, parts):
    """`parts(0)`, `parts(1)`, ... one after the other, put together along their first axis."""
    tf = tensorflow()

    def body(number, *arrays):
        return number + 1, *(each.write(number, v) for each, v in zip(arrays, parts(number)))

    arrays = [
        tf.TensorArray(kind, size=count, element_shape=(None,) * 3 + tuple(more), infer_shape=False)
        for kind, *more in kinds
    ]
    _, *arrays = tf.while_loop(
        lambda number, *_: number < count, body, (0, *arrays), parallel_iterations=1
    )
    return [each.concat() for each in arrays]
