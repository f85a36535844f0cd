"""The class behind `build_mask_rcnn`: functional parts, and what plain `fit` and `predict` need.

Axes: B batch, H and W the image, M objects, S sampled anchors or regions.
"""

import dataclasses
import weakref

import keras
import numpy as np
from keras import ops

from kseg.base.arguments import choice, integer, number, tuples
from kseg.models.inputs import LooksAtInputs, looked_at
from kseg.models.learned import called
from kseg.models.mask_rcnn import losses
from kseg.models.mask_rcnn.detections import (
    BOX_WEIGHTS,
    Detector,
    box_outputs,
    image_and_size,
    mask_outputs,
    sum_where,
)
from kseg.models.mask_rcnn.heads import MASK_REGION, build_box_head, build_mask_head
from kseg.models.mask_rcnn.labels import check_keys, check_objects
from kseg.models.mask_rcnn.learning import match_anchors, match_regions, proposal_losses_at
from kseg.models.mask_rcnn.proposals import anchors_of, propose
from kseg.models.mask_rcnn.trunk import build_trunk
from kseg.ops import boxes as box_ops
from kseg.ops.masks import crop_masks
from kseg.ops.matching import IGNORED, sample
from kseg.ops.paste import CENTRED, RULES, TORCHVISION
from kseg.ops.replicas import any_of, averaged, drawn, summed
from kseg.ops.resize import check_resize

LOSSES = ("objectness", "rpn_box", "classifier", "box", "mask")
UNIT = (0.0, 0.0, 1.0, 1.0)  # stands where there is no box, so that nothing is divided by 0

_detectors = weakref.WeakKeyDictionary()


@dataclasses.dataclass(frozen=True)
class RCNNSettings:
    """Numbers of training and inference that do not change the network.

    The defaults are torchvision's, but of `paste`.

    Args:
        resize: `(shortest, longest)` side to which `kseg.predict` resizes photos; None leaves them.
        train_proposals, predict_proposals: Regions of each level that go into the suppression, and
            of all that come out of it.
        anchor_samples: Anchors of an image that are learned from, half of them objects at most.
        region_samples: Regions of an image that the box head learns from.
        mask_samples: How many of those may be objects, which the mask head learns from too.
        min_score: Probability that a detection must exceed.
        overlap: Intersection over union above which detections of a class suppress one another.
        detections: How many of an image there are at most.
        paste: How masks are cut from labels and pasted into photos, one of `kseg.ops.paste.RULES`.
            Files of before say nothing: they learned by torchvision's.
    """

    resize: tuple[int, int] | None = (800, 1333)
    train_proposals: int = 2000
    predict_proposals: int = 1000
    anchor_samples: int = 256
    region_samples: int = 512
    mask_samples: int = 128
    min_score: float = 0.05
    overlap: float = 0.5
    detections: int = 100
    paste: str = CENTRED

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type is int:
                integer(field.name, value)
            elif field.type is float:
                number(field.name, value, at_least=0, below=1)
        choice("paste", self.paste, RULES)
        object.__setattr__(self, "resize", check_resize(self.resize))


@keras.saving.register_keras_serializable(package="kseg")
class MaskRCNN(LooksAtInputs, keras.Model):
    """Mask R-CNN; made by `kseg.build_mask_rcnn`, whose arguments its config holds.

    It is called with images `(B, H, W, C)`, or with a dict of these as `"image"` and, as `"size"`,
    int32 `(B, 2)`, the valid height and width of each (the rest is padding at the bottom and
    right). The call returns the trunk's outputs: the pyramid's `"features"`, and `"logits"` and
    `"deltas"` of the anchors of each level. `fit` and `evaluate` take labels as `kseg.data.batches`
    makes them and report five losses by name; `predict` returns detections:

    - `"boxes"`, float32 `(B, D, 4)`: x1, y1, x2, y2 in pixels of the image;
    - `"classes"`, int32 `(B, D)`: ids, -1 where there is none; best first;
    - `"scores"`, float32 `(B, D)`;
    - `"masks"`, float32 `(B, D, 28, 28)`: probabilities in the box.

    Args:
        trunk: Model of `[image, size]` to features, logits and deltas.
        box_head, mask_head: Models of regions' features; see `kseg.models.mask_rcnn.heads`.
        settings: `RCNNSettings`.
        arguments: Those of `build_mask_rcnn`, for saving.
    """

    task = "instance"
    score = "mask_ap"

    def __init__(self, trunk, box_head, mask_head, settings, arguments, name="mask_rcnn"):
        super().__init__(name=name)
        self.trunk, self.box_head, self.mask_head = trunk, box_head, mask_head
        self.settings, self.arguments = settings, arguments
        self.seed = keras.random.SeedGenerator(arguments["seed"])
        self.loss_means = [keras.metrics.Mean(name=loss) for loss in LOSSES]
        self.built = True

    @classmethod
    def assembled(cls, settings, arguments, *, weights=None, name="mask_rcnn"):
        """The model with the parts that its arguments ask for.

        Args:
            settings: `RCNNSettings`.
            arguments: Those of `build_mask_rcnn` that make the network, as a dict.
            weights: Of the encoder.
            name: Name of the model.
        """
        parts = (
            build_trunk(
                arguments["input_shape"],
                arguments.get("value_range"),  # not in files of before
                arguments["encoder"],
                weights,
                arguments["freeze"],
                arguments["fpn_width"],
                len(arguments["anchor_sizes"][0]) * len(arguments["anchor_ratios"]),
            ),
            build_box_head(*(arguments[key] for key in ("num_classes", "fpn_width", "box_width"))),
            build_mask_head(
                *(arguments[key] for key in ("num_classes", "fpn_width", "mask_width"))
            ),
        )
        return cls(*parts, settings, arguments, name=name)

    @property
    def num_classes(self):
        return self.arguments["num_classes"]

    @property
    def channels(self):
        return self.arguments["input_shape"][2]

    @property
    def value_range(self):
        """`(low, high)` of the numbers of images; None for 0..255."""
        return tuples(self.arguments.get("value_range"))

    @property
    def resize(self):
        return self.settings.resize

    @property
    def paste(self):
        """How masks are cut and pasted, one of `kseg.ops.paste.RULES`."""
        return self.settings.paste

    @paste.setter
    def paste(self, rule):
        if rule != self.settings.paste:
            self.settings = dataclasses.replace(self.settings, paste=rule)
            self.train_function = self.test_function = None  # they have the other one compiled in

    @property
    def fixed_size(self):
        """Height and width that it was built for; None where a side may be any."""
        return tuple(self.arguments["input_shape"][:2])

    @property
    def head_layers(self):
        """What the network ends with: proposals, and what is said of regions."""
        own = [each for each in self.trunk.layers if each.name.startswith("rpn_head")]
        return [*own, self.box_head, self.mask_head]

    def class_axes(self):
        """`kseg.models.parts.class_axes`: the background stands before class 0."""
        named = {
            "box_predictor_cls_score": (self.box_head, 1),
            "box_predictor_bbox_pred": (self.box_head, 4),
            "mask_predictor_mask_fcn_logits": (self.mask_head, 1),
        }
        return {
            id(each): (-1, numbers, numbers)
            for name, (head, numbers) in named.items()
            for each in head.get_layer(name).weights
        }

    def call(self, x, training=False):
        return called(self.trunk, [*image_and_size(x)], training)

    # Training

    def check_labels(self, y, images=()):
        """Raises `ValueError` if labels are no objects that this model can learn."""
        check_objects(y, self.num_classes, images)

    def check_structure(self, y):
        """Raises `ValueError` if labels of a graph, not yet numbers, are not those of objects."""
        check_keys(y)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The sum of the five losses, which are also counted by name.

        Args:
            x: What the model was called with.
            y: dict of `"boxes"` `(B, M, 4)`, `"classes"` `(B, M)`, -1 where there is no object,
                `"masks"` `(B, M, H, W)` and, optionally, `"crowd"`, bool `(B, M)`.
            y_pred: What the call returned.

        Returns:
            Scalar: NaN if a box has no area or a class is out of range.
        """
        _, size = image_and_size(x)
        truth = self._truth(y)
        anchors, logits, deltas = self._anchors(y_pred)
        terms = self._proposal_losses(
            ops.concatenate(anchors), ops.concatenate(logits, 1), ops.concatenate(deltas, 1), truth
        )
        count = self.settings.train_proposals
        proposals, valid = propose(logits, deltas, anchors, size, before=count, after=count)
        terms += self._region_losses(y_pred["features"][:-1], proposals, valid, truth)
        for mean, loss in zip(self.loss_means, terms):
            mean.update_state(loss, sample_weight=ops.shape(size)[0])
        total = averaged(sum(terms) + truth["fault"])
        for loss in self.losses:
            total = total + ops.cast(loss, "float32")
        return total

    def _truth(self, y):
        """The labels as float32 and int32, and a number that is NaN if they are impossible."""
        boxes, classes = ops.cast(y["boxes"], "float32"), ops.cast(y["classes"], "int32")
        valid, crowd = classes >= 0, None
        if "crowd" in y:
            crowd = valid & ops.cast(y["crowd"], "bool")
            valid = valid & ~crowd
        empty = ~ops.all(boxes[..., 2:] > boxes[..., :2], axis=-1)
        wrong = ops.any(valid & (empty | (classes >= self.num_classes)))
        return {
            "boxes": ops.where(empty[..., None], ops.convert_to_tensor(UNIT), boxes),
            "classes": ops.minimum(classes, self.num_classes - 1),
            "masks": y["masks"],
            "valid": valid,
            "crowd": crowd,
            "fault": ops.where(any_of(wrong), float("nan"), 0.0),
        }

    def _anchors(self, outputs):
        """Anchors, logits and deltas of each level."""
        return anchors_of(outputs, self.arguments["anchor_sizes"], self.arguments["anchor_ratios"])

    def _randomness(self, like):
        return drawn(lambda shape: keras.random.uniform(shape, seed=self.seed), ops.shape(like))

    def _proposal_losses(self, anchors, logits, deltas, truth):
        matched = match_anchors(anchors, truth)  # (B, A)
        count = self.settings.anchor_samples
        index, drawn, positive = sample(matched, count, count // 2, self._randomness(matched))
        return proposal_losses_at(index, drawn, positive, matched, anchors, logits, deltas, truth)

    def _region_losses(self, features, proposals, valid, truth):
        regions = ops.concatenate([proposals, truth["boxes"]], axis=1)
        usable = ops.concatenate([valid, truth["valid"]], axis=1)
        matched = match_regions(regions, truth)
        matched = ops.where(usable, matched, IGNORED)
        settings = self.settings
        index, drawn, positive = sample(
            matched, settings.region_samples, settings.mask_samples, self._randomness(matched)
        )
        regions = ops.take_along_axis(regions, index[..., None], axis=1)
        regions = ops.where(drawn[..., None], regions, 0.0)
        owner = ops.maximum(ops.take_along_axis(matched, index, axis=1), 0)
        return self.losses_of_regions(features, regions, owner, drawn, positive, truth)

    def losses_of_regions(self, features, regions, owner, drawn, positive, truth):
        """Losses of both heads at given regions; the positive ones come first.

        Args:
            features: P2 to P5.
            regions: `(B, S, 4)`. owner: int32 `(B, S)`, their objects.
            drawn, positive: bool `(B, S)`.
            truth: dict of the labels.

        Returns:
            classifier, box and mask loss.
        """
        boxes = ops.take_along_axis(truth["boxes"], owner[..., None], axis=1)
        boxes, places = (
            ops.where(positive[..., None], x, ops.convert_to_tensor(UNIT)) for x in (boxes, regions)
        )
        targets = box_ops.encode(boxes, places, BOX_WEIGHTS)
        classes = ops.take_along_axis(truth["classes"], owner, axis=1) + 1
        classes = ops.where(positive, classes, 0)
        logits, deltas = box_outputs(self.box_head, features, regions)
        classifier, box = losses.box_losses(logits, deltas, classes, targets, drawn, positive)

        def masks_at(regions, owner, classes, positive):
            logits = mask_outputs(self.mask_head, features, regions)
            centred = self.paste == CENTRED
            targets = crop_masks(truth["masks"], regions, owner, 2 * MASK_REGION, centred=centred)
            return losses.mask_loss(logits, classes, targets, positive)

        count = min(self.settings.mask_samples, regions.shape[1])
        mask = sum_where(
            masks_at, [values[:, :count] for values in (regions, owner, classes, positive)]
        )
        number = ops.maximum(summed(ops.sum(ops.cast(positive, "float32"))), 1.0)
        return [classifier, box, summed(mask) / number]

    # Inference

    @property
    def detector(self):
        """`keras.Model` from images to detections, with this model's weights."""
        detector = _detectors.get(self)
        if detector is None or detector.settings is not self.settings:
            detector = _detectors[self] = Detector(self, self.settings)
        return detector

    def detector_of(self, settings):
        """Such a model with other `RCNNSettings`."""
        return Detector(self, settings)

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """Detections, as the class describes them; arguments as of `keras.Model.predict`."""
        with looked_at(self, x, None) as x:
            detections = self.detector.predict(x, batch_size, verbose, steps, callbacks)
        return {name: values for name, values in detections.items() if name != "finite"}

    def predict_on_batch(self, x):
        """Detections of one batch, as NumPy arrays."""
        detections = self.detector.predict_on_batch(x)
        return {name: np.asarray(detections[name]) for name in detections if name != "finite"}

    # Saving

    def get_config(self):
        arguments = dict(self.arguments)
        if isinstance(arguments["encoder"], keras.Model):
            arguments["encoder"] = keras.saving.serialize_keras_object(arguments["encoder"])
        return {**arguments, **dataclasses.asdict(self.settings), "name": self.name}

    @classmethod
    def from_config(cls, config):
        arguments = dict(config)
        name = arguments.pop("name")
        names = [field.name for field in dataclasses.fields(RCNNSettings)]
        arguments.setdefault("paste", TORCHVISION)  # of before there was a choice
        settings = RCNNSettings(**{key: arguments.pop(key) for key in names})
        if isinstance(arguments["encoder"], dict):
            arguments["encoder"] = keras.saving.deserialize_keras_object(arguments["encoder"])
        return cls.assembled(settings, arguments, name=name)
