"""docs/performance.md's measured part, its plots, and the data behind both, from results alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from bench.peers.settings import SETTINGS
from bench.report.figures import Aim, Figure, Sample, Spread, Summary, judge, summarise
from bench.report.measurements import FIGURES, MEASUREMENTS
from bench.report.plots import PLOTS, draw
from chaos.page import marked

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "performance.md"
RESULTS: Final = ROOT / "bench" / "results" / "latest.json"
PROFILES: Final = RESULTS.with_name("profile.json")
PICTURES: Final = ROOT / "docs" / "performance"


class Result(msgspec.Struct, frozen=True):
    """What a command printed, and the samples that it left."""

    name: str
    command: str
    seconds: float
    exit_code: int
    output: str
    samples: tuple[Sample, ...] = ()
    #: The day.
    when: str = ""
    #: The share of the processors' time that the host gave to other machines meanwhile.
    stolen: float | None = None


class Hot(msgspec.Struct, frozen=True):
    """A function, its share of the samples, and the line of it that has most of them."""

    share: float
    file: str
    function: str
    line: int
    source: str


class Profile(msgspec.Struct, frozen=True):
    """Where a process was seen."""

    what: str
    samples: int
    hot: tuple[Hot, ...]


class Results(msgspec.Struct, frozen=True):
    """One `make bench`."""

    when: str
    machine: str
    quick: bool
    results: tuple[Result, ...]
    absent: dict[str, str] = {}
    summaries: tuple[Summary, ...] = ()


def read(path: Path = RESULTS) -> Results:
    """Results that were kept."""
    return msgspec.json.decode(path.read_bytes(), type=Results)


def merged(old: Results | None, new: Results) -> Results:
    """New results with those of the old run that the new one did not measure, if both are of a kind."""
    if old is None or old.quick != new.quick:
        return new
    names = {result.name for result in new.results}
    kept = {
        result.name: result for result in (*(r for r in old.results if r.name not in names), *new.results)
    }
    ordered = [kept[each.name] for each in MEASUREMENTS if each.name in kept]
    return msgspec.structs.replace(new, results=tuple(ordered))


def keep(results: Results) -> None:
    """Write the data, the plots and the page."""
    samples = [sample for result in results.results for sample in result.samples]
    whole = msgspec.structs.replace(results, summaries=tuple(summarise(samples, FIGURES)))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(whole)) + b"\n")
    keep_pictures(draw(whole.summaries), PICTURES)
    PAGE.write_text(page(PAGE.read_text("utf-8"), whole), "utf-8")


def keep_pictures(drawn: Mapping[str, str], folder: Path) -> None:
    """Write the plots, and take away those that there is nothing for any more."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.svg"):
        if old.stem not in drawn:
            old.unlink()
    for name, svg in drawn.items():
        (folder / f"{name}.svg").write_text(svg, "utf-8")


def keep_profiles(made: Mapping[str, Profile]) -> None:
    """Write profiles beside those of what was not looked at anew, and the page's part."""
    there = msgspec.json.decode(PROFILES.read_bytes(), type=dict[str, Profile]) if PROFILES.exists() else {}
    whole = dict(sorted({**there, **made}.items()))
    PROFILES.write_bytes(msgspec.json.format(msgspec.json.encode(whole)) + b"\n")
    PAGE.write_text(marked(PAGE.read_text("utf-8"), {"profiles": profiles(whole)}), "utf-8")


def page(before: str, results: Results) -> str:
    """The page with what is measured made anew."""
    made = {"aims": aims(results.summaries), "measured": measured(results), "peers": peers(results)}
    return marked(before, made)


def aims(summaries: Sequence[Summary]) -> str:
    """What is asked, and what came."""
    rows = ["| | asked | measured (lowest to highest) | |", "|---|---|---|---|"]
    for figure in FIGURES.values():
        verdicts = {verdict.aim: verdict for verdict in judge(summaries, figure)}
        for aim in figure.aims:
            if (verdict := verdicts.get(aim)) is None:
                rows.append(f"| {_asked(figure, aim)} | | not measured |")
            else:
                rows.append(
                    f"| {_asked(figure, aim)} | {_got(verdict.got)} |"
                    f" {'held' if verdict.met else '**short of it**'} |"
                )
    return "\n".join(rows)


def circumstances(result: Result, today: str) -> str:
    """What a reader of its figures should know: the day, where it is another, and what others took."""
    said = [f"Measured on {result.when}."] if result.when not in ("", today) else []
    if result.stolen is not None and result.stolen >= 0.001:
        said.append(f"Other machines took {result.stolen:.1%} of the processors meanwhile.")
    return f" ({' '.join(said)})" if said else ""


def measured(results: Results) -> str:
    """Each measurement: its figures, its plots, and what its command printed."""
    how = f"make bench{' QUICK=1' if results.quick else ''}"
    parts = [f"Measured on {results.when} by `{how}`. {results.machine}.\n"]
    by_name = {result.name: result for result in results.results}
    for each in MEASUREMENTS:
        if (result := by_name.get(each.name)) is None:
            continue
        parts.append(f"### {each.title}\n\n{each.what}{circumstances(result, results.when)}\n")
        if result.exit_code:
            parts.append(f"**It ended with exit code {result.exit_code}: what stands here is not whole.**\n")
        keys = {figure.key for figure in each.figures}
        parts.append(table([s for s in results.summaries if s.figure in keys], FIGURES))
        drawn = {summary.figure for summary in results.summaries}
        parts += [f"![{PLOTS[name].title}](performance/{name.replace(' ', '-')}.svg)\n"
                  for name in each.plots if set(PLOTS[name].series.values()) & drawn]  # fmt: skip
        parts.append(
            f"<details><summary><code>{result.command}</code></summary>\n\n```\n{result.output}\n```\n\n</details>\n"
        )
    return "\n".join(parts)


def table(summaries: Sequence[Summary], figures: Mapping[str, Figure]) -> str:
    """Medians of the runs, with their spread; the ratio run by run."""
    rows = ["| | | load | median | lowest to highest | runs | ratio |", "|---|---|---|---|---|---|---|"]
    for s in sorted(summaries, key=lambda s: (list(figures).index(s.figure), s.load)):
        figure = figures[s.figure]
        load = f"{_number(s.load)} {figure.load}" if s.load else ""
        spread = f"{_number(s.value.low)} to {_number(s.value.high)}" if s.value.runs > 1 else ""
        ratio = ""
        if s.ratio is not None and s.who != figure.reference:
            ratio = f"{s.ratio.median:.2f} of {figure.reference}"
            ratio += f" ({s.ratio.low:.2f} to {s.ratio.high:.2f})" if s.ratio.runs > 1 else ""
        cells = (
            figure.title,
            s.who,
            load,
            f"{_number(s.value.median)} {figure.unit}",
            spread,
            s.value.runs,
            ratio,
        )
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(rows) + "\n"


def profiles(made: Mapping[str, Profile]) -> str:
    """Where the time goes, as it was seen."""
    parts = []
    for profile in made.values():
        rows = [f"{profile.what.capitalize()} ({profile.samples:,} samples):", ""]
        rows += ["| share | where | its hottest line |", "|---|---|---|"]
        for hot in profile.hot:
            line = f"`{hot.source.replace('|', chr(92) + '|')}`" if hot.source else ""
            rows.append(f"| {100 * hot.share:.1f} % | `{hot.file}`, `{hot.function}` | {line} |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts)


def peers(results: Results) -> str:
    """How each ran, and which did not."""
    there = {summary.who for summary in results.summaries}
    rows = ["| peer | how it ran |", "|---|---|"]
    rows += [f"| {name} | {how} |" for name, how in SETTINGS.items() if name in there]
    rows += [f"| {name} | was not run: {_short(why)} |" for name, why in sorted(results.absent.items())]
    return "\n".join(rows)


def _asked(figure: Figure, aim: Aim) -> str:
    unit = f"of {aim.of or figure.reference}" if aim.ratio else figure.unit
    at = f" at {_number(aim.load)} {figure.load}" if aim.load else ""
    return f"{figure.title}{at}: {aim.who} | {aim.bound} {_number(aim.value)} {unit}"


def _got(got: Spread) -> str:
    return _number(got.median) + (f" ({_number(got.low)} to {_number(got.high)})" if got.runs > 1 else "")


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value == int(value) or value >= 100 else f"{value:.{2 if value < 10 else 1}f}"


def _short(why: str) -> str:
    return why.splitlines()[0][:120].replace("|", "/")
