"""Processes of `trained_on_devices.py`, as a test starts them, and what they saw."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import keras

SCRIPT = Path(__file__).with_name("trained_on_devices.py")
ROOT = Path(__file__).resolve().parents[2]
LONG = 500  # seconds


def started(arguments, processes=1, place=0, port=None, program=(str(SCRIPT),), folder=None):
    """One of so many processes, which train together."""
    backend = keras.backend.backend()
    more = {"KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    if backend == "jax":
        count = 2 if processes == 1 else 1
        more["XLA_FLAGS"] = (
            "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false "
            f"--xla_force_host_platform_device_count={count}"
        )
    if processes > 1 and backend == "torch":
        more |= {"RANK": place, "WORLD_SIZE": processes, "LOCAL_RANK": place}
        more |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    if processes > 1 and backend == "jax":
        more |= {"KERAS_DISTRIBUTION_PROCESS_ID": place}
        more |= {"KERAS_DISTRIBUTION_NUM_PROCESSES": processes}
        more |= {"KERAS_DISTRIBUTION_JOB_ADDRESSES": f"127.0.0.1:{port}"}
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        cwd=folder,
        env={**os.environ, **{name: str(value) for name, value in more.items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def together(run, processes, **options):
    """`(exit codes, outputs)` of processes that train one run together."""
    port = free_port()
    arguments = [str(run), json.dumps(options)]
    every = [started(arguments, processes, place, port) for place in range(processes)]
    try:
        outputs = [each.communicate(timeout=LONG)[0] for each in every]
    finally:
        for each in every:
            each.kill()
    return [each.returncode for each in every], outputs


def alone(*runs):
    """What one process with two devices saw of each `(run, options)`."""
    process = started([each for run, options in runs for each in (str(run), json.dumps(options))])
    output = process.communicate(timeout=LONG)[0]
    assert process.returncode == 0, output
    return [seen(run) for run, _ in runs]


def seen(run, place=0):
    return json.loads(Path(f"{run}.{place}.json").read_text())


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
