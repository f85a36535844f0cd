"""TODO"""

import keras


def check_arguments(num_classes, input_shape):
    """Raises one clear `ValueError` for the arguments that every builder shares."""
    if not isinstance(num_classes, int) or isinstance(num_classes, bool) or num_classes < 1:
        raise ValueError(
            f"num_classes={num_classes!r}: expected an integer >= 1 "
            "(1 is a binary model with one sigmoid channel)."
        )
    shape = tuple(input_shape)
    if (
        len(shape) != 3
        or not isinstance(shape[2], int)
        or not all(s is None or (isinstance(s, int) and s >= 1) for s in shape)
    ):
        raise ValueError(
            f"input_shape={input_shape!r}: expected (height, width, channels), where height and "
            "width may be None for any size, for example (None, None, 3)."
        )
    if keras.config.image_data_format() != "channels_last":
        raise ValueError(
            "kseg models are channels-last, but keras.config.image_data_format() is "
            f"{keras.config.image_data_format()!r}. "
            "Call keras.config.set_image_data_format('channels_last') first."
        )
    return shape


OUTPUT_STRIDES = (8, 16, 32)


def check_output_stride(output_stride, expected):
    """Raises `ValueError` unless `output_stride` is among `expected`."""
    if output_stride not in expected:
        choices = ", ".join(map(str, expected))
        raise ValueError(f"output_stride={output_stride!r}: expected one of {choices}.")


def check_deepest(features, encoder, output_stride):
    """Raises `ValueError` unless the encoder ends at `output_stride`."""
    if max(features) != output_stride:
        label = encoder.name if isinstance(encoder, keras.Model) else encoder
        raise ValueError(
            f"output_stride={output_stride}: the encoder {label!r} has its deepest features at "
            f"stride {max(features)}. Pass output_stride={max(features)}, or an encoder that can "
            "be dilated, such as encoder='torchvision:resnet50'."
        )


def check_width(width):
    """Raises `ValueError` unless `width` is an integer >= 1."""
    if not isinstance(width, int) or isinstance(width, bool) or width < 1:
        raise ValueError(f"width={width!r}: expected an integer >= 1.")
