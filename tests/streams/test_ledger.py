"""Which offsets may be committed: only those before which every batch is finished."""

from kernel.log.records import Partition, Record
from streams.transport.batch import Ledger, PartitionBatch, TopicBatch

CHAT0, CHAT1 = Partition("chat", 0), Partition("chat", 1)


def batch(opening: int, place: Partition, *offsets: int) -> TopicBatch:
    return TopicBatch(
        place.topic, opening, [PartitionBatch(place, [Record(o, 0, b"k", b"v") for o in offsets])]
    )


def test_an_offset_is_committable_once_its_turn_is_finished() -> None:
    ledger = Ledger()
    opening = ledger.open({CHAT0: 10})
    first = batch(opening, CHAT0, 10, 11)
    assert ledger.start(first)
    assert ledger.committable() == {}
    assert not ledger.idle
    first.finished = True
    assert ledger.committable() == {CHAT0: 12}
    assert ledger.idle


def test_a_turn_that_finishes_early_waits_for_those_before_it() -> None:
    ledger = Ledger()
    opening = ledger.open({CHAT0: 0, CHAT1: 0})
    first, second = batch(opening, CHAT0, 0), batch(opening, CHAT1, 0)
    ledger.start(first)
    ledger.start(second)
    second.finished = True
    assert ledger.committable() == {}
    first.finished = True
    assert ledger.committable() == {CHAT0: 1, CHAT1: 1}


def test_offsets_that_the_log_skips_do_not_hold_back_a_commit() -> None:
    ledger = Ledger()
    only = batch(ledger.open({CHAT0: 3}), CHAT0, 7, 9)
    ledger.start(only)
    only.finished = True
    assert ledger.committable() == {CHAT0: 10}


def test_what_kafka_has_taken_is_not_committed_again() -> None:
    ledger = Ledger()
    only = batch(ledger.open({CHAT0: 0}), CHAT0, 0)
    ledger.start(only)
    only.finished = True
    ledger.committed({CHAT0: 1})
    assert ledger.committable() == {}


def test_a_turn_of_an_older_opening_is_dropped() -> None:
    ledger = Ledger()
    stale = batch(ledger.open({CHAT0: 0}), CHAT0, 0)
    ledger.open({CHAT0: 0})
    assert not ledger.start(stale)
    assert ledger.idle


def test_a_turn_counts_until_its_partitions_are_shared_out_again() -> None:
    ledger = Ledger()
    held = batch(ledger.open({CHAT0: 0}), CHAT0, 0)
    ledger.start(held)
    assert ledger.holds(held)
    ledger.close()
    assert not ledger.holds(held), "partitions are being shared out"
    ledger.open({CHAT0: 0})
    assert not ledger.holds(held), "they were"


def test_what_was_finished_before_a_close_may_still_be_committed_and_nothing_else() -> None:
    ledger = Ledger()
    opening = ledger.open({CHAT0: 0})
    done, undone = batch(opening, CHAT0, 0), batch(opening, CHAT0, 1)
    ledger.start(done)
    ledger.start(undone)
    done.finished = True
    ledger.close()
    undone.finished = True
    assert ledger.committable() == {CHAT0: 1}


def test_a_partition_of_another_worker_is_not_committed() -> None:
    ledger = Ledger()
    only = batch(ledger.open({CHAT0: 0}), CHAT0, 0)
    ledger.start(only)
    only.finished = True
    ledger.close()
    ledger.forget(iter([CHAT0]))
    assert ledger.committable() == {}
