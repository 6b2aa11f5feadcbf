"""A partition with far more than its share is found, and the channel named that makes it so."""

from streams.upkeep.hot_partitions import Traffic

PARTITIONS = {"chat": 8}


def test_a_partition_with_far_more_than_its_share_is_hot_and_its_channel_is_named() -> None:
    traffic = Traffic()
    for partition in range(8):
        traffic.note("chat", partition, {b"small": 100})
    traffic.note("chat", 3, {b"final": 9000})
    (hot,) = traffic.look(2.0, PARTITIONS)
    assert (hot.partition, hot.channel) == (3, "final")
    assert hot.per_s == 4550
    assert hot.times_share > 7
    assert hot.channel_share > 0.98


def test_even_traffic_and_little_traffic_are_not_hot() -> None:
    traffic = Traffic()
    for partition in range(8):
        traffic.note("chat", partition, {b"a": 5000})
    assert traffic.look(1.0, PARTITIONS) == []
    traffic.note("chat", 0, {b"a": 100})
    assert traffic.look(1.0, PARTITIONS) == []


def test_each_look_begins_anew_and_records_of_nothing_are_nothing() -> None:
    traffic = Traffic()
    traffic.note("chat", 0, {b"a": 5000})
    traffic.look(1.0, PARTITIONS)
    traffic.note("chat", 0, {})
    assert traffic.look(1.0, PARTITIONS) == []


def test_many_small_channels_do_not_fill_the_memory_nor_hide_the_big_one() -> None:
    traffic = Traffic()
    for number in range(20_000):
        traffic.note("chat", 0, {f"c{number}".encode(): 1, b"final": 1})
    (hot,) = traffic.look(1.0, PARTITIONS)
    assert hot.channel == "final"
    assert hot.per_s == 40_000
