"""What an export says of itself: its task, its classes and what it was told, as JSON.

A SavedModel has it as `assets.extra/kseg.json`, with its signatures. The other formats keep it in
their one file, where each has room for what others add:

- ONNX: the entry `kseg` of `metadata_props`;
- OpenVINO: the entry `kseg` of the model's `rt_info`, in `model.xml`;
- LiteRT: an associated file, `kseg.json`, in a ZIP behind the network, as LiteRT's own metadata has
  labels (https://ai.google.dev/edge/litert/models/metadata): `unzip -p FILE kseg.json` prints it.

So a program without kseg can read the names of the classes too.
"""

import json

from kseg.base.version import __version__
from kseg.models.contract import contract

KEY = "kseg"  # where a format has names for what it keeps
FILE = "kseg.json"  # where it has files


def about(job, name, **more):
    """What is kept of an export: a dict that JSON can hold.

    Args:
        job: `kseg.deployment.compare.Job`.
        name: What it is called.
        **more: What else there is of the format, such as `options`.
    """
    import keras

    own = contract(job.model)
    return {
        "name": name,
        "task": own.task,
        "channels": own.channels,
        "score": own.score,
        "outputs": own.outputs,
        "value_range": own.value_range,
        "bands": job.bands,
        "class_names": job.class_names,
        "colors": job.colors,
        "kseg": __version__,
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        **more,
    }


def as_text(about):
    """The JSON of what `about` gives."""
    return json.dumps(about, ensure_ascii=False)


def from_text(text, path):
    """What `about` gave, from its JSON; None of `None`, as files without it have.

    Args:
        text: The JSON.
        path: Of the artefact, for the error.

    Raises:
        ValueError: it is damaged.
    """
    if text is None:
        return None
    try:
        read = json.loads(text)
        return {**read, "task": read["task"], "class_names": tuple(read["class_names"])}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{str(path)!r}: what kseg wrote into it of its classes cannot be read ({error}). "
            "Export again."
        ) from error
