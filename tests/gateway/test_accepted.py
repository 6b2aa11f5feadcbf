"""What a result says of its event: where it is, what the workers made of it, and which lane took it."""

import asyncio
import json
from collections.abc import Collection
from typing import Any

import pytest
from aiohttp import ClientSession

from control.commands.sending import send_command
from kernel.clock import SystemClock
from kernel.errors import TouchlineError
from kernel.log.positions import split_lane
from producers.posts import Chat
from producers.producer import Producer
from producers.sending.delivery import Delivered
from producers.sync import SyncProducer
from tests.pipeline import Pipeline, eventually

NDJSON = {"Content-Type": "application/x-ndjson"}


async def post(live: Pipeline, channel: str, body: Any, query: str = "", **more: Any) -> tuple[int, Any]:
    """Status and answer. Where no worker has answered in time, as on a busy machine, one asks again."""
    url = f"{live.gateway_url}/v1/streams/chat/{channel}/events{query}"
    given = {"data": body} if isinstance(body, bytes) else {"json": body}
    async with ClientSession() as http, asyncio.timeout(60):
        while True:
            async with http.post(url, **given, **more) as response:
                if response.status != 503 or not query:
                    return response.status, await response.json(content_type=None)


async def accepted(producer: Producer, post: Chat) -> Delivered:
    """The same of the SDK: until a worker has answered."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await producer.send(post, wait="accepted")
            except TouchlineError as error:
                if error.code != "unavailable":
                    raise


async def events_of(
    live: Pipeline, channel: str, count: int, *, through: Collection[int] = ()
) -> list[dict[str, Any]]:
    """A channel's events, once there are so many, and these."""
    url = f"{live.gateway_url}/v1/streams/chat/{channel}/events?after=0&limit=500"
    async with asyncio.timeout(60), ClientSession() as http:
        while True:
            async with http.get(url) as response:
                events: list[dict[str, Any]] = (await response.json()).get("events", [])
            if len(events) >= count and {event["seq"] for event in events} >= set(through):
                return events
            await asyncio.sleep(0.1)


async def test_each_result_says_where_its_event_is(live: Pipeline) -> None:
    _, one = await post(live, "one", {"data": {"text": "0"}})
    (result,), (event,) = one["results"], await events_of(live, "one", 1)
    assert result == {"ok": True, "seq": event["seq"], "id": event["id"]}
    lines = [{"data": {"text": str(n)}} if n % 7 else {"data": {"lat": 1}} for n in range(1, 300)]
    body = b"\n".join(json.dumps(line).encode() for line in lines)
    _, many = await post(live, "one", body, headers=NDJSON)
    accepted = [result for result in many["results"] if result["ok"]]
    assert len(accepted) == len(lines) - many["refused"] < len(lines)
    events = await events_of(live, "one", 1 + len(accepted))
    assert [(r["seq"], r["id"]) for r in accepted] == [(e["seq"], e["id"]) for e in events[1:]]


async def test_a_repeat_says_no_place_that_is_none(live: Pipeline) -> None:
    keyed, wait = {"key": "k", "data": {"text": "0"}}, "?wait=accepted"
    first = (await post(live, "again", keyed, wait))[1]["results"][0]
    assert "seq" in first
    _, said = await post(live, "again", [keyed, {"data": {"text": "1"}}, keyed])
    assert [sorted(result) for result in said["results"]] == [["ok"], ["id", "ok", "seq"], ["ok"]]


async def test_who_waits_is_told_what_the_workers_made_of_it(live: Pipeline) -> None:
    await command(live, "strict", "set_channel", {"blocked": ["spoiler"]})
    wait = "?wait=accepted"
    status, said = await post(live, "strict", {"key": "k", "data": {"text": "fine"}}, wait)
    assert status == 202
    first = said["results"][0]
    async with asyncio.timeout(60):  # until the settings hold
        while (await post(live, "strict", {"data": {"text": "spoiler"}}, wait))[0] == 202:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    body = [{"key": "k", "data": {"text": "again"}}, {"data": {"text": "spoiler"}}, {"data": {"lat": 1}}]
    status, said = await post(live, "strict", body, wait)
    repeat, moderated, invalid = said["results"]
    assert repeat == first, "a repeat is the first one"
    assert (status, moderated["code"], invalid["code"]) == (202, "moderated", "invalid_event")
    status, said = await post(live, "strict", {"data": {"text": "spoiler"}}, wait)
    assert (status, said["code"]) == (422, "moderated")
    event = (await events_of(live, "strict", 1))[0]
    assert (first["seq"], first["id"]) == (event["seq"], event["id"])
    assert (await post(live, "strict", {"data": {"text": "x"}}, "?wait=delivered"))[0] == 400


async def test_the_sdk_and_the_command_line_wait_too(live: Pipeline) -> None:
    await command(live, "strict2", "set_channel", {"blocked": ["spoiler"]})
    async with Producer(live.settings) as producer:
        async with asyncio.timeout(60):
            with pytest.raises(TouchlineError) as refused:  # noqa: PT012 - until the settings hold
                while True:
                    await accepted(producer, Chat("strict2", "spoiler"))
        assert refused.value.code == "moderated"
        first = await accepted(producer, Chat("strict2", "fine", key="k"))
        assert await producer.send(Chat("strict2", "fine"), wait=None) is not None

    def in_a_thread() -> None:
        with SyncProducer(live.settings) as sync:

            def answered(text: str, key: str) -> Delivered | TouchlineError | None:
                try:
                    return sync.chat("strict2", text, key=key, wait="accepted")
                except TouchlineError as error:
                    return None if error.code == "unavailable" else error

            again = eventually("a worker has answered", lambda: answered("fine", "k"))
            assert isinstance(again, Delivered)
            assert (again.seq, again.id) == (first.seq, first.id)
            wrong = eventually("a worker has answered", lambda: answered("spoiler", "s"))
            assert "does not allow" in str(wrong)

    await asyncio.to_thread(in_a_thread)
    say = ("publish", "chat:strict2", "--text", "cli", "--user", "ana")

    def once_accepted() -> Any:
        done = live.run(*say, "--wait", "accepted", "--json", check=False)
        assert done.returncode == 0 or "unavailable" in done.stderr, done
        return done.returncode == 0 and json.loads(done.stdout)

    waited = await asyncio.to_thread(eventually, "a worker has answered", once_accepted)
    (not_waited,) = await asyncio.to_thread(live.lines, *say)
    both = (waited, not_waited)
    found = await events_of(live, "strict2", 1, through=[told["seq"] for told in both])
    events = {event["seq"]: event for event in found}
    for told in both:
        assert (events[told["seq"]]["id"], events[told["seq"]]["sender"]) == (told["id"], "ana")


async def test_a_spread_channel_spreads_what_comes_over_http(live: Pipeline) -> None:
    await command(live, "hot", "set_lanes", {"lanes": 4})
    async with asyncio.timeout(60):
        while "stream" not in (await post(live, "hot", {"data": {"text": "?"}}))[1]["results"][0]:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    body = [{"sender": f"fan{n % 8}", "data": {"text": str(n)}} for n in range(64)]
    body += [{"key": f"k{n % 8}", "data": {"text": str(n)}} for n in range(32)]
    lanes: dict[str, set[str]] = {}
    for query in ("", "?wait=accepted"):
        _, said = await post(live, "hot", body, query)
        for event, result in zip(body, said["results"], strict=True):
            lanes.setdefault(str(event.get("sender", event.get("key"))), set()).add(result["stream"])
    assert all(len(streams) == 1 for streams in lanes.values()), "a sender, or a key, keeps to a lane"
    assert len(set().union(*lanes.values())) == 4
    _, said = await post(live, "hot", [{"data": {"text": str(n)}} for n in range(8)])
    assert {split_lane(result["stream"])[1] for result in said["results"]} == {0, 1, 2, 3}, "in turn"
    _, waited = await post(live, "hot", {"key": "last", "data": {"text": "last"}}, "?wait=accepted")
    (result,) = waited["results"]
    events = await events_of(live, result["stream"].partition(":")[2], 1)
    assert (events[-1]["seq"], events[-1]["id"]) == (result["seq"], result["id"])


async def command(live: Pipeline, channel: str, what: str, arguments: dict[str, Any]) -> None:
    await asyncio.to_thread(send_command, live.settings, SystemClock(), channel, what, arguments)
