"""What each measure brings, at equal budget: clean, corrupted, an unseen scene, borders.

    python benchmarks/robustness.py camvid PATH [--epochs 4] [--work runs/robustness] [--only NAME]
    python benchmarks/robustness.py camvid PATH --full --epochs 15 [--seed 1]
    python benchmarks/robustness.py nuclei PATH

camvid  U-Net on EfficientNet-Lite0 with its ImageNet weights, `logits_stride=4`, at half the
        photos' size, crops 120x160, learned from two of the three scenes of CamVid's training
        split. `clean` and the borders are of its validation split, whose scene was learned from;
        the scene that was not is at dusk. With `--full` the photos have their own size, the crops
        224x320, and all 101 of the validation split are scored, every third of them corrupted.
nuclei  U-Net of `logits_stride=2`, width 16, depth 3, crops 128x128: nucleus or not, on 300 photos
        of the 2018 Data Science Bowl, of 100 others some scored, by stain.

Each measure gets the same steps of the same crops. `corrupted` is the mean over the fifteen
corruptions, `held out` that over those that resemble no change of the recipe. With "adapted", batch
norms have the statistics of the very photos that are scored, without labels, for each corruption
and scene anew. Finished measures are kept in WORK, and not computed again.
"""

import argparse
import dataclasses
import json
import os
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np

import kseg
from kseg.base.tensorflow import converted, tensorflow

SCENES = {"seen": ("0006R0", "0016E5"), "unseen": "0001TP"}
THIN = ("Pole", "SignSymbol")
# The recipe blurs, adds noise of each pixel, changes light and contrast, and takes away pixels
LIKE_THE_RECIPE = {
    *("gaussian_noise", "shot_noise", "defocus_blur", "motion_blur", "brightness", "contrast"),
    *("impulse_noise", "pixelate", "fog"),
}
LOVASZ = "cross_entropy + lovasz"
BOUNDARY = "cross_entropy + dice + 0.02 * boundary(max_distance=10)"


@dataclasses.dataclass(frozen=True)
class Measure:
    """One row of the table.

    Args:
        settings: Arguments of `kseg.Settings` in which it differs from the plain recipe.
        network: Those of the network.
        adapts: Name of the measure whose model is adapted; None to train one.
    """

    settings: dict = dataclasses.field(default_factory=dict)
    network: dict = dataclasses.field(default_factory=dict)
    adapts: str | None = None


SCALE = (0.75, 2.0)
ROBUST = {"transforms": ("robust(scale=[0.75, 2.0])",)}
AVERAGED = {"ema_momentum": 0.99}
STRONG = {"transforms": ("robust(scale=[0.75, 2.0], strength=1.0, probability=0.7)",)}
HALF = {"transforms": ("robust(scale=[0.75, 2.0], probability=0.5)",)}
MEASURES = {
    "camvid": {
        "plain": Measure(),
        "robust": Measure(ROBUST),
        "robust, strong": Measure(STRONG),
        "robust, half": Measure(HALF),
        "detail": Measure({}, {"detail": True}),
        "robust, detail": Measure(ROBUST, {"detail": True}),
        "plain, adapted": Measure(adapts="plain"),
        "robust, adapted": Measure(adapts="robust"),
        "robust, detail, adapted": Measure(adapts="robust, detail"),
        "detail, boundary loss": Measure({"loss": BOUNDARY}, {"detail": True}),
        "detail, lovasz": Measure({"loss": LOVASZ}, {"detail": True}),
        "averaged": Measure(AVERAGED),
        "robust, averaged": Measure({**ROBUST, **AVERAGED}),
        "detail, unweighted": Measure({"balance": 0.0}, {"detail": True}),
        "stride 1": Measure({}, {"logits_stride": 1}),
        "stride 1, lovasz": Measure({"loss": LOVASZ}, {"logits_stride": 1}),
        "stride 2, detail, lovasz": Measure({"loss": LOVASZ}, {"logits_stride": 2, "detail": True}),
    },
    "nuclei": {
        "plain": Measure(),
        "robust": Measure(ROBUST),
        "robust, half": Measure(HALF),
        "detail": Measure({}, {"detail": True}),
        "plain, adapted": Measure(adapts="plain"),
        "robust, adapted": Measure(adapts="robust"),
    },
}


def camvid(root, full):
    """What is learned from; what is scored as it is, and corrupted; scenes by name; the rest."""
    train, val = (kseg.data.camvid(root, split) for split in ("train", "val"))
    if not full:
        train, val = (kseg.data.rescaled(source, 0.5) for source in (train, val))
    scene = np.array([name.split("_")[0] for name in train.ids])
    seen = train.subset(np.flatnonzero(np.isin(scene, SCENES["seen"])))
    unseen = np.flatnonzero(scene == SCENES["unseen"])
    unseen = train.subset(unseen if full else unseen[::4], "camvid/dusk")
    few = val.subset(range(0, len(val), 3 if full else 6), "camvid/val")
    network = {"encoder": "efficientnet_lite0", "weights": "imagenet", "logits_stride": 4}
    size = (224, 320) if full else (120, 160)
    return seen, val if full else few, few, {"dusk": unseen}, network, size


def nuclei(root, full):
    """Likewise of nuclei, whose scenes are stains."""
    root = Path(root)
    photos = kseg.data.folder(root / "images", root / "labels", ["nucleus"], instances=True)
    photos = as_labels(photos)
    order = np.random.default_rng(0).permutation(len(photos))
    val = photos.subset(order[300:400], "nuclei/val")
    stains = {}
    for index, sample in enumerate(kseg.data.samples(val)):
        stains.setdefault(stain(sample["image"]), []).append(index)
    scenes = {name: val.subset(rows, f"nuclei/{name}") for name, rows in sorted(stains.items())}
    few = val.subset(range(0, 100, 4), "nuclei/val")
    return (
        photos.subset(order[:300]),
        val if full else few,
        few,
        scenes,
        {
            "width": 16,
            "depth": 3,
            "logits_stride": 2,
        },
        (128, 128),
    )


def as_labels(source):
    """Objects as two classes of pixels."""
    tf = tensorflow()
    decode = converted(source.decode)

    def read(row):
        sample = decode(row)
        label = tf.cast(tf.reduce_any(sample["masks"] != 0, axis=0), tf.uint8)
        return {"image": sample["image"], "label": label}

    names, colors = ("background", "nucleus"), ((0, 0, 0), (255, 200, 0))
    return dataclasses.replace(
        source, decode=read, task="semantic", class_names=names, colors=colors
    )


def stain(photo):
    """Fluorescence is dark; what is stained has colour; bright field is light and grey."""
    colorful = np.ptp(photo.astype(int), axis=-1).mean() > 12
    return "stained" if colorful else "bright field" if photo.mean() > 127 else "fluorescence"


def learned(measure, train, network, size, options, folder):
    """The model of a measure, and what its training took."""
    settings = {"size": size, "batch_size": 8, "scale": SCALE, **measure.settings}
    if "transforms" in settings:
        del settings["scale"]
    network = {**network, **measure.network}
    common = {"epochs": options.epochs, "seed": options.seed}
    settings = kseg.Settings(model="unet", network=network, **common, **settings)
    start = time.process_time()
    model = kseg.fit(None, train, run=folder, settings=settings, overwrite=True)
    steps = options.epochs * kseg.data.steps_per_epoch(train, 8)
    return model, {"steps": steps, "cpu_seconds": round(time.process_time() - start)}


def scored(model, val, few, scenes, severities, adapted):
    """All that the table says of a model."""

    def fitting(source):
        return kseg.adapt(model, source) if adapted else model

    clean = kseg.evaluate(fitting(val), val, boundary=True)
    by_scene = {
        name: kseg.evaluate(fitting(source), source)["mean_iou"] for name, source in scenes.items()
    }
    under = {}
    for name in kseg.data.CORRUPTIONS:
        sources = [kseg.data.corrupted(few, name, severity) for severity in severities]
        under[name] = float(np.mean([kseg.evaluate(fitting(s), s)["mean_iou"] for s in sources]))
    held_out = [value for name, value in under.items() if name not in LIKE_THE_RECIPE]
    classes = {name: row["iou"] for name, row in clean["classes"].items()}
    return {
        "clean": clean["mean_iou"],
        "boundary": clean["mean_boundary_iou"],
        "corrupted": float(np.mean(list(under.values()))),
        "held_out": float(np.mean(held_out)),
        "scenes": by_scene,
        "worst_scene": min(by_scene.values()),
        "classes": classes,
        "corruptions": under,
    }


def table(results):
    """The results as lines of Markdown."""
    thin = [name for name in THIN if name in next(iter(results.values()))["classes"]]
    heads = ("measure", "clean", "corrupted", "held out", "worst scene", "boundary IoU", *thin)
    lines = [f"| {' | '.join((*heads, 'steps', 'CPU s'))} |", "|---" * (len(heads) + 2) + "|"]
    for name, row in results.items():
        keys = ("clean", "corrupted", "held_out", "worst_scene", "boundary")
        cells = [f"{row[key]:.3f}" for key in keys] + [f"{row['classes'][n]:.3f}" for n in thin]
        took = [str(row.get(key, "")) for key in ("steps", "cpu_seconds")]
        lines.append(f"| {' | '.join((name, *cells, *took))} |")
    return "\n".join(lines)


def folder_of(name):
    return name.replace(", ", "-").replace(" ", "-")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("set", choices=tuple(MEASURES))
    parser.add_argument("root", help="folder of the data")
    parser.add_argument("--epochs", type=int, default=4, help="of each training (%(default)s)")
    parser.add_argument("--full", action="store_true", help="photos of their own size, all of them")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and augmentation")
    parser.add_argument("--severities", type=int, nargs="+", default=[3])
    parser.add_argument("--work", type=Path, default=Path("runs/robustness"))
    parser.add_argument("--only", nargs="+", help="names of measures")
    options = parser.parse_args()
    opened = {"camvid": camvid, "nuclei": nuclei}[options.set](options.root, options.full)
    train, val, few, scenes, network, size = opened
    results = {}
    for name, measure in MEASURES[options.set].items():
        if options.only and name not in options.only:
            continue
        folder = options.work / options.set / folder_of(name)
        file = folder.with_suffix(".json")
        if not file.is_file():
            keras.utils.set_random_seed(options.seed)
            if measure.adapts:
                origin = options.work / options.set / folder_of(measure.adapts)
                model, took = kseg.Run.open(origin).load_model("last"), {}
            else:
                model, took = learned(measure, train, network, size, options, folder)
            row = scored(model, val, few, scenes, options.severities, measure.adapts is not None)
            file.write_text(json.dumps({**row, **took}, indent=1))
        results[name] = json.loads(file.read_text())
        print(table(results), flush=True)


if __name__ == "__main__":
    main()
