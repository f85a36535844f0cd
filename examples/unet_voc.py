"""U-Net on Pascal VOC 2012, with the extra masks of SBD if they are at hand.

    python examples/unet_voc.py VOCdevkit [--sbd benchmark_RELEASE] [--run runs/voc] [--smoke]

What       21 classes, trained on `train` (1,464 photos; with SBD 10,582), scored on `val`, at
           each photo's own size; the outlines, 255 in the masks, are void.
Model      U-Net over MobileNetV2; give `--weights imagenet` for its pretrained weights.
Recipe     50 epochs of 8 crops 352x352 at random scale 0.5..2 of which no class fills more than
           three quarters, flips, colour jitter; AdamW, cross-entropy + Dice.

Result     the whole set has not been trained on by us; run on four real photos of VOC, and by the
           tests on generated scenes in VOC's layout. FCN-8s reaches 0.655 on seg11valid.

`--smoke` runs a few steps, without a path on generated scenes written in VOC's layout.
"""

import argparse
import tempfile

import keras

import kseg
from kseg.data import transforms
from kseg.data.writers.layouts import write_voc


def main():
    parser = argparse.ArgumentParser(description="U-Net on Pascal VOC 2012.")
    parser.add_argument("voc", nargs="?", help="folder VOCdevkit")
    parser.add_argument("--sbd", help="folder of the Semantic Boundaries Dataset")
    parser.add_argument("--weights", help="imagenet, or a file")
    parser.add_argument("--run", default="runs/voc", help="folder for the run (%(default)s)")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--resume", action="store_true", help="go on with a stopped run")
    parser.add_argument("--smoke", action="store_true", help="a few steps, to see that it works")
    options = parser.parse_args()
    if options.voc is None and not options.smoke:
        parser.error("give the folder VOCdevkit (or --smoke)")

    with tempfile.TemporaryDirectory() as made:
        if options.voc is None:
            options.voc = f"{made}/VOCdevkit"
            for split, count in (("train", 8), ("val", 2)):
                scenes = kseg.data.shapes(split, count=count)
                write_voc(scenes, f"{options.voc}/VOC2012", split)
        train_and_score(options)


def train_and_score(options):
    train = kseg.data.voc(options.voc, "train", sbd=options.sbd)
    val = kseg.data.voc(options.voc, "val")
    settings = kseg.Settings(size=(352, 352), epochs=options.epochs, validate_epochs=5)
    encoder = {"encoder": "mobilenetv2", "weights": options.weights}
    if options.smoke:
        settings = kseg.Settings(size=(64, 64), batch_size=2, epochs=1)
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
        resume=options.resume,
    )
    scores = kseg.evaluate(kseg.Run.open(options.run).load_model(), val)
    for name, row in scores["classes"].items():
        print(f"{name:12} IoU {row['iou']:.3f}")
    print(f"mean IoU {scores['mean_iou']:.4f} on {scores['images']} photos of val")


if __name__ == "__main__":
    main()
