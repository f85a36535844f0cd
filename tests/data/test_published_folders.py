"""The folders of CVAT, nnU-Net, ADE20K and the Oxford pets, and COCO as tools lay it out."""

import dataclasses
import json

import numpy as np
import pytest
from data.tool_sets import SIZE, coco_content, photo

import kseg
from kseg.data.readers.ade20k import CLASSES
from kseg.data.spec import DataSpec

MAP = np.zeros(SIZE, np.uint8)
MAP[6:26, 5:25], MAP[16:24, 15:23], MAP[:2] = 1, 2, 3
LABEL = np.where(MAP == 3, 255, MAP)
COLORS = np.array([[0, 0, 0], [250, 50, 83], [51, 221, 255], [224, 224, 192]], np.uint8)


@pytest.fixture
def exported(tmp_path, write_image):
    """CVAT's Segmentation mask 1.1 of three photos, with a list of all."""
    objects = np.zeros((*SIZE, 3), np.uint8)
    objects[MAP == 1], objects[MAP == 2] = (128, 0, 0), (0, 128, 0)
    for name in "abc":
        photo(tmp_path / "cvat/JPEGImages" / f"{name}.png", seed=ord(name))
        write_image(f"cvat/SegmentationClass/{name}.png", COLORS[MAP])
        write_image(f"cvat/SegmentationObject/{name}.png", objects)
    lists = tmp_path / "cvat/ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "default.txt").write_text("a\nb\nc\n")
    (tmp_path / "cvat/labelmap.txt").write_text(
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncell:250,50,83::\n"
        "nucleus:51,221,255::\nignored:224,224,192::\n"
    )
    return tmp_path / "cvat"


def test_cvat(exported, same_eagerly):
    source = kseg.data.cvat(exported)
    assert source.class_names == ("background", "cell", "nucleus") and source.ids == ("a", "b", "c")
    assert source.colors[1] == (250, 50, 83)
    np.testing.assert_array_equal(same_eagerly(source)[0]["label"], LABEL)
    objects = kseg.data.cvat(exported, instances=True)
    sample = same_eagerly(objects)[0]
    assert objects.class_names == ("cell", "nucleus")
    areas = {int(c): int(m.sum()) for c, m in zip(sample["classes"], sample["masks"])}
    assert areas == {0: int((MAP == 1).sum()), 1: 64} and not sample["crowd"].any()
    found = DataSpec(str(exported)).resolved()
    assert found.kind == "cvat" and len(found.open("train")) == 2 and len(found.open("val")) == 1


def test_cvat_with_lists_and_ids(exported, write_image):
    lists = exported / "ImageSets/Segmentation"
    (lists / "train.txt").write_text("a\n")
    for name in "abc":
        write_image(f"cvat/SegmentationClass/{name}.png", MAP)
    source = kseg.data.cvat(exported, "train")
    assert source.ids == ("a",) and (source[0]["label"] == LABEL).all()
    with pytest.raises(FileNotFoundError, match="has the splits default, train"):
        kseg.data.cvat(exported, "val")
    (exported / "JPEGImages/a.png").unlink()
    with pytest.raises(FileNotFoundError, match="holds no photo 'a'.* Export with images"):
        kseg.data.cvat(exported, "train")
    (exported / "labelmap.txt").unlink()
    with pytest.raises(FileNotFoundError, match="holds no labelmap.txt"):
        kseg.data.cvat(exported)


@pytest.mark.parametrize("version", [1, 2])
def test_nnunet(tmp_path, write_image, version):
    root = tmp_path / "Dataset001_Cells"
    for name in "abcd":
        photo(root / "imagesTr" / f"{name}_0000.png", seed=ord(name))
        write_image(f"{root.name}/labelsTr/{name}.png", MAP)
    names = {"background": 0, "cell": 1, "nucleus": 2, "ignore": 3}
    labels = names if version == 2 else {str(value): name for name, value in names.items()}
    (root / "dataset.json").write_text(json.dumps({"labels": labels, "file_ending": ".png"}))
    source = kseg.data.nnunet(root, None)
    assert source.class_names == ("background", "cell", "nucleus") and len(source) == 4
    np.testing.assert_array_equal(source[0]["label"], LABEL)
    found = DataSpec(str(root)).resolved()
    assert found.kind == "nnunet" and len(found.open("train")) == 3 and len(found.open("val")) == 1
    with pytest.raises(ValueError, match="has no imagesTs"):
        found.open("test")
    first = photo(root / "imagesTr" / "a_0001.png")
    message = r"3 of 4 photos have no file 'imagesTr/\{\}_0001'.* is 'imagesTr/b_0001'. Likewise"
    with pytest.raises(FileNotFoundError, match=message):
        found.open("train")
    others = [photo(root / "imagesTr" / f"{name}_0001.png", seed=5) for name in "bcd"]
    source = kseg.data.nnunet(root, None, bands=(3, 4, 5))  # six bands, of two files of three
    assert (source.channels, source.dtype, source.bands) == (6, "uint8", (3, 4, 5))
    assert source.ids == ("a", "b", "c", "d")
    for index, second in enumerate([first, *others]):
        np.testing.assert_array_equal(source[index]["image"][..., 3:], second)
        np.testing.assert_array_equal(source[index]["label"], LABEL)
    assert [each.kind for each in kseg.check(source).errors] == []
    for name in "ab":  # and the first photo says nothing of how many bands there are
        (root / "imagesTr" / f"{name}_0001.png").write_bytes(b"no photo")
    (error,) = kseg.check(kseg.data.nnunet(root, None)).errors
    assert error.kind == "wrong_format"
    assert [each[-10:] for each in error.files] == ["a_0001.png", "b_0001.png"]
    photo(root / "imagesTr" / "a_0001.png")
    photo(root / "imagesTr" / "b_0001.png", (41, 60))
    (error,) = kseg.check(source).errors
    assert error.kind == "size_mismatch" and error.files[0].endswith("b_0001.png")
    (root / "dataset.json").write_text(
        json.dumps({"labels": labels, "channel_names": dict.fromkeys("0123456", "band")})
    )
    with pytest.raises(ValueError, match="names 7 channels, and photos have 6"):
        found.open("train")
    for wrong in ({"whole": [1, 2.5]}, {"whole": []}, {"whole": "1"}, {"a": 1, "b": 1}):
        (root / "dataset.json").write_text(json.dumps({"labels": wrong}))
        with pytest.raises(ValueError, match="a number for each name|two names have one number"):
            found.open("train")


def test_regions_of_nnunet(tmp_path, write_image):
    """As BraTS and KiTS have them: labels of which several make a region, and regions overlap."""
    root = tmp_path / "Dataset002_Cells"
    for name in "ab":
        photo(root / "imagesTr" / f"{name}_0000.png", seed=ord(name))
        write_image(f"{root.name}/labelsTr/{name}.png", MAP)
    labels = {"background": 0, "whole": [1, 2], "core": 2, "ignore": 3}
    description = {"labels": labels, "regions_class_order": [1, 2]}
    (root / "dataset.json").write_text(json.dumps(description))
    spec = DataSpec(str(root)).resolved()
    with pytest.raises(ValueError, match="are regions, of several labels. Give multilabel=True"):
        spec.open("train")
    source = dataclasses.replace(spec, multilabel=True).open("train")
    assert (source.task, source.class_names) == ("multilabel", ("whole", "core"))
    expected = np.stack([(MAP == 1) | (MAP == 2), MAP == 2], axis=-1).astype(np.uint8)
    expected[MAP == 3] = 255
    np.testing.assert_array_equal(source[0]["label"], expected)
    assert not kseg.check(source).errors


def test_oxford_pets(tmp_path, write_image):
    root = tmp_path / "pets"
    trimap = np.array([2, 1, 3], np.uint8)[np.clip(MAP, 0, 2)]
    for name in ("Abyssinian_1", "beagle_2", "boxer_3"):
        photo(root / "images" / f"{name}.jpg")
        write_image(f"pets/annotations/trimaps/{name}.png", trimap)
        (root / "annotations/trimaps" / f"._{name}.png").write_bytes(b"as in the real archive")
    lists = root / "annotations"
    (lists / "trainval.txt").write_text("Abyssinian_1 1 1 1\nbeagle_2 5 2 1\n")
    (lists / "test.txt").write_text("boxer_3 8 2 3\n")
    found = DataSpec(str(root)).resolved()
    assert found.kind == "oxford_pets"
    ids = [found.open(split).ids for split in ("train", "val", "test")]
    assert sorted(ids[0] + ids[1]) == ["Abyssinian_1", "beagle_2"] and ids[2] == ("boxer_3",)
    source = kseg.data.oxford_pets(root, None)
    assert source.class_names == ("pet", "background") and len(source) == 3
    expected = np.array([1, 0, 255], np.uint8)[np.clip(MAP, 0, 2)]
    np.testing.assert_array_equal(source[0]["label"], expected)
    with pytest.raises(ValueError, match="split='other': expected 'train', 'val', or a list"):
        found.open("other")


def test_ade20k(tmp_path, write_image):
    root = tmp_path / "ADEChallengeData2016"
    for split in ("training", "validation"):
        photo(root / "images" / split / "ADE_1.jpg")
        write_image(f"{root.name}/annotations/{split}/ADE_1.png", MAP)
    found = DataSpec(str(root)).resolved()
    source = found.open("val")
    assert found.kind == "ade20k" and source.class_names == CLASSES and len(set(CLASSES)) == 150
    assert (CLASSES[0], CLASSES[12], CLASSES[149]) == ("wall", "person", "flag")
    np.testing.assert_array_equal(source[0]["label"], np.array([255, 0, 1, 2], np.uint8)[MAP])
    with pytest.raises(FileNotFoundError, match="images' has training, validation"):
        found.open("test")


@pytest.mark.parametrize(
    "files, photos, prefix, split",
    [
        (["annotations/instances_default.json"], "images", "", None),
        (["annotations/instances_default.json"], "images/default", "", None),
        (["train/_annotations.coco.json", "valid/_annotations.coco.json"], None, "", "val"),
        (["result.json"], "images", "images/", None),
        (["annotations.json"], "images", "", None),
        (["annotations.json"], "JPEGImages", "JPEGImages/", None),
        (
            ["annotations/instances_train2017.json", "annotations/instances_val2017.json"],
            "images/val2017",
            "",
            "val",
        ),
        (["train.json", "val.json"], "images", "", "val"),
    ],
)
def test_coco_as_tools_lay_it_out(tmp_path, files, photos, prefix, split):
    pytest.importorskip("pycocotools", reason="needs the extra coco")
    root, names = tmp_path / "set", ("a.jpg", "b.jpg", "c.jpg")
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        content = coco_content(names, [(5, 6, 20, 1), (15, 16, 8, 2)], prefix=prefix)
        (root / file).write_text(json.dumps(content))
    folders = [photos] if photos else ["train", "valid"]
    if photos == "images/val2017":
        folders.append("images/train2017")
    for folder in folders:
        for name in names:
            photo(root / folder / name)
    (root / "annotations" / "captions_val2017.json").parent.mkdir(exist_ok=True)
    (root / "annotations" / "captions_val2017.json").write_text('{"images": [], "annotations": []}')
    found = DataSpec(str(root)).resolved()
    assert found.kind == "coco"
    train, val = (found.open(name) for name in ("train", "val"))
    assert (len(train), len(val)) == ((3, 3) if split else (2, 1))
    label = val[0]["label"]
    assert (label > 0).sum() == 400 and (label == 2).sum() == 64


def test_lvis(tmp_path):
    """Images have an address and no name, annotations no iscrowd; photos lie in two folders."""
    pytest.importorskip("pycocotools", reason="needs the extra coco")
    content = coco_content(["a.jpg", "b.jpg"], [(5, 6, 20, 1)])
    for image, folder in zip(content["images"], ("train2017", "val2017")):
        name = image.pop("file_name")
        image["coco_url"] = f"http://images.cocodataset.org/{folder}/{name}"
        photo(tmp_path / "lvis" / folder / name)
    for each in content["annotations"]:
        del each["iscrowd"]
    (tmp_path / "lvis/lvis_v1_train.json").write_text(json.dumps(content))
    found = DataSpec(str(tmp_path / "lvis")).resolved()
    source = found.open("train")
    assert found.kind == "coco" and source.ids == ("a", "b")
    assert [(source[i]["label"] == 1).sum() for i in range(2)] == [400, 400]
    for image in content["images"]:  # LVIS 0.5 has names of 2014 too
        image["file_name"] = f"COCO_val2014_{image['coco_url'][-5:]}"
    (tmp_path / "lvis/lvis_v1_train.json").write_text(json.dumps(content))
    assert (DataSpec(str(tmp_path / "lvis")).resolved().open("train")[1]["label"] == 1).sum() == 400


def test_photos_of_coco_in_a_folder_of_any_name(tmp_path):
    pytest.importorskip("pycocotools", reason="needs the extra coco")
    content = coco_content(["a.jpg", "b.jpg"], [(5, 6, 20, 1)])
    for name in ("a.jpg", "b.jpg"):
        photo(tmp_path / "set/samples/of 2024" / name)
    (tmp_path / "set/annotations").mkdir()
    (tmp_path / "set/annotations/instances_default.json").write_text(json.dumps(content))
    source = DataSpec(str(tmp_path / "set")).resolved().open("train")
    assert (source[0]["label"] == 1).sum() == 400
    photo(tmp_path / "set/other/a.jpg")  # which of both is not clear
    with pytest.raises(FileNotFoundError, match="expected a folder"):
        DataSpec(str(tmp_path / "set")).resolved().open("train")


def test_coco_that_is_not_there(tmp_path):
    (tmp_path / "boxes.json").write_text("{}")
    with pytest.raises(
        FileNotFoundError, match="it holds boxes.json. Put it there as annotations/"
    ):
        DataSpec(f"coco:{tmp_path}").open("train")
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps(coco_content(["x.jpg"], [])))
    with pytest.raises(
        ValueError, match="one annotation file of a split, and .* has a.json, b.json"
    ):
        DataSpec(f"coco:{tmp_path}").open("train")
    (tmp_path / "a.json").rename(tmp_path / "train.json")
    with pytest.raises(FileNotFoundError, match="has the splits train"):
        DataSpec(f"coco:{tmp_path}").open("val")
