"""OpenVINO: a folder of two files, any batch, height and width; runs in OpenVINO's runtime
(https://docs.openvino.ai)."""

import dataclasses
import re
from pathlib import Path

from kseg.base.optional import import_package
from kseg.deployment import metadata
from kseg.deployment.formats.network import NetworkOptions, export_network
from kseg.deployment.formats.shared import (
    INPUT,
    OUTPUT,
    check,
    checked_images,
    draft,
    fixed_shape,
    refusal,
    signature,
    uint8_model,
)
from kseg.deployment.options import documented

FILE = "model.xml"  # the graph; its weights are beside it, in model.bin


@documented
@dataclasses.dataclass(frozen=True)
class OpenVINOOptions(NetworkOptions):
    """OpenVINO: a folder of two files that take any batch, height and width.

    float16 halves the weights in the file.

    Example:

    >>> options = kseg.OpenVINOOptions(precision="float16")
    >>> model = kseg.build_unet(4, width=4, depth=2)
    >>> kseg.export(model, "street", options, samples=1, verbose=False).path
    PosixPath('street')
    """

    format = "openvino"
    precisions = ("float32", "float16")
    suffix = None


def export(job, path, options):
    """Exports a model to this format, compared with it: see `export_network`."""
    return export_network(job, path, options, write, Runtime)


def write(model, path, *, shape=(None, None), precision="float32", samples=None, about=None):
    """Writes a semantic model as a folder of `model.xml` and `model.bin`.

    Through `keras.Model.export`. Keras' backend must be TensorFlow.

    Args:
        model: A semantic `keras.Model` of kseg.
        path: The folder to make; there may be an empty one.
        shape: `(H, W)` in pixels; None, the default, for any.
        precision: Of the weights in the file: `"float32"`, or `"float16"` for half the size.
        samples: Not used; the other formats' `write` has it.
        about: What the file says of itself, `kseg.deployment.metadata.about`. Default None:
            nothing.

    Raises:
        ImportError: openvino is not installed.
        ValueError: an argument is out of its range, or OpenVINO lacks an operation of the model.

    Example:

    >>> write(model, "unet_openvino", shape=(None, 131))
    >>> Runtime("unet_openvino").shape
    (None, 131)
    """
    options = check(model, OpenVINOOptions(shape, precision))
    openvino = import_package("openvino", "openvino", "format='openvino'")
    model = uint8_model(model, fixed_shape(model, options.shape))
    with draft(path, "model") as made:
        made.mkdir()
        whole = made.with_name("whole.xml")
        try:
            model.export(
                str(whole), format="openvino", verbose=False, input_signature=signature(model)
            )
        except openvino.frontend.OpConversionFailure as error:
            lists = re.findall(
                r"^-- (?:No conversion rule|Conversion is).*: (.*)$", str(error), re.M
            )
            raise refusal("openvino", model, ", ".join(lists).split(", ")) from error
        graph = openvino.Core().read_model(whole)
        if about is not None:
            graph.set_rt_info(metadata.as_text(about), [metadata.KEY])
        openvino.save_model(graph, made / FILE, compress_to_fp16=precision == "float16")


class Runtime:
    """A folder written by `write`, in OpenVINO's runtime, on the CPU, in float32.

    Left to itself OpenVINO computes in bfloat16 on CPUs that have it: quicker, and logits differ
    by some hundredths of the largest one.

    Args:
        path: The folder, or its `model.xml`.

    Attributes:
        shape: `(H, W)` that images must have, None where any will do.
        about: As of an ONNX file's.

    Raises:
        ImportError: openvino is not installed.
        FileNotFoundError: there is no such file.

    Example:

    >>> write(model, "any_size")
    >>> Runtime("any_size")(np.zeros((3, 65, 97, 3), "uint8")).shape
    (3, 65, 97, 11)
    """

    def __init__(self, path):
        path = Path(path)
        path = path / FILE if path.is_dir() else path
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such OpenVINO file.")
        openvino = import_package("openvino", "openvino", "format='openvino'")
        graph = openvino.Core().read_model(path)
        there = graph.has_rt_info([metadata.KEY])
        said = graph.get_rt_info([metadata.KEY]).astype(str) if there else None
        self.about = metadata.from_text(said, path)
        self.model = openvino.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        _, *sides, channels = self.model.input(INPUT).partial_shape
        self.channels = channels.get_length()
        is_bytes = self.model.input(INPUT).element_type == openvino.Type.u8
        self.kind = "uint8" if is_bytes else "float32"
        self.shape = tuple(None if side.is_dynamic else side.get_length() for side in sides)

    def __call__(self, images):
        """Photos, see `checked_images`, -> float32 logits `(B, H, W, K)`."""
        images = checked_images(images, self.shape, self.channels, self.kind)
        return self.model({INPUT: images})[OUTPUT]
