"""Numbers on a real Kafka: without a hole through crashes, take-overs, more partitions, and in a replay."""

import json
import os
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from control.commands.sending import send_command
from control.topic_tables.snapshot import read_channels, read_counts
from kernel.clock import SystemClock, to_rfc3339
from kernel.log.kafka import apply_topics
from kernel.log.positions import Kind
from kernel.log.topics import topics
from schemas.codec import Codec
from tests.pipeline import Pipeline, eventually
from tests.streams.crew import Crew, set_back
from tests.streams.log import Log

CLOCK = SystemClock()
CHANNELS = 12
SEED = int(os.environ.get("CRASH_SEED", str(random.SystemRandom().randrange(10_000))))
#: Far less than what passes between two blows: numbers do not rest on what is recalled.
GIVEN = {"TOUCHLINE_STREAM_REPEAT_WINDOW_S": "0.5", "TOUCHLINE_TOPICS_PARTITIONS": "4"}


@pytest.fixture
def pipeline(kafka_servers: str, tmp_path: Path) -> Iterator[Pipeline]:
    made = Pipeline(kafka_servers, "http://127.0.0.1:9", tmp_path, **GIVEN)
    yield made
    made.close()


def number(pipeline: Pipeline, *channels: str) -> None:
    """These are numbered from now on, for good."""
    for channel in channels:
        send_command(pipeline.settings, CLOCK, channel, "set_channel", {"numbered": True})

    def in_force() -> bool:
        known = read_channels(pipeline.settings, CLOCK)
        records = [known.channel(channel) for channel in channels]
        return all(r.settings.numbered and r.settings_since < CLOCK.now_ms() for r in records)

    eventually("they are numbered", in_force)


def numbers(log: Log) -> dict[str, list[tuple[int, int | None]]]:
    """Stream -> (seq, n) of its events on the log of record; what is written twice is the same both times."""
    found: defaultdict[str, dict[int, int | None]] = defaultdict(dict)
    for event in log.values(log.names.events[Kind.CHAT], "event-chat"):
        known = found[f"chat:{event['channel']}"]
        assert known.setdefault(event["seq"], event["n"]) == event["n"], event
    return {stream: sorted(of_stream.items()) for stream, of_stream in found.items()}


def fanned_out(log: Log) -> dict[tuple[str, int], int | None]:
    """(stream, seq) -> n as edges get it, beside the body and in it."""
    found = {}
    codec = Codec("fanout")
    for message in log.read(log.names.fanout_live):
        record = codec.decode(message.value() or b"")
        assert msgspec.json.decode(record["body"]).get("n") == record["n"]
        found[record["stream"], record["seq"]] = record["n"]
    return found


def check(log: Log, pipeline: Pipeline, posted: int) -> None:
    """Each stream has 1, 2, 3, … in its order, on the log, in the fan-out and in what is kept."""
    counted = numbers(log)
    assert sum(map(len, counted.values())) == posted
    for stream, events in counted.items():
        assert [n for _, n in events] == list(range(1, len(events) + 1)), f"{stream} (seed {SEED})"
    assert fanned_out(log) == {(s, seq): n for s, events in counted.items() for seq, n in events}
    kept = read_counts(pipeline.settings, CLOCK)
    assert {s: (c.n, c.seq) for s, c in kept.items()} == {s: (e[-1][1], e[-1][0]) for s, e in counted.items()}


@pytest.mark.slow
@pytest.mark.timeout(590)
def test_there_is_no_hole_and_no_number_twice_whatever_crashes(pipeline: Pipeline, tmp_path: Path) -> None:
    print(f"CRASH_SEED={SEED}")  # noqa: T201 - replays the run
    rng = random.Random(SEED)
    log, crew = Log(pipeline.settings), Crew(pipeline, tmp_path, 2)
    posted = 0

    def post(count: int) -> None:
        nonlocal posted
        log.post_chats(count, CHANNELS, rng, first=posted)
        posted += count

    def judged() -> bool:
        crew.look()
        return log.lag(Kind.CHAT) == 0

    try:
        for worker in (0, 1):
            crew.start(worker)
        number(pipeline, *(f"channel-{n}" for n in range(CHANNELS)))
        for blow in ("kill", "freeze", "kill", "stop"):
            post(1500)
            time.sleep(rng.uniform(0.1, 1.5))  # a blow in the middle of the work, or after it
            worker = rng.choice(crew.awake)
            if blow == "freeze":
                crew.freeze(worker, 8)  # longer than the group waits: it wakes up without its partitions
            else:
                crew.end(worker, kill=blow == "kill")
                crew.start(worker)
        crew.thaw()
        eventually(f"all is judged (seed {SEED})", judged, within=150)
        check(log, pipeline, posted)
        for worker in list(crew.running):
            crew.end(worker, kill=True)
        # What was committed is read again, and numbered as it was.
        set_back(pipeline.settings, rng.uniform(0.2, 0.9))
        given = pipeline.settings
        grown = msgspec.structs.replace(given.topics, partitions=7)
        pipeline.settings = msgspec.structs.replace(given, topics=grown)
        apply_topics(pipeline.settings, topics(pipeline.settings))
        for worker in (0, 1):
            crew.start(worker)
        eventually(f"all is judged again (seed {SEED})", judged, within=150)
        log = Log(pipeline.settings)
        post(1500)
        eventually(f"in more partitions, too (seed {SEED})", judged, within=150)
    finally:
        crew.close()
    check(log, pipeline, posted)


def test_a_channel_that_becomes_numbered_begins_at_1_and_a_replay_gives_the_same(pipeline: Pipeline) -> None:
    log, rng = Log(pipeline.settings), random.Random(1)
    pipeline.start("stream")
    log.post_chats(50, 3, rng)
    number(pipeline, "channel-0", "channel-1")
    log.post_chats(50, 3, rng, first=50)
    eventually("the first half is judged", lambda: log.lag(Kind.CHAT) == 0)
    # The next worker has nothing but what was kept: all this is longer ago than what it recalls.
    middle = CLOCK.now_ms() + 1000
    eventually("a second later", lambda: CLOCK.now_ms() >= middle)
    pipeline.kill("stream")
    pipeline.start("stream")
    log.post_chats(50, 3, rng, first=100)
    eventually("all is judged", lambda: log.lag(Kind.CHAT) == 0)
    found = numbers(log)
    assert {n for _, n in found["chat:channel-2"]} == {None}
    for stream in ("chat:channel-0", "chat:channel-1"):
        given = [n for _, n in found[stream] if n is not None]
        assert given == list(range(1, len(given) + 1))
        assert [n for _, n in found[stream]] == [None] * (len(found[stream]) - len(given)) + given
    whole, rest = events_of(log), events_of(log, since_ms=middle)
    assert 0 < len(rest) < len(whole)
    assert replayed(pipeline, log, "whole", 0) == whole
    assert replayed(pipeline, log, "rest", middle) == rest


def events_of(log: Log, topic: str | None = None, *, since_ms: int = 0) -> list[tuple[Any, ...]]:
    found = [
        (m.partition(), m.key(), m.value())
        for m in log.read(topic or log.names.events[Kind.CHAT])
        if m.timestamp()[1] >= since_ms
    ]
    return sorted(dict.fromkeys(found), key=lambda record: record[0])


def replayed(pipeline: Pipeline, log: Log, name: str, since_ms: int) -> list[tuple[Any, ...]]:
    span = ("--from", to_rfc3339(since_ms), "--to", "2099-01-01T00:00:00Z")
    done = pipeline.run("stream", *span, "--shadow", name, "--json").stdout
    assert json.loads(done)["rejected"] == 0
    prefix = pipeline.settings.topics.prefix
    return events_of(log, log.names.events[Kind.CHAT].replace(prefix, f"{prefix}.shadow.{name}"))
