"""Trainings killed at random moments and resumed: is the end the same to the bit?

    KERAS_BACKEND=jax python benchmarks/kills.py --model mask_rcnn --kills 10

Each kill is `kill -9` of a child process, somewhere between its first step and its last, while a
checkpoint is written among the moments; the run is resumed by another child. Compared are the
SHA-256 of all final weights, and the history's losses and scores, with those of a run that nobody
has killed. It ends with 1 if one differs.
"""

import argparse
import csv
import hashlib
import json
import os
import random
import shutil
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
    resume = any((Path(run) / f"{each}.keras").exists() for each in ("last", "previous"))
    if resume:
        model = kseg.fit(None, train, val, run=run, resume=True)
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
        model = kseg.fit(
            built, train, val, run=run, settings=kseg.Settings(**settings), overwrite=True
        )
    values = b"".join(np.asarray(each).tobytes() for each in model.get_weights())
    print("HASH", hashlib.sha256(values).hexdigest(), flush=True)


def start(name, run, precision):
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


def wait_until(process, run, name):
    """Waits for a file of the run; whether the process ended before."""
    while process.poll() is None:
        if (run / name).exists():
            return False
        time.sleep(0.005)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=MODELS, default="unet")
    parser.add_argument("--kills", type=int, default=5)
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
    wait_until(process, whole, "run.json")
    began = time.time()
    wanted, _ = finished(process)
    length = time.time() - began
    rows, equal, done = history(whole), 0, 0
    while done < options.kills:
        run = folder / "killed"
        shutil.rmtree(run, ignore_errors=True)
        times = []
        while True:
            process = start(options.model, run, options.precision)
            ended = wait_until(process, run, "run.json")
            delay = chance.uniform(0, length)
            until = time.time() + delay
            while time.time() < until and process.poll() is None:
                time.sleep(0.002)
            if ended or process.poll() is not None or len(times) == 2:
                found, said = finished(process)
                break
            process.kill()
            process.communicate()
            times.append(round(delay, 2))
        if not times:
            continue  # it had ended before
        done += len(times)
        same = found == wanted and history(run) == rows
        equal += same * len(times)
        torn = said.count("is damaged")
        note = {"killed_after_s": times, "equal": same, "torn": torn}
        print(json.dumps(note), flush=True)
        if not same:
            print(json.dumps({"wanted": rows, "found": history(run)}, indent=1), said, flush=True)
    shutil.rmtree(folder)
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    print(
        f"{backend}, {options.model}, {options.precision}: {equal} of {done} kills equal to the bit"
    )
    return int(equal != done)


if __name__ == "__main__":
    sys.exit(main())
