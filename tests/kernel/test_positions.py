"""Streams, sequence numbers, ids and partitions are what every part agrees on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.log.positions import (
    MAX_EPOCH,
    MAX_SEQ,
    Kind,
    Shard,
    Stream,
    lane,
    make_id,
    make_seq,
    murmur2,
    partition_of,
    split_lane,
    split_seq,
)


@pytest.mark.parametrize(
    ("key", "expected"),
    # From the test of Kafka's own Java client.
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_agrees_with_kafkas_java_client(key: bytes, expected: int) -> None:
    assert murmur2(key) == expected & 0xFFFFFFFF


def test_all_kinds_of_a_channel_lie_in_the_same_partition_number() -> None:
    assert partition_of("wc26-final", 8) == (murmur2(b"wc26-final") & 0x7FFFFFFF) % 8


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("wc26-final", "write <kind>:<channel>"),
        ("chat", "write <kind>:<channel>"),
        ("video:wc26-final", "not a kind of stream"),
        ("chat:", "not a channel's name"),
        ("chat:a b", "not a channel's name"),
        ("chat:" + "x" * 129, "not a channel's name"),
        ("chat:wc26\n", "not a channel's name"),
        ("chat:été", "not a channel's name"),
    ],
)
def test_a_wrong_stream_is_refused_with_a_sentence(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Stream.parse(text)


@given(st.sampled_from(Kind), st.from_regex(r"\A[A-Za-z0-9._~-]{1,128}\Z"))
def test_a_stream_reads_back_as_it_was_written(kind: Kind, channel: str) -> None:
    assert Stream.parse(str(Stream(kind, channel))) == Stream(kind, channel)


@given(st.integers(1, MAX_EPOCH), st.integers(0, 2**43 - 1))
def test_a_sequence_number_reads_back_and_fits_javascript(epoch: int, offset: int) -> None:
    seq = make_seq(epoch, offset)
    assert 0 < seq <= MAX_SEQ
    assert split_seq(seq) == (epoch, offset)


@given(st.integers(1, MAX_EPOCH - 1), st.integers(0, 2**43 - 1), st.integers(0, 2**43 - 1))
def test_a_new_epoch_comes_after_every_offset_of_the_old_one(epoch: int, old: int, new: int) -> None:
    assert make_seq(epoch + 1, new) > make_seq(epoch, old)


def test_ids_of_one_batch_differ_although_the_broker_stamps_one_time_on_all_of_it() -> None:
    ids = {make_id(Kind.CHAT, 1_767_225_600_000, 3, offset) for offset in range(20_000)}
    assert len(ids) == 20_000


def test_ids_sort_as_text_in_the_order_of_time() -> None:
    times = [1_735_689_600_000, 1_767_225_600_000, 1_767_225_600_001, 3_500_000_000_000]
    ids = [make_id(Kind.BROADCAST, ms, 0, 0) for ms in times]
    assert ids == sorted(ids)


def test_kinds_partitions_and_offsets_never_share_an_id() -> None:
    ids = {make_id(kind, 1_767_225_600_000, p, o) for kind in Kind for p in range(64) for o in range(64)}
    assert len(ids) == 3 * 64 * 64


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("final", ("final", None)),
        ("final~3", ("final", 3)),
        ("final~0", ("final", 0)),
        ("final~03", ("final~03", None)),
        ("final~x", ("final~x", None)),
        ("~3", ("~3", None)),
        ("a~1~2", ("a~1", 2)),
    ],
)
def test_lanes_are_told_from_channels_that_merely_have_a_tilde(
    name: str, expected: tuple[str, int | None]
) -> None:
    assert split_lane(name) == expected


@given(st.from_regex(r"\A[A-Za-z0-9._-]{1,20}\Z"), st.integers(0, 999))
def test_a_lane_reads_back_as_it_was_written(channel: str, number: int) -> None:
    assert split_lane(lane(channel, number)) == (channel, number)


def test_a_shard_reads_back_from_its_key() -> None:
    shard = Shard("wc26-final", 2, 7)
    assert shard.key == "wc26-final#2#7"
    assert Shard.from_key(shard.key) == shard
