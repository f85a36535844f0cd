"""Scores of a run on real photos, ours beside those of MONAI or of panopticapi.

    pip install --no-deps monai                     # 1.5 and later, beside PyTorch
    git clone https://github.com/cocodataset/panopticapi
    python benchmarks/judges.py RUN DATA [--split val] [--images 100]
    python benchmarks/judges.py RUN DATA --panopticapi panopticapi      # of a run of objects

Labels    IoU and Dice of each class, of all pixels together and photo by photo, and of each photo
          HD95 and the mean surface distance, by MONAI. It knows no void: void pixels are taken
          from truth and prediction alike, and distances are compared where a photo has none.
Objects   Panoptic quality by panopticapi's own code, of PNG files as it reads them. There a pixel
          of no segment is void, so what is no object is a segment of a class of its own.

Both are given the same predictions. A line each: what, ours, theirs, the largest difference.
"""

import argparse
import contextlib
import io
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import kseg
from kseg.data.spec import DataSpec
from kseg.metrics.overlaps import flattened
from kseg.metrics.surface import surface_distances

SURE, VISIBLE = 0.5, 0.5  # as of kseg.evaluate


def labels(model, source):
    """Rows of what MONAI says of labels."""
    ours = kseg.evaluate(model, source, per_image=True)
    classes = range(source.num_classes)
    counts, rows, distances = 0, [], []
    for index, sample in enumerate(kseg.data.samples(source)):
        label, found = sample["label"], np.asarray(kseg.predict(model, sample["image"]))
        known = label != source.void
        truth, said = (
            np.stack([(ids == c) & known for c in classes])[None] for ids in (label, found)
        )
        counts = counts + monai_counts(truth, said)
        rows.append(monai_overlaps(truth, said))
        if known.all():
            mine = surface_distances(label, found, source.num_classes, source.void)
            there = ~np.isnan(mine["hd95"]) & ~mine["missed"]
            theirs = monai_distances(truth, said)
            distances.append(
                [(m[there], t[there]) for m, t in zip((mine["hd95"], mine["asd"]), theirs)]
            )
        print(f"\r{index + 1} of {len(source)}", end="", file=sys.stderr)
    tp, fp, fn = counts
    classes = list(ours["classes"].values())
    yield "IoU by class", [row["iou"] for row in classes], tp / (tp + fp + fn)
    yield "Dice by class", [row["dice"] for row in classes], 2 * tp / (2 * tp + fp + fn)
    yield "mean IoU", [ours["mean_iou"]], [np.nanmean(tp / (tp + fp + fn))]
    own = [
        [each["iou"].get(name, np.nan) for name in ours["classes"]] for each in ours["per_image"]
    ]
    iou, dice = (np.array(each) for each in zip(*rows))
    yield "IoU of each photo and class", own, np.where(np.isnan(iou), own, iou)
    own = 2 * np.array(own) / (1 + np.array(own))
    yield "Dice of each photo and class", own, np.where(np.isnan(dice), own, dice)
    for name, pairs in zip(("HD95, pixels", "ASD, pixels"), zip(*distances)):
        yield name, np.concatenate([m for m, _ in pairs]), np.concatenate([t for _, t in pairs])


def monai_counts(truth, said):
    """True positives, false positives and false negatives `(3, C)` of `(1, C, H, W)`."""
    import torch
    from monai.metrics import get_confusion_matrix

    pair = torch.tensor(said).int(), torch.tensor(truth).int()
    found = get_confusion_matrix(*pair).numpy()[0]  # (C, 4): TP, FP, TN, FN
    return np.stack([found[:, 0], found[:, 1], found[:, 3]]).astype("float64")


def monai_overlaps(truth, said):
    """IoU and Dice of each class, NaN where the truth has none of it."""
    import torch
    from monai.metrics import DiceMetric, MeanIoU

    pair = torch.tensor(said).float(), torch.tensor(truth).float()
    return [
        metric(include_background=True, reduction="none")(*pair).numpy()[0].astype("float64")
        for metric in (MeanIoU, DiceMetric)
    ]


def monai_distances(truth, said):
    """HD95 and mean surface distance of each class."""
    import torch
    from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance

    pair = torch.tensor(said), torch.tensor(truth)
    return [
        compute_hausdorff_distance(*pair, include_background=True, percentile=95).numpy()[0],
        compute_average_surface_distance(*pair, include_background=True, symmetric=True).numpy()[0],
    ]


def objects(model, source, folder):
    """Rows of what panopticapi says of objects."""
    sys.path.insert(0, str(folder))
    from panopticapi.evaluation import pq_compute_single_core

    ours = kseg.evaluate(model, source)
    names = ["what is no object", *source.class_names]
    known = {i: {"id": i, "name": name, "isthing": int(i > 0)} for i, name in enumerate(names)}
    with tempfile.TemporaryDirectory() as place:
        sides = [Path(place) / name for name in ("truth", "found")]
        pairs = []
        for index, sample in enumerate(kseg.data.samples(source)):
            found = kseg.predict(model, sample["image"], min_score=SURE)
            size = sample["image"].shape[:2]
            small_on_top = np.argsort([np.count_nonzero(m) for m in sample["masks"]], kind="stable")
            truth = flattened((sample["masks"][i] for i in small_on_top), size)
            said = flattened(found.each_mask(), size, min_visible=VISIBLE)
            crowd = sample["crowd"][small_on_top]
            pairs.append(
                (
                    written(sides[0], index, truth, sample["classes"][small_on_top], crowd),
                    written(sides[1], index, said, found.classes, np.zeros(len(found.classes))),
                )
            )
            print(f"\r{index + 1} of {len(source)}", end="", file=sys.stderr)
        with contextlib.redirect_stdout(io.StringIO()):  # it says how far it is
            stat = pq_compute_single_core(0, pairs, *map(str, sides), known)
    total, each = stat.pq_average(known, isthing=True)
    for key in ("pq", "sq", "rq"):
        yield key.upper(), [ours[key]], [total[key]]
        own = [ours["classes"][name][key] for name in source.class_names]
        theirs = [each[i][key] for i in range(1, len(names))]
        if len(own) > 1:
            yield f"{key.upper()} by class", own, np.where(np.isnan(own), np.nan, theirs)


def written(folder, index, positions, classes, crowd):
    """The file of a photo's segments, and its annotation, as panopticapi reads them.

    Args:
        folder: Where to.
        index: Of the photo.
        positions: int `(H, W)`, the position of each pixel's object, -1 where there is none.
        classes, crowd: Of those objects.
    """
    folder.mkdir(exist_ok=True)
    file = f"{index}.png"
    ids = positions.astype(np.int64) + 2  # 0 is void, 1 what is no object
    Image.fromarray(np.stack([ids >> 8 * i & 255 for i in range(3)], -1).astype("uint8")).save(
        folder / file
    )
    segments = []
    for number, area in zip(*np.unique(ids, return_counts=True)):
        position = int(number) - 2
        of_class, is_crowd = (classes[position] + 1, crowd[position]) if position >= 0 else (0, 0)
        segment = {"id": int(number), "category_id": int(of_class), "iscrowd": int(is_crowd)}
        segments.append({**segment, "area": int(area)})
    return {"image_id": index, "file_name": file, "segments_info": segments}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", help="run folder or .keras file")
    parser.add_argument("data", help="as of kseg fit")
    parser.add_argument("--split", default="val")
    parser.add_argument("--images", type=int, help="evenly spread (all)")
    parser.add_argument("--panopticapi", type=Path, help="folder that holds panopticapi")
    options = parser.parse_args()
    model = kseg.load(options.run).model
    instance = getattr(model, "task", "semantic") == "instance"
    spec = DataSpec(options.data, instances=instance).resolved()
    source = spec.open(options.split)
    if options.images:
        source = source.subset(np.linspace(0, len(source) - 1, options.images).astype(int))
    rows = objects(model, source, options.panopticapi) if instance else labels(model, source)
    lines = []
    for name, mine, theirs in rows:
        mine, theirs = (np.asarray(each, "float64").ravel() for each in (mine, theirs))
        known = ~(np.isnan(mine) & np.isnan(theirs))
        apart = np.abs(mine - theirs)[known].max()
        values = (np.nanmean(each) for each in (mine, theirs))
        lines.append((name, int(known.sum()), *values, apart))
    print(f"\n{source.name}, {len(source)} photos: what, values, mean ours, mean theirs, apart")
    for name, number, mine, theirs, apart in lines:
        print(f"{name:30} {number:6} {mine:10.6f} {theirs:10.6f} {apart:10.2e}")


if __name__ == "__main__":
    main()
