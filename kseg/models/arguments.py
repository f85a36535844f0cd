"""Checks of the arguments that the builders share."""

import keras

from kseg.base.arguments import integer, refused

OUTPUT_STRIDES = (8, 16, 32)


def check_arguments(num_classes, input_shape):
    """Checks what every builder takes.

    Args:
        num_classes: Integer >= 1.
        input_shape: `(height, width, channels)`; None for any height or width.

    Returns:
        `input_shape` as a tuple.

    Raises:
        ValueError: one of them is something else, or Keras is set to channels first.

    Example:

    >>> check_arguments(21, [None, None, 3])
    (None, None, 3)
    """
    integer("num_classes", num_classes, remedy="1 is a binary model with one sigmoid channel.")
    try:
        height, width, channels = input_shape
        sides = [1 if side is None else side for side in (height, width)]
        for side in (*sides, channels):
            integer("input_shape", side)
    except (TypeError, ValueError):
        raise refused(
            "input_shape",
            input_shape,
            "(height, width, channels) in pixels",
            "Height and width may be None for any size, for example (None, None, 3).",
        ) from None
    layout = keras.config.image_data_format()
    if layout != "channels_last":
        raise refused(
            "keras.config.image_data_format()",
            layout,
            "'channels_last'",
            "Call keras.config.set_image_data_format('channels_last') first.",
        )
    return height, width, channels


def check_strides(encoder, features, needed, remedy="Most networks have them."):
    """Raises `ValueError` unless an encoder has features at all the strides that are needed.

    Args:
        encoder: Its name, or the model.
        features: dict of stride -> tensor, as `encode` returns it.
        needed: Strides.
        remedy: What to do, for the error.
    """
    if not set(needed) <= set(features):
        expected = f"features at the strides {list(needed)}"
        remedy = f"It has them at {sorted(features)}. {remedy}"
        raise refused("encoder", named(encoder), expected, remedy)


def check_deepest(encoder, features, output_stride):
    """Raises `ValueError` unless the encoder ends at `output_stride`."""
    deepest = max(features)
    if deepest != output_stride:
        raise refused(
            "output_stride",
            output_stride,
            f"{deepest}, where encoder={named(encoder)!r} ends",
            "Or pass an encoder that can be dilated, such as 'torchvision:resnet50'.",
        )


def named(encoder):
    """An encoder's name, or that of the model."""
    return encoder.name if isinstance(encoder, keras.Model) else encoder
