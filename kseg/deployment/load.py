"""`kseg.load`: a run, a `.keras` file or an exported SavedModel, behind one way to predict."""

from __future__ import annotations

from pathlib import Path

from kseg.base import arguments
from kseg.base.arguments import refused
from kseg.base.types import PathLike
from kseg.deployment.saved_model.predictor import SavedModelPredictor, saved_model_folder
from kseg.models.saving import load_model
from kseg.prediction.predictor import KerasPredictor, Predictor
from kseg.runs.run import Run


def load(path: PathLike) -> Predictor:
    """Opens a run folder, a `.keras` file or an exported SavedModel.

    Args:
        path: The folder that `kseg fit` wrote; a `.keras` file; or a SavedModel that `kseg.export`
            wrote: `NAME/VERSION`, or `NAME` for its highest version.

    Returns:
        `Predictor`.

    Raises:
        TypeError: `path` is no path.
        FileNotFoundError: there is no such thing.
        ValueError: it is damaged, or a SavedModel of something else.

    Example:

    >>> model = kseg.build_unet(4, width=4, depth=2)
    >>> path = kseg.export(model, "served", samples=1, verbose=False).path
    >>> loaded = kseg.load("served/unet")
    >>> loaded.predict(np.zeros((40, 60, 3), "uint8")).shape, loaded.class_names
    ((40, 60), ('0', '1', '2', '3'))
    """
    path = arguments.path("path", path, "a run folder, a .keras file or an exported SavedModel")
    folder = saved_model_folder(path)
    return load_keras(path) if folder is None else SavedModelPredictor(folder)


def load_keras(path: PathLike) -> KerasPredictor:
    """The model of a run folder, or of a `.keras` file: a `KerasPredictor`.

    Raises:
        FileNotFoundError: there is no such thing.
        ValueError: it is damaged, or a SavedModel.
    """
    path = Path(path).expanduser()
    if (path / "run.json").is_file():
        run = Run.open(path)
        return KerasPredictor(path, run.load_model(), run)
    if path.suffix == ".keras":
        return KerasPredictor(path, load_model(path, compile=False))
    if saved_model_folder(path) is not None:
        expected = "a run folder or a .keras file, and this is an exported SavedModel"
        remedy = "Give the run that it was exported from: the export was compared with it."
        raise refused("run", str(path), expected, remedy)
    raise FileNotFoundError(
        f"{str(path)!r} is neither a run folder nor a .keras file nor an exported model: "
        "expected a folder with run.json, saved_model.pb, or numbered versions."
    )
