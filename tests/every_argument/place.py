"""The files that tests/test_every_argument.py reads, and stand-ins for what takes long."""

import importlib
import json
import shutil
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
from every_argument.inputs import SIZE, scenes, unet
from PIL import Image
from seeds import fresh_seed

import kseg
from kseg.data.writers import layouts
from kseg.models.saving import save_model
from kseg.weights import torchvision


def made_place(root):
    """Folders of every layout below `root`, and where calls write, `out`, and note, `notes`."""
    place = types.SimpleNamespace(root=root, out=root / "out", notes=[], known={})
    official(root)
    official(root / "second", seed=1)
    for name in ("camvid", "city", "coco"):
        (root / "second" / name).rename(root / f"{name}2")
    folders(root / "set")
    runs(place)
    place.tfds = data_sets(root / "tfds")
    return place


def official(root, seed=0):
    """Layouts of official sets, of generated scenes."""
    both = [scenes("val", 4, objects, seed=seed) for objects in (False, True)]
    for split, chosen in (("train", [0, 1]), ("val", [2, 3])):
        semantic, objects = (each.subset(chosen) for each in both)
        for year, kept in (("2012", [0, 1]), ("2007", [1])):
            one, other = semantic.subset(kept), objects.subset(kept)
            layouts.write_voc(one, root / f"VOCdevkit/VOC{year}", split, other)
        layouts.write_cityscapes(semantic, root / "city", split, objects)
        for index, name in enumerate(semantic.ids):
            sample = semantic[index]
            save(root / f"camvid/{split}/{name}.png", sample["image"])
            save(root / f"camvid/{split}annot/{name}.png", sample["label"])
    photos = root / "VOCdevkit/VOC2012/JPEGImages"
    shutil.copy(next(photos.iterdir()), photos / "more.jpg")
    save(root / "sbd/more.png", both[0][0]["label"])
    layouts.write_coco(both[1], root / "coco/photos", root / "coco/all.json")
    of_tools(root / "tools", both)
    kseg.data.write_records(both[0], root / "records", shards=2)
    kseg.data.write_records(both[0].subset([1]), root / "records2")


def of_tools(root, both):
    """What tools write: of YOLO, CVAT, labelme, VIA and nnU-Net, the pets and ADE20K."""
    semantic, objects = both
    rows = ["ImageId,ClassId,EncodedPixels"]
    parts = {"train": semantic.subset([0, 1, 2]), "val": semantic.subset([3])}
    for kind in ("yolo", "voc"):
        kseg.data.convert({s: p for s, p in parts.items()}, f"{kind}:{root / kind}")
        kseg.data.convert(semantic, f"{kind}:{root / f'one_{kind}'}")
    shutil.move(root / "one_voc/ImageSets/Segmentation/train.txt", root / "one_voc/all.txt")
    shutil.move(root / "one_voc/all.txt", root / "one_voc/ImageSets/Segmentation/all.txt")
    kseg.data.convert(objects, f"voc:{root / 'objects'}")
    for number in range(4):
        sample = semantic[number]
        mask = np.clip(sample["label"], 0, 2)
        square = [[4 + number, 4], [20, 4], [20, 20], [4, 20]]
        flat = [side / 32 for corner in square for side in corner]  # shares
        regions, shapes = [], []
        for name in ("a", "b"):
            x, y = zip(*square)
            drawn = {"name": "polygon", "all_points_x": x, "all_points_y": y}
            said = {"kind": name, "state": "c"}
            regions.append({"shape_attributes": drawn, "region_attributes": said})
            shapes.append({"label": name, "points": square, "shape_type": "polygon"})
        for folder in ("labelme", "via"):
            save(root / folder / f"{number}.png", sample["image"])
        content = {"imagePath": f"{number}.png", "shapes": shapes}
        (root / "labelme" / f"{number}.json").write_text(json.dumps(content))
        entry = {str(number): {"filename": f"{number}.png", "regions": regions}}
        (root / "via").mkdir(exist_ok=True)
        file = root / "via" / "via.json"
        before = json.loads(file.read_text()) if file.is_file() else {}
        file.write_text(json.dumps(before | entry))
        lines = [{"label": each["label"], "polygon": [flat]} for each in shapes]
        save(root / "lines" / f"{number}.png", sample["image"])
        with (root / "lines" / "all.jsonl").open("a") as file:
            file.write(json.dumps({"image_url": f"{number}.png", "label": lines}) + "\n")
        for name in ("runs", "runs2"):
            save(root / f"{name}/{number}.png", sample["image"])
        rows += [f"{number},a,1 {5 + number}", f"{number},b,20 9 40 7"]
        save(root / f"nnunet/imagesTr/{number}_0000.png", sample["image"])
        save(root / f"nnunet/labelsTr/{number}.png", mask)
        save(root / f"pets/images/{number}.png", sample["image"])
        save(root / f"pets/annotations/trimaps/{number}.png", mask + 1)
        for split in ("training", "validation")[number > 1 :]:
            save(root / f"ade/images/{split}/{number}.png", sample["image"])
            save(root / f"ade/annotations/{split}/{number}.png", mask)
    labels = {"labels": {"ground": 0, "road": 1, "car": 2}}
    (root / "nnunet/dataset.json").write_text(json.dumps(labels))
    for name, first in (("runs", "a"), ("runs2", "c")):
        table = root / name / "table.csv"
        table.write_text("\n".join(rows).replace(",a,", f",{first},"))
    for name in ("labelme", "via", "lines", "nnunet", "pets", "ade"):  # and another of each
        shutil.copytree(root / name, root / f"{name}2")
    for name in ("labelme2", "via2"):
        for file in (root / name).glob("*.json"):
            file.write_text(file.read_text().replace("[20, 20]", "[20, 25]").replace("20]", "25]"))
    table = root / "lines2" / "all.jsonl"
    table.write_text(table.read_text().replace("0.625", "0.75"))
    for path in ("nnunet2/labelsTr/0.png", "pets2/annotations/trimaps/0.png"):
        save(root / path, np.ones(SIZE))
    save(root / "ade2/annotations/training/0.png", np.ones(SIZE))


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array).astype("uint8")).save(path)


def folders(root):
    """Photos, and masks of the kinds that `kseg.data.folder` takes."""
    colors = np.array([(0, 0, 0), (200, 0, 0), (0, 200, 0)])
    for index in range(6):
        mask = np.zeros(SIZE, int)
        mask[4 : 9 + index, 5:20], mask[20:28, 3:9] = 1, 2
        photo = np.random.default_rng(index).integers(0, 256, (*SIZE, 3))
        for folder, array in (
            ("images", photo),
            ("others", 255 - photo),
            ("masks", mask),
            ("turned", 2 - mask),
            ("colors", colors[mask]),
            ("white", 255 * (mask > 0)),
        ):
            save(root / folder / f"{index}.png", array)
        save(root / "masks" / f"{index}_x.png", mask // 2)
        (root / "weights").mkdir(exist_ok=True)
        np.save(root / "weights" / f"{index}.npy", np.float32(mask + 1))
        for class_id, name in enumerate("abc"):
            save(root / "classes" / name / f"{index}.png", 255 * (mask >= class_id))
    (root / "two.txt").write_text("1\n4\n")


def runs(place):
    """Runs of models that are not trained, a model of their two classes, and checkpoints."""
    root = place.root
    fresh_seed(0)
    place.two = unet(2, compile=False)
    for name, classes in (("run", ("a", "b")), ("run2", ("a", "c"))):
        kseg.Run(root / name, classes, ((0, 0, 0), (9, 9, 9)), 255, {}).write()
        save_model(place.two, root / name / "best.keras")
    for name, value in (("a", 1), ("b", 2)):
        kseg.weights.write(root / f"{name}.pth", {"x": np.full(3, value, "float32")})
    given = {"encoder": "torchvision:resnet18", "width": 2, "compile": False}
    place.loaded = kseg.build_fcn(3, **given)
    start = place.loaded.get_weights()
    tensors = torchvision.state_dict(place.loaded)
    kseg.weights.write(root / "fcn.pth", tensors)
    kseg.weights.write(
        root / "fcn2.pth", {name: np.asarray(each * 2) for name, each in tensors.items()}
    )

    def fcn():
        place.loaded.set_weights(start)
        return place.loaded

    place.fcn = fcn


def data_sets(root):
    """Function of a name to a prepared set of TensorFlow Datasets: a builder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own dependencies, on import
        tfds = pytest.importorskip("tensorflow_datasets")

    class Mine(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")
        code_path = None  # TFDS looks for a package otherwise
        pkg_dir_path = Path(__file__).parent

        def _info(self):
            photo = tfds.features.Image(shape=(None, None, 3))
            mask = tfds.features.Image(shape=(None, None, 1), use_colormap=True)
            names = {"image": photo, "second": photo, "mask": mask, "other_mask": mask}
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(names))

        def _split_generators(self, manager):
            return {"train": self.examples(0, 3), "test": self.examples(3, 4)}

        def examples(self, first, last):
            for index in range(first, last):
                photo = np.full((8, 9, 3), 20 * index, np.uint8)
                mask = (np.arange(72).reshape(8, 9, 1) + index) % 3
                yield (
                    index,
                    {
                        "image": photo,
                        "second": photo + 9,
                        "mask": mask.astype(np.uint8),
                        "other_mask": (2 - mask).astype(np.uint8),
                    },
                )

        _generate_examples = examples

    class Yours(Mine, skip_registration=True):
        pass

    kinds, count = {"mine": Mine, "yours": Yours}, iter(range(1000))

    def data_set(name, afresh=False):
        folder = root / str(next(count)) if afresh else root
        builder = kinds[name](data_dir=str(folder))
        if not afresh and not builder.info.splits:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                builder.download_and_prepare()
        return builder

    return data_set


class Asked(Exception):
    """What the writer of an export was asked for."""


def stand_in(patch, place):
    """Notes what networks are given, what is cached and kept; nothing is exported or fetched."""

    def noted(module, name, note):
        module = importlib.import_module(module)
        function = getattr(module, name)

        def noting(*given, **options):
            place.notes.append(note(*given, **options))
            return function(*given, **options)

        patch.setattr(module, name, noting)

    noted("kseg.prediction.semantic", "forward", lambda network, x: ("network", np.shape(x)))
    for module in ("kseg.data.pipeline", "kseg.training.fit"):
        noted(module, "cached", lambda source, where: ("cached", str(where)))

    noted("kseg.deployment.saved_model.versions", "new", lambda path, version: ("version", version))

    def kept(model, path, *more):
        place.notes.append((path.name, int(model.optimizer.iterations)))
        path.write_text(f"as after {place.notes}")

    def asked(function, model, path, **more):
        raise Asked(json.dumps([function.__module__, str(path.parent.name), more], default=str))

    patch.setattr("kseg.training.callbacks.save_model", kept)
    patch.setattr("kseg.deployment.saved_model.export.on_tensorflow", asked)
    patch.setattr("kseg.deployment.formats.network.on_tensorflow", asked_of_a_file(asked))
    patch.setattr("kseg.weights.published.check", lambda path: None)
    patch.setattr("keras.utils.get_file", lambda **given: Path(repr(sorted(given.items()))))


def asked_of_a_file(asked):
    return lambda function, model, path, **more: asked(function, model, Path("file"), **more)
