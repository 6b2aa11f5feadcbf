"""Replies: checked to be to an event of the stream, read by their parent, counted with it."""

from typing import Any

from tests.moderation.test_reports import posted
from tests.moderation.test_sanctions import new_channel
from tests.moderation.test_taken_back import past, retract
from tests.pipeline import Pipeline
from tests.rooms.people import create, ok, patiently, person, until


async def reply(pipeline: Pipeline, user: str, channel: str, to: Any, text: str) -> tuple[str, str]:
    """(id, code) of a reply: one of them is empty."""
    path = f"/v1/streams/chat/{channel}/events?wait=accepted"
    _, answer = await patiently(pipeline, "POST", path, user, {"data": {"text": text, "reply_to": to}})
    (result,) = answer["results"]
    return str(result.get("id", "")), str(result.get("code", ""))


async def test_replies_are_read_by_their_parent_and_counted_with_it(ruled: Pipeline) -> None:
    channel = new_channel()
    one, other = [await posted(ruled, "bob", channel, f"oboe {n}") for n in range(2)]
    mine = [(await reply(ruled, "eve", channel, one, f"re {n}"))[0] for n in range(3)]
    (last, _) = await reply(ruled, "eve", channel, other, "re other")
    path = f"/v1/streams/chat/{channel}/events?replies_to={one}"
    page = await ok(ruled, "GET", path, None)  # at once: the log has what the index does not have yet
    assert [event["id"] for event in page["events"]] == mine
    two = await ok(ruled, "GET", f"{path}&limit=2&after=0", None)
    assert [event["id"] for event in two["events"]] == mine[:2]
    assert two["more"] is True
    async with person(ruled, "cat") as cat:
        answer = await cat.ask("history", stream=f"chat:{channel}", replies_to=other)
        assert [event["id"] for event in answer["events"]] == [last]
        refusal = await cat.ask("history", stream=f"chat:{channel}", replies_to="x")
        assert (refusal["op"], refusal["code"]) == ("error", "bad_request")

    async def counted() -> bool:
        return [event.get("replies", 0) for event in (await past(ruled, channel))[:3]] == [3, 1, 0]

    await until(counted)
    await retract(ruled, "eve", channel, mine[0])

    async def one_less() -> bool:
        hits = (await ok(ruled, "GET", f"/v1/search?q=oboe&channel={channel}&sort=oldest", None))["hits"]
        events = await past(ruled, channel)
        numbers = [event.get("replies", 0) for event in events[:2]]
        return numbers == [hit["event"].get("replies", 0) for hit in hits] == [2, 1]

    await until(one_less)


async def test_hits_of_several_channels_have_their_own_numbers(ruled: Pipeline) -> None:
    channels = [new_channel(), new_channel()]
    for number, channel in enumerate(channels, 1):
        said = await posted(ruled, "bob", channel, f"clarinet in {channel}")
        for n in range(number):
            await reply(ruled, "eve", channel, said, f"re {n}")
    where = "&".join(f"channel={channel}" for channel in channels)

    async def counted() -> bool:
        hits = (await ok(ruled, "GET", f"/v1/search?q=clarinet&{where}&sort=oldest", None))["hits"]
        return [hit["event"].get("replies", 0) for hit in hits] == [1, 2]

    await until(counted)


async def test_what_is_no_event_of_the_stream_cannot_be_answered(ruled: Pipeline) -> None:
    channel = new_channel()
    elsewhere = await posted(ruled, "bob", new_channel(), "elsewhere")
    for to in (elsewhere, "1" * 24, "x", 5, "", ["1"]):
        assert await reply(ruled, "eve", channel, to, "re") == ("", "bad_request"), to
    async with person(ruled, "eve") as eve:
        data = {"text": "re", "reply_to": elsewhere}
        refusal = await eve.ask("publish", stream=f"chat:{channel}", data=data)
        assert (refusal["op"], refusal["code"]) == ("error", "bad_request")
        mine = await posted(ruled, "bob", channel, "here")
        data = {"text": "re", "reply_to": mine}
        assert (await eve.ask("publish", stream=f"chat:{channel}", data=data))["op"] == "published"


async def test_in_a_room_what_was_before_ones_time_is_no_event_of_it(ruled: Pipeline) -> None:
    room = await create(ruled, "ana", history="joined")
    before = await posted(ruled, "ana", f"room-{room}", "before")
    await ok(ruled, "POST", f"/v1/rooms/{room}/members", "ana", {"add": ["bob"]})
    after = await posted(ruled, "ana", f"room-{room}", "after")
    assert await reply(ruled, "bob", f"room-{room}", before, "re") == ("", "bad_request")
    id_, code = await reply(ruled, "bob", f"room-{room}", after, "re")
    assert (bool(id_), code) == (True, "")
    assert (await reply(ruled, "ana", f"room-{room}", before, "re"))[1] == ""
