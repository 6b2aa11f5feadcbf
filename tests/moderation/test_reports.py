"""Reports: of what one may read, a bounded number, for those who moderate."""

from typing import Any

from tests.moderation.test_sanctions import moderate, new_channel
from tests.pipeline import Pipeline
from tests.rooms.people import create, http, ok, refused


async def posted(pipeline: Pipeline, user: str, channel: str, text: str) -> str:
    """The id of a message."""
    path = f"/v1/streams/chat/{channel}/events?wait=accepted"
    answer = await ok(pipeline, "POST", path, user, {"data": {"text": text}})
    assert answer["results"][0]["ok"], answer
    return str(answer["results"][0]["id"])


async def test_what_is_reported_is_shown_to_moderators_page_by_page(ruled: Pipeline) -> None:
    channel = new_channel()
    path = f"/v1/streams/chat/{channel}/reports"
    ids = [await posted(ruled, "eve", channel, f"rude {n}") for n in range(3)]
    for id_ in ids:
        await ok(ruled, "POST", path, "bob", {"target": id_, "reason": "rude"})
    await ok(ruled, "POST", path, "bob", {"target": ids[0], "reason": "again"})  # changes nothing
    await ok(ruled, "POST", path, "cat", {"target": ids[0], "reason": "it is"})
    assert await refused(ruled, "GET", path, "bob") == (403, "forbidden")
    first = await ok(ruled, "GET", f"{path}?limit=3", None)
    rest = await ok(ruled, "GET", f"{path}?limit=3&cursor={first['next']}", None)
    rows: list[Any] = [*first["reports"], *rest["reports"]]
    assert [(row["user"], row["target"], row["reason"]) for row in rows] == [
        ("cat", ids[0], "it is"),
        ("bob", ids[2], "rude"),
        ("bob", ids[1], "rude"),
        ("bob", ids[0], "rude"),
    ]
    assert rows[0]["event"]["data"] == {"text": "rude 0"}
    assert (len(first["reports"]), rest["next"]) == (3, None)


async def test_what_may_not_be_reported_is_refused(ruled: Pipeline) -> None:
    channel = new_channel()
    path = f"/v1/streams/chat/{channel}/reports"
    id_ = await posted(ruled, "eve", channel, "rude")
    for body, code in (
        ({"target": id_}, (400, "bad_request")),
        ({"target": "x", "reason": "r"}, (400, "bad_request")),
        ({"target": id_, "reason": ""}, (400, "bad_request")),
        ({"target": id_, "reason": "r" * 1001}, (400, "bad_request")),
        ({"target": "1" * 24, "reason": "r"}, (404, "not_found")),
    ):
        assert await refused(ruled, "POST", path, "bob", body) == code, body
    other = f"/v1/streams/chat/{new_channel()}/reports"
    assert await refused(ruled, "POST", other, "bob", {"target": id_, "reason": "r"}) == (404, "not_found")
    await moderate(ruled, None, channel, "ban", "mal")
    assert await refused(ruled, "POST", path, "mal", {"target": id_, "reason": "r"}) == (403, "forbidden")


async def test_reports_of_a_room_are_its_members_and_of_what_they_may_read(ruled: Pipeline) -> None:
    room = await create(ruled, "ana", "bob", history="joined")
    path = f"/v1/streams/chat/room-{room}/reports"
    before = await posted(ruled, "bob", f"room-{room}", "before")
    await ok(ruled, "POST", f"/v1/rooms/{room}/members", "ana", {"add": ["cat"]})
    after = await posted(ruled, "bob", f"room-{room}", "after")
    body = {"target": after, "reason": "r"}
    assert await refused(ruled, "POST", path, "eve", body) == (404, "not_found")
    assert await refused(ruled, "POST", path, "cat", body | {"target": before}) == (404, "not_found")
    await ok(ruled, "POST", path, "cat", body)
    assert (await http(ruled, "GET", path, "eve"))[0] == 404
    assert await refused(ruled, "GET", path, "bob") == (403, "forbidden")
    assert [row["target"] for row in (await ok(ruled, "GET", path, "ana"))["reports"]] == [after]


async def test_one_user_reports_so_much_a_day(ruled: Pipeline) -> None:
    channel = new_channel()
    path = f"/v1/streams/chat/{channel}/reports"
    ids = [await posted(ruled, "eve", channel, f"rude {n}") for n in range(21)]
    for id_ in ids[:20]:
        await ok(ruled, "POST", path, "bob", {"target": id_, "reason": "r"})
    status, code = await refused(ruled, "POST", path, "bob", {"target": ids[20], "reason": "r"})
    assert (status, code) == (429, "limit_reached")
    await ok(ruled, "POST", path, "cat", {"target": ids[20], "reason": "r"})


async def test_what_is_settled_waits_no_more_until_it_is_opened_again(ruled: Pipeline) -> None:
    channel = new_channel()
    path = f"/v1/streams/chat/{channel}/reports"
    ids = [await posted(ruled, "eve", channel, f"rude {n}") for n in range(3)]
    for id_ in ids:
        await ok(ruled, "POST", path, "bob", {"target": id_, "reason": "rude"})
    assert await refused(ruled, "PATCH", path, "bob", {"reports": [0]}) == (403, "forbidden")
    assert await refused(ruled, "PATCH", path, None, {"reports": []}) == (400, "bad_request")
    assert await refused(ruled, "PATCH", path, None, {"reports": list(range(201))}) == (400, "bad_request")
    await ok(ruled, "PATCH", path, None, {"reports": [0, 2, 999]})
    rows = (await ok(ruled, "GET", path, None))["reports"]
    assert [(row["report"], row["done"], "done_at" in row) for row in rows] == [
        (2, True, True),
        (1, False, False),
        (0, True, True),
    ]
    assert [row["report"] for row in (await ok(ruled, "GET", f"{path}?open=true", None))["reports"]] == [1]
    await ok(ruled, "PATCH", path, None, {"reports": [2], "done": False})
    waiting = await ok(ruled, "GET", f"{path}?open=true", None)
    assert [row["report"] for row in waiting["reports"]] == [2, 1]


async def test_words_are_tried_out_before_they_are_set(ruled: Pipeline) -> None:
    channel = new_channel()
    path = f"/v1/channels/{channel}/blocked"
    texts = ["No SPOILER please", "spoilers", "a goal", "goal, spoiler"]
    body = {"texts": texts, "blocked": ["spoiler", "goal"]}
    assert (await ok(ruled, "POST", path, None, body))["found"] == [
        ["spoiler"],
        [],
        ["goal"],
        ["goal", "spoiler"],
    ]
    assert (await ok(ruled, "POST", path, None, {"texts": texts}))["found"] == [[], [], [], []]
    assert await refused(ruled, "POST", path, "bob", body) == (403, "forbidden")
    assert await refused(ruled, "POST", path, None, {"texts": ["x"] * 201}) == (400, "bad_request")
    assert await refused(ruled, "POST", path, None, {"texts": ["x"], "blocked": [""]}) == (400, "bad_request")


async def test_a_page_of_what_is_large_ends_at_a_size(ruled: Pipeline) -> None:
    channel = new_channel()
    path = f"/v1/streams/chat/{channel}/reports"
    for number in range(6):
        id_ = await posted(ruled, "eve", channel, f"{number} " * 450_000)
        await ok(ruled, "POST", path, "bob", {"target": id_, "reason": str(number)})
    reasons, cursor, pages = list[str](), "", 0
    while pages < 6:
        page = await ok(ruled, "GET", f"{path}?limit=50{cursor}", None)
        assert sum(len(row["event"]["data"]["text"]) for row in page["reports"]) <= 4_000_000
        reasons, pages = reasons + [row["reason"] for row in page["reports"]], pages + 1
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert (pages, reasons) == (2, list("543210"))
