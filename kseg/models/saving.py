"""Models in `.keras` files, which open on every backend and appear whole or not at all."""

import json
import re
import zipfile
from pathlib import Path

from kseg.base.arguments import refused
from kseg.base.atomic import replacing

COLOR = re.compile(r"\x1b\[[0-9;]*m")  # of a terminal, in Keras' messages

UNSAFE = (
    "It holds a Lambda layer, that is code which would run when the file is opened. If you "
    "trust it, call keras.config.enable_unsafe_deserialization() in your program before this. To "
    "be asked no more, build the model with functions of keras.ops in place of the layer."
)


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
    """Loads a `.keras` file; `kseg.models.registry` knows what of kseg's it may hold.

    Args:
        path: The file.
        compile: Whether to load optimizer, loss and metrics too; False to predict only, which a
            loss of one's own cannot hinder then.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no readable Keras model.
    """
    import keras

    path = Path(path)
    if not path.is_file():
        raise refused("path", str(path), "an existing .keras file", error=FileNotFoundError)
    try:
        return keras.saving.load_model(path, compile=compile)
    except Exception as error:  # of what a file may hold, Keras raises whatever it runs into
        unsafe = "enable_unsafe_deserialization" in str(error)
        remedy = UNSAFE if unsafe else f"It cannot be loaded: {own_words(error)}"
        raise refused("path", str(path), "a Keras model", remedy) from error


def own_words(error):
    """What Keras ran into in the end, without all that is around it, in a line."""
    text = str(error).split("Exception encountered: ")[-1].split("Full object config:")[0]
    return " ".join(COLOR.sub("", text).split())


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
