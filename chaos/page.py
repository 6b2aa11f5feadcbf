"""`python -m chaos.page`: the runs in docs/reliability.md, made from the reports of chaos, siege and soak.

A report is a file of chaos/results: `chaos-SEED.json` of a run, `siege.json` and `siege-faults.json` of
sieges, `soak.json` of a soak.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from chaos.flatness import drift
from chaos.report import Report
from chaos.siege.report import Phase, broken
from chaos.siege.report import Report as Siege

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "reliability.md"
RESULTS: Final = ROOT / "chaos" / "results"
#: Of a soak the page shows each series that is bound, but not files and threads that stayed as they were.
#: Attackers of a phase that are named.
_NAMED: Final = 8
#: Findings that are told in words.
_SAID: Final = 4
_COUNTED: Final = ("files", "threads", "tasks")


def spoken(reports: Sequence[Report]) -> str:
    """How many runs there are, with which seeds, and whether everything held."""
    many = f"{len(reports)} runs" if len(reports) != 1 else "1 run"
    by_viewers: defaultdict[int, list[int]] = defaultdict(list)
    for report in reports:
        by_viewers[report.viewers].append(report.seed)
    parts = [
        f"with {viewers:,} viewers the {'seeds' if len(seeds) > 1 else 'seed'} {ranges(seeds)}"
        for viewers, seeds in sorted(by_viewers.items())
    ]
    broken = sum(not report.passed for report in reports)
    held = f"In {broken} something did not hold." if broken else "Everything held in each."
    return f"{many}: {', '.join(parts)}. {held}"


def ranges(numbers: Iterable[int]) -> str:
    """`21 to 26 and 31`."""
    rows: list[list[int]] = []
    for number in sorted(set(numbers)):
        if rows and number == rows[-1][-1] + 1:
            rows[-1].append(number)
        else:
            rows.append([number])
    said: list[str] = []
    for row in rows:
        said += [f"{row[0]} to {row[-1]}"] if len(row) > 2 else map(str, row)
    return " and ".join(filter(None, [", ".join(said[:-1]), *said[-1:]]))


def runs(reports: Iterable[Report]) -> str:
    """What there is, and a row for each run."""
    reports = list(reports)
    rows = [
        f"{spoken(reports)}\n",
        "| seed | faults | viewers | events acknowledged | shown | gaps told | held | whole again after |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for report in sorted(reports, key=lambda report: (report.viewers, report.seed)):
        broken = [name for name, found in report.findings.items() if found]
        whole = "not" if report.recovered_s is None else f"{report.recovered_s:.1f} s"
        cells = (
            report.seed,
            len(report.blows),
            f"{report.viewers:,}",
            f"{report.acknowledged:,}",
            f"{report.shown:,}",
            report.gaps_told,
            f"all {len(report.findings)}" if not broken else f"**not**: {'; '.join(broken)}",
            whole,
        )
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(rows)


def soak(measured: Mapping[str, Sequence[float]]) -> str:
    """From where to where each series went; what is counted in ones is shown only where it moved."""
    rows = ["| | first third | last third |", "|---|---|---|"]
    for name, series in sorted(measured.items()):
        gone = drift(series)
        if not name.endswith(_COUNTED) or gone.first != gone.last:
            rows.append(f"| {name} | {gone.first:.1f} | {gone.last:.1f} |")
    return "\n".join(rows)


def siege(report: Siege) -> str:
    """Each phase, beside peace: what ordinary users noticed, and what roles did."""
    rows = [
        f"{sum(phase.seconds for phase in report.phases):.0f} s of attacks. {_said(report.findings)}\n",
        "| attackers | events p99 | requests p99 | the machine | loops' stalls | deaths | largest role |",
        "|---|---|---|---|---|---|---|",
        _row("peace", report.peace),
    ]
    for phase in report.phases:
        names = phase.attackers
        who = ", ".join(names) if len(names) <= _NAMED else f"all {len(names)} at once"
        bad = not report.struck and broken(phase, report.peace, report.bounds)
        rows.append(_row(f"{who}: **not**" if bad else who, phase))
    return "\n".join(rows)


def _said(findings: Sequence[str]) -> str:
    """The whole list is in the report; the rows that it is about are marked."""
    more = f", and {len(findings) - _SAID} more" if len(findings) > _SAID else ""
    return f"**It did not hold**: {'; '.join(findings[:_SAID])}{more}." if findings else "It held."


def _row(who: str, phase: Phase) -> str:
    asked = [ms for what, ms in phase.request_p99_ms.items() if not what.startswith("(")]
    delay = "none" if phase.delay_p99_ms is None else f"{phase.delay_p99_ms:.0f} ms"
    large = max(phase.megabytes.items(), key=lambda one: one[1], default=("", 0.0))
    cells = (
        who,
        delay,
        f"{max(asked, default=0.0):.0f} ms",
        f"{phase.machine_ms:.0f} ms",
        f"{sum(phase.stalls.values()):.0f}",
        sum(phase.deaths.values()),
        f"{large[0]} {large[1]:.0f} MB",
    )
    return f"| {' | '.join(map(str, cells))} |"


def marked(page: str, parts: Mapping[str, str]) -> str:
    """The page with these parts made anew; the words around them are written by people."""
    for mark, text in parts.items():
        pattern = f"<!-- {mark} -->.*<!-- /{mark} -->"
        made = f"<!-- {mark} -->\n{text}\n<!-- /{mark} -->"
        page = re.sub(pattern, lambda _, made=made: made, page, flags=re.DOTALL)  # type: ignore[misc]
    return page


def made(page: str) -> str:
    """The page with the reports that there are now."""
    reports = [msgspec.json.decode(path.read_bytes(), type=Report) for path in RESULTS.glob("chaos-*.json")]
    parts = {"runs": runs(reports)}
    for name in ("siege", "siege-faults"):
        if (kept := RESULTS / f"{name}.json").exists():
            parts[name] = siege(msgspec.json.decode(kept.read_bytes(), type=Siege))
    if (kept := RESULTS / "soak.json").exists():
        parts["soak"] = soak(msgspec.json.decode(kept.read_bytes(), type=dict[str, list[float]]))
    return marked(page, parts)


if __name__ == "__main__":
    PAGE.write_text(made(PAGE.read_text("utf-8")), "utf-8")
