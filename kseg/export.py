"""A trained model out of the door: a SavedModel with everything inside, or another format.

Whatever backend trained it, the artefact is made by TensorFlow, run in its own runtime on real
photos beside the model, and given its name only if it agrees.
"""

import dataclasses
import tempfile
from pathlib import Path

import numpy as np

from kseg import rescore
from kseg.data.source import default_colors
from kseg.instances import bucket, is_instance
from kseg.load import SavedModelPredictor, names_and_colors
from kseg.predict import check_resize, predict, winners
from kseg.runs import Run, load_model
from kseg.serving import instance, saved_model, semantic, versions, warmup
from kseg.serving.photos import MAX_PIXELS
from kseg.serving.process import on_tensorflow
from kseg.serving.signatures import ON_PHOTOS, Options

FORMATS = ("saved_model", "onnx", "litert", "openvino")
PRECISIONS = ("float32", "float16", "int8")
SUFFIXES = {"onnx": ".onnx", "litert": ".tflite"}  # OpenVINO's is a folder
# Share of pixels that may come out otherwise; of objects, those whose score or overlap is near a
# threshold fall either way.
TOLERANCES = {"float32": 1e-4, "float16": 1e-2, "int8": 0.1, "objects": 0.05}
ORDER = PRECISIONS.index
CALIBRATION = 100  # photos of which the ranges for int8 are taken
WARM_SIDE = 64  # pixels of the photo in warm-up requests


@dataclasses.dataclass(frozen=True)
class Exported:
    """What `export` wrote, and how it compares with the model.

    Args:
        path: The artefact: a file, or the folder of a version.
        format: One of `FORMATS`.
        rescored: `kseg.rescore.Rescored`.
    """

    path: Path
    format: str
    rescored: rescore.Rescored


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
        kind = "objects" if is_instance(model) else max(precision, _computes_in(model), key=ORDER)
        tolerance = TOLERANCES[kind]

    def compared(of_model, of_artefact, artefact, folder):
        return rescore.compare(
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
            photos = rescore.photos_of(model, source, CALIBRATION)[0]
            calibration = [photo for photo, _ in photos]
        done = _other(model, Path(path), format, shape, precision, calibration, compared)
    if verbose:
        rescore.print_table(done.rescored, done.path)
    return done


def _saved_model(model, path, version, about, options, compared):
    with versions.new(path / about["name"], version) as (folder, final):
        on_tensorflow(
            saved_model.write,
            model,
            path=folder,
            about=about,
            options=dataclasses.asdict(options),
        )
        _warm_up(folder, about, options)
        of_model = {"min_score": options.min_score, "threshold": options.threshold}
        if not is_instance(model):
            of_model = {"resize": options.resize}
        rescored = compared(
            lambda image: predict(model, image, **of_model),
            SavedModelPredictor(folder).predict,
            "SavedModel",
            folder,
        )
    return Exported(final[0], "saved_model", rescored)


def _other(model, path, format, shape, precision, calibration, compared):
    """ONNX, LiteRT or OpenVINO: written beside its place, compared, and moved there."""
    from kseg.formats import format_module
    from kseg.formats.served import in_float32

    module, exact = format_module(format), in_float32(model)
    if format in SUFFIXES:
        expected = f"a file ending in {SUFFIXES[format]}"
        right = path.suffix == SUFFIXES[format] and not path.is_dir()
    else:
        expected = "a folder that is new or empty"
        right = not path.exists() or path.is_dir() and not any(path.iterdir())
    if not right:
        raise ValueError(f"path={str(path)!r}: expected {expected} for format={format!r}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=path.parent) as folder:
        written = Path(folder) / path.name
        on_tensorflow(
            module.write,
            model,
            path=str(written),
            shape=shape,
            precision=precision,
            samples=calibration,
        )
        runtime = module.Runtime(written)
        rescored = compared(
            lambda image: predict(exact, image),
            lambda image: winners(runtime(image[None])[0]),
            f"{format} {precision}",
            folder,
        )
        written.replace(path)
    return Exported(path, format, rescored)


def _warm_up(folder, about, options):
    """A small photo for every signature, for TensorFlow Serving to replay."""
    from io import BytesIO

    from PIL import Image

    images = np.zeros((1, WARM_SIDE, WARM_SIDE, about["channels"]), np.uint8)
    photo = BytesIO()
    Image.fromarray(np.zeros((WARM_SIDE, WARM_SIDE, 3), np.uint8)).save(photo, "JPEG")
    inputs = {
        True: {"image_bytes": np.array([photo.getvalue()], object)},
        False: {"images": images},
    }
    requests = [(name, inputs[name in ON_PHOTOS]) for name in options.signatures]
    warmup.write(folder / "assets.extra", about["name"], requests)


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
    from kseg.data.named import Named

    if source is None and run is not None and run.data:
        data = {k: tuple(v) if isinstance(v, list) else v for k, v in run.data.items()}
        return Named(**data).open("val")
    return source


def _computes_in(model):
    """float16 if any layer computes in 16 bits, whose near ties fall either way."""
    layers = model._flatten_layers(include_self=False)
    half = any("16" in str(getattr(layer, "compute_dtype", "")) for layer in layers)
    return "float16" if half else "float32"


def _about(model, name, class_names, colors):
    import keras

    from kseg import __version__

    return {
        "name": name,
        "task": "instance" if is_instance(model) else "semantic",
        "channels": 3 if is_instance(model) else model.inputs[0].shape[-1],
        "class_names": class_names,
        "colors": colors,
        "kseg": __version__,
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
    }


def _signatures(model, asked):
    """Names of the signatures to export."""
    part = instance if is_instance(model) else semantic
    possible = (*part.DEFAULT, *part.OPTIONAL)
    if not is_instance(model) and model.inputs[0].shape[-1] != 3:
        possible = tuple(name for name in possible if name not in ON_PHOTOS)
    asked = tuple(name for name in part.DEFAULT if name in possible) if asked is None else asked
    for name in asked:
        if name not in possible:
            raise ValueError(
                f"signatures={tuple(asked)!r}: this model can have {', '.join(possible)}; "
                "those that take encoded photos need three channels."
            )
    if "serving_default" not in asked:
        raise ValueError(
            f"signatures={tuple(asked)!r}: expected 'serving_default' among them, by which the "
            "export is compared with the model."
        )
    return tuple(dict.fromkeys(asked))


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
