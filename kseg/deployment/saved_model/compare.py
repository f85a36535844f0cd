"""Every signature of an export beside the model: whoever calls one gets what the model says.

What is asked of a task's signatures is in its module, as `differing`; here are the photos that they
are asked with, and what comes back.
"""

import dataclasses
import hashlib
import struct
import zlib
from io import BytesIO

import numpy as np

from kseg.data.decode import PNG_SIGNATURE
from kseg.data.files import photo_array
from kseg.deployment.saved_model.encoded import RGB, Encoded
from kseg.deployment.saved_model.photos import MAX_SIDE, OK
from kseg.deployment.saved_model.predictor import TASKS, as_served
from kseg.models.contract import contract, part
from kseg.pictures.image import as_rgb

JPEG_QUALITY = 90  # of overlays, and of the photo that is sent as JPEG
KEPT = 1 << 20  # pixels of a photo of which the model's answer is kept
BEYOND = 4  # a photo for `tiled` is longer than a tile by one in so many


@dataclasses.dataclass(frozen=True)
class Asked:
    """The signatures of one export, and how they are called.

    Args:
        signatures: Name -> function of named tensors, as TensorFlow loads them.
        options: `GraphOptions` that the export was told.
        encoded: `Encoded`, what files it takes.
        answers: What the model said of photos.
    """

    signatures: dict
    options: object
    encoded: Encoded = RGB
    answers: dict = dataclasses.field(default_factory=dict, repr=False, compare=False)

    def of_model(self, function, model, photo, *more):
        """`function(model, photo, *more)`, which several signatures ask of one photo, once."""
        if photo[..., 0].size > KEPT:
            return function(model, photo, *more)
        content = hashlib.sha256(np.ascontiguousarray(photo)).digest()
        key = function.__name__, photo.shape, photo.dtype.str, content, repr(more)
        if key not in self.answers:
            self.answers[key] = function(model, photo, *more)
        return self.answers[key]

    def images(self, name, images):
        """The outputs for images `(B, H, W, C)` of one size: dict of arrays `(B, ...)`."""
        return _arrays(self.signatures[name](images=as_served(images, self.signatures[name])))

    def several(self, photo):
        """Photos of two sizes, odd ones, and their files, of each kind that the model takes.

        A photo, the same again, as it comes out of JPEG where that is taken, and a part of it.
        """
        height, width = photo.shape[:2]
        part_of_it = np.ascontiguousarray(photo[: max(1, height - 3), : max(1, width - 2)])
        if self.encoded.takes_jpeg and self.encoded.value_range is None:
            again = jpeg(photo)
            photos = [photo, decoded(again).reshape(photo.shape), part_of_it]
        else:
            again = npy(photo)
            photos = [photo, photo, part_of_it]
        return photos, [self.file(photo), again, self.file(part_of_it)]

    def file(self, photo):
        """A photo as a PNG, where the model takes that, or as an `.npy`."""
        if self.encoded.takes_png and photo.dtype == self.encoded.png_kind:
            return png(photo)
        return npy(photo.astype(self.encoded.kind, copy=False))

    def shown(self, photo):
        """A photo as overlays show it, uint8 `(H, W, 3)`."""
        return as_rgb(photo, self.options.bands, self.encoded.value_range)

    def files(self, name, files):
        """The outputs for encoded photos, and whether each file that is none was told apart.

        Args:
            name: Of the signature.
            files: List of bytes.

        Returns:
            dict of arrays `(len(files), ...)`; bool, whether the statuses were right.
        """
        from kseg.base.tensorflow import tensorflow

        bad = [b"", b"junk", too_large(self.options.max_pixels)]
        sent = [files[0], *(each for each in bad if each is not None), *files[1:]]
        outputs = _arrays(self.signatures[name](image_bytes=tensorflow().constant(sent)))
        status = [each.decode() for each in outputs["status"]]
        good = [0, *range(len(sent) - len(files) + 1, len(sent))]
        right = all((status[index] == OK) == (index in good) for index in range(len(sent)))
        return {key: values[good] for key, values in outputs.items()}, right


def compare_signatures(job, signatures, options, own):
    """Runs every signature of an export and the model on the same photos.

    Args:
        job: `kseg.deployment.compare.Job`.
        signatures: As TensorFlow loads them.
        options: `GraphOptions`.
        own: dict of the options of the model's task.

    Returns:
        dict of a signature's name -> share of its pixels, or objects, that come out otherwise.
    """
    task = part(TASKS, job.model)
    if options.signatures == ("serving_default",) and not hasattr(task, "differing"):
        return {}  # the predictor calls it, and is compared: a task of no other needs no more
    own_files = contract(job.model)
    asked = Asked(signatures, options, Encoded(own_files.channels, own_files.value_range))
    (photo,) = job.photos(1)
    photo = within(photo, options.max_pixels)
    return {
        name: task.differing(name, job.model, photo, asked, **own) for name in options.signatures
    }


def beyond_a_tile(photo, options):
    """The photo, mirrored as often as it takes to be longer than a tile both ways."""
    length = options.tile + options.tile // BEYOND + 1
    more = [max(0, length - side) for side in photo.shape[:2]]
    mirrored = np.pad(photo, [(0, more[0]), (0, more[1]), (0, 0)], "symmetric")
    return within(mirrored, options.max_pixels)


def within(photo, max_pixels):
    """The photo, or the corner of it that has so many pixels at most."""
    side = max(1, int(max_pixels**0.5))
    return photo if photo[:, :, 0].size <= max_pixels else photo[:side, :side]


def picture_differs(content, expected, kind):
    """How far a picture is from the expected one: mean difference, as a share of black to white.

    Args:
        content: Its bytes.
        expected: uint8 `(H, W, 3)`.
        kind: `"jpeg"` or `"png"`: 1.0 if it is in another format.
    """
    from PIL import Image

    from kseg.deployment.saved_model.photos import encode_jpeg

    if kind == "jpeg":
        expected = decoded(encode_jpeg(expected[None]).numpy()[0])
    with Image.open(BytesIO(content)) as picture:
        if picture.format.lower() != kind or picture.size != expected.shape[1::-1]:
            return 1.0
        return float(np.abs(photo_array(picture).astype(int) - expected).mean() / 255)


def decoded(content):
    """An encoded image as an array: ids as they are stored, colours uint8 `(H, W, 3)`."""
    from PIL import Image

    with Image.open(BytesIO(content)) as image:
        return np.array(image)


def png(image):
    """A PNG of ids `(H, W)` or of a photo `(H, W, C)`, of 8 or of 16 bits."""
    if image.dtype == np.uint16 and image.ndim == 3:  # of colours Pillow writes 8 bits alone
        from kseg.base.tensorflow import tensorflow

        return tensorflow().io.encode_png(image).numpy()
    return _file(image, "PNG")


def npy(image):
    stream = BytesIO()
    np.save(stream, image)
    return stream.getvalue()


def jpeg(image):
    return _file(image, "JPEG", quality=JPEG_QUALITY)


def too_large(max_pixels):
    """The header of a PNG of more pixels than are decoded; None where none has so many."""
    side = int(max_pixels**0.5) + 1
    if side > MAX_SIDE:
        return None
    header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return PNG_SIGNATURE + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def _file(image, kind, **options):
    from PIL import Image

    stream = BytesIO()
    image = image[:, :, 0] if image.ndim == 3 and image.shape[-1] == 1 else image
    Image.fromarray(image).save(stream, kind, **options)
    return stream.getvalue()


def _arrays(outputs):
    return {name: values.numpy() for name, values in outputs.items()}
