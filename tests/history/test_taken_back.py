"""What is shown of events that were taken back: their places, and nothing that was said."""

from typing import Any

import msgspec
import pytest

from control.moderation.moderation import Moderation
from history.retractions import TakenBack, holds_copies, original_of
from kernel.clock import SystemClock
from kernel.log.positions import Kind, Stream, make_id
from kernel.settings.reading import Settings

TALK = Stream(Kind.CHAT, "talk")
AT = 1_767_225_600_000


def id_(at: int, offset: int = 0) -> str:
    return make_id(Kind.CHAT, at, 0, offset)


class Known(Moderation):
    """What was taken back, and who is erased, without tables."""

    def __init__(
        self, gone: set[tuple[str, str]] | None = None, erased: dict[str, int] | None = None
    ) -> None:
        super().__init__(Settings(), SystemClock())
        self._gone, self._of = gone or set(), erased or {}

    def retracted(self, channel: str, event: str) -> bool:
        return (channel, event) in self._gone

    def retracts_in(self, channel: str) -> bool:
        return any(one == channel for one, _ in self._gone)

    def retracted_of(self, channel: str, events: Any) -> set[str]:
        return {event for event in events if (channel, event) in self._gone}

    def erased_name_at(self, name: str) -> int:
        return self._of.get(name, 0)

    @property
    def erases(self) -> bool:
        return bool(self._of)


def event(at: int, text: str = "x", **more: Any) -> dict[str, Any]:
    body = {"stream": "chat:talk", "seq": at, "id": id_(at), "members_at": 3, "n": 1, "type": "message"}
    return {**body, "sender": "eve", "data": {"text": text}, **more}


def shown(known: Known, stream: Stream, *events: dict[str, Any]) -> list[Any]:
    bodies = [msgspec.json.encode(one) for one in events]
    return [msgspec.json.decode(body) for body in TakenBack(known).shown(stream, bodies)]


def test_a_message_and_its_edits_keep_their_places_and_lose_their_texts() -> None:
    said, other = event(AT), event(AT + 1)
    edit = event(AT + 2, "new", type="edit", data={"text": "new", "target": id_(AT)})
    retract = event(AT + 3, type="retract", data={"text": "", "target": id_(AT)})
    known = Known({("talk", id_(AT))})
    assert shown(known, TALK, said, other, edit, retract) == [
        {**said, "data": {}, "retracted": True},
        other,
        {**edit, "data": {"target": id_(AT)}, "retracted": True},
        retract,
    ]
    assert shown(known, Stream(Kind.CHAT, "elsewhere"), said) == [said]
    assert shown(known, Stream(Kind.LOCATION, "talk"), said) == [said]


def test_a_broadcast_keeps_how_it_stood_and_loses_its_words() -> None:
    known, ticker = Known({("talk", id_(AT))}), Stream(Kind.BROADCAST, "talk")
    for score, kept in (
        ([2, None], {"score": [2, None]}),
        (["a word", 0], {}),
        ("2-1", {}),
        ([1, 2, 3], {}),
        ([True, 1], {}),
    ):
        said = event(AT, stream="broadcast:talk", type="goal", data={"player": "Ana", "score": score})
        assert shown(known, ticker, said) == [{**said, "data": kept, "retracted": True}]
    bodies = [
        msgspec.json.encode(event(AT, stream=f"broadcast:{name}")) for name in ("talk", "other", "talk")
    ]
    feed = [msgspec.json.decode(body) for body in TakenBack(known).shown_of_many(bodies)]
    assert [one.get("retracted", False) for one in feed] == [True, False, True]


def test_what_somebody_posted_before_they_were_erased_is_gone_and_nothing_else() -> None:
    known = Known(erased={"eve": AT + 1})
    before, after, others = event(AT), event(AT + 2), event(AT, sender="bob")
    change = event(AT, type="room", data={"what": "left", "users": ["eve"]})
    blank = {**before, "data": {}, "retracted": True}
    assert shown(known, TALK, before, after, others, change) == [blank, after, others, change]
    place = event(AT, stream="location:user-eve", data={"lat": 1, "lon": 2}, sender=None)
    assert shown(known, Stream(Kind.LOCATION, "user-eve"), place) == [
        {**place, "data": {}, "retracted": True}
    ]


def test_a_poll_goes_with_its_result() -> None:
    poll = event(AT, "Who wins?", type="poll")
    asked = {"poll": poll["id"], "question": "Who wins?", "counts": [1, 0]}
    end = event(AT + 9, type="poll_closed", data=asked, sender="touchline")
    kept = shown(Known(), TALK, poll, end)
    assert [one["data"] for one in kept] == [poll["data"], asked]
    gone = shown(Known({("talk", poll["id"])}), TALK, poll, end)
    assert [(one["data"], one["retracted"]) for one in gone] == [({}, True), ({}, True)]


def copy(of: Any, type_: str = "alert") -> dict[str, Any]:
    return {"type": type_, "seq": 5, "data": {"alert": "a", "event": of}}


@pytest.mark.parametrize(
    ("body", "original"),
    [
        (copy(event(AT)), id_(AT)),
        (copy(event(AT), "other"), None),
        (copy({"stream": "chat:a", "seq": 3}), None),
        (copy(None), None),
        (copy(5), None),
        ({"type": "alert"}, None),
        ({"type": "alert", "data": []}, None),
        ([], None),
    ],
)
def test_what_a_copy_is_of(body: Any, original: str | None) -> None:
    found = original_of(msgspec.json.encode(body))
    assert (None if found is None else found.id) == original


def test_copies_of_what_was_taken_back_are_blank() -> None:
    alerts = Stream(Kind.BROADCAST, "alert-a")
    other = copy(event(AT + 1))
    blank = copy({**event(AT), "data": {}, "retracted": True})
    assert shown(Known({("talk", id_(AT))}), alerts, copy(event(AT)), other) == [blank, other]
    assert shown(Known(erased={"eve": AT}), alerts, copy(event(AT)), other) == [blank, other]


def test_only_alerts_streams_hold_copies() -> None:
    assert holds_copies(Stream(Kind.BROADCAST, "alert-a"))
    assert not holds_copies(Stream(Kind.CHAT, "alert-a"))
    assert not holds_copies(Stream(Kind.BROADCAST, "an-alert-"))
