"""CVAT's XML of images: every shape, order, groups, subsets, and each fault by its photo."""

import numpy as np
import pytest
from data.tool_sets import SIZE, area, inside, photo, square

import kseg
from kseg.cli.main import main
from kseg.data.spec import DataSpec

pytest.importorskip("pycocotools", reason="needs the extra coco")

LABELS = """<label><name>nucleus</name><color>#33ddff</color><type>any</type></label>
<label><name>cell</name><color>#fa3253</color><type>polygon</type></label>
<label><name>void</name><color>#0a0a0a</color></label>
<label><name>spot</name><color>#0b0b0b</color><type>points</type></label>
<label><name>joint</name><type>any</type><parent>body</parent></label>"""


def polygon(label, corners, **said):
    return shape("polygon", label, points=";".join(f"{x},{y}" for x, y in corners), **said)


def mask(label, left, top, pixels, **said):
    """As CVAT counts: rows after rows, zeros first."""
    flat = np.concatenate([[0], pixels.ravel(), [2]])
    ends = np.flatnonzero(np.diff(flat))
    runs = np.diff(np.concatenate([[0], ends]))
    height, width = pixels.shape
    box = {"left": left, "top": top, "width": width, "height": height}
    return shape("mask", label, rle=", ".join(map(str, runs)), **box, **said)


def shape(kind, label, **said):
    said = {"label": label, "source": "manual", "occluded": "0", **said}
    return f"<{kind} {attributes(said)}></{kind}>"


def attributes(said):
    return " ".join(f'{key}="{value}"' for key, value in said.items())


def image(name, *shapes, **said):
    height, width = SIZE
    said = {"width": width, "height": height, **said}
    return f'<image id="0" name="{name}" {attributes(said)}>{"".join(shapes)}</image>'


def written(root, *images, photos=("images/a.jpg", "images/b.jpg"), labels=LABELS):
    for name in photos:
        photo(root / name, seed=ord(name[-5]))
    meta = f"<meta><task><labels>{labels}</labels></task></meta>"
    (root / "annotations.xml").write_text(
        f'<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>{meta}'
        f"{''.join(images)}</annotations>",
        encoding="utf-8",
    )
    return root


CELL, NUCLEUS = polygon("cell", square(5, 6, 20)), polygon("nucleus", square(15, 16, 8))


def test_a_map_and_objects(tmp_path, same_eagerly):
    tag = '<tag label="good" source="manual"></tag>'
    shapes = [CELL, NUCLEUS, polygon("void", square(0, 0, 2)), tag]
    root = written(tmp_path / "set", image("a.jpg", *shapes), image("b.jpg"))
    source = kseg.data.cvat(root)
    assert source.class_names == ("background", "nucleus", "cell") and source.ids == ("a", "b")
    assert source.colors == ((0, 0, 0), (0x33, 0xDD, 0xFF), (0xFA, 0x32, 0x53))
    label = same_eagerly(source)[0]["label"]
    expected = np.zeros(SIZE, np.uint8)
    expected[6:26, 5:25], expected[16:24, 15:23], expected[:2, :2] = 2, 1, 255
    np.testing.assert_array_equal(label, expected)
    assert not source[1]["label"].any() and source.problems(0) == []
    objects = kseg.data.cvat(root, instances=True)
    sample = objects[0]
    assert objects.class_names == ("nucleus", "cell")
    seen = zip(sample["classes"].tolist(), sample["crowd"].tolist(), sample["masks"])
    assert [(c, bool(crowd), area(m)) for c, crowd, m in seen] == [
        (1, False, inside(5, 6, 20)),
        (0, False, inside(15, 16, 8)),
        (0, True, inside(0, 0, 2)),
        (1, True, inside(0, 0, 2)),
    ]
    found = DataSpec(str(root)).resolved()
    assert found.kind == "cvat" and found.spec == f"cvat:{root}"
    assert found.open("train").ids + found.open("val").ids in [("a", "b"), ("b", "a")]
    assert main(["check", str(root), "--instances"]) == 0


def test_masks_boxes_and_ellipses(tmp_path):
    ring = np.ones((9, 7), np.uint8)
    ring[2:7, 2:5] = 0
    shapes = [
        mask("cell", 40, 3, ring),
        shape("box", "cell", xtl=5, ytl=6, xbr=25, ybr=16),
        shape("box", "cell", xtl=5, ytl=20, xbr=25, ybr=30, rotation=90),
        shape("ellipse", "cell", cx=45, cy=28, rx=10, ry=4),
        shape("polyline", "cell", points="1,1;9,9"),
        polygon("cell", [(1, 1), (2, 2)]),
    ]
    root = written(tmp_path / "set", image("a.jpg", *shapes), image("b.jpg"))
    source = kseg.data.cvat(root, instances=True)
    holed, box, turned, oval = source[0]["masks"]
    np.testing.assert_array_equal(holed[3:12, 40:47], ring)
    assert holed.sum() == ring.sum() and area(box) == (6, 15, 5, 24, 200)
    assert area(turned) == (15, 34, 10, 19, 200)
    assert abs(oval.sum() - np.pi * 40) < 6 and np.ptp(np.nonzero(oval)[1]) > 15
    kinds = [message for _, message in source.problems(0)]
    assert "polygon 5 of 'a.jpg' has too few points" in kinds[0]
    assert "polyline 4 of 'a.jpg' has no area" in kinds[1]
    assert "2 of 4 objects on " in kinds[2] and "read as filled rectangles" in kinds[2]
    (finding,) = (each for each in kseg.check(source).warnings if each.kind == "filled_boxes")
    assert "draw polygons or masks" in str(finding) and finding.files[0].endswith("a.jpg")


def test_what_lies_in_front(tmp_path):
    """A larger `z_order` is in front; of one, what comes later."""
    shapes = [
        polygon("nucleus", square(15, 16, 8), z_order=2),
        polygon("cell", square(5, 6, 20), z_order=1),
        polygon("nucleus", square(5, 6, 4), z_order=1),
    ]
    root = written(tmp_path / "set", image("a.jpg", *shapes), photos=("images/a.jpg",))
    label = kseg.data.cvat(root)[0]["label"]
    assert area(label == 1)[:3] == (6, 23, 5) and (label == 1).sum() == 64 + 16
    assert (label == 2).sum() == 400 - 80


def test_groups_are_one_object(tmp_path):
    part = np.ones((4, 4), np.uint8)
    shapes = [
        polygon("cell", square(5, 6, 8), group_id=7),
        mask("cell", 30, 30, part, group_id=7),
        polygon("nucleus", square(40, 6, 4), group_id=7),
        polygon("cell", square(20, 6, 4), group_id=0),
        polygon("cell", square(26, 6, 4), group_id=0),
    ]
    root = written(tmp_path / "set", image("a.jpg", *shapes), photos=("images/a.jpg",))
    sample = kseg.data.cvat(root, instances=True)[0]
    assert sample["classes"].tolist() == [1, 0, 1, 1]
    assert [int(m.sum()) for m in sample["masks"]] == [64 + 16, 16, 16, 16]
    assert area(sample["masks"][0])[:4] == (6, 33, 5, 33)


def test_a_project_with_subsets(tmp_path):
    """Photos of one name in the subsets of a project; names with folders, and of Windows."""
    names = ("Train/a.jpg", "Validation/a.jpg", "Train/deep/b.jpg")
    images = [
        image("a.jpg", CELL, subset="Train"),
        image("a.jpg", NUCLEUS, subset="Validation"),
        image("deep\\b.jpg", NUCLEUS, subset="Train"),
    ]
    root = written(tmp_path / "set", *images, photos=[f"images/{name}" for name in names])
    train, val = (kseg.data.cvat(root, split) for split in ("train", "val"))
    assert (len(train), len(val)) == (2, 1)
    assert (train.ids, val.ids) == (("Train/a", "Train/deep/b"), ("Validation/a",))
    assert set(np.unique(train[0]["label"])) == {0, 2} and set(np.unique(val[0]["label"])) == {0, 1}
    with pytest.raises(ValueError, match="val_fraction=0.5: expected None"):
        kseg.data.cvat(root, "val", val_fraction=0.5)
    with pytest.raises(FileNotFoundError, match="has the splits Train, Validation"):
        kseg.data.cvat(root, "test")


def test_frames_of_a_video_and_photos_beside_the_file(tmp_path):
    root = written(
        tmp_path / "set", image("frame_000001", CELL), photos=("images/frame_000001.PNG",)
    )
    assert kseg.data.cvat(root).ids == ("frame_000001",)
    root = written(tmp_path / "other", image("a.jpg", CELL), photos=("a.jpg",), labels="")
    assert kseg.data.cvat(root, instances=True).class_names == ("cell",)
    (root / "photos/raw").mkdir(parents=True)
    (root / "a.jpg").rename(root / "photos/raw/a.jpg")
    assert kseg.data.cvat(root)[0]["label"].sum() == 400
    photo(root / "photos/a.jpg")
    with pytest.raises(FileNotFoundError, match="lists 'a.jpg', which is not in"):
        kseg.data.cvat(root)


@pytest.mark.parametrize(
    "wrong, said",
    [
        (polygon("cell", [("x", 1), (2, 2), (3, 3)]), "polygon 0 of 'a.jpg': could not convert"),
        (shape("polygon", "cell", points="1,2,3;4,5,6;7,8,9"), "polygon 0 of 'a.jpg': "),
        (polygon("", square(1, 1, 3)), "it has no label"),
        (shape("box", "cell", xtl=1, ytl=2, xbr=3), "ybr=None: expected a number"),
        (polygon("cell", square(1, 1, 3), z_order="x"), "invalid literal"),
        (
            shape("mask", "cell", rle="3, 4", left=0, top=0, width=4, height=2),
            "rle of 7 pixels; expected 4 x 2 = 8, its width and height",
        ),
        (
            shape("mask", "cell", rle="3, -1", left=0, top=0, width=2, height=1),
            "rle of 2 pixels; expected 2 x 1 = 2",
        ),
        (
            shape("mask", "cell", rle="9", left=0, top=0, width=999999, height=999999),
            "width=999999, height=999999",
        ),
        (shape("ellipse", "cell", cx="nan", cy=1, rx=2, ry=2), "cx='nan': expected a number of"),
    ],
)
def test_each_fault_names_its_photo(tmp_path, wrong, said):
    root = written(tmp_path / "set", image("a.jpg", wrong), image("b.jpg", wrong, CELL))
    with pytest.raises(ValueError) as error:
        kseg.data.cvat(root)
    assert said in str(error.value) and str(error.value).endswith("Likewise 'b.jpg'. " + REMEDY)


REMEDY = "Correct it in CVAT, and export again."


def test_what_cannot_be_read(tmp_path, capsys):
    root = written(tmp_path / "set", image("a.jpg", CELL), image("b.jpg", CELL))
    (root / "images/b.jpg").unlink()
    with pytest.raises(FileNotFoundError, match="lists 'b.jpg', which is not in .*Export with im"):
        kseg.data.cvat(root)
    text = (root / "annotations.xml").read_text()
    (root / "annotations.xml").write_text(text[:-40])
    with pytest.raises(ValueError, match="is no XML .*Export it again"):
        kseg.data.cvat(root)
    video = '<track id="0" label="cell"><box frame="0" xtl="1"></box></track>'
    written(root, video)
    with pytest.raises(ValueError, match="1 tracks of a video.* Export as CVAT for images 1.1"):
        kseg.data.cvat(root)
    assert main(["check", str(root)]) == 1
    assert "Export as CVAT for images 1.1" in capsys.readouterr().out
    written(root)
    with pytest.raises(ValueError, match="lists no photo"):
        kseg.data.cvat(root)
    written(root, image("a.jpg"), labels="")
    with pytest.raises(ValueError, match="no label of shapes with an area"):
        kseg.data.cvat(root)
    with pytest.raises(FileNotFoundError, match="no labelmap.txt, and no XML file of CVAT"):
        kseg.data.cvat(root / "images")


def test_other_xml_is_not_taken(tmp_path):
    """Pascal VOC's boxes beside the photos, and `labelmap.txt` goes first."""
    photo(tmp_path / "a.jpg")
    (tmp_path / "a.xml").write_text("<annotation><filename>a.jpg</filename></annotation>")
    with pytest.raises(ValueError, match="expected a folder of one of these layouts"):
        DataSpec(str(tmp_path)).resolved()


def test_shapes_of_large_photos_are_decoded_one_by_one(tmp_path, monkeypatch):
    shapes = [
        CELL,
        NUCLEUS,
        polygon("cell", square(40, 3, 9)),
        polygon("nucleus", square(42, 5, 2)),
    ]
    root = written(tmp_path / "set", image("a.jpg", *shapes), image("b.jpg"))
    expected = [[kseg.data.cvat(root, instances=i)[n] for n in range(2)] for i in (False, True)]
    monkeypatch.setattr("kseg.data.coco_format.rle.AT_ONCE", 1)
    for instances in (False, True):
        source = kseg.data.cvat(root, instances=instances)
        for index, sample in enumerate(expected[instances]):
            for key, value in sample.items():
                np.testing.assert_array_equal(source[index][key], value)
