"""Folders as people have them, of photos and masks that are not what was expected."""

import json

import numpy as np
import pytest
from data.tool_sets import photo
from PIL import Image

import kseg
from kseg.data.errors import DataError
from kseg.data.files import load_photo
from kseg.data.pairs import files_below
from kseg.data.spec import DataSpec

MASK = np.zeros((40, 60), np.uint8)
MASK[6:26, 5:25] = 1


def written(root, mask=MASK, ending=".png", names="abcd"):
    for name in names:
        photo(root / "images" / f"{name}.jpg", seed=ord(name[-1]))
        path = root / "masks" / f"{name}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if ending == ".npy":
            np.save(path, mask)
        else:
            Image.fromarray(mask).save(path)
    return root


def test_a_link_to_a_folder_around_it(tmp_path):
    """As `latest -> .` and `all -> ..` in folders of runs; other links are followed."""
    for name in ("set/a.jpg", "set/in/b.jpg", "elsewhere/c.jpg"):
        photo(tmp_path / name)
    (tmp_path / "set/latest").symlink_to(tmp_path / "set")
    (tmp_path / "set/in/all").symlink_to(tmp_path / "set/more", target_is_directory=True)
    (tmp_path / "set/more").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "set", target_is_directory=True)
    expected = ["a.jpg", "in/b.jpg", "in/all/c.jpg", "more/c.jpg"]
    assert files_below(tmp_path / "set") == expected


def found(root, **said):
    return DataSpec(str(root), **said).resolved()


def refusal(root, **said):
    with pytest.raises(ValueError) as error:
        found(root, **said).open("train")
    return str(error.value)


def test_black_and_white_in_colours(tmp_path):
    """As editors of pictures save them, with alpha or without."""
    alpha = np.full_like(MASK, 255)
    for name, layers in (("rgb", [MASK * 255] * 3), ("rgba", [*[MASK * 255] * 3, alpha])):
        source = found(written(tmp_path / name, np.dstack(layers))).open("train")
        assert source.class_names == ("background", "object")
        np.testing.assert_array_equal(source[0]["label"], MASK)
    in_alpha = np.dstack([MASK * 0] * 3 + [MASK * 255])
    said = refusal(written(tmp_path / "alpha", in_alpha))
    assert "of one colour" in said and "in their alpha" in said


def test_photos_of_one_name_in_folders(tmp_path):
    root = written(tmp_path / "set", names=("s1/a", "s2/a", "s2/b"))
    spec = found(root)
    assert spec.pairs == ("images/{}.jpg", "masks/{}.png")
    train, val = spec.open("train"), spec.open("val")
    assert len(train) == 2 and len({*train.ids, *val.ids}) == 3
    np.testing.assert_array_equal(train[0]["label"], MASK)
    for mask in sorted((root / "masks").rglob("*.png")):
        mask.rename(root / "masks" / f"{mask.parent.name}_{mask.name}")
    with pytest.raises(FileNotFoundError, match="but the folders s1, s2.*pairs="):
        kseg.data.folder(root / "images", root / "masks", ["a", "b"])


def test_masks_that_are_none(tmp_path):
    said = refusal(written(tmp_path / "jpeg", ending=".jpg"))
    assert "4 others: a.jpg, b.jpg" in said and "JPEG has changed the ids" in said
    root = tmp_path / "volumes"
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
        (root / name / "a.nii.gz").write_bytes(b"volume")
    assert "Volumes are not read: write their slices" in refusal(root)
    root = written(tmp_path / "objects", names="ab")
    for mask in sorted((root / "masks").iterdir()):
        mask.rename(mask.with_name(f"{mask.stem}_0.png"))
        Image.fromarray(MASK).save(mask.with_name(f"{mask.stem}_1.png"))
    said = refusal(root, class_names=("cell",), instances=True)
    assert "a_0.png and a_1.png look like masks of an object each" in said
    assert "into a folder of its name, a." in said
    for mask in sorted((root / "masks").glob("*.png")):  # and the remedy
        (root / "masks" / mask.name[0]).mkdir(exist_ok=True)
        mask.rename(root / "masks" / mask.name[0] / mask.name)
    sample = found(root, class_names=("cell",), instances=True).open("train")[0]
    assert len(sample["masks"]) == 2 and (sample["masks"] == MASK).all()


def test_arrays_that_are_no_ids(tmp_path):
    root = written(tmp_path / "set", np.stack([1 - MASK, MASK], -1), ".npy")
    with pytest.raises(ValueError, match=r"one-hot masks save np.argmax\(mask, axis=-1\)"):
        kseg.data.folder(root / "images", root / "masks", ["ground", "cell"])[0]
    np.save(root / "images/a.npy", np.zeros((12, 40, 60), np.uint8))
    (root / "images/a.jpg").unlink()
    (error, *_) = kseg.check(
        kseg.data.folder(root / "images", root / "masks", ["ground", "cell"], probe=False)
    ).errors
    assert "Of a volume, save each slice by itself" in str(error)


def test_links(tmp_path):
    whole, linked = written(tmp_path / "whole"), tmp_path / "linked"
    for name in ("images", "masks"):
        (linked / name).mkdir(parents=True)
        for file in sorted((whole / name).iterdir()):
            (linked / name / file.name).symlink_to(file)
    np.testing.assert_array_equal(found(linked).open("train")[0]["label"], MASK)
    (linked / "masks/e.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(FileNotFoundError, match="e.png' is a link to what does not exist"):
        kseg.data.folder(linked / "images", linked / "masks", ["ground", "cell"])


def test_a_table_of_classes_parted_by_semicolons(tmp_path):
    root = written(tmp_path / "set", MASK * 7)
    (root / "classes.csv").write_text("\ufeffname;r;g;b\nground;0;0;0\ncell;7;7;7\n", "utf-8")
    assert found(root, values=(0, 7)).class_names == ("ground", "cell")


@pytest.mark.parametrize("channels", [2, 5])
def test_one_band_is_not_several(channels):
    model = kseg.build_unet(2, input_shape=(None, None, channels), width=2, depth=1, compile=False)
    with pytest.raises(ValueError, match=rf"expected \(height, width, {channels}\)"):
        kseg.predict(model, np.zeros((16, 16), np.uint8))


def test_names_too_long_for_a_file(tmp_path):
    """Of classes, and of photos in the files of tools: operating systems refuse to look."""
    long = "x" * 5000
    root = written(tmp_path / "set")
    source = kseg.data.folder(root / "images", root / "masks", ["ground", long], split="train")
    assert source.class_names[1] == long
    (tmp_path / "a.json").write_text(json.dumps({"imagePath": long, "shapes": []}))
    with pytest.raises(FileNotFoundError, match="neither there nor beside it"):
        kseg.data.labelme(tmp_path)
    (tmp_path / "a.json").write_text(json.dumps({"a": {"filename": long, "regions": []}}))
    with pytest.raises(FileNotFoundError, match="does not lie beside it"):
        kseg.data.via(tmp_path)


def test_what_a_decoder_says_is_in_its_own_words(tmp_path):
    """A PNG of 16 bits that is cut short is read by TensorFlow, in Python too."""
    Image.fromarray(MASK.astype(np.uint16)).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    with pytest.raises(ValueError) as error:
        load_photo(tmp_path / "a.png", value_range=(0, 4095))
    assert "cannot be read as an image" in str(error.value) and "{{" not in str(error.value)


def test_transparent_photos_are_told(tmp_path):
    """Of RGBA, and of a palette: the colours beneath are read."""
    root = written(tmp_path / "set")
    pixels = np.dstack([photo(tmp_path / "any.png"), np.full(MASK.shape, 255, np.uint8)])
    pixels[:10, :, 3] = 0
    (root / "images/a.jpg").unlink()
    Image.fromarray(pixels).save(root / "images/a.png")
    for name in "bc":  # opaque alpha says nothing
        (root / "images" / f"{name}.jpg").unlink()
    Image.fromarray(pixels | np.uint8([0, 0, 0, 255])).save(root / "images/b.png")
    with_palette = Image.fromarray(MASK).convert("P")
    with_palette.save(root / "images/c.png", transparency=0)
    source = kseg.data.folder(root / "images", root / "masks", ["ground", "cell"])
    (finding,) = [each for each in kseg.check(source).warnings if each.kind == "transparent_photo"]
    assert [file[-5:] for file in finding.files] == ["a.png", "c.png"]
    assert "25.0% of its pixels are transparent" in finding.message
    np.testing.assert_array_equal(source[0]["image"], pixels[..., :3])


def test_photos_to_predict_beside_those_with_masks(tmp_path):
    """`test/images` without masks, as Kaggle has it, is no fault of `train`, nor a split."""
    for split, names in (("train", "abc"), ("val", "d"), ("test", "ef")):
        for name in names:
            photo(tmp_path / f"set/{split}/images/{name}.png", MASK.shape)
            if split != "test":
                path = tmp_path / f"set/{split}/masks/{name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(MASK * np.uint8(255)).save(path)
    spec = found(tmp_path / "set")
    assert (spec.class_names, spec.values) == (("background", "object"), (0, 255))
    assert [spec.open(split).ids for split in ("train", "val")] == [("a", "b", "c"), ("d",)]
    with pytest.raises(DataError, match="has the splits train, val") as error:
        spec.open("test")
    assert error.value.kind == "no_split"
    (tmp_path / "set/train/masks/b.png").unlink()
    with pytest.raises(DataError, match="1 of 3 images have no mask"):
        spec.open("train")


@pytest.mark.parametrize("mask", ["{}.jpg_mask.png", "{}_instance_mask.png"])
def test_the_remedy_for_masks_of_longer_names_works(tmp_path, mask):
    (tmp_path / "masks").mkdir()
    for name in "ab":
        photo(tmp_path / f"images/{name}.jpg", MASK.shape)
        Image.fromarray(MASK).save(tmp_path / "masks" / mask.format(name))
    (tmp_path / "classes.txt").write_text("ground\ncell\n")
    suffix = mask[2:-4]
    assert f"Give mask_suffix={suffix!r}" in refusal(tmp_path)
    assert found(tmp_path, mask_suffix=suffix).open("train").ids


@pytest.mark.parametrize(
    "name, remedy",
    [
        ("a.zip", "Unpack it"),
        ("a.nii.gz", "Volumes are not read"),
        ("a.json", "Give the folder that it lies in, "),
    ],
)
def test_a_file_for_a_folder(tmp_path, name, remedy):
    (tmp_path / name).write_bytes(b"x")
    assert remedy in refusal(tmp_path / name)


def test_masks_as_jpeg_are_not_to_be_converted(tmp_path):
    for folder in ("images", "masks"):
        photo(tmp_path / folder / "a.jpg", MASK.shape)
    (tmp_path / "classes.txt").write_text("ground\ncell\n")
    assert "export the masks again as PNG, from the original" in refusal(tmp_path)


COLORS = [(0, 0, 0), (255, 0, 0), (0, 255, 0)]


def with_palettes(root, orders):
    """Masks of three classes, each with a palette in its own order."""
    ids = np.zeros((8, 9), np.uint8)
    ids[2:5], ids[5:] = 1, 2
    for place, order in enumerate(orders):
        palette = np.zeros((256, 3), np.uint8)
        palette[list(order)] = COLORS
        mask = Image.fromarray(np.array(order, np.uint8)[ids])
        mask.putpalette(palette.ravel().tolist())
        photo = Image.fromarray(np.dstack([ids * 90] * 3))
        for folder, image in (("images", photo), ("masks", mask)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            image.save(root / folder / f"{place}.png")
    (root / "classes.txt").write_text("ground\nroad\ngrass\n")
    return ids


def test_palettes_that_number_colours_anew(tmp_path):
    ids = with_palettes(tmp_path / "same", [(0, 1, 2)] * 3)
    names = ["ground", "road", "grass"]

    def opened(name, **options):
        return kseg.data.folder(
            tmp_path / name / "images", tmp_path / name / "masks", names, **options
        )

    np.testing.assert_array_equal(opened("same")[0]["label"], ids)
    assert not opened("same").notes
    with_palettes(tmp_path / "black", [(1, 0, 2)] * 2)
    assert [kind for kind, _ in opened("black").notes] == ["black_elsewhere"]
    with_palettes(tmp_path / "void", [(255, 0, 1)])  # as of Cityscapes
    assert not opened("void").notes
    with_palettes(tmp_path / "anew", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
    with pytest.raises(
        DataError, match=r"\(0, 255, 0\) as number 0 .* as 2: .*palette=\(\(0, 0"
    ) as e:
        opened("anew")
    assert e.value.kind == "palettes_differ"
    (found,) = [f for f in kseg.check(opened("anew", probe=False)).errors]
    assert found.kind == "palettes_differ" and "palette=((0, 0, 0), (0, 255, 0), (255" in str(found)
    for place in range(3):
        np.testing.assert_array_equal(opened("anew", palette=COLORS)[place]["label"], ids)


def test_one_hot_of_three_classes_is_no_colour(tmp_path):
    written(tmp_path, np.eye(3)[MASK], ending=".npy")
    (tmp_path / "classes.txt").write_text("a\nb\nc\n")
    assert "Of one-hot masks save np.argmax(mask, axis=-1)" in refusal(tmp_path)


def test_soft_edges_without_names(tmp_path):
    from PIL import ImageFilter

    soft = Image.fromarray(MASK * np.uint8(255)).filter(ImageFilter.GaussianBlur(1))
    said = refusal(written(tmp_path / "soft", np.array(soft)))
    assert "soft edges. Save them with hard edges" in said
    many = np.minimum(np.arange(40 * 60).reshape(40, 60) // 100, 20).astype(np.uint8)
    many[0] = 255
    assert "Name their classes" in refusal(written(tmp_path / "many", many))
