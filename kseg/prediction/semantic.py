"""Photos of any size through a model that labels pixels: the class of each.

What a network holds in memory grows with the photo: beyond `memory()` bytes of feature maps a batch
goes through it photo by photo, and a photo tile by tile.

Axes: B batch, H and W the photo, h and w the same as the network sees it, C classes.
"""

import math
import weakref

import numpy as np

from kseg.base.arguments import integer, refused
from kseg.models.contract import contract, fixed_size, part
from kseg.ops.resize import bilinear, check_resize, resized_size
from kseg.ops.tiles import STRIDE, stitched
from kseg.prediction.batching import filled, mirrored
from kseg.prediction.memory import MEMORY, memory
from kseg.prediction.network import check_weights, forward, not_finite, once
from kseg.prediction.views import averaged, check_tta

OPTIONS = {"resize": None, "tile": None, "tta": None, "probabilities": False}
OVERLAP = 256  # pixels that tiles share, where they are large; U-Net sees 92 round each
LEAST_TILE = 512
FEW = 1 << 19  # pixels, for which no network needs more
COPIES = 4  # of logits, while they are enlarged
FIXED_AT_ONCE = 8  # photos, of a model that is built for images of one size
FOLDER, SUFFIX = "masks", ".png"  # where `kseg predict` writes, and how the files end

# model -> the same with its decision inside, so that ids and not logits cross to the host
_deciders = weakref.WeakKeyDictionary()


def predict(model, photos, *, resize=None, tile=None, tta=None, probabilities=False):
    """Yields int32 class ids `(H, W)` of each photo `(H, W, channels)`; see `kseg.predict`."""
    resize, views = checked(model, resize, tile), checked_views(model, tta)
    for photo in photos:
        if tta is None and not probabilities:
            yield labels_on_batch(model, photo[None], resize, tile)[0]
            continue
        (found,) = viewed(model, photo[None], views, resize, tile)
        yield found if probabilities else found.argmax(axis=-1).astype(np.int32)


def viewed(model, images, views, resize=None, tile=None):
    """Probabilities of photos `(B, H, W, channels)` seen several ways: float32 `(B, H, W, C)`."""

    def seen(image, scale):
        return part("kseg.prediction", model).probabilities_on_batch(
            model, image[None], resize, tile, scale
        )[0]

    return np.stack([averaged(image, views, seen) for image in images])


def checked_views(model, tta):
    """The views that `tta` asks for, of a model that labels pixels."""
    return check_tta(tta, scales=not any(fixed_size(model)))


def stored(model, *, probabilities=False):
    """How an answer that does not fit into memory is decided and stored.

    Args:
        model: A semantic model.
        probabilities: Whether to keep those.

    Returns:
        decide: Function of probabilities `(h, w, C)` to what is stored of them.
        dtype: Of that.
        bands: Of a pixel; None for one id.
    """
    count = contract(model).num_classes
    if probabilities:
        return (lambda found: found), np.float32, count
    dtype = np.uint8 if count <= 256 else np.uint16
    return (lambda found: found.argmax(axis=-1).astype(dtype)), dtype, None


def checked(model, resize, tile):
    """`resize` as the rest has it, if it and `tile` go with the model."""
    resize = check_resize(resize)
    if tile is not None and any(fixed_size(model)):
        remedy = "It sees the whole photo, resized: leave tile= out."
        raise refused("tile", tile, f"None for a model of {fixed_size(model)} pixels", remedy)
    if tile is not None:
        integer("tile", tile, low=2 * STRIDE)
    if resize is not None and None not in fixed_size(model):
        remedy = "It resizes photos to that by itself: leave resize= out."
        raise refused("resize", resize, f"None for a model of {fixed_size(model)} pixels", remedy)
    return resize


def write(labels, path, class_names, colors):
    """Writes class ids as a palette PNG, whose pixels are the ids and whose palette the colours.

    More than 256 classes make a grey PNG of 16 bits.

    Args:
        labels: Class ids `(H, W)`.
        path: The file, a `pathlib.Path`; its folder is made.
        class_names: Name of each class.
        colors: RGB of each class.
    """
    from kseg.pictures.image import save, with_palette

    deep = len(class_names) > 256
    save(labels.astype(np.uint16) if deep else with_palette(labels, colors), path)


def labels_on_batch(model, images, resize=None, tile=None):
    """Class ids of a batch: `(B, H, W, channels)` -> int32 `(B, H, W)`.

    Args:
        model: A semantic model. One that is built for images of one size gets them at that size.
        images: Photos of one size.
        resize, tile: As of `kseg.predict`.

    Raises:
        ValueError: the logits are not finite.
    """
    from keras import ops

    from kseg.ops.decisions import winners

    def decide(logits):  # a byte of each pixel crosses to the host where it holds all classes
        ids = winners(logits)
        return (ops.cast(ids, "uint8") if logits.shape[-1] <= 256 else ids,)

    ids = decided(model, decide, images, "ids", resize, tile)[0]
    return ids.astype(np.int32, copy=False)


def probabilities_on_batch(model, images, resize=None, tile=None, scale=1.0):
    """The probability of each class, float32 `(B, H, W, C)`; of a binary model both of its two."""
    from keras import ops

    def decide(logits):
        logits = ops.cast(logits, "float32")
        if logits.shape[-1] > 1:
            return (ops.softmax(logits, axis=-1),)
        return (ops.concatenate([ops.sigmoid(-logits), ops.sigmoid(logits)], axis=-1),)

    return decided(model, decide, images, "probabilities", resize, tile, scale)[0]


def confident_labels_on_batch(model, images, resize=None, tile=None):
    """Class ids of a batch, and the probability of each: int32 and float32 `(B, H, W)`."""
    from kseg.ops.decisions import top_class

    ids, confidence = decided(model, top_class, images, "confidence", resize, tile)
    return ids.astype(np.int32, copy=False), confidence


def decided(model, decide, images, name, resize=None, tile=None, scale=1.0):
    """`decide` of the logits: a list of arrays `(B, H, W, ...)`.

    Args:
        model, images, resize, tile: As of `labels_on_batch`.
        decide: Function of logits to a tuple of tensors `(B, H, W, ...)`.
        name: What to keep the network with this decision by.
        scale: Of the sides at which photos go into the network, beside those that it would see.
    """
    made = _deciders.setdefault(model, {})
    once(made, "weights", lambda: check_weights(model))
    size = images.shape[1:3]
    inner = _inner_size(model, size, resize)
    if scale != 1:
        inner = tuple(max(1, round(side * scale)) for side in inner)
    most, tile = _at_once(model, made, len(images), inner, tile)
    overlap = overlap_of(tile) if tile else 0
    if inner == size:
        network = once(made, name, lambda: _decider(model, decide))

        def answer(part):
            return stitched(part, lambda seen: _run(model, network, seen), tile, overlap)

    else:

        def answer(part):
            small = np.stack([bilinear(image, *inner) for image in part])
            (logits,) = stitched(small, lambda seen: [forward(model, seen)], tile, overlap)
            return _enlarged(model, decide, logits, size)

    parts = [images[start : start + most] for start in range(0, len(images), most)]
    answers = [[x[: len(part)] for x in answer(filled(part, most))] for part in parts]
    return answers[0] if len(answers) == 1 else list(map(np.concatenate, zip(*answers)))


def _inner_size(model, size, resize):
    """Height and width at which photos of one size go into the network."""
    sides = zip(fixed_size(model), resized_size(size, resize))
    return tuple(own or side for own, side in sides)


def _at_once(model, made, count, size, tile):
    """How many photos of a size go through a network at once, and in tiles of how many pixels.

    Args:
        model, made: The model, and what is kept of it.
        count: Photos there are.
        size: `(h, w)`.
        tile: As it was asked for.

    Returns:
        Photos at most, and pixels; None for photos in one piece.
    """
    if any(fixed_size(model)):
        return min(count, FIXED_AT_ONCE), None
    if tile is None and count * math.prod(size) <= FEW:
        return count, None
    from kseg.models.graph import bytes_a_pixel

    pixels = int(memory() / once(made, "bytes", lambda: bytes_a_pixel(model)))
    if tile is None and math.prod(size) > pixels:
        tile = max(math.isqrt(pixels) // STRIDE * STRIDE, LEAST_TILE)
    seen = math.prod(min(side, tile or side) for side in size)
    return min(count, max(1, pixels // seen)), tile


def tile_in_memory(model, size):
    """Pixels of a tile whose feature maps, and whose probabilities here, fit into `MEMORY`.

    Args:
        model: A model that labels pixels.
        size: `(H, W)` of the photo.
    """
    from kseg.models.graph import bytes_a_pixel

    made = _deciders.setdefault(model, {})
    numbers = 4 * COPIES * contract(model).num_classes
    pixels = MEMORY / (once(made, "bytes", lambda: bytes_a_pixel(model)) + numbers)
    tile = max(math.isqrt(int(pixels)) // STRIDE * STRIDE, LEAST_TILE)
    return max(min(tile, max(size)), 2 * STRIDE)


def overlap_of(tile):
    """Pixels that tiles of this side share."""
    return min(OVERLAP, tile // 2, tile - 2 * STRIDE)


def _decider(model, decide):
    """The model with a decision inside, so that ids and not logits cross to the host."""
    import keras

    from kseg.ops.decisions import finite

    logits = model.outputs[0]
    return keras.Model(model.input, (*decide(logits), finite(logits)))


def _run(model, decider, images):
    """What a decider answers of a batch, which must be finite."""
    height, width = images.shape[1:3]
    *answers, whole = forward(decider, mirrored(images, _stride(model)))
    if not whole.all():
        raise not_finite(model)
    return [each[:, :height, :width] for each in answers]


def _stride(model):
    """That to which photos are mirrored before: on JAX, which compiles each size by itself."""
    import keras

    if keras.backend.backend() != "jax":
        return 1
    from kseg.models.sizes import own_stride

    return once(_deciders.setdefault(model, {}), "stride", lambda: own_stride(model))


def _enlarged(model, decide, logits, size):
    """The decision for photos of a size by logits `(B, h, w, C)` of another.

    Where they would not fit into memory, a strip of rows after the other.
    """
    import keras

    if not np.isfinite(logits).all():
        raise not_finite(model)
    height, width = size
    rows = max(1, memory() // (COPIES * len(logits) * width * logits.shape[-1] * 4))
    strips = []
    for top in range(0, height, rows):
        if rows < height:
            part = slice(top, min(top + rows, height))
            values = np.stack([bilinear(each, height, width, part) for each in logits])
        else:
            values = keras.ops.image.resize(logits, size, "bilinear", antialias=False)
        strips.append([keras.ops.convert_to_numpy(each) for each in decide(values)])
    return [np.concatenate(each, axis=1) for each in zip(*strips)]
