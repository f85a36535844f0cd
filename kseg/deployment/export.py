"""A trained model out of the door: a SavedModel with everything inside, or another format.

Whatever backend trained it, the artefact is made by TensorFlow, run in its own runtime on real
photos beside the model, and given its name only if it agrees.
"""

from pathlib import Path

from kseg.base.colors import default_colors
from kseg.deployment import compare
from kseg.deployment.formats.write import _other
from kseg.deployment.saved_model.export import _about, _saved_model, _signatures
from kseg.deployment.saved_model.photos import MAX_PIXELS
from kseg.deployment.saved_model.signatures import Options
from kseg.models.contract import is_instance, names_and_colors
from kseg.models.saving import load_model
from kseg.ops.resize import check_resize
from kseg.prediction.batching import bucket
from kseg.runs.run import Run

FORMATS = ("saved_model", "onnx", "litert", "openvino")


PRECISIONS = ("float32", "float16", "int8")


# Share of pixels that may come out otherwise; of objects, those whose score or overlap is near a
# threshold fall either way.
TOLERANCES = {"float32": 1e-4, "float16": 1e-2, "int8": 0.1, "objects": 0.05}


ORDER = PRECISIONS.index


CALIBRATION = 100  # photos of which the ranges for int8 are taken


def export(
    model,
    path,
    format="saved_model",
    *,
    name=None,
    version=None,
    signatures=None,
    resize=None,
    max_pixels=MAX_PIXELS,
    overlay="jpeg",
    tile=512,
    overlap=128,
    min_score=0.5,
    threshold=0.5,
    shape=(None, None),
    precision="float32",
    source=None,
    samples=8,
    tolerance=None,
    max_drop=0.01,
    class_names=None,
    colors=None,
    verbose=True,
):
    """Exports a model, and does not finish unless the artefact does what the model does.

    A SavedModel goes to `path/NAME/VERSION`, where TensorFlow Serving looks for it, and needs
    neither kseg nor Keras. Its signatures, each with the batch first in every input and output:

    - `serving_default`: uint8 images `(B, H, W, C)` -> `class_ids` and `scores`, or of objects
      `boxes`, `classes`, `scores` and `masks`;
    - `image_bytes`: JPEG or PNG files, mixed sizes -> of each photo `mask_bytes`, a PNG of ids at
      its own size, `pixel_counts`, `mean_confidence`; or of objects boxes, classes, scores and
      `rle`, COCO's runs. A file that cannot be decoded gets a `status`, and fails no other;
    - `overlay`: the same in, `overlay_bytes`, a picture, out;
    - on request, of semantic models: `logits`, and `tiled`, which is `image_bytes` in constant
      memory of the network.

    EXIF orientation is ignored, as everywhere in kseg.

    Args:
        model: A kseg model of any backend; a `kseg.Run`; or the path of a run folder or a `.keras`
            file.
        path: Folder for SavedModels. A file ending in `.onnx`, in `.tflite`; of OpenVINO a new
            folder. A file that is there is replaced.
        format: `"saved_model"` (the default), `"onnx"`, `"litert"` or `"openvino"`.
        name: Of a SavedModel: the name it is served under. Default: the model's.
        version: Of a SavedModel: an integer >= 1. Default None: the next.
        signatures: Of a SavedModel: names of those to export. Default None: `serving_default`,
            `image_bytes` and `overlay`; the last two need a model of three channels.
        resize: Of a SavedModel that labels: `(shortest, longest)` side, as of `kseg.predict`.
            Default None: photos are predicted at their own size.
        max_pixels: Of a SavedModel: photos of more are refused, by their header, before they are
            decoded. Default 50,000,000.
        overlay: Format of overlays: `"jpeg"` (the default) or `"png"`.
        tile, overlap: Of `tiled`: a tile's side and what it shares with the next, in pixels.
            Default 512 and 128.
        min_score, threshold: Of instance models, as of `kseg.predict`. Default 0.5, 0.5.
        shape: Of other formats: `(height, width)` that they take; None (the default) for any, where
            a format can.
        precision: Of other formats: `"float32"` (the default), `"float16"` or `"int8"`.
        source: Labelled photos to compare on, and to calibrate int8 with. Default None: the
            validation data of a run, else generated scenes, which say nothing of the mean IoU.
        samples: How many of them to compare on. Default 8. (int8 is calibrated on 100.)
        tolerance: Share of pixels, or of objects, that may come out otherwise. Default None: of
            pixels 1e-4 in float32, 1e-2 in 16 bits, 0.1 in int8; of objects 0.05.
        max_drop: By how much the mean IoU may fall. Default 0.01.
        class_names, colors: Of the classes. Default None: the run's, else numbers and the VOC
            palette.
        verbose: Whether to print the table of size, time and mean IoU. Default True.

    Returns:
        `Exported`: the path, and what was measured.

    Raises:
        ValueError: an argument is out of its range; the format cannot hold this model, and the
            message says which can; or the artefact differs from the model by more than is allowed,
            and nothing was written.
        FileExistsError: this version is there already.
        ImportError: a package of the format is missing.
        RuntimeError: TensorFlow failed in a process of its own, where the backend is another.

    Example:

    >>> kseg.export("runs/street", "models").path
    PosixPath('models/unet/1')
    >>> kseg.export(model, "street.tflite", "litert", shape=(256, 320), precision="int8")
    """
    from kseg.models.graph import computes_in

    _check(format, precision, overlay, tile, overlap, min_score, threshold, samples, max_pixels)
    model, run = _opened(model)
    names, _ = names_and_colors(model)
    class_names = tuple(class_names or (run.class_names if run else names))
    colors = tuple(map(tuple, colors or (run.colors if run else default_colors(len(class_names)))))
    if len(class_names) < len(names) or len(colors) != len(class_names):
        raise ValueError(
            f"{len(class_names)} class_names and {len(colors)} colors: the model has "
            f"{len(names)} classes; expected one of each for every class."
        )
    source = _source(run, source)
    if tolerance is None:
        kind = "objects" if is_instance(model) else max(precision, computes_in(model), key=ORDER)
        tolerance = TOLERANCES[kind]

    def compared(of_model, of_artefact, artefact, folder):
        return compare.compare(
            of_model,
            of_artefact,
            model=model,
            artefact=artefact,
            folder=folder,
            source=source,
            count=samples,
            shape=shape,
            tolerance=tolerance,
            max_drop=max_drop,
        )

    if format == "saved_model":
        if precision != "float32" or shape != (None, None):
            raise ValueError(
                f"precision={precision!r}, shape={shape!r}: a SavedModel is float32 and takes any "
                "size. Other formats have these options."
            )
        if is_instance(model) and resize is not None:
            raise ValueError(
                f"resize={resize!r} is of semantic models; this one was built with "
                f"resize={model.resize!r}."
            )
        options = Options(
            signatures=_signatures(model, signatures),
            resize=check_resize(resize),
            colors=colors,
            max_pixels=max_pixels,
            overlay=overlay,
            tile=tile,
            overlap=overlap,
            min_score=min_score,
            threshold=threshold,
            bucket=bucket(),
        )
        about = _about(model, name or model.name, class_names, colors)
        done = _saved_model(model, Path(path), version, about, options, compared)
    else:
        calibration = None
        if precision == "int8":
            photos = compare.photos_of(model, source, CALIBRATION)[0]
            calibration = [photo for photo, _ in photos]
        done = _other(model, Path(path), format, shape, precision, calibration, compared)
    if verbose:
        compare.print_table(done.rescored, done.path)
    return done


def _opened(model):
    """The model, and its run if it has one."""
    if isinstance(model, (str, Path)):
        path = Path(model).expanduser()
        if path.suffix == ".keras":
            return load_model(path, compile=False), None
        model = Run.open(path)
    if isinstance(model, Run):
        return model.load_model(), model
    if not hasattr(model, "weights"):
        raise TypeError(
            f"model={model!r}: expected a Keras model, a kseg.Run, or the path of a run folder or "
            "a .keras file."
        )
    return model, None


def _source(run, source):
    """Labelled photos: those given, or the validation data of the run; None if there are none."""
    from kseg.data.spec import DataSpec

    if source is None and run is not None and run.data:
        return DataSpec.from_json(run.data).open("val")
    return source


def _check(format, precision, overlay, tile, overlap, min_score, threshold, samples, max_pixels):
    for name, value, known in (
        ("format", format, FORMATS),
        ("precision", precision, PRECISIONS),
        ("overlay", overlay, ("jpeg", "png")),
    ):
        if value not in known:
            raise ValueError(f"{name}={value!r}: expected one of {', '.join(map(repr, known))}.")
    for name, value in (("samples", samples), ("max_pixels", max_pixels), ("tile", tile)):
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}={value!r}: expected an integer >= 1.")
    if not isinstance(overlap, int) or not 0 <= overlap < tile:
        raise ValueError(f"overlap={overlap!r}: expected an integer from 0 to below tile={tile}.")
    for name, value in (("min_score", min_score), ("threshold", threshold)):
        if not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise ValueError(f"{name}={value!r}: expected a number from 0 to 1.")
