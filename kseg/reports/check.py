"""The result of a check as one HTML page that needs no other file."""

import base64
import html
import io

import numpy as np
from PIL import Image

from kseg.base.atomic import replacing
from kseg.base.colors import object_colors
from kseg.checks.statistics import class_rows, size_line
from kseg.data.bad_files import file_of
from kseg.data.files import load_mask, load_photo
from kseg.data.source import spread
from kseg.pictures.image import colorize, overlay
from kseg.pictures.instance import objects

EXAMPLES = 6  # samples shown of a finding, and of a source


WIDTH = 320  # of a picture on the page, in pixels; stored twice as wide for fine screens


FOLDED = 40  # classes in a table that is not folded away


SWATCHES = 12  # colours shown of the objects of one class


LISTED = 200  # files named of a finding


STYLE = f"""
body {{ font: 15px/1.45 system-ui, sans-serif; color: #1e1e1e; background: #fff;
       max-width: 1180px; margin: 2em auto; padding: 0 1em; }}
h1 {{ font-size: 1.5em; }} h2 {{ font-size: 1.2em; margin-top: 2em; }} h3 {{ font-size: 1.05em; }}
table {{ border-collapse: collapse; margin: .6em 0; }}
th, td {{ padding: .2em .7em; text-align: right; border-bottom: 1px solid #e1e1e1; }}
th:first-child, td:first-child {{ text-align: left; }}
.finding {{ border-left: 5px solid #c98a00; background: #fafafa;
           padding: .1em 1em; margin: 1.2em 0; }}
.finding.error {{ border-color: #dc322f; }}
.tag {{ color: #fff; background: #c98a00; border-radius: 3px; padding: 0 .45em; font-size: .85em; }}
.error .tag {{ background: #dc322f; }}
.examples {{ display: flex; flex-wrap: wrap; gap: .8em; margin: .8em 0; }}
figure {{ margin: 0; width: {WIDTH}px; }} figure img {{ width: {WIDTH}px; display: block; }}
figcaption {{ font-size: .8em; color: #555; overflow-wrap: anywhere; }}
.swatch {{ display: inline-block; width: .9em; height: .9em; border: 1px solid #1e1e1e;
          margin-right: .5em; vertical-align: -.1em; }}
.void {{ background: repeating-linear-gradient(135deg, #fff 0 2px, #000 2px 4px, #999 4px 6px); }}
.legend {{ font-size: .85em; }} .legend span + span {{ margin-left: 1em; }}
.legend .swatch, figcaption .swatch {{ margin: 0 .3em 0 0; }}
.bar {{ fill: #266ec8; }} svg text {{ font: 12px system-ui, sans-serif; }}
details {{ margin: .5em 0; }} .ok {{ color: #329650; }} code {{ overflow-wrap: anywhere; }}
"""


def page(report, sources, path):
    """Writes the findings with example pictures; classes, samples and sizes of each source.

    Args:
        report: A `kseg.checks.Report`.
        sources: The sources that were checked, from which examples are read again.
        path: The HTML file.
    """
    by_name = {stats.name: source for stats, source in zip(report.sources, sources)}
    parts = [_findings(report, by_name)]
    for stats, source in zip(report.sources, sources):
        parts += [_heading(stats), _samples(source), _classes(stats), _size_histogram(stats.sizes)]
    text = (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>kseg check</title><style>{STYLE}</style></head><body>"
        f"<h1>kseg check</h1>{''.join(parts)}</body></html>\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _findings(report, by_name):
    read = sum(stats.read for stats in report.sources)
    summary = (
        f"<p><b>{len(report.errors)}</b> kinds of errors and <b>{len(report.warnings)}</b> of "
        f"warnings in {read:,} samples.</p>"
    )
    if not report.findings:
        return summary + "<p class='ok'>Nothing was found to be wrong.</p>"
    return summary + "".join(_finding(finding, by_name) for finding in report.findings)


def _finding(finding, by_name):
    examples = []
    for name, index in finding.samples[:EXAMPLES]:
        if name in by_name:
            examples.append(_example(by_name[name], index))
    listed = "".join(f"<li><code>{_text(file)}</code></li>" for file in finding.files[:LISTED])
    if len(finding.files) > LISTED:
        listed += f"<li>and {len(finding.files) - LISTED} more</li>"
    count = f"{len(finding.files)} file{'s' * (len(finding.files) != 1)}"
    return (
        f"<div class='finding {finding.severity}'>"
        f"<h3><span class='tag'>{finding.severity}</span> {_text(finding.kind)} "
        f"in {_text(finding.source)}</h3>"
        f"<p>{_text(finding.message)}<br><i>{_text(finding.remedy)}</i></p>"
        f"<div class='examples'>{''.join(examples)}</div>"
        f"<details><summary>{count}</summary><ul>{listed}</ul></details></div>"
    )


def _example(source, index):
    """Photo with its mask laid over it; where they cannot be read together, each by itself."""
    file = file_of(source, "image", index) or source.ids[index]
    try:
        pictures = [_overlaid(source, source[index])]
    except Exception:  # the very fault that is shown
        pictures = _separately(source, index)
    if not pictures:
        return f"<figure><figcaption>{_text(file)}: no picture</figcaption></figure>"
    images = "".join(f"<img alt='' src='{_encoded(picture)}'>" for picture in pictures)
    return f"<figure>{images}<figcaption>{_text(file)}</figcaption></figure>"


def _overlaid(source, sample):
    image = sample["image"]
    if source.task == "instance":
        return objects(image, sample["masks"], sample["boxes"], crowd=sample["crowd"])
    picture = overlay(image, sample["label"], source.colors, void=source.void)
    # a bare photo could be taken for a pale class: void is hatched, black and white to show on any
    y, x = np.indices(picture.shape[:2])
    stripe = max(1, picture.shape[1] // 240)
    phase = (x + y) // stripe % 5
    for place, grey in ((0, 255), (1, 0)):
        picture[(sample["label"] == source.void) & (phase == place)] = grey
    return picture


def _separately(source, index):
    """The photo, and the mask with its values as colours, those of them that Pillow can read."""
    pictures = []
    photo, mask = (file_of(source, column, index) for column in ("image", "label"))
    for file, load in ((photo, load_photo), (mask, load_mask)):
        try:
            pictures += [load(file)] if file else []
        except (ValueError, OSError):
            continue
    for position, picture in enumerate(pictures):
        if picture.ndim == 2 and picture.max() < source.num_classes:
            pictures[position] = colorize(picture, source.colors, source.void)
        elif picture.ndim == 2:  # no ids: as grey as they are, spread over black to white
            grey = picture * 255 // max(1, picture.max())
            pictures[position] = np.repeat(grey[:, :, None], 3, axis=2)
    return [picture.astype(np.uint8) for picture in pictures]


def _encoded(picture):
    """A small JPEG as a data URI."""
    image = Image.fromarray(picture)
    image.thumbnail((2 * WIDTH, 2 * WIDTH))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _samples(source):
    """A few samples with their labels laid over; those that cannot be read are findings."""
    figures, shown = "", set()
    for index in spread(len(source), EXAMPLES):
        try:
            sample = source[index]
        except Exception:  # whatever it is, a finding tells of it
            continue
        if source.task == "semantic":
            content, classes = _shares(source, sample["label"])
            shown |= classes
        else:
            content = _object_counts(source, sample)
        figures += (
            f"<figure><img alt='' src='{_encoded(_overlaid(source, sample))}'>"
            f"<figcaption><b>{_text(source.ids[index])}</b><br>{content}</figcaption></figure>"
        )
    if not figures:
        return ""
    legend = "Each object in a colour of its own, with its box; a crowd is grey."
    if source.task == "semantic":
        legend = _legend(source, shown)
    return f"<h3>Samples</h3><p class='legend'>{legend}</p><div class='examples'>{figures}</div>"


def _shares(source, label):
    """The classes of a mask, largest first, as text; and the ids that it holds."""
    ids, counts = np.unique(label, return_counts=True)
    names = []
    for position in np.argsort(-counts, kind="stable"):
        names.append(f"{_name(source, ids[position])} {counts[position] / label.size:.1%}")
    return _text(", ".join(names)), set(ids.tolist())


def _object_counts(source, sample):
    """How many objects of each class, after their colours."""
    colors = object_colors(sample["crowd"])
    kinds = {}
    for class_id, crowd, color in zip(sample["classes"], sample["crowd"], colors):
        name = _name(source, class_id) + (" (crowd)" if crowd else "")
        kinds.setdefault(name, []).append(color)
    names = [
        f"{''.join(map(_swatch, colors[:SWATCHES]))}{'… ' * (len(colors) > SWATCHES)}"
        f"{_text(name)}: {len(colors)}"
        for name, colors in sorted(kinds.items(), key=lambda kind: -len(kind[1]))
    ]
    return "<br>".join(names) or "no object"


def _legend(source, ids):
    entries = []
    for class_id in sorted(ids):
        name = _text(_name(source, class_id))
        if class_id == source.void:
            entries.append(f"<span><span class='swatch void'></span>{name}</span>")
        elif 0 <= class_id < source.num_classes:
            entries.append(f"<span>{_swatch(source.colors[class_id])}{name}</span>")
    return " ".join(entries)


def _name(source, class_id):
    if class_id == source.void:
        return "void"
    known = 0 <= class_id < source.num_classes
    return source.class_names[class_id] if known else f"unknown id {class_id}"


def _swatch(color):
    return f"<span class='swatch' style='background: rgb{tuple(map(int, color))}'></span>"


def _heading(stats):
    return (
        f"<h2>{_text(stats.name)}</h2><p>{stats.read:,} of {stats.samples:,} samples read, "
        f"{stats.void_pixels:,} pixels void; {_text(size_line(stats))}.</p>"
    )


def _classes(stats):
    headings, *rows = class_rows(stats)
    head = "".join(f"<th>{_text(heading)}</th>" for heading in headings)
    body = ""
    for row, color in zip(rows, stats.colors):
        cells = "".join(f"<td>{_text(cell)}</td>" for cell in row[1:])
        body += f"<tr><td>{_swatch(color)}{_text(row[0])}</td>{cells}</tr>"
    table = f"<table><tr>{head}</tr>{body}</table>"
    if len(rows) > FOLDED:
        return f"<details><summary>{len(rows)} classes</summary>{table}</details>"
    return f"<h3>Classes</h3>{table}"


def _size_histogram(sizes, bins=10, width=520, height=150):
    """Photos by the square root of their area, as bars."""
    if len(sizes) < 2:
        return ""
    sides = np.array([(h * w) ** 0.5 for h, w in sizes.elements()])
    counts, edges = np.histogram(sides, bins=bins)
    step, bars = width / bins, ""
    for position, count in enumerate(counts):
        tall = (height - 40) * count / counts.max()
        x, y = position * step, height - 20 - tall
        bars += (
            f"<rect class='bar' x='{x:.1f}' y='{y:.1f}' width='{step - 3:.1f}' "
            f"height='{tall:.1f}'/><text x='{x:.1f}' y='{y - 4:.1f}'>{count}</text>"
            f"<text x='{x:.1f}' y='{height - 5}'>{edges[position]:.0f}</text>"
        )
    return (
        f"<p>Photos by side in pixels (square root of the area):</p>"
        f"<svg width='{width}' height='{height}' role='img'>{bars}</svg>"
    )


def _text(value):
    return html.escape(str(value), quote=True)
