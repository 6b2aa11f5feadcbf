"""Epochs: a new one when a topic is made anew or grows; which one a record has is a matter of its place."""

from control.channels.epochs import Epoch, Epochs, advance


def test_the_first_epoch_is_one() -> None:
    assert advance([], topic_id="a", partitions=8, ends={}) == [Epoch(1, "a", 8, {})]


def test_nothing_new_is_no_new_epoch() -> None:
    epochs = [Epoch(1, "a", 8, {})]
    assert advance(epochs, topic_id="a", partitions=8, ends={0: 5}) == epochs


def test_a_topic_made_anew_begins_an_epoch_at_its_first_offset() -> None:
    epochs = advance([Epoch(1, "a", 8, {})], topic_id="b", partitions=8, ends={0: 5})
    assert Epochs(epochs, 0).of(0) == 2


def test_more_partitions_begin_an_epoch_where_the_partitions_then_end() -> None:
    epochs = advance([Epoch(1, "a", 2, {})], topic_id="a", partitions=4, ends={0: 100, 1: 50, 2: 0, 3: 0})
    old, new = Epochs(epochs, 1), Epochs(epochs, 3)
    assert (old.of(49), old.of(50)) == (1, 2)
    assert new.of(0) == 2
    assert old.newest_start == 50


def test_several_epochs_of_one_partition() -> None:
    epochs = Epochs([Epoch(1, "a", 1, {}), Epoch(2, "a", 2, {0: 10}), Epoch(3, "a", 4, {0: 30})], 0)
    assert [epochs.of(offset) for offset in (0, 9, 10, 29, 30, 99)] == [1, 1, 2, 2, 3, 3]
