"""What reactions and votes have come to (touchline.totals), and who is behind them (touchline.voices).

A total of an event or a poll follows from its voices; of applause it is all that there is. Keys begin with
the channel, so that all of a channel's lie in the partition of its inputs.
"""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from struct import Struct
from typing import Final

import msgspec

from control.entity.structs import plain_type
from control.entity.types import EntityType, entity_of_pair, pair_key
from kernel.errors import TouchlineError
from kernel.log.positions import Stream
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings

#: Entries of one part of the voices, and the voices of one event or poll at most.
PART: Final = 4096
MOST_VOICES: Final = 1_000_000
#: Different emoji of one event (each has a bit), and of a stream's applause.
MOST_NAMES: Final = 32
#: The key under which it is said how far a partition is folded: no channel's name has a `$`.
FOLDED: Final = "$folded"
#: In the place of a target: the keys of applause.
KEYS: Final = "$keys"
#: Before a poll's id: what is voted is another total than what is reacted to the poll's event.
VOTES: Final = "p"
ENTRY: Final = Struct("<QI")
OPEN: Final = 1


class PollState(msgspec.Struct, frozen=True, kw_only=True):
    """A poll."""

    question: str
    by: str | None = None
    #: When it began, from which append time on nothing counts, and when it was closed.
    opened: int = 0
    closes: int | None = None
    closed: int | None = None
    #: Whether its end is on the log as an event.
    told: bool = False


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a record in touchline.totals."""

    stream: str
    target: str = ""
    names: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    voters: int = 0
    at: int = 0
    poll: PollState | None = None
    ended: str = ""
    retracted: bool = False
    keys: bytes = b""
    folded: int = 0
    revision: int = 0
    places: dict[str, int] = {}

    @property
    def of(self) -> Mapping[str, int]:
        """Emoji -> how often, without those that were all taken back."""
        if self.retracted:
            return {}
        return {name: count for name, count in zip(self.names, self.counts, strict=True) if count}

    @property
    def upto(self) -> int:
        """The offset of its partition before which all is in it; 0 where it was moved from another one."""
        return next(iter(self.places.values())) if len(self.places) == 1 else 0


class Voices(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a record in touchline.voices."""

    names: tuple[str, ...] = ()
    entries: bytes = b""
    folded: int = 0
    revision: int = 0
    places: dict[str, int] = {}


def total_key(stream: Stream, slot: str) -> bytes:
    """The key of a total. `slot`: the id of an event, `VOTES` and that of a poll, nothing for applause."""
    return pair_key(stream.channel, f"{stream.kind}:{slot}")


def slot_of_key(key: bytes) -> tuple[str, str]:
    """Stream and slot of a total's key."""
    channel, _, rest = key.decode("utf-8", "replace").partition("\0")
    kind, _, slot = rest.partition(":")
    return f"{kind}:{channel}", slot


def part_key(total: bytes, number: int) -> bytes:
    """The key of a part of its voices."""
    return b"%b\0%08d" % (total, number)


def parts_of(total: bytes) -> bytes:
    """What the keys of all parts begin with."""
    return total + b"\0"


def folded_key(partition: int) -> bytes:
    """Where it is said how far a partition is folded."""
    return pair_key(FOLDED, str(partition))


def voice_of(user: str) -> int:
    """A user as voices have them: sixty-four bits of a hash of their name."""
    return int.from_bytes(blake2b(user.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def said_in(entries: bytes, voice: int) -> int | None:
    """What a voice says among these entries; 0: it was taken back, None: it is none of them."""
    needle = voice.to_bytes(8, "little")
    at = entries.find(needle)
    while at >= 0 and at % ENTRY.size:
        at = entries.find(needle, at + 1)
    return None if at < 0 else int(ENTRY.unpack_from(entries, at)[1])


def names_said(total: Total, said: int) -> list[str]:
    """The emoji that a voice of an event says."""
    return [name for bit, name in enumerate(total.names) if said >> bit & 1]


def total_type(settings: Settings, *, listing: bool = False) -> EntityType[Total]:
    """Totals; `listing` the polls that are open."""
    plain = plain_type(
        *(settings, "totals", topic_names(settings).totals, "total", Total),
        entity_of=entity_of_pair,
        check=_check_total,
    )
    if not listing:
        return plain

    def flags(_: bytes, total: Total) -> int:
        return OPEN if total.poll is not None and not total.poll.told and not total.retracted else 0

    def peek(key: bytes, value: bytes) -> int:
        return flags(key, plain.decode(value)) if slot_of_key(key)[1].startswith(VOTES) else 0

    return replace(plain, flags=flags, peek=peek, few_listed=True)


def voices_type(settings: Settings) -> EntityType[Voices]:
    """Who is behind them."""
    return plain_type(
        *(settings, "voices", topic_names(settings).voices, "voices", Voices),
        entity_of=entity_of_pair,
        check=_check_voices,
    )


def _check_total(total: Total) -> Total:
    ended = total.ended.rpartition(":")[2]
    sound = len(total.names) == len(total.counts) and len(total.keys) % ENTRY.size == 0
    if not sound or (total.ended and not (ended.isascii() and ended.isdigit())):
        raise TouchlineError("undecodable", "The record is no total that a worker has written.")
    return total


def _check_voices(voices: Voices) -> Voices:
    if len(voices.entries) % ENTRY.size or len(voices.names) > MOST_NAMES:
        raise TouchlineError("undecodable", "The record has no voices that a worker has written.")
    return voices
