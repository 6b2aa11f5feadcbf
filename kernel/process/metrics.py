"""The closed set of metrics, each defined and explained once; `docs/metrics.md` is made from this module."""

from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

_LATENCY: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

# ── every role ──────────────────────────────────────────────────────────────────────────────────────
CONSUMER_LAG = Gauge(
    "touchline_consumer_lag",
    "Records between the position of this consumer and the end of the log. Partition empty: it has none.",
    ["topic", "partition"],
)

TABLE_SKIPPED = Counter(
    "touchline_table_records_skipped",
    "Records of topics that are followed as tables which could not be read, and were left out.",
    ["topic"],
)

TASKS = Gauge("touchline_tasks", "Tasks of this process's event loop. They come and go; a leak only comes.")
LOOP_STALL = Histogram(
    "touchline_loop_stall_seconds",
    "Times of more than 50 ms in which this process's event loop stood still though it had a processor.",
    buckets=(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
LOOP_STALL_WORK = Histogram(
    "touchline_loop_stall_work_seconds",
    "Of these times, the processor time that this process took meanwhile.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)

# ── gateway ──────────────────────────────────────────────────────────────────────────────────────────
INGESTED = Counter("touchline_ingested", "Events that Kafka confirmed to the gateway.", ["kind"])
REFUSED = Counter(
    "touchline_refused", "Events that the gateway refused before Kafka, by error code.", ["code"]
)
CANARY_SEEN = Histogram(
    "touchline_canary_seen_seconds",
    "From the canary's posting a probe by HTTP to a viewer's having it, by edge.",
    ["edge"],
    buckets=_LATENCY,
)
CANARY_FOUND = Histogram(
    "touchline_canary_found_seconds",
    "From the canary's posting a probe by HTTP to a search's finding it.",
    buckets=_LATENCY,
)
CANARY_MISSED = Counter(
    "touchline_canary_missed",
    "Probes of the canary that did not arrive in time: at an edge, in search, or could not even be posted.",
    ["where"],
)

# ── stream workers ───────────────────────────────────────────────────────────────────────────────────
ACCEPTED = Counter("touchline_accepted", "Events accepted by the stream workers.", ["kind"])
REJECTED = Counter("touchline_rejected", "Records written to touchline.rejected, by reason.", ["reason"])
FAILED = Counter(
    "touchline_failed",
    "Records and commands that were refused by an error that nobody has thought of. It should be 0.",
    ["what"],
)
SKIPPED = Counter(
    "touchline_skipped",
    "Records that were none of their topic, and were passed over when partitions were taken over.",
    ["topic"],
)
REPEATED = Counter("touchline_repeated", "Events dropped because their key was seen before.", ["kind"])
REPLACED = Counter("touchline_replaced", "Records put back from a wrong partition.", ["kind"])
REACTIONS = Counter(
    "touchline_reactions", "Reactions and votes that the stream workers counted, by what they are.", ["what"]
)
COMMANDS_REFUSED = Counter(
    "touchline_commands_refused", "Commands about channels that could not be carried out."
)
STREAM_LATENCY = Histogram(
    "touchline_stream_latency_seconds", "From ingest append to being handed to fan-out.", buckets=_LATENCY
)
OUTPUTS_UNDER_WAY = Gauge(
    "touchline_outputs_under_way", "Outputs of this worker that Kafka has not confirmed yet."
)

AUDIENCE = Gauge("touchline_audience", "Viewers on all edges that are alive, as this worker hears of them.")
EDGES = Gauge("touchline_edges", "Edges that are alive, as this worker hears of them.")
HOT_PARTITION = Gauge(
    "touchline_hot_partition",
    "Times its fair share that a partition carries, where that is far too much; absent otherwise.",
    ["topic", "partition"],
)
RESHARDED = Counter(
    "touchline_resharded", "Changes of channels' sharding by this worker, by what was done.", ["change"]
)

# ── edges ────────────────────────────────────────────────────────────────────────────────────────────
VIEWERS = Gauge("touchline_viewers", "Viewers connected to this edge.")
SLOW_VIEWERS = Gauge(
    "touchline_slow_viewers", "Viewers of this edge whose socket is full: they are caught up when it drains."
)
DELIVERED = Counter("touchline_delivered", "Events written to viewers.")
EDGE_LATENCY = Histogram(
    "touchline_edge_latency_seconds", "From ingest append to the write to the viewers.", buckets=_LATENCY
)
CLOSED = Counter("touchline_closed", "Connections that the edge closed, by close code.", ["code"])
RING_BYTES = Gauge("touchline_ring_bytes", "Bytes held in the rings of this edge.")
CERTIFICATE_ENDS = Gauge(
    "touchline_certificate_ends_timestamp_seconds",
    "When the certificate that this process shows runs out, in seconds since 1970.",
    ["what"],
)

# ── indexer ──────────────────────────────────────────────────────────────────────────────────────────
INDEXED = Counter("touchline_indexed", "Documents that Elasticsearch confirmed.", ["kind"])
INDEX_WATERMARK = Gauge(
    "touchline_index_watermark",
    "Offset up to which the index is complete and findable.",
    ["topic", "partition"],
)
ALERTED = Counter("touchline_alerted", "Events that set off an alert.")
INDEX_LATENCY = Histogram(
    "touchline_index_latency_seconds", "From ingest append to the document's confirmation.", buckets=_LATENCY
)

# ── outbox ───────────────────────────────────────────────────────────────────────────────────────────
NOTIFIED = Counter("touchline_notified", "Notifications written for users, by type.", ["type"])
POSTED = Counter("touchline_posted", "Events that receivers have taken, by sort of outlet.", ["outlet"])
POSTS_FAILED = Counter(
    "touchline_posts_failed", "Posts that receivers have not taken; they are tried again.", ["outlet"]
)
GIVEN_UP = Counter(
    "touchline_given_up", "Events that went to touchline.rejected because their receiver never took them."
)
OUTBOX_WAITING = Gauge(
    "touchline_outbox_waiting",
    "Events that wait for a receiver in this outbox's memory, by receiver.",
    ["receiver"],
)
OUTBOX_LAG = Gauge(
    "touchline_outbox_lag_seconds",
    "How old the eldest event is that a receiver does not have, by receiver.",
    ["receiver"],
)
POST_LATENCY = Histogram(
    "touchline_post_latency_seconds", "From ingest append to a receiver's answer.", buckets=_LATENCY
)


def registry() -> CollectorRegistry:
    """Where all of them are registered."""
    return REGISTRY
