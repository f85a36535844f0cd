"""Writes a SavedModel with everything inside; runs where Keras' backend is TensorFlow."""

import dataclasses
import json
from pathlib import Path

from kseg.base.tensorflow import tensorflow
from kseg.deployment.saved_model import instance, semantic
from kseg.deployment.saved_model.signatures import Options
from kseg.models.contract import is_instance

ABOUT = "kseg.json"  # in assets.extra, which servers leave alone


def write(model, path, *, about, options):
    """Traces the signatures of a model and saves them.

    Args:
        model: A kseg model, of labels or of instances.
        path: The folder of the SavedModel.
        about: dict that is kept in `assets.extra/kseg.json`; the signatures are added to it.
        options: `Options`, or a dict of its fields.
    """
    tf = tensorflow()
    options = options if isinstance(options, Options) else Options(**options)
    part = instance if is_instance(model) else semantic
    found = part.signatures(model, options)
    module = tf.Module()
    module.weights = [weight.value for weight in model.weights]
    functions, described = {}, {}
    for name in options.signatures:
        signature = found[name]
        function = tf.function(
            signature.function, input_signature=[signature.input], autograph=False
        )
        concrete = functions[name] = function.get_concrete_function()
        described[name] = {
            "about": signature.about,
            "inputs": {signature.input.name: _spec(signature.input)},
            "outputs": {
                key: {**_spec(spec), "about": signature.outputs[key]}
                for key, spec in sorted(concrete.structured_outputs.items())
            },
        }
    module.functions = functions
    tf.saved_model.save(module, str(path), signatures=functions)
    extra = Path(path) / "assets.extra"
    extra.mkdir(exist_ok=True)
    about = {**about, "options": dataclasses.asdict(options), "signatures": described}
    (extra / ABOUT).write_text(json.dumps(about, indent=1) + "\n")


def _spec(spec):
    return {"type": spec.dtype.name, "shape": spec.shape.as_list()}
