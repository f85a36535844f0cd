"""ResNets in torchvision's layout, by the names `torchvision:resnet50` and so on."""

import numpy as np

from kseg.models.encoders.applications import IMAGENET_MEAN, IMAGENET_STD
from kseg.models.encoders.rebuild import adapted
from kseg.models.encoders.resnet import BLOCKS, build_resnet

NAMES = {f"torchvision:resnet{depth}": depth for depth in BLOCKS}


def encoder(name, weights, channels):
    """A ResNet, for images of `channels` channels.

    Args:
        name: Out of `NAMES`.
        weights: None; `"imagenet"` for torchvision's published weights, which are downloaded once
            (`kseg.weights.fetch`); or the path of one of torchvision's checkpoints, .pth or
            .safetensors, of a classifier or of a segmentation model.
        channels: Channels of the image; weights of the first convolution are adapted to it.

    Returns:
        `(model, (scale, offset))`: the model takes `image * scale + offset`.
    """
    from kseg import weights as checkpoints

    model = build_resnet(NAMES[name])
    if weights == "imagenet":
        weights = checkpoints.fetch(name.partition(":")[2])
    if weights is not None:
        checkpoints.torchvision.load(model, weights, head=False)
    scale = 1 / (255 * np.array(IMAGENET_STD))
    offset = -np.array(IMAGENET_MEAN) / IMAGENET_STD
    if channels != 3:
        model = adapted(model, channels)
        scale, offset = (np.full(channels, values.mean()) for values in (scale, offset))
    return model, (scale.tolist(), offset.tolist())
