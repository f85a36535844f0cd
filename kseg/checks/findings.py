"""What a check returns: findings with their remedies, and the statistics of each source."""

from __future__ import annotations

import dataclasses
from typing import Any

from kseg.base.shown import card, counted, line
from kseg.checks.statistics import Statistics
from kseg.data.errors import DataError

ERROR, WARNING = "error", "warning"


# kind -> severity and remedy. An error would train or score wrongly, or stop the training.
KINDS = {
    "refused": (ERROR, ""),
    "unreadable": (ERROR, "Replace the file, or remove it with its partner."),
    "unsuitable": (ERROR, ""),  # the message says what to do
    "no_value_range": (ERROR, ""),
    "unreadable_by_pillow": (
        WARNING,
        "TensorFlow reads it, and learns from it; predictions are made with Pillow: write it anew.",
    ),
    "empty_file": (ERROR, "Copy or download the file again, or remove it with its partner."),
    "wrong_format": (ERROR, "Convert it to JPEG or PNG; the ending of the name decides nothing."),
    "unusual_format": (WARNING, "Convert it to JPEG or PNG, which every version reads."),
    "size_mismatch": (
        ERROR,
        "Export the mask at the image's size; never resize masks with interpolation.",
    ),
    "exif_rotation": (
        ERROR,
        "EXIF rotation is not applied: turn the photo's own pixels (ImageOps.exif_transpose of "
        "Pillow, mogrify -auto-orient), then mask and photo agree.",
    ),
    "exif_orientation": (
        WARNING,
        "EXIF rotation is not applied, and no size tells what the labels were drawn on: if on the "
        "turned photo, as in a browser, turn the photo's own pixels (ImageOps.exif_transpose of "
        "Pillow, mogrify -auto-orient); otherwise remove the tag.",
    ),
    "nothing_to_learn": (
        ERROR,
        "Look whether the labels are there, and whether they are read as they are meant.",
    ),
    "nothing_to_score": (WARNING, "Scores on it say nothing: move labelled photos there."),
    "all_crowd": (
        ERROR,
        "Tools such as RectLabel and CVAT mark brush masks so: where an annotation is one object, "
        'write "iscrowd": 0.',
    ),
    "many_crowd": (
        WARNING,
        "Tools such as RectLabel and CVAT mark brush masks so: where an annotation is one object, "
        'write "iscrowd": 0.',
    ),
    "boxes_only": (
        ERROR,
        "Detection tools, and rectangles of Label Studio or CVAT, are written so: draw polygons "
        "or masks, and export these.",
    ),
    "filled_boxes": (
        WARNING,
        "If they stand around objects of another form, draw polygons or masks in their place.",
    ),
    "relative_coordinates": (
        ERROR,
        "YOLO's files, and converters from them, are written so: multiply x by the width and y by "
        "the height of its photo.",
    ),
    "boxes_elsewhere": (
        WARNING,
        "Look at them (kseg data): bbox is x, y, width, height, runs go down the columns, and both "
        "are of the photo's own size.",
    ),
    "nothing_drawn": (
        ERROR,
        "Look whether the annotations are of these photos, and of their size.",
    ),
    "classes_differ": (
        ERROR,
        "Give all splits one list of classes, in one order.",
    ),
    "other_names": (WARNING, "If they are the same classes, give them the same names."),
    "unknown_id": (
        ERROR,
        "Correct the mask; of a folder, values=(1, 2, 3) says the value of each class, in order.",
    ),
    "palettes_differ": (ERROR, ""),  # the message says what to do
    "black_elsewhere": (
        WARNING,
        "The numbers are read as the class ids. If the colours say the classes, as where a program "
        "chose the palette, give the colour of each class (palette=).",
    ),
    "mask_value": (
        ERROR,
        "Correct the mask; or say what its values mean, as values=(0, 255): without the class, and "
        "with it.",
    ),
    "black_and_white": (ERROR, "Give values=(0, 255) if 255 is the object."),
    "maybe_black_and_white": (WARNING, "If 255 is an object here, write its class id instead."),
    "jpeg_mask": (ERROR, "JPEG changes ids: export the masks again as PNG, from the original."),
    "interpolated_mask": (
        ERROR,
        "Resize masks with nearest neighbour only, from the original: the ids along the edges "
        "are of classes that are not there.",
    ),
    "palette_as_grey": (
        ERROR,
        "A colour mask was converted to grey: export the palette's indices, or keep the colours "
        "and give palette=[(r, g, b), ...].",
    ),
    "color_mask": (ERROR, "Give palette=[(r, g, b), ...], the colour of each class."),
    "cityscapes_ids": (
        ERROR,
        "These are Cityscapes' label ids (0..33): use the *_labelTrainIds.png files, or "
        "convert them to the 19 train ids.",
    ),
    "void_mask": (WARNING, "Nothing is learnt from it: draw the mask, or remove the sample."),
    "no_weight": (WARNING, "Nothing is learnt from it: make its weights anew, or remove it."),
    "single_class_mask": (WARNING, "Look whether the mask is finished."),
    "no_instances": (WARNING, "Look whether the annotation is finished."),
    "turned": (
        WARNING,
        "If it was drawn on a turned copy, turn the photo's own pixels; else correct it.",
    ),
    "stray_points": (WARNING, "Nothing is lost: they are clicks that made no polygon."),
    "several_annotations": (
        WARNING,
        "Mark the right one as ground truth in Label Studio, or delete the others there.",
    ),
    "no_class": (WARNING, "If it is a class all the same, rename it."),
    "run_order": (
        WARNING,
        "If masks lie turned on their photos, give order='rows'; if they fit, order='columns'.",
    ),
    "not_listed": (
        WARNING,
        "They are left out: if there is nothing on them, add a row without runs for each.",
    ),
    "row_a_class": (WARNING, "If rows hold several objects, read a map, not objects."),
    "overlapping_classes": (
        WARNING,
        "In a map the smaller one lies on top: to keep all of them give multilabel=True.",
    ),
    "many_objects": (
        WARNING,
        "A Mask R-CNN finds 100 of a photo unless it is built with more (detections=, "
        "`kseg fit --detections`) or asked for more (`kseg.predict(..., detections=)`). Batches "
        "hold all of them unless `max_instances` of `kseg.data.batches` says fewer.",
    ),
    "empty_instance": (WARNING, "It will be left out: correct or remove the annotation."),
    "box": (
        WARNING,
        "What it stands around is background, which is learnt so: draw its outline, or remove the "
        "photo.",
    ),
    "box_outside": (WARNING, "Correct the box, or check that it belongs to this photo."),
    "blank_photo": (WARNING, "Replace or remove the sample."),
    "transparent_photo": (
        WARNING,
        "Alpha is left out, and the colours beneath it are read: paint over them, or draw these "
        "pixels as void in the mask.",
    ),
    "dark_photo": (
        WARNING,
        "Of 16 bits the upper 8 are read, so it is nearly black: say how many bits its numbers "
        "have, with bits=12 for 0..4095, which keeps them as they are. Or write it anew with all "
        "of them multiplied by 16 (of 10 bits, by 64), for predictions too.",
    ),
    "duplicate_photo": (WARNING, "Keep one of them."),
    "near_duplicate": (WARNING, "If they are copies, keep one, or keep all in one split."),
    "shared_photo": (
        ERROR,
        "Remove it from one of the splits: scores on photos that were trained on are too good.",
    ),
    "duplicate_mask": (WARNING, "Check that each mask belongs to its photo."),
    "duplicate_id": (ERROR, "Rename one: predictions are filed under this name."),
    "absent_mask": (WARNING, "Add the mask if the class is in the photo."),
    "orphan_mask": (WARNING, "Add the photo, or remove the mask."),
    "left_out": (WARNING, "Convert it to JPEG or PNG, or move it elsewhere."),
    "object_numbers": (
        ERROR,
        "If the values number objects, read objects, with instances=True; else name the values in "
        "the class list.",
    ),
    "absent_class": (
        WARNING,
        "Nothing can be learnt or scored of it: add samples, or leave the class out.",
    ),
}


@dataclasses.dataclass(frozen=True)
class Finding:
    """One kind of fault and all the samples of a source that have it.

    Args:
        kind: A key of `KINDS`, or a kind that a reader reports of its own.
        severity: `"error"` or `"warning"`.
        source: Name of the source, or names, comma-separated.
        message: One line about the first of the files.
        remedy: What to do.
        files: Paths of the files at fault, or ids of samples that are no files.
        samples: `(source name, position)` of each sample concerned.
    """

    kind: str
    severity: str
    source: str
    message: str
    remedy: str
    files: tuple[str, ...] = ()
    samples: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        return f"{self.message} {self.advice()}".strip()

    def advice(self) -> str:
        """The remedy, and how many files need it."""
        if len(self.files) < 2:
            return self.remedy
        return f"{self.remedy} ({len(self.files)} files with this fault)".strip()


@dataclasses.dataclass(frozen=True)
class Report:
    """The result of `kseg.check`: findings, errors first, and statistics by source.

    Example:

    >>> report = kseg.check(kseg.data.shapes("val", count=8))
    >>> report.ok, report.errors
    (True, [])
    """

    findings: tuple[Finding, ...]
    sources: tuple[Statistics, ...]

    @property
    def errors(self) -> list[Finding]:
        """The findings that would train or score wrongly, or stop the training."""
        return [finding for finding in self.findings if finding.severity == ERROR]

    @property
    def warnings(self) -> list[Finding]:
        """The other findings, which deserve a look."""
        return [finding for finding in self.findings if finding.severity == WARNING]

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings do not count."""
        return not self.errors

    def __repr__(self) -> str:
        return line(self, self._summary())

    def _summary(self):
        errors, warnings = counted(len(self.errors), "kind"), len(self.warnings)
        read = counted(sum(source.read for source in self.sources), "sample")
        return f"{errors} of errors and {warnings} of warnings in {read}"

    def _repr_html_(self) -> str:
        findings = self.findings
        return card(
            self._summary(),
            headings=["", "kind", "source", "what", "what to do", "files"] if findings else [],
            rows=[
                (each.severity, each.kind, each.source, each.message, each.remedy)
                + (f"{len(each.files):,}",)
                for each in findings
            ],
        )

    def to_dict(self) -> dict[str, Any]:
        """The whole report in lists, dicts, strings and numbers, ready for JSON."""
        findings = []
        for finding in self.findings:
            row = dataclasses.asdict(finding)
            samples = [{"source": name, "index": index} for name, index in finding.samples]
            findings.append(row | {"files": list(finding.files), "samples": samples})
        return {
            "ok": self.ok,
            "errors": len(self.errors),
            "warnings": len(self.warnings),
            "findings": findings,
            "sources": [source.to_dict() for source in self.sources],
        }

    def raise_on_errors(self) -> None:
        """Raises a `DataError` of the first error, its remedy, and how many more there are."""
        if not self.errors:
            return
        first, more = self.errors[0], len(self.errors) - 1
        remedy = first.advice()
        if more:
            remedy = f"{remedy} ({more} more kinds of error: see `kseg check`)".strip()
        subject = first.files[0] if first.files else first.source
        raise DataError(first.kind, subject, first.message, remedy)


def refusals(name: str, error: ValueError) -> list[Finding]:
    """The findings of a reader's refusal to open a source at all, one for each kind of fault.

    Args:
        name: Of the source that was to be opened.
        error: The reader's `DataError`, or its `ValueError` about an argument.
    """
    severity, _ = KINDS["refused"]
    told = [(str(error), "")]
    if isinstance(error, DataError):
        told = [(fault.message, fault.remedy) for fault in error.faults]
    return [
        Finding("refused", severity, name, " ".join(message.split()), remedy)
        for message, remedy in told
    ]


def group(problems):
    """Single problems -> findings, one for each kind and source, errors first.

    Args:
        problems: Tuples of kind, name of the source or sources, `(source name, index)` of the
            sample or None, file, message.
    """
    grouped = {}
    for problem in problems:
        grouped.setdefault(problem[:2], []).append(problem)
    findings = []
    for (kind, source), rows in grouped.items():
        severity, remedy = KINDS.get(kind, (ERROR, "Correct the annotation."))
        samples = tuple(dict.fromkeys(row[2] for row in rows if row[2] is not None))
        files = tuple(dict.fromkeys(row[3] for row in rows))
        findings.append(Finding(kind, severity, source, rows[0][4], remedy, files, samples))
    place = {kind: position for position, kind in enumerate(KINDS)}
    return sorted(findings, key=lambda finding: (finding.severity, place.get(finding.kind, 0)))
