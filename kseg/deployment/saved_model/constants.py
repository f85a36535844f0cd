"""A network whose weights are constants of its graph, which a server computes in less time."""

from kseg.base.tensorflow import tensorflow

LARGEST = 1 << 30  # bytes of weights: a file of a graph holds 2 GiB


def with_constants(function):
    """A TensorFlow function with its variables' values in its graph.

    When such a graph is loaded, TensorFlow folds batch norm into the kernels before it and brings
    these into the order that its convolutions want, once; of variables it can do neither. Of the
    time of the same graph with variables, one thread, photos of 360x360 (2026-11-26, a shared
    machine), U-Net on a ResNet-18 takes 0.73, on EfficientNet-Lite0 0.84, DeepLabV3+ 0.83; loading
    takes one to two seconds more. A network of more than `LARGEST` bytes keeps its variables.

    Args:
        function: `tf.function` with an `input_signature`.

    Returns:
        A `tf.function` of the same inputs and outputs.
    """
    tf = tensorflow()
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    traced = function.get_concrete_function()
    if sum(each.shape.num_elements() * each.dtype.size for each in traced.variables) > LARGEST:
        return function
    frozen = convert_variables_to_constants_v2(traced, lower_control_flow=False)
    graph = frozen.graph.as_graph_def()
    inputs, outputs = ([each.name for each in ends] for ends in (frozen.inputs, frozen.outputs))

    def call(*tensors):
        given = dict(zip(inputs, tensors))
        found = tf.graph_util.import_graph_def(
            graph, given, return_elements=outputs, name="network"
        )
        return tf.nest.pack_sequence_as(traced.structured_outputs, found)

    return tf.function(call, input_signature=function.input_signature, autograph=False)
