"""A data set named on the command line: `voc:PATH`, `tfds:NAME`, `folder:PATH`, `shapes`, ..."""

import dataclasses
import re
from pathlib import Path

from kseg.base.arguments import refused, tuples
from kseg.data.errors import MissingData
from kseg.data.layout import layout_of
from kseg.data.readers.camvid import camvid
from kseg.data.readers.cityscapes import cityscapes
from kseg.data.readers.coco import coco
from kseg.data.readers.folder import folder
from kseg.data.readers.records import records
from kseg.data.readers.shapes import MIN_SIDE, shapes
from kseg.data.readers.splits import part, text_of
from kseg.data.readers.tfds import divided, tfds
from kseg.data.readers.voc import voc

KINDS = (
    "camvid:PATH",
    "voc:PATH",
    "cityscapes:PATH",
    "coco:PATH",
    "tfds:NAME",
    "folder:PATH",
    "records:PATH",
    "shapes",
)

# Kind -> which options it takes; `splits` all do but for `shapes`, of which there is no other.
OPTIONS = {kind.partition(":")[0]: ("splits",) for kind in KINDS} | {
    "coco": ("splits", "val_fraction"),
    "records": ("splits", "multilabel"),
    "tfds": ("splits", "class_names", "values", "void_values", "val_fraction"),
    "folder": (
        "splits",
        "class_names",
        "values",
        "palette",
        "void_values",
        "mask_suffix",
        "bits",
        "value_range",
        "bands",
        "val_fraction",
        "multilabel",
    ),
    "shapes": (),
}
OWN_OPTIONS = OPTIONS["folder"]


@dataclasses.dataclass(frozen=True)
class DataSpec:
    """How a data set was named, kept in the run folder so that later commands find it again.

    Args:
        spec: The kind and the place; or a folder alone, whose layout then says the kind:

            - `"camvid:PATH"`, `"voc:PATH"`, `"cityscapes:PATH"`: the official folder.
            - `"coco:PATH"`: `PATH/annotations/instances_{split}*.json` (or `panoptic_`, or
              `{split}.json`) and the folder of photos of the same name; or `PATH/annotations.json`
              and `PATH/images`, divided by `val_fraction`.
            - `"tfds:NAME"`: a set of TensorFlow Datasets.
            - `"folder:PATH"`: `PATH/images` and `PATH/masks`, each with sub-folders of the splits,
              or divided by the lists `PATH/train.txt`, `PATH/val.txt`, or by `val_fraction`.
            - `"records:PATH"`: `PATH/train`, `PATH/val`, ... of `write_records`.
            - `"shapes"`: generated, 96x96 pixels; `"shapes:384"`: of 384x384.
        class_names: Class names for `folder` and `tfds`; None to read `PATH/classes.txt`, one name
            a line, or to ask TFDS.
        values: The mask value of each class for `folder` and `tfds`; None for 0, 1, 2, ...
        palette: RGB of each class for `folder`, whose masks are colour-coded; None for ids.
        void_values: Values (or colours) of pixels without a label for `folder` and `tfds`; None for
            255, or for what is known of the set.
        mask_suffix: What a mask's name adds to its photo's, for `folder`; None for nothing.
        bits, value_range, bands: Of the photos of `folder`, as of `Source`; None for 0..255, and
            the first three.
        splits: What the set calls the splits "train" and "val"; None for just that.
        val_fraction: Share held out for validation where the set has no split of its own; None for
            0.2.
        instances: Whether to read objects in place of labels, where the set has them.
        multilabel: Whether a pixel may have several classes, for `folder` and `records`: True, or
            None.
    """

    spec: str
    class_names: tuple[str, ...] | None = None
    values: tuple[int, ...] | None = None
    palette: tuple[tuple[int, int, int], ...] | None = None
    void_values: tuple | None = None
    mask_suffix: str | None = None
    bits: int | None = None
    value_range: tuple[float, float] | None = None
    bands: tuple[int, ...] | None = None
    splits: tuple[str, str] | None = None
    val_fraction: float | None = None
    instances: bool = False
    multilabel: bool | None = None

    @classmethod
    def from_json(cls, values):
        """The spec that a run folder holds, where tuples have become lists."""
        values = {{"classes": "class_names"}.get(name, name): v for name, v in values.items()}
        return cls(**{name: tuples(value) for name, value in values.items()})

    @property
    def path(self):
        """The folder of the set, or None if it is not one of files."""
        kind, _, path = self.spec.partition(":")
        return Path(path).expanduser() if path and kind not in ("tfds", "shapes") else None

    @property
    def kind(self):
        """What the spec begins with: `"voc"`, `"folder"`, ..."""
        return self.spec.partition(":")[0]

    def folders(self):
        """The folder of the set in a list, empty if it is not one of files."""
        return [] if self.path is None else [self.path]

    def resolved(self):
        """The same with an absolute path, for a file that is read from elsewhere, and its kind.

        Raises:
            ValueError: a folder is of no layout that there is, or of several.
        """
        if self.kind not in OPTIONS and Path(self.spec).expanduser().is_dir():
            folder = Path(self.spec).expanduser().resolve()
            return dataclasses.replace(self, spec=f"{layout_of(folder)}:{folder}")
        path = self.path
        if path is None:
            return self
        return dataclasses.replace(self, spec=f"{self.kind}:{path.resolve()}")

    def for_task(self, task):
        """The same set, opened as a model of this task needs it: as labels, or as objects."""
        several = task == "multilabel"
        return dataclasses.replace(
            self, instances=task == "instance", multilabel=True if several else None
        )

    def check(self):
        """Raises for a kind of set that there is none of, and for a folder that does not exist.

        Raises:
            ValueError: the kind is unknown, or its path or name is left out.
            MissingData: the folder of the set does not exist.
        """
        kind, _, place = self.spec.partition(":")
        if kind not in OPTIONS or not (place or kind == "shapes"):
            raise refused("data", self.spec, f"one of {', '.join(KINDS)}, or a folder")
        if kind == "shapes" and place and not (place.isdecimal() and int(place) >= MIN_SIDE):
            expected = f"shapes, or shapes:N for N x N pixels, N at least {MIN_SIDE}"
            raise refused("data", self.spec, expected)
        for name in OWN_OPTIONS:
            value = getattr(self, name)
            if value is not None and name not in OPTIONS[kind]:
                owners = " and ".join(each for each in OPTIONS if name in OPTIONS[each])
                expected = f"None for data={self.spec!r}: it is of {owners}"
                raise refused(name, value, expected, "Leave it out.")
        if self.splits is not None and len(self.splits) != 2:
            raise refused("splits", self.splits, "two names, those of the set for train and val")
        if self.path is not None and not self.path.is_dir():
            raise MissingData(
                "missing",
                self.path,
                f"{str(self.path)!r} does not exist: expected the folder of the data set.",
            )

    def open(self, split, probe=True):
        """Opens the split `"train"`, `"val"` or, where the set has one, `"test"`.

        Args:
            split: Its name.
            probe: Whether `folder` looks into a few masks first; see there.

        Raises:
            DataError, ValueError: as `check` and the reader do.
        """
        self.check()
        kind, _, name = self.spec.partition(":")
        split = dict(zip(("train", "val"), self.splits or ())).get(split, split)
        scenes = {"size": (int(name), int(name))} if kind == "shapes" and name else {}
        readers = {
            "camvid": lambda: camvid(self.path, split),
            "voc": lambda: voc(self.path, split, instances=self.instances),
            "cityscapes": lambda: cityscapes(self.path, split, instances=self.instances),
            "coco": lambda: self._coco(split),
            "tfds": lambda: self._tfds(name, split),
            "folder": lambda: self._folder(split, probe),
            "records": lambda: self._records(split),
            "shapes": lambda: shapes(split, instances=self.instances, **scenes),
        }
        return readers[kind]()

    def _coco(self, split):
        single = self.path / "annotations.json"
        if single.is_file():
            source = coco(self.path / "images", single, instances=self.instances)
            chosen = part(source.ids, split, self._fraction())
            return source.subset(chosen, name=f"{source.name}/{split}")
        self._no_fraction("annotations of each split")
        folder = self.path / "annotations"
        for pattern in (f"instances_{split}*.json", f"panoptic_{split}*.json", f"{split}.json"):
            for annotations in sorted(folder.glob(pattern)):
                name = re.sub("^(instances|panoptic)_", "", annotations.stem)
                return coco(self.path / name, annotations, instances=self.instances)
        raise MissingData(
            "no_split",
            split,
            f"split={split!r}: {str(folder)!r} holds no instances_{split}*.json nor {split}.json: "
            "expected COCO's own layout, or annotations.json and images.",
        )

    def _tfds(self, name, split):
        builder, part_of = divided(name, split, self._fraction())
        if "%" not in part_of:
            self._no_fraction(f"the split {part_of!r}")
        return tfds(
            builder,
            part_of,
            class_names=self.class_names,
            values=self.values,
            void_values=self.void_values,
        )

    def _fraction(self):
        return 0.2 if self.val_fraction is None else self.val_fraction

    def _no_fraction(self, own):
        """Refuses `val_fraction` for a set that is divided already."""
        if self.val_fraction is not None:
            expected = f"None for data={self.spec!r}, which has {own}"
            raise refused("val_fraction", self.val_fraction, expected, "Leave it out.")

    def _records(self, split):
        path = self.path / split
        if not path.is_dir():
            message = f"{str(path)!r} does not exist: expected records of the split."
            raise MissingData("no_split", path, message)
        return records(path)

    def _folder(self, split, probe):
        listed = self.path / f"{split}.txt"
        if listed.is_file():
            self._no_fraction(f"the list {listed.name}")
        elif (self.path / "images" / split).is_dir():
            self._no_fraction(f"the folder images/{split}")
        return folder(
            self.path / "images",
            self.path / "masks",
            self.class_names or _class_names(self.path / "classes.txt"),
            values=self.values,
            palette=self.palette,
            void_values=self.void_values,
            mask_suffix=self.mask_suffix or "",
            bits=self.bits,
            value_range=self.value_range,
            bands=self.bands,
            instances=self.instances,
            multilabel=bool(self.multilabel),
            split=split,
            list_file=listed if listed.is_file() else None,
            val_fraction=self._fraction(),
            name=f"folder:{self.path.name}",
            probe=probe,
        )


def _class_names(path):
    if not path.is_file():
        raise MissingData(
            "missing",
            path,
            f"{str(path)!r} does not exist.",
            "Write the class names there, one a line in the order of their ids, or give "
            "class_names=('background', 'cell', ...).",
        )
    return tuple(line.strip() for line in text_of(path).splitlines() if line.strip())
