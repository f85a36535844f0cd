"""The random cases on which kseg's metrics are compared with other implementations.

Inputs follow from a seed by NumPy alone, so that only the expected numbers are stored.
"""

import numpy as np

COUNT = 240
SETUPS = (  # (B, H, W, channels), dtype of the predictions; case i takes setup i modulo 6
    ((1, 24, 31, 1), "float32"),
    ((2, 17, 20, 1), "bfloat16"),
    ((1, 31, 24, 3), "float32"),
    ((2, 20, 17, 4), "float16"),
    ((3, 14, 19, 6), "bfloat16"),
    ((2, 21, 26, 6), "float32"),
)
BINS = 15
DISTANCES = (0.02, 0.06, 1, 3)  # of contours; case i takes distance i // 6 modulo 4


def case(index):
    """Case `index`: y_true uint8 (B, H, W), y_pred float32 (B, H, W, channels), distance.

    Truth and prediction are of blocks, the prediction with noise. In half of the cases some pixels
    are void, and the last image of a batch may be void throughout; classes may be absent from
    truth, prediction or both. The logits are exact in the setup's dtype, and no two are equal.
    """
    (*shape, channels), dtype = SETUPS[index % len(SETUPS)]
    rng = np.random.default_rng(index)
    classes = max(channels, 2)

    def blocks(values):
        edge = rng.integers(3, 9)
        small = rng.choice(values, (shape[0], shape[1] // edge + 1, shape[2] // edge + 1))
        return small.repeat(edge, 1).repeat(edge, 2)[:, : shape[1], : shape[2]]

    present = rng.permutation(classes)[: rng.integers(1, classes + 1)]
    y_true = blocks(present).astype("uint8")
    predictable = rng.permutation(classes)[: rng.integers(1, classes + 1)]
    predicted = np.where(blocks([0, 0, 1]) == 1, blocks(predictable), y_true)  # largely right
    if rng.random() < 0.5:
        y_true = np.where(blocks([0, 0, 0, 1]) == 1, 255, y_true).astype("uint8")
        y_true[rng.random(shape) < 0.05] = 255
        if shape[0] > 1 and rng.random() < 0.3:
            y_true[-1] = 255
    y_true[0, 0, 0] = present[0]
    signal = predicted == 1 if channels == 1 else predicted[..., None] == np.arange(channels)
    signal = signal.reshape(*shape, channels) - (0.5 if channels == 1 else 0)
    y_pred = rng.choice([2, 6]) * signal + rng.normal(0, rng.uniform(0.1, 2), (*shape, channels))
    y_pred = rounded(y_pred.astype("float32"), dtype)
    y_pred = apart(y_pred) if channels > 1 else y_pred
    return y_true, y_pred, DISTANCES[index // len(SETUPS) % len(DISTANCES)]


def rounded(x, dtype):
    """float32 `x` with the values that `dtype` can hold."""
    if dtype == "bfloat16":  # its upper 16 bits, rounded half up
        return ((x.view("uint32") + 0x8000) & 0xFFFF0000).astype("uint32").view("float32")
    return x.astype(dtype).astype("float32")


def apart(x):
    """`x` with the first of a pixel's largest logits raised, where several share first place."""
    top = x.max(-1, keepdims=True)
    tied = (x == top).sum(-1, keepdims=True) > 1
    first = np.arange(x.shape[-1]) == x.argmax(-1)[..., None]
    return np.where(tied & first, np.ceil(top + 1), x).astype("float32")


def predicted_ids(y_pred):
    """int64 (B, H, W)."""
    return (y_pred[..., 0] > 0).astype(int) if y_pred.shape[-1] == 1 else y_pred.argmax(-1)
