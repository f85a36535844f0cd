"""The input pipeline beside its peers: images a second, decoding alone, memory, first batch.

    pip install torch albumentations
    python benchmarks/input_pipeline.py camvid:PATH

1. kseg.data.batches against a torch DataLoader with albumentations, with as many worker processes
   as cores: the same files, scale jitter 0.5..2, crop, flip, colour jitter, the same output. kseg
   draws the scale log-uniformly; the peer runs with the same distribution, and with its own uniform
   one, which enlarges more. They run in turn; the median of the rounds' ratios counts.
2. Large photos (the same, enlarged): the time of the whole pipeline as a multiple of the time that
   reading and decoding them alone takes.
3. Resident memory after each of 40 epochs, and its slope, in a process of its own.
4. Seconds to the first batch of a list of a million files.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

SIZE, BATCH, JITTER = (352, 480), 8, 0.2


def rate(iterator, images):
    """Images a second of the next batches, after those that lie ready have been taken."""
    for _ in range(12):
        next(iterator)
    began, seen = time.perf_counter(), 0
    while seen < images:
        seen += len(next(iterator)[0])
    return seen / (time.perf_counter() - began)


def peer(source, cores, uniform=False):
    """An endless iterator over the same set: torch DataLoader, OpenCV, albumentations.

    Args:
        source: A `Source` of files, CamVid.
        cores: Worker processes.
        uniform: Whether to draw the scale uniformly, as the peer's RandomScale does by itself.
    """
    import albumentations as A
    import cv2
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    images, masks = source.columns["image"].tolist(), source.columns["label"].tolist()

    class LogScale(A.RandomScale):  # its own is uniform: draw the logarithm instead
        def get_params(self):
            return {"scale": float(np.exp(self.py_random.uniform(np.log(0.5), np.log(2))))}

    transform = A.Compose(
        [
            A.RandomScale((-0.5, 1.0), p=1) if uniform else LogScale(p=1),
            A.PadIfNeeded(*SIZE, fill=0, fill_mask=255, border_mode=cv2.BORDER_CONSTANT),
            A.RandomCrop(*SIZE),
            A.HorizontalFlip(p=0.5),
            A.ColorJitter(JITTER, JITTER, JITTER, 0, p=1),
        ]
    )

    class Files(torch.utils.data.Dataset):
        def __len__(self):
            return len(images)

        def __getitem__(self, index):
            image = cv2.cvtColor(cv2.imread(images[index]), cv2.COLOR_BGR2RGB)
            mask = cv2.imread(masks[index], cv2.IMREAD_UNCHANGED)
            mask[mask == 11] = 255
            out = transform(image=image, mask=mask)
            return torch.from_numpy(out["image"]), torch.from_numpy(out["mask"]).int()

    loader = torch.utils.data.DataLoader(
        Files(), BATCH, shuffle=True, num_workers=cores, drop_last=True, persistent_workers=True
    )
    while True:
        yield from loader


def against_the_peer(source, cores, rounds, images):
    import kseg

    kseg_batches = kseg.data.batches(
        source, size=SIZE, batch_size=BATCH, augment=True, start_step=0
    )
    runners = {
        "kseg": iter(kseg_batches),
        "torch + albumentations": peer(source, cores),
        "the same, uniform scale": peer(source, cores, uniform=True),
    }
    rates = {name: [] for name in runners}
    for number in range(rounds):
        for name, iterator in runners.items():
            rates[name].append(rate(iterator, images))
            print(f"round {number + 1}  {name:24} {rates[name][-1]:6.1f} images/s", flush=True)
    for name in list(rates)[1:]:
        # round by round, because a shared machine's speed drifts more than the ratio does
        ratios = sorted(ours / peers for ours, peers in zip(rates["kseg"], rates[name]))
        print(
            f"kseg / {name}: {statistics.median(ratios):.2f} (median of {rounds} rounds, "
            f"{ratios[0]:.2f} to {ratios[-1]:.2f})"
        )


def against_decoding(source, rounds, photos=24, scale=4):
    """Photos of 1920x1440: the pipeline's time over the time of reading and decoding alone."""
    import tensorflow as tf
    from PIL import Image

    import kseg
    from kseg.base.tensorflow import mapped
    from kseg.data.sample import constants, read

    with tempfile.TemporaryDirectory() as folder:
        for kind in ("images", "masks"):
            os.mkdir(os.path.join(folder, kind))
        for index in range(photos):
            row = {name: str(rows[index]) for name, rows in source.columns.items()}
            photo, mask = Image.open(row["image"]), Image.open(row["label"])
            size = (photo.width * scale, photo.height * scale)
            large = photo.resize(size, Image.BICUBIC)
            large.save(f"{folder}/images/{index}.jpg", quality=92)
            mask.resize(size, Image.NEAREST).save(f"{folder}/masks/{index}.png")
        large = kseg.data.folder(
            f"{folder}/images",
            f"{folder}/masks",
            source.class_names,
            void_values=(11, 255),
            probe=False,
        )
        columns = constants(large)
        numbers = tf.data.Dataset.range(photos).repeat()
        decoding = mapped(
            numbers, lambda i: read(large, {name: rows[i] for name, rows in columns.items()})
        )
        options = tf.data.Options()
        options.threading.max_intra_op_parallelism = 1
        alone = iter(
            mapped(decoding, lambda s: (s["image"][:1, :1], s["label"][:1, :1]))
            .batch(BATCH)
            .prefetch(2)
            .with_options(options)
        )
        whole = iter(
            kseg.data.batches(large, size=SIZE, batch_size=BATCH, augment=True, start_step=0)
        )
        times = {"decoding alone": [], "whole pipeline": []}
        for _ in range(rounds):
            for name, iterator in (("decoding alone", alone), ("whole pipeline", whole)):
                times[name].append(1 / rate(iterator, 96))
        ratio = statistics.median(times["whole pipeline"]) / statistics.median(
            times["decoding alone"]
        )
    print(f"photos of {size[0]}x{size[1]}: whole pipeline / decoding alone = {ratio:.2f}")


def first_batch(source, count=1_000_000):
    """A list of a million names, of which none but those of the first batch is opened."""
    import kseg

    some = np.arange(count) % len(source)
    names = {name: rows[some] for name, rows in source.columns.items()}
    began = time.perf_counter()
    million = kseg.data.Source(
        name="million",
        columns=names,
        decode=source.decode,
        class_names=source.class_names,
        colors=source.colors,
        ids=tuple(map(str, range(count))),
    )
    next(iter(kseg.data.batches(million, size=SIZE, batch_size=BATCH, augment=True)))
    print(f"first batch of {count:,} files after {time.perf_counter() - began:.2f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="camvid:PATH")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--images", type=int, default=160, help="images a measurement")
    parser.add_argument("--epochs", type=int, default=40, help="of the memory measurement")
    options = parser.parse_args()

    import kseg  # noqa: F401
    from kseg.data.spec import DataSpec

    source = DataSpec(options.data).open("train")
    cores = len(os.sched_getaffinity(0))
    print(f"{len(source)} photos, {cores} cores, Python {sys.version.split()[0]}")
    source[0]  # TensorFlow's own start is not the subject
    first_batch(source)
    against_the_peer(source, cores, options.rounds, options.images)
    against_decoding(source, min(options.rounds, 5))
    memory = [os.path.join(os.path.dirname(__file__), "input_memory.py"), options.data]
    size = f"{SIZE[0]}x{SIZE[1]}"
    subprocess.run(
        [sys.executable, *memory, "--epochs", str(options.epochs), "--size", size], check=True
    )


if __name__ == "__main__":
    main()
