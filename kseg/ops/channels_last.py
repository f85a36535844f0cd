"""Convolution and pooling for PyTorch without copies of the feature maps.

A `(B, H, W, C)` tensor is a channels-last `(B, C, H, W)` tensor seen otherwise: `permute` is a
view, PyTorch's kernels take it as it is, and their result is seen as `(B, h, w, C)` again. Keras
3.15 copies each input into channels-first order and, for a convolution, back. Milliseconds of CPU,
forward / forward and backward, float32, one core, 4 x 64 x 64 x 128 (2026-11-26, PyTorch 2.13):

    layer                         Keras          here
    3x3                         45 / 111       26 / 96
    3x3, stride 2               21 / 45        10 / 33
    3x3, dilation 4             48 / 96        25 / 86
    depthwise 3x3               14 / 24         1 / 5
    max pooling 2x2             18 / 25         1 / 18
    max pooling 3x3, stride 2   23 / 35         4 / 22

Only for PyTorch, which is the backend of a tensor given to them.
"""

NHWC, NCHW = (0, 2, 3, 1), (0, 3, 1, 2)


def convolved(x, kernel, strides, padding, dilation, bias=None, laid=False):
    """`keras.ops.conv` of images, groups included.

    Args:
        x: torch tensor `(B, H, W, C)`.
        kernel: torch tensor `(rows, columns, C / groups, D)`.
        strides, dilation: Pairs of integers.
        padding: `"same"`, as TensorFlow pads, or `"valid"`.
        bias: torch tensor `(D,)`, or None for none.
        laid: Whether the kernel is `laid_out` already.

    Returns:
        `(B, h, w, D)`.
    """
    from torch.nn import functional

    kernel = kernel if laid else laid_out(kernel)
    x, margin = x.permute(NCHW), 0
    if padding == "same":
        sides = zip(x.shape[2:], kernel.shape[2:], strides, dilation)
        x, margin = _padded(x, [_margins(*side) for side in sides])
    groups = x.shape[1] // kernel.shape[1]
    y = functional.conv2d(x, kernel, bias, strides, margin, dilation, groups)
    return y.permute(NHWC)


def laid_out(kernel):
    """A kernel `(rows, columns, C, D)` as PyTorch's, `(D, C, rows, columns)`, channels-last.

    PyTorch copies any other order itself, at each call, and by strides: 17 ms for 3x3x512x512. The
    transpose of a matrix is a copy that it does in blocks: 3 ms.
    """
    *window, filters = kernel.shape
    return kernel.reshape(-1, filters).t().contiguous().view(filters, *window).permute(NCHW)


def max_pooled(x, pool, strides, padding):
    """`keras.ops.max_pool` of images: `(B, H, W, C)` -> `(B, h, w, C)`.

    Args:
        x: torch tensor `(B, H, W, C)`.
        pool, strides: Pairs of integers.
        padding: `"same"` or `"valid"`.
    """
    from torch.nn import functional

    x, margin = x.permute(NCHW), 0
    if padding == "same":
        sides = zip(x.shape[2:], pool, strides, (1, 1))
        x, margin = _padded(x, [_margins(*side) for side in sides], float("-inf"))
    return functional.max_pool2d(x, pool, strides, margin).permute(NHWC)


def resized(x, height, width, interpolation="bilinear"):
    """Images `(B, H, W, C)` at another size, with half-pixel centres and no antialiasing."""
    from torch.nn import functional

    y = functional.interpolate(x.permute(NCHW), (height, width), mode=interpolation)
    return y.permute(NHWC)


def product(x, kernel, bias=None):
    """`x` (..., C) times a kernel `(C, D)`, plus a bias `(D,)`: `(..., D)`."""
    if bias is None:
        return x @ kernel
    y = bias.addmm(x.reshape(-1, x.shape[-1]), kernel)
    return y.view(*x.shape[:-1], y.shape[-1])


def normalized(x, scale, offset):
    """`x * scale + offset` in one pass: `(B, H, W, C)`, `(C,)` and `(C,)`."""
    return offset.addcmul(x, scale)


def in_place_relu(x, limit=None):
    """`x` with what is below 0, or above a limit, replaced in its own memory."""
    return x.relu_() if limit is None else x.clamp_(0.0, limit)


def keeps_gradients():
    """Whether PyTorch keeps what a gradient needs, of what is computed now."""
    import torch

    return torch.is_grad_enabled()


def is_compiling():
    """Whether `torch.compile` looks on."""
    import torch

    return torch.compiler.is_compiling()


def in_dtype(x, name):
    """A tensor of floats in a dtype of floats; any other as it is."""
    import torch

    wanted = getattr(torch, name)
    floats = x.is_floating_point() and wanted.is_floating_point
    return x.to(wanted) if floats and x.dtype != wanted else x


def on_cpu(x):
    """Whether a tensor is in the machine's own memory."""
    return x.device.type == "cpu"


def bits(x):
    """A number that changes with any single number of a tensor: the sum of its bits as integers."""
    import torch

    flat = x.detach().reshape(-1)
    eights = flat.numel() * flat.element_size() // 8 * 8 // flat.element_size()
    return int(flat[:eights].view(torch.int64).sum()), flat[eights:].tolist()


def _margins(length, side, stride, dilation):
    """Pixels before and after, as TensorFlow pads."""
    reach = (side - 1) * dilation + 1
    total = max(0, (-(-length // stride) - 1) * stride + reach - length)
    return total // 2, total - total // 2


def _padded(x, margins, value=0.0):
    """`x` (B, C, H, W) and the margin that the kernel adds itself, as much before as after."""
    from torch.nn import functional

    if all(before == after for before, after in margins):  # max_pool2d adds -inf, too
        return x, [before for before, _ in margins]
    flat = [pixels for margin in reversed(margins) for pixels in margin]
    return functional.pad(x, flat, value=value) if any(flat) else x, 0
