"""One sample: read as training reads it and with Pillow, then measured.

A sample that cannot be read is looked at with Pillow alone, to say why.
"""

import dataclasses
import hashlib
import io

import numpy as np

from kseg.base.tensorflow import tensorflow
from kseg.checks.mask_values import ghosts, wrong_values
from kseg.checks.unreadable import USUAL, format_of, orientation_of, why_unreadable
from kseg.data.bad_files import class_file, file_of, look_at
from kseg.data.errors import DataError, data_error
from kseg.data.sample import WEIGHT, constants, decoded, read
from kseg.data.values import levels

THUMBNAIL = 32


DRAWN = {"label", "instances"}  # columns of masks


DARK = 15  # of 255: as bright as a photo of 12 bits in a file of 16 can be


BLANK = 3  # grey levels: a photo of less contrast shows nothing


@dataclasses.dataclass(slots=True)
class Facts:
    """What was seen of one sample.

    Args:
        index: Its position in the source.
        problems: `(kind, file, message)` of each fault.
        size: `(height, width)` of the photo; None if the sample cannot be read.
        counts: Pixels of each class, then of void.
        voids: Of a multilabel source, pixels that are void of each class.
        mask: Checksum of the label; None for an instance source.
        border: Places where the label changes.
        ghosts: Ghost pixels by class, and `jumps`: see `mask_values.ghosts`.
        content, pixels: Checksums of the photo's bytes (None: no file) and pixels.
        thumbnail: uint8 `(32, 32)`, grey.
        instances: Instances of each class, of an instance source, without crowd regions.
        crowds: Crowd regions, of an instance source.
        weightless: Whether every labelled pixel has weight 0.
        numbers: Least and largest number of the photo; of one that was refused for them, as they
            are stored.
    """

    index: int
    problems: list
    size: tuple[int, int] | None = None
    counts: np.ndarray | None = None
    voids: np.ndarray | None = None
    mask: bytes | None = None
    border: int = 0
    ghosts: np.ndarray | None = None
    jumps: int = 0
    content: bytes | None = None
    pixels: bytes | None = None
    thumbnail: np.ndarray | None = None
    instances: np.ndarray | None = None
    crowds: int = 0
    weightless: bool = False
    numbers: tuple[float, float] | None = None


class SampleReader:
    """Looks at the samples of one source, from any thread.

    Args:
        source: A `Source`.
        thorough: Whether to read photos and masks with Pillow as well, and to take the checksums
            and thumbnails that duplicates are found by.
        several: Whether there are other sources, with which this one may share photos.
    """

    def __init__(self, source, thorough, several=False):
        tf = tensorflow()
        self.source, self.thorough, self.several = source, thorough, several
        # labels that are pixels themselves fit the raster that they were drawn on, by their size
        self.drawn = bool(DRAWN & source.columns.keys()) or not file_of(source, "image", 0)
        self.columns = columns = constants(source)

        def sample(index):
            with tf.device("CPU"):
                row = {name: rows[index] for name, rows in columns.items()}
                encoded = read(source, row, whole=False)
                content = encoded["image"] if encoded["image"].dtype == tf.string else b""
                return decoded(encoded), tf.convert_to_tensor(content)

        # one graph for all: its kernels run side by side without the interpreter's lock
        signature = [tf.TensorSpec((), tf.int64)]
        graph = tf.function(sample, input_signature=signature, autograph=False)
        self.read = graph.get_concrete_function()
        self.index = lambda index: tf.constant(index, tf.int64)

    def __call__(self, index):
        """Looks at the sample at this position; never raises over what is in it."""
        facts = Facts(index, [])
        try:
            sample, content = self.read(self.index(index))
            sample = {key: value.numpy() for key, value in sample.items()}
        except Exception as error:  # whatever a reader's decode raises
            facts.numbers = self.refused_numbers(index, error)
            if facts.numbers is None:
                facts.problems += why_unreadable(self.source, index, error)
            facts.problems += self.known_problems(index)
            return facts
        self.measure(facts, sample, content.numpy())
        facts.problems += self.known_problems(index)
        facts.problems = turned_by_exif(facts.problems)
        return facts

    def refused_numbers(self, index, error):
        """The least and largest number of a photo that says no range and needs one; else None."""
        unsaid = self.source.value_range is None and data_error(error).kind == "unsuitable"
        if not unsaid or not needs_range(self.source):
            return None
        row = {name: rows[index] for name, rows in self.columns.items()}
        image = np.asarray(self.source.decode(row)["image"])
        low, high = float(image.min()), float(image.max())
        return (low, high) if np.isfinite(low) and np.isfinite(high) else None

    def known_problems(self, index):
        """What the reader itself knows."""
        if self.source.problems is None:
            return []
        file = self.name("image", index)
        return [(kind, file, message) for kind, message in self.source.problems(index)]

    def name(self, column, index):
        return file_of(self.source, column, index) or self.source.ids[index]

    def measure(self, facts, sample, content):
        index, image = facts.index, sample["image"]
        photo = self.name("image", index)
        facts.size = image.shape[:2]
        facts.numbers = (image.min().item(), image.max().item())
        image = levels(image, self.source.value_range)
        if content:
            facts.problems += photo_problems(photo, content, image, self.drawn)
        if is_deep(self.source, content):
            facts.problems += dark_problems(photo, image, self.source.value_range)
        thumbnail = thumbnail_of(image)
        blank = int(thumbnail.max()) - int(thumbnail.min()) < BLANK and np.ptp(image) < BLANK
        if blank:
            facts.problems.append(("blank_photo", photo, f"{photo!r} is of a single colour."))
        if (self.thorough or self.several) and not blank:  # equal ones are no copies
            facts.pixels = _digest(image)
        if self.thorough:
            facts.content = _digest(content) if content else None
            facts.thumbnail = thumbnail
            facts.problems += self.pillow_problems(index, content)
        if WEIGHT in sample and not sample[WEIGHT].any():
            facts.weightless = True
            file = self.name(WEIGHT, index)
            facts.problems.append(("no_weight", file, f"{file!r}: every pixel has weight 0."))
        if self.source.task == "semantic":
            self.measure_label(facts, sample["label"])
        elif self.source.task == "multilabel":
            self.measure_several(facts, sample["label"])
        elif self.source.task == "instance":
            self.measure_instances(facts, sample)
        else:  # of whatever else it holds, nothing is known
            facts.counts = np.zeros(self.source.num_classes + 1, np.int64)

    def pillow_problems(self, index, content):
        """Files that TensorFlow reads and Python does not, by which predictions are made; alpha."""
        from PIL import Image

        problems = []
        photo, mask = self.name("image", index), file_of(self.source, "label", index)
        if content:
            try:
                with Image.open(io.BytesIO(content)) as image:
                    image.load()
                    problems += transparent_problems(photo, image)
            except Exception as error:
                message = f"{photo!r}: Pillow cannot read it ({error})."
                problems.append(("unreadable_by_pillow", photo, message))
        if mask:
            try:
                look_at(mask, "label")
            except DataError as error:
                problems.append(("unreadable", mask, error.message))
        return problems

    def measure_label(self, facts, label):
        source, file = self.source, self.name("label", facts.index)
        is_void = label == source.void
        outside = ~is_void & ((label < 0) | (label >= source.num_classes))
        if outside.any():
            value = int(label[outside][0])
            kind, seen = wrong_values(label, source)
            seen = seen or (
                f"label {value} is outside the {source.num_classes} classes 0.."
                f"{source.num_classes - 1} and is not void ({source.void})"
            )
            facts.problems.append((kind, file, f"{file!r}: {seen}."))
        known = np.where(is_void | outside, source.num_classes, label)
        facts.counts = np.bincount(known.ravel(), minlength=source.num_classes + 1)
        self.measure_border(facts, label)
        is_ghost, facts.jumps = ghosts(label, source.void)
        facts.ghosts = np.bincount(known[is_ghost], minlength=source.num_classes + 1)

    def measure_border(self, facts, label):
        if self.thorough:
            facts.mask = _digest(label)
            facts.border = int(
                (label[1:] != label[:-1]).sum() + (label[:, 1:] != label[:, :-1]).sum()
            )

    def measure_several(self, facts, label):
        """Of a label `(H, W, C)` of 0, 1 and void."""
        source, classes = self.source, self.source.num_classes
        if label.ndim != 3 or label.shape[-1] != classes:
            file = self.name("file", facts.index)
            expected = f"expected (height, width, {classes}), an axis of the classes"
            facts.problems.append(
                ("unreadable", file, f"{file!r}: its label has shape {label.shape}: {expected}.")
            )
            return
        is_void = label == source.void
        outside = ~is_void & (label > 1)
        for class_id in np.flatnonzero(outside.any(axis=(0, 1))):
            file, name = class_file(source, facts.index, class_id), source.class_names[class_id]
            value = int(label[..., class_id][outside[..., class_id]][0])
            message = f"{file!r}: {name!r} has the value {value}, which is neither 0, 1 nor void"
            facts.problems.append(("mask_value", file, f"{message} ({source.void})."))
        facts.voids = is_void.sum(axis=(0, 1))
        facts.counts = np.append((label == 1).sum(axis=(0, 1)), is_void.all(axis=-1).sum())
        self.measure_border(facts, label)

    def measure_instances(self, facts, sample):
        source, file = self.source, self.name("image", facts.index)
        classes, masks, boxes = sample["classes"], sample["masks"] != 0, sample["boxes"]
        inside = (classes >= 0) & (classes < source.num_classes)
        area = masks.sum(axis=(1, 2))
        height, width = facts.size
        wrong = (boxes[:, :2] < -0.5).any(1) | (boxes[:, 2] > width + 0.5)
        wrong |= boxes[:, 3] > height + 0.5
        for kind, which, what in (
            ("unknown_id", ~inside, f"is of no class 0..{source.num_classes - 1}"),
            ("empty_instance", area == 0, "covers no pixel"),
            ("box_outside", wrong, f"has a box beyond the photo's {width}x{height} pixels"),
        ):
            if which.any():
                message = f"{file!r}: instance {int(np.argmax(which))} {what}."
                facts.problems.append((kind, file, message))
        if not len(classes):
            facts.problems.append(("no_instances", file, f"{file!r} shows no instance."))
        crowd = sample["crowd"]
        facts.crowds = int(np.count_nonzero(crowd))
        facts.instances = np.bincount(classes[inside & ~crowd], minlength=source.num_classes)
        facts.counts = np.zeros(source.num_classes + 1, np.int64)
        np.add.at(facts.counts, classes[inside], area[inside])


def turned_by_exif(problems):
    """The problems of a sample, of which two together say what was drawn on the turned photo."""
    kinds = {kind for kind, *_ in problems}
    if not {"turned", "exif_orientation"} <= kinds:
        return problems
    file, tag = next((f, m) for kind, f, m in problems if kind == "exif_orientation")
    beyond = next(message for kind, _, message in problems if kind == "turned")
    others = [each for each in problems if each[0] not in ("turned", "exif_orientation")]
    return [*others, ("exif_rotation", file, f"{tag} {beyond}")]


def photo_problems(file, content, image, drawn=True):
    """Faults of a photo that can be read all the same.

    An unusual format, a rotation by EXIF, 16 bits of which the upper ones are not used.

    Args:
        file: Its name.
        content: Its bytes.
        image: What is read of it, uint8 `(H, W, channels)`.
        drawn: Whether its labels are pixels, whose size tells what they were drawn on; of polygons
            none does.
    """
    problems, kind = [], format_of(content[:32])
    if kind not in USUAL:
        problems.append(("unusual_format", file, f"{file!r} is a {kind or 'strange'} file."))
    turned = orientation_of(io.BytesIO(content)) if b"Exif" in content or b"eXIf" in content else 1
    square = image.shape[0] == image.shape[1]
    # on its side and not square: the mask fits the stored raster, so it was drawn on that
    if turned in (2, 3, 4) or (turned in (5, 6, 7, 8) and (square or not drawn)):
        message = f"{file!r} is turned or flipped by its EXIF tag ({turned})."
        problems.append(("exif_orientation", file, message))
    return problems


def is_deep(source, content):
    """Whether the photos of a source are stored with 16 bits.

    Args:
        source: A `Source`.
        content: The bytes of one, if they are of files.
    """
    if content:
        return format_of(content[:32]) == "PNG" and content[24] == 16
    return source.stored.dtype == "uint16"


def transparent_problems(photo, image):
    """Of a Pillow image with pixels that nobody sees, whose colours are read all the same."""
    if not image.has_transparency_data:
        return []
    unseen = np.mean(np.asarray(image.convert("RGBA").getchannel("A")) == 0)
    message = f"{photo!r}: {unseen:.1%} of its pixels are transparent."
    return [("transparent_photo", photo, message)] if unseen else []


def dark_problems(file, image, value_range):
    """A photo of 16 bits that uses few of them.

    Args:
        file: Its name.
        image: Its grey levels of 0..255.
        value_range: What the source says of it.
    """
    brightest = int(image.max())
    if brightest > DARK:
        return []
    if value_range is not None:
        message = f"{file!r} is dark for value_range={value_range}: its brightest level is "
    else:
        bits = 8 + brightest.bit_length()
        message = f"{file!r} has 16 bits, of which it uses {bits} at most: its brightest value is "
    return [("dark_photo", file, f"{message}{brightest} of 255.")]


def needs_range(source):
    """Whether images of a source are of a type that may be of any range, as floats are."""
    return source.channels is not None and source.stored.dtype.name not in ("uint8", "string")


def thumbnail_of(image):
    """A photo `(H, W, c)` as 32x32 greys, each a weighted mean of the pixels around it."""
    from PIL import Image

    if image.shape[-1] != 3:  # bands, of which none is more than another
        image = image.mean(axis=-1)
    image = image.astype(np.uint8, copy=False)
    grey = Image.fromarray(image).convert("L")
    if min(grey.size) > 16 * THUMBNAIL:  # whole factors first: much faster, and nearly the same
        grey = grey.reduce(min(grey.size) // (8 * THUMBNAIL))
    return np.asarray(grey.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR))


def _digest(content):
    if isinstance(content, np.ndarray):  # two arrays of other shapes may hold the same bytes
        content, shape = np.ascontiguousarray(content).data, str(content.shape).encode()
        return hashlib.blake2b(content, digest_size=16, key=shape).digest()
    return hashlib.blake2b(content, digest_size=16).digest()
