"""A broadcast that was taken back is nowhere any more, whichever way one comes, as messages of chats are."""

import json
from typing import Any

from tests.crowd.people import begin, new_stream, path_of, poll, react
from tests.moderation.test_reports import posted
from tests.moderation.test_sanctions import new_channel
from tests.moderation.test_taken_back import SECRET, one_way, past, soon
from tests.pipeline import Pipeline
from tests.rooms.people import http, ok, person, until


async def told(pipeline: Pipeline, channel: str, type_: str = "goal", **data: Any) -> str:
    """The id of a broadcast."""
    path = f"/v1/streams/broadcast/{channel}/events?wait=accepted"
    answer = await ok(pipeline, "POST", path, "editor", {"type": type_, "data": data})
    assert answer["results"][0]["ok"], answer
    return str(answer["results"][0]["id"])


async def events(pipeline: Pipeline, channel: str) -> list[Any]:
    path = f"/v1/streams/broadcast/{channel}/events?after=0&limit=100"
    return list((await ok(pipeline, "GET", path, None))["events"])


async def test_history_has_its_place_and_what_it_counted_and_no_text(ruled: Pipeline) -> None:
    channel = new_channel()
    target = await told(ruled, channel, text=SECRET, player=SECRET, score=[1, 0])
    await told(ruled, channel, "edit", target=target, text=f"{SECRET} edited")
    words = await told(ruled, channel, "note", text=SECRET, score=[SECRET, 0])
    other = await told(ruled, channel, "note", text="other")
    for one in (target, words):
        await told(ruled, channel, "retract", target=one)

    async def blank() -> bool:
        found = await events(ruled, channel)
        return SECRET not in json.dumps(found) and sum("retracted" in one for one in found) == 3

    await soon(blank)
    goal, edit, note, stays, *_ = await events(ruled, channel)
    assert (goal["id"], goal["type"], goal["data"]) == (target, "goal", {"score": [1, 0]})
    assert (edit["data"], note["data"]) == ({"target": target}, {})
    assert (stays["id"], stays["data"], "retracted" in stays) == (other, {"text": "other"}, False)
    async with person(ruled, "bob") as bob:

        async def blank_there() -> bool:  # an edge hears of it by itself
            return SECRET not in json.dumps(await bob.ask("history", stream=f"broadcast:{channel}", after=0))

        await soon(blank_there)


async def test_who_resumes_or_comes_by_another_way_is_given_no_text(ruled: Pipeline) -> None:
    channel = new_channel()
    stream = f"broadcast:{channel}"
    async with person(ruled, "cat") as cat:  # somebody watches: the events are in a ring
        await cat.ask("subscribe", stream=stream, after=0)
        target = await told(ruled, channel, text=SECRET)
        await cat.event(SECRET)
        await told(ruled, channel, "retract", target=target)
        await cat.until(lambda m: m.get("type") == "retract")
        await told(ruled, channel, "note", text="the end")

        async def resumed() -> bool:
            async with person(ruled, "bob") as bob:
                await bob.ask("subscribe", stream=stream, after=0)
                await bob.event("the end")
                return SECRET not in json.dumps(bob.heard)

        await soon(resumed)
    for way in ("sse", "poll"):
        assert SECRET not in await one_way(ruled, way, stream, b"the end"), way


async def test_search_finds_nothing_of_it(ruled: Pipeline) -> None:
    channel, word = new_channel(), "sousaphone"
    target = await told(ruled, channel, text=f"{word} one")
    await told(ruled, channel, text=f"{word} two")

    async def total(wanted: int) -> bool:
        answer = await ok(ruled, "GET", f"/v1/search?q={word}", None)
        return (answer["total"], len(answer["hits"])) == (wanted, wanted)

    await until(lambda: total(2))
    await told(ruled, channel, "retract", target=target)
    await soon(lambda: total(1))


async def test_its_reactions_and_its_poll_go_with_it(ruled: Pipeline) -> None:
    stream = new_stream("broadcast")
    channel = stream.partition(":")[2]
    target = await told(ruled, channel, text="one")
    assert (await react(ruled, stream, "👍", "bob", target=target))[0] == 202
    voted = await begin(ruled, stream, "editor")
    await poll(ruled, stream, voted)
    for one in (target, voted):
        await told(ruled, channel, "retract", target=one)

    async def over() -> bool:
        status, _ = await http(ruled, "GET", path_of(stream, f"polls/{voted}"), "bob")
        code = (await http(ruled, "GET", path_of(stream, f"reactions?target={target}"), "bob"))[1].get("code")
        return status == 404 and code == "not_found"

    await soon(over)


async def test_a_broadcast_takes_back_nothing_but_broadcasts(ruled: Pipeline) -> None:
    channel = new_channel()
    said = await posted(ruled, "eve", channel, "still there")
    stays = await told(ruled, channel, text="stays")
    for odd in (said, "nothing", 7, None):
        await told(ruled, channel, "retract", target=odd)
    gone = await told(ruled, channel, text=SECRET)
    await told(ruled, channel, "retract", target=gone)

    async def blank() -> bool:
        return SECRET not in json.dumps(await events(ruled, channel))

    await soon(blank)
    assert (await past(ruled, channel))[0]["data"] == {"text": "still there"}
    assert (await events(ruled, channel))[0]["id"] == stays
    assert [one["id"] for one in await events(ruled, channel) if one.get("retracted")] == [gone]
