"""Clean sets of three layouts on disk, and every kind of fault that can be put into them."""

import dataclasses
import io
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

import kseg
from kseg.base.colors import voc_colors
from kseg.data.readers.camvid import CLASSES as CAMVID
from kseg.data.readers.shapes import CLASS_NAMES, COLORS, draw_scene
from kseg.data.source import VOID

SIZE = (64, 88)
SPLITS = ("train", "val")
VAL = 3  # samples of "val"


@dataclasses.dataclass
class Layout:
    """A set on disk: `folder` of ids, `camvid`, or `colors`, a folder of colour-coded masks."""

    kind: str
    root: Path
    bad: int = 0  # the sample of "train" that a fault is put into
    other: int = 1  # a second one, where a fault takes two

    def path(self, what, index, split="train"):
        name = f"{split}{index:02}"
        if self.kind == "camvid":
            folder = split + ("annot" if what == "mask" else "")
            return self.root / folder / (name + (".jpg" if what == "photo" else ".png"))
        folder = "images" if what == "photo" else "masks"
        return self.root / split / folder / f"{name}.png"

    def open(self, split="train"):
        if self.kind == "camvid":
            return kseg.data.camvid(self.root, split)
        return kseg.data.folder(
            self.root / split / "images",
            self.root / split / "masks",
            CLASS_NAMES,
            palette=COLORS if self.kind == "colors" else None,
            void_values=[(255, 255, 255)] if self.kind == "colors" else [VOID],
            name=f"{self.kind}/{split}",
            probe=False,
        )

    def ids(self, index, split="train", size=SIZE):
        """The true labels of a sample; of CamVid's 11 classes, odd ones have the upper half."""
        scene = draw_scene(len(split), index, size)["label"]
        return scene + 5 * (index % 2) if self.kind == "camvid" else scene

    def stored(self, ids):
        """Class ids, and 255 for void, as the layout's masks hold them."""
        if self.kind == "colors":
            table = np.array([*COLORS, (255, 255, 255)], np.uint8)
            return table[np.minimum(ids, len(COLORS))]
        return (
            np.where(ids == VOID, len(CAMVID), ids).astype(np.uint8)
            if self.kind == "camvid"
            else ids
        )

    def write_mask(self, ids):
        Image.fromarray(self.stored(np.asarray(ids, np.uint8))).save(self.path("mask", self.bad))

    def write(self, count):
        for split, number in (("train", count), ("val", VAL)):
            for index in range(number):
                for what in ("photo", "mask"):
                    self.path(what, index, split).parent.mkdir(parents=True, exist_ok=True)
                scene = draw_scene(len(split), index, SIZE)
                save(scene["image"], self.path("photo", index, split))
                Image.fromarray(self.stored(self.ids(index, split))).save(
                    self.path("mask", index, split)
                )


def save(array, path, **options):
    """Saves a photo; as JPEG well enough that nothing is to be found."""
    options = {"quality": 92} | options if path.suffix == ".jpg" else options
    Image.fromarray(array).save(path, **options)


# Faults: functions of a layout that do harm to its sample `bad` and return the path at fault


def truncated(what):
    def harm(layout):
        path = layout.path(what, layout.bad)
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
        return path

    return harm


def replaced(what, content):
    def harm(layout):
        path = layout.path(what, layout.bad)
        path.write_bytes(content)
        return path

    return harm


def two_pages(kind):
    def harm(layout):
        path = layout.path("photo", layout.bad)
        with Image.open(path) as image:
            image = image.convert("RGB")
        image.save(path, kind, save_all=True, append_images=[image.rotate(180)])
        return path

    return harm


def smaller_mask(layout):
    layout.write_mask(layout.ids(layout.bad)[::2, ::2])
    return layout.path("mask", layout.bad)


def exif(orientation, mask_turned):
    def harm(layout):
        path = layout.path("photo", layout.bad)
        with Image.open(path) as image:
            image = image.convert("RGB")
        tags = Image.Exif()
        tags[274] = orientation
        image.save(path, exif=tags)
        if mask_turned:
            layout.write_mask(np.rot90(layout.ids(layout.bad)))
        return path

    return harm


def square_exif(layout):
    scene = draw_scene(5, layout.bad, (64, 64))
    path = layout.path("photo", layout.bad)
    save(scene["image"], path)
    layout.write_mask(scene["label"])
    return exif(6, mask_turned=False)(layout)


def one_unknown_id(layout):
    path = layout.path("mask", layout.bad)
    with Image.open(path) as image:
        mask = np.array(image)
    mask[10:13, 20:22] = 60
    Image.fromarray(mask).save(path)
    return path


def black_and_white(values):
    def harm(layout):
        path = layout.path("mask", layout.bad)
        Image.fromarray(np.array(values, np.uint8)[(layout.ids(layout.bad) % 5 > 0) * 1]).save(path)
        return path

    return harm


def jpeg_named_png(layout):
    path = layout.path("mask", layout.bad)
    with Image.open(path) as image:
        image.load()
    image.save(path, "JPEG", quality=95)
    return path


def jpeg_values(quality):
    def harm(layout):
        path = jpeg_named_png(layout)
        content = io.BytesIO()
        Image.fromarray(layout.stored(layout.ids(layout.bad))).save(
            content, "JPEG", quality=quality
        )
        with Image.open(content) as image:
            image.save(path)
        return path

    return harm


def resized(factor, method):
    """The mask of a scene of another size, brought to the photo's with interpolation."""

    def harm(layout):
        drawn = layout.ids(layout.bad, size=tuple(int(side * factor) for side in SIZE))
        mask = Image.fromarray(layout.stored(drawn)).resize(SIZE[::-1], method)
        mask.save(layout.path("mask", layout.bad))
        return layout.path("mask", layout.bad)

    return harm


def colors_for_ids(layout):
    path = layout.path("mask", layout.bad)
    Image.fromarray(np.array(COLORS + COLORS, np.uint8)[layout.ids(layout.bad)]).save(path)
    return path


def palette_as_grey(layout):
    palette = Image.fromarray(np.array(voc_colors(21), np.uint8)[layout.ids(layout.bad)])
    path = layout.path("mask", layout.bad)
    palette.convert("L").save(path)
    return path


def all_of(value):
    def harm(layout):
        layout.write_mask(np.full(SIZE, value))
        return layout.path("mask", layout.bad)

    return harm


def same_file(layout):
    shutil.copy(layout.path("photo", layout.other), layout.path("photo", layout.bad))
    return layout.path("photo", layout.bad)


def same_pixels(layout):
    path = layout.path("photo", layout.bad)
    with Image.open(layout.path("photo", layout.other)) as image:
        image = image.convert("RGB")
    image.save(path, "BMP" if path.suffix == ".png" else "PNG")
    return path


def copied(change):
    def harm(layout):
        path = layout.path("photo", layout.bad)
        with Image.open(layout.path("photo", layout.other)) as image:
            image = change(image.convert("RGB"))
        if path.suffix == ".png":
            content = io.BytesIO()
            image.save(content, "JPEG", quality=40)
            with Image.open(content) as again:
                again.save(path)
        else:
            image.save(path, quality=40)
        mask = layout.ids(layout.other, size=image.size[::-1])
        mask[:20, :20] = 0  # or it would be the same mask
        layout.write_mask(mask)
        return path

    return harm


def shared_with_val(layout):
    shutil.copy(layout.path("photo", 1, "val"), layout.path("photo", layout.bad))
    return layout.path("photo", layout.bad)


def blank(layout):
    save(np.full((*SIZE, 3), 90, np.uint8), layout.path("photo", layout.bad))
    return layout.path("photo", layout.bad)


def mask_of_another(layout):
    layout.write_mask(layout.ids(layout.other))
    return layout.path("mask", layout.bad)


def orphan(layout):
    path = layout.path("mask", 77)
    shutil.copy(layout.path("mask", layout.bad), path)
    return path


def id_twice(layout):
    path = layout.path("photo", layout.bad).with_suffix(".bmp")
    save(draw_scene(9, 0, SIZE)["image"], path)
    return path


TEXT = b"<html>404: this photo has moved</html>" * 9
IDS = ("folder", "camvid")  # layouts whose masks hold ids
FAULTS = {  # name -> kind expected, harm, layouts if not all
    "truncated photo": ("unreadable", truncated("photo")),
    "truncated mask": ("unreadable", truncated("mask")),
    "empty photo": ("empty_file", replaced("photo", b"")),
    "empty mask": ("empty_file", replaced("mask", b"")),
    "text for a photo": ("wrong_format", replaced("photo", TEXT)),
    "text for a mask": ("wrong_format", replaced("mask", TEXT)),
    "TIFF of two pages": ("unsuitable", two_pages("TIFF")),
    "WebP that moves": ("unsuitable", two_pages("WEBP")),
    "PDF for a photo": ("wrong_format", replaced("photo", b"%PDF-1.7")),
    "smaller mask": ("size_mismatch", smaller_mask),
    "photo on its side": ("exif_rotation", exif(6, mask_turned=True)),
    "photo upside down": ("exif_orientation", exif(3, mask_turned=False)),
    "square photo on its side": ("exif_orientation", square_exif),
    "unknown id": ("unknown_id", one_unknown_id),
    "0 and 255": ("black_and_white", black_and_white((0, 255)), IDS),
    "JPEG named .png": ("jpeg_mask", jpeg_named_png),
    "values of JPEG 75": ("jpeg_mask interpolated_mask", jpeg_values(75)),
    "values of JPEG 90": ("jpeg_mask interpolated_mask", jpeg_values(90)),
    "halved with interpolation": ("interpolated_mask", resized(2, Image.Resampling.BILINEAR)),
    "enlarged with interpolation": ("interpolated_mask", resized(0.7, Image.Resampling.BICUBIC)),
    "colours where ids belong": ("color_mask", colors_for_ids, IDS),
    "palette turned grey": ("palette_as_grey", palette_as_grey, IDS),
    "all void": ("void_mask", all_of(VOID)),
    "one class": ("single_class_mask", all_of(0)),
    "same file": ("duplicate_photo", same_file),
    "same pixels": ("duplicate_photo", same_pixels),
    "re-encoded copy": ("near_duplicate", copied(lambda image: image)),
    "resized copy": ("near_duplicate", copied(lambda image: image.resize((132, 96)))),
    "photo of another split": ("shared_photo", shared_with_val),
    "blank photo": ("blank_photo", blank),
    "mask of another photo": ("duplicate_mask", mask_of_another),
    "mask without photo": ("orphan_mask", orphan),
    "two samples of a name": ("duplicate_id", id_twice),
}
