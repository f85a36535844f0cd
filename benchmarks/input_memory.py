"""Memory of the input pipeline over many epochs: resident size after each, and its slope.

python benchmarks/input_memory.py [camvid:PATH] [--epochs 40] [--size 352x480]
"""

import argparse
import os
import time

import numpy as np


def resident_megabytes():
    """Resident set size of this process, as Linux tells it."""
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure_memory(source, size, epochs):
    """Prints the resident size after each epoch of training batches, and its slope."""
    import kseg

    ds = kseg.data.batches(source, size=size, augment=True, batch_size=8)
    sizes = []
    for epoch in range(epochs):
        began, images = time.perf_counter(), 0
        for batch, _ in ds:
            images += len(batch)
        sizes.append(resident_megabytes())
        rate = images / (time.perf_counter() - began)
        print(f"epoch {epoch + 1:2}  {sizes[-1]:7.1f} MB  {rate:6.1f} images/s", flush=True)
    settled = sizes[len(sizes) // 4 :]  # thread pools and file caches fill in the first epochs
    slope = np.polyfit(range(len(settled)), settled, 1)[0]
    print(f"slope over the last {len(settled)} epochs: {slope:+.2f} MB an epoch")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", default="shapes")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--size", default="224x320", help="of the crops (%(default)s)")
    options = parser.parse_args()

    from kseg.data.spec import DataSpec

    size = tuple(map(int, options.size.split("x")))
    measure_memory(DataSpec(options.data).open("train"), size, options.epochs)


if __name__ == "__main__":
    main()
