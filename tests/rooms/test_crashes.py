"""Workers are killed while rooms change and people talk: nothing is lost, nothing leaks, all of it agrees."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.pipeline import Pipeline, running
from tests.rooms.conftest import NO_ELASTICSEARCH
from tests.rooms.people import PATIENCE_S, create, history, http, ok, person, say, stream_of, until


@pytest.fixture(scope="module")
def dying(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    logs: Path = tmp_path_factory.mktemp("dying")
    with running(kafka_servers, NO_ELASTICSEARCH, logs, "stream", "edge", "gateway") as pipeline:
        yield pipeline


async def test_a_worker_that_dies_between_leaves_rooms_as_their_streams_say(dying: Pipeline) -> None:
    room = await create(dying, "ana", "bob")
    members = f"/v1/rooms/{room}/members"

    async def talk() -> list[int]:
        seqs = []
        for n in range(60):
            status, result = await say(dying, "ana", room, f"m{n}", key=f"m{n}", again=False)
            if status == 202 and result.get("ok"):
                seqs.append(result["seq"])
            await asyncio.sleep(0.05)
        return seqs

    async def change() -> None:
        for n in range(20):
            await http(dying, "POST", members, "ana", {"add": [f"u{n}"], "remove": [f"u{n - 1}"]})
            await asyncio.sleep(0.1)

    async with person(dying, "bob") as bob:
        await bob.ask("subscribe", stream=stream_of(room), after=0)
        work = asyncio.gather(talk(), change())
        for _ in range(2):
            await asyncio.sleep(1.5)
            await asyncio.to_thread(dying.kill, "stream")
            await asyncio.to_thread(dying.start, "stream")
        told, _ = await work
        last = (await say(dying, "ana", room, "the end"))[1]["seq"]
        await bob.event("the end")
        heard = [m["seq"] for m in bob.heard if m["op"] == "event"]
    # What was answered is there, in order, once, and it is what history has.
    assert heard == sorted(set(heard))
    assert set(told) <= set(heard)
    status, page = await http(dying, "GET", f"/v1/streams/chat/room-{room}/events?limit=500", "bob")
    assert status == 200
    assert [event["seq"] for event in page["events"]] == heard
    assert heard[-1] == last
    # Numbers are dense, and who is in it is what the events say.
    assert [e["n"] for e in page["events"] if "n" in e] == list(
        range(1, sum("n" in e for e in page["events"]) + 1)
    )
    inside: dict[str, None] = {}
    for event in page["events"]:
        if event["type"] != "room":
            assert event["sender"] in inside
            continue
        for user in event["data"]["users"]:
            if event["data"]["what"] in ("created", "added"):
                inside[user] = None
            else:
                inside.pop(user)

    async def members_agree() -> bool:
        shown = await ok(dying, "GET", f"/v1/rooms/{room}", "ana")
        return {one["user"] for one in shown["members"]} == set(inside)

    async def their_list_agrees(n: int) -> bool:
        rooms = await ok(dying, "GET", f"/v1/users/u{n}/rooms", None)
        return bool(rooms["rooms"]) is (f"u{n}" in inside)

    await until(members_agree)
    for n in range(20):
        await until(partial(their_list_agrees, n))
        assert (await history(dying, f"u{n}", room))[0] == (200 if f"u{n}" in inside else 404)


async def test_counts_and_places_survive_whoever_dies(dying: Pipeline) -> None:
    """Workers and edges are killed while people talk, take back and read; then all is recounted."""
    room = await create(dying, "una", "bob", "cat")
    path = f"/v1/streams/chat/room-{room}/events"
    ids: list[tuple[int, str]] = []

    async def talk() -> None:
        for n in range(40):
            by = ("una", "cat")[n % 2]
            status, result = await say(dying, by, room, f"@bob {n}", key=f"c{n}", again=False)
            if status == 202 and result.get("ok"):
                ids.append((result["seq"], result["id"]))
            if n % 5 == 4 and ids:
                body = {"type": "retract", "data": {"target": ids[-1][1]}}
                await http(dying, "POST", path, by, body)
            await asyncio.sleep(0.03)

    async def read() -> int:
        done = 0
        for _ in range(20):
            with contextlib.suppress(Exception):
                async with person(dying, "bob") as bob:
                    while ids and done < len(ids):
                        seq = ids[len(ids) // 2][0]
                        reply = await bob.ask("read", stream=stream_of(room), seq=seq)
                        done = seq if reply["op"] == "ok" else done
                        await asyncio.sleep(0.2)
            await asyncio.sleep(0.2)
        return done

    reading = asyncio.create_task(read())
    work = asyncio.create_task(talk())
    for role in ("stream", "edge", "stream"):
        await asyncio.sleep(1)
        await asyncio.to_thread(dying.kill, role)
        await asyncio.to_thread(dying.start, role)
    await work
    reading.cancel()
    await say(dying, "una", room, "the end")
    page = (await http(dying, "GET", f"{path}?limit=500", "bob"))[1]["events"]
    gone = {event["data"]["target"] for event in page if event["type"] == "retract"}
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        rows = (await http(dying, "GET", "/v1/rooms", "bob"))[1]["rooms"]
        row = next(one for one in rows if one["room"] == room)
        unread = [e for e in page if "n" in e and e["seq"] > row["read"] and e["id"] not in gone]
        mentions = [e for e in unread if "@bob" in e["data"]["text"]]
        if (row["unread"], row["mentions"]) == (len(unread), len(mentions)):
            break
        await asyncio.sleep(0.1)
    assert (row["unread"], row["mentions"]) == (len(unread), len(mentions))
    assert 0 < len(unread) < len(page)
