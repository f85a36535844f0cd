"""What ONNX, LiteRT and OpenVINO share: the options of a bare network, and its way out."""

import dataclasses
import tempfile
from pathlib import Path
from typing import ClassVar

from kseg.base.arguments import refused, size
from kseg.deployment.compare import Exported
from kseg.deployment.formats import formats_in
from kseg.deployment.options import Size, option
from kseg.deployment.process import on_tensorflow
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

    def __post_init__(self):
        remedy = "As in (256, None)."
        object.__setattr__(self, "shape", size("shape", self.shape, optional=True, remedy=remedy))
        if self.precision not in self.precisions:
            others = " or ".join(f"format={name!r}" for name in formats_in(self.precision))
            raise refused(
                "precision",
                self.precision,
                f"one of {', '.join(map(repr, self.precisions))} with format={self.format!r}",
                f"Or use {others}." if others else "",
            )


def export_network(job, path, options, write, runtime):
    """Writes a network beside its place, compares it with the model, and moves it there.

    Args:
        job: `Job`.
        path: The file, or the folder, that it becomes.
        options: The format's.
        write, runtime: The format's functions, see `kseg.deployment.formats`.

    Returns:
        `Exported`.

    Raises:
        ValueError: as of `write`, or of `Job.compare`.
    """
    from keras.ops import convert_to_numpy

    from kseg.models.graph import in_float32
    from kseg.ops.decisions import winners

    samples = job.photos(CALIBRATION) if options.precision == "int8" else None
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=path.parent) as folder:
        written = Path(folder) / path.name
        asked = dataclasses.asdict(options)
        on_tensorflow(write, job.model, path=str(written), samples=samples, **asked)
        network, exact = runtime(written), in_float32(job.model)
        comparison = job.compare(
            lambda image: predict(exact, image),
            lambda image: convert_to_numpy(winners(network(image[None])[0])),
            f"{options.format} {options.precision}",
            folder,
            options,
        )
        written.replace(path)
    return Exported(path, options.format, comparison)
