"""VIA's JSON and CSV files: every shape, the layouts, and which attribute is the class."""

import json

import numpy as np
import pytest
from data.tool_sets import area, inside, photo, square, via_polygon, via_region

import kseg
from kseg.data.spec import DataSpec

pytest.importorskip("pycocotools", reason="needs the extra coco")

CELL = via_region(via_polygon(square(5, 6, 20)), type="cell")
NUCLEUS = via_region({"name": "rect", "x": 15, "y": 16, "width": 8, "height": 8}, type="nucleus")


def written(root, regions=(CELL, NUCLEUS), names="ab", project=False, numbered=False):
    entries = {}
    for name in names:
        photo(root / f"{name}.jpg", seed=ord(name))
        of = {str(i): region for i, region in enumerate(regions)} if numbered else list(regions)
        entry = {"filename": f"{name}.jpg", "size": 99, "regions": of, "file_attributes": {}}
        entries[f"{name}.jpg99"] = entry
    content = {"_via_settings": {}, "_via_img_metadata": entries} if project else entries
    root.mkdir(exist_ok=True)
    (root / "via_region_data.json").write_text(json.dumps(content))
    return root


@pytest.mark.parametrize("form", [{}, {"project": True}, {"numbered": True}])
def test_a_map_and_objects(tmp_path, same_eagerly, form):
    root = written(tmp_path / "set", **form)
    source = kseg.data.via(root)
    assert source.class_names == ("background", "cell", "nucleus") and source.ids == ("a", "b")
    label = same_eagerly(source)[0]["label"]
    assert area(label > 0) == inside(5, 6, 20) and area(label == 2) == inside(15, 16, 8)
    sample = kseg.data.via(root, instances=True)[1]
    assert sample["classes"].tolist() == [0, 1]
    assert [area(mask) for mask in sample["masks"]] == [inside(5, 6, 20), inside(15, 16, 8)]
    assert DataSpec(str(root)).resolved().kind == "via"


def test_a_table(tmp_path):
    root = written(tmp_path / "set", names="abc")
    (root / "via_region_data.json").unlink()
    rows = [
        "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,"
        "region_attributes"
    ]
    for shape, own in (
        (CELL["shape_attributes"], {"type": "cell"}),
        (NUCLEUS["shape_attributes"], {"type": "nucleus"}),
    ):
        texts = [json.dumps(each).replace('"', '""') for each in (shape, own)]
        rows.append('a.jpg,99,"{}",2,0,"' + '","'.join(texts) + '"')
    rows.append('b.jpg,99,"{}",0,0,"{}","{}"')
    (root / "annotations.csv").write_text("\n".join(rows))
    source = kseg.data.via(root, instances=True)
    assert source.ids == ("a", "b") and source.class_names == ("cell", "nucleus")
    assert [area(mask) for mask in source[0]["masks"]] == [inside(5, 6, 20), inside(15, 16, 8)]
    assert len(source[1]["classes"]) == 0


def test_splits_of_balloon(tmp_path):
    """Matterport's own layout: a file in each split's folder, and no attribute."""
    plain = via_region(via_polygon(square(5, 6, 20)))
    for split, names in (("train", "ab"), ("val", "c")):
        written(tmp_path / "set" / split, [plain], names)
    train, val = (kseg.data.via(tmp_path / "set", split) for split in ("train", "val"))
    assert (train.ids, val.ids) == (("a", "b"), ("c",))
    assert train.class_names == ("background", "object")


def test_circles_and_ellipses(tmp_path):
    shapes = [
        {"name": "circle", "cx": 20, "cy": 20, "r": 10},
        {"name": "ellipse", "cx": 40, "cy": 20, "rx": 15, "ry": 5, "theta": np.pi / 2},
        {"name": "polyline", "all_points_x": [1, 2], "all_points_y": [1, 2]},
    ]
    source = kseg.data.via(written(tmp_path / "set", map(via_region, shapes), "a"), instances=True)
    disk, upright = source[0]["masks"]
    assert abs(disk.sum() - np.pi * 100) < 6 and abs(upright.sum() - np.pi * 75) < 6
    rows, columns = np.nonzero(upright)
    assert np.ptp(rows) > 2.5 * np.ptp(columns)  # on its side
    assert "is a polyline, without an area" in source.problems(0)[0][1]


def test_which_attribute_is_the_class(tmp_path):
    both = via_region(via_polygon(square(5, 6, 20)), type="cell", state="dead")
    root = written(tmp_path / "set", [both])
    with pytest.raises(
        ValueError, match="of 'type', 'state' that is the class. Give attribute='ty"
    ):
        kseg.data.via(root)
    assert kseg.data.via(root, attribute="state").class_names == ("background", "dead")
    assert DataSpec(f"via:{root}", attribute="type").open("train").class_names[1] == "cell"
    with pytest.raises(ValueError, match="attribute='kind': expected one of the attributes"):
        kseg.data.via(root, attribute="kind")
    same = via_region(via_polygon(square(5, 6, 20)), type="cell", kind="cell")
    assert kseg.data.via(written(tmp_path / "same", [same])).class_names[1:] == ("cell",)
    ticked = via_region(via_polygon(square(5, 6, 20)), type={"cell": True, "other": False})
    one_of_two = via_region(via_polygon(square(30, 6, 9)), kind="nucleus")
    assert kseg.data.via(written(tmp_path / "set", [ticked, one_of_two])).class_names == (
        "background",
        "cell",
        "nucleus",
    )


@pytest.mark.parametrize(
    "region, said",
    [
        (via_region({"name": "star"}, type="cell"), "name='star'; expected polygon"),
        (via_region({"name": "rect", "x": 1}, type="cell"), "region 0: no 'y'"),
        (via_region(via_polygon([[1, 2], [None, 3], [4, 5]]), type="cell"), "region 0: "),
        (via_region(via_polygon([[1, 2], [10**400, 3], [4, 5]]), type="cell"), "region 0: int too"),
        (via_region(via_polygon(square(1, 2, 3)), type=""), "its attribute 'type' is empty"),
        ({"nothing": 1}, "region 0: no 'shape_attributes'"),
    ],
)
def test_each_fault_names_its_photo(tmp_path, region, said):
    root = written(tmp_path / "set", [region, CELL])
    with pytest.raises(ValueError) as error:
        kseg.data.via(root)
    assert said in str(error.value)
    assert "'a.jpg'" in str(error.value) and "'b.jpg'" in str(error.value)


def test_a_photo_that_is_missing(tmp_path):
    root = written(tmp_path / "set")
    (root / "b.jpg").unlink()
    with pytest.raises(FileNotFoundError, match="lists 'b.jpg', which does not lie beside it"):
        kseg.data.via(root)
    (root / "via_region_data.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="no file of VIA with photos"):
        kseg.data.via(root)
