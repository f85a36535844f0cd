"""Tables of run-lengths: masks decoded by hand, the layouts of Kaggle's sets, what is wrong."""

import numpy as np
import pytest
from data.tool_sets import photo

import kseg
from kseg.data.errors import DataError
from kseg.data.readers.run_masks import coco_rle, starts_and_lengths
from kseg.data.spec import DataSpec

mask_api = pytest.importorskip("pycocotools.mask", reason="needs the extra coco")

SIZE = (3, 4)
KAGGLE = "ImageId,EncodedPixels\n"
# 2 down from the second pixel of the first column, and the first pixel of the third one
DOWN = np.uint8([[0, 0, 1, 0], [1, 0, 0, 0], [1, 0, 0, 0]])
RUNS = "2 2 7 1"
ALONG = np.uint8([[0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]])  # the same counted along the rows


def written(root, text, names=("a.jpg",), size=SIZE, table="train.csv"):
    for seed, name in enumerate(names):
        photo(root / name, size, seed)
    (root / table).write_text(text)
    return root


def by_hand(text, size, order):
    """Pixel by pixel, as Kaggle's rule has it."""
    mask = np.zeros(size, np.uint8)
    numbers = list(map(int, text.split()))
    for start, length in zip(numbers[::2], numbers[1::2]):
        for pixel in range(start - 1, start - 1 + length):
            y, x = divmod(pixel, size[1])
            if order == "columns":
                x, y = divmod(pixel, size[0])
            mask[y, x] = 1
    return mask


@pytest.mark.parametrize("order", ["columns", "rows"])
def test_runs_as_each_pixel_by_hand(order):
    generator = np.random.default_rng(5)
    for height, width in ((1, 1), (3, 4), (7, 2), (40, 33), (300, 7)):
        for share, longest in ((0.01, 9999), (0.3, 9999), (1.0, 9999), (0.02, 2)):
            bounds = np.flatnonzero(generator.random(height * width + 1) < share)
            pairs = [(a, min(b, a + longest)) for a, b in zip(bounds[::2], bounds[1::2])]
            pairs = pairs or [(height * width - 1, height * width)]
            generator.shuffle(pairs)
            text = " ".join(f"{start + 1} {end - start}" for start, end in pairs)
            rle = coco_rle(*starts_and_lengths(text), height, width, order)
            np.testing.assert_array_equal(
                mask_api.decode(rle), by_hand(text, (height, width), order)
            )


@pytest.mark.parametrize(
    "text, mask",
    [
        (f"{KAGGLE}a.jpg,{RUNS}\n", DOWN),
        (f"{KAGGLE}a,7 1 2 2\n", DOWN),  # in any order, by the name without its ending
        (f"\ufeffImageId, EncodedPixels\r\n a.jpg , {RUNS} \r\n", DOWN),
        (f"ImageId;EncodedPixels\na.jpg;{RUNS}\n", DOWN),
        (f"id,rle_mask\na,{RUNS}\n", DOWN),
        (f"id,rle\na,{RUNS}\n", DOWN),
        (f"img,rle_mask\na.jpg,{RUNS}\n", ALONG),  # Carvana
        (f"id,class,segmentation\na,object,{RUNS}\n", ALONG),  # UW-Madison
        (f"id,annotation,width,height,cell_type\na,{RUNS},4,3,object\n", ALONG),  # Sartorius
        (f"id,annotation,width,height,cell_type\na,{RUNS},0,3,object\n", ALONG),  # not said
        (f"EncodedPixels,ImageId,Height,Width\n{RUNS},a,3,4\n", DOWN),
        (f"{KAGGLE}a.jpg,\n", DOWN * 0),
        (f"{KAGGLE}a.jpg, -1\n", DOWN * 0),
        (f"{KAGGLE}a.jpg,1 1\na.jpg,12 1\n", np.eye(3, 4, dtype="u1") * 0),
    ],
)
def test_one_class(tmp_path, text, mask):
    root = written(tmp_path / "set", text)
    if "12 1" in text:
        mask = mask.copy()
        mask[0, 0] = mask[2, 3] = 1
    source = kseg.data.run_lengths(root)
    assert source.class_names == ("background", "object") and source.ids == ("a",)
    np.testing.assert_array_equal(source[0]["label"], mask)


def test_classes_objects_and_several_of_a_pixel(tmp_path, same_eagerly):
    text = "ImageId,ClassId,EncodedPixels\na.jpg,2,1 6\na.jpg,10,2 1 4 1\na.jpg,2,12 1\nb.jpg,3,\n"
    root = written(tmp_path / "set", text, ("a.jpg", "b.jpg"))
    source = kseg.data.run_lengths(root)
    assert source.class_names == ("background", "2", "3", "10")  # 3 has no pixel, 10 comes last
    expected = np.uint8([[1, 3, 0, 0], [3, 1, 0, 0], [1, 1, 0, 1]])
    first, second = source[0], source[1]
    np.testing.assert_array_equal(first["label"], expected)  # the smaller lies on top
    assert not second["label"].any()
    assert [kind for kind, _ in source.problems(0)] == ["overlapping_classes"]

    objects = kseg.data.run_lengths(root, instances=True)[0]
    assert objects["classes"].tolist() == [0, 2, 0]
    assert [int(mask.sum()) for mask in objects["masks"]] == [6, 2, 1]

    source = kseg.data.run_lengths(root, multilabel=True)
    assert source.task == "multilabel" and source.class_names == ("2", "3", "10")
    first, second = same_eagerly(source)
    two = np.uint8([[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 0, 1]])
    ten = np.uint8([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(first["label"], np.stack([two, two * 0, ten], axis=-1))
    assert not second["label"].any()
    assert not source.problems(0)


@pytest.mark.parametrize(
    "head, row, names",
    [
        ("Image_Label", "a.jpg_{}", None),
        ("ImageId_ClassId", "a.jpg_{}", None),
        ("ImageId,EncodedPixels,ClassId", None, None),
        ("ImageId,EncodedPixels,ClassId", None, ("fish", "flower")),
        ("ImageId,EncodedPixels,ClassId", None, ("background", "fish", "flower")),
    ],
)
def test_names_of_classes(tmp_path, head, row, names):
    if row:
        labels = ("Fish", "Sugar_cane") if head == "Image_Label" else ("1", "2")
        labels = ("Fish", "Sugar") if head == "Image_Label" else labels
        lines = [f"{head},EncodedPixels", f"{row.format(labels[0])},1 1"]
        lines += [f"{row.format(labels[1])},3 2"]
    else:
        labels = names[-2:] if names else ("1", "2")
        lines = [head, "a.jpg,1 1,1.0", "a.jpg,3 2,2.0", "b.jpg,,"]
    root = written(tmp_path / "set", "\n".join(lines), ("a.jpg", "b.jpg"))
    source = kseg.data.run_lengths(root, class_names=names)
    assert source.class_names == ("background", *labels)
    assert source[0]["label"].T.ravel()[:5].tolist() == [1, 0, 2, 2, 0]


def test_numbers_from_zero(tmp_path):
    root = written(tmp_path / "set", "ImageId,ClassId,EncodedPixels\na,0,1 1\na,1,3 2\n")
    (root / "classes.txt").write_text("shirt\nshoe\n")
    source = kseg.data.run_lengths(root)
    assert source.class_names == ("background", "shirt", "shoe")
    assert source[0]["label"].T.ravel()[:5].tolist() == [1, 0, 2, 2, 0]


def test_splits_and_how_the_set_is_found(tmp_path):
    """Kaggle's folder of labelled photos is called `train`, and is divided all the same."""
    names = [f"train/{each}.jpg" for each in "abcde"]
    root = written(tmp_path / "set", KAGGLE + "".join(f"{n},1 2\n" for n in "abcde"), names)
    (root / "sample_submission.csv").write_text(f"{KAGGLE}x,1 1\n")
    spec = DataSpec(str(root)).resolved()
    assert spec.spec == f"rle:{root}" and DataSpec(f"{root}/train.csv").resolved().kind == "rle"
    train, val = spec.open("train"), spec.open("val")
    assert (len(train), len(val)) == (4, 1) and not {*train.ids} & {*val.ids}
    assert len(spec.open(None)) == 5
    (root / "val.csv").write_text(f"{KAGGLE}e,1 2\n")
    assert DataSpec(f"rle:{root}").open("val").ids == ("e",)
    (root / "val.csv").rename(root / "other.csv")
    with pytest.raises(ValueError, match="one table of run-lengths, .*Give one of these files"):
        DataSpec(f"rle:{root}").open("train")
    assert len(DataSpec(f"rle:{root}/other.csv").open(None)) == 1


def test_the_other_order_is_told_and_taken(tmp_path):
    """A disc, read down the columns though it was written along the rows, is torn apart."""
    size = (40, 60)
    y, x = np.indices(size)
    flat = ((y - 20) ** 2 + (x - 25) ** 2 < 150).ravel()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat, [0]])))
    runs = " ".join(f"{start + 1} {end - start}" for start, end in zip(edges[::2], edges[1::2]))
    root = written(tmp_path / "set", f"{KAGGLE}a.jpg,{runs}\n", size=size)
    with pytest.raises(DataError, match="by rows they are whole. Give order='rows'"):
        kseg.data.run_lengths(root)
    source = DataSpec(f"rle:{root}", order="rows").open(None)
    np.testing.assert_array_equal(source[0]["label"], flat.reshape(size))
    assert kseg.data.run_lengths(root, order="columns")[0]["label"].sum() == flat.sum()


@pytest.mark.parametrize(
    "cell, message",
    [
        ("1 2 3", "3 numbers, which are not pairs"),
        ("1 x", "'x' is no start or length"),
        ("1.0 2.0", "'1.0' is no start or length"),
        ("0 2", "pixels are counted from 1: add 1"),
        ("3 0", "run 0 has the length 0"),
        ("1 13", "its runs end 1 pixels beyond the 3 x 4 photo"),
        ("1 3 3 1", "the runs '1 3' and '3 1' overlap"),
        ("1 1 " * 8192, "where Excel cuts cells"),
    ],
)
def test_damaged_runs(tmp_path, cell, message):
    cell = cell[:32767]
    root = written(tmp_path / "set", f"{KAGGLE}a.jpg,1 1\nb.jpg,{cell}\n", ("a.jpg", "b.jpg"))
    if "Excel" in message:
        (root / "train.csv").write_text(f"{KAGGLE}a.jpg,1 1\nb.jpg,1{cell[1:-1]}1\n")
    with pytest.raises(DataError, match=f"train.csv', line 3, 'b.jpg': .*{message}"):
        kseg.data.run_lengths(root)


@pytest.mark.parametrize(
    "text, message",
    [
        (f"{KAGGLE}a,1 1\nb,1 1\nc,2 1\n", "line 3: there is no photo 'b' below .*Likewise 'c'"),
        ("name,runs\na,1 1\n", "has the columns name, runs: expected one of photos, as ImageId"),
        ("ImageId,EncodedPixels,Height,Width\na,1 1,4,3\n", r"of \(4, 3\) pixels, and .*\(3, 4\)"),
        (f"{KAGGLE}a,1 1,2\n", "line 2: 3 cells, and 2 columns"),
        ("ImageId,ClassId,EncodedPixels\na,,1 1\na,2,3 1\n", "it has runs, and no class"),
        (KAGGLE, "has no row"),
    ],
)
def test_damaged_tables(tmp_path, text, message):
    root = written(tmp_path / "set", text)
    with pytest.raises((DataError, FileNotFoundError), match=message):
        kseg.data.run_lengths(root / "train.csv")


def test_what_is_odd(tmp_path):
    """A photo beside the others and not in the table; several photos of one name."""
    names = ("train/a.jpg", "train/b.jpg", "test/c.jpg")
    root = written(tmp_path / "set", f"{KAGGLE}a.jpg,1 1\n", names)
    source = kseg.data.run_lengths(root)
    (note,) = source.notes
    assert note[0] == "not_listed" and "no row of 1 photo" in note[1] and "train/b.jpg" in note[1]
    photo(root / "test/a.jpg", SIZE)
    with pytest.raises(DataError, match="'a.jpg' may be 'test/a.jpg' and 'train/a.jpg'"):
        kseg.data.run_lengths(root)
    (root / "train.csv").write_text(f"{KAGGLE}train/a.jpg,1 1\n")
    assert len(kseg.data.run_lengths(root)) == 1
    (root / "train.csv").write_text("Image,rle\ntrain/a.jpg,1 1\n")
    assert ["run_order", "not_listed"] == [kind for kind, _ in kseg.data.run_lengths(root).notes]
