"""Draws the pictures of README.md: networks trained on generated scenes, and pages of both.

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
from kseg.cli.main import main as command
from kseg.reports.check import write_check

FOLDER = Path(__file__).absolute().parent / "pictures"
SHOWN = 6  # number of the validation scene
SIDE = 384  # of the scenes, as in the demo
SEEN = 128  # of what Mask R-CNN sees of them


def photo_and_mask():
    """What the demo ends with."""
    with tempfile.TemporaryDirectory() as folder:
        command(["demo", "--run", f"{folder}/demo"])
        (name,) = Path(folder, "demo/photos").glob(f"*{SHOWN}.png")
        save("photo", np.asarray(Image.open(name)), 256)
        overlay = Path(folder, "demo/predictions/overlays", name.name)
        save("mask", np.asarray(Image.open(overlay).convert("RGB")), 256)
        page_of_a_run(f"{folder}/demo")


def objects():
    train, val = (
        kseg.data.shapes(split, size=(SIDE, SIDE), count=count, instances=True)
        for split, count in (("train", 240), ("val", 20))
    )
    model = kseg.build_mask_rcnn(
        train.num_classes,
        encoder="efficientnet_lite0",
        weights="imagenet",
        fpn_width=64,
        box_width=256,
        mask_width=64,
        anchor_sizes=((16,), (32,), (64,), (96,), (128,)),
        train_proposals=500,
        region_samples=128,
        mask_samples=32,
        resize=(SEEN, SEEN),
    )
    settings = kseg.Settings(
        size=(SEEN, SEEN),
        scale=(0.8 * SEEN / SIDE, 1.2 * SEEN / SIDE),
        batch_size=6,
        epochs=10,
        learning_rate=1e-3,
        validate_epochs=10,
    )
    with tempfile.TemporaryDirectory() as folder:
        kseg.fit(model, train, val, run=f"{folder}/run", settings=settings)
    photo = val[SHOWN]["image"]
    found = kseg.predict(model, photo, min_score=0.7)
    captions = pictures.captions(val.class_names, found.classes, found.scores)
    save("found", pictures.objects(photo, found.masks, found.boxes, captions=captions), 256)


def findings():
    """The page of `kseg.check` for a folder with the faults that folders have."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        source = faulty_folder()
        write_check(kseg.check(source), [source], Path("page.html"))
        photographed(f"{folder}/page.html", "check", "1000,760")


def page_of_a_run(run):
    """The page of `kseg.report`: its head, and its pictures in the dark."""
    with tempfile.TemporaryDirectory() as folder:
        page = kseg.report(run, path=f"{folder}/page.html")
        photographed(page, "report", "1000,960")
        alone = "<style>section:not(#pictures), h1, .lead { display: none; }</style></head>"
        page.write_text(page.read_text().replace("</head>", alone))
        photographed(page, "report_pictures", "1000,960", "--force-dark-mode")


def photographed(page, name, size, *options):
    """Saves what Chromium shows of a page, where there is Chromium."""
    if shutil.which("chromium") is None:
        return
    subprocess.run(
        [
            *("chromium", "--headless", "--no-sandbox", "--hide-scrollbars", *options),
            *("--force-prefers-reduced-motion", "--virtual-time-budget=4000"),
            *(f"--window-size={size}", f"--screenshot={page}.png", f"file://{page}"),
        ],
        check=True,
        capture_output=True,
    )
    save(name, np.asarray(Image.open(f"{page}.png").convert("RGB")), 128)


def faulty_folder():
    """Twelve scenes in DATA/, of which four are not as they should be."""
    data = Path("DATA").absolute()
    scenes = kseg.data.shapes("train", size=(192, 256), count=12)
    for number in range(12):
        mask = Image.fromarray(scenes[number]["label"].astype(np.uint8))
        if number == 3:  # resized with interpolation
            mask = mask.resize((64, 48)).resize((256, 192), Image.Resampling.BILINEAR)
        if number == 5:
            mask = mask.resize((128, 96), Image.Resampling.NEAREST)
        save(data / "images" / f"scene{number:02}", scenes[number]["image"])
        save(data / "masks" / f"scene{number:02}", np.asarray(mask))
    cut = data / "images" / "scene08.png"
    cut.write_bytes(cut.read_bytes()[:2000])
    shutil.copy(data / "images" / "scene01.png", data / "images" / "scene11.png")
    return kseg.data.folder("DATA/images", "DATA/masks", scenes.class_names, probe=False)


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
