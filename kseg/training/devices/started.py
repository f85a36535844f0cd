"""How a program that trains in several processes was started: what its environment says.

`torchrun` says `WORLD_SIZE`; Keras, for JAX, reads `KERAS_DISTRIBUTION_NUM_PROCESSES`,
`KERAS_DISTRIBUTION_PROCESS_ID` and `KERAS_DISTRIBUTION_JOB_ADDRESSES`.
"""

import contextlib
import json
import os

from kseg.base.arguments import refused

KERAS = "KERAS_DISTRIBUTION_NUM_PROCESSES"
TORCHRUN = "WORLD_SIZE"
PLACES = {KERAS: "KERAS_DISTRIBUTION_PROCESS_ID", TORCHRUN: "RANK"}


def asked():
    """`(variable, processes)` of the environment, the first that asks for several; else None."""
    for name in (KERAS, TORCHRUN):
        value = os.environ.get(name, "")
        if value.isdigit() and int(value) > 1:
            return name, int(value)
    return None


def is_first():
    """Whether it is for this process to write files and to speak."""
    told = asked()
    return told is None or os.environ.get(PLACES[told[0]], "0") == "0"


@contextlib.contextmanager
def first_speaks(first=None):
    """Within it only the first process prints; errors are everybody's.

    Args:
        first: Whether this is the first; None to go by the environment.
    """
    if is_first() if first is None else first:
        yield
        return
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


def join():
    """Joins the processes before anything is computed, where several were started."""
    if asked() is not None:
        import keras

        {"jax": on_jax, "tensorflow": on_tensorflow, "torch": on_torch}[keras.backend.backend()]()


def on_jax():
    """Joins the processes that `KERAS_DISTRIBUTION_...` speaks of, unless that is done.

    Raises:
        ValueError: it is too late for that, or they were started in another backend's way.
    """
    import jax
    import keras

    if jax.distributed.is_initialized() or asked() is None:
        return
    name, processes = asked()
    if name == TORCHRUN:
        remedy = "Start each with KERAS_DISTRIBUTION_NUM_PROCESSES and its like in its place."
        raise refused(name, processes, "none on JAX, which torchrun does not start", remedy)
    try:
        keras.distribution.initialize()
    except RuntimeError as error:
        if "before any JAX" not in str(error):
            raise
        remedy = "Call keras.distribution.initialize() first thing in your program."
        expected = "processes that are joined before the first array is made"
        raise refused(name, processes, expected, remedy) from error


def on_tensorflow():
    """Raises `ValueError` where several processes are to train: on TensorFlow one does."""
    told = asked()
    try:
        workers = json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster", {})
    except ValueError:
        workers = {}
    number = sum(len(each) for each in workers.values())
    if number > 1:
        told = "TF_CONFIG", number
    if told is not None:
        expected = "one process on TensorFlow, whose fit fails in Keras with several"
        remedy = f"Unset {told[0]} for the devices of one machine; many train on JAX or PyTorch."
        raise refused(told[0], told[1], expected, remedy)


def on_torch():
    """How many processes train together.

    Raises:
        ValueError: they were started in another backend's way.
    """
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        return dist.get_world_size()
    told = asked()
    if told is None:
        return 1
    name, processes = told
    if name == KERAS:
        remedy = "Start them by torchrun; or set KERAS_BACKEND=jax."
        raise refused(name, processes, "none on PyTorch, which has it of torchrun", remedy)
    return processes
