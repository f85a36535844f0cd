"""A network of ONNX, LiteRT or OpenVINO behind `kseg.load`: it answers as `kseg.predict` does."""

import numpy as np

from kseg.base.arguments import refused
from kseg.base.colors import class_colors
from kseg.data.images import image_arrays
from kseg.deployment.formats import FORMATS, format_module, options_class
from kseg.models.contract import SEMANTIC
from kseg.ops.resize import bilinear
from kseg.prediction.predictor import ExportPredictor

SCORE = "mean_iou"  # of `kseg.evaluate`, the number that counts


class NetworkPredictor(ExportPredictor):
    """A bare network in its format's own runtime, which is `.model`.

    Photos go into one that is written for images of one size at that size, and its logits are
    enlarged or shrunk back, as into a Keras model that is built so. The file holds no names, for
    which ids stand, and no task: the class of the highest logit wins. One that is written for
    numbers of another range than 0..255 does not say which, and is refused.
    """

    def __init__(self, path, format):
        self.model = format_module(format).Runtime(path)
        if self.model.kind != "uint8":
            expected = "a network of photos of 0..255, and this one takes numbers of another range"
            remedy = "Export it as format='saved_model', which says the range, and load that."
            raise refused("path", str(path), expected, remedy)
        shape = (*(side or 32 for side in self.model.shape), self.model.channels)
        count = max(2, self.model(np.zeros((1, *shape), "uint8")).shape[-1])  # one is binary
        names = tuple(map(str, range(count)))
        super().__init__(path, SEMANTIC, names, class_colors(names), self.model.channels, SCORE)

    def predict(self, images, *, min_score=None, threshold=None):
        for name, value in {"min_score": min_score, "threshold": threshold}.items():
            if value is not None:
                expected = "None for a network that labels pixels, one class each"
                raise refused(name, value, expected, "Leave it out.")
        photos, several = image_arrays(images, self.channels)
        results = [self.labels(photo[None])[0][0] for photo in photos]
        return results if several else results[0]

    def labels(self, images):
        from keras import ops

        from kseg.ops.decisions import top_class

        size = images.shape[1:3]
        inner = tuple(own or side for own, side in zip(self.model.shape, size))
        if inner != size:
            images = np.stack([bilinear(image, *inner) for image in images])
            images = np.rint(images).astype(np.uint8)
        logits = self.model(images)
        if not np.isfinite(logits).all():
            expected = "finite ones"
            raise refused("logits", "NaN", expected, "The network is broken: export it again.")
        if inner != size:
            logits = ops.image.resize(logits, size, "bilinear", antialias=False)
        return tuple(ops.convert_to_numpy(each) for each in top_class(logits))


def network_format(path):
    """Which format the network at a path is in, `"onnx"`, ...; None if it is none.

    Args:
        path: A `pathlib.Path`: a file, or the folder that OpenVINO's is.
    """
    if (path / "model.xml").is_file():
        return "openvino"
    endings = {options_class(name).suffix: name for name in FORMATS if name != "saved_model"}
    return endings.get(path.suffix.lower(), "openvino" if path.suffix == ".xml" else None)
