"""No command harms a file that is there: hashes of all files, before and after."""

import hashlib
import os
import shutil

import numpy as np
import pytest
from PIL import Image

import kseg
from kseg.cli.main import main
from kseg.models.contract import names_and_colors
from kseg.models.saving import save_model

pytestmark = pytest.mark.once("torch")


def hashes(root):
    """Path -> content of every file below a folder, links followed."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run and a data set that nobody touches."""
    root = tmp_path_factory.mktemp("made")
    run = kseg.Run(root / "run", ("ground", "object"), ((0, 0, 0), (0, 114, 178)), 255, {})
    run.write()
    model = kseg.build_unet(2, width=2, depth=1, compile=False)
    save_model(model, run.path / "best.keras")
    rng = np.random.default_rng(0)
    for index in range(4):
        for folder, pixels in (
            ("images", rng.integers(0, 256, (32, 32, 3))),
            ("masks", rng.integers(0, 2, (32, 32))),
        ):
            (root / "set" / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(root / f"set/{folder}/{index}.png")
    (root / "set/classes.txt").write_text("ground\nobject\n")
    return root


@pytest.fixture
def place(made, tmp_path, monkeypatch):
    """A copy of the two, to work in."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def harmless(place, capsys):
    """Runs a command; every file that was there is as it was; returns code, errors, new files."""

    def run(*arguments):
        before = hashes(place)
        code = main([str(argument) for argument in arguments])
        after = hashes(place)
        assert {path: after.get(path) for path in before} == before
        assert not [path for path in after if ".tmp" in path]
        new = {os.path.relpath(path, place) for path in after.keys() - before.keys()}
        return code, capsys.readouterr().err, new

    return run


def test_a_folder_predicted_into_itself(harmless, place):
    code, _, new = harmless("predict", "set/images", "-o", "set/images", "--run", "run")
    names = {f"set/images/{kind}/{i}.png" for kind in ("masks", "overlays") for i in range(4)}
    assert (code, new) == (0, names)
    code, said, new = harmless("predict", "set/images/0.png", "-o", "set/images", "--run", "run")
    assert code == 2 and not new and "masks/0.png" in said and "--overwrite" in said


@pytest.mark.parametrize("output", ["set", "./set/../set", "{place}/set", "link"])
def test_the_folder_of_masks_is_that_of_the_photos(harmless, place, output):
    """`-o set` would write to set/masks, where the user's own photos are."""
    (place / "link").symlink_to("set")
    arguments = ("predict", "set/masks", "-o", output.format(place=place), "--run", "run")
    for more in ((), ("--overwrite",)):
        code, said, new = harmless(*arguments, *more)
        assert code == 2 and not new and len(said.splitlines()) == 1
    assert "which would be lost" in said


def test_results_are_links_to_photos(harmless, place):
    (place / "out").mkdir()
    (place / "out/masks").symlink_to("../set/images")
    arguments = ("predict", "set/images/0.png", "-o", "out", "--run", "run")
    assert harmless(*arguments, "--overwrite")[0] == 2
    (place / "out/masks").unlink()
    (place / "out/overlays").mkdir()
    os.link("set/images/0.png", "out/overlays/0.png")
    code, said, _ = harmless(*arguments, "--overwrite")
    assert code == 2 and "which would be lost" in said


def test_names_that_clash(harmless, place):
    for name in ("x/a.png", "y/a.png", "y/b.PNG", "y/a.bmp", "y/a_overlay.png"):
        (place / name).parent.mkdir(exist_ok=True)
        shutil.copy("set/images/0.png", name)
    predict = ("predict", "--run", "run", "-o")
    _, _, new = harmless(*predict, "1", "x", "y/b.PNG")
    assert new == {f"1/{kind}/{name}.png" for kind in ("masks", "overlays") for name in "ab"}
    _, _, new = harmless(*predict, "2", "x/a.png", "y/a.png", "./x/../x/a.png")
    assert new == {f"2/{kind}/{n}/a.png" for kind in ("masks", "overlays") for n in "xy"}
    _, _, new = harmless(*predict, "3", "y")
    names = ("a.bmp", "a.png", "a_overlay.png", "b.PNG")
    assert new == {f"3/{kind}/{name}.png" for kind in ("masks", "overlays") for name in names}


def test_results_are_replaced_on_request(place):
    arguments = ["predict", "set/images", "-o", "out", "--run", "run"]
    assert main(arguments) == 0
    (place / "out/masks/0.png").write_text("mine")
    assert main(arguments) == 2 and (place / "out/masks/0.png").read_text() == "mine"
    assert main([*arguments, "--overwrite"]) == 0
    assert (place / "out/masks/0.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "path", ["set/images/0.png", "set/classes.txt", "link.png", "run/run.json", "run/best.keras"]
)
def test_scores_and_findings_in_place_of_what_is_read(harmless, place, path):
    (place / "link.png").symlink_to("set/images/0.png")
    for command in (
        ("evaluate", "run", "folder:set", "--json"),
        ("check", "folder:set", "--json"),
        ("check", "folder:set", "--html"),
    ):
        if command[0] == "check" and path.startswith("run"):
            continue  # a check reads no run: only what was there before is looked at
        for more in ((), ("--overwrite",)):
            code, said, new = harmless(*command, path, *more)
            assert code == 2 and not new and path in said and len(said.splitlines()) == 1


def test_two_outputs_of_one_command(harmless):
    code, said, new = harmless("check", "folder:set", "--json", "a", "--html", "A")
    assert (code, new) == (2, set()) and "--html" in said and "--json" in said


def test_a_run_where_something_is(harmless, place):
    fit = ("fit", "folder:set", "--width", 2, "--depth", 1, "--epochs", 1, "--size", "32x32")
    code, said, new = harmless(*fit, "--run", "run")
    assert code == 2 and not new and "--resume" in said and "--overwrite" in said
    shutil.copy("set/images/0.png", "set/curve.png")
    code, said, new = harmless(*fit, "--run", "set")
    assert code == 2 and not new and "set/curve.png" in said
    os.remove("set/curve.png")
    os.link("set/images/0.png", "set/curve.png")
    code, said, new = harmless(*fit, "--run", "set", "--overwrite")
    assert code == 2 and not new and "which would be lost" in said
    code, said, new = harmless(*fit, "--run", "run", "--overwrite", "--weights", "run/best.keras")
    assert code == 2 and not new and "which would be lost" in said


@pytest.mark.slow
def test_a_run_is_begun_anew_on_request(place):
    (place / "run/mine.txt").write_text("mine")
    (place / "run/curve.png").write_text("old")
    fit = ["fit", "folder:set", "--width", "2", "--depth", "1", "--epochs", "1", "--size", "32x32"]
    assert main([*fit, "--run", "run", "--overwrite"]) == 0
    assert (place / "run/mine.txt").read_text() == "mine"
    assert (place / "run/curve.png").read_bytes().startswith(b"\x89PNG")
    assert [row["epoch"] for row in kseg.Run.open("run").history()] == [1]


def test_an_export_where_something_is(harmless, place):
    (place / "m.onnx").write_text("mine")
    for path, word in (
        ("m.onnx", "--overwrite"),
        ("set/images/0.png", "set/images/0.png"),
        ("set/images/0.png/models", "is a file"),
        ("run/best.keras", "run/best.keras"),
    ):
        code, said, new = harmless("export", "run", path)
        assert code == 2 and not new and word in said
    code, said, new = harmless("export", "run", "set/images/0.png", "--format", "saved_model")
    assert code == 2 and not new and "is a file" in said
    code, said, new = harmless("export", "run", "set", "--format", "openvino")
    assert code == 2 and not new and "new or empty" in said


def test_a_demo_where_something_is(harmless, place):
    from kseg.cli.demo import fresh

    (place / "empty").mkdir()
    (place / "set-2").symlink_to("nowhere")
    assert [fresh(name) for name in ("set", "empty", "new")] == ["set-3", "empty", "new"]
    code, said, new = harmless("demo", "--epochs", 0, "--run", "set")
    assert code == 2 and not new and "--epochs 0" in said


@pytest.mark.parametrize("classes, mode", [(2, "P"), (256, "P"), (300, "I;16")])
def test_masks_hold_ids_and_show_colors(place, classes, mode):
    """A palette PNG, whose pixels are the ids that `kseg.predict` gives."""
    colors = names_and_colors(model := kseg.build_unet(classes, width=2, depth=1, compile=False))[1]
    kseg.Run(place / "r", tuple(map(str, range(classes))), colors, 65535, {}).write()
    save_model(model, place / "r/last.keras")
    assert main(["predict", "set/images/0.png", "-o", "out", "--run", "r"]) == 0
    with Image.open("out/masks/0.png") as mask, Image.open("set/images/0.png") as photo:
        ids = kseg.predict(model, photo)
        np.testing.assert_array_equal(np.asarray(mask), ids)
        assert mask.mode == mode
        if mode == "P":
            seen = np.asarray(mask.convert("RGB"))
            np.testing.assert_array_equal(seen, np.array(colors, np.uint8)[ids])


def test_photos_of_all_formats_in_a_folder(place, capsys):
    (place / "mixed").mkdir()
    with Image.open("set/images/0.png") as photo:
        for name in ("a.png", "b.tif", "c.webp", "d.gif", "e.TIFF"):
            photo.save(place / "mixed" / name)
    for name in ("f.heic", "notes.txt"):
        (place / "mixed" / name).write_text("")
    assert main(["predict", "mixed", "-o", "out", "--run", "run"]) == 0
    assert {path.stem for path in (place / "out/masks").iterdir()} == {*"abcde"}
    said = capsys.readouterr().out
    assert "2 files left out" in said and "f.heic, notes.txt" in said and "5 masks" in said


@pytest.fixture(scope="module")
def trained(made, tmp_path_factory):
    root = tmp_path_factory.mktemp("resume")
    shutil.copytree(made / "set", root / "set")
    options = ("--width", "2", "--depth", "1", "--epochs", "1", "--size", "32x32")
    assert main(["fit", f"{root}/set", "--run", f"{root}/run", *options]) == 0
    return root


class TestResume:
    """What is given beside --resume is followed, or refused by name."""

    @pytest.mark.parametrize(
        "given",
        [
            "--learning-rate 0.1",
            "--width 4",
            "--model fcn8s",
            "--freeze",
            "--size 64x64",
            "--seed 4",
            "--classes a,b",
            "--val-fraction 0.3",
            "--overwrite",
            "shapes",
        ],
    )
    def test_refused(self, trained, capsys, given):
        before = hashes(trained)
        assert main(["fit", "--resume", "--run", f"{trained}/run", *given.split()]) == 2
        said = capsys.readouterr().err
        name = given if given.startswith("--") else "data shapes"
        assert said.startswith(f"kseg: {name}") and "new run" in said and "\n" not in said[:-1]
        assert hashes(trained) == before

    @pytest.mark.slow
    def test_followed(self, trained):
        run = f"{trained}/run"
        again = ("--size", "32x32", "--learning-rate", "0.002", f"{trained}/set")
        assert main(["fit", "--resume", "--run", run, "--epochs", "2", *again]) == 0
        assert [row["epoch"] for row in kseg.Run.open(run).history()] == [1, 2]
