"""Fair shares in the fold: by append time, for what came by a door, never in the way of ordinary users."""

import json
from typing import Any

from kernel.log.positions import Kind
from kernel.log.records import VIA, Record
from schemas.codec import Codec
from streams.fold.checks.fair_shares import Rates, Shares
from streams.fold.judge import Judge, came_by_a_door
from streams.fold.memory import AcceptedEvent
from tests.streams.judging import APPEND, fold, make_judge

DOOR: Any = [(VIA, b"edge")]


def post(
    offset: int, *, at: int = APPEND, sender: str = "ana", text: str = "hi", door: bool = True
) -> Record:
    value = json.dumps({"sender": sender, "data": {"text": text}}).encode()
    return Record(offset, at, b"final", value, DOOR if door else None)


def judge_with(kind: Kind = Kind.CHAT, **rates: float) -> Judge:
    wide = {"user_events": 1e9, "user_bytes": 1e9, "channel_events": 1e9, "channel_bytes": 1e9}
    judge = make_judge(kind)
    judge.memory.shares = Shares(Rates(**{**wide, **rates}))
    return judge


def test_as_shipped_a_user_may_post_200_messages_at_once_and_20_a_second_after_them() -> None:
    judge = make_judge()
    assert fold(judge, *(post(n) for n in range(200))).accepted.total() == 200
    later = [post(200 + n, at=APPEND + n * 50) for n in range(20 * 120)]
    assert not fold(judge, *later).rejected


def test_who_sends_too_much_is_refused_until_the_time_that_they_are_told() -> None:
    judge = judge_with(user_events=1.0)
    outcome = fold(judge, *(post(n) for n in range(12)))
    assert (outcome.accepted.total(), outcome.rejected) == (10, {"rate_limited": 2})
    rejection = Codec("rejection").decode(outcome.writes[-1].value or b"")
    assert (rejection["sender"], rejection["message"]) == (
        "ana",
        "You have sent too many events: post again in 1.0 s.",
    )
    assert fold(judge, post(20, at=APPEND + 999)).rejected
    assert fold(judge, post(21, at=APPEND + 1000)).accepted


def test_one_users_flood_is_not_the_next_users() -> None:
    judge = judge_with(user_events=1.0)
    fold(judge, *(post(n) for n in range(100)))
    assert fold(judge, post(100, sender="bob")).accepted


def test_a_channel_has_a_share_over_all_its_users() -> None:
    judge = judge_with(channel_events=1.0)
    outcome = fold(judge, *(post(n, sender=f"user-{n}") for n in range(12)))
    assert outcome.rejected == {"rate_limited": 2}


def test_a_large_event_passes_once_and_the_next_one_waits_for_it() -> None:
    judge = judge_with(user_bytes=1000.0)
    outcome = fold(judge, post(1, text="x" * 50_000), post(2), post(3, at=APPEND + 60_000))
    assert (outcome.accepted.total(), outcome.rejected) == (2, {"rate_limited": 1})


def test_who_writes_to_kafka_directly_is_not_bound() -> None:
    judge = judge_with(user_events=1.0, channel_events=1.0)
    assert fold(judge, *(post(n, door=False) for n in range(1000))).accepted.total() == 1000


def test_feeds_have_wider_shares() -> None:
    judge = judge_with(Kind.BROADCAST, user_events=1.0)
    goal = b'{"type":"goal","sender":"league","data":{}}'
    outcome = fold(judge, *(Record(n, APPEND, b"final", goal, DOOR) for n in range(120)))
    assert outcome.accepted.total() == 100


def test_what_was_taken_is_recalled_from_the_events() -> None:
    first, second = judge_with(user_events=1.0), judge_with(user_events=1.0)
    outcome = fold(first, *(post(n) for n in range(10)))
    for write in outcome.writes:
        if write.topic == "t.events.chat":
            event, size = second.decode_event(write.value or b""), len(write.value or b"")
            shared = size if came_by_a_door(write.headers) else None
            fields = (
                event["channel"],
                event["seq"] & 0xFF,
                event["server_ts"],
                event["key"],
                event["sender"],
            )
            second.restore(AcceptedEvent(*fields, None, shared))
    assert fold(second, post(10)).rejected == {"rate_limited": 1}
    assert fold(second, post(11, at=APPEND + 1000)).accepted
