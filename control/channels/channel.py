"""The channel registry as values: what a channel's record in touchline.channels says, and how it changes.

Pure. An event is judged by the settings and versions of its own append time, not by the newest: so whoever
reads it again, later, judges alike. Changes take effect a moment after they are written, when every worker
has them.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from zlib import crc32

import msgspec

from control.channels.bounds import MAX_SHARDS
from control.channels.epochs import Epoch
from kernel.errors import TouchlineError
from kernel.log.positions import MAX_LANES, Shard
from kernel.log.topics import MAX_EVENT_BYTES
from schemas.codec import Codec

#: The key of the record that holds the epochs.
EPOCHS_KEY: Final = "$epochs"
#: How long after it was written a change of settings, or a retirement, takes effect.
LEAD_MS: Final = 1000
#: Types of broadcasts that followers find in their feeds, where nobody says otherwise.
FEED: Final = ("post", "live_started")
#: Earlier settings and retired versions that a record keeps.
_KEPT: Final = 8
#: Versions that are live at a time, and all their shards: each gets every event.
MAX_LIVE: Final = 4
MAX_LIVE_SHARDS: Final = 512


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is allowed in a channel. The schema `channel` says what each field means."""

    members_only: bool = False
    members: tuple[str, ...] = ()
    rate_per_s: float | None = None
    rate_binds_producers: bool = False
    max_text: int | None = None
    blocked: tuple[str, ...] = ()
    min_shards: int | None = None
    max_shards: int | None = None
    publishers: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    slow_s: float | None = None
    retention: str | None = None
    numbered: bool = False
    feed: tuple[str, ...] = FEED
    reactions: tuple[str, ...] = ()
    counters: bool = False
    language: str | None = None


class ChannelVersion(msgspec.Struct, frozen=True):
    """A sharding of the channel's viewers, and the append times for which it holds."""

    version: int
    shards: int
    since: int
    until: int | None = None


class PastSettings(msgspec.Struct, frozen=True):
    """Settings that held earlier."""

    since: int
    settings: Settings


class Pinned(msgspec.Struct, frozen=True):
    """The message that is pinned, or was. `order`: the id of the event that says so, the newest."""

    order: str
    #: Empty: none is.
    target: str
    by: str | None
    at: int


class ChannelRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a record in touchline.channels."""

    channel: str
    lanes: int = 0
    versions: tuple[ChannelVersion, ...] = (ChannelVersion(1, 1, 0),)
    settings: Settings = Settings()
    settings_since: int = 0
    past_settings: tuple[PastSettings, ...] = ()
    revision: int = 0
    commands: dict[str, int] = {}
    pinned: Pinned | None = None

    @property
    def newest(self) -> ChannelVersion:
        """The version that viewers join, or will."""
        return self.versions[-1]

    @property
    def live(self) -> tuple[ChannelVersion, ...]:
        """Those that are not retired."""
        return tuple(v for v in self.versions if v.until is None)


class Layout(NamedTuple):
    """How a channel is spread: shards of its newest version, and lanes."""

    version: int = 1
    shards: int = 1
    lanes: int = 0

    def shard(self, channel: str, viewer: str) -> Shard:
        """The shard that a viewer is hashed to."""
        return Shard(channel, self.version, crc32(viewer.encode()) % self.shards)


def layout_of(record: ChannelRecord) -> Layout:
    """How the channel of a record is spread now."""
    newest = record.newest
    return Layout(newest.version, max(1, newest.shards), record.lanes)


def default_record(name: str) -> ChannelRecord:
    """What holds for a channel about which nobody has said anything."""
    return ChannelRecord(channel=name)


def known_since(record: ChannelRecord) -> int:
    """The append time from which on the record says how the channel was; before, more was forgotten."""
    oldest = record.past_settings[0].since if record.past_settings else record.settings_since
    first = record.versions[0]
    return max(oldest, first.since if first.version > 1 else 0)


def from_avro(value: Mapping[str, Any]) -> ChannelRecord:
    """A decoded record. One that was written without versions has the first."""
    fields = {name: value[name] for name in ChannelRecord.__struct_fields__ if name in value}
    if not fields.get("versions"):
        fields.pop("versions", None)
    return bounded(msgspec.convert(fields, ChannelRecord))


def to_avro(record: ChannelRecord) -> dict[str, Any]:
    """The same, for the codec."""
    made: dict[str, Any] = msgspec.to_builtins(record)
    return {**made, "epochs": []}


def bounded(record: ChannelRecord) -> ChannelRecord:
    """The record without what no command may bring about any more, but an earlier version of this may have.

    Of versions the newest stay: viewers are there, or on their way.
    """
    versions: list[ChannelVersion] = []
    live = shards = 0
    for version in reversed(record.versions):
        if version.version < 1 or not 1 <= version.shards <= MAX_SHARDS:
            continue
        if version.until is None:
            live, shards = live + 1, shards + version.shards
            if live > MAX_LIVE or shards > MAX_LIVE_SHARDS:
                continue
        versions.append(version)
    kept = tuple(reversed(versions[: MAX_LIVE + _KEPT])) or (ChannelVersion(1, 1, 0),)
    lanes = min(max(0, record.lanes), MAX_LANES)
    if kept == record.versions and lanes == record.lanes:
        return record
    return msgspec.structs.replace(record, versions=kept, lanes=lanes)


def encoded(record: ChannelRecord, codec: Codec) -> bytes:
    """The record as it is written. Raises `bad_request` or `too_large` where it cannot be."""
    try:
        value = codec.encode(to_avro(record))
    except (ValueError, TypeError, OverflowError) as error:
        raise TouchlineError(
            "bad_request", f"What is set for {record.channel} cannot be written: {error}."
        ) from None
    check_size(record.channel, value)
    return value


def check_size(channel: str, value: bytes) -> None:
    """Raise `too_large` where a channel's record does not fit into one of Kafka's."""
    if len(value) > MAX_EVENT_BYTES:
        raise TouchlineError(
            "too_large",
            f"All of {channel} would have {len(value):,} bytes; at most {MAX_EVENT_BYTES:,} are kept.",
        )


def epochs_from_avro(value: Mapping[str, Any]) -> dict[str, list[Epoch]]:
    """Topic -> its epochs, oldest first."""
    found: dict[str, list[Epoch]] = {}
    for entry in value["epochs"]:
        starts = {int(partition): offset for partition, offset in entry["starts"].items()}
        found.setdefault(entry["topic"], []).append(
            Epoch(entry["epoch"], entry["topic_id"], entry["partitions"], starts)
        )
    return {topic: sorted(epochs) for topic, epochs in found.items()}


def epochs_to_avro(epochs: Mapping[str, list[Epoch]]) -> dict[str, Any]:
    """The record under `$epochs`."""
    entries = [
        {
            "topic": topic,
            "topic_id": epoch.topic_id,
            "partitions": epoch.partitions,
            "epoch": epoch.number,
            "starts": {str(partition): offset for partition, offset in epoch.starts.items()},
        }
        for topic, of_topic in sorted(epochs.items())
        for epoch in of_topic
    ]
    return {"channel": EPOCHS_KEY, "epochs": entries}


def settings_at(record: ChannelRecord, append_ms: int) -> Settings:
    """The settings for a record of this append time."""
    if append_ms >= record.settings_since:
        return record.settings
    for past in reversed(record.past_settings):
        if append_ms >= past.since:
            return past.settings
    return record.past_settings[0].settings if record.past_settings else Settings()


def versions_at(record: ChannelRecord, append_ms: int) -> tuple[ChannelVersion, ...]:
    """The versions whose shards get a record of this append time."""
    return tuple(
        v for v in record.versions if v.since <= append_ms and (v.until is None or append_ms < v.until)
    )


def horizon(record: ChannelRecord, append_ms: int) -> tuple[int, int]:
    """The span of append times around this one in which nothing changes: first, and first after."""
    edges = [record.settings_since, *(p.since for p in record.past_settings)]
    edges += [v.since for v in record.versions] + [v.until for v in record.versions if v.until is not None]
    before = [edge for edge in edges if edge <= append_ms]
    after = [edge for edge in edges if edge > append_ms]
    return max(before, default=0), min(after, default=1 << 62)


# ── changes ──────────────────────────────────────────────────────────────────────────────────────────────


def with_settings(record: ChannelRecord, settings: Settings, at_ms: int) -> ChannelRecord:
    """These settings hold from `at_ms` on."""
    if settings == record.settings:
        return record
    past = (*record.past_settings, PastSettings(record.settings_since, record.settings))[-_KEPT:]
    return msgspec.structs.replace(
        record,
        settings=settings,
        settings_since=at_ms,
        past_settings=past,
        revision=record.revision + 1,
    )


def with_shards(record: ChannelRecord, shards: int, at_ms: int) -> ChannelRecord:
    """A new version with so many shards from `at_ms` on, beside the live ones.

    That is at once: edges send viewers there as soon as they read of it, and the worker that writes this is
    the one that judges the channel's events, so it misses none that comes after.
    """
    if shards == record.newest.shards and record.newest.until is None:
        return record
    new = ChannelVersion(record.newest.version + 1, shards, at_ms)
    return _with_versions(record, (*record.versions, new))


def with_retired(record: ChannelRecord, version: int, at_ms: int) -> ChannelRecord:
    """This version's shards get nothing from `at_ms` on. The newest is never retired."""
    if version == record.newest.version:
        return record
    versions = tuple(
        msgspec.structs.replace(v, until=at_ms) if v.version == version and v.until is None else v
        for v in record.versions
    )
    return record if versions == record.versions else _with_versions(record, versions)


def with_pinned(record: ChannelRecord, said: Pinned, *, on: bool) -> ChannelRecord:
    """This message is pinned, or no more. Of two orders the newer one holds, whichever is read last."""
    before = record.pinned
    if before is not None and int(said.order) <= int(before.order):
        return record
    if on:
        return msgspec.structs.replace(record, pinned=said, revision=record.revision + 1)
    if before is None or before.target != said.target:
        return record  # another one was pinned instead
    said = msgspec.structs.replace(said, target="")
    return msgspec.structs.replace(record, pinned=said, revision=record.revision + 1)


def _with_versions(record: ChannelRecord, versions: tuple[ChannelVersion, ...]) -> ChannelRecord:
    retired = [v for v in versions if v.until is not None]
    kept = set(retired[-_KEPT:]) | {v for v in versions if v.until is None}
    return msgspec.structs.replace(
        record, versions=tuple(v for v in versions if v in kept), revision=record.revision + 1
    )
