"""Time and memory of a training step and of a prediction, beside segmentation_models.pytorch.

    pip install segmentation-models-pytorch torchvision
    python benchmarks/models.py [--backends tensorflow jax torch] [--rounds 2]

Same encoder (ResNet of torchvision's layout, random start), same batch of 256x256 photos, 21
classes, float32, AdamW, cross-entropy, one CPU thread. The like models: U-Net with smp's own
decoder widths; DeepLabV3 at output stride 8; DeepLabV3+ with separable convolutions at output
stride 16; FCN beside torchvision's `fcn_resnet50`. Each measurement is a process of its own; kseg
and the peer take turns.

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

CLASSES, SIZE = 21, 256
# model -> encoder
MODELS = {
    "unet": "resnet18",
    "deeplabv3": "resnet18",
    "deeplabv3plus": "resnet18",
    "fcn": "resnet50",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backends", nargs="+", default=["tensorflow", "jax", "torch"])
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2, help="processes of each measurement")
    parser.add_argument("--steps", type=int, default=4, help="steps timed in each process")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)  # what a child does
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(*options.measure, options.batch, options.steps)))
        return
    print(f"{'model':14} {'':10} {'train step':>16} {'predict':>16} {'peak memory':>16}")
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
            print(f"{model:14} {who:10} {'  '.join(cells)}", flush=True)


def child(who, model, options):
    """A measurement in a process of its own: train seconds, predict seconds, gigabytes."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    env["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    if who != "peer":
        env["KERAS_BACKEND"] = who
    command = [sys.executable, __file__, "--measure", who, model]
    command += ["--batch", str(options.batch), "--steps", str(options.steps)]
    result = subprocess.run(command, env=env, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{who} {model}: {result.stderr[-2000:]}")
    return json.loads(result.stdout.strip().splitlines()[-1])


def measure(who, model, batch, steps):
    import numpy as np

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, SIZE, SIZE, 3), dtype=np.uint8)
    labels = rng.integers(0, CLASSES, (batch, SIZE, SIZE))
    train, predict = (peer if who == "peer" else ours)(model, images, labels)
    before = peak()
    return [seconds(train, steps), seconds(predict, steps), peak() - before]


def ours(model, images, labels):
    import keras

    import kseg

    if keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(1)
    elif keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    arguments = {"encoder": f"torchvision:{MODELS[model]}", "compile": False}
    if model == "deeplabv3plus":
        arguments["separable"] = True
    network = getattr(kseg, f"build_{model}")(CLASSES, **arguments)
    network.compile(keras.optimizers.AdamW(1e-3), loss=kseg.CrossEntropyLoss())
    return (
        lambda: network.train_on_batch(images, labels),
        lambda: network.predict_on_batch(images),
    )


def peer(model, images, labels):
    import torch

    torch.set_num_threads(1)
    network = peer_network(model)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    x = (torch.tensor(images).permute(0, 3, 1, 2).float() / 255 - 0.45) / 0.225
    y = torch.tensor(labels)

    def logits():
        found = network(x)
        return found["out"] if isinstance(found, dict) else found

    def train():
        network.train()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(logits(), y).backward()
        optimizer.step()

    def predict():
        network.eval()
        with torch.no_grad():
            logits()

    return train, predict


def peer_network(model):
    if model == "fcn":
        from torchvision.models.segmentation import fcn_resnet50

        return fcn_resnet50(weights=None, weights_backbone=None, num_classes=CLASSES)
    import segmentation_models_pytorch as smp

    kind = {"unet": smp.Unet, "deeplabv3": smp.DeepLabV3, "deeplabv3plus": smp.DeepLabV3Plus}
    return kind[model](MODELS[model], encoder_weights=None, classes=CLASSES)


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
