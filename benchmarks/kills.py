"""Trainings killed at random moments and resumed: is the end the same to the bit?

    KERAS_BACKEND=jax python benchmarks/kills.py --model mask_rcnn --kills 10

Each kill is `kill -9` of a child process, somewhere between its first step and its last, while a
checkpoint is written among the moments; the run is resumed by another child, up to `--each` times.
Compared are the SHA-256 of all final weights, and the history's losses and scores, with those of a
run that nobody has killed. A line says of each run when it was killed, in seconds from the first
step of the process, and what it was at. It ends with 1 if one differs.
"""

import argparse
import csv
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODELS = ("unet", "deeplab", "mask_rcnn")
OWN = ("images_per_second",)  # of each start


def small_encoder(keras):
    image = x = keras.Input((None, None, 3))
    for stride in (2, 4, 8, 16, 32):
        x = keras.layers.Conv2D(8, 3, strides=2, padding="same", name=f"stride{stride}")(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    return keras.Model(image, x)


def child(name, run, precision):
    """Begins the run, or goes on with it if there is a checkpoint; prints the weights' hash."""
    import keras
    import numpy as np

    import kseg

    keras.utils.set_random_seed(0)
    objects = name == "mask_rcnn"
    side = 64 if objects else 32
    options = {"size": (side, side), "instances": objects}
    train = kseg.data.shapes("train", count=24, **options)
    val = kseg.data.shapes("val", count=4, **options)
    settings = {"size": (side, side), "batch_size": 4, "epochs": 4, "checkpoint_steps": 2}
    settings |= {"learning_rate": 1e-2, "ema_momentum": 0.9, "validate_epochs": 2}
    if precision:
        settings["precision"] = precision
    begun = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: sign(run).touch())
    if resumable(run):
        model = kseg.fit(None, train, val, run=run, resume=True, callbacks=[begun])
    else:
        keras.config.set_dtype_policy(precision or "float32")
        built = {
            "unet": lambda: kseg.build_unet(6, width=4, depth=2),
            "deeplab": lambda: kseg.build_deeplabv3plus(6, encoder=small_encoder(keras), width=8),
            "mask_rcnn": lambda: kseg.build_mask_rcnn(
                5,
                encoder=small_encoder(keras),
                fpn_width=8,
                box_width=8,
                mask_width=8,
                anchor_sizes=((8,), (16,), (32,), (48,), (64,)),
                train_proposals=32,
                predict_proposals=16,
                anchor_samples=16,
                region_samples=16,
                mask_samples=4,
                detections=8,
                resize=None,
            ),
        }[name]()
        settings = kseg.Settings(**settings)
        model = kseg.fit(
            built, train, val, run=run, settings=settings, overwrite=True, callbacks=[begun]
        )
    values = b"".join(np.asarray(each).tobytes() for each in model.get_weights())
    print("HASH", hashlib.sha256(values).hexdigest(), flush=True)


def resumable(run):
    return any((Path(run) / f"{each}.keras").exists() for each in ("last", "previous"))


def sign(run):
    """The file by which a child says that its first step is done, and all is compiled for it."""
    return Path(f"{run}.begun")


def at(run):
    """What a run was at that has just been killed, by the files that it left."""
    left = [each.name.lstrip(".").split(".")[0] for each in run.glob(".*")]
    if left:
        return f"writing {'a checkpoint' if 'next' in left else left[0]}"
    return "learning or validating" if resumable(run) else "before the first checkpoint"


def start(name, run, precision):
    sign(run).unlink(missing_ok=True)
    command = [sys.executable, __file__, "--child", str(run), "--model", name]
    command += ["--precision", precision] * bool(precision)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finished(process):
    """The hash of a child's weights, and what it said."""
    said, _ = process.communicate()
    found = [line.split()[1] for line in said.splitlines() if line.startswith("HASH")]
    if not found:
        raise SystemExit(f"a child failed:\n{said}")
    return found[0], said


def history(run):
    with (run / "history.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [{key: value for key, value in row.items() if key not in OWN} for row in rows]


def has_begun(process, run):
    """Waits for a child's first step; False if the process ended before."""
    while process.poll() is None:
        if sign(run).exists():
            return True
        time.sleep(0.005)
    return False


def killed(process, seconds):
    """Whether a process is dead of a kill after so many seconds, not of its own end."""
    until = time.time() + seconds
    while time.time() < until and process.poll() is None:
        time.sleep(0.002)
    if process.poll() is not None:
        return False
    process.kill()
    return process.wait() == -signal.SIGKILL


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=MODELS, default="unet")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--each", type=int, default=2, help="kills of one run, at most")
    parser.add_argument("--precision")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return child(options.model, options.child, options.precision)
    folder = Path(tempfile.mkdtemp())
    chance = random.Random(options.seed)
    whole = folder / "whole"
    process = start(options.model, whole, options.precision)
    has_begun(process, whole)
    began = time.time()
    wanted, _ = finished(process)
    length = time.time() - began
    rows, equal, done, number = history(whole), 0, 0, 0
    while done < options.kills:
        run, number = folder / f"killed{number}", number + 1
        kills, left = [], length
        while True:
            process = start(options.model, run, options.precision)
            most = min(options.each, options.kills - done)
            if not has_begun(process, run) or len(kills) == most:
                break
            delay = chance.uniform(0, left)
            if not killed(process, delay):
                break
            kills.append({"s": round(delay, 2), "at": at(run)})
            left = max(left - delay, length / 10)
        found, said = finished(process)
        done += len(kills)
        same = found == wanted and history(run) == rows
        equal += same * len(kills)
        note = {"kills": kills, "equal": same, "torn": said.count("is damaged")}
        print(json.dumps(note), flush=True)
        if not same:
            print(json.dumps({"wanted": rows, "found": history(run)}, indent=1), said, flush=True)
        shutil.rmtree(run)
    shutil.rmtree(folder)
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    print(
        f"{backend}, {options.model}, {options.precision}: {equal} of {done} kills equal to the bit"
    )
    return int(equal != done)


if __name__ == "__main__":
    sys.exit(main())
