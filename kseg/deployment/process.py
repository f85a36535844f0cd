"""Runs a function on a model where Keras' backend is TensorFlow: here, or in a process of its own.

SavedModels and the other formats come from TensorFlow's graphs. A model that was built on JAX or
PyTorch goes there as a `.keras` file, an ensemble that finds objects as one for each member.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path


def on_tensorflow(function, model, **arguments):
    """Calls `function(model, **arguments)` where Keras runs on TensorFlow.

    Args:
        function: A function of a module, that returns nothing.
        model: A Keras model of any backend.
        arguments: What JSON can hold, or a path; of `samples`, a list of arrays.

    Raises:
        RuntimeError: the other process failed; its last lines are in the message.
        ValueError: as of `function`.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        function(model, **arguments)
        return
    import numpy as np

    from kseg.models.ensemble import members_of
    from kseg.models.saving import save_model

    with tempfile.TemporaryDirectory(prefix="kseg-") as folder:
        folder = Path(folder)
        names = [f"{number}.keras" for number, _ in enumerate(members_of(model))]
        for name, member in zip(names, members_of(model)):
            save_model(member, folder / name)
        samples = arguments.pop("samples", None)
        if samples is not None:
            np.savez(folder / "samples.npz", *samples)
        request = {
            "module": function.__module__,
            "function": function.__qualname__,
            "arguments": arguments,
            "models": names,
        }
        (folder / "request.json").write_text(json.dumps(request, default=os.fspath))
        # The GPU is the calling process's. A graph is the same, wherever it was traced.
        environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": ""}
        done = subprocess.run(
            [sys.executable, "-m", __name__, str(folder)],
            env=environment,
            capture_output=True,
            text=True,
        )
        refusal = folder / "refusal.txt"
        if refusal.is_file():
            raise ValueError(refusal.read_text())
        if done.returncode:
            last = "\n".join(done.stderr.strip().splitlines()[-15:])
            raise RuntimeError(
                f"The export's TensorFlow process ended with code {done.returncode}. "
                f"Its last words:\n{last}"
            )


def _main(folder):
    import keras
    import numpy as np

    from kseg.models.ensemble import ensemble

    # the file comes from a model in the memory of whoever calls: its Lambda layers are their own
    keras.config.enable_unsafe_deserialization()

    request = json.loads((folder / "request.json").read_text())
    function = getattr(importlib.import_module(request["module"]), request["function"])
    arguments = request["arguments"]
    samples = folder / "samples.npz"
    if samples.is_file():
        with np.load(samples) as stored:
            arguments["samples"] = [stored[name] for name in stored.files]
    try:
        models = [_loaded(folder / name) for name in request["models"]]
        function(ensemble(models) if len(models) > 1 else models[0], **arguments)
    except ValueError as error:
        (folder / "refusal.txt").write_text(str(error))
        raise


def _loaded(file):
    """The model of the calling process.

    Raises:
        ValueError: it has something of the user's own that this process does not know.
    """
    from kseg.models.saving import load_model, own_words

    try:
        return load_model(file, compile=False)
    except Exception as error:  # of code out of a file, whatever it runs into
        raise ValueError(
            "The model cannot be rebuilt in the process in which TensorFlow writes an export, for "
            f"Keras' backend is another here: {own_words(error.__cause__ or error)} What is of "
            "your own is not known there. Either save the model (model.save('mine.keras')) and "
            "export the file (kseg.export('mine.keras', ...)) in a program of "
            "KERAS_BACKEND=tensorflow that defines your layers and functions under "
            "@keras.saving.register_keras_serializable(); or build it without Lambda layers, with "
            "functions of keras.ops."
        ) from error


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
