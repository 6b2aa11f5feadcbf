"""Members at several edges: what is told of this moment, badges, and devices that follow rooms in a cell."""

import asyncio
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.client.viewer import Gap, Viewer
from tests.consumers.edges import EdgeProcess
from tests.pipeline import Pipeline
from tests.rooms.people import PATIENCE_S, Person, change_members, create, person, said, stream_of, until
from tests.rooms.test_inbox import pushed, row_until


@pytest.fixture(scope="module")
def cell(roomy: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[EdgeProcess]]:
    """Two edges that share the streams out, beside the pipeline's own, which has all of them."""
    logs: Path = tmp_path_factory.mktemp("cell")
    given = {"cell": f"cell-{secrets.token_hex(4)}", "reconnect_jitter_ms": 100, "drain_s": 1}
    edges = [EdgeProcess(roomy.settings, logs, name=f"cell-{n}", **given) for n in range(2)]
    try:
        for edge in edges:
            edge.wait_ready()
        yield edges
    finally:
        for edge in edges:
            edge.kill()


async def test_edges_tell_each_other_who_types_has_read_and_is_here(
    roomy: Pipeline, cell: list[EdgeProcess]
) -> None:
    room = await create(roomy, "ana", "bob", receipts=True)
    stream, seq = stream_of(room), await said(roomy, "ana", room, "hello")
    for other in (roomy.edge_url, cell[0].url):  # at one edge, and at two
        async with person(roomy, "ana") as ana, Viewer(other, user="bob", device="phone") as bob:
            await ana.ask("subscribe", stream=stream, members=True)
            async for _ in bob.sync():
                break
            await ana.until(lambda m: m["op"] == "join" and m["user"] == "bob")

            async def both(ana: Person = ana) -> bool:
                there = await ana.ask("presence", stream=stream, members=True)
                return [(one["user"], one["devices"]) for one in there["members"]] == [("ana", 1), ("bob", 1)]

            await until(both)
            await bob.typing(stream)
            await ana.until(lambda m: m["op"] == "typing" and m["user"] == "bob")
            await bob.read(stream, seq)
            read = seq
            await ana.until(lambda m, n=read: m["op"] == "receipt" and (m["user"], m["read"]) == ("bob", n))
            assert len([m for m in ana.heard if m["op"] == "typing"]) == 1
        seq = await said(roomy, "ana", room, "again")


async def test_reading_at_one_edge_takes_the_badge_at_another(
    roomy: Pipeline, cell: list[EdgeProcess]
) -> None:
    room = await create(roomy, "una", "ben")
    seq = await said(roomy, "una", room, "unread")
    await row_until(roomy, "ben", room, unread=1)
    async with (
        person(roomy, "ben", "laptop") as laptop,
        person(roomy, "ben", "phone", edge=cell[1].url) as phone,
    ):
        await laptop.ask("inbox")
        assert (await phone.ask("read", stream=stream_of(room), seq=seq))["op"] == "ok"
        await laptop.until(pushed(laptop, room, unread=0, read=seq))


async def test_a_device_follows_all_rooms_of_a_cell_when_edges_come_and_go(
    roomy: Pipeline, cell: list[EdgeProcess]
) -> None:
    """Six rooms lie at both edges; the device hears each once, in order, also when one edge leaves."""
    user = "cyd"
    rooms = [await create(roomy, "una", user) for _ in range(6)]
    streams = [stream_of(room) for room in rooms]
    heard: dict[str, list[int]] = {stream: [] for stream in streams}
    said_: dict[str, list[int]] = {stream: [] for stream in streams}
    async with Viewer([edge.url for edge in cell], user=user, device="phone", seed=1) as viewer:

        async def follow() -> None:
            async for item in viewer.sync():
                assert not isinstance(item, Gap)
                if item.type == "message":
                    heard[item.stream].append(item.seq)

        following = asyncio.create_task(follow())

        async def say_everywhere(text: str) -> None:
            for room, stream in zip(rooms, streams, strict=True):
                said_[stream].append(await said(roomy, "una", room, text))
            async with asyncio.timeout(2 * PATIENCE_S):
                while heard != said_:
                    if following.done():
                        following.result()
                    await asyncio.sleep(0.05)

        await say_everywhere("one")
        await say_everywhere("two")
        # Who is out hears no more of it, whichever edge serves it; who is back goes on.
        await change_members(roomy, "una", rooms[0], remove=[user])
        without = await said(roomy, "una", rooms[0], "without cyd")
        assert heard == said_
        # In a room that shows all, what was said without them is theirs, too.
        await change_members(roomy, "una", rooms[0], add=[user])
        said_[streams[0]].append(without)
        await asyncio.to_thread(cell[1].kill, signal.SIGTERM)
        await say_everywhere("three")
        await asyncio.to_thread(cell[1].restart)
        await say_everywhere("four")
        following.cancel()
