"""Search and history over HTTP, with tokens: who finds what, and what is said of bad questions."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gateway.asking import ask, token
from tests.pipeline import Pipeline, imported

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]


async def test_a_room_that_one_may_not_read_shows_nowhere(asked: Pipeline) -> None:
    ana = token("ana", search=("chat:open",))
    status, found = await ask(asked, "/v1/search", ana, params={"q": "password", "facets": "1"})
    assert status == 200
    assert {hit["event"]["stream"] for hit in found["hits"]} == {"chat:open", "chat:open~2"}
    assert found["total"] == 2
    # Neither its name, nor who speaks there, nor how much.
    assert {one["value"] for one in found["facets"]["channel"]} == {"open", "open~2"}
    assert {one["value"] for one in found["facets"]["sender"]} == {"open", "open~2"}
    assert sum(bar["count"] for bar in found["facets"]["histogram"]) == 2
    for about in (
        {"channel": "closed"},
        {"sender": "closed"},
        {"q": "closed"},
        {"q": "-nothing", "channel": "closed"},
    ):
        assert (await ask(asked, "/v1/search", ana, params=about))[1]["total"] == 0
    # A cursor of somebody who sees more gives no more.
    _, wide = await ask(asked, "/v1/search", token("root"), params={"q": "password", "limit": "1"})
    _, rest = await ask(asked, "/v1/search", ana, params={"q": "password", "cursor": wide["next"]})
    assert {hit["event"]["stream"] for hit in rest["hits"]} <= {"chat:open", "chat:open~2"}


@pytest.mark.parametrize(
    ("can", "status", "total"),
    [
        (None, 401, None),
        ({"subscribe": ("*",)}, 200, 0),
        ({"search": ("broadcast:*",)}, 200, 0),
        ({"search": ("chat:open*",)}, 200, 3),
        ({"search": ("chat:.*", "chat:[a-z]+", "chat:open|chat:closed")}, 200, 0),
    ],
    ids=["none", "another right", "another kind", "a pattern", "no regular expressions"],
)
async def test_a_token_finds_what_its_grants_cover(
    asked: Pipeline, can: dict[str, tuple[str, ...]] | None, status: int, total: int | None
) -> None:
    given_ = token("ben", **can) if can else None
    answered, found = await ask(asked, "/v1/search", given_, params={"q": "password"})
    assert (answered, found.get("total")) == (status, total)


def test_the_command_brings_no_more_than_it_needs(asked: Pipeline) -> None:
    brought = imported(asked, "search", "password", "--token", token("root"))
    assert "msgspec" in brought
    heavy = {"structlog", "rich", "aiohttp", "elasticsearch", "confluent_kafka", "requests"}
    assert brought.isdisjoint(heavy)


def test_the_command_shows_its_token(asked: Pipeline) -> None:
    some = asked.run("search", "password", "--token", token("ana", search=("chat:open",)), "--json")
    assert msgspec.json.decode(some.stdout)["total"] == 2
    none = asked.run("search", "password", check=False)
    assert none.returncode == 1
    assert "token" in none.stderr
    assert "Traceback" not in none.stderr
    away = asked.run("search", "password", "--url", "http://127.0.0.1:9", check=False)
    assert (away.returncode, "No gateway answers" in away.stderr) == (1, True)


BAD = {
    "an open quotation mark": {"q": 'goal "half'},
    "only quotation marks": {"q": '"""'},
    "too long": {"q": "a" * 10_000},
    "a star alone": {"q": "*"},
    "a star in front": {"q": "*goal"},
    "OR alone": {"q": "OR"},
    "until before since": {"since": "2026-06-11T19:00:00Z", "until": "2026-06-11T18:00:00Z"},
    "no time": {"since": "now-1d"},
    "a year beyond": {"since": "999999-01-01T00:00:00Z"},
    "no place": {"near": "51.5"},
    "off the earth": {"near": "91,0"},
    "no distance": {"near": "1,1", "within": "far"},
    "a negative limit": {"limit": "-1"},
    "a limit beyond": {"limit": "100000"},
    "an unknown sort": {"sort": "_score"},
    "an unknown parameter": {"index": "_all"},
    "an unknown kind": {"kind": "chat,_all"},
    "an index as a channel": {"channel": "*,-chat"},
    "a made-up cursor": {"cursor": "WzFd"},
    "a cursor that is no base64": {"cursor": "%%%"},
    "an endless cursor": {"cursor": "A" * 5000},
}


@pytest.mark.parametrize("params", BAD.values(), ids=BAD.keys())
async def test_a_bad_question_is_400_with_a_sentence(asked: Pipeline, params: dict[str, str]) -> None:
    status, problem = await ask(asked, "/v1/search", token("root"), params=params)
    assert (status, problem["code"]) == (400, "bad_request")
    assert problem["detail"].endswith(".")
    assert "Traceback" not in problem["detail"]


async def test_a_cursor_that_was_tampered_with_is_refused(asked: Pipeline) -> None:
    _, found = await ask(asked, "/v1/search", token("root"), params={"q": "password", "limit": "1"})
    good = found["next"]
    for at in range(len(good) - 1):
        bad = good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1 :]
        status, problem = await ask(
            asked, "/v1/search", token("root"), params={"q": "password", "cursor": bad}
        )
        assert (status, problem["code"]) == (400, "bad_request"), at


#: What somebody may try who thinks that the query goes to Elasticsearch, or to a shell, as it is.
INJECTIONS = [
    '{"query":{"match_all":{}}}',
    '"}},"size":10000}',
    "stream:*",
    "_exists_:stream",
    "channel:closed OR password",
    "password) OR (stream:chat\\:closed",
    "/.*/",
    "password~2^9",
    "[a TO z]",
    "closed && closed || !open",
    "'; DROP TABLE events; --",
    "${jndi:ldap://127.0.0.1/a}",
    "<script>alert(1)</script>",
    "..%2f..%2f_search",
    "\u202epassword",
    "\0",
]


@pytest.mark.parametrize("q", INJECTIONS)
async def test_nothing_that_is_put_into_a_query_opens_a_closed_room(asked: Pipeline, q: str) -> None:
    status, found = await ask(
        asked, "/v1/search", token("ana", search=("chat:open",)), params={"q": q, "facets": "1"}
    )
    assert status in (200, 400), found
    if status == 200:
        assert {hit["event"]["stream"] for hit in found["hits"]} <= {"chat:open", "chat:open~2"}
        assert "<script" not in "".join(hit["highlight"] for hit in found["hits"])


async def test_any_query_at_all_is_answered_or_refused(asked: Pipeline) -> None:
    tried: list[str] = []

    @settings(max_examples=150, database=None, suppress_health_check=list(HealthCheck))
    @given(st.text(max_size=80) | st.text(alphabet='ab*"-OR 東ß\\{}[]()/~:', max_size=60))
    def collect(q: str) -> None:
        tried.append(q)

    collect()
    ana = token("ana", search=("chat:open",))
    for q in dict.fromkeys(tried):
        if any(0xD800 <= ord(c) < 0xE000 for c in q):
            continue  # cannot be written into an address
        status, found = await ask(asked, "/v1/search", ana, params={"q": q})
        assert status in (200, 400), (q, found)
        if status == 200:
            assert {hit["event"]["stream"] for hit in found["hits"]} <= {"chat:open", "chat:open~2"}, q


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"limit": "2"}, 200),
        ({"after": "0"}, 200),
        ({"after": "-1"}, 400),
        ({"after": "1", "before": "2"}, 400),
        ({"after": "1e3"}, 400),
        ({"after": "9" * 16}, 400),
        ({"limit": "0"}, 400),
        ({"limit": "1001"}, 400),
        ({"offset": "1"}, 400),
    ],
    ids=str,
)
async def test_history_answers_or_says_what_is_wrong(
    asked: Pipeline, params: dict[str, str], status: int
) -> None:
    # A lane, in which nobody else's test says anything.
    path, reads = "/v1/streams/chat/open~2/events", token("ana", history=("chat:open",))
    answered, body = await ask(asked, path, reads, params=params)
    assert answered == status, body
    if status == 200:
        assert [event["data"]["text"] for event in body["events"]] == ["password of open~2"]
    else:
        assert body["detail"].endswith(".")
    assert (await ask(asked, path, token("ana", history=("chat:other",)), params=params))[0] == 403
