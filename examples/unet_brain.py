"""U-Net on the tissues of a brain, from a random start: slices of a volume, in grey.

    pip download --no-deps nilearn      # a wheel that holds the MNI152 template, BSD-3-Clause
    python examples/unet_brain.py nilearn-0.14.1-py3-none-any.whl [--run runs/brain] [--smoke]

What       grey matter, white matter and what is neither, in axial slices 189x233 of the MNI152
           template (ICBM 2009a, nonlinear, symmetric): the mean T1 of 152 heads, 1 mm a voxel.
           The truth is the tissue of the highest probability in the template's own maps. Bands of
           10 slices; every fourth is scored, and 3 slices beside it are in neither part.
Model      U-Net of one channel, width 16, depth 3, no pretrained weights.
Recipe     30 epochs of 8 crops 128x160 at random scale 0.8..1.25, flips, light and contrast;
           AdamW, peak 2e-3 with warm-up and cosine decay; cross-entropy plus Dice.

Result     Dice 0.925 of grey and 0.917 of white matter, mean IoU 0.899 of 40 slices, on TensorFlow
           after 3.3 minutes of CPU time; a shared two-core CPU, 2026-11-27, Keras 3.15.1, one run.
           The lowest slices are the worst, mean IoU 0.855: `examples/cards/brain.md`.

It is one head, and a mean of many: sharp, without noise or lesions. What the card says of it holds
for other slices of it, not for patients. With your own volumes, split by patient.

`--smoke` runs a few steps on generated scenes.
"""

import argparse
import gzip
import struct
import time
import zipfile
from pathlib import Path

import keras
import numpy as np
from PIL import Image

import kseg

FILE = "nilearn/datasets/data/mni_icbm152_{}_tal_nlin_sym_09a_converted.nii.gz"
CLASSES = ("neither", "grey matter", "white matter")
BAND, BESIDE = 10, 3  # slices
REGIONS = ("lower", "middle", "upper")  # thirds of the brain, for scores by group
NOTES = """## What it is for

An example of kseg on slices of a volume. Not for patients: it has seen one head, the mean of 152.

## Whose the data are

MNI152, ICBM 2009a nonlinear symmetric, (C) 1993-2004 Louis Collins, McConnell Brain Imaging Centre,
Montreal Neurological Institute, McGill University; used as packaged by nilearn. Fonov et al.,
"Unbiased average age-appropriate atlases for pediatric studies", NeuroImage 54 (2011)."""


def volume(place, name):
    """One of the template's volumes, uint8 `(z, y, x)`, of a wheel or an installed nilearn.

    Args:
        place: The wheel, or the folder `nilearn` lies in.
        name: `"t1"`, `"gm"` or `"wm"`.
    """
    file = FILE.format(name)
    if place.is_file():
        content = zipfile.ZipFile(place).read(file)
    else:
        content = (place / file).read_bytes()
    content = gzip.decompress(content)  # NIfTI-1: a header of 348 bytes, then voxels
    width, height, depth = struct.unpack("<3h", content[42:48])
    (offset,) = struct.unpack("<f", content[108:112])
    voxels = np.frombuffer(content, np.uint8, width * height * depth, int(offset))
    return voxels.reshape(depth, height, width)[:, ::-1]  # the forehead is up


def write_slices(place, out):
    """Photos and masks of both parts, as PNG, in a layout that `kseg.data.folder` reads."""
    photo, grey, white = (volume(place, name) for name in ("t1", "gm", "wm"))
    other = 255 - np.minimum(255, grey.astype(int) + white)
    label = np.argmax([other, grey, white], axis=0).astype(np.uint8)
    brain = np.flatnonzero((label > 0).any((1, 2)))
    for z in brain:
        band, within = divmod(int(z - brain[0]), BAND)
        scored = band % 4 == 2
        beside = (band % 4 == 1 and within >= BAND - BESIDE) or (band % 4 == 3 and within < BESIDE)
        if beside:
            continue
        region = REGIONS[min(2, 3 * int(z - brain[0]) // len(brain))]
        for kind, pixels in (("images", photo[z]), ("masks", label[z])):
            file = out / kind / ("val" if scored else "train") / f"{region}_{z:03}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(file)
    (out / "classes.txt").write_text("\n".join(CLASSES) + "\n")


def main():
    parser = argparse.ArgumentParser(description="U-Net on the tissues of a brain.")
    parser.add_argument("nilearn", nargs="?", type=Path, help="wheel of nilearn, or site-packages")
    parser.add_argument("--run", default="runs/brain", help="folder for the run (%(default)s)")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--smoke", action="store_true", help="a few steps, to see that it works")
    options = parser.parse_args()
    if options.nilearn is None and not options.smoke:
        parser.error("give the wheel of nilearn (or --smoke)")

    group = None
    settings = kseg.Settings(
        size=(128, 160),
        scale=(0.8, 1.25),
        batch_size=8,
        epochs=options.epochs,
        learning_rate=2e-3,
        validate_epochs=10,
    )
    if options.smoke:
        train, val = kseg.data.shapes("train", count=16), kseg.data.shapes("val", count=2)
        settings = kseg.Settings(size=(64, 64), batch_size=8, epochs=1)
    else:
        slices = Path(options.run).with_name(f"{Path(options.run).name}-slices")
        write_slices(options.nilearn, slices)
        train, val = (
            kseg.data.folder(slices / "images" / split, slices / "masks" / split, CLASSES)
            for split in ("train", "val")
        )
        group = "^([a-z]+)_"

    keras.utils.set_random_seed(0)
    model = kseg.build_unet(
        train.num_classes, input_shape=(None, None, 1), width=16, depth=3, name="unet"
    )
    started = time.process_time(), time.perf_counter()
    # Grey matter does lie between the other two, in places a pixel wide: to a check it looks like
    # masks that were resized with interpolation.
    model = kseg.fit(
        model, train, val, run=options.run, settings=settings, check_data=False, overwrite=True
    )
    cpu, wall = time.process_time() - started[0], time.perf_counter() - started[1]

    scores = kseg.evaluate(model, val, surface=True)
    for name, row in scores["classes"].items():
        print(f"{name:12} Dice {row['dice']:.3f}  IoU {row['iou']:.3f}  HD95 {row['hd95']:.2f} mm")
    card = kseg.card(options.run, data=val, group=group, surface=True, notes=NOTES, overwrite=True)
    print(
        f"{keras.backend.backend()}: mean IoU {scores['mean_iou']:.4f}, mean Dice "
        f"{scores['mean_dice']:.4f}, {scores['images']} slices, after {wall / 60:.1f} minutes "
        f"({cpu / 60:.1f} of CPU time); its card is {card}"
    )


if __name__ == "__main__":
    main()
