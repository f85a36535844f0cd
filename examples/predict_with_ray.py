"""Photos of a folder predicted by many workers, on one machine or on a cluster, by Ray Data.

    pip install "ray[data]"
    python examples/predict_with_ray.py RUN PHOTOS --out masks [--workers 2] [--smoke]

Each worker loads the model once and takes photos as it gets done with others; it writes the mask
of each, class ids or of objects their numbers, and gives back what is in it, which becomes
`OUT/found.csv`. Masks that are there already are not predicted again: what was stopped goes on.

On a cluster, `RUN`, `PHOTOS` and `OUT` lie where all machines see them, kseg is installed on all,
and the script is started on one with `RAY_ADDRESS=auto`. A worker takes `--cpus` processors, and
with `--gpus 1` a GPU of its own.

`--smoke` predicts generated scenes with a network that has learned nothing, by two workers.
"""

import argparse
import csv
import os
import tempfile
from pathlib import Path

PHOTOS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")


class Worker:
    """A process that holds the model.

    Args:
        run: Run folder, `.keras` file or export.
        out: Folder of the masks.
    """

    def __init__(self, run, out):
        import kseg  # here, for each worker has a process of its own

        self.model, self.out = kseg.load(run), Path(out)

    def __call__(self, batch):
        """Photos, a batch of rows -> rows of what is in each."""
        rows = {"photo": [], "mask": [], "found": [], "error": []}
        for photo in batch["photo"].tolist():
            mask, found, error = self.out / f"{Path(photo).stem}.png", "", ""
            try:
                found = self.predict(photo, mask)
            except (ValueError, OSError) as wrong:  # one bad photo does not stop the others
                error = str(wrong)
            for name, value in zip(rows, (photo, mask.name, found, error)):
                rows[name].append(value)
        return rows

    def predict(self, photo, mask):
        """Writes the mask of a photo; what is in it, as text."""
        import numpy as np
        from PIL import Image

        if mask.exists():
            return "was there"
        found = self.model.predict(photo)
        names = self.model.class_names
        if self.model.task == "instance":
            numbers = np.zeros(found.size, "uint16")
            for number, each in enumerate(found.each_mask(), 1):
                numbers[np.asarray(each) != 0] = number
            counts, pixels = np.bincount(found.classes, minlength=len(names)), numbers
        else:
            pixels = np.asarray(found, "uint8")
            counts = np.bincount(pixels.ravel(), minlength=len(names))
        whole = mask.with_name(f".{mask.name}.{os.getpid()}")  # it appears whole or not at all
        Image.fromarray(pixels).save(whole, "PNG")
        whole.replace(mask)
        return ", ".join(f"{name} {count}" for name, count in zip(names, counts) if count)


def predict(run, photos, out, *, workers, cpus, gpus, batch_size):
    """Predicts photos by so many workers; rows of what was found.

    Args:
        run: Path of the model.
        photos: Paths.
        out: Folder of the masks.
        workers: How many.
        cpus, gpus: That each of them takes.
        batch_size: Photos that a worker takes at once.
    """
    import ray

    out.mkdir(parents=True, exist_ok=True)
    # Rows in blocks from the start: to part them later takes a processor beside those of workers.
    blocks = min(len(photos), max(workers, len(photos) // batch_size))
    rows = ray.data.from_items([{"photo": str(p)} for p in photos], override_num_blocks=blocks)
    done = rows.map_batches(
        Worker,
        fn_constructor_args=(str(run), str(out)),
        batch_size=batch_size,
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=cpus,
        num_gpus=gpus,
    )
    return sorted(done.take_all(), key=lambda row: row["photo"])


def scenes(folder):
    """A run that has learned nothing, and photos of generated scenes, in a folder."""
    from PIL import Image

    import kseg

    val = kseg.data.shapes("val", count=6)
    kseg.fit(None, val, run=folder / "run", size=(32, 32), epochs=1, batch_size=4)
    (folder / "photos").mkdir()
    for name, sample in zip(val.ids, kseg.data.samples(val)):
        Image.fromarray(sample["image"]).save(folder / "photos" / f"{name}.png")
    return folder / "run", folder / "photos"


def main():
    parser = argparse.ArgumentParser(description="Photos predicted by many workers.")
    parser.add_argument("run", nargs="?", type=Path, help="run folder, .keras file or export")
    parser.add_argument("photos", nargs="?", type=Path, help="folder of photos")
    parser.add_argument("--out", type=Path, default=Path("masks"), help="folder (%(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="how many (%(default)s)")
    parser.add_argument("--cpus", type=float, default=1, help="of each (%(default)s)")
    parser.add_argument("--gpus", type=float, default=0, help="of each (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--smoke", action="store_true", help="generated scenes")
    options = parser.parse_args()
    if options.photos is None and not options.smoke:
        parser.error("give a run and a folder of photos (or --smoke)")
    with tempfile.TemporaryDirectory() as place:
        run, folder = scenes(Path(place)) if options.smoke else (options.run, options.photos)
        photos = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PHOTOS)
        names = [photo.stem for photo in photos]
        if not photos or len(set(names)) < len(names):
            parser.error(f"{folder} holds no photos, or two of one name")
        rows = predict(
            run.resolve(),
            [photo.resolve() for photo in photos],
            options.out.resolve(),
            workers=options.workers,
            cpus=options.cpus,
            gpus=options.gpus,
            batch_size=options.batch_size,
        )
    with (options.out / "found.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    bad = [row for row in rows if row["error"]]
    print(f"{len(rows) - len(bad)} masks in {options.out}, {len(bad)} photos refused")
    for row in bad:
        print(f"{row['photo']}: {row['error']}")


if __name__ == "__main__":
    main()
