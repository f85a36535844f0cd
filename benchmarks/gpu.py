"""What a GPU gives in a quarter of an hour: time, memory and exactness, beside the peers.

    python benchmarks/gpu.py [--minutes 8] [--backends torch jax] [--json gpu.json] [--tiny]

Needs nothing but what kseg itself needs, and no network; segmentation_models.pytorch and
torchvision are measured where they import. Each measurement is a process of its own, the most
telling ones first; what does not fit into the minutes is named as left out. Several processes
compile at the same time, but a step is timed with the device to itself: they take turns by a lock.
`--tiny` runs the same on a CPU, at sizes that say nothing. The sections are in `on_gpu/`:

    models      U-Net and DeepLabV3+ on a ResNet-18, 512x512, batch 16, by precision: a training
                step and the labels of a batch, images a second, share of the peak, memory
    detection   Mask R-CNN (ResNet-50), 800x1344, two images of 32 objects
    operations  NMS of 5 x 2,000 boxes, and RoIAlign of 512 regions with its gradient
    numbers     logits and detections on the device beside those on the CPU, the same weights
    finite      200 steps in float16 and in bfloat16
    memory      500 predictions of photos of three sizes
    pipeline    images a second of JPEGs of 640x480 cropped to 512x512, beside the training step
    start       seconds to the first step, and of a second process with JAX' cache of programs

A step's time is the clock's, the median of several, each waited for. The share of the peak counts
the convolutions' multiplications and additions alone, a training step as three predictions.
"""

import argparse
import concurrent.futures
import contextlib
import datetime
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from on_gpu import detection, exactness, feeding, labels
from on_gpu.device import LOCK, Device

FUNCTIONS = {
    "models": labels.models,
    "detection": detection.detection,
    "operations": detection.operations,
    "numbers": exactness.numbers,
    "finite": exactness.finite,
    "memory": exactness.memory,
    "pipeline": feeding.pipeline,
    "start": feeding.start,
}
SECTIONS = tuple(FUNCTIONS)
BESIDE_NOBODY = ("pipeline", "start")  # the processors are measured there too
PEERS = {
    "models": "segmentation_models_pytorch",
    "detection": "torchvision",
    "operations": "torchvision",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=8, help="for all of it")
    parser.add_argument("--backends", nargs="+", default=["torch", "jax"])
    parser.add_argument("--sections", nargs="+", default=SECTIONS, choices=SECTIONS)
    parser.add_argument("--parts", nargs="+", help="of `models`, as 'unet bfloat16 channels-last'")
    parser.add_argument("--at-once", type=int, default=12, help="processes beside each other")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    parser.add_argument("--tiny", action="store_true", help="on a CPU, at sizes that say nothing")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)  # who, section, part, end
    options = parser.parse_args()
    if options.child:
        who, section, part, end = options.child
        for row in measured(who, section, options.tiny, part, float(end)):
            print("ROW", json.dumps(row), flush=True)
        return
    end = time.time() + 60 * options.minutes
    report = {"date": datetime.datetime.now().isoformat(timespec="minutes"), "rows": []}
    report["versions"] = versions()
    with tempfile.NamedTemporaryFile() as lock:
        os.environ.setdefault(LOCK, lock.name)
        for group in groups(options):
            many = options.at_once if group[0][1] not in BESIDE_NOBODY else 1
            with concurrent.futures.ThreadPoolExecutor(many) as pool:
                for rows in pool.map(lambda each: child(*each, options.tiny, end), group):
                    report["rows"] += rows
                    if options.json:
                        options.json.write_text(json.dumps(report, indent=1) + "\n")
    print(table(report))


def groups(options):
    """Lists of (who, section, part) that may run beside each other: what compiles for long keeps
    the others of its list waiting."""
    quick, slow, by_themselves = [], [], []
    for section in options.sections:
        for who in everyone(section, options.backends):
            for part in labels.parts(who, options.tiny) if section == "models" else [""]:
                if part and options.parts and part not in options.parts:
                    continue
                each = (who, section, part)
                if section in BESIDE_NOBODY:
                    by_themselves.append([each])
                else:
                    (slow if labels.compiles(who, part) else quick).append(each)
    return [group for group in (quick, slow, *by_themselves) if group]


def versions():
    """Of what is measured."""
    found = {}
    for name in ("keras", "torch", "jax", "tensorflow", *sorted({*PEERS.values()})):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name.replace("_", "-"))
    return found


def everyone(section, backends):
    """Who is measured: the backends, and the peer if it imports."""
    if section == "start":
        return [who for who in backends if who == "jax"]
    peer = section in PEERS and importlib.util.find_spec(PEERS[section]) is not None
    return [*backends, *(["peer"] if peer else [])]


def child(who, section, part, tiny, end):
    """The rows of a section, measured in a process of its own; or one that says what went wrong."""
    named = {"section": section, "who": who}
    left = end - time.time()
    if left < 10:
        return [{**named, "case": part, "left out": "no time left"}]
    command = [sys.executable, __file__, "--child", who, section, part, str(end)]
    print(f"{section}, {who} {part} ...", file=sys.stderr, flush=True)
    process = subprocess.Popen(
        command + (["--tiny"] if tiny else []),
        env=environment_of(who, on_cpu=tiny),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        out, errors = process.communicate(timeout=left)
    except subprocess.TimeoutExpired:
        process.kill()
        out, errors = process.communicate()
        errors += "\nno time left"
    lines = [line.removeprefix("ROW ") for line in out.splitlines() if line.startswith("ROW ")]
    rows = [{**named, **json.loads(line)} for line in lines]
    if process.returncode:
        last = (errors.strip().splitlines() or ["it ended"])[-1]
        rows.append({**named, "case": part, "failed": last[:300]})
        print(errors[-3000:], file=sys.stderr, flush=True)
    return rows


def environment_of(who, on_cpu):
    """Variables of a process that measures."""
    own = {
        "KERAS_BACKEND": "torch" if who == "peer" else who,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    on_cpu = {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"} if on_cpu else {}
    return {**os.environ, **own, **on_cpu}


def table(report):
    """The rows as text."""
    lines = [f"{report['date']}  " + ", ".join(f"{k} {v}" for k, v in report["versions"].items())]
    for row in report["rows"]:
        rest = {k: v for k, v in row.items() if k not in ("section", "who", "case")}
        cells = "  ".join(f"{name} {shown(value)}" for name, value in rest.items())
        lines.append(f"{row['section']:11}{row['who']:7}{row.get('case', ''):40}{cells}")
    return "\n".join(lines)


def shown(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def measured(who, section, tiny, part="", end=float("inf")):
    """Yields the rows of a section, as dicts, in this process."""
    device = Device(who)
    yield {"case": f"device {part}".strip(), "name": device.name}
    for row in FUNCTIONS[section](who, device, tiny, part):
        yield row
        if time.time() > end:
            yield {"case": part, "left out": "the rest: no time left"}
            return


if __name__ == "__main__":
    main()
