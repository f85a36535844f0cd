"""Models in `.keras` files, which open on every backend and appear whole or not at all."""

import hashlib
import io
import json
import os
import re
import time
import zipfile
from pathlib import Path

import numpy as np

from kseg.base.arguments import refused
from kseg.base.atomic import replacing

SUMS, NOTE, ARRAYS = "kseg_sha256.json", "kseg_note.json", "kseg_arrays.npz"  # in the file

COLOR = re.compile(r"\x1b\[[0-9;]*m")  # of a terminal, in Keras' messages

UNSAFE = (
    "It holds a lambda, as of a Lambda layer or a loss, that is code which would run when the file "
    "is opened. If you trust it, call keras.config.enable_unsafe_deserialization() in your program "
    "before this. To be asked no more, build the model with named, registered functions of "
    "keras.ops in its place."
)


class Damaged(ValueError):
    """A `.keras` file that is not as it was written."""


def save_model(model, path, note=None, arrays=None):
    """Saves a model with its optimizer so that training can go on from it on *any* backend.

    Keras names the optimizer's class by backend, and a file saved on PyTorch then cannot be
    trained on TensorFlow or JAX; it also writes down what `jit_compile="auto"` meant, and a file
    saved on JAX then makes PyTorch compile for minutes. Here the file names the public class and
    "auto", which each backend resolves for itself. The file appears whole or not at all, and holds
    the SHA-256 of all that is in it.

    Args:
        model: A `keras.Model`.
        path: The file, ending in `.keras`.
        note: What else it is to hold, as JSON can. Defaults to None.
        arrays: And arrays by name. Defaults to None.

    Raises:
        OSError: the computer's clock is before 1980.
    """
    check_clock()
    with replacing(Path(path)) as temporary:
        model.save(temporary)
        members = _members(temporary)
        members["config.json"] = _without_backend(members["config.json"])
        if note is not None:
            members[NOTE] = json.dumps(note).encode()
        if arrays is not None:
            packed = io.BytesIO()
            np.savez(packed, **arrays)
            members[ARRAYS] = packed.getvalue()
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
        members[SUMS] = json.dumps(sums).encode()
        _write(temporary, members)


def check_clock():
    """Raises `OSError` where the computer's clock is before 1980, as without a battery it is."""
    year = time.localtime().tm_year
    if year < 1980:
        raise OSError(
            f"the computer's clock says {year}: a .keras file is a ZIP file, which holds no date "
            "before 1980. Set the clock."
        )


def check_whole(path):
    """Raises `Damaged` if a file that `save_model` wrote is not as it was then.

    Args:
        path: The file, which exists.
    """
    try:
        members = _members(path)
    except Exception as error:  # zipfile raises whatever it runs into
        raise Damaged(f"{str(path)!r} is damaged: {error}.") from error
    sums = json.loads(members.pop(SUMS, b"null"))
    if sums is None:
        return  # of before there were any
    for name in sums.keys() | members.keys():
        if hashlib.sha256(members.get(name, b"")).hexdigest() != sums.get(name):
            raise Damaged(f"{str(path)!r} is damaged: {name} in it is not as it was written.")


def read_note(path):
    """What `save_model` was given beside the model: the note, or None, and a dict of arrays."""
    members = _members(path)
    note = json.loads(members.get(NOTE, b"null"))
    if ARRAYS not in members:
        return note, {}
    with np.load(io.BytesIO(members[ARRAYS])) as arrays:
        return note, dict(arrays)


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


def optimizer_values(path):
    """The variables of the optimizer in a `.keras` file, in order, as arrays."""
    import h5py

    with h5py.File(io.BytesIO(_members(path)["model.weights.h5"])) as weights:
        values = weights.get("optimizer/vars") or {}
        return [values[str(index)][()] for index in range(len(values))]


def _members(path):
    """All that is in a file: name -> bytes."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _write(path, members):
    """Writes a file of these, and waits until the disk has it."""
    with open(path, "wb") as stream:
        with zipfile.ZipFile(stream, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        stream.flush()
        os.fsync(stream.fileno())


def _without_backend(content):
    """`config.json` without what is particular to a backend in how the model is compiled."""
    config = json.loads(content)
    compiled = config.get("compile_config") or {}
    if "jit_compile" in compiled:
        compiled["jit_compile"] = "auto"
    _public(compiled.get("optimizer"))
    return json.dumps(config).encode()


def _public(optimizer):
    """Names the public class of an optimizer, and of the one inside it, in its config."""
    if not isinstance(optimizer, dict):
        return
    if str(optimizer.get("module")).startswith("keras.src.backend"):
        optimizer.update(module="keras.optimizers", registered_name=None)
    _public((optimizer.get("config") or {}).get("inner_optimizer"))
