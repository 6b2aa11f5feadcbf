"""The Kafka topics: names, keys, lifetimes and settings; and what makes the brokers agree with them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from kernel.log.positions import Kind
from kernel.settings.reading import Settings

MINUTE_MS: Final = 60 * 1000
DAY_MS: Final = 24 * 60 * MINUTE_MS
MAX_EVENT_BYTES: Final = 1024 * 1024
#: A record is the event, its key, headers and Kafka's own framing.
MAX_RECORD_BYTES: Final = MAX_EVENT_BYTES + 64 * 1024


class Topic(NamedTuple):
    """A topic as `touchline topics apply` makes it."""

    name: str
    key: str
    value: str
    partitions: int
    config: Mapping[str, str]


class TopicNames:
    """The names, under the prefix of the settings."""

    def __init__(self, prefix: str) -> None:
        self.ingest: Mapping[Kind, str] = MappingProxyType({k: f"{prefix}.ingest.{k}" for k in Kind})
        self.events: Mapping[Kind, str] = MappingProxyType({k: f"{prefix}.events.{k}" for k in Kind})
        self.fanout_live = f"{prefix}.fanout.live"
        self.fanout_location = f"{prefix}.fanout.location"
        self.control = f"{prefix}.control"
        self.changes = f"{prefix}.changes"
        self.rejected = f"{prefix}.rejected"
        self.alerts = f"{prefix}.alerts"
        self.channels = f"{prefix}.channels"
        self.counts = f"{prefix}.counts"
        self.presence = f"{prefix}.presence"
        self.cursors = f"{prefix}.cursors"
        self.acks = f"{prefix}.acks"
        self.places = f"{prefix}.places"
        self.tallies = f"{prefix}.tallies"
        self.signals = f"{prefix}.signals"
        self.ops = f"{prefix}.ops"
        self.ops_past = f"{prefix}.ops-past"
        self.answers = f"{prefix}.answers"
        self.shares = f"{prefix}.shares"
        self.rooms = f"{prefix}.rooms"
        self.user_rooms = f"{prefix}.user-rooms"
        self.blocks = f"{prefix}.blocks"
        self.attachments = f"{prefix}.attachments"
        self.sanctions = f"{prefix}.sanctions"
        self.reports = f"{prefix}.reports"
        self.retractions = f"{prefix}.retractions"
        self.friends = f"{prefix}.friends"
        self.sharing = f"{prefix}.sharing"
        self.fences = f"{prefix}.fences"
        self.inside = f"{prefix}.inside"
        self.follows = f"{prefix}.follows"
        self.notifying = f"{prefix}.notifying"
        self.webhooks = f"{prefix}.webhooks"
        self.scheduled = f"{prefix}.scheduled"
        self.deliveries = f"{prefix}.deliveries"
        self.reactions = f"{prefix}.reactions"
        self.totals = f"{prefix}.totals"
        self.voices = f"{prefix}.voices"
        self.counters = f"{prefix}.counters"

    def fanout(self, kind: Kind) -> str:
        """Where the edges find events of this kind."""
        return self.fanout_location if kind is Kind.LOCATION else self.fanout_live


def topic_names(settings: Settings) -> TopicNames:
    """The names under this deployment's prefix."""
    return TopicNames(settings.topics.prefix)


def worker_group(settings: Settings) -> str:
    """The workers' consumer group."""
    return settings.stream.group or f"{settings.topics.prefix}-stream"


def indexer_group(settings: Settings) -> str:
    """The indexers' consumer group."""
    return settings.indexer.group or f"{settings.topics.prefix}-index"


def outbox_group(settings: Settings) -> str:
    """The consumer group of what leads out to other systems."""
    return settings.outbox.group or f"{settings.topics.prefix}-outbox"


def cell_group(settings: Settings, cell: str) -> str:
    """The consumer group of a cell of edges."""
    return f"{settings.topics.prefix}-cell-{cell}"


def topics(settings: Settings) -> list[Topic]:
    """Every topic that Touchline uses."""
    names, partitions = topic_names(settings), settings.topics.partitions

    def kept(days: int) -> dict[str, str]:
        return {"cleanup.policy": "delete", "retention.ms": str(days * DAY_MS)}

    # A compacted topic holds the latest record of each key; small segments keep start-up reads short.
    compacted = {"cleanup.policy": "compact", "segment.ms": str(DAY_MS), "min.cleanable.dirty.ratio": "0.1"}
    # The broker's append time is the clock of the pipeline: producers cannot choose it.
    append_time = {"message.timestamp.type": "LogAppendTime"}

    # Who comes back after the events are gone has no use for their place in them.
    cursors = {**kept(30), "cleanup.policy": "compact,delete"}

    # What was taken back is known for longer than the events themselves are kept.
    withdrawn = {**kept(32), "cleanup.policy": "compact,delete"}

    # What was so a day ago is of no use to anybody.
    brief_states = {"cleanup.policy": "compact,delete", "retention.ms": str(DAY_MS)}

    # What operators look at now: deleted by the minute, and never indexed.
    brief = {
        "cleanup.policy": "delete",
        "retention.ms": str(10 * MINUTE_MS),
        "segment.ms": str(MINUTE_MS),
    }

    hours = max(1.0, settings.ops.past_hours)
    past = {
        "cleanup.policy": "delete",
        "retention.ms": str(round(hours * 60 * MINUTE_MS)),
        "segment.ms": str(60 * MINUTE_MS),
    }

    def days(kind: Kind) -> int:
        return 1 if kind is Kind.LOCATION else 30

    made = [
        *(
            Topic(
                names.ingest[kind],
                "channel",
                f"ingest-{kind}",
                partitions,
                {**kept(days(kind)), **append_time},
            )
            for kind in Kind
        ),
        # Events carry the append time of their ingest record as their timestamp: a seek by time finds them.
        *(Topic(names.events[kind], "channel", f"event-{kind}", partitions, kept(30)) for kind in Kind),
        Topic(names.fanout_live, "channel#version#shard", "fanout", partitions, kept(1)),
        Topic(names.fanout_location, "channel#version#shard", "fanout", partitions, kept(1)),
        Topic(names.control, "user", "control", partitions, {**compacted, **append_time}),
        # What changes states is kept as it came: a later command takes no earlier one away (decision 0091).
        Topic(names.changes, "channel or user", "control", partitions, {**kept(30), **append_time}),
        Topic(names.rejected, "channel", "rejection", partitions, kept(30)),
        Topic(names.alerts, "alert", "control", 1, compacted),
        Topic(names.channels, "channel", "channel", partitions, compacted),
        # Who is in which room, by room and by user; and who has blocked whom (decision 0093).
        Topic(names.rooms, "channel", "room", partitions, compacted),
        Topic(names.user_rooms, "user, number", "user-rooms", partitions, compacted),
        Topic(names.blocks, "user, user", "block", partitions, compacted),
        # Who may see where whom, and places that watch (decision 0098).
        Topic(names.friends, "user, user", "friend", partitions, compacted),
        Topic(names.sharing, "user", "sharing", partitions, compacted),
        Topic(names.fences, "fence", "fence", partitions, compacted),
        Topic(names.inside, "user", "inside", partitions, compacted),
        # Who follows which channel, and how many do; what users want to be told, and where events are posted
        # to (decisions 0103 to 0105).
        Topic(names.follows, "user, channel", "follow", partitions, compacted),
        Topic(names.notifying, "user", "notifying", partitions, compacted),
        Topic(names.webhooks, "webhook", "webhook", partitions, compacted),
        Topic(names.deliveries, "receiver, partition", "delivery", partitions, compacted),
        # What is going to be posted, and when (decision 0117).
        Topic(names.scheduled, "channel, post", "scheduled", partitions, compacted),
        # What crowds do beside talking, what it has come to, and who has done it (decision 0100).
        Topic(names.reactions, "channel", "reaction", partitions, {**kept(30), **append_time}),
        Topic(names.totals, "channel, target", "total", partitions, compacted),
        Topic(names.voices, "channel, target, part", "voices", partitions, compacted),
        # What channels that count are about, of the last minutes (decision 0102).
        Topic(names.counters, "channel, partition", "counters", partitions, {**compacted, **brief_states}),
        Topic(names.counts, "kind:channel", "count", partitions, compacted),
        Topic(names.presence, "edge", "presence", 1, {**compacted, **append_time}),
        # As edges of the first version wrote it; the workers put what comes there into touchline.acks.
        Topic(names.cursors, "[user,device,stream]", "cursor", partitions, {**compacted, **cursors}),
        # What devices acknowledge and users read: what rose, and what that comes to (decision 0095).
        Topic(names.acks, "user", "ack", partitions, {**kept(7), **append_time}),
        Topic(names.places, "user, number", "places", partitions, compacted),
        Topic(names.tallies, "channel", "tally", partitions, compacted),
        # A record a pair (attachment and message, message and its retraction …): decision 0094.
        Topic(names.attachments, "attachment, message", "attachment", partitions, compacted),
        # Who is muted, banned or erased; what was reported, and what was taken back (decision 0096).
        Topic(names.sanctions, "channel, user", "sanction", partitions, compacted),
        Topic(names.reports, "channel, number", "report", partitions, compacted),
        Topic(names.retractions, "channel, message", "retraction", partitions, {**compacted, **withdrawn}),
        # One partition: whichever gateway has it is the one that writes (docs/decisions/0067).
        Topic(names.ops, "channel#version#shard", "fanout", 1, brief),
        # The operators' figures of the last hours: a look each quarter of a minute (decision 0125).
        Topic(names.ops_past, "looks", "fanout", 1, {**past, **append_time}),
        # Who asked reads its own partition, and waits two seconds.
        Topic(names.answers, "asker", "answer", partitions, brief),
        # What doors tell each other of the last second: every door reads all of it, from when it begins.
        Topic(names.shares, "door", "share", 1, brief),
        # What edges tell each other of this moment: who types, who is here. Nobody reads what was before.
        Topic(names.signals, "stream or user", "signal", 1, brief),
    ]
    shared = {
        "max.message.bytes": str(MAX_RECORD_BYTES),
        "min.insync.replicas": str(settings.topics.min_insync_replicas),
    }
    return [topic._replace(config=MappingProxyType({**shared, **topic.config})) for topic in made]
