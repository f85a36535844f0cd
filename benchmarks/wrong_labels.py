"""Slips made on purpose in 5 % of the regions of CamVid, or of the nuclei of DSB2018, and found.

    python benchmarks/wrong_labels.py camvid PATH OUT
    python benchmarks/wrong_labels.py dsb2018 PATH OUT
    python benchmarks/wrong_labels.py camvid PATH OUT --run OUT/run  # of a model that is there

writes the spoiled labels to OUT, trains a model on them for some minutes (the very labels that it
is asked about: what a user has), ranks them with `kseg.check_labels`, and prints of the first 10,
20, 50, ... how many are slips, and which share of all slips that is.

A place counts as a slip if, of the pixels within its box that carry its label, half were changed;
of an object, if as many as a quarter of its pixels were changed within its box.
"""

import argparse
import resource
import time
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

import kseg
from kseg.data.spec import DataSpec

SHARE, LEAST, LEAST_OBJECT = 0.05, 100, 30  # of regions and objects; pixels that they have
FIRST = (10, 20, 50, 100, 200)
CAMVID = kseg.Settings(
    model="unet",
    network={"encoder": "efficientnet_lite0", "weights": "imagenet"},
    size=(176, 240),
    scale=(0.5, 1.0),
    epochs=6,
)
NUCLEI = kseg.Settings(
    model="mask_rcnn",
    network={
        "encoder": "torchvision:resnet18",
        "fpn_width": 64,
        "box_width": 256,
        "mask_width": 64,
        "anchor_sizes": ((8,), (16,), (32,), (64,), (128,)),
        "train_proposals": 500,
        "predict_proposals": 500,
        "region_samples": 128,
        "mask_samples": 32,
        "detections": 200,
    },
    size=(192, 192),
    batch_size=4,
    scale=(0.7, 1.3),
    learning_rate=1e-3,
    epochs=6,
    validate_epochs=6,
)


def spoiled_regions(root, out, rng):
    """CamVid with regions of a class given to another: what was changed, and by photo."""
    changed, count = {}, 0
    for split in ("train", "val"):
        (out / f"{split}annot").mkdir(parents=True, exist_ok=True)
        link(root / split, out / split)
        for path in sorted((root / f"{split}annot").glob("*.png")):
            whole = np.asarray(Image.open(path))
            mask = whole.copy()
            for class_id in range(11):
                parts, number = ndimage.label(whole == class_id)
                areas = np.bincount(parts.ravel(), minlength=number + 1)
                for part in range(1, number + 1):
                    if areas[part] >= LEAST and rng.random() < SHARE:
                        others = [other for other in range(11) if other != class_id]
                        mask[parts == part] = rng.choice(others)
                        count += 1
            Image.fromarray(mask).save(out / f"{split}annot" / path.name)
            changed[path.stem] = mask, mask != whole
    return changed, count


def spoiled_objects(root, out, rng):
    """Nuclei left out, moved, merged with a neighbour, or made up."""
    (out / "masks").mkdir(parents=True, exist_ok=True)
    link(root / "images", out / "images")
    (out / "classes.txt").write_text("nucleus\n")
    changed, count = {}, 0
    for path in sorted((root / "labels").glob("*.png")):
        whole = np.asarray(Image.open(path)).astype(np.uint16)
        mask = whole.copy()
        for number in np.unique(whole)[1:]:
            if (whole == number).sum() >= LEAST_OBJECT and rng.random() < SHARE:
                spoil = (left_out, moved, merged, made_up)[rng.integers(4)]
                count += spoil(mask, whole, number, rng)
        Image.fromarray(mask).save(out / "masks" / path.name)
        changed[path.stem] = mask, mask != whole
    return changed, count


def left_out(mask, whole, number, rng):
    mask[whole == number] = 0
    return 1


def moved(mask, whole, number, rng):
    """By 0.6 of its side in some direction."""
    y, x = np.nonzero(whole == number)
    angle, far = rng.uniform(0, 2 * np.pi), 0.6 * np.sqrt(len(y))
    y, x = y + round(far * np.sin(angle)), x + round(far * np.cos(angle))
    inside = (y >= 0) & (y < mask.shape[0]) & (x >= 0) & (x < mask.shape[1])
    if inside.mean() < 0.8:
        return 0
    mask[mask == number] = 0
    free = mask[y[inside], x[inside]] == 0
    mask[y[inside][free], x[inside][free]] = number
    return 1


def merged(mask, whole, number, rng):
    """With one that lies at most 4 pixels away."""
    grown = ndimage.binary_dilation(whole == number, iterations=4)
    near = [n for n in np.unique(whole[grown]) if n not in (0, number) and (mask == n).any()]
    if not near:
        return 0
    mask[mask == rng.choice(near)] = number
    return 1


def made_up(mask, whole, number, rng):
    """Its shape once more, where nothing is."""
    y, x = np.nonzero(whole == number)
    for _ in range(30):
        top, left = (rng.integers(0, side - np.ptp(p)) for side, p in zip(mask.shape, (y, x)))
        place = y - y.min() + top, x - x.min() + left
        if not whole[place].any() and not mask[place].any():
            mask[place] = mask.max() + 1
            return 1
    return 0


def link(folder, place):
    if not place.exists():
        place.symlink_to(folder.resolve())


def is_slip(doubt, changed, ids):
    """Whether a doubt is about what was changed."""
    mask, differs = changed[doubt.sample]
    x1, y1, x2, y2 = doubt.box
    differs = differs[y1:y2, x1:x2]
    if ids is None:
        return differs.sum() >= 0.25 * doubt.pixels
    labelled = mask[y1:y2, x1:x2] == ids[doubt.given]
    return (differs & labelled).sum() >= 0.5 * labelled.sum()


def main():
    parser = argparse.ArgumentParser(description="Slips made on purpose, and found.")
    parser.add_argument("data", choices=("camvid", "dsb2018"))
    parser.add_argument("path", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--run", help="a run that is there; default: train one")
    parser.add_argument("--split", nargs="+", default=["train", "val"])
    options = parser.parse_args()
    objects, rng = options.data == "dsb2018", np.random.default_rng(0)
    spoil = spoiled_objects if objects else spoiled_regions
    changed, count = spoil(options.path, options.out, rng)
    spec = DataSpec(f"{'folder' if objects else 'camvid'}:{options.out}", instances=objects)
    spec = spec.resolved()
    if options.run is None:
        options.run = options.out / "run"
        settings = NUCLEI if objects else CAMVID
        train, val = spec.open("train"), spec.open("val")
        kseg.fit(None, train, val, run=options.run, settings=settings, check_data=False)
    model = kseg.load(options.run).model
    for split in options.split:
        source, started = spec.open(split), time.perf_counter()
        doubts = kseg.check_labels(model, source, most=2000)
        ids = None if objects else {name: i for i, name in enumerate(source.class_names)}
        hits = np.array([is_slip(doubt, changed, ids) for doubt in doubts.rows])
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"{source.name}: {doubts}, {time.perf_counter() - started:.0f} s, {memory:.2f} GB")
        print("  of the first", *(f"{n}: {hits[:n].mean():.2f}" for n in FIRST), sep="  ")
    print(f"{count} slips made in all")


if __name__ == "__main__":
    main()
