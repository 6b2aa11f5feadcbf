"""Who follows which channel, and how many do: a record a pair, and counts that agree with them. Pure.

Users are shared out over so many shares. All records of a share's users lie in one partition: what they
follow, how many channels each follows, and how many of them follow each channel. So one owner changes them
together, and a channel's followers are the sum of its shares, exact after whatever crash.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from control.commands.signed import opened, read_sealed
from control.entity.fold import Change, Input
from control.entity.types import entity_of_pair, pair_key, prefix_of
from kernel.access.signing import Signer
from kernel.access.users import NOTIFY, ROOM, SYSTEM, check_user, name_in_channel
from kernel.errors import TouchlineError
from kernel.log.positions import is_channel, partition_of, split_lane

FOLLOW: Final = "follow"
UNFOLLOW: Final = "unfollow"
#: Users are shared out over so many; never another number: it is in the records' keys.
SHARES: Final = 64
#: No user's name, and no channel's, begins with one of these.
_COUNT: Final = "@"
_FOLLOWERS: Final = "#"
#: Nothing that followers could see comes there by itself.
_NOT_FOLLOWED: Final = (NOTIFY, ROOM, SYSTEM)


class Follow(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a record in touchline.follows: a pair, or a count."""

    user: str = ""
    channel: str = ""
    since: int = 0
    n: int = 0
    revision: int = 0
    places: dict[str, int] = {}


class _Said(msgspec.Struct, frozen=True):
    """What `follow` and `unfollow` say."""

    user: str
    channel: str
    #: How many channels a user may follow; the door knows the setting.
    most: int = 0


def share_of(name: str) -> str:
    """The share of a user, by their name in channels: the key of commands about them."""
    return f"$follows-{partition_of(name, SHARES)}"


def follow_key(user: str, channel: str) -> bytes:
    """The key of a pair."""
    return pair_key(name_in_channel(user), channel)


def count_key(user: str) -> str:
    """The key of how many channels a user follows."""
    return _COUNT + name_in_channel(user)


def followers_prefix(channel: str) -> bytes:
    """What the keys begin with of the shares' counts of a channel's followers."""
    return prefix_of(_FOLLOWERS + channel)


def share_of_key(key: bytes) -> bytes:
    """The share in which a record lies: by it the record has its partition."""
    entity = entity_of_pair(key).decode("utf-8", "replace")
    if entity.startswith(_FOLLOWERS):
        return key.rpartition(b"\0")[2]
    return share_of(entity.removeprefix(_COUNT)).encode()


def check_followed(channel: str) -> str:
    """Raise `bad_request` where a channel is none that one can follow."""
    if not is_channel(channel) or split_lane(channel)[1] is not None:
        raise TouchlineError("bad_request", f"{channel[:150]!r} is no channel that one can follow.")
    if channel.startswith(_NOT_FOLLOWED):
        raise TouchlineError(
            "bad_request", f"{channel[:150]} cannot be followed: what comes there comes to its users anyway."
        )
    return channel


def decides(given: Input) -> bytes:
    """The record by which it is told whether an input was folded: the pair, which is written last."""
    try:
        said = msgspec.json.decode(read_sealed(given.value["arguments"]).said, type=_Said)
        return follow_key(said.user, said.channel)
    except (TouchlineError, msgspec.MsgspecError, ValueError):
        return bytes(given.key)  # refused when it is folded


StateOf = Callable[[bytes], Follow | None]


def fold_follows(signer: Signer) -> Callable[[Input, StateOf], Sequence[Change[Follow]]]:
    """What `follow` and `unfollow` do."""

    def fold(given: Input, state: StateOf) -> Sequence[Change[Follow]]:
        command = given.value["command"]
        said = _read(given, signer)
        pair, mine = follow_key(said.user, said.channel), count_key(said.user).encode()
        theirs = pair_key(_FOLLOWERS + said.channel, share_of(name_in_channel(said.user)))
        follows = state(pair) is not None
        if follows == (command == FOLLOW):
            return []
        step = 1 if command == FOLLOW else -1
        count, followers = (
            state(mine) or Follow(user=said.user),
            state(theirs) or Follow(channel=said.channel),
        )
        if command == FOLLOW and said.most and count.n >= said.most:
            raise TouchlineError("too_many", too_many(said.most))
        one = Follow(user=said.user, channel=said.channel, since=given.append_ms)
        return [
            Change(theirs, replace(followers, n=followers.n + step)),
            Change(mine, replace(count, n=count.n + step)),
            Change(pair, one if command == FOLLOW else None),
        ]

    return fold


def too_many(most: int) -> str:
    """The sentence for whoever wants to follow more."""
    return f"You follow {most} channels, as many as one may: end to follow another one first."


def _read(given: Input, signer: Signer) -> _Said:
    key = given.key.decode("utf-8", "replace")
    try:
        said = msgspec.json.decode(
            opened(given.value["command"], key, given.value["arguments"], signer), type=_Said
        )
    except (msgspec.MsgspecError, ValueError) as error:
        raise TouchlineError("bad_request", f"This is about nobody who follows: {error}.") from None
    check_user(said.user)
    if given.value["command"] == FOLLOW:
        check_followed(said.channel)
    if share_of(name_in_channel(said.user)) != key:
        raise TouchlineError("bad_request", "The command is about another user than it says.")
    return said
