"""Searches by meaning: how good they are on a real day of chat; and whatever bounds words bounds them."""

import asyncio
import math
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from history.sources.elasticsearch_client import elastic_client
from kernel.clock import SystemClock
from kernel.errors import TouchlineError
from kernel.log.positions import Kind
from search_indexer.query.parser import parse
from search_indexer.searching.rank_fusion import WINDOW, fused, near, words_of
from search_indexer.searching.request import Page, Search
from search_indexer.searching.request_body import request_body
from search_indexer.searching.scope import Seen
from search_indexer.searching.search import Searcher
from search_indexer.text.embeddings import DIMENSIONS, Meanings, as_hex
from search_indexer.text.folding import Folding
from tests.accepted import chat, event, write
from tests.pipeline import Pipeline, running
from tests.search_indexer.conftest import QUICK

HERE: Final = Path(__file__).parent
_LINE: Final = re.compile(r"\[\d\d:\d\d\] <[^>]+> (.*)")
DAY: Final = (HERE / "day/2016-12-19.txt").read_text().splitlines()
SAID: Final = [m[1] for m in map(_LINE.fullmatch, DAY) if m]
#: What is asked; and what lines say that are about it (2) or touch it (1). Half of it names a thing, as
#: whoever knows its name asks; half describes one. The lines that either way puts first were read for these.
JUDGED: Final[Mapping[str, Sequence[tuple[int, str]]]] = {
    "hplip": [(2, r"hplip")],
    "nvidia drivers": [(2, r"nvidia drivers?\b"), (1, r"nvidia")],
    "virtualbox": [(2, r"virtual ?box|vbox")],
    "libreoffice": [(2, r"libre ?office")],
    "mysql": [(2, r"mysql")],
    "dual boot": [(2, r"dual.?boot")],
    "compiz": [(2, r"compiz")],
    "systemd": [(2, r"systemd")],
    "printer does not work": [
        (2, r"trying to print on a hp|Having a little trouble with cupsd"),
        (1, r"click on add network printer|mention the correct printer|which is the printer|printing works"),
    ],
    "computer freezes": [
        (2, r"sometimes it restarts, sometimes it doesn't|I have a program frozen"),
        (1, r"letting the computer sit until the screen locks"),
    ],
    "remove a program": [
        (2, r"unable to uninstall application|software center to uninstall|not show option of uninstall"),
        (1, r"can I uninstall that|it won't uninstall it|can remove openssh-server"),
    ],
    "login password forgotten": [
        (2, r"login name / pass"),
        (1, r"how can login|not sure there is a password"),
    ],
    "slow machine": [
        (2, r"boot speed was very slow"),
        (1, r"maximum RAM consumed|how much RAM does the laptop"),
    ],
    "keyboard does not respond": [(2, r"keyboard hasn't been configured")],
    "backup my files": [
        (2, r"backup tool from settings|copying/cloning a directory"),
        (1, r"get back a deleted file"),
    ],
    "screen resolution wrong": [(2, r"1024x600"), (1, r"external monitor|problem monitor on pc")],
    "server hacked": [(2, r"asterisk hacking attempts"), (1, r"hackernews|security updates provided")],
}  # fmt: skip
_offsets = count(1)


def test_what_is_alike_is_near() -> None:
    meanings = Meanings()
    said = ["the keeper saved the spot kick", "penalty stopped by goalkeeper", "my train is late"]
    made = meanings.of_all(said)
    one, alike, other = (vector or [] for vector in made)
    assert len(one) == DIMENSIONS
    assert cosine(one, alike) > 2 * abs(cosine(one, other))
    assert meanings.of("") is None
    assert meanings.of("  ") is None
    assert as_hex([1, -1, 127]) == "01ff7f"


def cosine(one: Sequence[int], other: Sequence[int]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))


def test_what_a_query_is_about_is_its_words() -> None:
    assert words_of('slow "hard disk" machin* -ssd from:ana OR after:2h') == "slow hard disk machin"


def test_two_orders_become_one() -> None:
    def hits(*ids: str) -> list[dict[str, Any]]:
        return [{"_id": one, "sort": [1.0, int(one)]} for one in ids]

    found = fused(hits("1", "2", "3"), hits("3", "4"))
    assert [hit["_id"] for hit in found] == ["3", "1", "4", "2"]
    assert found[0]["_score"] == round(1 / 63 + 1 / 61, 5)
    assert fused([], hits("9")) == [{"_id": "9", "sort": [1.0, 9], "_score": round(1 / 61, 5)}]


@pytest.fixture(scope="module")
def meant(
    kafka_servers: str, elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    given = {**QUICK, "TOUCHLINE_ELASTICSEARCH_MEANING": "true"}
    logs = tmp_path_factory.mktemp("meaning")
    with running(kafka_servers, elasticsearch_url, logs, "index", **given) as started:
        write(started.settings, Kind.CHAT, [chat("day", next(_offsets), text) for text in SAID])
        yield started


@pytest.fixture
async def asking(meant: Pipeline) -> AsyncIterator[Searcher]:
    async with elastic_client(meant.settings) as client:
        yield Searcher(client, meant.settings, SystemClock())


async def until(searcher: Searcher, search: Search, total: int) -> None:
    async with asyncio.timeout(180):
        while True:
            if (await searcher.search(search, Page())).total == total:
                return
            await asyncio.sleep(0.05)


def grade(q: str, text: str) -> int:
    return next((grade for grade, pattern in JUDGED[q] if re.search(pattern, text, re.IGNORECASE)), 0)


def ndcg(q: str, texts: Sequence[str]) -> float:
    """Of the first ten: what they are worth, beside the best ten that there are."""

    def worth(grades: Sequence[int]) -> float:
        return sum(float(2**grade - 1) / math.log2(place + 2) for place, grade in enumerate(grades[:10]))

    best = sorted((grade(q, text) for text in SAID), reverse=True)
    return worth([grade(q, text) for text in texts]) / worth(best)


def means(quality: Mapping[str, float]) -> tuple[float, float, float]:
    """Of those that name a thing, of those that describe one, of all."""
    values = [quality[q] for q in JUDGED]
    return tuple(round(sum(some) / len(some), 2) for some in (values[:8], values[8:], values))  # type: ignore[return-value]


@pytest.mark.servers
async def test_quality_by_words_by_meaning_and_by_both(meant: Pipeline, asking: Searcher) -> None:
    """The figures of docs/search.md: nDCG of the first ten."""
    await until(asking, Search(channels=("day",)), len(SAID))
    by: dict[str, dict[str, float]] = {"words": {}, "meaning": {}, "both": {}}
    meanings, folding = Meanings(), Folding()
    async with elastic_client(meant.settings) as client:
        for q in JUDGED:
            for name, sort in (("words", "relevance"), ("both", "meaning")):
                search = Search(q=q, channels=("day",), sort=sort)  # type: ignore[arg-type]
                found = await asking.search(search, Page(limit=10))
                by[name][q] = ndcg(q, [msgspec.json.decode(hit.event)["data"]["text"] for hit in found.hits])
            search = Search(q=q, channels=("day",), sort="meaning")
            body = near(request_body(search, parse(q, folding), Page(), ["*"]), meanings.of(q) or [])
            answer = await client.search(index=f"{meant.settings.elasticsearch.index_prefix}-chat", **body)
            bodies = [msgspec.json.decode(hit["_source"]["body"]) for hit in answer["hits"]["hits"]]
            by["meaning"][q] = ndcg(q, [one["data"]["text"] for one in bodies])
    figures = {name: means(quality) for name, quality in by.items()}
    # Which of equals comes first is the server's, so nearly.
    nearly = {"words": (0.96, 0.0, 0.45), "meaning": (0.87, 0.79, 0.83), "both": (0.99, 0.79, 0.88)}
    for name, expected in nearly.items():
        assert figures[name] == pytest.approx(expected, abs=0.03), (figures, by)


async def texts(searcher: Searcher, q: str, channel: str, page: Page | None = None, **more: Any) -> list[str]:
    search = Search(q=q, channels=(channel,), sort="meaning")
    found = await searcher.search(search, page or Page(limit=100), **more)
    return [msgspec.json.decode(hit.event)["data"].get("text") for hit in found.hits]


@pytest.mark.servers
async def test_whatever_bounds_words_bounds_meaning(meant: Pipeline, asking: Searcher) -> None:
    """Grants, hidden channels, ranges of rooms, retractions, edits and negated words."""
    first, second, third = (
        chat("room-m1", next(_offsets), text, sender="ana")
        for text in ("how do I uninstall an application", "uninstall applications by hand", "uninstall it")
    )
    new = {"text": "the weather is lovely", "target": second["id"]}
    edit = event(Kind.CHAT, "room-m1", next(_offsets), new, type_="edit")
    retract = event(Kind.CHAT, "room-m1", next(_offsets), {"target": third["id"]}, type_="retract")
    q = "remove a program"
    write(meant.settings, Kind.CHAT, [first, second, third])
    await until(asking, Search(q="uninstall", channels=("room-m1",)), 3)
    assert len(await texts(asking, q, "room-m1")) == 3
    assert await texts(asking, q, "room-m1", patterns=["chat:other"]) == []
    assert await texts(asking, q, "room-m1", seen=Seen(hidden=["room-m1"])) == []
    assert await texts(asking, q, "room-m1", seen=Seen(own=())) == []
    own = Seen(own=(), ranges=[("room-m1", second["seq"], second["seq"])])
    assert await texts(asking, q, "room-m1", seen=own) == ["uninstall applications by hand"]
    assert await texts(asking, f"{q} -hand", "room-m1", seen=own) == []
    assert await texts(asking, f"{q} from:ben", "room-m1") == []
    write(meant.settings, Kind.CHAT, [edit, retract])
    await until(asking, Search(q="weather", channels=("room-m1",)), 1)
    await until(asking, Search(q="uninstall", channels=("room-m1",)), 1)
    assert await texts(asking, q, "room-m1") == ["how do I uninstall an application"]
    assert await texts(asking, "sunny day", "room-m1") == ["the weather is lovely"]


@pytest.mark.servers
async def test_pages_go_on_and_end(asking: Searcher) -> None:
    await until(asking, Search(channels=("day",)), len(SAID))
    search = Search(q="help", channels=("day",), sort="meaning", now=SystemClock().now_ms())
    whole: list[bytes] = []
    cursor = None
    while True:
        found = await asking.search(search, Page(limit=30, cursor=cursor))
        whole += [bytes(hit.event) for hit in found.hits]
        if (cursor := found.next) is None:
            break
    at_once = await asking.search(search, Page(limit=100))
    assert 30 < len(whole) == len(set(whole)) <= 2 * WINDOW
    assert whole[:100] == [bytes(hit.event) for hit in at_once.hits]


@pytest.mark.servers
async def test_what_cannot_be_answered_is_told(
    asking: Searcher, indexing: Pipeline, searcher: Searcher
) -> None:
    with pytest.raises(TouchlineError, match="turns it on"):
        await texts(searcher, "goal", "day")
    with pytest.raises(TouchlineError, match="has no words"):
        await texts(asking, "from:ana -goal", "day")
    assert "meaning" in (await asking.watermarks()).as_set
    assert "meaning" not in (await searcher.watermarks()).as_set
