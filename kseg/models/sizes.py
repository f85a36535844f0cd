"""Which sizes of photos are one to a network: it extends them to its stride, and cuts that off."""

from kseg.models.graph import is_functional, nodes_of
from kseg.models.layers import CropLike, MultiLabel, PadToStride, ValueRange


def own_stride(model):
    """The stride to whose multiples a network mirrors its images; 1 where it may do something else.

    A photo that is mirrored to them before gives the same numbers, with more of them at the bottom
    and right: its input is looked at by `PadToStride` alone, and its output is cut to it.

    Args:
        model: A Keras model of one input.

    Example:

    >>> own_stride(kseg.build_unet(2, width=2, depth=3, compile=False))
    8
    """
    if not is_functional(model) or len(model.inputs) != 1 or len(model.outputs) != 1:
        return 1
    if model.inputs[0].shape[1:3] != (None, None):
        return 1
    nodes, strides = nodes_of(model), set()
    image = {id(model.inputs[0])}
    output = _before_label(nodes, id(model.outputs[0]))
    for node in nodes:  # in the order of the layers, so that each comes after what it reads
        read = [id(tensor) for tensor in node.input_tensors]
        if not image.intersection(read):
            continue
        if type(node.operation) is ValueRange:  # of each number by itself
            image.add(id(node.outputs[0]))
        elif type(node.operation) is PadToStride:
            strides.add(node.operation.stride)
        elif not _cuts(node, read, image, output):
            return 1
    return strides.pop() if len(strides) == 1 else 1


def _cuts(node, read, image, output):
    """Whether a call gives the model's output, cut to the image, and reads nothing else of it."""
    is_last = type(node.operation) is CropLike and id(node.outputs[0]) == output
    return is_last and read[0] not in image and read[1] in image


def _before_label(nodes, output):
    """The output of a network, or what `MultiLabel` makes it of, which changes nothing."""
    for node in nodes:
        if type(node.operation) is MultiLabel and id(node.outputs[0]) == output:
            return id(node.input_tensors[0])
    return output
