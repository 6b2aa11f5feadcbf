"""What is unread, on each device and after crashes; rows that are pushed; devices that follow all rooms."""

import asyncio
import contextlib
import time
from typing import Any

from kernel.log.positions import Kind
from tests.accepted import event, write
from tests.pipeline import Pipeline
from tests.rooms.people import (
    PATIENCE_S,
    Person,
    change_members,
    create,
    http,
    ok,
    person,
    refused,
    said,
    say,
    shown,
    stream_of,
    until,
)


async def rows(pipeline: Pipeline, user: str) -> dict[str, dict[str, Any]]:
    page = await ok(pipeline, "GET", "/v1/rooms?limit=200", user)
    return {row["room"]: row for row in page["rooms"]}


async def row_until(pipeline: Pipeline, user: str, room: str, **wanted: Any) -> dict[str, Any]:
    """The row once it says this; what it says when time is up."""
    row: dict[str, Any] = {}
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        row = (await rows(pipeline, user)).get(room, {})
        if all(row.get(name) == value for name, value in wanted.items()):
            return row
        await asyncio.sleep(0.05)
    assert {name: row.get(name) for name in wanted} == wanted
    return row


def pushed(who: Person, room: str, **wanted: Any) -> Any:
    """A row that came unasked and says this."""
    return lambda m: (
        m["op"] == "inbox"
        and "id" not in m
        and any(
            row["room"] == room and all(row.get(name) == value for name, value in wanted.items())
            for row in m["rooms"]
        )
    )


async def test_unread_is_what_others_said_after_what_was_read(roomy: Pipeline) -> None:
    room = await create(roomy, "una", "bob")
    seqs = [await said(roomy, "una", room, text) for text in ("one", "two @bob", "three @bobby", "@bob.")]
    await row_until(roomy, "bob", room, unread=4, mentions=2, read=0, delivered=0)
    await row_until(roomy, "una", room, unread=0, mentions=0, read=seqs[-1])
    async with person(roomy, "bob", "phone") as bob:
        assert (await bob.ask("read", stream=stream_of(room), seq=seqs[1]))["op"] == "ok"
        await row_until(roomy, "bob", room, unread=2, mentions=1, read=seqs[1])
        assert (await bob.ask("read", stream=stream_of(room), seq=seqs[0]))["op"] == "ok"
        refusal = await bob.ask("read", stream=stream_of(room), seq=seqs[-1] + 1)
        assert (refusal["op"], refusal["code"]) == ("error", "bad_request")
        assert (await bob.ask("ack", seqs={stream_of(room): seqs[2]}))["op"] == "ok"
        await row_until(roomy, "bob", room, unread=2, read=seqs[1], delivered=seqs[2])
    mine = await said(roomy, "bob", room, "mine")
    await row_until(roomy, "bob", room, unread=0, mentions=0, read=mine)
    async with person(roomy, "eve", "phone") as eve:
        for op in ("read", "ack"):
            assert (await eve.ask(op, stream=stream_of(room), seq=1))["code"] == "not_found"


async def test_what_was_taken_back_is_not_counted(roomy: Pipeline) -> None:
    room = await create(roomy, "una", "bob")
    ids = []
    for n in range(4):
        _, result = await say(roomy, "una", room, f"@bob {n}")
        ids.append(result["id"])
    path = f"/v1/streams/chat/room-{room}/events"
    for _ in range(2):  # the second time it changes nothing
        await ok(roomy, "POST", path, "una", {"type": "retract", "data": {"target": ids[1]}})
    await row_until(roomy, "bob", room, unread=3, mentions=3)
    async with person(roomy, "una") as una:
        for type_, data in (
            ("edit", {"target": ids[2], "text": "nobody"}),
            ("retract", {"target": ids[3]}),
        ):
            posted = await una.ask("publish", stream=stream_of(room), type=type_, data=data)
            assert posted["op"] == "published"
    await row_until(roomy, "bob", room, unread=2, mentions=1)
    row = (await rows(roomy, "bob"))[room]
    assert row["last"]["type"] == "retract"


async def test_in_a_joined_room_only_ones_own_times_count(roomy: Pipeline) -> None:
    room = await create(roomy, "una", "bob", history="joined")
    for n in range(3):
        await said(roomy, "una", room, f"before {n}")
    await change_members(roomy, "una", room, add=["cat"])
    await row_until(roomy, "cat", room, unread=0)
    await said(roomy, "una", room, "after")
    await row_until(roomy, "cat", room, unread=1)
    await row_until(roomy, "bob", room, unread=4)
    await change_members(roomy, "una", room, remove=["bob"])
    await said(roomy, "una", room, "hidden")
    await change_members(roomy, "una", room, add=["bob"])
    await said(roomy, "una", room, "again")
    await row_until(roomy, "bob", room, unread=5)


async def test_rows_are_pushed_and_reading_on_the_phone_takes_the_badge_from_the_laptop(
    roomy: Pipeline,
) -> None:
    room, other = await create(roomy, "una", "dan"), await create(roomy, "una", "dan")
    seq = await said(roomy, "una", other, "latest")
    await row_until(roomy, "dan", other, unread=1)
    async with person(roomy, "dan", "phone") as phone, person(roomy, "dan", "laptop") as laptop:
        page = await laptop.ask("inbox", limit=1)
        assert [row["room"] for row in page["rooms"]] == [other]
        assert page["more"] is True
        rest = await laptop.ask("inbox", limit=1, cursor=page["cursor"])
        assert [row["room"] for row in rest["rooms"]] == [room]
        assert (rest["more"], rest["cursor"]) == (False, None)
        assert (page["rooms"][0]["unread"], page["rooms"][0]["last"]["seq"]) == (1, seq)
        first = await said(roomy, "una", room, "hi @dan")
        await laptop.until(pushed(laptop, room, unread=1, mentions=1))
        await phone.ask("read", stream=stream_of(room), seq=first)
        await laptop.until(pushed(laptop, room, unread=0, mentions=0, read=first))
        await change_members(roomy, "una", room, remove=["dan"])
        await laptop.until(pushed(laptop, room, gone=True))
        assert (await laptop.ask("inbox", off=True))["op"] == "ok"


async def test_an_inbox_reads_no_log_however_much_others_were_told(roomy: Pipeline) -> None:
    """Without the index too: who has no notifications is not looked for in those of all others."""
    room = await create(roomy, "una", "ivy")
    await said(roomy, "una", room, "hello")
    told = (
        event(Kind.BROADCAST, f"notify-other{n % 16}", n, {"by": "una"}, type_="mention")
        for n in range(1, 200_001)
    )
    await asyncio.to_thread(write, roomy.settings, Kind.BROADCAST, told)
    async with person(roomy, "ivy", "phone") as ivy:
        page = await ivy.ask("inbox")
        assert ([row["room"] for row in page["rooms"]], page["notifications"]) == ([room], 0)

        async def quickest(op: str, times: int, **fields: Any) -> float:
            took = []
            for _ in range(times):
                began = time.perf_counter()
                assert (await ivy.ask(op, **fields))["op"] == op
                took.append(time.perf_counter() - began)
            return min(took)

        # What looking for it costs: all of a partition is read.
        looking = await quickest("history", 3, stream="broadcast:notify-ivy", before=2**52, limit=1)
        assert await quickest("inbox", 20) < looking / 3


async def test_a_device_follows_all_rooms_from_what_it_acknowledged(roomy: Pipeline) -> None:
    rooms = [await create(roomy, "una", "eli") for _ in range(3)]
    for n in range(25):
        await said(roomy, "una", rooms[0], f"a{n}")
    await row_until(roomy, "eli", rooms[0], unread=25)
    async with person(roomy, "eli", "phone") as phone:
        synced = await phone.ask("sync")
        assert (synced["op"], synced["rooms"]) == ("synced", 3)
        await phone.event("a24")
        texts = [text for text in phone.texts if text.startswith("a")]
        assert texts == [f"a{n}" for n in range(5, 25)], "a new device: the last twenty"
        await said(roomy, "una", rooms[1], "quiet no more")
        await phone.event("quiet no more")
        later = await create(roomy, "una", "eli")
        await said(roomy, "una", later, "a room joined later")
        last = await phone.event("a room joined later")
        a24 = await phone.event("a24")
        await phone.ask("ack", seqs={stream_of(rooms[0]): a24["seq"], stream_of(later): last["seq"]})
        again = await phone.ask("sync")
        assert (again["op"], again["rooms"]) == ("synced", 4), "again, from what is acknowledged by now"
    await said(roomy, "una", rooms[0], "while away")
    async with person(roomy, "eli", "phone") as phone:
        synced = await phone.ask("sync")
        await phone.event("while away")
        await phone.event("quiet no more")
        heard = {(m["stream"], shown(m)) for m in phone.heard if m["op"] == "event"}
        assert (stream_of(later), "a room joined later") not in heard
        assert not any(text.startswith("a2") for _, text in heard), "what it has acknowledged comes no more"
        await change_members(roomy, "una", rooms[2], remove=["eli"])
        assert (await phone.ended(rooms[2]))["code"] == "forbidden"
        await phone.ask("subscribe", stream=stream_of(rooms[1]))
        await said(roomy, "una", rooms[1], "asked for")
        await phone.ask("unsubscribe", stream=stream_of(rooms[1]))
        await said(roomy, "una", rooms[1], "followed again")
        await phone.event("followed again")
        assert phone.texts.count("asked for") == 1


async def test_who_is_there_is_told_what_others_have_and_read_and_that_they_type(roomy: Pipeline) -> None:
    room = await create(roomy, "una", "fay", receipts=True)
    seq = await said(roomy, "una", room, "hello")
    async with person(roomy, "una", "tv") as una, person(roomy, "fay", "phone") as fay:
        await una.ask("subscribe", stream=stream_of(room), members=True)

        async def alone() -> bool:
            before = await una.ask("presence", stream=stream_of(room), members=True)
            return [(one["user"], one["devices"]) for one in before["members"]] == [("una", 1)]

        await until(alone)
        await fay.ask("subscribe", stream=stream_of(room))
        await una.until(lambda m: m["op"] == "join" and m["user"] == "fay")
        await fay.ask("ack", stream=stream_of(room), seq=seq)
        await una.until(lambda m: m["op"] == "receipt" and (m["user"], m["delivered"]) == ("fay", seq))
        await fay.ask("read", stream=stream_of(room), seq=seq)
        await una.until(lambda m: m["op"] == "receipt" and (m["user"], m["read"]) == ("fay", seq))
        assert (await fay.ask("typing", stream=stream_of(room)))["op"] == "ok"
        assert await una.until(lambda m: m["op"] == "typing") == {
            "op": "typing", "stream": stream_of(room), "user": "fay",
        }  # fmt: skip
        await fay.ask("unsubscribe", stream=stream_of(room))
        await una.until(lambda m: m["op"] == "leave" and m["user"] == "fay")
        assert not any(m["op"] == "typing" for m in fay.heard)
    async with person(roomy, "eve") as eve:
        for op in ("typing", "presence"):
            assert (await eve.ask(op, stream=stream_of(room), members=True))["code"] == "not_found"


async def test_devices_are_listed_and_signed_out(roomy: Pipeline) -> None:
    room = await create(roomy, "una", "gus")
    seq = await said(roomy, "una", room, "hello")
    async with person(roomy, "gus", "phone") as phone, person(roomy, "gus", "tv") as tv:
        for device in (phone, tv):
            await device.ask("ack", stream=stream_of(room), seq=seq)
        await row_until(roomy, "gus", room, delivered=seq)

        async def listed(*devices: str) -> bool:
            found = (await ok(roomy, "GET", "/v1/devices", "gus"))["devices"]
            assert all(one["last_active"].endswith("Z") for one in found)
            return {one["device"] for one in found} == {*devices}

        await until(lambda: listed("phone", "tv"))  # each of them has said something
        await ok(roomy, "DELETE", "/v1/devices/phone", "gus")
        assert await phone.closed() == 4001
        await until(lambda: listed("tv"))
        assert await refused(roomy, "DELETE", "/v1/devices/phone", "gus") == (404, "not_found")
        assert await refused(roomy, "POST", "/v1/users/gus/disconnect", "gus") == (403, "forbidden")
        await ok(roomy, "POST", "/v1/users/gus/disconnect", None)
        assert await tv.closed() == 4001

    async def all_anew() -> bool:  # it has forgotten what it had
        async with person(roomy, "gus", "phone") as phone:
            await phone.ask("sync")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(3):
                    return bool(await phone.event("hello"))
            return False

    await until(all_anew)
    status, _ = await http(roomy, "GET", "/v1/devices", None)
    assert status == 400
