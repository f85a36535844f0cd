"""`kseg.load`: a run, a `.keras` file or an export, behind one way to predict."""

from __future__ import annotations

from kseg.base import arguments
from kseg.base.types import PathLike
from kseg.deployment.formats.predictor import NetworkPredictor, network_format
from kseg.deployment.saved_model.predictor import SavedModelPredictor, saved_model_folder
from kseg.models.saving import load_model
from kseg.prediction.predictor import KerasPredictor, Predictor
from kseg.runs.run import Run


def load(path: PathLike) -> Predictor:
    """Opens a run folder, a `.keras` file or an export.

    Args:
        path: The folder that `kseg fit` wrote; a `.keras` file; a SavedModel that `kseg.export`
            wrote, `NAME/VERSION`, or `NAME` for its highest version; or its `.onnx` or `.tflite`
            file, or the folder that it wrote for OpenVINO.

    Returns:
        `Predictor`.

    Raises:
        TypeError: `path` is no path.
        FileNotFoundError: there is no such thing.
        ValueError: it is damaged, or a SavedModel of something else.
        ImportError: the runtime of the format is not installed.

    Example:

    >>> model = kseg.build_unet(4, width=4, depth=2)
    >>> path = kseg.export(model, "served", samples=1, verbose=False).path
    >>> loaded = kseg.load("served/unet")
    >>> loaded.predict(np.zeros((40, 60, 3), "uint8")).shape, loaded.class_names
    ((40, 60), ('0', '1', '2', '3'))
    """
    path = arguments.path("path", path, "a run folder, a .keras file or an export")
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
