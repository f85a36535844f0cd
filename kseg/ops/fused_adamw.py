"""AdamW's step by PyTorch's fused kernel. Only for PyTorch, which is the backend of its tensors."""


def fuses(x):
    """Whether PyTorch has the kernel for a weight."""
    import torch

    return x.dtype == torch.float32 and x.device.type in ("cpu", "cuda") and x.is_contiguous()


def fused_adamw(weights, step, **settings):
    """Takes a step, in the weights' own memory.

    Args:
        weights: List of weight, gradient, mean and mean square of the gradients, all of one shape.
        step: Its number, from 1 on.
        settings: `lr`, `beta1`, `beta2`, `eps` and `weight_decay`, as of `torch.optim.AdamW`.
    """
    import torch
    from torch.optim.adamw import adamw

    if not weights:
        return
    values, grads, means, squares = map(list, zip(*weights))
    with torch.no_grad():
        # the kernel goes through memory, whatever the strides say
        grads = [grad.to(value.dtype).contiguous() for grad, value in zip(grads, values)]
        steps = [torch.full((), step - 1.0, device=value.device) for value in values]
        adamw(
            values,
            grads,
            means,
            squares,
            [],
            steps,
            fused=True,
            amsgrad=False,
            maximize=False,
            **settings,
        )
