"""What a number depends on beside the model: written down with it, so that it can be had again."""

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
from pathlib import Path

from kseg.base.shown import counted
from kseg.base.version import __version__
from kseg.models.contract import part, scored_contract

BACKENDS = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch", "openvino": "openvino"}
PIECE = 1 << 20  # bytes of a file read at a time
SHOWN = 12  # digits of a checksum


def protocol(model, source, chosen, *, path, images, batch_size, more):
    """The protocol of a result, a dict that JSON can hold.

    Args:
        model: What was scored.
        source: A `Source`, or what stands for one.
        chosen: Options of the task, as they were in effect.
        path: Where the model was loaded from, of an ensemble a list of those; or None.
        images: How many were scored.
        batch_size: Photos at once.
        more: Of the result as a whole: groups, resamples.
    """
    own = scored_contract(model)
    scoring = part("kseg.evaluation", model)
    ids = getattr(source, "ids", None)
    return {
        "model": {
            "name": model.name,
            "path": _places(path),
            "sha256": None if path is None else checksum(path),
        },
        "task": own.task,
        "source": {
            "name": source.name,
            "images": images,
            "names": ids and hashlib.sha256("\n".join(ids).encode()).hexdigest()[:SHOWN],
        },
        "classes": list(source.class_names),
        "batch_size": batch_size,
        "tta": chosen.get("tta") or "none",
        **scoring.rules(model, source, chosen),
        **more,
        "versions": versions(),
    }


def _places(path):
    if isinstance(path, list):
        return list(map(os.path.abspath, path))
    return None if path is None else os.path.abspath(path)


def checksum(path):
    """Of the file of a model: of a run that of its best, of an export all files of its folder."""
    digest = hashlib.sha256()
    several = path if isinstance(path, list) else [path]
    for file in (file for each in several for file in _files(each)):
        with file.open("rb") as stream:
            while piece := stream.read(PIECE):
                digest.update(piece)
    return digest.hexdigest()[:SHOWN]


def _files(path):
    path = Path(path).expanduser()
    if path.is_file():
        return [path]
    best = [path / name for name in ("best.keras", "last.keras") if (path / name).is_file()]
    of_folds = sorted(path.glob("fold-*/best.keras"))
    return best[:1] or of_folds or sorted(filter(Path.is_file, path.rglob("*")))


def versions():
    """Of what computes: name -> version."""
    import keras

    backend = keras.backend.backend()
    found = {"kseg": __version__, "python": platform.python_version(), "keras": keras.__version__}
    for name in (BACKENDS.get(backend, backend), "numpy", "pycocotools"):
        if importlib.util.find_spec(name):
            found[name] = version_of(name)
    return {**found, "backend": backend}


def version_of(package):
    """The version of an installed package, whatever its distribution is called."""
    module = importlib.import_module(package)
    known = getattr(module, "__version__", None)
    if known:
        return str(known)
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def lines(written):
    """A protocol in a few lines of words, for people."""
    source, model, used = (written[name] for name in ("source", "model", "versions"))
    names = f" (names {source['names']})" if source["names"] else ""
    of = f", file {model['sha256']}" if model["sha256"] else ""
    rules = [
        f"{name.replace('_', ' ')}: {words(written[name])}" for name in written if name not in APART
    ]
    backend = used["backend"]
    engine = f"{backend} {used.get(BACKENDS.get(backend, backend), '')}".strip()
    others = [f"{name} {used[name]}" for name in ("kseg", "keras") if name in used]
    rest = [f"{name} {used[name]}" for name in ("numpy", "pycocotools") if name in used]
    return [
        f"protocol: {source['name']}, {counted(source['images'], 'image')}{names}; model "
        f"{model['name']}{of}",
        "; ".join(rules),
        ", ".join([*others, f"on {engine}", *rest]),
    ]


# What `lines` says in its own words, or what is for a file alone; a source's name has its split
APART = ("model", "source", "split", "versions", "classes", "command", "task")


def words(value):
    """A value of a protocol as text."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {words(each)}" for name, each in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(words, value))
    return "none" if value is None else f"{value}"
