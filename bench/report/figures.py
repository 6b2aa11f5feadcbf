"""What was measured, as data: samples that a benchmark leaves, and what several runs of one come to.

A benchmark calls `sample` for each value that it takes, run by run. Where BENCH_SAMPLES names a file they are
kept there, a line of JSON each; where it doesn't, only what is printed remains.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final, Literal

import msgspec

VARIABLE: Final = "BENCH_SAMPLES"


class Sample(msgspec.Struct, frozen=True):
    """One value of one run: of which figure, of whom, at which load (0: there is only one)."""

    figure: str
    who: str
    value: float
    load: float = 0.0


class Aim(msgspec.Struct, frozen=True):
    """What is asked of somebody: a value, or a ratio to the reference, at most or at least so much."""

    who: str
    bound: Literal["at most", "at least"]
    value: float
    load: float = 0.0
    ratio: bool = False
    #: Beside whom, where that is not the figure's reference.
    of: str = ""


class Figure(msgspec.Struct, frozen=True):
    """What is measured, in which unit, beside whom (empty: beside nobody), and what is asked."""

    key: str
    title: str
    unit: str
    reference: str = ""
    load: str = ""
    aims: tuple[Aim, ...] = ()


class Spread(msgspec.Struct, frozen=True):
    """Several runs: how many, the middle one, the smallest and the largest."""

    runs: int
    median: float
    low: float
    high: float


class Summary(msgspec.Struct, frozen=True):
    """A figure of somebody at a load, over all runs; the ratio where there is somebody to compare with."""

    figure: str
    who: str
    load: float
    value: Spread
    ratio: Spread | None = None


class Verdict(msgspec.Struct, frozen=True):
    """An aim, and what came."""

    aim: Aim
    got: Spread
    met: bool


def sample(figure: str, who: str, value: float, load: float = 0.0) -> None:
    """Keep a value, if anybody collects."""
    if path := os.environ.get(VARIABLE):
        with Path(path).open("ab") as file:
            file.write(msgspec.json.encode(Sample(figure, who, value, load)) + b"\n")


def collected(path: Path) -> list[Sample]:
    """What benchmarks have left in a file."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [msgspec.json.decode(line, type=Sample) for line in lines]


def quantile(values: Iterable[float], share: float) -> float:
    """The value that this share of all lies below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def spread(values: Sequence[float]) -> Spread:
    """The middle, and how far they lie apart. The middle run, not the mean: one bad run must not count."""
    return Spread(len(values), median(values), min(values), max(values))


def summarise(samples: Iterable[Sample], figures: Mapping[str, Figure]) -> list[Summary]:
    """All samples by figure, who and load, in the order in which they came.

    Of figures that are not listed the samples are kept, and nothing is said.
    """
    grouped: dict[tuple[str, str, float], list[float]] = {}
    for each in samples:
        if each.figure in figures:
            grouped.setdefault((each.figure, each.who, each.load), []).append(each.value)
    found = []
    for (key, who, load), values in grouped.items():
        reference = grouped.get((key, figures[key].reference, load), [])
        found.append(Summary(key, who, load, spread(values), _ratio(values, reference)))
    return found


def _ratio(values: Sequence[float], reference: Sequence[float]) -> Spread | None:
    """Run by run where both ran in turn, as often: what makes the machine slow then falls out."""
    if not reference or not all(reference):
        return None
    if len(values) == len(reference):
        return spread([mine / theirs for mine, theirs in zip(values, reference, strict=True)])
    return spread([mine / median(reference) for mine in values])


def _beside(other: str, summary: Summary, summaries: Sequence[Summary]) -> Spread | None:
    """The ratio to somebody else of the same figure; its spread is the widest that there can be."""
    for each in summaries:
        if (each.figure, each.who, each.load) == (summary.figure, other, summary.load):
            mine, theirs = summary.value, each.value
            return Spread(
                mine.runs, mine.median / theirs.median, mine.low / theirs.high, mine.high / theirs.low
            )
    return None


def judge(summaries: Sequence[Summary], figure: Figure) -> list[Verdict]:
    """Each aim of a figure that something was measured for."""
    verdicts = []
    for aim in figure.aims:
        for summary in summaries:
            if (summary.figure, summary.who, summary.load) != (figure.key, aim.who, aim.load):
                continue
            got = (
                _beside(aim.of, summary, summaries)
                if aim.of
                else summary.ratio
                if aim.ratio
                else summary.value
            )
            if got is not None:
                met = got.median <= aim.value if aim.bound == "at most" else got.median >= aim.value
                verdicts.append(Verdict(aim, got, met))
    return verdicts
