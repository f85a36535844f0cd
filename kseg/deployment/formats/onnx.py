"""ONNX: one file, any batch, height and width; runs in ONNX Runtime (https://onnxruntime.ai)."""

import dataclasses
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

AXES = ("batch", "height", "width")
OWN = ("", "ai.onnx")  # the domain of ONNX' own operations


@documented
@dataclasses.dataclass(frozen=True)
class OnnxOptions(NetworkOptions):
    """ONNX: one file that takes any batch, height and width.

    ONNX Runtime's own converter to float16 (1.32) was tried: it also takes hold of the numbers that
    sizes are computed from, and the result is empty. So there is float32 alone.

    Example:

    >>> model = kseg.build_unet(4, width=4, depth=2)
    >>> options = kseg.OnnxOptions(shape=(None, 320))
    >>> kseg.export(model, "wide.onnx", options, samples=1, verbose=False).path
    PosixPath('wide.onnx')
    """

    format = "onnx"
    precisions = ("float32",)
    suffix = ".onnx"


def export(job, path, options):
    """Exports a model to this format, compared with it: see `export_network`."""
    return export_network(job, path, options, write, Runtime)


def write(model, path, *, shape=(None, None), precision="float32", samples=None, about=None):
    """Writes a semantic model as one ONNX file, from uint8 `images` to float32 `logits`.

    Through `keras.Model.export`, that is tf2onnx. Keras' backend must be TensorFlow.

    Args:
        model: A semantic `keras.Model` of kseg.
        path: The file to write, `.onnx`; an existing one is replaced.
        shape: `(H, W)` in pixels; None, the default, for any.
        precision: `"float32"`.
        samples: Not used; the other formats' `write` has it.
        about: What the file says of itself, `kseg.deployment.metadata.about`. Default None:
            nothing.

    Raises:
        ImportError: tf2onnx or onnx is not installed.
        ValueError: an argument is out of its range, or ONNX lacks an operation of the model.

    Example:

    >>> write(model, "unet.onnx", shape=(None, 131))
    >>> Runtime("unet.onnx").shape
    (None, 131)
    """
    options = check(model, OnnxOptions(shape, precision))
    onnx = import_package("onnx", "onnx", "format='onnx'")
    import_package("tf2onnx", "onnx", "format='onnx'")
    model = uint8_model(model, fixed_shape(model, options.shape))
    with draft(path, "model.onnx") as made:
        model.export(made, format="onnx", verbose=False, input_signature=signature(model))
        graph = onnx.load(made)
        if unknown := _unknown(onnx, graph):
            raise refusal("onnx", model, unknown)
        for value in (*graph.graph.input, *graph.graph.output):
            for axis, dim in zip(AXES, value.type.tensor_type.shape.dim):
                if not dim.dim_value:
                    dim.dim_param = axis
        if about is not None:
            graph.metadata_props.add(key=metadata.KEY, value=metadata.as_text(about))
        onnx.save(graph, made)


def _unknown(onnx, graph):
    """Operations that tf2onnx could not translate: it leaves them as they are, and logs that."""
    versions = {each.domain: each.version for each in graph.opset_import}
    return {
        node.op_type
        for node in graph.graph.node
        if node.domain in OWN and not onnx.defs.has(node.op_type, versions[""], "")
    }


class Runtime:
    """An ONNX file in ONNX Runtime, on the CPU.

    Args:
        path: The file.

    Attributes:
        shape: `(H, W)` that images must have, None where any will do.
        about: What the file says of itself, as of `kseg.deployment.metadata.about`; None of one
            that says nothing.

    Raises:
        ImportError: onnxruntime is not installed.
        FileNotFoundError: there is no such file.

    Example:

    >>> write(model, "unet.onnx")
    >>> Runtime("unet.onnx")(np.zeros((3, 65, 97, 3), "uint8")).shape
    (3, 65, 97, 11)
    """

    def __init__(self, path):
        if not Path(path).is_file():
            raise FileNotFoundError(f"{path}: no such ONNX file.")
        onnxruntime = import_package("onnxruntime", "onnx", "format='onnx'")
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        _, *sides, self.channels = self.session.get_inputs()[0].shape
        self.kind = "uint8" if "uint8" in self.session.get_inputs()[0].type else "float32"
        self.shape = tuple(side if isinstance(side, int) else None for side in sides)
        said = self.session.get_modelmeta().custom_metadata_map.get(metadata.KEY)
        self.about = metadata.from_text(said, path)

    def __call__(self, images):
        """Photos, see `checked_images`, -> float32 logits `(B, H, W, K)`."""
        images = checked_images(images, self.shape, self.channels, self.kind)
        return self.session.run([OUTPUT], {INPUT: images})[0]
