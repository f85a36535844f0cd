"""Mask R-CNN beside torchvision: its training step and prediction, NMS and RoIAlign alone."""

import numpy as np

from on_gpu.device import CLASSES, photos, seconds


def detection(who, device, tiny, part=""):
    """Rows of Mask R-CNN's training step and prediction."""
    height, width, batch, objects, count = (64, 96, 1, 2, 1) if tiny else (800, 1344, 2, 32, 5)
    scene = boxes_and_masks(height, width, batch, objects)
    device.allow_tf32(True)
    made = torchvision_detector if who == "peer" else our_detector
    row = {"case": f"mask_rcnn {height}x{width} x{batch} tf32"}
    for kind, step in zip(("train", "predict"), made(*scene, device, tiny)):
        device.forget_peak()
        row[f"{kind} ms"] = 1000 * seconds(device, step, count)
        row[f"{kind} GB"] = device.gigabytes()
    yield row


def boxes_and_masks(height, width, batch, objects):
    """Images, and rectangles as their objects."""
    rng = np.random.default_rng(0)
    corners = rng.integers(0, (width - 24, height - 24), (batch, objects, 2))
    ends = np.minimum(corners + rng.integers(24, 200, corners.shape), (width, height))
    boxes = np.concatenate([corners, ends], axis=-1)
    masks = np.zeros((batch, objects, height, width), np.uint8)
    for image in range(batch):
        for mask, (x1, y1, x2, y2) in zip(masks[image], boxes[image]):
            mask[y1:y2, x1:x2] = 1
    classes = rng.integers(0, CLASSES, (batch, objects)).astype("int32")
    return photos(batch, height, width), boxes.astype("float32"), classes, masks


def our_detector(images, boxes, classes, masks, device, tiny):
    import keras

    import kseg
    from kseg.prediction.network import forward

    small = {"fpn_width": 8, "box_width": 8, "mask_width": 8, "region_samples": 16}
    encoder = f"torchvision:resnet{18 if tiny else 50}"
    model = kseg.build_mask_rcnn(
        CLASSES, encoder=encoder, seed=0, compile=False, **(small if tiny else {})
    )
    model.compile(keras.optimizers.SGD(1e-4, momentum=0.9))
    labels = {"boxes": boxes, "classes": classes, "masks": masks}
    labels = {name: device.put(values) for name, values in labels.items()}
    sizes = np.full((len(images), 2), images.shape[1:3], np.int32)
    inputs = {"image": device.put(images.astype("float32")), "size": sizes}
    x = device.put(images)
    return (
        lambda: model.train_on_batch(x, labels),
        lambda: forward(model.detector, inputs),
    )


def torchvision_detector(images, boxes, classes, masks, device, tiny):
    import torch
    from torchvision.models.detection import maskrcnn_resnet50_fpn

    device = "cuda" if device.gpu else "cpu"
    sides = {"min_size": min(images.shape[1:3]), "max_size": max(images.shape[1:3])}
    network = maskrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=CLASSES + 1, **sides
    ).to(device)
    optimizer = torch.optim.SGD(network.parameters(), 1e-4, momentum=0.9)
    x = [torch.as_tensor(image, device=device).permute(2, 0, 1).float() / 255 for image in images]
    targets = [
        {
            "boxes": torch.as_tensor(boxes[i], device=device),
            "labels": torch.as_tensor(classes[i], device=device).long() + 1,
            "masks": torch.as_tensor(masks[i], device=device),
        }
        for i in range(len(images))
    ]

    def train():
        network.train()
        optimizer.zero_grad()
        sum(network(x, targets).values()).backward()
        optimizer.step()

    def predict():
        network.eval()
        with torch.no_grad():
            return network(x)

    return train, predict


def operations(who, device, tiny, part=""):
    """Rows of NMS and RoIAlign alone."""
    rng = np.random.default_rng(0)
    boxes, regions, side = (50, 8, 64) if tiny else (2000, 512, 512)
    corners = rng.uniform(0, side, (5, boxes, 2))
    found = np.concatenate([corners, corners + rng.uniform(8, 100, corners.shape)], -1)
    found = found.astype("float32")
    scores = rng.random((5, boxes)).astype("float32")
    features = [
        rng.normal(size=(1, side // s, side // s, 256)).astype("float32") for s in (4, 8, 16, 32)
    ]
    made = {"peer": torchvision_operations, "jax": jax_operations, "torch": torch_operations}
    if who not in made:
        return
    named = made[who](found, scores, found[:1, :regions], features)
    for name, step in named.items():
        yield {"case": name, "ms": 1000 * seconds(device, step, 1 if tiny else 10)}


def jax_operations(boxes, scores, regions, features):
    import jax

    from kseg.ops.nms import nms
    from kseg.ops.roi_align import roi_align

    def align(features):
        return roi_align(features, regions, 7, strides=(4, 8, 16, 32)).sum()

    suppress = jax.jit(lambda boxes, scores: nms(boxes, scores, 0.7, 1000))
    both = jax.jit(jax.value_and_grad(align))
    boxes, scores, features = jax.device_put((boxes, scores, features))
    return {
        "nms 5 x 2000": lambda: jax.block_until_ready(suppress(boxes, scores)),
        "roi_align and gradient": lambda: jax.block_until_ready(both(features)),
    }


def torch_operations(boxes, scores, regions, features):
    import keras
    import torch

    from kseg.ops.nms import nms
    from kseg.ops.roi_align import roi_align

    boxes, scores, regions = map(keras.ops.convert_to_tensor, (boxes, scores, regions))
    features = [keras.ops.convert_to_tensor(each).requires_grad_() for each in features]

    def suppress():
        with torch.no_grad():
            return nms(boxes, scores, 0.7, 1000)

    def both():
        torch.autograd.grad(roi_align(features, regions, 7, strides=(4, 8, 16, 32)).sum(), features)

    return {"nms 5 x 2000": suppress, "roi_align and gradient": both}


def torchvision_operations(boxes, scores, regions, features):
    import torch
    from torchvision.ops import MultiScaleRoIAlign, nms

    device = "cuda" if torch.cuda.is_available() else "cpu"
    boxes, scores, regions = (torch.as_tensor(x, device=device) for x in (boxes, scores, regions))
    align = MultiScaleRoIAlign(["0", "1", "2", "3"], 7, 2)
    side = 4 * features[0].shape[1]
    levels = {
        str(i): torch.as_tensor(x, device=device).permute(0, 3, 1, 2).requires_grad_()
        for i, x in enumerate(features)
    }

    def both():
        found = align(levels, [regions[0]], [(side, side)]).sum()
        torch.autograd.grad(found, list(levels.values()), allow_unused=True)

    return {
        "nms 5 x 2000": lambda: [nms(*group, 0.7)[:1000] for group in zip(boxes, scores)],
        "roi_align and gradient": both,
    }
