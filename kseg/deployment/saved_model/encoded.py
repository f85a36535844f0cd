"""Photos as they are stored, for models of any bands and range: decoded in a graph, shown, refused.

What is decoded is to the bit what `kseg.predict` reads in the same file:

    bands     of 0..255               of another value_range
    1         JPEG, PNG               PNG of grey, with or without alpha
    3         JPEG, PNG               PNG; JPEG too, if the range ends at 255 or below
    4         PNG with alpha          PNG of RGBA
    others

and of every model NumPy's `.npy` of the very type and bands. Where a range goes beyond 255, a PNG
has 16 bits. All else is refused by name: no decoder of TensorFlow's reads more bands.
"""

import dataclasses

from kseg.base.tensorflow import tensorflow
from kseg.data.channels import luminance
from kseg.data.decode import decode_image, is_png, photo_size
from kseg.data.values import words
from kseg.deployment.saved_model import npy
from kseg.deployment.saved_model.signatures import served_type
from kseg.pictures.image import CUT

DEPTH, COLOR = 24, 25  # bytes of a PNG's header, section 11.2.1 of its specification
ANY = None
COLORS = {1: ANY, 3: ANY, 4: b"\4\6"}  # colour types of a PNG, by bands: grey 0, with alpha 4 and 6
COLORS_OF_RANGE = {1: b"\0\4", 3: ANY, 4: b"\6"}


@dataclasses.dataclass(frozen=True)
class Encoded:
    """What files a model takes.

    Args:
        channels: Of the model. Default 3.
        value_range: `(low, high)` of its photos' numbers. Default None: 0..255.
    """

    channels: int = 3
    value_range: tuple[float, float] | None = None

    @property
    def kind(self):
        """Name of the type of decoded photos, that of `serving_default`."""
        return served_type(self.value_range)

    @property
    def is_deep(self):
        """Whether the range is beyond what 8 bits hold."""
        return self.value_range is not None and self.value_range[1] > 255

    @property
    def png_kind(self):
        """Type of the numbers in a PNG that it takes."""
        return "uint16" if self.is_deep else "uint8"

    @property
    def takes_png(self):
        return self.channels in COLORS

    @property
    def takes_jpeg(self):
        plain = self.value_range is None and self.channels == 1
        return (self.channels == 3 or plain) and not self.is_deep

    @property
    def words(self):
        """What files it takes, in words."""
        array = f".npy of {self.kind} (height, width, {self.channels})"
        if not self.takes_png:
            return array
        of = {1: "grey", 3: "", 4: "RGBA"}[self.channels] if not self.takes_jpeg else ""
        png = " ".join(
            filter(None, ["PNG", of and f"of {of}", "of 16 bits" if self.is_deep else ""])
        )
        return f"{'JPEG, ' if self.takes_jpeg else ''}{png} or {array}"

    # In a graph

    def is_known(self, content):
        """Whether bytes begin as those of JPEG, PNG or `.npy`: string scalar -> bool."""
        return tensorflow().io.is_jpeg(content) | is_png(content) | npy.is_npy(content)

    def is_taken(self, content):
        """Whether a file, which `is_known`, is of those that the model takes, by its header."""
        tf = tensorflow()
        start = tf.strings.join([tf.strings.substr(content, 0, COLOR + 1), bytes(COLOR + 1)])
        deep = tf.strings.substr(start, DEPTH, 1) == b"\x10"
        color = tf.strings.substr(start, COLOR, 1)
        colors = (COLORS_OF_RANGE if self.value_range else COLORS).get(self.channels, b"")
        png = is_png(content) & self.takes_png
        if colors is not ANY:
            png &= tf.reduce_any([color == bytes([each]) for each in (*colors, 255)])
        if self.is_deep:
            png &= deep
        return tf.cond(
            npy.is_npy(content),
            lambda: npy.fits(content, self.kind, self.channels),
            lambda: png | tf.io.is_jpeg(content) & self.takes_jpeg,
        )

    def size(self, content):
        """Height and width of a file that `is_known`, from its header: int32 `(2,)`."""
        return tensorflow().cond(
            npy.is_npy(content),
            lambda: npy.size_of(content, self.kind, self.channels),
            lambda: photo_size(content),
        )

    def decode(self, content):
        """A file that `is_taken` -> `(H, W, channels)` of type `kind`."""
        tf = tensorflow()
        image = tf.cond(
            npy.is_npy(content),
            lambda: npy.decode(content, self.kind, self.channels),
            lambda: tf.cast(self._picture(content), self.kind),
        )
        return tf.ensure_shape(image, (None, None, self.channels))

    def _picture(self, content):
        tf = tensorflow()
        if not self.takes_png:
            return tf.zeros([0, 0, self.channels], self.kind)
        if self.value_range is None:
            return self._of_bytes(content)

        def deep():
            image = tf.io.decode_png(content, channels=self.channels, dtype=tf.uint16)
            return tf.cast(image, self.kind)

        if self.is_deep:
            return deep()
        is_deep = is_png(content) & (tf.strings.substr(content, DEPTH, 1) == b"\x10")
        return tf.cond(is_deep, deep, lambda: tf.cast(self._of_bytes(content), self.kind))

    def _of_bytes(self, content):
        """uint8 `(H, W, channels)`, as Pillow makes it."""
        tf = tensorflow()
        if self.channels == 4:
            return tf.io.decode_png(content, channels=4)
        image = decode_image(content)
        if self.channels == 3:
            return image
        return tf.cast(luminance(tf.cast(image, tf.int32))[..., None], tf.uint8)

    def within(self, images):
        """Whether the numbers of photos `(G, H, W, C)` are of the range: bool `(G,)`.

        Those of an `.npy` of floats that are 0..1, where the range is much larger, are not.
        """
        tf = tensorflow()
        if self.value_range is None:
            return tf.ones(tf.shape(images)[:1], tf.bool)
        low, high = self.value_range
        numbers = tf.cast(images, tf.float32)
        inside = tf.reduce_all((numbers >= low) & (numbers <= high), axis=(1, 2, 3))
        if self.kind == "float32" and low >= 0 and high > 2:
            most = tf.reduce_max(numbers, axis=(1, 2, 3))
            inside &= (most > 1) | (most == 0)
        return inside

    def beyond(self):
        """What is wrong with a photo that is not `within`."""
        return f"unsuitable: numbers beyond {words(self.value_range or (0, 255))}"

    def picture(self, images, bands):
        """Photos to look at, as `kseg.pictures.image.as_rgb`: uint8 `(G, H, W, 3)`.

        Args:
            images: `(G, H, W, C)` of type `kind`.
            bands: Positions of red, green and blue, or one of grey; None for the first three.
        """
        tf = tensorflow()
        if bands is None:
            bands = (0, 1, 2) if self.channels >= 3 else (0,)
        chosen = tf.gather(images, list(bands), axis=-1)
        if self.value_range is not None:
            chosen = stretched(chosen)
        return tf.repeat(chosen, 3, axis=-1) if len(bands) == 1 else chosen


RGB = Encoded()


def stretched(images):
    """Numbers `(G, H, W, c)` as uint8: of each photo the 2 % at both ends are black and white."""
    tf = tensorflow()
    numbers = tf.cast(images, tf.float32)
    ordered = tf.sort(tf.reshape(numbers, [tf.shape(numbers)[0], -1]))
    count = tf.cast(tf.shape(ordered)[1] - 1, tf.float64)

    def percentile(percent):
        place = count * (percent / 100)
        below = tf.cast(place, tf.int32)
        above = tf.minimum(below + 1, tf.shape(ordered)[1] - 1)
        share = tf.cast(place - tf.floor(place), tf.float32)
        low, high = tf.gather(ordered, below, axis=1), tf.gather(ordered, above, axis=1)
        return (low + (high - low) * share)[:, None, None, None]

    black, white = percentile(CUT), percentile(100 - CUT)
    levels = (numbers - black) * (255 / tf.maximum(white - black, 1e-12))
    return tf.cast(tf.clip_by_value(tf.round(levels), 0, 255), tf.uint8)
