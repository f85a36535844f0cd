"""A trained model out of the door: a SavedModel with everything inside, or another format.

Whatever backend trained it, the artefact is made by TensorFlow, run in its own runtime on real
photos beside the model, and given its name only if it agrees.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kseg.base import arguments
from kseg.base.arguments import integer, name_list, refused, share
from kseg.base.colors import class_colors
from kseg.base.outputs import check_folder, check_outputs
from kseg.base.types import Color, Model, PathLike
from kseg.data.source import Source
from kseg.deployment.compare import Exported, Job, print_table
from kseg.deployment.formats import format_module, format_options
from kseg.models.contract import check_source, names_and_colors
from kseg.models.saving import load_model
from kseg.runs.folds import FILE as FOLDS
from kseg.runs.folds import Folds
from kseg.runs.run import Run

if TYPE_CHECKING:
    from kseg.deployment.formats.network import NetworkOptions
    from kseg.deployment.saved_model.export import SavedModelOptions


def export(
    model: Model | Run | PathLike | Sequence[PathLike],
    path: PathLike,
    format: str | SavedModelOptions | NetworkOptions | None = None,
    *,
    source: Source | None = None,
    samples: int = 8,
    tolerance: float | None = None,
    max_drop: float = 0.01,
    class_names: Sequence[str] | None = None,
    colors: Sequence[Color] | None = None,
    verbose: bool = True,
    overwrite: bool = False,
) -> Exported:
    """Exports a model, and does not finish unless the artefact does what the model does.

    A SavedModel goes to `path/NAME/VERSION`, where TensorFlow Serving looks for it, and needs
    neither kseg nor Keras; its signatures take images, or JPEG and PNG files. The other formats
    hold the network, from images to logits.

    Args:
        model: A kseg model of any backend; a `kseg.Run`; or the path of a run folder or a `.keras`
            file. A list of those paths, or the folder of `kseg fit --folds`, for one artefact with
            all of them in it, which answers as their `kseg.ensemble` does.
        path: Folder for SavedModels. A file ending in `.onnx`, in `.tflite`; of OpenVINO a new
            folder.
        format: A format's options: `kseg.SavedModelOptions`, `kseg.OnnxOptions`,
            `kseg.LiteRTOptions` or `kseg.OpenVINOOptions`; or the name of a format,
            `"saved_model"`, `"onnx"`, `"litert"` or `"openvino"`, for those by default. Default
            None: what the path's ending says; a folder is a SavedModel's.
        source: Labelled photos to compare on, and to calibrate int8 with. Default None: the
            validation data of a run, else, and where those are not at hand, generated scenes, which
            say nothing of the mean IoU; `comparison.photos` says which.
        samples: How many of them to compare on. Default 8. (int8 is calibrated on 100.)
        tolerance: Share of pixels, or of objects, that may come out otherwise. Default None: of
            pixels 1e-4 in float32, 1e-2 in 16 bits, 0.1 in int8; of objects 0.05.
        max_drop: By how much the mean IoU may fall, 0..1. Default 0.01.
        class_names, colors: Of the classes. Default None: the run's, else numbers and
            `kseg`'s own colours.
        verbose: Whether to print the table of size, time and mean IoU. Default True.
        overwrite: Whether a file that is there may be replaced. Default False. (Of a SavedModel,
            whose versions servers may be using, and of OpenVINO's folder nothing ever is.)

    Returns:
        `Exported`: the path, and the comparison.

    Raises:
        TypeError: the model, the path, the source, the names or the colours are something else.
        ValueError: an argument is out of its range, or an option not of the model's task; the
            format cannot hold this model, and the message says which can; or the artefact differs
            from the model by more than is allowed, and nothing was written.
        FileExistsError: the file, or this version, is there already.
        ImportError: a package of the format is missing.
        RuntimeError: TensorFlow failed in a process of its own, where the backend is another.

    Example:

    >>> model = kseg.build_unet(4, width=4, depth=2)
    >>> kseg.export(model, "models", samples=1, verbose=False).path
    PosixPath('models/unet/1')
    >>> exported = kseg.export(model, "street.onnx", samples=1, verbose=False)
    >>> exported.comparison.differing <= 1e-4
    True
    >>> options = kseg.LiteRTOptions(shape=(64, 96), precision="int8")
    >>> kseg.export(model, "street.tflite", options, tolerance=1, verbose=False).path
    PosixPath('street.tflite')
    """
    path = arguments.path("path", path, "a folder for SavedModels, or the file to write")
    _check_types(source, colors)
    options = format_options(format, path)
    check_path(path, options, overwrite)
    integer("samples", samples)
    share("max_drop", max_drop)
    if tolerance is not None:
        share("tolerance", tolerance)
    model, run = opened(model)
    missing = ""
    if source is None:
        source, missing = validation_data(run)
    if source is not None:
        check_source(model, source)  # before anything is traced
    if missing and options.precision == "int8":
        raise ValueError(
            "precision='int8' takes the ranges of its numbers from photos of the run's own kind: "
            f"generated scenes will not do, {missing} Give such photos (source=; on the command "
            "line --data)."
        )
    job = Job(
        model,
        *names_and_colors_of(model, run, class_names, colors),
        source=source,
        count=samples,
        tolerance=tolerance,
        max_drop=max_drop,
        missing=missing,
    )
    exported = format_module(options.format).export(job, path, options)
    if verbose:
        print_table(exported.comparison, exported.path)
    return exported


def _check_types(source, colors):
    """Raises `TypeError` for an argument that is something else altogether."""
    if source is not None and not isinstance(source, Source):
        remedy = 'As kseg.data.folder("photos", "masks", class_names) gives, or kseg.data.shapes().'
        raise refused("source", source, "a Source of kseg.data, or None", remedy, error=TypeError)
    if colors is not None:
        try:
            wrong = any(len(tuple(color)) != 3 for color in colors)
        except TypeError:
            wrong = True
        if wrong or isinstance(colors, str):
            raise refused("colors", colors, "a list of (red, green, blue), 0..255", error=TypeError)


def check_path(path, options, overwrite):
    """Raises unless the artefact can be written there without harm to what is there."""
    if options.format == "saved_model":
        check_folder("path", path / "name" / "version")
    elif options.suffix is None:
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            expected = f"a folder that is new or empty for format={options.format!r}"
            raise refused("path", str(path), expected)
        check_folder("path", path / "file")
    elif path.suffix.lower() != options.suffix:
        expected = f"a file ending in {options.suffix} for format={options.format!r}"
        raise refused("path", str(path), expected)
    else:
        check_outputs([("path", path)], overwrite=overwrite)


def opened(model):
    """The model, and its run if it has one."""
    if isinstance(model, (list, tuple)):
        from kseg.deployment.load import together

        several = together(model)
        return several.model, several.run
    if isinstance(model, (str, Path)):
        path = Path(model).expanduser()
        if path.suffix == ".keras":
            return load_model(path, compile=False), None
        model = Folds.open(path) if (path / FOLDS).is_file() else Run.open(path)
    if isinstance(model, (Run, Folds)):
        return model.load_model(), model
    if hasattr(model, "members"):
        return model, None
    if not (hasattr(model, "weights") and hasattr(model, "predict_on_batch")):
        expected = "a Keras model, a kseg.Run, or the path of a run folder or a .keras file"
        raise refused("model", model, expected, error=TypeError)
    return model, None


def names_and_colors_of(model, run, class_names, colors):
    """Of the classes: those given, else the run's, else numbers and colours of our own.

    Raises:
        ValueError: they are fewer than the model's classes, or not one colour a name.
    """
    numbers, _ = names_and_colors(model)
    given = class_names or (run.class_names if run else numbers)
    class_names = name_list("class_names", given)
    colors = tuple(map(tuple, colors or (run.colors if run else class_colors(class_names))))
    if len(class_names) < len(numbers) or len(colors) != len(class_names):
        raise ValueError(
            f"{len(class_names)} class_names and {len(colors)} colors: the model has "
            f"{len(numbers)} classes; expected one of each for every class."
        )
    return class_names, colors


def validation_data(run):
    """What a run was validated on.

    Returns:
        The `Source`, None if there is none; and why it cannot be opened, `""` if it can.
    """
    from kseg.data.spec import DataSpec

    if run is None or not run.data:
        return None, ""
    try:
        return DataSpec.from_json(run.data).open("val"), ""
    except (ValueError, OSError, ImportError) as error:
        return None, f"for the run's own data cannot be opened: {error}"
