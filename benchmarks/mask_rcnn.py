"""Time and memory of Mask R-CNN's training step and prediction, beside torchvision's.

    pip install torchvision
    python benchmarks/mask_rcnn.py [--backends tensorflow jax torch] [--models resnet50 small]

The same photo-like image of 512x512 with the same objects (rectangles of 24 to 200 pixels), 5
classes, float32, SGD with momentum, one CPU thread. With a random start hardly a proposal hits an
object, so that the positive regions are the objects themselves: as many for both. `resnet50` is
`maskrcnn_resnet50_fpn` as published; `small` a ResNet-18 with a pyramid of 64 channels. Each
measurement is a process of its own; kseg and the peer take turns.

Printed are CPU seconds (which other work on the machine changes little) and the growth of the peak
memory over that after the imports; ratios are kseg / peer of the medians, below 1 is better.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

CLASSES, SIZE = 5, 512
SMALL = {"fpn_width": 64, "box_width": 256, "mask_width": 64}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backends", nargs="+", default=["tensorflow", "jax", "torch"])
    parser.add_argument("--models", nargs="+", default=["resnet50", "small"])
    parser.add_argument("--objects", type=int, default=32, help="in the image: positive regions")
    parser.add_argument("--rounds", type=int, default=2, help="processes of each measurement")
    parser.add_argument("--steps", type=int, default=3, help="steps timed in each process")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)  # what a child does
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(*options.measure, options.objects, options.steps)))
        return
    print(f"{'model':10} {'':10} {'train step':>16} {'predict':>16} {'peak memory':>16}")
    for model in options.models:
        found = {who: [] for who in ("peer", *options.backends)}
        for _ in range(options.rounds):
            for who, runs in found.items():
                runs.append(child(who, model, options))
        medians = {
            who: [statistics.median(column) for column in zip(*runs)] for who, runs in found.items()
        }
        for who, values in medians.items():
            cells = [
                f"{value:8.2f} {unit}" + (f" {value / base:5.2f}" if who != "peer" else " " * 6)
                for value, base, unit in zip(values, medians["peer"], ("s", "s", "GB"))
            ]
            print(f"{model:10} {who:10} {'  '.join(cells)}", flush=True)


def child(who, model, options):
    """A measurement in a process of its own: train seconds, predict seconds, gigabytes."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    env["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    if who != "peer":
        env["KERAS_BACKEND"] = who
    command = [sys.executable, __file__, "--measure", who, model]
    command += ["--objects", str(options.objects), "--steps", str(options.steps)]
    result = subprocess.run(command, env=env, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{who} {model}: {result.stderr[-2000:]}")
    return json.loads(result.stdout.strip().splitlines()[-1])


def measure(who, model, objects, steps):
    train, predict = (peer if who == "peer" else ours)(model, *scene(objects))
    before = peak()
    return [seconds(train, steps), seconds(predict, steps), peak() - before]


def scene(count):
    """An image with `count` rectangles: image, boxes, classes, masks."""
    import numpy as np

    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    corners = rng.integers(0, SIZE - 24, (count, 2))
    ends = np.minimum(corners + rng.integers(24, 200, (count, 2)), SIZE)
    boxes = np.concatenate([corners, ends], axis=1).astype("float32")
    masks = np.zeros((count, SIZE, SIZE), np.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.astype(int)):
        mask[y1:y2, x1:x2] = 1
    return image, boxes, rng.integers(0, CLASSES, count).astype("int32"), masks


def ours(model, image, boxes, classes, masks):
    import keras

    import kseg

    if keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(1)
    elif keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(0)
    options = SMALL if model == "small" else {}
    encoder = "torchvision:resnet18" if model == "small" else "torchvision:resnet50"
    network = kseg.build_mask_rcnn(CLASSES, encoder=encoder, compile=False, seed=0, **options)
    network.compile(keras.optimizers.SGD(1e-4, momentum=0.9))
    labels = {"boxes": boxes[None], "classes": classes[None], "masks": masks[None]}
    return (
        lambda: network.train_on_batch(image[None], labels),
        lambda: network.predict_on_batch(image[None]),
    )


def peer(model, image, boxes, classes, masks):
    import torch
    from torchvision.models.detection import MaskRCNN, maskrcnn_resnet50_fpn

    torch.set_num_threads(1)
    torch.manual_seed(0)
    options = {"min_size": SIZE, "max_size": SIZE}
    if model == "small":
        network = MaskRCNN(small_backbone(), **small_heads(), **options)
    else:
        network = maskrcnn_resnet50_fpn(
            weights=None, weights_backbone=None, num_classes=CLASSES + 1, **options
        )
    optimizer = torch.optim.SGD(network.parameters(), 1e-4, momentum=0.9)
    x = [torch.tensor(image).permute(2, 0, 1).float() / 255]
    target = {
        "boxes": torch.tensor(boxes),
        "labels": torch.tensor(classes).long() + 1,
        "masks": torch.tensor(masks),
    }

    def train():
        network.train()
        optimizer.zero_grad()
        sum(network(x, [target]).values()).backward()
        optimizer.step()

    def predict():
        network.eval()
        with torch.no_grad():
            network(x)

    return train, predict


def small_backbone():
    from torchvision.models import resnet18
    from torchvision.models.detection.backbone_utils import BackboneWithFPN

    stages = {f"layer{stage}": str(stage - 1) for stage in range(1, 5)}
    return BackboneWithFPN(resnet18(weights=None), stages, [64, 128, 256, 512], SMALL["fpn_width"])


def small_heads():
    from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
    from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor

    width, mask = SMALL["fpn_width"], SMALL["mask_width"]
    return {
        "num_classes": None,
        "box_head": TwoMLPHead(49 * width, SMALL["box_width"]),
        "box_predictor": FastRCNNPredictor(SMALL["box_width"], CLASSES + 1),
        "mask_head": MaskRCNNHeads(width, (mask,) * 4, 1),
        "mask_predictor": MaskRCNNPredictor(mask, mask, CLASSES + 1),
    }


def seconds(step, count):
    """CPU seconds of a step, after one that compiles and one that warms up."""
    step()
    step()
    started = time.process_time()
    for _ in range(count):
        step()
    return (time.process_time() - started) / count


def peak():
    """Gigabytes: the largest memory this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
