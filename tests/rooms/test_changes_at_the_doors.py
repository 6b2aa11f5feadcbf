"""Rooms are made, changed and left over HTTP and WebSocket, and what is wrong is said with a code."""

import asyncio
from typing import Any

import pytest

from tests.pipeline import Pipeline
from tests.rooms.people import change_members, create, http, new_room, ok, person, refused, stream_of, until


def roles(room: dict[str, Any]) -> dict[str, str]:
    return {one["user"]: one["role"] for one in room["members"]}


async def listed(pipeline: Pipeline, user: str, rooms: list[str]) -> None:
    """Wait until a user's rooms are listed in this order, the latest first: the order is by what was said in
    them, which is told a moment later.
    """

    async def in_order() -> bool:
        return [row["room"] for row in (await ok(pipeline, "GET", "/v1/rooms", user))["rooms"]] == rooms[::-1]

    await until(in_order)


async def test_a_room_is_in_force_when_it_is_answered(roomy: Pipeline) -> None:
    body: dict[str, Any] = {
        "room": new_room(),
        "name": "Lerngruppe 4",
        "members": ["bob", "cat"],
        "history": "joined",
    }
    made = await ok(roomy, "POST", "/v1/rooms", "ana", body)
    assert (made["stream"], made["name"], made["history"]) == (
        stream_of(body["room"]),
        "Lerngruppe 4",
        "joined",
    )
    assert roles(made) == {"ana": "owner", "bob": "member", "cat": "member"}
    assert {one["since"] for one in made["members"]} == {made["seq"]}
    for user in ("ana", "bob"):
        assert await ok(roomy, "GET", f"/v1/rooms/{body['room']}", user) == made

        async def row(user: str = user) -> dict[str, Any]:
            rows = (await ok(roomy, "GET", "/v1/rooms?limit=200", user))["rooms"]
            return dict(next(row for row in rows if row["room"] == body["room"]))

        found = await row()
        assert (found["role"], found["members"], found["muted"]) == (roles(made)[user], 3, False)

        async def is_last(row: Any = row) -> bool:  # what was said there is told a moment later
            return bool(((await row())["last"] or {}).get("data", {}).get("what") == "created")

        await until(is_last)
    async with person(roomy, "bob") as bob:
        answer = await bob.ask("room", do="get", room=body["room"])
        assert {k: v for k, v in answer.items() if k not in ("id", "op")} == made


async def test_the_same_by_websocket(roomy: Pipeline) -> None:
    async with person(roomy, "ana") as ana, person(roomy, "eve") as eve:
        made = await ana.ask("room", do="create", name="By socket", members=["bob"])
        room = made["room"]
        assert (made["op"], made["name"], roles(made)) == (
            "room",
            "By socket",
            {"ana": "owner", "bob": "member"},
        )
        asked: dict[str, Any] = {"add": ["cat"], "roles": {"bob": "moderator"}}
        now = roles(await ana.ask("room", do="members", room=room, **asked))
        assert now == {"ana": "owner", "bob": "moderator", "cat": "member"}
        assert (await ana.ask("room", do="change", room=room, name="Renamed"))["name"] == "Renamed"
        assert (await ana.ask("room", do="mute", room=room, on=True))["muted"] is True
        rows = (await ana.ask("room", do="list", limit=200))["rooms"]
        assert [(row["name"], row["muted"]) for row in rows if row["room"] == room] == [("Renamed", True)]
        for do in ("get", "change", "members", "mute", "delete"):
            asked = {"name": "Mine", "add": ["eve"], "on": True}
            for name in (room, "never-made"):
                error = await eve.ask("room", do=do, room=name, **asked)
                assert (error["op"], error["code"], error["retry"]) == ("error", "not_found", False), (
                    do,
                    error,
                )
        assert (await ana.ask("room", do="delete", room=room))["deleted"] is True
        assert (await ana.ask("room", do="get", room=room))["code"] == "not_found"
        assert room not in [row["room"] for row in (await ana.ask("room", do="list", limit=200))["rooms"]]


async def test_a_stranger_learns_nothing_of_a_room(roomy: Pipeline) -> None:
    nosy = "who is in no room"
    room = await create(roomy, "ana", "bob")
    for name in (room, "never-made"):
        path = f"/v1/rooms/{name}"
        for method, where, body in (
            ("GET", path, None),
            ("PATCH", path, {"name": "Mine"}),
            ("DELETE", path, None),
            ("POST", f"{path}/members", {"add": ["eve"]}),
            ("POST", f"{path}/members", {"remove": ["eve"]}),
            ("PUT", f"{path}/mute", {"on": True}),
            ("GET", f"/v1/channels/room-{name}", None),
            ("POST", f"/v1/streams/chat/room-{name}/events", {"data": {"text": "x"}}),
        ):
            answer = await http(roomy, method, where, nosy, body)
            assert answer[0] == 404, (method, where, answer)
            assert answer[1]["code"] == "not_found"
            assert answer[1]["detail"].replace(name, "…") == "There is no room …."
    assert await ok(roomy, "GET", "/v1/rooms", nosy) == {"rooms": [], "next": None}
    assert await refused(roomy, "GET", "/v1/users/ana/rooms", nosy) == (403, "forbidden")
    assert room in [r["room"] for r in (await ok(roomy, "GET", "/v1/users/ana/rooms", None))["rooms"]]


async def test_who_may_change_what(roomy: Pipeline) -> None:
    room = await create(roomy, "ana", "bob", "cat", "dan")
    path = f"/v1/rooms/{room}"
    assert await refused(roomy, "PATCH", path, "ana", {"name": None}) == (400, "bad_request")
    assert roles(await change_members(roomy, "ana", room, roles={"bob": "moderator"}))["bob"] == "moderator"
    assert await refused(roomy, "PATCH", path, "cat", {"name": "x"}) == (403, "forbidden")
    assert await refused(roomy, "POST", f"{path}/members", "cat", {"add": ["eve"]}) == (403, "forbidden")
    assert await refused(roomy, "POST", f"{path}/members", "bob", {"remove": ["ana"]}) == (403, "forbidden")
    assert await refused(roomy, "DELETE", path, "bob") == (403, "forbidden")
    assert (await ok(roomy, "PATCH", path, "bob", {"name": "Bob's", "receipts": True}))["receipts"] is True
    assert "dan" not in roles(await change_members(roomy, "dan", room, remove=["dan"]))
    # The owner leaves: the longest-serving moderator follows, then whoever is longest there; then nobody is.
    assert roles(await change_members(roomy, "ana", room, remove=["ana"])) == {
        "bob": "owner",
        "cat": "member",
    }
    assert roles(await change_members(roomy, "bob", room, remove=["bob"])) == {"cat": "owner"}
    assert (await change_members(roomy, "cat", room, remove=["cat"]))["deleted"] is True
    assert await refused(roomy, "GET", path, "cat") == (404, "not_found")


async def test_a_name_that_is_taken_exists_until_it_is_deleted(roomy: Pipeline) -> None:
    room = await create(roomy, "ana", "bob")
    again = {"room": room, "name": "Mine"}
    assert await refused(roomy, "POST", "/v1/rooms", "eve", again) == (409, "exists")
    assert (await ok(roomy, "DELETE", f"/v1/rooms/{room}", "ana"))["deleted"] is True
    assert roles(await ok(roomy, "POST", "/v1/rooms", "eve", again)) == {"eve": "owner"}
    assert await refused(roomy, "GET", f"/v1/rooms/{room}", "ana") == (404, "not_found")


async def test_a_hundred_and_no_more(roomy: Pipeline) -> None:
    others = [f"user {n}" for n in range(100)]
    body = {"room": new_room(), "name": "Full", "members": others}
    assert await refused(roomy, "POST", "/v1/rooms", "ana", body) == (422, "too_many")
    made = await ok(roomy, "POST", "/v1/rooms", "ana", {**body, "members": others[:99]})
    assert len(made["members"]) == 100
    members = f"/v1/rooms/{body['room']}/members"
    assert await refused(roomy, "POST", members, "ana", {"add": [others[99]]}) == (422, "too_many")
    swapped = await ok(roomy, "POST", members, "ana", {"add": [others[99]], "remove": [others[0]]})
    assert len(swapped["members"]) == 100


async def test_two_changes_at_once_both_happen_or_one_is_refused(roomy: Pipeline) -> None:
    room = await create(roomy, "ana", *(f"u{n}" for n in range(97)))  # room for two more
    members = f"/v1/rooms/{room}/members"
    answers = await asyncio.gather(
        *(http(roomy, "POST", members, "ana", {"add": [f"new {n}"]}) for n in range(5))
    )
    assert sorted(status for status, _ in answers) == [200, 200, 422, 422, 422]
    shown = await ok(roomy, "GET", f"/v1/rooms/{room}", "ana")
    added = {f"new {n}" for n, (status, _) in enumerate(answers) if status == 200}
    assert {one["user"] for one in shown["members"]} >= added
    assert len(shown["members"]) == 100
    made = await asyncio.gather(
        *(
            http(roomy, "POST", "/v1/rooms", user, {"room": "at-once", "name": user})
            for user in ("ana", "bob")
        )
    )
    assert sorted(status for status, _ in made) == [201, 409]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "x" * 10_240}, 400),
        ({"name": ""}, 400),
        ({}, 400),
        ({"name": "a\nb"}, 400),
        ({"name": "\u202egnp.exe"}, 400),
        ({"name": "\u200b"}, 400),
        ({"name": 1}, 400),
        ({"name": "x", "room": "a/b"}, 400),
        ({"name": "x", "room": "r" * 101}, 400),
        ({"name": "x", "room": ""}, 400),
        ({"name": "x", "members": ["b" * 129]}, 400),
        ({"name": "x", "members": [""]}, 400),
        ({"name": "x", "members": "bob"}, 400),
        ({"name": "x", "history": "none"}, 400),
        ({"name": "מחקר \u200f(א)"}, 201),
        ({"name": "می\u200cخواهم 👩\u200d🏫"}, 201),
    ],
)  # fmt: skip
async def test_names_and_bodies_that_may_be_and_may_not(roomy: Pipeline, body: Any, status: int) -> None:
    found, answer = await http(roomy, "POST", "/v1/rooms", "ana", body)
    assert found == status, answer
    assert (answer["name"] == body["name"]) if status == 201 else answer["code"] == "bad_request"


async def test_an_operator_without_a_name_names_the_owner(roomy: Pipeline) -> None:
    room = await create(roomy, None, "bob", "cat")
    assert roles(await ok(roomy, "GET", f"/v1/rooms/{room}", None)) == {"bob": "owner", "cat": "member"}
    assert await refused(roomy, "POST", "/v1/rooms", None, {"name": "Nobody's"}) == (400, "bad_request")
    assert await refused(roomy, "GET", "/v1/rooms", None) == (400, "bad_request")


async def test_who_is_blocked_adds_nobody_to_rooms(roomy: Pipeline) -> None:
    room = await create(roomy, "eve")
    assert await ok(roomy, "PUT", "/v1/blocks/eve", "zoë 🐈") == {"user": "eve", "blocked": True}
    blocks = (await ok(roomy, "GET", "/v1/blocks", "zoë 🐈"))["blocks"]
    assert [one["user"] for one in blocks] == ["eve"]
    members = f"/v1/rooms/{room}/members"
    assert await refused(roomy, "POST", members, "eve", {"add": ["bob", "zoë 🐈"]}) == (403, "forbidden")
    body = {"name": "Mine", "members": ["zoë 🐈"]}
    assert await refused(roomy, "POST", "/v1/rooms", "eve", body) == (403, "forbidden")
    assert await ok(roomy, "GET", "/v1/rooms", "zoë 🐈") == {"rooms": [], "next": None}
    assert await ok(roomy, "DELETE", "/v1/blocks/eve", "zoë 🐈") == {"user": "eve", "blocked": False}
    assert "zoë 🐈" in roles(await ok(roomy, "POST", members, "eve", {"add": ["zoë 🐈"]}))
    assert await refused(roomy, "PUT", "/v1/blocks/eve", "eve") == (400, "bad_request")


async def test_a_cursor_of_somebody_else_shows_ones_own_rooms_alone(roomy: Pipeline) -> None:
    theirs = [await create(roomy, "lea") for _ in range(3)]
    mine = [await create(roomy, "max") for _ in range(2)]
    theirs.append(await create(roomy, "lea"))  # later than all of the others
    await listed(roomy, "lea", theirs)
    await listed(roomy, "max", mine)
    cursor = (await ok(roomy, "GET", "/v1/rooms?limit=1", "lea"))["next"]
    page = await ok(roomy, "GET", f"/v1/rooms?cursor={cursor}", "max")
    assert [row["room"] for row in page["rooms"]] == mine[::-1]
    assert await ok(roomy, "GET", f"/v1/rooms?cursor={cursor}", "nobody's") == {"rooms": [], "next": None}
    async with person(roomy, "max") as max_:
        assert [row["room"] for row in (await max_.ask("inbox", cursor=cursor))["rooms"]] == mine[::-1]
        assert (await max_.ask("inbox", cursor=cursor[1:]))["code"] == "bad_request"
        assert not set(theirs) & {row["room"] for row in (await max_.ask("room", do="list"))["rooms"]}


async def test_pages_of_rooms_hold_each_once(roomy: Pipeline) -> None:
    made = [await create(roomy, "many rooms") for _ in range(5)]
    await listed(roomy, "many rooms", made)
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await ok(
            roomy,
            "GET",
            f"/v1/rooms?limit=2&cursor={cursor}" if cursor else "/v1/rooms?limit=2",
            "many rooms",
        )
        found += [row["room"] for row in page["rooms"]]
        cursor = page["next"]
    assert found == made[::-1]
    assert await refused(roomy, "GET", "/v1/rooms?cursor=xyz", "ana") == (400, "bad_request")
    given = (await ok(roomy, "GET", "/v1/rooms?limit=2", "many rooms"))["next"].rstrip("=")
    for at in range(len(given)):
        other = given[:at] + ("B" if given[at] == "A" else "A") + given[at + 1 :]
        where = f"/v1/rooms?cursor={other}"
        assert await refused(roomy, "GET", where, "many rooms") == (400, "bad_request"), other
    assert await refused(roomy, "GET", "/v1/rooms?limit=0", "ana") == (400, "bad_request")
