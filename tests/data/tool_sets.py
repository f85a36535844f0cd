"""Small sets as the tools write them: one photo of 40x60 a name, with squares drawn on it.

`WRITERS`: of each reader of files, a function that writes a whole set for it.
"""

import base64
import io
import json
import zlib

import numpy as np
from PIL import Image

import kseg

SIZE = (40, 60)


def photo(path, size=SIZE, seed=None):
    """Writes noise, by default of a seed of its own for each name; returns the pixels."""
    seed = zlib.crc32("/".join(path.parts[-2:]).encode()) if seed is None else seed
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def square(x, y, side):
    """Corners of a square, [x, y] each."""
    return [[x, y], [x + side, y], [x + side, y + side], [x, y + side]]


def area(mask):
    """First and last row and column that are set, and how many pixels."""
    rows, columns = np.nonzero(mask)
    return rows.min(), rows.max(), columns.min(), columns.max(), len(rows)


def inside(x, y, side):
    """`area` of a square."""
    return y, y + side - 1, x, x + side - 1, side * side


def yolo_line(class_id, corners, size=SIZE):
    height, width = size
    return " ".join([str(class_id), *(f"{x / width} {y / height}" for x, y in corners)])


def labelme_file(path, shapes, name, size=SIZE, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": name}
    content |= {"imageData": None, "imageHeight": size[0], "imageWidth": size[1], **more}
    path.write_text(json.dumps(content))


def labelme_shape(label, points, kind="polygon", **more):
    return {
        "label": label,
        "points": points,
        "group_id": None,
        "shape_type": kind,
        "flags": {},
    } | more


def labelme_mask(label, corner, mask):
    stream = io.BytesIO()
    Image.fromarray(mask).save(stream, "PNG")
    end = [corner[0] + mask.shape[1] - 1, corner[1] + mask.shape[0] - 1]
    text = base64.b64encode(stream.getvalue()).decode()
    return labelme_shape(label, [list(corner), end], "mask", mask=text)


def via_region(shape, **attributes):
    return {"shape_attributes": shape, "region_attributes": attributes}


def via_polygon(corners):
    x, y = zip(*corners)
    return {"name": "polygon", "all_points_x": list(x), "all_points_y": list(y)}


def coco_content(names, boxes, categories=("cell", "nucleus"), prefix=""):
    """COCO's file of photos of SIZE, each with one square a box `(x, y, side, category id)`."""
    content = {"images": [], "annotations": [], "categories": []}
    content["categories"] = [{"id": i + 1, "name": n} for i, n in enumerate(categories)]
    for index, name in enumerate(names):
        height, width = SIZE
        image = {"id": index, "file_name": prefix + name, "height": height, "width": width}
        content["images"].append(image)
        for x, y, side, category in boxes:
            content["annotations"].append(
                {
                    "id": len(content["annotations"]) + 1,
                    "image_id": index,
                    "category_id": category,
                    "bbox": [x, y, side, side],
                    "area": side * side,
                    "iscrowd": 0,
                    "segmentation": [sum(square(x, y, side), [])],
                }
            )
    return content


LENGTHS = (3, 4, 8, 16)  # bits of a run's length, of brushes of Label Studio


def packed(numbers):
    """Bytes as rle-pack packs them, by the text of their bits: repeated ones, and others in one."""
    text = f"{len(numbers):032b}{7:05b}" + "".join(f"{bits - 1:04b}" for bits in LENGTHS)
    at = 0
    while at < len(numbers):
        end = at + 1
        while end < len(numbers) and numbers[end] == numbers[at]:
            end += 1
        repeated = end - at > 1
        if not repeated:
            end = min(at + 3, len(numbers))
        which = next(i for i, bits in enumerate(LENGTHS) if end - at - 1 < 2**bits)
        text += f"{repeated:b}{which:02b}{end - at - 1:0{LENGTHS[which]}b}"
        text += "".join(f"{n:08b}" for n in numbers[at : at + 1 if repeated else end])
        at = end
    text += "0" * (-len(text) % 8)
    return [int(text[i : i + 8], 2) for i in range(0, len(text), 8)]


def region(kind, label, **value):
    """Something drawn in Label Studio."""
    sides = {"original_height": SIZE[0], "original_width": SIZE[1], "image_rotation": 0}
    return {"type": kind, **sides, "value": {**value, kind: [label]}}


def percent(corners):
    return [[100 * x / SIZE[1], 100 * y / SIZE[0]] for x, y in corners]


def task(name, *regions, **more):
    return {"data": {"image": name}, "annotations": [{"result": [*regions], **more}]}


# A whole set for each reader of files


def mask(path, value=1, size=SIZE, ground=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full(size, ground, np.uint8)
    pixels[5:20, 10:30] = value
    Image.fromarray(pixels).save(path)


def converted(kind):
    def write(root):
        splits = {name: kseg.data.shapes(name, count=2, size=SIZE) for name in ("train", "val")}
        kseg.data.convert(splits, f"{kind}:{root}")

    return write


def camvid(root):
    for split in ("train", "val"):
        photo(root / split / "a.png")
        mask(root / f"{split}annot" / "a.png")


def labelme(root):
    for name in "ab":
        photo(root / f"{name}.png")
        labelme_file(root / f"{name}.json", [labelme_shape("cell", square(3, 4, 9))], f"{name}.png")


def via(root):
    entries = {}
    for name in "ab":
        photo(root / f"{name}.png")
        region = via_region(via_polygon(square(3, 4, 9)), kind="cell")
        entries[name] = {"filename": f"{name}.png", "regions": [region]}
    (root / "via.json").write_text(json.dumps(entries))


def jsonl(root):
    shares = [0.1, 0.1, 0.5, 0.1, 0.5, 0.5]
    lines = []
    for name in "ab":
        photo(root / f"{name}.png")
        label = [{"label": "cell", "polygon": [shares]}]
        lines.append(json.dumps({"image_url": f"{name}.png", "label": label}))
    (root / "a.jsonl").write_text("\n".join(lines))


def rle(root):
    for name in "ab":
        photo(root / f"{name}.png")
    (root / "train.csv").write_text("ImageId,EncodedPixels\na.png,45 9\nb.png,90 4\n")


def nnunet(root):
    for name in "ab":
        photo(root / "imagesTr" / f"{name}_0000.png")
        mask(root / "labelsTr" / f"{name}.png")
    (root / "dataset.json").write_text(json.dumps({"labels": {"ground": 0, "cell": 1}}))


def ade20k(root):
    for split in ("training", "validation"):
        photo(root / "images" / split / "a.png")
        mask(root / "annotations" / split / "a.png", value=2, ground=1)


def oxford_pets(root):
    for name in "ab":
        photo(root / "images" / f"{name}.png")
        mask(root / "annotations/trimaps" / f"{name}.png", value=2, ground=1)


WRITERS = {
    "camvid": camvid,
    "voc": converted("voc"),
    "cvat": converted("voc"),
    "cityscapes": converted("cityscapes"),
    "coco": converted("coco"),
    "yolo": converted("yolo"),
    "folder": converted("folder"),
    "labelme": labelme,
    "via": via,
    "jsonl": jsonl,
    "rle": rle,
    "nnunet": nnunet,
    "ade20k": ade20k,
    "oxford_pets": oxford_pets,
}
