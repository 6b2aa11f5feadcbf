"""Each invariant holds for what is right, and finds what is wrong: else it would prove nothing."""

from collections.abc import Callable, Sequence

import pytest

from chaos import invariants as i
from chaos.invariants import Missing, Piece, Reported, Seen, Size, Standing, Viewing, Watched

A = "chat:a"
CLAPS, VOTES = i.Place(A), i.Place(A, "7", poll=True)
LOG = {A: [Seen(1, "k1"), Seen(2, "k2"), Seen(5, "k3")]}


def viewing(*seqs: int, after: int = 0, told: Sequence[Missing] = ()) -> Viewing:
    keys = {1: "k1", 2: "k2", 5: "k3"}
    return Viewing("ana", A, after, [Seen(seq, keys.get(seq, "k9")) for seq in seqs], told)


L = "location:l"
#: Ana walks, and then ben; cem has been silent since.
POSITIONS = {1: "cem", 2: "ana", 3: "ben", 4: "ana", 5: "ben"}
WALKS = {L: [Seen(seq, f"k{seq}", sender) for seq, sender in POSITIONS.items()]}


def walking(*seqs: int, after: int = 0, told: Sequence[Missing] = ()) -> Viewing:
    return Viewing("dora", L, after, [Seen(seq, f"k{seq}", POSITIONS.get(seq, "eve")) for seq in seqs], told)


def latest(viewed: Viewing, kept: int = 10) -> list[str]:
    return i.viewers_have_the_latest_positions([viewed], WALKS, kept)


def whole(**standing: Sequence[object]) -> list[str]:
    places = [Watched("ana", A, 5), Watched("ana", "chat:empty", 0)]
    return i.everything_is_whole(Standing(**{"places": places, **standing}), {**LOG, "chat:empty": []})  # type: ignore[arg-type]


SET = {
    "c": Reported(3, {"max_text": 9, "readers": ("ana",)}),
    "d": Reported(1, {"max_text": 5, "readers": ()}),
}
ALL = ("ana", "ben")


def state(revision: int | None = 3, text: int = 9) -> list[str]:
    said = {"c": Reported(revision, {"max_text": text, "readers": ("ana",)}), "d": SET["d"]}
    return i.state_is_the_recount({"the gateway": said, "the log": SET}, SET)


RIGHT: dict[str, Callable[[], list[str]]] = {
    "whole": whole,
    "ahead of the log as it was read": lambda: whole(places=[Watched("ana", A, 7)]),
    "every position": lambda: latest(walking(1, 2, 3, 4, 5)),
    "the latest positions only": lambda: latest(walking(1, 4, 5)),
    "the latest since the viewer came": lambda: latest(walking(5, after=4)),
    "who is silent for long": lambda: latest(walking(4, 5), kept=2),
    "a position in a gap that was told": lambda: latest(walking(4, 5, told=[Missing(0, 1)])),
    "pages": lambda: i.history_skips_nothing(
        [Piece(A, 0, LOG[A][:2]), Piece(A, 2, LOG[A][2:]), Piece(A, 5, []), Piece("chat:b", 0, [])], LOG
    ),
    "acknowledged": lambda: i.acknowledged_is_not_lost({A: ["k1", "k3"]}, LOG),
    "order": lambda: i.order_is_that_of_the_producer({A: ["k1", "lost", "k2", "k3"]}, LOG),
    "viewers": lambda: i.viewers_see_each_event_once([viewing(1, 2, 5), viewing(5, after=2)], LOG),
    "a gap that was told": lambda: i.viewers_see_each_event_once([viewing(1, 5, told=[Missing(1, 2)])], LOG),
    "history": lambda: i.all_agree({"history": LOG}, LOG),
    "totals": lambda: i.totals_are_the_recount({CLAPS: {"👏": 3}, VOTES: {}}, {CLAPS: {"👏": 3}}),
    "applause": lambda: i.applause_is_as_confirmed({CLAPS: {"👏": 3, "🎉": 2}}, {A: 4}, {A: 1}),
    "counts": lambda: i.counts_agree({A: 3, "chat:b": 1}, {A: 3}),
    "state": state,
    "state of whoever names no revision": lambda: state(None),
    "commands, one given twice": lambda: i.confirmed_is_in_the_log({"c": 2}, {"c": 3}),
    "doors": lambda: i.doors_are_as_set({"edge": {"c": ["ana"], "d": ["ana", "ben"]}}, SET, ALL),
    "sizes": lambda: i.sizes_return({"edge": Size(90, 30, 9)}, {"edge": Size(95, 30, 9)}, Size(10, 5, 2)),
}

WRONG: dict[str, tuple[Callable[[], list[str]], str]] = {
    "a recorder that ended": (lambda: whole(ended=["OSError()"]), "a recorder ended: OSError()"),
    "a producer that waits": (lambda: whole(waiting=["producer"]), "producer still waits"),
    "a role that is away": (lambda: whole(away=["edge-1"]), "edge-1 is not ready"),
    "a viewer behind": (lambda: whole(places=[Watched("ana", A, 2)]), "ana of chat:a is at 2, the log at 5"),
    "a viewer who saw nothing": (lambda: whole(places=[Watched("ana", A, 0)]), "is at 0, the log at 5"),
    "an older position": (lambda: latest(walking(1, 2, 3, 5)), "has ana at 2, the log at 4"),
    "no position": (lambda: latest(walking(4, 5)), "has no position of cem, whose latest is 1"),
    "an older position after a newer one": (lambda: latest(walking(1, 4, 2, 5)), "was shown 2 after 4"),
    "a position twice": (lambda: latest(walking(1, 4, 5, 5)), "was shown 5 after 5"),
    "an invented position": (lambda: latest(walking(1, 4, 5, 6)), "1 positions that the log has not"),
    "a position in another's name": (
        lambda: latest(Viewing("dora", L, 2, [Seen(3, "k3", "eve"), *WALKS[L][3:]])),
        "that the log has not",
    ),
    "a hole in a page": (lambda: i.history_skips_nothing([Piece(A, 0, LOG[A][1:])], LOG), "chat:a after 0"),
    "a page with more than the log": (
        lambda: i.history_skips_nothing([Piece(A, 2, [*LOG[A][2:], Seen(6, "k6")])], LOG),
        "has Seen(seq=6, key='k6', sender='') where the log has nothing more",
    ),
    "lost": (lambda: i.acknowledged_is_not_lost({A: ["k1", "k4"]}, LOG), "k4 was acknowledged, and is 0"),
    "lost with its stream": (lambda: i.acknowledged_is_not_lost({"chat:b": ["k1"]}, LOG), "is 0 times"),
    "doubled": (
        lambda: i.acknowledged_is_not_lost({A: ["k1"]}, {A: [Seen(1, "k1"), Seen(2, "k1")]}),
        "is 2 times",
    ),
    "disorder": (lambda: i.order_is_that_of_the_producer({A: ["k2", "k1", "k3"]}, LOG), "k2 comes after k1"),
    "missed": (lambda: i.viewers_see_each_event_once([viewing(1, 5)], LOG), "missed 1 of 3"),
    "missed the end": (lambda: i.viewers_see_each_event_once([viewing(1, 2)], LOG), "missed 1 of 3"),
    "a gap that covers less": (
        lambda: i.viewers_see_each_event_once([viewing(5, told=[Missing(1, 2)])], LOG),
        "missed 1 of 3",
    ),
    "twice": (lambda: i.viewers_see_each_event_once([viewing(1, 2, 2, 5)], LOG), "was shown 2 after 2"),
    "backwards": (lambda: i.viewers_see_each_event_once([viewing(2, 1, 5)], LOG), "was shown 1 after 2"),
    "invented": (lambda: i.viewers_see_each_event_once([viewing(1, 2, 3, 5)], LOG), "that the log has not"),
    "other history": (
        lambda: i.all_agree({"history": {A: LOG[A][:2]}}, LOG),
        "history of chat:a has 2 events, the log 3",
    ),
    "no history": (lambda: i.all_agree({"history": {}}, LOG), "has 0 events"),
    "a lost vote": (
        lambda: i.totals_are_the_recount({VOTES: {"home": 1}}, {VOTES: {"home": 2}}),
        "is said to be {'home': 1}, a recount gives {'home': 2}",
    ),
    "a lost clap": (
        lambda: i.applause_is_as_confirmed({CLAPS: {"👏": 3}}, {A: 4}, {A: 9}),
        "has 3 applauses: 4 were confirmed",
    ),
    "a clap that counts twice": (
        lambda: i.applause_is_as_confirmed({CLAPS: {"👏": 7}}, {A: 4}, {A: 2}),
        "has 7 applauses: 4 were confirmed, of 2 nobody knows",
    ),
    "ghosts": (lambda: i.counts_agree({A: 4}, {A: 3}), "has 3 viewers, and 4 are counted"),
    "uncounted": (lambda: i.counts_agree({}, {A: 3}), "0 are counted"),
    "a lost command": (lambda: state(2), "the gateway has c at revision 2, the recount 3"),
    "a command carried out twice": (lambda: state(4), "the gateway has c at revision 4, the recount 3"),
    "an older setting": (lambda: state(None, 8), "the gateway has c as {'max_text': 8"),
    "a channel that is forgotten": (
        lambda: i.state_is_the_recount({"the gateway": {"c": SET["c"]}}, SET),
        "the gateway does not know d",
    ),
    "a confirmed command": (
        lambda: i.confirmed_is_in_the_log({"c": 2}, {"c": 1}),
        "2 commands about c were confirmed, the log has 1",
    ),
    "an open door": (
        lambda: i.doors_are_as_set({"edge": {"c": ["ana", "ben"], "d": ["ana", "ben"]}}, SET, ALL),
        "edge lets ['ana', 'ben'] watch c, whose readers are ['ana']",
    ),
    "a leak": (
        lambda: i.sizes_return({"edge": Size(90, 30, 9)}, {"edge": Size(90, 90, 9)}, Size(10, 5, 2)),
        "edge held 30 files before and 90 after",
    ),
    "tasks that nobody ends": (
        lambda: i.sizes_return({"edge": Size(9, 3, 9, 20)}, {"edge": Size(9, 3, 9, 80)}, Size(10, 5, 2, 20)),
        "edge held 20 tasks before and 80 after",
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_is_not_complained_about(name: str) -> None:
    assert RIGHT[name]() == []


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_found(name: str) -> None:
    check, said = WRONG[name]
    found = check()
    assert len(found) == 1
    assert said in found[0]
