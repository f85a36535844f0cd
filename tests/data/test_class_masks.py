"""Classes of objects from a second mask: of ids or colours, under numbers or files of objects."""

import numpy as np
import pytest
from PIL import Image

import kseg
from kseg.cli.main import main
from kseg.data.bad_files import naming_bad_files
from kseg.data.errors import DataError, MissingData
from kseg.data.spec import DataSpec

NAMES = ["cell", "nucleus"]
SIZE = (20, 30)
COLORS = {0: (0, 0, 0), 1: (200, 0, 0), 2: (0, 0, 200), 255: (255, 255, 255)}


def drawn():
    """Numbers of objects, and classes under them; the third object is void, the fourth overlaps."""
    numbers, classes = np.zeros(SIZE, np.uint16), np.zeros(SIZE, np.uint8)
    for key, class_id, rows, columns in (
        (3, 1, slice(2, 8), slice(2, 10)),
        (700, 2, slice(2, 8), slice(12, 20)),
        (701, 255, slice(10, 14), slice(2, 10)),
        (900, 1, slice(10, 18), slice(14, 24)),
    ):
        numbers[rows, columns], classes[rows, columns] = key, class_id
    classes[10, 14:24] = 2  # an outline that is another's: 10 of 80 pixels
    classes[12, 14:24] = 0  # and a hole
    return numbers, classes


def write_set(root, numbers, classes, *, each=False, palette=False, count=1):
    for folder in ("images", "masks", "classes"):
        (root / folder).mkdir(parents=True)
    for index in range(count):
        Image.fromarray(np.full((*SIZE, 3), index, np.uint8)).save(root / f"images/{index}.png")
        if each:
            (root / f"masks/{index}").mkdir()
            for key in np.unique(numbers[numbers > 0]):
                mask = np.uint8(numbers == key) * 255
                Image.fromarray(mask).save(root / f"masks/{index}/{key:04d}.png")
        else:
            Image.fromarray(numbers).save(root / f"masks/{index}.png")
        pixels = classes
        if palette:
            pixels = np.zeros((*SIZE, 3), np.uint8)
            for value, color in COLORS.items():
                pixels[classes == value] = color
        Image.fromarray(pixels).save(root / f"classes/{index}.png")
    return root


def opened(root, names=NAMES, **given):
    given = {"instances": True, "class_masks": root / "classes", **given}
    return kseg.data.folder(root / "images", root / "masks", names, **given)


@pytest.mark.few("ids-True")
@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize(
    "said",
    [
        {},
        {"names": ["background", *NAMES]},
        {"names": [*NAMES, "background"], "values": (1, 2, 0)},
        {"palette": [COLORS[1], COLORS[2]], "void_values": [COLORS[255]]},
        {
            "names": ["background", *NAMES],
            "palette": [COLORS[0], COLORS[1], COLORS[2]],
            "void_values": [COLORS[255]],
        },
    ],
    ids=["ids", "background", "values", "colours", "colours of all"],
)
def test_an_object_is_of_the_class_under_it(tmp_path, each, said):
    numbers, classes = drawn()
    root = write_set(tmp_path, numbers, classes, each=each, palette="palette" in said)
    source = opened(root, **said)
    assert (source.task, source.class_names) == ("instance", tuple(NAMES))
    assert len(source.colors) == 2
    if "palette" in said:
        assert source.colors == (COLORS[1], COLORS[2])
    sample = source[0]
    np.testing.assert_array_equal(sample["classes"], [0, 1, 0, 0])
    np.testing.assert_array_equal(sample["crowd"], [False, False, True, False])
    for mask, key in zip(sample["masks"], (3, 700, 701, 900), strict=True):
        np.testing.assert_array_equal(mask, numbers == key)
    (batch,) = kseg.data.batches(source, batch_size=1, max_instances=5)
    np.testing.assert_array_equal(batch[1]["classes"][0], [0, 1, 0, 0, -1])
    report = kseg.check(source)
    assert report.errors == []
    assert report.sources[0].instances.tolist() == [2, 1]


def test_class_ids_may_be_beyond_a_byte(tmp_path):
    numbers, classes = drawn()
    numbers[classes == 255] = classes[classes == 255] = 0
    root = write_set(tmp_path, numbers, np.array([0, 300, 2], np.uint16)[classes])
    sample = opened(root, [*NAMES, "background"], values=(300, 2, 0))[0]
    assert sample["classes"].tolist() == [0, 1, 0]


def test_a_number_of_two_objects_is_refused(tmp_path):
    """As where numbers begin anew with each class: one of them would be of a wrong class."""
    numbers, classes = drawn()
    numbers[numbers == 700] = 3
    root = write_set(tmp_path, numbers, classes)
    message = (
        r"classes/0.png': object 3 covers 48 pixels of cell, 48 pixels of nucleus: expected one "
        "class. Give each object a number of its own"
    )
    with pytest.raises(DataError, match=message):
        with naming_bad_files(opened(root)):
            list(kseg.data.samples(opened(root)))
    (error,) = kseg.check(opened(root)).errors
    assert error.kind == "unsuitable" and error.files == (str(root / "classes" / "0.png"),)


@pytest.mark.slow
def test_what_is_wrong_with_two_masks(tmp_path):
    numbers, classes = drawn()
    for name, masks, message in (
        ("none", (numbers, np.where(numbers == 3, 0, classes)), "object 3 has no pixel of a class"),
        ("id", (numbers, np.where(classes == 2, 7, classes)), "holds the value 7"),
    ):
        root = write_set(tmp_path / name, *masks)
        with pytest.raises(DataError, match=message):
            with naming_bad_files(opened(root)):
                list(kseg.data.samples(opened(root)))
    root = write_set(tmp_path / "size", numbers, classes)
    Image.fromarray(classes[1:]).save(root / "classes" / "0.png")
    report = kseg.check(opened(root))
    assert [each.kind for each in report.errors] == ["size_mismatch"]
    (root / "classes" / "0.png").unlink()
    Image.fromarray(classes).save(root / "classes" / "other.png")
    with pytest.raises(MissingData, match="1 of 1 images have no file in class_masks="):
        opened(root)


def test_mistakes_in_arguments(tmp_path):
    root = write_set(tmp_path, *drawn())
    for given, message in (
        ({"instances": False}, "class_masks=.*None without instances=True"),
        ({"names": ["background"]}, "a class of objects beside the background"),
        ({"values": (1, 2, 3)}, "values=.*one for each of the 2 class_names"),
        ({"class_masks": root / "none"}, "class_masks=.* does not exist"),
        ({"palette": [(1, 1, 1), (2, 2, 2)], "values": (1, 2)}, "values=.*None: these masks hold"),
    ):
        with pytest.raises(ValueError, match=message):
            opened(root, **given)


def test_by_patterns_and_on_the_command_line(tmp_path, capsys):
    numbers, classes = drawn()
    root = write_set(tmp_path / "set", numbers, classes, count=4)
    (root / "classes.txt").write_text("background\ncell\nnucleus\n")
    source = kseg.data.folder(
        root / "images/{}.png",
        root / "masks/{}.png",
        NAMES,
        instances=True,
        class_masks=root / "classes/{}.png",
    )
    assert len(source) == 4
    np.testing.assert_array_equal(source[3]["classes"], [0, 1, 0, 0])
    command = ["check", str(root), "--instances", "--class-masks", "classes"]
    main(command)
    said = capsys.readouterr().out
    assert "nucleus" in said and "refused" not in said
    spec = DataSpec(f"folder:{root}", class_masks="classes", instances=True).resolved()
    assert spec.open("train").class_names == tuple(NAMES)
