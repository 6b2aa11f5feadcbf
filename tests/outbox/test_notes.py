"""What an event tells whom."""

import json
from typing import Any

from control.nearby.friends import Friend
from outbox.notifying.notes import MOST_MENTIONED, Note, answers, may_tell, note_of_friend, notes_of


def chat(text: str, *, sender: str | None = "bob", type_: str = "message", **extra: Any) -> dict[str, Any]:
    data = {"text": text, "target": None, "extra": json.dumps(extra) if extra else None}
    return {"channel": "final", "id": "42", "seq": 7, "type": type_, "sender": sender, "data": data}


def told(
    event: dict[str, Any], author: str | None = None, *members: str
) -> list[tuple[str, tuple[str, ...]]]:
    return [(note.user, note.types) for note in notes_of(event, author=author, members=members)]


def test_who_is_mentioned_or_answered_is_told_once() -> None:
    assert told(chat("hi @ana and @cem, @ana!")) == [("ana", ("mention",)), ("cem", ("mention",))]
    assert told(chat("@bob talks to nobody else")) == []
    assert told(chat("yes", reply_to="41"), "ana") == [("ana", ("reply",))]
    assert told(chat("yes @ana", reply_to="41"), "ana") == [("ana", ("reply", "mention"))]
    assert told(chat("to myself", reply_to="41"), "bob") == []
    assert told(chat("hi @cät ~1"), None, "cät ~1") == [("cät", ("mention",)), ("cät ~1", ("mention",))]
    assert told(chat("nobody says @ana", sender=None)) == []
    assert told(chat("@ana", type_="edit")) == told(chat("@ana", type_="retract")) == []
    many = " ".join(f"@user{number}" for number in range(100))
    assert len(told(chat(many))) == MOST_MENTIONED


def test_a_note_says_where_and_by_whom_and_repeats_no_text() -> None:
    (note,) = notes_of(chat("a secret for @ana"), author=None, members=())
    record = json.loads(note.value("mention"))
    assert record["data"] == {"stream": "chat:final", "event": "42", "seq": 7, "by": "bob"}
    assert (record["sender"], record["type"], record["key"]) == ("touchline", "mention", "chat-42")
    assert note.channel == "notify-ana"


def test_who_was_let_in_is_told_by_whom() -> None:
    event = chat("", type_="room", what="added", by="bob", users=["ana", "bob"])
    event["channel"] = "room-study"
    (note,) = notes_of(event, author=None, members=())
    assert (note.user, note.types, note.data["room"]) == ("ana", ("invited",), "study")
    assert told({**event, "channel": "final"}) == []  # only a room's own stream says so
    left = chat("", type_="room", what="left", by="ana", users=["ana"])
    assert told({**left, "channel": "room-study"}) == []


def test_who_is_asked_for_friendship_is_told() -> None:
    asked = Friend(user="ana", friend="bob", state="asking", since=5)
    note = note_of_friend(asked)
    assert note is not None
    assert (note.user, note.data) == ("ana", {"by": "bob", "state": "asking"})
    assert note_of_friend(Friend(user="bob", friend="ana", state="asked", since=5)) is None


def test_what_tells_nobody_is_not_even_decoded() -> None:
    assert not may_tell(b"final", b"just some words")
    assert may_tell(b"final", b"hi @ana")
    assert may_tell(b"final", b'{"reply_to":"1"}')
    assert may_tell(b"room-study", b"")
    assert answers(chat("x", reply_to=7)) == ""
    assert Note("ana", ("mention",), "k", {}).channel == "notify-ana"
