"""Polls: one vote a user, live counts, an end by hand or by the log's time, the result an event."""

from typing import Any

import pytest

from tests.crowd.people import begin, new_stream, path_of, poll, say, told
from tests.pipeline import Pipeline
from tests.rooms.people import create, http, ok, person, refused, stream_of, until

pytestmark = pytest.mark.servers


@pytest.mark.parametrize("kind", ["chat", "broadcast"])
async def test_a_poll_is_voted_on_and_closed_by_its_maker(crowded: Pipeline, kind: str) -> None:
    stream = new_stream(kind)
    async with person(crowded, "ana") as ana, person(crowded, "bob") as bob:
        for who in (ana, bob):
            await who.ask("subscribe", stream=stream, reactions=True)
        id_ = await begin(crowded, stream, "eve")
        opened = await ana.until(lambda m: m["op"] == "event" and m["id"] == id_)
        assert (opened["type"], opened["sender"]) == ("poll", "eve")
        assert opened["data"]["question"] == "Who wins?"
        assert opened["data"]["options"] == ["home", "draw", "away"]
        for who, option in ((ana, 0), (bob, 0), (ana, 2), (ana, 2)):
            assert (await who.ask("vote", stream=stream, poll=id_, option=option))["op"] == "ok"
        await ok(crowded, "PUT", path_of(stream, f"polls/{id_}/vote"), "cat", {"option": 1})
        shown = await poll(crowded, stream, id_, "ana")
        assert (shown["counts"], shown["voters"], shown["open"], shown["mine"]) == ([1, 1, 1], 3, True, 2)
        assert (shown["by"], shown["question"], shown["closes_at"]) == ("eve", "Who wins?", None)
        news = await told(bob, "poll", lambda m: m["counts"] == [1, 1, 1])
        assert (news["stream"], news["poll"], news["voters"], news["open"]) == (stream, id_, 3, True)
        assert (await ana.ask("vote", stream=stream, poll=id_, option=3))["code"] == "bad_request"
        assert (await ana.ask("vote", stream=stream, poll=id_, option=-1))["code"] == "bad_request"
        assert (await ana.ask("vote", stream=stream, poll="1" * 20, option=0))["code"] == "not_found"
        assert (await ana.ask("vote", stream=new_stream(), poll=id_, option=0))["code"] == "not_found"
        assert (await refused(crowded, "DELETE", path_of(stream, f"polls/{id_}"), "bob"))[0] == 403
        closed = await ok(crowded, "DELETE", path_of(stream, f"polls/{id_}"), "eve")
        assert (closed["open"], closed["counts"]) == (False, [1, 1, 1])
        result = await bob.until(lambda m: m["op"] == "event" and m["type"] == "poll_closed")
        data = result["data"]
        assert (data["poll"], data["counts"], data["voters"]) == (id_, [1, 1, 1], 3)
        late = await bob.ask("vote", stream=stream, poll=id_, option=1)
        assert (late["code"], late["retry"]) == ("ended", False)
        status, answer = await http(
            crowded, "PUT", path_of(stream, f"polls/{id_}/vote"), "dan", {"option": 1}
        )
        assert (status, answer["code"]) == (409, "ended")
        await told(bob, "poll", lambda m: m["open"] is False)
        await ok(crowded, "DELETE", path_of(stream, f"polls/{id_}"), None)
        assert (await poll(crowded, stream, id_))["counts"] == [1, 1, 1]
        await say(crowded, stream, "the end", **({"type": "end"} if kind == "broadcast" else {}))
        await bob.until(lambda m: m["op"] == "event" and "the end" in str(m["data"]))
        assert sum(m["op"] == "event" and m["type"] == "poll_closed" for m in bob.heard) == 1


async def test_what_people_vote_on_is_not_edited_by_anybody(crowded: Pipeline) -> None:
    stream = new_stream()
    id_ = await begin(crowded, stream, "eve")
    await ok(crowded, "PUT", path_of(stream, f"polls/{id_}/vote"), "cat", {"option": 1})
    data = {"target": id_, "text": "Who loses?"}
    for user in ("eve", None):
        status, answer = await http(
            crowded, "POST", path_of(stream, "events"), user, {"type": "edit", "data": data}
        )
        assert (status, answer["code"]) == (400, "bad_request")
    async with person(crowded, "eve") as eve:
        answer = await eve.ask("publish", stream=stream, type="edit", data=data)
        assert (answer["code"], "poll" in answer["message"]) == ("bad_request", True)
        assert (await eve.ask("publish", stream=stream, data={"text": "said"}))["op"] == "published"
        said = await say(crowded, stream, "as it was", sender="eve")
        edit = {"target": said, "text": "as it is"}
        assert (await eve.ask("publish", stream=stream, type="edit", data=edit))["op"] == "published"
        assert (await eve.ask("publish", stream=stream, type="retract", data={"target": id_}))[
            "op"
        ] == "published"


async def test_a_poll_closes_by_itself(crowded: Pipeline) -> None:
    stream = new_stream()
    async with person(crowded, "ana") as ana:
        await ana.ask("subscribe", stream=stream)
        id_, voted = "", ""
        for seconds in (1, 2, 4, 8):  # the first one that is not over before somebody has voted
            id_ = await begin(crowded, stream, closes_in=f"{seconds}s")
            voted = (await ana.ask("vote", stream=stream, poll=id_, option=1))["op"]
            if voted == "ok":
                break
        assert voted == "ok"
        result = await ana.until(lambda m: m["op"] == "event" and m["data"].get("poll") == id_)
        assert result["type"] == "poll_closed"
        assert result["data"]["counts"] == [0, 1, 0]
        assert (await ana.ask("vote", stream=stream, poll=id_, option=1))["code"] == "ended"
        shown = await poll(crowded, stream, id_)
        assert (shown["open"], shown["closed_at"]) == (False, shown["closes_at"])


async def test_a_rooms_members_vote_and_the_end_is_told_there(crowded: Pipeline) -> None:
    room = await create(crowded, "ana", "bob")
    stream = stream_of(room)
    async with person(crowded, "bob") as bob:
        await bob.ask("subscribe", stream=stream, reactions=True)
        id_ = await begin(crowded, stream, "bob")
        assert (await bob.ask("vote", stream=stream, poll=id_, option=0))["op"] == "ok"
        closed = await ok(crowded, "DELETE", path_of(stream, f"polls/{id_}"), "ana")
        assert closed["counts"] == [1, 0, 0]
        result = await bob.until(lambda m: m["op"] == "event" and m["type"] == "poll_closed")
        assert result["data"]["voters"] == 1


@pytest.mark.parametrize(
    "bad",
    [
        {"question": ""},
        {"question": "q" * 501},
        {"options": []},
        {"options": ["one"]},
        {"options": ["a", "a"]},
        {"options": ["a", ""]},
        {"options": ["a", "b" * 201]},
        {"options": [str(n) for n in range(21)]},
        {"options": [1, 2]},
        {"closes_in": "soon"},
        {"closes_in": "0s"},
        {"closes_in": "31d"},
        {"closes_in": -1},
    ],
)
async def test_what_can_be_no_poll_is_refused(crowded: Pipeline, bad: dict[str, Any]) -> None:
    asked = {"question": "Who wins?", "options": ["home", "away"], **bad}
    path = path_of("chat:polls", "polls")
    assert await refused(crowded, "POST", path, "ana", asked) == (400, "bad_request")
    assert (await refused(crowded, "POST", path_of("location:polls", "polls"), "ana"))[0] >= 400


async def test_nobody_else_opens_or_closes_one(crowded: Pipeline) -> None:
    stream = new_stream()
    async with person(crowded, "ana") as ana:
        for type_ in ("poll", "poll_closed"):
            reply = await ana.ask(
                "publish", stream=stream, type=type_, data={"text": "Who?", "options": ["a", "b"]}
            )
            assert reply["code"] == "forbidden"
    channel = stream.partition(":")[2]
    await ok(crowded, "PUT", f"/v1/channels/{channel}", None, {"publishers": ["eve"]})
    asked = {"question": "Who wins?", "options": ["home", "away"]}

    async def closed() -> bool:
        return (await http(crowded, "POST", path_of(stream, "polls"), "ana", asked))[0] == 403

    await until(closed)
    await begin(crowded, stream, "eve")
