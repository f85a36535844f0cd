"""SavedModel: the options of the format, and how a version of one comes to be."""

import dataclasses
import re
from typing import ClassVar

import numpy as np

from kseg.base import arguments
from kseg.base.arguments import choice, integer, refused, share
from kseg.deployment import metadata
from kseg.deployment.compare import Exported
from kseg.deployment.options import Names, Sides, Size, Threshold, documented, option
from kseg.deployment.process import on_tensorflow
from kseg.deployment.saved_model import versions, warmup
from kseg.deployment.saved_model import write as saved_model
from kseg.deployment.saved_model.compare import compare_signatures, jpeg, npy
from kseg.deployment.saved_model.encoded import RGB, Encoded
from kseg.deployment.saved_model.photos import MAX_PIXELS
from kseg.deployment.saved_model.predictor import TASKS, SavedModelPredictor
from kseg.deployment.saved_model.signatures import ON_PHOTOS, GraphOptions
from kseg.models import contract
from kseg.ops.resize import check_resize
from kseg.prediction.batching import BUCKET
from kseg.prediction.predict import predict

NAME = re.compile(r"\w([\w. -]*[\w-])?")  # of a folder, on every system: no separator, no dot first
WARM_SIDE = 64  # pixels of the photo in warm-up requests


@documented
@dataclasses.dataclass(frozen=True)
class SavedModelOptions:
    """SavedModel: everything in one graph, from photos to answers, for TensorFlow Serving.

    Its signatures, each with the batch first in every input and output:

    - `serving_default`: images `(B, H, W, C)`, uint8, or uint16 or float32 of a model that was
      built with a `value_range` of whole numbers, or of others -> `class_ids` and `scores`, or of
      objects `boxes`, `classes`, `scores` and `masks`;
    - `image_bytes`: JPEG or PNG files, NumPy's `.npy` of any bands, of mixed sizes -> of each photo
      `mask_bytes`, a PNG of ids at its own size, `pixel_counts`, `mean_confidence`; or of objects
      boxes, classes, scores and `rle`, COCO's runs. A file that cannot be decoded gets a `status`,
      and fails no other;
    - `overlay`: the same in, `overlay_bytes`, a picture, out;
    - on request, of models that label pixels: `logits`, and `tiled`, which is `image_bytes` in
      constant memory of the network.

    Of a multilabel model `serving_default` gives `labels` and `probabilities`, and `image_bytes` a
    PNG for each class.

    EXIF orientation is ignored, as everywhere in kseg.

    Example:

    >>> options = kseg.SavedModelOptions(name="street", resize=(64, 96))
    >>> model = kseg.build_unet(4, width=4, depth=2)
    >>> kseg.export(model, "models", options, samples=1, verbose=False).path
    PosixPath('models/street/1')
    """

    format: ClassVar[str] = "saved_model"
    precisions: ClassVar[tuple[str, ...]] = ("float32",)
    precision: ClassVar[str] = "float32"
    shape: ClassVar[Size] = (None, None)  # it takes any

    name: str | None = option(None, "Name it is served under; by default the model's.")
    version: int | None = option(None, "An integer >= 1; by default the next.")
    signatures: Names | None = option(
        None,
        "Names of those to export; by default serving_default, image_bytes and overlay.",
    )
    resize: Sides | None = option(
        None,
        "(shortest, longest) side for the network, of a model that labels; by default the photo's.",
    )
    max_pixels: int = option(
        MAX_PIXELS, "Photos of more are refused, by their header, before they are decoded."
    )
    overlay: str = option("jpeg", "Format of overlays: `jpeg` or `png`.")
    tile: int = option(512, "Side of a tile of `tiled`, in pixels.")
    overlap: int = option(128, "What a tile of `tiled` shares with the next, in pixels.")
    min_score: float | None = option(
        None, "Of objects: those of a lower score are left out; by default 0.5."
    )
    threshold: Threshold | None = option(
        None,
        "Probability from which on a pixel belongs to an object, or above which it has a class: a "
        "number, or one for each class; by default 0.5.",
    )

    def __post_init__(self):
        if self.name is not None:
            check_name(self.name)
        if self.version is not None:
            integer("version", self.version)
        if self.signatures is not None:
            if isinstance(self.signatures, str):
                raise refused("signatures", self.signatures, "a tuple of names")
            object.__setattr__(self, "signatures", tuple(self.signatures))
        object.__setattr__(self, "resize", check_resize(self.resize))
        integer("max_pixels", self.max_pixels)
        choice("overlay", self.overlay, ("jpeg", "png"))
        integer("tile", self.tile)
        if not 0 <= integer("overlap", self.overlap, low=0) < self.tile:
            raise refused("overlap", self.overlap, f"an integer from 0 to below tile={self.tile}")
        if self.min_score is not None:
            share("min_score", self.min_score)
        if self.threshold is not None:
            threshold = arguments.threshold("threshold", self.threshold)
            object.__setattr__(self, "threshold", threshold)


def export(job, path, options):
    """Writes a version of a SavedModel, compares it with the model, and gives it its number.

    Args:
        job: `kseg.deployment.compare.Job`.
        path: Folder for SavedModels; it becomes `path/NAME/VERSION`.
        options: `SavedModelOptions`.

    Returns:
        `Exported`.

    Raises:
        ValueError: an option or a signature is not of the model's task; as of `Job.compare`.
        FileExistsError: this version is there already.
    """
    job = dataclasses.replace(job, model=contract.part(TASKS, job.model).served(job.model))
    model, name = job.model, options.name or job.model.name
    check_name(name)
    own = contract.options(TASKS, model, {each: getattr(options, each) for each in task_options()})
    graph = GraphOptions(
        signatures=signature_names(model, options.signatures),
        colors=job.colors,
        max_pixels=options.max_pixels,
        overlay=options.overlay,
        tile=options.tile,
        overlap=options.overlap,
        bucket=BUCKET,
        bands=bands_shown(job.bands, model),
    )
    with versions.new(path / name, options.version) as (folder, final):
        about = metadata.about(job, name)
        asked = {"options": dataclasses.asdict(graph), "own": own}
        on_tensorflow(saved_model.write, model, path=folder, about=about, **asked)
        requests = _warm_up_requests(graph.signatures, contract.contract(model))
        warmup.write(folder / "assets.extra", name, requests)
        written = SavedModelPredictor(folder)
        comparison = job.compare(
            lambda image: predict(model, image, **own),
            written.predict,
            "SavedModel",
            folder,
            options,
        )
        shares = compare_signatures(job, written.signatures, graph, own)
        comparison = job.with_offered(comparison, shares, options)
    return Exported(final[0], options.format, comparison)


def bands_shown(bands, model):
    """The bands that pictures of the data show, where the model's photos have them."""
    return bands if bands and max(bands) < contract.contract(model).channels else None


def check_name(name):
    """Raises `ValueError` unless it names one folder, inside the folder for SavedModels."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise refused(
            "name",
            name,
            "a name for the model's folder, or None for the model's own",
            "It begins with a letter, a digit or _, and holds besides them only . - and spaces.",
        )


def task_options():
    """Those of the options that belong to one task or another."""
    owned = {name for task in contract.tasks(TASKS) for name in contract.part(TASKS, task).OPTIONS}
    return [each.name for each in dataclasses.fields(SavedModelOptions) if each.name in owned]


def signature_names(model, asked):
    """Names of the signatures to export: those asked for, or by default those that it can have.

    Raises:
        ValueError: it cannot have one, or `serving_default` is missing.
    """
    task = contract.part(TASKS, model)
    possible = (*task.DEFAULT, *task.OPTIONAL)
    asked = task.DEFAULT if asked is None else asked
    for name in asked:
        if name not in possible:
            raise ValueError(f"signatures={asked!r}: this model can have {', '.join(possible)}.")
    if "serving_default" not in asked:
        raise ValueError(
            f"signatures={asked!r}: expected 'serving_default' among them, by which the export is "
            "compared with the model."
        )
    return tuple(dict.fromkeys(asked))


def _warm_up_requests(signatures, own):
    """A small photo for every signature, for TensorFlow Serving to replay."""
    encoded = Encoded(own.channels, own.value_range)
    low = encoded.value_range[0] if encoded.value_range else 0
    images = np.full((1, WARM_SIDE, WARM_SIDE, own.channels), low, encoded.kind)
    plain = encoded == RGB
    files = np.array([jpeg(images[0]) if plain else npy(images[0])], object)
    return [
        (name, {"image_bytes": files} if name in ON_PHOTOS else {"images": images})
        for name in signatures
    ]
