"""Changes of a room: what each is, who may make it, and what the room is after it. Pure.

A change is an event of the room's own stream, type `room`, so it has its place among the messages. Doors ask
here before they post one, and the fold, which decides, asks again.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from control.rooms.state import MAX_MEMBERS, Changed, Former, History, Member, Role, Room
from kernel.access.users import check_user
from kernel.errors import TouchlineError
from schemas.combining_marks import too_many

#: The type of the events that say so.
TYPE: Final = "room"
MAX_NAME: Final = 200
What = Literal["created", "added", "removed", "left", "role", "changed", "deleted"]

_ROOM: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")
#: What turns the direction of all that follows: a name would change the row that it stands in.
_TURNS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_MINUTE_MS: Final = 60_000
#: Former members are known for as long as events are kept, and a day.
_FORMER_MS: Final = 31 * 24 * 60 * _MINUTE_MS
_MOST_FORMER: Final = 400
#: Intervals of one user, of those that are over.
_MOST_OF_A_USER: Final = 15
#: Bytes of a room's record for members and former ones, and of what stands beside each name.
_ROOM_FOR_NAMES: Final = 56 * 1024
_BESIDE_A_NAME: Final = 40
#: Changes of a room in a minute: so many are in its record.
MOST_CHANGES: Final = 300


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is to be changed, as the record on the room's stream says it."""

    what: What
    users: tuple[str, ...] = ()
    roles: dict[str, Role] = {}
    name: str | None = None
    history: History | None = None
    receipts: bool | None = None
    #: Whether who asks administers the room, whatever their role in it.
    admin: bool = False


class Made(NamedTuple):
    """A change that counts: the room after it, and what its event says (`data`)."""

    room: Room
    data: dict[str, Any]


def not_found(room: str) -> TouchlineError:
    """The same for a room that is not there and for one that is not theirs."""
    return TouchlineError("not_found", f"There is no room {room[:100]}.")


def check_room(room: str) -> str:
    """A room's name in its stream. Raises `bad_request`."""
    if not _ROOM.fullmatch(room):
        raise _bad("A room's id has 1 to 100 of the characters A-Z a-z 0-9 . _ -")
    return room


def check_name(name: str) -> str:
    """A room's name for people. Raises `bad_request`."""
    if not 1 <= len(name) <= MAX_NAME:
        raise _bad(f"A room's name has 1 to {MAX_NAME} characters; this one has {len(name):,}.")
    if too_many(name):
        raise _bad("The room's name has too many combining marks in a row.")
    kinds = [unicodedata.category(letter) for letter in name]
    if "Cc" in kinds or "Cs" in kinds or "Zl" in kinds or "Zp" in kinds or _TURNS.intersection(name):
        raise _bad("A room's name is one line of text, without control characters.")
    # Joiners and marks of direction belong into names of many languages; alone they are no name.
    if all(kind in ("Cf", "Zs", "Mn", "Me", "Cn") for kind in kinds):
        raise _bad("A room's name has at least one sign that can be seen.")
    return name


def read_change(text: str | bytes) -> Change:
    """A change from its record. Raises `invalid_event`, or as `check_change`."""
    try:
        change = msgspec.json.decode(text, type=Change)
    except (msgspec.DecodeError, RecursionError) as error:
        raise TouchlineError("invalid_event", f"This is no change of a room: {error}.") from None
    check_change(change)
    return change


def check_change(change: Change) -> None:
    """Raise `bad_request` or `too_many` for what no room could take."""
    names = {*change.users, *change.roles}
    if len(names) > MAX_MEMBERS + 1:
        raise _too_many()
    for user in names:
        check_user(user)
    if change.name is not None:
        check_name(change.name)
    if change.what == "created" and change.name is None:
        raise _bad("name is missing: what people see of the room.")
    if list(change.roles.values()).count("owner") > 1:
        raise _bad("A room has one owner.")


def apply(
    room: Room | None, change: Change, *, name: str, by: str | None, seq: int, at_ms: int
) -> Made | None:
    """The room after a change by this user at this seq; None: it changes nothing.

    Raises `not_found` for whoever is not in the room, `forbidden`, `exists`, `too_many`, `rate_limited`.
    """
    if change.what == "created":
        return _create(room, change, name=name, by=by, seq=seq, at_ms=at_ms)
    if room is None or room.deleted:
        raise not_found(name)
    me = None if by is None else room.member(by)
    if me is None and not change.admin:
        raise not_found(name)
    if len(_recent(room, at_ms)) > MOST_CHANGES:
        raise TouchlineError("rate_limited", "The room was changed very often: change it again in a minute.")
    step = _STEPS[change.what](
        room, change, _Asker(by, "owner" if change.admin or me is None else me.role), seq
    )
    if step is None:
        return None
    after, said = step
    now = Changed(seq, at_ms, said["what"], said.get("owner", ""))
    return Made(_noted(room, after, now), {"by": by, **said})


def said_again(room: Room, change: Change, *, by: str | None, seq: int) -> dict[str, Any]:
    """What the event of a change says that is in the room's record already: of a worker that died between."""
    was = next(one for one in room.recent if one.seq == seq)
    data: dict[str, Any] = {"what": was.what, "by": by}
    asked = dict.fromkeys(change.users)
    if change.what == "created":
        data |= _said_of_new(
            list(dict.fromkeys((*((by,) if by is not None else ()), *asked))), change, room.room
        )
    elif change.what == "added":
        inside: tuple[Former | Member, ...] = (*room.former, *room.members)
        came = {one.user for one in inside if one.since == seq}
        data["users"] = [user for user in asked if user in came]
    elif change.what == "role":
        data |= {"users": list(change.roles), "roles": change.roles}
    elif change.what == "changed":
        data |= _said_of_settings(change)
    else:
        gone = [one.user for one in room.former if one.until == seq]
        data["users"] = [user for user in asked if user in gone] if asked else gone
    return data | ({"owner": was.owner} if was.owner else {})


def _said_of_new(users: Sequence[str], change: Change, room: str) -> dict[str, Any]:
    return {
        "users": list(users),
        "name": change.name or room,
        "history": change.history or "all",
        "receipts": bool(change.receipts),
    }


def _said_of_settings(change: Change) -> dict[str, Any]:
    given = {"name": change.name, "history": change.history, "receipts": change.receipts}
    return {"users": [], **{name: value for name, value in given.items() if value is not None}}


class _Asker(NamedTuple):
    """Who changes something, and as what."""

    user: str | None
    role: Role


_Step = tuple[Room, dict[str, Any]]


def _create(room: Room | None, change: Change, *, name: str, by: str | None, seq: int, at_ms: int) -> Made:
    if room is not None and not room.deleted:
        raise TouchlineError("exists", f"There is a room {name} already: choose another id.")
    users = list(dict.fromkeys((*((by,) if by is not None else ()), *change.users)))
    if not users:
        raise _bad("A room has an owner: say who you are, or name a member.")
    if len(users) > MAX_MEMBERS:
        raise _too_many()
    members = tuple(
        Member(user, "member" if number else "owner", seq, seq) for number, user in enumerate(users)
    )
    said = _said_of_new(users, change, name)
    made = Room(
        room=name,
        name=said["name"],
        history=said["history"],
        receipts=said["receipts"],
        born=seq,
        first_of_name=room is None,
        members=members,
        former=() if room is None else room.former,
    )
    return Made(_noted(room, made, Changed(seq, at_ms, "created")), {"what": "created", "by": by, **said})


def _add(room: Room, change: Change, asker: _Asker, seq: int) -> _Step | None:
    _must_lead(asker)
    users = [user for user in dict.fromkeys(change.users) if room.member(user) is None]
    if not users:
        return None
    if len(room.members) + len(users) > MAX_MEMBERS:
        raise _too_many()
    first = room.born if room.history == "all" else seq
    members = (*room.members, *(Member(user, "member", seq, first) for user in users))
    return replace(room, members=members), {"what": "added", "users": users}


def _remove(room: Room, change: Change, asker: _Asker, seq: int) -> _Step | None:
    gone = [one for user in dict.fromkeys(change.users) if (one := room.member(user)) is not None]
    if not gone:
        return None
    for one in gone:
        if one.user != asker.user:
            _must_lead(asker)
            if one.role != "member" and asker.role != "owner":
                raise TouchlineError("forbidden", "Only the owner takes owners and moderators out of a room.")
    users = [one.user for one in gone]
    left = users == [asker.user]
    after = _without(room, gone, seq)
    if not after.members:
        return replace(after, deleted=True), {"what": "deleted", "users": users}
    said: dict[str, Any] = {"what": "left" if left else "removed", "users": users}
    owner = after.members[_owner(after.members)]
    if any(one.role == "owner" for one in gone):
        said["owner"] = owner.user
    return after, said


def _without(room: Room, gone: Sequence[Member], seq: int) -> Room:
    """The room without these; where the owner is among them, somebody follows."""
    left = tuple(one for one in room.members if one not in gone)
    # When it was is written by `_noted`.
    over = tuple(Former(one.user, one.since, one.first, seq, 0) for one in gone)
    if left and all(one.role != "owner" for one in left):
        heir = _owner(left)
        left = (*left[:heir], replace(left[heir], role="owner"), *left[heir + 1 :])
    return replace(room, members=left, former=(*room.former, *over))


def _owner(members: Sequence[Member]) -> int:
    """The place of the owner, or of whoever follows: the longest-serving moderator, else member."""
    rank = {"owner": 0, "moderator": 1, "member": 2}
    return min(range(len(members)), key=lambda at: (rank[members[at].role], members[at].since, at))


def _set_roles(room: Room, change: Change, asker: _Asker, seq: int) -> _Step | None:  # noqa: ARG001 - a step
    if asker.role != "owner":
        raise TouchlineError("forbidden", "Only the owner of a room gives roles.")
    for user in change.roles:
        if room.member(user) is None:
            raise TouchlineError("not_found", f"{user[:80]} is not in this room.")
    new = dict(change.roles)
    before = room.members[_owner(room.members)].user
    if "owner" in new.values() and new.get(before) != "owner":
        # There is one: who was it until now goes on as a moderator, or as what is said.
        new.setdefault(before, "moderator")
    elif new.get(before, "owner") != "owner":
        raise _bad("A room has an owner: name another one, and this one may have another role.")
    new = {user: role for user, role in new.items() if _role(room, user) != role}
    if not new:
        return None
    members = tuple(replace(one, role=new.get(one.user, one.role)) for one in room.members)
    return replace(room, members=members), {
        "what": "role",
        "users": list(change.roles),
        "roles": change.roles,
    }


def _role(room: Room, user: str) -> str | None:
    found = room.member(user)
    return None if found is None else found.role


def _set(room: Room, change: Change, asker: _Asker, seq: int) -> _Step | None:  # noqa: ARG001 - a step
    _must_lead(asker)
    given = {"name": change.name, "history": change.history, "receipts": change.receipts}
    new = {n: v for n, v in given.items() if v is not None and v != getattr(room, n)}
    return (replace(room, **new), {"what": "changed", **_said_of_settings(change)}) if new else None


def _delete(room: Room, change: Change, asker: _Asker, seq: int) -> _Step:  # noqa: ARG001 - a step
    if asker.role != "owner":
        raise TouchlineError("forbidden", "Only the owner of a room deletes it.")
    after = replace(_without(room, room.members, seq), deleted=True)
    return after, {"what": "deleted", "users": [one.user for one in room.members]}


_STEPS: Final = {
    "added": _add,
    "removed": _remove,
    "left": _remove,
    "role": _set_roles,
    "changed": _set,
    "deleted": _delete,
}


def _must_lead(asker: _Asker) -> None:
    if asker.role == "member":
        raise TouchlineError("forbidden", "Only the owner and the moderators of a room do this.")


def _noted(before: Room | None, after: Room, now: Changed) -> Room:
    """The room with this change as its latest, and without what nobody asks for any more."""
    earlier = () if before is None else _recent(before, now.at)
    former = [replace(one, at=now.at) if one.at == 0 else one for one in after.former]
    # Of a room that bore the name before only what may be judged again after a crash is of use.
    kept = [
        one for one in former if now.at - one.at < (_FORMER_MS if one.since >= after.born else _MINUTE_MS)
    ]
    return replace(
        after,
        former=_bounded(kept, after.members),
        recent=(*earlier, now),
        changed=now.seq,
        revision=1 if before is None else before.revision + 1,
    )


def _bounded(former: Sequence[Former], members: Sequence[Member]) -> tuple[Former, ...]:
    """The latest of each user, and of all: who is taken out and added very often loses their oldest times."""
    seen: dict[str, int] = {}
    kept = []
    room_left = _ROOM_FOR_NAMES - sum(_size(one.user) for one in members)
    for one in reversed(former[-_MOST_FORMER:]):
        seen[one.user] = seen.get(one.user, 0) + 1
        room_left -= _size(one.user)
        if room_left < 0:
            break
        if seen[one.user] <= _MOST_OF_A_USER:
            kept.append(one)
    return tuple(reversed(kept))


def _size(user: str) -> int:
    return len(user.encode()) + _BESIDE_A_NAME


def _recent(room: Room, at_ms: int) -> tuple[Changed, ...]:
    """The changes of the last minute, and the latest one before."""
    first = next((n for n, one in enumerate(room.recent) if at_ms - one.at < _MINUTE_MS), len(room.recent))
    return room.recent[max(0, first - 1) :]


def _too_many() -> TouchlineError:
    return TouchlineError("too_many", f"A room has at most {MAX_MEMBERS} members.")


def _bad(sentence: str) -> TouchlineError:
    return TouchlineError("bad_request", sentence)
