"""The forty questions of docs/search.md, asked of a real day of chat, beside a plain reading of its lines."""

import asyncio
import re
import shlex
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import pytest

from kernel.clock import SystemClock, to_rfc3339
from kernel.log.positions import Kind
from search_indexer.searching.request import Page, Search
from search_indexer.searching.search import Found, Searcher
from tests.accepted import chat, write
from tests.pipeline import Pipeline

pytestmark = pytest.mark.servers
HERE: Final = Path(__file__).parent
DAY: Final = "2016-12-19"
_LINE: Final = re.compile(r"\[(\d\d):(\d\d)\] <([^>]+)> (.*)")
_ROW: Final = re.compile(r"\| (\d+) \| .+ \| `(.*)` \|")
_DAY_MS: Final = 86_400_000
#: Yesterday: an older day's records and indices would be past their retention.
BEGIN_MS: Final = (SystemClock().now_ms() // _DAY_MS - 1) * _DAY_MS


class Said(NamedTuple):
    """A line of the day."""

    minute: int
    sender: str
    text: str


def lines() -> list[Said]:
    found = [_LINE.fullmatch(line) for line in (HERE / "day" / f"{DAY}.txt").read_text().splitlines()]
    return [Said(60 * int(m[1]) + int(m[2]), m[3], m[4]) for m in found if m is not None and m[4].strip()]


def questions() -> dict[int, str]:
    text = (HERE.parent.parent / "docs" / "search.md").read_text()
    return {int(row[1]): row[2] for row in map(_ROW.fullmatch, text.splitlines()) if row is not None}


SAID: Final = lines()
QUESTIONS: Final = questions()
Truth = Callable[[Said], bool]


def says(pattern: str) -> Truth:
    return lambda said: re.search(pattern, said.text, re.IGNORECASE) is not None


def by(*names: str) -> Truth:
    return lambda said: said.sender in names


def both(*truths: Truth) -> Truth:
    return lambda said: all(truth(said) for truth in truths)


def no(truth: Truth) -> Truth:
    return lambda said: not truth(said)


link = says(r"https?://\S")
#: What each question finds, by reading the lines.
TRUTHS: Final[dict[int, Truth]] = {
    1: lambda _: True,
    2: says(r"\bprint(er|ers|ing|s|ed)?\b"),
    3: by("ubottu"),
    4: both(says(r"\b(mint|debian)\b"), no(by("ubottu"))),
    5: by("alkisg", "hateball"),
    6: both(says("hplip"), by("alkisg", "hateball")),
    7: says(r"nvidia drivers?\b"),
    8: both(says(r"\bnvidia\b"), no(by("wiggmpk"))),
    9: says(r"@[\w.-]"),
    10: says("@ikonia"),
    11: link,
    12: both(link, by("guest")),
    13: both(link, no(by("ubottu")), lambda said: said.minute > 18 * 60),
    14: lambda said: said.minute < 6 * 60,
    15: lambda said: said.minute == 13 * 60 + 42,
    16: says(r"\bpurple\b"),
    17: both(by("Blazing420"), says(r"\b(brownies|purple)\b")),
    18: says(r"\bpartition"),
    19: both(says(r"\bpartition"), by("Arrghus"), lambda said: said.minute <= 14 * 60 + 30),
    20: both(says(r"\bsystemd\b"), no(by("wiggmpk"))),
    21: says("大家好"),
    22: says("français"),
    23: says("español"),
    24: says("помощи"),
    25: says(r"(?<!\d)16\.04(?!\d)"),
    26: both(says(r"\bcompiz\b"), says(r"\bcrash(es|ed|ing)?\b")),
    27: says(r"\bapt-get\b"),
    28: says(r"\b(dist|full)-upgrade"),
    29: says(r"\bvirtualbox\b"),
    30: both(says(r"\b(thanks|thank)\b"), no(says("brownies"))),
    31: both(lambda said: said.sender.startswith("guest"), says(r"\bmysql\b")),
}


@pytest.fixture(scope="module")
def day(indexing: Pipeline) -> dict[str, Said]:
    """The day on the log: each message's id -> its line."""
    times = (BEGIN_MS + said.minute * 60_000 + number for number, said in enumerate(SAID, 1))
    events = [
        chat("ubuntu", number, said.text, sender=said.sender, at=at)
        for number, (said, at) in enumerate(zip(SAID, times, strict=True), 1)
    ]
    write(indexing.settings, Kind.CHAT, events)
    return {one["id"]: said for one, said in zip(events, SAID, strict=True)}


@pytest.fixture
async def asked(searcher: Searcher, day: dict[str, Said]) -> Searcher:
    async with asyncio.timeout(180):
        while True:
            if (await searcher.search(Search(channels=("ubuntu",)), Page(limit=1))).total == len(day):
                return searcher
            await asyncio.sleep(0.1)


def parameters(number: int) -> list[tuple[str, str]]:
    """What the command makes of a question; the day is yesterday."""
    yesterday = to_rfc3339(BEGIN_MS)[:10]
    words = shlex.split(QUESTIONS[number].replace(DAY, yesterday).replace('"', r"\"").replace("'", r"\'"))
    given, query = [("channel", "ubuntu")], []
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            query.append(word)
        elif word in {"--standout", "--compare"}:
            given.append((word[2:], "1"))
        else:
            given.append((word[2:], words.pop(0)))
    return [*given, ("q", " ".join(query))]


async def answer(searcher: Searcher, number: int, **more: str) -> Found:
    return await searcher.search(*searcher.read([*parameters(number), *more.items()]))


def test_there_are_forty_questions() -> None:
    assert list(QUESTIONS) == list(range(1, 41))
    assert TRUTHS.keys() == set(range(1, 32))


@pytest.mark.parametrize("number", TRUTHS)
async def test_a_question_finds_what_a_reader_finds(
    asked: Searcher, day: dict[str, Said], number: int
) -> None:
    found, rows, cursor = await answer(asked, number), [], None
    while True:
        page = await answer(asked, number, limit="100", **({"cursor": cursor} if cursor else {}))
        rows += [day[msgspec.json.decode(hit.event)["id"]] for hit in page.hits]
        if (cursor := page.next) is None:
            break
    wanted = [said for said in SAID if TRUTHS[number](said)]
    assert Counter(rows) - Counter(wanted) == Counter()
    assert Counter(wanted) - Counter(rows) == Counter()
    assert found.total == len(wanted)
    assert wanted


async def test_the_last_and_the_first(asked: Searcher, day: dict[str, Said]) -> None:
    last, first = await answer(asked, 32), await answer(asked, 33)
    assert [day[msgspec.json.decode(hit.event)["id"]] for hit in last.hits] == [SAID[-1]]
    zfs = next(said for said in SAID if re.search(r"\bzfs\b", said.text, re.IGNORECASE))
    assert [day[msgspec.json.decode(hit.event)["id"]] for hit in first.hits] == [zfs]


def facets(found: Found) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(found.facets)
    return shown


def counted(senders: Counter[str], most: int) -> list[int]:
    return [count for _, count in senders.most_common(most)]


async def test_who_talks_most(asked: Searcher) -> None:
    said = facets(await answer(asked, 34))["sender"]
    senders = Counter(one.sender for one in SAID)
    assert [one["count"] for one in said] == counted(senders, 5)
    assert all(senders[one["value"]] == one["count"] for one in said)
    links = Counter(one.sender for one in SAID if link(one))
    assert [one["count"] for one in facets(await answer(asked, 35))["sender"]] == counted(links, 3)


async def test_when_they_talk(asked: Searcher) -> None:
    hours = Counter(said.minute // 60 for said in SAID)
    bars = facets(await answer(asked, 36))["histogram"]
    assert {int(bar["start"][11:13]): bar["count"] for bar in bars if bar["count"]} == hours
    minutes = Counter(said.minute for said in SAID if 11 <= said.minute // 60 < 13)
    bars = facets(await answer(asked, 37))["histogram"]
    assert max(bar["count"] for bar in bars) == max(minutes.values())
    top = [name for name, _ in Counter(said.sender for said in SAID).most_common(3)]
    both_ = Counter((said.minute // 60, said.sender) for said in SAID if said.sender in top)
    bars = facets(await answer(asked, 38))["histogram"]
    assert {(int(bar["start"][11:13]), name): n for bar in bars for name, n in bar["by"].items()} == both_


async def test_what_stands_out_and_what_was_before(asked: Searcher) -> None:
    words = [one["word"] for one in facets(await answer(asked, 39))["standout"]]
    assert "purple" in words[:3]
    found = await answer(asked, 40)
    assert found.total == sum(12 <= said.minute // 60 < 18 for said in SAID)
    assert facets(found)["previous"]["total"] == sum(6 <= said.minute // 60 < 12 for said in SAID)
