"""Friendships: a record for each side of a pair, both folded from one input. Pure.

Each side is found among its user's (`ana\\0bob` is what bob is to ana); both lie in the partition of the
pair, so that one owner changes them together: neither side says what the other denies.
"""

from collections.abc import Callable, Sequence
from typing import Final, Literal

import msgspec

from control.commands.signed import opened
from control.entity.fold import Change, Input
from control.entity.types import pair_key
from kernel.access.signing import Signer
from kernel.access.users import check_user, name_in_channel
from kernel.errors import TouchlineError

BEFRIEND: Final = "befriend"
UNFRIEND: Final = "unfriend"
#: `asked`: I have asked; `asking`: the other one has.
Standing = Literal["friends", "asked", "asking"]
_BETWEEN: Final = b"\0"


class Friend(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a record in touchline.friends: what somebody is to a user."""

    user: str
    friend: str
    state: Standing
    since: int = 0
    revision: int = 0
    places: dict[str, int] = {}


class _Command(msgspec.Struct, frozen=True):
    """What `befriend` and `unfriend` say."""

    user: str
    friend: str
    #: Of an administrator: at once, whether or not the other one has asked.
    at_once: bool = False


def friend_key(user: str, friend: str) -> bytes:
    """The key of what somebody is to a user."""
    return pair_key(name_in_channel(user), name_in_channel(friend))


def pair_of(user: str, friend: str) -> str:
    """The name of the two, whoever comes first: the key of commands about them."""
    return "\0".join(sorted((name_in_channel(user), name_in_channel(friend))))


def pair_of_key(key: bytes) -> bytes:
    """The same of a record's key: by it the record has its partition."""
    one, _, other = key.partition(_BETWEEN)
    return _BETWEEN.join(sorted((one, other)))


def check_friends(user: str, friend: str) -> None:
    """Raise `bad_request` where these two cannot be friends."""
    check_user(user)
    check_user(friend)
    if name_in_channel(user) == name_in_channel(friend):
        raise TouchlineError("bad_request", "Nobody is their own friend.")


def decides(given: Input) -> bytes:
    """The record by which it is told whether an input was folded: the last one that is written."""
    return pair_of_key(bytes(given.key))


StateOf = Callable[[bytes], Friend | None]


def fold_friends(signer: Signer) -> Callable[[Input, StateOf], Sequence[Change[Friend]]]:
    """What `befriend` and `unfriend` do."""

    def fold(given: Input, state: StateOf) -> Sequence[Change[Friend]]:
        said = _read(given, signer)
        mine, theirs = friend_key(said.user, said.friend), friend_key(said.friend, said.user)
        before = state(mine)
        if given.value["command"] == UNFRIEND:
            return [] if before is None and state(theirs) is None else _both(mine, None, theirs, None)
        if before is not None and before.state == "friends":
            return []
        if said.at_once or (before is not None and before.state == "asking"):
            return _both(mine, _one(said, "friends", given), theirs, _other(said, "friends", given))
        if before is not None:
            return []
        return _both(mine, _one(said, "asked", given), theirs, _other(said, "asking", given))

    return fold


def _read(given: Input, signer: Signer) -> _Command:
    key = given.key.decode("utf-8", "replace")
    try:
        said = msgspec.json.decode(
            opened(given.value["command"], key, given.value["arguments"], signer), type=_Command
        )
    except (msgspec.MsgspecError, ValueError) as error:
        raise TouchlineError("bad_request", f"This is about no friendship: {error}.") from None
    check_friends(said.user, said.friend)
    if pair_of(said.user, said.friend) != key:
        raise TouchlineError("bad_request", "The command is about another pair than it says.")
    return said


def _one(said: _Command, state: Standing, given: Input) -> Friend:
    return Friend(user=said.user, friend=said.friend, state=state, since=given.append_ms)


def _other(said: _Command, state: Standing, given: Input) -> Friend:
    return Friend(user=said.friend, friend=said.user, state=state, since=given.append_ms)


def _both(mine: bytes, one: Friend | None, theirs: bytes, other: Friend | None) -> Sequence[Change[Friend]]:
    changes = [Change(mine, one), Change(theirs, other)]
    # The one by which it is told whether this was done comes last.
    return sorted(changes, key=lambda change: change.key, reverse=True)
