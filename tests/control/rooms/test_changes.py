"""What each change makes of a room, who may make it, and what is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.rooms.changes import MAX_NAME, MOST_CHANGES, Change, apply, check_change, check_name, read_change
from control.rooms.state import MAX_MEMBERS, Room
from kernel.errors import TouchlineError

AT = 1_767_225_600_000


def change(room: Room | None, by: str | None, what: Any, seq: int = 0, *, at: int = AT, **given: Any) -> Room:
    """The room after a change that counts."""
    made = apply(room, Change(what=what, **given), name="study", by=by, seq=seq or _next(room), at_ms=at)
    assert made is not None
    return made.room


def said(room: Room | None, by: str | None, what: Any, **given: Any) -> dict[str, Any]:
    """What the event of a change says."""
    made = apply(room, Change(what=what, **given), name="study", by=by, seq=_next(room), at_ms=AT)
    assert made is not None
    return made.data


def refused(room: Room | None, by: str | None, what: Any, **given: Any) -> str:
    """The code with which a change is refused."""
    with pytest.raises(TouchlineError) as error:
        apply(room, Change(what=what, **given), name="study", by=by, seq=_next(room), at_ms=AT)
    return error.value.code


def _next(room: Room | None) -> int:
    return 10 if room is None else room.changed + 10


def roles(room: Room) -> dict[str, str]:
    return {one.user: one.role for one in room.members}


MADE = change(None, "ana", "created", name="Study", users=("bob", "cat"))
LED = change(MADE, "ana", "role", roles={"bob": "moderator"})


def test_the_maker_is_the_owner_and_is_in_it_once() -> None:
    again = change(None, "ana", "created", name="Study", users=("bob", "ana", "bob"))
    assert roles(again) == {"ana": "owner", "bob": "member"}
    assert said(None, "ana", "created", name="Study", users=("bob",)) == {
        "what": "created", "by": "ana", "users": ["ana", "bob"],
        "name": "Study", "history": "all", "receipts": False,
    }  # fmt: skip


def test_an_operator_without_a_name_makes_a_room_for_others() -> None:
    assert (
        roles(change(None, None, "created", name="Study", users=("bob", "cat"), admin=True))["bob"] == "owner"
    )
    assert refused(None, None, "created", name="Study", admin=True) == "bad_request"


@pytest.mark.parametrize(
    ("by", "what", "given", "code"),
    [
        ("ana", "created", {"name": "Again"}, "exists"),
        ("eve", "added", {"users": ("eve",)}, "not_found"),
        ("eve", "removed", {"users": ("ana",)}, "not_found"),
        ("eve", "removed", {"users": ("eve",)}, "not_found"),
        ("eve", "changed", {"name": "Mine"}, "not_found"),
        ("eve", "deleted", {}, "not_found"),
        (None, "deleted", {}, "not_found"),
        ("cat", "added", {"users": ("dan",)}, "forbidden"),
        ("cat", "removed", {"users": ("bob",)}, "forbidden"),
        ("cat", "changed", {"name": "Mine"}, "forbidden"),
        ("cat", "role", {"roles": {"cat": "owner"}}, "forbidden"),
        ("bob", "role", {"roles": {"cat": "moderator"}}, "forbidden"),
        ("bob", "removed", {"users": ("ana",)}, "forbidden"),
        ("bob", "deleted", {}, "forbidden"),
        ("ana", "role", {"roles": {"eve": "member"}}, "not_found"),
        ("ana", "role", {"roles": {"ana": "member"}}, "bad_request"),
        ("ana", "added", {"users": tuple(f"u{n}" for n in range(MAX_MEMBERS - 2))}, "too_many"),
    ],
)
def test_what_is_refused(by: str | None, what: str, given: dict[str, Any], code: str) -> None:
    assert refused(LED, by, what, **given) == code


def test_a_hundred_are_in_it_and_no_more() -> None:
    full = change(None, "ana", "created", name="Full", users=tuple(f"u{n}" for n in range(MAX_MEMBERS - 1)))
    assert len(full.members) == MAX_MEMBERS
    assert refused(full, "ana", "added", users=("one more",)) == "too_many"
    assert (
        refused(None, "ana", "created", name="x", users=tuple(f"u{n}" for n in range(MAX_MEMBERS)))
        == "too_many"
    )
    # Who is in it already counts once.
    assert apply(full, Change(what="added", users=("u1",)), name="study", by="ana", seq=99, at_ms=AT) is None


def test_what_changes_nothing_is_no_event() -> None:
    for what, asked in (
        ("added", {"users": ("bob",)}),
        ("removed", {"users": ("eve",)}),
        ("changed", {"name": "Study"}),
        ("changed", {}),
        ("role", {"roles": {"bob": "moderator"}}),
    ):
        wanted = Change(what=what, **asked)  # type: ignore[arg-type]
        made = apply(LED, wanted, name="study", by="ana", seq=99, at_ms=AT)
        assert made is None, what


def test_an_owner_who_leaves_is_followed_by_the_longest_serving_moderator_else_member() -> None:
    room = change(None, "ana", "created", name="Study", users=("bob",))
    room = change(room, "ana", "added", users=("cat", "dan"))
    room = change(room, "ana", "role", roles={"dan": "moderator", "cat": "moderator"})
    assert said(room, "ana", "removed", users=("ana",)) == {
        "what": "left", "by": "ana", "users": ["ana"], "owner": "cat",
    }  # fmt: skip
    room = change(room, "ana", "removed", users=("ana",))
    assert roles(room) == {"bob": "member", "cat": "owner", "dan": "moderator"}
    room = change(room, "cat", "removed", users=("cat", "dan"))
    assert roles(room) == {"bob": "owner"}
    room = change(room, "bob", "removed", users=("bob",))
    assert room.deleted
    assert refused(room, "bob", "added", users=("ana",)) == "not_found"


def test_one_owner_hands_the_room_on() -> None:
    handed = change(LED, "ana", "role", roles={"cat": "owner"})
    assert roles(handed) == {"ana": "moderator", "bob": "moderator", "cat": "owner"}
    with pytest.raises(TouchlineError):
        check_change(Change(what="role", roles={"bob": "owner", "cat": "owner"}))


def test_history_counts_as_it_stood_at_each_joining() -> None:
    room = change(None, "ana", "created", name="Study", history="joined")
    room = change(room, "ana", "added", 20, users=("bob",))
    assert room.readable("bob").ranges[0][0] == 20
    room = change(room, "ana", "changed", 30, history="all")
    assert room.readable("bob").ranges[0][0] == 20
    room = change(room, "ana", "added", 40, users=("cat",))
    assert room.readable("cat").ranges[0][0] == room.born == 10
    room = change(room, "ana", "removed", 50, users=("bob",))
    assert not room.readable("bob").ranges
    room = change(room, "ana", "changed", 60, history="joined")
    room = change(room, "ana", "added", 70, users=("bob",))
    assert [first for first, _ in room.readable("bob").ranges] == [20, 70]
    assert 50 in room.readable("bob")
    assert 51 not in room.readable("bob")


def test_a_deleted_rooms_name_may_be_had_again_without_its_past() -> None:
    gone = change(LED, "ana", "deleted")
    assert not any(gone.readable(user).ranges for user in ("ana", "bob", "cat"))
    again = change(gone, "eve", "created", name="Mine", users=("bob",))
    assert not again.first_of_name
    assert again.readable("bob").ranges[0][0] == again.born == again.changed
    assert again.revision > gone.revision > LED.revision
    # What was written before counts as it did, should it be judged again.
    assert again.may_write("cat", LED.changed + 1)
    assert not again.may_write("cat", again.changed + 1)


def test_a_record_that_is_read_again_finds_the_room_as_it_was() -> None:
    room = change(LED, "ana", "removed", 100, users=("bob",))
    assert room.may_write("bob", 99)
    assert not room.may_write("bob", 101)
    assert [room.changed_before(seq) for seq in (15, 99, 100, 500)] == [10, LED.changed, 100, 100]
    assert [room.has_change(seq) for seq in (10, 99, 100)] == [True, False, True]
    later = change(room, "ana", "changed", 200, name="Later", at=AT + 120_000)
    # All before the last minute is behind any crash; but for the one that was in force.
    assert [one.seq for one in later.recent] == [100, 200]


def test_a_room_that_changes_without_end_has_to_wait() -> None:
    room = MADE
    for number in range(MOST_CHANGES):
        room = change(room, "ana", "changed", name=f"Name {number}", at=AT + number)
    assert refused(room, "ana", "changed", name="Once more") == "rate_limited"
    assert change(room, "ana", "changed", name="Once more", at=AT + 61_000).name == "Once more"


def test_former_members_are_bounded_and_the_oldest_go_first() -> None:
    room, at = MADE, AT
    for number in range(1000):
        at += 1000
        room = change(room, "ana", "added", at=at, users=(f"u{number % 600}",))
        room = change(room, "ana", "removed", at=at, users=(f"u{number % 600}",))
    assert len(room.former) <= 400
    assert room.former[-1].user == "u399"
    assert not change(room, "ana", "changed", name="x", at=at + 32 * 86_400_000).former


@pytest.mark.parametrize("name", ["Study", "שיעור", "می‌خواهم", "👩‍👩‍👧", "a\u200bb", "x" * MAX_NAME, " a"])
def test_names_that_may_be(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "x" * 10_240, "a\nb", "a\0b", "\u202eevil", "\u2066x", "\u200b", "\u200d\ufeff", "  ", "a\ud800",
     "a\u2028b"],
)  # fmt: skip
def test_names_that_may_not(name: str) -> None:
    with pytest.raises(TouchlineError) as error:
        check_name(name)
    assert error.value.code == "bad_request"


def test_a_record_that_is_no_change_is_refused() -> None:
    for text in (
        "",
        "[]",
        "{}",
        '{"what":"taken"}',
        '{"what":"added","users":"bob"}',
        '{"what":"role","roles":{"a":"king"}}',
    ):
        with pytest.raises(TouchlineError):
            read_change(text)
    assert read_change('{"what":"added","users":["bob"],"by":"ana"}').users == ("bob",)


USERS = st.sampled_from(["ana", "bob", "cat", "dan"])
ROLES = st.dictionaries(USERS, st.sampled_from(["owner", "moderator", "member"]), max_size=3)
STEPS: st.SearchStrategy[tuple[str, str, dict[str, Any]]] = st.one_of(
    st.tuples(
        USERS, st.sampled_from(["added", "removed"]), st.fixed_dictionaries({"users": st.tuples(USERS)})
    ),
    st.tuples(USERS, st.just("role"), st.fixed_dictionaries({"roles": ROLES})),
    st.tuples(USERS, st.just("deleted"), st.just({})),
    st.tuples(USERS, st.just("created"), st.just({"name": "x"})),
)


@given(st.lists(STEPS, max_size=30))
def test_a_room_has_one_owner_whatever_happens(steps: list[tuple[str, Any, dict[str, Any]]]) -> None:
    room: Room | None = None
    inside: dict[str, set[int]] = {}
    for number, (by, what, given_) in enumerate(steps):
        seq = 10 * (number + 1)
        try:
            wanted = Change(what=what, **given_)
            check_change(wanted)
            made = apply(room, wanted, name="study", by=by, seq=seq, at_ms=AT)
        except TouchlineError:
            made = None
        room = room if made is None else made.room
        if room is None:
            continue
        owners = [one for one in room.members if one.role == "owner"]
        assert len(owners) == (0 if room.deleted else 1)
        assert len({one.user for one in room.members}) == len(room.members)
        for user in ("ana", "bob", "cat", "dan"):
            now_in = room.member(user) is not None
            inside.setdefault(user, set())
            if now_in:
                inside[user].add(seq + 5)
            # Who may write now is who is in it; and what was counted once counts for ever.
            assert room.may_write(user, seq + 5) is now_in
            assert all(room.may_write(user, at) for at in inside[user])
