"""Who reads what of a room: from their joining on where it says so, until the event that takes them out."""

import asyncio
from typing import Any

import pytest

from tests.pipeline import Pipeline
from tests.rooms.people import (
    Person,
    change_members,
    create,
    heard_by,
    history,
    http,
    ok,
    patiently,
    person,
    said,
    say,
    stream_of,
)


async def watch(who: Person, room: str, **how: Any) -> dict[str, Any]:
    return await who.ask("subscribe", stream=stream_of(room), **how)


async def test_members_hear_what_is_said_and_nobody_else_does(roomy: Pipeline) -> None:
    room = await create(roomy, "ana", "bob")
    async with person(roomy, "ana") as ana, person(roomy, "bob") as bob, person(roomy, "eve") as eve:
        assert (await watch(bob, room))["op"] == "subscribed"
        more: dict[str, Any]
        past = ("history", {"before": 10**9}), ("history", {"around": 5})
        for op, more in (("subscribe", {}), *past, ("presence", {})):
            refusal = await eve.ask(op, stream=stream_of(room), **more)
            assert (refusal["op"], refusal["code"]) == ("error", "not_found")
        published = await ana.ask("publish", stream=stream_of(room), data={"text": "hello"})
        assert published["op"] == "published"
        event = await bob.event("hello")
        assert (event["seq"], event["sender"], event["n"]) == (published["seq"], "ana", 1)
        assert (await eve.ask("publish", stream=stream_of(room), data={"text": "x"}))["code"] == "not_found"
        await say(roomy, "bob", room, "hi")
        assert await history(roomy, "ana", room) == (200, ["created", "hello", "hi"])
        assert (await history(roomy, "eve", room))[0] == 404
        assert eve.texts == []


async def test_who_is_taken_out_hears_that_and_nothing_after_it(roomy: Pipeline) -> None:
    room = await create(roomy, "ana", "bob", "cat")
    async with person(roomy, "bob") as bob, person(roomy, "cat") as cat:
        await watch(bob, room)
        await watch(cat, room)
        before = await said(roomy, "ana", room, "before")
        out = change_members(roomy, "ana", room, remove=["bob"])
        after = asyncio.gather(*(say(roomy, "ana", room, f"after {n}") for n in range(20)))
        removed = (await out)["seq"]
        results = await after
        end = await bob.ended(room)
        assert (end["code"], end["retry"]) == ("forbidden", False)
        await cat.event("after 19")
        # What lies between is theirs; what comes after the change is not.
        seqs = [message["seq"] for message in bob.heard if message["op"] == "event"]
        mine = [r["seq"] for _, r in results if r["seq"] < removed]
        assert seqs == sorted([before, *mine, removed])
        for ask in ("subscribe", "history"):
            more = {"before": 10**15} if ask == "history" else {}
            assert (await bob.ask(ask, stream=stream_of(room), **more))["code"] == "not_found"
        assert (await history(roomy, "bob", room))[0] == 404
        assert (await say(roomy, "bob", room, "still here"))[0] == 404


async def test_who_joins_a_joined_room_sees_it_from_then_on(roomy: Pipeline) -> None:
    room = await create(roomy, "ana", history="joined")
    for n in range(5):
        await said(roomy, "ana", room, f"old {n}")
    joined = (await change_members(roomy, "ana", room, add=["bob"]))["seq"]
    await said(roomy, "ana", room, "new")
    mine = ["added", "new"]
    assert await history(roomy, "bob", room) == (200, mine)
    assert await history(roomy, "bob", room, after=0) == (200, mine)
    assert await history(roomy, "bob", room, before=joined) == (200, [""])
    assert await history(roomy, "bob", room, around=joined - 3) == (200, mine)
    assert (await history(roomy, "ana", room, around=joined, limit=3))[1] == ["old 4", *mine]
    assert (await history(roomy, "ana", room))[1] == ["created", *(f"old {n}" for n in range(5)), *mine]
    for how in ({"after": 0}, {"last": 100}, {"after": joined - 1}, {"last": 2}):
        async with person(roomy, "bob") as bob:
            first = await watch(bob, room, **how)
            assert first["recovered"] is True
            await bob.event("new")
            assert bob.texts == mine
            page = await bob.ask("history", stream=stream_of(room), after=0)
            assert page["events"][0]["seq"] == joined


async def test_who_comes_back_sees_their_own_times(roomy: Pipeline) -> None:
    room = await create(roomy, "ana", "bob", history="joined")
    await said(roomy, "ana", room, "one")
    await change_members(roomy, "ana", room, remove=["bob"])
    await said(roomy, "ana", room, "hidden")
    assert (await history(roomy, "bob", room))[0] == 404
    await change_members(roomy, "ana", room, add=["bob"])
    await said(roomy, "ana", room, "two")
    mine = ["created", "one", "removed", "added", "two"]
    assert (await history(roomy, "bob", room))[1] == mine
    assert (await history(roomy, "bob", room, after=0, limit=2))[1] == mine[:2]
    async with person(roomy, "bob") as bob:
        await watch(bob, room, after=0)
        await bob.event("two")
        assert bob.texts == mine
        # The event after the gap does not say that there was one.
        added = await bob.event("added")
        assert "prev" not in added
        await said(roomy, "ana", room, "three")
        await bob.event("three")


async def test_in_an_all_room_who_joins_sees_everything(roomy: Pipeline) -> None:
    room = await create(roomy, "ana")
    await said(roomy, "ana", room, "old")
    await change_members(roomy, "ana", room, add=["bob"])
    assert await history(roomy, "bob", room) == (200, ["created", "old", "added"])
    async with person(roomy, "bob") as bob:
        await watch(bob, room, last=10)
        await bob.event("added")
        assert bob.texts == ["created", "old", "added"]


async def test_a_deleted_room_is_over_for_all_and_its_name_shows_nothing_of_it(roomy: Pipeline) -> None:
    room = await create(roomy, "ana", "bob")
    await said(roomy, "ana", room, "secret")
    async with person(roomy, "bob") as bob:
        await watch(bob, room)
        await ok(roomy, "DELETE", f"/v1/rooms/{room}", "ana")
        assert (await bob.ended(room))["code"] == "forbidden"
    assert (await history(roomy, "ana", room))[0] == 404
    await create(roomy, "eve", "bob", room=room)
    assert await history(roomy, "eve", room, after=0) == (200, ["created"])
    async with person(roomy, "bob") as bob:
        await watch(bob, room, after=0)
        await said(roomy, "eve", room, "now")
        await bob.event("now")
        assert bob.texts == ["created", "now"]


@pytest.mark.parametrize("way", ["sse", "poll"])
async def test_the_other_ways_in_keep_to_it(roomy: Pipeline, way: str) -> None:
    room = await create(roomy, "ana", "bob", history="joined")
    await said(roomy, "ana", room, "for bob")
    await change_members(roomy, "ana", room, add=["cat"])
    await said(roomy, "ana", room, "for both")
    for user, sees in (("bob", True), ("cat", False), ("eve", False)):
        text = await heard_by(roomy, way, user, room, until="for both")
        assert ("for bob" in text) is sees, (user, text)
        assert ("for both" in text) is (user != "eve"), (user, text)


async def test_nobody_is_shown_what_came_after_they_were_taken_out_however_quick(roomy: Pipeline) -> None:
    """Taken out and asked again at once, over both doors, while others go on talking."""
    for _ in range(5):
        room = await create(roomy, "ana", "bob")
        await said(roomy, "ana", room, "before")

        async def talk(room: str = room) -> None:
            for n in range(10):
                await say(roomy, "ana", room, f"after {n}")

        async with person(roomy, "bob") as bob:
            change = await change_members(roomy, "ana", room, remove=["bob"])
            talking = asyncio.create_task(talk())
            answers = await asyncio.gather(
                *(history(roomy, "bob", room) for _ in range(5)),
                *(bob.ask("subscribe", stream=stream_of(room), after=0) for _ in range(3)),
            )
            await talking
            assert change["seq"]
            for answer in answers:
                assert "after" not in str(answer), answer
            assert not any(text.startswith("after") for text in bob.texts)


async def test_the_operator_sees_all_of_it(roomy: Pipeline) -> None:
    room = await create(roomy, "ana", history="joined")
    await said(roomy, "ana", room, "x")
    assert await history(roomy, None, room) == (200, ["created", "x"])
    status, shown = await http(roomy, "GET", f"/v1/streams/chat/room-{room}", "ana")
    assert (status, shown["viewers"]) == (200, 0)
    assert (await http(roomy, "GET", f"/v1/streams/chat/room-{room}", "eve"))[0] == 404


async def test_moderators_take_back_what_others_have_said_and_members_do_not(roomy: Pipeline) -> None:
    room = await create(roomy, "ana", "bob", "cat")
    await change_members(roomy, "ana", room, roles={"bob": "moderator"})
    _, result = await say(roomy, "cat", room, "a bad word")
    path = f"/v1/streams/chat/room-{room}/events"

    async def take_back(user: str) -> str:
        body = {"type": "retract", "data": {"target": result["id"]}}
        _, answer = await patiently(roomy, "POST", path, user, body)
        one = answer["results"][0] if "results" in answer else answer
        return str(one.get("code") or "done")

    _, other = await say(roomy, "ana", room, "mine")
    assert await take_back("bob") == "done"
    async with person(roomy, "cat") as cat:
        refusal = await cat.ask(
            "publish", stream=stream_of(room), type="retract", data={"target": other["id"]}
        )
        assert refusal["code"] == "forbidden"
    async with person(roomy, "bob") as bob:
        taken = await bob.ask("publish", stream=stream_of(room), type="retract", data={"target": other["id"]})
        assert taken["op"] == "published"
