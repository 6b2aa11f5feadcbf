"""A worker against a real Kafka: what goes in, what comes out, and how it stops."""

import json
import random
from itertools import count
from pathlib import Path

from control.commands.sending import send_command
from control.moderation.orders import MODERATE
from control.topic_tables.snapshot import read_channel, read_sanctions
from kernel.clock import SystemClock
from kernel.log.positions import Kind, partition_of
from tests.pipeline import Pipeline, eventually, running
from tests.streams.log import Log, Seen, accepted_offsets


def say(text: str, **fields: str) -> bytes:
    return json.dumps({"data": {"text": text}, **fields}).encode()


def test_events_are_ordered_fanned_out_and_refused_ones_are_told_of(pipeline: Pipeline) -> None:
    log = Log(pipeline.settings)
    partition = partition_of("final", 4)
    log.post(Kind.CHAT, "final", say("one", key="a"))
    log.post(Kind.CHAT, "final", b"junk")
    log.post(Kind.CHAT, "final", say("two", key="a"))
    log.post(Kind.CHAT, "final", say("three"), partition=(partition + 1) % 4)
    log.post(Kind.LOCATION, "final", b'{"data":{"lat":1,"lon":2}}')
    eventually("all is committed", lambda: log.lag(*Kind) == 0)

    def texts_of_events() -> list[str]:
        return [e["data"]["text"] for e in log.values(log.names.events[Kind.CHAT], "event-chat")]

    eventually("two events", lambda: len(texts_of_events()) > 1)
    eventually("what was put back is committed, too", lambda: log.lag(*Kind) == 0)
    texts = texts_of_events()
    assert texts == ["one", "three"], "the repeat is dropped, the misplaced record is put back"
    (message,) = log.read(log.names.events[Kind.LOCATION])
    assert message.partition() == partition
    (rejected,) = log.values(log.names.rejected, "rejection")
    assert (rejected["reason"], rejected["value"]) == ("undecodable", b"junk")
    for fanout, event in zip(log.read(log.names.fanout_live), texts, strict=True):
        assert fanout.key() == b"final#1#0"
        assert event in (fanout.value() or b"").decode("utf-8", "replace")
    since, until = "2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z"
    replayed = pipeline.run("stream", "--from", since, "--to", until, "--shadow", "audit", "--json").stdout
    assert json.loads(replayed)["accepted"] == 3
    prefix = pipeline.settings.topics.prefix
    for topic in (log.names.events[Kind.CHAT], log.names.fanout_live, log.names.rejected):
        again = topic.replace(prefix, f"{prefix}.shadow.audit")
        assert _bytes_of(log, again) == _bytes_of(log, topic), "a replay gives the same bytes"
    shown = json.loads(pipeline.run("channel", "show", "final", "--json").stdout)
    assert [v["shards"] for v in shown["versions"]] == [1], "its first event has made the channel"


def test_a_replay_refuses_who_was_muted_then_and_leaves_rooms_out(pipeline: Pipeline) -> None:
    """Also once they may write again."""
    log, clock = Log(pipeline.settings), SystemClock()

    def post(channel: str, text: str) -> None:
        log.post(Kind.CHAT, channel, say(text, sender="eve", key=text))
        eventually("it is judged", lambda: log.lag(Kind.CHAT) == 0)

    def order(do: str) -> None:
        send_command(pipeline.settings, clock, "judged", MODERATE, {"do": do, "user": "eve"})

        def holds() -> bool:
            eve = read_sanctions(pipeline.settings, clock).get("judged", {}).get("eve")
            return eve is not None and eve.muted_at(clock.now_ms()) == (do == "mute")

        eventually(f"{do} holds", holds)

    post("judged", "one")
    order("mute")
    post("judged", "two")
    order("unmute")
    post("judged", "three")
    post("room-none", "four")
    assert len(log.values(log.names.rejected, "rejection")) == 2
    span = ("--from", "2026-01-01T00:00:00Z", "--to", "2099-01-01T00:00:00Z", "--shadow", "muted", "--json")
    # With what the workers tell of each order, if it is there by now.
    replayed = json.loads(pipeline.run("stream", *span).stdout)
    assert (replayed["rejected"], replayed["rooms"]) == (1, 1)
    replayed = json.loads(pipeline.run("stream", *span, "--channel", "judged").stdout)
    assert (replayed["accepted"], replayed["rejected"], replayed["rooms"]) == (2, 1, 0)
    named = pipeline.run("stream", *span, "--channel", "room-none", check=False)
    assert named.returncode == 1
    assert "room-none is a room's" in named.stderr


def test_a_channels_settings_and_shards_are_changed_by_command(pipeline: Pipeline) -> None:
    log = Log(pipeline.settings)
    shown = pipeline.run("channel", "set", "final", 'blocked=["spoiler"]', "--json").stdout
    assert json.loads(shown)["settings"]["blocked"] == ["spoiler"]
    since = json.loads(pipeline.run("channel", "reshard", "final", "--shards", "3", "--json").stdout)
    assert [v["shards"] for v in since["versions"]] == [1, 3]

    keys = (f"k{number}" for number in count())  # one that was accepted before would be a repetition

    def posted() -> bool:
        log.post(Kind.CHAT, "final", say("a spoiler here", sender="ana", key=next(keys)))
        return bool(log.values(log.names.rejected, "rejection"))

    eventually("the setting holds", posted)
    (rejection, *_) = log.values(log.names.rejected, "rejection")
    assert (rejection["reason"], rejection["sender"], rejection["key"][0]) == ("moderated", "ana", "k")
    log.post(Kind.CHAT, "final", say("fine"))
    eventually("all is committed", lambda: log.lag(Kind.CHAT) == 0)
    shards = {m.key() for m in log.read(log.names.fanout_live) if (m.key() or b"").startswith(b"final#")}
    assert shards == {b"final#1#0", b"final#2#0", b"final#2#1", b"final#2#2"}
    refused = pipeline.run("channel", "set", "final", "slow_s=-1", check=False)
    assert refused.returncode == 1
    assert "from 0.001" in refused.stderr


def test_sigterm_under_load_ends_cleanly_and_the_next_worker_goes_on(pipeline: Pipeline) -> None:
    log = Log(pipeline.settings)
    log.post_chats(30_000, 50, random.Random(1))
    eventually("work has begun", lambda: next(log.read(log.names.fanout_live), None))
    assert pipeline.stop("stream") == 0
    done = 30_000 - log.lag(Kind.CHAT)
    assert len(list(log.read(log.names.events[Kind.CHAT]))) == done, "what was written is what was committed"
    pipeline.start("stream")
    eventually("all is committed", lambda: log.lag(Kind.CHAT) == 0)
    seen = Seen(log)
    assert seen.repeats == 0
    assert dict(seen.offsets) == accepted_offsets(log)


def _bytes_of(log: Log, topic: str) -> list[tuple[int, bytes | None, bytes | None]]:
    records = [(m.partition() or 0, m.key(), m.value()) for m in log.read(topic)]
    return sorted(records, key=lambda record: record[0])


def test_shards_follow_the_audience_and_a_version_ends_with_its_viewers(
    kafka_servers: str, tmp_path: Path
) -> None:
    given = {"TOUCHLINE_STREAM_VIEWERS_PER_SHARD": "10", "TOUCHLINE_STREAM_SHARD_HOLD_S": "0.5"}
    given["TOUCHLINE_STREAM_AUDIENCE_EVERY_S"] = "1"
    with running(kafka_servers, "http://127.0.0.1:9", tmp_path, "stream", **given) as pipeline:
        log = Log(pipeline.settings)
        # Where only some may publish, the audience is told all the same.
        pipeline.run("channel", "set", "final", 'publishers=["ana"]')

        def versions(*rows: tuple[int, int, int]) -> dict[int, bool]:
            """Heartbeat of (version, shard, viewers); then version -> whether it is live."""
            log.heartbeat("edge-1", *(("chat:final", *row) for row in rows))
            record = read_channel(pipeline.settings, SystemClock(), "final")
            return {v.version: v.until is None for v in record.versions} if record else {}

        def shards() -> list[int]:
            record = read_channel(pipeline.settings, SystemClock(), "final")
            return [v.shards for v in record.live] if record else []

        eventually("a second version", lambda: versions((1, 0, 25)).get(2))
        assert shards() == [1, 3]

        def still_there() -> dict[int, bool]:
            """An edge that says nothing for seven seconds is dead."""
            return versions((2, 0, 9), (2, 1, 8), (2, 2, 8))

        eventually("the first is retired", lambda: still_there().get(1) is False)

        def audiences() -> list[dict[str, int]]:
            still_there()
            return log.audiences("final")

        told = eventually("the audience is told", audiences)
        assert told[0] == {"viewers": 25, "chat": 25, "broadcast": 0, "location": 0}
        eventually("the sums are told", lambda: still_there() and log.totals() == {"": 25, "chat:final": 25})
        eventually("a dead edge's viewers are gone", lambda: log.audiences("final")[-1]["viewers"] == 0)
        eventually("from the sums, too", lambda: log.totals() == {"": 0})
        eventually("one shard is enough for nobody", lambda: shards() == [1])


def test_channels_beyond_the_bound_take_events_but_are_not_remembered(
    kafka_servers: str, tmp_path: Path
) -> None:
    given = {"TOUCHLINE_STREAM_MAX_CHANNELS": "3"}
    with running(kafka_servers, "http://127.0.0.1:9", tmp_path, "stream", **given) as pipeline:
        log = Log(pipeline.settings)
        for number in range(8):
            log.post(Kind.CHAT, f"place-{number}", say("hi"))
        eventually("all are judged", lambda: log.lag(Kind.CHAT) == 0)
        assert len(list(log.read(log.names.events[Kind.CHAT]))) == 8
        kept = {m.key() for m in log.read(log.names.channels)} - {b"$epochs"}
        assert len(kept) == 3
        refused = log.values(log.names.rejected, "rejection")
        assert not refused
        send_command(pipeline.settings, SystemClock(), "another", "set_channel", {"slow_s": 5})
        (rejection,) = eventually("it is refused", lambda: log.values(log.names.rejected, "rejection"))
        assert (rejection["reason"], rejection["topic"]) == ("limit_reached", log.names.changes)
        assert rejection["record_key"] == b"another"
