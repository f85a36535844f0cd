"""A trained model out of the door: a SavedModel with everything inside, or another format.

Whatever backend trained it, the artefact is made by TensorFlow, run in its own runtime on real
photos beside the model, and given its name only if it agrees.
"""

import dataclasses
import shutil
import tempfile
from pathlib import Path

import numpy as np

from kseg.data.source import default_colors
from kseg.instances import is_instance
from kseg.load import SavedModelPredictor, names_and_colors
from kseg.predict import check_resize, predict
from kseg.rescore import Rescored, rescore, samples_of
from kseg.runs import Run, load_model
from kseg.serving import instance, saved_model, semantic, versions, warmup
from kseg.serving.photos import MAX_PIXELS
from kseg.serving.process import on_tensorflow
from kseg.serving.signatures import ON_PHOTOS, Options

FORMATS = ("saved_model", "onnx", "litert", "openvino")
PRECISIONS = ("float32", "float16", "int8")
# Share of pixels, or objects, that may come out otherwise.
TOLERANCES = {"float32": 1e-4, "float16": 1e-2, "int8": 0.1}
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
    rescored: Rescored


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
        path: Folder for SavedModels; of other formats, the file.
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
        samples: How many of them. Default 8.
        tolerance: Share of pixels (or objects) that may come out otherwise. Default None: 1e-4 of
            float32, 1e-2 of float16, 0.1 of int8.
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
    pairs, about_photos, void = _samples(model, run, source, samples, shape)
    if tolerance is None:
        tolerance = max(TOLERANCES[precision], TOLERANCES[_computes_in(model)])
    report = {"tolerance": tolerance, "max_drop": max_drop, "photos": about_photos, "void": void}

    if format == "saved_model":
        if precision != "float32" or shape != (None, None):
            raise ValueError(
                f"precision={precision!r}, shape={shape!r}: a SavedModel is float32 and takes any "
                "size. Other formats have these options."
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
        )
        about = _about(model, name or model.name, class_names, colors, void)
        done = _saved_model(model, Path(path), version, about, options, pairs, report)
    else:
        done = _other(model, Path(path), format, shape, precision, pairs, report)
    if verbose:
        print_table(done)
    return done


def print_table(exported, console=None):
    """Prints what was measured: a line for the model, one for the artefact."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    rescored = exported.rescored
    table = Table(title=f"{rescored.photos}", box=box.SIMPLE_HEAD)
    for heading in ("", "MB", "ms a photo", "mean IoU"):
        table.add_column(heading, justify="left" if heading == "" else "right")
    for row in (rescored.model, rescored.artefact):
        iou = "" if np.isnan(row.mean_iou) else f"{row.mean_iou:.4f}"
        table.add_row(row.name, f"{row.megabytes:.1f}", f"{row.milliseconds:.0f}", iou)
    console = console or Console()
    console.print(table)
    what = "objects" if rescored.of_objects else "pixels"
    console.print(
        f"{rescored.differing:.4%} of the {what} come out otherwise; {exported.path}",
        highlight=False,
    )


def _saved_model(model, path, version, about, options, pairs, report):
    with versions.new(path / about["name"], version) as (folder, final):
        on_tensorflow(
            saved_model.write,
            model,
            path=folder,
            about=about,
            options=dataclasses.asdict(options),
        )
        _warm_up(folder, about, options)
        artefact = SavedModelPredictor(folder)

        def whole(image):
            if is_instance(model):
                return predict(model, image, min_score=options.min_score)
            return predict(model, image, resize=options.resize)

        rescored = _rescored(model, whole, artefact.predict, folder, pairs, report, "SavedModel")
    return Exported(final[0], "saved_model", rescored)


def _other(model, path, format, shape, precision, pairs, report):
    from kseg.formats import module_of

    module = module_of(format)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=path.parent) as folder:
        temporary = Path(folder) / path.name
        on_tensorflow(
            module.write,
            model,
            path=str(temporary),
            shape=shape,
            precision=precision,
            samples=[image for image, _ in pairs],
        )
        runtime = module.open(temporary)

        def artefact(image):
            logits = runtime(image[None])[0]
            if logits.shape[-1] == 1:
                return (logits[..., 0] > 0).astype(np.int32)
            return logits.argmax(axis=-1).astype(np.int32)

        rescored = _rescored(
            model, lambda image: predict(model, image), artefact, temporary, pairs, report, format
        )
        _replace(Path(folder), path)
    return Exported(path, format, rescored)


def _replace(folder, path):
    """Moves what was written beside its place into it: a file, or a file and its companion."""
    for each in sorted(folder.iterdir(), key=lambda each: each.name == path.name):
        target = path.parent / each.name
        if target.is_dir():
            shutil.rmtree(target)
        each.replace(target)


def _rescored(model, whole, artefact, files, pairs, report, name):
    """Both on the same photos; raises if they differ by more than is allowed."""
    import keras

    weights = sum(int(np.prod(w.shape)) * 4 for w in model.weights)
    rescored = rescore(
        whole,
        artefact,
        pairs,
        names=(f"model on {keras.backend.backend()}", name),
        sizes=(weights, _bytes(files)),
        void=report["void"],
        photos=report["photos"],
        num_classes=len(names_and_colors(model)[0]),
    )
    drop = rescored.model.mean_iou - rescored.artefact.mean_iou
    if rescored.differing > report["tolerance"] or drop > report["max_drop"]:
        raise ValueError(
            f"the {name} does not do what the model does: {rescored.differing:.3%} of its results "
            f"differ (tolerance={report['tolerance']:g}), and its mean IoU is "
            f"{rescored.artefact.mean_iou:.4f} in place of {rescored.model.mean_iou:.4f} "
            f"(max_drop={report['max_drop']:g}), on {report['photos']}. Nothing was written. Give "
            "a higher precision, photos of the model's own kind (source=), or a larger tolerance."
        )
    return rescored


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


def _bytes(path):
    path = Path(path)
    if path.is_dir():
        return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
    return sum(each.stat().st_size for each in path.parent.iterdir())


def _opened(model):
    """The model, and its run if it has one."""
    if isinstance(model, (str, Path)):
        path = Path(model).expanduser()
        if path.suffix == ".keras":
            return load_model(path), None
        model = Run.open(path)
    if isinstance(model, Run):
        return model.load_model(), model
    if not hasattr(model, "weights"):
        raise TypeError(
            f"model={model!r}: expected a Keras model, a kseg.Run, or the path of a run folder or "
            "a .keras file."
        )
    return model, None


def _samples(model, run, source, count, shape):
    """Pairs of photo and label, what they are in words, and the label id that is not scored."""
    from kseg.data import shapes
    from kseg.data.named import Named

    if source is None and run is not None and run.data:
        data = {k: tuple(v) if isinstance(v, list) else v for k, v in run.data.items()}
        source = Named(**data).open("val")
    labelled = source is not None
    source = source or shapes("val")
    pairs = samples_of(source, count, shape)
    channels = 3 if is_instance(model) else model.inputs[0].shape[-1]
    if channels != 3:
        pairs = [(_channels(image, channels), label) for image, label in pairs]
    if not labelled or is_instance(model):
        pairs = [(image, None) for image, _ in pairs]
    return pairs, f"{len(pairs)} photos of {source.name}", source.void


def _channels(image, channels):
    """A colour photo with another number of channels: grey, repeated."""
    grey = np.round(image @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)  # luma of BT.601
    return np.repeat(grey[:, :, None], channels, axis=2)


def _computes_in(model):
    """float16 if any layer computes in 16 bits, whose near ties fall either way."""
    layers = model._flatten_layers(include_self=False)
    half = any("16" in str(getattr(layer, "compute_dtype", "")) for layer in layers)
    return "float16" if half else "float32"


def _about(model, name, class_names, colors, void):
    import keras

    from kseg import __version__

    return {
        "name": name,
        "task": "instance" if is_instance(model) else "semantic",
        "channels": 3 if is_instance(model) else model.inputs[0].shape[-1],
        "class_names": class_names,
        "colors": colors,
        "void": void,
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
