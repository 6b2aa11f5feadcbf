"""A look at the channel registry, for programs that run for a moment: the command line. Blocks."""

from control.channels import EPOCHS_KEY, ChannelRecord
from control.following import TableReader
from control.registry import Registry
from control.table import TopicTable
from kernel.clock import Clock
from kernel.positions import split_lane
from kernel.settings import Settings
from kernel.topics import topic_names
from schemas.registry import codec_for


def read_registry(settings: Settings, clock: Clock, *, only: str | None = None) -> Registry:
    """The registry as it is now; `only` one channel of it. Raises `unavailable`."""
    topic, codec = topic_names(settings).channels, codec_for(settings, "channel")
    registry = Registry(topic, codec)
    wanted = None if only is None else {split_lane(only)[0].encode(), EPOCHS_KEY.encode()}
    table = TopicTable(topic, codec, registry.learn, wants=lambda key: wanted is None or key in wanted)
    reader = TableReader(settings, clock, [table], name="look")
    try:
        reader.read_all()
    finally:
        reader.close()
    return registry


def read_channel(settings: Settings, clock: Clock, channel: str) -> ChannelRecord | None:
    """The channel's newest record; None if there is none."""
    registry = read_registry(settings, clock, only=channel)
    return registry.channel(channel) if channel in registry else None
