"""TODO"""

import tempfile
from pathlib import Path

from kseg.deployment.compare import Exported
from kseg.deployment.process import on_tensorflow
from kseg.prediction.predict import predict

SUFFIXES = {"onnx": ".onnx", "litert": ".tflite"}  # OpenVINO's is a folder


def _other(model, path, format, shape, precision, calibration, compared):
    """ONNX, LiteRT or OpenVINO: written beside its place, compared, and moved there."""
    from keras.ops import convert_to_numpy

    from kseg.deployment.formats import format_module
    from kseg.models.graph import in_float32
    from kseg.ops.decisions import winners

    module, exact = format_module(format), in_float32(model)
    if format in SUFFIXES:
        expected = f"a file ending in {SUFFIXES[format]}"
        right = path.suffix == SUFFIXES[format] and not path.is_dir()
    else:
        expected = "a folder that is new or empty"
        right = not path.exists() or path.is_dir() and not any(path.iterdir())
    if not right:
        raise ValueError(f"path={str(path)!r}: expected {expected} for format={format!r}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=path.parent) as folder:
        written = Path(folder) / path.name
        on_tensorflow(
            module.write,
            model,
            path=str(written),
            shape=shape,
            precision=precision,
            samples=calibration,
        )
        runtime = module.Runtime(written)
        rescored = compared(
            lambda image: predict(exact, image),
            lambda image: convert_to_numpy(winners(runtime(image[None])[0])),
            f"{format} {precision}",
            folder,
        )
        written.replace(path)
    return Exported(path, format, rescored)
