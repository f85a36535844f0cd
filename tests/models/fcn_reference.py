"""The FCNs in NumPy, written from the paper's description, and narrow Keras ones to compare."""

import keras
import numpy as np

import kseg

BUILDERS = {8: kseg.build_fcn8s, 16: kseg.build_fcn16s, 32: kseg.build_fcn32s}
CONVOLUTIONS = [
    f"conv{stage}_{i}" for stage, n in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, n + 1)
]


def small(num_classes=3, stride=8, **arguments):
    return BUILDERS[stride](num_classes, **{"width": 4, "fc_width": 8, **arguments})


def filled(model, bias=0.1):
    """Weights that make each layer, and each of the summed scores, matter about equally."""
    rng = np.random.default_rng(4)
    names = [layer.name for layer in model.layers]
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            kernel = rng.normal(size=layer.kernel.shape)
            kernel *= np.sqrt(2 / np.prod(kernel.shape[:3]))
            if layer.name == "conv1_1":
                kernel /= 64  # from grey levels to about 1
            if f"scale_{layer.name[6:]}" in names:
                kernel /= {"pool4": 0.01, "pool3": 0.0001}[layer.name[6:]]
            layer.set_weights([kernel, bias * rng.uniform(0.5, 1.5, kernel.shape[-1])])
        elif layer.name in ("upscore2", "upscore_pool4"):
            (kernel,) = layer.get_weights()
            layer.set_weights([kernel * rng.uniform(0.8, 1.2, kernel.shape)])
    return model


# The network in NumPy, in float64.


def convolution(x, weights, pad):
    kernel, bias = weights
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(1, 2))
    return np.tensordot(windows, kernel, axes=((4, 5, 3), (0, 1, 2))) + bias


def pooling(x):
    """2x2, rounded up: the last window holds what is left."""
    height, width = -(-x.shape[1] // 2), -(-x.shape[2] // 2)
    y = np.empty((x.shape[0], height, width, x.shape[3]))
    for i in range(height):
        for j in range(width):
            y[:, i, j] = x[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max(axis=(1, 2))
    return y


def enlargement(x, factor, kernel=None):
    """Transposed convolution by scattering; the kernel is a tent along each axis."""
    if kernel is None:
        tent = np.array([1 - abs(i + 0.5 - factor) / factor for i in range(2 * factor)])
        kernel = (tent[:, None] * tent)[:, :, None]
    batch, height, width, channels = x.shape
    y = np.zeros((batch, factor * (height + 1), factor * (width + 1), channels))
    for i in range(height):
        for j in range(width):
            rows, columns = slice(factor * i, factor * (i + 2)), slice(factor * j, factor * (j + 2))
            y[:, rows, columns] += x[:, i, j, None, None] * kernel
    return y


def crop(x, offset, like):
    height, width = like.shape[1:3]
    assert x.shape[1] >= offset + height and x.shape[2] >= offset + width
    return x[:, offset : offset + height, offset : offset + width]


def reference(model, image, stride, padding, at_once):
    weights = {layer.name: layer.get_weights() for layer in model.layers}
    paper = padding == "paper"
    x = image.astype("float64")
    if not paper:  # mirrored at the bottom and right to a multiple of 32
        for axis in (1, 2):
            while x.shape[axis] % 32:
                more = min(-x.shape[axis] % 32, x.shape[axis])
                x = np.pad(x, [(0, more if a == axis else 0) for a in range(4)], mode="symmetric")
    x = x[..., ::-1] - np.array([103.939, 116.779, 123.68])
    pools = {}
    for name in CONVOLUTIONS:
        pad = 100 if paper and name == "conv1_1" else 1
        x = np.maximum(convolution(x, weights[name], pad), 0)
        if name in ("conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_3"):
            pools[name[4]] = x = pooling(x)
    x = np.maximum(convolution(x, weights["fc6"], 0 if paper else 3), 0)
    x = np.maximum(convolution(x, weights["fc7"], 0), 0)
    summands = [convolution(x, weights["score_fr"], 0)]
    x = summands[0]
    for finer, pool, name, scale, offset in (
        (16, "4", "upscore2", 0.01, 5),
        (8, "3", "upscore_pool4", 0.0001, 9),
    ):
        if stride <= finer:
            scores = pools[pool] * (scale if at_once else 1)
            scores = convolution(scores, weights[f"score_pool{pool}"], 0)
            x = enlargement(x, 2, weights[name][0])
            if not paper:
                x = crop(x, 1, scores)
            summands.append(crop(scores, offset if paper else 0, x))
            x = x + summands[-1]
    assert all(s.std() > 0.01 for s in summands if s[0, :, :, 0].size > 1), "a stream is dead"
    first = {32: 19, 16: 27, 8: 31}[stride] if paper else stride // 2
    return crop(enlargement(x, stride), first, image)
