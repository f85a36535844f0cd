"""Photos that are too large for a network in one piece: tile by tile, in constant memory.

Tiles lie inside the photo, so that those at its border see the same border as in one piece. Of two
neighbours each answers for its half of what they share.
"""

from kseg.base.tensorflow import tensorflow


def spans(length, tile, overlap):
    """Where the tiles of an axis lie, and for which part each answers.

    Args:
        length: int32 scalar, pixels of the axis.
        tile: Pixels of a tile; of the whole axis where that is shorter.
        overlap: Pixels that neighbours share, at least.

    Returns:
        start: int32 `(n,)`, first pixel of each tile.
        edge: int32 `(n + 1,)`, tile i answers for pixels from edge i to edge i + 1.
    """
    tf = tensorflow()
    side = tf.minimum(length, tile)
    count = tf.maximum(-(-(length - overlap) // (tile - overlap)), 1)
    number = tf.range(count)
    start = number * (length - side) // tf.maximum(count - 1, 1)
    middle = (start[1:] + start[:-1] + side) // 2
    return start, tf.concat([[0], middle, [length]], 0)


def winners(images, network, top_class, kinds, tile, overlap):
    """Class ids and scores of images, predicted in tiles.

    Args:
        images: uint8 `(G, H, W, C)`.
        network: Function of float32 images to logits.
        top_class: Function of logits to class ids and scores.
        kinds: Types of those two.
        tile, overlap: As for `spans`.

    Returns:
        ids and scores, `(G, H, W)`.
    """
    tf = tensorflow()
    height, width = tf.unstack(tf.shape(images)[1:3])
    y, y_edge = spans(height, tile, overlap)
    x, x_edge = spans(width, tile, overlap)
    tile_height, tile_width = tf.minimum(height, tile), tf.minimum(width, tile)

    def tile_at(row, column):
        top, left = y[row], x[column]
        part = images[:, top : top + tile_height, left : left + tile_width]
        values = top_class(network(tf.cast(part, tf.float32)))
        rows = slice(y_edge[row] - top, y_edge[row + 1] - top)
        columns = slice(x_edge[column] - left, x_edge[column + 1] - left)
        return [tf.transpose(value[:, rows, columns], (2, 0, 1)) for value in values]  # (w, G, h)

    def strip(row):
        parts = _concatenated(tf.size(x), kinds, lambda column: tile_at(row, column))
        return [tf.transpose(part, (2, 1, 0)) for part in parts]  # (h, G, W)

    strips = _concatenated(tf.size(y), kinds, strip)
    return [tf.transpose(each, (1, 0, 2)) for each in strips]


def _concatenated(count, kinds, parts):
    """`parts(0)`, `parts(1)`, ... one after the other, put together along their first axis."""
    tf = tensorflow()

    def body(number, *arrays):
        return number + 1, *(each.write(number, v) for each, v in zip(arrays, parts(number)))

    arrays = [
        tf.TensorArray(kind, size=count, element_shape=(None,) * 3, infer_shape=False)
        for kind in kinds
    ]
    _, *arrays = tf.while_loop(
        lambda number, *_: number < count, body, (0, *arrays), parallel_iterations=1
    )
    return [each.concat() for each in arrays]
