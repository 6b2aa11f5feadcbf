"""The channel registry as the indexer follows it: who may read a channel, how long its events are kept."""

from control.acl import ChannelAcl
from control.retention import Retention
from kernel.settings import Settings
from kernel.topics import topic_names
from schemas.registry import codec_for
from search_indexer.follower import Follower


class ChannelLog(Follower):
    """Follows `touchline.channels`. Blocks."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, topic_names(settings).channels, self._learn_channel)
        self.readers, self.retention = ChannelAcl(), Retention(settings.indexer)
        self._codec = codec_for(settings, "channel")

    def _learn_channel(self, channel: str, value: bytes | None) -> None:
        readers, retention = (), None
        if value is not None:
            said = self._codec.decode(value)["settings"]
            readers, retention = said["readers"], said["retention"]
        self.readers.learn(channel, readers)
        self.retention.learn(channel, retention)
