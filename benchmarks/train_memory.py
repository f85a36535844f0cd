"""Peak memory and time of a training step, with all feature maps kept and with `remat`.

    python benchmarks/train_memory.py [--models unet16 resnet18] [--side 256] [--batch 4]

Each row comes from two processes of its own. Memory is the resident one at its highest (VmHWM,
which the kernel counts anew after the first step, that compiles) less what the process held before
the model was built: weights, optimizer and compiled code are in it, the same in both.
"""

import argparse
import contextlib
import statistics
import time

from memory import BACKENDS, cell, resident

BUILDERS = {
    "unet16": ("build_unet", {"width": 16}),
    "unet32": ("build_unet", {"width": 32}),  # as `kseg fit` builds it
    "resnet18": ("build_unet", {"encoder": "torchvision:resnet18"}),
    "deeplabv3plus": ("build_deeplabv3plus", {"encoder": "efficientnet_lite0"}),
}
CLASSES = 21


def measure(model, side, batch, remat):
    """Prints megabytes and seconds of a step."""
    import keras
    import numpy as np

    import kseg
    from kseg.models.recomputed import recomputing

    keras.ops.zeros(1)
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (batch, side, side, 3), "uint8")
    y = rng.integers(0, CLASSES, (batch, side, side), "int32")
    before = resident("VmRSS")
    builder, arguments = BUILDERS[model]
    network = getattr(kseg, builder)(CLASSES, **arguments)
    seconds = []
    with recomputing(network) if remat else contextlib.nullcontext():
        network.train_on_batch(x, y)
        with open("/proc/self/clear_refs", "w") as counters:
            counters.write("5")  # of the highest
        for _ in range(3):
            started = time.perf_counter()
            network.train_on_batch(x, y)
            seconds.append(time.perf_counter() - started)
    print(f"{resident('VmHWM') - before:.0f} {statistics.median(seconds):.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="+", default=["unet16"], choices=BUILDERS)
    parser.add_argument("--backends", nargs="+", default=BACKENDS, choices=BACKENDS)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)  # model, remat
    options = parser.parse_args()
    if options.one:
        model, remat = options.one
        return measure(model, options.side, options.batch, remat == "True")
    print("| model | backend | kept | remat |\n|---|---|---|---|")
    for model in options.models:
        for backend in options.backends:
            size = ["--side", options.side, "--batch", options.batch]
            cells = [
                cell(backend, __file__, "--one", model, remat, *size) for remat in (False, True)
            ]
            print(f"| {model} | {backend} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
