"""Time and memory of non-maximum suppression and of RoIAlign, beside torchvision's kernels.

    pip install torchvision
    python benchmarks/detection_ops.py [--who tensorflow tensorflow-xla jax torch] [--rounds 3]

Suppression: 5 levels of 1000 and of 2000 proposals at threshold 0.7, and 19000 detections of 90
classes down to 100 at 0.5. RoIAlign: 512 regions of 7x7x256 over 4 levels of a 512x512 image,
forward, and forward with the gradient of the features. float32, one CPU thread; TensorFlow in a
graph and under XLA, JAX compiled, PyTorch eager. Each measurement is a process of its own; all take
turns. torchvision is left out where it does not import.

Printed are CPU milliseconds of a call (which other work on the machine changes little), medians
over the rounds, and the growth of the peak memory over that before the first call, in megabytes.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

import numpy as np

WHO = ("tensorflow", "tensorflow-xla", "jax", "torch")
TASKS = ("nms_1000", "nms_2000", "nms_classes", "roi_align", "roi_align_train")
STRIDES, IMAGE, CHANNELS, REGIONS, BINS = (4, 8, 16, 32), 512, 256, 512, 7
UPSTREAM = np.random.default_rng(2).random((1, REGIONS, BINS, BINS, CHANNELS), "float32")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--who", nargs="+", default=WHO, choices=WHO)
    parser.add_argument("--tasks", nargs="+", default=TASKS, choices=TASKS)
    parser.add_argument("--rounds", type=int, default=3, help="processes of each measurement")
    parser.add_argument("--peer", default=sys.executable, help="Python that has torchvision")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)  # what a child does
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(*options.measure)))
        return
    everyone = [*options.who]
    if not subprocess.run(
        [options.peer, "-c", "import torchvision"], capture_output=True
    ).returncode:
        everyone = ["torchvision", *everyone]
    for task in options.tasks:
        found = {who: [] for who in everyone}
        for _ in range(options.rounds):
            for who, runs in found.items():
                runs.append(child(who, task, options.peer))
        for who, runs in found.items():
            milliseconds, megabytes = map(statistics.median, zip(*runs))
            print(f"{task:16} {who:16} {milliseconds:9.1f} ms {megabytes:7.0f} MB", flush=True)


def child(who, task, peer):
    """A measurement in a process of its own: milliseconds and megabytes."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    env["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    env["KERAS_BACKEND"] = who.partition("-")[0]
    python = peer if who == "torchvision" else sys.executable
    command = [python, __file__, "--measure", who, task]
    result = subprocess.run(command, env=env, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{who} {task}: {result.stderr[-2000:]}")
    return json.loads(result.stdout.strip().splitlines()[-1])


def measure(who, task):
    step = (peer if who == "torchvision" else ours)(who, task)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step()  # compiles
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    step()
    times = []
    for _ in range(9):
        started = time.process_time()
        step()
        times.append(time.process_time() - started)
    return [1000 * statistics.median(times), memory / 1024]


def boxes_of(task):
    """Boxes around 40 objects, and as many anywhere: float32 `(G, N, 4)`."""
    rng = np.random.default_rng(0)
    groups, total = {"nms_1000": (5, 1000), "nms_2000": (5, 2000)}.get(task, (1, 19000))
    if task.startswith("roi"):
        total = REGIONS
    size = np.array([IMAGE, IMAGE] if task.startswith("roi") else [1333, 800])
    sides = np.exp(rng.uniform(np.log(16), np.log(400), (groups, total, 2)))
    centres = rng.uniform(0, size, (groups, total, 2))
    objects = rng.integers(0, 40, (groups, total // 2))[..., None]
    for values, noise in ((sides, 0.1), (centres, 8)):
        around = np.take_along_axis(values[:, :40], objects, axis=1)
        scatter = rng.normal(size=around.shape) * noise
        values[:, : total // 2] = around * (1 + scatter) if noise < 1 else around + scatter
    boxes = np.concatenate([centres - sides / 2, centres + sides / 2], axis=-1)
    return np.clip(boxes, 0, np.tile(size, 2)).astype("float32")


def case(task):
    """Arguments of a suppression: scores, threshold, how many, classes; or features."""
    rng = np.random.default_rng(1)
    boxes = boxes_of(task)
    if task.startswith("roi"):
        sides = [IMAGE // stride for stride in STRIDES]
        return boxes, [rng.normal(size=(1, n, n, CHANNELS)).astype("float32") for n in sides]
    scores = rng.random(boxes.shape[:2]).astype("float32")
    if task == "nms_classes":
        return boxes, scores, 0.5, 100, rng.integers(1, 91, scores.shape).astype("int32")
    return boxes, scores, 0.7, boxes.shape[1] if task == "nms_1000" else 2000, None


def ours(who, task):

    from kseg.ops.nms import nms
    from kseg.ops.roi_align import roi_align

    if task.startswith("roi"):
        boxes, features = case(task)

        def run(boxes, *features):
            return roi_align(features, boxes, BINS, strides=STRIDES)

        arguments = [boxes, *features]
    else:
        boxes, scores, threshold, count, classes = case(task)

        def run(boxes, scores, *classes):
            return nms(boxes, scores, threshold, count, classes=classes[0] if classes else None)

        arguments = [boxes, scores] + ([] if classes is None else [classes])
    train = task.endswith("train")
    if who == "jax":
        import jax

        if train:

            def both(upstream, boxes, *features):
                result, transpose = jax.vjp(lambda *features: run(boxes, *features), *features)
                return result, transpose(upstream)

            function, arguments = jax.jit(both), [UPSTREAM, *arguments]
        else:
            function = jax.jit(run)
        arguments = [jax.device_put(x) for x in arguments]
        return lambda: jax.block_until_ready(function(*arguments))
    if who == "torch":
        import torch

        torch.set_num_threads(1)
        arguments = [torch.from_numpy(x) for x in arguments]
        return torch_step(run, arguments, train)
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    arguments = [tf.constant(x) for x in arguments]

    @tf.function(jit_compile=who.endswith("xla"))
    def step(*arguments):
        if not train:
            return run(*arguments)
        boxes, *features = arguments
        with tf.GradientTape() as tape:
            tape.watch(features)
            result = run(boxes, *features)
        gradients = tape.gradient(result, features, tf.constant(UPSTREAM))
        return result, [tf.convert_to_tensor(gradient) for gradient in gradients]

    return lambda: step(*arguments)


def torch_step(run, arguments, train):
    import torch

    upstream = torch.from_numpy(UPSTREAM)
    if arguments[0].ndim == 2:  # torchvision: no batch, channels first
        upstream = upstream[0].permute(0, 3, 1, 2)

    def step():
        if not train:
            with torch.no_grad():
                return run(*arguments)
        boxes, *features = arguments
        for x in features:
            x.requires_grad_().grad = None
        run(boxes, *features).backward(upstream)

    return step


def peer(who, task):
    import torch
    from torchvision.ops import MultiScaleRoIAlign, batched_nms, nms

    torch.set_num_threads(1)
    if task.startswith("roi"):
        boxes, features = case(task)
        align = MultiScaleRoIAlign([str(s) for s in STRIDES], BINS, 2)

        def run(boxes, *features):
            levels = {str(s): x for s, x in zip(STRIDES, features)}
            return align(levels, [boxes], [(IMAGE, IMAGE)])

        features = [torch.from_numpy(x.transpose(0, 3, 1, 2).copy()) for x in features]
        return torch_step(run, [torch.from_numpy(boxes[0]), *features], task.endswith("train"))
    boxes, scores, threshold, count, classes = case(task)
    boxes, scores = torch.from_numpy(boxes), torch.from_numpy(scores)
    if classes is not None:
        classes = torch.from_numpy(classes)
        return lambda: batched_nms(boxes[0], scores[0], classes[0], threshold)[:count]
    return lambda: [nms(*group, threshold)[:count] for group in zip(boxes, scores)]


if __name__ == "__main__":
    main()
