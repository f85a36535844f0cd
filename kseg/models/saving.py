"""Models in `.keras` files, which open on every backend and appear whole or not at all."""

import json
import zipfile
from pathlib import Path

from kseg.base.arguments import refused
from kseg.base.atomic import replacing


def save_model(model, path):
    """Saves a model with its optimizer so that training can go on from it on *any* backend.

    Keras names the optimizer's class by backend, and a file saved on PyTorch then cannot be
    trained on TensorFlow or JAX; it also writes down what `jit_compile="auto"` meant, and a file
    saved on JAX then makes PyTorch compile for minutes. Here the file names the public class and
    "auto", which each backend resolves for itself. The file appears whole or not at all.

    Args:
        model: A `keras.Model`.
        path: The file, ending in `.keras`.
    """
    with replacing(Path(path)) as temporary:
        model.save(temporary)
        _forget_backend(temporary)


def load_model(path, compile=True):
    """Loads a `.keras` file, with kseg's losses and metrics known.

    Args:
        path: The file.
        compile: Whether to load optimizer, loss and metrics too; False to predict only, which a
            loss of one's own cannot hinder then.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no readable Keras model.
    """
    import keras

    import kseg.losses
    import kseg.metrics
    import kseg.models.convolutions
    import kseg.models.layers
    import kseg.models.mask_rcnn.model  # noqa: F401  (they register what a file may hold)

    path = Path(path)
    if not path.is_file():
        raise refused("path", str(path), "an existing .keras file", error=FileNotFoundError)
    try:
        return keras.saving.load_model(path, compile=compile)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        remedy = f"It cannot be loaded: {error}"
        raise refused("path", str(path), "a Keras model", remedy) from error


def _forget_backend(path):
    """Rewrites what is particular to a backend in the compile configuration of a .keras file."""
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
        members = [(info, archive.read(info)) for info in archive.infolist()]
    compiled = config.get("compile_config") or {}
    if "jit_compile" in compiled:
        compiled["jit_compile"] = "auto"
    optimizer = compiled.get("optimizer")
    if isinstance(optimizer, dict) and str(optimizer["module"]).startswith("keras.src.backend"):
        optimizer.update(module="keras.optimizers", registered_name=None)
    with zipfile.ZipFile(path, "w") as archive:
        for info, content in members:
            replaced = json.dumps(config) if info.filename == "config.json" else content
            archive.writestr(info, replaced)
