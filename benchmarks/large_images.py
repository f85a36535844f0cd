"""Peak memory and time of photos of any size, by `kseg.predict(..., output=)`.

    KERAS_BACKEND=torch OMP_NUM_THREADS=1 python benchmarks/large_images.py --side 10000

A photo of SIDE x SIDE is written as a tiled TIFF, part by part, and predicted by a small U-Net into
a tiled TIFF; both lie in a temporary folder. Prints one line of JSON: seconds, the peak of this
process before and after (resident, MiB), and what is in the answer.
"""

import argparse
import json
import os
import platform
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

PATTERN = 1024  # pixels of the square that the photo repeats, each time a little brighter


def peak():
    """The most memory that this process has had, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write_photo(path, side):
    """A tiled TIFF of SIDE x SIDE, RGB, without ever holding it."""
    import tifffile

    coarse = np.random.default_rng(0).integers(0, 200, (32, 32, 3), np.uint8)
    square = np.kron(coarse, np.ones((32, 32, 1), np.uint8))
    across = -(-side // PATTERN)

    def tiles():
        for number in range(across * across):
            yield square + np.uint8(number % 50)

    shape = (side, side, 3)
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        file.write(tiles(), shape=shape, dtype="uint8", tile=(PATTERN, PATTERN), photometric="rgb")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--side", type=int, default=10_000, help="pixels (%(default)s)")
    parser.add_argument("--width", type=int, default=8, help="of the U-Net (%(default)s)")
    parser.add_argument("--depth", type=int, default=3, help="of the U-Net (%(default)s)")
    parser.add_argument("--classes", type=int, default=5)
    parser.add_argument("--tile", type=int, help="pixels; default: as kseg chooses")
    options = parser.parse_args()

    import keras
    import tifffile

    import kseg

    keras.utils.set_random_seed(0)
    model = kseg.build_unet(
        options.classes, width=options.width, depth=options.depth, compile=False
    )
    with tempfile.TemporaryDirectory() as folder:
        photo, answer = Path(folder) / "photo.tif", Path(folder) / "labels.tif"
        write_photo(photo, options.side)
        small = Path(folder) / "small.tif"
        write_photo(small, 300)
        kseg.predict(model, small, output=Path(folder) / "small_labels.tif")  # what is loaded once
        before, start = peak(), time.perf_counter()
        kseg.predict(model, photo, output=answer, tile=options.tile)
        seconds, after = time.perf_counter() - start, peak()
        with tifffile.TiffFile(answer) as file:
            page = file.pages[0]
            ids = np.unique(page.segments().__next__()[0])
            shape = page.shape
    print(
        json.dumps(
            {
                "backend": keras.backend.backend(),
                "side": options.side,
                "seconds": round(seconds, 1),
                "megapixels_a_second": round(options.side**2 / 1e6 / seconds, 2),
                "peak_before_mib": round(before),
                "peak_mib": round(after),
                "shape": shape,
                "ids_of_the_first_tile": ids.tolist(),
                "threads": os.environ.get("OMP_NUM_THREADS"),
                "python": platform.python_version(),
            }
        )
    )


if __name__ == "__main__":
    main()
