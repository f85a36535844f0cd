"""Numbers beside the CPU's, memory over many predictions, steps in 16 bits."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from on_gpu.device import Device, beside_others, photos
from on_gpu.labels import MODELS, POLICIES, built, compile_with_adamw

HERE = Path(__file__).resolve().parents[1]


def numbers(who, device, tiny, part=""):
    """Rows of how far a device's outputs lie from the CPU's, as a share of the largest."""
    from gpu import environment_of

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "cpu.npz")
        if not device.gpu:
            expected = outputs(device, tiny)
        else:
            script = f"import sys; sys.path.insert(0, {str(HERE)!r}); import numpy as np; "
            script += "from on_gpu import exactness; "
            script += f"np.savez({str(file)!r}, **exactness.on_device({who!r}, {tiny}))"
            own = environment_of(who, on_cpu=True)
            subprocess.run([sys.executable, "-c", script], env=own, check=True)
            with np.load(file) as stored:
                expected = {name: stored[name] for name in stored.files}
    with beside_others():
        found = outputs(device, tiny)
    for name, values in found.items():
        far = np.abs(values - expected[name]).max() / max(np.abs(expected[name]).max(), 1e-9)
        yield {"case": f"{name}, beside the CPU's", "farthest": float(far)}


def on_device(who, tiny):
    return outputs(Device(who), tiny)


def outputs(device, tiny):
    """Logits and detections of models whose weights are the same on every device."""
    import kseg
    from kseg.prediction.network import forward

    device.allow_tf32(False)
    found, side = {}, 64 if tiny else 256
    for name in MODELS:
        found[name] = forward(with_numbers(built(name)), photos(1, side, side))
    small = {"fpn_width": 16, "box_width": 16, "mask_width": 16, "min_score": 0.0}
    model = with_numbers(
        kseg.build_mask_rcnn(5, encoder="torchvision:resnet18", compile=False, **small), trunk=0.5
    )
    sizes = np.full((1, 2), side, np.int32)
    inputs = {"image": photos(1, side, side).astype("float32"), "size": sizes}
    detections = forward(model.detector, inputs)
    return found | {name: detections[name][:, :20] for name in ("boxes", "scores")}  # the best


def with_numbers(model, trunk=1.0):
    """The model with weights that NumPy drew; a Mask R-CNN's trunk by smaller ones, so that scores
    are neither 0 nor 1."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if len(weight.shape) > 1:
            spread = np.sqrt(2 / np.prod(weight.shape[:-1]))
            spread *= 1 if weight.path.startswith(("box", "rpn", "mask")) else trunk
            weight.assign(rng.normal(0, spread, weight.shape))
    return model


def memory(who, device, tiny, part=""):
    """Rows of the memory over many predictions."""
    from kseg.prediction.semantic import labels_on_batch

    network, count = built("unet"), 6 if tiny else 500
    sizes = [(64, 64), (64, 96)] if tiny else [(512, 512), (512, 768), (480, 640)]
    curve = []
    with beside_others():
        for number in range(count):
            labels_on_batch(network, photos(1, *sizes[number % len(sizes)], seed=number))
            if number % max(1, count // 10) == count // 10 - 1 or tiny:
                curve.append(held(device))
    yield {"case": f"{count} predictions", "MB": curve}


def held(device):
    """Megabytes: of the GPU what is allocated now; of the CPU the peak of the process so far."""
    if device.gpu and device.backend == "torch":
        import torch

        return round(torch.cuda.memory_allocated() / 2**20)
    if device.gpu and device.backend == "jax":
        return round(device.jax.memory_stats()["bytes_in_use"] / 2**20)
    import resource

    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10)


def finite(who, device, tiny, part=""):
    """Rows of whether steps in 16 bits stay finite."""
    side, batch, steps = (32, 2, 3) if tiny else (256, 8, 200)
    images = photos(batch, side, side)
    labels = (images[..., 0] > 127).astype("int32")
    for precision in ("bfloat16",) if tiny else ("bfloat16", "float16"):
        network = built("unet", POLICIES[precision])
        compile_with_adamw(network)
        with beside_others():
            losses = [float(network.train_on_batch(images, labels)) for _ in range(steps)]
        yield {
            "case": f"{steps} steps {precision}",
            "finite": bool(np.isfinite(losses).all()),
            "first": losses[0],
            "last": losses[-1],
        }
