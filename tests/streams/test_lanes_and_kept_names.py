"""The fold: what is set for a channel binds its lanes, and kept names take the system's signature."""

import json
from typing import Any

import pytest

from control.channels.channel import ChannelRecord, ChannelVersion, Settings
from kernel.access.signing import Signer
from kernel.log.positions import Kind, partition_of
from kernel.log.records import Record
from kernel.settings.reading import Auth
from schemas.codec import Codec
from streams.fold.channels import Channels
from streams.fold.judge import Judge
from tests.streams.judging import APPEND, PARTITIONS, fold, make_judge

# ── lanes ────────────────────────────────────────────────────────────────────────────────────────────────


def posted(channel: str, event: dict[str, Any], offset: int = 0, *, signer: Signer | None = None) -> Record:
    """A record to a channel, signed where there is a signer; of a broadcast where it has a type."""
    kind = Kind.BROADCAST if "type" in event else Kind.CHAT
    value = json.dumps({"data": {"text": "hello"}, **event}).encode()
    headers = signer.headers(kind, channel, value) if signer else None
    return Record(offset, APPEND, channel.encode(), value, headers)


def in_partition_of(channel: str, kind: Kind = Kind.CHAT, **given: Any) -> Judge:
    return make_judge(kind, partition=partition_of(channel, PARTITIONS), **given)


def test_what_is_set_for_a_channel_binds_its_lanes() -> None:
    settings = Settings(publishers=("ana",))
    for name in ("final~0", "final~63", "final~640"):
        judge = in_partition_of(name, settings=settings)
        outcome = fold(
            judge, *(posted(name, who, n) for n, who in enumerate(({"sender": "eve"}, {"sender": "ana"}, {})))
        )
        assert outcome.rejected == {"forbidden": 2}, name
        assert outcome.accepted == {name.encode(): 1}, name


def test_a_lane_goes_to_all_shards_of_all_versions_of_its_channel() -> None:
    versions = (ChannelVersion(1, 1, 0), ChannelVersion(2, 2, APPEND))
    writes = fold(in_partition_of("final~0", versions=versions), posted("final~0", {})).writes
    assert [write.key for write in writes if write.topic == "t.fanout.live"] == [
        b"final~0#1#0",
        b"final~0#2#0",
        b"final~0#2#1",
    ]


def test_a_change_of_a_channel_reaches_its_lanes() -> None:
    records = {"final": ChannelRecord(channel="final")}
    channels = Channels(Kind.CHAT, lambda name: records[name], ingest=PARTITIONS, fanout=PARTITIONS)
    assert channels.find(b"final~2", APPEND).guard is None
    records["final"] = ChannelRecord(channel="final", settings=Settings(max_text=1))
    assert channels.known[b"final~2"].guard is None
    channels.forget("final")
    assert b"final~2" not in channels.known
    assert channels.find(b"final~2", APPEND).guard is not None


# ── names that are kept ──────────────────────────────────────────────────────────────────────────────────

SIGNER = Signer(Auth(internal_secret="s" * 32))


@pytest.mark.parametrize(
    ("channel", "event"),
    [
        ("final", {"sender": "touchline"}),
        ("final", {"sender": "touchline-ops"}),
        ("final", {"type": "audience"}),
        ("final", {"type": "poll_closed", "sender": "ana"}),
        ("notify-ana", {"type": "mention"}),
        ("alert-goals", {"type": "alert"}),
        ("fence-1", {"type": "enter"}),
        ("touchline-ops", {"type": "hot_partition"}),
    ],
)
def test_what_is_kept_for_the_system_takes_the_systems_signature(channel: str, event: dict[str, Any]) -> None:
    kind = Kind.BROADCAST if "type" in event else Kind.CHAT
    others = Signer(Auth(internal_secret="o" * 32))
    for signer, expected in ((None, 0), (others, 0), (SIGNER, 1)):
        outcome = fold(in_partition_of(channel, kind, signer=SIGNER), posted(channel, event, signer=signer))
        assert outcome.accepted.total() == expected
        assert outcome.rejected == ({} if expected else {"forbidden": 1})
    nobody = fold(in_partition_of(channel, kind), posted(channel, event, signer=SIGNER))
    assert nobody.rejected == {"forbidden": 1}, "without a secret nothing counts as signed"


def test_a_signature_fits_no_other_channel_kind_or_text() -> None:
    signed = posted("touchline-ops", {"type": "hot_partition"}, signer=SIGNER)
    for other in (
        signed._replace(key=b"final", value=b'{"type":"audience","data":{}}'),
        signed._replace(key=b"alert-x"),
        signed._replace(value=(signed.value or b"") + b" "),
    ):
        judge = in_partition_of((other.key or b"").decode(), Kind.BROADCAST, signer=SIGNER)
        assert fold(judge, other).rejected == {"forbidden": 1}


def test_what_the_system_says_is_not_bound_by_the_channels_settings() -> None:
    settings = Settings(publishers=("ana",), rate_per_s=1.0, rate_binds_producers=True)
    judge = in_partition_of("final", Kind.BROADCAST, settings=settings, signer=SIGNER)
    said = {"type": "audience", "sender": "touchline", "data": {"viewers": 3}}
    outcome = fold(judge, *(posted("final", said, offset, signer=SIGNER) for offset in range(5)))
    assert outcome.accepted.total() == 5


def test_in_a_users_own_channel_only_they_post() -> None:
    judge = make_judge(partition=partition_of("user-ana", PARTITIONS), channel="user-ana")
    senders: list[dict[str, Any]] = [{"sender": "ana"}, {"sender": "eve"}, {}]
    outcome = fold(judge, *(posted("user-ana", sender, offset) for offset, sender in enumerate(senders)))
    assert outcome.rejected == {"forbidden": 1}
    decode = Codec("event-chat").decode
    events = [decode(w.value or b"") for w in outcome.writes if w.topic == "t.events.chat"]
    assert [event["sender"] for event in events] == ["ana", "ana"]
