"""Time and memory of a training step and of a prediction, beside segmentation_models.pytorch.

    pip install segmentation-models-pytorch torchvision
    python benchmarks/models.py [--backends tensorflow jax torch] [--rounds 5] [--threads 1]

Same encoder (ResNet of torchvision's layout, random start), same batch of 256x256 photos, 21
classes, float32, AdamW, cross-entropy. The like models: U-Net with smp's own
decoder widths; DeepLabV3 at output stride 8; DeepLabV3+ with separable convolutions at output
stride 16; FCN beside torchvision's `fcn_resnet50`. The peer runs as it is built, and with weights
and photos in PyTorch's channels-last format. Every step begins with photos of bytes; a prediction
of kseg's is one of `kseg.predict` and `kseg.evaluate`. Each measurement is a process of its own;
all take turns.

Printed are medians over the processes, of the quickest step of each: CPU seconds (which other work
on the machine changes little; of several threads give `--clock`) of a training step and of a
prediction, of the whole batch and of one photo, and the growth of the peak memory over that after
the network was built. In brackets the ratio to the better of the two peers, below 1 is better.
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
PEERS = ("peer", "peer nhwc")
COLUMNS = ("train step", "predict batch", "one photo", "peak GB")
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
    parser.add_argument("--rounds", type=int, default=5, help="processes of each measurement")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clock", action="store_true", help="time on the clock, not of the CPU")
    parser.add_argument("--steps", type=int, default=4, help="steps timed in each process")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)  # what a child does
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(*options.measure, options)))
        return
    print(f"{'':24}" + "".join(f"{name:>16}" for name in COLUMNS))
    for model in options.models:
        found = {who: [] for who in (*PEERS, *options.backends)}
        for _ in range(options.rounds):
            for who, runs in found.items():
                runs.append(child(who, model, options))
        medians = {
            who: [statistics.median(column) for column in zip(*runs)] for who, runs in found.items()
        }
        best = [min(column) for column in zip(*(medians[peer] for peer in PEERS))]
        for who, values in medians.items():
            cells = [f"{value:8.3f} ({value / base:4.2f})" for value, base in zip(values, best)]
            print(f"{model:14}{who:10}" + "".join(f"{cell:>16}" for cell in cells), flush=True)


def child(who, model, options):
    """A measurement in a process of its own: what `COLUMNS` say."""
    threads = str(options.threads)
    env = {**os.environ, "OMP_NUM_THREADS": threads, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if options.threads == 1:
        env["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    if who not in PEERS:
        env["KERAS_BACKEND"] = who
    command = [sys.executable, __file__, "--measure", who, model, "--threads", threads]
    command += ["--batch", str(options.batch), "--steps", str(options.steps)]
    command += ["--clock"] * options.clock
    result = subprocess.run(command, env=env, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{who} {model}: {result.stderr[-2000:]}")
    return json.loads(result.stdout.strip().splitlines()[-1])


def measure(who, model, options):
    import numpy as np

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (options.batch, SIZE, SIZE, 3), dtype=np.uint8)
    labels = rng.integers(0, CLASSES, (options.batch, SIZE, SIZE))
    train, predict = peer(who, model, options) if who in PEERS else ours(model, options)
    before = peak()
    found = [
        seconds(lambda: train(images, labels), options),
        seconds(lambda: predict(images), options),
        seconds(lambda: predict(images[:1]), options),
    ]
    return [*found, peak() - before]


def ours(model, options):
    import keras

    import kseg
    from kseg.prediction.network import forward

    if keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(options.threads)
    elif keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(options.threads)
        tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    arguments = {"encoder": f"torchvision:{MODELS[model]}", "compile": False}
    if model == "deeplabv3plus":
        arguments["separable"] = True
    network = getattr(kseg, f"build_{model}")(CLASSES, **arguments)
    network.compile(keras.optimizers.AdamW(1e-3), loss=kseg.CrossEntropyLoss())
    return network.train_on_batch, lambda images: forward(network, images)


def peer(who, model, options):
    import torch

    torch.set_num_threads(options.threads)
    kept = torch.channels_last if who == "peer nhwc" else torch.contiguous_format
    network = peer_network(model).to(memory_format=kept)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)

    def logits(images):
        x = (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 - 0.45) / 0.225
        found = network(x.contiguous(memory_format=kept))
        return found["out"] if isinstance(found, dict) else found

    def train(images, labels):
        network.train()
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(logits(images), torch.from_numpy(labels))
        loss.backward()
        optimizer.step()

    def predict(images):
        network.eval()
        with torch.inference_mode():
            return logits(images).numpy()

    return train, predict


def peer_network(model):
    if model == "fcn":
        from torchvision.models.segmentation import fcn_resnet50

        return fcn_resnet50(weights=None, weights_backbone=None, num_classes=CLASSES)
    import segmentation_models_pytorch as smp

    kind = {"unet": smp.Unet, "deeplabv3": smp.DeepLabV3, "deeplabv3plus": smp.DeepLabV3Plus}
    return kind[model](MODELS[model], encoder_weights=None, classes=CLASSES)


def seconds(step, options):
    """The least time of a step, after one that compiles and one that warms up."""
    now = time.perf_counter if options.clock else time.process_time
    step()
    step()
    found = []
    for _ in range(options.steps):
        started = now()
        step()
        found.append(now() - started)
    return min(found)


def peak():
    """Gigabytes: the largest memory this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
