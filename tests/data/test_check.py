"""Every kind of fault, put into clean sets of three layouts: each is found and its file named."""

import dataclasses
import io
import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import kseg
from kseg.check_cli import shortened
from kseg.check_page import page
from kseg.data.camvid import CLASSES as CAMVID
from kseg.data.check import Finding, Report, check_samples, class_weights
from kseg.data.check.duplicates import near_duplicates
from kseg.data.check.findings import KINDS
from kseg.data.check.look import Facts
from kseg.data.check.masks import ghosts, interpolated
from kseg.data.shapes import CLASS_NAMES, COLORS, draw_scene
from kseg.data.source import VOID, default_colors

SIZE = (64, 88)
SPLITS = ("train", "val")
VAL = 3  # samples of "val"

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="reads files, whatever the backend"
)


@dataclasses.dataclass
class Layout:
    """A set on disk: `folder` of ids, `camvid`, or `colors`, a folder of colour-coded masks."""

    kind: str
    root: Path
    bad: int = 0  # the sample of "train" that a fault is put into
    other: int = 1  # a second one, where a fault takes two

    def path(self, what, index, split="train"):
        name = f"{split}{index:02}"
        if self.kind == "camvid":
            folder = split + ("annot" if what == "mask" else "")
            return self.root / folder / (name + (".jpg" if what == "photo" else ".png"))
        folder = "images" if what == "photo" else "masks"
        return self.root / split / folder / f"{name}.png"

    def open(self, split="train"):
        if self.kind == "camvid":
            return kseg.data.camvid(self.root, split)
        return kseg.data.folder(
            self.root / split / "images",
            self.root / split / "masks",
            CLASS_NAMES,
            palette=COLORS if self.kind == "colors" else None,
            void_values=[(255, 255, 255)] if self.kind == "colors" else [VOID],
            name=f"{self.kind}/{split}",
            probe=False,
        )

    def ids(self, index, split="train", size=SIZE):
        """The true labels of a sample; of CamVid's 11 classes, odd ones have the upper half."""
        scene = draw_scene(len(split), index, size)["label"]
        return scene + 5 * (index % 2) if self.kind == "camvid" else scene

    def stored(self, ids):
        """Class ids, and 255 for void, as the layout's masks hold them."""
        if self.kind == "colors":
            table = np.array([*COLORS, (255, 255, 255)], np.uint8)
            return table[np.minimum(ids, len(COLORS))]
        return (
            np.where(ids == VOID, len(CAMVID), ids).astype(np.uint8)
            if self.kind == "camvid"
            else ids
        )

    def write_mask(self, ids):
        Image.fromarray(self.stored(np.asarray(ids, np.uint8))).save(self.path("mask", self.bad))

    def write(self, count):
        for split, number in (("train", count), ("val", VAL)):
            for index in range(number):
                for what in ("photo", "mask"):
                    self.path(what, index, split).parent.mkdir(parents=True, exist_ok=True)
                scene = draw_scene(len(split), index, SIZE)
                save(scene["image"], self.path("photo", index, split))
                Image.fromarray(self.stored(self.ids(index, split))).save(
                    self.path("mask", index, split)
                )


def save(array, path, **options):
    """Saves a photo; as JPEG well enough that nothing is to be found."""
    options = {"quality": 92} | options if path.suffix == ".jpg" else options
    Image.fromarray(array).save(path, **options)


# Faults: functions of a layout that do harm to its sample `bad` and return the path at fault


def truncated(what):
    def harm(layout):
        path = layout.path(what, layout.bad)
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
        return path

    return harm


def replaced(what, content):
    def harm(layout):
        path = layout.path(what, layout.bad)
        path.write_bytes(content)
        return path

    return harm


def converted(kind):
    def harm(layout):
        path = layout.path("photo", layout.bad)
        with Image.open(path) as image:
            image = image.convert("RGB")
        image.save(path, kind)
        return path

    return harm


def smaller_mask(layout):
    layout.write_mask(layout.ids(layout.bad)[::2, ::2])
    return layout.path("mask", layout.bad)


def exif(orientation, mask_turned):
    def harm(layout):
        path = layout.path("photo", layout.bad)
        with Image.open(path) as image:
            image = image.convert("RGB")
        tags = Image.Exif()
        tags[274] = orientation
        image.save(path, exif=tags)
        if mask_turned:
            layout.write_mask(np.rot90(layout.ids(layout.bad)))
        return path

    return harm


def square_exif(layout):
    scene = draw_scene(5, layout.bad, (64, 64))
    path = layout.path("photo", layout.bad)
    save(scene["image"], path)
    layout.write_mask(scene["label"])
    return exif(6, mask_turned=False)(layout)


def one_unknown_id(layout):
    path = layout.path("mask", layout.bad)
    with Image.open(path) as image:
        mask = np.array(image)
    mask[10:13, 20:22] = 60
    Image.fromarray(mask).save(path)
    return path


def black_and_white(values):
    def harm(layout):
        path = layout.path("mask", layout.bad)
        Image.fromarray(np.array(values, np.uint8)[(layout.ids(layout.bad) % 5 > 0) * 1]).save(path)
        return path

    return harm


def jpeg_named_png(layout):
    path = layout.path("mask", layout.bad)
    with Image.open(path) as image:
        image.load()
    image.save(path, "JPEG", quality=95)
    return path


def jpeg_values(quality):
    def harm(layout):
        path = jpeg_named_png(layout)
        content = io.BytesIO()
        Image.fromarray(layout.stored(layout.ids(layout.bad))).save(
            content, "JPEG", quality=quality
        )
        with Image.open(content) as image:
            image.save(path)
        return path

    return harm


def resized(factor, method):
    """The mask of a scene of another size, brought to the photo's with interpolation."""

    def harm(layout):
        drawn = layout.ids(layout.bad, size=tuple(int(side * factor) for side in SIZE))
        mask = Image.fromarray(layout.stored(drawn)).resize(SIZE[::-1], method)
        mask.save(layout.path("mask", layout.bad))
        return layout.path("mask", layout.bad)

    return harm


def colors_for_ids(layout):
    path = layout.path("mask", layout.bad)
    Image.fromarray(np.array(COLORS + COLORS, np.uint8)[layout.ids(layout.bad)]).save(path)
    return path


def palette_as_grey(layout):
    palette = Image.fromarray(np.array(default_colors(21), np.uint8)[layout.ids(layout.bad)])
    path = layout.path("mask", layout.bad)
    palette.convert("L").save(path)
    return path


def all_of(value):
    def harm(layout):
        layout.write_mask(np.full(SIZE, value))
        return layout.path("mask", layout.bad)

    return harm


def same_file(layout):
    shutil.copy(layout.path("photo", layout.other), layout.path("photo", layout.bad))
    return layout.path("photo", layout.bad)


def same_pixels(layout):
    path = layout.path("photo", layout.bad)
    with Image.open(layout.path("photo", layout.other)) as image:
        image = image.convert("RGB")
    image.save(path, "BMP" if path.suffix == ".png" else "PNG")
    return path


def copied(change):
    def harm(layout):
        path = layout.path("photo", layout.bad)
        with Image.open(layout.path("photo", layout.other)) as image:
            image = change(image.convert("RGB"))
        if path.suffix == ".png":
            content = io.BytesIO()
            image.save(content, "JPEG", quality=40)
            with Image.open(content) as again:
                again.save(path)
        else:
            image.save(path, quality=40)
        mask = layout.ids(layout.other, size=image.size[::-1])
        mask[:20, :20] = 0  # or it would be the same mask
        layout.write_mask(mask)
        return path

    return harm


def shared_with_val(layout):
    shutil.copy(layout.path("photo", 1, "val"), layout.path("photo", layout.bad))
    return layout.path("photo", layout.bad)


def blank(layout):
    save(np.full((*SIZE, 3), 90, np.uint8), layout.path("photo", layout.bad))
    return layout.path("photo", layout.bad)


def mask_of_another(layout):
    layout.write_mask(layout.ids(layout.other))
    return layout.path("mask", layout.bad)


def orphan(layout):
    path = layout.path("mask", 77)
    shutil.copy(layout.path("mask", layout.bad), path)
    return path


def id_twice(layout):
    path = layout.path("photo", layout.bad).with_suffix(".bmp")
    save(draw_scene(9, 0, SIZE)["image"], path)
    return path


TEXT = b"<html>404: this photo has moved</html>" * 9
IDS = ("folder", "camvid")  # layouts whose masks hold ids
FAULTS = {  # name -> kind expected, harm, layouts if not all
    "truncated photo": ("unreadable", truncated("photo")),
    "truncated mask": ("unreadable", truncated("mask")),
    "empty photo": ("empty_file", replaced("photo", b"")),
    "empty mask": ("empty_file", replaced("mask", b"")),
    "text for a photo": ("wrong_format", replaced("photo", TEXT)),
    "text for a mask": ("wrong_format", replaced("mask", TEXT)),
    "TIFF photo": ("wrong_format", converted("TIFF")),
    "WebP photo": ("unusual_format", converted("WEBP")),
    "smaller mask": ("size_mismatch", smaller_mask),
    "photo on its side": ("exif_rotation", exif(6, mask_turned=True)),
    "photo upside down": ("exif_orientation", exif(3, mask_turned=False)),
    "square photo on its side": ("exif_orientation", square_exif),
    "unknown id": ("unknown_id", one_unknown_id),
    "0 and 255": ("black_and_white", black_and_white((0, 255)), IDS),
    "JPEG named .png": ("jpeg_mask", jpeg_named_png),
    "values of JPEG 75": ("jpeg_mask interpolated_mask", jpeg_values(75)),
    "values of JPEG 90": ("jpeg_mask interpolated_mask", jpeg_values(90)),
    "halved with interpolation": ("interpolated_mask", resized(2, Image.Resampling.BILINEAR)),
    "enlarged with interpolation": ("interpolated_mask", resized(0.7, Image.Resampling.BICUBIC)),
    "colours where ids belong": ("color_mask", colors_for_ids, IDS),
    "palette turned grey": ("palette_as_grey", palette_as_grey, IDS),
    "all void": ("void_mask", all_of(VOID)),
    "one class": ("single_class_mask", all_of(0)),
    "same file": ("duplicate_photo", same_file),
    "same pixels": ("duplicate_photo", same_pixels),
    "re-encoded copy": ("near_duplicate", copied(lambda image: image)),
    "resized copy": ("near_duplicate", copied(lambda image: image.resize((132, 96)))),
    "photo of another split": ("shared_photo", shared_with_val),
    "blank photo": ("blank_photo", blank),
    "mask of another photo": ("duplicate_mask", mask_of_another),
    "mask without photo": ("orphan_mask", orphan),
    "two samples of a name": ("duplicate_id", id_twice),
}


@pytest.fixture(scope="module", params=["folder", "camvid", "colors"])
def layout(request, tmp_path_factory):
    """A clean set, two samples of "train" for each fault."""
    made = Layout(request.param, tmp_path_factory.mktemp("sets") / request.param)
    made.write(2 * len(FAULTS))
    return made


@pytest.fixture(scope="module")
def harmed(layout, tmp_path_factory):
    """The path at fault and the samples concerned by fault, and the report on all of them."""
    root = tmp_path_factory.mktemp("harmed") / layout.kind
    shutil.copytree(layout.root, root)
    paths, concerned = {}, {}
    for position, (fault, (_, harm, *only)) in enumerate(FAULTS.items()):
        if not only or layout.kind in only[0]:
            here = dataclasses.replace(layout, root=root, bad=2 * position, other=2 * position + 1)
            paths[fault] = harm(here)
            partner = "val01" if fault == "photo of another split" else f"train{here.other:02}"
            concerned[fault] = {paths[fault].stem, partner}
    report = kseg.data.check(*(dataclasses.replace(layout, root=root).open(s) for s in SPLITS))
    return paths, concerned, report


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_and_its_file_named(harmed, fault):
    paths, concerned, report = harmed
    if fault not in paths:
        pytest.skip("not a fault in this layout")
    expected = set(FAULTS[fault][0].split())
    path = str(paths[fault])
    found = {finding.kind for finding in report.findings if path in finding.files}
    assert found and found <= expected
    finding = next(f for f in report.findings if path in f.files)
    assert finding.severity == KINDS[finding.kind][0] and finding.remedy
    assert "\n" not in finding.message
    if expected & {"duplicate_photo", "near_duplicate", "shared_photo", "duplicate_mask"}:
        named = {Path(file).stem for f in report.findings for file in f.files}
        assert concerned[fault] <= named


def test_no_sound_file_is_blamed(harmed):
    _, concerned, report = harmed
    harmed_samples = set().union(*concerned.values())
    for finding in report.findings:
        if finding.kind != "absent_class":  # three samples of "val" do not show all
            assert {Path(file).stem for file in finding.files} <= harmed_samples, finding


def test_nothing_is_found_in_a_clean_set(layout):
    report = kseg.data.check(*(layout.open(split) for split in SPLITS))
    assert not [f for f in report.findings if f.kind != "absent_class" or "train" in f.source]


def names(report):
    """Kinds of findings and the files they name, without folders."""
    return {f.kind: [Path(file).name for file in f.files] for f in report.findings}


class TestMasks:
    def test_ghosts_by_hand(self):
        # 2 lies between 0 and 5 in the first row; 1 is no jump from 0 and touches void (9)
        found, jumps = ghosts(np.array([[0, 2, 5, 5], [0, 1, 9, 5]]), void=9)
        assert found.sum() == 1 and found[0, 1]
        # steps of two and more, void left out: 0-2, 2-5 in the row; below each other none
        assert jumps == 2

    @pytest.mark.parametrize("size", [(32, 32), (96, 96)])
    def test_clean_scenes_are_not_taken_for_interpolated(self, size):
        for index in range(200):
            found, jumps = ghosts(draw_scene(0, index, size)["label"])
            assert not interpolated(found.sum(), jumps), index

    @pytest.mark.parametrize("method", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC])
    @pytest.mark.parametrize("factor", [0.5, 0.75, 1.5])
    def test_interpolated_scenes_are(self, method, factor):
        missed = 0
        for index in range(100):
            mask = Image.fromarray(draw_scene(0, index)["label"])
            mask = np.array(mask.resize([round(96 * factor)] * 2, method))
            found, jumps = ghosts(mask)
            missed += not interpolated(found.sum(), jumps)
        assert missed <= 3  # scenes of background and disks alone have no ids between

    def test_a_class_of_thin_lines_is_no_ghost(self, tmp_path, write_image):
        # cells: ground 0, contour 1, inside 2; every contour pixel lies between 0 and 2
        for index in range(6):
            mask = np.zeros((60, 60), np.uint8)
            for y in (4, 24, 44):
                x = 3 + 2 * index
                mask[y : y + 12, x : x + 30] = 1
                mask[y + 1 : y + 11, x + 1 : x + 29] = 2
            photo = draw_scene(1, index, (60, 60))["image"]
            write_image(f"images/{index}.png", photo)
            write_image(f"masks/{index}.png", mask)
        source = kseg.data.folder(tmp_path / "images", tmp_path / "masks", "abc")
        assert not kseg.data.check(source).findings

    def test_cityscapes_label_ids(self, tmp_path, write_image):
        for index in range(2):
            scene = draw_scene(1, index, SIZE)
            write_image(f"images/{index}.png", scene["image"])
            label_ids = np.array([7, 8, 11, 21, 23, 26], np.uint8)[scene["label"]]
            write_image(f"masks/{index}.png", label_ids)
        source = kseg.data.folder(
            tmp_path / "images", tmp_path / "masks", list("abcdefghijklmnopqrs")
        )
        assert names(kseg.data.check(source))["cityscapes_ids"] == ["0.png", "1.png"]

    def test_black_and_white_masks_beside_masks_with_void(self, tmp_path, write_image):
        for index in range(4):
            scene = draw_scene(1, index, SIZE)
            write_image(f"images/{index}.png", scene["image"])
            mask = np.minimum(scene["label"], 1)
            mask[:4] = 255
            write_image(
                f"masks/{index}.png",
                np.where(mask == 1, 255, 0).astype(np.uint8) if index == 2 else mask,
            )
        source = kseg.data.folder(tmp_path / "images", tmp_path / "masks", "ab")
        report = kseg.data.check(source)
        assert report.ok and names(report) == {"maybe_black_and_white": ["2.png"]}


class TestDuplicates:
    def facts(self, thumbnails, size=(48, 64)):
        return [Facts(i, [], size=size, thumbnail=t) for i, t in enumerate(thumbnails)]

    def test_every_pair_within_the_tolerance_is_found(self, rng):
        thumbnails = rng.integers(0, 256, (500, 32, 32)).astype(np.int16)
        noise = rng.integers(-9, 10, (20, 32, 32))
        thumbnails[480:] = np.clip(thumbnails[:20] + noise, 0, 255)
        pairs = near_duplicates(self.facts(thumbnails.astype(np.uint8)))
        assert pairs == [(i, 480 + i) for i in range(20)]

    def test_one_place_that_differs_tells_photos_apart(self, rng):
        first = rng.integers(0, 256, (32, 32)).astype(np.uint8)
        second = first.copy()
        second[5, 5] = (int(first[5, 5]) + 128) % 256
        assert not near_duplicates(self.facts([first, second]))

    def test_another_shape_is_no_copy(self, rng):
        thumbnail = rng.integers(0, 256, (32, 32)).astype(np.uint8)
        facts = self.facts([thumbnail]) + self.facts([thumbnail], size=(64, 48))
        assert not near_duplicates(facts)


def test_instances(tmp_path):
    class_ids = np.array([0, 1], np.int32)
    masks = np.zeros((2, 20, 30), np.uint8)
    masks[:, 2:9, 3:12] = 1

    def source(**changes):
        def decode(row):
            sample = {"image": row["image"], "masks": masks, "classes": class_ids} | changes
            return {
                key: np.asarray(value) if key != "image" else value for key, value in sample.items()
            }

        images = np.stack([draw_scene(1, 0, (20, 30))["image"]])
        return kseg.data.Source(
            "set", {"image": images}, decode, "ab", COLORS[:2], ("x",), task="instance"
        )

    report = kseg.data.check(source())
    assert not report.findings and report.sources[0].instances.tolist() == [1, 1]
    assert report.sources[0].pixels.tolist() == [63, 63]
    empty = masks.copy()
    empty[1] = 0
    assert names(kseg.data.check(source(masks=empty))) == {"empty_instance": ["x"]}
    boxes = np.array([[3, 2, 12, 9], [3, 2, 40, 9]], np.float32)
    assert names(kseg.data.check(source(boxes=boxes))) == {"box_outside": ["x"]}
    assert "unknown_id" in names(kseg.data.check(source(classes=np.array([0, 2], np.int32))))
    known = dataclasses.replace(
        source(), problems=lambda index: [("box outside", f"box of {index}")]
    )
    (finding,) = kseg.data.check(known).findings
    assert (finding.kind, finding.severity, finding.message) == (
        "box_outside",
        "warning",
        "box of 0",
    )


def test_generated_scenes_are_clean():
    for instances in (False, True):
        sources = [kseg.data.shapes(s, count=40, instances=instances) for s in SPLITS]
        assert not kseg.data.check(*sources).findings


def test_real_camvid_is_clean(camvid_root):
    train, val = (kseg.data.camvid(camvid_root, split) for split in SPLITS)
    # neighbours in time: the val drive was labelled 15 times a second
    report = kseg.data.check(train.subset(range(0, 367, 16)), val.subset(range(10, 34)))
    assert not report.findings
    assert report.sources[0].sizes == {(360, 480): 23}
    assert report.sources[0].suggested_size == (352, 480)


def test_real_nuclei_are_clean(tmp_path, camvid_root):
    root = camvid_root.parent / "dsb2018"
    for path in sorted((root / "images").iterdir())[::10]:
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "masks").mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "images")
        with Image.open(root / "labels" / path.name) as labels:
            nuclei = np.array(labels) > 0
        Image.fromarray(nuclei.astype(np.uint8)).save(tmp_path / "masks" / path.name)
    source = kseg.data.folder(tmp_path / "images", tmp_path / "masks", ["ground", "nucleus"])
    assert not kseg.data.check(source).findings


def test_statistics_of_two_small_masks(tmp_path, write_image):
    for index, shape in enumerate([(40, 70), (100, 70)]):
        mask = np.zeros(shape, np.uint8)
        mask[:10, :10] = index
        mask[-1] = 255
        write_image(f"images/{index}.png", draw_scene(1, index, shape)["image"])
        write_image(f"masks/{index}.png", mask)
    source = kseg.data.folder(tmp_path / "images", tmp_path / "masks", ["a", "b", "c"])
    report = kseg.data.check(source)
    kinds = ["maybe_black_and_white", "absent_class"]
    assert report.ok and [f.kind for f in report.warnings] == kinds
    (stats,) = report.sources
    assert stats.pixels.tolist() == [39 * 70 + 99 * 70 - 100, 100, 0]
    assert stats.images.tolist() == [2, 1, 0] and stats.void_pixels == 140
    assert stats.class_weight == class_weights(stats.pixels, 0.5)
    assert stats.suggested_size == (32, 64)  # the 10th percentile of 40 and 100 is 46
    assert report.to_dict()["sources"][0]["classes"][1]["pixels"] == 100


def test_limit_and_progress():
    source = kseg.data.shapes("val", count=20)
    seen = []
    report = kseg.data.check(source, limit=7, progress=lambda *done: seen.append(done))
    assert report.sources[0].read == 7 and seen == [(i + 1, 7) for i in range(7)]
    for wrong in (0, 2.5):
        with pytest.raises(ValueError, match="limit="):
            kseg.data.check(source, limit=wrong)
    with pytest.raises(ValueError, match="no source"):
        kseg.data.check()


def test_errors_are_raised_with_file_and_remedy(pair_folders, write_image):
    root = pair_folders()
    write_image("set/masks/p2.png", np.zeros((20, 28), np.uint8))
    write_image("set/masks/p4.png", np.zeros((20, 28), np.uint8))
    source = kseg.data.folder(root / "images", root / "masks", "ab")
    with pytest.raises(ValueError, match="p2.png.*28x20.*56x40.*never resize.*2 files") as error:
        check_samples(source)
    assert "\n" not in str(error.value)
    report = kseg.data.check(source)
    assert not report.ok and report.sources[0].read == 4
    with pytest.raises(ValueError, match="p2.png"):
        report.raise_on_errors()
    Report((), ()).raise_on_errors()


def test_fit_refuses_what_it_would_train_wrongly_on(pair_folders, tmp_path):
    root = pair_folders(values=(0, 255))
    source = kseg.data.folder(root / "images", root / "masks", "ab", probe=False)
    model = kseg.build_unet(2, width=2, depth=1, compile=False)
    with pytest.raises(ValueError, match=r"p0.png.*void.*values=\(0, 255\).*6 files"):
        kseg.fit(model, source, run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


class Checker(HTMLParser):
    """Every tag is closed in order; nothing is loaded from elsewhere."""

    VOID = ("meta", "img", "br")

    def __init__(self):
        super().__init__()
        self.open, self.images, self.text = [], 0, ""

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attributes:
            if name in ("src", "href"):
                assert value.startswith("data:image/")
                self.images += 1

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_page(harmed, tmp_path, layout):
    paths, _, report = harmed
    harmed_root = paths["truncated photo"].parents[1 if layout.kind == "camvid" else 2]
    harmed_set = dataclasses.replace(layout, root=harmed_root)
    sources = [harmed_set.open(split) for split in SPLITS]
    odd = Finding("unreadable", "error", "x", "'<b>&.png' is <odd>", "Replace.", ("<b>&.png",))
    report = dataclasses.replace(report, findings=(odd, *report.findings))
    page(report, sources, tmp_path / "deep" / "page.html")
    checker = Checker()
    checker.feed((tmp_path / "deep" / "page.html").read_text(encoding="utf-8"))
    assert not checker.open and checker.images > 20
    assert "'<b>&.png' is <odd>" in checker.text
    for word in ("jpeg_mask", "suggested training size", "class_weight", CLASS_NAMES[1]):
        assert word in checker.text or layout.kind == "camvid"
    json.dumps(report.to_dict(), allow_nan=False)


def test_shortened():
    assert shortened(["x/a", "b", "c"]) == "a\nb\nc"
    assert shortened([f"x/{i}" for i in range(15)]) == "0\n1\n2\nand 12 more"
