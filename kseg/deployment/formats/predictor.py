"""A network of ONNX, LiteRT or OpenVINO behind `kseg.load`: it answers as `kseg.predict` does."""

import numpy as np

from kseg.base.arguments import refused, tuples
from kseg.base.colors import class_colors
from kseg.data.images import image_arrays
from kseg.deployment.compare import TASKS, resized_numbers
from kseg.deployment.formats import FORMATS, format_module, options_class
from kseg.models.contract import SEMANTIC, part
from kseg.prediction.predictor import ExportPredictor

SCORE = "mean_iou"  # of `kseg.evaluate`, the number that counts


class NetworkPredictor(ExportPredictor):
    """A bare network in its format's own runtime, which is `.model`.

    Photos go into one that is written for images of one size at that size, and its logits are
    enlarged or shrunk back, as into a Keras model that is built so.

    Attributes:
        about: What the file says of itself, see `kseg.deployment.metadata`: a dict. None of a file
            that says nothing, as those of other programs and of kseg's first exports: ids stand
            for names, the class of the highest logit wins, and one that is written for numbers of
            another range than 0..255 is refused.
    """

    tasks = TASKS

    def __init__(self, path, format):
        self.model = format_module(format).Runtime(path)
        self.format, self.about = format, self.model.about
        said = self.about or self._unsaid(path)
        ranges = {name: tuples(said.get(name)) for name in ("value_range", "bands")}
        names = said["class_names"], tuples(said["colors"])
        super().__init__(path, said["task"], *names, self.model.channels, said["score"], **ranges)
        known = part(TASKS, self.task).OPTIONS
        told = {name: tuples(said["options"].get(name)) for name in known}
        self.told = {name: value for name, value in told.items() if value is not None}

    def _unsaid(self, path):
        """What is taken for granted of a file that says nothing of itself."""
        if self.model.kind != "uint8":
            expected = "a network of photos of 0..255, and this one takes numbers of another range"
            remedy = "Export it again: kseg's files say the range since."
            raise refused("path", str(path), expected, remedy)
        shape = (*(side or 32 for side in self.model.shape), self.model.channels)
        count = max(2, self.model(np.zeros((1, *shape), "uint8")).shape[-1])  # one is binary
        names = tuple(map(str, range(count)))
        colors = class_colors(names)
        said = {"task": SEMANTIC, "class_names": names, "colors": colors, "score": SCORE}
        return {**said, "options": {}}

    def predict(self, images, *, min_score=None, threshold=None):
        chosen = self.chosen(min_score=min_score, threshold=threshold)
        photos, several = image_arrays(images, self.channels, self.value_range)
        decide = part(TASKS, self.task).decide
        results = [decide(self.logits(photo[None])[0], **chosen) for photo in photos]
        return results if several else results[0]

    def labels(self, images):
        from keras import ops

        from kseg.ops.decisions import top_class

        return tuple(ops.convert_to_numpy(each) for each in top_class(self.logits(images)))

    def logits(self, images):
        """Logits of a batch `(B, H, W, channels)`, at its size.

        Raises:
            ValueError: they are not finite.
        """
        from keras import ops

        size = images.shape[1:3]
        inner = tuple(own or side for own, side in zip(self.model.shape, size))
        logits = self.model(np.stack([resized_numbers(image, inner) for image in images]))
        if not np.isfinite(logits).all():
            expected = "finite ones"
            raise refused("logits", "NaN", expected, "The network is broken: export it again.")
        if inner == size:
            return logits
        return ops.image.resize(logits, size, "bilinear", antialias=False)


def network_format(path):
    """Which format the network at a path is in, `"onnx"`, ...; None if it is none.

    Args:
        path: A `pathlib.Path`: a file, or the folder that OpenVINO's is.
    """
    if (path / "model.xml").is_file():
        return "openvino"
    endings = {options_class(name).suffix: name for name in FORMATS if name != "saved_model"}
    return endings.get(path.suffix.lower(), "openvino" if path.suffix == ".xml" else None)
