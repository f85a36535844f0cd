"""A data set named on the command line: `voc:PATH`, `tfds:NAME`, `folder:PATH`, `shapes`, ..."""

import dataclasses
from pathlib import Path

from kseg.base.arguments import refused, tuples
from kseg.data.coco_layouts import coco_of_split
from kseg.data.errors import DataError, MissingData
from kseg.data.layout import layout_of, pairs_of
from kseg.data.listing import missing_set
from kseg.data.masks_say import folder_options, has_usual_names
from kseg.data.readers.ade20k import ade20k
from kseg.data.readers.camvid import camvid
from kseg.data.readers.cityscapes import cityscapes
from kseg.data.readers.coco import coco
from kseg.data.readers.cvat import cvat
from kseg.data.readers.folder import folder
from kseg.data.readers.json_lines import json_lines
from kseg.data.readers.labelme import labelme
from kseg.data.readers.nnunet import nnunet
from kseg.data.readers.oxford_pets import oxford_pets
from kseg.data.readers.records import records
from kseg.data.readers.run_lengths import run_lengths
from kseg.data.readers.run_tables import is_table
from kseg.data.readers.shapes import MIN_SIDE, shapes
from kseg.data.readers.splits import part
from kseg.data.readers.tfds import divided, tfds
from kseg.data.readers.via import via
from kseg.data.readers.voc import voc
from kseg.data.readers.yolo import yolo

KINDS = (
    "camvid:PATH",
    "voc:PATH",
    "cityscapes:PATH",
    "ade20k:PATH",
    "oxford_pets:PATH",
    "coco:PATH",
    "yolo:PATH",
    "labelme:PATH",
    "cvat:PATH",
    "via:PATH",
    "jsonl:PATH",
    "rle:PATH",
    "nnunet:PATH",
    "tfds:NAME",
    "folder:PATH",
    "records:PATH",
    "shapes",
)

# Kind -> which options it takes; `splits` all do but for `shapes`, of which there is no other.
NUMBERS = ("bits", "value_range", "bands", "clip")  # of photos that are files
OPTIONS = {kind.partition(":")[0]: ("splits", *NUMBERS) for kind in KINDS} | {
    "oxford_pets": ("splits", *NUMBERS, "val_fraction"),
    "coco": ("splits", *NUMBERS, "val_fraction"),
    "records": ("splits", "multilabel"),
    "yolo": ("splits", *NUMBERS, "class_names", "val_fraction"),
    "labelme": ("splits", *NUMBERS, "class_names", "val_fraction"),
    "cvat": ("splits", *NUMBERS, "val_fraction"),
    "via": ("splits", *NUMBERS, "class_names", "attribute", "val_fraction"),
    "jsonl": ("splits", *NUMBERS, "class_names", "val_fraction"),
    "rle": ("splits", *NUMBERS, "class_names", "order", "val_fraction", "multilabel"),
    "nnunet": ("splits", *NUMBERS, "val_fraction", "multilabel"),
    "tfds": ("splits", "class_names", "values", "void_values", "val_fraction"),
    "folder": (
        "splits",
        "class_names",
        "values",
        "palette",
        "void_values",
        "mask_suffix",
        *NUMBERS,
        "pairs",
        "class_masks",
        "pixel_weights",
        "weight_scale",
        "val_fraction",
        "multilabel",
    ),
    "shapes": (),
}
OF_FOLDER = ("pairs", "mask_suffix", "class_masks", "pixel_weights")  # who says one means a folder
OWN_OPTIONS = (*OPTIONS["folder"], "attribute", "order")


@dataclasses.dataclass(frozen=True)
class DataSpec:
    """How a data set was named, kept in the run folder so that later commands find it again.

    Args:
        spec: The kind and the place; or a folder alone, whose layout then says the kind:

            - `"camvid:PATH"`, `"voc:PATH"`, `"cityscapes:PATH"`, `"ade20k:PATH"`,
              `"oxford_pets:PATH"`, `"nnunet:PATH"`: the official folder.
            - `"coco:PATH"`: a file of each split, as `PATH/annotations/instances_{split}*.json` or
              `PATH/{split}/_annotations.coco.json`, or one, as `PATH/annotations.json` or
              `PATH/result.json`, divided by `val_fraction`; and the photos, wherever they are.
            - `"yolo:PATH"`, `"labelme:PATH"`, `"cvat:PATH"`, `"via:PATH"`: what these tools write.
            - `"jsonl:PATH"`: JSON Lines with polygons, of Azure, Prodigy and Ultralytics; and
              Label Studio's JSON.
            - `"rle:PATH"`: a CSV file of run-lengths, or the folder with one, of sets of Kaggle.
            - `"tfds:NAME"`: a set of TensorFlow Datasets.
            - `"folder:PATH"`: `PATH/images` and `PATH/masks`, each with sub-folders of the splits,
              or divided by the lists `PATH/train.txt`, `PATH/val.txt`, or by `val_fraction`; or
              `pairs`, or what the names below `PATH` tell.
            - `"records:PATH"`: `PATH/train`, `PATH/val`, ... of `write_records`.
            - `"shapes"`: generated, 96x96 pixels; `"shapes:384"`: of 384x384.
        class_names: Class names for `folder`, `tfds`, `yolo`, `labelme`, `via`, `jsonl` and `rle`;
            None to read a file of them in `PATH`, as `classes.txt`, a name a line, or to ask TFDS.
        values: The mask value of each class for `folder` and `tfds`; None for 0, 1, 2, ...
        palette: RGB of each class for `folder`, whose masks are colour-coded; None for ids.
        void_values: Values (or colours) of pixels without a label for `folder` and `tfds`; None for
            255, or for what is known of the set.
        mask_suffix: What a mask's name adds to its photo's, for `folder`; None for nothing.
        bits, value_range, bands: Of the photos, as of `Source`; None for 0..255, and the first
            three.
        clip: Whether numbers beyond that range become its ends: True, or None.
        pairs: Patterns of photos and of masks below `PATH`, for `folder`, as
            `("{}_sat.jpg", "{}_mask.png")`, the first maybe several, of the files of the bands;
            None for the folders `images` and `masks`, or for what names tell.
        class_masks, pixel_weights: Folders or patterns below `PATH`, for `folder`: of masks of
            classes beside those of objects, and of weights; None for none.
        weight_scale: The number that is weight 1 in the latter; None for files of floats.
        attribute: Name of the attribute that is a region's class, for `via`; None for the only one.
        order: Whether pixels are counted by `"columns"` or `"rows"`, for `rle`; None for what sets
            with such columns do.
        splits: What the set calls the splits "train" and "val"; None for just that.
        val_fraction: Share held out for validation where the set has no split of its own; None for
            0.2.
        instances: Whether to read objects in place of labels, where the set has them.
        multilabel: Whether a pixel may have several classes, for `folder`, `rle`, `nnunet` and
            `records`: True, or None.
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
    clip: bool | None = None
    pairs: tuple[str | tuple[str, ...], str] | None = None
    class_masks: str | None = None
    pixel_weights: str | None = None
    weight_scale: float | None = None
    attribute: str | None = None
    order: str | None = None
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
        if self.path is None:
            return []
        return [self.path.parent if self.path.is_file() else self.path]

    def resolved(self):
        """The same with an absolute path, for a file that is read from elsewhere, and its kind.

        Of `folder`, whatever is not given and the files tell is filled in: patterns of names, class
        names, values, colours.

        Raises:
            ValueError: a folder is of no layout that there is, or of several.
        """
        if self.kind not in OPTIONS and Path(self.spec).expanduser().is_dir():
            folder = Path(self.spec).expanduser().resolve()
            own = [name for name in OF_FOLDER if getattr(self, name) is not None]
            kind, pairs = ("folder", self.pairs) if own else layout_of(folder)
            return dataclasses.replace(self, spec=f"{kind}:{folder}", pairs=pairs).resolved()
        if self.kind not in OPTIONS and is_table(self.spec):
            return dataclasses.replace(self, spec=f"rle:{Path(self.spec).resolve()}")
        path = self.path
        if path is None:
            return self
        spec = dataclasses.replace(self, spec=f"{self.kind}:{path.resolve()}")
        if self.kind != "folder" or not path.is_dir():
            return spec
        try:
            return spec.told()
        except DataError:  # of the data, which is said when they are opened
            return spec

    def told(self):
        """A `folder` with what its files tell and is not given; the rest as it is."""
        spec = self
        if spec.pairs is None and spec.mask_suffix is None and not has_usual_names(spec.path):
            spec = dataclasses.replace(spec, pairs=pairs_of(spec.path))
        return dataclasses.replace(spec, **folder_options(spec))

    def found_since(self, asked):
        """What was found and not said, in words: `folder:/data, pairs {}_a.jpg with {}_b.png`.

        Args:
            asked: The spec before `resolved`.

        Returns:
            A line; "" if nothing was.
        """
        found = [self.spec] if self.kind != asked.kind else []
        if self.pairs != asked.pairs:
            found.append(f"pairs {' with '.join(self.pairs)}")
        if self.class_names != asked.class_names:
            found.append(f"classes {', '.join(self.class_names)}")
        for name in ("values", "palette", "void_values"):
            value = getattr(self, name)
            if value != getattr(asked, name):
                found.append(f"{name.replace('_', ' ')} {', '.join(map(str, value))}")
        return "; ".join(found)

    def for_task(self, task):
        """The same set, opened as a model of this task needs it: as labels, or as objects.

        Raises:
            ValueError: it was named as one of several classes a pixel, for a model of one.
        """
        several = task == "multilabel"
        if self.multilabel and not several:
            expected = f"None for a model of task {task!r}"
            raise refused("multilabel", self.multilabel, expected, "Leave it out.")
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
            if Path(self.spec).expanduser().is_file():
                raise missing_set(Path(self.spec))
            raise refused("data", self.spec, f"one of {', '.join(KINDS)}, or a folder")
        if kind == "shapes" and place and not (place.isdecimal() and int(place) >= MIN_SIDE):
            expected = f"shapes, or shapes:N for N x N pixels, N at least {MIN_SIDE}"
            raise refused("data", self.spec, expected)
        for name in OWN_OPTIONS:
            value = getattr(self, name)
            if value is not None and name not in OPTIONS[kind]:
                owners = ", ".join(each for each in OPTIONS if name in OPTIONS[each])
                expected = f"None for data={self.spec!r}: it is of {owners}"
                raise refused(name, value, expected, "Leave it out.")
        if self.pairs is not None and self.mask_suffix is not None:
            expected = "None with pairs, which say all of a name"
            raise refused("mask_suffix", self.mask_suffix, expected, "Leave it out.")
        if self.pairs is not None and len(self.pairs) != 2:
            expected = "two patterns, of photos and of masks"
            raise refused("pairs", self.pairs, expected, "As in ('{}_sat.jpg', '{}_mask.png').")
        if self.splits is not None and len(self.splits) != 2:
            raise refused("splits", self.splits, "two names, those of the set for train and val")
        is_file = kind == "rle" and self.path.is_file()
        if self.path is not None and not (self.path.is_dir() or is_file):
            raise missing_set(self.path)

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
        numbers = self._numbers()
        objects = {"instances": self.instances, **numbers}
        share = {"val_fraction": self.val_fraction, **numbers}
        readers = {
            "camvid": lambda: camvid(self.path, split, **numbers),
            "voc": lambda: voc(self.path, split, **objects),
            "cityscapes": lambda: cityscapes(self.path, split, **objects),
            "ade20k": lambda: ade20k(self.path, split, **numbers),
            "oxford_pets": lambda: oxford_pets(self.path, split, **share),
            "coco": lambda: self._coco(split),
            "yolo": lambda: yolo(self.path, split, **(objects | share | self._names())),
            "labelme": lambda: labelme(self.path, split, **(objects | share | self._names())),
            "cvat": lambda: cvat(self.path, split, **(objects | share)),
            "via": lambda: via(
                self.path, split, attribute=self.attribute, **(objects | share | self._names())
            ),
            "jsonl": lambda: json_lines(self.path, split, **(objects | share | self._names())),
            "rle": lambda: self._runs(split, objects | share),
            "nnunet": lambda: nnunet(self.path, split, multilabel=bool(self.multilabel), **share),
            "tfds": lambda: self._tfds(name, split),
            "folder": lambda: self.told()._folder(split, probe),
            "records": lambda: self._records(split),
            "shapes": lambda: shapes(split, instances=self.instances, **scenes),
        }
        return readers[kind]()

    def _numbers(self):
        """What is said of the photos' numbers, as readers take it."""
        return {**{name: getattr(self, name) for name in NUMBERS}, "clip": bool(self.clip)}

    def _names(self):
        return {"class_names": self.class_names}

    def _runs(self, split, options):
        several = {"multilabel": bool(self.multilabel), "order": self.order}
        return run_lengths(self.path, split, **(options | self._names() | several))

    def _coco(self, split):
        annotations, photos, whole = coco_of_split(self.path, split)
        source = coco(photos, annotations, instances=self.instances, **self._numbers())
        if not whole:
            self._no_fraction("annotations of each split")
            return source
        chosen = part(source.ids, split, self._fraction())
        return source.subset(chosen, name=f"{source.name}/{split}")

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
        images, masks = self.pairs or ("images", "masks")
        several = isinstance(images, tuple)
        images = [self.path / each for each in images] if several else self.path / images
        beside = {
            name: value and self.path / value
            for name in ("class_masks", "pixel_weights")
            for value in [getattr(self, name)]
        }
        return folder(
            images,
            self.path / masks,
            self.class_names,
            values=self.values,
            palette=self.palette,
            void_values=self.void_values,
            mask_suffix=self.mask_suffix or "",
            **self._numbers(),
            **beside,
            weight_scale=self.weight_scale,
            instances=self.instances,
            multilabel=bool(self.multilabel),
            split=split,
            list_file=listed if listed.is_file() else None,
            val_fraction=self._fraction(),
            name=f"folder:{self.path.name}",
            probe=probe,
        )
