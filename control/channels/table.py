"""Channels as entities: their records in touchline.channels, in a table on disk, as roles ask for them.

Readers and workers hold the records that they use. Inputs are the commands of touchline.changes; those on
touchline.control, where they were posted before, count too.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from control.channels.channel import (
    EPOCHS_KEY,
    FEED,
    ChannelRecord,
    encoded,
    epochs_from_avro,
    epochs_to_avro,
    from_avro,
)
from control.channels.commands import carry_out
from control.channels.epochs import Epoch
from control.channels.lists import CLOSED, EXPIRING, flags_of
from control.entity.fold import Change, EntityFold, Input, Written
from control.entity.known import Known
from control.entity.types import MAX_STATE_BYTES, EntityType, Stamp
from control.entity.view import View
from kernel.log.positions import is_channel, split_lane
from kernel.log.records import Write
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.codec import Codec
from schemas.registry import catalog_for, codec_for

#: Room for the key and for what a change adds.
_FULL: Final = MAX_STATE_BYTES - 1024


class EpochsRecord(msgspec.Struct, frozen=True):
    """The record under `$epochs`."""

    epochs: dict[str, list[Epoch]]


State = ChannelRecord | EpochsRecord


def channel_type(settings: Settings, *, listing: int = 0) -> EntityType[State]:
    """Channels; `listing`: the lists (`control.channels.lists`) that this role asks for."""
    codec = codec_for(settings, "channel")
    # A record that says no more than the first version can is written so: roles that are not upgraded yet
    # read it, too.
    first = Codec("channel", catalog_for(settings), version=1)
    head = codec.head_decoder("settings")
    return EntityType(
        name="channels",
        topic=topic_names(settings).channels,
        encode=lambda state: _encode(codec if _is_new(state) else first, state),
        decode=lambda value: _decode(codec, value),
        stamp_of=_stamp_of,
        with_stamp=_with_stamp,
        flags=(lambda _, state: _flags(state) & listing) if listing else None,
        peek=(lambda _, value: _peek(codec, head, value) & listing) if listing else None,
        few_listed=True,
    )


def _encode(codec: Codec, state: State) -> bytes:
    if isinstance(state, EpochsRecord):
        return codec.encode(epochs_to_avro(state.epochs))
    return encoded(state, codec)


def _is_new(state: State) -> bool:
    """Whether a record says what the first version of its schema cannot."""
    if isinstance(state, EpochsRecord):
        return False
    said = (state.settings, *(past.settings for past in state.past_settings))
    return state.pinned is not None or any(
        one.numbered or one.feed != FEED or one.reactions or one.counters or one.language for one in said
    )


def _decode(codec: Codec, value: bytes) -> State:
    read = codec.decode(value)
    return EpochsRecord(epochs_from_avro(read)) if read["channel"] == EPOCHS_KEY else from_avro(read)


def _stamp_of(state: State) -> Stamp:
    return Stamp() if isinstance(state, EpochsRecord) else Stamp(state.revision, state.commands)


def _with_stamp(state: State, stamp: Stamp) -> State:
    if isinstance(state, EpochsRecord):
        return state
    return msgspec.structs.replace(state, revision=stamp.revision, commands=dict(stamp.places))


def _flags(state: State) -> int:
    return 0 if isinstance(state, EpochsRecord) else flags_of(state)


def _peek(codec: Codec, head: Callable[[bytes], dict[str, Any]], value: bytes) -> int:
    """The lists of a value, of which nearly all are on none that needs more than its head."""
    read = head(value)
    if any(version["shards"] > 1 for version in read["versions"]) or len(read["versions"]) > 1:
        return _flags(_decode(codec, value))
    closed, expiring = bool(read["settings"]["readers"]), read["settings"]["retention"] is not None
    return closed * CLOSED | expiring * EXPIRING


# ── commands ─────────────────────────────────────────────────────────────────────────────────────────────


def fold_of(
    type_: EntityType[State], may_be_made: Callable[[str], None] = lambda _: None
) -> EntityFold[State]:
    """What commands about channels do; `may_be_made` refuses what would make one more."""

    def fold(given: Input, state: Callable[[bytes], State | None]) -> Sequence[Change[State]]:
        name = given.key.decode("utf-8", "replace")
        found = state(given.key)
        before = found if isinstance(found, ChannelRecord) else ChannelRecord(channel=name)
        after = carry_out(before, given.value, given.append_ms, about=name)
        if after is before:
            return []
        if found is None:
            may_be_made(name)
        return [Change(given.key, _fitting(type_, after))]

    return EntityFold(type=type_, fold=fold)


def _fitting(type_: EntityType[State], record: ChannelRecord) -> ChannelRecord:
    """The record with as many of its earlier settings as there is room for."""
    while record.past_settings and len(type_.encode(record)) > _FULL:
        record = msgspec.structs.replace(record, past_settings=record.past_settings[1:])
    return record


# ── what roles ask ─────────────────────────────────────────────────────────────────────────────────────────


class ChannelTable:
    """Channels by name, in the table on disk. A lane has no record: it is as its channel is."""

    def __init__(self, view: View[State]) -> None:
        self.view = self._view = view
        self._write: Callable[[Written[State]], list[Write]] | None = None
        #: Called with the channel's name when its record has changed, or is not in memory any more.
        self.on_change: list[Callable[[str], None]] = []
        view.on_forget = self._changed

    def writes_by(self, write: Callable[[Written[State]], list[Write]]) -> None:
        """Whoever owns channels says how their records are written."""
        self._write = write

    @property
    def epochs(self) -> Mapping[str, list[Epoch]]:
        found = self._view.get(EPOCHS_KEY) if self._view.is_open else None
        return found.epochs if isinstance(found, EpochsRecord) else {}

    def __contains__(self, channel: str) -> bool:
        return self._view.get(split_lane(channel)[0]) is not None

    def __len__(self) -> int:
        """About how many there are."""
        return max(0, self._view.count() - 1)  # without the record of the epochs

    def __iter__(self) -> Iterator[ChannelRecord]:
        after = b""
        while page := self._view.scan(b"", after=after):
            yield from (state for _, state in page if isinstance(state, ChannelRecord))
            after = page[-1][0]

    def page(self, after: str, limit: int) -> tuple[list[ChannelRecord], str]:
        """A few records behind this name, and the name to go on from: empty where there are no more."""
        keys, more = self._view.keys(after=after.encode(), limit=limit)
        states = [self._view.known(key).state for key in keys]
        found = [state for state in states if isinstance(state, ChannelRecord)]
        return found, keys[-1].decode("utf-8", "replace") if more else ""

    def names(self, after: str, limit: int) -> tuple[list[str], str]:
        """The same with names alone: of those that are listed nothing is read."""
        keys, more = self._view.keys(after=after.encode(), limit=limit)
        found = [key.decode("utf-8", "replace") for key in keys]
        return [name for name in found if is_channel(name)], found[-1] if more else ""

    def channel(self, name: str) -> ChannelRecord:
        """The record of a channel, or of the one that it is a lane of; the defaults where there is none."""
        base = split_lane(name)[0]
        found = self._view.get(base)
        return found if isinstance(found, ChannelRecord) else ChannelRecord(channel=base)

    def listed(self, flag: int, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[ChannelRecord]:
        """The channels that have this flag, of those whose names are `wanted`."""
        return (record for record in self.walk_listed(flag, wanted) if record is not None)

    def walk_listed(self, flag: int, wanted: Callable[[str], bool]) -> Iterator[ChannelRecord | None]:
        """The same, and None for each that is passed over: whoever walks in turns can stop there."""
        for found in self._view.walk_listed(flag, lambda key: wanted(key.decode("utf-8", "replace"))):
            yield found[1] if found is not None and isinstance(found[1], ChannelRecord) else None

    def names_listed(self, flag: int) -> Iterator[str]:
        """Their names alone, as far as is known without reading their records."""
        return (key.decode("utf-8", "replace") for key in self._view.keys_listed(flag))

    def size_listed(self, name: str) -> int:
        """How large the record of one is that is on a list."""
        return self._view.size_listed(name.encode())

    def write(self, record: ChannelRecord) -> list[Write]:
        """The channel is as `record` says from now on; returns what has to be written."""
        key = record.channel.encode()
        known: Known[State] = self._view.known(key)._replace(state=record, stamp=_stamp_of(record))
        return self._written(Written(key, known, self._view.type.encode(record)))

    def write_epochs(self, epochs: Mapping[str, list[Epoch]]) -> list[Write]:
        """The epochs are these from now on; returns what has to be written. They lie in the first partition:
        who looks for them need not know how many there are."""
        state, key = EpochsRecord({t: list(e) for t, e in epochs.items()}), EPOCHS_KEY.encode()
        self._view.wrote(key, Known(state, Stamp(), (0,)))
        return [Write(self._view.type.topic, self._view.type.encode(state), key, 0)]

    def _written(self, written: Written[Any]) -> list[Write]:
        return self._write(written) if self._write is not None else []

    def _changed(self, key: bytes) -> None:
        for tell in self.on_change:
            tell(key.decode("utf-8", "replace"))
