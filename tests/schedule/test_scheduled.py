"""Scheduled posts: asked for, changed, taken away, and posted exactly once while workers are killed."""

import asyncio
import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from chaos.parts.changing import read_whole
from chaos.siege.watching.roles import long_stalls
from control.commands.sending import send_command
from control.schedule.scheduled import SCHEDULE, Scheduled, said_of
from kernel.clock import SystemClock, to_rfc3339
from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from schemas.registry import codec_for
from streams.owned.scheduled import Due, next_of
from tests.crowd.conftest import NO_ELASTICSEARCH
from tests.docs.examples import example
from tests.pipeline import Pipeline, eventually, running

pytestmark = [pytest.mark.servers, pytest.mark.timeout(500)]
#: No key is remembered for as long as a worker takes to come back: what was begun is looked up on the log.
SHORT_S = 1.0


@pytest.fixture(scope="module")
def pipeline(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    logs: Path = tmp_path_factory.mktemp("scheduled")
    given = {"TOUCHLINE_STREAM_REPEAT_WINDOW_S": str(SHORT_S)}
    with running(kafka_servers, NO_ELASTICSEARCH, logs, "stream", "gateway", **given) as pipeline:
        yield pipeline


def ask(pipeline: Pipeline, method: str, path: str, body: Any = None, user: str = "ana") -> tuple[int, Any]:
    request = Request(
        f"{pipeline.gateway_url}/v1/streams/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "Touchline-User": user},
    )
    try:
        with urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


def at(seconds: float) -> str:
    return to_rfc3339(round((time.time() + seconds) * 1000))


def events(pipeline: Pipeline) -> list[dict[str, Any]]:
    """All broadcasts that were accepted, each once: a worker that was killed writes its last ones again."""
    settings, kind = pipeline.settings, Kind.BROADCAST
    topic, codec = topic_names(settings).events[kind], codec_for(settings, f"event-{kind}")
    found = (codec.decode(record.value()) for record in read_whole(settings, topic))
    return list({event["id"]: event for event in found}.values())


def of(pipeline: Pipeline, channel: str) -> list[dict[str, Any]]:
    return [event for event in events(pipeline) if event["channel"] == channel]


def test_a_post_is_posted_at_its_time_in_its_makers_name(pipeline: Pipeline) -> None:
    late: list[int] = []
    for channel in ("timely", "timely-2", "timely-3"):  # where other things have the processor, once more
        path, when = f"broadcast/{channel}/scheduled", at(8.0)
        body = {"at": when, "type": "half_time", "data": {"text": "Level at the break."}}
        status, made = ask(pipeline, "PUT", f"{path}/break", body)
        assert (status, made["by"], made["at"]) == (201, "ana", when)
        assert ask(pipeline, "GET", path, user="ben")[1]["scheduled"] == [made]
        (event,) = eventually("it is posted", partial(of, pipeline, channel))
        assert (event["type"], event["sender"]) == ("half_time", "ana")
        assert json.loads(event["data"]["json"]) == body["data"]
        late.append(event["server_ts"] - event["client_ts"])
        eventually("it is gone", lambda path=path: not ask(pipeline, "GET", path)[1]["scheduled"])  # type: ignore[misc]
        assert ask(pipeline, "DELETE", f"{path}/break")[0] == 404
        if late[-1] < 5000:
            break
    assert min(late) >= 0, "not before"
    assert min(late) < 5000, "and soon after"


def test_it_is_changed_and_taken_away_before_its_time(pipeline: Pipeline) -> None:
    one, other = "broadcast/changed/scheduled/one", "broadcast/changed/scheduled/other"
    for path in (one, other):
        assert (
            ask(pipeline, "PUT", path, {"at": at(3600), "type": "note", "data": {"text": "Old."}})[0] == 201
        )
    status, now = ask(
        pipeline, "PUT", one, {"at": at(1), "type": "note", "data": {"text": "New."}}, user="ben"
    )
    assert (status, now["by"]) == (200, "ben")
    assert ask(pipeline, "DELETE", other)[0] == 200
    assert ask(pipeline, "GET", other)[0] == 404
    (event,) = eventually("it is posted", lambda: of(pipeline, "changed"))
    assert "New." in event["data"]["json"]


HERE = "broadcast/a/scheduled/x"
GOAL: dict[str, Any] = {"at": at(86400), "type": "goal", "data": {}}


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (HERE, {**GOAL, "at": "soon"}, "invalid_event"),
        (HERE, {**GOAL, "at": at(-3600)}, "bad_request"),
        (HERE, {**GOAL, "at": at(40 * 86400)}, "bad_request"),
        (HERE, {**GOAL, "type": None}, "invalid_event"),
        (HERE, {**GOAL, "type": "poll"}, "forbidden"),
        (HERE, {**GOAL, "data": {"a": "b" * 20_000}}, "bad_request"),
        ("broadcast/a/scheduled/x%20y", GOAL, "bad_request"),
        ("chat/a/scheduled/x", {**GOAL, "type": "retract", "data": {"target": "1"}}, "bad_request"),
        ("chat/room-a/scheduled/x", {**GOAL, "data": {"text": "hi"}}, "bad_request"),
        ("location/a/scheduled/x", {**GOAL, "data": {"lat": 1, "lon": 1}}, "bad_request"),
    ],
)
def test_what_can_be_no_post_is_refused(pipeline: Pipeline, path: str, body: Any, code: str) -> None:
    assert ask(pipeline, "PUT", path, body)[1]["code"] == code


def test_of_a_channel_there_are_at_most_a_hundred_and_in_a_chat_twenty_of_a_user(pipeline: Pipeline) -> None:
    body = {"at": at(3600), "data": {"text": "later"}}
    for number in range(100):
        user, path = f"u{number // 20}", f"chat/full/scheduled/{number}"
        assert ask(pipeline, "PUT", path, body, user=user)[0] == 201
        if number in (20, 99):
            assert ask(pipeline, "PUT", "chat/full/scheduled/more", body, user="u0")[1]["code"] == "too_many"
    assert ask(pipeline, "PUT", "chat/full/scheduled/more", body, user="new")[1]["code"] == "too_many"


def test_in_a_chat_everybody_has_their_own_alone(pipeline: Pipeline) -> None:
    """Where everybody may publish, nobody reads, changes or takes away what others are going to say."""
    one, body = "chat/everybody/scheduled/one", {"at": at(3600), "data": {"text": "a secret"}}
    assert ask(pipeline, "PUT", one, body)[0] == 201
    assert ask(pipeline, "GET", one, user="eve")[0] == 404
    assert ask(pipeline, "GET", "chat/everybody/scheduled", user="eve")[1] == {"scheduled": []}
    assert ask(pipeline, "DELETE", one, user="eve")[0] == 404
    status, problem = ask(pipeline, "PUT", one, body | {"data": {"text": "spoiled"}}, user="eve")
    assert (status, problem["code"]) == (403, "forbidden")
    assert ask(pipeline, "GET", one)[1]["data"] == {"text": "a secret"}
    assert ask(pipeline, "DELETE", one)[0] == 200


def test_of_more_than_are_posted_at_once_each_sender_has_as_many() -> None:
    many = [Due(1, "mal", b"m%03d" % number) for number in range(900)]
    few = [Due(2, "ana", b"a1"), Due(3, "ana", b"a2"), Due(4, None, b"n1")]
    found = next_of([*many, *few], 500)
    assert len(found) == 500
    assert {b"a1", b"a2", b"n1"} <= set(found)
    assert found[:2] == [b"m000", b"m001"], "of one sender the earliest first"
    assert next_of([few[1], few[0], *many[:3]], 500) == [b"m000", b"m001", b"m002", b"a1", b"a2"]


def test_the_dearest_posts_at_one_moment_hold_no_loop(pipeline: Pipeline) -> None:
    """A hundred of 16 kB, of as many values as go into that: making and showing them takes 0.1 s and more."""
    data = {f"f{n}": {"g": [n] * 3} for n in range(600)}
    loops = {role: pipeline.health(role).replace("/healthz", "/metrics") for role in ("stream", "gateway")}

    def stalls() -> dict[str, float]:
        found = {}
        for role, url in loops.items():
            with urlopen(url, timeout=60) as answer:
                found[role] = long_stalls(answer.read().decode())
        return found

    # All of them have to be there before their time comes: how long it takes to put them is seen by a few.
    began = time.monotonic()
    for number in range(10):
        body = {"at": at(86400), "type": "note", "data": data}
        assert ask(pipeline, "PUT", f"broadcast/a-few/scheduled/{number}", body)[0] == 201
    dear = {"at": at(max(20, 30 * (time.monotonic() - began))), "type": "note", "data": data}
    for number in range(100):
        assert ask(pipeline, "PUT", f"broadcast/dear/scheduled/{number}", dear)[0] == 201
    before = stalls()
    for _ in range(3):
        assert len(ask(pipeline, "GET", "broadcast/dear/scheduled")[1]["scheduled"]) == 100
    eventually("all are posted", lambda: len(of(pipeline, "dear")) == 100, within=180)
    assert stalls() == before


def test_what_the_docs_show(pipeline: Pipeline) -> None:
    script = example("studio.md", "bash").replace("http://127.0.0.1:18080", pipeline.gateway_url)
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], check=True, timeout=240)
    space: dict[str, Any] = {}
    exec(example("studio.md", "python"), space)  # noqa: S102 - it is ours
    assert asyncio.run(space["in_a_moment"](pipeline.gateway_url)) == "whistle by ana"
    made = ("schedule", "set", "chat:final-7", "soon", at(60), "--text", "Soon.", "--user", "ana")
    assert "Soon." in pipeline.run(*made).stdout
    (listed,) = pipeline.lines("schedule", "list", "chat:final-7", "--user", "ana")
    assert listed["type"] == "message"
    assert "not posted" in pipeline.run("schedule", "remove", "chat:final-7", "soon").stdout
    (event,) = eventually("the doors are open", lambda: of(pipeline, "final-7"))
    assert event["type"] == "note"


def test_who_is_muted_schedules_nothing(pipeline: Pipeline) -> None:
    pipeline.run("moderate", "mute", "quiet", "eve")
    post = {"at": at(60), "type": "note", "data": {"text": "Hello."}}
    assert ask(pipeline, "PUT", "broadcast/quiet/scheduled/x", post, user="eve")[1]["code"] == "muted"
    assert ask(pipeline, "PUT", "broadcast/user-ana/scheduled/x", post, user="eve")[0] >= 400


def test_nobody_else_says_what_is_scheduled(pipeline: Pipeline) -> None:
    post = Scheduled(
        stream="broadcast:forged", id="x", at=round(time.time() * 1000), type="goal", data="{}", key="k"
    )
    arguments = {"said": json.dumps(said_of(post)), "mac": "00"}
    send_command(pipeline.settings, SystemClock(), "forged", SCHEDULE, arguments)
    # What comes after it was folded after it.
    marker = {"at": at(0), "type": "note", "data": {"text": "after"}}
    assert ask(pipeline, "PUT", "broadcast/forged/scheduled/after", marker)[0] == 201
    found = eventually("what was asked for at a door is posted", lambda: of(pipeline, "forged"))
    assert [event["type"] for event in found] == ["note"]


async def test_each_is_posted_exactly_once_while_workers_are_killed(pipeline: Pipeline) -> None:
    wanted = Counter[str]()
    for number in range(60):
        channel = f"killed-{number % 7}"
        body = {"at": at(2 + number * 0.15), "type": "note", "data": {"text": f"post {number}"}}
        assert ask(pipeline, "PUT", f"broadcast/{channel}/scheduled/{number}", body)[0] == 201
        wanted[f"post {number}"] += 1
    for _ in range(3):
        await asyncio.to_thread(pipeline.kill, "stream")
        await asyncio.to_thread(pipeline.start, "stream")
        await asyncio.sleep(0.6)

    def texts() -> Counter[str]:
        killed = [event for event in events(pipeline) if event["channel"].startswith("killed-")]
        return Counter(json.loads(event["data"]["json"])["text"] for event in killed)

    eventually("all are posted", lambda: texts().keys() == wanted.keys(), within=120)
    left = [f"broadcast/killed-{number}/scheduled" for number in range(7)]
    eventually("none is left", lambda: not any(ask(pipeline, "GET", path)[1]["scheduled"] for path in left))
    assert texts() == wanted
