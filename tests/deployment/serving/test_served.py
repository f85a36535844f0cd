"""An exported model behind a server that knows neither Keras nor kseg, asked by official clients.

The same tests run against TensorFlow Serving itself where its binary is on PATH.
"""

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pytest
from deployment.serving.asking import ANY_SIZE, START, by_grpc, by_rest, metadata, wait_until_loaded
from deployment.serving.odd_photos import mutations, refused, size_of, sound
from PIL import Image

import kseg
from kseg.data.files import photo_array

BACKEND = keras.backend.backend()
of_the_artefact = pytest.mark.backends(
    "tensorflow",
    reason="of the artefact alone, which TensorFlow makes for every backend",
)
LARGEST = 3200  # side of the largest square photo that is decoded
SERVER = Path(__file__).with_name("server.py")


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A tiny U-Net and its SavedModel."""
    keras.utils.set_random_seed(3)
    model = kseg.build_unet(5, width=4, depth=2, name="tiny")
    folder = tmp_path_factory.mktemp("served") / "models"
    options = kseg.SavedModelOptions(max_pixels=LARGEST**2)
    return model, kseg.export(model, folder, options, samples=1, verbose=False).path


class Server(NamedTuple):
    process: subprocess.Popen
    ports: dict  # "grpc", and "rest" where there is one
    channel: object


@pytest.fixture(
    scope="session",
    params=["our server", pytest.param("tensorflow_model_server", marks=pytest.mark.slow)],
)
def server(request, exported, tmp_path_factory):
    """A `Server` that has loaded the model."""
    grpc = pytest.importorskip("grpc")
    pytest.importorskip("tensorflow_serving.apis", reason="tensorflow-serving-api is not installed")
    folder = exported[1]
    ports, options = None, {"stdout": subprocess.PIPE, "text": True}
    if request.param == "our server":
        command = [sys.executable, str(SERVER), str(folder)]
        if importlib.util.find_spec("kserve") is None:
            command.append("--no-rest")
    else:
        if shutil.which(request.param) is None:
            pytest.skip("tensorflow_model_server is not on PATH")
        ports = {"grpc": free_port(), "rest": free_port()}
        command = [
            request.param,
            f"--port={ports['grpc']}",
            f"--rest_api_port={ports['rest']}",
            f"--model_name={folder.parent.name}",
            f"--model_base_path={folder.parent.resolve()}",
        ]
        options["stdout"] = subprocess.DEVNULL
    log = tmp_path_factory.mktemp("server") / "log.txt"
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    with open(log, "w") as errors:
        process = subprocess.Popen(command, stderr=errors, env=environment, **options)
    try:
        ports = ports or json.loads(process.stdout.readline() or "null")
        assert ports, log.read_text()
        with grpc.insecure_channel(f"127.0.0.1:{ports['grpc']}", options=ANY_SIZE) as channel:
            wait_until_loaded(channel, process, log)
            yield Server(process, ports, channel)
    finally:
        process.kill()  # asked kindly, kserve's waits for half a minute
        process.wait(30)
        if process.stdout:
            process.stdout.close()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@pytest.fixture(params=["REST", "gRPC"])
def ask(request, server):
    """A function of a signature's name and photos, over either protocol."""
    if request.param == "gRPC":
        return partial(by_grpc, server.channel)
    if "rest" not in server.ports:
        pytest.skip("kserve is not installed")
    return partial(by_rest, server.ports["rest"])


# Photos, and what their masks are


def photo_files(count=6, seed=5):
    """JPEG and PNG files of several sizes."""
    rng, files = np.random.default_rng(seed), []
    for number in range(count):
        size = [(40, 56), (33, 47), (64, 32)][number % 3]
        low = rng.integers(0, 256, (size[0] // 8, size[1] // 8, 3)).astype(np.uint8)
        image, stream = Image.fromarray(low).resize(size[::-1], Image.BICUBIC), BytesIO()
        image.save(stream, ["JPEG", "PNG"][number % 2])
        files.append(stream.getvalue())
    return files


def pixels(content):
    return photo_array(Image.open(BytesIO(content)))


def same_ids(actual, expected):
    """Equal; another backend's arithmetic may put a pixel between two classes into the other."""
    assert actual.shape == expected.shape
    differing = np.count_nonzero(actual != expected)
    assert differing <= (0 if BACKEND == "tensorflow" else 1e-3 * expected.size), differing


def check_answer(model, content, row):
    """A photo's mask is what `kseg.predict` makes of it, and the numbers are the mask's."""
    assert row["status"] == "ok"
    expected = kseg.predict(model, pixels(content))
    mask = Image.open(BytesIO(row["mask_bytes"]))
    assert (mask.format, mask.mode) == ("PNG", "L")
    same_ids(np.asarray(mask), expected)
    np.testing.assert_array_equal(row["pixel_counts"], np.bincount(np.ravel(mask), minlength=5))
    assert 1 / 5 <= row["mean_confidence"] <= 1


@pytest.mark.once("tensorflow")
def test_masks_of_photos_of_several_sizes(exported, ask):
    files = photo_files()
    for content, row in zip(files, ask("image_bytes", files), strict=True):
        check_answer(exported[0], content, row)


@pytest.mark.once("tensorflow")
def test_decoded_images(exported, ask):
    images = np.stack([pixels(content) for content in photo_files(4)[::3]])
    for image, row in zip(images, ask("serving_default", images), strict=True):
        same_ids(np.array(row["class_ids"]), kseg.predict(exported[0], image))
        assert np.shape(row["scores"]) == image.shape[:2]
        assert 1 / 5 - 1e-6 <= np.min(row["scores"]) and np.max(row["scores"]) <= 1


@of_the_artefact
def test_overlays_are_pictures_of_the_photos_size(ask):
    files = photo_files()
    for content, row in zip(files, ask("overlay", files), strict=True):
        picture = Image.open(BytesIO(row["overlay_bytes"]))
        assert picture.format == "JPEG" and row["status"] == "ok"
        # half of every pixel is the photo's; the colours' halves reach to 127, JPEG blurs a little
        far = np.abs(np.asarray(picture).astype(int) - pixels(content) / 2 - 64)
        assert picture.size == Image.open(BytesIO(content)).size and far.mean() < 64


@of_the_artefact
def test_a_bad_photo_fails_alone(exported, ask):
    good, bad = photo_files(2), [content for content, _ in refused().values()][:4]
    rows = ask("image_bytes", [bad[0], good[0], bad[1], bad[2], good[1], bad[3]])
    check_answer(exported[0], good[0], rows[1])
    check_answer(exported[0], good[1], rows[4])
    for row in (rows[0], rows[2], rows[3], rows[5]):
        assert (
            row["status"] != "ok" and row["mask_bytes"] == b"" and not np.any(row["pixel_counts"])
        )
    rows = ask("overlay", [bad[1], good[0]])
    assert [row["status"] == "ok" for row in rows] == [False, True]
    assert rows[0]["overlay_bytes"] == b"" and rows[1]["overlay_bytes"]


@of_the_artefact
def test_no_photos_no_answers(server):
    assert by_grpc(server.channel, "image_bytes", np.array([], object)) == []


@of_the_artefact
def test_one_answer_whoever_asks_and_with_whom(server, ask):
    """What a server that batches relies on: rows do not depend on their neighbours."""
    files = photo_files()
    together = by_grpc(server.channel, "image_bytes", files)
    for content, row in zip(files, together):
        (alone,) = ask("image_bytes", [content])
        assert alone["mask_bytes"] == row["mask_bytes"]
        assert alone["mean_confidence"] == pytest.approx(row["mean_confidence"], abs=1e-6)


@of_the_artefact
def test_concurrent_requests(ask):
    files = photo_files(12)
    expected = [row["mask_bytes"] for row in ask("image_bytes", files)]
    batches = [[(3 * batch + i) % 12 for i in range(batch % 3 + 1)] for batch in range(24)]
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda batch: ask("image_bytes", [files[i] for i in batch]), batches)
    for batch, rows in zip(batches, answers, strict=True):
        assert [row["mask_bytes"] for row in rows] == [expected[i] for i in batch]


def client():
    path = Path(__file__).resolve().parents[3] / "examples" / "serve_unet.py"
    spec = importlib.util.spec_from_file_location("serve_unet", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@of_the_artefact
def test_the_example_client(exported, server, tmp_path, capsys):
    files = photo_files(3)
    paths = [tmp_path / f"photo{number}" for number in range(3)]
    for path, content in zip(paths, files):
        path.write_bytes(content)
    (tmp_path / "bad").write_bytes(b"no photo")
    urls = [f"grpc://127.0.0.1:{server.ports['grpc']}/tiny"]
    if "rest" in server.ports:
        urls.append(f"http://127.0.0.1:{server.ports['rest']}/v1/models/tiny")
    for number, url in enumerate(urls):
        out = tmp_path / f"out{number}"
        arguments = [url, *map(str, paths), str(tmp_path / "bad"), "--out", str(out)]
        with pytest.raises(SystemExit, match="refused"):
            client().main([*arguments, "--batch", "3"])
        for path, content in zip(paths, files):
            mask = (out / f"{path.stem}_mask.png").read_bytes()
            overlay = (out / f"{path.stem}_overlay.jpg").read_bytes()
            expected = kseg.predict(exported[0], pixels(content))
            same_ids(np.asarray(Image.open(BytesIO(mask))), expected)
            assert pixels(overlay).shape[:2] == expected.shape
        assert "neither JPEG nor PNG" in capsys.readouterr().out


@pytest.mark.slow
@of_the_artefact
def test_wrong_questions_are_the_clients_fault(server):
    import grpc

    photo = photo_files(1)
    for question, code in (
        (("image_bites", photo), grpc.StatusCode.FAILED_PRECONDITION),
        (("image_bytes", photo, "another"), grpc.StatusCode.NOT_FOUND),
        (("serving_default", np.zeros((1, 8, 8), np.uint8)), grpc.StatusCode.INVALID_ARGUMENT),
    ):
        with pytest.raises(grpc.RpcError) as error:
            by_grpc(server.channel, *question)
        assert error.value.code() == code, error.value.details()
        if "rest" in server.ports:
            with pytest.raises(urllib.error.HTTPError) as refusal:
                by_rest(server.ports["rest"], *question)
            assert 400 <= refusal.value.code < 500
            assert json.load(refusal.value)["error"]
            refusal.value.close()


@of_the_artefact
def test_every_signature_is_named_and_starts_with_the_batch(exported, server):
    about = json.loads((exported[1] / "assets.extra" / "kseg.json").read_text())
    named = metadata(server.channel)
    assert set(about["signatures"]) <= set(named)
    for name, signature in about["signatures"].items():
        assert set(named[name].inputs) == set(signature["inputs"])
        assert set(named[name].outputs) == set(signature["outputs"])
        for tensors in (named[name].inputs, named[name].outputs):
            assert all(tensor.tensor_shape.dim[0].size == -1 for tensor in tensors.values())


@of_the_artefact
def test_warm_up_requests_can_be_replayed(exported, server):
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2
    from tensorflow_serving.apis import prediction_service_pb2_grpc as service

    file = exported[1] / "assets.extra" / "tf_serving_warmup_requests"
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(file))]
    logs = [prediction_log_pb2.PredictionLog.FromString(record) for record in records]
    requests = [log.predict_log.request for log in logs]
    warmed = [request.model_spec.signature_name for request in requests]
    assert warmed == ["serving_default", "image_bytes", "overlay"]
    for request in requests:
        assert request.model_spec.name == exported[1].parent.name
        response = service.PredictionServiceStub(server.channel).Predict(request, timeout=START)
        status = response.outputs["status"].string_val if "status" in response.outputs else [b"ok"]
        assert response.outputs and list(status) == [b"ok"]


# What it withstands


@of_the_artefact
def test_odd_photos(exported, server):
    files, good = sound(), photo_files(1)
    rows = by_grpc(server.channel, "image_bytes", [*files.values(), *good])
    for name, content, row in zip([*files, "good"], [*files.values(), *good], rows, strict=True):
        print(name)  # seen if it fails
        check_answer(exported[0], content, row)


@of_the_artefact
def test_what_is_no_photo(server):
    files = refused()
    rows = by_grpc(server.channel, "image_bytes", [content for content, _ in files.values()])
    for (name, (_, status)), row in zip(files.items(), rows, strict=True):
        assert row["status"].startswith(status) and row["status"] != "ok", (name, row["status"])
        assert row["mask_bytes"] == b""


@of_the_artefact
@pytest.mark.parametrize("count", [100, pytest.param(2000, marks=pytest.mark.slow)])
def test_fuzz(exported, server, count):
    """Every request is answered, every good photo exactly, whatever it stands beside."""
    good = photo_files(3)
    expected = [row["mask_bytes"] for row in by_grpc(server.channel, "image_bytes", good)]
    for content, row in zip(good, by_grpc(server.channel, "image_bytes", good)):
        check_answer(exported[0], content, row)
    fixed = [*sound().values(), *(content for content, _ in refused().values())]
    files = [*mutations(count - len(fixed)), *fixed]
    np.random.default_rng(count).shuffle(files)
    largest = BytesIO()
    Image.new("RGB", (LARGEST, LARGEST)).save(largest, "PNG")
    (row,) = by_grpc(server.channel, "image_bytes", [largest.getvalue()])
    assert row["status"] == "ok"  # from here on, memory has been at its highest
    read, memory = 0, []
    for start in range(0, len(files), 10):
        odd = files[start : start + 10]
        rows = by_grpc(
            server.channel, "image_bytes", [good[0], *odd[:5], good[1], *odd[5:], good[2]]
        )
        kept = [rows.pop(0), rows.pop(min(len(odd), 5)), rows.pop()]
        assert [row["mask_bytes"] for row in kept] == expected
        assert [row["status"] for row in kept] == ["ok"] * 3
        for content, row in zip(odd, rows, strict=True):
            check_unknown(content, row)
            read += row["status"] == "ok"
        memory.append(resident(server.process.pid))
    assert 0.05 * count < read < 0.7 * count
    print(f"{read} of {count} read; MB at first {memory[0]}, at the end {memory[-1]}")
    assert memory[0] is None or memory[-1] < 1.15 * memory[0]


def check_unknown(content, row):
    """A status and no mask, or a mask of the size that the file says."""
    if row["status"] != "ok":
        assert row["mask_bytes"] == b"" and row["status"].split(":")[0] in (
            "empty",
            "damaged",
            "too large",
            "neither JPEG nor PNG nor .npy",
        )
        return
    mask = np.asarray(Image.open(BytesIO(row["mask_bytes"])))
    assert mask.ndim == 2 and row["pixel_counts"].sum() == mask.size
    assert size_of(content) in (mask.shape, None)


def resident(pid):
    """Megabytes that a process holds; None where the system does not say."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


# TensorFlow's own tool

TOOL = """  # its commands in one process, where importing TensorFlow takes longest; without Keras
import json, sys
sys.modules["keras"] = None
from tensorflow.python.tools import saved_model_cli
for command in json.loads(sys.argv[1]):
    sys.argv = ["saved_model_cli", *command]
    try:
        saved_model_cli.main()
    except SystemExit as end:
        assert not end.code, end.code
"""


@pytest.mark.slow
@of_the_artefact
def test_saved_model_cli(exported, tmp_path):
    model, folder = exported
    image = pixels(photo_files(1)[0])
    np.save(tmp_path / "images.npy", image[None])
    chosen = ["--dir", folder, "--tag_set", "serve", "--signature_def"]
    inputs = ["--inputs", f"images={tmp_path / 'images.npy'}", "--outdir", tmp_path]
    commands = [
        ["show", *chosen, "image_bytes"],
        ["run", *chosen, "serving_default", *inputs],
    ]
    done = subprocess.run(
        [sys.executable, "-c", TOOL, json.dumps(commands, default=str)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "shape: (-1)" in done.stdout and "outputs['mask_bytes']" in done.stdout
    same_ids(np.load(tmp_path / "class_ids.npy")[0], kseg.predict(model, image))
