"""What `make bench` measures: the commands, in the order of an event's way, and the figures that they leave."""

# ruff: noqa: E501 - words and style, a line each

from typing import Final

import msgspec

from bench.report.figures import Aim, Figure


class Measurement(msgspec.Struct, frozen=True):
    """One command, what it is about, what it takes less of where time is short, and its figures.

    All of them, three runs each, take about 35 minutes on two cores; with `quick`, most of them once, nine.
    """

    name: str
    title: str
    command: tuple[str, ...]
    quick: tuple[str, ...]
    what: str
    figures: tuple[Figure, ...]
    plots: tuple[str, ...] = ()


MEASUREMENTS: Final = (
    Measurement(
        "posting", "Posting",
        ("bench.producers", "--peers"),
        ("--events", "120000", "--seconds", "2"),
        "Chat events of 200 bytes to 50 channels, until Kafka has confirmed the last; the bare one has its bytes ready.",
        (
            Figure(
                "posting", "events posted", "events/s", "bare confluent-kafka",
                aims=(
                    Aim("SDK, asyncio", "at least", 0.6, ratio=True),
                    Aim("SDK, threads", "at least", 0.6, ratio=True),
                    Aim("HTTP NDJSON", "at least", 0.3, ratio=True),
                ),
            ),
            Figure("confirmation p50", "from `send` to confirmation, p50", "ms", load="events/s"),
            Figure("confirmation p99", "from `send` to confirmation, p99", "ms", load="events/s"),
        ),
    ),
    Measurement(
        "workers", "Checking, ordering, fanning out",
        ("bench.workers", "rate", "touchline", "aiokafka", "quix"),
        ("--events", "30000", "--runs", "1"),
        "The chat job of one process, beside a bare loop that only decodes and writes, and other frameworks.",
        (
            Figure(
                "workers", "events of one worker", "events/s", "bare loop",
                aims=(
                    Aim("touchline", "at least", 0.8, ratio=True),
                    Aim("touchline", "at least", 1.5, ratio=True, of="Quix Streams"),
                    Aim("touchline", "at least", 1, ratio=True, of="aiokafka"),
                ),
            ),
        ),
    ),
    Measurement(
        "slow workers", "The same, for those that need longer",
        ("bench.workers", "rate", "touchline", "faststream", "faust", "--events", "40000", "--as", "slow workers"),
        ("--events", "10000", "--runs", "1"),
        "With fewer events, or one would wait for minutes; so starting up weighs more than above, for all of them.",
        (Figure("slow workers", "events of one worker", "events/s", "stock Faust",
                aims=(Aim("touchline", "at least", 8, ratio=True),)),),
    ),
    Measurement(
        "worker latency", "From ingest to fan-out",
        ("bench.workers", "latency", "--rates", "500,2500,10000"),
        ("--rates", "2500", "--seconds", "3", "--runs", "1", "--warm-up", "8"),
        "Between the broker's two appends, over load; the bare loop with the same linger beside it.",
        (
            Figure("worker p50", "ingest to fan-out, p50", "ms", "bare loop", "events/s"),
            Figure("worker p99", "ingest to fan-out, p99", "ms", "bare loop", "events/s",
                   aims=(Aim("touchline", "at most", 10, 2500),)),
        ),
        ("worker latency",),
    ),
    Measurement(
        "scaling", "Several workers",
        ("bench.workers", "scaling"),
        ("--events", "40000", "--runs", "1"),
        "In one group, on one topic. Broker, workers and all share the machine's cores: where none is free, more workers"
        " cannot be quicker.",
        (Figure("scaling", "events of all workers", "events/s", "1 worker"),),
        ("scaling",),
    ),
    Measurement(
        "direct", "To the viewers, one event a write",
        ("bench.edges", "direct", "--seconds", "1.5"),
        ("--rates", "100000,600000", "--seconds", "0.3", "--runs", "1"),
        "1,000 viewers, the server on one core; the edge's have shown a token, and it has rings, positions and bounds. At 600,000/s all are overloaded: that is what they can do.",
        (
            Figure("direct delivered", "delivered, one event a write", "/s", "bare (Rust, epoll)", "/s offered",
                   (Aim("edge", "at least", 0.8, 600e3, ratio=True),)),
            Figure("direct each", "CPU of a delivery, one event a write", "us", "bare (Rust, epoll)", "/s offered"),
            Figure("direct p99", "one event a write, p99", "ms", "", "/s offered"),
        ),
        ("direct delivered", "direct latency"),
    ),
    Measurement(
        "kafka", "To the viewers, from Kafka",
        ("bench.edges", "kafka"),
        ("--rates", "200000,1600000", "--seconds", "1", "--runs", "1", "--warm-up", "5"),
        "1,000 viewers, with tokens, rings, positions and bounds; beside servers that have none of them and write what"
        " has come in 10 ms at once: the bare one, a prototype in Python (`bench/peers/fan_out.py`), `websockets.broadcast`.",
        (
            Figure("kafka cpu", "CPU of the server, from Kafka", "% of a core", "prototype", "/s offered",
                   (Aim("edge", "at most", 45, 200e3), Aim("edge", "at most", 1.3, 200e3, ratio=True))),
            Figure("kafka delivered", "delivered, from Kafka", "/s", "prototype", "/s offered",
                   (Aim("edge", "at least", 1.5e6, 1.6e6),)),
            Figure("kafka p50", "from Kafka, p50", "ms", "", "/s offered"),
            Figure("kafka p99", "from Kafka, p99", "ms", "", "/s offered", (Aim("edge", "at most", 30, 200e3),)),
        ),
        ("kafka delivered", "kafka median", "kafka latency", "kafka cpu"),
    ),
    Measurement(
        "many", "5,000 viewers, from Kafka",
        ("bench.edges", "kafka", "--viewers", "5000", "--rates", "1000000"),
        ("--seconds", "1", "--runs", "1", "--warm-up", "5"),
        "A million deliveries a second. What is delivered is taken from the first to the last that comes: of a second that ends 0.1 s late a tenth is missing, so 0.9 counts as held.",
        (
            Figure("many delivered", "delivered to 5,000 viewers", "/s", "prototype", "/s offered",
                   (Aim("edge", "at least", 0.9e6, 1e6),)),
            Figure("many cpu", "CPU of the server, 5,000 viewers", "% of a core", "prototype", "/s offered"),
            Figure("many p99", "to 5,000 viewers, p99", "ms", "", "/s offered", (Aim("edge", "at most", 150, 1e6),)),
        ),
    ),
    Measurement(
        "pipeline", "From `send` to a viewer",
        ("bench.pipeline",),
        ("--seconds", "3"),
        "SDK, Kafka, worker, Kafka, edge: all of it, each role a process; ten channels, ten viewers of each.",
        (
            Figure("pipeline p50", "publish to viewer, p50", "ms", load="events/s",
                   aims=(Aim("touchline", "at most", 10, 1000),)),
            Figure("pipeline p99", "publish to viewer, p99", "ms", load="events/s",
                   aims=(Aim("touchline", "at most", 50, 1000),)),
        ),
    ),
    Measurement(
        "traces", "What traces cost",
        ("bench.traces",),
        ("--turns", "2", "--seconds", "3"),
        "Processor time of a worker, an edge without viewers, an indexer and a gateway, by event: two pipelines side by side, in turn, of one with traces off. The share would be smaller with viewers.",
        (Figure("traces", "CPU of all roles by event", "us", "off", aims=(Aim("1% traced", "at most", 1.03, ratio=True),)),),
    ),
    Measurement(
        "memory", "Memory of viewers",
        ("bench.edges", "memory"),
        ("--rates", "1000,5000", "--runs", "1"),
        "Of one stream, each watching, none talking; the edge's have shown a token.",
        (
            Figure("memory each", "memory of a viewer", "kB", "", "viewers", (Aim("edge", "at most", 6, 10_000),)),
            Figure("memory", "memory of all viewers", "MB", "", "viewers"),
        ),
        ("memory",),
    ),
    Measurement(
        "crowd", "A crowd",
        ("bench.edges", "crowd"),
        ("--runs", "1"),
        "10,000 viewers of one stream, and one event: when the last one has it. The edge's comes from Kafka, the others are told of it.",
        (Figure("crowd", "one event: the last of 10,000 has it", "ms", "bare (Rust, epoll)", "viewers",
                (Aim("edge", "at most", 1000, 10_000),)),),
    ),
    Measurement(
        "comeback", "Everybody comes back at once",
        ("bench.edges", "comeback"),
        ("--runs", "1"),
        "The edge is killed with -9 and started again; 10,000 viewers ask for what they missed.",
        (Figure("comeback", "10,000 are back, with all they missed", "s", "", "viewers",
                (Aim("edge", "at most", 15, 10_000),)),),
    ),
    Measurement(
        "indexing", "Indexing",
        ("bench.indexer", "rate", "--turns", "5"),
        ("--documents", "40000", "--turns", "4"),
        "From the log to confirmed documents, beside `parallel_bulk` with ready-made ones; two turns before warm up.",
        (Figure("indexing", "documents indexed", "/s", "parallel_bulk",
                aims=(Aim("indexer", "at least", 0.8, ratio=True),)),),
    ),
    Measurement(
        "findable", "Until it is found",
        ("bench.indexer", "found"),
        ("--seconds", "5", "--warm-up", "15"),
        "From an event's append to its being found.",
        (
            Figure("found p50", "append to found, p50", "s", load="events/s"),
            Figure("found p99", "append to found, p99", "s", load="events/s",
                   aims=(Aim("indexer", "at most", 1.5, 2000),)),
        ),
    ),
    Measurement(
        "search", "Searching, and reading the past",
        ("bench.search", "run"),
        ("--documents", "100000"),
        "p50 in a million messages (QUICK: 100,000), in turn with the same sent straight; pages of 50 from the middle.",
        (
            *(
                Figure(f"search {n}", f"search p50, {text}", "ms", "straight to Elasticsearch",
                       aims=(Aim("search", "at most", 1.3, ratio=True),))
                for n, text in enumerate(("two words, newest", "two words, by relevance", "a phrase",
                                          "a typo, without a word"), 1)
            ),
            Figure("history after", "a page of 50 after a place, p50", "ms", aims=(Aim("history", "at most", 20),)),
            Figure("history before", "a page of 50 before a place, p50", "ms", aims=(Aim("history", "at most", 20),)),
        ),
    ),
    Measurement(
        "exports", "Exporting, counting, suggesting",
        ("bench.exports",),
        ("--documents", "50000", "--asked", "100"),
        "By HTTP from a gateway, in 200,000 messages (QUICK: 50,000): all hits, and all of a stream, to the last row; p50 of what is asked.",
        (
            *(
                Figure(f"export {what}", f"{what} exported", "rows/s",
                       aims=(Aim("ndjson", "at least", 20_000), Aim("csv", "at least", 20_000)))
                for what in ("hits", "a stream")
            ),
            Figure("suggestions", "suggestions, p50", "ms", aims=(Aim("gateway", "at most", 15),)),
            Figure("searches with operators", "searches with operators, p50", "ms"),
            Figure("counts by minute and sender", "counts by minute and sender, p50", "ms"),
            Figure("words that stand out", "words that stand out, p50", "ms"),
            Figure("the list of channels", "the list of channels by activity, p50", "ms"),
        ),
    ),
    Measurement(
        "channels", "A million channels with settings",
        ("bench.entity",),
        ("--channels", "100000", "edge", "lookups", "change"),
        "What they cost a role, and other ways to hold them; each way in a process of its own, beside the roles' broker."
        " A copy is made by reading the topic whole; a look-up is of a channel that nobody has asked for before.",
        (
            Figure("channels start", "an edge starts later than with none", "s",
                   aims=(Aim("touchline, first start", "at most", 20), Aim("touchline, its file there", "at most", 20))),
            Figure("channels held", "an edge holds more than with none", "MB",
                   aims=(Aim("touchline, first start", "at most", 50), Aim("touchline, its file there", "at most", 50))),
            Figure("channels filled", "a copy of the topic", "s"),
            Figure("channels copy", "memory of it", "MB"),
            Figure("channels look-up", "a cold look-up, p99", "ms", aims=(Aim("touchline", "at most", 5),)),
            Figure("channels change", "from a command's confirmation until who watches has it, the slowest of 60", "s",
                   aims=(Aim("touchline", "at most", 2),)),
        ),
    ),
    Measurement(
        "rooms folded", "Rooms: what is unread, folded",
        ("bench.rooms", "folding"), ("--quick",),
        "Acknowledgements as edges send them on, and messages into rooms of 55, in one process without servers.",
        (
            Figure("rooms acks", "acknowledgements folded", "/s", aims=(Aim("touchline", "at least", 100e3),)),
            Figure("rooms cells", "cells of (user, room) moved", "/s", aims=(Aim("touchline", "at least", 100e3),)),
        ),
    ),
    Measurement(
        "rooms traffic", "Rooms: 5,000 people on line in 10,000",
        ("bench.rooms", "traffic"), ("--quick",),
        "200,000 memberships; messages posted as doors post them, each device acknowledges once a second. From the post to each member.",
        (
            Figure("rooms delivery p50", "to each member who is there, p50", "ms", load="messages/s"),
            Figure("rooms delivery p99", "to each member who is there, p99", "ms", load="messages/s",
                   aims=(Aim("touchline", "at most", 300, 2000),)),
        ),
    ),
    Measurement(
        "rooms looking", "Rooms: inbox, following, badges",
        ("bench.rooms", "looking"), ("--quick",),
        "One user at an edge; `sync` after an absence, until all 20 events are there; from `read` on one device until another is told.",
        (
            Figure("rooms sync", "20 rooms with news are there, p50", "ms", load="rooms",
                   aims=tuple(Aim("touchline", "at most", 50, rooms) for rooms in (20, 200, 2000))),
            Figure("rooms sync new", "the last messages of all rooms are with a new device, p50", "ms", load="rooms"),
            Figure("rooms inbox p50", "inbox of 200 rooms, p50", "ms", aims=(Aim("touchline", "at most", 5),)),
            Figure("rooms inbox p99", "inbox of 200 rooms, p99", "ms", aims=(Aim("touchline", "at most", 20),)),
            Figure("rooms badge p50", "read here, badge gone there, p50", "ms",
                   aims=(Aim("at the same edge", "at most", 60), Aim("at another edge", "at most", 60))),
            Figure("rooms badge p99", "read here, badge gone there, p99", "ms",
                   aims=(Aim("at the same edge", "at most", 600), Aim("at another edge", "at most", 600))),
        ),
    ),
    Measurement(
        "rooms back", "Rooms: 5,000 devices back at once",
        ("bench.rooms", "back"), ("--quick",),
        "Each with 200 missed messages in ten rooms, a million in all; from the first connection until the last event.",
        (
            Figure("rooms back", "all have all of it", "s",
                   aims=(Aim("the edge was there", "at most", 20), Aim("the edge has just started", "at most", 20))),
        ),
    ),
    Measurement(
        "rooms million", "A million rooms of ten",
        ("bench.rooms", "million"), ("--quick",),
        "An edge with a million rooms, their users and tallies on the log; then members and strangers subscribe to rooms that nobody has asked for.",
        (
            Figure("rooms start", "an edge starts", "s",
                   aims=(Aim("first start", "at most", 30), Aim("its file there", "at most", 30))),
            Figure("rooms held", "it holds", "MB",
                   aims=(Aim("first start", "at most", 200), Aim("its file there", "at most", 200))),
            Figure("rooms subscribe p99", "a check at subscribe, p99", "ms", aims=(Aim("touchline", "at most", 5),)),
        ),
    ),
    Measurement(
        "rooms search", "Rooms: searches of who joined midway",
        ("bench.rooms", "search"), ("--quick",),
        "Two words, by a user in 2,000 rooms, 200,000 messages; of so many rooms only what came after they joined is theirs.",
        (
            Figure("rooms search", "search p50", "ms", load="rooms joined midway",
                   aims=(Aim("touchline", "at most", 50, 200),)),
        ),
    ),
    Measurement(
        "walkers", "From an update to a friend's screen",
        ("bench.walkers",),
        ("--seconds", "5", "--runs", "1"),
        "10,000 people connected, each with 40 friends who are connected, about a city as wide as London, looking 5 miles around: Kafka, a worker and an edge,"
        " each a process, beside the generator on the same cores. Each update is looked at by 40 viewers; whoever is near is pushed. Then somebody with 5,000 friends looks and moves each second.",
        (
            Figure("nearby p50", "update to a friend's screen, p50", "ms", load="updates/s",
                   aims=(Aim("touchline", "at most", 100, 5000),)),
            Figure("nearby p99", "update to a friend's screen, p99", "ms", load="updates/s",
                   aims=(Aim("touchline", "at most", 1000, 5000),)),
            Figure("nearby socket p50", "update to a friend's socket, p50", "ms", load="updates/s"),
            Figure("nearby socket p99", "update to a friend's socket, p99", "ms", load="updates/s"),
            Figure("nearby pushes", "pushes", "/s", load="updates/s"),
            Figure("nearby edge", "CPU of the edge", "% of a core", load="updates/s"),
            Figure("nearby worker", "CPU of the worker", "% of a core", load="updates/s"),
            Figure("nearby held", "memory of the edge", "MB", load="updates/s"),
            Figure("nearby page", "first page of 400 friends, a tenth of them there, p50", "ms", aims=(Aim("touchline", "at most", 10),)),
            Figure("nearby star", "p50 with somebody of 5,000 friends, times that without", "x", load="updates/s",
                   aims=(Aim("touchline", "at most", 1.1, 5000),)),
        ),
    ),
    Measurement(
        "nearby", "Looks and fences, on one core",
        ("bench.nearby",),
        ("evaluations", "drop", "fences"),
        "In one process, a second of CPU: friends looked at as people move; positions that concern nobody of an edge; and a worker's fences, with what is told of each crossing,"
        " beside Tile38 with the same fences (`TOUCHLINE_BENCH_TILE38` names its server; its rate is that of a core of those that it takes).",
        (
            Figure("nearby looks", "friends looked at", "/s", aims=(Aim("touchline", "at least", 200e3),)),
            Figure("nearby dropped", "positions of strangers passed over", "/s", aims=(Aim("touchline", "at least", 400e3),)),
            Figure("fence updates", "positions against fences", "/s", load="fences",
                   aims=(Aim("touchline", "at least", 30e3, 23e3), Aim("touchline", "at least", 24e3, 1e6))),
            Figure("fence memory", "memory of a fence", "bytes", load="fences",
                   aims=(Aim("touchline", "at most", 1000, 1e6),)),
            Figure("fence load", "all fences taken in", "s", load="fences"),
        ),
    ),
    Measurement(
        "JavaScript", "The JavaScript client",
        ("bench.node_client",),
        ("20000", "--runs", "1"),
        "Events a second that it takes in Node.",
        (
            Figure("JavaScript taken", "taken by the client in Node", "/s", load="/s offered",
                   aims=(Aim("client in Node", "at least", 19_500, 20_000),)),
            Figure("JavaScript cpu", "CPU of the client in Node", "% of a core", load="/s offered"),
        ),
    ),
    Measurement(
        "crowds", "Reactions and votes",
        ("bench.crowd",),
        ("--seconds", "3", "--count", "100000", "--viewers", "300"),
        "Single reactions through one worker, applause added up at the doors, the exact total on every screen, votes; each role a process.",
        (
            Figure("crowd fold", "single reactions of one worker, a core", "/s",
                   aims=(Aim("applause, one by one", "at least", 50_000),)),
            Figure("crowd doors", "applause added up at a door, a core", "/s",
                   aims=(Aim("gateway", "at least", 1_000_000), Aim("edge", "at least", 20_000))),
            Figure("crowd screens", "exact total on every screen after a burst's end", "ms"),
            Figure("crowd votes", "a vote's count on screen at 10,000 votes/s, p99", "ms",
                   aims=(Aim("p99", "at most", 800),)),
        ),
    ),
    Measurement(
        "feeds", "Feeds and webhooks",
        ("bench.feeds",),
        ("--followers", "50000", "--connected", "200"),
        "Pages of a feed of a hundred channels, posts to one receiver, a channel that a million follow going live; each role a process.",
        (
            Figure("feed page p50", "a feed's page (50) of 100 channels, p50", "ms",
                   aims=(Aim("first look", "at most", 15), Aim("looked again", "at most", 15))),
            Figure("feed page p99", "a feed's page (50) of 100 channels, p99", "ms",
                   aims=(Aim("first look", "at most", 40), Aim("looked again", "at most", 10), Aim("further back", "at most", 40))),
            Figure("webhook posts", "posts to a receiver that answers at once", "/s",
                   aims=(Aim("to one receiver", "at least", 2000),)),
            Figure("webhook late", "from event to receiver, p99", "ms", aims=(Aim("p99", "at most", 200),)),
            Figure("live accepted", "`live_started` of a channel with so many followers, accepted", "ms"),
            Figure("live told", "`live_started` on the screens of all who are there", "ms"),
            Figure("live looked", "`live_started` told to who looks later", "ms"),
        ),
    ),
)  # fmt: skip
FIGURES: Final = {figure.key: figure for each in MEASUREMENTS for figure in each.figures}
