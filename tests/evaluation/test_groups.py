"""Scores of groups of images: those that the images of a group would have alone."""

import dataclasses

import numpy as np
import pytest
from test_per_image import labelled, network

import kseg
from kseg.evaluation.groups import groups_of

NAMES = ("paris/a_001", "paris/a_002", "berlin/b_001")


def source(names=NAMES, folder=None):
    made = labelled([(16, 16)] * len(names))
    columns = dict(made.columns)
    if folder is not None:
        paths = [f"{folder}/{name}.jpg" for name in names]
        columns["image"] = np.array(paths, dtype=object)
    return dataclasses.replace(made, ids=tuple(names), columns=columns)


@pytest.mark.parametrize(
    "group, expected",
    [
        ("folder", ["paris", "paris", "berlin"]),
        (r"/([a-z])_\d+$", ["a", "a", "b"]),
        ({"a_001": "x", "paris/a_002": "y", "b_001": "x", "other": "z"}, ["x", "y", "x"]),
        (lambda name: len(name), ["11", "11", "12"]),
    ],
)
def test_images_are_of_a_group(group, expected):
    assert groups_of(group, source()) == expected


def test_folders_are_those_of_the_photos():
    names = ("001", "002", "003")
    made = source(names, folder="/data/set")
    paths = [
        "/data/set/x/y/1.jpg\n/data/set/nir/1.tif",
        "/data/set/x/z/2.jpg",
        "/data/set/x/y/3.jpg",
    ]
    columns = {**made.columns, "image": np.array(paths, dtype=object)}
    assert groups_of("folder", dataclasses.replace(made, columns=columns)) == ["y", "z", "y"]


@pytest.mark.parametrize(
    "text",
    [
        "image,group\na_001.jpg,x\na_002.jpg,x\nb_001.jpg,y\n",
        "\ufeffGroup,File_Name,note\nx,paris/a_001,1\nx,a_002,2\ny,b_001,\n\n",
        "photo, patient\na_001, x\na_002,x\nb_001,y\nof another split,z\n",
    ],
)
def test_a_table_says_the_group(tmp_path, text):
    (tmp_path / "groups.csv").write_text(text, encoding="utf-8")
    for path in (tmp_path / "groups.csv", str(tmp_path / "groups.csv")):
        assert groups_of(path, source(folder="/data")) == ["x", "x", "y"]


def test_what_is_no_group_is_said(tmp_path):
    table = tmp_path / "groups.csv"
    for group, text in (
        ("([a-z]+)/(.*)", "a pattern with one group in parentheses"),
        ("folder/", "a pattern with one group in parentheses"),
        ("([a-z", "a pattern .unterminated"),
        ("(paris)", "in 1 name, as 'berlin/b_001', it is not"),
        ({"a_001": "x"}, "group='1 names': .* 2 names, as 'paris/a_002', 'berlin/b_001', has none"),
        (3, "group=3: expected 'folder', a pattern"),
    ):
        with pytest.raises(ValueError, match=text):
            groups_of(group, source())
    with pytest.raises(ValueError, match="photos in several folders, and all are in one.*a .csv"):
        groups_of("folder", source(("a", "b")))
    with pytest.raises(FileNotFoundError, match="expected a .csv file, with a line of headings"):
        groups_of(table, source())
    table.write_text("just names\n")
    with pytest.raises(ValueError, match="a line of headings, as image,group"):
        groups_of(table, source())
    table.write_text("image,group\na_001\n")
    with pytest.raises(ValueError, match="2 columns in each line, and one is 'a_001'"):
        groups_of(table, source())
    batches = kseg.data.batches(labelled([(16, 16)] * 2), batch_size=2)
    with pytest.raises(ValueError, match="None for a data set without names. Score a Source"):
        kseg.evaluate(network(), batches, group="folder")


@pytest.mark.once("torch")
def test_groups_are_scored_as_their_images_alone():
    made, model = labelled(), network()
    groups = ["x", "y", "x", "z", "y"]
    named = dataclasses.replace(made, ids=tuple(f"{g}{i}" for i, g in enumerate(groups)))
    scores = kseg.evaluate(model, named, group="^([a-z])", boundary=True)
    values = {}
    for name in "xyz":
        chosen = [i for i, each in enumerate(groups) if each == name]
        alone = kseg.evaluate(model, made.subset(chosen), boundary=True)
        own = scores["groups"][name]
        assert own["images"] == len(chosen)
        for key in ("mean_iou", "mean_dice", "pixel_accuracy", "mean_boundary_iou"):
            assert own[key] == pytest.approx(alone[key], rel=1e-12)
        values[name] = alone["mean_iou"]
    assert scores["mean_of_groups"]["mean_iou"] == pytest.approx(np.mean([*values.values()]))
    assert scores["worst_group"] == min(values, key=values.get)
    table = scores.tables[-1]
    assert table.rows[0][0] == scores["worst_group"] and table.total[0] == "mean"
    assert scores["protocol"]["group"] == "^([a-z])"
