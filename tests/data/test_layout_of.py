"""A folder whose layout says what it is."""

import pytest

import kseg
from kseg.data import spec as specs
from kseg.data.layout import SIGNS, layout_of, layouts_of
from kseg.data.spec import DataSpec
from kseg.data.writers import layouts


def test_every_layout_is_known_again(tmp_path, pair_folders, write_image):
    labels = kseg.data.shapes("train", count=2)
    objects = kseg.data.shapes("train", count=2, instances=True)
    layouts.write_voc(labels, tmp_path / "voc/VOCdevkit/VOC2012", "train")
    layouts.write_cityscapes(labels, tmp_path / "cityscapes", "train")
    annotations = tmp_path / "coco/annotations/instances_train2017.json"
    layouts.write_coco(objects, tmp_path / "coco/train2017", annotations)
    kseg.data.write_records(labels, tmp_path / "records/train")
    pair_folders().rename(tmp_path / "folder")
    write_image("camvid/train/a.png", labels[0]["image"])
    write_image("camvid/trainannot/a.png", labels[0]["label"])
    elsewhere = {"cvat", "ade20k", "oxford_pets", "nnunet"}  # test_published_folders.py
    elsewhere |= {"yolo", "labelme", "via", "rle", "jsonl"}  # and files of these names
    for kind in {*SIGNS} - elsewhere:
        assert layouts_of(tmp_path / kind) == [kind]
        found = DataSpec(str(tmp_path / kind)).resolved()
        assert found.spec == f"{kind}:{tmp_path / kind}" and len(found.open("train"))
    kinds = {each.partition(":")[0] for each in specs.KINDS}
    assert {*SIGNS} == kinds - {"tfds", "shapes"}


def test_several_and_none(tmp_path):
    with pytest.raises(ValueError, match=r"voc \(ImageSets/Segmentation\); .*pairs=\("):
        layout_of(tmp_path)
    for name in ("images", "masks", "train", "trainannot"):
        (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match="this could be camvid or folder. Say which: camvid:"):
        layout_of(tmp_path)


@pytest.mark.parametrize(
    "spec, option, value",
    [
        ("shapes", "class_names", ("a",)),
        ("shapes", "splits", ("a", "b")),
        ("shapes", "val_fraction", 0.5),
        ("voc:{}", "values", (0, 255)),
        ("camvid:{}", "palette", ((0, 0, 0),)),
        ("coco:{}", "void_values", (0,)),
        ("records:{}", "mask_suffix", "_m"),
        ("cityscapes:{}", "val_fraction", 0.3),
        ("tfds:x", "palette", ((0, 0, 0),)),
        ("folder:{}", "splits", ("a",)),
    ],
)
def test_options_of_other_kinds_are_refused(tmp_path, spec, option, value):
    with pytest.raises(ValueError, match=f"^{option}="):
        DataSpec(spec.format(tmp_path), **{option: value}).open("train")


def test_options_of_folders(pair_folders, write_image):
    root = pair_folders(values=(1, 2))
    for path in sorted((root / "masks").iterdir()):
        path.rename(path.with_name(f"{path.stem}_m.png"))
    options = {"values": (1, 2), "void_values": (0, 3), "mask_suffix": "_m", "val_fraction": 0.5}
    spec = DataSpec(f"folder:{root}", class_names=("rest", "thing"), **options)
    assert len(spec.open("val")) == 3 and spec.open("train").class_names == ("rest", "thing")
    assert set(spec.open("train")[0]["label"].ravel()) == {0, 1}
    for name in ("images", "masks"):
        for split in ("training", "validation"):
            (root / name / split).mkdir()
        for index, path in enumerate(sorted((root / name).glob("*.png"))):
            path.rename(root / name / ("validation" if index else "training") / path.name)
    with pytest.raises(ValueError, match="val_fraction=0.5: .*which has the folder images/train"):
        DataSpec(f"folder:{root}", splits=("training", "validation"), **options).open("train")
    del options["val_fraction"]
    spec = DataSpec(f"folder:{root}", splits=("training", "validation"), **options)
    assert [len(spec.open(split)) for split in ("train", "val")] == [1, 5]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"void_values": (0,)}, "void_values=.*0 is values"),
        ({"void_values": ((0, 0, 0),)}, "expected integers"),
        ({"palette": ((0, 0, 0), (9, 9, 9)), "void_values": (255,)}, "expected colours"),
        ({"palette": ((0, 0, 0), (9, 9, 9)), "void_values": ((9, 9, 9),)}, "is palette.1."),
    ],
)
def test_void_that_cannot_be(pair_folders, arguments, message):
    root = pair_folders()
    with pytest.raises(ValueError, match=message):
        kseg.data.folder(root / "images", root / "masks", ["a", "b"], **arguments)
