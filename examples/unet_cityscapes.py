"""U-Net on Cityscapes.

    python examples/unet_cityscapes.py CITYSCAPES [--run runs/cityscapes] [--smoke]

What       19 classes of street scenes, trained on the 2,975 photos of `train`, scored on the 500 of
           `val` at 1024x2048. CITYSCAPES holds `leftImg8bit` and `gtFine` as they are distributed;
           label ids are mapped to train ids on the fly.
Model      U-Net over MobileNetV2; give `--weights imagenet` for its pretrained weights.
Recipe     100 epochs of 8 crops 512x1024 at random scale 0.5..2 of which no class fills more than
           three quarters, flips, colour jitter; AdamW, cross-entropy + Dice.
Storage    decoding a PNG of 1024x2048 takes ten times as long as the rest: `--cache DIR` keeps the
           raw pixels of the training set (25 GB).

Result     the whole set has not been trained on by us; run by the tests on generated scenes in the
           layout of Cityscapes.

`--smoke` runs a few steps, without a path on generated scenes written in the official layout.
"""

import argparse
import tempfile

import keras

import kseg
from kseg.data import transforms
from kseg.data.writers.layouts import write_cityscapes


def main():
    parser = argparse.ArgumentParser(description="U-Net on Cityscapes.")
    parser.add_argument("cityscapes", nargs="?", help="folder with leftImg8bit and gtFine")
    parser.add_argument("--weights", help="imagenet, or a file")
    parser.add_argument("--cache", help="folder for raw pixels")
    parser.add_argument("--run", default="runs/cityscapes", help="folder for the run (%(default)s)")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--resume", action="store_true", help="go on with a stopped run")
    parser.add_argument("--smoke", action="store_true", help="a few steps, to see that it works")
    options = parser.parse_args()
    if options.cityscapes is None and not options.smoke:
        parser.error("give the folder of Cityscapes (or --smoke)")

    with tempfile.TemporaryDirectory() as made:
        if options.cityscapes is None:
            options.cityscapes = made
            for split, count in (("train", 8), ("val", 2)):
                write_cityscapes(kseg.data.shapes(split, size=(64, 128), count=count), made, split)
        train_and_score(options)


def train_and_score(options):
    train = kseg.data.cityscapes(options.cityscapes, "train")
    val = kseg.data.cityscapes(options.cityscapes, "val")
    settings = kseg.Settings(size=(512, 1024), epochs=options.epochs, validate_epochs=10)
    encoder = {"encoder": "mobilenetv2", "weights": options.weights}
    if options.smoke:
        settings = kseg.Settings(size=(48, 96), batch_size=2, epochs=1)
        encoder = {"width": 8, "depth": 2}
    augment = [
        transforms.random_scale_crop(settings.size, settings.scale, max_share=0.75),
        transforms.random_flip(),
        transforms.color_jitter(),
    ]
    model = None
    if not options.resume:
        keras.utils.set_random_seed(0)
        model = kseg.build_unet(train.num_classes, **encoder)
    kseg.fit(
        model,
        train,
        val,
        run=options.run,
        settings=settings,
        augment=augment,
        cache=options.cache,
        resume=options.resume,
    )
    scores = kseg.evaluate(kseg.Run.open(options.run).load_model(), val, batch_size=1)
    for name, row in scores["classes"].items():
        print(f"{name:14} IoU {row['iou']:.3f}")
    print(f"mean IoU {scores['mean_iou']:.4f} on {scores['images']} photos of val")


if __name__ == "__main__":
    main()
