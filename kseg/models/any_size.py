"""A network that was built for images of one size, made to take images of any."""

import keras

from kseg.models.contract import contract, end_of, fixed_size
from kseg.models.layers import ResizeLike, ResizeTo


def any_size(model):
    """A semantic model as one that takes images of any size; itself, where it is one.

    Images are resized to the size that it was built for, whatever their aspect, and its logits back
    to theirs; both bilinearly. The weights are shared.

    Example:

    >>> small = kseg.build_unet(num_classes=2, input_shape=(64, 64, 3), width=4)
    >>> any_size(small)(keras.ops.zeros((1, 40, 70, 3))).shape
    (1, 40, 70, 2)
    """
    height, width = fixed_size(model)
    if height is None and width is None:
        return model
    image = keras.Input((None, None, contract(model).channels), name="image")
    logits = model(ResizeTo(height, width, dtype="float32")(image))
    logits = ResizeLike(dtype="float32")([logits, image])
    said = end_of(model)
    if said is not None:  # of what task they are
        logits = type(said).from_config(said.get_config())(logits)
    return keras.Model(image, logits, name=model.name)
