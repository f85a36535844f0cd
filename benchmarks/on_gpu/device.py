"""The device that is measured: its name, its clock, its memory, and its turns."""

import contextlib
import fcntl
import os
import statistics
import time

import numpy as np

CLASSES = 21
LOCK = "KSEG_BENCHMARK_LOCK"  # variable with the file by which processes take turns
# dense operations a second, by a part of the device's name and by precision
PEAKS = {
    "H100 PCIe": {"float32": 51e12, "tf32": 378e12, "half": 756e12},
    "H100": {"float32": 67e12, "tf32": 495e12, "half": 989e12},
    "H200": {"float32": 67e12, "tf32": 495e12, "half": 989e12},
    "A100": {"float32": 19.5e12, "tf32": 156e12, "half": 312e12},
    "L4": {"float32": 30e12, "tf32": 60e12, "half": 121e12},
    "T4": {"float32": 8e12, "half": 65e12},
}


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

    def put(self, array):
        """The array on the device, so that a step is measured without the way there."""
        import keras

        if self.backend != "torch":
            return keras.ops.convert_to_tensor(array)
        import torch

        return torch.as_tensor(array, device="cuda" if self.gpu else "cpu")

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
    """Median seconds of a step, after two that compile and warm up; timed with nobody beside."""
    with beside_others():
        for _ in range(2):
            step()
        device.wait()
    times = []
    with alone():
        for number in range(count + 1):
            started = time.perf_counter()
            step()
            device.wait()
            if number:  # the first wakes the clocks
                times.append(time.perf_counter() - started)
    return statistics.median(times)


def beside_others():
    """Work that others may do at the same time, and that nobody times meanwhile."""
    return _locked(fcntl.LOCK_SH)


def alone():
    """Work with the device to itself."""
    return _locked(fcntl.LOCK_EX)


@contextlib.contextmanager
def _locked(kind):
    name = os.environ.get(LOCK)
    if not name:
        yield
        return
    with open(name) as file:
        fcntl.flock(file, kind)
        yield


def photos(count, height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
