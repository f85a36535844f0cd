"""torchvision's checkpoints as models of kseg, whose weights a training starts from."""

import re

from kseg.base.arguments import refused
from kseg.weights import torchvision
from kseg.weights.files import SUFFIXES, read
from kseg.weights.torchvision_mask_rcnn import COUNTED

DEPTHS = {(2, False): 18, (6, False): 34, (6, True): 50, (23, True): 101, (36, True): 152}
SCORES = "classifier.4.weight"  # of FCN and DeepLab, `(classes, ...)`
# The 91 categories of COCO as torchvision counts them, from 1; ten were never used
COCO = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire
hydrant, street sign, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow,
elephant, bear, zebra, giraffe, hat, backpack, umbrella, shoe, eye glasses, handbag, tie,
suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard,
surfboard, tennis racket, bottle, plate, wine glass, cup, fork, knife, spoon, bowl, banana,
apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted
plant, bed, mirror, dining table, window, desk, toilet, door, tv, laptop, mouse, remote,
keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, blender, book, clock, vase,
scissors, teddy bear, hair drier, toothbrush
"""


def is_checkpoint(path):
    """Whether a path is called like a file of tensors."""
    return path.suffix in SUFFIXES


def opened_checkpoint(path):
    """The model of a checkpoint, its class names or None, no run, and what it leaves of the file.

    Args:
        path: A .pth or .safetensors file of torchvision's FCN, DeepLab v3 or Mask R-CNN.

    Raises:
        ValueError: it is of something else.
    """
    from kseg import models
    from kseg.data.readers.voc import CLASSES

    tensors = read(path)
    encoder = f"torchvision:resnet{_depth(path, tensors)}"
    options = {"encoder": encoder, "compile": False}
    if COUNTED in tensors:
        classes = len(tensors[COUNTED]) - 1
        coco = tuple(" ".join(COCO.split()).split(", "))
        widths = {
            "fpn_width": len(tensors[_first(tensors, "backbone.fpn.inner_blocks.0")]),
            "box_width": len(tensors["roi_heads.box_head.fc6.weight"]),
            "mask_width": tensors["roi_heads.mask_predictor.conv5_mask.weight"].shape[1],
        }
        model = models.build_mask_rcnn(classes, **options, **widths)
        names = coco if classes == len(coco) else None
    elif SCORES in tensors:
        classes = len(tensors[SCORES])
        deep = any(key.startswith("classifier.0.convs") for key in tensors)
        build = models.build_deeplabv3 if deep else models.build_fcn
        width = len(tensors["classifier.1.weight"])
        model = build(classes, width=width, **options)
        names = CLASSES if classes == len(CLASSES) else None
    else:
        remedy = f"Give it to the encoder: encoder={encoder!r}, weights={str(path)!r} of the model."
        raise refused(
            "start", str(path), "a checkpoint of a whole network, not of a classifier", remedy
        )
    left = torchvision.load(model, path)
    return model, names, None, tuple(dict.fromkeys(key.partition(".")[0] for key in left))


def _first(tensors, prefix):
    return next(key for key in tensors if key.startswith(prefix) and key.endswith("weight"))


def _depth(path, tensors):
    """Layers of the ResNet in a checkpoint: 18, 34, 50, 101 or 152."""
    blocks = {
        int(found[1]) for key in tensors if (found := re.search(r"layer3\.(\d+)\.conv1", key))
    }
    bottleneck = any(re.search(r"layer3\.0\.conv3", key) for key in tensors)
    depth = DEPTHS.get((len(blocks), bottleneck))
    if depth is None:
        expected = "a checkpoint of torchvision's FCN, DeepLab v3 or Mask R-CNN on a ResNet"
        remedy = f"It has {', '.join(list(tensors)[:3])}, ..."
        raise refused("start", str(path), expected, remedy)
    return depth
