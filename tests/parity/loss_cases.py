"""The random cases on which kseg's losses are compared with other implementations.

Inputs follow from a seed by NumPy alone, so that only the expected numbers are stored.
"""

import numpy as np

COUNT = 300
SETUPS = (  # (B, H, W, channels), dtype of the predictions; case i takes setup i modulo 5
    ((1, 9, 8, 1), "float32"),
    ((2, 7, 6, 1), "float16"),
    ((1, 9, 8, 4), "float32"),
    ((3, 6, 5, 4), "bfloat16"),
    ((2, 5, 7, 3), "float32"),
)
CLASS_WEIGHT = (0.5, 2.0, 1.0, 3.0)


def case(index):
    """Case `index`: y_true uint8 (B, H, W), y_pred float32 (B, H, W, channels), setup number.

    A share of the pixels is void, classes may be absent, and the last image of a batch may be void
    throughout; some pixel is always valid. The logits are exact in the setup's dtype.
    """
    (*shape, channels), dtype = SETUPS[index % len(SETUPS)]
    rng = np.random.default_rng(index)
    classes = max(channels, 2)
    present = rng.permutation(classes)[: rng.integers(1, classes + 1)]
    blocks = rng.choice(present, (shape[0], -(-shape[1] // 2), -(-shape[2] // 2)))
    y_true = blocks.repeat(2, 1).repeat(2, 2)[:, : shape[1], : shape[2]].astype("uint8")
    y_true[rng.random(shape) < rng.choice([0, 0.15, 0.5])] = 255
    if shape[0] > 1 and rng.random() < 0.3:
        y_true[-1] = 255
    y_true[0, 0, 0] = present[0]
    y_pred = rng.normal(0, rng.uniform(0.3, 4), (*shape, channels))
    # Half of the cases know something: their logits lean to the truth.
    truth = y_true == 1 if channels == 1 else y_true[..., None] == np.arange(channels)
    y_pred += rng.choice([0, 3]) * truth.reshape(*shape, channels)
    return y_true, rounded(y_pred.astype("float32"), dtype), index % len(SETUPS)


def rounded(x, dtype):
    """float32 `x` with the values that `dtype` can hold."""
    if dtype == "bfloat16":  # its upper 16 bits, rounded half up
        return ((x.view("uint32") + 0x8000) & 0xFFFF0000).astype("uint32").view("float32")
    return x.astype(dtype).astype("float32")
