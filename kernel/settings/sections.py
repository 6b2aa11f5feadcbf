"""Every setting: its name, its type, its default and what it does, in one place.

`docs/settings.md` is made from this module; `kernel.settings.reading` reads them.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, get_type_hints

from msgspec import Meta

from kernel.settings.attachments import Attachments
from kernel.settings.limits import Limits
from kernel.settings.log import Log
from kernel.settings.nearby import Nearby
from kernel.settings.ops import Ops
from kernel.settings.outbox import Outbox
from kernel.settings.section import Count, NamedDays, Port, Rate, Seconds, Section
from kernel.settings.traces import Traces


class Kafka(Section, frozen=True):
    """How to reach Kafka. Any other property of librdkafka passes through: `TOUCHLINE_KAFKA_SASL_MECHANISM`
    is `sasl.mechanism`, and so for TLS; in touchline.toml write them in `[kafka.client]`, with dots."""

    bootstrap_servers: Annotated[
        str,
        Meta(
            description="host:port of one or more brokers, with commas; not given: the one that `up` starts"
        ),
    ] = "127.0.0.1:19092"
    client: Annotated[
        dict[str, str], Meta(description="properties of librdkafka, passed through as they are")
    ] = {}  # noqa: RUF012 - a struct copies it


class Elasticsearch(Section, frozen=True):
    """How to reach Elasticsearch."""

    url: Annotated[
        str, Meta(description="its address, with scheme and port; not given: the one that `up` starts")
    ] = "http://127.0.0.1:19200"
    api_key: Annotated[str, Meta(description="an API key, where security is on")] = ""
    ca_certs: Annotated[str, Meta(description="a PEM file of the authority that signed its certificate")] = ""
    index_prefix: Annotated[
        str, Meta(description="what all index names start with", pattern="^[a-z][a-z0-9_.-]*$")
    ] = "touchline"
    shards: Annotated[Count, Meta(description="primary shards of each day's index")] = 1
    language: Annotated[
        str,
        Meta(
            description="whose endings search ignores: a language that Snowball knows, or several, with"
            " commas (told apart message by message; needs the extra `languages`); `korean` and `japanese`"
            " besides, whose words are taken apart (the extras of these names)"
        ),
    ] = "english"
    meaning: Annotated[
        bool,
        Meta(description="find texts by what they mean too, with `sort=meaning` (needs the extra `meaning`)"),
    ] = False


class Topics(Section, frozen=True):
    """The Kafka topics, as `touchline topics apply` makes them."""

    prefix: Annotated[
        str, Meta(description="what all topic names start with", pattern="^[a-z][a-z0-9._-]*$")
    ] = "touchline"
    partitions: Annotated[
        int, Meta(ge=1, le=4096, description="partitions of each topic that carries events")
    ] = 8
    replication_factor: Annotated[int, Meta(ge=1, description="copies of each partition")] = 1
    min_insync_replicas: Annotated[int, Meta(ge=1, description="copies that must hold a record")] = 1


class SchemaRegistry(Section, frozen=True):
    """A schema registry of your own. Without one, ids are those in schemas/ids.json."""

    url: Annotated[str, Meta(description="its address, or several with commas; empty: none")] = ""
    user_info: Annotated[str, Meta(description="user:password for it, where it asks for one")] = ""
    ca_certs: Annotated[str, Meta(description="a PEM file of the authority that signed its certificate")] = ""
    tls_cert: Annotated[str, Meta(description="PEM file of a certificate to show it, if it wants one")] = ""
    tls_key: Annotated[str, Meta(description="PEM file with that certificate's key")] = ""


class Producer(Section, frozen=True):
    """The Python SDK, and with it the gateway and `touchline publish`."""

    linger_ms: Annotated[
        float, Meta(ge=0, description="how long an event waits for others to share its batch")
    ] = 2.0
    batch_bytes: Annotated[Count, Meta(description="bytes in one batch at most")] = 1024 * 1024
    compression: Annotated[
        Literal["none", "lz4", "zstd", "snappy", "gzip"], Meta(description="how batches are compressed")
    ] = "lz4"
    max_in_flight: Annotated[Count, Meta(description="events on their way; then senders wait")] = 100_000
    max_in_flight_bytes: Annotated[Count, Meta(description="bytes on their way at most")] = 128 * 1024 * 1024
    delivery_timeout_s: Annotated[
        Seconds, Meta(description="for how long Kafka is tried before an event counts as not delivered")
    ] = 60.0
    connect_timeout_s: Annotated[Seconds, Meta(description="the same while no broker has answered yet")] = 5.0


class Stream(Section, frozen=True):
    """The Faust workers."""

    group: Annotated[
        str, Meta(description="consumer group of the workers; empty: `-stream` after the topics' prefix")
    ] = ""
    host: Annotated[str, Meta(description="address of the worker's /metrics and /readyz")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="port of the worker's /metrics and /readyz")] = 18070
    store: Annotated[
        Literal["memory", "rocksdb"], Meta(description="where tables keep their state between restarts")
    ] = "memory"
    standby_replicas: Annotated[int, Meta(ge=0, description="warm copies of each table on other workers")] = 0
    instance: Annotated[str, Meta(description="its name in the group; empty: of host and port")] = ""
    table_dir: Annotated[str, Meta(description="where rocksdb keeps its files")] = ".touchline/tables"
    linger_ms: Annotated[float, Meta(ge=0, description="how long outputs wait for one another")] = 1.0
    max_queued: Annotated[Count, Meta(description="unconfirmed outputs; with more, reading waits")] = 100_000
    viewers_per_shard: Annotated[Count, Meta(description="viewers of a channel for one more shard")] = 20_000
    max_shards: Annotated[int, Meta(ge=1, le=256, description="most shards given by itself")] = 16
    shard_hold_s: Annotated[Seconds, Meta(description="least life of a channel's sharding")] = 30.0
    audience_every_s: Annotated[float, Meta(ge=0, description="how often audiences are told; 0: never")] = 0.0
    repeat_window_s: Annotated[
        Seconds, Meta(description="for how long a producer's key is remembered, to drop repeats")
    ] = 600.0
    max_channels: Annotated[
        Count, Meta(description="channels with a record of their own; more take events, and no settings")
    ] = 5_000_000
    user_events_per_s: Annotated[
        Rate, Meta(description="events of one user that came by a door; ten seconds' worth at once")
    ] = 1000.0
    user_bytes_per_s: Annotated[Rate, Meta(description="the same in bytes")] = 4 * 1024 * 1024.0
    channel_events_per_s: Annotated[
        Rate, Meta(description="events in one channel that came by a door; ten seconds' worth at once")
    ] = 5000.0
    channel_bytes_per_s: Annotated[Rate, Meta(description="the same in bytes")] = 16 * 1024 * 1024.0


class State(Section, frozen=True):
    """The tables on disk in which a role keeps what the topics of states say: copies, made again if lost."""

    dir: Annotated[
        str, Meta(description="where they lie; not given: `state` in the data_dir of [embedded]")
    ] = ".touchline/state"
    store: Annotated[
        Literal["sqlite", "rocksdb"], Meta(description="what they are in; rocksdb: an extra of the package")
    ] = "sqlite"
    remembered: Annotated[Count, Meta(description="channels whose settings are kept in memory")] = 10_000


class Edge(Section, frozen=True):
    """The WebSocket edges."""

    host: Annotated[str, Meta(description="address to listen on")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="port for viewers, /metrics and /readyz")] = 18081
    name: Annotated[str, Meta(description="name of this edge; empty: made from host and port")] = ""
    cell: Annotated[str, Meta(description="cell (consumer group) it belongs to; empty: one of its own")] = ""
    public_url: Annotated[str, Meta(description="where viewers are redirected to; empty: its address")] = ""
    ring_events: Annotated[Count, Meta(description="events that a stream's ring holds")] = 2048
    ring_bytes: Annotated[Count, Meta(description="bytes that all rings together may hold")] = (
        256 * 1024 * 1024
    )
    tick_ms: Annotated[
        float, Meta(ge=0, description="while busy, events of this time go out as one write")
    ] = 10.0
    heartbeat_ms: Annotated[int, Meta(ge=1000, description="a silent viewer is pinged after this time")] = (
        25_000
    )
    reconnect_jitter_ms: Annotated[int, Meta(ge=0, description="over how long reconnections are spread")] = (
        5_000
    )
    max_connections: Annotated[Count, Meta(description="viewers on this edge")] = 100_000
    max_connections_per_address: Annotated[Count, Meta(description="viewers from one address")] = 100_000
    max_connections_per_user: Annotated[
        Count, Meta(description="connections of one user, over all edges")
    ] = 100
    max_subscriptions: Annotated[Count, Meta(description="streams that one viewer may watch at once")] = 256
    max_subscriptions_per_user: Annotated[
        Count, Meta(description="subscriptions of one user, over all edges")
    ] = 2000
    max_frame_bytes: Annotated[Count, Meta(description="largest frame that a viewer may send")] = 64 * 1024
    max_header_bytes: Annotated[Count, Meta(description="largest head of an HTTP request")] = 16 * 1024
    max_messages_per_s: Annotated[
        float,
        Meta(gt=0, description="messages a second that a viewer may send, with a burst of ten seconds'"),
    ] = 20.0
    handshake_timeout_s: Annotated[Seconds, Meta(description="time for the HTTP request to arrive")] = 10.0
    slow_timeout_s: Annotated[
        Seconds, Meta(description="a viewer who reads nothing for so long is closed")
    ] = 30.0
    drain_s: Annotated[Seconds, Meta(description="time over which viewers are moved at a drain")] = 20.0
    origins: Annotated[
        tuple[str, ...],
        Meta(
            description="origins of pages that may connect, `*` for all; empty: the gateway's own on loopback"
        ),
    ] = ()
    hosts: Annotated[
        tuple[str, ...],
        Meta(description="names that `Host` may say, `*` for all; empty: loopback's on loopback, else all"),
    ] = ()
    tls_cert: Annotated[str, Meta(description="PEM file with the certificate chain; empty: no TLS")] = ""
    tls_key: Annotated[str, Meta(description="PEM file with the certificate's key")] = ""


class Indexer(Section, frozen=True):
    """The search indexer."""

    group: Annotated[
        str, Meta(description="consumer group of the indexers; empty: `-index` after the topics' prefix")
    ] = ""
    instance: Annotated[str, Meta(description="its name in the group; empty: of host and port")] = ""
    host: Annotated[str, Meta(description="address of its /metrics and /readyz")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="port of its /metrics and /readyz")] = 18072
    batch_events: Annotated[Count, Meta(description="documents in one bulk request at most")] = 2000
    batch_bytes: Annotated[Count, Meta(description="bytes in one bulk request at most")] = 8 * 1024 * 1024
    linger_ms: Annotated[float, Meta(ge=0, description="how long a part-filled batch waits")] = 50.0
    refresh_ms: Annotated[
        int, Meta(ge=50, description="how often Elasticsearch makes new documents findable")
    ] = 500
    parallel_requests: Annotated[Count, Meta(description="bulk requests on their way at once")] = 4
    retention_days: Annotated[Count, Meta(description="days after which whole indices are dropped")] = 30
    retention_classes: Annotated[
        tuple[NamedDays, ...],
        Meta(description="name=days of each class that a channel's setting `retention` may name"),
    ] = ("day=1", "week=7")


class Gateway(Section, frozen=True):
    """The HTTP gateway."""

    host: Annotated[str, Meta(description="address to listen on")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="port to listen on")] = 18080
    origins: Annotated[
        tuple[str, ...],
        Meta(description="origins of pages that may ask (CORS), `*` for all; empty: on loopback its own"),
    ] = ()
    hosts: Annotated[
        tuple[str, ...],
        Meta(description="names that `Host` may say, `*` for all; empty: loopback's on loopback, else all"),
    ] = ()
    max_connections: Annotated[Count, Meta(description="connections at once")] = 10_000
    max_connections_per_address: Annotated[Count, Meta(description="connections from one address")] = 2000
    head_timeout_s: Annotated[Seconds, Meta(description="time for a request's head to arrive")] = 10.0
    body_timeout_s: Annotated[Seconds, Meta(description="a body of which nothing comes for so long ends")] = (
        60.0
    )
    slow_timeout_s: Annotated[
        Seconds, Meta(description="a client that takes nothing of an answer for so long is closed")
    ] = 30.0
    max_event_bytes: Annotated[Count, Meta(description="largest single event")] = 1024 * 1024
    max_body_bytes: Annotated[Count, Meta(description="largest body that is not NDJSON")] = 8 * 1024 * 1024
    max_lines: Annotated[Count, Meta(description="lines of one NDJSON body, blank ones too")] = 5_000_000
    max_refusals: Annotated[
        Count, Meta(description="events of one request that are refused before the rest is not read")
    ] = 10_000
    patience_s: Annotated[
        Seconds, Meta(description="how long an event waits for room on its way to Kafka before it is refused")
    ] = 5.0
    delivery_timeout_s: Annotated[
        Seconds, Meta(description="for how long Kafka is tried before a request is told that it failed")
    ] = 15.0
    edges: Annotated[
        tuple[str, ...],
        Meta(description="WebSocket addresses of the edges that the pages connect to; empty: that of [edge]"),
    ] = ()
    roles: Annotated[
        tuple[str, ...],
        Meta(description="name=url of each role's operator port, for /ops; empty: those of this machine"),
    ] = ()
    ops_every_s: Annotated[
        float, Meta(ge=0, description="how often the operators' stream tells the roles' figures; 0: never")
    ] = 1.0
    canary_every_s: Annotated[
        float,
        Meta(ge=0, description="how often the canary posts a probe, and looks for it; 0: never"),
    ] = 0.0
    canary_edges: Annotated[
        tuple[str, ...],
        Meta(description="WebSocket addresses at which the canary watches, each edge's own; empty: edges"),
    ] = ()
    public_url: Annotated[
        str,
        Meta(description="where clients reach the gateway, for addresses that it hands out; empty: as asked"),
    ] = ""
    page_channel: Annotated[
        str, Meta(description="channel that comes first on the home page, and has its demo match")
    ] = "demo"
    tiles_url: Annotated[
        str, Meta(description="map tiles, with {z}, {x} and {y}; empty: the map is a plain grid")
    ] = ""
    tiles_attribution: Annotated[str, Meta(description="whom the map thanks for its tiles")] = ""


class Auth(Section, frozen=True):
    """Who may do what. Without a key or JWKS, everybody may do everything, and only on loopback."""

    anonymous: Annotated[
        Literal["auto", "on", "off"],
        Meta(description="use without a token; auto: only without keys, while listening on loopback"),
    ] = "auto"
    secret: Annotated[str, Meta(description="HS256 secret of 32 bytes or more")] = ""
    internal_secret: Annotated[
        str,
        Meta(
            description="32 bytes or more by which roles sign what only they may write, the same for all of"
            " them; `up` makes one; empty: nothing of the kind is accepted, alerts and audiences included"
        ),
    ] = ""
    public_key: Annotated[str, Meta(description="PEM file of an RS256 or EdDSA public key")] = ""
    jwks_url: Annotated[
        str, Meta(description="address of a JWKS document, fetched again on unknown key ids")
    ] = ""
    issuer: Annotated[str, Meta(description="what a token's iss must be; empty: not checked")] = ""
    audience: Annotated[str, Meta(description="what a token's aud must contain; empty: not checked")] = ""
    leeway_s: Annotated[float, Meta(ge=0, description="clock difference forgiven in exp, nbf and iat")] = 10.0


class Embedded(Section, frozen=True):
    """The servers that `touchline up` starts on this machine."""

    data_dir: Annotated[str, Meta(description="where all data, logs and the run state live")] = ".touchline"
    servers_dir: Annotated[
        str, Meta(description="where Kafka and Elasticsearch are installed; empty: `servers` in the data_dir")
    ] = ""
    kafka_port: Annotated[Port, Meta(description="port of the embedded Kafka")] = 19092
    elasticsearch_port: Annotated[Port, Meta(description="port of the embedded Elasticsearch")] = 19200
    kafka_heap: Annotated[str, Meta(description="Java heap of Kafka", pattern="^[0-9]+[mg]$")] = "640m"
    elasticsearch_heap: Annotated[
        str, Meta(description="Java heap of Elasticsearch", pattern="^[0-9]+[mg]$")
    ] = "1g"


class Settings(Section, frozen=True):
    """All settings."""

    kafka: Kafka = Kafka()
    elasticsearch: Elasticsearch = Elasticsearch()
    topics: Topics = Topics()
    schema_registry: SchemaRegistry = SchemaRegistry()
    producer: Producer = Producer()
    stream: Stream = Stream()
    state: State = State()
    edge: Edge = Edge()
    indexer: Indexer = Indexer()
    gateway: Gateway = Gateway()
    attachments: Attachments = Attachments()
    nearby: Nearby = Nearby()
    outbox: Outbox = Outbox()
    ops: Ops = Ops()
    auth: Auth = Auth()
    limits: Limits = Limits()
    embedded: Embedded = Embedded()
    log: Log = Log()
    traces: Traces = Traces()


SECTIONS: Final[Mapping[str, type[Section]]] = get_type_hints(Settings)
