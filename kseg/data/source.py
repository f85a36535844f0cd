"""Source: what every reader returns and everything after it takes."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from kseg.base.arguments import integer, name_list, refused
from kseg.base.shown import card, counted, line
from kseg.base.types import Range
from kseg.data.values import check_value_range, words

VOID = 255
WIDE_VOID = 65535  # where there are so many classes that 255 is one
LABELLED = ("semantic", "multilabel")  # tasks whose samples hold a label of each pixel
SHOWN = 4  # samples in a notebook
WIDEST = 200  # pixels of their pictures


@dataclasses.dataclass(frozen=True)
class Source:
    """A labelled set of images: which samples there are, how to read one, what the ids mean.

    A sample is a dict of `"image"`, uint8 `(H, W, 3)`, or of more bands and numbers of another
    range where the source says so, and what its `task` has beside it; of

    - semantic: `"label"`, integer class ids `(H, W)`, `void` where there is none;
    - multilabel: `"label"`, uint8 `(H, W, C)`, of each class 1 where it is, `void` where it is not
      scored, else 0: a pixel may have several classes, or none;
    - either of these: maybe `"weight"` too, float `(H, W)`, how much each pixel counts in the loss,
      from 0 on, whatever the unit; a pixel of weight 0 is not scored;
    - instance: `"masks"`, uint8 0 or 1 `(N, H, W)`; `"classes"`, int32 `(N,)`; `"boxes"`, float32
      `(N, 4)`, the masks' x1, y1, x2, y2 in pixels with x2 and y2 exclusive; and `"crowd"`, bool
      `(N,)`, true for a region of many objects that counts neither for nor against a prediction.

    Args:
        name: Short name for tables and messages, for example `"camvid/val"`.
        columns: Column name -> array with one row a sample: file paths, or the images themselves.
            Only these rows are shuffled, so a set of a million files costs a list of names.
        decode: Function of TensorFlow operations from one row of `columns` to a sample, that runs
            inside `tf.data`. Its `"image"` may be the file's bytes, a string scalar, so that a
            random crop decodes its own window alone; `"boxes"` and `"crowd"` may be left out. An
            image that is no bytes has its number of bands in its static shape.
        class_names: Name of each class; class ids are positions in this list.
        colors: RGB of each class, 0..255, for pictures.
        ids: A name for each sample, unique within the source; predictions are filed under it.
        void: Label id of pixels that are never trained on and never scored.
        task: What a sample holds beside the image, an identifier: `"semantic"`, `"multilabel"`,
            `"instance"`, or a task of one's own, of which batches hold whatever `decode` gives.
        category_ids: The data set's own number for each class, where that is not its position:
            COCO's 1..90 with gaps, Cityscapes' 7, 8, 11, ... Result files want it.
        image_ids: The data set's own number for each sample, where it has one, as COCO; likewise.
        problems: What the reader itself knows to be wrong with a sample: a function from its
            position to a list of `(kind, message)`, for `kseg.check`; a kind of
            `kseg.checks.findings` or another identifier.
        notes: Likewise of the set as a whole: `(kind, message)` each.
        annotated: What the annotation file itself says of a sample's objects, which average
            precision takes for the truth: a function from its position to float64 `(N, 5)`, x, y,
            width, height and area of each, NaN where it says none. Default None: the masks do.
        value_range: `(low, high)`, what black and white are among the numbers of the images, which
            then stay uint16 or float32, through every transform; build the model with the same.
            Default None: 0..255, as uint8; see `kseg.data.values`.
        bits: For whole numbers the same in one: 12 means `value_range=(0, 4095)`.
        bands: The three bands, counted from 0, that pictures show as red, green and blue; or one,
            shown as grey. Default None: the first three.

    Raises:
        ValueError: the fields do not go together, or two classes have one name.

    Example:

    >>> source = kseg.data.shapes("val")
    >>> len(source), source.num_classes, source[0]["image"].shape
    (100, 6, (96, 96, 3))
    """

    name: str
    columns: Mapping[str, np.ndarray]
    decode: Callable
    class_names: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]
    ids: tuple[str, ...]
    void: int = VOID
    task: str = "semantic"
    category_ids: tuple[int, ...] | None = None
    image_ids: tuple[int | str, ...] | None = None
    problems: Callable[[int], list] | None = None
    notes: tuple[tuple[str, str], ...] = ()
    annotated: Callable[[int], np.ndarray] | None = None
    value_range: Range | None = None
    bits: int | None = None
    bands: tuple[int, ...] | None = None

    def __post_init__(self):
        object.__setattr__(self, "value_range", check_value_range(self.value_range, self.bits))
        object.__setattr__(self, "bands", check_bands(self.bands))
        for field in ("class_names", "ids"):
            object.__setattr__(self, field, name_list(field, getattr(self, field)))
        lengths = {name: len(rows) for name, rows in self.columns.items()} | {"ids": len(self.ids)}
        if self.image_ids is not None:
            lengths["image_ids"] = len(self.image_ids)
        here = f"in Source {self.name!r}"
        if len(set(lengths.values())) != 1:
            raise refused("columns", lengths, f"columns and ids of one length {here}")
        if not len(self.ids):
            raise refused("ids", self.ids, f"at least one sample {here}")
        for field in ("colors", "category_ids"):
            values = getattr(self, field)
            if values is not None and len(values) != len(self.class_names):
                expected = f"{len(self.class_names)}, one for each of class_names, {here}"
                raise refused(f"len({field})", len(values), expected)
        for name, times in Counter(self.class_names).items():
            if times > 1:
                expected = f"a name of its own for each class {here}, and {name!r} comes twice"
                raise refused("class_names", self.class_names, expected, "Rename one of them.")
        if not (isinstance(self.task, str) and self.task.isidentifier()):
            raise refused("task", self.task, f"an identifier {here}")
        if self.task == "multilabel" and self.void not in range(2, 256):
            raise refused("void", self.void, f"a value from 2 to 255, no label, {here}")
        if self.task == "semantic" and self.void in range(len(self.class_names)):
            expected = f"an id beyond those of the {len(self.class_names)} classes {here}"
            raise refused("void", self.void, expected)

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @functools.cached_property
    def _decoded(self) -> Any:
        """What `decode` gives: the `tf.TensorSpec` of an image, and the names of all."""
        from kseg.base.tensorflow import converted, tensorflow

        tf = tensorflow()
        rows = {
            name: tf.TensorSpec(rows.shape[1:], tf.as_dtype(rows.dtype))
            if rows.dtype.kind not in "OUS"
            else tf.TensorSpec((), tf.string)
            for name, rows in self.columns.items()
        }
        names = []

        def decode(row):
            sample = converted(self.decode)(row)
            names.extend(sample)
            return tf.convert_to_tensor(sample["image"])

        function = tf.function(decode, autograph=False)
        image = function.get_concrete_function(rows).outputs[0]
        return tf.TensorSpec(image.shape, image.dtype), tuple(names)

    @property
    def stored(self) -> Any:
        """`tf.TensorSpec` of an image as `decode` gives it: a string where it is a file's bytes."""
        return self._decoded[0]

    @property
    def weighted(self) -> bool:
        """Whether samples have a weight of each pixel; False where `decode` fails."""
        try:
            return self.task in LABELLED and "weight" in self._decoded[1]
        except Exception:  # as of `channels`
            return False

    @property
    def channels(self) -> int | None:
        """Bands of an image; None where `decode` does not say, or fails."""
        try:
            stored = self.stored
        except Exception:  # whatever a reader's decode raises: the check of all samples names it
            return None
        if stored.dtype == "string":
            return 3
        return stored.shape[-1] if stored.shape.rank == 3 else None

    @property
    def dtype(self) -> str:
        """Of the images: `"uint8"`, or with a `value_range` `"uint8"`, `"uint16"`, `"float32"`."""
        if self.value_range is None:
            return "uint8"
        if self.stored.dtype == "string":
            return "uint16"
        name = self.stored.dtype.name
        return name if name in ("uint8", "uint16") else "float32"

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        """Reads one sample: a dict of NumPy arrays.

        Raises:
            DataError: it cannot be read; the file is named.
        """
        from kseg.data.bad_files import sample_at

        return sample_at(self, index)

    def __repr__(self) -> str:
        return line(self, f"{self.name!r}, {self._size()}")

    def _size(self):
        classes = counted(self.num_classes, "class")
        line = f"{counted(len(self), f'{self.task} sample')} of {classes}"
        return line if self.value_range is None else f"{line}, numbers {words(self.value_range)}"

    def _repr_html_(self) -> str:
        return card(
            self.name,
            lines=[self._size()],
            headings=["id", "class"],
            rows=[(str(class_id), name) for class_id, name in enumerate(self.class_names)],
            colors=self.colors,
            pictures=[self._picture(index) for index in spread(len(self), SHOWN)],
        )

    def _picture(self, index):
        """Address and caption of a sample with its labels on it, or of none that can be read."""
        from kseg.pictures import instance, semantic
        from kseg.pictures.image import data_uri, picture_of

        try:
            sample = self[index]
        except Exception:  # whatever it is, the others are shown, and kseg.check says what
            return "", f"{self.ids[index]} cannot be read: see kseg.check"
        drawing = {"label": semantic.truth, "masks": instance.truth}
        known = [draw for key, draw in drawing.items() if key in sample]
        picture = known[0](self, sample) if known else picture_of(self, sample)
        return data_uri(picture, WIDEST), self.ids[index]

    def files(self) -> list[str]:
        """Paths of the photos, masks and whatever else the samples are read from; maybe none."""
        rows = (row for rows in self.columns.values() if rows.dtype == object for row in rows)
        return [path for row in rows if isinstance(row, str) for path in row.split("\n") if path]

    def subset(self, indices: Sequence[int], name: str | None = None) -> Source:
        """The samples at these positions as a Source of its own."""
        indices = np.asarray(indices, dtype=np.int64)
        return dataclasses.replace(
            self,
            name=name or self.name,
            columns={key: rows[indices] for key, rows in self.columns.items()},
            ids=tuple(self.ids[i] for i in indices),
            image_ids=self.image_ids and tuple(self.image_ids[i] for i in indices),
            problems=self.problems and (lambda i: self.problems(int(indices[i]))),
            annotated=self.annotated and (lambda i: self.annotated(int(indices[i]))),
        )


def check_bands(bands, channels=None):
    """The bands that pictures show: one or three positions, or None.

    Args:
        bands: As given.
        channels: How many bands photos have; None where that is not known yet.

    Raises:
        ValueError: they are something else, or a photo has not as many.
    """
    if bands is None:
        return None
    try:
        chosen = tuple(integer("bands", band, low=0) for band in bands)
    except (TypeError, ValueError):
        chosen = ()
    if len(chosen) not in (1, 3):
        raise refused("bands", bands, "three positions from 0 on, of red, green and blue, or one")
    if channels is not None and max(chosen) >= channels:
        raise refused("bands", bands, f"positions below {channels}, the bands of the photos")
    return chosen


def void_beyond(num_classes: int) -> int:
    """The id of pixels without a label beside so many classes.

    >>> void_beyond(255), void_beyond(256)
    (255, 65535)
    """
    return VOID if num_classes <= VOID else WIDE_VOID


def check_is_source(name, value, expected="a Source, as kseg.data.folder gives one"):
    """Raises `TypeError` unless an argument is a `Source`.

    Args:
        name, value: The argument.
        expected: What it may be.
    """
    if isinstance(value, Source):
        return
    remedy = ""
    if isinstance(value, (str, os.PathLike)):
        remedy = "On the command line it is a name; here open it, as kseg.data.camvid(path)."
    elif hasattr(value, "element_spec"):
        remedy = "With a tf.data.Dataset of (images, labels) call model.fit(dataset)."
    raise refused(name, value, expected, remedy, error=TypeError)


def spread(length, count):
    """`count` positions evenly spread over `length`, the first and the last among them.

    >>> spread(101, 3), spread(2, 3)
    ([0, 50, 100], [0, 1])
    """
    return np.linspace(0, length - 1, min(count, length)).round().astype(int).tolist()
