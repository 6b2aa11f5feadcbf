"""What must hold of rooms holds for what is right, and is found missing where something is wrong."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from chaos.invariants import Missing
from chaos.parts.rooms import invariants as i
from chaos.parts.rooms.invariants import Held, Shown
from chaos.parts.rooms.recount import Count, Recounted, Rooms, Said, recounted

R = "chat:room-r"


def room(seq: int, what: str, *users: str, **more: Any) -> Said:
    return Said(seq, seq * 1000, "room", data={"what": what, "users": users, **more})


def say(seq: int, n: int, sender: str, text: str) -> Said:
    return Said(seq, seq * 1000, "message", f"m{n}", sender, f"k{n}", n, text, {"text": text})


def change(seq: int, what: str, target: int, text: str = "") -> Said:
    return Said(seq, seq * 1000, what, f"c{seq}", "ana", "", 0, text, {"target": f"m{target}"})


def stream(history: str = "joined") -> list[Said]:
    """Cat is in it from 3 to 6, and again from 9 on."""
    return [
        room(1, "created", "ana", "bob", history=history),
        say(2, 1, "ana", "one"),
        room(3, "added", "cat"),
        say(4, 2, "ana", "hi @cat and @bob.x"),
        say(5, 3, "bob", "secret"),
        room(6, "removed", "cat"),
        say(7, 4, "ana", "without cat"),
        change(8, "retract", 3),
        room(9, "added", "cat"),
        say(11, 5, "ana", "five"),
        change(12, "edit", 5, "five @cat"),
    ]


JOINED, ALL = recounted({R: stream()}), recounted({R: stream("all")})


def held(user: str, *shown: int | tuple[int, float], told: Sequence[Missing] = ()) -> Held:
    made = [Shown(*one) if isinstance(one, tuple) else Shown(one, one * 1000 + 5) for one in shown]
    return Held(user, "phone", R, made, told)


def has(one: Held, rooms: Rooms = JOINED) -> list[str]:
    return i.devices_have_what_is_theirs([one], rooms)


def row(unread: int, mentions: int, read: int = 0, members: int = 3) -> dict[str, Any]:
    return {"unread": unread, "mentions": mentions, "read": read, "members": members}


def inbox(user: str, rows: dict[str, Any]) -> list[str]:
    return i.counts_are_recounts({(user, "HTTP"): rows}, JOINED)


EVERYTHING = (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12)
RIGHT: dict[str, Callable[[], list[str]]] = {
    "who is in it throughout": lambda: has(held("bob", *EVERYTHING)),
    "who comes back, their own times": lambda: has(held("cat", 3, 4, 5, 6, 9, 11, 12)),
    "who comes back, where all is shown": lambda: has(
        held("cat", 3, 4, 5, 6, (7, 9100.0), (8, 9100.0), 9, 11, 12), ALL
    ),
    "a gap that was told": lambda: has(held("bob", 1, 2, *EVERYTHING[4:], told=[Missing(2, 4)])),
    "who was out while away": lambda: has(
        held("cat", 3, 4), recounted({R: [e for e in stream() if e.seq < 9]})
    ),
    "who was never in it": lambda: has(held("eve")),
    "counts": lambda: inbox("cat", {R: row(2, 2)}),
    "counts behind a place": lambda: inbox("cat", {R: row(1, 1, read=9)}),
    "own ones, and what was taken back": lambda: inbox("bob", {R: row(4, 0)}),
    "nobody's": lambda: inbox("eve", {}),
    "read": lambda: i.reading_is_everywhere({("cat", R): 9}, {("cat", "HTTP"): {R: row(1, 1, read=9)}}),
    "read by another": lambda: i.reading_is_everywhere({("bob", R): 9}, {("cat", "HTTP"): {R: row(2, 2)}}),
    "members": lambda: i.members_are_as_the_stream_says({R: ["cat", "bob", "ana"]}, JOINED),
    "texts": lambda: i.what_was_taken_back_is_gone({"history": ["one", "five @cat"]}, JOINED),
}
WRONG: dict[str, tuple[Callable[[], list[str]], str]] = {
    "one missing": (lambda: has(held("bob", 1, 2, *EVERYTHING[3:])), "missed 1 of 11 events, the first is 3"),
    "the end missing": (lambda: has(held("bob", *EVERYTHING[:-1])), "missed 1 of 11 events, the first is 12"),
    "the beginning missing": (lambda: has(held("bob", *EVERYTHING[1:])), "the first is 1"),
    "one time missing": (lambda: has(held("cat", 9, 11, 12)), "missed 4 of 7 events, the first is 3"),
    "twice": (lambda: has(held("bob", 1, 1, *EVERYTHING[1:])), "was shown 1 after 1"),
    "out of order": (lambda: has(held("bob", 1, 3, 2)), "was shown 2 after 3"),
    "after they were out": (
        lambda: has(held("cat", 3, 4, 5, 6, (7, 7005.0), (8, 9100.0), 9, 11, 12), ALL),
        "was shown 1 events that were not theirs to read, first 7",
    ),
    "of before they came": (
        lambda: has(held("cat", (2, 9100.0), 3, 4, 5, 6, 9, 11, 12)),
        "not theirs to read, first 2",
    ),
    "of while they were out": (
        lambda: has(held("cat", 3, 4, 5, 6, (7, 9100.0), 9, 11, 12)),
        "not theirs to read, first 7",
    ),
    "a stranger's": (lambda: has(held("eve", 2)), "not theirs to read, first 2"),
    "unread": (
        lambda: inbox("cat", {R: row(3, 2)}),
        "(3, 2, 3) of chat:room-r, a recount from 0 on (2, 2, 3)",
    ),
    "mentions": (lambda: inbox("cat", {R: row(2, 1)}), "(2, 1, 3)"),
    "a badge that stays": (lambda: inbox("cat", {R: row(2, 2, read=9)}), "a recount from 9 on (1, 1, 3)"),
    "members of a row": (lambda: inbox("cat", {R: row(2, 2, members=2)}), "(2, 2, 2)"),
    "no row": (lambda: inbox("cat", {}), "lacks ['chat:room-r']"),
    "a row too many": (lambda: inbox("eve", {R: row(0, 0)}), "has ['chat:room-r'] too many"),
    "read here and not there": (
        lambda: i.reading_is_everywhere({("cat", R): 9}, {("cat", "HTTP"): {R: row(2, 2, read=4)}}),
        "cat has read chat:room-r up to 9, by HTTP up to 4",
    ),
    "a member who is not": (
        lambda: i.members_are_as_the_stream_says({R: ["ana", "bob"]}, JOINED),
        "['ana', 'bob'] are shown",
    ),
    "what was taken back": (
        lambda: i.what_was_taken_back_is_gone({"history": ["one", "secret"]}, JOINED),
        "history still has 'secret'",
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_holds(name: str) -> None:
    assert RIGHT[name]() == []


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_found(name: str) -> None:
    broken, said = WRONG[name]
    found = broken()
    assert any(said in sentence for sentence in found), found


def test_an_event_that_lies_there_again_counts_once() -> None:
    said = stream()
    again = recounted({R: [*said[:4], said[2], said[3], *said[4:]]})[R]
    assert [event.seq for event in again.events] == [event.seq for event in said]


def test_an_edit_takes_a_mention_back() -> None:
    said = [
        room(1, "created", "ana", "bob", history="all"),
        say(2, 1, "ana", "@bob"),
        change(3, "edit", 1, "x"),
    ]
    assert Recounted(said).unread("bob", 0) == Count(1, 0)
