"""Batch normalization of images by PyTorch's kernel. Only for PyTorch's tensors."""

from kseg.ops.channels_last import NCHW, NHWC


def has_kernel(x):
    """Whether the kernel takes a tensor beside weights in float32."""
    import torch

    halves = (torch.bfloat16, torch.float16) if x.device.type == "cuda" else (torch.bfloat16,)
    return x.dtype in (torch.float32, *halves)


def batch_normalized(x, scale, offset, mean, variance, epsilon, of_batch=False):
    """`(x - mean) / sqrt(variance + epsilon) * scale + offset`, for each channel.

    Args:
        x: `(B, H, W, C)`.
        scale, offset: float32 `(C,)`, or None for 1 and 0.
        mean, variance: float32 `(C,)`.
        of_batch: Whether to take the mean and the variance of `x` instead.

    Returns:
        The result, of the shape and dtype of `x`; and mean and variance as they were taken.
    """
    import torch

    x = x.permute(NCHW)
    if not of_batch:
        y = torch.nn.functional.batch_norm(x, mean, variance, scale, offset, False, 0.0, epsilon)
        return y.permute(NHWC), mean, variance
    y, mean, inverse = torch.native_batch_norm(x, scale, offset, None, None, True, 0.0, epsilon)
    return y.permute(NHWC), mean.detach(), inverse.detach().pow(-2) - epsilon


def move(x, towards, share):
    """Moves a tensor, in its own memory."""
    import torch

    with torch.no_grad():
        x.lerp_(towards, share)
