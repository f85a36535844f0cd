"""Dilated convolution for TensorFlow as the one operation that it is.

`tf.nn.convolution`, which Keras calls, takes the image apart into as many images as the kernel's
gaps have places, convolves each and puts them together again: more numbers than the image has, the
larger the gaps. TensorFlow's own kernel skips the gaps. Milliseconds of CPU, forward / forward and
backward, float32, one core, 3x3, 2 x 32 x 32 (2026-11-26, TensorFlow 2.21, a shared machine):

    channels, dilation      as Keras      here
    256 -> 256, 2           16 / 32       15 / 41
    512 -> 512, 4           64 / 137      46 / 152
    512 -> 256, 12          89 / 193      22 / 68
    512 -> 256, 24         290 / 601      11 / 71
    512 -> 256, 36         450 / 989       5 / 56

(Of an image of unknown size, which is the common case, the gradient as Keras has it takes half as
long again.)
"""

import functools


def dilated_conv(x, kernel, padding, dilation):
    """`keras.ops.conv` of images without steps or groups, on TensorFlow.

    Args:
        x: `(B, H, W, C)`.
        kernel: `(rows, columns, C, D)`.
        padding: `"same"` or `"valid"`.
        dilation: Pair of integers.

    Returns:
        `(B, h, w, D)`.
    """
    import tensorflow as tf

    return tf.nn.conv2d(x, kernel, 1, padding.upper(), dilations=dilation)


@functools.cache
def has_gradient():
    """Whether TensorFlow has the gradient of such a convolution on this machine's CPU.

    That is oneDNN's, which is not on every processor, and can be switched off.
    """
    import tensorflow as tf

    with tf.init_scope(), tf.device("CPU"):
        x = tf.ones((1, 5, 5, 1))
        ends = {"strides": [1] * 4, "padding": "SAME", "dilations": [1, 2, 2, 1]}
        try:
            tf.raw_ops.Conv2DBackpropFilter(
                input=x, filter_sizes=[3, 3, 1, 1], out_backprop=x, **ends
            )
            tf.raw_ops.Conv2DBackpropInput(
                input_sizes=x.shape, filter=tf.ones((3, 3, 1, 1)), out_backprop=x, **ends
            )
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
            return False
    return True
