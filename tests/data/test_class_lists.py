"""Files that say the classes of a set: what each form means, and what is none."""

import json

import pytest
from data.tool_sets import coco_content, photo

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


def test_colours_of_datumaro_where_each_class_has_one(tmp_path):
    file = tmp_path / "dataset_meta.json"
    meta = {"label_map": {"0": "sky", "1": "road"}, "segmentation_colors": [[1, 2, 3], [4, 5, 6]]}
    file.write_text(json.dumps(meta))
    assert class_list(tmp_path, tmp_path).palette == ((1, 2, 3), (4, 5, 6))
    meta["segmentation_colors"].pop()
    file.write_text(json.dumps(meta))
    assert class_list(tmp_path, tmp_path).palette is None


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


def test_names_in_windows_1252(tmp_path, capsys):
    names = ("Stra\u00dfe", "Geh\u00f6lz", "M\u00fcll \u201etief\u201c")
    for name, text in (
        ("classes.txt", "\r\n".join(names)),
        (
            "class_dict.csv",
            "name;r;g;b\r\n" + "".join(f"{n};{i};0;0\r\n" for i, n in enumerate(names)),
        ),
    ):
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        (folder / name).write_bytes(text.encode("cp1252"))
        assert class_list(folder).class_names == class_list(folder).class_names == names
        (line,) = capsys.readouterr().out.splitlines()
        assert (
            f"{folder / name} is not in UTF-8: read as Windows-1252, as in 'Stra\u00dfe'." in line
        )
        (folder / name).write_text(text, encoding="utf-8")
        assert class_list(folder).class_names == names and not capsys.readouterr().out


@pytest.mark.parametrize(
    "content",
    [
        "\u9053\u8def\n".encode("gbk"),
        "\u8349\nroad\n".encode("gbk"),
        "\u0434\u043e\u0440\u043e\u0433\u0430\n".encode("cp1251"),
        "\u0142\u0105ka\n".encode("cp1250"),
        "Stra\u00dfe\nGeh\u00f6lz\n".encode()[:-2],  # cut off
        "Stra\u00dfe\n".encode() + "Geh\u00f6lz\n".encode("cp1252"),
        b"sky\n\x00\xe4\n",
    ],
)
def test_texts_in_no_encoding_that_is_read(tmp_path, content):
    (tmp_path / "classes.txt").write_bytes(content if content[-1:] == b"\n" else content + b"\xc3")
    with pytest.raises(ValueError, match="is no text file .* Save it as plain text in UTF-8"):
        class_list(tmp_path)


def test_json_in_windows_1252(tmp_path, capsys):
    import kseg

    photo(tmp_path / "a.jpg")
    content = coco_content(["a.jpg"], [(3, 4, 9, 1)], ["B\u00e4ume"])
    (tmp_path / "a.json").write_bytes(json.dumps(content, ensure_ascii=False).encode("cp1252"))
    assert kseg.data.coco(tmp_path, tmp_path / "a.json").class_names[1] == "B\u00e4ume"
    assert "read as Windows-1252, as in 'B\u00e4ume'" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text, names, values",
    [
        ("0 sky\n1 road\n", ("sky", "road"), None),
        ("0: sky\n1: road\n", ("sky", "road"), None),
        ("1: sky\n2: road\n", ("sky", "road"), (1, 2)),
        ("0\tsky\n7\troad\n", ("sky", "road"), (0, 7)),
        ("1 euro\n2 euro\n", ("1 euro", "2 euro"), None),
        ("2: sky\n1: road\n", ("2: sky", "1: road"), None),
        ("sky\n1: road\n", ("sky", "1: road"), None),
        ("0\n1\n", ("0", "1"), None),
        ("sky, road\n", ("sky", "road"), None),
        ("sky, blue\nroad\n", ("sky, blue", "road"), None),
        ("3d model\n", ("3d model",), None),
    ],
)
def test_lines_with_numbers_and_with_commas(tmp_path, text, names, values):
    (tmp_path / "classes.txt").write_text(text)
    found = class_list(tmp_path)
    assert (found.class_names, found.values) == (names, values)


def test_numbers_of_what_is_void(tmp_path):
    (tmp_path / "classes.txt").write_text("0: sky\n1: void\n2: road\n")
    found = class_list(tmp_path)
    assert (found.class_names, found.values, found.void_values) == (("sky", "road"), (0, 2), (1,))
