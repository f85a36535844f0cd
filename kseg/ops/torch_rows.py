"""Weighted sums of rows on PyTorch's GPU. Only for PyTorch's tensors."""

import functools

TAPS = 4  # of products that are in memory at a time


def weighted_rows_by_adding(table, index, weight):
    """`kseg.ops.roi_align.weighted_rows`, whose gradient adds each product to its row.

    As torchvision's RoIAlign does; PyTorch's own gradient sorts all indices first.
    """
    return _function().apply(table, index, weight)


@functools.cache
def _function():
    import torch

    class WeightedRows(torch.autograd.Function):
        @staticmethod
        def forward(ctx, table, index, weight):
            ctx.save_for_backward(index, weight)
            ctx.shape, ctx.dtype = table.shape, table.dtype
            return torch.nn.functional.embedding_bag(
                index, table, mode="sum", per_sample_weights=weight.to(table.dtype)
            )

        @staticmethod
        def backward(ctx, up):
            index, weight = ctx.saved_tensors
            total = torch.zeros(ctx.shape, dtype=torch.float32, device=up.device)
            rows = up.to(torch.float32)[:, None]  # (N, 1, C)
            for part in range(0, index.shape[1], TAPS):
                taps = slice(part, part + TAPS)
                products = rows * weight[:, taps, None]
                total.index_add_(0, index[:, taps].reshape(-1), products.flatten(0, 1))
            return total.to(ctx.dtype), None, None

    return WeightedRows
