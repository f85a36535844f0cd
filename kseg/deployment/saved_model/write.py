"""Writes a SavedModel with everything inside; runs where Keras' backend is TensorFlow."""

import dataclasses
import json
from pathlib import Path

from kseg.base.tensorflow import tensorflow
from kseg.deployment.saved_model.predictor import ABOUT, TASKS
from kseg.deployment.saved_model.signatures import GraphOptions
from kseg.models.contract import part, tasks


def write(model, path, *, about, options, own):
    """Traces the signatures of a model and saves them.

    Args:
        model: A kseg model of any task.
        path: The folder of the SavedModel.
        about: dict that is kept in `assets.extra/kseg.json`; options and signatures are added.
        options: dict of the fields of `GraphOptions`.
        own: dict of the options of the model's task.
    """
    tf = tensorflow()
    options = GraphOptions(**options)
    possible = part(TASKS, model).signatures(model, options, **own)
    module = tf.Module()
    functions, described = {}, {}
    for name in options.signatures:
        signature = possible[name]
        function = tf.function(
            signature.function, input_signature=[signature.input], autograph=False
        )
        functions[name] = function.get_concrete_function()
        described[name] = _described(signature, functions[name].structured_outputs)
    module.functions = functions
    module.weights = [each for function in functions.values() for each in function.variables]
    tf.saved_model.save(module, str(path), signatures=functions)
    extra = Path(path) / "assets.extra"
    extra.mkdir(exist_ok=True)
    every = {
        name: value for task in tasks(TASKS) for name, value in part(TASKS, task).OPTIONS.items()
    }
    asked = {**dataclasses.asdict(options), **every, **own}  # of all tasks, as it always was
    said = {name: getattr(model, name, old) for name, old in part(TASKS, model).OF_MODEL.items()}
    about = {**about, **said, "options": asked, "signatures": described}
    (extra / ABOUT).write_text(json.dumps(about, indent=1) + "\n")


def _described(signature, outputs):
    """A signature with its inputs and outputs, as JSON holds it."""
    return {
        "about": signature.about,
        "inputs": {signature.input.name: _spec(signature.input)},
        "outputs": {
            name: {**_spec(spec), "about": signature.outputs[name]}
            for name, spec in sorted(outputs.items())
        },
    }


def _spec(spec):
    return {"type": spec.dtype.name, "shape": spec.shape.as_list()}
