"""What ONNX, LiteRT and OpenVINO share: the options of a bare network, and its way out."""

import dataclasses
import tempfile
from pathlib import Path
from typing import ClassVar

import numpy as np

from kseg.base import arguments, atomic
from kseg.base.arguments import refused, size
from kseg.deployment import metadata
from kseg.deployment.compare import TASKS, Exported, resized_numbers
from kseg.deployment.formats import formats_in
from kseg.deployment.options import Size, Threshold, option
from kseg.deployment.process import on_tensorflow
from kseg.models.contract import contract, part
from kseg.models.contract import options as options_of
from kseg.prediction.predict import predict

CALIBRATION = 100  # photos of which the ranges for int8 are taken


@dataclasses.dataclass(frozen=True)
class NetworkOptions:
    """Options of a format that holds the bare network, from images to logits.

    A subclass says its name, `format`; the `precisions` that it has; and the `suffix` of its file,
    None if it is a folder.
    """

    format: ClassVar[str]
    precisions: ClassVar[tuple[str, ...]]
    suffix: ClassVar[str | None]

    shape: Size = option(
        (None, None), "(height, width) in pixels of the images that it takes, None for any."
    )
    precision: str = option(
        "float32", "What numbers are kept in: `float32`, `float16` or `int8`, if it has that."
    )
    threshold: Threshold | None = option(
        None,
        "Of a multilabel model, kept in the file for whoever loads it: probability above which a "
        "pixel has a class, a number, or one for each class; by default 0.5.",
    )

    def __post_init__(self):
        remedy = "As in (256, None)."
        object.__setattr__(self, "shape", size("shape", self.shape, optional=True, remedy=remedy))
        if self.threshold is not None:
            threshold = arguments.threshold("threshold", self.threshold)
            object.__setattr__(self, "threshold", threshold)
        if self.precision not in self.precisions:
            others = " or ".join(f"format={name!r}" for name in formats_in(self.precision))
            raise refused(
                "precision",
                self.precision,
                f"one of {', '.join(map(repr, self.precisions))} with format={self.format!r}",
                f"Or use {others}." if others else "",
            )


def export_network(job, path, options, write, runtime, shape_of=None):
    """Writes a network beside its place, compares it with the model, and moves it there.

    Args:
        job: `Job`.
        path: The file, or the folder, that it becomes.
        options: The format's.
        write, runtime: The format's functions, see `kseg.deployment.formats`.
        shape_of: Function of the model and the shape asked for, to that of the artefact; it refuses
            what the format has not. Default None: that of `shared`.

    Returns:
        `Exported`.

    Raises:
        ValueError: as of `write`, or of `Job.compare`.
    """
    from kseg.deployment.formats.shared import check_held, fixed_shape
    from kseg.models.precision import in_float32

    check_held(job.model, options)  # before TensorFlow is started
    task = part(TASKS, job.model)
    told = _told(job.model, options)
    # photos to compare on are of the size it takes
    own = (shape_of or fixed_shape)(job.model, options.shape)
    samples = job.photos(CALIBRATION) if options.precision == "int8" else None
    with (
        atomic.into(path),
        atomic.folder(path.parent),
        tempfile.TemporaryDirectory(prefix=".writing-", dir=path.parent) as folder,
    ):
        written = Path(folder) / path.name
        asked = {"shape": options.shape, "precision": options.precision}
        about = metadata.about(job, path.stem, options={**asked, **told})
        on_tensorflow(write, job.model, path=str(written), samples=samples, about=about, **asked)
        network, exact = runtime(written), in_float32(job.model)
        comparison = job.compare(
            lambda image: predict(exact, image, **told),
            lambda image: task.decide(_finite(network(image[None])[0]), **told),
            f"{options.format} {options.precision}",
            folder,
            dataclasses.replace(options, shape=own),
        )
        if options.precision != "int8":  # which is compared over many photos alone
            shares = _other_photos(job, network, exact, told)
            comparison = job.with_offered(comparison, shares, options)
        written.replace(path)
    return Exported(path, options.format, comparison)


def _told(model, options):
    """What the artefact is told of the options of the model's task: dict by name.

    Raises:
        ValueError: one is not of this task, or not of as many classes.
    """
    told = options_of(TASKS, model, {"threshold": options.threshold})
    if "threshold" in told:
        classes = contract(model).num_classes
        told["threshold"] = arguments.threshold("threshold", told["threshold"], classes)
    return told


def _other_photos(job, network, exact, told):
    """What else a network takes: a batch, and where its sides are open photos of an odd size."""
    task = part(TASKS, job.model)
    (photo,) = job.photos(1)
    sides = zip(network.shape, photo.shape[:2], (3, 2))
    height, width = (fixed or max(1, own - less) for fixed, own, less in sides)
    resized = resized_numbers(photo, (height, width))
    pieces = np.stack([resized, resized[::-1]])
    actual = task.decide(_finite(network(pieces)), **told)
    expected = [predict(exact, each, **told) for each in pieces]
    share = task.differing(expected, list(actual))
    return {f"a batch of two, {height}x{width}": share}


def _finite(logits):
    """Logits of an artefact; `ValueError` unless all are finite: NaN is no class."""
    if not np.isfinite(logits).all():
        raise ValueError(
            "logits=NaN: expected finite ones of the artefact, as the model's are. Nothing was "
            "written. Give a higher precision."
        )
    return logits
