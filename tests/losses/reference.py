"""The losses once more, in float64 NumPy, by their definitions and without regard to speed.

y_true holds ids (B, H, W) with void 255; y_pred logits (B, H, W, C), C = 1 for a binary problem.
"""

import numpy as np


def probabilities(y_pred):
    """float64 (B, H, W, classes); one channel x gives those of the logits (0, x)."""
    x = y_pred.astype("float64")
    if x.shape[-1] == 1:
        x = np.concatenate([0 * x, x], -1)
    p = np.exp(x - x.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)


def units(y_true, y_pred, sample_weight, reduce):
    """Label, probabilities, logits and weight of the valid pixels of each unit that has any."""
    weight = np.ones(y_true.shape) if sample_weight is None else sample_weight.astype("float64")
    p = probabilities(y_pred)
    for part in [slice(None)] if reduce == "batch" else [[i] for i in range(len(y_true))]:
        valid = y_true[part] != 255
        if valid.any():
            arrays = (x[part][valid] for x in (y_true, p, y_pred.astype("float64"), weight))
            yield tuple(arrays)


def over_pixels(cost):
    """A loss that is the weighted mean over pixels of `cost(t, p, **options)`, an array (N,)."""

    def loss(
        y_true, y_pred, sample_weight=None, class_weight=None, reduce="batch", ohem=None, **options
    ):
        means = []
        for t, p, _, w in units(y_true, y_pred, sample_weight, reduce):
            costs = cost(t, p, y_pred.shape[-1] == 1, **options)
            if class_weight is not None:
                w = w * np.array(class_weight)[t]
            if ohem:
                kept = np.argsort(-costs)[: max(1, round(ohem * len(costs)))]
                costs, w = costs[kept], w[kept]
            means.append((w * costs).sum() / w.sum())
        return np.mean(means) if means else 0.0

    return loss


def over_classes(cost):
    """A loss that is the weighted mean over classes of `cost(t == c, p_c, x, w, **options)`."""

    def loss(
        y_true,
        y_pred,
        sample_weight=None,
        class_weight=None,
        reduce="batch",
        absent="ignore",
        **options,
    ):
        means = []
        for t, p, x, w in units(y_true, y_pred, sample_weight, reduce):
            classes = [
                c
                for c in ([1] if y_pred.shape[-1] == 1 else range(y_pred.shape[-1]))
                if absent == "penalize" or (t == c).any()
            ]
            if classes:
                costs = [cost(t == c, p[:, c], x[:, -1], w, **options) for c in classes]
                weights = None if class_weight is None else [class_weight[c] for c in classes]
                means.append(np.average(costs, weights=weights))
        return np.mean(means) if means else 0.0

    return loss


@over_pixels
def cross_entropy(t, p, binary):
    return -np.log(p[np.arange(len(t)), t])


@over_pixels
def focal(t, p, binary, gamma=2.0, alpha=None):
    true = p[np.arange(len(t)), t]
    balance = 1.0 if alpha is None else np.where(t == 0, 1 - alpha, alpha)
    return -balance * (1 - true) ** gamma * np.log(true)


@over_pixels
def l1(t, p, binary):
    return np.abs(p - np.eye(p.shape[1])[t]).sum(1) / (2 if binary else 1)


@over_pixels
def l2(t, p, binary):
    return ((p - np.eye(p.shape[1])[t]) ** 2).sum(1) / (2 if binary else 1)


@over_classes
def tversky(t, p, x, w, alpha=0.3, beta=0.7, gamma=1.0, smooth=1e-5):
    both, extra, missed = (w * t * p).sum(), (w * ~t * p).sum(), (w * t * (1 - p)).sum()
    return (1 - (both + smooth) / (both + alpha * extra + beta * missed + smooth)) ** gamma


@over_classes
def lovasz(t, p, x, w, hinge=False):
    """The Jaccard loss of each set of wrong pixels afresh, one pixel larger at a time."""
    errors = np.maximum(0, 1 - x * (2 * t - 1)) if hinge else np.abs(t - p)

    def jaccard(wrong):
        union = (w * (t | wrong)).sum()
        return 1 - (w * (t & ~wrong)).sum() / union if union else 0.0

    total, wrong = 0.0, np.zeros(len(t), bool)
    for pixel in np.argsort(-errors):
        before = jaccard(wrong)
        wrong[pixel] = True
        total += errors[pixel] * (jaccard(wrong) - before)
    return total


def boundary(
    y_true, y_pred, sample_weight=None, class_weight=None, reduce="batch", max_distance=np.inf
):
    """Distances pixel against pixel."""
    classes = max(y_pred.shape[-1], 2)
    phi = np.zeros((*y_true.shape, classes))
    for image, c in np.ndindex(len(y_true), classes):
        inside = np.argwhere(y_true[image] == c)
        others = np.argwhere((y_true[image] != c) & (y_true[image] != 255))
        if len(inside) and len(others):
            d = np.sqrt(((inside[:, None] - others[None]) ** 2).sum(-1))
            phi[image, *inside.T, c] = 1 - np.minimum(d.min(1), max_distance)
            phi[image, *others.T, c] = np.minimum(d.min(0), max_distance)
    scored = [1] if y_pred.shape[-1] == 1 else range(classes)
    weights = None if class_weight is None else [class_weight[c] for c in scored]
    costs = (probabilities(y_pred) * phi)[..., list(scored)]
    costs = np.average(costs, axis=-1, weights=weights)[..., None]
    means = [
        (w * v[:, 0]).sum() / w.sum() for _, _, v, w in units(y_true, costs, sample_weight, reduce)
    ]
    return np.mean(means) if means else 0.0
