"""Rows of `kseg.data`: sources, readers, batches, transforms and writers."""

import keras
import numpy as np
from every_argument.inputs import SIZE, Beside, Entry, Made, sample, scenes

import kseg
from kseg.data import transforms
from kseg.data.sample import moved


def below(path):
    """A file or folder of the `place`."""
    return Made(lambda place: str(place.root / path))


def out(path):
    """What a call is to write."""
    return Made(lambda place: str(place.out / path))


NOTES = Made(lambda place: lambda *done: place.notes.append(done))  # a function that is called
CROP = Made(lambda place: [transforms.random_crop((16, 16))])
SCENES = Made(lambda place: scenes())
OTHERS = Made(lambda place: scenes(seed=1))
OBJECTS = Made(lambda place: scenes(instances=True))
IMAGES = np.arange(24, dtype="uint8").reshape(2, 2, 2, 3)
LEVELS = np.linspace(0, 250, 16 * 20).reshape(16, 20).astype("uint8")
TOUCHING = np.array([[1, 0, 2, 2], [0, 0, 0, 3]])
LABELS = np.arange(8, dtype="uint8").reshape(2, 2, 2) % 3

SOURCE = {
    "name": "mine",
    "columns": {"image": IMAGES, "label": LABELS},
    "decode": lambda row: {"image": row["image"], "label": row["label"]},
    "class_names": ("a", "b", "c"),
    "colors": ((0, 0, 0), (1, 1, 1), (2, 2, 2)),
    "ids": ("p", "q"),
}
FOLDER = {
    "images": below("set/images"),
    "masks": below("set/masks"),
    "class_names": ("a", "b", "c"),
}
TWO = {"class_names": ("a", "b")}
ONE = {"class_names": ("object",), "stored": "instances"}
COLORS = ((0, 0, 0), (200, 0, 0), (0, 200, 0))
SPLIT = {"split": "train"}
NUMBERS = {
    "value_range": (0, 4095),
    "bits": 12,
    "bands": (2, 1, 0),
    "clip": Beside({"value_range": (100, 150)}, True, refused=True),
}


def sources():
    return {
        "data.Source": Entry(
            SOURCE,
            {
                "name": "yours",
                "columns": {"image": IMAGES[::-1], "label": LABELS},
                "decode": lambda row: {"image": row["image"], "label": 1 - row["label"] // 2},
                "class_names": ("a", "b", "d"),
                "colors": ((0, 0, 0), (1, 1, 1), (3, 3, 3)),
                "ids": ("p", "r"),
                "void": 9,
                "task": "other",
                "category_ids": (1, 2, 4),
                "image_ids": (4, 7),
                "problems": lambda index: [("odd", f"{index} is odd")],
                "notes": (("odd", "the whole is odd"),),
                "annotated": lambda index: np.full((1, 5), float(index)),
                "value_range": (0, 4095),
                "bits": 12,
                "bands": (2, 1, 0),
            },
        ),
        "data.samples": Entry(
            {"source": SCENES}, {"source": OTHERS}, lambda samples, place: list(samples)
        ),
        "data.corrupt": Entry(
            {"image": LEVELS, "name": "fog"},
            {
                "image": LEVELS[::-1],
                "name": "snow",
                "severity": 5,
                "seed": 1,
                "value_range": (0, 254),
            },
        ),
        **{
            f"data.{name}": Entry(
                {"source": SCENES, **given},
                {"source": OTHERS, **rows},
                lambda source, place: [source.name, list(kseg.data.samples(source))],
            )
            for name, given, rows in (
                ("corrupted", {"name": "fog"}, {"name": "snow", "severity": 5, "seed": 1}),
                ("rescaled", {"factor": 2}, {"factor": 0.5}),
                ("exposed", {"factor": 2}, {"factor": 0.5}),
            )
        },
        "data.border_weights": Entry(
            {"objects": TOUCHING}, {"objects": TOUCHING[::-1], "w0": 3.0, "sigma": 2.0}
        ),
        "data.steps_per_epoch": Entry(
            {"source": SCENES, "batch_size": 2},
            {"source": Made(lambda place: scenes(count=6)), "batch_size": 4},
        ),
        "data.batches": Entry(
            {"source": SCENES, "size": (16, 16), "batch_size": 2, "augment": CROP},
            {
                "source": OTHERS,
                "size": Beside({"augment": False}, (16, 24)),
                "batch_size": 1,
                "augment": True,
                "shuffle": False,
                "seed": 1,
                "start_step": 1,
                "share": Beside({"start_step": 0}, (1, 2)),
                "max_instances": Beside({"source": OBJECTS}, 2),
                "cache": "memory",
            },
        ),
        "data.shapes": Entry(
            {"split": "train", "size": SIZE, "count": 2},
            {"split": "val", "size": (16, 24), "count": 3, "seed": 1, "instances": True},
        ),
    }


def readers():
    return {
        "data.folder": Entry(
            FOLDER,
            {
                "images": below("set/others"),
                "masks": below("set/turned"),
                "class_names": ("a", "b", "d"),
                "values": (2, 1, 0),
                "palette": Beside({"masks": below("set/colors")}, COLORS, refused=True),
                "colors": COLORS,
                "void_values": Beside(TWO, (2,), refused=True),
                "mask_suffix": "_x",
                "stored": Beside(TWO, "instances", refused=True),
                "instances": Beside(
                    {"class_names": ("object",), "stored": "instances"}, True, True
                ),
                "multilabel": Beside({"masks": below("set/classes")}, True, refused=True),
                "split": "train",
                "list_file": below("set/two.txt"),
                "val_fraction": Beside(SPLIT, 0.5),
                **NUMBERS,
                "class_masks": Beside(
                    {**TWO, "stored": "instances", "instances": True},
                    below("set/masks"),
                    refused=True,
                ),
                "pixel_weights": below("set/weights"),
                "weight_scale": Beside({"pixel_weights": below("set/weights")}, 2.0),
                "name": "mine",
                "probe": Beside({**TWO, "masks": below("set/white")}, False, refused=True),
            },
        ),
        "data.camvid": Entry(
            {"root": below("camvid")}, {"root": below("camvid2"), "split": "val", **NUMBERS}
        ),
        "data.cityscapes": Entry(
            {"root": below("city")},
            {"root": below("city2"), "split": "val", "instances": True, **NUMBERS},
        ),
        "data.coco": Entry(
            {"images": below("coco/photos"), "annotations": below("coco/all.json")},
            {
                "images": below("coco2/photos"),
                "annotations": below("coco2/all.json"),
                "instances": True,
                "panoptic": "folder",
                **NUMBERS,
            },
        ),
        "data.voc": Entry(
            {"root": below("VOCdevkit")},
            {
                "root": below("VOCdevkit/VOC2007"),
                "split": "val",
                "year": "2007",
                "sbd": below("sbd"),
                "instances": True,
                **NUMBERS,
            },
        ),
        "data.yolo": Entry(
            {"root": below("tools/yolo")},
            {
                "root": below("tools/one_yolo"),
                "split": "val",
                "class_names": tuple("abcdef"),
                "instances": True,
                "val_fraction": Beside({"root": below("tools/one_yolo")}, 0.5),
                **NUMBERS,
            },
        ),
        "data.cvat": Entry(
            {"root": below("tools/voc")},
            {
                "root": below("tools/one_voc"),
                "split": "val",
                "instances": Beside({"root": below("tools/objects")}, True),
                "val_fraction": Beside({"root": below("tools/one_voc"), "split": "val"}, 0.5),
                **NUMBERS,
            },
        ),
        "data.labelme": Entry(
            {"root": below("tools/labelme")},
            {
                "root": below("tools/labelme2"),
                "split": "val",
                "class_names": ("b", "a"),
                "instances": True,
                "val_fraction": Beside(SPLIT, 0.5),
                **NUMBERS,
            },
        ),
        "data.via": Entry(
            {"root": below("tools/via"), "attribute": "kind"},
            {
                "root": below("tools/via2"),
                "split": "val",
                "attribute": "state",
                "class_names": ("b", "a"),
                "instances": True,
                "val_fraction": Beside(SPLIT, 0.5),
                **NUMBERS,
            },
        ),
        "data.json_lines": Entry(
            {"root": below("tools/lines")},
            {
                "root": below("tools/lines2"),
                "split": "val",
                "class_names": ("b", "a"),
                "instances": True,
                "val_fraction": Beside(SPLIT, 0.5),
                **NUMBERS,
            },
        ),
        "data.run_lengths": Entry(
            {"root": below("tools/runs")},
            {
                "root": below("tools/runs2"),
                "split": "val",
                "order": "rows",
                "class_names": ("b", "a", "c"),
                "instances": True,
                "multilabel": True,
                "val_fraction": Beside(SPLIT, 0.5),
                **NUMBERS,
            },
        ),
        "data.nnunet": Entry(
            {"root": below("tools/nnunet")},
            {
                "root": below("tools/nnunet2"),
                "split": "val",
                "multilabel": True,
                "val_fraction": 0.5,
                **NUMBERS,
            },
        ),
        "data.oxford_pets": Entry(
            {"root": below("tools/pets")},
            {"root": below("tools/pets2"), "split": "val", "val_fraction": 0.5, **NUMBERS},
        ),
        "data.ade20k": Entry(
            {"root": below("tools/ade")},
            {"root": below("tools/ade2"), "split": "val", **NUMBERS},
        ),
        "data.records": Entry(
            {"path": below("records")}, {"path": below("records2"), "shard": (1, 2)}
        ),
        "data.tfds": Entry(
            {"name": prepared("mine"), "class_names": ("a", "b", "c")},
            {
                "name": prepared("yours"),
                "split": "test",
                "data_dir": below("elsewhere"),
                "image": "second",
                "label": "other_mask",
                "class_names": ("a", "b", "d"),
                "values": (2, 1, 0),
                "void_values": Beside(TWO, (2,), refused=True),
                "colors": COLORS,
                "download": Beside({"name": unprepared()}, False),
            },
        ),
    }


def prepared(name):
    return Made(lambda place: place.tfds(name))


def unprepared():
    """A set that is not on disk yet, each time another."""
    return Made(lambda place: place.tfds("mine", afresh=True))


# Transforms


def transformed(task="semantic"):
    """What a transform makes of a sample, under a few seeds."""

    def then(transform, place):
        import tensorflow as tf

        more = [lambda number: smaller(task)] * getattr(transform, "mixes", False)
        return [transform(sample(0, task), tf.constant([3, seed]), *more) for seed in range(4)]

    return then


def smaller(task):
    """Another sample, so small that what it is mixed with reaches beyond it."""
    other, move = sample(7, task), lambda maps, fill: maps[:, :16, :20]
    return moved(other, other["image"][:16, :20], move, 0)


def moving(**given):
    return transforms.random_affine(**{"translate": 0.5, **given})


def of_transforms():
    void = {"void": 9}
    size, other = (16, 24), (20, 20)
    rotation = {"degrees": 40}
    table = {
        "color_jitter": ({}, {"brightness": 0.4, "contrast": 0.4, "saturation": 0.9}),
        "cut_mix": ({"probability": 1.0}, {"probability": 0.0, "alpha": 9.0, **void}),
        "letterbox": ({"size": size}, {"size": other, **void}),
        "mosaic": (
            {"size": (40, 40)},
            {"size": other, "probability": 0.0, "center": (0.5, 0.5), **void},
        ),
        "pad": ({"size": (30, 40)}, {"size": (40, 40), **void}),
        "random_appearance": (
            {"probability": 1.0},
            {"strength": 1.5, "probability": 0.0},
        ),
        "random_affine": (
            rotation,
            {"degrees": 90, "scale": (0.5, 0.6), "shear": 20, "translate": 0.3, **void},
        ),
        "random_blur": ({}, {"sigma": 5.0}),
        "random_crop": ({"size": size}, {"size": other, "max_share": 0.35}),
        "random_cutout": (
            {"area": (0.2, 0.3)},
            {
                "area": (0.4, 0.5),
                "aspect": (3.0, 3.3),
                "label": "void",
                "void": Beside({"label": "void"}, 9),
            },
        ),
        "random_elastic": (
            {"strength": (0.1, 0.2)},
            {"strength": (0.3, 0.4), "smoothness": 0.3, **void},
        ),
        "random_flip": ({}, {"probability": 1.0, "vertical": 1.0}),
        "random_noise": ({}, {"stddev": 40.0}),
        "random_rotation": (rotation, {"degrees": 90, **void}),
        "random_scale_crop": ({"size": size}, {"size": other, "scale": (0.5, 0.6)}),
    }
    table["random_crop"][1]["void"] = Beside({"size": (40, 40)}, 9)
    table["random_scale_crop"][1].update(
        void=Beside({"size": (60, 60)}, 9),
        max_share=Beside({"scale": (2.0, 3.0)}, 0.6),
    )
    entries = {name: Entry(given, rows, transformed()) for name, (given, rows) in table.items()}
    entries["robust"] = Entry(
        {"size": size},
        {
            "size": other,
            "scale": (0.5, 0.6),
            "void": Beside({"size": (60, 60)}, 9),
            "strength": 1.5,
            "probability": 0.0,
        },
        transformed(),
    )
    entries["copy_paste"] = Entry({}, {"probability": 1.0}, transformed("instance"))
    entries["random_apply"] = Entry(
        {"transform": Made(lambda place: moving())},
        {"transform": Made(lambda place: moving(translate=0.1)), "probability": 1.0},
        transformed(),
    )
    turning = keras.layers.RandomRotation
    entries["from_keras"] = Entry(
        {"layer": Made(lambda place: turning(0.1, fill_mode="constant"))},
        {"layer": Made(lambda place: turning(0.3, fill_mode="constant")), **void},
        transformed(),
    )
    return {f"data.transforms.{name}": entry for name, entry in entries.items()}


# Writers


def writers():
    voc = {"source": SCENES, "root": out("voc"), "split": "train"}
    city = {**voc, "root": out("city")}
    of_tree = {"source": OTHERS, "root": out("other"), "split": "val", "instances": OBJECTS}
    return {
        "data.write_records": Entry(
            {"source": SCENES, "path": out("records")},
            {
                "source": OTHERS,
                "path": out("other"),
                "shards": 2,
                "decoded": True,
                "progress": NOTES,
            },
        ),
        "data.convert": Entry(
            {"source": SCENES, "to": Made(lambda place: f"coco:{place.out / 'set'}")},
            {
                "source": OTHERS,
                "to": Made(lambda place: f"folder:{place.out / 'other'}"),
                "progress": NOTES,
            },
        ),
        "data.writers.layouts.write_voc": Entry(voc, of_tree),
        "data.writers.layouts.write_cityscapes": Entry(city, {**of_tree, "city": "ulm"}),
        "data.writers.layouts.write_coco": Entry(
            {"source": OBJECTS, "images": out("photos"), "annotations": out("all.json")},
            {
                "source": Made(lambda place: scenes(instances=True, seed=1)),
                "images": out("others"),
                "annotations": out("other.json"),
            },
        ),
    }


ENTRIES = {**sources(), **readers(), **of_transforms(), **writers()}
