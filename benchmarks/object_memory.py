"""Peak memory of photos with many objects, above that of the model, which is a stand-in.

    python benchmarks/object_memory.py [--objects 300] [--side 1024] [--photos 4]

Each number comes from a process of its own, as in memory.py: resident memory at its highest less
what the process held before the photos were made. So it holds the photos, what the network is given
and gives, and the answers; what a real network needs within itself is in memory.py.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from memory import BACKENDS, resident

WHAT = ("predict", "predict, masks drawn", "kseg predict", "evaluate")
MASK = 28  # pixels of a side, as of Mask R-CNN


class Finder:
    """Obeys the contract of instance models; it finds so many objects in every photo."""

    task, channels, score, name, num_classes, resize = "instance", 3, "mask_ap", "finder", 2, None

    def __init__(self, objects):
        self.objects = objects

    def predict_on_batch(self, x):
        """Discs of a third of the photo, at places by chance."""
        import numpy as np

        rng, (batch, height, width) = np.random.default_rng(0), x["image"].shape[:3]
        shape, side = (batch, self.objects), min(height, width)
        corner = rng.uniform(0, 0.7 * side, (*shape, 2))
        y, x = np.mgrid[:MASK, :MASK] + 0.5
        disc = (np.hypot(y - MASK / 2, x - MASK / 2) < MASK / 2).astype("float32")
        return {
            "boxes": np.concatenate([corner, corner + 0.3 * side], axis=-1).astype("float32"),
            "classes": rng.integers(0, 2, shape).astype("int32"),
            "scores": np.sort(rng.uniform(0.6, 1, shape).astype("float32"))[:, ::-1],
            "masks": np.broadcast_to(disc, (*shape, MASK, MASK)).copy(),
        }


def source_of(photos):
    """The photos, with one true object in each."""
    import numpy as np

    import kseg

    side = photos.shape[1]

    def decode(row):
        import tensorflow as tf

        box = tf.constant([[0.0, 0.0, side, side]])
        mask = tf.ones((1, side, side), tf.uint8)
        more = {"masks": mask, "classes": [0], "boxes": box, "crowd": [False]}
        return {"image": row["image"], **more}

    names = tuple(map(str, range(len(photos))))
    colors = ((200, 0, 0), (0, 200, 0))
    columns = {"image": np.asarray(photos)}
    return kseg.data.Source("made", columns, decode, ("a", "b"), colors, names, task="instance")


def measure(what, objects, side, count):
    """Prints megabytes above the model, and seconds."""
    import numpy as np

    import kseg
    from kseg.prediction.files import predict_files
    from kseg.prediction.predictor import KerasPredictor

    def run(model, side, count):
        photos = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)
        if what == "evaluate":
            return kseg.evaluate(model, source_of(photos), batch_size=count)
        if what == "kseg predict":
            from PIL import Image

            with tempfile.TemporaryDirectory() as folder:
                folder = Path(folder)
                for index, photo in enumerate(photos):
                    Image.fromarray(photo).save(folder / f"{index}.png")
                predictor = KerasPredictor(folder / "model", model)
                paths = sorted(folder.glob("*.png"))
                return predict_files(predictor, paths, folder / "out")
        results = kseg.predict(model, list(photos))
        if what != "predict":
            for each in results:
                each.masks.any()
        return results

    run(Finder(2), 64, 2)
    with open("/proc/self/clear_refs", "w") as counters:
        counters.write("5")
    before, started = resident("VmRSS"), time.perf_counter()
    run(Finder(objects), side, count)
    print(f"{resident('VmHWM') - before:.0f} {time.perf_counter() - started:.0f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--objects", type=int, default=300)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--photos", type=int, default=4)
    parser.add_argument("--backends", nargs="+", default=BACKENDS, choices=BACKENDS)
    parser.add_argument("--what", nargs="+", default=WHAT, choices=WHAT)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    numbers = options.objects, options.side, options.photos
    if options.one:
        return measure(*options.what, *numbers)
    print("| | " + " | ".join(options.backends) + " |")
    print("|---" * (1 + len(options.backends)) + "|")
    for what in options.what:
        cells = []
        for backend in options.backends:
            given = zip(("--objects", "--side", "--photos"), map(str, numbers))
            asked = [each for pair in given for each in pair]
            command = [sys.executable, __file__, "--one", "--what", what, *asked]
            environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False
            )
            words = done.stdout.split()[-2:]
            cells.append(f"{int(words[0]):,} MB, {words[1]} s" if words else done.stderr[-200:])
        print(f"| {what} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
