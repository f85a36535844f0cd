"""The pipeline beside the training step, and the start of a process."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from on_gpu.device import CLASSES, photos, seconds
from on_gpu.labels import POLICIES, built, compile_with_adamw

HERE = Path(__file__).resolve().parents[1]


def pipeline(who, device, tiny, part=""):
    """Rows of images a second of the pipeline, and of training steps fed by it."""
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
        compile_with_adamw(network)
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


def start(who, device, tiny, part=""):
    """Rows of the seconds from a process' start to its first step, twice with one cache."""
    from gpu import environment_of

    side = 32 if tiny else 256
    script = f"import sys; sys.path.insert(0, {str(HERE)!r}); from on_gpu import feeding; "
    script += f"feeding.first_step({side})"
    with tempfile.TemporaryDirectory() as folder:
        own = {**environment_of(who, on_cpu=tiny), "JAX_COMPILATION_CACHE_DIR": folder}
        for which in ("first", "second"):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", script], env=own, check=True)
            yield {"case": f"{which} start", "seconds": time.perf_counter() - started}


def first_step(side):
    """One training step of a U-Net."""
    network = built("unet")
    compile_with_adamw(network)
    network.train_on_batch(photos(2, side, side), np.zeros((2, side, side), "int32"))
