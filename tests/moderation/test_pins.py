"""The pinned message: who may, that whoever comes later is told of it, and when it is gone."""

from typing import Any

import pytest

from kernel.errors import TouchlineError
from tests.moderation.test_audit import told
from tests.moderation.test_reports import posted
from tests.moderation.test_sanctions import new_channel
from tests.moderation.test_taken_back import edit, is_blank, past, retract
from tests.pipeline import Pipeline
from tests.rooms.people import change_members, create, http, ok, person, until
from touchline import Moderation


def operator(pipeline: Pipeline, user: str | None = None) -> Moderation:
    return Moderation(pipeline.gateway_url, user=user)


async def pinned(pipeline: Pipeline, channel: str, user: str | None = "cat") -> dict[str, Any] | None:
    found: dict[str, Any] | None = (await ok(pipeline, "GET", f"/v1/streams/chat/{channel}", user))["pinned"]
    return found


async def is_pinned(pipeline: Pipeline, channel: str, target: str, user: str | None = "cat") -> None:
    """Wait for it: an empty target is none."""

    async def holds() -> bool:
        found = await pinned(pipeline, channel, user)
        return target == ("" if found is None else found["target"])

    await until(holds)


async def test_who_comes_later_is_told_what_is_pinned_until_it_is_no_more(ruled: Pipeline) -> None:
    channel, moderator = new_channel(), operator(ruled)
    first, second = [await posted(ruled, "eve", channel, text) for text in ("rules", "news")]
    async with person(ruled, "cat") as cat:
        await cat.ask("subscribe", stream=f"chat:{channel}", after=0)
        await moderator.pin(channel, first)
        await is_pinned(ruled, channel, first)
        found = await moderator.pinned(channel)
        assert found is not None
        assert (found["event"]["data"], found["by"]) == ({"text": "rules"}, None)
        await moderator.pin(channel, second)
        await is_pinned(ruled, channel, second)
        await moderator.unpin(channel, first)  # which another one has taken the place of
        await moderator.unpin(channel, second)
        await is_pinned(ruled, channel, "")
        await posted(ruled, "eve", channel, "the end")
        await cat.event("the end")
        heard = [m for m in cat.heard if m["op"] == "event" and m["type"] in ("pin", "unpin")]
        assert [(m["type"], m["data"]["target"]) for m in heard] == [
            ("pin", first), ("pin", second), ("unpin", first), ("unpin", second),
        ]  # fmt: skip
        assert found["order"] == heard[0]["id"]
    audit = [(one["do"], one["target"]) for one in await told(ruled, channel, None, 4)]
    assert audit == [(m["type"], m["data"]["target"]) for m in heard]
    # What says so is not found, and what it is about is found as before.
    search = f"/v1/search?channel={channel}&kind=chat"

    async def indexed() -> bool:
        return bool((await ok(ruled, "GET", search, None))["total"] == 3)

    await until(indexed)


async def test_what_is_taken_back_is_not_pinned_any_more(ruled: Pipeline) -> None:
    channel, moderator = new_channel(), operator(ruled)
    target = await posted(ruled, "eve", channel, "a slip")
    await moderator.pin(channel, target)
    await is_pinned(ruled, channel, target)
    await edit(ruled, "eve", channel, target, "another slip")
    await retract(ruled, "eve", channel, target)
    await is_pinned(ruled, channel, "")

    async def blank() -> bool:
        return is_blank((await past(ruled, channel))[0])

    await until(blank)
    with pytest.raises(TouchlineError) as refused:
        await moderator.pin(channel, target)
    assert refused.value.code == "bad_request"


async def test_who_does_not_moderate_pins_nothing_by_any_door(ruled: Pipeline) -> None:
    channel = new_channel()
    target = await posted(ruled, "eve", channel, "mine")
    for type_ in ("pin", "unpin"):
        event = {"type": type_, "data": {"target": target}}
        status, answer = await http(ruled, "POST", f"/v1/streams/chat/{channel}/events", "eve", event)
        assert (status, answer["code"]) == (403, "forbidden")
        # However it is written, and among many.
        async with person(ruled, "eve") as eve:
            answer = await eve.ask("publish", stream=f"chat:{channel}", type=type_, data={"target": target})
            assert (answer["op"], answer["code"]) == ("error", "forbidden")
    with pytest.raises(TouchlineError) as refused:
        await operator(ruled).pin(channel, "17")
    assert refused.value.code == "not_found"
    assert await pinned(ruled, channel) is None


async def test_in_a_room_its_leaders_pin_and_members_see_what_they_may_read(ruled: Pipeline) -> None:
    room = await create(ruled, "ana", "bob", history="joined")
    channel = f"room-{room}"
    target = await posted(ruled, "bob", channel, "from before")
    with pytest.raises(TouchlineError) as refused:
        await operator(ruled, "bob").pin(channel, target)
    assert refused.value.code == "forbidden"
    await operator(ruled, "ana").pin(channel, target)
    await is_pinned(ruled, channel, target, "bob")
    found = await pinned(ruled, channel, "ana")
    assert found is not None
    assert found["by"] == "ana"
    await change_members(ruled, "ana", room, add=["cat"])
    later = await posted(ruled, "bob", channel, "for all")
    assert await pinned(ruled, channel, "cat") is None
    await operator(ruled, "ana").pin(channel, later)
    await is_pinned(ruled, channel, later, "cat")
