"""What a worker knows of a channel, ready for the fold: its partition, and where its events fan out to."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from kernel.errors import TouchlineError
from kernel.positions import Shard, is_channel, partition_of

#: Channels remembered at a time; a lookup that misses costs a hash and a few allocations.
_REMEMBERED: Final = 200_000


class Version(NamedTuple):
    """A sharding of a channel's viewers."""

    number: int
    shards: int


class Target(NamedTuple):
    """Where fan-out records of one shard go."""

    key: bytes
    partition: int


FIRST_VERSION: Final = Version(1, 1)


class Channel(NamedTuple):
    """A channel as the fold of one kind sees it."""

    name: str
    key: bytes
    #: The ingest partition where its records belong; also their partition on events.*.
    partition: int
    #: One for each shard of each live version.
    targets: tuple[Target, ...]


def make_channel(name: str, versions: tuple[Version, ...], *, ingest: int, fanout: int) -> Channel:
    """A channel over topics of these partition counts."""
    keys = [Shard(name, v.number, shard).key for v in versions for shard in range(v.shards)]
    targets = tuple(Target(key.encode(), partition_of(key, fanout)) for key in keys)
    return Channel(name, name.encode(), partition_of(name, ingest), targets)


class Channels:
    """Channels by the key of their records, each made once and kept until its settings change."""

    def __init__(
        self, versions_of: Callable[[str], tuple[Version, ...]], *, ingest: int, fanout: int
    ) -> None:
        self._versions_of = versions_of
        self._ingest, self._fanout = ingest, fanout
        self._known: dict[bytes, Channel] = {}

    @property
    def known(self) -> Mapping[bytes, Channel]:
        """For the fold's quick look-up; what is not in it is got by `find`."""
        return self._known

    def find(self, key: bytes | None) -> Channel:
        """The channel of a record's key. Raises `bad_channel`."""
        channel = self._known.get(key or b"")
        if channel is None:
            name = _name(key)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            channel = make_channel(name, self._versions_of(name), ingest=self._ingest, fanout=self._fanout)
            self._known[channel.key] = channel
        return channel

    def forget(self, name: str) -> None:
        """Its settings have changed."""
        self._known.pop(name.encode(), None)


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
