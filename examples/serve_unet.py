"""A client of a served model: photos out, masks and pictures in.

    python examples/serve_unet.py http://localhost:8501/v1/models/unet street.jpg [more photos]
    python examples/serve_unet.py grpc://localhost:8500/unet street.jpg
    python examples/serve_unet.py --smoke

What       sends JPEG and PNG files of any sizes as they are, a few a request, and writes of each
           the mask, a PNG of class ids at the photo's own size, and an overlay to look at.
Server     TensorFlow Serving with a U-Net, or another semantic model, of `kseg.export`; see
           docs/serving.md.
Needs      nothing but Python over REST, not even kseg; over gRPC, which needs no base64 and no
           JSON, `pip install tensorflow-serving-api`.
Patience   a server that cannot be reached, or says that it is busy or still loading, is asked
           again after 0.5 s, 1 s, 2 s, ...; all other errors are final.

Result     `--smoke` took 20 s on one core of a shared two-core CPU, 2026-11-24: it exports a tiny
           U-Net, serves it over REST for itself, and finds its masks equal to `kseg.predict`'s.
"""

import argparse
import base64
import contextlib
import json
import random
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

BUSY = (429, 502, 503, 504)  # HTTP: too many requests, gateways without a server, unavailable


class Unavailable(Exception):
    """There is no answer now; there may be one later."""


def rest_client(url, timeout):
    """A function of a signature's name and photos, bytes, to a list of dicts, one of each photo."""

    def ask(signature, photos):
        instances = [{"b64": base64.b64encode(photo).decode()} for photo in photos]
        body = json.dumps({"signature_name": signature, "instances": instances}).encode()
        request = urllib.request.Request(
            f"{url}:predict", body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                rows = json.load(response)["predictions"]
        except urllib.error.HTTPError as error:
            with error:
                text = f"{url} answered {error.code}: {error.read().decode(errors='replace')}"
            raise (Unavailable if error.code in BUSY else SystemExit)(text) from None
        except OSError as error:  # no such host, refused, reset, timed out
            raise Unavailable(f"{url}: {error}") from None
        return [
            {k: base64.b64decode(v["b64"]) if isinstance(v, dict) else v for k, v in row.items()}
            for row in rows
        ]

    return ask


def grpc_client(url, timeout):
    """The same over gRPC."""
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2
    from tensorflow_serving.apis import prediction_service_pb2_grpc as service

    place = urllib.parse.urlsplit(url)
    # gRPC's clients refuse answers of more than 4 MB by themselves
    channel = grpc.insecure_channel(place.netloc, [("grpc.max_receive_message_length", -1)])
    stub = service.PredictionServiceStub(channel)

    def ask(signature, photos):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = place.path.strip("/")
        request.model_spec.signature_name = signature
        request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(photos, tf.string))
        try:
            outputs = stub.Predict(request, timeout=timeout).outputs
        except grpc.RpcError as error:
            text = f"{url} answered {error.code().name}: {error.details()}"
            later = error.code() == grpc.StatusCode.UNAVAILABLE
            raise (Unavailable if later else SystemExit)(text) from None
        columns = {name: tf.make_ndarray(values).tolist() for name, values in outputs.items()}
        rows = [dict(zip(columns, row)) for row in zip(*columns.values())]
        return [{**row, "status": row["status"].decode()} for row in rows]

    return ask


def patiently(ask, tries):
    """`ask`, with another try, and another, as long as the server is unavailable."""

    def asking(*question):
        for number in range(tries):
            try:
                return ask(*question)
            except Unavailable as error:
                if number == tries - 1:
                    raise SystemExit(f"{error}\nGave up after {tries} tries.") from None
                # not all clients of a server that went down shall be back at the same moment
                wait = 0.5 * 2**number * random.uniform(0.75, 1.25)
                print(f"{error}; again in {wait:.1f} s", file=sys.stderr)
                time.sleep(wait)

    return asking


def answer(ask, paths, out, batch):
    """Asks for the masks and overlays of photos and writes them; returns how many were refused."""
    out.mkdir(parents=True, exist_ok=True)
    refused = 0
    for start in range(0, len(paths), batch):
        some = paths[start : start + batch]
        photos = [path.read_bytes() for path in some]
        masks, overlays = ask("image_bytes", photos), ask("overlay", photos)
        for path, mask, overlay in zip(some, masks, overlays):
            if mask["status"] != "ok":
                print(f"{path}: {mask['status']}")
                refused += 1
                continue
            kind = "png" if overlay["overlay_bytes"].startswith(b"\x89PNG") else "jpg"
            (out / f"{path.stem}_mask.png").write_bytes(mask["mask_bytes"])
            (out / f"{path.stem}_overlay.{kind}").write_bytes(overlay["overlay_bytes"])
            pixels = sum(mask["pixel_counts"])
            shares = {i: n / pixels for i, n in enumerate(mask["pixel_counts"]) if n}
            most = ", ".join(f"class {i} {s:.0%}" for i, s in top(shares))
            print(f"{path}: {most}; mean confidence {mask['mean_confidence']:.2f}")
    return refused


def top(shares, count=3):
    return sorted(shares.items(), key=lambda item: -item[1])[:count]


@contextlib.contextmanager
def own_server(folder):
    """TensorFlow Serving's REST protocol on Python's web server, to try the client; yields its URL.

    It is busy when it is first asked.
    """
    import http.server
    import threading

    import tensorflow as tf

    model = tf.saved_model.load(str(folder))

    class Handler(http.server.BaseHTTPRequestHandler):
        answered = 0

        def do_POST(self):
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            Handler.answered += 1
            if Handler.answered == 1:
                return self.reply(503, {"error": "busy"})
            photos = [base64.b64decode(each["b64"]) for each in question["instances"]]
            outputs = model.signatures[question["signature_name"]](image_bytes=tf.constant(photos))
            columns = {name: values.numpy().tolist() for name, values in outputs.items()}
            rows = [dict(zip(columns, row)) for row in zip(*columns.values())]
            self.reply(200, {"predictions": [{k: text(k, v) for k, v in r.items()} for r in rows]})

        def reply(self, code, answer):
            body = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    def text(name, value):
        if not isinstance(value, bytes):
            return value
        return (
            {"b64": base64.b64encode(value).decode()} if name.endswith("_bytes") else value.decode()
        )

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/models/{folder.parent.name}"
        server.shutdown()


def smoke(out):
    """A tiny U-Net, exported, served and asked; its masks are those of `kseg.predict`."""
    import numpy as np
    from PIL import Image

    import kseg

    model = kseg.build_unet(num_classes=4, width=4, depth=2)
    folder = kseg.export(model, out / "models", samples=1).path
    photos = [out / name for name in ("a.jpg", "b.png", "c.png")]
    for index, path in enumerate(photos):
        photo = Image.fromarray(kseg.data.shapes("val", count=3)[index]["image"])
        photo.resize((96 + 16 * index, 80)).save(path)
    (out / "bad.jpg").write_bytes(b"no photo")
    with own_server(folder) as url:
        ask = patiently(rest_client(url, timeout=60), tries=5)
        refused = answer(ask, [*photos, out / "bad.jpg"], out, batch=3)
    for path in photos:
        expected, mask = kseg.predict(model, path), Image.open(out / f"{path.stem}_mask.png")
        if np.mean(np.asarray(mask) != expected) > 1e-3:  # backends' sums end in other digits
            raise SystemExit(f"{path}: the mask is not what kseg.predict makes of the photo")
    print(f"{len(photos)} masks as of kseg.predict, {refused} file refused")


def main(arguments=None):
    parser = argparse.ArgumentParser(description="A client of a served model.")
    parser.add_argument("url", nargs="?", help="http://HOST:8501/v1/models/NAME, grpc://HOST/NAME")
    parser.add_argument("photos", nargs="*", type=Path, help="JPEG and PNG files")
    parser.add_argument("--out", type=Path, default=Path("answers"), help="folder (%(default)s)")
    parser.add_argument("--batch", type=int, default=4, help="photos a request (%(default)s)")
    parser.add_argument("--tries", type=int, default=6, help="of a request (%(default)s)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds a try (%(default)s)")
    parser.add_argument("--smoke", action="store_true", help="try it without a server")
    options = parser.parse_args(arguments)
    if options.smoke:
        return smoke(options.out)
    scheme = urllib.parse.urlsplit(options.url or "").scheme
    if scheme not in ("http", "https", "grpc") or not options.photos:
        parser.error("give a server's http:// or grpc:// URL, then photos (or --smoke)")
    client = grpc_client if scheme == "grpc" else rest_client
    ask = patiently(client(options.url.rstrip("/"), options.timeout), options.tries)
    if answer(ask, options.photos, options.out, options.batch):
        raise SystemExit("Some files were refused.")


if __name__ == "__main__":
    main()
