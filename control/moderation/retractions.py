"""Which messages were taken back: a fact each, written by the fold with the retraction itself. Pure.

A fact only ever is: nobody owns it, and writing it again changes nothing. It lies under the channel (not the
lane) and the message's id. Ids sort by time, so those of a page of a stream's past are found by one look.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from control.entity.types import pair_key, prefix_of

#: Digits of an id: those of today have 24 (kernel.log.positions.make_id).
_DIGITS: Final = 40


class Retraction(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a record in touchline.retractions."""

    channel: str
    event: str
    #: The retraction's own place, on the same channel or a lane of it.
    seq: int
    at: int


def retraction_key(channel: str, event: str) -> bytes:
    """Where it is written that a channel's message was taken back."""
    return pair_key(channel, event.rjust(_DIGITS, "0")[:_DIGITS])


def of_key(key: bytes) -> tuple[str, str]:
    """The channel and the message of a key."""
    channel, _, event = key.decode("utf-8", "replace").partition("\0")
    return channel, event.lstrip("0")


def retractions_of(channel: str) -> bytes:
    """What their keys begin with."""
    return prefix_of(channel)


def around(channel: str, events: Iterable[str]) -> tuple[bytes, bytes]:
    """Keys between which all of these messages' lie: behind the first one, up to the second."""
    ids = sorted(event.rjust(_DIGITS, "0") for event in events)
    return pair_key(channel, ids[0])[:-1], pair_key(channel, ids[-1])
