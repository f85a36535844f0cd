"""What tells two results of a call apart, in text, numbers, lists and dicts."""

import dataclasses
import hashlib
import json

import keras
import numpy as np

import kseg


def said(thing):
    """The same of two things if and only if they are alike."""
    if isinstance(thing, keras.Model):
        return _of_model(thing)
    if isinstance(thing, kseg.data.Source):
        return _of_source(thing)
    if hasattr(thing, "element_spec"):
        return [str(thing.element_spec), [said(each) for each in thing.take(2)]]
    if hasattr(thing, "_keras_history"):
        return repr((thing.shape, thing.dtype))
    if hasattr(thing, "numpy") and not isinstance(thing, np.ndarray):
        thing = thing.numpy()
    if isinstance(thing, np.ndarray):
        return _of_array(thing)
    if isinstance(thing, dict):
        return {str(name): said(value) for name, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [said(each) for each in thing]
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        return {f.name: said(getattr(thing, f.name)) for f in dataclasses.fields(thing)}
    text = repr(thing)
    assert " at 0x" not in text, f"{text} does not say what it is"
    return text


def _of_model(model):
    """Its layers, its weights and how it is compiled."""
    weights = [(w.path, tuple(w.shape), w.trainable, total(w)) for w in model.weights]
    compiled = bool(getattr(model, "compiled", False))
    return [type(model).__name__, compiled, json.dumps(model.get_config(), default=repr), weights]


def total(weight):
    return float(abs(keras.ops.convert_to_numpy(weight)).astype("float64").sum())


def _of_source(source):
    """What it says of itself, and its first samples."""
    own = {field.name: getattr(source, field.name) for field in dataclasses.fields(source)}
    for name in ("columns", "decode", "problems", "annotated"):
        own.pop(name)
    problems = source.problems and source.problems(0)
    stated = source.annotated and source.annotated(0)
    return [
        said(own),
        said(problems),
        said(stated),
        [said(source[i]) for i in range(min(2, len(source)))],
    ]


def _of_array(array):
    if array.dtype == object:
        content = repr(array.tolist()).encode()
    else:
        content = np.ascontiguousarray(array).tobytes()
    return [str(array.dtype), array.shape, hashlib.sha256(content).hexdigest()[:16]]
