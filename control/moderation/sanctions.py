"""Who is muted or banned where, and since when: a record a pair of channel and user.

A sanction is spans of append times, so whether a message counts follows from the message's own time,
whoever judges it and when. Pure.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from control.entity.fold import Change, Input
from control.entity.types import pair_key, prefix_of
from control.moderation.orders import ERASE, EVERYWHERE, Order, read_erase, read_order
from kernel.access.users import name_in_channel

#: The end of what has none.
FOREVER: Final = 2**53 - 1
#: Spans that are remembered of each sort: messages that are judged late are judged by them.
_MOST_SPANS: Final = 4
#: Users of whom the head of a channel says that they have changed.
LATEST: Final = 100
_BY_USER: Final = "@"


class Sanction(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a record in touchline.sanctions; without a user: what a channel has of them."""

    channel: str
    user: str = ""
    #: Spans of append times, as pairs of numbers: from the first, and before the second.
    muted: tuple[int, ...] = ()
    banned: tuple[int, ...] = ()
    #: What this user has posted up to this time is as if it were taken back; only in the channel `$all`.
    erased: int = 0
    #: Who has decided it, and when.
    by: str | None = None
    at: int = 0
    #: Of a channel: how many pairs it has, and whose has changed lately, the latest last.
    count: int = 0
    latest: tuple[str, ...] = ()
    revision: int = 0
    places: dict[str, int] = {}

    def muted_at(self, at_ms: int) -> bool:
        """Whether what they post at this time does not count: also where they are banned."""
        return _within(self.muted, at_ms) or _within(self.banned, at_ms)

    def banned_at(self, at_ms: int) -> bool:
        """Whether they may not read at this time."""
        return _within(self.banned, at_ms)


def end_of(spans: Sequence[int], at_ms: int) -> int | None:
    """When the span ends that holds at this time; None: there is none."""
    pairs = zip(spans[::2], spans[1::2], strict=False)
    return next((until for since, until in pairs if since <= at_ms < until), None)


def _within(spans: Sequence[int], at_ms: int) -> bool:
    return bool(spans) and end_of(spans, at_ms) is not None


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────


def head_key(channel: str) -> bytes:
    """Of the record that says that a channel has sanctions, and which have changed."""
    return pair_key(channel, "")


def sanction_key(channel: str, user: str) -> bytes:
    """Of what is said of a user in a channel."""
    return pair_key(channel, name_in_channel(user))


def ban_key(user: str, channel: str) -> bytes:
    """Of the same, to be found by the user: only while they are banned."""
    return pair_key(_BY_USER + name_in_channel(user), channel)


def bans_of(user: str) -> bytes:
    """What the keys of a user's bans begin with."""
    return prefix_of(_BY_USER + name_in_channel(user))


def channel_of_key(key: bytes) -> bytes:
    """The channel of a key: by it all records of a channel lie in one partition, those by user too."""
    first, _, second = key.partition(b"\0")
    return second if first.startswith(_BY_USER.encode()) else first


# ── the fold ─────────────────────────────────────────────────────────────────────────────────────────────


def decides(given: Input) -> bytes:
    """The record by which it is told whether an order was folded before: the channel's, written last."""
    return bytes(given.key) + b"\0"


def fold(given: Input, state: Callable[[bytes], Sanction | None]) -> Sequence[Change[Sanction]]:
    """What `moderate` and `erase_user` do."""
    channel, command = given.key.decode("utf-8", "replace"), given.value
    if command["command"] == ERASE:
        user = read_erase(channel, command["arguments"]).user
        key = sanction_key(EVERYWHERE, user)
        before = state(key) or Sanction(channel=EVERYWHERE, user=user)
        after = replace(before, erased=max(before.erased, given.append_ms))
    else:
        order = read_order(channel, command["arguments"])
        user, key = order.user, sanction_key(channel, order.user)
        before = state(key) or Sanction(channel=channel, user=user)
        after = applied(before, order, given.append_ms)
    if after == before:
        return []
    after = replace(after, by=command.get("actor"), at=given.append_ms)
    return [Change(key, after), *_by_user(channel, user, after, state), _head(channel, user, before, state)]


def applied(before: Sanction, order: Order, at_ms: int) -> Sanction:
    """The sanction after an order; the same one where it changes nothing."""
    until = FOREVER if order.for_ms is None else at_ms + order.for_ms
    match order.do:
        case "mute":
            return replace(before, muted=_begun(before.muted, at_ms, until))
        case "unmute":
            return replace(before, muted=_ended(before.muted, at_ms))
        case "ban":
            return replace(before, banned=_begun(before.banned, at_ms, until))
        case "unban":
            return replace(before, banned=_ended(before.banned, at_ms))


def _begun(spans: tuple[int, ...], at_ms: int, until: int) -> tuple[int, ...]:
    """The latest order counts: one that holds already ends when the new one says."""
    if end_of(spans, at_ms) is not None:
        return (*spans[:-1], until)
    return (*spans, at_ms, until)[-2 * _MOST_SPANS :]


def _ended(spans: tuple[int, ...], at_ms: int) -> tuple[int, ...]:
    return spans if end_of(spans, at_ms) is None else (*spans[:-1], at_ms)


def _by_user(
    channel: str, user: str, after: Sanction, state: Callable[[bytes], Sanction | None]
) -> Iterator[Change[Sanction]]:
    key, banned = ban_key(user, channel), end_of(after.banned, after.at) is not None
    if banned:
        yield Change(key, replace(after, revision=0, places={}))
    elif state(key) is not None:
        yield Change(key, None)


def _head(
    channel: str, user: str, before: Sanction, state: Callable[[bytes], Sanction | None]
) -> Change[Sanction]:
    """One change of it for each order: who has read it at one revision knows which pairs to read again."""
    head = state(head_key(channel)) or Sanction(channel=channel)
    latest = (*head.latest, name_in_channel(user))[-LATEST:]
    return Change(head_key(channel), replace(head, count=head.count + (before.revision == 0), latest=latest))


def shown(one: Sanction, now_ms: int) -> dict[str, Any]:
    """A sanction as every way in shows it; times as milliseconds."""
    muted, banned = end_of(one.muted, now_ms), end_of(one.banned, now_ms)
    made: dict[str, Any] = {
        "user": one.user,
        "muted": muted is not None,
        "banned": banned is not None,
        "by": one.by,
        "at": one.at,
    }
    ends = {"muted_until": muted, "banned_until": banned}
    return made | {name: end for name, end in ends.items() if end is not None and end < FOREVER}
