"""An exported artefact against the model it came from: the same photos, what differs, how fast.

An export is not believed: it is run in its own runtime before it gets its name.
"""

import dataclasses
import time
from pathlib import Path

import numpy as np

from kseg.data.channels import grey, with_channels
from kseg.deployment.saved_model.signatures import served_type
from kseg.models.contract import contract, part
from kseg.ops.resize import bilinear

TASKS = "kseg.deployment"  # the room whose modules know what is compared


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table: the Keras model, or the artefact.

    Args:
        name: What was run.
        megabytes: Size of its files.
        milliseconds: Median time of a photo, after a first call.
        mean_iou: On the labelled photos; NaN if there are none.
    """

    name: str
    megabytes: float
    milliseconds: float
    mean_iou: float


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What came of running model and artefact side by side.

    Args:
        model, artefact: The two `Row`s.
        differing: Share of pixels with another class, or of objects without a counterpart.
        photos: What was looked at, in words.
        unit: What was compared one by one: `"pixels"`, `"labels"` or `"objects"`.
        offered: Of whatever else the artefact offers, such as another signature, its name -> the
            share that differs, of the same unit.
    """

    model: Row
    artefact: Row
    differing: float
    photos: str
    unit: str
    offered: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Exported:
    """What `export` wrote, and how it compares with the model.

    Args:
        path: The artefact: a file, or the folder of a version.
        format: Name of its format.
        comparison: `Comparison`.
    """

    path: Path
    format: str
    comparison: Comparison


@dataclasses.dataclass(frozen=True)
class Job:
    """What is exported and how it is compared: the same for every format.

    Args:
        model: The Keras model.
        class_names, colors: Of its classes.
        source: Photos to compare on, a `Source`; None for generated scenes, which have no labels
            of the model's.
        count: How many of them.
        tolerance: Share of pixels or objects that may differ; None for what the precision allows.
        max_drop: By how much the mean IoU may fall.
        missing: Why there is no source, where there should be one: what was looked at says it.
    """

    model: object
    class_names: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]
    source: object
    count: int
    tolerance: float | None
    max_drop: float
    missing: str = ""

    @property
    def bands(self):
        """Those that pictures of the source show."""
        return getattr(self.source, "bands", None)

    def photos(self, count):
        """Photos of the source, evenly spread, each of its own size: list of uint8 `(H, W, C)`."""
        return [photo for photo, _ in photos_of(self.model, self.source, count)[0]]

    def compare(self, of_model, of_artefact, artefact, folder, options):
        """Runs model and artefact on the same photos.

        Args:
            of_model, of_artefact: Functions of a photo to what the model's task predicts: class ids
                `(H, W)`, bool `(H, W, C)`, or `Instances`.
            artefact: What to call the artefact.
            folder: Where its files are, and nothing else.
            options: The format's, for the shape of the photos and the precision.

        Returns:
            `Comparison`.

        Raises:
            ValueError: they differ by more than is allowed, or the model has a weight that is NaN:
                two of those would agree.
        """
        import keras

        from kseg.prediction.network import check_weights

        check_weights(self.model)
        task = part(TASKS, self.model)
        pairs, looked_at, void = photos_of(self.model, self.source, self.count, options.shape)
        photos, labels = zip(*pairs)
        expected, before = _timed(of_model, photos)
        actual, after = _timed(of_artefact, photos)

        def row(name, size, milliseconds, results):
            iou = task.mean_iou(self.model, results, labels, void)
            return Row(name, size / 1e6, milliseconds, iou)

        comparison = Comparison(
            row(f"model on {keras.backend.backend()}", _size_of(self.model), before, expected),
            row(artefact, _size_in(folder), after, actual),
            task.differing(expected, actual),
            f"{looked_at}, {self.missing}" if self.missing else looked_at,
            task.UNIT,
        )
        self._accept(comparison, self.allowed(options))
        return comparison

    def allowed(self, options):
        """The share that may differ: what was given, or what the precision allows."""
        if self.tolerance is not None:
            return self.tolerance
        return part(TASKS, self.model).tolerance(self.model, options.precision)

    def with_offered(self, comparison, shares, options):
        """The comparison with what else the artefact offers.

        Args:
            comparison: `Comparison`.
            shares: dict of what it is called -> the share that differs from the model.
            options: The format's, for the precision.

        Raises:
            ValueError: one of them differs by more than is allowed.
        """
        tolerance = self.allowed(options)
        for name, share in shares.items():
            if not share <= tolerance:
                raise ValueError(
                    f"{name} of the {comparison.artefact.name} does not do what the model does: "
                    f"{share:.3%} differs (tolerance={tolerance:g}). Nothing was written. Leave it "
                    "out, or give a larger tolerance."
                )
        return dataclasses.replace(comparison, offered=shares)

    def _accept(self, comparison, tolerance):
        """Raises `ValueError` if model and artefact differ by more than is allowed."""
        before, after = comparison.model.mean_iou, comparison.artefact.mean_iou
        if comparison.differing > tolerance or before - after > self.max_drop:
            raise ValueError(
                f"the {comparison.artefact.name} does not do what the model does: "
                f"{comparison.differing:.3%} of its {comparison.unit} differ "
                f"(tolerance={tolerance:g}), and its mean IoU is {after:.4f} in place of "
                f"{before:.4f} (max_drop={self.max_drop:g}), on {comparison.photos}. Nothing was "
                "written. Give a higher precision, photos of the model's own kind (source=), or a "
                "larger tolerance."
            )


def photos_of(model, source, count, shape=(None, None)):
    """Photos and labels, evenly spread over a source.

    Args:
        model: The Keras model, of which they get the number of channels.
        source: A `Source`; None for generated scenes, which have no labels then.
        count: How many.
        shape: `(height, width)` to which they are resized; None is a photo's own.

    Returns:
        List of pairs of `(H, W, C)`, uint8 or numbers of the model's own range, and class ids
        `(H, W)`, or None where there are none; what they are, in words; and the label id that is
        not scored.

    Raises:
        ValueError: the source is labelled with other classes than the model's.
        DataError: a photo or a mask cannot be read; the file is named.
    """
    from kseg.data import shapes
    from kseg.data.source import spread

    own = contract(model)
    labelled = part(TASKS, model).is_labelled(model, source)
    source = source or shapes("val")
    pairs = []
    for index in spread(len(source), count):
        sample = source[index]
        image, label = sample["image"], sample["label"] if labelled else None
        size = tuple(given or own for given, own in zip(shape, image.shape))
        image = resized_numbers(image, size)
        if image.shape[-1] == 3 != own.channels:  # other channels than colours: something to see
            image = np.repeat(grey(image), own.channels, axis=-1)
        if own.value_range is not None and getattr(source, "value_range", None) is None:
            image = _of_range(image, own.value_range)
        image = with_channels(image, own.channels)
        pairs.append((image, label if label is None else _nearest(label, size)))
    return pairs, f"{len(pairs)} photos of {source.name}", source.void


def resized_numbers(image, size):
    """A photo at another size, of the type that it was."""
    if tuple(size) == image.shape[:2]:
        return image
    resized = bilinear(image, *size)
    return (np.round(resized) if image.dtype.kind == "u" else resized).astype(image.dtype)


def _of_range(image, value_range):
    """A generated photo of 0..255 with numbers of a range."""
    low, high = value_range
    numbers = image.astype(np.float64) / 255 * (high - low) + low
    kind = served_type(value_range)
    return (np.round(numbers) if kind == "uint16" else numbers).astype(kind)


def print_table(comparison, path, console=None):
    """Prints what was measured: a line for the model, one for the artefact."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(comparison.photos), box=box.SIMPLE_HEAD)
    for heading in ("", "MB", "ms a photo", "mean IoU"):
        table.add_column(heading, justify="left" if heading == "" else "right")
    for row in (comparison.model, comparison.artefact):
        iou = "" if np.isnan(row.mean_iou) else f"{row.mean_iou:.4f}"
        table.add_row(row.name, f"{row.megabytes:.1f}", f"{row.milliseconds:.0f}", iou)
    console = console or Console()
    console.print(table)
    console.print(
        f"{comparison.differing:.4%} of the {comparison.unit} come out otherwise; {path}",
        highlight=False,
    )
    if comparison.offered:
        shares = ", ".join(f"{name} {share:.4%}" for name, share in comparison.offered.items())
        console.print(f"Likewise of {shares}", highlight=False)


def _timed(function, photos):
    """Results of all photos, and the median of milliseconds."""
    results, times = [], []
    for photo in photos:
        function(photo)  # a shape's first call may compile
        start = time.perf_counter()
        results.append(function(photo))
        times.append(time.perf_counter() - start)
    return results, 1000 * float(np.median(times))


def _nearest(label, size):
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int) for new, old in zip(size, label.shape)
    )
    return label[rows][:, columns]


def _size_of(model):
    """Bytes of a model's weights, in float32."""
    return sum(4 * int(np.prod(weight.shape)) for weight in model.weights)


def _size_in(folder):
    """Bytes of the files in a folder."""
    return sum(each.stat().st_size for each in Path(folder).rglob("*") if each.is_file())
