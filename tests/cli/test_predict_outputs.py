"""What `kseg predict` writes: probabilities, polygons, numbers; large photos; videos; what is left
to do after an interruption."""

import json

import numpy as np
import pytest
import tifffile
from models.small_mask_rcnn import build
from PIL import Image
from seeds import fresh_seed

import kseg
from kseg.cli.main import main
from kseg.data import rasters
from kseg.models.saving import save_model
from kseg.pictures.image import overlay

NAMES, COLORS = ("ground", "tree", "road"), ((0, 0, 0), (0, 114, 178), (200, 0, 0))
PLACE = [
    (33550, 12, 3, (0.5, 0.5, 0.0), True),
    (33922, 12, 6, (0.0, 0.0, 0.0, 4e5, 5e6, 0.0), True),
    (34735, 3, 8, (1, 1, 0, 1, 3072, 0, 1, 32633), True),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    fresh_seed(0)
    path = tmp_path_factory.mktemp("runs") / "run"
    kseg.Run(path, NAMES, COLORS, 255, {}).write()
    save_model(kseg.build_unet(3, width=4, depth=1, compile=False), path / "best.keras")
    return path


@pytest.fixture(scope="module")
def objects_run(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "objects"
    kseg.Run(path, NAMES, COLORS, 255, {}).write()
    save_model(build(compile=False), path / "best.keras")
    return path


def picture(size=(60, 80), seed=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 9, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((64, 64, 1), np.uint8))[: size[0], : size[1]]


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "photos").mkdir()
    for index in range(3):
        Image.fromarray(picture(seed=index)).save(tmp_path / f"photos/{index}.png")
    return tmp_path / "photos"


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.once("torch")
def test_probabilities_and_polygons(run, photos, tmp_path, capsys):
    arguments = ["predict", str(photos), "--run", str(run), "-o", str(tmp_path / "out")]
    assert main([*arguments, "--probabilities", "--polygons", "geojson", "--no-overlays"]) == 0
    assert "3 masks in" in capsys.readouterr().out
    kinds = [("masks", "png"), ("polygons", "geojson"), ("probabilities", "npz")]
    expected = [f"{kind}/{index}.{end}" for kind, end in kinds for index in range(3)]
    assert files(tmp_path / "out") == sorted(expected)
    model, photo = kseg.load(run).model, picture(seed=1)
    found = kseg.predict(model, photo, probabilities=True)
    labels = np.asarray(Image.open(tmp_path / "out/masks/1.png"))
    np.testing.assert_array_equal(labels, kseg.predict(model, photo))
    with np.load(tmp_path / "out/probabilities/1.npz") as held:
        assert held["class_names"].tolist() == list(NAMES)
        assert held["probabilities"].dtype == np.float16
        np.testing.assert_allclose(held["probabilities"], found, atol=1e-3)
    features = json.loads((tmp_path / "out/polygons/1.geojson").read_text())["features"]
    assert {each["properties"]["class"] for each in features} == {
        NAMES[class_id] for class_id in np.unique(labels)
    }
    area = sum(
        ring_area(ring) for f in features for p in f["geometry"]["coordinates"] for ring in p
    )
    assert area == labels.size  # they cover the photo once


def ring_area(ring):
    assert ring[0] == ring[-1] and len(ring) > 4
    x, y = np.transpose(ring)
    return float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum() / 2)


def test_views_and_tiles(run, photos, tmp_path):
    arguments = ["predict", str(photos / "0.png"), "--run", str(run), "-o"]
    assert main([*arguments, str(tmp_path / "a"), "--tta", "horizontal,0.5", "--tile", "128"]) == 0
    model = kseg.load(run).model
    expected = kseg.predict(model, picture(), tta=("horizontal", 0.5))
    labels = np.asarray(Image.open(tmp_path / "a/masks/0.png"))
    assert np.mean(labels != expected) < 1e-3


@pytest.mark.once("torch")
def test_a_geotiff_stays_where_it_is(run, tmp_path):
    photo = picture((100, 260))
    tifffile.imwrite(tmp_path / "scene.tif", photo, tile=(64, 64), extratags=PLACE)
    arguments = ["predict", str(tmp_path / "scene.tif"), "--run", str(run), "--tile", "192"]
    more = ["--polygons", "geojson", "--probabilities"]
    assert main([*arguments, "-o", str(tmp_path / "out"), *more]) == 0
    kinds = ["masks/scene.tif", "overlays/scene.png", "polygons/scene.geojson"]
    assert files(tmp_path / "out") == [*kinds, "probabilities/scene.tif"]
    model = kseg.load(run).model
    with tifffile.TiffFile(tmp_path / "out/masks/scene.tif") as file:
        assert file.pages[0].tags[33922].value == PLACE[1][3]
        labels = file.asarray()
    assert np.mean(labels != kseg.predict(model, photo)) < 1e-3
    found = tifffile.imread(tmp_path / "out/probabilities/scene.tif")
    np.testing.assert_allclose(found, kseg.predict(model, photo, probabilities=True), atol=1e-3)
    whole = json.loads((tmp_path / "out/polygons/scene.geojson").read_text())
    assert whole["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::32633"
    corners = np.concatenate(
        [ring for f in whole["features"] for p in f["geometry"]["coordinates"] for ring in p]
    )
    # half a metre a pixel, down from 5,000 km
    assert corners.min(axis=0).tolist() == [4e5, 5e6 - 50]
    assert corners.max(axis=0).tolist() == [4e5 + 130, 5e6]


def test_large_photos_are_read_part_by_part(run, tmp_path, monkeypatch):
    monkeypatch.setattr(rasters, "LARGE", 10_000)
    np.save(tmp_path / "large.npy", picture((120, 140)))
    arguments = ["predict", str(tmp_path / "large.npy"), "--run", str(run)]
    assert main([*arguments, "-o", str(tmp_path / "out")]) == 0
    assert files(tmp_path / "out") == ["masks/large.tif", "overlays/large.png"]
    labels = tifffile.imread(tmp_path / "out/masks/large.tif")
    expected = kseg.predict(kseg.load(run).model, picture((120, 140)))
    assert np.mean(labels != expected) < 1e-3
    with Image.open(tmp_path / "out/overlays/large.png") as preview:
        assert preview.size == (140, 120)


@pytest.mark.once("torch")
def test_what_is_there_is_left(run, photos, tmp_path, monkeypatch, capsys):
    arguments = ["predict", str(photos), "--run", str(run), "-o", str(tmp_path / "out")]
    from kseg.prediction import files as module

    answer, seen = module.answer_photo, []

    def interrupted(predictor, plan, *more):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(plan.photo.name)
        return answer(predictor, plan, *more)

    monkeypatch.setattr(module, "answer_photo", interrupted)
    assert main(arguments) == 130 and seen == ["0.png", "1.png"]
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")}
    assert len(before) == 4  # whole ones, and nothing else
    assert files(tmp_path / "out") == [
        "masks/0.png",
        "masks/1.png",
        "overlays/0.png",
        "overlays/1.png",
    ]
    (tmp_path / "out/masks/1.png").unlink()
    seen.clear()
    monkeypatch.setattr(
        module, "answer_photo", lambda *all: (seen.append(all[1].photo.name), answer(*all))[1]
    )
    assert main(arguments) == 2  # what is there is not replaced unasked
    assert "--overwrite" in capsys.readouterr().err
    assert main([*arguments, "--resume"]) == 0 and seen == ["1.png", "2.png"]
    assert (tmp_path / "out/masks/0.png").stat().st_mtime_ns == before[tmp_path / "out/masks/0.png"]
    assert len(files(tmp_path / "out")) == 6
    assert main([*arguments, "--resume"]) == 0 and len(seen) == 2
    assert "3 masks and overlays" in capsys.readouterr().out
    assert main([*arguments, "--resume", "--overwrite"]) == 2
    assert "Give one of the two" in capsys.readouterr().err


@pytest.mark.once("torch")
def test_objects_as_numbers_and_for_tools(objects_run, photos, tmp_path):
    pytest.importorskip("pycocotools")
    from pycocotools.coco import COCO

    arguments = ["predict", str(photos / "0.png"), "--run", str(objects_run), "--min-score", "0"]
    more = ["--ids", "--polygons", "coco"]
    assert main([*arguments, "-o", str(tmp_path / "out"), *more]) == 0
    found = kseg.predict(kseg.load(objects_run).model, picture(), min_score=0)
    numbers = np.asarray(Image.open(tmp_path / "out/ids/0.png"))
    expected = np.zeros((60, 80), int)
    for index in reversed(range(len(found))):
        expected[found.each_mask()[index]] = index + 1
    np.testing.assert_array_equal(numbers, expected)
    tool = COCO(str(tmp_path / "out/polygons/0.json"))
    assert [each["name"] for each in tool.loadCats(tool.getCatIds())] == list(NAMES)
    there = [index for index in range(len(found)) if found.each_mask()[index].any()]
    assert len(tool.anns) == len(there) > 0
    for index, annotation in zip(there, tool.anns.values()):
        np.testing.assert_array_equal(tool.annToMask(annotation), found.each_mask()[index])
        assert annotation["category_id"] == found.classes[index] + 1


@pytest.mark.once("torch")
def test_a_geotiff_of_objects(objects_run, tmp_path):
    tifffile.imwrite(tmp_path / "scene.tif", picture((150, 200)), tile=(64, 64), extratags=PLACE)
    arguments = ["predict", str(tmp_path / "scene.tif"), "--run", str(objects_run), "--ids"]
    more = ["--tile", "128", "--min-score", "0"]
    assert main([*arguments, "-o", str(tmp_path / "out"), *more]) == 0
    kinds = ["ids/scene.tif", "objects/scene.geojson", "overlays/scene.png"]
    assert files(tmp_path / "out") == kinds
    whole = json.loads((tmp_path / "out/objects/scene.geojson").read_text())
    numbers = tifffile.imread(tmp_path / "out/ids/scene.tif")
    assert 0 < len(np.unique(numbers)) - 1 <= len(whole["features"])
    assert all(0 <= each["properties"]["score"] <= 1 for each in whole["features"])


@pytest.mark.once("torch")
def test_what_a_model_has_not_is_refused(run, objects_run, photos, tmp_path, capsys):
    base = ["predict", str(photos), "-o", str(tmp_path / "out"), "--run"]
    for arguments, message in (
        ([*base, str(run), "--ids"], "--ids: expected False for a model that labels pixels"),
        ([*base, str(objects_run), "--probabilities"], "--probabilities"),
        ([*base, str(run), "--tta", "diagonal"], "--tta diagonal: expected a sequence of"),
        ([*base, str(run), "--tile", "100"], "--tile 100: expected"),
        ([*base, str(objects_run), "--tta", "0.5"], "An instance model says its scale"),
    ):
        assert main(arguments) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "out").exists()


# Videos


@pytest.fixture
def video(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 80, 60, "yuv420p"
        for index in range(5):
            frame = av.VideoFrame.from_ndarray(picture(seed=index), format="rgb24")
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
    return path


@pytest.mark.once("torch")
def test_a_video_becomes_a_video(run, video, tmp_path, capsys):
    import av

    loaded = kseg.load(run)
    zeros = [np.zeros(weight.shape, "float32") for weight in loaded.model.get_weights()]
    loaded.model.set_weights(zeros)
    head = next(layer for layer in reversed(loaded.model.layers) if layer.weights)
    head.bias.assign([0.0, 0.0, 1.0])  # road everywhere
    save_model(loaded.model, tmp_path / "road.keras")
    base = ["predict", str(video), "-o", str(tmp_path / "out"), "--run"]
    assert main([*base, str(tmp_path / "road.keras")]) == 0
    assert "1 overlays in" in capsys.readouterr().out
    assert files(tmp_path / "out") == ["overlays/clip.mp4"]
    with av.open(str(video)) as source, av.open(str(tmp_path / "out/overlays/clip.mp4")) as result:
        assert result.streams.video[0].average_rate == 10
        pairs = list(zip(source.decode(video=0), result.decode(video=0)))
    assert len(pairs) == 5
    colors = kseg.load(tmp_path / "road.keras").colors
    for before, after in pairs:
        image = before.to_ndarray(format="rgb24")
        expected = overlay(image, np.full(image.shape[:2], 2), colors)
        shown = after.to_ndarray(format="rgb24").astype(int)  # of a codec that loses some
        assert np.abs(shown - expected).mean() < 6 < np.abs(shown - image).mean()
    assert main([*base, str(run), "--overwrite", "--probabilities"]) == 2
    assert "Give videos alone" in capsys.readouterr().err


def test_a_video_that_is_none(run, tmp_path, capsys):
    pytest.importorskip("av")
    (tmp_path / "clip.mp4").write_bytes(b"no video")
    arguments = ["predict", str(tmp_path / "clip.mp4"), "--run", str(run)]
    assert main([*arguments, "-o", str(tmp_path / "out")]) == 2
    assert "clip.mp4' cannot be read as a video" in capsys.readouterr().err
    assert not files(tmp_path / "out") if (tmp_path / "out").exists() else True


def test_videos_want_their_extra(run, tmp_path, capsys, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "clip.mp4").write_bytes(b"")
    arguments = ["predict", str(tmp_path / "clip.mp4"), "--run", str(run)]
    assert main([*arguments, "-o", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err
    assert "it comes with kseg's extra video" in message and "[video]" in message
