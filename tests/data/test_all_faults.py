"""One check names every bad file: those that lack a partner, and those of the rest."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import kseg
from kseg.cli.main import main
from kseg.data.errors import DataError
from kseg.data.spec import DataSpec

SIZE = (40, 60)


@pytest.fixture
def written(tmp_path):
    """A function of a kind of layout: the folder of a set of it, of 14 photos a split."""

    def write(kind):
        scenes = {split: kseg.data.shapes(split, count=14, size=SIZE) for split in ("train", "val")}
        root = tmp_path / kind
        kseg.data.convert(scenes, f"{kind}:{root}")
        return root

    return write


def found(root, kind, capsys):
    """Findings of `kseg check` as `kind -> (message, names of files)`, of the split "train"."""
    report = root.parent / "report.json"
    assert main(["check", f"{kind}:{root}", "--json", str(report), "--overwrite"]) == 1
    capsys.readouterr()
    findings = json.loads(report.read_text())["findings"]
    return [each for each in findings if each["severity"] == "error"]


@pytest.mark.parametrize("kind", ["folder", "voc", "cvat", "cityscapes"])
def test_missing_masks_and_damaged_files_in_one_check(written, kind, capsys):
    root = written("voc" if kind == "cvat" else kind)
    source = DataSpec(f"{kind}:{root}").open("train")
    photos, masks = source.columns["image"], source.columns["label"]
    for path in masks[:12]:
        (root / path).unlink()
    (root / photos[12]).write_bytes(b"no photo")
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(masks[13])
    errors = found(root, kind, capsys)
    text = " ".join(f"{each['message']} {each['files']}" for each in errors)
    names = [str(path).rsplit("/", 1)[-1] for path in masks[:11]]
    stems = [name.split("_gtFine")[0].removesuffix(".png") for name in names]
    assert all(stem in text for stem in stems), text
    assert "and 1 more" in text  # of 12: the first, ten others, and one
    kinds = {each["kind"] for each in errors}
    assert "size_mismatch" in kinds and kinds & {"wrong_format", "unreadable"}
    assert str(photos[12]) in text and str(masks[13]) in text
    with pytest.raises(DataError) as raised:
        DataSpec(f"{kind}:{root}").open("train", probe=False)
    assert raised.value.rest.ids == source.ids[12:]


def test_of_a_folder_several_kinds_come_at_once(written, capsys):
    root = written("folder")
    (root / "weights").mkdir()
    images = sorted((root / "images" / "train").iterdir())
    (root / "weights" / "train").mkdir()
    for path in images[2:]:
        np.save(root / "weights" / "train" / f"{path.stem}.npy", np.ones(SIZE, np.float32))
    (root / "masks" / "train" / f"{images[0].stem}.png").unlink()
    names = (root / "classes.txt").read_text().split()
    given = {"split": "train", "pixel_weights": root / "weights"}
    with pytest.raises(DataError) as raised:
        kseg.data.folder(root / "images", root / "masks", names, **given)
    masks, weights = raised.value.faults
    assert "1 of 14 images have no mask" in str(masks)
    assert "2 of 14 images have no file in pixel_weights=" in str(weights)
    assert images[0].name in str(weights) and f"Likewise {images[1].name}." in str(weights)


def test_names_of_lists(written):
    root = written("folder")
    for folder in ("images", "masks"):
        for path in (root / folder / "train").iterdir():
            shutil.move(path, root / folder / path.name)
        shutil.rmtree(root / folder / "train")
        shutil.rmtree(root / folder / "val")
    there = sorted(path.stem for path in (root / "images").iterdir())
    listed = root / "few.txt"
    listed.write_text("\n".join([there[0], "gone", there[1], "lost", "away"]))
    names = (root / "classes.txt").read_text().split()
    with pytest.raises(FileNotFoundError, match="names 'gone'.* Likewise 'lost', 'away'."):
        kseg.data.folder(root / "images", root / "masks", names, list_file=listed)


def test_a_set_that_is_divided_afterwards_has_no_rest(tmp_path):
    root = tmp_path / "set"
    for name in "abcd":
        for folder, pixels in (("imagesTr", f"{name}_0000"), ("labelsTr", name)):
            path = root / folder / f"{pixels}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.eye(20, dtype=np.uint8)).save(path)
    (root / "dataset.json").write_text(json.dumps({"labels": {"ground": 0, "line": 1}}))
    (root / "labelsTr" / "a.png").unlink()
    with pytest.raises(DataError, match="1 of 4 images have no mask") as raised:
        kseg.data.nnunet(root)
    assert raised.value.rest is None


def test_camvid_keeps_what_is_whole(tmp_path, write_image):
    for name in "abc":
        write_image(f"train/{name}.png", np.zeros((3, 4, 3), np.uint8))
        write_image(f"trainannot/{name}.png", np.zeros((3, 4), np.uint8))
    (tmp_path / "trainannot" / "b.png").unlink()
    with pytest.raises(DataError, match="no mask") as raised:
        kseg.data.camvid(tmp_path)
    assert raised.value.rest.ids == ("a", "c")


def test_patterns_of_several_classes(tmp_path, capsys):
    for name in ("a", "b", "c"):
        for place, pixels in (
            (f"img/{name}.jpg", np.zeros((*SIZE, 3), np.uint8)),
            (f"gt/organ/{name}_m.png", np.eye(*SIZE, dtype=np.uint8) * 255),
            (f"gt/lesion/{name}_m.png", np.full(SIZE, 255, np.uint8)),
        ):
            path = tmp_path / place
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    (tmp_path / "gt/lesion/b_m.png").unlink()
    names = ["organ", "lesion"]
    patterns = (tmp_path / "img/{}.jpg", tmp_path / "gt/{class}/{}_m.png")
    source = kseg.data.folder(*patterns, names, multilabel=True)
    assert source.task == "multilabel" and source.ids == ("a", "b", "c")
    for index, lesion in enumerate((1, 0, 1)):
        label = source[index]["label"]
        np.testing.assert_array_equal(label[..., 0], np.eye(*SIZE))
        assert (label[..., 1] == lesion).all()
    command = ["check", f"folder:{tmp_path}", "--multilabel", "--classes", "organ,lesion"]
    pairs = ["--pairs", "img/{}.jpg,gt/{class}/{}_m.png", "--values", "0,255"]
    main([*command, *pairs])
    assert "has no mask of lesion" in " ".join(capsys.readouterr().out.split())
    (tmp_path / "gt/organ/b_m.png").unlink()
    with pytest.raises(FileNotFoundError, match="1 of 3 images have no mask"):
        kseg.data.folder(*patterns, names, multilabel=True)
    with pytest.raises(FileNotFoundError, match=r"is of the pattern 'gt/tumor/\{\}_m.png'"):
        kseg.data.folder(*patterns, ["tumor"], multilabel=True)
    with pytest.raises(ValueError, match=r"pattern with \{class\}, or of arrays"):
        kseg.data.folder(patterns[0], tmp_path / "gt/organ/{}_m.png", names, multilabel=True)
    shutil.rmtree(tmp_path / "gt")
    for name in ("a", "b", "c"):
        (tmp_path / "gt").mkdir(exist_ok=True)
        np.save(tmp_path / f"gt/{name}_m.npy", np.ones((*SIZE, 2), np.uint8))
    source = kseg.data.folder(
        patterns[0], tmp_path / "gt/{}_m.npy", names, multilabel=True, values=(0, 1)
    )
    assert source[1]["label"].all()
