"""U-Net on COCO's things as a semantic map.

    pip install ".[coco]"  # in the checkout
    python examples/unet_coco.py COCO [--run runs/coco] [--smoke]

What       background and 80 classes, trained on `train2017` (118,287 photos), scored on `val2017`
           (5,000). COCO holds `train2017`, `val2017` and `annotations/instances_*.json`. Crowd
           regions are void. Where objects overlap, the smaller one is seen.
Model      U-Net over MobileNetV2; give `--weights imagenet` for its pretrained weights.
Recipe     12 epochs of 16 crops 320x320 at random scale 0.5..2, flips, colour jitter; AdamW,
           cross-entropy + Dice.

Result     the whole set has not been trained on by us; run on 100 real photos of COCO, and by the
           tests on generated scenes in COCO's format.

`--smoke` runs a few steps, without a path on generated scenes written in COCO's format.
"""

import argparse
import tempfile

import keras

import kseg
from kseg.data.writers.layouts import write_coco


def main():
    parser = argparse.ArgumentParser(description="U-Net on COCO's things.")
    parser.add_argument("coco", nargs="?", help="folder with train2017, val2017, annotations")
    parser.add_argument("--weights", help="imagenet, or a file")
    parser.add_argument("--run", default="runs/coco", help="folder for the run (%(default)s)")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--resume", action="store_true", help="go on with a stopped run")
    parser.add_argument("--smoke", action="store_true", help="a few steps, to see that it works")
    options = parser.parse_args()
    if options.coco is None and not options.smoke:
        parser.error("give the folder of COCO (or --smoke)")

    with tempfile.TemporaryDirectory() as made:
        if options.coco is None:
            options.coco = made
            for split, count in (("train", 8), ("val", 2)):
                objects = kseg.data.shapes(split, count=count, instances=True)
                annotations = f"{made}/annotations/instances_{split}2017.json"
                write_coco(objects, f"{made}/{split}2017", annotations)
        train_and_score(options)


def train_and_score(options):
    train, val = (
        kseg.data.coco(
            f"{options.coco}/{split}2017", f"{options.coco}/annotations/instances_{split}2017.json"
        )
        for split in ("train", "val")
    )
    settings = kseg.Settings(size=(320, 320), batch_size=16, epochs=options.epochs)
    encoder = {"encoder": "mobilenetv2", "weights": options.weights}
    if options.smoke:
        settings = kseg.Settings(size=(64, 64), batch_size=2, epochs=1)
        encoder = {"width": 8, "depth": 2}
    model = None
    if not options.resume:
        keras.utils.set_random_seed(0)
        model = kseg.build_unet(train.num_classes, **encoder)
    kseg.fit(model, train, val, run=options.run, settings=settings, resume=options.resume)
    scores = kseg.evaluate(kseg.Run.open(options.run).load_model(), val)
    for name, row in scores["classes"].items():
        print(f"{name:14} IoU {row['iou']:.3f}")
    print(f"mean IoU {scores['mean_iou']:.4f} on {scores['images']} photos of val2017")


if __name__ == "__main__":
    main()
