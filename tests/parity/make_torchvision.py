"""Writes the reference outputs of torchvision that test_torchvision.py compares with.

    python tests/parity/make_torchvision.py              writes torchvision.npz beside this file
    python tests/parity/make_torchvision.py check DIR    kseg's own state dicts, read by torchvision

Needs torch 2.13 and torchvision 0.28, and neither Keras nor kseg. The networks hold up to 60
million numbers, so no weights are stored: both sides make every tensor from its name. Both sides
also make the photos. What is stored is a part of the outputs (`thin`) and each network's list of
names and shapes, by which kseg's state dicts are known to fit `load_state_dict(strict=True)`.

`check` reads DIR/NAME.pth (written by `kseg.weights.write`) and DIR/NAME.npy (kseg's logits of
`photo(65, 97)`) and prints the largest difference.
"""

import sys
import zlib
from pathlib import Path

import numpy as np

NUM_CLASSES = 5
SIZES = ((64, 64), (65, 97), (33, 31), (1, 1))
MODELS = ("fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101")
TRUNK_STRIDES = (8, 16, 32)
TRUNK_SIZE = (65, 97)
V3PLUS_SIZE = (64, 96)
FILE = Path(__file__).with_name("torchvision.npz")

MEAN = np.array([0.485, 0.456, 0.406], "float32")
STD = np.array([0.229, 0.224, 0.225], "float32")


def photo(height, width):
    """uint8 `(1, height, width, 3)`, noise: every pixel and every phase of a stride counts."""
    rng = np.random.default_rng(height * 1000 + width)
    return rng.integers(0, 256, (1, height, width, 3), dtype=np.uint8)


def tensor(key, shape):
    """The weight of that name, the same on both sides.

    Scaled so that activations and logits stay of order 1 through 101 layers: convolutions keep the
    variance, the last batch norm of a residual branch adds a few percent, the classifier divides
    what has grown. Batch norm statistics and parameters are far from their start values, so that
    each of them matters.
    """
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    module, _, parameter = key.rpartition(".")
    if parameter == "num_batches_tracked":
        return np.zeros(shape, "int64")
    if parameter in ("running_mean", "bias"):
        return rng.normal(0, 0.1, shape).astype("float32")
    if parameter == "running_var":
        return rng.uniform(0.5, 1.5, shape).astype("float32")
    if len(shape) == 1:  # gamma of a batch norm
        low, high = (0.05, 0.3) if module.endswith("bn3") else (0.8, 1.2)
        return rng.uniform(low, high, shape).astype("float32")
    fan_in = int(np.prod(shape[1:]))
    values = rng.standard_normal(shape, dtype="float32")
    gain = 0.02 if module in ("classifier.4", "head") else 2.0
    return values * np.float32(np.sqrt(gain / fan_in))


def thin(array):
    """Of `(H, W, C)` every third row and column and the last: every phase of 8 occurs."""
    rows, columns = (sorted({*range(0, size, 3), size - 1}) for size in array.shape[:2])
    return array[rows][:, columns]


def thin_feature(array):
    """Of `(H, W, C)` every 61st channel at every second row and column."""
    return array[::2, ::2, ::61]


def names_and_shapes(shapes):
    """One line a tensor, in order of name: what a strict load compares."""
    return "\n".join(f"{key} {tuple(shape)}" for key, shape in sorted(shapes.items()))


def main(arguments):
    import torch
    import torchvision_reference  # noqa: F401  (must come before torchvision)

    torch.manual_seed(0)
    if arguments[:1] == ["check"]:
        check(Path(arguments[1]))
    else:
        write()


def write():
    import torch

    out = {"torch": torch.__version__, "torchvision": _torchvision().__version__}
    with torch.inference_mode():
        for name in MODELS:
            model = _fill(_segmentation(name))
            out[f"{name}/keys"] = np.uint32(_fingerprint(model))
            for size in SIZES:
                logits = _last(model(_normalised(photo(*size)))["out"])
                out[f"{name}/{size[0]}x{size[1]}"] = thin(logits)
                print(name, size, "std", logits.std(), "max", np.abs(logits).max())
        for output_stride in TRUNK_STRIDES:
            trunk = _fill(_trunk(output_stride))
            for stage, feature in _stages(trunk, _normalised(photo(*TRUNK_SIZE))).items():
                out[f"resnet50/{output_stride}/{stage}"] = thin_feature(_last(feature))
                print(output_stride, stage, tuple(feature.shape), float(feature.std()))
        out["resnet50/keys"] = np.uint32(_fingerprint(trunk))
        plus = _fill(_deeplabv3plus())
        logits = _last(plus(_normalised(photo(*V3PLUS_SIZE))))
        out["deeplabv3plus"] = thin(logits)
        print("deeplabv3plus", logits.std())
    np.savez_compressed(FILE, **out)
    print(FILE.name, FILE.stat().st_size, "bytes")


def check(folder):
    """kseg's state dicts: do they load strictly, and do the logits agree?"""
    import torch

    for name in MODELS:
        file = folder / f"{name}.pth"
        if not file.exists():
            print(name, "not there")
            continue
        model = _segmentation(name)
        print(name, model.load_state_dict(torch.load(file, weights_only=True), strict=True))
        with torch.inference_mode():
            logits = _last(model(_normalised(photo(65, 97)))["out"])
        expected = np.load(folder / f"{name}.npy")[0]
        print(name, "max", np.abs(logits).max(), "difference", np.abs(logits - expected).max())


def _torchvision():
    import torchvision

    return torchvision


def _segmentation(name):
    builder = getattr(_torchvision().models.segmentation, name)
    model = builder(weights=None, weights_backbone=None, num_classes=NUM_CLASSES, aux_loss=False)
    return model.eval()


def _trunk(output_stride):
    dilate = {32: (False, False, False), 16: (False, False, True), 8: (False, True, True)}
    model = _torchvision().models.resnet50(
        weights=None, replace_stride_with_dilation=dilate[output_stride]
    )
    del model.fc
    return model.eval()


def _stages(trunk, x):
    stages = {}
    x = stages["conv1"] = trunk.relu(trunk.bn1(trunk.conv1(x)))
    x = trunk.maxpool(x)
    for i in range(1, 5):
        x = stages[f"layer{i}"] = getattr(trunk, f"layer{i}")(x)
    return stages


def _deeplabv3plus():
    """Figure 2 of arXiv:1802.02611, put together from torchvision's parts and plain layers."""
    import torch
    from torch import nn
    from torch.nn.functional import interpolate

    segmentation = _torchvision().models.segmentation

    def block(channels, width, kernel):
        return nn.Sequential(
            nn.Conv2d(channels, width, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )

    class DeepLabV3Plus(nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone = _trunk(16)
            self.aspp = segmentation.deeplabv3.ASPP(2048, (6, 12, 18))
            self.low = block(256, 48, 1)
            self.first = block(304, 256, 3)
            self.second = block(256, 256, 3)
            self.head = nn.Conv2d(256, NUM_CLASSES, 1)

        def forward(self, image):
            stages = _stages(self.backbone, image)
            low = self.low(stages["layer1"])
            x = interpolate(self.aspp(stages["layer4"]), size=low.shape[-2:], mode="bilinear")
            x = self.second(self.first(torch.cat([x, low], dim=1)))
            return interpolate(self.head(x), size=image.shape[-2:], mode="bilinear")

    return DeepLabV3Plus().eval()


def _fill(model):
    import torch

    state = {
        key: torch.from_numpy(np.asarray(tensor(key, tuple(value.shape))))
        for key, value in model.state_dict().items()
    }
    model.load_state_dict(state, strict=True)
    return model


def _fingerprint(model):
    shapes = {key: value.shape for key, value in model.state_dict().items()}
    return zlib.crc32(names_and_shapes(shapes).encode())


def _normalised(image):
    """As torchvision's transforms: to 0..1, less the mean, by the deviation; channels first."""
    import torch

    image = (image.astype("float32") / 255 - MEAN) / STD
    return torch.from_numpy(image.transpose(0, 3, 1, 2).copy())


def _last(x):
    """`(1, C, H, W)` of torch -> NumPy `(H, W, C)`."""
    return x[0].permute(1, 2, 0).numpy()


if __name__ == "__main__":
    main(sys.argv[1:])
