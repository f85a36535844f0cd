"""An exported U-Net beside its own network: size of answers, latency, throughput.

    pip install ".[serving]"  # in the checkout
    python benchmarks/serving.py [PHOTO] [--model RUN] [--rounds 20]

1. Bytes of an answer to a photo of 1024x2048 with 19 classes: the mask's PNG (over gRPC, and with
   base64 over REST) against logits as JSON, of which some rows are written and the rest counted.
2. Milliseconds of a request, median and 99th percentile, over gRPC to a server in a process of its
   own (tests/deployment/serving/server.py), while 4 clients ask at once; photos of 360x480, 1 and 8
   a request. `logits` is the bare network behind a server.
3. Photos a second in one process: `image_bytes` against the same by hand, around the network alone:
   decoding and encoding by Pillow, argmax by TensorFlow; and against the bare network, which
   neither decodes nor encodes. They run in turn; the median of the rounds' ratios counts.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

import kseg

SERVER = Path(__file__).resolve().parents[1] / "tests" / "deployment" / "serving" / "server.py"
CLASSES = 19
CLIENTS = 4


def jpeg(photo, size):
    """The bytes of a photo at this (height, width)."""
    stream = BytesIO()
    photo.resize(size[::-1], Image.BICUBIC).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def answer_size(signatures, photo):
    import tensorflow as tf

    content = jpeg(photo, (1024, 2048))
    answer = signatures["image_bytes"](image_bytes=tf.constant([content]))
    mask = len(answer["mask_bytes"].numpy()[0])
    images = tf.constant(np.asarray(Image.open(BytesIO(content)))[None])
    logits = signatures["logits"](images=images)["logits"].numpy()[0]
    # the shortest digits that give a float32 back
    some = ",".join(map(str, logits[::64].ravel()))
    floats = len(some) * logits.shape[0] // len(logits[::64])
    print(
        f"answer to 1024x2048, {logits.shape[-1]} classes: PNG {mask / 1e3:.0f} kB, JSON of logits "
        f"{floats / 1e6:.0f} MB: {floats / mask:.0f} times as much, {floats / (mask * 4 / 3):.0f} "
        f"times with base64; float32 as they are {logits.nbytes / mask:.0f} times"
    )


def latency(folder, photo, requests):
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2
    from tensorflow_serving.apis import prediction_service_pb2_grpc as service

    content = jpeg(photo, (360, 480))
    image = np.asarray(Image.open(BytesIO(content)))
    with subprocess.Popen(
        [sys.executable, str(SERVER), str(folder), "--no-rest"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        port = json.loads(process.stdout.readline())["grpc"]
        options = [("grpc.max_receive_message_length", -1)]
        stub = service.PredictionServiceStub(grpc.insecure_channel(f"127.0.0.1:{port}", options))
        for name in ("logits", "serving_default", "image_bytes", "overlay"):
            for batch in (1, 8):
                request = predict_pb2.PredictRequest()
                request.model_spec.name = folder.parent.name
                request.model_spec.signature_name = name
                key, value = "image_bytes", [content] * batch
                if name in ("logits", "serving_default"):
                    key, value = "images", np.stack([image] * batch)
                request.inputs[key].CopyFrom(tf.make_tensor_proto(value))

                def ask(_, request=request):
                    began = time.perf_counter()
                    stub.Predict(request)
                    return 1000 * (time.perf_counter() - began)

                ask(0)
                began = time.perf_counter()
                with ThreadPoolExecutor(CLIENTS) as pool:
                    times = list(pool.map(ask, range(max(requests // batch, 4 * CLIENTS))))
                rate = len(times) * batch / (time.perf_counter() - began)
                p50, p99 = np.percentile(times, (50, 99))
                print(
                    f"{name:16} {batch} a request, {CLIENTS} clients, {len(times)} requests: "
                    f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, {rate:.1f} photos/s",
                    flush=True,
                )
        process.terminate()


def throughput(signatures, model, photo, size, batch, rounds):
    import tensorflow as tf

    contents = [jpeg(photo, size)] * batch
    images = np.stack([np.asarray(Image.open(BytesIO(each))) for each in contents])
    network = tf.function(lambda images: model(images, training=False))

    def served():
        signatures["image_bytes"](image_bytes=tf.constant(contents))["mask_bytes"].numpy()

    def by_hand():
        images = np.stack([np.asarray(Image.open(BytesIO(each))) for each in contents])
        ids = tf.argmax(network(tf.cast(images, tf.float32)), -1).numpy().astype(np.uint8)
        for each in ids:
            Image.fromarray(each).save(BytesIO(), "PNG")

    def bare():
        network(tf.cast(images, tf.float32)).numpy()

    runners = {"image_bytes": served, "by hand": by_hand, "bare network": bare}
    times = {name: [] for name in runners}
    for number in range(rounds + 1):
        for name, function in runners.items():
            began = time.perf_counter()
            function()
            if number:  # the first compiles
                times[name].append(time.perf_counter() - began)
    text = [f"{name} {batch / statistics.median(each):.1f}/s" for name, each in times.items()]
    for name in ("by hand", "bare network"):
        # round by round, because a shared machine's speed drifts more than the ratio does
        ratios = sorted(a / b for a, b in zip(times[name], times["image_bytes"]))
        text.append(
            f"image_bytes / {name}: {statistics.median(ratios):.2f} "
            f"({ratios[len(ratios) // 4]:.2f} to {ratios[-len(ratios) // 4]:.2f})"
        )
    print(f"{size[0]}x{size[1]}, {batch} a batch: {'; '.join(text)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", nargs="?", help="a photo; a generated scene by default")
    parser.add_argument("--model", help="a trained one: run or .keras file; else random weights")
    parser.add_argument("--rounds", type=int, default=20, help="of throughput (%(default)s)")
    parser.add_argument("--requests", type=int, default=200, help="of latency (%(default)s)")
    options = parser.parse_args()
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        parser.error("set KERAS_BACKEND=tensorflow: the network beside the export runs there")
    scene = kseg.data.shapes("val", count=1)[0]["image"]
    photo = Image.open(options.photo).convert("RGB") if options.photo else Image.fromarray(scene)
    keras.utils.set_random_seed(0)
    if options.model:
        model = kseg.load(options.model).model
    else:
        model = kseg.build_unet(CLASSES, width=32, depth=3, logits_stride=4, name="unet")
    with tempfile.TemporaryDirectory() as folder:
        signatures = ("serving_default", "image_bytes", "overlay", "logits")
        options = kseg.SavedModelOptions(signatures=signatures)
        path = kseg.export(model, folder, options, samples=1, verbose=False).path
        loaded = tf.saved_model.load(str(path)).signatures
        answer_size(loaded, photo)
        for size, batch in (((360, 480), 1), ((360, 480), 8), ((1024, 2048), 1)):
            throughput(loaded, model, photo, size, batch, options.rounds)
        latency(path, photo, options.requests)


if __name__ == "__main__":
    main()
