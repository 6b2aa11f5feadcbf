"""All hits, and all of a stream, as NDJSON and CSV; what breaks off is gone on with; history around a place;
suggestions; the list of channels. By tokens that see a part: nothing else is in any of it."""

import asyncio
import csv
import io
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession
from click.shell_completion import ShellComplete

from consumers.client.requests.search import Search
from kernel.log.positions import Kind
from tests.accepted import START_MS, chat, write
from tests.gateway.asking import OFFSETS, ask, token
from tests.pipeline import Pipeline, eventually
from touchline.cli import cli

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]
NUMBER = 2300
#: After so many messages it is quiet for so long.
QUIET_AFTER, QUIET_MS = 700, 8 * 60_000
ANA = token("ana", search=("chat:exported",), history=("chat:exported",), subscribe=("chat:exported",))
PATH = "/v1/streams/chat/exported/events"


@pytest.fixture(scope="module")
def exported(asked: Pipeline) -> list[dict[str, Any]]:
    """Many messages in one chat, one of them odd, with long quiet times between some of them; and one in a
    chat that is not Ana's."""
    texts = [f"lighthouse number {n}" for n in range(NUMBER)]
    texts[7] = '=cmd|"/c calc"!A1, \n a "second" line'
    said = [
        chat(
            "exported",
            offset,
            text,
            sender=f"fan-{n % 3}",
            at=START_MS + offset + n // QUIET_AFTER * QUIET_MS,
        )
        for (n, text), offset in zip(enumerate(texts), OFFSETS, strict=False)
    ]
    write(
        asked.settings, Kind.CHAT, [*said, chat("kept", next(OFFSETS), "lighthouse of others", sender="zoe")]
    )

    def found() -> bool:
        wanted = ("search", "--channel", "exported", "--token", token("root"), "--json")
        done = asked.run(*wanted, check=False)  # the index may not answer in time
        return done.returncode == 0 and json.loads(done.stdout)["total"] == NUMBER

    eventually("all of it is found", found)
    return said


async def read(pipeline: Pipeline, path: str, **params: str) -> str:
    async with (
        ClientSession(headers={"Authorization": f"Bearer {ANA}"}) as http,
        http.get(f"{pipeline.gateway_url}{path}", params=params) as response,
    ):
        assert response.status == 200, await response.text()
        return (await response.read()).decode()


def seqs(events: list[dict[str, Any]]) -> list[int]:
    return [event["seq"] for event in events]


async def test_all_hits_and_all_of_a_stream_line_by_line(
    asked: Pipeline, exported: list[dict[str, Any]]
) -> None:
    hits = [
        msgspec.json.decode(line) for line in (await read(asked, "/v1/search", format="ndjson")).splitlines()
    ]
    past = [msgspec.json.decode(line) for line in (await read(asked, PATH, format="ndjson")).splitlines()]
    assert seqs(hits) == seqs(past) == seqs(exported)
    assert hits[7]["data"]["text"] == past[7]["data"]["text"] == exported[7]["data"]["text"]
    rest = (
        await read(asked, "/v1/search", format="ndjson", cursor=hits[999]["cursor"], limit="5")
    ).splitlines()
    assert seqs([msgspec.json.decode(line) for line in rest]) == seqs(exported[1000:1005])
    some = {"after": str(exported[9]["seq"]), "before": str(exported[20]["seq"])}
    part = (await read(asked, PATH, format="ndjson", **some)).splitlines()
    assert seqs([msgspec.json.decode(line) for line in part]) == seqs(exported[10:20])


async def test_a_table_has_a_row_a_message_and_no_formulas(
    asked: Pipeline, exported: list[dict[str, Any]]
) -> None:
    for path in ("/v1/search", PATH):
        rows = list(csv.DictReader(io.StringIO(await read(asked, path, format="csv"), newline="")))
        assert [int(row["seq"]) for row in rows] == seqs(exported)
        assert rows[7]["text"] == "'" + exported[7]["data"]["text"]
        assert msgspec.json.decode(rows[7]["data"]) == {"text": exported[7]["data"]["text"]}
        assert {row["sender"] for row in rows} == {"fan-0", "fan-1", "fan-2"}


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/v1/search", {"format": "xml"}),
        ("/v1/search", {"format": "csv", "limit": "0"}),
        ("/v1/search", {"format": "csv", "sort": "relevance", "q": "a"}),
        ("/v1/search", {"format": "csv", "facets": "1"}),
        ("/v1/search", {"format": "csv", "q": 'a "b'}),
        (PATH, {"format": "csv", "around": "5"}),
        (PATH, {"format": "xml"}),
        (PATH, {"around": "5", "after": "5"}),
        (PATH, {"around": "x"}),
        ("/v1/search/suggest", {"q": "x" * 2000}),
        ("/v1/search/suggest", {"q": "x", "sender": "a"}),
        ("/v1/channels", {"sort": "size"}),
        ("/v1/channels", {"prefix": "a/b"}),
        ("/v1/channels", {"sort": "viewers", "cursor": "a"}),
    ],
    ids=str,
)
async def test_what_cannot_be_asked_is_said(asked: Pipeline, path: str, params: dict[str, str]) -> None:
    status, problem = await ask(asked, path, ANA, params=params)
    assert (status, problem["code"]) == (400, "bad_request")


@contextmanager
def breaking(port: int, after: int) -> Iterator[str]:
    """An address that leads to this port, and breaks the first connections off after so many bytes."""
    server = socket.create_server(("127.0.0.1", 0))
    breaks = [after, after * 2]

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            left = breaks.pop(0) if breaks else 1 << 40
            threading.Thread(target=relay, args=(client, left), daemon=True).start()

    def relay(client: socket.socket, left: int) -> None:
        with client, socket.socket() as upstream:
            upstream.connect(("127.0.0.1", port))
            upstream.sendall(client.recv(1 << 16))
            while left > 0 and (part := upstream.recv(min(left, 1 << 14))):
                client.sendall(part)
                left -= len(part)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.close()


async def test_an_export_that_breaks_off_is_gone_on_with(
    asked: Pipeline, exported: list[dict[str, Any]]
) -> None:
    port = int(asked.gateway_url.rpartition(":")[2])
    with breaking(port, 200_000) as address:
        found = [event async for event in Search(address, token=ANA).export("", limit=NUMBER)]
    assert seqs(found) == seqs(exported)
    with breaking(port, 200_000) as address:
        past = [event async for event in Search(address, token=ANA).history("chat:exported")]
    assert seqs(past) == seqs(exported)
    with breaking(port, 150_000) as address:
        rows = list(await asyncio.to_thread(lambda: list(Search(address, token=ANA).table(PATH, []))))
    assert [int(row[2]) for row in rows[1:]] == seqs(exported)


async def test_around_a_place_lies_what_was_said_before_and_after(
    asked: Pipeline, exported: list[dict[str, Any]]
) -> None:
    for place, limit, first, last in (
        (100, 7, 97, 104),
        (100, 1, 100, 101),
        (0, 5, 0, 3),
        (NUMBER - 1, 5, NUMBER - 3, NUMBER),
    ):
        params = {"around": str(exported[place]["seq"]), "limit": str(limit)}
        status, page = await ask(asked, PATH, ANA, params=params)
        assert status == 200
        assert seqs(page["events"]) == seqs(exported[first:last])
        assert (page["more_before"], page["more_after"]) == (first > 0, last < NUMBER)
    assert (await ask(asked, "/v1/streams/chat/kept/events", ANA, params={"around": "1"}))[0] == 403


def test_commands_show_what_lies_around_and_write_it_all(
    asked: Pipeline, exported: list[dict[str, Any]]
) -> None:
    near = asked.run("search", '"number 100"', "--context", "1", "--token", ANA).stdout.splitlines()
    assert [line.rpartition(" ")[2] for line in near[:3]] == ["99", "100", "101"]
    (found,) = asked.lines("search", '"number 100"', "-C", "2", "--token", ANA)
    assert len(found["hits"][0]["context"]) == 5
    told = asked.run("history", "chat:exported", "--csv", "--token", ANA).stdout
    assert len(list(csv.reader(io.StringIO(told, newline="")))) == NUMBER + 1
    assert seqs(
        asked.lines("history", "chat:exported", "--after", "0", "--limit", "1500", "--token", ANA)
    ) == (seqs(exported[:1500]))
    since = asked.lines("history", "chat:exported", "--since", "1d", "--limit", "3", "--token", ANA)
    assert seqs(since) == seqs(exported[:3])
    assert asked.lines("history", "chat:exported", "--since", "1s", "--token", ANA) == []
    last = asked.run("history", "chat:exported", "--last", "2", "--token", ANA).stdout.splitlines()
    assert [line.rpartition(" ")[2] for line in last] == [str(NUMBER - 2), str(NUMBER - 1)]
    every = asked.run("search", "lighthouse", "--ndjson", "--limit", "1200", "--token", ANA).stdout
    assert len(every.splitlines()) == 1200
    counts = asked.run(
        "search", "lighthouse", "--facet", "sender", "--by", "sender", "--interval", "1s", "--token", ANA
    )
    assert "sender   fan-0" in counts.stdout
    assert "zoe" not in counts.stdout


async def test_suggestions_come_from_what_one_may_find(
    asked: Pipeline, exported: list[dict[str, Any]]
) -> None:
    async def suggested(q: str) -> list[str]:
        status, found = await ask(asked, "/v1/search/suggest", ANA, params={"q": q})
        assert status == 200, found
        return [q[: found["start"]] + one["text"] for one in found["suggestions"]]

    assert await suggested("goal fr") == ["goal from:"]
    assert set(await suggested("-from:FAN")) == {"-from:fan-0", "-from:fan-1", "-from:fan-2"}
    assert await suggested("from:z") == []
    assert await suggested("in:") == ["in:exported"]
    assert await suggested("has:em") == ["has:emoji"]
    assert await suggested("after:y") == ["after:yesterday"]
    assert await suggested("number lighth") == ["number lighthouse"]
    assert await suggested("passw") == []
    assert await suggested("") == []


async def test_the_tab_key_has_them_too(asked: Pipeline, exported: list[dict[str, Any]]) -> None:
    shell = ShellComplete(cli, {}, "touchline", "_TOUCHLINE_COMPLETE")

    async def completed(typed: str, url: str) -> set[str]:
        given = ["search", "--url", url, "--token", ANA]
        return {one.value for one in await asyncio.to_thread(shell.get_completions, given, typed)}

    fans = {"goal -from:fan-0", "goal -from:fan-1", "goal -from:fan-2"}
    # A shell is not kept waiting by a gateway that is slow to answer: then the key has nothing.
    for typed, wanted in (("goal -from:FAN", fans), ("number lighth", {"number lighthouse"})):
        async with asyncio.timeout(60):
            while not (found := await completed(typed, asked.gateway_url)):
                pass
        assert found == wanted
    assert await completed("fro", "http://127.0.0.1:9") == set()
    failed = asked.run("search", "x", "--url", "http://127.0.0.1:9", "--token", ANA, check=False)
    assert failed.returncode == 1


@pytest.mark.parametrize(
    ("q", "meant"),
    [
        ("ligthouze", "lighthouse"),
        ("form:fan-1", "from:fan-1"),
        ("number from:fan-11", "number from:fan-1"),
        ("zzzzzz", None),
        ("pasword", None),
    ],
)
async def test_what_was_meant_where_nothing_is_found(
    asked: Pipeline, exported: list[dict[str, Any]], q: str, meant: str | None
) -> None:
    status, found = await ask(asked, "/v1/search", ANA, params={"q": q})
    assert (status, found["total"], found.get("did_you_mean")) == (200, 0, meant)


async def test_channels_are_listed_by_what_happened_last(
    asked: Pipeline, exported: list[dict[str, Any]]
) -> None:
    status, found = await ask(asked, "/v1/channels", ANA, params={"sort": "activity"})
    assert (status, [row["channel"] for row in found["channels"]]) == (200, ["exported"])
    assert found["channels"][0]["last"] is not None
    everything = token("root", subscribe=("*",))
    _, found = await ask(asked, "/v1/channels", everything, params={"sort": "activity", "prefix": "open"})
    assert {row["channel"] for row in found["channels"]} == {"open", "opener"}
