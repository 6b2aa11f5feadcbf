"""Plots as SVG, by hand: lines and bars that are legible on light and on dark ground, without a library.

Colours come from a style in the picture that follows the reader's scheme. Every series has a label at its end,
so that nobody needs to tell colours apart.
"""

# ruff: noqa: E501 - words and style, a line each

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Final

import msgspec

from bench.report.figures import Spread, Summary

_WIDTH, _HEIGHT = 760, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 170, 44, 52
_STYLE: Final = """
text{font:13px system-ui,sans-serif;fill:#1f2328}.t{font-size:15px;font-weight:600}.m{fill:#59636e;font-size:12px}
.g{stroke:#d1d9e0;stroke-width:1}.l{fill:none;stroke-width:2}.e{stroke-width:1.2;opacity:.55}
.b{fill:#fff}
.c0{stroke:#0969da}.c1{stroke:#bc4c00}.c2{stroke:#1a7f37}.c3{stroke:#8250df}.c4{stroke:#bf3989}.c5{stroke:#59636e}
.f0{fill:#0969da}.f1{fill:#bc4c00}.f2{fill:#1a7f37}.f3{fill:#8250df}.f4{fill:#bf3989}.f5{fill:#59636e}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.m{fill:#9198a1}.g{stroke:#3d444d}.b{fill:#0d1117}
.c0{stroke:#58a6ff}.c1{stroke:#f0883e}.c2{stroke:#3fb950}.c3{stroke:#bc8cff}.c4{stroke:#f778ba}.c5{stroke:#9198a1}
.f0{fill:#58a6ff}.f1{fill:#f0883e}.f2{fill:#3fb950}.f3{fill:#bc8cff}.f4{fill:#f778ba}.f5{fill:#9198a1}}
""".replace("\n", "")

Point = tuple[float, Spread]


class Plot(msgspec.Struct, frozen=True):
    """What is drawn: figures by the words that are put behind their names (empty: none)."""

    title: str
    x: str
    y: str
    series: Mapping[str, str]
    log: bool = False
    bars: bool = False


PLOTS: Final = {
    "worker latency": Plot(
        "A worker: from ingest to fan-out, over load", "events/s", "ms",
        {"p50": "worker p50", "p99": "worker p99"}, log=True,
    ),
    "scaling": Plot("Several workers in one group", "", "events/s", {"": "scaling"}, bars=True),
    "direct delivered": Plot(
        "One event a write: delivered over load, 1,000 viewers", "deliveries/s offered", "delivered/s",
        {"": "direct delivered"},
    ),
    "direct latency": Plot(
        "One event a write: p99 over load, 1,000 viewers", "deliveries/s offered", "ms", {"": "direct p99"}, log=True
    ),
    "kafka delivered": Plot(
        "From Kafka: delivered over load, 1,000 viewers", "deliveries/s offered", "delivered/s",
        {"": "kafka delivered"},
    ),
    "kafka median": Plot(
        "From Kafka: p50 over load, 1,000 viewers", "deliveries/s offered", "ms", {"": "kafka p50"}, log=True
    ),
    "kafka latency": Plot(
        "From Kafka: p99 over load, 1,000 viewers", "deliveries/s offered", "ms", {"": "kafka p99"}, log=True
    ),
    "kafka cpu": Plot(
        "From Kafka: CPU of the server over load, 1,000 viewers", "deliveries/s offered", "% of a core",
        {"": "kafka cpu"},
    ),
    "memory": Plot("Memory over viewers", "viewers", "MB", {"": "memory"}),
}  # fmt: skip


def draw(summaries: Sequence[Summary]) -> dict[str, str]:
    """Every plot that there is something for, by the name of its file."""
    found = {}
    for name, plot in PLOTS.items():
        series: dict[str, list[Point]] = {}
        for words, figure in plot.series.items():
            for s in summaries:
                if s.figure == figure:
                    series.setdefault(f"{s.who} {words}".strip(), []).append((s.load, s.value))
        if series:
            svg = bars(plot, series) if plot.bars else lines(plot, series)
            found[name.replace(" ", "-")] = svg
    return found


def ticks(most: float, count: int = 5) -> list[float]:
    """Round numbers from 0 to at least `most`."""
    rough = max(most, 1e-9) / count
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= rough * 0.999)
    return [step * n for n in range(math.ceil(most / step - 1e-9) + 1)]


def decades(least: float, most: float) -> list[float]:
    """Powers of ten around what is there."""
    low, high = math.floor(math.log10(max(least, 1e-3))), math.ceil(math.log10(max(most, 1e-3)))
    return [10.0**n for n in range(low, max(high, low + 1) + 1)]


def short(value: float) -> str:
    """A number as an axis shows it."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def lines(plot: Plot, series: Mapping[str, Sequence[Point]]) -> str:
    """One line for each, with a whisker from the lowest run to the highest."""
    every = [point for points in series.values() for point in points]
    across = ticks(max(x for x, _ in every))
    up = (
        decades(min(y.low for _, y in every), max(y.high for _, y in every))
        if plot.log
        else ticks(max(y.high for _, y in every))
    )

    def at_x(value: float) -> float:
        return _LEFT + value / across[-1] * (_WIDTH - _LEFT - _RIGHT)

    def at_y(value: float) -> float:
        part = math.log(max(value, up[0]) / up[0]) / math.log(up[-1] / up[0]) if plot.log else value / up[-1]
        return _HEIGHT - _BOTTOM - part * (_HEIGHT - _TOP - _BOTTOM)

    parts = [_grid_y(up, at_y)]
    parts += [
        f'<text class="m" x="{at_x(t):.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{short(t)}</text>'
        for t in across
    ]
    ends: list[tuple[float, int, str]] = []
    for number, (name, unsorted) in enumerate(series.items()):
        points, colour = sorted(unsorted, key=lambda point: point[0]), number % 6
        path = " ".join(f"{at_x(x):.1f},{at_y(y.median):.1f}" for x, y in points)
        dashes = f' stroke-dasharray="{(number // 6 + 1) * 4} 3"' if number >= 6 else ""
        parts.append(f'<polyline class="l c{colour}"{dashes} points="{path}"/>')
        for x, y in points:
            parts.append(
                f'<line class="e c{colour}" x1="{at_x(x):.1f}" x2="{at_x(x):.1f}"'
                f' y1="{at_y(y.low):.1f}" y2="{at_y(y.high):.1f}"/>'
                f'<circle class="f{colour}" cx="{at_x(x):.1f}" cy="{at_y(y.median):.1f}" r="3"/>'
            )
        ends.append((at_y(points[-1][1].median), colour, name))
    parts += _labels(ends)
    return _picture(plot, parts)


def bars(plot: Plot, series: Mapping[str, Sequence[Point]]) -> str:
    """One bar for each, with a whisker."""
    up = ticks(max(y.high for points in series.values() for _, y in points))

    def at_y(value: float) -> float:
        return _HEIGHT - _BOTTOM - value / up[-1] * (_HEIGHT - _TOP - _BOTTOM)

    parts, room = [_grid_y(up, at_y)], (_WIDTH - _LEFT - _RIGHT) / len(series)
    for number, (name, points) in enumerate(series.items()):
        y, x = points[0][1], _LEFT + (number + 0.5) * room
        top = at_y(y.median)
        parts.append(
            f'<rect class="f0" x="{x - room / 4:.1f}" width="{room / 2:.1f}" y="{top:.1f}"'
            f' height="{at_y(0) - top:.1f}"/><line class="e c5" x1="{x:.1f}" x2="{x:.1f}"'
            f' y1="{at_y(y.low):.1f}" y2="{at_y(y.high):.1f}"/>'
            f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{escape(name)}</text>'
            f'<text class="m" x="{x + room / 4 + 4:.1f}" y="{top + 4:.1f}">{short(round(y.median, -2))}</text>'
        )
    return _picture(plot, parts)


def _grid_y(up: Sequence[float], place: Callable[[float], float]) -> str:
    return "".join(
        f'<line class="g" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{place(t):.1f}" y2="{place(t):.1f}"/>'
        f'<text class="m" x="{_LEFT - 8}" y="{place(t) + 4:.1f}" text-anchor="end">{short(t)}</text>'
        for t in up
    )


def _labels(ends: Sequence[tuple[float, int, str]]) -> list[str]:
    """At the lines' ends, moved apart where they would lie on each other."""
    parts, last = [], -math.inf
    overlap = sorted(ends)
    spare = _HEIGHT - _BOTTOM - 15 * len(overlap)
    for left, (y, colour, name) in enumerate(overlap):
        last = max(min(y, spare + 15 * (left + 1)), last + 15)
        parts.append(
            f'<text x="{_WIDTH - _RIGHT + 12}" y="{last + 4:.1f}" class="f{colour}">{escape(name)}</text>'
        )
    return parts


def _picture(plot: Plot, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
        f' aria-label="{escape(plot.title)}"><style>{_STYLE}</style>'
        f'<rect class="b" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>'
        f'<text class="t" x="{_LEFT}" y="24">{escape(plot.title)}</text>'
        f'<text class="m" x="{_LEFT - 8}" y="{_TOP - 8}" text-anchor="end">{escape(plot.y)}</text>'
        f'<text class="m" x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 12}" text-anchor="end">{escape(plot.x)}</text>'
        f"{''.join(parts)}</svg>\n"
    )
