"""TIFFs of five bands of 12 bits, the whole way: check, fit, evaluate, predict, export, served."""

import io
import json

import numpy as np
import pytest
import tifffile
from PIL import Image

import kseg
from kseg.cli.main import main

pytestmark = pytest.mark.backends("tensorflow", reason="what depends on a backend is in models")

# Of two kinds of ground, whose first three bands are nearly alike: the last two tell them apart
SPECTRA = np.array([[300, 500, 700, 900, 400], [310, 520, 710, 2600, 3400]])


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """A folder of eight scenes of 48x64 pixels and their masks."""
    root, rng = tmp_path_factory.mktemp("scenes"), np.random.default_rng(0)
    for name in ("images", "masks"):
        (root / name).mkdir()
    (root / "classes.txt").write_text("ground\nfield\n")
    for index in range(8):
        mask = np.zeros((48, 64), np.uint8)
        y, x = rng.integers(0, 24), rng.integers(0, 32)
        mask[y : y + 24, x : x + 32] = 1
        numbers = SPECTRA[mask] + rng.normal(0, 60, (48, 64, 5))
        numbers = np.clip(numbers, 0, 4095).astype(np.uint16)
        options = {"photometric": "minisblack", "planarconfig": "contig"}
        tifffile.imwrite(root / "images" / f"s{index}.tif", numbers, **options)
        Image.fromarray(mask).save(root / "masks" / f"s{index}.png")
    return root


@pytest.mark.slow
def test_the_whole_way_on_the_command_line(scenes, tmp_path, capsys):
    data, run = f"folder:{scenes}", str(tmp_path / "run")
    assert main(["check", data]) == 0
    assert "--bits 12" in " ".join(capsys.readouterr().out.split())
    ranged = ["--bits", "12", "--bands", "4,3,2"]
    assert main(["check", data, *ranged, "--html", str(tmp_path / "check.html")]) == 0
    assert "5 bands of uint16, numbers from" in " ".join(capsys.readouterr().out.split())

    steps = ["--epochs", "12", "--learning-rate", "0.01", "--scale", "1,1"]
    network = ["--width", "8", "--depth", "1", "--size", "32x32", "--batch-size", "2"]
    assert main(["fit", data, *ranged, *network, *steps, "--run", run]) == 0
    assert main(["evaluate", run, "--json", str(tmp_path / "scores.json")]) == 0
    assert json.loads((tmp_path / "scores.json").read_text())["mean_iou"] > 0.9

    photo = scenes / "images" / "s0.tif"
    assert main(["predict", str(photo), "-o", str(tmp_path / "out"), "--run", run]) == 0
    mask = np.asarray(Image.open(tmp_path / "out" / "masks" / "s0.png"))
    assert (mask == np.asarray(Image.open(scenes / "masks" / "s0.png"))).mean() > 0.95
    with Image.open(tmp_path / "out" / "overlays" / "s0.png") as overlay:
        assert overlay.mode == "RGB" and overlay.size == (64, 48)

    assert main(["export", run, str(tmp_path / "served"), "--signatures", "serving_default"]) == 0
    served = kseg.load(tmp_path / "served" / "unet")
    assert (served.value_range, served.bands, served.channels) == ((0, 4095), (4, 3, 2), 5)
    np.testing.assert_array_equal(served.predict(photo), mask)
    import tensorflow as tf

    signature = served.signatures["serving_default"]
    assert signature.structured_input_signature[1]["images"].dtype == tf.uint16
    answer = signature(images=tf.constant(tifffile.imread(photo)[None]))
    np.testing.assert_array_equal(answer["class_ids"][0], mask)


@pytest.mark.slow
@pytest.mark.parametrize("bands", [1, 2, 4, 13])
def test_any_number_of_bands_from_a_source_to_a_served_model(bands, rng, tmp_path):
    images = rng.random((2, 24, 32, bands), np.float32)
    source = kseg.data.Source(
        name="made",
        columns={"image": images, "label": (images[..., 0] > 0.5).astype(np.uint8)},
        decode=lambda row: dict(row),
        class_names=("dark", "bright"),
        colors=((0, 0, 0), (255, 0, 0)),
        ids=("p", "q"),
        value_range=(0.0, 1.0),
    )
    model = kseg.build_unet(
        2, input_shape=(None, None, bands), value_range=(0.0, 1.0), width=2, depth=1
    )
    model.fit(
        kseg.data.batches(source, size=(16, 16), batch_size=2, augment=True),
        verbose=0,
        shuffle=False,
    )
    assert 0 <= kseg.evaluate(model, source)["mean_iou"] <= 1
    exported = kseg.export(model, tmp_path, source=source, samples=1, verbose=False)
    assert exported.comparison.differing <= 1e-4
    expected = kseg.predict(model, images[0])
    assert (kseg.load(exported.path).predict(images[0]) == expected).mean() > 0.999


@pytest.mark.slow
def test_bands_in_a_file_each_from_fit_to_what_is_served(scenes, tmp_path):
    """What reads the set, and what is served, takes the five files as one photo."""
    for photo in sorted((scenes / "images").glob("*.tif")):
        for band, numbers in enumerate(np.moveaxis(tifffile.imread(photo), -1, 0)):
            path = tmp_path / "set" / f"b{band}" / f"{photo.stem}_b{band}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, numbers)
    (tmp_path / "set/gt").symlink_to(scenes / "masks")
    (tmp_path / "set/classes.txt").write_text("ground\nfield\n")
    patterns = [f"b{band}/{{}}_b{band}.tif" for band in range(5)]
    pairs = f"{'+'.join(patterns)},gt/{{}}.png"
    data = [f"folder:{tmp_path / 'set'}", "--pairs", pairs, "--bits", "12", "--bands", "4,3,2"]
    steps = ["--epochs", "2", "--width", "4", "--depth", "1", "--size", "32x32"]
    run = tmp_path / "run"
    assert main(["fit", *data, *steps, "--run", str(run)]) == 0
    assert main(["evaluate", str(run), "--json", str(tmp_path / "scores.json")]) == 0
    assert json.loads((tmp_path / "scores.json").read_text())["images"] == 2
    assert main(["export", str(run), str(tmp_path / "served")]) == 0

    roots = [tmp_path / "set" / pattern for pattern in patterns]
    source = kseg.data.folder(roots, tmp_path / "set/gt/{}.png", ["ground", "field"], bits=12)
    image = source[0]["image"]
    np.testing.assert_array_equal(image, tifffile.imread(scenes / "images" / "s0.tif"))
    labels = kseg.load(run).predict(image)
    served = kseg.load(tmp_path / "served" / "unet")
    np.testing.assert_array_equal(served.predict(image), labels)
    stream = io.BytesIO()
    np.save(stream, image)
    answer = served.signatures["image_bytes"](image_bytes=tf_constant([stream.getvalue()]))
    mask = np.asarray(Image.open(io.BytesIO(answer["mask_bytes"].numpy()[0])))
    np.testing.assert_array_equal(mask, labels)
    with pytest.raises(ValueError, match="Give all bands as one"):  # one of them is not the photo
        kseg.load(run).predict(tmp_path / "set/b3/s0_b3.tif")


def tf_constant(values):
    import tensorflow as tf

    return tf.constant(values)
