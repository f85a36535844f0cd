"""A user's own Keras model as an encoder: of whatever it is made, one functional model."""

import keras

from kseg.base.arguments import refused
from kseg.models.graph import flattened, is_functional, nodes_of, shapes_of


def encoder(model, weights, channels):
    """The functional model of one `(None, None, channels)` image that a given model is.

    Nested models are opened, so that the features inside them are seen. A model of one size is
    copied, layer by layer, for images of any.

    Args:
        model: `keras.Model`.
        weights: None.
        channels: Of the image.

    Raises:
        ValueError: it takes something else, or no image of another size.
    """
    if weights is not None:
        remedy = "Load the weights into it before passing it."
        raise refused("weights", weights, "None where the encoder is a model", remedy)
    model = _functional(model, channels)
    taken = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    if [shape[-1] for shape in taken] != [channels] or len(taken[0]) != 3:
        remedy = f"It takes {taken}; input_shape has the channels of the image."
        raise refused("encoder", model.name, _expected(channels), remedy)
    model = flattened(model)
    return model if taken == [(None, None, channels)] else _of_any_size(model, channels)


def _expected(channels):
    return f"a Keras model of one (None, None, {channels}) image"


def _functional(model, channels):
    """A model that says what is in it; of a subclass, one around its outputs."""
    try:
        if isinstance(model, keras.Sequential):
            if not model.built:
                model.build((None, None, None, channels))
            return keras.Model(model.inputs, model.outputs, name=model.name)
        if is_functional(model):
            return model
        image = keras.Input((None, None, channels))
        return keras.Model(image, model(image), name=model.name)
    except Exception as error:  # whatever its layers raise over an image of any size
        remedy = (
            f"It cannot be called with one ({type(error).__name__}: {_first_line(error)}): give "
            "keras.Model(image, features), or a subclass that returns the feature maps."
        )
        raise refused("encoder", model.name, _expected(channels), remedy) from error


def _of_any_size(model, channels):
    """A copy, with its weights, of a model that is built for images of one size."""
    taken = tuple(model.inputs[0].shape[1:])
    error = None
    for part in (lambda: model, lambda: _without_top(model)):
        try:
            own = part()
            copy = keras.models.clone_model(own, input_tensors=keras.Input((None, None, channels)))
            copy.set_weights(own.get_weights())
            shapes_of(copy, keras.tree.flatten(copy.outputs))
            return copy
        except Exception as raised:  # layers that know one size alone
            error = raised
    remedy = (
        f"It takes {taken}, and no other size ({type(error).__name__}: {_first_line(error)}): "
        f"build it with input_shape=(None, None, {channels})."
    )
    raise refused("encoder", model.name, _expected(channels), remedy) from error


def _without_top(model):
    """The model up to its feature maps, the last of each size; without what follows them."""
    maps = {
        tuple(tensor.shape[1:3]): tensor
        for node in nodes_of(model)
        for tensor in node.outputs
        if len(tensor.shape) == 4 and tensor.shape[1] not in (None, 1)
    }
    return keras.Model(model.inputs[0], list(maps.values()), name=model.name)


def _first_line(error):
    return str(error).strip().split("\n")[0][:200]
