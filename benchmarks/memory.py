"""Peak memory of predicting and scoring one photo, by the photo's size, above that of the model.

    python benchmarks/memory.py [--models unet32 mask_rcnn] [--megapixels 0.5 3 12 50]

Each number comes from a process of its own: the resident memory at its highest (VmHWM, which the
kernel counts anew after the same of a small photo) less what the process held before the photo was
read. It is predicted from its file, and scored with its mask out of a folder. A photo's own bytes,
3 a pixel, its ids, 4 a pixel, and what is compiled are part of it.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

BACKENDS = ("tensorflow", "jax", "torch")
BUILDERS = {
    "unet": ("build_unet", {}),
    "unet16": ("build_unet", {"width": 16}),
    "unet32": ("build_unet", {"width": 32}),  # as `kseg fit` builds it
    "deeplabv3plus": ("build_deeplabv3plus", {}),
    "fcn8s": ("build_fcn8s", {}),
    "mask_rcnn": ("build_mask_rcnn", {}),
}
CLASSES = 21


def resident(name):
    """A line of /proc/self/status in megabytes: VmRSS, now, or VmHWM, at its highest."""
    with open("/proc/self/status") as status:
        (kilobytes,) = (line.split()[1] for line in status if line.startswith(name))
    return int(kilobytes) / 1024


def photo_of(megapixels):
    """A photo of 4:3 with soft blocks."""
    import numpy as np

    height = int((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = height * 4 // 3
    blocks = np.random.default_rng(0).integers(0, 256, (height // 16 + 1, width // 16 + 1, 3))
    return np.kron(blocks.astype(np.uint8), np.ones((16, 16, 1), np.uint8))[:height, :width]


def folder_of(folder, megapixels):
    """Writes a photo and its mask of two classes as people have them; the folder."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    photo = photo_of(megapixels)
    for name, array in (("images/a.jpg", photo), ("masks/a.png", photo[..., 0] // 128)):
        path = folder / str(megapixels) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(path)
    return folder / str(megapixels)


def predicted(network, folder):
    import kseg

    kseg.predict(network, folder / "images" / "a.jpg")


def scored(network, folder):
    import kseg

    classes = [f"class {index}" for index in range(CLASSES)]
    kseg.evaluate(network, kseg.data.folder(folder / "images", folder / "masks", classes))


def measure(model, what, megapixels):
    """Prints megabytes above the model, and seconds."""
    import kseg

    builder, arguments = BUILDERS[model]
    network = getattr(kseg, builder)(CLASSES, compile=False, **arguments)
    do = predicted if what == "predict" else scored
    with tempfile.TemporaryDirectory() as folder:
        small, large = (folder_of(pathlib.Path(folder), each) for each in (0.004, megapixels))
        do(network, small)  # what is imported, and compiled for any size, is no photo's
        highest, seconds = highest_of(lambda: do(network, large))
    print(f"{highest:.0f} {seconds:.0f}", flush=True)


def highest_of(do):
    """Megabytes that something takes at its highest, above what there was, and seconds."""
    with open("/proc/self/clear_refs", "w") as counters:
        counters.write("5")  # of the highest
    before, started = resident("VmRSS"), time.perf_counter()
    do()
    return resident("VmHWM") - before, time.perf_counter() - started


def cell(backend, script, *arguments):
    """A cell of a table: the megabytes and seconds that a script prints in a process of its own."""
    environment = {**os.environ, "KERAS_BACKEND": backend}
    environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    command = [sys.executable, script, *map(str, arguments)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    words = result.stdout.split()
    return f"{int(words[0]):,} MB, {words[1]} s" if words else "ended"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--models", nargs="+", default=["unet32", "deeplabv3plus"], choices=BUILDERS
    )
    parser.add_argument("--megapixels", nargs="+", type=float, default=[0.5, 3, 12, 50])
    parser.add_argument("--backends", nargs="+", default=BACKENDS, choices=BACKENDS)
    parser.add_argument("--what", nargs="+", default=["predict", "evaluate"])
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)  # model, what, megapixels
    options = parser.parse_args()
    if options.one:
        model, what, megapixels = options.one
        return measure(model, what, float(megapixels))
    print(
        "| model | | backend | " + " | ".join(f"{each:g} MP" for each in options.megapixels) + " |"
    )
    print("|---" * (3 + len(options.megapixels)) + "|")
    for model in options.models:
        for what in options.what:
            if what == "evaluate" and model == "mask_rcnn":
                continue  # of no objects there is nothing to score
            for backend in options.backends:
                cells = []
                for megapixels in options.megapixels:
                    cells.append(cell(backend, __file__, "--one", model, what, megapixels))
                print(f"| {model} | {what} | {backend} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
