"""Files that say the classes of a set: what each form means, and what is none."""

import json

import pytest

from kseg.data.class_lists import class_list

FORMS = {
    "classes.txt": "sky\n\n road \n",
    "labels.txt": "__ignore__\nsky\nroad\n",  # labelme: ignore is -1
    "labelmap.txt": "# label:color_rgb:parts:actions\nsky:1,2,3::\nroad:4,5,6:body:\n",
    "class_dict.csv": "name, r, g, b\nsky, 1, 2, 3\nroad, 4, 5, 6\n",
    "label_colors.txt": "# of CamVid\n1 2 3\tsky\n4 5 6\t\troad\n",
    "_classes.csv": "Pixel Value, Class\n0, sky\n1, road\n",
    "dataset_meta.json": json.dumps({"label_map": {"0": "sky", "1": "road"}}),
    "objectInfo150.txt": "Idx\tRatio\tTrain\tVal\tStuff\tName\n1\t.1\t9\t9\t1\tsky, heaven\n"
    "2\t.1\t9\t9\t0\troad\n",
}


@pytest.mark.parametrize("name", FORMS)
def test_forms(tmp_path, name):
    (tmp_path / name).write_text(FORMS[name])
    found = class_list(tmp_path / "nowhere", tmp_path)
    assert found.class_names == ("sky", "road") and found.file == tmp_path / name
    has_colors = name in ("labelmap.txt", "class_dict.csv", "label_colors.txt")
    assert found.palette == (((1, 2, 3), (4, 5, 6)) if has_colors else None)
    assert found.values == ((1, 2) if name == "objectInfo150.txt" else None)
    assert found.void_values == ((0,) if name == "objectInfo150.txt" else None)


def test_what_is_ignored_is_void(tmp_path):
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\nunlabeled,0,0,0\nsky,1,2,3\nroad,4,5,6\n")
    found = class_list(tmp_path)
    assert found.class_names == ("sky", "road") and found.values == (1, 2)
    assert (found.void_values, found.void_colors) == ((0,), ((0, 0, 0),))
    (tmp_path / "classes.txt").write_text("sky\nroad\nvoid\n")
    found = class_list(tmp_path)
    assert (found.class_names, found.values, found.void_values) == (("sky", "road"), None, (2,))


@pytest.mark.parametrize(
    "name, text, said",
    [
        ("classes.txt", "\n", "holds no name"),
        ("labelmap.txt", "sky:1,2:::\n", "holds 'sky:1,2"),
        ("labelmap.txt", "sky:1,2,3::\nroad:1,2,3::\n", "one colour for two classes"),
        ("class_dict.csv", "name,r,g,b\nsky,1,2\n", "has a row that is none"),
        ("dataset_meta.json", "{}", "cannot be read"),
        ("label_colors.txt", "1 2 sky\n", "holds '1 2 sky'"),
        ("label_colors.txt", "1 2 300 sky\n", "holds '1 2 300 sky'"),
        ("label_colors.txt", "#\n", "holds no class"),
        ("objectInfo150.txt", "Idx\nx\n", "holds 'x'"),
    ],
)
def test_damaged_files(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=said) as error:
        class_list(tmp_path)
    assert name in str(error.value) and "class_names=" in str(error.value)


def test_other_files_of_these_names(tmp_path):
    assert class_list(tmp_path) is None
    (tmp_path / "labelmap.txt").write_text("person\ncar\n")  # of TensorFlow's detection models
    (tmp_path / "classes.csv").write_text("photo,label\na.jpg,sky\n")
    assert class_list(tmp_path) is None
