"""Draws a picture of each layout that is read: its files, a photo, and the labels as understood.

python docs/make_layout_pictures.py

Each set is written to a temporary folder and opened as the command line opens it.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import kseg
from kseg.base.colors import voc_colors
from kseg.data.spec import DataSpec
from kseg.data.writers.outlines import outline
from kseg.pictures import instance, multilabel, semantic
from kseg.pictures.image import picture_of

FOLDER = Path(__file__).parent / "pictures" / "layouts"
SIZE = (128, 168)
LINES = 11  # of files
TREE = 250  # pixels of their column
DRAWING = {"semantic": semantic, "instance": instance, "multilabel": multilabel}


def scenes(split="train", count=2, instances=False):
    return kseg.data.shapes(split, size=SIZE, count=count, seed=5, instances=instances)


def converted(kind, instances=False):
    def write(root):
        sets = {"train": scenes(instances=instances), "val": scenes("val", 1, instances)}
        kseg.data.convert(sets, f"{kind}:{root}")

    return write


def save(path, array, palette=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array)
    if palette:
        image.putpalette(np.array(palette, np.uint8).tobytes())
    image.save(path)


def samples():
    for number, sample in enumerate([*map(scenes().__getitem__, range(2)), scenes("val", 1)[0]]):
        yield ("train", "train", "val")[number], f"{number}", sample


def shapes_of(sample_number):
    """Label and outline of each object of a scene."""
    source = scenes(instances=True)
    sample = source[sample_number]
    for mask, class_id in zip(sample["masks"], sample["classes"]):
        yield source.class_names[class_id], outline(mask)


def class_masks(root):
    """Numbers of objects, and a mask of their classes."""
    source = scenes(instances=True)
    for index in range(len(source)):
        sample = source[index]
        numbers, classes = np.zeros((2, *SIZE), np.uint8)
        for number, (mask, class_id) in enumerate(zip(sample["masks"], sample["classes"]), 1):
            numbers[mask > 0], classes[mask > 0] = number, class_id + 1
        save(root / "images" / f"{index}.png", sample["image"])
        save(root / "masks" / f"{index}.png", numbers)
        save(root / "classes" / f"{index}.png", classes)
    (root / "classes.txt").write_text("\n".join(source.class_names))


def several(root):
    names = scenes().class_names
    for _, name, sample in samples():
        save(root / "images" / f"{name}.png", sample["image"])
        for class_id, of_class in ((1, names[1]), (2, names[2])):
            mask = np.uint8(sample["label"] == class_id)
            mask[:64] |= np.uint8(class_id == 2)  # over whatever is there
            save(root / "masks" / of_class / f"{name}.png", mask * 255)
    (root / "classes.txt").write_text("\n".join(names[1:3]))


def patterns(root):
    for _, name, sample in samples():
        save(root / f"{name}_sat.jpg", sample["image"])
        save(root / f"{name}_mask.png", sample["label"])
    (root / "classes.txt").write_text("\n".join(scenes().class_names))


def voc(root):
    lists = {"train": [], "val": []}
    for split, name, sample in samples():
        save(root / "JPEGImages" / f"{name}.jpg", sample["image"])
        save(root / "SegmentationClass" / f"{name}.png", sample["label"], voc_colors(256))
        lists[split].append(name)
    (root / "ImageSets/Segmentation").mkdir(parents=True)
    for split, names in lists.items():
        (root / "ImageSets/Segmentation" / f"{split}.txt").write_text("\n".join(names))


def labelme(root):
    for number in range(2):
        save(root / f"{number}.jpg", scenes()[number]["image"])
        shapes = [
            {"label": label, "points": points.tolist(), "shape_type": "polygon", "group_id": None}
            for label, points in shapes_of(number)
        ]
        content = {"shapes": shapes, "imagePath": f"{number}.jpg"}
        content |= {"imageHeight": SIZE[0], "imageWidth": SIZE[1]}
        (root / f"{number}.json").write_text(json.dumps(content))


def via(root):
    entries = {}
    for number in range(2):
        save(root / f"{number}.jpg", scenes()[number]["image"])
        regions = []
        for label, points in shapes_of(number):
            x, y = points.T.tolist()
            shape = {"name": "polygon", "all_points_x": x, "all_points_y": y}
            regions.append({"shape_attributes": shape, "region_attributes": {"type": label}})
        entries[f"{number}"] = {"filename": f"{number}.jpg", "regions": regions}
    (root / "via_region_data.json").write_text(json.dumps(entries))


def cvat_xml(root):
    images = []
    for number in range(2):
        save(root / "images" / f"{number}.jpg", scenes()[number]["image"])
        drawn = [
            f'<polygon label="{label}" points="{";".join(f"{x},{y}" for x, y in points)}"/>'
            for label, points in shapes_of(number)
        ]
        size = f'width="{SIZE[1]}" height="{SIZE[0]}"'
        images.append(f'<image name="{number}.jpg" {size}>{"".join(drawn)}</image>')
    (root / "annotations.xml").write_text(f"<annotations>{''.join(images)}</annotations>")


def nnunet(root):
    for _, name, sample in samples():
        for channel in range(3):
            save(root / "imagesTr" / f"{name}_000{channel}.png", sample["image"][..., channel])
        save(root / "labelsTr" / f"{name}.png", sample["label"])
    names = scenes().class_names
    labels = {each: number for number, each in enumerate(names)}
    (root / "dataset.json").write_text(json.dumps({"labels": labels}))


def ade20k(root):
    for split, name, sample in samples():
        folder = {"train": "training", "val": "validation"}[split]
        save(root / "images" / folder / f"ADE_{name}.jpg", sample["image"])
        save(root / "annotations" / folder / f"ADE_{name}.png", sample["label"])


def pets(root):
    for _, name, sample in samples():
        save(root / "images" / f"pet_{name}.jpg", sample["image"])
        trimap = np.where(sample["label"] == 1, 1, 2).astype(np.uint8)
        edge = np.zeros(SIZE, bool)
        for axis in (0, 1):
            differs = np.diff(trimap, axis=axis) != 0
            for shift in (-1, 0, 1, 2):
                edge |= np.roll(np.pad(differs, [(0, a == axis) for a in (0, 1)]), shift, axis)
        trimap[edge] = 3
        save(root / "annotations/trimaps" / f"pet_{name}.png", trimap)


def camvid(root):
    for split, name, sample in samples():
        save(root / split / f"{name}.png", sample["image"])
        save(root / f"{split}annot" / f"{name}.png", sample["label"])


# Name of the picture -> what writes the set, how it is opened
PICTURES = {
    "folder": (converted("folder"), {}),
    "class_masks": (class_masks, {"class_masks": "classes", "instances": True}),
    "several": (several, {"multilabel": True, "values": (0, 255)}),
    "patterns": (patterns, {}),
    "voc": (voc, {}),
    "cityscapes": (converted("cityscapes"), {}),
    "coco": (converted("coco", instances=True), {"instances": True}),
    "yolo": (converted("yolo"), {}),
    "labelme": (labelme, {}),
    "cvat": (converted("voc"), {}),
    "cvat_xml": (cvat_xml, {"instances": True}),
    "via": (via, {"instances": True}),
    "nnunet": (nnunet, {}),
    "ade20k": (ade20k, {}),
    "oxford_pets": (pets, {}),
    "camvid": (camvid, {}),
}


def tree(root):
    """The files below a folder, a line each: folders, and of each a few files."""
    lines = []

    def walk(folder, depth):
        entries = sorted(folder.iterdir(), key=lambda each: (each.is_dir(), each.name))
        files = [each for each in entries if each.is_file()]
        most = 2 if depth else LINES - 1
        for each in files[:most]:
            lines.append("   " * depth + each.name)
        if len(files) > most:
            lines[-1] += "  ..."
        for each in (each for each in entries if each.is_dir()):
            inner, name = each, f"{each.name}/"
            while len(below := list(inner.iterdir())) == 1 and below[0].is_dir():
                inner, name = below[0], f"{name}{below[0].name}/"
            lines.append("   " * depth + name)
            walk(inner, depth + 1)

    walk(root, 0)
    return lines if len(lines) <= LINES else [*lines[: LINES - 1], "..."]


def page(lines, pictures):
    """Files on the left, pictures beside them."""
    height = max(len(picture) for picture in pictures)
    left = Image.new("RGB", (TREE, height), "white")
    drawing, font = ImageDraw.Draw(left), ImageFont.load_default(10)
    for number, line in enumerate(lines):
        drawing.text((2, 1 + number * (height // LINES)), line, "black", font)
    columns = [np.asarray(left)]
    for picture in pictures:
        below = np.full((height - len(picture), picture.shape[1], 3), 255, np.uint8)
        columns += [np.concatenate([picture, below]), np.full((height, 4, 3), 255, np.uint8)]
    return np.concatenate(columns[:-1], axis=1)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, (write, said) in PICTURES.items():
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "DATA"
            if write.__name__ != "write":  # what is converted makes its folder itself
                root.mkdir()
            write(root)
            source = DataSpec(str(root), **said).resolved().open("train")
            sample = source[0]
            shown = [picture_of(source, sample), DRAWING[source.task].truth(source, sample)]
            picture = Image.fromarray(page(tree(root), shown)).quantize(64)
            picture.save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
