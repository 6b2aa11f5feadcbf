"""What the channel registry says: each channel's versions, their shard counts, and its lanes."""

from typing import NamedTuple
from zlib import crc32

from control.acl import ChannelAcl
from control.channels import EPOCHS_KEY
from control.numbering import Numbering, Placed, Position
from control.retention import Retention
from kernel.logs import get_logger
from kernel.positions import Kind, Shard
from kernel.settings import Indexer
from kernel.topics import TopicNames
from schemas.codec import Codec, Undecodable

_log = get_logger("touchline.registry")


class Layout(NamedTuple):
    """How a channel is spread: shards of its newest version, and lanes."""

    version: int = 1
    shards: int = 1
    lanes: int = 0


_DEFAULT = Layout()


class Registry:
    """Channel -> layout; channels that nobody has changed have one version of one shard."""

    def __init__(
        self, codec: Codec, retention: Retention | None = None, names: TopicNames | None = None
    ) -> None:
        self._numbering = Numbering(names or TopicNames("touchline"))
        self._layouts: dict[str, Layout] = {}
        self.readers = ChannelAcl()
        self._retention = retention or Retention(Indexer())
        self._codec = codec

    def learn(self, channel: str, layout: Layout | None) -> bool:
        """Take what the topic says (None: nothing any more); whether that is news."""
        before = self.layout(channel)
        if layout is None or layout == _DEFAULT:
            self._layouts.pop(channel, None)
        else:
            self._layouts[channel] = layout
        return self.layout(channel) != before

    def learn_record(self, channel: str, value: bytes | None) -> bool:
        """Take a record of the registry's topic; whether that is news."""
        if channel.startswith("$") and (value is None or channel != EPOCHS_KEY):
            return False
        if value is None:
            self.readers.learn(channel, ())
            self._retention.learn(channel, None)
            return self.learn(channel, None)
        try:
            said = self._codec.decode(value)
        except Undecodable as error:
            _log.warning("a channel's record is not readable", channel=channel, why=str(error))
            return False
        if channel == EPOCHS_KEY:
            self._numbering.learn(said)
            return False
        self.readers.learn(channel, said["settings"]["readers"])
        self._retention.learn(channel, said["settings"]["retention"])
        newest = max(said["versions"], key=lambda v: v["version"], default={"version": 1, "shards": 1})
        return self.learn(channel, Layout(newest["version"], max(1, newest["shards"]), said["lanes"]))

    def lanes(self, channel: str) -> int:
        """Over how many lanes a channel is spread; 0: it is not."""
        return self.layout(channel).lanes

    def position(self, kind: Kind, channel: str, at: Placed) -> Position | None:
        """An event's place and id, from where its record lies; None where that is not known."""
        return self._numbering.position(kind, channel, at)

    def layout(self, channel: str) -> Layout:
        return self._layouts.get(channel, _DEFAULT)

    def shard(self, channel: str, viewer: str) -> Shard:
        """The shard of the newest version that a viewer is hashed to."""
        layout = self.layout(channel)
        return Shard(channel, layout.version, crc32(viewer.encode()) % layout.shards)
