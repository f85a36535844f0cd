"""What examples of docstrings and pages find: photos, sets of usual layouts, a small encoder."""

import json

import keras
import numpy as np
from PIL import Image

import kseg
from kseg.data.writers.layouts import write_cityscapes, write_voc


def furnish(folder):
    """Writes photos, CamVid, VOC, Cityscapes, COCO, one or two samples each -> the scenes."""
    scenes = kseg.data.shapes("val", size=(48, 64), count=2)
    photos = [scenes[index]["image"] for index in range(2)]
    for name in ("street.jpg", "CamVid/val/0.png", "val2017/0.jpg", "photos/0.jpg"):
        save(folder / name, photos[0])
    save(folder / "CamVid/valannot/0.png", np.zeros((48, 64), "uint8"))
    save(folder / "masks/0.png", np.zeros((48, 64), "uint8"))
    write_voc(scenes, folder / "VOCdevkit/VOC2012", "val")
    write_cityscapes(scenes, folder / "cityscapes", "val")
    write_annotations(folder / "annotations/instances_val2017.json")
    of_tools(folder, photos[0])
    return scenes


def of_tools(folder, photo):
    """Sets of labelme, CVAT, VIA, Prodigy, Kaggle, nnU-Net, pets and ADE20K, each very small."""
    square = [[10, 10], [30, 10], [30, 30], [10, 30]]
    shapes = [{"label": name, "points": square, "shape_type": "polygon"} for name in ("bus", "car")]
    save(folder / "annotated/street.jpg", photo)
    write_json(folder / "annotated/street.json", {"imagePath": "street.jpg", "shapes": shapes})
    line = {"image": "0.jpg", "spans": [{"label": "cell", "points": square}]}
    save(folder / "lines/0.jpg", photo)
    write_json(folder / "lines/all.jsonl", line)
    points = ";".join(f"{x},{y}" for x, y in square)
    save(folder / "images_1_1/images/0.jpg", photo)
    (folder / "images_1_1/annotations.xml").write_text(
        f'<annotations><image name="0.jpg" subset="train" width="64" height="48">'
        f'<polygon label="car" points="{points}"/></image></annotations>'
    )
    x, y = zip(*square)
    region = {"shape_attributes": {"name": "polygon", "all_points_x": x, "all_points_y": y}}
    entry = {"filename": "0.jpg", "regions": [region | {"region_attributes": {}}]}
    save(folder / "balloon/train/0.jpg", photo)
    write_json(folder / "balloon/train/via_region_data.json", {"0.jpg1": entry})
    for name in ("a", "b"):
        save(folder / f"ships/{name}.jpg", photo)
    (folder / "ships/train.csv").write_text("ImageId,EncodedPixels\na.jpg,1 9\nb.jpg,\n")
    labels = {"labels": {"background": 0, "road": 1}, "file_ending": ".png"}
    write_json(folder / "Dataset120_Roads/dataset.json", labels)
    mask = np.eye(48, 64, dtype="uint8")
    for name in ("a", "b"):
        save(folder / f"Dataset120_Roads/imagesTr/{name}_0000.png", photo)
        save(folder / f"Dataset120_Roads/labelsTr/{name}.png", mask)
        save(folder / f"pets/images/{name}.jpg", photo)
        save(folder / f"pets/annotations/trimaps/{name}.png", mask + 1)
        split = {"a": "training", "b": "validation"}[name]
        save(folder / f"ADEChallengeData2016/images/{split}/{name}.jpg", photo)
        save(folder / f"ADEChallengeData2016/annotations/{split}/{name}.png", mask)


def write_json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def strides_2_to_32():
    """An encoder of five convolutions."""
    image = x = keras.Input((None, None, 3))
    for _ in range(5):
        x = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    return keras.Model(image, x)


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def write_annotations(path):
    """The first twelve of COCO's categories, whose ids leave out 12, and one object."""
    first = "person bicycle car motorcycle airplane bus train truck boat".split()
    words = [*first, "traffic light", "fire hydrant", "stop sign"]
    content = {
        "categories": [
            {"id": number, "name": name} for number, name in zip([*range(1, 12), 13], words)
        ],
        "images": [{"id": 1, "file_name": "0.jpg", "height": 48, "width": 64}],
        "annotations": [
            {
                **{"id": 1, "image_id": 1, "category_id": 3, "iscrowd": 0, "area": 400},
                "bbox": [10, 10, 20, 20],
                "segmentation": [[10, 10, 30, 10, 30, 30, 10, 30]],
            }
        ],
    }
    write_json(path, content)
