"""What a GPU gives in a quarter of an hour: time, memory and exactness, beside the peers.

    python benchmarks/gpu.py [--minutes 8] [--backends torch jax] [--json gpu.json] [--tiny]

Needs nothing but what kseg itself needs, and no network; segmentation_models.pytorch and
torchvision are measured where they import. Each section is a process of its own, the most telling
ones first; what does not fit into the minutes is named as left out. `--tiny` runs the same on a
CPU, at sizes that say nothing.

Sections:

    numbers     logits and detections on the device beside those on the CPU, the same weights
    models      U-Net and DeepLabV3+ on a ResNet-18, 512x512, batch 16, by precision: a training
                step and a prediction, images a second, share of the peak, memory
    detection   Mask R-CNN (ResNet-50), 800x1344, two images of 32 objects
    operations  NMS of 5 x 2,000 boxes, and RoIAlign of 512 regions with its gradient
    memory      500 predictions of photos of three sizes
    finite      200 steps in float16 and in bfloat16
    pipeline    images a second of JPEGs of 640x480 cropped to 512x512, beside the training step
    start       seconds to the first step, and of a second process with JAX' cache of programs

A step's time is the clock's, the median of several, each waited for. The share of the peak counts
the convolutions' multiplications and additions alone, a training step as three predictions.
"""

import argparse
import contextlib
import datetime
import importlib.metadata
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

CLASSES = 21
SECTIONS = (
    "numbers",
    "models",
    "detection",
    "operations",
    "finite",
    "memory",
    "pipeline",
    "start",
)
PEER_SECTIONS = ("models", "detection", "operations")
PACKAGES = {"models": "segmentation_models_pytorch"}  # of the peer; else torchvision
# dense operations a second, by a part of the device's name and by precision
PEAKS = {
    "H100 PCIe": {"float32": 51e12, "tf32": 378e12, "half": 756e12},
    "H100": {"float32": 67e12, "tf32": 495e12, "half": 989e12},
    "H200": {"float32": 67e12, "tf32": 495e12, "half": 989e12},
    "A100": {"float32": 19.5e12, "tf32": 156e12, "half": 312e12},
    "L4": {"float32": 30e12, "tf32": 60e12, "half": 121e12},
    "T4": {"float32": 8e12, "half": 65e12},
}
POLICIES = {
    "float32": "float32",
    "tf32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}
MODELS = {"unet": {}, "deeplabv3plus": {"separable": True}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=8, help="for all of it")
    parser.add_argument("--backends", nargs="+", default=["torch", "jax"])
    parser.add_argument("--sections", nargs="+", default=SECTIONS, choices=SECTIONS)
    parser.add_argument("--json", type=Path, help="file for the numbers")
    parser.add_argument("--tiny", action="store_true", help="on a CPU, at sizes that say nothing")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)  # who, section, end
    options = parser.parse_args()
    if options.child:
        who, section, end = options.child
        for row in measured(who, section, options.tiny, float(end)):
            print("ROW", json.dumps(row), flush=True)
        return
    end = time.time() + 60 * options.minutes
    report = {"date": datetime.datetime.now().isoformat(timespec="minutes"), "rows": []}
    report["versions"] = versions()
    for section in options.sections:
        for who in everyone(section, options.backends):
            report["rows"] += child(who, section, options.tiny, end)
            if options.json:
                options.json.write_text(json.dumps(report, indent=1) + "\n")
    print(table(report))


def versions():
    """Of what is measured."""
    found = {}
    for name in ("keras", "torch", "jax", "tensorflow", "torchvision", *PACKAGES.values()):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name.replace("_", "-"))
    return found


def everyone(section, backends):
    """Who is measured: the backends, and the peer if it imports."""
    if section == "start":
        return [who for who in backends if who == "jax"]
    peer = importlib.util.find_spec(PACKAGES.get(section, "torchvision")) is not None
    return [*backends, *(["peer"] if peer and section in PEER_SECTIONS else [])]


def child(who, section, tiny, end):
    """The rows of a section, measured in a process of its own; or one that says what went wrong."""
    named = {"section": section, "who": who}
    left = end - time.time()
    if left < 10:
        return [{**named, "left out": "no time left"}]
    command = [sys.executable, __file__, "--child", who, section, str(end)]
    environment = {**os.environ, **environment_of(who, tiny)}
    print(f"{section}, {who} ...", file=sys.stderr, flush=True)
    process = subprocess.Popen(
        command + (["--tiny"] if tiny else []),
        env=environment,
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
        rows.append({**named, "failed": last[:300]})
    return rows


def environment_of(who, tiny):
    """Variables of a process that measures."""
    own = {
        "KERAS_BACKEND": "torch" if who == "peer" else who,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    on_cpu = {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu", "OMP_NUM_THREADS": "1"}
    return {**own, **on_cpu} if tiny else own


def table(report):
    """The rows as text."""
    lines = [f"{report['date']}  " + ", ".join(f"{k} {v}" for k, v in report["versions"].items())]
    for row in report["rows"]:
        rest = {k: v for k, v in row.items() if k not in ("section", "who", "case")}
        cells = "  ".join(f"{name} {shown(value)}" for name, value in rest.items())
        lines.append(f"{row['section']:11}{row['who']:11}{row.get('case', ''):34}{cells}")
    return "\n".join(lines)


def shown(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def measured(who, section, tiny, end=float("inf")):
    """Yields the rows of a section, as dicts, in this process."""
    device = Device(who)
    yield {"case": "device", "name": device.name}
    for row in FUNCTIONS[section](who, device, tiny):
        yield row
        if time.time() > end:
            yield {"left out": "the rest: no time left"}
            return


class Device:
    """What runs: a GPU or the CPU, by the backend.

    Args:
        who: A backend, or `"peer"`, on PyTorch.
    """

    def __init__(self, who):
        self.backend = "torch" if who == "peer" else who
        self.gpu, self.name = False, "cpu"
        if self.backend == "torch":
            import torch

            self.gpu = torch.cuda.is_available()
            self.name = torch.cuda.get_device_name() if self.gpu else "cpu"
        elif self.backend == "jax":
            import jax

            self.jax = jax.devices()[0]
            self.gpu, self.name = self.jax.platform == "gpu", self.jax.device_kind
        else:
            import tensorflow as tf

            found = tf.config.list_physical_devices("GPU")
            self.gpu = bool(found)
            if found:
                self.name = tf.config.experimental.get_device_details(found[0])["device_name"]

    def wait(self):
        """Until all is computed that was asked for."""
        if self.backend == "torch" and self.gpu:
            import torch

            torch.cuda.synchronize()

    def forget_peak(self):
        if self.backend == "torch" and self.gpu:
            import torch

            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def gigabytes(self):
        """The most that was held; of JAX since its process began; None where it is not known."""
        if not self.gpu:
            return None
        if self.backend == "torch":
            import torch

            return torch.cuda.max_memory_allocated() / 2**30
        if self.backend == "jax":
            return self.jax.memory_stats()["peak_bytes_in_use"] / 2**30
        import tensorflow as tf

        return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**30

    def peak(self, precision):
        """Operations a second at most, or None."""
        kind = precision if precision in ("float32", "tf32") else "half"
        names = [name for name in PEAKS if name in self.name]
        return PEAKS[names[0]].get(kind) if names else None

    def allow_tf32(self, allowed):
        if self.backend == "torch":
            import torch

            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
        elif self.backend == "jax":
            import jax

            precision = "tensorfloat32" if allowed else "float32"
            jax.config.update("jax_default_matmul_precision", precision if self.gpu else None)
        else:
            import tensorflow as tf

            tf.config.experimental.enable_tensor_float_32_execution(allowed)


def seconds(device, step, count):
    """Median seconds of a step, after two that compile and warm up."""
    times = []
    for _ in range(count + 2):
        started = time.perf_counter()
        step()
        device.wait()
        times.append(time.perf_counter() - started)
    return statistics.median(times[2:])


def photos(count, height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


# Models that label pixels


def models(who, device, tiny):
    """Rows of training steps and predictions."""
    side, batch, count = (32, 2, 1) if tiny else (512, 16, 7)
    images = photos(batch, side, side)
    labels = np.random.default_rng(1).integers(0, CLASSES, (batch, side, side))
    precisions = ["bfloat16"] if tiny else ["tf32", "bfloat16", "float32", "float16"]
    for precision in precisions:
        for name in MODELS:
            device.allow_tf32(precision == "tf32")
            made = peers if who == "peer" else ours
            for mode, steps, operations in made(name, images, labels, precision):
                device.forget_peak()
                row = {"case": f"{name} {precision}{mode}"}
                for kind, step, times in zip(("train", "predict"), steps, (3, 1)):
                    took = seconds(device, step, count)
                    row |= {f"{kind} ms": 1000 * took, f"{kind} images/s": batch / took}
                    if operations and device.peak(precision):
                        share = operations * times / took / device.peak(precision)
                        row[f"{kind} share of peak"] = share
                yield row | {"GB": device.gigabytes()}


def ours(name, images, labels, precision):
    """A model of kseg: what follows its name, its two steps, operations of a prediction."""
    import keras

    network = built(name, POLICIES[precision])
    network.compile(keras.optimizers.AdamW(1e-3), loss=cross_entropy())
    operations = convolved_operations(network, images.shape)
    steps = (
        lambda: network.train_on_batch(images, labels),
        lambda: forward(network, images),
    )
    yield "", steps, operations


def cross_entropy():
    import kseg

    return kseg.CrossEntropyLoss()


def forward(network, images):
    from kseg.prediction.network import forward

    return forward(network, images)


def built(name, policy="float32"):
    import keras

    import kseg

    keras.config.set_dtype_policy(policy)
    try:
        return getattr(kseg, f"build_{name}")(
            CLASSES, encoder="torchvision:resnet18", compile=False, **MODELS[name]
        )
    finally:
        keras.config.set_dtype_policy("float32")


def convolved_operations(model, shape):
    """Multiplications and additions of a model's convolutions, for images of a shape."""
    import keras

    from kseg.models.graph import flattened, nodes_of

    model = flattened(model)
    nodes = [node for node in nodes_of(model) if hasattr(node.operation, "kernel_size")]
    outputs = [node.outputs[0] for node in nodes]
    probe = keras.KerasTensor(shape)
    specs = keras.tree.flatten(keras.Model(model.input, outputs).compute_output_spec(probe))
    total = 0
    for node, spec in zip(nodes, specs):
        layer, places = node.operation, int(np.prod(spec.shape[:3]))
        total += 2 * places * int(np.prod(layer.kernel.shape)) // strides_up(layer)
    return total


def strides_up(layer):
    """By what a transposed convolution has more places than kernels' multiplications."""
    import keras

    up = isinstance(layer, keras.layers.Conv2DTranspose)
    return int(np.prod(layer.strides)) if up else 1


def peers(name, images, labels, precision):
    """segmentation_models.pytorch: as it is, channels-last, and compiled."""
    import torch
    from models import peer_network

    device = "cuda" if torch.cuda.is_available() else "cpu"
    kind = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(precision)
    for mode in ("", " channels-last", " compiled"):
        torch._dynamo.reset()
        network = peer_network(name).to(device)
        layout = torch.channels_last if mode else torch.contiguous_format
        network = network.to(memory_format=layout)
        optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
        scaler = torch.amp.GradScaler(device, enabled=precision == "float16")
        call = torch.compile(network) if mode == " compiled" else network

        def logits(call=call, layout=layout):
            x = torch.as_tensor(images, device=device).permute(0, 3, 1, 2).float()
            x = ((x / 255 - 0.45) / 0.225).to(memory_format=layout)
            with torch.autocast(device, kind or torch.bfloat16, enabled=kind is not None):
                return call(x).float()

        def train(network=network, optimizer=optimizer, scaler=scaler, logits=logits):
            network.train()
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(
                logits(), torch.as_tensor(labels, device=device)
            )
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            return loss.item()

        def predict(network=network, logits=logits):
            network.eval()
            with torch.no_grad():
                return logits().cpu()

        yield mode, (train, predict), None


# Mask R-CNN


def detection(who, device, tiny):
    """Rows of Mask R-CNN's training step and prediction."""
    height, width, batch, objects, count = (64, 96, 1, 2, 1) if tiny else (800, 1344, 2, 32, 5)
    scene = boxes_and_masks(height, width, batch, objects)
    device.allow_tf32(True)
    made = torchvision_detector if who == "peer" else our_detector
    row = {"case": f"mask_rcnn {height}x{width} x{batch}"}
    for kind, step in zip(("train", "predict"), made(*scene, tiny)):
        row[f"{kind} ms"] = 1000 * seconds(device, step, count)
    yield row | {"GB": device.gigabytes()}


def boxes_and_masks(height, width, batch, objects):
    """Images, and rectangles as their objects."""
    rng = np.random.default_rng(0)
    corners = rng.integers(0, (width - 24, height - 24), (batch, objects, 2))
    ends = np.minimum(corners + rng.integers(24, 200, corners.shape), (width, height))
    boxes = np.concatenate([corners, ends], axis=-1)
    masks = np.zeros((batch, objects, height, width), np.uint8)
    for image in range(batch):
        for mask, (x1, y1, x2, y2) in zip(masks[image], boxes[image]):
            mask[y1:y2, x1:x2] = 1
    classes = rng.integers(0, CLASSES, (batch, objects)).astype("int32")
    return photos(batch, height, width), boxes.astype("float32"), classes, masks


def our_detector(images, boxes, classes, masks, tiny):
    import keras

    import kseg

    small = {"fpn_width": 8, "box_width": 8, "mask_width": 8, "region_samples": 16}
    encoder = f"torchvision:resnet{18 if tiny else 50}"
    model = kseg.build_mask_rcnn(
        CLASSES, encoder=encoder, seed=0, compile=False, **(small if tiny else {})
    )
    model.compile(keras.optimizers.SGD(1e-4, momentum=0.9))
    labels = {"boxes": boxes, "classes": classes, "masks": masks}
    sizes = np.full((len(images), 2), images.shape[1:3], np.int32)
    inputs = {"image": images.astype("float32"), "size": sizes}
    return (
        lambda: model.train_on_batch(images, labels),
        lambda: forward(model.detector, inputs),
    )


def torchvision_detector(images, boxes, classes, masks, tiny):
    import torch
    from torchvision.models.detection import maskrcnn_resnet50_fpn

    device = "cuda" if torch.cuda.is_available() else "cpu"
    sides = {"min_size": min(images.shape[1:3]), "max_size": max(images.shape[1:3])}
    network = maskrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=CLASSES + 1, **sides
    ).to(device)
    optimizer = torch.optim.SGD(network.parameters(), 1e-4, momentum=0.9)
    x = [torch.as_tensor(image, device=device).permute(2, 0, 1).float() / 255 for image in images]
    targets = [
        {
            "boxes": torch.as_tensor(boxes[i], device=device),
            "labels": torch.as_tensor(classes[i], device=device).long() + 1,
            "masks": torch.as_tensor(masks[i], device=device),
        }
        for i in range(len(images))
    ]

    def train():
        network.train()
        optimizer.zero_grad()
        sum(network(x, targets).values()).backward()
        optimizer.step()

    def predict():
        network.eval()
        with torch.no_grad():
            return network(x)

    return train, predict


# Operations of detection


def operations(who, device, tiny):
    """Rows of NMS and RoIAlign alone."""
    rng = np.random.default_rng(0)
    boxes, regions, side = (50, 8, 64) if tiny else (2000, 512, 512)
    corners = rng.uniform(0, side, (5, boxes, 2))
    found = np.concatenate([corners, corners + rng.uniform(8, 100, corners.shape)], -1)
    found = found.astype("float32")
    scores = rng.random((5, boxes)).astype("float32")
    features = [
        rng.normal(size=(1, side // s, side // s, 256)).astype("float32") for s in (4, 8, 16, 32)
    ]
    made = {"peer": torchvision_operations, "jax": jax_operations, "torch": torch_operations}
    if who not in made:
        return
    named = made[who](found, scores, found[:1, :regions], features)
    for name, step in named.items():
        yield {"case": name, "ms": 1000 * seconds(device, step, 1 if tiny else 10)}


def jax_operations(boxes, scores, regions, features):
    import jax

    from kseg.ops.nms import nms
    from kseg.ops.roi_align import roi_align

    def align(features):
        return roi_align(features, regions, 7, strides=(4, 8, 16, 32)).sum()

    suppress = jax.jit(lambda boxes, scores: nms(boxes, scores, 0.7, 1000))
    both = jax.jit(jax.value_and_grad(align))
    boxes, scores, features = jax.device_put((boxes, scores, features))
    return {
        "nms 5 x 2000": lambda: jax.block_until_ready(suppress(boxes, scores)),
        "roi_align and gradient": lambda: jax.block_until_ready(both(features)),
    }


def torch_operations(boxes, scores, regions, features):
    import keras
    import torch

    from kseg.ops.nms import nms
    from kseg.ops.roi_align import roi_align

    boxes, scores, regions = map(keras.ops.convert_to_tensor, (boxes, scores, regions))
    features = [keras.ops.convert_to_tensor(each).requires_grad_() for each in features]

    def suppress():
        with torch.no_grad():
            return nms(boxes, scores, 0.7, 1000)

    def both():
        torch.autograd.grad(roi_align(features, regions, 7, strides=(4, 8, 16, 32)).sum(), features)

    return {"nms 5 x 2000": suppress, "roi_align and gradient": both}


def torchvision_operations(boxes, scores, regions, features):
    import torch
    from torchvision.ops import MultiScaleRoIAlign, nms

    device = "cuda" if torch.cuda.is_available() else "cpu"
    boxes, scores, regions = (torch.as_tensor(x, device=device) for x in (boxes, scores, regions))
    align = MultiScaleRoIAlign(["0", "1", "2", "3"], 7, 2)
    side = 4 * features[0].shape[1]
    levels = {
        str(i): torch.as_tensor(x, device=device).permute(0, 3, 1, 2).requires_grad_()
        for i, x in enumerate(features)
    }

    def both():
        found = align(levels, [regions[0]], [(side, side)]).sum()
        torch.autograd.grad(found, list(levels.values()), allow_unused=True)

    return {
        "nms 5 x 2000": lambda: [nms(*group, 0.7)[:1000] for group in zip(boxes, scores)],
        "roi_align and gradient": both,
    }


# Exactness, memory, endurance


def numbers(who, device, tiny):
    """Rows of how far a device's outputs lie from the CPU's, as a share of the largest."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "cpu.npz")
        if not device.gpu:
            expected = outputs(device, tiny)
        else:
            script = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import gpu; "
            script += f"import numpy as np; np.savez({str(file)!r}, "
            script += f"**gpu.outputs(gpu.Device({who!r}), {tiny}))"
            own = {**os.environ, **environment_of(who, True)}
            subprocess.run([sys.executable, "-c", script], env=own, check=True)
            with np.load(file) as stored:
                expected = {name: stored[name] for name in stored.files}
    for name, values in outputs(device, tiny).items():
        far = np.abs(values - expected[name]).max() / max(np.abs(expected[name]).max(), 1e-9)
        yield {"case": f"{name}, beside the CPU's", "farthest": float(far)}


def outputs(device, tiny):
    """Logits and detections of models whose weights are the same on every device."""
    import kseg

    device.allow_tf32(False)
    found, side = {}, 64 if tiny else 256
    for name in MODELS:
        found[name] = forward(with_numbers(built(name)), photos(1, side, side))
    small = {"fpn_width": 16, "box_width": 16, "mask_width": 16, "min_score": 0.0}
    model = with_numbers(
        kseg.build_mask_rcnn(5, encoder="torchvision:resnet18", compile=False, **small)
    )
    sizes = np.full((1, 2), side, np.int32)
    inputs = {"image": photos(1, side, side).astype("float32"), "size": sizes}
    detections = forward(model.detector, inputs)
    return found | {name: detections[name] for name in ("boxes", "scores")}


def with_numbers(model):
    """The model with weights that NumPy drew."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if len(weight.shape) > 1:
            spread = np.sqrt(2 / np.prod(weight.shape[:-1]))
            weight.assign(rng.normal(0, spread, weight.shape))
    return model


def memory(who, device, tiny):
    """Rows of the memory over many predictions."""
    import resource

    network, count = built("unet"), 6 if tiny else 500
    sizes = [(64, 64), (64, 96)] if tiny else [(512, 512), (512, 768), (480, 640)]
    curve = []
    for number in range(count):
        forward(network, photos(1, *sizes[number % len(sizes)], seed=number))
        if number % max(1, count // 10) == count // 10 - 1 or tiny:
            curve.append(held(device, resource))
    yield {"case": f"{count} predictions", "MB": curve}


def held(device, resource):
    """Megabytes: of PyTorch's GPU what is allocated now, else the peak so far."""
    if device.gpu and device.backend == "torch":
        import torch

        return round(torch.cuda.memory_allocated() / 2**20)
    if device.gpu and device.backend == "jax":
        return round(device.jax.memory_stats()["bytes_in_use"] / 2**20)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10)


def finite(who, device, tiny):
    """Rows of whether steps in 16 bits stay finite."""
    import keras

    side, batch, steps = (32, 2, 3) if tiny else (256, 8, 200)
    images = photos(batch, side, side)
    labels = (images[..., 0] > 127).astype("int32")
    for precision in ("bfloat16",) if tiny else ("bfloat16", "float16"):
        network = built("unet", POLICIES[precision])
        network.compile(keras.optimizers.AdamW(1e-3), loss=cross_entropy())
        losses = [float(network.train_on_batch(images, labels)) for _ in range(steps)]
        yield {
            "case": f"{steps} steps {precision}",
            "finite": bool(np.isfinite(losses).all()),
            "first": losses[0],
            "last": losses[-1],
        }


# The pipeline, and the start


def pipeline(who, device, tiny):
    """Rows of images a second of the pipeline, and of training steps fed by it."""
    import keras
    from PIL import Image

    import kseg

    side, batch, count = (32, 2, 1) if tiny else (512, 16, 30)
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("photos", "masks"):
            Path(folder, kind).mkdir()
        for number, photo in enumerate(photos(4 if tiny else 64, 480, 640)):
            smooth = Image.fromarray(photo[::16, ::16]).resize((640, 480))
            smooth.save(Path(folder, "photos", f"{number}.jpg"), quality=90)
            Image.fromarray(photo[:, :, 0] % CLASSES).save(Path(folder, "masks", f"{number}.png"))
        names = [str(number) for number in range(CLASSES)]
        source = kseg.data.folder(f"{folder}/photos", f"{folder}/masks", names)
        options = {"size": (side, side), "batch_size": batch, "augment": True, "start_step": 0}
        batches = iter(kseg.data.batches(source, **options))
        alone = seconds(device, lambda: next(batches), count)
        network = built("unet", POLICIES["bfloat16"])
        network.compile(keras.optimizers.AdamW(1e-3), loss=cross_entropy())
        ready = next(batches)
        step = seconds(device, lambda: network.train_on_batch(*ready), count)
        fed = seconds(device, lambda: network.train_on_batch(*next(batches)), count)
    yield {
        "case": f"{side}x{side}, batch {batch}, bfloat16",
        "pipeline images/s": batch / alone,
        "step images/s": batch / step,
        "fed images/s": batch / fed,
        "share waiting": max(0.0, 1 - step / fed),
        "cores": os.cpu_count(),
    }


def start(who, device, tiny):
    """Rows of the seconds from a process' start to its first step, twice with one cache."""
    side = 32 if tiny else 256
    script = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import gpu; "
    script += f"gpu.first_step({side})"
    with tempfile.TemporaryDirectory() as folder:
        own = {**os.environ, **environment_of(who, tiny), "JAX_COMPILATION_CACHE_DIR": folder}
        for which in ("first", "second"):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", script], env=own, check=True)
            yield {"case": f"{which} start", "seconds": time.perf_counter() - started}


def first_step(side):
    """One training step of a U-Net."""
    import keras

    network = built("unet")
    network.compile(keras.optimizers.AdamW(1e-3), loss=cross_entropy())
    network.train_on_batch(photos(2, side, side), np.zeros((2, side, side), "int32"))


FUNCTIONS = {
    "numbers": numbers,
    "models": models,
    "detection": detection,
    "operations": operations,
    "finite": finite,
    "memory": memory,
    "pipeline": pipeline,
    "start": start,
}


if __name__ == "__main__":
    main()
