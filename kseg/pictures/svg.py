"""Charts of a page, as inline SVG: lines, columns and a reliability diagram.

Their colours are classes of the page's style (`page.css` of `kseg.base`), so that one drawing is
read in light and dark and on paper. Text is escaped; numbers stand in `<title>`s too.
"""

import math
from html import escape

WIDTH, HEIGHT = 420, 240
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 14, 36
STYLES = ("a", "b")


def lines(series, label, x="epoch", low=None, high=None, whole=True):
    """Lines of numbers by another.

    Args:
        series: Tuples of a name, points `(x, y)` and the classes of style, as `"a dash"`.
        label: What the chart shows, for who cannot see it.
        x: What the axis says.
        low, high: Of the y axis. Default None: what the points ask for, from 0 on.
        whole: Whether x counts something: no tick stands between two numbers.

    Returns:
        An `<svg>` element as text.

    Example:

    >>> lines([("loss", [(1, 2.0), (2, 1.0)], "a")], "loss by epoch")[:4]
    '<svg'
    """
    points = [point for _, each, _ in series for point in each if _finite(point)]
    if not points:
        return ""
    xs, ys = zip(*points)
    low = min(0.0, *ys) if low is None else low
    high = max(ys) if high is None else high
    frame = Frame((min(xs), max(xs)), (low, high))
    drawn = [frame.grid(), frame.x_axis(_ticks(min(xs), max(xs), 6, whole), x)]
    for name, each, style in series:
        each = [point for point in each if _finite(point)]
        places = " ".join(f"{frame.x(a):.1f},{frame.y(b):.1f}" for a, b in each)
        drawn.append(f'<polyline class="line {style}" points="{places}"/>')
        dot = style.split()[0]
        drawn += [
            f'<circle class="dot-{dot}" cx="{frame.x(a):.1f}" cy="{frame.y(b):.1f}" r="3">'
            f"<title>{escape(name)}, {x} {a:g}: {b:.4g}</title></circle>"
            for a, b in each
        ]
    return _svg(drawn, label)


def columns(groups, label, x="", y_high=None, percent=False):
    """Columns of numbers, one or two side by side of each group.

    Args:
        groups: Tuples of a name, the numbers, one a run, NaN for none, and a note for each, or
            None.
        label: What the chart shows, for who cannot see it.
        x: What the axis says.
        y_high: End of the y axis. Default None: the largest number.
        percent: Whether numbers are shares.

    Example:

    >>> columns([("0-1", [0.5], None), ("1-2", [0.25], None)], "errors").count("<rect")
    2
    """
    known = [value for _, values, _ in groups for value in values if math.isfinite(value)]
    if not known:
        return ""
    frame = Frame((0, len(groups)), (0, y_high or max(known) or 1))
    drawn = [frame.grid(percent)]
    for place, (name, values, notes) in enumerate(groups):
        width = 0.8 / len(values)
        for number, value in enumerate(values):
            if not math.isfinite(value):
                continue
            left, right = (frame.x(place + 0.1 + width * (number + end)) for end in (0, 0.92))
            top = frame.y(value)
            note = f" ({escape(notes[number])})" if notes else ""
            shown = f"{value:.1%}" if percent else f"{value:,.4g}"
            drawn.append(
                f'<rect class="fill-{STYLES[number]}" x="{left:.1f}" y="{top:.1f}" '
                f'width="{right - left:.1f}" height="{max(0.5, frame.y(0) - top):.1f}" rx="1.5">'
                f"<title>{escape(name)}: {shown}{note}</title></rect>"
            )
    names = [(place + 0.5, name) for place, (name, _, _) in enumerate(groups)]
    step = max(1, math.ceil(len(names) / 9))
    drawn.append(frame.x_axis(names[::step], x))
    return _svg(drawn, label)


def reliability(runs, label):
    """Confidence against how often it was right, with the diagonal of who is never too sure.

    Args:
        runs: One a run: triples `(confidence, accuracy, share)` of bins, NaN where one is empty.
        label: What the chart shows, for who cannot see it.

    Example:

    >>> reliability([[(0.8, 0.5, 1.0)]], "calibration").count("<circle")
    1
    """
    frame = Frame((0, 1), (0, 1))
    ends = (frame.x(0), frame.y(0), frame.x(1), frame.y(1))
    drawn = [
        frame.grid(True),
        frame.x_axis([(n / 5, f"{n * 20} %") for n in range(6)], "confidence"),
    ]
    drawn.append(
        '<line class="ideal" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>'.format(*ends)
    )
    for bins, style in zip(runs, STYLES):
        known = [each for each in bins if _finite(each)]
        places = " ".join(f"{frame.x(c):.1f},{frame.y(a):.1f}" for c, a, _ in known)
        drawn.append(f'<polyline class="line {style}" points="{places}"/>')
        drawn += [
            f'<circle class="dot-{style}" cx="{frame.x(c):.1f}" cy="{frame.y(a):.1f}" '
            f'r="{2.2 + 5 * math.sqrt(share):.1f}">'
            f"<title>sure to {c:.1%}, right in {a:.1%}; {share:.1%} of all</title></circle>"
            for c, a, share in known
        ]
    return _svg(drawn, label)


class Frame:
    """Where numbers stand in a chart.

    Args:
        across, up: `(low, high)` of the axes.
    """

    def __init__(self, across, up):
        self.across = across if across[1] > across[0] else (across[0] - 0.5, across[1] + 0.5)
        self.ticks = _ticks(*up, 5, False)
        step = self.ticks[1][0] - self.ticks[0][0] if len(self.ticks) > 1 else 1
        last = self.ticks[-1][0]
        self.up = up[0], max(up[1], last) if up[1] - last < 1e-9 else last + step
        self.ticks = _ticks(*self.up, 5, False)

    def x(self, value):
        low, high = self.across
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        low, high = self.up
        return HEIGHT - BOTTOM - (value - low) / ((high - low) or 1) * (HEIGHT - TOP - BOTTOM)

    def grid(self, percent=False):
        """Lines across, with their numbers."""
        drawn = []
        for value, text in self.ticks:
            y, shown = self.y(value), f"{value:.0%}" if percent else text
            drawn.append(
                f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
                f'<text x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{shown}</text>'
            )
        return "".join(drawn)

    def x_axis(self, ticks, label):
        """The axis below, with its numbers and what they are."""
        bottom = self.y(self.up[0])
        drawn = [
            f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{bottom}" y2="{bottom}"/>'
        ]
        drawn += [
            f'<text x="{min(self.x(value), WIDTH - 14):.1f}" y="{bottom + 16:.1f}" '
            f'text-anchor="middle">'
            f"{escape(text)}</text>"
            for value, text in ticks
        ]
        middle = (LEFT + WIDTH - RIGHT) / 2
        drawn.append(
            f'<text x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">{escape(label)}</text>'
        )
        return "".join(drawn)


def _ticks(low, high, most, whole):
    """Round numbers from `low` to `high`, at most about so many: pairs of a number and its text."""
    span = high - low
    if not span > 0:
        return [(low, f"{low:g}")]
    raw = span / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * each for each in (1, 2, 2.5, 5, 10) if power * each >= raw * 0.999)
    step = max(1, round(step)) if whole else step
    first = math.ceil(low / step - 1e-9)
    count = math.floor(high / step + 1e-9) - first + 1
    return [((first + n) * step, f"{round((first + n) * step, 9):g}") for n in range(count)]


def _finite(values):
    return all(math.isfinite(value) for value in values)


def _svg(drawn, label):
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">'
        f"{''.join(drawn)}</svg>"
    )
