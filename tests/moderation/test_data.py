"""All of a user's data: exported as lines, erased as one fact that outlives whoever was asked."""

import asyncio
import json
from typing import Any

import psutil
from aiohttp import ClientSession

from kernel.log.positions import Kind
from tests.accepted import chat, write
from tests.moderation.test_reports import posted
from tests.moderation.test_sanctions import moderate, new_channel
from tests.moderation.test_taken_back import is_blank, past
from tests.pipeline import Pipeline
from tests.rooms.people import create, http, ok, person, refused, until

SECRET = "theremin"


async def export(pipeline: Pipeline, user: str, by: str | None) -> list[dict[str, Any]]:
    headers = {} if by is None else {"Touchline-User": by}
    url = f"{pipeline.gateway_url}/v1/users/{user}/data"
    async with ClientSession(headers=headers) as session, session.get(url) as response:
        assert response.status == 200
        return [json.loads(line) async for line in response.content]


async def place(pipeline: Pipeline, user: str) -> None:
    path = f"/v1/streams/location/user-{user}/events?wait=accepted"
    answer = await ok(pipeline, "POST", path, user, {"data": {"lat": 48.1, "lon": 11.6}})
    assert answer["results"][0]["ok"], answer


async def test_all_of_a_users_data_is_exported_to_them_and_to_no_other(ruled: Pipeline) -> None:
    user, channel = "gus", new_channel()
    await posted(ruled, user, channel, SECRET)
    await place(ruled, user)
    room = await create(ruled, "ana", user)
    await posted(ruled, user, f"room-{room}", SECRET)
    await ok(ruled, "PUT", "/v1/blocks/eve", user)
    await moderate(ruled, None, new_channel(), "ban", user)
    liked = await posted(ruled, "ana", channel, "liked")
    to, polls = f"/v1/streams/chat/{channel}/reactions", f"/v1/streams/chat/{channel}/polls"
    for with_ in ("👍", "🎉", "👎"):
        await ok(ruled, "POST", to, user, {"with": with_, "target": liked})
    await ok(ruled, "POST", to, "ana", {"with": "👏", "target": liked})
    await ok(ruled, "POST", to, user, {"with": "👎", "target": liked, "off": True})
    poll = (await ok(ruled, "POST", polls, "ana", {"question": "Who?", "options": ["a", "b"]}))["poll"]
    await ok(ruled, "PUT", f"{polls}/{poll}/vote", user, {"option": 1})

    async def whole() -> bool:
        lines = await export(ruled, user, user)
        known = {line["what"] for line in lines}
        reacted = [line["with"] for line in lines if line["what"] == "reaction"]
        all_ = lines[-1] == {"what": "end", "events": 3} and {"reaction", "vote", "ban"} <= known
        return all_ and reacted == [["👍", "🎉"]]

    await until(whole)
    lines = await export(ruled, user, None)
    assert [line["what"] for line in lines] == [
        "user",
        "room",
        "block",
        "sharing",
        "reaction",
        "vote",
        "ban",
        *["event"] * 3,
        "end",
    ]
    stream = f"chat:{channel}"
    assert [line for line in lines if line["what"] in {"reaction", "vote"}] == [
        {"what": "reaction", "stream": stream, "event": liked, "with": ["👍", "🎉"]},
        {"what": "vote", "stream": stream, "poll": poll, "option": 1},
    ]
    assert {line["event"]["stream"] for line in lines if line["what"] == "event"} == {
        f"chat:{channel}",
        f"location:user-{user}",
        f"chat:room-{room}",
    }
    assert await refused(ruled, "GET", f"/v1/users/{user}/data", "eve") == (403, "forbidden")
    assert await refused(ruled, "DELETE", f"/v1/users/{user}/data", "eve") == (403, "forbidden")


async def test_an_erasure_takes_all_of_it_back_and_outlives_its_gateway(ruled: Pipeline) -> None:
    user, channel, word = "hal", new_channel(), "glockenspiel"
    await posted(ruled, user, channel, f"{word} {SECRET}")
    await posted(ruled, "bob", channel, f"{word} other")
    await place(ruled, user)

    async def found() -> bool:
        answer = await ok(ruled, "GET", f"/v1/search?q={word}&facets=1", None)
        return bool(answer["total"] == 2)

    await until(found)
    async with person(ruled, "cat") as cat:  # the events are in a ring
        await cat.ask("subscribe", stream=f"chat:{channel}", after=0)
        await cat.event(f"{word} {SECRET}")
        answer = await ok(ruled, "DELETE", f"/v1/users/{user}/data", user)
        assert answer["user"] == user
        stays = {one.get("topic", ""): one["until"] for one in answer["stays"]}
        events = next(until_ for topic, until_ in stays.items() if topic.endswith(".events.chat"))
        assert events > answer["erased_until"]
        ruled.kill("gateway")
        ruled.kill("stream")
        ruled.start("stream", "gateway")
        seen = await past(ruled, channel)
        assert [is_blank(event) for event in seen] == [True, False]
        assert SECRET not in json.dumps(seen)

        async def resumed() -> bool:
            async with person(ruled, "dan") as dan:
                await dan.ask("subscribe", stream=f"chat:{channel}", after=0)
                await dan.event(f"{word} other")
                return SECRET not in json.dumps(dan.heard)

        await until(resumed)
    answer = await ok(ruled, "GET", f"/v1/search?q={word}&facets=1", None)
    assert (answer["total"], [b["value"] for b in answer["facets"]["sender"]]) == (1, ["bob"])
    near = await ok(ruled, "GET", "/v1/search?near=48.1,11.6&within=1km&sender=hal", None)
    assert near["total"] == 0
    status, places = await http(ruled, "GET", f"/v1/streams/location/user-{user}/events", user)
    assert status == 200
    assert all(is_blank(event) and "lat" not in event["data"] for event in places["events"])
    # They may go on, or come back: what is new is theirs.
    await posted(ruled, user, channel, "new")

    async def told() -> bool:
        return bool((await past(ruled, channel))[-1]["data"] == {"text": "new"})

    await until(told)
    lines = [line["event"] for line in await export(ruled, user, user) if line["what"] == "event"]
    assert SECRET not in json.dumps(lines)


async def test_on_the_command_line(ruled: Pipeline) -> None:
    channel = new_channel()
    run = ruled.run
    assert run("moderate", "mute", channel, "eve", "--for", "1h").stdout.startswith("eve  muted until")
    assert run("moderate", "ban", channel, "mal").stdout == "mal  banned\n"
    assert "mal  banned" in run("moderate", "list", channel).stdout
    assert run("moderate", "unban", channel, "mal").stdout == "mal  free\n"
    failed = run("moderate", "ban", channel, "bob", "--user", "eve", check=False)
    assert (failed.returncode, "Only who administers" in failed.stderr) == (1, True)
    id_ = await posted(ruled, "ike", channel, SECRET)
    stream = f"chat:{channel}"
    assert "reported" in run("moderate", "report", stream, id_, "rude", "--user", "bob").stdout
    assert SECRET in run("moderate", "reports", stream).stdout

    async def whole() -> bool:
        lines = run("user", "export", "ike").stdout.splitlines()
        return bool(json.loads(lines[-1]) == {"what": "end", "events": 1})

    await until(whole)
    assert "stays until" in run("user", "erase", "ike").stdout
    assert "(taken back)" in run("moderate", "reports", stream).stdout


async def test_an_export_holds_a_page_at_a_time_however_much_there_is(ruled: Pipeline) -> None:
    """Forty megabytes go through the gateway, and stay nowhere in it."""
    user, number, text = "hoarder", 4000, "x" * 10_000
    events = (chat("archive", n, f"{n} {text}", sender=user) for n in range(1, number + 1))
    await asyncio.to_thread(write, ruled.settings, Kind.CHAT, events)
    url = f"{ruled.gateway_url}/v1/users/{user}/data"

    def held() -> float:
        return psutil.Process(ruled.pid("gateway")).memory_info().rss / 1e6

    async def counted() -> tuple[int, int, float]:
        """How many events there are, in how many bytes; and the most that the gateway held meanwhile."""
        size, last, most = 0, b"", 0.0
        async with ClientSession(headers={"Touchline-User": user}) as session, session.get(url) as response:
            async for piece in response.content.iter_any():
                size, last, most = size + len(piece), (last + piece)[-200:], max(most, held())
        return json.loads(last.splitlines()[-1])["events"], size, most

    async def all_is_indexed() -> bool:
        return (await counted())[0] == number

    await until(all_is_indexed, within=180)
    before = held()
    _, size, most = await counted()
    assert size > 40e6
    assert most - before < 20, "MB"
