"""What a worker knows of a channel, ready for the fold: its partition, and where its events fan out to."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from control.channels.channel import ChannelRecord, horizon, settings_at, versions_at
from kernel.access.users import KEPT, NOTIFY, ROOM
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Shard, is_channel, partition_of, split_lane
from streams.fold.checks.guards import Guard, SanctionOf

#: Channels remembered at a time; a lookup that misses costs a hash and a few allocations.
_REMEMBERED: Final = 200_000


class Target(NamedTuple):
    """Where fan-out records of one shard go."""

    key: bytes
    partition: int


class Channel(NamedTuple):
    """A channel as the fold of one kind sees it, for records of a span of append times."""

    name: str
    key: bytes
    #: The ingest partition where its records belong; also their partition on events.*.
    partition: int
    #: One for each shard of each live version.
    targets: tuple[Target, ...]
    #: None where the settings forbid nothing.
    guard: Guard | None
    since: int
    until: int
    #: Whether its name is one of those that are kept for the system and for users' own channels.
    kept: bool = False
    #: Whether it is a room's: who is in it decides.
    room: bool = False
    #: Whether its events have a number.
    numbered: bool = False
    #: Whether it is counted what is said there.
    counted: bool = False


def make_channel(
    kind: Kind,
    name: str,
    record: ChannelRecord,
    append_ms: int,
    *,
    ingest: int,
    fanout: int,
    sanction_of: SanctionOf | None = None,
) -> Channel:
    """A channel over topics of these partition counts. A lane is as the record of its channel says.

    Raises `bad_channel` for a lane of a channel that can have none.
    """
    settings = settings_at(record, append_ms)
    if settings.numbered and name != record.channel:
        raise TouchlineError(
            "bad_channel", f"{record.channel} is numbered, so it has no lanes: post to it, not to {name}."
        )
    # A version that nobody has yet is no reason to deliver nothing: the first one is always there.
    versions = versions_at(record, append_ms) or record.versions[:1]
    keys = [Shard(name, v.version, shard).key for v in versions for shard in range(v.shards)]
    targets = tuple(Target(key.encode(), partition_of(key, fanout)) for key in keys)
    guard = Guard(kind, record.channel, settings, sanction_of)
    since, until = horizon(record, append_ms)
    room = kind is Kind.CHAT and name.startswith(ROOM)
    return Channel(
        *(name, name.encode(), partition_of(name, ingest), targets),
        *(None if guard.idle else guard, since, until, name.startswith(KEPT)),
        room=room,
        # What is unread of it is counted by its numbers.
        numbered=settings.numbered or room or name.startswith(NOTIFY),
        counted=settings.counters and kind is Kind.CHAT,
    )


class Channels:
    """Channels of one kind by the key of their records, each made once and kept until it changes."""

    def __init__(
        self,
        kind: Kind,
        record_of: Callable[[str], ChannelRecord],
        *,
        ingest: int,
        fanout: int,
        sanctions: Callable[[str], SanctionOf | None] = lambda _: None,
    ) -> None:
        """`sanctions` says how to ask for a channel's, where there are any."""
        self._kind, self._record_of, self._sanctions = kind, record_of, sanctions
        self._ingest, self._fanout = ingest, fanout
        self._known: dict[bytes, Channel] = {}
        self._lanes: dict[str, set[bytes]] = {}

    @property
    def known(self) -> Mapping[bytes, Channel]:
        """For the fold's quick look-up; what is not in it, or not for that time, is got by `find`."""
        return self._known

    def find(self, key: bytes | None, append_ms: int) -> Channel:
        """The channel of a record's key. Raises `bad_channel`."""
        name = _name(key)
        base, lane = split_lane(name)
        channel = make_channel(
            *(self._kind, name, self._record_of(base), append_ms),
            ingest=self._ingest,
            fanout=self._fanout,
            sanction_of=self._sanctions(base),
        )
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
            self._lanes.clear()
        self._known[channel.key] = channel
        if lane is not None:
            self._lanes.setdefault(base, set()).add(channel.key)
        return channel

    def forget(self, name: str) -> None:
        """It has changed, and its lanes with it."""
        for key in (name.encode(), *self._lanes.pop(name, ())):
            self._known.pop(key, None)


def _name(key: bytes | None) -> str:
    if not key:
        raise TouchlineError("bad_channel", "The record has no key: its key is the channel.")
    try:
        name = key.decode()
    except UnicodeDecodeError:
        raise TouchlineError(
            "bad_channel", "The record's key is not UTF-8: its key is the channel."
        ) from None
    if not is_channel(name):
        raise TouchlineError(
            "bad_channel",
            f"{name[:150]!r} is not a channel's name: 1 to 128 of the characters A-Z a-z 0-9 . _ ~ -",
        )
    return name
