"""Which devices share the steps of a training."""

from kseg.base.arguments import refused
from kseg.runs.run import Run
from kseg.training.devices import started
from kseg.training.devices.one import Devices

ALL = "all"


def opened(devices, model=None):
    """The devices to train on.

    Args:
        devices: How many of this machine; `"all"`; or None for one, or for those that the way in
            which the program was started, or the model was built, says.
        model: What is to be trained, if it is there already.

    Returns:
        `Devices`.

    Raises:
        ValueError: there are not so many, or the backend cannot.
    """
    import keras

    return OPENED[keras.backend.backend()](devices, model)


def meet():
    """Goes on when all processes are here: until then the first needs the others."""
    if started.asked() is not None:
        opened(None).wait()


def asked_for(settings, changed, run):
    """The devices of the settings, what is given alone before them; of a run that goes on its own.

    Args:
        settings: `Settings` or None.
        changed: dict of single settings that are given.
        run: Path of the run; None of a new one.
    """
    given = changed.get("devices") or (settings and settings.devices)
    if given is None and run is not None:
        given = Run.open(run).settings.get("devices")
    return given


def check_batch(devices, batch_size, name="batch_size"):
    """Raises `ValueError` unless each device gets its part of a batch."""
    count = devices.count
    if devices.uneven and batch_size >= count:
        return
    if not devices.uneven and batch_size % count == 0:
        return
    expected = f"a multiple of the {count} devices that share it"
    if devices.uneven:
        expected = f"{count} or more, of which each of {count} devices gets one"
    near = max(count, batch_size // count * count)
    fewer = max(n for n in range(1, count + 1) if n <= batch_size and batch_size % n == 0)
    remedy = f"Give {near}, or train on {fewer} of the devices."
    raise refused(name, batch_size, expected, remedy)


def _known(devices, there, what):
    """How many of the devices that are there; `ValueError` if they are fewer."""
    count = there if devices == ALL else devices or 1
    if count > there:
        expected = f"at most {there}, which is what there is: {what}"
        raise refused("devices", devices, expected, f"Give {there}, or leave it out.")
    return count


def _on_jax(devices, model):
    import jax

    started.on_jax()
    if jax.process_count() > 1:
        if devices not in (None, ALL):
            expected = "None or 'all' where several processes train: each gives all its devices"
            remedy = "Leave it out, or show each process fewer (CUDA_VISIBLE_DEVICES)."
            raise refused("devices", devices, expected, remedy)
        chosen = jax.devices()
    else:
        local = jax.local_devices()
        cpu = (
            ""
            if local[0].platform != "cpu"
            else (", where XLA_FLAGS=--xla_force_host_platform_device_count=2 makes two of the CPU")
        )
        chosen = local[: _known(devices, len(local), f"JAX sees {local[0].platform}{cpu}")]
    if len(chosen) == 1:
        return Devices()
    from kseg.training.devices.on_jax import DataParallel

    return DataParallel(chosen)


def _on_tensorflow(devices, model):
    started.on_tensorflow()
    strategy = getattr(model, "_distribute_strategy", None)
    count = strategy.num_replicas_in_sync if strategy is not None else None
    if devices is None and (count is None or count == 1):
        return Devices()
    from kseg.training.devices.on_tensorflow import Mirrored, listed

    there = listed()
    number = (
        _known(devices, len(there), f"TensorFlow sees {there[0].device_type}") if devices else count
    )
    if model is not None and (count or 1) != number:
        expected = f"{count or 'None'}: the model is built for as many"
        remedy = (
            "Build it within tf.distribute.MirroredStrategy().scope(), or let the settings build "
            "it (model=None)."
        )
        raise refused("devices", devices, expected, remedy)
    if number == 1:
        return Devices()
    return Mirrored(strategy) if model is not None else Mirrored.of(number)


def _on_torch(devices, model):
    processes = started.on_torch()
    if devices not in (None, ALL, processes):
        expected = f"{processes}, the processes that train: on PyTorch each has one device"
        remedy = f"Start as many: torchrun --nproc-per-node {devices} -m -- kseg fit ..."
        raise refused("devices", devices, expected, remedy)
    if processes == 1:
        return Devices()
    from kseg.training.devices.on_torch import TorchProcesses

    return TorchProcesses()


OPENED = {"jax": _on_jax, "tensorflow": _on_tensorflow, "torch": _on_torch}
