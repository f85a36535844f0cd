"""`kseg.load`: a run, a `.keras` file or an export, behind one way to predict."""

from __future__ import annotations

from collections.abc import Sequence

from kseg.base import arguments
from kseg.base.arguments import refused
from kseg.base.types import PathLike
from kseg.deployment.formats.predictor import NetworkPredictor, network_format
from kseg.deployment.saved_model.predictor import SavedModelPredictor, saved_model_folder
from kseg.models.saving import load_model
from kseg.prediction.predictor import EnsemblePredictor, KerasPredictor, Predictor
from kseg.runs.folds import FILE as FOLDS
from kseg.runs.folds import Folds
from kseg.runs.run import Run


def load(path: PathLike | Sequence[PathLike]) -> Predictor:
    """Opens a run folder, a `.keras` file or an export; or several runs as one ensemble.

    Args:
        path: The folder that `kseg fit` wrote; a `.keras` file; a SavedModel that `kseg.export`
            wrote, `NAME/VERSION`, or `NAME` for its highest version; or its `.onnx` or `.tflite`
            file, or the folder that it wrote for OpenVINO. A list of runs and `.keras` files, or
            the folder of `kseg fit --folds`, for their `kseg.ensemble`.

    Returns:
        `Predictor`.

    Raises:
        TypeError: `path` is no path.
        FileNotFoundError: there is no such thing.
        ValueError: it is damaged, or a SavedModel of something else; or several do not go
            together, or one of them is an export.
        ImportError: the runtime of the format is not installed.

    Example:

    >>> model = kseg.build_unet(4, width=4, depth=2)
    >>> path = kseg.export(model, "served", samples=1, verbose=False).path
    >>> loaded = kseg.load("served/unet")
    >>> loaded.predict(np.zeros((40, 60, 3), "uint8")).shape, loaded.class_names
    ((40, 60), ('0', '1', '2', '3'))
    """
    if isinstance(path, (list, tuple)):
        return together(path)
    path = arguments.path("path", path, "a run folder, a .keras file or an export")
    if (path / FOLDS).is_file():
        folds = Folds.open(path)
        return KerasPredictor(path, folds.load_model(), folds)
    if (path / "run.json").is_file():
        run = Run.open(path)
        return KerasPredictor(path, run.load_model(), run)
    if path.suffix == ".keras":
        return KerasPredictor(path, load_model(path, compile=False))
    if folder := saved_model_folder(path):
        return SavedModelPredictor(folder)
    if format := network_format(path):
        return NetworkPredictor(path, format)
    raise FileNotFoundError(
        f"{str(path)!r} is neither a run folder nor a .keras file nor an export: expected a folder "
        "with run.json, saved_model.pb, numbered versions or OpenVINO's model.xml, or a file "
        "ending in .keras, .onnx or .tflite."
    )


def together(paths):
    """Several runs, folders of them or `.keras` files as one `Predictor`.

    Raises:
        ValueError: there is none, one is an export, or they do not go together.
    """
    from kseg.models.ensemble import ensemble

    if not paths:
        raise refused("path", paths, "at least one run folder or .keras file")
    members = [load(path) for path in paths]
    first = members[0]
    for path, each in zip(paths, members):
        if not isinstance(each, KerasPredictor):
            expected = "a run folder or a .keras file beside others, and it is an export"
            raise refused("path", str(path), expected, "Give the run that it was made from.")
        if each.class_names != first.class_names:
            expected = f"a model of the classes {first.class_names}, as the first"
            raise refused(f"classes of {str(path)!r}", each.class_names, expected, "Leave it out.")
    if len(members) == 1:
        return first
    return EnsemblePredictor(members, ensemble([each.model for each in members]))
