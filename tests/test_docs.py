"""The Python of README.md and docs/*.md runs, page by page, in order, as a reader would paste it.

Each page in one namespace, in a folder of its own that holds what `furnish` and `more` put there:
`street.jpg`, `CamVid` and the like, a sample or two of each. Networks are built small, crops are
small and epochs few: see `SMALL` and `smaller`. Numbers are compared elsewhere.

What does not run has a comment above it, `<!-- not run: why -->`, and is counted in `NOT_RUN`.

On PyTorch, which has nothing to compile.
"""

import functools
import json
import re
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from places import furnish, save, strides_2_to_32, write_annotations

import kseg
from kseg.data.writers.layouts import write_cityscapes, write_voc

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(
    r"(?:<!-- not run: (?P<why>.+?) -->\n)?^```python\n(?P<code>.*?)^```", re.M | re.S
)

# page -> how many of its blocks do not run
NOT_RUN = {
    "docs/from-torchvision.md": (1, "downloads weights"),
    "docs/mask-rcnn.md": (1, "downloads weights"),
    "docs/serving.md": (6, "exports, and requests to a server; tests/deployment does both"),
    "docs/many-devices.md": (1, "several TPU hosts"),
    "docs/training.md": (2, "trainings of folds, as in tests/training; MLflow and wandb"),
    "docs/your-data.md": (4, "sets of one's own, and one that is downloaded"),
}
# Arguments with which the pages' models are built small; `build_unet` where it has no encoder.
SMALL = {
    "build_unet": {"width": 2, "depth": 1},
    "build_deeplabv3": {"width": 8},
    "build_mask_rcnn": {
        **{"encoder": None, "weights": None},  # `strides_2_to_32()` in place of the page's
        **{"fpn_width": 8, "box_width": 8, "mask_width": 8},
        **{"train_proposals": 20, "predict_proposals": 20},
    },
}
CROP = "(32, 48)"

pytestmark = [
    pytest.mark.once("torch"),
    # Keras', of a plain fit(ds)
    pytest.mark.filterwarnings("ignore:`shuffle=True` was passed:UserWarning"),
]


def blocks(path):
    """(line, code, why it does not run or None) of each block of Python in a page."""
    text = path.read_text()
    return [
        (text.count("\n", 0, match.start("code")), match["code"], match["why"])
        for match in BLOCK.finditer(text)
    ]


PAGES = {
    str(path.relative_to(ROOT)): blocks(path)
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
}


def smaller(code):
    """The code of a block with crops of `CROP` pixels and one epoch, or two where it goes on."""
    code = re.sub(r"\(\d{3}, \d{3}\)", CROP, code)
    code = re.sub(r"\bepochs=(\d+)", lambda found: f"epochs={2 if found[1] == '20' else 1}", code)
    code = re.sub(r"freeze_epochs=\d+", "freeze_epochs=1", code)
    return code.replace("shards=64", "shards=2")


def small(name, builder):
    """A builder that builds `SMALL` networks."""

    @functools.wraps(builder)
    def build(*args, **options):
        if name == "build_unet" and "encoder" in options:
            return builder(*args, **options)
        given = {**options, **SMALL[name]}
        if name == "build_mask_rcnn":
            given["encoder"] = strides_2_to_32()
        return builder(*args, **given)

    return build


@pytest.fixture(scope="module")
def furnished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    scenes = furnish(folder)
    more(folder, scenes)
    return folder


def more(folder, scenes):
    """What pages name beyond what examples of docstrings do."""
    rng = np.random.default_rng(0)
    photos = [scenes[index]["image"] for index in range(2)]
    for name in ("a.jpg", "b.jpg", "cells.png", "val2017/000000.jpg"):
        save(folder / name, photos[0])
    for split in ("train", "val"):
        for number, photo in enumerate(photos):
            classes = rng.integers(0, 11, (6, 8)).repeat(8, axis=0).repeat(8, axis=1)
            save(folder / f"CamVid/{split}/{number}.png", photo[:: 1 if split == "train" else -1])
            save(folder / f"CamVid/{split}annot/{number}.png", classes.astype("uint8"))
    for place in ("", "val/"):
        for number, photo in enumerate(photos):
            objects = np.zeros((48, 64), "uint8")
            objects[4:24, 6:30], objects[28:44, 30:60] = 1, 2
            save(folder / f"{place}images/{number}.png", photo)
            save(folder / f"{place}labels/{number}.png", objects)
    for number, photo in enumerate(photos):
        save(folder / f"DATA/images/{number}.jpg", photo)
        save(folder / f"DATA/masks/{number}.png", rng.integers(0, 3, (48, 64)).astype("uint8"))
        save(folder / f"SCANS/images/{number}.jpg", photo)
        for name in ("organ", "lesion"):
            save(folder / f"SCANS/masks/{name}/{number}.png", np.eye(48, 64, dtype="uint8") * 255)
        save(folder / f"{'ab'[number]}.png", np.eye(48, 64, dtype="uint8") * 255)
    objects = kseg.data.shapes("val", size=(48, 64), count=2, instances=True)
    write_voc(scenes, folder / "VOCdevkit/VOC2012", "val", objects)
    write_voc(scenes, folder / "VOCdevkit/VOC2012", "train")
    save(folder / "benchmark_RELEASE/other.png", np.zeros((48, 64), "uint8"))
    save(folder / "VOCdevkit/VOC2012/JPEGImages/other.jpg", photos[0])
    write_cityscapes(scenes, folder / "cityscapes", "val", objects)
    write_cityscapes(scenes, folder / "cityscapes", "train")
    save(folder / "train2017/0.jpg", photos[0])
    write_annotations(folder / "annotations/instances_train2017.json")
    write_panoptic(folder / "annotations/panoptic_val2017")
    kseg.data.convert(scenes, f"voc:{folder / 'exported'}")
    for number, photo in enumerate(photos):
        save(folder / f"road/{number}_sat.jpg", photo)
        save(folder / f"road/{number}_mask.png", np.eye(48, 64, dtype="uint8") * 255)
    save(folder / "yolo/images/train/0.jpg", photos[0])
    (folder / "yolo/labels/train").mkdir(parents=True)
    polygons = "0 0.1 0.1 0.6 0.1 0.6 0.7\n1 0.5 0.5 0.9 0.5 0.9 0.9 0.5 0.9\n"
    (folder / "yolo/labels/train/0.txt").write_text(polygons)
    (folder / "yolo/classes.txt").write_text("cat\ndog\n")


def write_panoptic(folder):
    """One photo of panoptic annotations: a JSON file, and a PNG whose colour is the segment."""
    save(folder / "000000.png", np.full((48, 64, 3), (1, 0, 0), "uint8"))
    content = {
        "categories": [{"id": 1, "name": "sky", "isthing": 0}],
        "images": [{"id": 1, "file_name": "000000.jpg", "height": 48, "width": 64}],
        "annotations": [
            {
                **{"image_id": 1, "file_name": "000000.png"},
                "segments_info": [{"id": 1, "category_id": 1, "iscrowd": 0, "area": 48 * 64}],
            }
        ],
    }
    folder.with_suffix(".json").write_text(json.dumps(content))


def of_smp():
    """A U-Net of segmentation_models.pytorch as a file: its encoder, and something of the rest."""
    model = kseg.build_unet(11, encoder="torchvision:resnet34", compile=False)
    tensors = kseg.weights.torchvision.state_dict(model, head=False)
    tensors = {f"encoder.{name}": array for name, array in tensors.items()}
    tensors["segmentation_head.0.weight"] = np.zeros((11, 16, 3, 3), "float32")
    kseg.weights.write("smp_unet_resnet34.pth", tensors)


def names_of(page):
    """What a page takes for granted; most begin from nothing."""
    if page == "docs/from-segmentation-models.md":
        of_smp()
    if page == "docs/architecture.md":
        return {
            "model": kseg.build_unet(6, width=2, depth=1),
            "source": kseg.data.shapes("val", count=1),
        }
    return {}


# they train for half a minute, or for several seconds
LONG = ("docs/training.md", "docs/report.md", "docs/your-data.md", "docs/from-ultralytics.md")
LONG += ("docs/mask-rcnn.md", "docs/new-scenes.md")


@pytest.mark.few("README", "evaluation", "prediction", "architecture")
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.slow] * (page in LONG))
        for page, found in PAGES.items()
        if any(why is None for _, _, why in found)
    ],
)
def test_page(page, furnished, tmp_path, monkeypatch, capsys):
    shutil.copytree(furnished, tmp_path / "page")
    monkeypatch.chdir(tmp_path / "page")
    names = {"__name__": "page", **names_of(page)}
    for name in SMALL:
        monkeypatch.setattr(kseg, name, small(name, getattr(kseg, name)))
    for line, code, why in PAGES[page]:
        if why is None:
            padded = "\n" * line + smaller(code)  # so that a traceback has the page's own lines
            exec(compile(padded, str(ROOT / page), "exec"), names)


@pytest.mark.slow
def test_parameters_in_the_readme(monkeypatch):
    """Each row `build_...(...)` of the table of networks says how many parameters that has."""
    # Only shapes are wanted: numbers are neither made nor copied (of FCN-8s, 134 million).
    monkeypatch.setattr(keras.Model, "get_weights", lambda model: [])
    monkeypatch.setattr(keras.Model, "set_weights", lambda model, weights: None)
    row = re.compile(r"^\| `(build_\w+\(.*?\))` \|.*?\| ([\d.]+) M \|", re.MULTILINE)
    rows = row.findall((ROOT / "README.md").read_text())
    assert len(rows) > 8
    for call, millions in rows:
        with keras.device("meta"):
            model = eval(f"kseg.{call}", {"kseg": kseg})
        digits = len(millions.partition(".")[2])
        assert f"{model.count_params() / 1e6:.{digits}f}" == millions, call


def test_what_does_not_run_is_listed():
    counts = {page: sum(why is not None for _, _, why in found) for page, found in PAGES.items()}
    listed = {page: count for page, (count, _) in NOT_RUN.items()}
    assert {page: count for page, count in counts.items() if count} == listed
    assert sum(len(found) for found in PAGES.values()) > 30
