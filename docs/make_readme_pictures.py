"""Draws the pictures of README.md: networks trained on generated scenes, and a page of findings.

    KERAS_BACKEND=tensorflow python docs/make_readme_pictures.py

Takes some minutes, needs kseg's extra `pretrained`, and touches nothing up. `chromium` photographs
the page, where it is on PATH.
"""

import contextlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import keras
import numpy as np
from PIL import Image

import kseg
from kseg import pictures
from kseg.reports.check import write_check

FOLDER = Path(__file__).absolute().parent / "pictures"
SIZE = (144, 192)
SHOWN = 3  # number of the validation scene


def trained(model, instances, epochs, learning_rate):
    """The model after some passes over 240 scenes, and the scenes to show."""
    train = kseg.data.shapes("train", size=SIZE, count=240, instances=instances)
    val = kseg.data.shapes("val", size=SIZE, count=20, instances=instances)
    settings = kseg.Settings(
        size=(96, 128),
        scale=(0.7, 1.3),
        batch_size=6,
        epochs=epochs,
        learning_rate=learning_rate,
        validate_epochs=epochs,
    )
    with tempfile.TemporaryDirectory() as folder:
        kseg.fit(model, train, val, run=f"{folder}/run", settings=settings)
    return model, val


def photo_and_mask():
    model = kseg.build_unet(6, encoder="efficientnet_lite0", weights="imagenet", logits_stride=2)
    model, val = trained(model, False, 14, 3e-3)
    photo = val[SHOWN]["image"]
    mask = kseg.predict(model, photo)
    save("photo", larger(photo))
    photo, mask = larger(photo), larger(mask)
    save("mask", pictures.overlay(photo, mask, val.colors, opacity=0.6))


def objects():
    model = kseg.build_mask_rcnn(
        5,
        encoder="efficientnet_lite0",
        weights="imagenet",
        fpn_width=64,
        box_width=256,
        mask_width=64,
        anchor_sizes=((16,), (32,), (64,), (96,), (128,)),
        train_proposals=500,
        region_samples=128,
        mask_samples=32,
        resize=None,
    )
    model, val = trained(model, True, 10, 1e-3)
    photo = val[SHOWN]["image"]
    found = kseg.predict(model, photo, min_score=0.6)
    photo, masks = larger(photo), [larger(mask) for mask in found.masks]
    captions = pictures.captions(val.class_names, found.classes, found.scores)
    save("found", pictures.objects(photo, masks, 2 * found.boxes, captions=captions))


def findings():
    """The page of `kseg.check` for a folder with the faults that folders have."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        source = faulty_folder()
        write_check(kseg.check(source), [source], Path("page.html"))
        if shutil.which("chromium") is None:
            return
        subprocess.run(
            [
                *("chromium", "--headless", "--no-sandbox", "--hide-scrollbars"),
                *("--window-size=1000,760", "--screenshot=page.png", f"file://{folder}/page.html"),
            ],
            check=True,
            capture_output=True,
        )
        save("check", np.asarray(Image.open("page.png").convert("RGB")), 128)


def faulty_folder():
    """Twelve scenes in DATA/, of which four are not as they should be."""
    data = Path("DATA").absolute()
    scenes = kseg.data.shapes("train", size=SIZE, count=12)
    for number in range(12):
        mask = Image.fromarray(scenes[number]["label"].astype(np.uint8))
        if number == 3:  # resized with interpolation
            mask = mask.resize((64, 48)).resize(SIZE[::-1], Image.Resampling.BILINEAR)
        if number == 5:
            mask = mask.resize((128, 96), Image.Resampling.NEAREST)
        save(data / "images" / f"scene{number:02}", scenes[number]["image"])
        save(data / "masks" / f"scene{number:02}", np.asarray(mask))
    cut = data / "images" / "scene08.png"
    cut.write_bytes(cut.read_bytes()[:2000])
    shutil.copy(data / "images" / "scene01.png", data / "images" / "scene11.png")
    return kseg.data.folder("DATA/images", "DATA/masks", scenes.class_names, probe=False)


def larger(picture):
    """Each pixel as 2x2, for screens of today."""
    return np.repeat(np.repeat(picture, 2, axis=0), 2, axis=1)


def save(name, picture, colors=None):
    path = FOLDER / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(picture)
    (image.quantize(colors) if colors else image).save(path, optimize=True)


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    findings()
    photo_and_mask()
    objects()
