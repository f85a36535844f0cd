"""Mask R-CNN with torchvision's COCO weights: scored on COCO, or trained further.

    python examples/mask_rcnn_coco.py IMAGES ANNOTATIONS [--weights FILE] [--train STEPS] [--smoke]

What       the 80 classes of COCO 2017. `IMAGES` is a folder of photos, `ANNOTATIONS` its
           `instances_....json`.
Model      ResNet-50 with a pyramid, torchvision's published `maskrcnn_resnet50_fpn` (COCO_V1),
           downloaded once, or a .pth or .safetensors file of it.
Recipe     none: the weights as they are. `--train` goes on from them for so many steps of 2 photos
           letterboxed to 512x512, with SGD at 2.5e-3 and the encoder frozen up to stride 4.

Result     torchvision states box AP 37.9 and mask AP 34.6 on val2017 (5,000 photos). Not run here
           with these weights: they could not be downloaded on the machine of development.

`--smoke` runs two steps of a small model on generated scenes, from a random start.
"""

import argparse
from pathlib import Path

import keras

import kseg
from kseg.data import transforms
from kseg.weights.torchvision_mask_rcnn import COCO_CLASSES


def main():
    parser = argparse.ArgumentParser(description="Mask R-CNN with COCO weights.")
    parser.add_argument("images", nargs="?", help="folder of photos")
    parser.add_argument("annotations", nargs="?", help="instances_....json")
    parser.add_argument("--weights", help="file of torchvision's weights; by default downloaded")
    parser.add_argument("--train", type=int, default=0, help="steps to train further")
    parser.add_argument("--photos", type=int, help="score only so many photos")
    parser.add_argument("--run", default="runs/mask-rcnn-coco", help="folder (%(default)s)")
    parser.add_argument("--smoke", action="store_true", help="two steps, to see that it works")
    options = parser.parse_args()
    if not options.smoke and not (options.images and options.annotations):
        parser.error("give the folder of photos and the annotations (or --smoke)")

    folder = Path(options.run)
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(0)
    if options.smoke:
        source = kseg.data.shapes("val", count=4, instances=True)
        model = small_model(source.num_classes)
        steps, size = 2, 64
    else:
        source = kseg.data.coco(options.images, options.annotations, instances=True)
        model = coco_model(source.num_classes, options.weights)
        steps, size = options.train, 512
    if steps:
        batches = kseg.data.batches(
            source,
            size=(size, size),
            batch_size=2,
            augment=[transforms.letterbox((size, size)), transforms.random_flip()],
            start_step=0,
        )
        model.compile(keras.optimizers.SGD(2.5e-3, momentum=0.9, weight_decay=1e-4))
        model.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=2)
        model.save(folder / "last.keras")

    count = 1 if options.smoke else options.photos or len(source)
    scored = source.subset(range(min(count, len(source))))
    scores = kseg.evaluate(model, scored, results=folder / "detections.json")
    kseg.reports.write_sheet(model, scored, folder / "pictures.png")
    for name, row in scores["classes"].items():
        if row["objects"]:
            print(f"{name:16} {row['objects']:6} objects  mask AP {row['mask_ap']:.3f}")
    print(
        f"{keras.backend.backend()}: box AP {scores['box_ap']:.3f}, mask AP "
        f"{scores['mask_ap']:.3f}, mask AP50 {scores['mask_ap50']:.3f}, {scores['images']} photos"
    )


def coco_model(num_classes, weights):
    """The published network for the 80 classes, out of the 90 that its weights have."""
    model = kseg.build_mask_rcnn(num_classes, freeze=4)
    weights = weights or kseg.weights.fetch("maskrcnn_resnet50_fpn")
    kseg.weights.torchvision.load(model, weights, classes=COCO_CLASSES)
    return model


def small_model(num_classes):
    return kseg.build_mask_rcnn(
        num_classes,
        encoder="torchvision:resnet18",
        fpn_width=16,
        box_width=32,
        mask_width=16,
        anchor_sizes=((8,), (16,), (32,), (64,), (128,)),
        train_proposals=60,
        predict_proposals=40,
        region_samples=24,
        mask_samples=8,
        detections=10,
        resize=None,
    )


if __name__ == "__main__":
    main()
