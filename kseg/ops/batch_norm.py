"""Batch normalization of images by PyTorch's kernel. Only for PyTorch's tensors."""

import functools

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


def normalized_together(x, scale, offset, epsilon, team):
    """`batch_normalized` by the mean and the variance of the rows of all workers.

    Args:
        x, scale, offset, epsilon: As of `batch_normalized`; `x` is this worker's.
        team: Of `kseg.ops.replicas`.
    """
    return _together().apply(x, scale, offset, epsilon, team)


@functools.cache
def _together():
    """As PyTorch's `SyncBatchNorm`, which has GPUs alone (Ioffe and Szegedy 2015, section 3)."""
    import torch

    class Together(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, scale, offset, epsilon, team):
            image = x.permute(NCHW)
            variance, mean = torch.var_mean(image.float(), (0, 2, 3), correction=0)
            rows = mean.new_full((1,), x.numel() / x.shape[-1])
            of_each = team.stacked(torch.cat([mean, variance, rows]))  # (W, 2 C + 1)
            rows = of_each[:, -1:]
            means, variances = of_each[:, :-1].chunk(2, dim=1)  # (W, C)
            total = rows.sum()
            mean = (means * rows).sum(0) / total
            variance = ((variances + (means - mean) ** 2) * rows).sum(0) / total
            y, *_ = batch_normalized(x, scale, offset, mean, variance, epsilon)
            ctx.save_for_backward(x, scale, mean, (variance + epsilon).rsqrt(), total)
            ctx.team, ctx.has_offset = team, offset is not None
            ctx.mark_non_differentiable(mean, variance)
            return y, mean, variance

        @staticmethod
        def backward(ctx, dy, *_):
            x, scale, mean, inverse, total = ctx.saved_tensors
            of_pixels = (0, 1, 2)
            dy32, normal = dy.float(), (x.float() - mean) * inverse
            own = torch.stack([dy32.sum(of_pixels), (dy32 * normal).sum(of_pixels)])
            of_dy, of_both = ctx.team.counted(own) / total
            slope = inverse if scale is None else inverse * scale
            dx = ((dy32 - of_dy - normal * of_both) * slope).to(x.dtype)
            return (
                dx,
                scale if scale is None else own[1],
                own[0] if ctx.has_offset else None,
                None,
                None,
            )

    return Together
