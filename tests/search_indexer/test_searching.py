"""Searching on a real Elasticsearch: what is found, in which order, page by page, and by whom."""

import asyncio
from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from history import History
from kernel.clock import SystemClock
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream
from search_indexer.alerts import Alert, matching, message_of, ready
from search_indexer.counting.counts import Counts
from search_indexer.indexing.documents import Indexable, changed, indexable
from search_indexer.query.parser import BadQuery
from search_indexer.query.syntax import Near
from search_indexer.searching.request import Page, Search, read_search
from search_indexer.searching.search import Found, Searcher
from search_indexer.text.folding import Folding
from tests.accepted import START_MS, chat, event, write
from tests.pipeline import Pipeline

pytestmark = pytest.mark.servers
FOLDING = Folding()
_offsets = count(1)

SAID = {
    "goals": "Two goals in the first half!",
    "golas": "golaso, what a penatly",
    "red": "Red card for the captain",
    "cafe": "Meet you at the café",
    "tokyo": "東京都で観戦中",
    "korea": "손흥민이 골을 넣었다",
    "fire": "🔥🔥🔥",
    "kick": "Kick-off in five minutes",
}


@pytest.fixture(scope="module")
def said(indexing: Pipeline) -> dict[str, str]:
    """Name of each message -> its id."""
    events = {name: chat("words", next(_offsets), text, sender=name[0]) for name, text in SAID.items()}
    write(indexing.settings, Kind.CHAT, events.values())
    return {name: one["id"] for name, one in events.items()}


async def ids(searcher: Searcher, search: Search, **page: Any) -> list[str]:
    found = await searcher.search(search, Page(limit=100, **page))
    return [msgspec.json.decode(hit.event)["id"] for hit in found.hits]


async def until(searcher: Searcher, search: Search, total: int) -> Found:
    """Search until so many are found."""
    async with asyncio.timeout(180):
        while True:
            found = await searcher.search(search, Page(limit=100))
            if found.total == total:
                return found
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("q", "finds"),
    [
        ("goal", {"goals"}),
        ("GOALS half", {"goals"}),
        ("goal OR red", {"goals", "red"}),
        ("penalty", {"golas"}),
        ("captian", {"red"}),
        ('"captian"', set()),
        ("caffe", {"cafe"}),
        ("cafe", {"cafe"}),
        ('"first half"', {"goals"}),
        ('"half first"', set()),
        ("kick-off", {"kick"}),
        ("kick*", {"kick"}),
        ("go*", {"goals", "golas"}),
        ("東京", {"tokyo"}),
        ("京都で", {"tokyo"}),
        ("東都", set()),
        ("都", {"tokyo"}),
        ("중", set()),
        ("손흥민", {"korea"}),
        ("🔥", {"fire"}),
        ("in -goal", {"kick"}),
        ("penalty OR card -captian", {"golas", "red"}),
        ("-the -五", {"golas", "fire", "kick", "tokyo", "korea"}),
    ],
)
async def test_what_words_find(searcher: Searcher, said: dict[str, str], q: str, finds: set[str]) -> None:
    await until(searcher, Search(channels=("words",)), len(SAID))
    found = await ids(searcher, Search(q=q, channels=("words",), sort="relevance"))
    assert {name for name, id_ in said.items() if id_ in found} == finds


async def test_exact_words_come_before_other_forms_and_those_before_typos(
    indexing: Pipeline, searcher: Searcher
) -> None:
    texts = ["winners", "winnar", "winner"]
    written = [chat("ranks", next(_offsets), text) for text in texts]
    write(indexing.settings, Kind.CHAT, written)
    await until(searcher, Search(channels=("ranks",)), 3)
    found = await searcher.search(Search(q="winner", channels=("ranks",), sort="relevance"), Page())
    assert [msgspec.json.decode(hit.event)["data"]["text"] for hit in found.hits] == [
        "winner",
        "winners",
        "winnar",
    ]
    assert found.hits[0].highlight == "<mark>winner</mark>"


async def test_filters_places_and_facets(indexing: Pipeline, searcher: Searcher) -> None:
    wembley, paris = {"lat": 51.556, "lon": -0.2796}, {"lat": 48.857, "lon": 2.352}
    write(
        indexing.settings,
        Kind.LOCATION,
        [
            event(Kind.LOCATION, "user-1", next(_offsets), wembley),
            event(Kind.LOCATION, "user-2", next(_offsets), paris),
        ],
    )
    write(
        indexing.settings,
        Kind.BROADCAST,
        [event(Kind.BROADCAST, "facts", next(_offsets), {"player": "Zidane"}, sender="desk")],
    )
    near = Search(near=Near(51.5, -0.1, 20_000.0))
    found = await until(searcher, near, 1)
    assert msgspec.json.decode(found.hits[0].event)["stream"] == "location:user-1"
    await until(searcher, Search(q="zidane", types=("goal",), senders=("desk",)), 1)
    assert (await searcher.search(Search(q="zidane", types=("foul",)), Page())).total == 0
    facets = (await searcher.search(Search(channels=("facts",)), Page(counts=Counts()))).facets
    assert facets is not None
    assert msgspec.to_builtins(facets)["kind"] == [{"value": "broadcast", "count": 1}]
    assert msgspec.to_builtins(facets)["sender"] == [{"value": "desk", "count": 1}]
    assert sum(bar.count for bar in facets.histogram) == 1


#: Name of each event -> its kind, channel, data and the rest.
TOLD: dict[str, tuple[Kind, str, dict[str, Any], dict[str, Any]]] = {
    "link": (Kind.CHAT, "told", {"text": "see https://a.example/x"}, {"sender": "ana"}),
    "edited": (Kind.CHAT, "told", {"text": "fist goal"}, {"sender": "ben"}),
    "mention": (Kind.CHAT, "told~2", {"text": "@ana what a goal 🔥"}, {"sender": "bot"}),
    "reply": (Kind.CHAT, "told-other", {"text": "yes", "extra": '{"reply_to":"1"}'}, {"sender": "ana maria"}),
    "file": (Kind.CHAT, "told", {"text": "look", "extra": '{"attachments":["x"]}'}, {"sender": "cleo"}),
    "goal": (Kind.BROADCAST, "told", {"by": "Zidane"}, {"sender": "desk"}),
    "place": (Kind.LOCATION, "told", {"lat": 40.81, "lon": -74.07}, {"sender": "ana"}),
    "old": (Kind.CHAT, "told", {"text": "goal of yesterday"}, {"sender": "ana", "at": START_MS - 86_400_000}),
}


@pytest.fixture(scope="module")
def told(indexing: Pipeline) -> dict[str, Indexable]:
    made = {}
    for name, (kind, channel, data, rest) in TOLD.items():
        one = event(kind, channel, next(_offsets), data, **rest)
        write(indexing.settings, kind, [one])
        made[name] = indexable(kind, one, FOLDING)
    data = {"text": "first goal", "target": made["edited"].id}
    edit = event(Kind.CHAT, "told", next(_offsets), data, type_="edit", sender="ben")
    write(indexing.settings, Kind.CHAT, [edit])
    change = indexable(Kind.CHAT, edit, FOLDING).change
    assert change is not None
    after = changed(made["edited"].document, change, FOLDING)
    return {**made, "edited": made["edited"]._replace(document=after, source=data["text"])}


@pytest.mark.parametrize(
    ("q", "finds"),
    [
        ("from:ana", {"link", "place", "old"}),
        ("from:@ana OR from:ben", {"link", "place", "old", "edited"}),
        ('from:"ana maria"', {"reply"}),
        ("from:ana*", {"link", "place", "old", "reply"}),
        ("goal -from:bot", {"edited", "goal", "old"}),
        ("in:told goal", {"mention", "edited", "goal", "old"}),
        ("in:told~2", {"mention"}),
        ("in:told* -in:told", {"reply"}),
        ("in:broadcast:told", {"goal"}),
        ("kind:location", {"place"}),
        ("type:goal", {"goal"}),
        ("has:link", {"link"}),
        ("has:emoji OR has:attachment", {"mention", "file"}),
        ("has:mention", {"mention"}),
        ("mentions:ana", {"mention"}),
        ("-has:link -goal kind:chat", {"reply", "file"}),
        ("is:edited", {"edited"}),
        ("is:edited fist", set()),
        ("is:reply", {"reply"}),
        ("near:40.8,-74.0~5mi", {"place"}),
        ("near:40.8,-74.0~1mi", set()),
        ("before:12h", {"old"}),
        ("after:12h goal", {"edited", "mention", "goal"}),
        ("on:today before:2h", set()),
        ("NOT goal AND kind:chat", {"link", "reply", "file"}),
        ("(goal OR type:goal) -(from:ana OR from:ben)", {"mention", "goal"}),
    ],
)
async def test_what_operators_find_and_that_alerts_agree(
    searcher: Searcher, told: dict[str, Indexable], q: str, finds: set[str]
) -> None:
    await until(searcher, Search(q="is:edited in:told"), 1)
    await until(searcher, Search(q="in:told*"), len(TOLD))
    search, page = searcher.read([("q", f"{q} in:told*"), ("limit", "100")])
    found = await searcher.search(search, page)
    ids_ = {msgspec.json.decode(hit.event)["id"] for hit in found.hits}
    assert {name for name, one in told.items() if one.id in ids_} == finds
    assert found.total == len(finds)
    alert = ready(Alert(id="a", search=search), FOLDING)
    assert {name for name, one in told.items() if matching([alert], one, FOLDING)} == finds


async def test_so_long_ago_means_the_same_on_every_page(
    searcher: Searcher, told: dict[str, Indexable]
) -> None:
    given_ = [("q", "in:told*"), ("since", "2h"), ("limit", "2"), ("sort", "oldest")]
    search, page = searcher.read(given_)
    first = await searcher.search(search, page)
    assert first.next is not None
    again, rest = searcher.read([*given_, ("cursor", first.next)])
    assert again == search
    assert (await searcher.search(again, rest)).hits


async def test_the_index_says_what_it_was_made_with(searcher: Searcher) -> None:
    marks = await searcher.watermarks()
    assert marks.made_with == marks.as_set == {"language": "english", "words": 2}


@pytest.mark.parametrize("sort", ["newest", "oldest", "relevance"])
async def test_pages_neither_overlap_nor_leave_out_while_new_ones_arrive(
    indexing: Pipeline, searcher: Searcher, sort: str
) -> None:
    channel = f"pages-{sort}"
    first = [chat(channel, next(_offsets), "page turner" + " turning" * (n % 2)) for n in range(25)]
    write(indexing.settings, Kind.CHAT, first)
    search = read_search([("q", "turner"), ("channel", channel), ("sort", sort)])[0]
    await until(searcher, search, 25)
    seen: list[str] = []
    cursor = None
    while True:
        found = await searcher.search(search, Page(limit=10, cursor=cursor))
        seen += [msgspec.json.decode(hit.event)["id"] for hit in found.hits]
        if found.next is None:
            break
        if cursor is None:
            write(indexing.settings, Kind.CHAT, [chat(channel, next(_offsets), "page turner, new")])
            await until(searcher, search, 26)
        cursor = found.next
    assert len(seen) == len(set(seen))
    assert {one["id"] for one in first} <= set(seen)


async def test_edits_and_retractions_show(indexing: Pipeline, searcher: Searcher) -> None:
    said_ = chat("moderated", next(_offsets), "a slanderous thing", sender="eve")
    other = chat("moderated", next(_offsets), "a tpyo here", sender="bob")
    write(indexing.settings, Kind.CHAT, [said_, other])
    await until(searcher, Search(channels=("moderated",)), 2)

    def about(what: str, target: str, text: str, sender: str) -> dict[str, Any]:
        data = {"text": text, "target": target}
        return event(Kind.CHAT, "moderated", next(_offsets), data, type_=what, sender=sender)

    write(
        indexing.settings,
        Kind.CHAT,
        [
            about("retract", said_["id"], "", "moderator"),
            about("edit", other["id"], "a typo was here", "bob"),
            about("edit", other["id"], "not mine to edit", "eve"),
            about("edit", "9" * 40, "about nothing", "eve"),
            about("edit", "not a number", "about nothing", "eve"),
        ],
    )
    found = await until(searcher, Search(q='"was here"', channels=("moderated",)), 1)
    assert msgspec.json.decode(found.hits[0].event)["data"]["text"] == "a typo was here"
    assert "<mark>was</mark>" in found.hits[0].highlight
    found = await until(searcher, Search(channels=("moderated",)), 1)
    assert (await searcher.search(Search(q="slanderous"), Page())).total == 0


async def test_an_alerts_copy_is_no_hit_and_what_was_retracted_does_not_live_on_in_it(
    indexing: Pipeline, searcher: Searcher
) -> None:
    said_ = chat("copied", next(_offsets), "libellous words")
    kept = chat("copied", next(_offsets), "kept words")
    write(indexing.settings, Kind.CHAT, [said_, kept])
    alert = Alert(id="words", search=Search(q="words"))
    copies = [message_of(alert, indexable(Kind.CHAT, one, FOLDING))[1] for one in (said_, kept)]
    write(
        indexing.settings,
        Kind.BROADCAST,
        [
            event(
                Kind.BROADCAST,
                "alert-words",
                next(_offsets),
                msgspec.json.decode(copy)["data"],
                type_="alert",
                sender="touchline",
            )
            for copy in copies
        ],
    )
    stream = Stream(Kind.BROADCAST, "alert-words")

    async def history() -> list[dict[str, Any]]:
        async with History(indexing.settings, SystemClock()) as past:
            page = await past.read(stream)
        events = [msgspec.json.decode(body) for body in page.events]
        return [one["data"]["event"] for one in events if one["type"] == "alert"]

    assert [one["data"]["text"] for one in await history()] == ["libellous words", "kept words"]
    await until(searcher, Search(q="libellous"), 1)
    back = event(Kind.CHAT, "copied", next(_offsets), {"target": said_["id"]}, type_="retract")
    write(indexing.settings, Kind.CHAT, [back])
    # Behind the copies in their partition: once it is found, they would be.
    last = event(Kind.BROADCAST, "alert-words", next(_offsets), {"n": 1}, type_="behind")
    write(indexing.settings, Kind.BROADCAST, [last])
    await until(searcher, Search(types=("behind",)), 1)
    await until(searcher, Search(q="libellous"), 0)
    assert (await until(searcher, Search(q='"kept words"'), 1)).hits
    assert (await searcher.search(Search(channels=("alert-words",)), Page())).total == 1
    # That history has no text of it either is tests/moderation/test_taken_back.py's: the workers say so.


async def test_a_change_in_the_same_batch_as_its_target_counts(
    indexing: Pipeline, searcher: Searcher
) -> None:
    said_ = chat("quick", next(_offsets), "said and taken back")
    back = event(Kind.CHAT, "quick", next(_offsets), {"target": said_["id"]}, type_="retract")
    write(indexing.settings, Kind.CHAT, [said_, back, chat("quick", next(_offsets), "and on")])
    await until(searcher, Search(q="on", channels=("quick",)), 1)
    await until(searcher, Search(channels=("quick",)), 1)


async def test_nobody_finds_what_their_grants_do_not_cover(indexing: Pipeline, searcher: Searcher) -> None:
    channels = ["room-a", "room-a~3", "room-ab", "room-b"]
    write(indexing.settings, Kind.CHAT, [chat(c, next(_offsets), "secretword") for c in channels])
    await until(searcher, Search(q="secretword"), 4)

    async def seen(*patterns: str) -> set[str]:
        found = await searcher.search(Search(q="secretword"), Page(), patterns=patterns)
        return {msgspec.json.decode(hit.event)["stream"] for hit in found.hits}

    assert await seen() == set()
    assert await seen("chat:room-a") == {"chat:room-a", "chat:room-a~3"}
    assert await seen("chat:room-a*") == {"chat:room-a", "chat:room-a~3", "chat:room-ab"}
    assert await seen("chat:*-b", "location:*") == {"chat:room-b"}
    assert await seen("chat:.*") == set()  # a star is a star, a dot is a dot
    # A cursor gives no rights.
    found = await searcher.search(Search(q="secretword"), Page(limit=1))
    rest = await searcher.search(
        Search(q="secretword"), Page(limit=10, cursor=found.next), patterns=["chat:room-b"]
    )
    assert {msgspec.json.decode(hit.event)["stream"] for hit in rest.hits} <= {"chat:room-b"}


WORDS = ["goal", "goals", "golas", "penalty", "penalties", "red", "read", "café", "東京", "京都", "골"]
JOINTS = (" ", ", the ", "-")


@pytest.fixture(scope="module")
def corpus(indexing: Pipeline) -> dict[str, Any]:
    """Many short texts of few words."""
    texts = [f"{a}{joint}{b}" for a in WORDS for b in WORDS for joint in JOINTS]
    events = [chat("corpus", next(_offsets), text) for text in texts]
    write(indexing.settings, Kind.CHAT, events)
    return {one["id"]: indexable(Kind.CHAT, one, FOLDING) for one in events}


def queries() -> st.SearchStrategy[str]:
    word = st.sampled_from([*WORDS, "the", "gaol", "penatly", "東", "都"])
    prefix = word.map(lambda w: f"{w[:3]}*")
    phrase = st.lists(word, min_size=1, max_size=3).map(lambda words: f'"{" ".join(words)}"')
    term = word | prefix | phrase
    either = st.tuples(term, term).map(" OR ".join)
    return st.lists(term | either | term.map(lambda t: f"-{t}"), min_size=1, max_size=3).map(" ".join)


async def test_an_alert_and_a_search_agree(searcher: Searcher, corpus: dict[str, Any]) -> None:
    await until(searcher, Search(channels=("corpus",)), len(corpus))
    asked: list[str] = []

    @settings(max_examples=60, database=None, suppress_health_check=list(HealthCheck))
    @given(queries())
    def collect(q: str) -> None:
        asked.append(q)

    collect()
    for q in dict.fromkeys(asked):
        search = Search(q=q, channels=("corpus",))
        try:
            alert = ready(Alert(id="a", search=search), FOLDING)
        except BadQuery:
            continue
        by_alert = {id_ for id_, one in corpus.items() if matching([alert], one, FOLDING)}
        by_search: set[str] = set()
        page = Page(limit=100)
        while True:
            found = await searcher.search(search, page)
            by_search |= {msgspec.json.decode(hit.event)["id"] for hit in found.hits}
            if found.next is None:
                break
            page = Page(limit=100, cursor=found.next)
        assert by_alert == by_search, q


@pytest.mark.parametrize(
    "q", ['"', "a" * 10_000, "*", '{"match_all":{}}"', "field:value AND (x", "a/*b*/", "\\u0000", "\0"]
)
async def test_odd_queries_are_answered_or_refused(searcher: Searcher, q: str) -> None:
    code = "bad_request"
    try:
        await searcher.search(Search(q=q), Page())
    except TouchlineError as error:
        code = error.code
    assert code == "bad_request"


async def test_an_elasticsearch_that_is_gone_is_said(indexing: Pipeline) -> None:
    from history.sources.elasticsearch_client import elastic_client
    from kernel.settings.reading import Elasticsearch, Settings

    gone = Settings(elasticsearch=Elasticsearch(url="http://127.0.0.1:9"))
    async with elastic_client(gone) as client:
        with pytest.raises(TouchlineError, match="Elasticsearch does not answer") as raised:
            await Searcher(client, gone, SystemClock()).search(Search(), Page())
    assert raised.value.code == "unavailable"
