"""`kseg.report`: a run, or two side by side, as one HTML page that needs no other file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from kseg.base import arguments
from kseg.base.arguments import integer, refused
from kseg.base.outputs import check_outputs
from kseg.base.types import PathLike
from kseg.data.source import Source
from kseg.models.contract import part
from kseg.pictures.image import picture_of
from kseg.reports import sections
from kseg.reports.page import write_page
from kseg.reports.places import Places
from kseg.reports.shots import shot, side_for, size_for
from kseg.reports.subject import (
    Subject,
    chosen_of,
    data_of,
    groups_in,
    opened_run,
    worst_and_best,
)

FILE = "report.html"


def report(
    run: PathLike,
    other: PathLike | None = None,
    *,
    path: PathLike | None = None,
    data: Source | None = None,
    split: str | None = None,
    group: str | PathLike | Mapping[str, str] | Callable[[str], str] | None = None,
    images: int = 12,
    limit: int | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> Path:
    """Writes what a run has become as one HTML page, which opens from disk and needs no network.

    It shows the scores with their protocol, the curves of the training, each class, what is taken
    for what, groups, the worst and the best photos with truth, prediction and error, how far from
    borders the errors lie, calibration, objects by size, what a check finds in the data, settings
    and versions. No path of this machine is in it. Where the photos are not at hand, it says so
    and shows the rest.

    Args:
        run: The folder of a run, or of folds, whose ensemble is then scored.
        other: That of a second run, of the same task and classes, to lay beside it: both are scored
            on the same photos, and those are shown on which they differ most. Default None.
        path: The HTML file. Default None: `report.html` in the folder of the run.
        data: Labelled `Source` to score on. Default None: what the run was trained on, if it says.
        split: Of the run's own data: `"train"`, `"val"` or `"test"`. Default None: `"val"`.
        group: What photos belong together, for scores by group, as of `kseg.evaluate`: `"folder"`;
            a regular expression that finds the group in a photo's name, as `"^([^_]+)_"`; a `.csv`
            file; a dict or a function from a name to its group. Default None: the folder, where
            photos lie in several.
        images: Photos that are shown, half of them the worst. Default 12.
        limit: Photos that are scored, evenly spread. Default None: all.
        overwrite: Whether to replace a file that is there. Default False.
        progress: Function of how many photos are done and how many there are, called after each;
            every photo of a run is looked at twice. Default None.

    Returns:
        Path of the page.

    Raises:
        TypeError: `data` is no `Source`, or a path is none.
        FileNotFoundError: there is no run, or it has no model yet.
        FileExistsError: the page is there already.
        ValueError: an argument is out of its range, the data are not of the run's task or classes,
            or the two runs are not of the same.

    Example:

    >>> kseg.report("runs/mine", data=kseg.data.shapes("val", count=4), path="mine.html")
    PosixPath('mine.html')
    """
    integer("images", images, low=0)
    if limit is not None:
        integer("limit", limit)
    if data is not None and split is not None:
        expected = "None with data=, which is of a split already"
        raise refused("split", split, expected, "Leave it out.")
    split = "val" if split is None else split
    opened = [opened_run(run)]
    if other is not None:
        opened.append(opened_run(arguments.path("other", other, "a run folder")))
    path = opened[0].path / FILE if path is None else arguments.path("path", path, "an HTML file")
    read = [file for each in opened for file in each.files()]
    check_outputs([("path", path)], read, overwrite)
    subjects = [Subject(each) for each in opened]
    if other is not None:
        subjects[0].check_same(subjects[1])
    source, why = data_of(subjects[0], data, split)
    if source is not None:
        check_outputs([("path", path)], source.files(), overwrite)
    places = Places([source] if source is not None else [], _folders(subjects))
    shown = {"worst": [], "best": [], "legend": [], "side": 0}
    if source is not None:
        _look(subjects, source, group, limit, progress)
        shown = _pictures(subjects, source, images)
    page = {
        **sections.head(subjects, source, places),
        **sections.scores(subjects),
        **sections.charts(subjects),
        **shown,
        "why": None if why is None else places(why),
        "findings": sections.findings(subjects[0], source, data is not None, places),
        "told": sections.told(subjects, source, split, limit, data is not None, places),
    }
    write_page(path, "report.html", **page)
    return path


def _look(subjects, source, group, limit, progress):
    """Scores each run on the same photos."""
    group = groups_in(source, group)
    chosen = chosen_of(source, limit)
    total, done = 2 * len(chosen) * len(subjects), 0
    for subject in subjects:
        before = done

        def step(count, before=before):
            if progress:
                progress(before + count, total)

        subject.look(source, chosen, group, step)
        done += 2 * len(chosen)


def _pictures(subjects, source, count):
    """The worst and the best photos with their layers, and what the colours say."""
    room = part("kseg.reports", source)
    worst, best = worst_and_best(subjects, count)
    side = side_for(len(worst) + len(best), 1 + 2 * len(subjects))
    ids, result = set(), {"side": side}
    for kind, chosen in (("worst", worst), ("best", best)):
        result[kind] = []
        for position in chosen:
            sample = source[subjects[0].images[position].index]
            ids |= room.class_ids(sample)
            result[kind].append(_shot(room, subjects, source, sample, position, side))
    legend = [*room.legend(source, ids), *room.ERRORS]
    return {**result, "legend": legend, "layers": room.LAYERS}


def _shot(room, subjects, source, sample, position, side):
    """A photo with its truth, and what each run says of it."""
    photo = picture_of(source, sample)
    size = size_for(photo.shape, side)
    layers = [("truth", 0, room.truth(source, sample, size))]
    for pane, subject in enumerate(subjects):
        said = subject.about.answer(subject.predict(sample["image"]))
        layers.append(("prediction", pane, room.prediction(source, sample, said, size)))
        layers.append(("error", pane, room.error(source, sample, said, size)))
    scores = [subject.images[position].score for subject in subjects]
    value = " → ".join(f"{score:.3f}" for score in scores)
    seen = subjects[0].images[position]
    caption = room.caption(source, sample) if room.COUNTED else ()
    return shot(seen.id, f"{subjects[0].about.SCORE} {value}", photo, layers, side, caption)


def _folders(subjects):
    """Folders that paths on the page are told from."""
    folders = [str(subject.run.path.resolve().parent) for subject in subjects]
    for subject in subjects:
        spec = (subject.run.data or {}).get("spec", "")
        kind, _, place = spec.partition(":")
        folders += [place] if place and kind not in ("tfds", "shapes") else []
    return folders
